"""Three recordings of real homes: what a careful person says of them (docs/accuracy.md), `analyze` says too.

They are no part of the project. RECORDINGS names the folder that holds them, as NAME.db or NAME.db.xz; without it
`shared/data` beside this repository is looked at."""
import json
import lzma
import os
import random
import shutil
import sqlite3
import subprocess
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from conftest import ROOT

FOLDER = Path(os.environ.get("RECORDINGS", ROOT.parent / "shared" / "data"))
ZONES = {"trace2tap": "America/Chicago", "homeassist_inria": "Europe/Paris", "opensmarthome": "Europe/Berlin"}
LIVING_LAMPS = {"light.hue_ambiance_lamp_1", "light.hue_ambiance_lamp_2", "light.hue_bloom_1", "light.round_lamp_1",
                "light.square_lamp_1"}
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ}


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Its path, unpacked, by name."""
    folder = tmp_path_factory.mktemp("recordings")

    def path(name):
        plain, packed, here = FOLDER / f"{name}.db", FOLDER / f"{name}.db.xz", folder / f"{name}.db"
        if here.exists():
            return here
        if plain.exists():
            shutil.copy(plain, here)
        elif packed.exists():
            with lzma.open(packed) as source, open(here, "wb") as target:
                shutil.copyfileobj(source, target)
        else:
            pytest.skip(f"no {name}.db or {name}.db.xz in {FOLDER}: the recordings are no part of the project "
                        "(RECORDINGS names another folder)")
        return here

    return path


def analyze_file(ha_ai, path, name, *options):
    done = subprocess.run([ha_ai, "analyze", "--history", path, "--timezone", ZONES[name], "--format", "json", *options],
                          env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def analyze(ha_ai, recording):
    return lambda name, *options: analyze_file(ha_ai, recording(name), name, *options)


def targets(suggestion):
    found = []
    for action in suggestion["automation"]["actions"]:
        ids = action.get("target", {}).get("entity_id", [])
        found += [ids] if isinstance(ids, str) else ids
    return sorted(found)


@pytest.mark.parametrize("period", [[], ["--until", "2019-06-15"], ["--since", "2019-04-22"], ["--since", "2019-05-01"],
                                    ["--since", "2019-04-22", "--until", "2019-06-15"], ["--since", "2019-07-01"]],
                         ids=" ".join)
def test_an_office(analyze, period):
    """Lamps that act as one, of which two are gone in the end; a motion timer that was removed in April; people who
    come and go at all hours; a door sensor that died in June. When the plug lamp goes off, the others mostly do within
    minutes; the lamps come on after motion, if not after most motions. That is all there is to say."""
    said = analyze("trace2tap", *period)
    assert said["hypotheses_tested"] > 50
    assert len(said["suggestions"]) <= 2, [one["title"] for one in said["suggestions"]]
    for suggestion in said["suggestions"]:
        lamps = set(targets(suggestion))  # one more lived to mid-June; one was back too late then to be known as theirs
        assert lamps == LIVING_LAMPS or ("2019-06-15" in period and len(lamps) >= 5
                                         and lamps <= LIVING_LAMPS | {"light.hue_lightstrip_plus_1"})
        trigger = suggestion["automation"]["triggers"][0]
        assert trigger["trigger"] == "state"
        known = {("switch.lamp", "off", "light.turn_off"), ("binary_sensor.office_sensor_1_motion", "on", "light.turn_on")}
        if "2019-06-15" in period:  # the door's sensor lives until then
            known.add(("binary_sensor.office_door", "on", "light.turn_on"))
        assert (trigger["entity_id"], trigger["to"], suggestion["automation"]["actions"][0]["action"]) in known
        assert suggestion["backtest"]["hits"] >= 2
    lamps_learning = [one for one in said["learning"] if one["entity_id"].startswith("light.")]
    assert len(lamps_learning) <= 2  # one for each action of the group, not one for each lamp


@pytest.mark.parametrize("period", [[], ["--until", "2017-09-24"], ["--since", "2017-06-01", "--until", "2017-09-24"],
                                    ["--since", "2017-02-22", "--until", "2017-04-02"]], ids=" ".join)
def test_a_flat(analyze, period):
    """One lamp, switched now and then at any hour; sensors that fade, flap and die."""
    said = analyze("homeassist_inria", *period)
    assert said["history"]["days"] > 30 and said["suggestions"] == []


@pytest.mark.parametrize("period", [[], ["--since", "2017-05-14"]], ids=" ".join)
def test_a_heating(analyze, period):
    """A programme sets the thermostats; nothing else can be operated."""
    said = analyze("opensmarthome", *period)
    assert said["history"]["days"] > 20 and said["suggestions"] == []


@pytest.mark.parametrize("null", ["days", "clock"])
def test_without_their_habits(analyze, null):
    """Shuffled, nothing is left to find: none in 1,000 such runs when this was written; two of these twenty would be
    a rate of some percent."""
    seeds = [random.randrange(10 ** 9) for _ in range(10)]
    print(f"seeds {seeds}")
    found = [one["title"] for name in ("trace2tap", "homeassist_inria") for seed in seeds
             for one in analyze(name, "--null", null, "--seed", str(seed))["suggestions"]]
    assert len(found) <= 1, found


class Planted:
    """Lamps that never were in the flat, in its database from June to September."""
    FIRST, LAST = date(2017, 6, 1), date(2017, 9, 24)

    def __init__(self, path, seed):
        self.random, self.database, self.acts = random.Random(seed), sqlite3.connect(path), {}

    @staticmethod
    def at(day, minutes):
        return datetime.combine(day, time(), ZoneInfo("Europe/Paris")).timestamp() + 60 * minutes

    def use(self, lamps, start, seconds):
        for lamp in lamps:
            self.acts.setdefault(lamp, []).extend([(start + self.random.random(), "on"),
                                                   (start + seconds + self.random.random(), "off")])

    def daily(self, lamps, minute, weekdays):
        """A habit, and other use at any time of the afternoon and evening."""
        for day in (self.FIRST + timedelta(n) for n in range((self.LAST - self.FIRST).days)):
            if self.random.random() < 0.6:
                self.use(lamps, self.at(day, self.random.uniform(15 * 60, 22 * 60)),
                         self.random.lognormvariate(7.5, 0.7))
            if day.weekday() in weekdays and self.random.random() < 0.85:
                self.use(lamps, self.at(day, self.random.gauss(minute, 8)), self.random.lognormvariate(7.3, 0.7))

    def after(self, lamp, sensor):
        busy, before = 0, None
        for instant, state in self.database.execute(
                "SELECT last_updated_ts, state FROM states JOIN states_meta USING (metadata_id)"
                " WHERE states_meta.entity_id = ? AND last_updated_ts BETWEEN ? AND ? ORDER BY 1",
                (sensor, self.at(self.FIRST, 0), self.at(self.LAST, 0))):
            if (before, state) == ("off", "on") and instant > busy and self.random.random() < 0.85:
                seconds = self.random.lognormvariate(5.5, 0.4)
                self.use([lamp], instant + self.random.uniform(5, 30), seconds)
                busy = instant + seconds + 60
            before = state

    def write(self):
        state_id, = self.database.execute("SELECT max(state_id) FROM states").fetchone()
        for lamp, acts in self.acts.items():
            metadata_id = self.database.execute("INSERT INTO states_meta (entity_id) VALUES (?)", (lamp,)).lastrowid
            rows = [(self.at(self.FIRST, 10), "off")]
            for instant, state in sorted(acts):
                if state != rows[-1][1]:
                    rows.append((instant, state))
            for state_id, (instant, state) in enumerate(rows, state_id + 1):
                self.database.execute(
                    "INSERT INTO states (state_id, state, last_updated_ts, metadata_id, origin_idx, context_id_bin)"
                    " VALUES (?, ?, ?, ?, 0, ?)", (state_id, state, instant, metadata_id, self.random.randbytes(16)))
        self.database.commit()
        self.database.close()


def is_daily(automation, minute, weekdays):
    """Whether it fires within ten minutes of that minute of the day, on just these days (None: on all)."""
    if automation is None or automation["triggers"][0]["trigger"] != "time":
        return False
    hours, minutes, _ = map(int, automation["triggers"][0]["at"].split(":"))
    said = next((one["weekday"] for one in automation["conditions"] if "weekday" in one), None)
    return abs(hours * 60 + minutes - minute) <= 10 and said == weekdays


def test_it_is_not_deaf(ha_ai, recording, tmp_path):
    """Silence is only worth something where habits would be heard: planted among the flat's own sensors they are found;
    what hangs on its front door, whose sensor died in July, is not suggested. Of 50 such homes 49 had the hall, 49 the
    pair and all the toilet: ten of twelve is what chance does not miss."""
    found = 0
    for seed in (random.randrange(10 ** 9) for _ in range(4)):
        print(f"seed {seed}")
        path = tmp_path / f"{seed}.db"
        shutil.copy(recording("homeassist_inria"), path)
        planted = Planted(path, seed)
        planted.daily(["light.hall"], 7 * 60 + 12, range(5))
        planted.daily(["light.bed_left", "light.bed_right"], 22 * 60 + 10, range(7))
        planted.after("light.toilet", "binary_sensor.toilet_motion")
        planted.after("light.entrance", "binary_sensor.front_door")
        planted.write()
        said = analyze_file(ha_ai, path, "homeassist_inria", "--since", "2017-06-01", "--until", "2017-09-24")["suggestions"]
        for one in said:
            bed = {"light.bed_left", "light.bed_right"}
            assert "light.entrance" not in targets(one), one
            assert not bed & set(targets(one)) or bed == set(targets(one)), one
        on = {targets(one)[0]: one["automation"] for one in said if one["automation"]["actions"][0]["action"] == "light.turn_on"}
        found += is_daily(on.get("light.hall"), 7 * 60 + 12, ["mon", "tue", "wed", "thu", "fri"])
        found += is_daily(on.get("light.bed_left"), 22 * 60 + 10, None)
        found += "light.toilet" in on and on["light.toilet"]["triggers"][0].get("entity_id") == "binary_sensor.toilet_motion"
    assert found >= 10
