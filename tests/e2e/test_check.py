"""`ha-ai check`: each part of the configuration, right and wrong, against a real broker and Home Assistant."""
import socket
import subprocess
import time

import pytest

from broker import Broker
from conftest import ROOT
from homeassistant import free_port


@pytest.fixture
def check(ha_ai, tmp_path):
    """Runs it; (exit code, {part: (result, text)}, everything printed). No secret may be in there."""
    def run(*arguments, **settings):
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "DATABASE_PATH": str(tmp_path / "data" / "ha-ai.db")}
        environment.update({name: str(value) for name, value in settings.items()})
        begin = time.monotonic()
        answer = subprocess.run([ha_ai, "check", *arguments], env=environment, text=True, timeout=90,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        printed = answer.stdout + answer.stderr
        for secret in ("MQTT_PASSWORD", "HA_TOKEN"):
            assert secret not in settings or str(settings[secret]) not in printed
        assert "ERROR: AddressSanitizer" not in printed and "runtime error" not in printed
        rows = {}
        for line in answer.stdout.splitlines():
            part, result, text = line[:14].strip(), line[16:22].strip(), line[24:]
            assert result in ("ok", "failed", "off") and part not in rows, line
            rows[part] = (result, text)
        run.seconds = time.monotonic() - begin
        return answer.returncode, rows, printed
    return run


@pytest.fixture
def mqtt(broker):
    return {"MQTT_BROKER": "127.0.0.1", "MQTT_PORT": broker.port, "MQTT_USERNAME": broker.user,
            "MQTT_PASSWORD": broker.password}


@pytest.fixture
def silent():
    """A port that accepts and never says a word."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(64)
        yield s.getsockname()[1]


def test_all_is_well(check, mqtt, ha):
    code, rows, _ = check(**mqtt, HA_URL=ha.url, HA_TOKEN=ha.token, HISTORY=ha.folder / "home-assistant_v2.db")
    assert code == 0
    assert {part: result for part, (result, _) in rows.items()} == {
        "broker": "ok", "TLS": "off", "login": "ok", "ha-ai/test": "ok", "HA": "ok", "HA token": "ok", "HA admin": "ok",
        "history": "ok", "database": "ok", "disk": "ok"}
    assert rows["login"][1].endswith("MQTT 5") and ha.version in rows["HA"][1]


def test_what_is_not_configured_is_off(check, mqtt):
    code, rows, _ = check(**mqtt)
    assert code == 0
    assert [part for part, (result, _) in rows.items() if result == "off"] == ["TLS", "HA", "history"]


def test_leaves_a_running_service_alone(check, daemon, broker, mqtt):
    service = daemon(DISCOVERY_DIR=ROOT / "discovery").start()
    service.wait_healthy()
    mark = len(broker.log.read_text())
    assert check(**mqtt)[0] == 0
    assert service.health()[0] == 200
    said = broker.log.read_text()[mark:]
    assert "ha_ai-check" in said and "already connected" not in said
    code, printed = health(service)
    assert code == 0 and '"' in printed
    service.stop()
    code, printed = health(service)
    assert code == 1 and "could not connect to 127.0.0.1" in printed


def health(service):
    answer = subprocess.run([service.binary, "check", "--health"], env=service.environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20)
    return answer.returncode, answer.stdout


def test_broker_troubles(check, mqtt, silent, ha):
    def row(part, **changes):
        code, rows, _ = check(**{**mqtt, **changes})
        assert code == 1 and rows[part][0] == "failed"
        return rows[part][1]
    assert "bad user" not in row("login", MQTT_PASSWORD="wrong-word-here")
    assert "the broker refused user 'ha-ai'" in row("login", MQTT_PASSWORD="wrong-word-here")
    assert "Connection refused" in row("broker", MQTT_PORT=free_port())
    assert "cannot be resolved" in row("broker", MQTT_BROKER="no-such-host.invalid")
    assert "does not answer as MQTT" in row("login", MQTT_PORT=silent)
    assert "does not answer as MQTT" in row("login", MQTT_PORT=ha.port)
    assert "MQTT_PORT the broker's TLS port" in row("TLS", MQTT_TLS="on")
    code, _, printed = check(**{**mqtt, "MQTT_PORT": "many"})
    assert code == 2 and "MQTT_PORT" in printed and printed.count("\n") == 1


def test_broker_wants_a_user(check, broker):
    code, rows, _ = check(MQTT_BROKER="127.0.0.1", MQTT_PORT=broker.port)
    assert code == 1 and "set MQTT_USERNAME and MQTT_PASSWORD" in rows["login"][1]
    assert "ha-ai/test" not in rows


def test_tls(check, tmp_path):
    with Broker(tmp_path / "tls", tls=True) as broker:
        settings = {"MQTT_BROKER": "localhost", "MQTT_PORT": broker.tls_port, "MQTT_USERNAME": broker.user,
                    "MQTT_PASSWORD": broker.password}
        code, rows, _ = check(**settings, MQTT_CA_FILE=broker.ca)
        assert code == 0 and rows["TLS"][0] == rows["ha-ai/test"][0] == "ok"
        code, rows, _ = check(**settings, MQTT_TLS="on")  # the system's CAs do not know it
        assert code == 1 and rows["TLS"][0] == "failed" and "certificate" in rows["TLS"][1]
        code, rows, _ = check(**settings)
        assert code == 1 and "is it a TLS port" in rows["login"][1]


@pytest.mark.parametrize("acl, words", [
    ("user ha-ai\ntopic write ha-ai/#\n", "does the broker's access list allow ha-ai/#?"),
    ("user ha-ai\ntopic read ha-ai/#\n", "does not let this user publish"),
])
def test_access_list(check, tmp_path, acl, words):
    (tmp_path / "acl").write_text(acl)
    with Broker(tmp_path / "acl-broker", settings=f"acl_file {tmp_path}/acl") as broker:
        code, rows, _ = check(MQTT_BROKER="127.0.0.1", MQTT_PORT=broker.port, MQTT_USERNAME=broker.user,
                              MQTT_PASSWORD=broker.password)
    assert code == 1 and rows["login"][0] == "ok" and words in rows["ha-ai/test"][1]


def test_home_assistant_troubles(check, mqtt, ha, silent):
    def rows_of(**changes):
        code, rows, _ = check(**mqtt, **{"HA_URL": ha.url, "HA_TOKEN": ha.token, **changes})
        assert code == 1
        return rows
    rows = rows_of(HA_TOKEN="a.wrong.token")
    assert rows["HA"][0] == "ok" and "HA rejects HA_TOKEN (401)" in rows["HA token"][1]
    rows = rows_of(HA_TOKEN=ha.add_user(f"plain{time.time_ns()}"))
    assert rows["HA token"][0] == "ok" and "no admin's" in rows["HA admin"][1]
    rows = rows_of(HA_URL=f"http://127.0.0.1:{free_port()}")
    assert rows["HA"][0] == "failed" and "could not connect" in rows["HA"][1]
    rows = rows_of(HA_URL=f"http://127.0.0.1:{silent}")
    assert rows["HA"][0] == "failed" and "no whole answer" in rows["HA"][1] and check.seconds < 20
    rows = rows_of(HA_URL=f"https://127.0.0.1:{ha.port}")
    assert rows["HA"][0] == "failed" and "TLS" in rows["HA"][1]
    code, rows, _ = check(**mqtt, HA_URL=ha.url)
    assert code == 1 and "HA_TOKEN is not set" in rows["HA"][1]


def test_history_and_disk_troubles(check, mqtt, tmp_path, ha):
    (tmp_path / "text.db").write_text("no database at all, just a text that is long enough to be read\n" * 50)
    for history in (tmp_path / "text.db", tmp_path / "nothing.db", tmp_path):
        code, rows, _ = check(**mqtt, HISTORY=history)
        assert code == 1 and rows["history"][0] == "failed" and str(tmp_path) in rows["history"][1]
    code, rows, _ = check(**mqtt, DATABASE_PATH=tmp_path / "text.db" / "ha-ai.db")
    assert code == 1 and rows["database"][0] == "failed"
    code, rows, _ = check(**mqtt, DATABASE_PATH=tmp_path / "new" / "deep" / "ha-ai.db")
    assert code == 0 and "neither file nor folder made yet" in rows["database"][1]
    assert not (tmp_path / "new").exists()


def test_wrong_use(check, tmp_path):
    for arguments in (["--colour"], ["--env-file"], ["now"]):
        code, _, printed = check(*arguments)
        assert code == 2 and printed.startswith(f"ha-ai: check: unexpected '{arguments[0]}'")
    code, _, printed = check("--env-file", str(tmp_path / "no.env"))
    assert code == 2 and "no.env" in printed
    (tmp_path / "a.env").write_text("MQTT_BROKER=127.0.0.1\nMQTT_PORT=%d\nMQTT_BROKRE=x\n" % free_port())
    code, _, printed = check("--env-file", str(tmp_path / "a.env"))
    assert code == 2 and "MQTT_BROKRE" in printed
