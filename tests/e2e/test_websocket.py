"""src/ha's WebSocket against a real Home Assistant: all automations, wherever they are written."""
import json
import shutil
import time

import pytest

from homeassistant import HomeAssistant, wait_until
from test_ha import AUTOMATION, built, changed, driver, entity_of, start  # noqa: F401

SIMPLE = """
- id: {id}
  alias: {alias}
  triggers: [{{trigger: time, at: "07:00:00"}}]
  actions: [{{action: input_boolean.turn_on, target: {{entity_id: input_boolean.lamp}}}}]
"""
BLUEPRINT = """
blueprint:
  name: Lamp at a time
  domain: automation
  input:
    at_what_time: {name: At}
    which: {name: Lamp, default: input_boolean.lamp}
triggers: [{trigger: time, at: !input at_what_time}]
actions: [{action: input_boolean.turn_on, target: {entity_id: !input which}}]
"""
INCLUDES = """
homeassistant: {packages: !include_dir_named packages}
automation: !include automations.yaml
automation split: !include_dir_merge_list split
"""


@pytest.fixture(scope="module")
def scattered(tmp_path_factory, ha_version):
    """A home whose automations lie in automations.yaml, in a package, in split files and in a blueprint."""
    folder = tmp_path_factory.mktemp("scattered")
    (folder / "configuration.yaml").write_text(INCLUDES)
    (folder / "automations.yaml").write_text(SIMPLE.format(id="ui", alias="Of the editor") + """
- id: "1700000000000"
  alias: Of a blueprint
  description: by a person
  use_blueprint: {path: mine/lamp.yaml, input: {at_what_time: "06:30:00"}}
- id: broken
  alias: Of a blueprint that is gone
  use_blueprint: {path: mine/gone.yaml, input: {}}
""")
    for name in ("packages", "split", "blueprints/automation/mine"):
        (folder / name).mkdir(parents=True)
    (folder / "packages" / "hall.yaml").write_text(
        "automation:" + SIMPLE.format(id="package", alias="Of a package").replace("\n", "\n  "))
    (folder / "split" / "one.yaml").write_text(SIMPLE.format(id="split", alias="Of a split file") + """
- alias: Without an id
  initial_state: false
  triggers: [{trigger: sun, event: sunset}]
  actions: []
""")
    (folder / "blueprints" / "automation" / "mine" / "lamp.yaml").write_text(BLUEPRINT)
    with HomeAssistant(ha_version, folder) as one:
        yield one


def read(driver):
    before = len(driver.log)
    driver.send("automations", "-", "-")
    left_out, _, error = driver.wait("automations").partition(" ")
    found = [json.loads(line.partition(" ")[2]) for line in driver.log[before:] if line.startswith("automation {")]
    return {one["entity_id"]: one for one in found}, int(left_out), error


def test_all_automations(start, scattered):
    driver = start(scattered.url, scattered.token)
    driver.wait("websocket 1")
    mark = scattered.log_mark()
    found, left_out, error = read(driver)
    assert not error
    assert {one["config"]["alias"] for one in found.values()} >= {
        "Of the editor", "Of a blueprint", "Of a package", "Of a split file", "Without an id"}
    assert left_out == 1, "the one whose blueprint is gone"
    of_blueprint = found["automation.of_a_blueprint"]
    assert of_blueprint["enabled"] and of_blueprint["config"]["id"] == "1700000000000"
    assert of_blueprint["config"]["description"] == "by a person"
    assert of_blueprint["config"]["triggers"][0]["at"] == "06:30:00"
    assert of_blueprint["config"]["actions"][0]["target"]["entity_id"] == "input_boolean.lamp"
    assert "use_blueprint" not in of_blueprint["config"] and "blueprint" not in of_blueprint["config"]
    assert not found["automation.without_an_id"]["enabled"]
    assert found["automation.of_a_package"]["config"]["id"] == "package"
    assert not [r for r in scattered.log_problems("", mark) if "gone.yaml" not in r]


def test_without_an_admins_token(start, ha):
    guest = start(ha.url, ha.add_user(f"watcher{time.time_ns()}"))
    assert "no admin" in guest.wait("websocket 0 off:")
    guest.send("automations", "-", "-")
    assert "not open" in guest.wait("automations 0")
    assert sum("no admin" in line for line in guest.log if line.startswith("<")) == 1, "said once"


def test_home_assistant_goes_and_comes_back(start, scattered):
    scattered.restart()  # the token is on the disk then, and survives the crash
    driver = start(scattered.url, scattered.token)
    driver.wait("websocket 1")
    scattered.kill()
    driver.wait("websocket 0", timeout=60)
    scattered.start()
    driver.wait("websocket 1", timeout=60)
    found, _, error = read(driver)
    assert not error and "automation.of_a_package" in found


def changes(driver, count, timeout=20):
    """The words of the next so many changes."""
    return [("input" + driver.wait("change input", timeout=timeout)).split() for _ in range(count)]


def test_live_changes_of_chosen_entities(start, scattered):
    driver = start(scattered.url, scattered.token)
    driver.wait("websocket 1")
    mark = scattered.log_mark()
    driver.send("entities", "-", "input_boolean.lamp,light.not_there")
    driver.wait("watching 2")
    time.sleep(1)
    scattered.call_service("input_boolean", "toggle", entity_id="input_boolean.door")  # nobody asked for it
    scattered.call_service("input_boolean", "turn_on", entity_id="input_boolean.lamp")
    ((entity, before, after, context, parent, user, at_ms),) = changes(driver, 1)
    assert (entity, before, after, parent) == ("input_boolean.lamp", "off", "on", "-")
    assert context != "-" and user != "-", "the token's user did it"
    assert abs(int(at_ms) - time.time() * 1000) < 5000
    # By an automation: its context has a parent. From a device: neither.
    scattered.call_service("input_boolean", "turn_off", entity_id="input_boolean.lamp")
    changes(driver, 1)
    scattered.api("POST", "/api/config/automation/config/chain", {
        "alias": "Chain", "actions": [{"action": "input_boolean.turn_on",
                                       "target": {"entity_id": "input_boolean.lamp"}}],
        "triggers": [{"trigger": "state", "entity_id": "input_boolean.door", "to": "on"}]})
    wait_until(lambda: scattered.state("automation.chain") == "on", 10, "the automation")
    scattered.call_service("input_boolean", "turn_off", entity_id="input_boolean.door")
    scattered.call_service("input_boolean", "turn_on", entity_id="input_boolean.door")
    ((_, _, after, context, parent, _, _),) = changes(driver, 1)
    assert after == "on" and parent != "-" and context != parent
    # Another list replaces the first.
    driver.send("entities", "-", "input_boolean.door")
    driver.wait("watching 1")
    time.sleep(1)
    scattered.call_service("input_boolean", "turn_off", entity_id="input_boolean.lamp")
    scattered.call_service("input_boolean", "turn_off", entity_id="input_boolean.door")
    assert changes(driver, 1)[0][:3] == ["input_boolean.door", "on", "off"]
    assert not [r for r in scattered.log_problems("", mark) if "gone.yaml" not in r]


def test_watching_goes_on_after_a_restart(start, scattered):
    driver = start(scattered.url, scattered.token)
    driver.wait("websocket 1")
    driver.send("entities", "-", "input_boolean.lamp")
    driver.wait("watching 1")
    scattered.restart()
    driver.wait("websocket 0", timeout=60)
    driver.wait("websocket 1", timeout=60)
    time.sleep(1)
    scattered.call_service("input_boolean", "toggle", entity_id="input_boolean.lamp")
    driver.wait("change input_boolean.lamp")


def test_lists_that_are_refused(start, scattered):
    driver = start(scattered.url, scattered.token)
    driver.wait("websocket 1")
    driver.send("entities", "-", ",".join(f"light.l{n}" for n in range(500)))
    assert driver.wait("watching 500") == ""
    driver.send("entities", "-", ",".join(f"light.l{n}" for n in range(501)))
    assert "expected at most 500" in driver.wait("watching 501")
    driver.send("entities", "-", "light.a,Light.b")
    assert "'Light.b' is no entity id" in driver.wait("watching 2")
