"""Rules against what really happened: reads a recorder database and counts fires, hits, idle fires and misses
as docs/analyze-format.md defines them. It is told by the database alone which acts are people's."""

import bisect
import collections
import sqlite3

from rules import WEEK

HIT_S = {"time_of_day": 900, "sun": 900, "sequence": 300}
NEAR_S = {"time_of_day": 3600, "sun": 3600, "sequence": 300}
ABSENT = ("unavailable", "unknown", "", None)

Outcome = collections.namedtuple("Outcome", "fires hits idle misses act_days hit_days by_fire")


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
        self._rows, self._acts, self._enters = {}, {}, {}

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
        """UTC seconds at which a person brought the entity into that state."""
        return self._select(self._acts, entity, state, lambda by_person: by_person)

    def enters(self, entity, state):
        """UTC seconds at which a state trigger on it fires."""
        return self._select(self._enters, entity, state, lambda by_person: True)

    def _select(self, kept, entity, state, wanted):
        if (entity, state) not in kept:
            kept[entity, state] = [
                when
                for when, now, before, by_person in self.changes(entity)
                if now == state and before not in ABSENT and wanted(by_person)
            ]
        return kept[entity, state]

    def state_at(self, entity, when):
        changes = self.changes(entity)
        index = bisect.bisect_right(changes, when, key=lambda change: change[0])
        return changes[index - 1][1] if index else None


def fires_of(rule, recording, calendar, days):
    """UTC seconds of a rule's fires on those local days."""
    if rule.kind != "sequence":
        return [when for when in (calendar.fire(rule, day) for day in days) if when is not None]
    wanted = {day for day in days if WEEK[day.weekday()] in rule.days}
    return [when for when in recording.enters(*rule.trigger) if calendar.day_of(when) in wanted]


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


def replay(rule, recording, calendar, days):
    """What the rule would have done on those local days (Outcome); of several targets, one that people operate
    speaks for all. act_days: days with a person's act near a fire; hit_days: those of them with a hit."""
    target = min(rule.targets, key=lambda entity: (-len(recording.acts(entity, rule.state)), entity))
    fires = fires_of(rule, recording, calendar, days)
    acts = recording.acts(target, rule.state)
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
            by_fire.append("idle" if recording.state_at(target, fire) == rule.state else "miss")
    count = collections.Counter(by_fire)
    return Outcome(len(fires), count["hit"], count["idle"], count["miss"], len(act_days), len(hit_days), by_fire)
