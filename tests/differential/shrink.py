"""Makes a mismatch small: fewer automations, entities, days, triggers, conditions, states, as long as the two still disagree."""
import json
import re

import yaml

from compare import Mismatch, check_home, write_home

TRIES = 150
HOUR = 3_600_000


class Shrinker:
    def __init__(self, worker, program, folder):
        self.worker, self.program, self.folder, self.tries = worker, program, folder, TRIES

    def differs(self, home, text):
        """The mismatch of the home with that one automation; None when there is none."""
        if self.tries == 0:
            return None
        self.tries -= 1
        write_home(self.folder, home, text)
        if not self.worker.replay(self.folder.name):
            self.worker.close()
            return None
        return next((m for m in check_home(self.program, self.folder).mismatches if m.number is not None), None)


def cut(home, begin, end):
    """The home between two moments, with the states that held at the first; None when that is no home."""
    run = next((r for r in home["runs"] if r["from"] <= begin < r["to"]), None)
    if run is None:
        return None
    started = max(run["started"], begin + 1000)
    held, later = {}, []
    for state in home["states"]:
        if run["from"] <= state[0] <= begin:
            held[state[1]] = [begin, *state[1:]]
        elif begin < state[0] < end:
            later.append(state)
    first = {**run, "from": begin, "started": started, "to": min(run["to"], end), "clean": run["clean"] or end < run["to"]}
    rest = [{**r, "to": min(r["to"], end), "clean": r["clean"] or end < r["to"]} for r in home["runs"] if run["to"] < r["from"] and r["started"] < end]
    states = [s for s in held.values() if s[2] is not None] + later
    return {**home, "runs": [first, *rest], "states": states} if first["started"] < first["to"] else None


def simpler(automation):
    """The automation with one part less, in every way."""
    for key in automation:
        if key in ("alias", "trigger", "triggers", "action", "actions"):
            continue
        yield {k: v for k, v in automation.items() if k != key}
    for key in ("trigger", "triggers", "action", "actions", "condition", "conditions"):
        parts = automation.get(key)
        if isinstance(parts, list):
            for i in range(len(parts)):
                yield {**automation, key: parts[:i] + parts[i + 1:]}
        parts = parts if isinstance(parts, list) else [parts]
        for i, part in enumerate(parts):
            for other in smaller(part):
                yield {**automation, key: [*parts[:i], other, *parts[i + 1:]]}


def smaller(part):
    """A trigger or condition without one of its fields, or one of the conditions in it instead."""
    if not isinstance(part, dict):
        return
    for inner in (part.get("conditions"), part.get("and"), part.get("or"), part.get("not"), part.get("triggers")):
        yield from inner if isinstance(inner, list) else [inner] if inner else []
    for key, value in part.items():
        if key in ("enabled", "id", "alias", "variables", "for", "match", "weekday", "offset", "after_offset", "before_offset"):
            yield {k: v for k, v in part.items() if k != key}
        if isinstance(value, list) and len(value) > 1:
            for i in range(len(value)):
                yield {**part, key: value[:i] + value[i + 1:]}
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for other in smaller(value[0]):
                yield {**part, key: [other]}


def dumped(automation):
    return yaml.safe_dump([automation], sort_keys=False)


def shrink(mismatch, worker, program):
    """A smaller one; the same when it is gone as soon as it stands alone."""
    home = json.loads((mismatch.folder / "home.json").read_text())
    automation = yaml.safe_load((mismatch.folder / "automations.yaml").read_text())[mismatch.number]
    folder = mismatch.folder.with_name(f"{mismatch.folder.name}-{mismatch.number}")
    shrinker = Shrinker(worker, program, folder)
    best = shrinker.differs(home, dumped(automation))
    if best is None:
        return mismatch
    named = set(re.findall(r"\b[a-z_]+\.[a-z0-9_]+\b", dumped(automation)))
    homes = [{**home, "states": [s for s in home["states"] if s[1] in named]}] if "target" not in dumped(automation) else []
    found = shrinker.differs(homes[0], dumped(automation)) if homes else None
    home, best = (homes[0], found) if found else (home, best)
    fires = sorted([*best.lacking, *best.extra])
    if fires:
        at = fires[0][0]
        for begin, end in ((at - HOUR, at + 2000), (at - 6 * HOUR, at + 2000), (at - 24 * HOUR, at + 2000),
                           (home["runs"][0]["from"], at + 2000)):
            other = cut(home, max(begin, home["runs"][0]["from"]), end)
            found = other and shrinker.differs(other, dumped(automation))
            if found:
                home, best = other, found
                break
    progress = True
    while progress and shrinker.tries:
        progress = False
        for other in simpler(automation):
            found = shrinker.differs(home, dumped(other))
            if found:
                automation, best, progress = other, found, True
                break
    size = len(home["states"]) // 2
    while size and shrinker.tries:
        i = 0
        while i < len(home["states"]) and shrinker.tries:
            other = {**home, "states": home["states"][:i] + home["states"][i + size:]}
            found = shrinker.differs(other, dumped(automation))
            if found:
                home, best = other, found
            else:
                i += size
        size //= 2
    shrinker.tries = 1  # what is left in the folder shall be the smallest
    return shrinker.differs(home, dumped(automation)) or Mismatch(folder, 0, best.lacking, best.extra, best.reason)
