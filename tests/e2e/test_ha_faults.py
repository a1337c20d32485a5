"""src/ha and the service when Home Assistant answers wrongly, by half, or not at all, at each step; and when the service
is killed at each step. A stand-in plays Home Assistant here, for it can fail at will."""
import time

import pytest

from homeassistant import wait_until
from service import EVENT
from test_deploy import CONFIG, StandIn, approve, deployed, home, press, service, stand_in  # noqa: F401
from test_ha import Driver, built, start  # noqa: F401

AUTOMATION = {"alias": "A", "triggers": [{"trigger": "time", "at": "07:00:00"}], "conditions": [],
              "actions": [{"action": "light.turn_on", "target": {"entity_id": "light.a"}}], "mode": "single"}
WRONG = (400, 401, 403, 404, 500, 502, -200, 0)


class Fault:
    """Answers the n-th request that matches with a status instead, before or after its effect. No answer at all is
    what the later ones get, too, for libcurl asks again when a kept connection ends so."""

    def __init__(self, status, moment, method, path, nth=1):
        self.status, self.what, self.left = status, (moment, method, path), nth

    def __call__(self, moment, method, path):
        wanted_moment, wanted_method, wanted_path = self.what
        if (moment, method) != (wanted_moment, wanted_method) or not path.startswith(wanted_path):
            return None
        self.left -= 1
        is_hit = self.left == 0 or (self.left < 0 and self.status == 0)
        return (self.status, {"message": "out of order"}) if is_hit else None


class Pair:
    """The driver and what it takes for Home Assistant, for many tests: each has an id of its own."""

    def __init__(self):
        self.stand_in = StandIn()
        self.driver = Driver(self.stand_in.url, "a-token")
        self.driver.wait("state 1 1")
        self.tests = 0

    def begin(self):
        self.tests += 1
        self.id = f"ha_ai_{self.tests}"
        self.path = CONFIG + self.id
        self.stand_in.on_request = lambda *_: None
        self.stand_in.automations.clear()
        self.stand_in.posts.clear()
        self.stand_in.deletes.clear()
        return self

    def deploy(self):
        return self.driver.deploy(self.id, AUTOMATION)

    def undeploy(self):
        self.driver.send("undeploy", self.id, "null")
        return self.driver.wait("undeployed", self.id).split()

    def compare(self):
        self.driver.send("compare", self.id, "-")
        return self.driver.wait("compared", self.id)


@pytest.fixture(scope="module")
def pair_of_module(built):  # noqa: F811
    pair = Pair()
    yield pair
    pair.driver.stop()
    pair.stand_in.close()


@pytest.fixture
def pair(pair_of_module):
    return pair_of_module.begin()


STEPS = [("GET", "/api/states/", 1), ("GET", "/api/services", 1), ("GET", None, 1), ("POST", None, 1), ("GET", None, 2)]


@pytest.mark.parametrize("method, path, nth", STEPS)
@pytest.mark.parametrize("status", WRONG)
def test_deploying(pair, method, path, nth, status):
    stand_in = pair.stand_in
    stand_in.on_request = Fault(status, "before", method, path or pair.path, nth)
    saved, error = pair.deploy()
    is_look = (method, path, nth) == ("GET", None, 1)
    if is_look and status == 404:  # the editor's own word for "there is none"
        assert saved and not error
    else:
        assert error, "it must say what went wrong"
        assert len(error) < 500 and "a-token" not in error
    stand_in.on_request = lambda *_: None
    saved, error = pair.deploy()
    assert saved and not error
    assert list(stand_in.automations) == [pair.id] and len(stand_in.posts) == 1


def test_the_answer_to_the_save_is_lost(pair):
    pair.stand_in.on_request = Fault(0, "after", "POST", pair.path)
    assert pair.deploy() == (True, "")
    assert len(pair.stand_in.posts) == 1


@pytest.mark.parametrize("method, nth", [("GET", 1), ("DELETE", 1), ("GET", 2)])
@pytest.mark.parametrize("moment", ("before", "after"))
@pytest.mark.parametrize("status", WRONG)
def test_taking_back(pair, method, nth, moment, status):
    assert pair.deploy() == (True, "")
    pair.stand_in.on_request = Fault(status, moment, method, pair.path, nth)
    theirs, transient, *words = pair.undeploy()
    # An entity but no such id in automations.yaml: it was moved.
    assert theirs == ("1" if (method, nth, status) == ("GET", 1, 404) else "0")
    if transient == "1":
        assert words
    pair.stand_in.on_request = lambda *_: None
    assert pair.undeploy() == ["0", "0"]
    assert not pair.stand_in.automations
    assert len(pair.stand_in.deletes) <= 2


@pytest.mark.parametrize("status", WRONG)
def test_comparing(pair, status):
    """What Home Assistant does not say is no reason to believe anything."""
    assert pair.deploy() == (True, "")
    pair.stand_in.on_request = Fault(status, "before", "POST", "/api/template")
    assert pair.compare() == "unknown"
    pair.stand_in.on_request = Fault(status, "before", "GET", pair.path)
    # An entity but no such id in automations.yaml: it was moved.
    assert pair.compare() == ("unknown" if status != 404 else "differs it is in another file")


@pytest.mark.parametrize("mode, words", [
    (404, "404 instead of 101"), (500, "500 instead of 101"), (401, "401 instead of 101"), (200, "200 instead of 101"),
    ("refuses", "rejects HA_TOKEN"), ("half", "closed the WebSocket"), ("garbage", "no WebSocket"),
    ("nonsense", "no message of HA"), ("huge", "larger than 4 MB"),
])
def test_websockets_that_fail(start, stand_in, mode, words):
    stand_in.socket.mode = mode
    driver = start(stand_in.url, "a-token")
    while words not in (said := driver.wait("websocket 0", timeout=20)):
        assert "not connected yet" in said or "closed" in said, said
    assert driver.deploy("ha_ai_x", AUTOMATION) == (True, ""), "REST goes on without"
    driver.send("automations", "-", "-")
    assert "not open" in driver.wait("automations 0") or mode == "huge"
    if mode != "refuses":  # tried again only after five minutes: Home Assistant counts them
        stand_in.socket.mode = "fine"
        driver.wait("websocket 1", timeout=20)
    assert stand_in.socket.logins <= 2


def test_a_command_that_is_not_answered_and_a_lost_connection(start, stand_in):
    stand_in.socket.mode = "mute"
    stand_in.automations["ha_ai_x"] = AUTOMATION
    driver = start(stand_in.url, "a-token")
    driver.wait("websocket 1")
    stand_in.post = lambda path, body: (200, {"all": ["x", "y"], "off": []})
    driver.send("automations", "-", "-")
    wait_until(lambda: len(stand_in.socket.seen) >= 2, 10, "the questions")
    stand_in.socket.drop()
    assert "closed meanwhile" in driver.wait("automations 2")
    stand_in.socket.mode = "fine"
    stand_in.socket.commands["automation/config"] = lambda m: (
        {"config": AUTOMATION} if m["entity_id"] == "automation.x" else Exception("Entity not found"))
    driver.wait("websocket 1", timeout=20)
    driver.send("automations", "-", "-")
    assert driver.wait("automations") == "1", "one is left out"
    # Silence: the next ping finds the connection dead.
    stand_in.socket.mode = "mute"
    stand_in.socket.drop()
    driver.wait("websocket 1", timeout=30)
    assert "ping" in driver.wait("websocket 0", timeout=70)


def test_more_automations_than_are_read(start, stand_in):
    driver = start(stand_in.url, "a-token")
    driver.wait("websocket 1")
    stand_in.post = lambda path, body: (200, {"all": [f"a{n}" for n in range(2003)], "off": ["a0"]})
    stand_in.socket.commands["automation/config"] = {"config": AUTOMATION}
    driver.send("automations", "-", "-")
    assert driver.wait("automations", timeout=120) == "3"
    lines = [line for line in driver.log if line.startswith("automation {")]
    assert len(lines) == 2000
    assert sum('"enabled":false' in line for line in lines) == 1


# --- the service, killed at each step -------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment, method, path, nth", [
    (moment, *step) for moment in ("before", "after") for step in (
        ("GET", "/api/states/", 1), ("GET", "/api/services", 1), ("GET", CONFIG + "ha_ai_", 1),
        ("POST", CONFIG, 1), ("GET", CONFIG + "ha_ai_", 2), ("POST", "/api/template", 1))])
def test_killed_while_it_deploys(service, listener, stand_in, moment, method, path, nth):
    kill_at(service, stand_in, moment, method, path, nth)
    press(listener)  # what is told of it may come after the restart only
    wait_until(lambda: not service.alive(), 20, "the end")
    stand_in.on_request = lambda *_: None
    service.start().wait_healthy()
    assert deployed(listener)["event_type"] == "deployed"
    assert len(stand_in.automations) == 1 and len(stand_in.posts) == 1, "saved once"
    assert len(listener.of("ha-ai/commands/automation/deploy")) == 1


@pytest.mark.parametrize("moment, method, nth", [
    (moment, *step) for moment in ("before", "after") for step in (("GET", 1), ("DELETE", 1), ("GET", 2))])
def test_killed_while_it_takes_back(service, listener, stand_in, moment, method, nth):
    approve(listener)
    suggestion = deployed(listener)["suggestion_id"]
    kill_at(service, stand_in, moment, method, CONFIG + "ha_ai_", nth)
    service.sql("INSERT INTO undo (suggestion, who, at_ms) VALUES (?, 'a person', 1)", suggestion)
    wait_until(lambda: not service.alive(), 20, "the end")
    stand_in.on_request = lambda *_: None
    service.start().wait_healthy()
    listener.wait(EVENT, lambda e: e["event_type"] == "undone" and e["suggestion_id"] == suggestion)
    assert not stand_in.automations and len(stand_in.deletes) == 1
    time.sleep(1)
    events = [e["event_type"] for e in listener.of(EVENT) if e.get("suggestion_id") == suggestion]
    assert events.count("undone") == 1 and "retired" not in events


# --- what a deployment that failed leaves behind ---------------------------------------------------------------------------


def failed(listener, words, count=1):
    return listener.wait(EVENT, lambda e: e["event_type"] == "failed" and words in e["reason"], count=count, timeout=30)


def test_saved_but_not_run(service, listener, stand_in):
    """It does not stay in Home Assistant's file, to run one day; approved again it is deployed."""
    stand_in.automation_state = "off"
    approve(listener)
    suggestion = failed(listener, "switched off")["suggestion_id"]
    wait_until(lambda: not stand_in.automations, 20, "it to be taken back")
    stand_in.automation_state = "on"
    press(listener, suggestion=suggestion)
    listener.wait(EVENT, lambda e: e["event_type"] == "deployed" and e["suggestion_id"] == suggestion)
    time.sleep(2)
    assert list(stand_in.automations) == [f"ha_ai_{suggestion}"]
    assert (len(stand_in.posts), len(stand_in.deletes)) == (2, 1)


def test_nobody_knows_whether_it_was_saved(service, listener, stand_in):
    """Home Assistant is gone with the save: what it kept is taken back when it answers, by the next service, too."""
    def on_request(moment, method, path):
        is_gone = path.startswith(CONFIG) and stand_in.posts and (moment == "after" or method != "POST")
        return (0, {}) if is_gone else None
    stand_in.on_request = on_request
    approve(listener)
    failed(listener, "")
    assert len(stand_in.automations) == 1
    service.kill()
    stand_in.on_request = lambda *_: None
    service.start().wait_healthy()
    wait_until(lambda: not stand_in.automations, 40, "it to be taken back")
    assert len(stand_in.posts) == len(stand_in.deletes) == 1
    assert [e["event_type"] for e in listener.of(EVENT)].count("failed") == 1


def test_it_cannot_be_taken_back(service, listener, stand_in):
    """That is said, and the rejection asks once more."""
    stand_in.automation_state = "off"
    stand_in.on_request = Fault(500, "before", "DELETE", CONFIG)
    approve(listener)
    suggestion = failed(listener, "switched off")["suggestion_id"]
    failed(listener, "is not taken back")
    assert stand_in.automations
    press(listener, "reject", suggestion=suggestion)
    wait_until(lambda: not stand_in.automations, 20, "it to be taken back")
    listener.wait(EVENT, lambda e: e["event_type"] == "rejected" and e["suggestion_id"] == suggestion)


def test_what_it_left_is_theirs_meanwhile(service, listener, stand_in):
    stand_in.automation_state = "off"
    looks = []

    def on_request(moment, method, path):
        if (moment, method) == ("before", "GET") and path.startswith(CONFIG):
            looks.append(path)
            for one in stand_in.automations.values() if len(looks) == 3 else ():
                one["alias"] = "Mine"
    stand_in.on_request = on_request
    approve(listener)
    suggestion = failed(listener, "switched off")["suggestion_id"]
    service.wait_log("somebody has changed it")
    press(listener, "reject", suggestion=suggestion)
    listener.wait(EVENT, lambda e: e["event_type"] == "rejected")
    time.sleep(2)
    assert not stand_in.deletes and [one["alias"] for one in stand_in.automations.values()] == ["Mine"]


def kill_at(service, stand_in, moment, method, path, nth):
    fault = Fault(0, moment, method, path, nth)

    def on_request(*what):
        found = fault(*what)
        if found:
            service.kill()
        return found
    # Only what follows counts, and not the list that it asks for on its own.
    stand_in.on_request = on_request
