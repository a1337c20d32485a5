"""The truth of tests/accuracy/other_world.py, by the definitions of docs/truth-format.md."""

import datetime
import math

import rules
import telling

MISSED_MAX, USES_MIN, SILENT_PAUSES_MIN = 0.05, 10, 10
HOUR, DAY = 3600, 86400
ON_WORDS = ("on", "playing", "open", "unlocked")


class TruthWriter:
    def __init__(self, world):
        self._world, self._begin = world, world.calendar.midnight(world.days[0])

    def write(self, begin):
        """All of it; begin: of the history."""
        held_out = self._world.days[-max(2, len(self._world.days) // 4) :]
        training = self._world.days[: -len(held_out)]
        place = {"timezone": self._world.home.timezone, "location": self._world.home.location}
        automation, trigger, target = self._world.night_light
        seen = {"entity_id": trigger, "state": "on"}
        return {
            "schema": 3, "arguments": {"story": self._world.story["name"], "seed": self._world.home.seed, "end": self._world.home.end} | place,
            "recorded": {"from": stamp(begin), "to": stamp(self._world.end), "gaps": []},
            "days": {"training": list(map(str, training)), "held_out": list(map(str, held_out)), "incomplete": []},
            "habits": [self._habit(habit, training, held_out) for habit in self._world.habits],
            "machines": [{"entity_id": self._world.story["machine"], "on_at": "08:00:00", "off_at": "20:30:00"}],
            "automations": [{"entity_id": automation, "alias": "Night light", "target": target, "trigger": seen, "off_after_s": 180}],
            "scenes": [{"entity_id": scene, "members": members} for scene, members in self._world.story["scenes"].items()],
            "modes": [{"entity_id": mode, "state": words[0]} for mode, words in self._world.story["modes"].items()],
            "light_sensors": ["sensor.yard_brightness"], "anomalies": self._planted() + self._missed(),
            "entities": [{"entity_id": entity, "role": role} for entity, role in self._world.roles.items()],
        }  # fmt: skip

    def _planted(self):
        return [
            {"kind": kind, "entity_id": entity, "since": stamp(when), "planted": True,
             "identifiable": self._stands_out(kind, entity, when)}
            for kind, entity, when in self._world.anomalies
        ]  # fmt: skip

    def _stands_out(self, kind, entity, since):
        changes = self._world.changes[entity]
        before = [when for when, _ in changes if when < since]
        lengths = [end - when for (when, word), (end, _) in zip(changes, changes[1:]) if word in ON_WORDS and when < since]
        days, lasts = (since - self._begin) / DAY, self._world.end - since
        if kind == "sensor_silent":
            pauses = [second - first for first, second in zip(before, before[1:])]
            silent = len(lengths) / days * lasts / DAY >= SILENT_PAUSES_MIN
            return silent and telling.is_rare(days, days, lasts / max(pauses))
        seen = any(abs(when - since) < 5 and word in ON_WORDS for when, word in changes)
        if not seen or len(lengths) < USES_MIN:
            return False
        if kind == "open_at_night":
            return max(lengths) < HOUR
        # By the way of use it is rare anyway: of uses of 90 minutes, gamma, one of a million lasts 14 hours.
        return telling.is_rare(len(lengths), days, lasts / max(lengths))

    def _missed(self):
        """Habits left out the last time, on purpose or by chance, and what is forgotten to the end."""
        found = []
        for habit in self._world.habits:
            timed = habit.kind in ("time_of_day", "sun") and habit.last_due is not None
            planned = timed and habit.missed_on == self._world.calendar.day_of(habit.last_due)
            omitted = len(habit.omitted)
            told = planned and omitted <= MISSED_MAX * (habit.kept + omitted + 1) and not self._seems_kept(habit)
            if timed and habit.is_last_omitted:
                since = stamp(habit.last_due)
                found.append({"kind": "habit_missed", "entity_id": habit.entity, "since": since, "planted": planned, "identifiable": told})
            if habit.kind == "left_on" and self._world.state[habit.entity] in ON_WORDS:
                since = stamp(self._world.changed[habit.entity])
                found.append({"kind": "left_on", "entity_id": habit.entity, "since": since, "planted": False, "identifiable": False})
        return found

    def _seems_kept(self, habit):
        """Whether it was done already when it was due the last time, or somebody did it within an hour by chance."""
        changes = self._world.changes[habit.entity]
        near = any(word == habit.state and abs(when - habit.last_due) <= HOUR for when, word in changes)
        return habit.was_last_done or near

    def _habit(self, habit, training, held_out):
        parts = {"training": self._coverage(habit, training), "held_out": self._coverage(habit, held_out)}
        told = habit.told | {"day_class": habit.day_class, "adherence": habit.adherence} | parts
        told |= {"gate": habit.gate} if habit.gate else {}
        told |= {"members": [habit.entity, *habit.members]} if habit.members else {}
        if habit.steps:
            told["steps"] = [{"entity_id": entity, "state": state, "lag_s": lag, "adherence": chance, "acts": len(acts)}
                             for (entity, state, lag, chance), acts in zip(habit.steps, habit.step_acts)]  # fmt: skip
        if habit.kind == "left_on":
            room = self._world.devices[habit.entity][1]
            told |= {"uses": habit.uses, "detectors": [f"binary_sensor.{room}_motion"] if room in self._world.story["motion"] else []}
        elif habit.told["begins"] != "use" and habit.entity.split(".")[0] not in ("cover", "climate", "scene"):
            told["other_half"] = {"entity_id": habit.entity, "state": "off" if habit.state in ON_WORDS else "on"}
        told |= {"omitted": list(map(stamp, habit.omitted))} if habit.told["begins"] in ("time", "sun") else {}
        return told | {"identifiable": self._identifiable(habit, parts), "acts": list(map(stamp, habit.acts))}

    def _coverage(self, habit, days):
        days = set(days)

        def on(times):
            return {self._world.calendar.day_of(when) for when in times} & days

        whole = on(habit.acts).intersection(*map(on, habit.step_acts))
        part = {"days_of_class": sum(rules.WEEK[day.weekday()] in habit.days for day in days), "days_with_act": len(whole)}
        part |= {"days_with_value": len(on(habit.told_acts))} if habit.values else {}
        if habit.kind == "left_on":
            ended = [use["forgotten"] for use in habit.uses if self._world.calendar.day_of(matching_time(use["to"])) in days]
            part |= {"uses_ended": ended.count(False), "uses_forgotten": ended.count(True)}
            part["days_forgotten"] = len(on(matching_time(use["to"]) for use in habit.uses if use["forgotten"]))
        return part

    def _identifiable(self, habit, parts):
        """As docs/truth-format.md."""
        training, held_out = parts["training"], parts["held_out"]
        act = training["days_with_act"] >= 7 and held_out["days_with_act"] >= 2
        if habit.kind == "left_on":
            until = self._world.calendar.midnight(self._world.days[-max(2, len(self._world.days) // 4)])
            uses = [(*map(matching_time, (use["from"], use["to"])), use["forgotten"]) for use in habit.uses]
            lengths = [(end - begin, forgotten) for begin, end, forgotten in uses if end < until]
            act = training["days_forgotten"] >= 2 and held_out["days_forgotten"] >= 1
            act = act and telling.gain_of_forgetting(lengths) >= telling.GAIN_MIN
        found = {"act": act, "day_class": act, "clock_or_sun": False}
        if habit.told["begins"] in ("time", "sun"):
            events = [habit.told["event"]] if "event" in habit.told else ["sunrise", "sunset"]
            moved = min(self._moved_s(event) for event in events)
            found["clock_or_sun"] = act and moved >= 12 * habit.sigma_s / math.sqrt(max(1, len(habit.acts)))
        if habit.gate or habit.quiet_s:
            found["condition"] = act
        if habit.values:
            found["value"] = act and training["days_with_value"] >= 7 and held_out["days_with_value"] >= 2
        return found

    def _moved_s(self, event):
        rule = rules.Rule("sun", frozenset(), None, event=event)
        clocks = [clock for clock in (self._world.calendar.clock(rule, day) for day in self._world.days) if clock is not None]
        return max(clocks) - min(clocks) if clocks else 0


def stamp(when):
    return f"{datetime.datetime.fromtimestamp(when, datetime.timezone.utc):%Y-%m-%dT%H:%M:%S.%f}Z"


def matching_time(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def clock_of(second):
    return f"{int(second) // 3600:02d}:{int(second) // 60 % 60:02d}:{int(second) % 60:02d}"
