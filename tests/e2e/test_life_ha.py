"""The life of a suggestion in a real Home Assistant: two users press the device's buttons through its API, and what
becomes of it is seen in the states, the event entity, and the audit, which knows who it was."""
import json

import pytest

from daemon import Daemon
from homeassistant import ApiError, wait_until
from service import simulated_home
from test_device import forget
from listener import Listener

INSTANCE = "life_test"
EVENT, SELECT, REASON, WAITING = (f"{name.split('.')[0]}.{INSTANCE}_{name.split('.')[1]}" for name in (
    "event.suggestion", "select.selected_suggestion", "select.reason", "sensor.suggestions_waiting"))
BUTTONS = ("approve", "reject", "try_first", "snooze", "undo_last", "next", "analyze_now")


def lamp_on(content):
    """The suggestion with another target, in the very form that ha-ai writes."""
    act, report = content["automation"]["actions"][0], content["automation"]["actions"][-1]
    act.update(action="input_boolean.turn_on", target={"entity_id": "input_boolean.lamp"})
    act.pop("data", None)
    report["sequence"][0]["wait_template"] = "{{ is_state('input_boolean.lamp', 'on') }}"
    content["automation"].update(alias="Lamp on", actions=[act, report])
    return content



class Life:
    def __init__(self, ha, service):
        self.ha, self.service = ha, service
        self.users = {}
        for name in ("anna", "berta"):
            token = ha.add_user(f"{name}_of_{INSTANCE}")
            self.users[name] = (token, self.user_id(f"{name}_of_{INSTANCE}"))

    def user_id(self, name):
        return next(u["id"] for u in self.ha.ws("config/auth/list") if u["name"] == name)

    def sql(self, text, *values):
        return self.service.sql(text, *values)

    def event(self):
        return self.ha.states()[EVENT]

    def call(self, who, domain, service, **data):
        self.ha.api("POST", f"/api/services/{domain}/{service}", data, token=self.users[who][0])

    def press(self, who, button, event_type=None, count=1):
        """The event entity's attributes after the `count` events of a press."""
        before = self.event()["state"]
        self.call(who, "button", "press", entity_id=f"button.{INSTANCE}_{button}")
        if event_type:
            def told():
                state = self.event()
                return state if state["state"] != before and state["attributes"]["event_type"] == event_type else None
            return wait_until(told, 20, f"the event {event_type} (it is {self.event()})")["attributes"]
        return None

    def last_audit(self):
        return self.sql("SELECT who, suggestion, from_state, to_state, reason, command FROM audit ORDER BY row DESC "
                        "LIMIT 1")[0]

    def detail(self):
        return self.ha.states()[SELECT]["attributes"]

    def settled(self):
        """Waits until the selection has been shown for so long that a press is meant for it."""
        def shown():
            attributes = self.detail()
            return attributes.get("title") == self.ha.state(SELECT) and attributes.get("id") == self.selected()
        wait_until(shown, 20, "the selection in Home Assistant")
        wait_until(lambda: self.ha.template(
            f"{{{{ (now() - states.{SELECT}.last_changed).total_seconds() > 3 }}}}") == "True", 20, "it to be seen")

    def selected(self):
        return self.sql("SELECT value FROM setting WHERE key = 'selected'")[0][0]


@pytest.fixture(scope="module")
def life(ha, ha_ai, broker, tmp_path_factory):
    """A service with suggestions of which the best is about Home Assistant's own lamp; the others' entities it lacks."""
    folder = tmp_path_factory.mktemp("life")
    home = simulated_home(ha_ai, tmp_path_factory.mktemp("life-home"))
    service = Daemon(ha_ai, folder, broker, INSTANCE=INSTANCE, HISTORY=home, TZ="UTC").start().wait_healthy()
    with Listener(broker) as listener:
        listener.publish("ha-ai/commands/analysis/run")
        listener.wait("ha-ai/status/analysis_complete", timeout=120)
    service.stop()
    it = Life(ha, Daemon(ha_ai, folder, broker, INSTANCE=INSTANCE, HA_URL=ha.url, HA_TOKEN=ha.token))
    (best,) = it.sql("SELECT id, content FROM suggestion WHERE rank = 0")
    it.sql("UPDATE suggestion SET content = ? WHERE id = ?",
           json.dumps(lamp_on(json.loads(best[1]))), best[0])
    it.mark = ha.log_mark()
    it.service.start().wait_healthy()
    ha.wait_state(f"binary_sensor.{INSTANCE}_home_assistant_api", "on", timeout=30)
    wait_until(lambda: ha.state(SELECT) not in (None, "unavailable", "unknown", "–"), 30, "the selection")
    yield it
    assert it.service.stop() == 0
    forget(broker, ha, INSTANCE)


def test_each_button_by_each_user(ha, life):
    anna, berta = (life.users[name][1] for name in ("anna", "berta"))
    ids = [row[0] for row in life.sql("SELECT id FROM suggestion WHERE state = 0 ORDER BY rank")]
    waiting = int(ha.state(WAITING))
    assert len(ids) == waiting >= 3
    assert ha.state(REASON) == "this habit"

    life.settled()
    told = life.press("anna", "try_first", "trying")
    assert (told["suggestion_id"], told["from"], told["by"]) == (ids[0], "new", anna)
    assert life.last_audit()[:4] == (anna, ids[0], "new", "trying")
    wait_until(lambda: life.detail().get("status") == "trying", 20, "the select to show it")
    assert life.detail()["until"] == told["until"]
    ha.wait_state(WAITING, str(waiting - 1))

    life.press("berta", "next")
    wait_until(lambda: life.detail().get("id") == ids[1], 20, "the next one in Home Assistant")
    life.settled()
    told = life.press("berta", "snooze", "snoozed")
    assert (told["suggestion_id"], told["by"]) == (ids[1], berta)
    assert life.last_audit()[:4] == (berta, ids[1], "new", "snoozed")
    ha.wait_state(WAITING, str(waiting - 2))

    life.settled()
    third = life.detail()["id"]
    life.call("anna", "select", "select_option", entity_id=REASON, option="never")
    ha.wait_state(REASON, "never")
    told = life.press("anna", "reject", "rejected")
    assert (told["suggestion_id"], told["by"], told["reason"]) == (third, anna, "never")
    assert life.last_audit() == (anna, third, "new", "rejected", "never", None)
    ha.wait_state(REASON, "this habit")

    for suggestion, was in ((third, "rejected"), (ids[1], "snoozed"), (ids[0], "trying")):
        told = life.press("berta", "undo_last", "new")
        assert (told["suggestion_id"], told["from"], told["by"]) == (suggestion, was, berta)
        assert life.last_audit()[:4] == (berta, suggestion, was, "new")
        wait_until(lambda: life.detail().get("id") == suggestion, 20, "it to be selected")
    told = life.press("anna", "undo_last", "refused")
    assert "no step that can be taken back" in told["reason"] and told["by"] == anna
    ha.wait_state(WAITING, str(waiting))

    life.press("berta", "analyze_now", "refused")  # there is no history any more
    assert ha.log_problems("(?i)life_test|ha[-_ ]ai(?!-test)|discovery", life.mark) == []


def test_deployed_and_failed(ha, life):
    anna = life.users["anna"][1]
    best, *others = [row[0] for row in life.sql("SELECT id FROM suggestion WHERE state = 0 ORDER BY rank")]
    titles = dict(life.sql("SELECT id, title FROM suggestion"))
    ha.call_service("select", "select_option", entity_id=SELECT, option=titles[best])
    wait_until(lambda: life.selected() == best, 20, "the selection")
    life.press("anna", "approve", "deployed")
    told = life.event()["attributes"]
    assert told["suggestion_id"] == best
    who = life.sql("SELECT who, from_state, to_state FROM audit WHERE suggestion = ? ORDER BY row DESC LIMIT 2", best)
    assert who == [("ha-ai", "approved", "deployed"), (anna, "new", "approved")]
    assert ha.api("GET", f"/api/config/automation/config/ha_ai_{best}")["alias"] == "Lamp on"
    assert life.press("anna", "undo_last", "undone")["suggestion_id"] == best
    with pytest.raises(ApiError):
        ha.api("GET", f"/api/config/automation/config/ha_ai_{best}")

    ha.call_service("select", "select_option", entity_id=SELECT, option=titles[others[0]])
    wait_until(lambda: life.selected() == others[0], 20, "the selection")
    told = life.press("anna", "approve", "failed")
    assert told["suggestion_id"] == others[0] and "HA has no entity" in told["reason"]
    wait_until(lambda: titles[others[0]] in life.detail()["options"], 20, "it to wait again")
    ha.call_service("select", "select_option", entity_id=SELECT, option=titles[others[0]])
    wait_until(lambda: life.detail().get("status") == "failed", 20, "the select to show it")
    assert "HA has no entity" in life.detail()["reason"]
    life.settled()
    told = life.press("anna", "snooze", "refused")
    assert "is failed and cannot become snoozed" in told["reason"]
    told = life.press("anna", "reject", "rejected")
    assert told["from"] == "failed"


def test_an_automation_presses(ha, life):
    """Nobody's press is nobody's: it is told as mqtt."""
    ha.api("POST", "/api/config/automation/config/life_snooze", {
        "alias": "Life: snooze", "triggers": [{"trigger": "event", "event_type": "life_snooze"}],
        "actions": [{"action": "button.press", "target": {"entity_id": f"button.{INSTANCE}_snooze"}}]})
    wait_until(lambda: ha.state("automation.life_snooze") == "on", 20, "the automation")
    life.settled()
    ha.api("POST", "/api/events/life_snooze")
    wait_until(lambda: life.event()["attributes"]["event_type"] == "snoozed", 20, "the snooze")
    assert life.last_audit()[0] == "mqtt" and life.last_audit()[3] == "snoozed"


def test_home_assistant_restarts_in_between(ha, life):
    """The states are as they were, and no event comes again."""
    events = life.sql("SELECT count(*) FROM audit")
    before = {entity: ha.state(entity) for entity in (SELECT, REASON, WAITING)}
    ha.restart()
    wait_until(lambda: {entity: ha.state(entity) for entity in before} == before, 60, f"all as before: {before}")
    assert life.sql("SELECT count(*) FROM audit") == events
    life.settled()
    life.press("berta", "snooze", "snoozed")
    assert life.last_audit()[0] == life.users["berta"][1]
