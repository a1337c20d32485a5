"""The blueprints of contrib/ in a real Home Assistant: a person's own trigger starts an analysis; a suggestion goes to a
phone and is answered there; a failure is told. The phone is a registration whose push service is the test's own."""
import json
import shutil
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from broker import Broker
from daemon import Daemon
from homeassistant import HomeAssistant, wait_until
from listener import Listener
from service import CLEAR, CLOCK_HOME, COMPLETE, RUN, schema_of

ROOT = Path(__file__).resolve().parents[2]
BLUEPRINTS = ROOT / "contrib" / "blueprints"
SELECT, EVENT = "select.ha_ai_selected_suggestion", "event.ha_ai_suggestion"
OURS = r"(?i)ha[-_ ]ai(?!-test)|blueprint|Test: |mobile_app|Template"
ZONE = "Etc/GMT-2"


class Phone:
    """A phone as Home Assistant knows it: registered with the mobile app's API, its push service on this machine."""

    def __init__(self, ha, name="Pocket"):
        self.ha, self.notifications = ha, []
        phone = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                phone.notifications.append(json.loads(body))
                answer = json.dumps({"rateLimits": {"successful": 1, "errors": 0, "maximum": 150, "resetsAt":
                                                    "2030-01-01T00:00:00.000Z"}}).encode()
                self.send_response(201)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        registration = ha.api("POST", "/api/mobile_app/registrations", {
            "device_id": "test-phone", "app_id": "test", "app_name": "Test", "app_version": "1", "device_name": name,
            "manufacturer": "Test", "model": "Test", "os_name": "Test", "os_version": "1", "supports_encryption": False,
            "app_data": {"push_token": "token", "push_url": f"http://127.0.0.1:{self._server.server_port}/push"}})
        self._webhook = registration["webhook_id"]
        self.device_id = wait_until(lambda: next((d["id"] for d in ha.ws("config/device_registry/list")
                                                  if d["name"] == name), None), 20, "the phone's device")
        wait_until(lambda: f"mobile_app_{name.lower()}" in ha.api("GET", "/api/services")[-1].get("services", {})
                   or any(f"mobile_app_{name.lower()}" in d["services"] for d in ha.api("GET", "/api/services")), 20,
                   "the phone's notify service")

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def questions(self):
        return [n for n in self.notifications if n.get("data", {}).get("actions")]

    def wait_question(self, count, timeout=30):
        return wait_until(lambda: len(self.questions()) >= count and self.questions()[count - 1], timeout,
                          f"notification {count} (there are {self.notifications})")

    def tap(self, notification, word):
        """What the app sends when a button of a notification is pressed."""
        action = next(a["action"] for a in notification["data"]["actions"] if a["title"] == word)
        status, text, _ = self.ha.request("POST", f"/api/webhook/{self._webhook}", {
            "type": "fire_event", "data": {"event_type": "mobile_app_notification_action",
                                           "event_data": {"action": action, "device_id": "test-phone"}}})
        assert status == 200, text


class Home:
    """The parts."""


def use(home, automation_id, blueprint, **inputs):
    """Makes an automation from a blueprint, and waits until it is on."""
    home.ha.api("POST", f"/api/config/automation/config/{automation_id}", {
        "alias": f"Test: {automation_id}", "description": "",
        "use_blueprint": {"path": f"ha-ai/{blueprint}.yaml", "input": inputs}})
    return wait_until(lambda: next((e for e, s in home.ha.states().items() if s["attributes"].get("id") == automation_id
                                    and s["state"] == "on"), None), 20, f"{automation_id} to be on")


def remove(home, automation_id):
    home.ha.api("DELETE", f"/api/config/automation/config/{automation_id}")


@pytest.fixture(scope="module")
def home(ha_ai, ha_version, tmp_path_factory):
    it = Home()
    folder = tmp_path_factory.mktemp("blueprints")
    config = folder / "config"
    subprocess.run([ha_ai, "simulate", *CLOCK_HOME, *CLEAR, "--days", "30", "--entities", "60", "--seed", "7",
                    "--timezone", ZONE, "--states", "12000", "--truth", folder / "truth.json", "--ha-config", config,
                    *schema_of(ha_version)],
                   check=True, timeout=120)
    shutil.copytree(BLUEPRINTS, config / "blueprints", dirs_exist_ok=True)
    with open(config / "configuration.yaml", "a") as configuration:
        configuration.write("\nmobile_app:\n")
    it.broker = Broker(folder / "broker").start()
    it.ha = HomeAssistant(ha_version, config).start()
    it.ha.add_mqtt(it.broker)
    it.listener = Listener(it.broker)
    it.daemon = Daemon(ha_ai, folder / "ha-ai", it.broker, HA_URL=it.ha.url, HA_TOKEN=it.ha.token,
                       HISTORY=config / "home-assistant_v2.db").start().wait_healthy()
    it.ha.wait_state(SELECT, "–", timeout=30)
    it.phone = Phone(it.ha)
    yield it
    it.phone.close()
    it.listener.close()
    assert it.daemon.stop() == 0, it.daemon.log_text()[-3000:]
    it.ha.stop()
    it.broker.stop()


def test_home_assistant_knows_them(home):
    """Every file is one that HA's own blueprint loader takes, with inputs that have a name and a selector."""
    known = home.ha.ws("blueprint/list", domain="automation")
    files = sorted(path.name for path in (BLUEPRINTS / "automation" / "ha-ai").glob("*.yaml"))
    assert len(files) == 3
    for name in files:
        entry = known[f"ha-ai/{name}"]
        assert "error" not in entry, entry
        inputs = entry["metadata"]["input"]
        for section in [inputs, *(i["input"] for i in inputs.values() if "input" in i)]:
            assert all(i["name"] for i in section.values())
            assert all("selector" in i for i in section.values() if "input" not in i)


def test_defaults_are_entities_of_the_device(home):
    states = home.ha.states()

    def defaults(inputs):
        for entry in inputs.values():
            if "input" in entry:
                yield from defaults(entry["input"])
            elif "entity" in entry.get("selector", {}):
                yield entry["default"]
    for entry in home.ha.ws("blueprint/list", domain="automation").values():
        if entry["metadata"]["path"].startswith("ha-ai/") if "path" in entry["metadata"] else "HA AI" in entry["metadata"]["name"]:
            for entity in defaults(entry["metadata"]["input"]):
                assert states[entity]["state"] != "unavailable", entity


def test_an_analysis_starts_by_the_persons_own_trigger(home):
    use(home, "to_phone", "suggestion_to_phone", phone=home.phone.device_id, hours=1)  # goes on in the next test
    use(home, "run_analysis", "run_analysis", when=[{"trigger": "event", "event_type": "test_go"}],
        only_if=[{"condition": "template", "value_template": "{{ trigger.event.data.please }}"}])
    home.ha.api("POST", "/api/events/test_go", {"please": False})
    home.ha.api("POST", "/api/events/test_go", {"please": True})
    command = home.listener.wait(RUN)
    assert command["id"] and command["timestamp"]
    complete = home.listener.wait(COMPLETE, timeout=90)
    assert complete["success"] and complete["suggestions_generated"] >= 4
    assert len(home.listener.of(RUN)) == 1
    home.ha.wait_state("sensor.ha_ai_suggestions_waiting", str(complete["suggestions_generated"]))


def told(home, event_type, title=None):
    return [e for e in home.listener.of("ha-ai/device/ha_ai/suggestion/event")
            if e["event_type"] == event_type and title in (None, e.get("title"))]


def test_a_suggestion_is_approved_and_another_rejected_on_the_phone(home):
    phone = home.phone
    asked = phone.wait_question(1)
    assert [a["title"] for a in asked["data"]["actions"]] == ["Approve", "Reject"]
    assert asked["message"] and asked["push_token"] == "token"
    # the selection is elsewhere: only what was asked about may be decided
    options = wait_until(lambda: [o for o in home.ha.states()[SELECT]["attributes"]["options"] if o != "–"], 20, "options")
    assert asked["title"] in options
    other = next(o for o in options if o != asked["title"])
    home.ha.call_service("select", "select_option", entity_id=SELECT, option=other)
    home.ha.wait_state(SELECT, other)
    phone.tap(asked, "Approve")
    wait_until(lambda: told(home, "approved", asked["title"]), 20, "the approval")
    wait_until(lambda: told(home, "deployed", asked["title"]), 40, "the deployment")
    assert any(s["attributes"].get("friendly_name") == asked["title"] for e, s in home.ha.states().items()
               if e.startswith("automation."))

    # the next one waited for its turn
    second = phone.wait_question(2, 30)
    assert second["title"] != asked["title"]
    phone.tap(second, "Reject")
    wait_until(lambda: told(home, "rejected", second["title"]), 20, "the rejection")
    assert not told(home, "approved", second["title"])

    # what is decided elsewhere is taken back, and the one after it comes
    third = phone.wait_question(3, 30)
    home.ha.call_service("select", "select_option", entity_id=SELECT, option=third["title"])
    home.ha.wait_state(SELECT, third["title"])
    home.ha.call_service("button", "press", entity_id="button.ha_ai_reject")
    wait_until(lambda: [n for n in phone.notifications if n["message"] == "clear_notification"
                        and n["data"]["tag"] == third["data"]["tag"]], 20, "the notification to be taken back")
    fourth = phone.wait_question(4, 30)
    # an answer to the one before it decides nothing
    before = len(told(home, "approved")), len(told(home, "rejected"))
    phone.tap(asked, "Approve")
    time.sleep(2)
    assert (len(told(home, "approved")), len(told(home, "rejected"))) == before
    assert fourth["title"] in home.ha.states()[SELECT]["attributes"]["options"]
    remove(home, "to_phone")


def test_a_restart_does_not_ask_again(home):
    """The event that Home Assistant and the daemon restore after a restart is an old one."""
    phone = home.phone
    use(home, "to_phone", "suggestion_to_phone", phone=phone.device_id, hours=1)
    count = len(phone.questions()) + 1
    title = home.ha.state(SELECT)
    home.listener.publish("ha-ai/device/ha_ai/suggestion/event",
                          {"event_type": "new", "suggestion_id": "again", "title": title, "explanation": "Again"})
    assert phone.wait_question(count)["title"] == title
    home.daemon.restart()
    home.daemon.wait_healthy()
    home.ha.restart()
    home.ha.wait_state("binary_sensor.ha_ai_home_assistant_api", "on", timeout=40)
    wait_until(lambda: home.ha.state(EVENT) not in ("unknown", "unavailable"), 30, "the event")
    time.sleep(3)
    assert len(phone.questions()) == count
    remove(home, "to_phone")


def test_nobody_answers(home):
    """The notification goes away in time; the suggestion keeps waiting."""
    phone = home.phone
    use(home, "to_phone", "suggestion_to_phone", phone=phone.device_id, hours=0.001)
    title = home.ha.state(SELECT)
    count = len(phone.questions()) + 1
    home.listener.publish("ha-ai/device/ha_ai/suggestion/event",
                          {"event_type": "new", "suggestion_id": "late", "title": title, "explanation": "Late"})
    asked = phone.wait_question(count)
    wait_until(lambda: phone.notifications[-1]["message"] == "clear_notification"
               and phone.notifications[-1]["data"]["tag"] == asked["data"]["tag"], 20, "it to be taken back")
    phone.tap(asked, "Reject")  # too late
    time.sleep(2)
    assert not told(home, "rejected", title) and home.ha.state(SELECT) == title
    remove(home, "to_phone")


def test_a_failure_raises_a_notification(home):
    use(home, "failed", "automation_failed", also=[{"event": "test_also", "event_data": {"text": "{{ text }}"}}])
    also = home.ha.subscribe("subscribe_events", event_type="test_also")
    deployed = told(home, "deployed")[0]
    automation = f"ha_ai_{deployed['suggestion_id']}".replace("#", "_")
    home.listener.publish("ha-ai/responses/automation/failed",
                          {"automation_id": automation, "id": "made-up", "status": "failed"})
    notes = home.ha.ws("persistent_notification/get")

    def ours():
        return [n for n in home.ha.ws("persistent_notification/get") if n["notification_id"] == f"ha_ai_failed_{automation}"]
    note = wait_until(lambda: ours() and ours()[0], 20, f"a notification (there were {notes})")
    assert deployed["title"] in note["title"] and "no effect" in note["message"]
    assert also.get(10)["data"]["text"] == note["message"]
    home.listener.publish("ha-ai/responses/automation/failed",
                          {"automation_id": automation, "id": "made-up-2", "status": "failed"})
    also.get(10)
    assert len(ours()) == 1
    # of an automation that is not ours nothing is told
    home.listener.publish("ha-ai/responses/automation/failed", {"automation_id": "ha_ai_unknown", "status": "failed"})
    with pytest.raises(TimeoutError):
        also.get(3)


def test_home_assistant_has_no_complaint(home):
    assert home.ha.log_problems(OURS) == []


def test_only_what_2025_4_knows():
    """No old spelling, and each file says from which release on it works."""
    for path in (BLUEPRINTS / "automation" / "ha-ai").glob("*.yaml"):
        text = path.read_text()
        for old in ("platform:", "service:", "\ntrigger:", "\naction:", "\ncondition:", "object_id"):
            assert old not in text, (path.name, old)
        yaml.SafeLoader.add_constructor("!input", lambda loader, node: loader.construct_scalar(node))
        assert yaml.safe_load(text)["blueprint"]["homeassistant"]["min_version"] == "2025.4.0"
