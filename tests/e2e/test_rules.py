"""The automations of src/suggest in a real Home Assistant: it takes those of the sun, of states and of several targets,
they run when they should and only then, and report."""
import json
import subprocess

import pytest

from conftest import ROOT
from homeassistant import wait_until

DRIVER = ROOT / "build/asan/drivers/rule"
TARGETS = ("input_boolean.rule_one", "input_boolean.rule_two")
EXECUTED = "ha-ai/responses/automation/executed"


@pytest.fixture(scope="module", autouse=True)
def built():
    subprocess.run(["make", "-s", "MODE=asan", "build/asan/drivers/rule"], cwd=ROOT, check=True)


@pytest.fixture(scope="module", autouse=True)
def targets(ha):
    for target in TARGETS:
        ha.ws("input_boolean/create", name=target.split(".")[1].replace("_", " "))
        ha.wait_state(target, "off", "on")


def deploy(ha, name, *words):
    """Its entity, when Home Assistant took and started it."""
    done = subprocess.run([DRIVER, *words], capture_output=True, text=True, check=True)
    automation = json.loads(done.stdout)
    ha.api("POST", f"/api/config/automation/config/{name}", automation)

    def entity():
        return next((e for e, s in ha.states().items() if e.startswith("automation.") and s["state"] == "on"
                     and s["attributes"].get("id") == name), None)
    wait_until(entity, 10, f"the automation {name}")
    return entity()


def off(ha):
    for target in TARGETS:
        ha.call_service("input_boolean", "turn_off", entity_id=target)
        ha.wait_state(target, "off")


def show(ha, entity, *states):
    for state in states:
        ha.api("POST", f"/api/states/{entity}", {"state": state})


def runs(ha, automation):
    return ha.states()[automation]["attributes"]["last_triggered"]


@pytest.mark.parametrize("offset", ("-900", "0", "5400"))
def test_sun(ha, offset):
    mark = ha.log_mark()
    automation = deploy(ha, f"rule_sun_{offset.strip('-')}", "sun", "sunset", offset, *TARGETS)
    off(ha)
    executed = ha.mqtt_subscribe(EXECUTED)
    ha.call_service("automation", "trigger", entity_id=automation)
    for target in TARGETS:
        ha.wait_state(target, "on")
    assert json.loads(executed.get()["payload"])["status"] == "success"
    assert not ha.log_problems("automation", mark)


@pytest.mark.parametrize("trigger, before, to", (
    ("binary_sensor.rule_door", "off", "on"),
    ("lock.rule_front", "locked", "unlocked"),
    ("select.rule_mode", "Küche", "Movie night"),
))
def test_state(ha, trigger, before, to):
    """Each arrival in the state runs it, but not the return from `unavailable` or the first state of all."""
    mark = ha.log_mark()
    automation = deploy(ha, f"rule_{trigger.split('.')[0]}", "state", trigger, to, *TARGETS)
    off(ha)
    show(ha, trigger, to, "unavailable", to, "unknown", to, before)
    assert runs(ha, automation) is None
    executed = ha.mqtt_subscribe(EXECUTED)
    show(ha, trigger, to)
    for target in TARGETS:
        ha.wait_state(target, "on")
    assert json.loads(executed.get()["payload"])["status"] == "success"
    assert runs(ha, automation) is not None
    assert not ha.log_problems("automation|[Tt]emplate", mark)
