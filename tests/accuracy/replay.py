"""Rules against what really happened: reads a recorder database and counts fires, hits, idle fires and misses
as docs/analyze-format.md defines them. It is told by the database alone which acts are people's."""

import bisect
import collections
import dataclasses
import datetime
import json
import sqlite3

from rules import WEEK, values_of_service

HIT_S = {"time_of_day": 900, "sun": 900, "sequence": 300}
NEAR_S = {"time_of_day": 3600, "sun": 3600, "sequence": 300}
ABSENT = ("unavailable", "unknown", "", None)
# Attributes that the recorder keeps of what people choose, by the field of the service that sets them.
ATTRIBUTES = {
    "percentage": "percentage",
    "volume_level": "volume_level",
    "temperature": "temperature",
    "position": "current_position",
}
# How far a value may be from another one that is meant to be the same: 5 %, or what cannot be told apart.
VALUE_SHARE = 0.05
VALUE_LEAST = {"brightness_pct": 1, "percentage": 1, "position": 1, "volume_level": 0.01, "temperature": 0.25}
SAME_CHOICE_S = 60

Outcome = collections.namedtuple("Outcome", "fires hits idle misses act_days hit_days by_fire")


def is_same_value(name, value, other):
    """Within 5 % (of a temperature within a quarter of a degree: 5 % of it is a whole one)."""
    if name == "temperature":
        return abs(value - other) <= VALUE_LEAST[name]
    return abs(value - other) <= max(VALUE_SHARE * abs(other), VALUE_LEAST.get(name, 0)) + 1e-9


class Recording:
    """The states of a recorder database, entity by entity, as they are asked for."""

    def __init__(self, path, machines=()):
        self._db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self._ids = dict(self._db.execute("SELECT entity_id, metadata_id FROM states_meta"))
        self._automatic = {
            row[0]
            for row in self._db.execute(
                "SELECT e.context_id_bin FROM events AS e JOIN event_types AS t"
                " ON t.event_type_id = e.event_type_id WHERE t.event_type = 'automation_triggered'"
            )
        }
        self._machines = frozenset(machines)
        self._rows, self._acts, self._enters, self._choices, self._values, self._calls = {}, {}, {}, {}, {}, None

    def close(self):
        self._db.close()

    def changes(self, entity):
        """[(UTC seconds, state, state before, whether a person did it)]: changes of state only."""
        if entity not in self._rows:
            changes, before = [], None
            rows = self._db.execute(
                "SELECT last_updated_ts, state, context_id_bin, context_parent_id_bin FROM states"
                " WHERE metadata_id = ? ORDER BY last_updated_ts",
                (self._ids.get(entity, -1),),
            )
            for when, state, context, parent in rows:
                if state != before:
                    by_person = parent is None and context not in self._automatic
                    changes.append((when, state, before, by_person and entity not in self._machines))
                before = state
            self._rows[entity] = changes
        return self._rows[entity]

    def acts(self, entity, state):
        """UTC seconds at which a person brought the entity into that state; a scene: activated it."""
        if entity.startswith("scene."):
            return [when for when, now, before, by_person in self.changes(entity) if before and now[:2] == "20"
                    and by_person and abs(when - stamp_of(now)) < 5]  # fmt: skip
        return self._select(self._acts, entity, state, lambda by_person: by_person)

    def enters(self, entity, state):
        """UTC seconds at which a state trigger on it fires."""
        return self._select(self._enters, entity, state, lambda by_person: True)

    def _select(self, kept, entity, state, wanted):
        if (entity, state) not in kept:
            kept[entity, state] = [
                when
                for when, now, before, by_person in self.changes(entity)
                if (now == state or state is None) and before not in ABSENT and wanted(by_person)
            ]
        return kept[entity, state]

    def _index(self, entity, when):
        return bisect.bisect_right(self.changes(entity), when, key=lambda change: change[0]) - 1

    def state_at(self, entity, when):
        index = self._index(entity, when)
        return self.changes(entity)[index][1] if index >= 0 else None

    def number_at(self, entity, when):
        """None while it has no number."""
        try:
            return float(self.state_at(entity, when))
        except (TypeError, ValueError):
            return None

    def rest_before(self, entity, when):
        """Seconds that the entity was in the state that it left at a time."""
        index = self._index(entity, when)
        return when - self.changes(entity)[index - 1][0] if index > 0 else 0

    def stays(self, entity, when):
        """Seconds that the entity stays in the state that it took at a time, to the end of the recording."""
        index, changes = self._index(entity, when), self.changes(entity)
        return (changes[index + 1][0] if index + 1 < len(changes) else float("inf")) - when

    # --- Values

    def choices(self, entity, name):
        """[(UTC seconds, value)] that people chose: told by a call of the service, or by the attribute."""
        if (entity, name) not in self._choices:
            found = sorted(self._called(entity, name) + self._set(entity, name))
            self._choices[entity, name] = [
                choice
                for before, choice in zip([(-1e12, None)] + found, found)
                if choice[0] - before[0] > SAME_CHOICE_S or choice[1] != before[1]
            ]
        return self._choices[entity, name]

    def _called(self, entity, name):
        if self._calls is None:
            rows = self._db.execute(
                "SELECT e.time_fired_ts, d.shared_data FROM events AS e JOIN event_data AS d ON d.data_id = e.data_id"
                " JOIN event_types AS t ON t.event_type_id = e.event_type_id WHERE t.event_type = 'call_service'"
                " AND e.context_user_id_bin IS NOT NULL AND e.context_parent_id_bin IS NULL"
            )
            self._calls = [(when, json.loads(data)) for when, data in rows]
        found = []
        for when, call in self._calls:
            data = call["service_data"]
            targets = data.get("entity_id", [])
            if entity in (targets if isinstance(targets, list) else [targets]):
                value = dict(values_of_service(call["service"], data)).get(name)
                found += [(when, value)] if value is not None else []
        return found

    def _attributes(self, entity, name):
        """[(UTC seconds, value, whether a person did it)] at each change of the attribute while it is there."""
        if (entity, name) in self._values:
            return self._values[entity, name]
        found, before = [], None
        rows = self._db.execute(
            "SELECT s.last_updated_ts, a.shared_attrs, s.context_id_bin, s.context_parent_id_bin, s.state"
            " FROM states AS s JOIN state_attributes AS a ON a.attributes_id = s.attributes_id"
            " WHERE s.metadata_id = ? ORDER BY s.last_updated_ts",
            (self._ids.get(entity, -1),),
        )
        for when, attributes, context, parent, state in rows:
            value = json.loads(attributes).get(ATTRIBUTES[name])
            if state in ABSENT or value is None:
                before = None if state in ABSENT else "off"  # what comes on anew is chosen anew
                continue
            by_person = parent is None and context not in self._automatic and entity not in self._machines
            if value != before:
                found.append((when, float(value), by_person and before is not None))
            before = value
        self._values[entity, name] = found
        return found

    def _set(self, entity, name):
        if name not in ATTRIBUTES:
            return []
        return [(when, value) for when, value, by_person in self._attributes(entity, name) if by_person]

    def value_at(self, entity, name, when):
        """None while the recorder does not tell."""
        if name not in ATTRIBUTES:
            return None
        known = [value for at, value, _ in self._attributes(entity, name) if at <= when]
        return known[-1] if known else None


def stamp_of(state):
    """UTC seconds of a scene's state."""
    return datetime.datetime.fromisoformat(state).timestamp()


# --- When a rule acts


def holds(condition, recording, calendar, when):
    if condition.kind == "time":
        second = calendar.second_of(when)
        if condition.after < condition.before:
            return condition.after <= second < condition.before
        return second >= condition.after or second < condition.before
    if condition.kind == "state":
        if condition.entity == "sun.sun":
            return calendar.is_dark(when) == (condition.state == "below_horizon")
        return recording.state_at(condition.entity, when) == condition.state
    number = recording.number_at(condition.entity, when)
    if number is None:
        return False
    return number < condition.limit if condition.kind == "below" else number > condition.limit


def may_act(rule, recording, calendar, when, began=None):
    """Whether a rule's days, conditions and rest allow it at a time; began: when its trigger did, if not then."""
    began = when if began is None else began
    if WEEK[calendar.day_of(when).weekday()] not in rule.days:
        return False
    if rule.quiet_s and recording.rest_before(rule.trigger[0], began) < rule.quiet_s:
        return False
    return all(holds(condition, recording, calendar, when) for condition in rule.conditions)


def triggers_of(rule, recording, calendar, days):
    """[(UTC seconds at which its actions would begin, at which the trigger did)], whatever its conditions."""
    if rule.kind != "sequence":
        fires = [calendar.fire_on_any_day(rule, day) for day in days]
        return [(when, when) for when in fires if when is not None]
    entity, state = rule.trigger
    begins = recording.enters(entity, state)
    if rule.for_s:
        begins = [when for when in begins if recording.stays(entity, when) >= rule.for_s]
    wanted = set(days)
    fires = [(when + rule.for_s, when) for when in begins]
    return [(when, began) for when, began in fires if calendar.day_of(when) in wanted]


def fires_of(rule, recording, calendar, days):
    """UTC seconds of a rule's fires on those local days."""
    fires = triggers_of(rule, recording, calendar, days)
    return [when for when, began in fires if may_act(rule, recording, calendar, when, began)]


def nearest_pairs(fires, acts, reach):
    """{index of fire: index of act}: nearest first, each fire and each act once."""
    near = []
    for index, fire in enumerate(fires):
        first = bisect.bisect_left(acts, fire - reach)
        last = bisect.bisect_right(acts, fire + reach)
        near += [(abs(acts[act] - fire), index, act) for act in range(first, last)]
    pairs, used = {}, set()
    for _, fire, act in sorted(near):
        if fire not in pairs and act not in used:
            pairs[fire] = act
            used.add(act)
    return pairs


def sets_values(rule):
    """Whether a rule's first act is about values alone: people's acts are then their choices."""
    return bool(rule.values) and (rule.state is None or rule.trigger == (next(iter(rule.targets)), rule.state))


def acts_of(rule, target, recording):
    """UTC seconds at which a person did what the rule's first act does."""
    if not sets_values(rule):
        return recording.acts(target, rule.state)
    name, wanted = rule.values[0]
    return [when for when, value in recording.choices(target, name) if is_same_value(name, value, wanted)]


def target_of(rule, recording):
    """Of several targets one that people operate."""
    return min(rule.targets, key=lambda entity: (-len(acts_of(rule, entity, recording)), entity))


def is_done(rule, target, recording, when):
    """Whether the rule's first act would change nothing at a time."""
    if target.startswith("scene."):
        return False
    if not sets_values(rule):
        return recording.state_at(target, when) == rule.state
    name, wanted = rule.values[0]
    value = recording.value_at(target, name, when)
    return value is not None and is_same_value(name, value, wanted)


def replay(rule, recording, calendar, days):
    """What the rule would have done on those local days (Outcome); of several targets, one that people operate
    speaks for all. act_days: days with a person's act near a fire; hit_days: those of them with a hit."""
    target = target_of(rule, recording)
    fires = fires_of(rule, recording, calendar, days)
    acts = acts_of(rule, target, recording)
    hits = nearest_pairs(fires, acts, HIT_S[rule.kind])
    by_fire, act_days, hit_days = [], set(), set()
    for index, fire in enumerate(fires):
        day = calendar.day_of(fire)
        near = bisect.bisect_left(acts, fire - NEAR_S[rule.kind])
        if near < len(acts) and acts[near] <= fire + NEAR_S[rule.kind]:
            act_days.add(day)
        if index in hits:
            hit_days.add(day)
            by_fire.append("hit")
        else:
            by_fire.append("idle" if is_done(rule, target, recording, fire) else "miss")
    count = collections.Counter(by_fire)
    return Outcome(len(fires), count["hit"], count["idle"], count["miss"], len(act_days), len(hit_days), by_fire)


def replay_whole(rule, recording, calendar, days):
    """(hits, misses) of all acts of a rule on those local days, each of them at its own time after a fire."""
    outcome, delay = replay(rule, recording, calendar, days), 0
    hits, misses = outcome.hits, outcome.misses
    for step in rule.steps:
        delay += step.delay_s
        times = [when + delay for when in fires_of(rule, recording, calendar, days)]
        alone = dataclasses.replace(rule, targets=step.targets, state=step.state, values=step.values, steps=())
        target = target_of(alone, recording)
        done = nearest_pairs(times, acts_of(alone, target, recording), HIT_S[rule.kind])
        idle = sum(is_done(alone, target, recording, when) for index, when in enumerate(times) if index not in done)
        hits, misses = hits + len(done), misses + len(times) - len(done) - idle
    return hits, misses


def is_idle(rule, recording, when):
    """Whether a fire then would find all done already: neither right nor wrong, whatever it hangs on."""
    target = target_of(rule, recording)
    acts = acts_of(rule, target, recording)
    first = bisect.bisect_left(acts, when - HIT_S[rule.kind])
    is_hit = first < len(acts) and acts[first] <= when + HIT_S[rule.kind]
    return not is_hit and is_done(rule, target, recording, when)


def cuts_of(rule, recording, calendar, uses, days):
    """[(use, whether the rule would have ended it early)] of the uses (dicts with from, to in UTC seconds) that ended
    on those days: it fires in their course, a minute before their end at least."""
    fires = fires_of(rule, recording, calendar, days)
    found = []
    for use in uses:
        if calendar.day_of(use["to"]) in days:
            index = bisect.bisect_right(fires, use["from"])
            found.append((use, index < len(fires) and fires[index] < use["to"] - 60))
    return found
