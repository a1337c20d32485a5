"""The report block of a deployed automation, as it is written, in a real Home Assistant: the target is slow, stuck,
unavailable or missing, the action is missing, the block is deleted; and what Home Assistant's trace says of each."""
import json
import subprocess
import time

import pytest

from conftest import ROOT
from homeassistant import HomeAssistant, wait_until
from test_ha import built, start  # noqa: F401

RULE = ROOT / "build/asan/drivers/rule"
REPORTS = "ha-ai/responses/automation/+"
INPUTS = "input_boolean: {lamp: , door: , slow: , stuck: }"
OLD_SWITCHES = """
switch:
  - platform: template
    switches:
      slow:
        value_template: "{{ is_state('input_boolean.slow', 'on') }}"
        turn_on: [{delay: 4}, {action: input_boolean.turn_on, target: {entity_id: input_boolean.slow}}]
        turn_off: [{action: input_boolean.turn_off, target: {entity_id: input_boolean.slow}}]
      stuck:
        value_template: "{{ false }}"
        turn_on: []
        turn_off: []
      absent:
        value_template: "{{ false }}"
        availability_template: "{{ false }}"
        turn_on: []
        turn_off: []
"""
SWITCHES = """
template:
  - switch:
      - name: slow
        state: "{{ is_state('input_boolean.slow', 'on') }}"
        turn_on: [{delay: 4}, {action: input_boolean.turn_on, target: {entity_id: input_boolean.slow}}]
        turn_off: [{action: input_boolean.turn_off, target: {entity_id: input_boolean.slow}}]
      - {name: stuck, state: "{{ false }}", turn_on: [], turn_off: []}
      - {name: absent, state: "{{ false }}", availability: "{{ false }}", turn_on: [], turn_off: []}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory, ha_version, broker):
    subprocess.run(["make", "-s", "MODE=asan", "build/asan/drivers/rule"], cwd=ROOT, check=True)
    folder = tmp_path_factory.mktemp("report")
    switches = OLD_SWITCHES if ha_version < "2025.5" else SWITCHES
    (folder / "configuration.yaml").write_text(INPUTS + switches)
    with HomeAssistant(ha_version, folder) as one:
        one.add_mqtt(broker)
        yield one


@pytest.fixture
def driver(start, home):
    driver = start(home.url, home.token)
    driver.wait("websocket 1")
    return driver


def run(home, name, target, change=lambda automation: None):
    """Deploys what the program writes for this target, lets it run, and returns its context's id."""
    written = subprocess.run([RULE, "state", "input_boolean.door", "on", target], capture_output=True, text=True,
                             check=True)
    automation = json.loads(written.stdout)
    change(automation)
    home.api("POST", f"/api/config/automation/config/ha_ai_{name}", automation)
    find = lambda: next((e for e, s in home.states().items()  # noqa: E731
                         if s["attributes"].get("id") == f"ha_ai_{name}" and s["state"] == "on"), None)
    entity = wait_until(find, 10, "the automation")
    runs = home.subscribe("subscribe_events", event_type="automation_triggered")
    home.call_service("automation", "trigger", entity_id=entity)
    return runs.get(matching=lambda e: e["data"]["entity_id"] == entity)["context"]["id"]


def explain(driver, name, context):
    driver.send("explain", f"ha_ai_{name}", context)
    return driver.wait("explained")


@pytest.mark.parametrize("name, target, topic, status", [
    ("slow", "switch.slow", "executed", "success"),
    ("stuck", "switch.stuck", "failed", "failed"),
    ("absent", "switch.absent", "failed", "failed"),
    ("missing", "switch.not_there", "failed", "failed"),
])
def test_targets(driver, home, name, target, topic, status):
    reports = home.mqtt_subscribe(REPORTS)
    began = time.monotonic()
    context = run(home, name, target)
    report = reports.get(timeout=20)
    assert report["topic"] == f"ha-ai/responses/automation/{topic}"
    assert json.loads(report["payload"]) | {"timestamp": ""} == {
        "automation_id": f"ha_ai_{name}", "id": context, "status": status, "timestamp": ""}
    waited = time.monotonic() - began
    assert waited < 9 if status == "success" else 9.5 < waited < 15
    assert explain(driver, name, context) == "-", "Home Assistant knows of no error"


def test_a_missing_action(driver, home):
    """No report comes at all; the trace has the reason, found by the context or, after a gap, by the time."""
    def change(automation):
        automation["actions"][0]["action"] = "nobody.listens"
    reports = home.mqtt_subscribe(REPORTS)
    at_ms = int(time.time() * 1000)
    context = run(home, "nobody", "switch.slow", change)
    with pytest.raises(TimeoutError):
        reports.get(timeout=13)
    assert "nobody.listens not found" in explain(driver, "nobody", context)
    assert "nobody.listens not found" in explain(driver, "nobody", str(at_ms))
    assert explain(driver, "nobody", str(at_ms - 60000)) == "-", "another run"
    assert explain(driver, "nobody", "01JZZZZZZZZZZZZZZZZZZZZZZZ") == "-"
    assert explain(driver, "of_nobody", context) == "-"


def test_the_block_is_deleted(driver, home):
    def change(automation):
        del automation["actions"][-1]
    reports = home.mqtt_subscribe(REPORTS)
    context = run(home, "silent", "input_boolean.lamp", change)
    home.wait_state("input_boolean.lamp", "on")
    with pytest.raises(TimeoutError):
        reports.get(timeout=3)
    assert explain(driver, "silent", context) == "-"
