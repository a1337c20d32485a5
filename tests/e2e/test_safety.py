"""What guards the home: people unlock, open and disarm it each morning, and none of that is ever suggested; nothing
that is not ours is approved or deployed, whoever put it into the database."""
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from homeassistant import wait_until
from service import COMPLETE, EVENT, DEVICE, RUN, simulated_home
from test_analyze import result
from test_deploy import stand_in  # noqa: F401

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "accuracy"))
from other_recorder import Recorder  # noqa: E402

DAYS, BEGIN = 30, 1790380800  # 2026-09-26 00:00 UTC, a Saturday
USERS = {"ada": bytes(range(16)), "cleaner": bytes(range(16, 32))}
PLACE = ("--timezone", "UTC", "--location", "52.5,13.4")


class Home:
    """Thirty days of acts at about the same time each day."""

    def __init__(self, path, seed):
        self.recorder, self.random, self.path = Recorder(path), random.Random(seed), path
        self.contexts = 0

    def context(self, user="ada"):
        self.contexts += 1
        return self.contexts.to_bytes(16, "big"), USERS[user], None

    def use(self, entity, first, second, attributes=None, user="ada", also=()):
        """first, second: (state, hour[, attributes]) of each day. also: what changes with the first one."""
        name = {"friendly_name": entity}
        states = first[0], second[0]
        for other in (entity, *also):
            self.recorder.state(BEGIN, other, states[1], name | (attributes or {}), (bytes(16), None, None))
        for day in range(DAYS):
            for state, hour, *more in (first, second):
                at = BEGIN + day * 86400 + hour * 3600 + self.random.gauss(0, 200)
                context = self.context(user)
                own = name | (attributes or {}) | (more[0] if more else {})
                self.recorder.state(at, entity, state, own, context)
                for other in also:
                    self.recorder.state(at + 1, other, state, name, context)

    def close(self):
        self.recorder.close(BEGIN - 60, BEGIN + DAYS * 86400)
        return self.path


@pytest.fixture(scope="module")
def seed():
    number = random.randrange(10**6)
    print(f"seed {number}")
    return number


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, seed):
    home = Home(tmp_path_factory.mktemp("guarded") / "home-assistant_v2.db", seed)
    home.use("light.kitchen", ("on", 6.8), ("off", 7.7))
    home.use("lock.front_door", ("unlocked", 7), ("locked", 22.5))
    garage = {"device_class": "garage", "supported_features": 15}
    home.use("cover.garage_door", ("open", 7.2, {"current_position": 100}), ("closed", 22, {"current_position": 0}), garage)
    home.use("cover.relay_7", ("open", 7.3, {"current_position": 100}), ("closed", 21, {"current_position": 0}),
             {"device_class": "gate"})
    home.use("alarm_control_panel.home", ("disarmed", 7.1), ("armed_night", 22.7))
    home.use("valve.water", ("open", 7.4), ("closed", 21.5))
    home.use("siren.hall", ("off", 7.5), ("on", 21.7))
    home.use("switch.garden_gate", ("on", 7.6), ("off", 20))
    home.use("input_boolean.alarm_armed", ("off", 7.05), ("on", 22.9))
    home.use("switch.relay_3", ("on", 8.2), ("off", 19.2), {"friendly_name": "Haustür"})
    home.use("light.evil", ("on", 18.1), ("off", 23.2), {"friendly_name": "{{ states('x') }}{% raw %}\u001b[2J"})
    home.use("light.{{ states('x') }}", ("on", 17.1), ("off", 23.3))
    # A scene is activated, and opens the door with the light.
    home.recorder.state(BEGIN, "scene.leave", "unknown", {"entity_id": ["light.hall", "lock.front_door"]},
                        (bytes(16), None, None))
    for day in range(DAYS):
        at = BEGIN + day * 86400 + 9.5 * 3600 + home.random.gauss(0, 200)
        home.recorder.state(at, "scene.leave", f"{day}", {"entity_id": ["light.hall", "lock.front_door"]}, home.context())
    return home.close()


def acts_of(automation):
    return [(a["action"], a["target"]["entity_id"], a.get("data")) for a in automation["actions"] if "target" in a]


def test_never_towards_the_unsafe_side(ha_ai, guarded):
    said = result(ha_ai, "--history", guarded, *PLACE, "--explain")
    acts = [act for s in said["suggestions"] for act in acts_of(s["automation"])]
    actions = {action for action, _, _ in acts}
    assert ("lock.lock", "lock.front_door", None) in acts, said
    assert ("light.turn_on", "light.kitchen", None) in acts, said
    assert ("cover.set_cover_position", "cover.garage_door", {"position": 0}) in acts, said
    assert actions <= {"lock.lock", "light.turn_on", "light.turn_off", "cover.set_cover_position"}
    targets = {target for _, target, _ in acts}
    assert targets <= {"lock.front_door", "light.kitchen", "light.evil", "cover.garage_door", "cover.relay_7"}
    assert all(data["position"] == 0 for action, _, data in acts if action.startswith("cover."))
    assert said["dropped"]["unsafe"] > 0
    assert not any("unlock" in str(act) for entry in said["learning"] for act in entry.values() if isinstance(act, str))
    # Names and ids with templates in them: nothing of it is one in what leaves.
    for s in said["suggestions"]:
        words = [s["title"], s["explanation"], s["automation"]["alias"], s["automation"]["description"]]
        assert not any("{" in word or "}" in word or "\x1b" in word for word in words), words
    assert "light.{{" not in json.dumps([s["automation"] for s in said["suggestions"]])
    assert any("light.evil" in targets for targets in [s["entity_ids"] for s in said["suggestions"]])


def storage(folder, **files):
    (folder / ".storage").mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / ".storage" / name.replace("__", ".")).write_text(json.dumps({"data": data}))


@pytest.fixture
def home(tmp_path, seed):
    """Lights in two areas, one of them used by somebody who cleans."""
    one = Home(tmp_path / "home-assistant_v2.db", seed)
    one.use("light.nursery", ("on", 7), ("off", 20))
    one.use("light.hall", ("on", 8), ("off", 21))
    one.use("switch.vacuum", ("on", 10), ("off", 11), user="cleaner")
    storage(tmp_path,
            core__entity_registry={"entities": [
                {"entity_id": "light.nursery", "area_id": "nursery", "labels": [], "device_id": "d1"},
                {"entity_id": "light.hall", "area_id": None, "labels": [], "device_id": "d2"}]},
            core__device_registry={"devices": [{"id": "d1", "area_id": None}, {"id": "d2", "area_id": "hall"}]},
            core__area_registry={"areas": [{"id": "nursery", "name": "Kids' room", "aliases": []},
                                           {"id": "hall", "name": "Hall", "aliases": ["Entrance"]}]},
            person={"items": [{"id": "cleaner", "name": "Cleo", "user_id": USERS["cleaner"].hex()}]})
    return one.close()


def targets_of(ha_ai, home, *arguments, **environment):
    said = result(ha_ai, "--history", home, *PLACE, *arguments, **environment)
    return {e for s in said["suggestions"] for e in s["entity_ids"]}, json.dumps(said)


ALL = {"light.nursery", "light.hall", "switch.vacuum"}


def test_what_is_left_alone(ha_ai, home):
    assert targets_of(ha_ai, home)[0] == ALL
    for arguments, environment, gone in (
            (["--exclude-areas", "kids' ROOM"], {}, "light.nursery"),
            ([], {"EXCLUDE_AREAS": "nursery"}, "light.nursery"),
            (["--exclude-areas", " Entrance ,"], {}, "light.hall"),  # an alias; the area is its device's
            ([], {"EXCLUDE": "switch.*"}, "switch.vacuum"),
            (["--exclude-people", "person.cleaner"], {}, "switch.vacuum"),
            (["--exclude-people", "Cleo"], {}, "switch.vacuum"),
            ([], {"EXCLUDE_PEOPLE": USERS["cleaner"].hex()}, "switch.vacuum")):
        found, text = targets_of(ha_ai, home, *arguments, **environment)
        assert found == ALL - {gone}, (arguments, environment)
        assert gone not in text or gone == "switch.vacuum", "it is still read"
    for option, what in (("--exclude-areas", "Attic"), ("--exclude-people", "Nobody")):
        done = subprocess.run([ha_ai, "analyze", "--history", home, *PLACE, option, what], capture_output=True, text=True)
        assert done.returncode == 1 and what in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("where", ["entity", "device", "area", "renamed label"])
def test_the_label_always_counts(ha_ai, home, where):
    folder = home.parent
    entity, device, area = [{"labels": [], "area_id": "hall"}, {"id": "d2", "labels": []}, {"id": "hall", "name": "Hall"}]
    marked = {"entity": entity, "device": device, "area": area, "renamed label": entity}[where]
    marked["labels"] = ["no_machine" if where == "renamed label" else "ha_ai_ignore"]
    storage(folder,
            core__entity_registry={"entities": [{"entity_id": "light.hall", "device_id": "d2"} | entity]},
            core__device_registry={"devices": [device]}, core__area_registry={"areas": [area]},
            core__label_registry={"labels": [{"label_id": "no_machine", "name": "HA-AI-ignore"}]})
    found, text = targets_of(ha_ai, home)
    assert found == ALL - {"light.hall"} and "light.hall" not in text


def test_an_archive_follows_the_label_too(ha_ai, home):
    storage(home.parent, core__entity_registry={"entities": [{"entity_id": "light.hall", "labels": ["ha_ai_ignore"]}]})
    found, _ = targets_of(ha_ai, home, "--archive", home.parent / "a-archive.db")
    assert found == ALL - {"light.hall"}


# ---- what is in the database ------------------------------------------------------------------

HOSTILE = {
    "shell": {"action": "shell_command.rm", "continue_on_error": True},
    "unlock": {"action": "lock.unlock", "target": {"entity_id": "lock.front_door"}, "continue_on_error": True},
    "garage": {"action": "cover.set_cover_position", "target": {"entity_id": "cover.garage_door"},
               "data": {"position": 100}, "continue_on_error": True},
    "template": {"action": "light.turn_on", "target": {"entity_id": "{{ states.light }}"}, "continue_on_error": True},
}


def spoil(service, action):
    """Every suggestion in our database now has that action in place of its own."""
    for number, content in service.sql("SELECT id, content FROM suggestion"):
        content = json.loads(content)
        content["automation"]["actions"][0] = action
        service.sql("UPDATE suggestion SET content = ? WHERE id = ?", json.dumps(content), number)


@pytest.fixture(scope="module")
def suggesting(ha_ai, tmp_path_factory):
    return simulated_home(ha_ai, tmp_path_factory.mktemp("home"), least=2)


def start(services, listener, home, **settings):
    one = services(HISTORY=home, TZ="UTC", **settings).start().wait_healthy()
    listener.publish(RUN)
    listener.wait(COMPLETE)
    wait_until(lambda: one.health()[1]["suggestions_waiting"] >= 1, 5, "a suggestion")
    return one


def press(listener, second=0):
    listener.publish(f"{DEVICE}/approve/set", {"ts": f"2999-01-01T00:00:{second:02}Z"})


def test_what_locks_is_approved_twice(services, listener, guarded):
    start(services, listener, guarded)
    [locking] = {e["title"] for e in listener.of("ha-ai/events/suggestion/generated") if e["title"].startswith("Lock ")}
    listener.publish(f"{DEVICE}/selected_suggestion/set", {"value": locking, "ts": "2999-01-01T00:00:00Z"})
    press(listener)
    asked = listener.wait(EVENT, lambda e: e["event_type"] in ("refused", "approved", "deployed"))
    assert asked["event_type"] == "refused" and "press Approve again within 60 s" in asked["reason"]
    press(listener, second=5)
    listener.wait(EVENT, lambda e: e["event_type"] == "deployed" and e["title"] == locking)
    [sent] = listener.of("ha-ai/commands/automation/deploy")
    assert acts_of(sent["automation"]) == [("lock.lock", "lock.front_door", None)]


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_suggestion_is_not_approved(services, listener, suggesting, stand_in, what):
    one = start(services, listener, suggesting, HA_URL=stand_in.url, HA_TOKEN="a-long-lived-token")
    spoil(one, HOSTILE[what])
    press(listener)
    refused = listener.wait(EVENT, lambda e: e["event_type"] in ("refused", "approved", "deployed"))
    assert refused["event_type"] == "refused" and "automation" in refused["reason"]
    assert not stand_in.posts and not listener.of("ha-ai/commands/automation/deploy")


def test_a_hostile_suggestion_is_not_deployed(services, listener, suggesting, stand_in):
    """It was approved when it still was our own."""
    one = start(services, listener, suggesting, HA_URL=stand_in.url, HA_TOKEN="a-long-lived-token")
    stand_in.state = "NOT_RUNNING"
    one.restart().wait_healthy()
    press(listener)
    listener.wait(EVENT, lambda e: e["event_type"] == "approved")
    spoil(one, HOSTILE["shell"])
    stand_in.state = "RUNNING"
    failed = listener.wait(EVENT, lambda e: e["event_type"] in ("deployed", "failed"))
    assert failed["event_type"] == "failed" and "shell_command" in failed["reason"]
    assert not stand_in.posts and not listener.of("ha-ai/commands/automation/deploy")


def test_nor_sent_to_whoever_listens(services, listener, suggesting):
    one = start(services, listener, suggesting)
    spoil(one, HOSTILE["unlock"])
    press(listener)
    refused = listener.wait(EVENT, lambda e: e["event_type"] in ("refused", "approved", "deployed"))
    assert refused["event_type"] == "refused"
    assert not listener.of("ha-ai/commands/automation/deploy")
