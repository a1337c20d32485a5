"""Is a suggested rule planted? The definitions of docs/truth-format.md, and nothing else."""

import collections
import dataclasses
import datetime

import replay
import rules

TOLERANCE_S = 600
TIME_KINDS = ("time_of_day", "sun")
SIBLING_S, SIBLING_AGREES_MIN = 300, 0.9
# Habits that no rule of a time, the sun or a sequence describes: a suggestion for their act counts neither way.
LATER_KINDS = ("left_on", "value", "chain", "long_quiet")


@dataclasses.dataclass(frozen=True)
class Match:
    """A suggested rule beside a planted one for the same act. near: it fires when the planted one does."""

    near: bool
    days_right: bool
    trigger_right: bool
    planted: bool
    error_s: float | None


class Truth:
    """One home's truth file, with what is asked of it more than once."""

    def __init__(self, truth, recording):
        self.data = truth
        arguments = truth["arguments"]
        self.calendar = rules.Calendar(arguments["timezone"], arguments["location"])
        self.training = [datetime.date.fromisoformat(day) for day in truth["days"]["training"]]
        self.held_out = [datetime.date.fromisoformat(day) for day in truth["days"]["held_out"]]
        self.days = self.training + self.held_out
        self.recording = recording
        self.habits = [(habit, rules.rule_of_habit(habit)) for habit in truth["habits"]]
        self.roles = {entity["entity_id"]: entity["role"] for entity in truth["entities"]}

    def compare(self, rule, habit, planted):
        """How a suggested rule stands beside a habit (a Match); None when the habit is another act's."""
        if planted is None or not rule.targets <= planted.targets:
            return None
        if rule.state is not None and rule.state != planted.state:
            return None
        if rule.kind == "sequence" or planted.kind == "sequence":
            return self._sequence(rule, planted)
        return self._time(rule, habit, planted)

    def _time(self, rule, habit, planted):
        error = self.calendar.apart(rule, planted, self.days)
        if error is None:
            return Match(False, False, False, False, None)
        # A drifting habit is met anywhere on its way; the truth tells its middle.
        near = abs(error) <= TOLERANCE_S + abs(habit.get("drift_min") or 0) * 60 / 2
        trigger_right = rule.kind == planted.kind and rule.event == planted.event
        days_right = rule.days == self._days_beside(rule, planted)
        told_apart = habit.get("identifiable", {}).get("clock_or_sun", True)
        is_planted = near and days_right and (trigger_right or not told_apart)
        return Match(near, days_right, trigger_right, is_planted, abs(error))

    def _days_beside(self, rule, planted):
        """The planted days, moved by one where midnight lies between the two rules."""
        days = [day for day in self.days if self.calendar.clock(rule, day) is not None]
        gap = self.calendar.clock(rule, days[-1]) - (self.calendar.clock(planted, days[-1]) or 0)
        shift = 1 if gap < -rules.DAY_S / 2 else -1 if gap > rules.DAY_S / 2 else 0
        return frozenset(rules.WEEK[(rules.WEEK.index(day) + shift) % 7] for day in planted.days)

    def _sequence(self, rule, planted):
        if rule.kind != planted.kind:
            return Match(False, rule.days == planted.days, False, False, None)
        entity, state = rule.trigger
        same = entity == planted.trigger[0] and state in (planted.trigger[1], None)
        same = same or (state is not None and self._is_sibling(rule, planted))
        days_right = rule.days == planted.days
        return Match(same, days_right, same, same and days_right, None)

    def _is_sibling(self, rule, planted):
        """A detector that follows the same walk: its fires and the planted trigger's are within five minutes of
        each other on nine days of ten."""
        same_days = dataclasses.replace(rule, days=planted.days)
        by_day = collections.defaultdict(lambda: ([], []))
        for side, one in enumerate((same_days, planted)):
            for fire in replay.fires_of(one, self.recording, self.calendar, self.days):
                by_day[self.calendar.day_of(fire)][side].append(fire)
        agree = sum(covers(ours, theirs) and covers(theirs, ours) for ours, theirs in by_day.values())
        return bool(by_day) and agree >= SIBLING_AGREES_MIN * len(by_day)

    def is_neutral(self, rule):
        """The other half of a planted use, or an act of a habit whose kind has no rule to match yet."""
        for habit, _ in self.habits:
            half, members = habit.get("other_half"), frozenset(habit.get("members", []))
            if half and rule.targets <= members | {half["entity_id"]} and rule.state in (half["state"], None):
                return True
            later = [habit, *habit.get("steps", [])] if habit["kind"] in LATER_KINDS else []
            if any(act["entity_id"] in rule.targets and rule.state in (act["state"], None) for act in later):
                return True
        return False

    def stopped(self, habit):
        """Whether the habit had ended before the held-out days began."""
        until = (habit.get("active") or {}).get("to")
        return until is not None and datetime.date.fromisoformat(until) < self.held_out[0]

    def why_wrong(self, rule, matches):
        """One phrase; matches: [(habit, Match)] for the same act, possibly none."""
        roles = {self.roles.get(target, "unknown") for target in rule.targets}
        for role in ("machine", "automated"):
            if role in roles:
                return f"what {'a machine' if role == 'machine' else 'an automation'} does"
        for habit, match in matches:
            if match.planted:
                return "stopped before the held-out days"
            if match.near and not match.days_right:
                return "wrong days"
            if match.near:
                return f"near a habit of {habit['kind']} that can be told"
        if not matches:
            return "act without a habit"
        habit = matches[0][0]
        if rule.kind != habit["kind"]:
            return f"far from a habit of {habit['kind']}"
        return "wrong trigger" if rule.kind == "sequence" else "wrong time"


def covers(fires, others):
    """Whether each of the fires has one of the others within SIBLING_S."""
    return all(any(abs(fire - other) <= SIBLING_S for other in others) for fire in fires)
