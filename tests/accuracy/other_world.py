"""A world of another making than src/home: four households as stories, played event by event, with other rhythms,
scatters and names. It guards against fitting to one simulator. What is planted stands in a truth of the same format."""

import collections
import dataclasses
import datetime
import heapq
import itertools
import json
import math
import random

import rules
from other_recorder import Recorder
from other_stories import STORIES
from other_truth import ON_WORDS, TruthWriter, clock_of, stamp

PLACES = (("Europe/Madrid", "40.417,-3.704"), ("America/Denver", "39.739,-104.99"), ("Europe/Oslo", "59.913,10.752"),
          ("Pacific/Auckland", "-36.85,174.76"))  # fmt: skip
HOUR, DAY = 3600, 86400
EPISODE_S = 20 * 60
LONGEST_USE_S = 5 * HOUR
FAVOURITES = {"light": ("brightness_pct", (100, 70, 50, 5)), "fan": ("percentage", (100, 75, 15)),
              "media_player": ("volume_level", (0.5, 0.4, 0.6, 0.1)), "cover": ("position", (100, 0, 50, 30)),
              "climate": ("temperature", (19, 20, 17))}  # fmt: skip
SHOWN = {"percentage": "percentage", "volume_level": "volume_level", "position": "current_position",
         "temperature": "temperature"}  # fmt: skip
SERVICES = {"cover": "set_cover_position", "climate": "set_temperature"}
SHIFTS = ("Early", "Early", "Early", "Late", "Late", "Night", "Free", "Free")
SHIFT_HOURS = {"Early": (5.6, 14.2), "Late": (13.3, 21.9), "Night": (20.9, 30.6)}
ANOMALY_CHANCE = 0.3
NIGHT_LIGHT = "automation.night_light"


@dataclasses.dataclass(frozen=True)
class OtherHome:
    """As homes.Home."""

    seed: int
    days: int
    end: str
    timezone: str
    location: str
    habits: bool = True
    anomalies: bool = True

    def command(self):
        return f"the other world's {self}"

    def make(self, db, truth):
        with open(truth, "w") as file:
            json.dump(World(self, db).play(), file, indent=1)


def draw(rng, days, habits=True, more=()):
    """As homes.draw; of what is asked of simulate it knows that there are no anomalies."""
    end = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    end += datetime.timedelta(days=rng.randrange(365), minutes=rng.randrange(1440))
    quiet = "--anomalies" in more and more[list(more).index("--anomalies") + 1] == "none"
    return OtherHome(rng.randrange(1, 2**31), days, f"{end:%Y-%m-%dT%H:%M:%SZ}", *rng.choice(PLACES), habits, not quiet)


class Habit:
    """One planted habit: the truth's fields in `told`, and what became of it."""

    def __init__(self, template, rng, until):
        entity, state = template["act"]
        self.template, self.kind, self.entity, self.state = template, template["kind"], entity, state
        self.adherence = rng.uniform(0.8, 0.97) if rng.random() < 0.8 else rng.uniform(0.65, 0.8)
        self.day_class = rng.choice(template.get("days", ["all"]))
        self.days = rules.days_of_class(self.day_class)
        self.gate = rng.choice(template.get("gate", [None]))
        self.members = template.get("members", [])
        self.values = {name: rng.choice(values) for name, values in template.get("values", {}).items()}
        self.quiet_s = round(rng.uniform(*template["quiet"]) * 2) * 1800 if "quiet" in template else 0
        self.sigma_s = rng.uniform(2, 11) * 60
        self.lag_s = rng.uniform(*template["lag"]) if "lag" in template else 0
        self.steps = []
        for step, word, low, high in map(str.split, template.get("steps", [])):
            self.steps.append((step, word, rng.uniform(float(low), float(high)), rng.uniform(0.93, 1)))
        self.usual_s = rng.uniform(*template["minutes"]) * 60 if "minutes" in template else 0
        self.acts, self.told_acts, self.step_acts, self.uses = [], [], [[] for _ in self.steps], []
        self.kept, self.omitted = 0, []
        self.last_trigger, self.last_due, self.missed_on = -math.inf, None, None
        self.is_last_omitted = self.was_last_done = False
        self.told = {"entity_id": entity, "kind": self.kind, "begins": self._begins()}
        self.told["state"] = None if entity.split(".")[0] in ("scene", "climate") else state
        self._tell_begin(rng, until)
        self.rule = rules.rule_of_habit(self.told | {"day_class": self.day_class, "gate": self.gate})

    def _begins(self):
        words = {"at": "time", "sun": "sun", "after": "trigger"}
        return next((word for key, word in words.items() if key in self.template), "use")

    def _tell_begin(self, rng, until):
        told, template = self.told, self.template
        if "at" in template:
            first, last = (rules.seconds_of(clock) / 300 for clock in template["at"])
            told["at"] = clock_of(round(rng.uniform(first, last)) * 300)
        if "sun" in template:
            told |= {"event": template["sun"], "offset_min": round(rng.uniform(*template["offset"]) / 5) * 5}
        if "after" in template:
            entity, state = template["after"]
            told |= {"trigger": {"entity_id": entity, "state": state}, "lag_s": self.lag_s, "lag_sigma_s": self.lag_s / 6**0.5}
            told |= {"quiet_s": self.quiet_s} if self.quiet_s else {}
        if "from" in template:
            first, last = (rules.seconds_of(clock) / 1800 for clock in template["from"])
            told |= {"from": clock_of(round(rng.uniform(first, last)) * 1800)} | ({"until": until} if until else {})
        if self.values:
            told |= {"values": self.values, "value_adherence": 1}
            if self.entity.startswith("cover."):
                told["state"] = "open" if self.values["position"] else "closed"
        if told["begins"] in ("time", "sun"):
            told |= {"sigma_min": self.sigma_s / 60, "drift_min": 0}
        if self.usual_s:
            told |= {"after_s": self.usual_s, "after_spread": 0.45, "long_share": 0}


class World:
    def __init__(self, home, path):
        self.home, self.rng = home, random.Random(f"another {home.seed}")
        self.story = self.rng.choice(STORIES)
        self.devices = dict(devices_of(self.story["devices"]))
        self.night_light = (NIGHT_LIGHT, *self.story["automatic"])
        self.calendar = rules.Calendar(home.timezone, home.location)
        self.end = datetime.datetime.fromisoformat(home.end).timestamp()
        last = self.calendar.day_of(self.end)
        self.days = [last - datetime.timedelta(days=back) for back in range(home.days, 0, -1)]
        self.recorder, self.heap, self.order = Recorder(path), [], itertools.count()
        self.users = {name: self.rng.randbytes(16) for name in self.story["people"]}
        self.state, self.attributes, self.changed, self.use, self.roles = {}, {}, {}, collections.Counter(), {}
        self.changes = collections.defaultdict(list)
        self.frozen, self.out, self.anomalies, self.clouds = {}, collections.defaultdict(list), [], 0.0
        self.shift_from = self.rng.randrange(len(SHIFTS))
        self.habits = [Habit(t, self.rng, self.story.get("until")) for t in self._chosen()] if home.habits else []
        self.by_trigger, self.in_use = collections.defaultdict(list), {}
        for habit in self.habits:
            if habit.told["begins"] == "trigger":
                self.by_trigger[habit.template["after"]].append(habit)
            elif habit.told["begins"] == "use":
                self.in_use[habit.entity] = habit

    def _chosen(self):
        count = self.rng.randrange(8, len(self.story["habits"]) + 1)
        return sorted(self.rng.sample(self.story["habits"], count), key=self.story["habits"].index)

    # --- What happens

    def at(self, when, action, *arguments):
        heapq.heappush(self.heap, (when, next(self.order), action, arguments))

    def play(self):
        """Lets the home live until its end; returns the truth."""
        begin = self.calendar.midnight(self.days[0]) - 600
        self._furnish(begin)
        self._draw_anomalies()
        today = [*self.days, self.days[-1] + datetime.timedelta(days=1)]
        for day in today:
            self.at(self.calendar.midnight(day) - 300, self.plan_day, day)
        while self.heap and self.heap[0][0] < self.end:
            when, _, action, arguments = heapq.heappop(self.heap)
            action(when, *arguments)
        self.recorder.close(begin, self.end)
        return TruthWriter(self).write(begin)

    def context(self, when, user=None, parent=None):
        return round(when * 1000).to_bytes(6, "big") + self.rng.randbytes(10), user, parent

    def show(self, when, entity, state, context, **attributes):
        """HA hears of it: a row; what hangs on a change of state follows."""
        if when >= self.frozen.get(entity, math.inf):
            return False
        before, rest = self.state.get(entity), when - self.changed.get(entity, when)
        self.attributes[entity] = self.attributes.get(entity, {}) | attributes
        shown = {name: value for name, value in self.attributes[entity].items() if value is not None}
        self.recorder.state(when, entity, state, shown, context)
        if state != before:
            self.state[entity], self.changed[entity] = state, when
            self.changes[entity].append((when, state))
            if before is not None:
                self._react(when, entity, state, rest, context)
        return True

    def _react(self, when, entity, state, rest, context):
        for habit in self.by_trigger[entity, state]:
            begins, habit.last_trigger = when - habit.last_trigger > EPISODE_S, when
            may = self.holds(habit, when) and rest >= habit.quiet_s
            if begins and may and self.rng.random() < habit.adherence:
                self.at(when + self.rng.gammavariate(6, habit.lag_s / 5.67), self.do_habit, habit)
        automation, trigger, target = self.night_light
        is_late = self.calendar.second_of(when) >= 22 * HOUR or self.calendar.second_of(when) < 6 * HOUR
        if (entity, state) == (trigger, "on") and is_late and self.state[target] == "off":
            ours = self.context(when, parent=context[0])
            data = {"name": "Night light", "entity_id": automation, "source": f"state of {trigger}"}
            self.recorder.event(when, "automation_triggered", data, ours)
            self.show(when + 0.1, target, "on", ours)
            self.at(when + 180, lambda at: self.show(at, target, "off", self.context(at, parent=ours[0])))

    def holds(self, habit, when):
        """Whether the days and what it hangs on besides allow the habit."""
        if rules.WEEK[self.calendar.day_of(when).weekday()] not in habit.days:
            return False
        gate = habit.gate
        if not gate:
            return True
        if gate["kind"] == "dark":
            return self.calendar.is_dark(when)
        if gate["kind"] == "lux":
            return float(self.state[gate["entity_id"]]) < gate["below"]
        if gate["kind"] == "window":
            second, after, before = self.calendar.second_of(when), *map(rules.seconds_of, (gate["after"], gate["before"]))
            return after <= second < before if after < before else second >= after or second < before
        return self.state[gate["entity_id"]] == gate["state"]

    def act(self, when, entity, state, values=None, by=None, minutes=None):
        """Somebody switches or sets something: (when HA saw it, None if nothing changed; whether it heard the values)."""
        domain, (_, room, _, usual, wall) = entity.split(".")[0], self.devices[entity]
        if state is not None and self.state[entity] == state or when >= self.frozen.get(entity, math.inf):
            return None, False
        in_app = by != "wall" and self.rng.random() >= wall
        context = self.context(when, self.rng.choice(list(self.users.values())) if in_app else None)
        values, habit = dict(values or {}), self.in_use.get(entity)
        meant = habit if habit and habit.kind == "value" and state in ON_WORDS and self._is_late(habit, when) else None
        meant = meant if meant and self.rng.random() < meant.adherence and (in_app or domain != "light") else None
        values = meant.values if meant else values or self._favourite(domain, state)
        if domain in SERVICES and self.attributes[entity][SHOWN[FAVOURITES[domain][0]]] == next(iter(values.values())):
            return None, False
        if in_app:
            self._call(when, domain, entity, state, values, context)
            when += self.rng.uniform(0.02, 0.4)
        shown = {SHOWN[name]: value for name, value in values.items() if name in SHOWN}
        word = {"cover": "open" if values.get("position") else "closed", "climate": "heat",
                "scene": f"{datetime.datetime.fromtimestamp(when, datetime.timezone.utc):%Y-%m-%dT%H:%M:%S.%f+00:00}"}  # fmt: skip
        if state in ("off", "locked"):
            shown = {name: None for name in SHOWN.values() if name in self.attributes[entity]}
        self.show(when, entity, word.get(domain, state), context, **shown)
        if meant:
            meant.acts.append(when)
            meant.told_acts.append(when)
        if state in ON_WORDS and domain not in SERVICES:
            self._begin_use(when, entity, (minutes or usual) * 60, habit)
        for member in self.story["scenes"].get(entity, []):
            if self.state[member] == "off":
                self.show(when + self.rng.uniform(0.05, 0.5), member, "on", context)
                self._begin_use(when, member, self.devices[member][3] * 60, None)
        return when, in_app or domain != "light"

    def _is_late(self, habit, when):
        condition = habit.rule.conditions[0]
        second = self.calendar.second_of(when)
        if condition.after < condition.before:
            return condition.after <= second < condition.before
        return second >= condition.after or second < condition.before

    def _favourite(self, domain, state):
        if domain not in FAVOURITES or state not in (None, *ON_WORDS) or (domain == "light" and self.rng.random() < 0.4):
            return {}
        name, values = FAVOURITES[domain]
        return {name: self.rng.choice(values)}

    def _call(self, when, domain, entity, state, values, context):
        service = SERVICES.get(domain) or ("turn_off" if state == "off" else "turn_on")
        service = {"locked": "lock", "unlocked": "unlock"}.get(state, service)
        alone = {name: values[name] for name in ("volume_level",) if name in values}
        data = {"entity_id": [entity]} | {name: value for name, value in values.items() if name not in alone}
        self.recorder.event(when, "call_service", {"domain": domain, "service": service, "service_data": data}, context)
        if alone:
            data = {"entity_id": [entity]} | alone
            self.recorder.event(when, "call_service", {"domain": domain, "service": "volume_set", "service_data": data}, context)

    def _begin_use(self, when, entity, usual_s, habit):
        self.use[entity] += 1
        length, forgotten = min(self.rng.gammavariate(2.2, usual_s / 1.9), LONGEST_USE_S), None
        if habit and habit.kind == "left_on":
            forgotten = self.rng.random() >= habit.adherence
            length = self.rng.uniform(3.5, 9) * HOUR if forgotten else self.rng.gammavariate(5, habit.usual_s / 4.67)
        self.at(when + max(length, 30), self.end_use, entity, self.use[entity], when, habit, forgotten)

    def end_use(self, when, entity, use, begun, habit, forgotten):
        if use != self.use[entity] or self.state[entity] not in ON_WORDS:
            return
        seen, _ = self.act(when, entity, "locked" if entity.startswith("lock.") else "off")
        if seen and forgotten is not None:
            habit.uses.append({"from": stamp(begun), "to": stamp(seen), "forgotten": forgotten})
            habit.acts += [] if forgotten else [seen]

    # --- Habits

    def do_habit(self, when, habit, by=None):
        """The habit's act, if there is something to do; then its steps, one after the other."""
        is_set = habit.entity.split(".")[0] in ("cover", "climate", "scene")
        when, told = self.act(when, habit.entity, None if is_set else habit.state, habit.values)
        if when is None:
            return
        for member in habit.members:
            self.at(when + self.rng.uniform(0.1, 1.5), self.act, member, habit.state)
        habit.acts.append(when)
        habit.told_acts += [when] if told else []
        self._do_step(when, habit, 0)

    def _do_step(self, when, habit, index):
        if index < len(habit.steps) and self.rng.random() < habit.steps[index][3]:
            self.at(when + self.rng.gammavariate(6, habit.steps[index][2] / 5.67), self.do_step, habit, index)

    def do_step(self, when, habit, index):
        entity, state, _, _ = habit.steps[index]
        when, _ = self.act(when, entity, state)
        if when is not None:
            habit.step_acts[index].append(when)
            self._do_step(when, habit, index + 1)

    def scatter(self, sigma_s):
        if self.story["scatter"] == "laplace":
            return self.rng.choice((-1, 1)) * self.rng.expovariate(2**0.5 / sigma_s)
        if self.story["scatter"] == "uniform":
            return self.rng.uniform(-1, 1) * 3**0.5 * sigma_s
        return self.rng.expovariate(1 / sigma_s) - math.log(2) * sigma_s  # never early by much, late by more

    def plan_habits(self, day):
        for habit in self.habits:
            due = self.calendar.fire(habit.rule, day) if habit.told["begins"] in ("time", "sun") else None
            if due is None:
                continue
            when, keeps = due + self.scatter(habit.sigma_s), self.rng.random() < habit.adherence and day != habit.missed_on
            if habit.entity.split(".")[0] in SERVICES:  # else it would be as wanted on the next day
                self.at(due + self.rng.uniform(5, 13) * HOUR, self.set_otherwise, habit)
            if habit.state == "off" and keeps:
                self.at(when - self.rng.uniform(0.6, 2.5) * HOUR, self.begin_before_end, habit)
            self.at(when, self.do_timed, habit, due, keeps)

    def begin_before_end(self, when, habit):
        """Something goes off at its time that went on at any."""
        if self.state[habit.entity] == "off":
            self.act(when, habit.entity, "on", minutes=900)
        self.use[habit.entity] += 1

    def set_otherwise(self, when, habit):
        name, values = FAVOURITES[habit.entity.split(".")[0]]
        self.act(when, habit.entity, None, {name: self.rng.choice([v for v in values if v != habit.values[name]])})

    def do_timed(self, when, habit, due, keeps):
        if not self.holds(habit, when):
            return
        is_done, before = habit.state in ON_WORDS and self.state[habit.entity] == habit.state, len(habit.acts)
        habit.last_due, habit.is_last_omitted, habit.was_last_done = due, not keeps, is_done
        if keeps:
            self.do_habit(when, habit)
            habit.kept += len(habit.acts) - before
        elif not is_done:
            habit.omitted.append(due)

    # --- Days

    def plan_day(self, _, day):
        midnight = self.calendar.midnight(day)
        self.daylight = [self.calendar.fire(rules.Rule("sun", frozenset(), None, event=e), day) for e in ("sunrise", "sunset")]
        awake = {}
        for name, (wake, bed, plan) in self.story["people"].items():
            wake, bed = self.rng.gauss(wake, 0.5), self.rng.gauss(bed, 0.5)
            awake[name] = midnight + wake * HOUR, midnight + bed * HOUR
            plan = self._shift(day) if plan == "shift" else plan
            for days, begin, end, scatter, chance in plan:
                begin, end = (midnight + self.rng.gauss(hour, scatter) * HOUR for hour in (begin, end))
                if rules.WEEK[day.weekday()] in days and self.rng.random() < chance and end - begin > 900:
                    self.go_out(name, begin, end)
        self.plan_habits(day)
        lively = self.rng.lognormvariate(-0.05, 0.3)
        for entity, room, per_day, _, _ in self.devices.values():
            for when in self.moments(per_day * lively, awake):
                self.at(when, self.use_device, entity, room)
        for room, visits in self.story["motion"].items():
            for when in self.moments(visits * lively, awake):
                self.at(when, self.move, room)
        for habit in self.habits:
            for when in self.moments(habit.template.get("visits", 0), awake):
                self.at(when, self.move, habit.template["after"][0].split(".")[1].rsplit("_", 1)[0])
        for when in self.moments(2.5, awake):
            self.pulse(when, self.story["window"], self.rng.uniform(60, 1500))
        for when in self.moments(1.5, awake):
            self.at(when, self.use_device, next(e for e in self.devices if e.startswith("lock.")), "")
        self._plan_modes(day, midnight)
        self._plan_machines(midnight)

    def moments(self, count, awake):
        """About so many times on a day at which somebody is up and home."""
        for _ in range(poisson(self.rng, count)):
            for _ in range(10):
                name = self.rng.choice(list(awake))
                when = self.rng.uniform(*awake[name])
                if not any(begin <= when < end for begin, end in self.out[name]):
                    yield when
                    break

    def _shift(self, day):
        shift = SHIFTS[(day.toordinal() + self.shift_from) % len(SHIFTS)]
        hours = SHIFT_HOURS.get(shift, (10.5, 12))
        return [("mon tue wed thu fri sat sun", *hours, 0.15, 1.0 if shift != "Free" else 0.5)]

    def _plan_modes(self, day, midnight):
        """Shifts are told on the evening before; other modes on some days, for hours."""
        for entity, words in self.story["modes"].items():
            if entity.endswith("shift"):
                word = SHIFTS[(day.toordinal() + 1 + self.shift_from) % len(SHIFTS)]
                self.at(midnight + self.rng.uniform(22.2, 23.7) * HOUR, self.tell_mode, entity, word)
            elif self.rng.random() < 0.5:
                begin = self.rng.uniform(10, 14)
                self.at(midnight + begin * HOUR, self.tell_mode, entity, words[1])
                self.at(midnight + self.rng.uniform(begin + 3, 24) * HOUR, self.tell_mode, entity, words[0])

    def tell_mode(self, when, entity, word):
        if self.state[entity] != word:
            user = next(iter(self.users.values()))
            self.show(when, entity, word, self.context(when, user))

    def _plan_machines(self, midnight):
        for hour, word in ((8, "on"), (20.5, "off")):
            when = midnight + hour * HOUR + self.rng.uniform(0, 1)
            self.at(when, lambda at, word=word: self.show(at, self.story["machine"], word, self.context(at)))
        for minutes in range(0, 1440, 5):
            self.at(midnight + minutes * 60 + self.rng.uniform(0, 20), self.measure, minutes % 30 == 0)

    def measure(self, when, also_warmth):
        """Light every five minutes, warmth every half hour."""
        rise, fall = self.daylight
        self.clouds = 0.985 * self.clouds + self.rng.gauss(0, 0.1)
        height = math.sin(math.pi * (when - rise) / (fall - rise)) if rise < when < fall else 0
        lux = round(40000 * height**1.4 * math.exp(min(self.clouds, 0.8))) if height > 0 else 0
        if str(lux) != self.state.get("sensor.yard_brightness"):
            self.show(when, "sensor.yard_brightness", str(lux), self.context(when))
        for entity in self.devices if also_warmth else ():
            if entity.startswith("climate."):
                warm = round(self.attributes[entity]["temperature"] + self.rng.gauss(0, 0.4), 1)
                self.show(when + 1, entity, "heat", self.context(when), current_temperature=warm)

    def go_out(self, name, begin, end):
        if any(begin < other_end and end > other for other, other_end in self.out[name]):
            return
        self.out[name].append((begin, end))
        for when, word in ((begin, "not_home"), (end, "home")):
            self.pulse(when, self.story["door"], self.rng.uniform(5, 30))
            late = when + self.rng.uniform(20, 90)
            self.at(late, lambda at, word=word: self.show(at, f"person.{name}", word, self.context(at)))

    def use_device(self, when, entity, room):
        """Somebody comes to it, and uses it if it is not in use."""
        word = {"lock": "unlocked", "media_player": "playing"}.get(entity.split(".")[0], "on")
        is_set = entity.split(".")[0] in ("cover", "climate", "scene")
        if room in self.story["motion"]:
            self.move(when, room)
            when += self.rng.expovariate(1 / 150)
        self.at(when, self.act, entity, None if is_set else word)

    def move(self, when, room):
        self.pulse(when, f"binary_sensor.{room}_motion", self.rng.uniform(40, 150))

    def pulse(self, when, entity, seconds):
        def go(at, word):
            if self.state[entity] != word:
                self.show(at, entity, word, self.context(at))

        self.at(when, go, "on")
        self.at(when + seconds, go, "off")

    # --- What there is

    def _furnish(self, begin):
        ids = [*self.devices, *(f"person.{name}" for name in self.users), self.story["door"], self.story["window"]]
        ids += [f"binary_sensor.{room}_motion" for room in self.story["motion"]]
        ids += ["sensor.yard_brightness", self.night_light[0], *self.story["modes"]]
        words = {"person": "home", "cover": "open", "climate": "heat", "lock": "locked", "scene": "unknown", "sensor": "0", "automation": "on"}
        for index, entity in enumerate(ids):
            domain = entity.split(".")[0]
            more = {"friendly_name": entity.split(".")[1].replace("_", " ").capitalize()}
            more |= {"cover": {"current_position": 100}, "climate": {"temperature": 20, "current_temperature": 20}}.get(domain, {})
            if domain == "scene":
                more["entity_id"] = self.story["scenes"][entity]
            if domain == "sensor":
                more |= {"unit_of_measurement": "lx", "device_class": "illuminance", "state_class": "measurement"}
            if domain == "binary_sensor":
                kind = "door" if entity == self.story["door"] else "window" if entity == self.story["window"] else "motion"
                more["device_class"] = kind
            word = words.get(domain) or self.story["modes"].get(entity, ["off"])[0]
            when = begin + index / 1000
            self.show(when, entity, word, self.context(when), **more)
            self.roles[entity] = "detector" if domain == "binary_sensor" else "distractor"
        for habit in self.habits:
            for entity in (habit.entity, *habit.members, *(step[0] for step in habit.steps)):
                self.roles[entity] = "habitual"
        self.roles[self.story["machine"]], self.roles[self.night_light[2]] = "machine", "automated"

    def _draw_anomalies(self):
        """Each kind in three of ten homes; it ends the other life of its entity."""
        last = self.calendar.midnight(self.days[-1])
        idle = [d[0] for d in self.devices.values() if self.roles[d[0]] == "distractor" and d[2] >= 1 and 0 < d[3] <= 90
                and d[0].split(".")[0] in ("light", "switch") and not any(d[0] in m for m in self.story["scenes"].values())
                and not any(d[0] == h.template.get("after", [""])[0] for h in self.habits)]  # fmt: skip
        lively = [r for r, n in self.story["motion"].items() if n >= 20]
        lively = [e for e in (f"binary_sensor.{r}_motion" for r in lively) if not self.by_trigger[e, "on"]]
        lock = next(e for e in self.devices if e.startswith("lock."))
        wanted = {kind for kind in ("open_at_night", "left_on", "unlocked", "sensor_silent", "habit_missed")
                  if self.home.anomalies and self.rng.random() < ANOMALY_CHANCE}  # fmt: skip
        if "open_at_night" in wanted and self.end > last + 28 * HOUR:
            self._happens("open_at_night", self.story["window"], last + self.rng.uniform(22, 24) * HOUR, "on", last + DAY + self.rng.uniform(6.5, 9) * HOUR)
        if "left_on" in wanted and idle:
            self._happens("left_on", self.rng.choice(idle), self.end - self.rng.uniform(14, 30) * HOUR, "on")
        if "unlocked" in wanted:
            self._happens("unlocked", lock, self.end - self.rng.uniform(10, 24) * HOUR, "unlocked")
        if "sensor_silent" in wanted and lively:
            self._happens("sensor_silent", self.rng.choice(lively), last - self.rng.randrange(3) * DAY, None)
        plain = [h for h in self.habits if h.kind in ("time_of_day", "sun") and not h.gate and h.day_class == "all"]
        if "habit_missed" in wanted and plain:
            habit = self.rng.choice(plain)
            due = self.calendar.fire(habit.rule, self.days[-1] + datetime.timedelta(days=1)) or math.inf
            late = due + 6 * habit.sigma_s + HOUR > self.end
            habit.missed_on = self.days[-1] + datetime.timedelta(days=not late)
            habit.adherence = 0.99

    def _happens(self, kind, entity, when, word, until=math.inf):
        def go(at, word):
            del self.frozen[entity]
            if self.state[entity] != word:
                self.show(at, entity, word, self.context(at))
            self.frozen[entity] = at + 0.001

        self.frozen[entity] = when - (HOUR if word else 0)
        if word:
            off = "locked" if entity.startswith("lock.") else "off"
            self.at(when - HOUR / 2, go, off)
            self.at(when, go, word)
            self.at(until, go, off)
        self.anomalies.append((kind, entity, when))


def devices_of(table):
    """(entity, (entity, room, uses a day, minutes of a use, share by the wall)) of each device of a story."""
    words = table.split()
    for entity, room, *numbers in zip(*(words[column::5] for column in range(5))):
        yield entity, (entity, room, *map(float, numbers))


def poisson(rng, mean):
    count, product = 0, rng.random()
    while product > math.exp(-mean):
        count, product = count + 1, product * rng.random()
    return count
