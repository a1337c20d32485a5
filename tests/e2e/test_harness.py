"""The harness itself, on the real parts: if these fail, look here before looking at ha-ai."""
import json
import subprocess

import paho.mqtt.client as mqtt
import pytest

from broker import Broker
from homeassistant import ApiError, HomeAssistant, wait_until
from websocket_api import WebSocketError

LAMP = "input_boolean.lamp"
DEVICE = {
    "dev": {"ids": ["harness"], "name": "Harness", "mf": "tests", "mdl": "probe", "sw": "1"},
    "o": {"name": "tests"},
    "cmps": {
        "level": {"p": "sensor", "unique_id": "harness_level", "name": "Level", "qos": 1, "state_topic": "harness/level",
                  "icon": "mdi:gauge"},
        "press": {"p": "button", "unique_id": "harness_press", "name": "Press", "qos": 1, "command_topic": "harness/press"},
    },
}
AUTOMATION = {
    "alias": "Lamp in the evening", "description": "", "mode": "single",
    "triggers": [{"trigger": "time", "at": "18:30:00"}],
    "conditions": [{"condition": "time", "weekday": ["mon", "tue"]}],
    "actions": [{"action": "input_boolean.turn_on", "target": {"entity_id": LAMP}}],
}


@pytest.fixture
def client(broker):
    """A logged-in paho client whose messages are collected in `client.received`."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.username_pw_set(broker.user, broker.password)
    client.received = []
    client.on_message = lambda _client, _data, message: client.received.append((message.topic, message.payload))
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def publish(client, topic, payload, retain=False):
    client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)


@pytest.fixture
def device(ha, client):
    """A device announced the way ha-ai announces its own; removed afterwards."""
    topic = "homeassistant/device/harness/config"
    publish(client, topic, json.dumps(DEVICE), retain=True)
    publish(client, "harness/level", "unit test", retain=True)
    device = wait_until(lambda: ha.device("harness"), 20, "the device in the registry")
    wait_until(lambda: len(ha.entities(device["id"])) == len(DEVICE["cmps"]), 20, "its entities, which come one by one")
    yield device
    publish(client, "harness/level", "", retain=True)
    publish(client, topic, "", retain=True)
    wait_until(lambda: not ha.device("harness"), 20, "the device to go")


def test_ha_runs(ha, ha_version):
    config = ha.api("GET", "/api/config")
    assert (config["version"], config["state"]) == (ha_version, "RUNNING")
    ha.call_service("input_boolean", "turn_on", entity_id=LAMP)
    assert ha.wait_state(LAMP, "on")["attributes"]
    assert ha.template("{{ 6 * 7 }}") == 42


def test_device(ha, client, device):
    mark = ha.log_mark()
    entities = {e["unique_id"]: e["entity_id"] for e in ha.entities(device["id"])}
    assert entities == {"harness_level": "sensor.harness_level", "harness_press": "button.harness_press"}
    ha.wait_state("sensor.harness_level", "unit test")
    client.subscribe("harness/press", 1)
    ha.call_service("button", "press", entity_id="button.harness_press")
    wait_until(lambda: ("harness/press", b"PRESS") in client.received, 10, "the press")
    assert ha.log_problems("(?i)harness|mqtt", since=mark) == []


def test_a_wrong_announcement_is_a_problem_in_the_log(ha, client):
    mark = ha.log_mark()
    publish(client, "homeassistant/device/wrong/config", json.dumps(DEVICE | {"nonsense": 1}))
    wait_until(lambda: ha.log_problems("nonsense", since=mark), 10, "Home Assistant's complaint")


def test_mqtt_subscribe(ha, client):
    heard = ha.mqtt_subscribe("harness/echo/#")
    publish(client, "harness/echo/1", "hello")
    assert heard.get(10)["payload"] == "hello"
    heard.close()


def test_tokens(ha):
    guest = ha.add_user("guest")
    path = "/api/config/automation/config/none"
    assert ha.request("GET", path, token=guest)[0] == 401
    assert ha.request("GET", path, token=ha.token)[0] == 404
    with pytest.raises(WebSocketError):
        ha.ws("no/such/command")
    with pytest.raises(ApiError):
        ha.api("GET", "/api/config", token="wrong")


def save_automation(ha, automation_id, config):
    ha.api("POST", f"/api/config/automation/config/{automation_id}", config)
    wait_until(lambda: any(s["attributes"].get("id") == automation_id for s in ha.states().values()), 10,
               "the automation to load")


def test_device_page(browser, device, pictures):
    text = browser.device_page(device["id"], pictures / "harness-device.png")
    for word in ("Harness", "Level", "unit test", "Press"):
        assert word in text


def test_visual_editor(ha, browser, pictures):
    save_automation(ha, "harness_visual", AUTOMATION)
    assert browser.automation_editor("harness_visual", pictures / "harness-automation.png") == []


def test_visual_editor_gives_up(ha, browser, pictures):
    config = AUTOMATION | {"actions": [{"variables": {"a": 1}}, *AUTOMATION["actions"]]}
    save_automation(ha, "harness_yaml", config)
    assert browser.automation_editor("harness_yaml", pictures / "harness-automation-yaml.png") == ["part 3: Define variables a"]


def test_restart_keeps_everything(ha, device):
    ha.call_service("input_boolean", "turn_on", entity_id=LAMP)
    token = ha.token
    ha.restart()
    assert ha.token == token and ha.device("harness")["id"] == device["id"]
    ha.wait_state("sensor.harness_level", "unit test")
    ha.wait_state(LAMP, "on")


def test_ha_on_a_folder_of_somebody_else(ha_version, tmp_path):
    (tmp_path / "configuration.yaml").write_text(
        "# a home\nhttp:\n  server_port: 1\n\nlogger:\n  default: info\ninput_boolean:\n  own: {name: Own}\n"
        "automation: !include automations.yaml")
    (tmp_path / "automations.yaml").write_text(json.dumps([AUTOMATION | {"id": "one"}]))
    with HomeAssistant(ha_version, tmp_path) as ha:
        assert {"input_boolean.own", "automation.lamp_in_the_evening"} <= set(ha.states())
        ha.kill()
        ha.start()
        assert ha.stop()


def test_broker(tmp_path):
    with Broker(tmp_path, tls=True, websockets=True) as broker:
        def ask(port, *options, password=broker.password):
            return subprocess.run(
                ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-u", broker.user, "-P", password, *options,
                 "-t", "t", "-m", "kept", "-r", "-q", "1"], capture_output=True).returncode
        assert ask(broker.port) == 0
        assert ask(broker.port, password="wrong") != 0
        assert ask(broker.tls_port, "--cafile", str(broker.ca)) == 0
        assert ask(broker.tls_port) != 0
        assert broker.ws_port
        broker.restart()
        kept = subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(broker.port), "-u", broker.user, "-P",
                               broker.password, "-t", "t", "-C", "1", "-W", "10"], capture_output=True)
        assert kept.stdout == b"kept\n"
        broker.kill()
        broker.start()
