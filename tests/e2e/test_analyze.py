"""`ha-ai analyze`: what it says, what it refuses, how it ends; and the database of a Home Assistant that runs."""
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from homeassistant import wait_until
from service import CLOCK_HOME

# Neither TZ, LOCATION nor EXCLUDE.
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}


def analyze(ha_ai, *arguments, **environment):
    return subprocess.run([ha_ai, "analyze", *map(str, arguments)], env=ENVIRONMENT | environment,
                          capture_output=True, text=True, timeout=120)


def result(ha_ai, *arguments, **environment):
    done = analyze(ha_ai, *arguments, "--format", "json", **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("}\n") and done.stdout.count("\n") == 1
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def home(ha_ai, tmp_path_factory):
    seed = random.randrange(10 ** 6)
    print(f"seed {seed}")
    path = tmp_path_factory.mktemp("analyze") / "home-assistant_v2.db"
    subprocess.run([ha_ai, "simulate", *CLOCK_HOME, "--days", "30", "--states", "20000", "--seed", str(seed),
                    "--out", path, "--truth", path.with_suffix(".json")], check=True, capture_output=True, timeout=120)
    return path


def test_json_is_the_same_every_time(ha_ai, home):
    first, second = (analyze(ha_ai, "--history", home, "--timezone", "Europe/Berlin", "--format", "json")
                     for _ in range(2))
    assert first.returncode == 0 and first.stderr == "" and first.stdout == second.stdout
    said = json.loads(first.stdout)
    assert set(said) == {"schema", "history", "hypotheses_tested", "suggestions", "learning", "dropped", "anomalies"}
    assert said["history"]["timezone"] == "Europe/Berlin" and said["history"]["days"] >= 28
    assert said["suggestions"]


def test_text_tells_every_suggestion(ha_ai, home):
    said = result(ha_ai, "--history", home, "--timezone", "Europe/Berlin")
    text = analyze(ha_ai, "--history", home, "--timezone", "Europe/Berlin", "--all").stdout
    assert f"{len(said['suggestions'])} suggestion" in text
    for number, suggestion in enumerate(said["suggestions"], 1):
        assert f"\n{number}. {suggestion['title']}\n" in text and suggestion["id"] in text
        trigger = suggestion["automation"]["triggers"][0]
        assert f"trigger: {trigger['trigger']}" in text and ("at" not in trigger or f'at: "{trigger["at"]}"' in text)


def test_threads_never_change_the_result(ha_ai, home):
    one, *others = [analyze(ha_ai, "--history", home, "--timezone", "UTC", "--format", "json", "--threads", n).stdout
                    for n in (1, 2, 4)]
    assert one and others == [one, one]


def test_null_histories(ha_ai, home):
    """Shuffled: the same bytes for a seed, others for another; clock times go, or only what hangs together."""
    for kind in ("days", "clock"):
        arguments = ["--history", home, "--timezone", "UTC", "--null", kind, "--explain", "--seed"]
        one, again, other = (result(ha_ai, *arguments, seed) for seed in (3, 3, 4))
        assert one == again and (one["null"], one["seed"], other["seed"]) == (kind, 3, 4)
        assert {**one, "seed": 4} != other
        if kind == "clock":
            # A use that the turn cuts in two may seem left on; a value stays with its use.
            assert {suggestion["kind"] for suggestion in one["suggestions"]} <= {"left_on", "value"}
    assert "null" not in result(ha_ai, "--history", home, "--timezone", "UTC")


def test_timing_and_progress(ha_ai, home):
    read, write = os.pipe()
    with subprocess.Popen([ha_ai, "analyze", "--history", home, "--timezone", "UTC", "--format", "json", "--timing",
                           "--progress-fd", str(write)], pass_fds=[write], stdout=subprocess.PIPE) as child:
        os.close(write)
        timing = json.load(child.stdout)["timing"]
    lines = os.fdopen(read).read().splitlines()
    percents = [int(line.split(" ", 1)[0]) for line in lines]
    assert percents == sorted(set(percents)) and percents[-1] == 100 and all(line.split(" ", 1)[1] for line in lines)
    assert set(timing) == {"read_ms", "mine_ms", "total_ms", "peak_rss_kb"} and timing["peak_rss_kb"] > 1000


def test_place_comes_from_option_folder_or_environment(ha_ai, home):
    asked = analyze(ha_ai, "--history", home)
    assert asked.returncode == 1 and "--timezone" in asked.stderr
    assert result(ha_ai, "--history", home, TZ=":Asia/Tokyo")["history"]["timezone"] == "Asia/Tokyo"
    storage = home.parent / ".storage"
    storage.mkdir()
    (storage / "core.config").write_text(json.dumps({"data": {"time_zone": "America/Lima", "latitude": 1,
                                                              "longitude": 2}}))
    try:
        assert result(ha_ai, "--history", home, TZ="Asia/Tokyo")["history"]["timezone"] == "America/Lima"
        assert result(ha_ai, "--history", home, "--timezone", "UTC")["history"]["timezone"] == "UTC"
    finally:
        (storage / "core.config").unlink()
        storage.rmdir()


def test_period_and_exclusion(ha_ai, home):
    everything = result(ha_ai, "--history", home, "--timezone", "UTC")
    day = everything["history"]["to"][:10]
    before = result(ha_ai, "--history", home, "--timezone", "UTC", "--until", day)
    after = result(ha_ai, "--history", home, "--timezone", "UTC", "--since", day)
    assert before["history"]["to"] < day <= after["history"]["from"]
    words = [result(ha_ai, "--history", home, "--timezone", "UTC", *period, EXCLUDE="sensor.*")["history"]["state_changes"]
             for period in ([], ["--until", day], ["--since", day])]  # of numbers, only the first rows are read
    assert 0 < words[1] < words[0] == words[1] + words[2]
    target = everything["suggestions"][0]["automation"]["actions"][0]["target"]["entity_id"]
    without = analyze(ha_ai, "--history", home, "--timezone", "UTC", "--format", "json", EXCLUDE=f"sun.*, {target}")
    assert without.returncode == 0 and f'"{target}"' not in without.stdout


@pytest.mark.parametrize("code, part, arguments", [
    (2, "--history is missing", []),
    (2, "--history needs a value", ["--history"]),
    (2, "unknown argument 'more'", ["--history", "HOME", "more"]),
    (2, "unknown argument '--nope'", ["--nope"]),
    (2, "--format: got 'xml', takes text or json", ["--history", "HOME", "--format", "xml"]),
    (2, "--since: got 'yesterday'", ["--history", "HOME", "--since", "yesterday"]),
    (2, "--until: got", ["--history", "HOME", "--since", "2026-02-02", "--until", "2026-02-01"]),
    (2, "--location: got '91,0'", ["--history", "HOME", "--location", "91,0"]),
    (2, "--progress-fd: got 'x'", ["--history", "HOME", "--progress-fd", "x"]),
    (2, "--null: got 'night', takes days or clock", ["--history", "HOME", "--null", "night"]),
    (2, "--seed: got '-1'", ["--history", "HOME", "--seed", "-1"]),
    (2, "--threads: got '0'", ["--history", "HOME", "--threads", "0"]),
    (1, "No such file", ["--history", "/nowhere.db"]),
    (1, "is a folder", ["--history", "/tmp"]),
    (1, "no SQLite database", ["--history", "/etc/passwd", "--timezone", "UTC"]),
    (1, "not supported yet", ["--history", "postgresql://u:secret@h/d"]),
    (1, "time zone 'Mars/Base'", ["--history", "HOME", "--timezone", "Mars/Base"]),
    (1, "holds no states in that time", ["--history", "HOME", "--timezone", "UTC", "--since", "2090-01-01"]),
])
def test_says_what_is_wrong_in_one_line(ha_ai, home, code, part, arguments):
    done = analyze(ha_ai, *(str(home) if a == "HOME" else a for a in arguments))
    assert (done.returncode, done.stdout) == (code, "")
    assert part in done.stderr and done.stderr.count("\n") == 1 and done.stderr.startswith("ha-ai: ")
    assert "secret" not in done.stderr


def test_help(ha_ai):
    done = analyze(ha_ai, "--help")
    assert done.returncode == 0 and "--history SOURCE" in done.stdout and done.stderr == ""


def start_stopped(ha_ai, home):
    """A child that has begun, but waits: nobody reads its progress and the pipe is full."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(write, True)
    child = subprocess.Popen([ha_ai, "analyze", "--history", home, "--timezone", "UTC", "--progress-fd", str(write)],
                             pass_fds=[write], stdout=subprocess.DEVNULL)
    os.close(write)
    asleep = 0

    def stays_asleep():  # only the pipe keeps it so
        nonlocal asleep
        state = Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        asleep = asleep + 1 if state == "S" else 0
        return asleep >= 5
    wait_until(stays_asleep, what="a child that waits")
    return child, read


def test_ends_at_once_on_sigterm_that_its_parent_blocks(ha_ai, home):
    old = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        child, read = start_stopped(ha_ai, home)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
    child.terminate()
    assert child.wait(timeout=2) == -signal.SIGTERM
    os.close(read)


def test_ends_with_its_parent(ha_ai, home):
    out, pids = os.pipe()
    parent = os.fork()
    if parent == 0:
        child, _ = start_stopped(ha_ai, home)
        os.write(pids, str(child.pid).encode())
        time.sleep(60)
        os._exit(0)
    pid = int(os.read(out, 20))
    assert Path(f"/proc/{pid}").exists()
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)

    def is_gone():
        try:
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except FileNotFoundError:
            return True
    wait_until(is_gone, timeout=5, what="the orphan's end")
    os.close(out)
    os.close(pids)


def test_reads_beside_a_running_home_assistant(ha_ai, ha):
    """Its newest rows, while it writes; and its log does not mention it."""
    mark = ha.log_mark()
    database = ha.folder / "home-assistant_v2.db"
    ha.api("POST", "/api/states/sensor.analyze_probe", {"state": "value 0"})

    def reads_more(than):
        done = analyze(ha_ai, "--history", database, "--timezone", "UTC", "--format", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["history"]["state_changes"] > than
    wait_until(lambda: reads_more(0), what="the first rows")
    before = result(ha_ai, "--history", database, "--timezone", "UTC")["history"]
    for value in range(1, 21):
        ha.api("POST", "/api/states/sensor.analyze_probe", {"state": f"value {value}"})
    wait_until(lambda: reads_more(before["state_changes"] + 19), what="twenty more rows")
    assert not ha.log_problems("database|recorder|sqlite", mark)
