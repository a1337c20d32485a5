"""What Home Assistant and the back-test say of one home, side by side."""
import collections
import datetime
import json
import os
import shutil
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


def our_fires(program, folder, since=None, until=None):
    """{automation's place in the file: [(ms, trigger)]} by `ha-ai backtest`, and what it says it cannot replay."""
    home = json.loads((folder / "home.json").read_text())
    zone = home["place"]["time_zone"]
    command = [program, "backtest", folder / "automations.yaml", "--history", folder / "home-assistant_v2.db", "--format", "json",
               "--until", iso(until or home["runs"][-1]["to"])]
    if since:
        command += ["--since", iso(since)]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env={"PATH": os.environ["PATH"], "TZ": zone})
    if done.returncode != 0:
        raise RuntimeError(f"ha-ai ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    found = json.loads(done.stdout)["automations"]
    fires = {i: [(time_ms(f["time"]), f["trigger"]) for f in a["fires"]] for i, a in enumerate(found)}
    return fires, {i: a["not_replayed"] for i, a in enumerate(found) if a["partial"]}


def iso(moment):
    return datetime.datetime.fromtimestamp(moment / 1000, datetime.timezone.utc).isoformat(timespec="milliseconds")


def automations_of(folder):
    return yaml.load((folder / "automations.yaml").read_text(), yaml.CSafeLoader)


def their_fires(folder):
    """The same by Home Assistant, and every call of a trigger, whether or not it came to something."""
    names = {a["alias"]: i for i, a in enumerate(automations_of(folder))}
    said = json.loads((folder / "fires.json").read_text())
    fires, triggered = collections.defaultdict(list), collections.defaultdict(list)
    for kind, into in (("fires", fires), ("triggered", triggered)):
        for name, trigger, us in said[kind]:
            into[names[name]].append((us // 1000, trigger))
    return fires, triggered, names


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
        twin = next((e for e in extra if abs(e[0] - fire[0]) <= 1 and
                     any(t == e[1] and abs(at - fire[0]) <= 1 for at, t in triggered)), None)
        if twin:
            lacking.remove(fire), extra.remove(twin)
    return sorted(lacking), sorted(extra)


class Mismatch:
    """One automation of a home on which the two disagree, or a home that one of them could not do at all."""

    def __init__(self, folder, number=None, lacking=(), extra=(), reason=None):
        self.folder, self.number, self.lacking, self.extra, self.reason = folder, number, lacking, extra, reason


def check_home(program, folder, rng=None):
    """(automations, how many of them fired, fires, [mismatches])."""
    theirs, triggered, names = their_fires(folder)
    count, mismatches = len(names), []
    home = json.loads((folder / "home.json").read_text())
    # One that is turned off at each start is rightly partial: somebody may turn it on. Here nobody does.
    off = {names[a["alias"]] for a in automations_of(folder) if a.get("initial_state") is False}
    begin, end = home["runs"][0]["from"], home["runs"][-1]["to"]
    windows = [(None, None)]
    if rng and rng.random() < 0.5:  # what came before --since is known, but does not count
        windows.append(sorted(rng.randrange(begin, end) for _ in range(2)))
    for since, until in windows:
        try:
            ours, partial = our_fires(program, folder, since, until)
        except (RuntimeError, ValueError, KeyError) as error:
            return count, 0, 0, [Mismatch(folder, reason=str(error))]
        if set(ours) != set(range(count)):
            return count, 0, 0, [Mismatch(folder, reason=f"{len(ours)} automations instead of {count}")]
        for i in range(count):
            wanted = [f for f in theirs[i] if (since or begin) <= f[0] < (until or end)]
            lacking, extra = compare(wanted, ours[i], triggered[i])
            reason = f"partial: {partial[i]}" if i in partial and i not in off else None
            if since and (lacking or extra):
                reason = f"with --since {iso(since)} --until {iso(until)}"
            if (lacking or extra or reason) and not any(m.number == i for m in mismatches):
                mismatches.append(Mismatch(folder, i, lacking, extra, reason))
    return count, sum(1 for i in range(count) if theirs[i]), sum(map(len, theirs.values())), mismatches
