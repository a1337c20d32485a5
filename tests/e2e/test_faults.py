"""`ha-ai run` when its surroundings fail: the broker, the history, the analysis, the process itself.

The first fixture starts what takes a minute by nature; the last tests look at it.
"""
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import tempfile
import threading
import time
from pathlib import Path

import pytest

from broker import Broker
from homeassistant import free_port, wait_until
from listener import Listener
from service import COMPLETE, DEVICE, EVENT, RUN, Services, health_ms

LONG = os.environ.get("HA_AI_LONG")
SUGGESTION_DEPLOYED = 2  # in our database
CONNECTED_S = 15  # after the cause of a fault ended


def child_of(service):
    """The process id of its analysis, or None."""
    try:
        children = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()
        if children and b"\0analyze\0" in Path(f"/proc/{children[0]}/cmdline").read_bytes():
            return int(children[0])
    except OSError:
        pass  # it has just ended
    return None


def state_of(pid):
    """R, S, T …; None when there is no such process (or only its remains)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None
    return None if state in "ZX" else state


def freeze_analysis(service, start):
    """Starts an analysis and stops its process in the middle; its id."""
    for _ in range(10):
        start()
        pid = wait_until(lambda: child_of(service), 10, "the analysis to start", every=0.001)
        try:
            os.kill(pid, signal.SIGSTOP)
            wait_until(lambda: state_of(pid) in ("T", None), 5, "it to stop", every=0.001)
            if state_of(pid) == "T":
                return pid
        except ProcessLookupError:
            pass  # it was faster
        wait_until(lambda: child_of(service) is None, 10, "its end")
    raise TimeoutError("every analysis ended before it could be stopped")


@pytest.fixture(scope="module", autouse=True)
def minute(ha_ai, tmp_path_factory, home):
    """Services that something must happen to within a minute or so."""
    class Minute:
        """Its attributes are the services and their listener."""
    it = Minute()
    folder = tmp_path_factory.mktemp("minute")
    with Broker(folder / "broker") as broker, Listener(broker) as it.listener, \
            Services(ha_ai, folder, broker) as services:
        it.began = time.monotonic()
        it.late_history = folder / "late.db"
        it.late = services(INSTANCE="late", HISTORY=it.late_history, TZ="UTC").start().wait_healthy(status=503)
        it.late_problem = it.late.health()[1]["history"]["problem"]
        shutil.copy(home, it.late_history)
        minutely = {"HISTORY": home, "TZ": "UTC", "ANALYSIS_SCHEDULE": "* * * * *"}
        it.scheduled = services(INSTANCE="scheduled", **minutely).start().wait_healthy()
        it.off = services(INSTANCE="off", **minutely).start().wait_healthy()
        it.listener.publish("ha-ai/device/off/daily_analysis/set", {"value": "OFF"})
        it.listener.wait_last("ha-ai/device/off/daily_analysis/state", "OFF")
        it.off.restart().wait_healthy()
        it.busy = services(INSTANCE="busy", **minutely).start().wait_healthy()
        it.frozen = freeze_analysis(it.busy, lambda: it.listener.publish("ha-ai/device/busy/analyze_now/set", {}))
        yield it
        try:
            os.kill(it.frozen, signal.SIGKILL)
        except ProcessLookupError:
            pass


# ---- the broker ---------------------------------------------------------------------------------

def broker_problem(service):
    return service.health()[1]["broker"]["problem"] or ""


def test_broker_absent_at_start(services, tmp_path):
    broker = Broker(tmp_path / "late-broker")
    one = services(broker=broker).start().wait_healthy(status=503)
    wait_until(lambda: "127.0.0.1" in broker_problem(one), 5, "the problem")
    assert health_ms(one, 100) <= 100
    assert one.log_text().count(broker_problem(one)) == 1  # said once, not at every attempt
    broker.start()
    one.wait_healthy(CONNECTED_S)
    assert broker_problem(one) == ""
    broker.stop()


def test_broker_restarts(services, tmp_path):
    """A crash: the broker has forgotten everything, and gets it again."""
    with Broker(tmp_path / "own-broker") as broker:
        one = services(broker=broker).start().wait_healthy()
        broker.kill()
        one.wait_healthy(5, status=503)
        for path in (tmp_path / "own-broker").glob("*.db"):
            path.unlink()
        broker.start()
        one.wait_healthy(CONNECTED_S)
        with Listener(broker, topics=("ha-ai/device/#", "homeassistant/#")) as listener:
            listener.wait_last(f"{DEVICE}/availability", "online")
            assert listener.last("homeassistant/device/ha_ai/config")
            assert listener.last(f"{DEVICE}/suggestions_waiting/state") == "0"
        lost = [line for line in one.log_text().splitlines() if line.startswith(("<3>", "<4>"))]
        assert len(lost) == 1, lost  # once down, and once up:
        assert one.log_text().count("connected to") == 2


def test_wrong_password_then_right(services, tmp_path):
    with Broker(tmp_path / "own-broker") as broker:
        one = services(broker=broker, MQTT_PASSWORD="the other words").start().wait_healthy(status=503)
        wait_until(lambda: broker.user in broker_problem(one), 5, "the problem")
        assert "the other words" not in broker_problem(one)
        assert health_ms(one, 50) <= 100
        broker.set_password(broker.user, "the other words")
        broker.reload()
        one.wait_healthy(CONNECTED_S)


@pytest.mark.parametrize("answers", ["nothing", "rubbish"])
def test_something_else_on_the_brokers_port(services, answers):
    """It takes connections and says nothing, or no MQTT; /health and the end do not wait for it."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        taken = []

        def accept():
            try:
                while True:
                    taken.append(listening.accept()[0])
                    if answers == "rubbish":
                        taken[-1].sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            except OSError:
                pass
        threading.Thread(target=accept, daemon=True).start()
        port = listening.getsockname()[1]
        one = services(MQTT_PORT=port).start().wait_healthy(status=503)
        wait_until(lambda: taken, 10, "an attempt")
        began = time.monotonic()
        while time.monotonic() - began < 3:
            assert health_ms(one, 10) <= 100
        assert one.health()[0] == 503
        began = time.monotonic()
        assert one.stop() == 0
        assert time.monotonic() - began <= 5
        listening.shutdown(socket.SHUT_RDWR)
    for s in taken:
        s.close()


def test_end_while_the_broker_is_absent(services):
    one = services(MQTT_PORT=free_port()).start().wait_healthy(status=503)
    began = time.monotonic()
    assert one.stop() == 0
    assert time.monotonic() - began <= 5


def test_end_while_the_broker_hangs(services, tmp_path):
    with Broker(tmp_path / "own-broker") as broker:
        one = services(broker=broker).start().wait_healthy()
        broker.pause()
        try:
            assert health_ms(one, 50) <= 100
            began = time.monotonic()
            assert one.stop() == 0
            assert time.monotonic() - began <= 5
        finally:
            broker.resume()


def test_events_wait_for_the_broker_but_not_for_ever(services, home, tmp_path):
    """Both services finish an analysis while the broker is away; one's events have expired when it comes back."""
    with Broker(tmp_path / "own-broker") as broker, Listener(broker) as listener:
        patient = services(broker=broker, INSTANCE="patient", HISTORY=home, TZ="UTC").start().wait_healthy()
        hasty = services(broker=broker, INSTANCE="hasty", HISTORY=home, TZ="UTC", TTL="10").start().wait_healthy()
        frozen = [freeze_analysis(one, lambda name=name: listener.publish(f"ha-ai/device/{name}/analyze_now/set", {}))
                  for one, name in ((patient, "patient"), (hasty, "hasty"))]
        broker.stop()
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        for one in (patient, hasty):
            wait_until(lambda one=one: one.health()[1]["outbox"]["waiting"] >= 3, 10, "events to wait")
            assert one.health()[0] == 503
        waiting = hasty.health()[1]["outbox"]["waiting"]
        wait_until(lambda: hasty.health()[1]["outbox"]["expired"] >= waiting, 20, "events to expire")
        broker.start()
        for one in (patient, hasty):
            one.wait_healthy(CONNECTED_S)
            wait_until(lambda one=one: one.health()[1]["outbox"]["waiting"] == 0, 10, "the outbox to be empty")
        completed = listener.wait(COMPLETE)
        listener.publish("ha-ai/test", "last")
        listener.wait("ha-ai/test/reply")
        assert completed["ttl"] == 300 and len(listener.of(COMPLETE)) == 1
        found = listener.of("ha-ai/events/suggestion/generated")
        assert found and {event["ttl"] for event in found} == {300}
        assert patient.health()[1]["outbox"]["expired"] == 0


# ---- the history --------------------------------------------------------------------------------

def damage(kind, path, home):
    """Puts something wrong at `path`; what undoes it."""
    undo = None
    if kind == "garbage":
        path.write_bytes(b"no database at all\n" * 1000)
    elif kind == "empty file":
        path.touch()
    elif kind == "folder":
        path.mkdir()
        undo = path.rmdir
    elif kind == "other database":
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE states (x)")
        db.close()
    elif kind == "no states":
        shutil.copy(home, path)
        with sqlite3.connect(path) as db:
            db.execute("DELETE FROM states")
        db.close()
    elif kind == "cut off":
        path.write_bytes(home.read_bytes()[:home.stat().st_size // 3])
    elif kind == "locked":
        shutil.copy(home, path)
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        db.execute("CREATE TABLE x (y)")
        undo = db.close
    return undo


@pytest.mark.parametrize("kind, words", [
    ("missing", "No such file"), ("garbage", "database"), ("empty file", "empty"), ("folder", "file"),
    ("other database", "no recorder database"), ("no states", "no states"), ("cut off", ""), ("locked", "locked")])
def test_bad_history(services, listener, home, tmp_path, kind, words):
    path = tmp_path / "history.db"
    undo = damage(kind, path, home)
    one = services(HISTORY=path, TZ="UTC").start().wait_healthy(status=503 if kind == "missing" else 200)
    listener.publish(RUN)
    body = listener.wait(COMPLETE)
    assert (body["success"], body["status"], body["suggestions_generated"]) == (False, "failed", 0)
    assert words in body["error"] and "\n" not in body["error"]
    assert str(path) in body["error"] or kind == "cut off"
    listener.wait_last(f"{DEVICE}/analysis/state", "failed")
    status, health = one.health()
    assert status == 503 and health["history"] == {"ok": False, "problem": body["error"]}
    assert health_ms(one, 30) <= 100
    failures = [line for line in one.log_text().splitlines() if line == f"<3>app: the analysis failed: {body['error']}"]
    assert len(failures) == 1, one.log_text()
    one.restart().wait_healthy(status=503)  # it is still so
    if undo:
        undo()
    path.unlink(missing_ok=True)
    shutil.copy(home, path)
    for left in ("-wal", "-shm", "-journal"):
        Path(f"{path}{left}").unlink(missing_ok=True)
    listener.publish(RUN)
    assert listener.wait(COMPLETE, count=2)["success"]
    one.wait_healthy(5)
    listener.wait_last(f"{DEVICE}/analysis/state", "idle")


def test_history_that_vanishes_in_the_middle(services, listener, home, tmp_path):
    path = tmp_path / "history.db"
    shutil.copy(home, path)
    one = services(HISTORY=path, TZ="UTC").start().wait_healthy()
    pid = freeze_analysis(one, lambda: listener.publish(RUN))
    path.unlink()
    done = len(listener.of(COMPLETE))
    os.kill(pid, signal.SIGCONT)
    listener.wait(COMPLETE, count=done + 1)  # it had the file open, or not yet
    listener.publish(RUN)
    assert "No such file" in listener.wait(COMPLETE, count=done + 2)["error"]
    assert one.alive()


def test_history_with_flipped_bytes(services, listener, home, tmp_path):
    """A hostile or dying disk: the service lives and says what became of it, whatever the child did."""
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    print(f"seed {seed}")
    chance = random.Random(seed)
    path = tmp_path / "history.db"
    one = services(HISTORY=path, TZ="UTC").start()
    wait_until(lambda: one.health()[0], 10, "/health")
    wait_until(lambda: one.health()[1]["broker"]["ok"], 10, "the broker")
    whole = home.read_bytes()
    for i in range(40 if LONG else 6):
        flipped = bytearray(whole)
        for _ in range(chance.choice((1, 30, 1000))):
            flipped[chance.randrange(100 if chance.random() < 0.1 else len(flipped))] = chance.randrange(256)
        path.write_bytes(flipped)
        listener.publish(RUN)
        body = listener.wait(COMPLETE, count=i + 1, timeout=60)
        assert body["success"] or ("Sanitizer" not in body["error"] and "signal" not in body["error"]), body
    assert one.alive()


def test_history_that_needs_a_writable_folder(ha_ai, mosquitto, listener, home):
    """Home Assistant has stopped and left a -wal; its folder is mounted read-only for us (another user)."""
    folder = Path(tempfile.mkdtemp(prefix="ha-ai-test-"))
    try:
        folder.chmod(0o755)
        config, own = folder / "config", folder / "own"
        config.mkdir(mode=0o755)
        own.mkdir(mode=0o755)
        shutil.copy(home, folder / "live.db")
        db = sqlite3.connect(folder / "live.db", isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE x (y)")
        for name in ("live.db", "live.db-wal"):
            shutil.copy(folder / name, config / name.replace("live", "home-assistant_v2"))
        db.close()
        (folder / "build").mkdir()
        shutil.copy(ha_ai, folder / "build" / "ha-ai")
        shutil.copytree(Path(__file__).resolve().parents[2] / "discovery", folder / "discovery")
        binary = folder / "build" / "ha-ai"
        if os.geteuid() == 0:
            for path in (own, *config.iterdir()):
                os.chown(path, 65534 if path == own else 0, -1)
                path.chmod(0o755 if path == own else 0o644)
            binary = folder / "as-nobody"
            binary.write_text("#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups "
                              f"{folder}/build/ha-ai \"$@\"\n")
            binary.chmod(0o755)
        else:
            config.chmod(0o555)
        with Services(binary, folder / "logs", mosquitto) as services:
            one = services(HISTORY=config / "home-assistant_v2.db", TZ="UTC", DATABASE_PATH=own / "ha-ai.db").start()
            one.wait_healthy()
            listener.publish(RUN)
            body = listener.wait(COMPLETE)
            assert body["success"] is False and str(config) in body["error"] and "wal" in body["error"], body
            assert one.health()[0] == 503
            config.chmod(0o777)  # as if Home Assistant's folder were writable
            for path in config.iterdir():
                path.chmod(0o666)
            listener.publish(RUN)
            body = listener.wait(COMPLETE, count=2)
            assert body["success"], body
    finally:
        (folder / "config").chmod(0o755)
        shutil.rmtree(folder)


# ---- the analysis -------------------------------------------------------------------------------

def test_analysis_that_is_killed(services, listener, home):
    one = services(HISTORY=home, TZ="UTC").start().wait_healthy()
    pid = freeze_analysis(one, lambda: listener.publish(RUN))
    assert one.health()[1]["last_analysis"]["state"] == "running"
    done = len(listener.of(COMPLETE))
    os.kill(pid, signal.SIGKILL)
    body = listener.wait(COMPLETE, count=done + 1)
    assert not body["success"] and "signal 9" in body["error"]
    listener.wait_last(f"{DEVICE}/analysis/state", "failed")
    listener.publish(RUN)
    assert listener.wait(COMPLETE, count=done + 2)["success"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_analysis_ends_with_the_service(services, listener, home, how):
    """Even one that hangs."""
    one = services(HISTORY=home, TZ="UTC").start().wait_healthy()
    pid = freeze_analysis(one, lambda: listener.publish(RUN))
    began = time.monotonic()
    if how == signal.SIGTERM:
        assert one.stop() == 0
    else:
        one.kill()
    assert time.monotonic() - began <= 5
    wait_until(lambda: state_of(pid) is None, 2, "the analysis to end")


def test_analyses_never_overlap(services, listener, home):
    one = services(HISTORY=home, TZ="UTC").start().wait_healthy()
    pid = freeze_analysis(one, lambda: listener.publish(RUN))
    done = len(listener.of(COMPLETE))
    refused = len(listener.of(EVENT))
    for topic, payload in ((RUN, ""), (RUN, "{}"), (f"{DEVICE}/analyze_now/set", "{}")):
        listener.publish(topic, payload)
        refused += 1
        assert "already running" in listener.wait(EVENT, count=refused)["reason"]
    assert Path(f"/proc/{one.pid}/task/{one.pid}/children").read_text().split() == [str(pid)]
    assert health_ms(one, 20) <= 100
    os.kill(pid, signal.SIGCONT)
    assert listener.wait(COMPLETE, count=done + 1)["success"]
    wait_until(lambda: one.health()[1]["last_analysis"]["state"] == "idle", 5, "idle")
    assert len(listener.of(COMPLETE)) == done + 1


# ---- the process itself -------------------------------------------------------------------------

def unique(bodies):
    """The same message may be delivered twice (QoS 1): its id is the same then."""
    return list({body["id"]: body for body in bodies}.values())


@pytest.mark.parametrize("life", range(40 if LONG else 3))
def test_killed_again_and_again(services, home, tmp_path, life):
    """kill -9 at random moments of analysing, merging, approving: nothing is lost, nothing comes twice."""
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    print(f"life {life}, seed {seed}")
    chance = random.Random(seed)
    with Broker(tmp_path / "own-broker") as broker, Listener(broker) as listener:
        one = services(broker=broker, HISTORY=home, TZ="UTC")

        def round_of(act):
            one.start()
            wait_until(lambda: one.health()[0] == 200, 20, "/health", every=0.01)
            act()
            time.sleep(chance.random() * 0.5)
            one.kill()

        for _ in range(3):
            round_of(lambda: listener.publish_soon(RUN, ""))
        one.start().wait_healthy()
        done = len(unique(listener.of(COMPLETE)))
        if one.health()[1]["last_analysis"]["state"] == "idle":
            listener.publish(RUN)
        wait_until(lambda: len(unique(listener.of(COMPLETE))) > done, 20, "an analysis")
        one.kill()
        with sqlite3.connect(f"file:{one.environment['DATABASE_PATH']}?mode=ro", uri=True) as db:
            titles = dict(db.execute("SELECT id, title FROM suggestion"))
        db.close()
        assert len(titles) >= 4

        def approve(title, press):
            listener.publish_soon(f"{DEVICE}/selected_suggestion/set", json.dumps({"value": title, "id": f"s{press}"}))
            listener.publish_soon(f"{DEVICE}/approve/set", json.dumps({"id": f"a{press}"}))
        for press, title in enumerate(titles.values()):
            round_of(lambda title=title, press=press: approve(title, press))
        one.start().wait_healthy()
        listener.publish("ha-ai/test", "the end")
        listener.wait("ha-ai/test/reply", lambda body: body["received"] == "the end")
        assert one.stop() == 0
        db = sqlite3.connect(one.environment["DATABASE_PATH"])
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        states = dict(db.execute("SELECT id, state FROM suggestion"))
        db.close()
        events = unique(listener.of(EVENT))
        generated = sorted(e["suggestion_id"] for e in unique(listener.of("ha-ai/events/suggestion/generated")))
        deployed = sorted(e["suggestion_id"] for e in unique(listener.of("ha-ai/commands/automation/deploy")))
        approved = sorted(e["suggestion_id"] for e in events if e["event_type"] == "approved")
        assert generated == sorted(titles)
        assert deployed == approved == sorted(titles), [e for e in events if e["event_type"] == "refused"]
        assert set(states.values()) == {SUGGESTION_DEPLOYED}


# ---- what took a minute -------------------------------------------------------------------------

def test_a_failed_analysis_is_repeated(minute):
    """The history was not there at the start, was put there, and nobody asked for anything."""
    assert str(minute.late_history) in minute.late_problem and "No such file" in minute.late_problem
    minute.late.wait_healthy(70)
    assert minute.late.health()[1]["suggestions_waiting"] >= 4
    assert "an analysis starts (retry)" in minute.late.log_text()


def test_the_schedule(minute):
    wait_until(lambda: "an analysis starts (schedule)" in minute.scheduled.log_text(), 75, "the next minute")
    wait_until(lambda: minute.scheduled.health()[1]["suggestions_waiting"] >= 4, 10, "its result")
    assert minute.scheduled.health()[1]["last_analysis"]["next"]


def test_the_schedule_switched_off(minute):
    wait_until(lambda: time.monotonic() - minute.began > 62, 65, "a minute")
    assert minute.off.health()[1]["last_analysis"]["next"] is None
    assert "an analysis starts" not in minute.off.log_text()


def test_the_schedule_does_not_overlap(minute):
    said = "the scheduled analysis did not start: an analysis is already running"
    wait_until(lambda: said in minute.busy.log_text(), 75, "the schedule to be refused")
    assert child_of(minute.busy) == minute.frozen
