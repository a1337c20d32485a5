"""The device in a Home Assistant that is not as others are: in German, with another discovery prefix and birth message,
with entities renamed, with automations on device triggers."""
import json
import time
from pathlib import Path

import pytest

from conftest import ROOT
from daemon import Daemon
from homeassistant import HomeAssistant, fill, wait_until
from listener import Listener

INSTANCE = "home"
BASE = f"ha-ai/device/{INSTANCE}"
EVENTS = {p.stem: json.loads(p.read_text()) for p in (ROOT / "discovery").glob("*.json")
          if json.loads(p.read_text())["platform"] == "event"}


@pytest.fixture(scope="module")
def own_ha(tmp_path_factory, ha_version, mosquitto):
    with HomeAssistant(ha_version, tmp_path_factory.mktemp("own")) as ha:
        ha.entry = ha.add_mqtt(mosquitto)
        yield ha


@pytest.fixture(scope="module")
def service(own_ha, ha_ai, mosquitto, tmp_path_factory):
    service = Daemon(ha_ai, tmp_path_factory.mktemp("service"), mosquitto, INSTANCE=INSTANCE, HA_URL=own_ha.url,
                     HA_TOKEN=own_ha.token).start()
    service.mark = own_ha.log_mark()
    yield service
    service.stop()


@pytest.fixture
def device(own_ha, service):
    if not service.alive():
        service.start()
    count = len(list((ROOT / "discovery").glob("*.json")))
    device = wait_until(lambda: (d := own_ha.device(INSTANCE)) and len(own_ha.entities(d["id"])) == count and d, 30,
                        f"{count} entities")
    wait_until(lambda: all(own_ha.state(e["entity_id"]) != "unavailable" for e in own_ha.entities(device["id"])
                           if not e["disabled_by"]), 30, "all of them to be available")
    return device


def names(ha, device):
    return {e["entity_id"].partition(".")[2].removeprefix(f"{INSTANCE}_"): e["original_name"]
            for e in ha.entities(device["id"])}


def shown(ha, entity):
    return ha.states()[entity]["attributes"]["friendly_name"]


def complaints(ha, since):
    """What HA has against us; it reloads the integration by itself when entities are enabled, and complains then."""
    return [p for p in ha.log_problems("components.mqtt|ha[-_]ai|HA AI", since) if "not currently connected" not in p]


def test_device_triggers(own_ha, device, service):
    listed = own_ha.ws("device_automation/trigger/list", device_id=device["id"])
    ours = [t for t in listed if t["domain"] == "mqtt"]
    expected = {(t, e["name"]) for e in EVENTS.values() for t in e["event_types"]}
    assert {(t["type"], t["subtype"]) for t in ours} == expected and len(ours) == len(expected)
    assert {"Suggestion", "Pattern", "Anomaly"} == {e["name"] for e in EVENTS.values()}

    refused = next(t for t in ours if (t["type"], t["subtype"]) == ("refused", "Suggestion"))
    approved = next(t for t in ours if (t["type"], t["subtype"]) == ("approved", "Suggestion"))
    refused.pop("metadata", None), approved.pop("metadata", None)
    for name, trigger in (("told", refused), ("not_told", approved)):
        own_ha.api("POST", f"/api/config/automation/config/{name}", {
            "id": name, "alias": name, "triggers": [trigger], "conditions": [], "mode": "queued",
            "actions": [{"event": f"{name}_event", "event_data": {"why": "{{ trigger.payload_json.reason }}"}}]})
        wait_until(lambda: own_ha.state(f"automation.{name}") == "on", 10, name)
    heard = own_ha.subscribe("subscribe_events", event_type="told_event")
    own_ha.call_service("button", "press", entity_id=f"button.{INSTANCE}_approve")
    assert heard.get()["data"]["why"] == "no suggestion is waiting"
    assert own_ha.states()["automation.not_told"]["attributes"]["last_triggered"] is None


def test_settings_by_hand(own_ha, device, service):
    own_ha.call_service("number", "set_value", entity_id=f"number.{INSTANCE}_certainty", value=75)
    own_ha.wait_state(f"number.{INSTANCE}_certainty", "75")
    own_ha.call_service("number", "set_value", entity_id=f"number.{INSTANCE}_history_to_use", value=60)
    own_ha.wait_state(f"number.{INSTANCE}_history_to_use", "60")
    own_ha.call_service("select", "select_option", entity_id=f"select.{INSTANCE}_log_level", option="debug")
    own_ha.wait_state(f"select.{INSTANCE}_log_level", "debug")
    own_ha.call_service("switch", "turn_on", entity_id=f"switch.{INSTANCE}_learning_paused")
    own_ha.wait_state(f"switch.{INSTANCE}_learning_paused", "on")
    pid, connects = service.pid, service.log_text().count("mqtt: connected")
    own_ha.call_service("button", "press", entity_id=f"button.{INSTANCE}_restart")
    wait_until(lambda: service.log_text().count("mqtt: connected") > connects, 15, "the restart")
    time.sleep(3)
    assert service.pid == pid and service.log_text().count("mqtt: connected") == connects + 1
    own_ha.wait_state(f"switch.{INSTANCE}_learning_paused", "on")
    own_ha.call_service("switch", "turn_off", entity_id=f"switch.{INSTANCE}_learning_paused")
    own_ha.wait_state(f"switch.{INSTANCE}_learning_paused", "off")


def test_connected_says_off(own_ha, device, service):
    """It alone is not unavailable when the service is off."""
    connected, problem = f"binary_sensor.{INSTANCE}_connected", f"binary_sensor.{INSTANCE}_problem"
    own_ha.wait_state(connected, "on")
    service.kill()
    own_ha.wait_state(connected, "off", timeout=60)  # keep-alive and the will's delay
    assert own_ha.state(problem) == "unavailable"
    service.start()
    own_ha.wait_state(connected, "on")
    own_ha.wait_state(problem, "off")


def test_disabled_ones_work_when_enabled(own_ha, device, service):
    disabled = [e["entity_id"] for e in own_ha.entities(device["id"]) if e["disabled_by"]]
    assert len(disabled) >= 8
    for entity in disabled:
        own_ha.ws("config/entity_registry/update", entity_id=entity, disabled_by=None)
    wait_until(lambda: set(disabled) <= set(own_ha.states()), 60, "the entities that were disabled")

    def states():
        found = {e.partition(".")[2].removeprefix(f"{INSTANCE}_"): own_ha.state(e) for e in disabled}
        return found if found["home_assistant_latency"] not in ("unknown", "unavailable") else None
    found = wait_until(states, 90, "the latency")
    assert 0 <= int(found["home_assistant_latency"]) < 10000
    assert 1 < float(found["memory"]) < 1000
    assert found["started"].startswith("20") and found["version"].count(".") == 2
    assert found["outbox_oldest"] == "unknown" and found["outbox_waiting"] == found["outbox_expired"] == "0"
    assert found["archive_days"] == "0" and float(found["archive_size"]) == 0
    attributes = own_ha.states()[f"sensor.{INSTANCE}_memory"]["attributes"]
    assert (attributes["device_class"], attributes["unit_of_measurement"], attributes["state_class"]) == (
        "data_size", "MB", "measurement")
    assert complaints(own_ha, service.mark) == []


def test_renamed_by_a_person(own_ha, device, service):
    own_ha.ws("config/entity_registry/update", entity_id=f"switch.{INSTANCE}_daily_analysis",
              new_entity_id="switch.mine", name="My switch")
    own_ha.wait_state("switch.mine", "on")
    own_ha.ws("config/device_registry/update", device_id=device["id"], name_by_user="My helper")
    service.restart()
    time.sleep(3)
    own_ha.call_service("switch", "turn_off", entity_id="switch.mine")
    own_ha.wait_state("switch.mine", "off")
    own_ha.call_service("switch", "turn_on", entity_id="switch.mine")
    own_ha.wait_state("switch.mine", "on")
    assert shown(own_ha, "switch.mine") in ("My switch", "My helper My switch")  # 2025.4, 2026.11
    assert own_ha.device(INSTANCE)["name_by_user"] == "My helper"
    assert f"switch.{INSTANCE}_daily_analysis" not in own_ha.states()
    assert complaints(own_ha, service.mark) == []
    own_ha.ws("config/entity_registry/update", entity_id="switch.mine", name=None,
              new_entity_id=f"switch.{INSTANCE}_daily_analysis")
    own_ha.ws("config/device_registry/update", device_id=device["id"], name_by_user=None)


@pytest.mark.parametrize("language", ["de", "fr", "nl", "es", "en"])
def test_names_in_the_language_of_the_home(own_ha, device, service, language):
    file = ROOT / f"discovery/lang/{language[:2]}.json"
    words = json.loads(file.read_text()) if file.exists() else {}
    own_ha.ws("config/core/update", language=language)
    service.restart()
    entity, word = f"button.{INSTANCE}_analyze_now", words.get("analyze_now", "Analyze now")
    wait_until(lambda: shown(own_ha, entity).endswith(word), 40, f"'{word}' (it is {shown(own_ha, entity)})")
    select = f"select.{INSTANCE}_log_level"
    assert shown(own_ha, select).endswith(words.get("log_level", "Log level"))
    assert own_ha.states()[select]["attributes"]["options"] == ["error", "warn", "info", "debug"]
    before = {e["entity_id"] for e in own_ha.entities(device["id"])}
    triggers = {t["subtype"] for t in own_ha.ws("device_automation/trigger/list", device_id=device["id"])
                if t["domain"] == "mqtt"}
    assert triggers == {"Suggestion", "Pattern", "Anomaly"}, "an automation on one goes on in any language"
    assert all(e.partition(".")[2].startswith(INSTANCE) for e in before)
    assert complaints(own_ha, service.mark) == []


def test_a_new_device_begins_in_the_language_of_the_home(own_ha, ha_ai, mosquitto, tmp_path):
    own_ha.ws("config/core/update", language="de")
    service = Daemon(ha_ai, tmp_path, mosquitto, INSTANCE="neu", HA_URL=own_ha.url, HA_TOKEN=own_ha.token).start()
    try:
        with Listener(mosquitto, topics=("homeassistant/device/neu/config",)) as listener:
            first = listener.wait("homeassistant/device/neu/config", timeout=20)
            assert first["components"]["approve"]["name"] == "Annehmen"
            wait_until(lambda: own_ha.device("neu") and "button.neu_approve" in own_ha.states(), 20, "the device")
            entry = next(e for e in own_ha.entities() if e["entity_id"] == "button.neu_approve")
            assert entry["original_name"] == "Annehmen"
            service.restart()
            time.sleep(7)
            told = [m["components"]["approve"]["name"] for m in listener.of("homeassistant/device/neu/config")]
            assert set(told) == {"Annehmen"}, "a restart does not begin in English"
    finally:
        service.stop()
        own_ha.ws("config/core/update", language="en")


def change_options(ha, known):
    flow = ha.api("POST", "/api/config/config_entries/options/flow", {"handler": ha.entry,
                                                                      "show_advanced_options": True})
    while flow["type"] == "form":
        flow = ha.api("POST", f"/api/config/config_entries/options/flow/{flow['flow_id']}",
                      fill(flow["data_schema"], known))
    assert flow["type"] == "create_entry", flow


def test_another_prefix_and_birth_message(own_ha, ha_ai, mosquitto, tmp_path):
    broker = {"broker": "127.0.0.1", "port": mosquitto.port, "username": mosquitto.user, "password": mosquitto.password,
              "protocol": "5", "set_ca_cert": "off"}
    change_options(own_ha, broker | {"discovery": True, "discovery_prefix": "found", "birth_enable": True,
                                     "birth_topic": "home/assistant", "birth_payload": "alive", "birth_qos": 0,
                                     "birth_retain": False, "will_enable": True, "will_topic": "home/assistant",
                                     "will_payload": "dead", "will_qos": 0, "will_retain": False})
    service = Daemon(ha_ai, tmp_path, mosquitto, INSTANCE="moved", DISCOVERY_PREFIX="found",
                     BIRTH_TOPIC="home/assistant", BIRTH_PAYLOAD="alive").start()
    try:
        wait_until(lambda: own_ha.device("moved") and own_ha.state("button.moved_approve") == "unknown", 30, "the device")
        with Listener(mosquitto, topics=("found/device/moved/config", "home/assistant")) as listener:
            listener.wait_last("found/device/moved/config", listener.last("found/device/moved/config"))
            count = len(listener.of("found/device/moved/config"))
            mark = own_ha.log_mark()
            own_ha.restart()
            wait_until(lambda: listener.last("home/assistant") == "alive", 60, "the birth message")
            wait_until(lambda: len(listener.of("found/device/moved/config")) > count, 20, "the announcement after it")
            wait_until(lambda: own_ha.state("button.moved_approve") == "unknown", 30, "the device")
            assert own_ha.log_problems("(?i)moved|discovery", mark) == []
    finally:
        service.stop()
