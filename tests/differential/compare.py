"""What Home Assistant and the back-test say of one home, side by side."""
import collections
import contextlib
import datetime
import json
import os
import shutil
import sqlite3
import subprocess

import yaml

WITHIN_MS = 1000


def write_home(folder, home, text):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "home.json").write_text(json.dumps(home))
    (folder / "automations.yaml").write_text(text)


def time_ms(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def iso(moment):
    return datetime.datetime.fromtimestamp(moment / 1000, datetime.timezone.utc).isoformat(timespec="milliseconds")


# --- what each says ---------------------------------------------------------------------------------------------------

def our_fires(program, folder, since=None, until=None):
    """{automation's place in the file: [(ms, trigger)]} by `ha-ai backtest`, and what it says it cannot replay.

    Entities that the history does not know are none of that: they never were in Home Assistant either.
    """
    command = [program, "backtest", folder / "automations.yaml", "--history", folder / "home-assistant_v2.db",
               "--format", "json"]
    if since:
        command += ["--since", iso(since), "--until", iso(until)]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                          env={k: v for k, v in os.environ.items() if k == "PATH" or k.endswith("SAN_OPTIONS")})
    if done.returncode != 0:
        raise RuntimeError(f"ha-ai ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    found = json.loads(done.stdout)["automations"]
    fires = {i: [(time_ms(f["time"]), f["trigger"]) for f in a["fires"]] for i, a in enumerate(found)}
    return fires, {i: a["not_replayed"] for i, a in enumerate(found) if a["not_replayed"] or "error" in a}


class Theirs:
    """Home Assistant's: per automation the fires, every call of a trigger (whether or not it came to something), and the
    moments at which its own sun condition failed."""

    def __init__(self, folder, names):
        said = json.loads((folder / "fires.json").read_text())
        self.fires, self.triggered, self.stumbles = (collections.defaultdict(list) for _ in range(3))
        for kind, into in (("fires", self.fires), ("triggered", self.triggered)):
            for name, trigger, us in said[kind]:
                into[names[name]].append((us // 1000, trigger))
        for name, us in said["stumbles"]:
            self.stumbles[names[name]].append(us // 1000)


def gaps(folder, home):
    """[(from, to)] of which the recorder keeps nothing: from the last row before a crash to the next start."""
    found = []
    with contextlib.closing(sqlite3.connect(folder / "home-assistant_v2.db")) as db:
        for run in home["runs"]:
            if not run["clean"]:
                last, = db.execute("SELECT max(last_updated_ts) FROM states WHERE last_updated_ts BETWEEN ? AND ?",
                                   (run["from"] / 1000, run["to"] / 1000)).fetchone()
                found.append((round((last or run["from"] / 1000) * 1000) - WITHIN_MS, run["to"]))
    return found


# --- the comparison ---------------------------------------------------------------------------------------------------

def compare(theirs, ours, triggered):
    """([fires that only Home Assistant has], [those that only we have]) of one automation.

    Where two triggers of it came at the same moment and its mode let only one through, either is right.
    """
    lacking, extra = [], []
    for trigger in {t for _, t in [*theirs, *ours]}:
        left, right = (sorted(at for at, t in fires if t == trigger) for fires in (theirs, ours))
        while left and right:
            if abs(left[0] - right[0]) <= WITHIN_MS:
                left.pop(0), right.pop(0)
            elif left[0] < right[0]:
                lacking.append((left.pop(0), trigger))
            else:
                extra.append((right.pop(0), trigger))
        lacking += [(at, trigger) for at in left]
        extra += [(at, trigger) for at in right]
    for fire in list(lacking):
        twin = next((e for e in extra if abs(e[0] - fire[0]) <= WITHIN_MS and
                     any(t == e[1] and abs(at - fire[0]) <= 1 for at, t in triggered)), None)
        if twin:
            lacking.remove(fire), extra.remove(twin)
    return sorted(lacking), sorted(extra)


def is_stumble(lacking, extra, stumbles):
    """Whether the first difference is a fire of ours at which Home Assistant's sun condition failed."""
    first = min([*lacking, *extra])
    return first in extra and any(abs(at - first[0]) <= WITHIN_MS for at in stumbles)


class Mismatch:
    """One automation of a home on which the two disagree, or a home that one of them could not do at all."""

    def __init__(self, folder, number=None, lacking=(), extra=(), reason=None):
        self.folder, self.number, self.lacking, self.extra, self.reason = folder, number, lacking, extra, reason


class Result:
    """Of one home, or of many together."""

    def __init__(self, automations=0):
        self.automations, self.firing, self.fires, self.stumbles = automations, 0, 0, 0
        self.mismatches = []

    def add(self, other):
        for name in ("automations", "firing", "fires", "stumbles", "mismatches"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def check_window(folder, result, theirs, ours, window, off):
    """Compares all automations in one stretch of time; `window` is (since, until, gaps), `off` those never turned on."""
    since, until, unknown = window
    fires, partial = ours

    def counts(fire):
        return since <= fire[0] < until and not any(a < fire[0] <= b for a, b in unknown)

    for i in range(result.automations):
        # Of a pair one may lie just outside: pairs first, then what is left inside.
        lacking, extra = (list(filter(counts, left)) for left in compare(theirs.fires[i], fires[i], theirs.triggered[i]))
        if (lacking or extra) and is_stumble(lacking, extra, theirs.stumbles[i]):
            result.stumbles += 1
            lacking, extra = [], []
        reason = f"partial: {partial[i]}" if i in partial and i not in off else None
        if (lacking or extra) and not reason:
            reason = f"between {iso(since)} and {iso(until)}"
        if reason and not any(m.number == i for m in result.mismatches):
            result.mismatches.append(Mismatch(folder, i, lacking, extra, reason))


def check_home(program, folder, rng=None):
    """The Result; with `rng` a part of the days is asked for too, in every other home."""
    configs = yaml.load((folder / "automations.yaml").read_text(), yaml.CSafeLoader)
    names = {config["alias"]: i for i, config in enumerate(configs)}
    # One that is turned off at each start is rightly partial: somebody may turn it on. Here nobody does.
    off = {i for i, config in enumerate(configs) if config.get("initial_state") is False}
    home = json.loads((folder / "home.json").read_text())
    theirs, unknown, result = Theirs(folder, names), gaps(folder, home), Result(len(names))
    begin, end = home["runs"][0]["from"], home["runs"][-1]["to"]
    windows = [(None, None)]
    if rng and rng.random() < 0.5:  # what came before --since is known, but does not count
        windows.append(sorted(rng.randrange(begin, end) for _ in range(2)))
    for since, until in windows:
        try:
            ours = our_fires(program, folder, since, until)
        except (RuntimeError, ValueError, KeyError) as error:
            result.mismatches = [Mismatch(folder, reason=str(error))]
            return result
        if set(ours[0]) != set(range(result.automations)):
            result.mismatches = [Mismatch(folder, reason=f"{len(ours[0])} automations instead of {result.automations}")]
            return result
        check_window(folder, result, theirs, ours, (since or begin, until or end, unknown), off)
    result.firing, result.fires = sum(1 for i in names.values() if theirs.fires[i]), sum(map(len, theirs.fires.values()))
    return result
