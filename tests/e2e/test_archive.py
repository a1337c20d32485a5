"""The archive, by hand and in the running service: it outlives the recorder's purge, a history that fails, damage, and
`ha-ai forget` beside the service."""
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import time
from pathlib import Path

import pytest

from broker import Broker
from homeassistant import wait_until
from listener import Listener
from service import COMPLETE, DEVICE, RUN, simulated_home

CLEAN = {"PATH": "/usr/bin:/bin", **{name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS")
                                     if name in os.environ}}


@pytest.fixture(scope="module")
def home(ha_ai, tmp_path_factory):
    return simulated_home(ha_ai, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("archive-broker")) as broker:
        yield broker


@pytest.fixture
def listener(mosquitto):
    with Listener(mosquitto) as one:
        yield one


def ha_ai_run(ha_ai, *arguments, file_size=None, **environment):
    """file_size: no file can grow beyond, as on a full disk."""
    def limit():
        if file_size is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    return subprocess.run([ha_ai, *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          env={**CLEAN, **{k: str(v) for k, v in environment.items()}}, preexec_fn=limit)


def analyze(ha_ai, *arguments, **environment):
    return ha_ai_run(ha_ai, "analyze", "--timezone", "UTC", "--format", "json", *arguments, **environment)


def result(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def execute(database, *statements):
    with sqlite3.connect(database) as db:
        for statement in statements:
            db.execute(statement)
    db.close()


def same(one, other):
    """The same but for how many rows of numbers were looked at."""
    for said in (one, other):
        said["history"].pop("state_changes", None)
    return one == other


def target_of(suggestion):
    ids = suggestion["automation"]["actions"][0]["target"]["entity_id"]
    return ids if isinstance(ids, str) else ids[0]


def test_archive_says_what_the_history_says(ha_ai, home, tmp_path):
    archive = tmp_path / "new" / "archive.db"
    direct = result(analyze(ha_ai, "--history", home))
    first = result(analyze(ha_ai, "--history", home, "--archive", archive))
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600 and same(first, direct)
    assert archive.stat().st_size * 4 < home.stat().st_size
    before = archive.read_bytes()
    assert same(result(analyze(ha_ai, "--history", archive)), direct)
    assert archive.read_bytes() == before and os.listdir(archive.parent) == ["archive.db"]
    assert same(result(analyze(ha_ai, "--history", home, "--archive", archive)), direct)


def test_archive_outlives_what_the_recorder_purges(ha_ai, home, tmp_path):
    """Pieces of the history, each purged after it was imported, make the whole."""
    whole, live, archive = tmp_path / "whole.db", tmp_path / "live.db", tmp_path / "archive.db"
    shutil.copy(home, whole)
    with sqlite3.connect(whole) as db:
        last = db.execute("SELECT max(state_id) FROM states").fetchone()[0]
    db.close()
    chance = random.Random()
    cuts = sorted(chance.sample(range(last // 10, last), 4)) + [last]
    print("cuts", cuts)
    done = 0
    for cut in cuts:
        live.unlink(missing_ok=True)
        shutil.copy(whole, live)
        execute(live, f"DELETE FROM states WHERE state_id > {cut} OR state_id < {done - 50}")
        result(analyze(ha_ai, "--history", live, "--archive", archive))
        done = cut
    assert same(result(analyze(ha_ai, "--history", archive)), result(analyze(ha_ai, "--history", whole)))


def test_killed_imports_lose_nothing(ha_ai, home, tmp_path):
    archive = tmp_path / "archive.db"
    chance = random.Random()
    for _ in range(8):
        child = subprocess.Popen([ha_ai, "analyze", "--history", home, "--archive", archive, "--timezone", "UTC"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=CLEAN)
        time.sleep(chance.uniform(0, 0.2))
        child.kill()
        child.wait()
    imported = result(analyze(ha_ai, "--history", home, "--archive", archive))
    assert same(imported, result(analyze(ha_ai, "--history", home)))


def test_bad_archives(ha_ai, home, tmp_path):
    """One line says what is wrong; with a history beside it, that is analysed."""
    garbage, newer, foreign = (tmp_path / name for name in ("garbage.db", "newer.db", "foreign.db"))
    garbage.write_bytes(b"no database at all\n" * 1000)
    result(analyze(ha_ai, "--history", home, "--archive", newer))
    execute(newer, "PRAGMA user_version = 77")
    execute(foreign, "CREATE TABLE states (x)")
    direct = result(analyze(ha_ai, "--history", home))
    for path in (garbage, newer, foreign):
        before = path.read_bytes()
        done = analyze(ha_ai, "--history", home, "--archive", path)
        said = result(done)
        assert str(path) in said["history"].pop("problem") and str(path) in done.stderr
        assert said == direct and path.read_bytes() == before
    done = analyze(ha_ai, "--history", newer)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "newer" in done.stderr
    for wrong in ("0", "x", "-3"):
        done = analyze(ha_ai, "--history", home, "--archive", tmp_path / "a.db", ARCHIVE_DAYS=wrong)
        assert done.returncode == 1 and "ARCHIVE_DAYS" in done.stderr and wrong in done.stderr


def test_full_disk(ha_ai, home, tmp_path):
    """No room for an archive: the history itself is analysed. No room for more: what there is. Then it goes on."""
    archive = tmp_path / "archive.db"
    direct = result(analyze(ha_ai, "--history", home))
    said = result(analyze(ha_ai, "--history", home, "--archive", archive, file_size=100_000))
    assert str(archive) in said["history"].pop("problem") and said == direct
    half = tmp_path / "half.db"
    shutil.copy(home, half)
    execute(half, "DELETE FROM states WHERE state_id > (SELECT max(state_id) / 2 FROM states)")
    before = result(analyze(ha_ai, "--history", half, "--archive", archive))
    full = archive.stat().st_size
    said = result(analyze(ha_ai, "--history", home, "--archive", archive, file_size=full))
    assert str(archive) in said["history"].pop("problem") and same(said, before)
    assert same(result(analyze(ha_ai, "--history", home, "--archive", archive)), direct)
    # What was forgotten is not told by the history itself when the archive cannot grow.
    archive.rename(tmp_path / "home-archive.db")
    assert ha_ai_run(ha_ai, "forget", "--all", DATABASE_PATH=tmp_path / "home.db").returncode == 0
    done = analyze(ha_ai, "--history", home, "--archive", tmp_path / "home-archive.db", file_size=4096)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done


def test_archive_days(ha_ai, home, tmp_path):
    archive = tmp_path / "archive.db"
    said = result(analyze(ha_ai, "--history", home, "--archive", archive, ARCHIVE_DAYS=14))
    assert 9 <= said["history"]["days"] <= 15  # crashes of the simulated home make days incomplete


def test_forget_by_hand(ha_ai, home, tmp_path):
    database, archive = tmp_path / "ha-ai.db", tmp_path / "ha-ai-archive.db"
    target = target_of(result(analyze(ha_ai, "--history", home, "--archive", archive))["suggestions"][0])
    assert target.encode() in archive.read_bytes()
    for wrong in ((), ("--entity",), ("--entity", "no id"), ("--all", "--entity", target), ("--some",)):
        done = ha_ai_run(ha_ai, "forget", *wrong, DATABASE_PATH=database)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    done = ha_ai_run(ha_ai, "forget", "--all", DATABASE_PATH=tmp_path / "elsewhere.db")
    assert done.returncode == 1 and "elsewhere.db" in done.stderr and not (tmp_path / "elsewhere-archive.db").exists()
    done = ha_ai_run(ha_ai, "forget", "--entity", "light.nowhere", DATABASE_PATH=database)
    assert done.returncode == 0 and "Nothing was kept" in done.stdout
    done = ha_ai_run(ha_ai, "forget", "--entity", target, DATABASE_PATH=database)
    assert done.returncode == 0 and target in done.stdout, done.stderr
    assert target.encode() not in archive.read_bytes()
    said = result(analyze(ha_ai, "--history", home, "--archive", archive))
    assert target not in json.dumps(said) and target.encode() not in archive.read_bytes()
    assert ha_ai_run(ha_ai, "forget", "--all", DATABASE_PATH=database).returncode == 0
    done = analyze(ha_ai, "--history", home, "--archive", archive)
    assert done.returncode == 1 and "no states" in done.stderr
    assert b"light." not in archive.read_bytes() and b"switch." not in archive.read_bytes()


def analysed(listener, one):
    done = len(listener.of(COMPLETE))
    listener.publish(RUN)
    return listener.wait(COMPLETE, count=done + 1)


def test_service_keeps_more_than_the_recorder(services, listener, home, tmp_path):
    history = tmp_path / "history.db"
    shutil.copy(home, history)
    one = services(HISTORY=history, TZ="UTC").start().wait_healthy()
    assert analysed(listener, one)["success"]
    archive = one.folder / "ha-ai-archive.db"
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    wait_until(lambda: float(listener.last(f"{DEVICE}/days_of_history/state") or 0) >= 25, 10, "the days of history")
    waiting = one.health()[1]["suggestions_waiting"]
    with sqlite3.connect(history) as db:  # Home Assistant's default of ten days
        db.execute("DELETE FROM states WHERE last_updated_ts < (SELECT max(last_updated_ts) - 864000 FROM states)")
    db.close()
    assert analysed(listener, one)["success"]
    assert one.health()[1]["suggestions_waiting"] == waiting
    # A history that fails: what the archive has is analysed, and the failure is told.
    history.rename(tmp_path / "away.db")
    body = analysed(listener, one)
    assert body["success"] and "No such file" in body["error"] and body["patterns_detected"] >= waiting
    status, health = one.health()
    assert status == 503 and "No such file" in health["history"]["problem"]
    assert health["suggestions_waiting"] == waiting
    (tmp_path / "away.db").rename(history)
    assert analysed(listener, one)["error"] is None
    one.wait_healthy(5)
    # So is a damaged archive.
    archive.write_bytes(b"damaged" * 1000)
    body = analysed(listener, one)
    assert body["success"] and "archive" in body["error"]


def test_forget_beside_the_service(ha_ai, services, listener, home):
    one = services(HISTORY=home, TZ="UTC").start().wait_healthy()
    assert analysed(listener, one)["success"]
    wait_until(lambda: one.health()[1]["suggestions_waiting"] >= 3, 5, "the suggestions")
    waiting = one.health()[1]["suggestions_waiting"]
    with sqlite3.connect(one.folder / "ha-ai.db") as db:
        content = json.loads(db.execute("SELECT content FROM suggestion WHERE state = 0 LIMIT 1").fetchone()[0])
    db.close()
    target = target_of(content)
    done = ha_ai_run(ha_ai, "forget", "--entity", target, DATABASE_PATH=one.folder / "ha-ai.db")
    assert done.returncode == 0 and "suggestion" in done.stdout, done
    wait_until(lambda: one.health()[1]["suggestions_waiting"] < waiting, 20, "the service to notice")
    # What was read before is no news of the past: an analysis that runs meanwhile is not believed.
    assert analysed(listener, one)["success"]
    one.stop()
    for path in one.folder.glob("ha-ai*.db*"):
        assert target.encode() not in path.read_bytes(), path
    assert one.start().wait_healthy()


def stopped_analysis(one, listener):
    """Starts an analysis and stops its process somewhere; None when it was faster."""
    done = len(listener.of(COMPLETE))
    listener.publish(RUN)
    children = Path(f"/proc/{one.pid}/task/{one.pid}/children")
    try:
        wait_until(lambda: children.read_text().split() or len(listener.of(COMPLETE)) > done, 10, "it", every=0.001)
        pid = int(children.read_text().split()[0])
        os.kill(pid, signal.SIGSTOP)
        return pid if "T (stopped)" in Path(f"/proc/{pid}/status").read_text() else None
    except (IndexError, OSError):
        return None
    finally:
        if not children.read_text().split():
            listener.wait(COMPLETE, count=done + 1)


def test_forget_during_an_analysis(ha_ai, services, listener, home):
    """What it has read already is not believed any more."""
    one = services(HISTORY=home, TZ="UTC").start().wait_healthy()
    assert analysed(listener, one)["success"]
    for _ in range(20):
        done = len(listener.of(COMPLETE))
        pid = stopped_analysis(one, listener)
        if pid is None:
            continue
        forgotten = ha_ai_run(ha_ai, "forget", "--all", DATABASE_PATH=one.folder / "ha-ai.db")
        os.kill(pid, signal.SIGCONT)
        if forgotten.returncode == 0:
            break
        assert "locked" in forgotten.stderr or "written" in forgotten.stderr  # it was stopped while it wrote
        listener.wait(COMPLETE, count=done + 1)
    else:
        raise AssertionError("no analysis could be stopped")
    assert not listener.wait(COMPLETE, count=done + 1)["success"]
    wait_until(lambda: one.health()[1]["suggestions_waiting"] == 0, 20, "nothing of the past")
