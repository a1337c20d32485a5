"""`ha-ai simulate` and a real Home Assistant: it opens the database without a word, returns the states written, and
on `--ha-config` has the home.

Needs `ha_ai` (the binary) and HA_VERSION; the recorder's schema is the one of that release.
"""
import json
import random
import sqlite3
import subprocess
from datetime import datetime, timedelta, timezone

import pytest

from homeassistant import HomeAssistant, wait_until

SCHEMAS = {"2025.4.4": 50, "2026.11.0": 53}
SWITCHABLE = ("light", "switch", "fan", "input_boolean")


def simulate(ha_ai, *arguments):
    return subprocess.run([ha_ai, "simulate", *map(str, arguments)], capture_output=True, text=True, timeout=120)


def seed():
    value = random.randrange(10 ** 6)
    print(f"seed {value}")
    return value


@pytest.fixture(scope="module")
def home(ha_ai, ha_version, tmp_path_factory):
    """A simulated home: its folder, its truth and the rows it had before Home Assistant saw it."""
    folder = tmp_path_factory.mktemp("simulated")
    done = simulate(ha_ai, "--seed", seed(), "--days", 30, "--states", 20000, "--schema", SCHEMAS[ha_version],
                    "--ha-config", folder / "config", "--truth", folder / "truth.json")
    assert done.returncode == 0, done.stderr
    truth = json.loads((folder / "truth.json").read_text())
    with sqlite3.connect(folder / "config" / "home-assistant_v2.db") as db:
        rows = db.execute("select m.entity_id, s.state, s.last_updated_ts, s.last_changed_ts from states s "
                          "join states_meta m using (metadata_id) order by s.state_id").fetchall()
    return folder / "config", truth, rows


@pytest.fixture(scope="module")
def simulated_ha(home, ha_version):
    with HomeAssistant(ha_version, home[0]) as ha:
        yield ha


def test_recorder_opens_it_in_silence(simulated_ha, home):
    words = [e["entity_id"] for e in home[1]["entities"]]
    words += ["recorder", "template", "automation", "_registry", "yaml", "database", "sim_", "statistic"]
    words += ["generic_thermostat", "universal", "scene"]
    problems = simulated_ha.log_problems("|".join(words))
    assert [text for text in problems if "haffmpeg" not in text] == []  # of machines without ffmpeg


def test_history_returns_every_state(simulated_ha, home):
    """All rows of every fourth entity, over all days: the same words at the same microseconds."""
    _, truth, rows = home
    begin = datetime.fromtimestamp(rows[0][2], timezone.utc) - timedelta(minutes=1)
    end = datetime.fromtimestamp(rows[-1][2], timezone.utc) + timedelta(milliseconds=1)
    for entity in [e["entity_id"] for e in truth["entities"]][::4]:
        answer = simulated_ha.api(
            "GET", f"/api/history/period/{begin.isoformat().replace('+00:00', 'Z')}"
                   f"?end_time={end.isoformat().replace('+00:00', 'Z')}&filter_entity_id={entity}")
        got = [(s["state"], s["last_changed"], s["last_updated"]) for s in answer[0]]
        # The history leaves out rows that changed only attributes (automations), and so do we.
        expected = [(state, iso(updated), iso(updated)) for name, state, updated, changed in rows
                    if name == entity and changed is None]
        assert got == expected


def iso(timestamp):
    return datetime.fromtimestamp(timestamp, timezone.utc).isoformat()


def test_every_entity_exists_and_switches(simulated_ha, home):
    ids = [e["entity_id"] for e in home[1]["entities"]]
    states = simulated_ha.states()
    assert [i for i in ids if i not in states or states[i]["state"] == "unavailable"] == []
    # A scene has no state before it is activated; HA keeps that elsewhere.
    assert {i.split(".")[0] for i in ids if states[i]["state"] == "unknown"} <= {"scene"}
    switchable = [i for i in ids if i.split(".")[0] in SWITCHABLE]
    for word in ("on", "off"):
        for entity in switchable:
            simulated_ha.call_service(entity.split(".")[0], f"turn_{word}", entity_id=entity)
        wait_until(lambda: {simulated_ha.states()[i]["state"] for i in switchable} == {word}, 10, f"all {word}")


# How each domain is set to a value: the service, its field, a value, and the attribute that shows it.
SETTINGS = {
    "light": ("turn_on", "brightness_pct", 40, "brightness", 102),
    "fan": ("set_percentage", "percentage", 35, "percentage", 35),
    "media_player": ("volume_set", "volume_level", 0.2, "volume_level", 0.2),
    "climate": ("set_temperature", "temperature", 17.5, "temperature", 17.5),
    "cover": ("set_cover_position", "position", 30, "current_position", 30),
}


def test_values_can_be_set(simulated_ha, home):
    """Of every domain that has values in this home, one entity that has them takes one."""
    ids, tried = [e["entity_id"] for e in home[1]["entities"]], set()
    for entity in ids:
        domain = entity.split(".")[0]
        if domain in tried or domain not in SETTINGS:
            continue
        service, field, value, attribute, shown = SETTINGS[domain]
        if domain in ("light", "fan", "media_player"):
            simulated_ha.call_service(domain, "turn_on", entity_id=entity)
            simulated_ha.wait_state(entity, "playing" if domain == "media_player" else "on")
            if attribute not in simulated_ha.states()[entity]["attributes"]:
                continue
        simulated_ha.call_service(domain, service, entity_id=entity, **{field: value})
        wait_until(lambda: simulated_ha.states()[entity]["attributes"].get(attribute) == shown, 10,
                   f"{entity} {attribute} {shown}")
        tried.add(domain)
    assert {"light", "climate", "cover"} <= tried


def test_modes_locks_and_scenes(simulated_ha, home):
    truth = home[1]
    for mode in truth["modes"]:
        domain, entity = mode["entity_id"].split(".")[0], mode["entity_id"]
        call = {"option": mode["special"]} if domain == "input_select" else {}
        simulated_ha.call_service(domain, "select_option" if call else "turn_on", entity_id=entity, **call)
        simulated_ha.wait_state(entity, mode["special"])
    for entity in [e["entity_id"] for e in truth["entities"] if e["entity_id"].startswith("lock.")]:
        for service, state in (("unlock", "unlocked"), ("lock", "locked")):
            simulated_ha.call_service("lock", service, entity_id=entity)
            simulated_ha.wait_state(entity, state)
    for scene in truth["scenes"]:
        for member in scene["members"]:
            simulated_ha.call_service(member.split(".")[0], "turn_off", entity_id=member)
            simulated_ha.wait_state(member, "off")
        simulated_ha.call_service("scene", "turn_on", entity_id=scene["entity_id"])
        for member in scene["members"]:
            simulated_ha.wait_state(member, "on")
        assert simulated_ha.states()[scene["entity_id"]]["attributes"]["entity_id"] == scene["members"]
    assert truth["modes"] and truth["scenes"]


def test_areas_names_and_place(simulated_ha, home):
    truth = home[1]
    registered = {e["entity_id"]: e for e in simulated_ha.entities()}
    known = {a["area_id"]: a["name"] for a in simulated_ha.ws("config/area_registry/list")}
    states = simulated_ha.states()
    for entity in truth["entities"]:
        assert known[registered[entity["entity_id"]]["area_id"]] == entity["area"]
        assert states[entity["entity_id"]]["attributes"]["friendly_name"] == entity["name"]
    config = simulated_ha.api("GET", "/api/config")
    assert config["time_zone"] == truth["arguments"]["timezone"]
    assert f"{config['latitude']:g},{config['longitude']:g}" == truth["arguments"]["location"]


def test_existing_automation_works(simulated_ha, home):
    rule = next(a for a in home[1]["automations"] if "trigger" in a)
    detector = rule["trigger"]["entity_id"].replace(".", "_")
    simulated_ha.call_service("light", "turn_off", entity_id=rule["target"])
    simulated_ha.wait_state(rule["target"], "off")
    simulated_ha.call_service("input_boolean", "turn_on", entity_id=f"input_boolean.sim_{detector}")
    simulated_ha.wait_state(rule["target"], "on", timeout=10)


def test_it_stays_silent_over_a_restart(simulated_ha, home):
    since = simulated_ha.log_mark()
    simulated_ha.restart()
    assert simulated_ha.log_problems("recorder|database|template", since) == []
    with sqlite3.connect(f"file:{home[0]}/home-assistant_v2.db?mode=ro", uri=True) as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        assert db.execute("pragma foreign_key_check").fetchall() == []
        assert db.execute("select count(*) from states").fetchone()[0] >= len(home[2])  # nothing was purged
        assert db.execute("select count(*) from recorder_runs where end is null").fetchone() == (1,)


# --- Without Home Assistant -------------------------------------------------------------------------------------------

def test_same_arguments_same_bytes(ha_ai, tmp_path):
    made = []
    for name in "ab":
        done = simulate(ha_ai, "--seed", 5, "--days", 7, "--end", "2026-10-28T09:30:00+01:00",
                        "--out", tmp_path / f"{name}.db", "--truth", tmp_path / f"{name}.json")
        assert done.returncode == 0, done.stderr
        made.append((tmp_path / f"{name}.db").read_bytes() + (tmp_path / f"{name}.json").read_bytes())
    assert made[0] == made[1]


def test_truth_agrees_with_the_database(ha_ai, tmp_path):
    number = seed()
    done = simulate(ha_ai, "--seed", number, "--days", 30, "--states", 30000, "--out", tmp_path / "h.db",
                    "--truth", tmp_path / "t.json")
    assert done.returncode == 0, done.stderr
    truth = json.loads((tmp_path / "t.json").read_text())
    with sqlite3.connect(tmp_path / "h.db") as db:
        count = db.execute("select count(*) from states").fetchone()[0]
        assert count == truth["recorded"]["states"] and abs(count - 30000) < 1500
        acts = set(db.execute("select m.entity_id, s.state, cast(s.last_updated_ts * 1000 as integer) "
                              "from states s join states_meta m using (metadata_id)"))
        chain = db.execute("select count(*) from states a join states b on a.old_state_id = b.state_id "
                           "where a.metadata_id <> b.metadata_id or b.last_updated_ts > a.last_updated_ts").fetchone()
        assert chain == (0,)
        # The acts of the timed automation have no parent, but share the context of its event.
        timed = next(a for a in truth["automations"] if "at" in a)
        parents = db.execute(
            "select count(s.context_parent_id_bin), count(*) from states s join events e using (context_id_bin) "
            "join event_types t using (event_type_id) join states_meta m on m.metadata_id = s.metadata_id "
            "where t.event_type = 'automation_triggered' and m.entity_id = ?", (timed["target"],)).fetchone()
        assert parents[0] == 0 and parents[1] >= 20
    for habit in truth["habits"]:
        is_set = habit["entity_id"].split(".")[0] in ("climate", "cover", "scene")
        for act in habit["acts"] if not is_set else []:  # of what is set, the call alone may tell
            ms = round(datetime.fromisoformat(act.replace("Z", "+00:00")).timestamp() * 1000)
            assert (habit["entity_id"], habit["state"], ms) in acts
        days = habit["training"]["days_with_act"] + habit["held_out"]["days_with_act"]
        assert len(habit["acts"]) >= days
    assert len(truth["distractors"]) >= len({h["entity_id"] for h in truth["habits"]}) > 0
    assert len(truth["days"]["held_out"]) >= 2


def test_arguments_of_the_truth_make_the_home_again(ha_ai, tmp_path):
    done = simulate(ha_ai, "--seed", seed(), "--days", 20, "--entities", 60, "--purge", 15, "--sigma", "3,8", "--gates",
                    "none", "--trouble", "none", "--anomalies", "unlocked,left_on", "--out", tmp_path / "a.db", "--truth", tmp_path / "a.json")
    assert done.returncode == 0, done.stderr
    first = json.loads((tmp_path / "a.json").read_text())
    again = [word for key, value in first["arguments"].items() if value is not None for word in (f"--{key}", value)]
    done = simulate(ha_ai, *again, "--out", tmp_path / "b.db", "--truth", tmp_path / "b.json")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert (tmp_path / "a.db").read_bytes() == (tmp_path / "b.db").read_bytes()
    assert all(3 <= h["sigma_min"] <= 8 for h in first["habits"] if h["begins"] in ("time", "sun"))
    assert not any("gate" in h or h.get("drift_min") or "active" in h for h in first["habits"])
    assert {a["kind"] for a in first["anomalies"] if a["planted"]} <= {"unlocked", "left_on"}


def test_purged_home(ha_ai, tmp_path):
    """Ten days are left of forty: the truth speaks of those alone, and the rows' ids go on."""
    done = simulate(ha_ai, "--seed", seed(), "--days", 40, "--purge", 10, "--end", "2026-11-23T12:00:00Z", "--out",
                    tmp_path / "h.db", "--truth", tmp_path / "t.json")
    assert done.returncode == 0, done.stderr
    truth = json.loads((tmp_path / "t.json").read_text())
    cutoff = datetime(2026, 11, 13, 3, 12, tzinfo=timezone.utc)  # 04:12 in Berlin
    days = sorted(day for part in truth["days"].values() for day in part)
    assert days[0] == "2026-11-14" and days[-1] == "2026-11-22"
    with sqlite3.connect(tmp_path / "h.db") as db:
        count, least, oldest, newest_id = db.execute(
            "select count(*), min(state_id), min(last_updated_ts), max(state_id) from states").fetchone()
        assert count == truth["recorded"]["states"] == newest_id - least + 1 and least > 1
        assert oldest >= cutoff.timestamp()
        assert db.execute("pragma foreign_key_check").fetchall() == []
        assert db.execute("select count(*) from recorder_runs where \"end\" < '2026-11-13 03:12'").fetchone() == (0,)
    for habit in truth["habits"]:
        assert all(datetime.fromisoformat(act.replace("Z", "+00:00")) >= cutoff for act in habit["acts"])


@pytest.mark.parametrize("arguments, word", [
    (["--days", "0", "--out", "{}/x.db"], "--days: '0'"),
    (["--days", "x", "--out", "{}/x.db"], "--days: 'x'"),
    (["--entities", "7", "--out", "{}/x.db"], "--entities: '7'"),
    (["--habits", "30", "--out", "{}/x.db"], "at most"),
    (["--schema", "51", "--out", "{}/x.db"], "51 is neither"),
    (["--timezone", "Europe/Nowhere", "--out", "{}/x.db"], "Europe/Nowhere"),
    (["--location", "here", "--out", "{}/x.db"], "'here'"),
    (["--kinds", "sun,rain", "--out", "{}/x.db"], "--kinds: 'rain'"),
    (["--trouble", "", "--out", "{}/x.db"], "--trouble: ''"),
    (["--gates", "lux,fog", "--out", "{}/x.db"], "--gates: 'fog'"),
    (["--anomalies", "flood", "--out", "{}/x.db"], "--anomalies: 'flood'"),
    (["--adherence", "0.9,0.8", "--out", "{}/x.db"], "--adherence: '0.9,0.8'"),
    (["--sigma", "5,", "--out", "{}/x.db"], "--sigma: '5,'"),
    (["--purge", "1", "--end", "2026-01-20T12:00:00Z", "--out", "{}/x.db"], "--purge: 1"),
    (["--end", "today", "--out", "{}/x.db"], "'today'"),
    (["--end", "2000-01-20T00:00:00Z", "--out", "{}/x.db"], "2000..2999"),
    (["--out"], "wants a value"),
    (["--colour", "red"], "--colour"),
    (["--states", "99999999", "--days", "1", "--out", "{}/x.db"], "at most"),
    ([], "--out FILE or --ha-config DIR"),
])
def test_wrong_use_is_named(ha_ai, tmp_path, arguments, word):
    done = simulate(ha_ai, *[a.format(tmp_path) for a in arguments])
    assert done.returncode == 2 and word in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "x.db").exists()


def test_it_overwrites_nothing(ha_ai, tmp_path):
    (tmp_path / "x.db").write_text("mine")
    done = simulate(ha_ai, "--out", tmp_path / "x.db")
    assert done.returncode == 1 and "exists" in done.stderr
    assert (tmp_path / "x.db").read_text() == "mine"
    done = simulate(ha_ai, "--out", tmp_path / "no" / "x.db")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
