"""`ha-ai backtest`: what it says of automations, what it cannot replay, what it refuses; and that it agrees with `analyze`."""
import datetime
import json
import os
import random
import re
import sqlite3
import subprocess
import time
from collections import Counter
from zoneinfo import ZoneInfo

import pytest
import yaml

# Neither TZ, LOCATION, HISTORY nor EXCLUDE.
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}
BERLIN = ZoneInfo("Europe/Berlin")
PLACE = ("--timezone", "Europe/Berlin", "--location", "52.52,13.405")
LAMP = "light.backtest_lamp"


def backtest(ha_ai, *arguments, **environment):
    text = environment.pop("stdin", None)
    return subprocess.run([ha_ai, "backtest", *map(str, arguments)], env=ENVIRONMENT | environment, input=text,
                          capture_output=True, text=True, timeout=300)


def result(ha_ai, *arguments, **environment):
    done = backtest(ha_ai, *arguments, "--format", "json", **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("}\n") and done.stdout.count("\n") == 1
    return json.loads(done.stdout)


def one(ha_ai, home, text, *arguments, **environment):
    """The back-test of one automation, given as YAML on standard input."""
    answer = result(ha_ai, "-", "--history", home, *PLACE, *arguments, stdin=text, **environment)
    assert len(answer["automations"]) == 1
    return answer["automations"][0]


def fired(automation):
    return [datetime.datetime.fromisoformat(f["time"].replace("Z", "+00:00")) for f in automation["fires"]]


@pytest.fixture(scope="module")
def folder(ha_ai, tmp_path_factory):
    """A simulated home and its own automations.yaml."""
    seed = random.randrange(10 ** 6)
    print(f"seed {seed}")
    path = tmp_path_factory.mktemp("backtest")
    subprocess.run([ha_ai, "simulate", "--days", "40", "--entities", "40", "--states", "30000", "--seed", str(seed),
                    "--out", path / "home-assistant_v2.db", "--truth", path / "truth.json", "--ha-config",
                    path / "config"], check=True, capture_output=True, timeout=240)
    return path


@pytest.fixture(scope="module")
def home(folder):
    return folder / "home-assistant_v2.db"


@pytest.fixture(scope="module")
def automations(folder):
    return folder / "config" / "automations.yaml"


def changes(home, entity_id):
    """[(time, state, state before in the same life of Home Assistant or None)]"""
    with sqlite3.connect(home) as db:
        starts = [row[0] for row in db.execute("SELECT unixepoch(start, 'subsec') FROM recorder_runs")] \
            if sqlite3.sqlite_version_info >= (3, 42) else \
            [datetime.datetime.fromisoformat(row[0] + "+00:00").timestamp()
             for row in db.execute("SELECT start FROM recorder_runs")]
        rows = db.execute("SELECT last_updated_ts, state FROM states JOIN states_meta USING (metadata_id) WHERE"
                          " states_meta.entity_id = ? ORDER BY last_updated_ts", (entity_id,)).fetchall()
    found, last = [], (0, None)
    for at, state in rows:
        before = None if any(last[0] < start <= at for start in starts) else last[1]
        found.append((at, state, before))
        last = (at, state)
    return found


# --- what it says ---

def test_json_is_whole_and_the_same_every_time(ha_ai, home, automations):
    arguments = (automations, "--history", home, *PLACE, "--format", "json", "--move", "weekday=mon-fri")
    first, second = (backtest(ha_ai, *arguments) for _ in range(2))
    assert first.returncode == 0 and first.stderr == "" and first.stdout == second.stdout
    said = json.loads(first.stdout)
    assert set(said) == {"schema", "history", "automations"} and said["schema"] == 1
    assert set(said["history"]) == {"from", "to", "days", "state_changes", "entities", "timezone"}
    assert said["history"]["days"] >= 38 and said["history"]["timezone"] == "Europe/Berlin"
    written = yaml.safe_load(automations.read_text())
    assert [a["id"] for a in said["automations"]] == [a["id"] for a in written]
    assert [a["alias"] for a in said["automations"]] == [a["alias"] for a in written]
    lines = automations.read_text().splitlines()
    for a in said["automations"]:
        assert lines[a["line"] - 1] == f"- id: {a['id']}"
        assert not a["partial"] and not a["approximate"] and a["not_replayed"] == [] and a["fires"]
        counts, days = a["counts"], a["calendar"]
        outcomes = Counter(f["outcome"] for f in a["fires"])
        assert counts["fires"] == len(a["fires"]) == counts["hits"] + counts["idle"] + counts["misses"]
        assert (outcomes["hit"], outcomes["idle"], outcomes["miss"]) == \
            (counts["hits"], counts["idle"], counts["misses"])
        for name in ("fires", "hits", "idle", "misses", "uncovered"):
            assert sum(day[name] for day in days) == counts[name]
        assert sum(day["complete"] for day in days) == said["history"]["days"]
        assert [d["day"] for d in days] == [str(datetime.date.fromisoformat(days[0]["day"]) + datetime.timedelta(i))
                                            for i in range(len(days))]
        by_day = Counter(str(at.astimezone(BERLIN).date()) for at in fired(a))
        assert {d["day"]: d["fires"] for d in days if d["fires"]} == by_day
        assert counts["uncovered"] <= counts["acts"] and set(a["who"]) == {"person", "switch", "automation"}
        assert [set(v) for v in a["variants"]] == [{"move", "partial", "counts"}]


def test_fires_are_those_of_clock_and_states(ha_ai, home, automations):
    """Against the database, read here."""
    said = {a["id"]: a for a in result(ha_ai, automations, "--history", home, *PLACE)["automations"]}
    for written in yaml.safe_load(automations.read_text()):
        trigger = written["triggers"][0]
        got = [at.timestamp() for at in fired(said[written["id"]])]
        if trigger["trigger"] == "state":
            (entity,) = trigger["entity_id"]
            expected = [at for at, state, before in changes(home, entity)
                        if state == trigger["to"] and before is not None and before != state]
            assert len(got) == len(expected) and all(abs(a - b) < 0.01 for a, b in zip(got, expected))
        else:
            days = {at.astimezone(BERLIN).date() for at in fired(said[written["id"]])}
            assert len(days) == len(got) >= 38
            assert {str(at.astimezone(BERLIN).time()) for at in fired(said[written["id"]])} == {trigger["at"]}


def test_what_runs_already_is_idle(ha_ai, home, automations):
    """The home's own automations switched its lamps: nobody was left to do that."""
    said = result(ha_ai, automations, "--history", home, *PLACE)["automations"]
    for a in said:
        by = Counter(f.get("by") for f in a["fires"] if f["outcome"] == "idle")
        assert a["counts"]["idle"] >= 0.9 * a["counts"]["fires"] and by["automation"] >= 0.7 * a["counts"]["fires"]
        assert a["who"]["automation"] >= 0.7 * a["counts"]["fires"] - 5


def agree(ha_ai, home):
    """How many suggestions were compared with their own YAML's back-test on the held-out days."""
    answer = subprocess.run([ha_ai, "analyze", "--history", home, *PLACE, "--format", "json"], check=True,
                            env=ENVIRONMENT, capture_output=True, timeout=120)
    analysis = json.loads(answer.stdout)
    suggestions = analysis["suggestions"]
    if not suggestions:
        return 0
    said = result(ha_ai, "-", "--history", home, *PLACE, stdin=yaml.safe_dump([s["automation"] for s in suggestions]))
    assert said["history"] == analysis["history"]
    acts = Counter((tuple(s["entity_ids"]), s["automation"]["actions"][0]["action"]) for s in suggestions)
    compared = 0
    for suggestion, a in zip(suggestions, said["automations"]):
        assert not a["partial"]
        if any(c["condition"] == "numeric_state" for c in suggestion["automation"]["conditions"]):
            continue  # analyze knows five-minute means
        held_out = [d for d in a["calendar"] if d["complete"]][-max(2, analysis["history"]["days"] // 4):]
        assert sum(d["fires"] for d in held_out) == suggestion["backtest"]["fires"], suggestion["title"]
        if suggestion["kind"] not in ("time_of_day", "sun", "sequence") or "act" not in a or \
                a["act"]["entity_ids"] != suggestion["entity_ids"] or \
                acts[tuple(suggestion["entity_ids"]), suggestion["automation"]["actions"][0]["action"]] > 1:
            continue  # judged by more than one automation knows
        (hits, idle, misses), theirs = (sum(d[name] for d in held_out) for name in ("hits", "idle", "misses")), \
            suggestion["backtest"]
        # An automation that did it is idle here, and neither there.
        assert hits == theirs["hits"] and idle >= theirs["idle"] and misses <= theirs["misses"], suggestion["title"]
        compared += 1
    return compared


def test_agrees_with_analyze(ha_ai, home, tmp_path):
    compared = agree(ha_ai, home)
    for _ in range(8):
        if compared >= 5:
            return
        seed = random.randrange(10 ** 6)
        print(f"seed {seed}")
        path = tmp_path / f"{seed}.db"
        subprocess.run([ha_ai, "simulate", "--days", "60", "--entities", "50", "--habits", "8", "--states", "20000", "--seed",
                        str(seed), "--out", path, "--truth", path.with_suffix(".json")], check=True,
                       capture_output=True, timeout=240)
        compared += agree(ha_ai, path)
    assert compared >= 5


def test_since_and_until(ha_ai, home, automations):
    everything = result(ha_ai, automations, "--history", home, *PLACE)
    days = [d["day"] for d in everything["automations"][0]["calendar"]]
    since, until = days[10], days[20]
    part = result(ha_ai, automations, "--history", home, *PLACE, "--since", since, "--until", until)
    assert part["history"]["days"] == sum(d["complete"] for d in everything["automations"][0]["calendar"][10:20])
    for whole, cut in zip(everything["automations"], part["automations"]):
        assert [d["day"] for d in cut["calendar"]] == days[10:20]
        inside = [f for f in whole["fires"]
                  if since <= str(datetime.datetime.fromisoformat(f["time"].replace("Z", "+00:00"))
                                  .astimezone(BERLIN).date()) < until]
        assert [f["time"] for f in cut["fires"]] == [f["time"] for f in inside]
        # What was before is known; of what comes after only the last fires can differ.
        same = [a["outcome"] == b["outcome"] for a, b in zip(cut["fires"], inside)]
        assert all(same[:-1])
    noon = f"{days[12]}T12:00:00+01:00"
    late = result(ha_ai, automations, "--history", home, *PLACE, "--since", noon)
    assert not late["automations"][0]["calendar"][0]["complete"]
    assert all(at >= datetime.datetime.fromisoformat(noon) for a in late["automations"] for at in fired(a))


def test_text_for_people(ha_ai, home, automations):
    table = backtest(ha_ai, automations, "--history", home, *PLACE, "--timing").stdout
    said = result(ha_ai, automations, "--history", home, *PLACE)["automations"]
    for a in said:
        row = next(line for line in table.splitlines() if line.endswith(a["alias"]))
        assert [int(n) for n in row.split()[:7]] == \
            [a["counts"][name] for name in ("fires", "hits", "idle", "misses", "right", "wrong", "uncovered")]
    assert "peak memory" in table and all(line == line.rstrip() for line in table.splitlines())
    a = said[0]
    text = backtest(ha_ai, automations, "--history", home, *PLACE, "--automation", a["alias"], "--move",
                    "weekday=sat,sun").stdout
    assert f"\n{a['alias']}: it would have run {a['counts']['fires']} times.\n" in text
    assert f"{a['counts']['hits']} hit" in text and a["act"]["entity_ids"][0] in text
    assert a["calendar"][7]["day"][:4] in text and "as it is" in text and "  weekday=sat,sun" in text
    last = fired(a)[-1].astimezone(BERLIN)
    assert f"{last:%Y-%m-%d %H:%M:%S}  trigger 0" in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_one_by_name(ha_ai, home, automations):
    written = yaml.safe_load(automations.read_text())
    for name in (written[1]["id"], written[1]["alias"]):
        said = result(ha_ai, automations, "--history", home, *PLACE, "--automation", name)["automations"]
        assert [a["id"] for a in said] == [written[1]["id"]]
    done = backtest(ha_ai, automations, "--history", home, *PLACE, "--automation", "nobody")
    assert done.returncode == 1 and "'nobody'" in done.stderr and written[0]["alias"] in done.stderr


def test_moves_are_what_was_moved(ha_ai, home):
    """A variant has the counts of the file with that change in it."""
    text = """
        alias: moved
        triggers:
        - {trigger: time, at: "17:50:00"}
        - {trigger: state, entity_id: [LAMP], to: "on", for: "00:10:00", id: lamp}
        conditions:
        - {condition: numeric_state, entity_id: SENSOR, above: NUMBER}
        - {condition: time, after: "06:00:00"}
        actions: [{action: light.turn_on, target: {entity_id: LAMP}}]
    """
    with sqlite3.connect(home) as db:
        ids = [row[0] for row in db.execute("SELECT entity_id FROM states_meta ORDER BY 1")]
        lamp = next(i for i in ids if i.startswith("light."))
        sensor, number = db.execute(
            "SELECT entity_id, avg(CAST(state AS REAL)) FROM states JOIN states_meta USING (metadata_id) WHERE"
            " states_meta.entity_id LIKE 'sensor.%' AND state GLOB '[0-9]*' GROUP BY 1 ORDER BY count(*) DESC"
            .replace("SELECT entity_id", "SELECT states_meta.entity_id")).fetchone()
    text = text.replace("LAMP", lamp).replace("SENSOR", sensor).replace("NUMBER", f"{number:.1f}")
    moves = {
        "at=+15min": ("17:50:00", "18:05:00"),
        "at=07:30": ("17:50:00", "07:30:00"),
        "for=+5min": ("00:10:00", "00:15:00"),
        "for=2min": ("00:10:00", "00:02:00"),
        "above=+1.5": (f"above: {number:.1f}", f"above: {float(f'{number:.1f}') + 1.5}"),
        "above=0": (f"above: {number:.1f}", "above: 0"),
        "weekday=mon-fri": ('after: "06:00:00"}',
                            'after: "06:00:00"}\n        - {condition: time, weekday: [mon, tue, wed, thu, fri]}'),
        "without=conditions[0]": (f"- {{condition: numeric_state, entity_id: {sensor}, above: {number:.1f}}}", ""),
        "without=triggers[1]": ("- {trigger: state, entity_id: [%s], to: \"on\", for: \"00:10:00\", id: lamp}" % lamp, ""),
        "at=+15min without=conditions[0]": None,
    }
    said = one(ha_ai, home, text, *(part for move in moves for part in ("--move", move)))
    assert [v["move"] for v in said["variants"]] == list(moves)
    differ = 0
    for variant, change in zip(said["variants"], moves.values()):
        changed = text
        for before, after in [change] if change else [moves["at=+15min"], moves["without=conditions[0]"]]:
            assert before in changed
            changed = changed.replace(before, after)
        expected = one(ha_ai, home, changed)["counts"]
        assert variant["counts"] == expected and not variant["partial"], variant["move"]
        differ += expected != said["counts"]
    assert differ >= 5 and {f["trigger_id"] for f in said["fires"]} <= {"0", "lamp"}


def test_an_archive_says_the_same(ha_ai, home, automations, tmp_path):
    subprocess.run([ha_ai, "analyze", "--history", home, *PLACE, "--archive", tmp_path / "archive.db", "--format", "json"],
                   check=True, env=ENVIRONMENT, capture_output=True, timeout=120)
    ours, theirs = (result(ha_ai, automations, "--history", where, *PLACE)["automations"]
                    for where in (tmp_path / "archive.db", home))
    for a, b in zip(ours, theirs):
        assert [f["time"] for f in a["fires"]] == [f["time"] for f in b["fires"]] and a["fires"]
        assert not a["approximate"]
    with sqlite3.connect(home) as db:
        (sensor,) = db.execute("SELECT entity_id FROM states_meta WHERE entity_id LIKE 'sensor.%temperature%'").fetchone()
    text = f"""
        triggers: {{trigger: numeric_state, entity_id: {sensor}, above: 20}}
        actions: []
    """
    assert one(ha_ai, tmp_path / "archive.db", text)["approximate"] and not one(ha_ai, home, text)["approximate"]


def test_the_place_matters_and_is_asked_for(ha_ai, home):
    text = "triggers: {trigger: sun, event: sunset, offset: '-00:30:00'}\nactions: []\n"
    there = one(ha_ai, home, text)
    assert len(there["fires"]) >= 38 and not there["partial"]
    nowhere = result(ha_ai, "-", "--history", home, "--timezone", "Europe/Berlin", stdin=text)["automations"][0]
    assert nowhere["partial"] and nowhere["fires"] == [] and "--location" in nowhere["not_replayed"][0]["what"]
    dark = "triggers: {trigger: time, at: 'AT'}\nconditions: {condition: state, entity_id: sun.sun, state: below_horizon}\nactions: []\n"
    night, noon = (one(ha_ai, home, dark.replace("AT", at)) for at in ("23:30", "12:30"))
    assert len(night["fires"]) >= 38 and noon["fires"] == []


# --- what it cannot replay ---

STRANGE = """\
- alias: device
  triggers:
    - trigger: device
      device_id: abc
      domain: zha
      type: remote_button_short_press
    - {trigger: time, at: "07:00:00"}
  actions:
    - action: light.turn_on
      target: {entity_id: light.nobody}
- alias: blueprint
  use_blueprint:
    path: homeassistant/motion_light.yaml
    input: {motion_entity: binary_sensor.hallway_motion}
- alias: webhook, template
  trigger:
    - platform: webhook
      webhook_id: x
    - platform: template
      value_template: "{{ is_state('a.b','on') }}"
  condition: "{{ states('sensor.x')|float > 3 }}"
  action:
    - choose:
        - conditions: []
          sequence: [{service: script.nobody}]
    - service: script.foo
- alias: secret
  triggers: {trigger: time, at: !secret wake}
  actions: []
- alias: included
  triggers: !include t.yaml
  actions: []
- alias: secret that does not matter
  triggers: {trigger: time, at: "07:00:00"}
  actions: {action: notify.x, data: {message: !secret msg}}
- alias: refused
  triggers: {trigger: time, at: "27:00:00"}
  actions: []
- just text
- null
- alias: "evil \\e[31m name\\nnew"
  triggers: {trigger: state, entity_id: sensor.nobody}
  actions: []
"""


def test_what_is_not_replayed_is_named(ha_ai, home, tmp_path):
    path = tmp_path / "strange.yaml"
    path.write_text(STRANGE)
    said = result(ha_ai, path, "--history", home, *PLACE)["automations"]
    by_name = {a["alias"]: a for a in said}
    notes = [(n["path"], n["line"], n["column"], n["what"], n["effect"]) for a in said for n in a["not_replayed"]]
    assert notes[0] == ("triggers[0]", 3, 7, "device trigger", "never fires")
    assert [n[:4] for n in notes[1:]] == [
        ("use_blueprint", 13, 5, "blueprint"), ("trigger[0]", 17, 7, "webhook trigger"),
        ("trigger[1]", 19, 7, "template trigger"), ("condition.value_template", 21, 14, "template condition"),
        ("triggers.at", 28, 33, "!secret"), ("triggers", 31, 13, "!include")]
    assert [a["partial"] for a in said] == [True, True, True, True, True, False, True, True, True, False]
    assert len(by_name["device"]["fires"]) >= 38 and {f["trigger_id"] for f in by_name["device"]["fires"]} == {"1"}
    assert all("outcome" not in f for f in by_name["device"]["fires"]) and set(by_name["device"]["counts"]) == {"fires"}
    assert len(by_name["secret that does not matter"]["fires"]) >= 38
    assert [a.get("error") is not None for a in said] == [False] * 6 + [True] * 3 + [False]
    assert "line 37, column 33" in by_name["refused"]["error"] and "27:00:00" in by_name["refused"]["error"]
    assert said[-1]["unknown_entities"] == ["sensor.nobody"] and said[-1]["alias"] == "evil \x1b[31m name\nnew"
    text = backtest(ha_ai, path, "--history", home, *PLACE).stdout
    assert "\x1b" not in text and "evil ?[31m name?new" in text and "triggers[0], line 3, column 7: device trigger" in text
    assert "Home Assistant would refuse it: line 37" in text and "sensor.nobody has no state" in text
    alone = backtest(ha_ai, path, "--history", home, *PLACE, "--automation", "refused")
    assert alone.returncode == 1 and "27:00:00" in alone.stderr


def test_a_triggers_id_obeys_no_terminal(ha_ai, home, tmp_path):
    path = tmp_path / "id.yaml"
    path.write_text("triggers: {trigger: time, at: '07:00:00', id: \"a\\e[31m\\nb\"}\nactions: []\n")
    text = backtest(ha_ai, path, "--history", home, *PLACE).stdout
    assert "\x1b" not in text and "trigger a?[31m?b\n" in text


def test_excluded_entities(ha_ai, home, automations):
    entity = yaml.safe_load(automations.read_text())[0]["triggers"][0]["entity_id"][0]
    a = result(ha_ai, automations, "--history", home, *PLACE, EXCLUDE=f"{entity.split('.')[0]}.*")["automations"][0]
    assert a["partial"] and a["fires"] == [] and entity in a["not_replayed"][0]["what"]
    assert "EXCLUDE" in a["not_replayed"][0]["what"] and a["unknown_entities"] == []


def test_two_thousand(ha_ai, home, automations, tmp_path):
    """Each an automation that fires hundreds of times; anchors and a merge among them."""
    base = yaml.safe_load(automations.read_text())[0]
    path = tmp_path / "many.yaml"
    path.write_text("".join(yaml.safe_dump([base | {"id": str(i), "alias": f"A {i}"}]) for i in range(1999)) +
                    f"- &one\n  alias: one\n  triggers: &t {{trigger: time, at: '07:00:00'}}\n  actions: []\n"
                    f"- <<: *one\n  alias: two\n")
    begin = time.monotonic()
    said = result(ha_ai, path, "--history", home, *PLACE)["automations"]
    assert time.monotonic() - begin < 120
    fires = [len(a["fires"]) for a in said[:1999]]
    assert len(said) == 2001 and fires[0] > 100
    assert fires == sorted(fires, reverse=True) and fires.count(fires[0]) >= 100  # beyond the maximum none are kept
    assert [len(a["fires"]) for a in said[1999:]] == [len(said[1999]["fires"])] * 2
    assert said[1999]["fires"] or 0 in fires
    path.write_text("- {triggers: [], actions: []}\n" * 10001)
    done = backtest(ha_ai, path, "--history", home, *PLACE)
    assert done.returncode == 1 and "more than 10000 automations" in done.stderr


def test_more_fires_than_are_kept(ha_ai, home):
    text = "triggers: {trigger: time_pattern, seconds: '*'}\nactions: []\n"
    done = backtest(ha_ai, "-", "--history", home, *PLACE, stdin=text)
    assert done.returncode == 0 and "it would have run 600000 times" in done.stdout
    assert "more fires than are kept (later ones are missing)" in done.stdout


# --- what it refuses ---

def lots_of_anchors():
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    return "\n".join(lines + [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)])


@pytest.mark.parametrize("name, content, part", [
    ("empty", b"", "there is no automation in it"),
    ("comment", b"# nothing\n", "there is no automation in it"),
    ("empty list", b"[]\n", "there is no automation in it"),
    ("nul", b"a: b\n\0c", "line 2, column 1: control characters"),
    ("no UTF-8", b'alias: "\xff\xfe"\n', "line 1, column 9"),
    ("latin 1", b"alias: caf\xe9\n", "line 1, column 11"),
    ("no YAML", b"alias: x\n  triggers: [\n", "line 2, column 11"),
    ("open list", b"triggers: [\n", "line 2"),
    ("tab", b"alias: x\ntriggers:\n\t- a\n", "line 3, column 1"),
    ("two documents", b"alias: x\n---\nalias: y\n", "line 2, column 1: a second document"),
    ("cycle", b"a: &x [1, *x]\n", "holds itself"),
    ("cycle of two", b"a: &x {b: &y [*x]}\n", "holds itself"),
    ("no anchor", b"a: *x\n", "line 1, column 4"),
    ("laughs", lots_of_anchors().encode(), "more than 500000 values"),
    ("deep", b"[" * 5000 + b"]" * 5000, "nested more than 64 deep"),
    ("deep block", b"".join(b" " * i + b"a:\n" for i in range(1000)), "nested more than 64 deep"),
    ("unknown tag", b"alias: !!python/object:os.system x\n", "line 1"),
    ("a text", b"hello\n", "expected an automation"),
    ("a number", b"5\n", "expected an automation"),
    ("a script", b"alias: s\nsequence: []\n", "a script, not an automation"),
    ("scripts", b"s:\n  sequence: []\n", "neither triggers nor use_blueprint"),
    ("a scene", b"name: s\nentities: {light.a: 'on'}\n", "a scene, not an automation"),
    ("a blueprint", b"blueprint: {name: x}\ntriggers: []\nactions: []\n", "a blueprint, not an automation"),
    ("no actions", b"triggers: {trigger: time, at: '07:00'}\n", "actions"),
    ("wrong time", b"triggers: {trigger: time, at: 7}\nactions: []\n", "line 1, column 31: triggers.at: got 7, expected"),
    ("wrong mode", b"triggers: []\nactions: []\nmode: many\n", "line 3, column 7: mode: got \"many\", expected single"),
    ("both spellings", b"trigger: []\ntriggers: []\nactions: []\n", "only one of the two names"),
    ("JSON, cut", b'{"triggers": [', "line 2, column 1"),
])
def test_bad_files_get_one_line(ha_ai, home, tmp_path, name, content, part):
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    done = backtest(ha_ai, path, "--history", home, *PLACE)
    assert (done.returncode, done.stdout) == (1, ""), name
    assert part in done.stderr and done.stderr.count("\n") == 1 and done.stderr.startswith(f"ha-ai: backtest: {path}: ")


def test_a_hundred_megabytes(ha_ai, home, tmp_path):
    path = tmp_path / "big.yaml"
    entry = "- alias: automation\n  triggers: []\n  actions: []\n  description: " + "x" * 60 + "\n"
    path.write_text(entry * (100 * 1024 * 1024 // len(entry)))
    begin = time.monotonic()
    done = backtest(ha_ai, path, "--history", home, *PLACE)
    assert done.returncode == 1 and "larger than 16777216 bytes" in done.stderr and time.monotonic() - begin < 10
    path.write_text(entry * (15 * 1024 * 1024 // len(entry)))  # within the size, but not the number of values
    done = backtest(ha_ai, path, "--history", home, *PLACE)
    assert done.returncode == 1 and "more than 500000 values" in done.stderr
    with open(path) as file:
        done = subprocess.run([ha_ai, "backtest", "-", "--history", home, *PLACE], env=ENVIRONMENT, stdin=file,
                              capture_output=True, text=True, timeout=100)
    assert done.returncode == 1 and "standard input: " in done.stderr and "more than 500000 values" in done.stderr
    done = backtest(ha_ai, "/dev/zero", "--history", home, *PLACE)
    assert done.returncode == 1 and done.stderr.count("\n") == 1


@pytest.mark.parametrize("code, part, arguments", [
    (2, "which file", []),
    (2, "which file", ["--history", "HOME"]),
    (2, "got two files, 'a' and 'b'", ["a", "b", "--history", "HOME"]),
    (2, "got two files, '-x' and 'b'", ["--history", "HOME", "--", "-x", "b"]),
    (2, "--history is missing", ["FILE"]),
    (2, "--history needs a value", ["FILE", "--history"]),
    (2, "unknown argument '--nope'", ["FILE", "--nope"]),
    (2, "unknown argument '-n'", ["FILE", "-n"]),
    (2, "--format: got 'xml', takes text or json", ["FILE", "--history", "HOME", "--format", "xml"]),
    (2, "--since: got 'yesterday'", ["FILE", "--history", "HOME", "--since", "yesterday"]),
    (2, "--since: got '2026-02-31'", ["FILE", "--history", "HOME", "--since", "2026-02-31"]),
    (2, "--until: got", ["FILE", "--history", "HOME", "--since", "2026-02-02", "--until", "2026-02-01"]),
    (2, "--location: got '91,0'", ["FILE", "--history", "HOME", "--location", "91,0"]),
    (2, "--move: got 'at=7', takes at=+15min", ["FILE", "--history", "HOME", "--move", "at=7"]),
    (2, "more than 20 --move", ["FILE", "--history", "HOME", *["--move", "at=07:00"] * 21]),
    (1, "--move below=+1: FILE: below: nothing has a number 'below'",
     ["FILE", "--history", "HOME", "--timezone", "UTC", "--move", "below=+1"]),
    (1, "No such file", ["/nowhere.yaml", "--history", "HOME"]),
    (1, "directory", ["/tmp", "--history", "HOME"]),
    (1, "No such file", ["FILE", "--history", "/nowhere.db"]),
    (1, "is a folder", ["FILE", "--history", "/tmp"]),
    (1, "no SQLite database", ["FILE", "--history", "/etc/passwd", "--timezone", "UTC"]),
    (1, "not supported yet", ["FILE", "--history", "postgresql://u:secret@h/d"]),
    (1, "--timezone", ["FILE", "--history", "HOME"]),
    (1, "time zone 'Mars/Base'", ["FILE", "--history", "HOME", "--timezone", "Mars/Base"]),
    (1, "holds no states in that time", ["FILE", "--history", "HOME", "--timezone", "UTC", "--since", "2090-01-01"]),
    (1, "holds no states in that time", ["FILE", "--history", "HOME", "--timezone", "UTC", "--until", "1990-01-01"]),
])
def test_says_what_is_wrong_in_one_line(ha_ai, home, automations, code, part, arguments):
    known = {"HOME": str(home), "FILE": str(automations)}
    done = backtest(ha_ai, *(known.get(a, a) for a in arguments))
    assert (done.returncode, done.stdout) == (code, "")
    assert part.replace("FILE", str(automations)) in done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("ha-ai: ") and "secret" not in done.stderr


def test_unreadable(ha_ai, home, tmp_path):
    path = tmp_path / "locked.yaml"
    path.write_text("triggers: []\nactions: []\n")
    path.chmod(0)
    # Root reads everything, unless it gives that up.
    honest = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    done = subprocess.run([*honest, ha_ai, "backtest", path, "--history", home, *PLACE], env=ENVIRONMENT,
                          capture_output=True, text=True, timeout=100)
    assert done.returncode == 1 and "Permission denied" in done.stderr


def test_what_cannot_be_written_is_an_error(ha_ai, home, automations):
    with open("/dev/full", "w") as full:
        done = subprocess.run([ha_ai, "backtest", automations, "--history", home, *PLACE], env=ENVIRONMENT, stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=100)
    assert done.returncode == 1 and "cannot write the result" in done.stderr


def test_help(ha_ai):
    done = backtest(ha_ai, "--help")
    assert done.returncode == 0 and done.stderr == "" and "--history SOURCE" in done.stdout
    documented = re.findall(r"--[a-z]+", (open(os.path.join(os.path.dirname(__file__), "..", "..", "docs",
                                                            "backtest-format.md")).read().split("```")[1]))
    assert documented and all(option in done.stdout for option in documented)


def test_random_damage(ha_ai, home, automations, tmp_path):
    """Bytes of real automations, changed at random: a result or one line, never a crash."""
    seed = int(os.environ.get("SEED", random.randrange(10 ** 6)))
    print(f"SEED={seed}")
    dice = random.Random(seed)
    sources = [automations.read_bytes(), STRANGE.encode()]
    path = tmp_path / "damaged.yaml"
    for _ in range(60):
        data = bytearray(dice.choice(sources))
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(data))
            kind = dice.randrange(3)
            if kind == 0:
                data[at] = dice.choice(b"\0\t\n :-[]{}&*!|>'\"%@`,#?\xff09az")
            elif kind == 1:
                del data[at:at + dice.randint(1, 30)]
            else:
                data[at:at] = bytes(data[at:at + dice.randint(1, 60)])
        path.write_bytes(data)
        done = backtest(ha_ai, path, "--history", home, *PLACE, "--format", "json")
        if done.returncode == 0:
            json.loads(done.stdout)
        else:
            lines = [line for line in done.stderr.splitlines() if "stands there twice" not in line]
            assert done.returncode == 1 and done.stdout == "" and len(lines) == 1, done.stderr
