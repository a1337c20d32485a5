"""`ha-ai run` on a real broker: what it promises when all is well, and when people and machines do the wrong thing.

Faults of the broker, the history and the process itself are in test_faults.py.
"""
import datetime
import json
import os
import random
import re
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
import yaml
from jsonschema import Draft202012Validator

from broker import Broker
from daemon import Daemon
from homeassistant import free_port, wait_until
from listener import Listener
from service import COMPLETE, DEVICE, EVENT, RUN, health_ms

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "eyJhbGciOi.a-token-nobody-may-see"


def analysed(services, listener, home, **settings):
    """A service that has analysed the home."""
    before = len(listener.of(COMPLETE))
    one = services(HISTORY=home, TZ="UTC", **settings).start().wait_healthy()
    listener.publish(RUN)
    listener.wait(COMPLETE, count=before + 1)
    wait_until(lambda: one.health()[1]["suggestions_waiting"] >= 3, 5, "the suggestions")
    return one


# ---- the seed's own checks ----------------------------------------------------------------------

def test_the_seeds_connectivity_test(mosquitto):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1)
    client.username_pw_set(mosquitto.user, mosquitto.password)
    client.connect("127.0.0.1", mosquitto.port, 60)
    client.loop_start()
    wait_until(client.is_connected, 5, "the connection")
    client.disconnect()
    client.loop_stop()


def test_the_seeds_publish_and_subscribe_test(services, mosquitto):
    """With the service beside it: its answer comes too, in plain MQTT 3.1.1 as the seed speaks."""
    services().start().wait_healthy()
    heard = []
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1)
    client.username_pw_set(mosquitto.user, mosquitto.password)
    client.on_message = lambda _client, _data, message: heard.append((message.topic, message.payload.decode()))
    client.connect("127.0.0.1", mosquitto.port, 60)
    client.subscribe([("ha-ai/test", 1), ("ha-ai/test/reply", 1)])
    client.loop_start()
    client.publish("ha-ai/test", "test message")
    wait_until(lambda: ("ha-ai/test", "test message") in heard, 5, "the message itself")
    reply = wait_until(lambda: next((json.loads(p) for t, p in heard if t == "ha-ai/test/reply"), None), 5, "the reply")
    assert reply["received"] == "test message"
    client.disconnect()
    client.loop_stop()


@pytest.mark.parametrize("payload, received", [
    ('{"message": "test"}', "test"), ("Hello from AI service", "Hello from AI service"), ("", ""), ("5", "5"),
    ('{"message": 5}', '{"message": 5}'), ("ä – 漢", "ä – 漢"), ('{"message": "a\\u0000b"}', None)])
def test_test_topic(services, listener, payload, received):
    services().start().wait_healthy()
    listener.publish("ha-ai/test", payload)
    reply = listener.wait("ha-ai/test/reply")
    assert received is None or reply["received"] == received


def documented_topics():
    document = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())
    commands = {f["ha_ai"]["id"] for f in discovery_files() if "command" in f["ha_ai"]} | {"announce"}
    receives, sends = {"homeassistant/status", "homeassistant/device/ha_ai/config"}, set()
    for operation in document["operations"].values():
        channel = document["channels"][operation["channel"]["$ref"].split("/")[-1]]
        address = channel["address"].replace("<INSTANCE>", "ha_ai")
        addresses = {address.replace("<entity>", c) for c in commands} if "<entity>" in address else {address}
        (receives if operation["action"] == "receive" else sends).update(addresses)
    for f in discovery_files():
        for leaf in ("state", "attributes"):
            sends.add(f"{DEVICE}/{f['ha_ai']['id']}/{leaf}")
    return receives, sends | {f"{DEVICE}/availability", "homeassistant/device/ha_ai/config"}


def discovery_files():
    return [json.loads(path.read_text()) for path in (ROOT / "discovery").glob("*.json")]


def test_touches_only_documented_topics_with_qos_1(ha_ai, services, home, tmp_path):
    with Broker(tmp_path / "own-broker") as broker, Listener(broker) as listener:
        one = services(broker=broker, HISTORY=home, TZ="UTC").start().wait_healthy()
        listener.publish(RUN)
        listener.wait(COMPLETE)
        listener.publish(f"{DEVICE}/approve/set", {"ts": "2999-01-01T00:00:00Z"})  # not within 2 s of a new selection
        deploy = listener.wait("ha-ai/commands/automation/deploy")
        listener.publish("ha-ai/responses/automation/executed", {"automation_id": deploy["automation_id"]})
        wait_until(lambda: one.health()[1]["runs"]["total"] == 1, 5, "the run")
        assert one.stop() == 0
        log = broker.log.read_text()
    receives, sends = documented_topics()
    blocks = re.findall(r"Received SUBSCRIBE from ha_ai\n((?:\d+: \t.*\n)+)", log)
    subscribed = dict(re.findall(r"\t(\S+) \(QoS (\d)\)", "".join(blocks)))
    assert set(subscribed) == receives
    assert set(subscribed.values()) == {"1"}
    published = re.findall(r"Received PUBLISH from ha_ai \(d\d, q(\d), r(\d), m\d+, '([^']+)'", log)
    assert {topic for _, _, topic in published} <= sends
    assert {qos for qos, _, _ in published} == {"1"}
    kept = {topic for _, retain, topic in published if retain == "1"}
    assert not [t for t in kept if t.endswith("/event") or t.startswith(("ha-ai/events", "ha-ai/commands"))], kept
    acknowledged = log.count("Sending PUBACK to ha_ai ")
    assert acknowledged == len(published)  # QoS 1 delivery confirmed, both ways
    to_us = log.count("Sending PUBLISH to ha_ai ")
    assert to_us >= 3 and log.count("Received PUBACK from ha_ai ") == to_us


# ---- configuration ------------------------------------------------------------------------------

SEEDS_TEMPLATE = """\
# AI Automation Service Configuration

# Home Assistant MQTT Broker (already running)
MQTT_BROKER=<HA_SERVER_IP>  # e.g., 192.168.1.100 or home-assistant
MQTT_PORT=1883
MQTT_USERNAME=<your-mqtt-username>  # From HA MQTT integration
MQTT_PASSWORD=<your-mqtt-password>  # From HA MQTT integration

# Home Assistant API
HA_URL=http://<HA_SERVER_IP>:8123
HA_TOKEN=<your-ha-long-lived-token>

# Data API (from existing homeiq project)
DATA_API_URL=http://data-api:8006

# OpenAI API
OPENAI_API_KEY=<your-openai-api-key>

# Scheduling
ANALYSIS_SCHEDULE=0 3 * * *  # 3 AM daily

# Database
DATABASE_PATH=/app/data/ai_automation.db
"""


def filled_template(broker, folder, **more):
    """The seed's template with its placeholders replaced; its port and its container's folder as they are here."""
    broker.set_password("seed", "sEcret#1 of the seed")
    broker.reload()
    values = {"<HA_SERVER_IP>": "127.0.0.1", "<your-mqtt-username>": "seed",
              "<your-mqtt-password>": "sEcret#1 of the seed", "1883": str(broker.port), "/app/data": f"{folder}/app/data",
              **more}
    text = SEEDS_TEMPLATE
    for old, new in values.items():
        text = text.replace(old, new)
    return text


def as_docker_reads_it(text):
    """Docker's env-file: everything after '=' is the value, comments behind it too."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("how", ["--env-file", "environment"])
def test_the_seeds_template(services, mosquitto, tmp_path, how):
    text = filled_template(mosquitto, tmp_path)
    bare = {name: None for name in ("MQTT_BROKER", "MQTT_PORT", "MQTT_USERNAME", "MQTT_PASSWORD", "DATABASE_PATH")}
    if how == "environment":
        one = services(**{**bare, **as_docker_reads_it(text)}).start()
    else:
        (tmp_path / "env").write_text(text)
        one = services(**bare).start("--env-file", tmp_path / "env")
    one.wait_healthy()
    assert (tmp_path / "app/data/ai_automation.db").exists()
    health = one.health()[1]
    assert health["broker"] == {"ok": True, "problem": None}
    assert health["home_assistant"]["ok"] is None  # HA_TOKEN is not filled in
    log = one.log_text()
    assert log.count("DATA_API_URL is accepted") == 1
    assert "HA_TOKEN is not filled in" in log and "OPENAI_API_KEY is not filled in" in log
    assert "sEcret#1" not in log
    for path in (tmp_path / "app/data").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_seeds_template_all_filled_in(services, mosquitto, tmp_path):
    more = {"<your-ha-long-lived-token>": TOKEN, "<your-openai-api-key>": "sk-nobody-may-see", "8123": str(free_port())}
    (tmp_path / "env").write_text(filled_template(mosquitto, tmp_path, **more))
    one = services().start("--env-file", tmp_path / "env").wait_healthy(status=503)
    wait_until(lambda: one.health()[1]["broker"]["ok"], 10, "the broker")
    wait_until(lambda: one.health()[1]["home_assistant"]["problem"], 10, "the problem with Home Assistant")
    assert one.health()[1]["home_assistant"]["ok"] is False
    next_run = datetime.datetime.fromisoformat(one.health()[1]["last_analysis"]["next"] or "1970-01-01T00:00:00+00:00")
    assert one.health()[1]["history"]["ok"] is None and next_run.year == 1970  # nothing to analyse: never
    assert one.log_text().count("OPENAI_API_KEY is accepted") == 1
    assert TOKEN not in one.log_text() and "sk-nobody" not in one.log_text()


def test_next_analysis_is_told(services, home):
    one = services(HISTORY=home, TZ="Asia/Tokyo", ANALYSIS_SCHEDULE="0 3 * * *").start().wait_healthy()
    told = datetime.datetime.fromisoformat(one.health()[1]["last_analysis"]["next"])
    assert (told.astimezone(datetime.timezone.utc).hour, told.minute) == (18, 0)  # 03:00 in Tokyo
    assert 0 < told.timestamp() - time.time() <= 86400


BAD_SETTINGS = [  # settings, exit code, what the one line says
    ({"MQTT_BROKER": None}, 2, ["MQTT_BROKER"]),
    ({"MQTT_BROKER": "mqtt://broker:1883"}, 2, ["MQTT_BROKER", "mqtt://broker:1883", "host"]),
    ({"MQTT_PORT": "18883x"}, 2, ["MQTT_PORT", "18883x", "1 to 65535"]),
    ({"MQTT_PORT": "0"}, 2, ["MQTT_PORT", "'0'", "1 to 65535"]),
    ({"MQTT_PORT": "99999999999999999999"}, 2, ["MQTT_PORT", "1 to 65535"]),
    ({"MQTT_TLS": "maybe"}, 2, ["MQTT_TLS", "maybe", "off|on"]),
    ({"MQTT_CA_FILE": "/no/such/ca.pem"}, 2, ["MQTT_CA_FILE", "/no/such/ca.pem"]),
    ({"MQTT_CA_FILE": "{folder}/garbage"}, 2, ["MQTT_CA_FILE", "garbage"]),
    ({"HA_URL": "192.168.1.10:8123", "HA_TOKEN": TOKEN}, 2, ["HA_URL", "192.168.1.10:8123", "http://"]),
    ({"HA_URL": "http://", "HA_TOKEN": TOKEN}, 2, ["HA_URL", "http://HOST"]),
    ({"ANALYSIS_SCHEDULE": "0 25 * * *"}, 2, ["ANALYSIS_SCHEDULE", "0 25 * * *"]),
    ({"ANALYSIS_SCHEDULE": "daily"}, 2, ["ANALYSIS_SCHEDULE", "daily"]),
    ({"INSTANCE": "my instance/1"}, 2, ["INSTANCE", "my instance/1", "a-z"]),
    ({"LOCATION": "Berlin"}, 2, ["LOCATION", "Berlin", "LAT,LON"]),
    ({"LOCATION": "91,0"}, 2, ["LOCATION", "91,0", "LAT,LON"]),
    ({"TZ": "Mars/Olympus"}, 2, ["TZ", "Mars/Olympus"]),
    ({"HTTP_PORT": "-1"}, 2, ["HTTP_PORT", "-1", "0 to 65535"]),
    ({"HTTP_PORT": "{taken}"}, 1, ["HTTP_PORT", "{taken}", "in use"]),
    ({"HTTP_BIND": "localhost"}, 2, ["HTTP_BIND", "localhost", "IP address"]),
    ({"HTTP_BIND": "192.0.2.1"}, 1, ["HTTP_BIND", "192.0.2.1"]),
    ({"DISCOVERY_DIR": "/no/such/folder"}, 2, ["DISCOVERY_DIR", "/no/such/folder"]),
    ({"DISCOVERY_PREFIX": "home/#"}, 2, ["DISCOVERY_PREFIX", "home/#"]),
    ({"TTL": "5"}, 2, ["TTL", "'5'", "10 to 86400"]),
    ({"LOG_LEVEL": "chatty"}, 2, ["LOG_LEVEL", "chatty", "error|warn|info|debug"]),
    ({"MQTT_PASSWORD_FILE": "/no/such/secret"}, 2, ["MQTT_PASSWORD_FILE", "/no/such/secret"]),
    ({"MQTT_PASSWORD_FILE": "{folder}"}, 2, ["MQTT_PASSWORD_FILE", "directory"]),
    ({"MQTT_PASSWORD_FILE": "{folder}/empty"}, 2, ["MQTT_PASSWORD_FILE", "empty"]),
    ({"DATABASE_PATH": "{folder}/garbage"}, 2, ["DATABASE_PATH", "garbage", "database"]),
    ({"DATABASE_PATH": "{folder}"}, 2, ["DATABASE_PATH", "{folder}"]),
    ({"DATABASE_PATH": "/proc/ha-ai/ha-ai.db"}, 1, ["DATABASE_PATH", "/proc/ha-ai"]),
    ({"HISTORY": "postgresql://homeassistant:pg-secret@db/ha"}, 2, ["HISTORY", "postgresql"]),
]


@pytest.mark.parametrize("settings, code, words", BAD_SETTINGS, ids=lambda x: str(x)[:50])
def test_bad_settings_end_the_start_with_one_line(ha_ai, mosquitto, tmp_path, settings, code, words):
    (tmp_path / "garbage").write_bytes(b"this is no such file\n" * 500)
    (tmp_path / "empty").touch()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        fill = {"folder": str(tmp_path), "taken": str(listening.getsockname()[1])}
        settings = {name: value and value.format(**fill) for name, value in settings.items()}
        one = Daemon(ha_ai, tmp_path / "service", mosquitto, **settings)
        ended = subprocess.run([ha_ai, "run"], env=one.environment, cwd=tmp_path, capture_output=True, text=True,
                               timeout=20, check=False)
    lines = [line for line in ended.stderr.splitlines() if not re.match("<[67]>", line)]
    assert ended.returncode == code, ended.stderr
    assert len(lines) == 1, ended.stderr
    for word in words:
        assert word.format(**fill) in lines[0]
    for secret in (mosquitto.password, TOKEN, "pg-secret"):
        assert secret not in ended.stderr + ended.stdout


@pytest.mark.parametrize("text, words", [
    ("MQTT_BROKR=127.0.0.1\n", ["line 1", "MQTT_BROKR"]),
    ("MQTT_BROKER=127.0.0.1\n\n# x\nMQTT_PORT=abc\n", ["line 4", "MQTT_PORT", "abc", "1 to 65535"]),
    ("just words\n", ["line 1", "NAME=value"]),
    ("MQTT_PASSWORD=" + "secret" * 3000 + "\n", ["line 1", "8192"]),
    ("MQTT_PASSWORD_FILE=/no/such\n", ["line 1", "MQTT_PASSWORD_FILE", "/no/such"]),
    ("MQTT_BROKER_FILE=/etc/hostname\n", ["line 1", "MQTT_BROKER_FILE"]),
    (None, ["No such file"])])
def test_bad_env_file(ha_ai, tmp_path, text, words):
    path = tmp_path / "env"
    if text is not None:
        path.write_text(text)
    ended = subprocess.run([ha_ai, "run", "--env-file", path], env={"PATH": "/usr/bin:/bin"}, capture_output=True,
                           text=True, timeout=20, check=False)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    for word in [str(path), *words]:
        assert word in ended.stderr
    assert "secretsecret" not in ended.stderr


def test_a_second_service_on_the_same_database(services):
    first = services().start().wait_healthy()
    second = services(DATABASE_PATH=first.environment["DATABASE_PATH"], INSTANCE="other").start()
    wait_until(lambda: not second.alive(), 10, "the second to end")
    assert second.stop() == 1
    assert f"another ha-ai is running on {first.environment['DATABASE_PATH']}" in second.log_text()
    assert first.health()[0] == 200


def test_a_second_service_on_the_same_port(services):
    first = services().start().wait_healthy()
    second = services(HTTP_PORT=first.port, INSTANCE="other").start()
    wait_until(lambda: not second.alive(), 10, "the second to end")
    assert second.stop() == 1
    assert f"HTTP_PORT: cannot listen on 127.0.0.1 port {first.port}: Address already in use" in second.log_text()


def test_secrets_from_files(services, mosquitto, tmp_path):
    (tmp_path / "password").write_text(mosquitto.password + "\n")
    services(MQTT_PASSWORD=None, MQTT_PASSWORD_FILE=tmp_path / "password").start().wait_healthy()


# ---- /health ------------------------------------------------------------------------------------

def http(service, request):
    """Sends these bytes, returns all that comes back."""
    with socket.create_connection(("127.0.0.1", service.port), 1) as s:
        s.sendall(request)
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
            if b"\r\n\r\n" in answer and b"HEAD" in request:
                break
        return answer


def test_health_is_as_documented(services, listener, home):
    document = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())
    schema = {**document["components"]["schemas"]["Health"], "components": document["components"]}
    one = services(HISTORY=home, TZ="UTC").start().wait_healthy()
    Draft202012Validator(schema).validate(one.health()[1])
    listener.publish(RUN)
    listener.wait(COMPLETE)
    status, body = one.health()
    Draft202012Validator(schema).validate(body)
    assert status == 200 and body["status"] == "ok" and body["suggestions_waiting"] >= 3
    assert set(schema["required"]) == set(body)
    assert {name: body[name]["ok"] for name in ("broker", "home_assistant", "history", "database")} == {
        "broker": True, "home_assistant": None, "history": True, "database": True}


def test_http_that_is_no_question_for_health(services):
    one = services().start().wait_healthy()
    end = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    assert http(one, b"POST /health" + end + b"Content-Length: 5\r\n\r\nhello").startswith(b"HTTP/1.1 405 ")
    assert b"\r\nAllow: GET, HEAD\r\n" in http(one, b"DELETE /health" + end + b"\r\n")
    assert http(one, b"GET /nothing" + end + b"\r\n").startswith(b"HTTP/1.1 404 ")
    head = http(one, b"HEAD /health" + end + b"\r\n")
    assert head.startswith(b"HTTP/1.1 200 ") and head.endswith(b"\r\n\r\n")
    assert http(one, b"GET /health?x=1" + end + b"\r\n").startswith(b"HTTP/1.1 200 ")
    for garbage in (b"\x16\x03\x01" + os.urandom(200), b"GET /" + b"a" * 100000, b"\r\n" * 5000,
                    b"GET /health HTTP/1.1\r\n" + b"x: y\r\n" * 5000,
                    b"POST /health" + end + b"Content-Length: 99999999999999999999\r\n\r\n"):
        try:
            http(one, garbage)
        except OSError:
            pass  # it may hang up on such a client
    assert health_ms(one, 50) <= 100


@pytest.mark.parametrize("kind", ["silent", "slow", "unread"])
def test_bad_clients_do_not_hurt_health(services, kind):
    """100 connections that say nothing, that send a byte now and then, that never read the answer."""
    one = services().start().wait_healthy()
    clients = []
    for _ in range(100):
        s = socket.create_connection(("127.0.0.1", one.port), 5)
        clients.append(s)
        s.setblocking(False)
        try:
            if kind == "unread":
                s.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
            elif kind == "slow":
                s.send(b"G")
        except OSError:
            pass
    assert health_ms(one, 50) <= 100
    began = time.monotonic()
    while time.monotonic() - began < 3:  # they go on, and so does /health
        for s in clients:
            try:
                s.send(b"G" if kind == "slow" else b"")
            except OSError:
                pass
        assert health_ms(one, 5) <= 100
    for s in clients:
        s.close()


# ---- what is out of the ordinary ----------------------------------------------------------------

ANOMALY = "ha-ai/events/anomaly/detected"


def changes_of(database, entity):
    """(time, state) of its states, in order."""
    return database.execute(
        "SELECT s.last_updated_ts, s.state FROM states s JOIN states_meta m ON m.metadata_id = s.metadata_id"
        " WHERE m.entity_id = ? ORDER BY 1", (entity,)).fetchall()


def delete(database, entity, after, before):
    database.execute("DELETE FROM states WHERE last_updated_ts > ? AND last_updated_ts < ? AND metadata_id ="
                     " (SELECT metadata_id FROM states_meta WHERE entity_id = ?)", (after, before, entity))


def leave_on(path, entity):
    """Takes out what ends two of its uses, each for 20 hours or more, the second up to the end. Returns when the first
    one ends and the second begins; None when it is used too little for that."""
    database, day = sqlite3.connect(path), 20 * 3600
    changes = changes_of(database, entity)
    end = database.execute("SELECT max(last_updated_ts) FROM states").fetchone()[0]
    ons = [when for when, state in changes if state == "on" and end - 3 * 86400 < when]
    times = None
    for first in ons:
        over = next((when for when, state in changes if state == "off" and when > first + day), end)
        second = next((when for when in ons if when > over), end)
        if second < end - day:
            delete(database, entity, first, over)
            delete(database, entity, second, end + 1)
            times = over, second
            break
    database.commit()
    database.close()
    return times


def until(path, copy, when):
    """The history as it was at that time."""
    for old in copy.parent.glob(copy.name + "*"):
        old.unlink()
    copy.write_bytes(path.read_bytes())
    database = sqlite3.connect(copy)
    database.execute("DELETE FROM states WHERE last_updated_ts > ?", (when,))
    database.execute("DELETE FROM events WHERE time_fired_ts > ?", (when,))
    database.execute("DELETE FROM recorder_runs WHERE start > datetime(?, 'unixepoch')", (when,))
    database.commit()
    database.close()


def found_anomalies(ha_ai, path):
    run = subprocess.run([ha_ai, "analyze", "--history", path, "--timezone", "UTC", "--format", "json"], check=True,
                         stdout=subprocess.PIPE)
    return json.loads(run.stdout)["anomalies"]


def left_on_home(ha_ai, folder):
    """A home whose lamp is left on, switched off, and left on again: (all of it, those three times)."""
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    while True:
        path, truth = folder / f"home-{seed}.db", folder / f"truth-{seed}.json"
        subprocess.run([ha_ai, "simulate", "--kinds", "time_of_day", "--gates", "none", "--trouble", "none", "--days",
                        "40", "--entities", "30", "--seed", str(seed), "--states", "8000", "--out", path, "--truth",
                        truth], check=True)
        lamps = [e["entity_id"] for e in json.loads(truth.read_text())["entities"]
                 if e["role"] == "distractor" and e["entity_id"].startswith("light.")]
        for lamp in lamps:
            times = leave_on(path, lamp)
            if times is None:
                continue
            copy = folder / "try.db"
            until(path, copy, times[0] - 1)
            first = [a["entity_id"] for a in found_anomalies(ha_ai, copy)]
            until(path, copy, (times[0] + times[1]) / 2)
            between = [a["entity_id"] for a in found_anomalies(ha_ai, copy)]
            if lamp in first and lamp not in between and lamp in [a["entity_id"] for a in found_anomalies(ha_ai, path)]:
                print(f"left on: seed {seed}, {lamp}")
                return path, lamp, times
            break  # it is no longer what was simulated
        seed += 1


def test_an_anomaly_is_told_once_and_anew(ha_ai, services, listener, tmp_path):
    full, lamp, (over, second) = left_on_home(ha_ai, tmp_path)
    history = tmp_path / "home-assistant_v2.db"
    until(full, history, over - 1)
    one = services(HISTORY=history, TZ="UTC").start().wait_healthy()

    def analyse(count):
        listener.publish(RUN)
        listener.wait(COMPLETE, count=count)
        return [a for a in listener.of(ANOMALY) if a["entity_id"] == lamp]
    (told,) = analyse(1)
    document = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())
    schema = {**document["components"]["schemas"]["AnomalyDetected"], "components": document["components"]}
    Draft202012Validator(schema).validate(told)
    (found,) = [a for a in found_anomalies(ha_ai, history) if a["entity_id"] == lamp]
    assert told["kind"] == "left_on" and told["anomaly_id"] == found["id"]
    assert {key: told[key] for key in ("since", "title", "explanation", "evidence")} == {
        key: found[key] for key in ("since", "title", "explanation", "evidence")}
    text = subprocess.run([ha_ai, "analyze", "--history", history, "--timezone", "UTC"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    assert "\nOut of the ordinary:\n" in text and f"\n- {told['title']}\n" in text
    (message,) = [m for _, m in listener.messages if m.topic == ANOMALY and json.loads(m.payload)["id"] == told["id"]]
    assert message.qos == 1 and not message.retain and message.properties.MessageExpiryInterval <= 300
    assert analyse(2) == [told]  # it goes on
    one.restart().wait_healthy()
    assert analyse(3) == [told]  # remembered over a restart
    until(full, history, (over + second) / 2)
    assert analyse(4) == [told]
    until(full, history, time.time())
    again = analyse(5)
    assert len(again) == 2 and again[1]["anomaly_id"] != told["anomaly_id"]


# ---- commands -----------------------------------------------------------------------------------

def stamp(seconds_ago=0):
    at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds_ago)
    return at.isoformat()


LATER = {"ts": "2999-01-01T00:00:00Z"}  # a press that is surely no slip on a selection that just moved

BAD_COMMANDS = [  # topic, payload, what the refusal says
    (f"{DEVICE}/approve/set", "approve!", "not JSON"),
    (f"{DEVICE}/approve/set", '"text"', "JSON object"),
    (f"{DEVICE}/approve/set", b"\xff\xfe{}", "UTF-8"),
    (f"{DEVICE}/approve/set", b"{}\0{}", "no UTF-8 text"),
    (f"{DEVICE}/approve/set", '{"x": "' + "y" * 70000 + '"}', "at most 65536"),
    (f"{DEVICE}/approve/set", "[" * 60000, "not JSON"),
    (f"{DEVICE}/approve/set", {"ts": stamp(3600)}, "s old, expected at most 300 s"),
    (f"{DEVICE}/approve/set", {"ts": "yesterday"}, "expected a time"),
    (f"{DEVICE}/approve/set", {"ts": 5}, "expected a time"),
    (f"{DEVICE}/selected_suggestion/set", {"value": "No such suggestion"}, "No such suggestion"),
    (f"{DEVICE}/selected_suggestion/set", {}, "value"),
    (f"{DEVICE}/daily_analysis/set", {"value": "perhaps"}, "perhaps"),
    (RUN, "now!", "not a JSON object"),
    (RUN, "x" * 70000, "too large"),
    (RUN, {"timestamp": stamp(3600)}, "more than its ttl of 300 s"),
    (RUN, {"timestamp": stamp(30), "ttl": 20}, "more than its ttl of 20 s"),
    (RUN, {"timestamp": "soon"}, "RFC 3339"),
    ("ha-ai/responses/automation/executed", {}, "no automation_id"),
    ("ha-ai/responses/automation/failed", "oh no", "no automation_id"),
    ("ha-ai/responses/automation/executed", "x" * 70000, "no automation_id"),
]


def test_bad_commands_are_refused_and_said_once(services, listener, home):
    one = analysed(services, listener, home)
    listener.wait_last(f"{DEVICE}/suggestions_waiting/state", str(one.health()[1]["suggestions_waiting"]))
    before = one.health()[1]
    completed = len(listener.of(COMPLETE))
    for topic, payload, reason in BAD_COMMANDS:
        refused = len([e for e in listener.of(EVENT) if e["event_type"] == "refused"])
        lines = len(one.log_text().splitlines())
        listener.publish(topic, payload)
        said = listener.wait(EVENT, lambda e: e["event_type"] == "refused", count=refused + 1)
        assert reason in said["reason"], (topic, payload[:50])
        assert said["command"]
        time.sleep(0.02)
        logged = one.log_text().splitlines()[lines:]
        assert len(logged) == 1 and reason in logged[0], logged
        assert len(logged[0]) < 500
    after = one.health()[1]
    assert after["suggestions_waiting"] == before["suggestions_waiting"] and len(listener.of(COMPLETE)) == completed
    assert after["runs"]["total"] == 0 and after["last_analysis"] == before["last_analysis"]


def test_reports_of_other_instances_bother_nobody(services, listener):
    one = services().start().wait_healthy()
    listener.publish("ha-ai/responses/automation/executed", {"automation_id": "ha_ai_nobody"})
    one.wait_log("executed of ha_ai_nobody")
    listener.publish("ha-ai/test", "done?")
    listener.wait("ha-ai/test/reply")
    assert not listener.of(EVENT)
    assert one.health()[1]["runs"]["total"] == 0


def test_a_ttl_of_all_time(services, listener, home):
    services(HISTORY=home, TZ="UTC").start().wait_healthy()
    listener.publish(RUN, {"timestamp": stamp(3600), "ttl": 2**63 - 1})
    assert listener.wait(COMPLETE)["success"]


@pytest.mark.parametrize("topic", [RUN, f"{DEVICE}/approve/set", f"{DEVICE}/analyze_now/set"])
def test_retained_commands_are_refused(services, listener, home, topic):
    one = analysed(services, listener, home)
    completed, waiting = len(listener.of(COMPLETE)), one.health()[1]["suggestions_waiting"]
    try:
        listener.publish(topic, "{}", retain=True)
        said = listener.wait(EVENT, lambda e: e["event_type"] == "refused")
        assert "retained" in said["reason"]
    finally:
        listener.publish(topic, "", retain=True)
    assert (len(listener.of(COMPLETE)), one.health()[1]["suggestions_waiting"]) == (completed, waiting)


def test_a_repeated_id_acts_once(services, listener, home):
    one = analysed(services, listener, home)
    waiting = one.health()[1]["suggestions_waiting"]
    for _ in range(2):
        listener.publish(f"{DEVICE}/reject/set", {"id": "one-press", **LATER})
    said = listener.wait(EVENT, lambda e: e["event_type"] == "refused")
    assert "before" in said["reason"]
    assert len([e for e in listener.of(EVENT) if e["event_type"] == "rejected"]) == 1
    assert one.health()[1]["suggestions_waiting"] == waiting - 1
    one.restart().wait_healthy()  # remembered over a restart
    listener.publish(f"{DEVICE}/reject/set", {"id": "one-press", **LATER})
    listener.wait(EVENT, lambda e: e["event_type"] == "refused", count=2)
    assert one.health()[1]["suggestions_waiting"] == waiting - 1


def test_approve_with_nothing_to_approve(services, listener):
    services().start().wait_healthy()
    listener.publish(f"{DEVICE}/approve/set", LATER)
    assert "no suggestion is waiting" in listener.wait(EVENT)["reason"]
    listener.publish(RUN)
    assert "HISTORY" in listener.wait(EVENT, count=2)["reason"]


def test_approve_twice_approves_one(services, listener, home):
    """A double press: the second falls on a selection that the person has not seen."""
    one = analysed(services, listener, home)
    waiting = one.health()[1]["suggestions_waiting"]
    first = wait_until(lambda: json.loads(listener.last(f"{DEVICE}/selected_suggestion/attributes")).get("id"), 15,
                       "the selected suggestion")
    listener.publish(f"{DEVICE}/approve/set", {"ts": stamp()})  # the analysis itself has just moved the selection
    said = listener.wait(EVENT, lambda e: e["event_type"] == "refused")
    assert "look at it and press again" in said["reason"]
    time.sleep(2.1)
    for press in ("a", "b"):
        listener.publish(f"{DEVICE}/approve/set", {"id": press, "ts": stamp()})
    listener.wait(EVENT, lambda e: e["event_type"] == "refused", count=2)
    attributes = f"{DEVICE}/selected_suggestion/attributes"
    wait_until(lambda: json.loads(listener.last(attributes))["id"] != first, 15, "the next one", every=0.01)
    listener.publish(f"{DEVICE}/approve/set", {"id": "c", "ts": stamp()})  # it has just come under the finger
    listener.wait(EVENT, lambda e: e["event_type"] == "refused", count=3)
    assert [e["suggestion_id"] for e in listener.of(EVENT) if e["event_type"] == "approved"] == [first]
    assert listener.wait("ha-ai/commands/automation/deploy")["suggestion_id"] == first
    assert one.health()[1]["suggestions_waiting"] == waiting - 1


def test_select_approve_report(services, listener, home):
    """Over MQTT alone, without Home Assistant's API: whoever listens deploys and answers."""
    one = analysed(services, listener, home)
    found = {s["title"]: s for s in listener.of("ha-ai/events/suggestion/generated")}
    title = sorted(found)[1]
    listener.publish(f"{DEVICE}/selected_suggestion/set", {"value": title, "ts": stamp()})
    listener.wait_last(f"{DEVICE}/selected_suggestion/state", title)
    listener.publish(f"{DEVICE}/approve/set", {"ts": stamp()})
    deploy = listener.wait("ha-ai/commands/automation/deploy")
    assert (deploy["via"], deploy["title"]) == ("mqtt", title)
    wanted = found[title]["automation"]
    assert deploy["automation"]["description"].startswith(wanted["description"])
    assert "To undo it" in deploy["automation"]["description"]
    assert deploy["automation"] | {"description": ""} == wanted | {"description": ""}
    for context in ("c1", "c2", "c1"):
        listener.publish("ha-ai/responses/automation/executed",
                         {"automation_id": deploy["automation_id"], "id": context})
    listener.publish("ha-ai/responses/automation/failed", {"automation_id": deploy["automation_id"], "id": "c3"})
    wait_until(lambda: one.health()[1]["runs"]["failed"] == 1, 5, "the failed run")
    runs = one.health()[1]["runs"]
    assert (runs["total"], runs["confirmed"]) == (3, 2), runs  # the same context is the same run
    assert one.stop() == 0
    one.start().wait_healthy()
    assert one.health()[1]["runs"] == runs
    assert len(listener.of("ha-ai/commands/automation/deploy")) == 1


def test_a_flood_of_commands(services, listener, home):
    """800 at once (mosquitto itself drops what is more than 1000): none is lost, /health answers throughout."""
    one = services(HISTORY=home, TZ="UTC").start().wait_healthy()
    for i in range(800):
        listener.publish_soon("ha-ai/test", f"flood {i}")
    assert health_ms(one, 30, rounds=8) <= 100

    def replies():
        return {body["received"] for body in listener.of("ha-ai/test/reply")}
    wait_until(lambda: len(replies()) == 800, 60, "every reply")
    assert one.health()[0] == 200


def test_health_does_not_wait_for_a_backlog(services, listener):
    """What an earlier process left in the inbox is done in turns, with /health between them."""
    one = services().start().wait_healthy()
    one.stop()
    database = sqlite3.connect(one.folder / "ha-ai.db")
    database.executemany(
        "INSERT INTO inbox (id, topic, payload, payload_len, digest, mid, session, epoch, flags, received_ms)"
        " VALUES (?, 'ha-ai/test', ?, 9, 0, 0, 0, 0, 0, ?)",
        [(f"left-{i}", f"left {i}", int(time.time() * 1000)) for i in range(900)])
    database.commit()
    one.start()
    wait_until(lambda: one.health()[0], 20, "/health", every=0.005)
    (waiting,) = database.execute("SELECT count(*) FROM inbox WHERE done_ms IS NULL").fetchone()
    database.close()
    assert waiting > 0, "it answered only when all was done"
    wait_until(lambda: len(listener.of("ha-ai/test/reply")) >= 900, 60, "every reply")
