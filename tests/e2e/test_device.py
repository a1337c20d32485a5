"""The device in a real Home Assistant: what the registries have, states, commands and their refusals, removal and return,
Home Assistant's restart; and that every platform our rules allow is one that this Home Assistant takes."""
import json
import subprocess
import time
from datetime import datetime, timedelta, timezone

import paho.mqtt.client as mqtt
import pytest

from daemon import Daemon
from homeassistant import wait_until
from service import CLEAR, CLOCK_HOME

INSTANCE = "device_test"
BASE = f"ha-ai/device/{INSTANCE}"
CONFIG = f"homeassistant/device/{INSTANCE}/config"
# entity id without instance: (name, category, device class)
ENTITIES = {
    "sensor.{}_suggestions_waiting": ("Suggestions waiting", None, None),
    "sensor.{}_habits_known": ("Habits known", None, None),
    "sensor.{}_deployed_automations": ("Deployed automations", None, None),
    "sensor.{}_actions_done": ("Actions done for you (7 days)", None, None),
    "sensor.{}_actions_undone": ("Undone by you (7 days)", None, None),
    "event.{}_suggestion": ("Suggestion", None, None),
    "image.{}_evidence": ("Evidence", None, None),
    "event.{}_pattern": ("Pattern", None, None),
    "event.{}_anomaly": ("Anomaly", None, None),
    "select.{}_selected_suggestion": ("Selected suggestion", None, None),
    "button.{}_approve": ("Approve", None, None),
    "button.{}_reject": ("Reject", None, None),
    "button.{}_try_first": ("Try first", None, None),
    "button.{}_snooze": ("Snooze", None, None),
    "button.{}_undo_last": ("Undo last", None, None),
    "button.{}_next": ("Next", None, None),
    "select.{}_reason": ("Reason", None, None),
    "button.{}_analyze_now": ("Analyze now", None, None),
    "switch.{}_daily_analysis": ("Daily analysis", "config", None),
    "switch.{}_learning_paused": ("Learning paused", "config", None),
    "number.{}_history_to_use": ("History to use", "config", "duration"),
    "number.{}_certainty": ("Certainty", "config", None),
    "select.{}_log_level": ("Log level", "config", None),
    "button.{}_restart": ("Restart", "config", "restart"),
    "button.{}_identify": ("Identify", "diagnostic", "identify"),
    "binary_sensor.{}_connected": ("Connected", "diagnostic", "connectivity"),
    "binary_sensor.{}_problem": ("Problem", "diagnostic", "problem"),
    "sensor.{}_last_error": ("Last error", "diagnostic", None),
    "sensor.{}_analysis": ("Analysis", "diagnostic", "enum"),
    "sensor.{}_last_analysis": ("Last analysis", "diagnostic", "timestamp"),
    "sensor.{}_next_analysis": ("Next analysis", "diagnostic", "timestamp"),
    "sensor.{}_state_changes_read": ("History read", "diagnostic", None),
    "sensor.{}_days_of_history": ("Days of history", "diagnostic", "duration"),
    "binary_sensor.{}_home_assistant_api": ("Home Assistant API", "diagnostic", "connectivity"),
}
# Disabled by default; the class is the registry's.
DISABLED = {
    "sensor.{}_analysis_duration": ("Analysis duration", "diagnostic", "duration"),
    "sensor.{}_archive_days": ("Archive days", "diagnostic", "duration"),
    "sensor.{}_archive_size": ("Archive size", "diagnostic", "data_size"),
    "sensor.{}_outbox_waiting": ("Messages waiting", "diagnostic", None),
    "sensor.{}_outbox_oldest": ("Oldest message waiting", "diagnostic", "timestamp"),
    "sensor.{}_outbox_expired": ("Messages expired", "diagnostic", None),
    "sensor.{}_home_assistant_latency": ("Home Assistant latency", "diagnostic", "duration"),
    "sensor.{}_memory": ("Memory", "diagnostic", "data_size"),
    "sensor.{}_started": ("Started", "diagnostic", "timestamp"),
    "sensor.{}_version": ("Version", "diagnostic", None),
}
IDS = sorted(entity.format(INSTANCE) for entity in ENTITIES)
ALL = sorted(IDS + [entity.format(INSTANCE) for entity in DISABLED])
SELECT, EVENT, SWITCH = (f"{kind}.{INSTANCE}_{name}" for kind, name in (
    ("select", "selected_suggestion"), ("event", "suggestion"), ("switch", "daily_analysis")))


class Client:
    """A paho client that keeps the last retained or live payload of each topic."""

    def __init__(self, broker):
        self.seen = {}
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.username_pw_set(broker.user, broker.password)
        self._client.on_message = lambda _c, _d, m: self.seen.__setitem__(m.topic, m.payload.decode(errors="replace"))
        self._client.connect("127.0.0.1", broker.port)
        self._client.loop_start()

    def subscribe(self, *topics):
        for topic in topics:
            self._client.subscribe(topic, 1)

    def publish(self, topic, payload, retain=False):
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def client(broker):
    client = Client(broker)
    yield client
    client.close()


def forget(broker, ha, instance):
    """Nothing of an instance stays at the broker or in Home Assistant."""
    client = Client(broker)
    client.subscribe(f"ha-ai/device/{instance}/#", f"homeassistant/device/{instance}/config")
    client.publish(f"ha-ai/device/{instance}/sync", "x")
    wait_until(lambda: f"ha-ai/device/{instance}/sync" in client.seen, 10, "what is retained")
    if client.seen.get(f"homeassistant/device/{instance}/config"):
        client.publish(f"homeassistant/device/{instance}/config", "", retain=True)
    for topic, payload in list(client.seen.items()):
        if payload and not topic.endswith("/sync"):
            client.publish(topic, "", retain=True)
    client.close()
    wait_until(lambda: not ha.device(instance), 20, "the device to go")


@pytest.fixture(scope="module")
def service(ha, ha_ai, broker, tmp_path_factory):
    """One service for this file, with Home Assistant's API and without a history."""
    service = Daemon(ha_ai, tmp_path_factory.mktemp("device"), broker, INSTANCE=INSTANCE, HA_URL=ha.url,
                     HA_TOKEN=ha.token)
    service.ha_log_mark = ha.log_mark()  # what other files did to this Home Assistant before is theirs
    yield service
    service.stop()
    forget(broker, ha, INSTANCE)


@pytest.fixture
def device(ha, service):
    """The running service's device, complete in Home Assistant."""
    if not service.alive():
        service.start()
    return wait_until(lambda: complete(ha), 30, f"the device in Home Assistant (log {service.log})")


def complete(ha):
    """The device once all of its entities are there and available, else None."""
    device = ha.device(INSTANCE)
    if not device or sorted(e["entity_id"] for e in ha.entities(device["id"])) != ALL:
        return None
    states = ha.states()
    return device if all(states.get(e, {}).get("state", "unavailable") != "unavailable" for e in IDS) else None


def discovery(ha_ai, *arguments, env=None, expect=0):
    """What `ha-ai discovery …` prints."""
    done = subprocess.run([ha_ai, "discovery", *arguments], env={"PATH": "/usr/bin", **(env or {})}, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == expect, done.stderr
    return done.stdout if expect == 0 else done.stderr


def our_problems(ha, since):
    """What Home Assistant's log has against us."""
    return ha.log_problems(rf"(?i){INSTANCE}|ha[-_]ai|HA AI|device discovery|No device components", since)


def wait_refusal(ha, word):
    """Waits until the event entity tells a refusal whose reason contains `word`."""
    def told():
        attributes = ha.states()[EVENT]["attributes"]
        return attributes if (attributes.get("event_type") == "refused" and word in attributes.get("reason", "")) else None
    return wait_until(told, 15, f"a refusal with {word!r} at {EVENT}")


# --- the message ------------------------------------------------------------------------------------------------------

def example(platform):
    """A discovery file of that platform with all the keys that our rules allow."""
    state, command = {"state": "version"}, {"command": "analyze"}
    both = {**state, **command}
    keys, links = {
        "binary_sensor": ({"device_class": "problem", "off_delay": 5, "expire_after": 60, "force_update": True}, state),
        "button": ({"device_class": "restart"}, command),
        "date": ({}, both), "datetime": ({}, both), "time": ({}, both),
        "event": ({"event_types": ["a", "b"], "device_class": "button"}, {}),
        "image": ({"content_type": "image/svg+xml"}, state),
        "notify": ({}, command),
        "number": ({"min": 0, "max": 5, "step": 0.5, "mode": "slider", "unit_of_measurement": "%"}, both),
        "select": ({"options": ["a", "b"]}, both),
        "sensor": ({"device_class": "data_size", "unit_of_measurement": "MB", "state_class": "measurement",
                    "suggested_display_precision": 1, "expire_after": 60, "force_update": True}, state),
        "switch": ({"device_class": "switch", "entity_category": "config"}, both),
        "text": ({"min": 0, "max": 100, "mode": "text", "pattern": "[a-z]*"}, both),
        "update": ({"title": "ha-ai", "release_url": "http://127.0.0.1/", "device_class": "firmware"}, state),
    }[platform]
    return {"platform": platform, "name": f"All {platform}", "icon": "mdi:test-tube", "enabled_by_default": True,
            "visible_by_default": True, **keys, "ha_ai": {"id": f"all_{platform}", "attributes": "history", **links}}


def test_every_allowed_platform_is_taken(ha, ha_ai, ha_version, broker, client, tmp_path):
    platforms = ("binary_sensor button date datetime event image notify number select sensor switch text time "
                 "update").split()
    for platform in platforms:
        (tmp_path / f"{platform}.json").write_text(json.dumps(example(platform)))
    env = {"DISCOVERY_DIR": str(tmp_path), "INSTANCE": "every"}
    discovery(ha_ai, "check", env=env)
    message = json.loads(discovery(ha_ai, "print", "--ha-version", ha_version, env=env))
    since = ha.log_mark()
    client.publish("homeassistant/device/every/config", json.dumps(message), retain=True)
    try:
        expected = sorted(f"{c['platform']}.every_{name}" for name, c in message["components"].items())
        assert len(expected) == (14 if ha_version >= "2026" else 11)
        wait_until(lambda: ha.device("every") and sorted(e["entity_id"] for e in ha.entities(ha.device("every")["id"]))
                   == expected, 20, f"{expected}")
        assert ha.log_problems("", since) == []
    finally:
        forget(broker, ha, "every")


def test_bad_files_and_wrong_use(ha_ai, tmp_path):
    bad = example("sensor")
    bad["colour"] = "red"
    (tmp_path / "bad.json").write_text(json.dumps(bad))
    (tmp_path / "broken.json").write_text("{")
    lines = discovery(ha_ai, "check", env={"DISCOVERY_DIR": str(tmp_path)}, expect=1).splitlines()
    assert len(lines) == 2
    assert "bad.json" in lines[0] and "unknown key 'colour'" in lines[0] and "icon" in lines[0]
    assert "broken.json" in lines[1] and "not JSON" in lines[1]
    assert "bad.json" in discovery(ha_ai, "print", env={"DISCOVERY_DIR": str(tmp_path)}, expect=1)
    assert "no/such" in discovery(ha_ai, "check", env={"DISCOVERY_DIR": "no/such"}, expect=1)
    assert "Usage" in discovery(ha_ai, "dance", expect=2)
    assert "Usage" in discovery(ha_ai, "--help")


def test_a_bad_file_stops_the_start(ha_ai, broker, tmp_path):
    folder = tmp_path / "discovery"
    folder.mkdir()
    (folder / "bad.json").write_text('{"platform": "lamp"}')
    service = Daemon(ha_ai, tmp_path, broker, INSTANCE="bad_file", DISCOVERY_DIR=folder).start()
    assert wait_until(lambda: not service.alive(), 10, "the service to end") and service.stop() != 0
    assert "bad.json: platform is 'lamp', expected one of" in service.log_text()


# --- in Home Assistant ------------------------------------------------------------------------------------------------

def test_complete(ha, service, device, pictures):
    assert (device["manufacturer"], device["name"]) == ("ha-ai", f"HA AI {INSTANCE}")
    entries = {e["entity_id"]: e for e in ha.entities(device["id"])}
    states = ha.states()
    for entity, (name, category, device_class) in ENTITIES.items():
        entity = entity.format(INSTANCE)
        attributes = states[entity]["attributes"]
        assert entries[entity]["original_name"] == name
        assert entries[entity]["entity_category"] == category
        assert attributes.get("device_class") == device_class
        assert device_class or attributes["icon"].startswith("mdi:")
        if entity.startswith("sensor."):
            assert ("unit_of_measurement" in attributes) == (attributes.get("state_class") == "measurement")
        assert entries[entity]["disabled_by"] is None
    for entity, (name, category, device_class) in DISABLED.items():
        entry = entries[entity.format(INSTANCE)]
        assert (entry["original_name"], entry["entity_category"]) == (name, category)
        assert entry["disabled_by"] == "integration" and entity.format(INSTANCE) not in states
        assert entry.get("has_entity_name", True) and entry["unique_id"] == entity.format(INSTANCE).partition(".")[2]
    wait_until(lambda: ha.state(f"binary_sensor.{INSTANCE}_home_assistant_api") == "on", 20, "the API to be reached")
    assert ha.state(f"sensor.{INSTANCE}_suggestions_waiting") == "0"
    assert ha.state(f"sensor.{INSTANCE}_analysis") == "idle"
    assert ha.state(SELECT) == "–"
    assert ha.states()[SELECT]["attributes"]["options"] == ["–"]
    assert ha.state(SWITCH) == "on"
    assert our_problems(ha, service.ha_log_mark) == []


def test_switch_survives_restarts(ha, service, device):
    ha.call_service("switch", "turn_off", entity_id=SWITCH)
    ha.wait_state(SWITCH, "off")
    service.restart()
    service.wait_log("mqtt: connected")
    time.sleep(2)  # a wrong value would come now
    assert ha.state(SWITCH) == "off"
    ha.call_service("switch", "turn_on", entity_id=SWITCH)
    ha.wait_state(SWITCH, "on")


def test_buttons_are_answered(ha, device):
    ha.call_service("button", "press", entity_id=f"button.{INSTANCE}_approve")
    wait_refusal(ha, "no suggestion is waiting")
    ha.call_service("button", "press", entity_id=f"button.{INSTANCE}_reject")
    wait_until(lambda: ha.states()[EVENT]["attributes"].get("command") == "Reject", 15, "the refusal of Reject")


def test_bad_commands_are_refused_and_said(ha, service, device, client):
    since = ha.log_mark()
    topic = f"{BASE}/daily_analysis/set"
    now = datetime.now(timezone.utc)
    refused = [
        ("OFF", "not JSON"),
        ('"OFF"', "expected a JSON object"),
        ('{"value": "off"}', "neither ON nor OFF"),
        ("{}", "expected a value"),
        ('{"value": "OFF", "ts": "noon"}', 'its ts is "noon"'),
        (json.dumps({"value": "OFF", "ts": (now - timedelta(seconds=400)).isoformat()}), "s old, expected at most 300 s"),
        (json.dumps({"value": "OFF", "pad": "x" * 70000}), "expected at most 65536"),
        (b'{"value": "\xff"}', "not JSON"),
    ]
    for payload, reason in refused:
        client.publish(topic, payload)
        assert wait_refusal(ha, reason)["command"] == "Daily analysis"
    client.publish(topic, '{"id": "same", "value": "ON"}')
    client.publish(topic, '{"id": "same", "value": "OFF"}')
    wait_refusal(ha, "received before")
    client.publish(topic, '{"value": "OFF"}', retain=True)
    service.restart()  # a retained command meets every new subscription
    time.sleep(3)
    client.publish(topic, "", retain=True)
    assert ha.state(SWITCH) == "on"
    assert our_problems(ha, since) == []
    client.publish(f"{BASE}/selected_suggestion/set", '{"value": "no such thing"}')
    wait_refusal(ha, "no such thing")


def test_home_assistant_restarts(ha, service, device):
    kept = [entity for entity in IDS if not entity.startswith("image.")]  # an image's is when it came last
    before = {entity: ha.state(entity) for entity in kept}
    ha.restart()
    wait_until(lambda: complete(ha), 30, "the device")
    wait_until(lambda: {e: ha.state(e) for e in kept} == before, 30, f"all states back: {before}")
    assert our_problems(ha, service.ha_log_mark) == []


def test_removal_is_respected(ha, ha_ai, service, device, client):
    since = ha.log_mark()
    client.subscribe(CONFIG, f"{BASE}/#")
    ha.ws("config/device_registry/remove_config_entry", device_id=device["id"],
          config_entry_id=device["config_entries"][0])
    service.wait_log("removed in Home Assistant")
    wait_until(lambda: client.seen.get(f"{BASE}/analysis/state") == "", 20, "our states to go")
    assert client.seen[CONFIG] == ""
    service.restart()
    service.wait_log("not announced")
    time.sleep(3)
    assert ha.device(INSTANCE) is None and client.seen[CONFIG] == ""
    retained = {t for t, p in client.seen.items() if p and t.startswith(BASE)}
    assert retained <= {f"{BASE}/availability", f"{BASE}/owner"} | {t for t in retained if t.endswith(("/set", "/event"))}

    assert "announced" in discovery(ha_ai, "announce", env=service.environment)
    wait_until(lambda: complete(ha), 20, "the device to come back")
    ha.wait_state(SWITCH, "on")
    ha.wait_state(f"sensor.{INSTANCE}_analysis", "idle")
    # HA empties our topic once for every entity it deletes, and complains of its own repetitions, with or without us.
    assert [p for p in our_problems(ha, since) if "No device components to cleanup" not in p] == []


def test_asked_back_while_off(ha, ha_ai, service, device):
    before = service.log_text().count("silent until")
    ha.ws("config/device_registry/remove_config_entry", device_id=device["id"],
          config_entry_id=device["config_entries"][0])
    wait_until(lambda: service.log_text().count("silent until") > before, 20, "the removal to be seen")
    service.stop()
    assert "when it starts" in discovery(ha_ai, "announce", env=service.environment)
    service.start()
    wait_until(lambda: complete(ha), 20, "the device to come back")


def test_an_entity_whose_file_is_gone_goes(ha, ha_ai, broker, tmp_path):
    folder = tmp_path / "discovery"
    folder.mkdir()
    for platform in ("sensor", "button", "event"):
        one = example(platform)
        one["ha_ai"] |= {"triggers": True} if platform == "event" else {}
        (folder / f"{platform}.json").write_text(json.dumps(one))
    service = Daemon(ha_ai, tmp_path, broker, INSTANCE="shrinks", DISCOVERY_DIR=folder).start()
    try:
        def entities():
            device = ha.device("shrinks")
            return device and sorted(e["entity_id"] for e in ha.entities(device["id"]))

        def triggers():
            listed = ha.ws("device_automation/trigger/list", device_id=ha.device("shrinks")["id"])
            return sorted((t["type"], t["subtype"]) for t in listed if t["domain"] == "mqtt")
        since = ha.log_mark()
        wait_until(lambda: entities() == ["button.shrinks_all_button", "event.shrinks_all_event",
                                          "sensor.shrinks_all_sensor"], 20, "all of them")
        wait_until(lambda: triggers() == [("a", "All event"), ("b", "All event")], 20, "the triggers")
        service.stop()
        (folder / "button.json").unlink()
        event = json.loads((folder / "event.json").read_text())
        (folder / "event.json").write_text(json.dumps(event | {"event_types": ["b", "c"]}))
        service.start()
        wait_until(lambda: entities() == ["event.shrinks_all_event", "sensor.shrinks_all_sensor"], 20,
                   "the button to go")
        wait_until(lambda: triggers() == [("b", "All event"), ("c", "All event")], 20, "a trigger to go")
        service.stop()
        (folder / "event.json").unlink()
        service.start()
        wait_until(lambda: entities() == ["sensor.shrinks_all_sensor"], 20, "the event to go")
        wait_until(lambda: triggers() == [], 20, "all triggers to go")
        time.sleep(6)  # the next announcement names what is gone no more
        assert ha.log_problems("(?i)discovery|trigger|components to cleanup", since) == []
    finally:
        service.stop()
        forget(broker, ha, "shrinks")


def test_suggestions_in_the_select(ha, ha_ai, broker, tmp_path, pictures):
    """Analyze, look, select, reject: the options follow, the selection stays, Home Assistant never complains."""
    home = tmp_path / "home.db"
    subprocess.run([ha_ai, "simulate", *CLOCK_HOME, *CLEAR, "--days", "30", "--entities", "60", "--seed", "7", "--out", str(home),
                    "--truth", str(tmp_path / "truth.json")], check=True, capture_output=True, timeout=120)
    since = ha.log_mark()
    service = Daemon(ha_ai, tmp_path, broker, INSTANCE="picks", HISTORY=home, TZ="Europe/Berlin").start()
    select = "select.picks_selected_suggestion"
    try:
        ha.wait_state("button.picks_analyze_now", "unknown", timeout=20)  # not pressed yet, but available
        ha.call_service("button", "press", entity_id="button.picks_analyze_now")
        wait_until(lambda: number(ha, "sensor.picks_suggestions_waiting") >= 3, 120, "suggestions")
        options = wait_until(lambda: [o for o in options_of(ha, select) if o != "–"], 20, "options")
        wait_until(lambda: options_of(ha, select) == options and ha.state(select) == options[0], 20, "the best one")
        assert ha.states()[select]["attributes"]["explanation"]
        assert number(ha, "sensor.picks_days_of_history") >= 25

        ha.call_service("select", "select_option", entity_id=select, option=options[2])
        ha.wait_state(select, options[2])
        ha.call_service("button", "press", entity_id="button.picks_reject")
        wait_until(lambda: options_of(ha, select) == options[:2] + options[3:], 20, "the rejected one to go")
        wait_until(lambda: ha.state(select) in options_of(ha, select), 5, "a selection")
        assert ha.states()["event.picks_suggestion"]["attributes"]["event_type"] == "rejected"
        from browser import Browser
        with Browser(ha, size=(1280, 1400)) as browser:
            text = browser.device_page(ha.device("picks")["id"], pictures / "device-picks.png")
        assert "Selected suggestion" in text and "Analyze now" in text
        assert ha.log_problems("(?i)picks|discovery", since) == []
    finally:
        service.stop()
        forget(broker, ha, "picks")


def options_of(ha, entity):
    return ha.states()[entity]["attributes"].get("options", [])


def number(ha, entity):
    state = ha.state(entity)
    return int(state) if state.isdigit() else 0
