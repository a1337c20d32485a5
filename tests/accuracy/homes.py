"""Simulated homes: drawn, made, and shown to whoever suggests. A home is a pure function of its numbers."""

import dataclasses
import datetime
import json
import os
import pathlib
import shlex
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("HA_AI_RELEASE", str(ROOT / "build/release/ha-ai"))
SUGGEST = "{program} analyze --history {db} --timezone {timezone} --location {location} --format json {options}"
PLACES = (
    ("Europe/Berlin", "52.52,13.405"),
    ("America/New_York", "40.713,-74.006"),
    ("Australia/Sydney", "-33.869,151.209"),
    ("Europe/Helsinki", "60.17,24.938"),
)
ENTITIES = (20, 200)
STATES_A_DAY = 700


@dataclasses.dataclass(frozen=True)
class Home:
    seed: int
    days: int
    end: str
    entities: int
    timezone: str
    location: str
    habits: bool = True
    more: tuple = ()  # further arguments of simulate

    def simulate_arguments(self):
        arguments = ["--days", self.days, "--entities", self.entities, "--seed", self.seed, "--end", self.end]
        arguments += ["--timezone", self.timezone, "--location", self.location]
        arguments += ["--states", self.days * STATES_A_DAY]
        arguments += [] if self.habits else ["--habits", 0]
        return [str(argument) for argument in [*arguments, *self.more]]

    def make(self, db, truth):
        arguments = [PROGRAM, "simulate", *self.simulate_arguments(), "--out", db, "--truth", truth]
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)

    def command(self):
        """The line that makes this home again."""
        return "ha-ai simulate " + " ".join(self.simulate_arguments()) + " --out home.db --truth truth.json"


def draw(random, days, habits=True, more=()):
    """A home of `ha-ai simulate` anew: its size, place and the day of the year on which its history ends."""
    end = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    end += datetime.timedelta(days=random.randrange(365), minutes=random.randrange(1440))
    low, high = ENTITIES
    entities = round(low * (high / low) ** random.random())
    timezone, location = random.choice(PLACES)
    end = end.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Home(random.randrange(1, 2**31), days, end, entities, timezone, location, habits, tuple(more))


class Made:
    """A home on disk for the time of a with block: .db, .truth (parsed), .suggest()."""

    def __init__(self, home, suggest=SUGGEST):
        self.home, self._suggest = home, suggest

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="home-")
        self.db = self._folder.name + "/home-assistant_v2.db"
        truth = self._folder.name + "/truth.json"
        self.home.make(self.db, truth)
        self.truth = json.loads(pathlib.Path(truth).read_text())
        return self

    def __exit__(self, *_):
        self._folder.cleanup()

    def suggest(self, *options):
        """What the program under test answers: the object of docs/analyze-format.md."""
        line = self._suggest.format(
            program=shlex.quote(PROGRAM),
            db=shlex.quote(self.db),
            timezone=self.home.timezone,
            location=self.home.location,
            options=shlex.join(map(str, options)),
        )
        run = subprocess.run(shlex.split(line), check=True, stdout=subprocess.PIPE)
        return json.loads(run.stdout)
