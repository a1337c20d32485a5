"""What the tests of the running service share."""
import json
import os
import random
import re
import subprocess
import time
from http.client import HTTPConnection
from pathlib import Path

from daemon import Daemon

RUN = "ha-ai/commands/analysis/run"
COMPLETE = "ha-ai/status/analysis_complete"
DEVICE = "ha-ai/device/ha_ai"
EVENT = f"{DEVICE}/suggestion/event"
# A simulated home with habits of the clock alone.
CLOCK_HOME = ("--kinds", "time_of_day", "--gates", "none", "--trouble", "none")
CLEAR = ("--habits", "12", "--adherence", "0.9,1", "--sigma", "2,8")  # with 60 entities
FOUND_LEAST = 4  # suggestions of a simulated home


class Services:
    """Makes services: `services(HISTORY=…).start()`. At the end each must stop within 5 s with exit code 0 (unless
    the test ended it), without a leak or a report of the sanitizers, and without a secret in its log."""

    def __init__(self, binary, folder, broker):
        self.binary, self.folder, self.broker, self.made = binary, Path(folder), broker, []

    def __call__(self, broker="default", **settings):
        broker = self.broker if broker == "default" else broker
        one = Daemon(self.binary, self.folder / f"service-{len(self.made)}", broker, **settings)
        self.made.append(one)
        return one

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        problems = []
        for one in self.made:
            if one.alive():
                began = time.monotonic()
                code = one.stop()
                if code != 0:
                    problems.append(f"exit code {code}")
                if time.monotonic() - began > 5:
                    problems.append(f"it took {time.monotonic() - began:.1f} s to end")
            else:
                one.kill()
            log = one.log_text()
            if re.search("Sanitizer|runtime error:", log):
                problems.append("a report of a sanitizer")
            for name in ("MQTT_PASSWORD", "HA_TOKEN", "OPENAI_API_KEY"):
                secret = one.environment.get(name)
                if secret and secret in log:
                    problems.append(f"{name} is in the log")
            if problems and kind is None:
                raise AssertionError(f"{', '.join(problems)}:\n{log[-4000:]}")


def schema_of(ha_version):
    """Arguments of `simulate --ha-config` for a home that this Home Assistant takes without a complaint."""
    return "--schema", "50" if ha_version < "2025.5" else "53"


def approve_made(daemon, suggestion, automation, kind, family=None):
    """A suggestion made for a test in the database of a stopped service: it is approved, and deployed at the start."""
    content = {"id": suggestion, "kind": kind, "title": suggestion, "explanation": "made for a test",
               "entity_ids": [automation["actions"][0]["target"]["entity_id"]], "score": 0.9, "automation": automation,
               "evidence": {}, "backtest": {"held_out_days": 20}}
    daemon.sql("INSERT INTO suggestion (id, family, state, title, content, rank, days, said_days, created_ms, updated_ms,"
               " deployed_ms, since_ms) VALUES (?1, ?3, 1, ?1, ?2, 0, 127, 127, 1, 1, 0, 1)", suggestion,
               json.dumps(content), family or suggestion)


def simulated_home(ha_ai, folder, least=FOUND_LEAST):
    """The recorder database of a home of 30 days with some suggestions in it; the seed is printed, SEED replays."""
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    path = Path(folder) / "home-assistant_v2.db"
    while True:
        for old in Path(folder).glob("home-assistant_v2.db*"):
            old.unlink()
        subprocess.run([ha_ai, "simulate", *CLOCK_HOME, "--days", "30", "--entities", "30", "--seed", str(seed),
                        "--states", "8000", "--out", path, "--truth", Path(folder) / "truth.json"], check=True)
        answer = subprocess.run([ha_ai, "analyze", "--history", path, "--timezone", "UTC", "--format", "json"],
                                check=True, stdout=subprocess.PIPE)
        if len(json.loads(answer.stdout)["suggestions"]) >= least:
            print(f"home: seed {seed}")
            return path
        seed += 1
        (Path(folder) / "truth.json").unlink()


def health_ms(service, count, rounds=3):
    """The longest of `count` answers of /health in milliseconds; the best of some rounds, for the machine may be
    busy: a service that waits for something is slow in each."""
    best = float("inf")
    for _ in range(rounds):
        worst = 0
        for _ in range(count):
            began = time.monotonic()
            connection = HTTPConnection("127.0.0.1", service.port, timeout=5)
            try:
                connection.request("GET", "/health")
                answer = connection.getresponse()
                answer.read()
                assert answer.status in (200, 503)
            finally:
                connection.close()
            worst = max(worst, (time.monotonic() - began) * 1000)
        best = min(best, worst)
        if best <= 100:
            break
    return best
