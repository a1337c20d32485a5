"""What becomes of the runs of a deployed automation, in a real Home Assistant: seen live, counted on the device, and what
was not seen filled in from the history by the next analysis."""
import json
import socket
import sqlite3
import subprocess
import threading
import time

import pytest

from broker import Broker
from conftest import ROOT
from daemon import Daemon
from homeassistant import HomeAssistant, wait_until
from listener import Listener
from service import COMPLETE, RUN, approve_made

DEPLOYED, EDITED = 2, 10
LAMP, DOOR = "input_boolean.lamp", "input_boolean.door"
UNDONE = "sensor.ha_ai_actions_undone"
OLD_LIGHT = "light: [{platform: template, lights: {dim: {turn_on: [], turn_off: [], set_level: [{delay: 0}]}}}]\n"
LIGHT = "template: [{light: [{name: dim, turn_on: [], turn_off: [], set_level: [{delay: 0}]}]}]\n"
def by_the_clock(alias, armed, service):
    """An automation of the home; what a clock sets off has a context without a parent."""
    return {"alias": alias, "triggers": [{"trigger": "time_pattern", "seconds": "/1"}],
            "conditions": [{"condition": "state", "entity_id": armed, "state": "on"}],
            "actions": [{"action": f"input_boolean.{service}", "target": {"entity_id": LAMP}},
                        {"action": "input_boolean.turn_off", "target": {"entity_id": armed}}]}


class Proxy:
    """Between the service and Home Assistant; what goes over it can be cut."""

    def __init__(self, port):
        self._to = port
        self._sockets = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                one, _ = self._server.accept()
            except OSError:
                return
            if self.is_cut:
                one.close()
                continue
            try:
                other = socket.create_connection(("127.0.0.1", self._to))
            except OSError:  # Home Assistant restarts
                one.close()
                continue
            self._sockets += [one, other]
            for a, b in ((one, other), (other, one)):
                threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    @staticmethod
    def _pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for one in (a, b):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.is_cut = True
        for one in self._sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._sockets.clear()

    def close(self):
        self.cut()
        self._server.close()


class Home:
    def __init__(self, ha_ai, ha_version, folder):
        config = folder / "ha"
        config.mkdir()
        (config / "configuration.yaml").write_text(
            "input_boolean: {lamp: , door: , arm_on: , arm_off: , other: }\nrecorder: {commit_interval: 1}\n"
            + (OLD_LIGHT if ha_version < "2025.5" else LIGHT))
        self.broker = Broker(folder / "broker").start()
        self.ha = HomeAssistant(ha_version, config).start()
        self.ha.add_mqtt(self.broker)
        self.person = self.ha.add_user("anna")
        self.ha.api("POST", "/api/services/light/turn_off", {"entity_id": "light.dim"})  # it was `unknown`
        self.is_known_since = time.time()
        self.proxy = Proxy(self.ha.port)
        self.daemon = Daemon(ha_ai, folder / "ha-ai", self.broker, HA_URL=f"http://127.0.0.1:{self.proxy.port}",
                             HA_TOKEN=self.ha.token, HISTORY=config / "home-assistant_v2.db", ANALYSIS_SCHEDULE="0 3 1 1 *")
        for name, armed, service in (("on", "input_boolean.arm_on", "turn_on"), ("off", "input_boolean.arm_off", "turn_off")):
            self.ha.api("POST", f"/api/config/automation/config/clock_{name}", by_the_clock(f"Clock {name}", armed, service))
        self.daemon.start().wait_healthy()
        self.listener = Listener(self.broker)
        subprocess.run(["make", "-s", "MODE=asan", "build/asan/drivers/rule"], cwd=ROOT, check=True)
        rule = subprocess.run([ROOT / "build/asan/drivers/rule", "state", DOOR, "on", LAMP], check=True,
                              stdout=subprocess.PIPE)
        self.deploy("door", json.loads(rule.stdout))

    def deploy(self, suggestion, automation):
        self.daemon.stop()
        approve_made(self.daemon, suggestion, automation, "sequence")
        before = self.opened()
        self.daemon.start().wait_healthy()
        wait_until(lambda: self.sql("SELECT state FROM suggestion WHERE id = ?", suggestion) == [(DEPLOYED,)], 60,
                   "it is deployed")
        self.wait_watching(before)

    def as_if_deployed(self, suggestion, automation, in_home_assistant=True):
        """One that somebody else took over from our message; the service has to start anew."""
        content = {"id": suggestion, "kind": "value", "title": suggestion, "automation": automation}
        self.sql("INSERT INTO suggestion (id, family, state, title, content, rank, days, said_days, created_ms, via_mqtt,"
                 " updated_ms, deployed_ms, since_ms) VALUES (?1, ?1, ?3, ?1, ?2, 9, 127, 127, 1, 1, 1, 1, 1)",
                 suggestion, json.dumps(content), DEPLOYED)
        if in_home_assistant:
            self.ha.api("POST", f"/api/config/automation/config/ha_ai_{suggestion}", automation)

    def restart(self):
        before = self.opened()
        self.daemon.restart().wait_healthy()
        self.wait_watching(before)

    def sql(self, text, *values):
        return self.daemon.sql(text, *values)

    def opened(self):
        return self.daemon.log_text().count("HA's WebSocket is open")

    def wait_watching(self, before):
        wait_until(lambda: self.opened() > before, 60, "the WebSocket")
        time.sleep(2)  # how the entities are has been told

    def set(self, entity, state):
        """By a person, with a token of their own."""
        self.ha.api("POST", f"/api/services/input_boolean/turn_{state}", {"entity_id": entity}, token=self.person)
        self.ha.wait_state(entity, state)

    def by_clock(self, state):
        """By an automation that a clock set off."""
        self.set(f"input_boolean.arm_{state}", "on")
        self.ha.wait_state(LAMP, state)
        self.ha.wait_state(f"input_boolean.arm_{state}", "off")

    def runs(self):
        return self.sql("SELECT context, at_ms, outcome, act_ms, redone, theirs FROM run ORDER BY at_ms")

    def fire(self):
        """The rule runs; its context."""
        before = len(self.runs())
        self.set(DOOR, "off")
        self.set(DOOR, "on")
        self.ha.wait_state(LAMP, "on")
        wait_until(lambda: len(self.runs()) > before, 20, "the run")
        return self.runs()[-1][0]

    def outcome(self, context):
        ((found,),) = self.sql("SELECT outcome FROM run WHERE context = ?", context)
        return found

    def wait_outcome(self, context, wanted, timeout=20):
        wait_until(lambda: self.outcome(context) is not None, timeout, "an outcome")
        assert self.outcome(context) == wanted

    def undone(self):
        """As Home Assistant shows it, once it shows what is kept."""
        kept = lambda: self.sql("SELECT count(*) FROM run WHERE outcome = 'undone' AND theirs = 0")[0][0]  # noqa: E731
        wait_until(lambda: self.ha.state(UNDONE) == str(kept()), 30, f"{UNDONE} to be {kept()}")
        return kept()

    def number(self, entity):
        """Once the service is back."""
        away = ("unavailable", "unknown")
        return int(wait_until(lambda: (state := self.ha.state(entity)) not in away and state, 30, f"{entity} to be there"))

    def age(self, minutes):
        """So much time goes by, for our database."""
        self.daemon.stop()
        ms = minutes * 60000
        self.sql("UPDATE run SET at_ms = at_ms - ?1, act_ms = max(act_ms - ?1, 0)", ms)
        self.sql("UPDATE suggestion SET since_ms = since_ms - ?1 WHERE since_ms > ?1", ms)

    def close(self):
        assert self.daemon.stop() == 0, self.daemon.log_text()[-3000:]
        self.listener.close()
        self.proxy.close()
        self.ha.stop()
        self.broker.stop()


@pytest.fixture(scope="module")
def home(ha_ai, ha_version, tmp_path_factory):
    made = Home(ha_ai, ha_version, tmp_path_factory.mktemp("watching"))
    yield made
    made.close()


def test_undone_by_a_person(home):
    home.set(LAMP, "off")
    context = home.fire()
    before = home.undone()
    time.sleep(4)
    assert home.outcome(context) is None, "its time is not over"
    home.set(LAMP, "off")
    home.wait_outcome(context, "undone")
    home.ha.wait_state(UNDONE, str(before + 1))
    ((act,),) = home.sql("SELECT act_ms FROM run WHERE context = ?", context)
    assert abs(act / 1000 - time.time()) < 30
    # The same by hand, later on that day.
    home.set(LAMP, "on")
    wait_until(lambda: home.sql("SELECT redone FROM run WHERE context = ?", context) == [(1,)], 10, "redone")


def test_not_by_another_automation(home):
    """Of automations that ran, the last 256 are known by their contexts."""
    home.ha.api("POST", "/api/config/automation/config/nothing", {"alias": "Nothing", "triggers": [], "actions": []})
    wait_until(lambda: home.ha.state("automation.nothing") == "on", 10, "the automation")
    for _ in range(260):
        home.ha.call_service("automation", "trigger", entity_id="automation.nothing")
    home.set(LAMP, "off")
    context, before = home.fire(), home.undone()
    home.by_clock("off")
    time.sleep(10)
    assert home.outcome(context) is None and home.undone() == before


def test_already_so(home):
    home.set(LAMP, "off")
    home.by_clock("on")
    home.wait_outcome(home.fire(), "idle")
    home.set(LAMP, "off")
    home.set(LAMP, "on")
    home.wait_outcome(home.fire(), "preempted")


def test_killed_in_between(home):
    """What it did shows its context afterwards; so it goes on."""
    home.set(LAMP, "off")
    context, before = home.fire(), home.undone()
    home.daemon.kill()
    opened = home.opened()
    home.daemon.start().wait_healthy()
    home.wait_watching(opened)
    time.sleep(4)
    assert home.outcome(context) is None
    home.set(LAMP, "off")
    home.wait_outcome(context, "undone")
    home.ha.wait_state(UNDONE, str(before + 1))


def test_more_changes_than_are_kept(home):
    home.set(LAMP, "off")
    for _ in range(35):
        home.set(LAMP, "on")
        home.set(LAMP, "off")
    home.set(LAMP, "on")
    home.wait_outcome(home.fire(), "preempted")


def test_another_value(home):
    """A person dims what the run switched on at a brightness."""
    home.as_if_deployed("dim", {
        "alias": "Dim", "description": "", "mode": "single", "conditions": [],
        "triggers": [{"trigger": "state", "entity_id": DOOR, "from": "on", "to": "off"}],
        "actions": [{"action": "light.turn_on", "target": {"entity_id": "light.dim"}, "data": {"brightness_pct": 40},
                     "continue_on_error": True}]})
    home.set(DOOR, "on")
    home.restart()
    time.sleep(max(0, home.is_known_since + 61 - time.time()))  # until then what it does counts as restored

    def fire():
        home.ha.api("POST", "/api/services/light/turn_off", {"entity_id": "light.dim"}, token=home.person)
        home.set(DOOR, "on")
        before = len(home.runs())
        home.set(DOOR, "off")
        home.ha.wait_state("light.dim", "on")
        wait_until(lambda: [run for run in home.runs()[before:] if run[0] in dim()], 20, "the run")
        return dim()[-1]

    def dim():
        return [context for (context,) in home.sql("SELECT context FROM run WHERE automation = 'ha_ai_dim' ORDER BY at_ms")]

    def set_to(percent):
        home.ha.api("POST", "/api/services/light/turn_on", {"entity_id": "light.dim", "brightness_pct": percent},
                    token=home.person)
    context = fire()
    time.sleep(2)  # what a lamp does by itself at first is no choice
    set_to(41)
    time.sleep(8)
    assert home.outcome(context) is None, "it means the same"
    set_to(80)
    home.wait_outcome(context, "undone")
    home.ha.api("DELETE", "/api/config/automation/config/ha_ai_dim")
    home.sql("DELETE FROM suggestion WHERE id = 'dim'")


def test_home_assistant_restarts(home):
    home.set(LAMP, "off")
    context, before = home.fire(), home.undone()
    opened = home.opened()
    home.ha.restart()
    home.wait_watching(opened)
    home.set(LAMP, "off")
    home.wait_outcome(context, "unknown", 60)
    wait_until(lambda: home.ha.state(UNDONE) not in ("unknown", "unavailable"), 20, "the sensor")
    assert home.undone() == before


def test_more_targets_than_are_watched(home):
    """Said once; those that have room are watched."""
    for number in range(11):
        targets = [f"light.many_{number}_{n}" for n in range(50)]
        home.as_if_deployed(f"many{number}", {
            "alias": "Many", "triggers": [{"trigger": "time", "at": "03:00:00"}], "conditions": [],
            "actions": [{"action": "light.turn_on", "target": {"entity_id": targets}, "continue_on_error": True}]}, False)
    said = "what becomes of their runs is told by the next analysis"
    home.restart()
    assert home.daemon.log_text().count(said) == 1, home.daemon.log_text()[-2000:]
    home.set(LAMP, "off")
    context = home.fire()
    home.set(LAMP, "off")
    home.wait_outcome(context, "undone")
    assert home.daemon.log_text().count(said) == 1
    home.daemon.stop()
    home.sql("DELETE FROM suggestion WHERE id GLOB 'many*'")
    home.daemon.start().wait_healthy()


def test_nothing_happened_while_it_was_closed(home):
    """That is seen by how the target is afterwards, and it goes on."""
    home.set(LAMP, "off")
    context = home.fire()
    opened = home.opened()
    home.proxy.cut()
    home.proxy.is_cut = False
    home.wait_watching(opened)
    time.sleep(6)
    assert home.outcome(context) is None
    home.set(LAMP, "off")
    home.wait_outcome(context, "undone")


def test_not_seen_is_unknown_and_filled_in(home):
    began = time.time()
    home.set(LAMP, "off")
    context, before = home.fire(), home.undone()
    opened = home.opened()
    home.proxy.cut()
    home.set(LAMP, "off")
    time.sleep(2)
    home.proxy.is_cut = False
    home.wait_watching(opened)
    home.wait_outcome(context, "unknown", 60)
    assert home.undone() == before
    home.set("input_boolean.other", "on")
    time.sleep(3)  # Home Assistant writes it
    # Twenty minutes go by, for our database and a copy of the recorder's; then something else happens.
    home.age(20)
    source, copy = home.ha.folder / "home-assistant_v2.db", home.daemon.folder / "home-assistant_v2.db"
    with sqlite3.connect(source) as one, sqlite3.connect(copy) as other:
        one.backup(other)
        last = other.execute("SELECT max(state_id) FROM states").fetchone()[0]
        for table, columns in (("states", ("last_updated_ts", "last_changed_ts")), ("events", ("time_fired_ts",))):
            for column in columns:  # the start of Home Assistant and of the service still longer ago
                other.execute(f"UPDATE {table} SET {column} = {column} - 1200 - 600 * ({column} < {began})"
                              + (f" WHERE state_id < {last}" if table == "states" else ""))
        other.execute("UPDATE recorder_runs SET start = datetime(start, '-30 minutes')")
    settings, home.daemon.environment["HISTORY"] = home.daemon.environment["HISTORY"], str(copy)
    home.daemon.start().wait_healthy()
    count = len(home.listener.of(COMPLETE))
    home.listener.publish(RUN)
    wait_until(lambda: len(home.listener.of(COMPLETE)) > count, 60, "the analysis")
    assert home.listener.of(COMPLETE)[-1]["success"], home.listener.of(COMPLETE)[-1]
    assert home.outcome(context) == "undone", home.runs()
    ((undone,),) = home.sql("SELECT count(*) FROM run WHERE outcome = 'undone'")
    assert undone > before  # also by whoever did it right after Home Assistant's restart, for example
    home.ha.wait_state(UNDONE, str(undone))
    ((of_door,),) = home.sql("SELECT count(*) FROM run WHERE outcome = 'undone' AND automation = 'ha_ai_door'")
    shown = subprocess.run([home.daemon.binary, "suggestions", "show", "door"], env=home.daemon.environment,
                           cwd=home.daemon.folder, check=True, stdout=subprocess.PIPE, text=True).stdout
    (line,) = [line for line in shown.splitlines() if line.startswith("runs ")]
    assert f"undone {of_door}" in line and "idle" in line and "preempted" in line, line
    home.daemon.stop()
    home.daemon.environment["HISTORY"] = settings
    home.daemon.start().wait_healthy()


def test_made_theirs(home):
    """Watched, but no more counted as ours."""
    before, saved = home.undone(), home.ha.api("GET", "/api/config/automation/config/ha_ai_door")
    done = home.number("sensor.ha_ai_actions_done")
    home.ha.api("POST", "/api/config/automation/config/ha_ai_door", saved | {"mode": "restart"})
    wait_until(lambda: home.sql("SELECT state FROM suggestion WHERE id = 'door'") == [(EDITED,)], 40, "it is theirs")
    home.set(LAMP, "off")
    context = home.fire()
    home.set(LAMP, "off")
    home.wait_outcome(context, "undone")
    time.sleep(6)
    assert home.undone() == before and home.number("sensor.ha_ai_actions_done") == done
    assert home.sql("SELECT theirs FROM run WHERE context = ?", context) == [(1,)]
