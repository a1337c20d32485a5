"""Deploying when something goes wrong between Home Assistant's answer and our database. A stand-in plays Home
Assistant here, for it can be slow, starting or silent at will; what the real one does is in test_ha.py and
test_story.py."""
import json
import sqlite3
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from homeassistant import free_port, wait_until
from service import COMPLETE, DEVICE, EVENT, RUN, Services, simulated_home
from stand_in_websocket import StandInSocket

CONFIG = "/api/config/automation/config/"
EXECUTED = "ha-ai/responses/automation/executed"
# Whatever a habit of a simulated home may call.
SERVICES = {"mqtt": ["publish"], "fan": ["turn_on", "turn_off", "set_percentage"],
            "climate": ["set_temperature"], "cover": ["set_cover_position"],
            "media_player": ["turn_on", "turn_off", "volume_set"],
            **dict.fromkeys(("light", "switch", "input_boolean"), ["turn_on", "turn_off"])}


class StandIn:
    """Home Assistant's API as far as a deployment asks it."""

    def __init__(self):
        self.state = "RUNNING"
        self.rejects = False  # the token
        self.automations = {}  # id: configuration
        self.automation_state = "on"  # of their entities
        self.last_triggered = {}  # id: seconds
        self.posts, self.deletes = [], []
        self.before_list = lambda: None  # called before the list of automations is answered
        self.on_request = lambda moment, method, path: None  # "before" and "after"; may return (status, body)
        self.socket = StandInSocket()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if self.path.startswith("/api/stream"):
                    outer.stream(self)
                elif self.path == "/api/websocket":
                    outer.socket.answer(self)
                else:
                    self.handle_one("GET", lambda: outer.get(self.path))

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.handle_one("POST", lambda: outer.post(self.path, body))

            def do_DELETE(self):
                self.handle_one("DELETE", lambda: outer.delete(self.path))

            def handle_one(self, method, handle):
                instead = outer.on_request("before", method, self.path)
                answer = instead or handle()
                instead = outer.on_request("after", method, self.path)
                self.answer(*(instead or answer))

            def answer(self, status, body):
                """Status 0: no answer at all; a status below 0: half of one."""
                data = json.dumps(body).encode()
                if status <= 0:
                    self.close_connection = True
                if status == 0:
                    return
                if status < 0:
                    self.send_response(-status)
                    self.send_header("Content-Length", str(len(data) + 10))
                    self.end_headers()
                    self.wfile.write(data[:len(data) // 2])
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.open = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def get(self, path):
        if self.rejects:
            return 401, {"message": "Unauthorized"}
        if path == "/api/config":
            return 200, {"version": "2025.4.4", "time_zone": "UTC", "state": self.state, "latitude": 1, "longitude": 1}
        if path.startswith(CONFIG):
            found = self.automations.get(path[len(CONFIG):])
            return (200, found) if found else (404, {"message": "Resource not found"})
        if path.startswith("/api/states/"):
            return (200, {}) if self.state == "RUNNING" else (404, {"message": "Entity not found."})
        if path == "/api/services":
            return 200, [{"domain": d, "services": dict.fromkeys(names, {})} for d, names in SERVICES.items()]
        return 404, {"message": "not found"}

    def post(self, path, body):
        if path.startswith(CONFIG):
            self.posts.append(path)
            self.automations[path[len(CONFIG):]] = body
            return 200, {"result": "ok"}
        self.before_list()
        return 200, [[f"automation.{i}", i, self.automation_state, self.last_triggered.get(i, 0)] for i in self.automations]

    def delete(self, path):
        self.deletes.append(path)
        found = self.automations.pop(path[len(CONFIG):], None)
        return (200, {"result": "ok"}) if found else (400, {"message": "Resource not found"})

    def stream(self, request):
        request.send_response(200)
        request.end_headers()
        try:
            while self.open:
                request.wfile.write(b"data: ping\n\n")
                time.sleep(0.2)
        except OSError:
            pass

    def close(self):
        self.open = False
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def home(ha_ai, tmp_path_factory):
    return simulated_home(ha_ai, tmp_path_factory.mktemp("home"), least=2)


@pytest.fixture
def stand_in():
    one = StandIn()
    yield one
    one.close()


@pytest.fixture
def service(ha_ai, tmp_path, mosquitto, listener, home, stand_in):
    """A service with suggestions, the first of them selected."""
    with Services(ha_ai, tmp_path, mosquitto) as services:
        one = services(HISTORY=home, HA_URL=stand_in.url, HA_TOKEN="a-long-lived-token").start().wait_healthy()
        listener.publish(RUN)
        listener.wait(COMPLETE)
        wait_until(lambda: one.health()[1]["suggestions_waiting"] >= 1, 5, "a suggestion")
        yield one


def press(listener, entity="approve", **more):
    listener.publish(f"{DEVICE}/{entity}/set", {"ts": "2999-01-01T00:00:00Z"} | more)


def approve(listener):
    press(listener)
    listener.wait(EVENT, lambda e: e["event_type"] == "approved")


def deployed(listener):
    return listener.wait(EVENT, lambda e: e["event_type"] in ("deployed", "failed"))


def test_not_while_home_assistant_starts(service, listener, stand_in):
    stand_in.state = "NOT_RUNNING"
    service.restart().wait_healthy()
    approve(listener)
    time.sleep(3)
    assert not stand_in.posts
    stand_in.state = "RUNNING"
    assert deployed(listener)["event_type"] == "deployed"
    assert len(stand_in.posts) == 1


def test_a_database_that_is_locked_when_it_answers(service, listener, stand_in):
    lock = sqlite3.connect(service.folder / "ha-ai.db", isolation_level=None, check_same_thread=False)
    stand_in.before_list = lambda: stand_in.posts and not lock.in_transaction and lock.execute("BEGIN IMMEDIATE")
    approve(listener)
    service.wait_log("could not be kept")
    time.sleep(5)
    assert len(stand_in.posts) == 1, "it deploys again and again"
    stand_in.before_list = lambda: None
    lock.execute("ROLLBACK")
    lock.close()
    assert deployed(listener)["event_type"] == "deployed"
    assert len(stand_in.posts) == 1
    assert len(listener.of("ha-ai/commands/automation/deploy")) == 1


def test_a_press_that_could_not_be_kept_comes_again(service, listener):
    """It is about the suggestion that was selected when it was pressed, not about the next one."""
    database = sqlite3.connect(service.folder / "ha-ai.db", isolation_level=None)
    (selected,) = database.execute("SELECT value FROM setting WHERE key = 'selected'").fetchone()
    database.execute("CREATE TRIGGER no_room BEFORE UPDATE ON inbox BEGIN SELECT RAISE(ABORT, 'no room'); END")
    listener.publish(f"{DEVICE}/approve/set", {"ts": "2999-01-01T00:00:00Z"})
    service.wait_log("no room")
    assert not listener.of(EVENT) or listener.of(EVENT)[-1]["event_type"] == "new"
    database.execute("DROP TRIGGER no_room")
    database.close()
    assert listener.wait(EVENT, lambda e: e["event_type"] == "approved")["suggestion_id"] == selected
    assert deployed(listener)["suggestion_id"] == selected


def test_killed_before_the_answer_is_kept(service, listener, stand_in):
    stand_in.before_list = lambda: stand_in.posts and service.kill()
    approve(listener)
    wait_until(lambda: not service.alive(), 20, "the end")
    stand_in.before_list = lambda: None
    service.start().wait_healthy()
    assert deployed(listener)["event_type"] == "deployed"
    assert len(stand_in.automations) == 1
    assert len(listener.of("ha-ai/commands/automation/deploy")) == 1


def test_runs_while_the_service_was_off(service, listener, stand_in):
    """Home Assistant tells the time of the last one, the broker kept its report: one run."""
    approve(listener)
    deployed(listener)
    automation = next(iter(stand_in.automations))
    for n in range(1, 4):
        service.stop()
        at = time.time() - 600 + 120 * n
        stand_in.last_triggered[automation] = at
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at + 1))
        listener.publish(EXECUTED, {"automation_id": automation, "id": f"context-{n}", "timestamp": stamp})
        service.start().wait_healthy()
        wait_until(lambda: service.health()[1]["runs"]["total"] == n, 20, f"{n} runs")
        time.sleep(2)
        runs = service.health()[1]["runs"]
        assert (runs["total"], runs["confirmed"], runs["unconfirmed"]) == (n, n, 0), runs


def refused(listener, count):
    return listener.wait(EVENT, lambda e: e["event_type"] == "refused", count=count)["reason"]


def test_a_hand_written_file_is_not_rewritten_unasked(service, listener, stand_in, home):
    """Home Assistant would lose the comment: said first, done when pressed again, a copy kept."""
    text = "# my own words\n- id: mine\n  alias: Mine\n"
    file = Path(home).parent / "automations.yaml"
    file.write_text(text)
    try:
        press(listener)
        why = refused(listener, 1)
        assert "comment" in why and "again" in why
        assert not stand_in.posts
        approve(listener)
        assert deployed(listener)["event_type"] == "deployed"
        (copy,) = service.folder.glob("automations.*.yaml")
        assert copy.read_text() == text and copy.stat().st_mode & 0o777 == 0o600
    finally:
        file.unlink()


def test_home_assistant_rejects_the_token(service, listener, stand_in):
    stand_in.rejects = True
    service.restart().wait_healthy(status=503)
    wait_until(lambda: "401" in (service.health()[1]["home_assistant"]["problem"] or ""), 10, "the reason in /health")
    press(listener)
    assert "HA_TOKEN" in refused(listener, 1)
    assert service.health()[1]["suggestions_waiting"] >= 1 and not stand_in.posts
