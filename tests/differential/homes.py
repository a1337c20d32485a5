"""Random homes: a place, entities, and what the state machine held over some days, restarts included.

A home is plain data (`Home.as_json()`), written for frozen_core.py; times are milliseconds UTC. Entities are made first, so
that automations (automations.py) can name them and their values; the days come after, so that changes may fall exactly on
the moments that the automations look at.
"""
import datetime
from zoneinfo import ZoneInfo

UTC = datetime.timezone.utc
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000

# name: (latitude, longitude, elevation, zone)
PLACES = {
    "Berlin": (52.52, 13.405, 34, "Europe/Berlin"),
    "Tromsø": (69.6492, 18.9553, 10, "Europe/Oslo"),
    "Longyearbyen": (78.2232, 15.6267, 25, "Arctic/Longyearbyen"),
    "Reykjavik": (64.1466, -21.9426, 61, "Atlantic/Reykjavik"),
    "Murmansk": (68.9585, 33.0827, 50, "Europe/Moscow"),
    "Rovaniemi": (66.5039, 25.7294, 76, "Europe/Helsinki"),
    "Utqiagvik": (71.2906, -156.7886, 3, "America/Anchorage"),
    "New York": (40.7128, -74.006, 10, "America/New_York"),
    "St. John's": (47.5615, -52.7126, 60, "America/St_Johns"),
    "Santiago": (-33.4489, -70.6693, 520, "America/Santiago"),
    "Ushuaia": (-54.8019, -68.303, 23, "America/Argentina/Ushuaia"),
    "Quito": (-0.1807, -78.4678, 2850, "America/Guayaquil"),
    "Nairobi": (-1.2921, 36.8219, 1795, "Africa/Nairobi"),
    "Cairo": (30.0444, 31.2357, 23, "Africa/Cairo"),
    "Kathmandu": (27.7172, 85.324, 1400, "Asia/Kathmandu"),
    "Sydney": (-33.8688, 151.2093, 58, "Australia/Sydney"),
    "Lord Howe": (-31.5553, 159.0821, 5, "Australia/Lord_Howe"),
    "Auckland": (-36.8509, 174.7645, 20, "Pacific/Auckland"),
    "Chatham": (-43.9535, -176.5597, 5, "Pacific/Chatham"),
    "McMurdo": (-77.8419, 166.6863, 10, "Antarctica/McMurdo"),
    "Kiritimati": (1.8721, -157.4278, 3, "Pacific/Kiritimati"),
    "Honolulu": (21.3069, -157.8583, 6, "Pacific/Honolulu"),
    "Phoenix": (33.4484, -112.074, 331, "America/Phoenix"),
}


def ms(moment):
    return round(moment.timestamp() * 1000)


def zone_changes(zone, year):
    """The moments of that year at which the zone's offset changes, in ms."""
    found, moment, end = [], datetime.datetime(year, 1, 1, tzinfo=UTC), datetime.datetime(year + 1, 1, 1, tzinfo=UTC)
    while moment < end:
        later = moment + datetime.timedelta(hours=1)
        if moment.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            found.append(ms(later))
        moment = later
    return found


class Entity:
    """What an entity can be: `states` it takes, `attributes` with the values that they take, how often it changes."""

    def __init__(self, entity_id, states=(), attributes=None, fixed=None, rate=24, make=None):
        self.entity_id, self.domain = entity_id, entity_id.split(".")[0]
        self.states = list(states)
        self.attributes = attributes or {}  # name: list of values
        self.fixed = {"friendly_name": entity_id.split(".")[1].replace("_", " ").title(), **(fixed or {})}
        self.rate = rate  # changes a day
        self.make = make  # (rng, previous) -> (state, attributes), for what is more than one of the values

    @property
    def device_class(self):
        return self.fixed.get("device_class")

    def value(self, rng, previous):
        """A next (state, attributes)."""
        if self.make:
            state, attributes = self.make(rng, previous)
            return state, {**self.fixed, **attributes}
        others = [s for s in self.states if previous is None or s != previous[0]] or self.states
        return rng.choice(others), self.fixed | {k: rng.choice(v) for k, v in self.attributes.items()}

    def touched(self, rng, previous):
        """The same state with other attributes."""
        if self.make or not self.attributes:
            return self.value(rng, previous)
        name = rng.choice(list(self.attributes))
        return previous[0], previous[1] | {name: rng.choice(self.attributes[name])}


# --- kinds of entities ------------------------------------------------------------------------------------------------

def numbers(low, high, step, digits):
    """A walk between two bounds; now and then what is no number, or one written in an unusual way."""
    def make(rng, previous):
        try:
            value = float(previous[0])
        except (TypeError, ValueError):
            value = rng.uniform(low, high)
        if not low <= value <= high:  # nan and inf too
            value = rng.uniform(low, high)
        value = min(high, max(low, value + rng.gauss(0, step)))
        text = f"{value:.{digits}f}"
        chance = rng.random()
        if chance < 0.02:
            text = rng.choice(["error", "", "nan", "inf", "-inf", "None", "0x10", "12,5", "1 2", "off"])
        elif chance < 0.05:
            text = rng.choice([f" {text}", f"+{abs(value):.{digits}f}", f"{value:.3e}", f"{text}0" if digits else f"{text}.",
                               f"1_{abs(round(value)):02d}", f"{text}\n"])
        return text, {}
    return make


def light(rng, name):
    return Entity(f"light.{name}", ["on", "off"], {
        "brightness": [None, 1, 25, 64, 128, 200, 254, 255], "color_mode": ["color_temp", "xy", None],
        "color_temp_kelvin": [2200, 2700, 4000, 6500], "rgb_color": [[255, 0, 0], [255, 180, 107], [0, 0, 0]],
        "effect": ["None", "colorloop"]}, rate=rng.choice([6, 20, 60]))


def switch(rng, name):
    return Entity(f"switch.{name}", ["on", "off"], rate=rng.choice([4, 12, 40]))


def binary_sensor(rng, name):
    return Entity(f"binary_sensor.{name}", ["on", "off"], {"battery_level": [100, 99, 50, 8]},
                  {"device_class": rng.choice(["motion", "door", "window", "occupancy", "opening", "presence", "smoke",
                                               "moisture", "battery", "garage_door"])}, rate=rng.choice([8, 40, 150]))


SENSORS = [  # device class, unit, low, high, step, digits
    ("temperature", "°C", -15, 35, 2, 1), ("humidity", "%", 0, 100, 8, 0), ("illuminance", "lx", 0, 2000, 250, 0),
    ("power", "W", 0, 3000, 500, 1), ("battery", "%", 0, 100, 15, 0), ("pressure", "hPa", 950, 1050, 6, 2),
    ("carbon_dioxide", "ppm", 400, 2000, 200, 0), ("temperature", "°F", 10, 95, 5, 1),
    ("energy", "kWh", 0, 50, 3, 3), (None, None, -5, 5, 1.5, 2),
]


def sensor(rng, name):
    device_class, unit, low, high, step, digits = rng.choice(SENSORS)
    fixed = {"device_class": device_class, "unit_of_measurement": unit, "state_class": "measurement"}
    entity = Entity(f"sensor.{name}", fixed={k: v for k, v in fixed.items() if v}, rate=rng.choice([30, 100, 200]),
                    make=numbers(low, high, step, digits))
    entity.range = (low, high, digits)
    return entity


def input_number(rng, name):
    low, high = rng.choice([(0, 100), (-10, 30), (0, 2000)])
    entity = Entity(f"input_number.{name}", fixed={"min": low, "max": high, "step": 0.5, "mode": "slider"}, rate=6,
                    make=lambda rng, previous: (str(float(round(rng.uniform(low, high) * 2) / 2)), {}))
    entity.range = (low, high, 1)
    return entity


def input_boolean(rng, name):
    return Entity(f"input_boolean.{name}", ["on", "off"], rate=rng.choice([3, 10]))


def input_select(rng, name):
    options = ["day", "night", "away", "guests", "on", "off"]
    return Entity(f"input_select.{name}", options, fixed={"options": options}, rate=6)


def input_text(rng, name):
    return Entity(f"input_text.{name}", ["on", "off", "hello", "5", "5.0", "true", "", "home"], rate=8)


def input_datetime(rng, name):
    has_date, has_time = rng.choice([(True, True), (False, True), (False, True), (True, False)])

    def make(rng, previous):
        # Near the days of the home: a moment of them, or of its neighbourhood.
        moment = entity.near(rng)
        attributes, parts = {"has_date": has_date, "has_time": has_time}, []
        if has_date:
            attributes.update(year=moment.year, month=moment.month, day=moment.day)
            parts.append(f"{moment:%Y-%m-%d}")
        if has_time:
            attributes.update(hour=moment.hour, minute=moment.minute, second=moment.second)
            parts.append(f"{moment:%H:%M:%S}")
        attributes["timestamp"] = moment.timestamp() if has_date else moment.hour * 3600 + moment.minute * 60 + moment.second
        return " ".join(parts), attributes
    entity = Entity(f"input_datetime.{name}", rate=3, make=make)
    return entity


def timestamp(rng, name):
    def make(rng, previous):
        moment = entity.near(rng)
        if rng.random() < 0.05:
            return rng.choice(["unknown", "soon", "unavailable"]), {}
        if rng.random() < 0.3:
            moment = moment.astimezone(datetime.timezone(datetime.timedelta(hours=rng.choice([-8, 0, 2]))))
        else:
            moment = moment.astimezone(UTC)
        return moment.isoformat(), {}
    entity = Entity(f"sensor.{name}", fixed={"device_class": "timestamp"}, rate=4, make=make)
    return entity


def climate(rng, name):
    return Entity(f"climate.{name}", ["heat", "cool", "off", "auto"], {
        "temperature": [None, 17, 19.5, 21, 21.0, 23.5], "current_temperature": [15.2, 18, 20.9, 21, 24.4],
        "hvac_action": ["idle", "heating", "cooling", "off"], "preset_mode": ["none", "eco", "away"],
        "hvac_modes": [["off", "heat", "cool", "auto"]]}, rate=40)


def cover(rng, name):
    return Entity(f"cover.{name}", ["open", "closed", "opening", "closing"], {
        "current_position": [0, 10, 50, 99, 100], "is_closed": [True, False]},
        {"device_class": rng.choice(["shutter", "garage", "curtain", "awning", "door"])}, rate=20)


def media_player(rng, name):
    return Entity(f"media_player.{name}", ["playing", "paused", "idle", "off", "on", "standby"], {
        "volume_level": [0, 0.0, 0.25, 0.5, 0.52, 1, 1.0], "is_volume_muted": [True, False], "source": ["TV", "Radio", None],
        "media_title": ["News", "On", ""]}, rate=40)


def fan(rng, name):
    return Entity(f"fan.{name}", ["on", "off"], {"percentage": [0, 33, 66, 100], "oscillating": [True, False]}, rate=15)


def lock(rng, name):
    return Entity(f"lock.{name}", ["locked", "unlocked", "locking", "unlocking", "jammed"], rate=12)


def sun(rng, name):
    def make(rng, previous):
        state = previous[0] if previous and rng.random() < 0.7 else rng.choice(["above_horizon", "below_horizon"])
        return state, {"elevation": round(rng.uniform(-40, 50), 2), "azimuth": round(rng.uniform(0, 360), 2),
                       "rising": rng.random() < 0.5}
    return Entity("sun.sun", ["above_horizon", "below_horizon"], {"elevation": [-6.0, 0.0, 12.5], "rising": [True, False]},
                  rate=60, make=make)


def tracker(domain):
    def kind(rng, name):
        def make(rng, previous):
            if entity.without_place or rng.random() < 0.04:
                return rng.choice(["home", "not_home"]), {"source_type": "router"}
            latitude, longitude, where = entity.somewhere(rng)
            accuracy = rng.choice([0, 5, 20, 65, 200, 1500])
            attributes = {"latitude": latitude, "longitude": longitude, "source_type": "gps"}
            if rng.random() < 0.9:
                attributes["gps_accuracy"] = accuracy
            if entity.tells_zones and rng.random() < 0.8:
                attributes["in_zones"] = [f"zone.{where.lower()}"] if where != "not_home" else []
            return where, attributes
        entity = Entity(f"{domain}.{name}", ["home", "not_home", "Work", "School"], rate=rng.choice([15, 60]), make=make)
        entity.without_place, entity.tells_zones = rng.random() < 0.15, False
        return entity
    return kind


KINDS = [  # how many of each: at least, at most
    (light, "lamp", 2, 4), (switch, "plug", 1, 3), (binary_sensor, "detector", 2, 4), (sensor, "probe", 3, 5),
    (input_boolean, "flag", 1, 2), (input_number, "limit", 1, 2), (input_select, "mode", 1, 1), (input_text, "word", 0, 1),
    (input_datetime, "alarm", 1, 3), (timestamp, "next", 0, 2), (climate, "heating", 1, 2), (cover, "blind", 1, 2),
    (media_player, "player", 1, 2), (fan, "fan", 0, 1), (lock, "lock", 0, 1), (sun, "sun", 1, 1),
    (tracker("person"), "person", 1, 2), (tracker("device_tracker"), "phone", 1, 2),
]


class Home:
    def __init__(self, rng, version, days=None):
        self.rng, self.version = rng, version
        self.name = rng.choice(list(PLACES))
        latitude, longitude, elevation, zone = PLACES[self.name]
        self.place = {"latitude": latitude, "longitude": longitude, "elevation": elevation, "time_zone": zone}
        self.zone = ZoneInfo(zone)
        self.draw_days(days or rng.choice([2, 3, 3, 4, 5]))
        self.draw_runs()
        self.moments, self.durations = [], []  # local times of day (h, m, s) and ms, that automations look at
        self.entities = {}
        self.draw_entities()
        self.states = []
        self.registry = None

    # --- when ---------------------------------------------------------------------------------------------------------

    def draw_days(self, days):
        """A stretch of some days, as often as not around something: a change of the clock, the end of the year or of polar day."""
        rng, year = self.rng, self.rng.choice([2023, 2024, 2025, 2026])
        centre = ms(datetime.datetime(year, 1, 1, tzinfo=UTC)) + rng.randrange(364 * DAY)
        kind = rng.choices(["change", "year end", "polar", "any"], [4, 1, 2, 4])[0]
        changes = zone_changes(self.zone, year)
        if kind == "change" and changes:
            centre = rng.choice(changes)
        elif kind == "year end":
            centre = ms(datetime.datetime(year, 12, 31, 20, tzinfo=UTC))
        elif kind == "polar" and abs(self.place["latitude"]) > 60:
            # Where the sun begins or ceases to set or to rise, roughly.
            month, day = rng.choice([(1, 15), (2, 15), (4, 19), (5, 18), (6, 21), (7, 26), (8, 24), (10, 26), (11, 27), (12, 21)])
            centre = ms(datetime.datetime(year, month, day, 12, tzinfo=UTC)) + rng.randrange(-4 * DAY, 4 * DAY)
        self.begin = centre - rng.randrange(1, days * DAY)
        self.end = self.begin + days * DAY

    def draw_runs(self):
        """When Home Assistant ran: up to three times, with its starts (`started`: automations are alive) and crashes."""
        rng, at, self.runs = self.rng, self.begin, []
        stops = sorted(rng.randrange(self.begin + 2 * HOUR, self.end - 2 * HOUR) for _ in range(rng.choice([0, 0, 1, 1, 2])))
        for stop in [*stops, self.end]:
            if stop - at < HOUR:
                continue
            started = at + rng.choice([rng.randrange(500, 5000), rng.randrange(5000, 60000), 90 * SECOND])
            self.runs.append({"from": at, "started": started, "to": stop, "clean": rng.random() < 0.6})
            at = stop + rng.choice([rng.randrange(1000, MINUTE), rng.randrange(MINUTE, 3 * HOUR)])
        self.runs[-1]["to"] = self.end

    def near(self, rng):
        """A local time of these days or beside them, often a round one."""
        moment = datetime.datetime.fromtimestamp(rng.randrange(self.begin - DAY, self.end + DAY) / 1000, self.zone)
        moment = moment.replace(microsecond=0)
        return moment.replace(second=0, minute=rng.choice([0, 15, 30, moment.minute])) if rng.random() < 0.7 else moment

    # --- who ----------------------------------------------------------------------------------------------------------

    def draw_entities(self):
        rng, latitude, longitude = self.rng, self.place["latitude"], self.place["longitude"]
        self.zones = {"home": (latitude, longitude, 100), "work": (latitude + 0.03, longitude + 0.05, rng.choice([50, 250])),
                      "school": (latitude + 0.0012, longitude, 150)}
        for kind, name, least, most in KINDS:
            for i in range(rng.randint(least, most)):
                entity = kind(rng, f"{name}_{i + 1}")
                entity.near, entity.somewhere = self.near, self.somewhere
                entity.tells_zones = self.version >= (2026,)
                self.entities[entity.entity_id] = entity
        for name, (lat, lon, radius) in self.zones.items():
            self.entities[f"zone.{name}"] = Entity(
                f"zone.{name}", ["0", "1", "2"], {"persons": [[], ["person.person_1"]]},
                {"latitude": lat, "longitude": lon, "radius": radius, "passive": rng.random() < 0.1}, rate=6)

    def somewhere(self, rng):
        """A place in or near a zone, and the state that goes with it, mostly."""
        name = rng.choice(list(self.zones))
        latitude, longitude, radius = self.zones[name]
        metres = rng.choice([0, 0.5, 0.9, 0.99, 1.01, 1.3, 3, 20]) * radius
        latitude += metres / 111_320 * rng.choice([-1, 1])
        state = {"home": "home"}.get(name, name.title()) if metres < radius else "not_home"
        return round(latitude, 6), round(longitude, 6), state

    def of(self, *domains):
        return [e for e in self.entities.values() if e.domain in domains]

    # --- what happened ------------------------------------------------------------------------------------------------

    def local_moment(self, day, moment):
        """That local time (either of two, where there are two) of a day of the home, in ms."""
        date = datetime.datetime.fromtimestamp((self.begin + day * DAY) / 1000, self.zone).date()
        return ms(datetime.datetime.combine(date, datetime.time(*moment), self.zone).replace(fold=self.rng.randrange(2)))

    def next_time(self, at, entity):
        """When an entity changes next: mostly some time later, else in a burst, or exactly when something is looked at."""
        rng, chance = self.rng, self.rng.random()
        if chance < 0.08:
            return at + rng.choice([0, 1, 7, 50, 300, 1000, 2500])
        if chance < 0.20 and self.durations:
            return at + rng.choice(self.durations) + rng.choice([0, 0, -1, 1, -1000, 1000])
        if chance < 0.28 and self.moments:
            day = max(0, (at - self.begin) // DAY)
            later = [t for d in (day, day + 1) for m in self.moments if (t := self.local_moment(d, m)) > at]
            if later:
                return rng.choice(sorted(later)[:3]) + rng.choice([0, 0, -1, 1])
        return at + max(1, round(rng.expovariate(entity.rate / DAY)))

    def play(self):
        """Fills `states`: [time, entity, state or None, attributes, user, force_update]."""
        for run in self.runs:
            for entity in self.entities.values():
                self.play_entity(entity, run)
        self.states.sort(key=lambda s: s[0])

    def play_entity(self, entity, run):
        rng = self.rng
        boot = run["started"] - run["from"]
        chance = rng.random()
        if chance < 0.03 and entity.domain not in ("zone", "sun"):
            return  # it does not come back in this run
        at = run["from"] + (rng.randrange(boot) if chance < 0.9 else rng.randrange(boot, boot + 3 * HOUR))
        current, first = None, True
        while at < run["to"]:
            user = rng.choice([None, None, "0123456789abcdef0123456789abcdef"])
            force, chance = False, rng.random()
            if first and chance < 0.3:
                value = ("unavailable", {**entity.fixed, "restored": True})
            elif first:
                value = entity.value(rng, current)
            elif current is None or current[0] in ("unavailable", "unknown"):
                value = entity.value(rng, None)
            elif chance < 0.04:
                value = ("unavailable", dict(entity.fixed) if entity.domain == "zone" or rng.random() < 0.7 else {})
            elif chance < 0.06:
                value = ("unknown", dict(entity.fixed))
            elif chance < 0.065:
                value = None
            elif chance < 0.16 and entity.domain != "input_datetime":
                value = entity.touched(rng, current)
            elif chance < 0.18:
                value, force = current, True
            else:
                value = entity.value(rng, current)
            if entity.domain in ("input_datetime",) and value and value[0] in ("unavailable", "unknown"):
                value = None if current else entity.value(rng, None)  # its attributes would be missing: HA itself stumbles
            if value is not None or current is not None:
                self.states.append([at, entity.entity_id, value and value[0], value[1] if value else {}, user, force])
            current, first = value, False
            at = self.next_time(at, entity)
            if at < run["started"] and rng.random() < 0.5:
                # In that very millisecond Home Assistant itself writes what it restores, before automations are alive.
                at = run["started"] + 1 + rng.randrange(2000)

    def as_json(self):
        return {"name": self.name, "place": self.place, "runs": self.runs, "states": self.states, "registry": self.registry,
                "services": [["light", "turn_on"], ["light", "turn_off"], ["notify", "notify"]]}
