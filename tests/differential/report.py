"""Shows a mismatch so that a person can see what it is about."""
import datetime
import json
import re
from zoneinfo import ZoneInfo

ROWS_BEFORE, ROWS_AFTER, FIRES = 14, 4, 12


def show(mismatch):
    folder = mismatch.folder
    home = json.loads((folder / "home.json").read_text())
    zone = ZoneInfo(home["place"]["time_zone"])
    print(f"in {folder}: {home['name']} {home['place']}")
    if mismatch.reason:
        print(mismatch.reason)
    if mismatch.number is None:
        return
    text = (folder / "automations.yaml").read_text()
    print(text if len(text) < 4000 else text[:4000] + "...")
    for name, fires in (("only Home Assistant", mismatch.lacking), ("only ha-ai", mismatch.extra)):
        for at, trigger in fires[:FIRES]:
            print(f"{name:20} {moment(at, zone)} trigger {trigger}")
        if len(fires) > FIRES:
            print(f"{name:20} and {len(fires) - FIRES} more")
    for run in home["runs"]:
        print(f"run {moment(run['from'], zone)} started {moment(run['started'], zone)} to {moment(run['to'], zone)}")
    fires = [*mismatch.lacking, *mismatch.extra]
    named = set(re.findall(r"\b[a-z_]+\.[a-z0-9_]+\b", text))
    rows = [s for s in home["states"] if s[1] in named]
    if fires:
        first = min(at for at, _ in fires)
        before = [s for s in rows if s[0] <= first][-ROWS_BEFORE:]
        rows = before + [s for s in rows if s[0] > first][:ROWS_AFTER]
    for at, entity_id, state, attributes, _, force in rows:
        shown = {k: v for k, v in attributes.items() if k != "friendly_name"}
        print(f"{moment(at, zone)} {entity_id} {state!r} {json.dumps(shown)}{' forced' if force else ''}")
    errors = json.loads((folder / "fires.json").read_text())["errors"] if (folder / "fires.json").exists() else []
    if errors:
        print(f"{len(errors)} errors in Home Assistant, the first: ...{errors[0][-400:]}")


def moment(at, zone):
    local = datetime.datetime.fromtimestamp(at / 1000, zone)
    return f"{at} {local:%a %Y-%m-%d %H:%M:%S}.{at % 1000:03d}{local:%z}"
