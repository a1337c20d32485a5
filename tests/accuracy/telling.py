"""What a habit hangs on besides its time or trigger: could it be told from the recording, by likelihoods?

No miner is asked. Occasions on which people could act, and whether they did, are explained by two rates, one where a
condition holds and a lower one where it does not: by the planted condition, by every other one that the home knows,
and by none. All families of conditions are as likely beforehand, and within a family all that differ here."""

import dataclasses
import math

import replay
import rules

EPISODE_S = 20 * 60
AGREES_MIN = 0.95  # of the occasions: two conditions are then as good as one;
COMMON_MIN = 0.75  # of those on which either holds, where both seldom do
TOLD_MIN = 0.95  # probability of the planted condition, and those that are as good
HALF_HOUR = 1800


def occasions(rule, recording, calendar, days):
    """[(UTC seconds, whether a person acted)]: the rule's times on its days; its trigger's episodes on any, of which
    repeats within twenty minutes are one; not those on which all was done already."""
    rule = dataclasses.replace(rule, conditions=(), quiet_s=0)
    if rule.kind == "sequence":
        rule = dataclasses.replace(rule, days=frozenset(rules.WEEK))
    fires = replay.fires_of(rule, recording, calendar, days)
    target = replay.target_of(rule, recording)
    acted = replay.nearest_pairs(fires, replay.acts_of(rule, target, recording), replay.HIT_S[rule.kind])
    found, before = [], -math.inf
    for index, when in enumerate(fires):
        begins = rule.kind != "sequence" or when - before > EPISODE_S
        before = when
        if begins and (index in acted or not replay.is_done(rule, target, recording, when)):
            found.append((when, index in acted))
    return found


def log_evidence(acted):
    """ln P(these outcomes), all at one rate of which nothing is known before."""
    hits, trials = sum(acted), len(acted)
    return math.lgamma(hits + 1) + math.lgamma(trials - hits + 1) - math.lgamma(trials + 2)


def evidence_of(holds, acted):
    """The same of one rate where a condition holds, and another one where not; of one rate alone where people would
    act more often without it."""
    inside = [act for act, held in zip(acted, holds) if held]
    outside = [act for act, held in zip(acted, holds) if not held]
    if sum(inside) * len(outside) <= sum(outside) * len(inside):
        return log_evidence(acted)
    return log_evidence(inside) + log_evidence(outside)


def are_alike(one, other):
    """Whether two conditions, asked on the same occasions, are as good as one."""
    same = sum(a == b for a, b in zip(one, other))
    either, both = sum(map(max, one, other)), sum(map(min, one, other))
    return either > 0 and same >= AGREES_MIN * len(one) and both >= COMMON_MIN * either


class Rivals:
    """All that a home knows besides: who is home, modes, the dark, light, the days of the week, the time of day, how
    long a detector rested."""

    def __init__(self, truth, recording, calendar):
        self.recording, self.calendar = recording, calendar
        people = [one["entity_id"] for one in truth["entities"] if one["entity_id"].startswith("person.")]
        modes = [mode["entity_id"] for mode in truth.get("modes", [])]
        self.words = [*people, *modes, *truth.get("words", [])]
        self.numbers = truth.get("light_sensors", [])

    def families(self, rule, times):
        """Sets of conditions: of each whether it holds at those times."""
        families = [{(True,) * len(times)}, *self._states(times), *self._numbers(times), set(self._days(times))]
        if rule.kind == "sequence":
            families += [*self._windows(times), set(self._rests(rule, times))]
        return [family for family in families if family]

    def _states(self, times):
        dark = tuple(self.calendar.is_dark(when) for when in times)
        yield {dark, inverse(dark)}
        for entity in self.words:
            states = [self.recording.state_at(entity, when) for when in times]
            known = [tuple(state == word for state in states) for word in set(states)]
            yield {*known, *map(inverse, known)}

    def _numbers(self, times):
        for entity in self.numbers:
            numbers = [self.recording.number_at(entity, when) for when in times]
            limits = below_each([number for number in numbers if number is not None])
            below = {tuple(number is not None and number < limit for number in numbers) for limit in limits}
            yield below | set(map(inverse, below))

    def _days(self, times):
        days = [rules.WEEK[self.calendar.day_of(when).weekday()] for when in times]
        return (tuple(day in rules.days_of_class(wanted) for day in days) for wanted in ("weekdays", "weekend", *rules.WEEK))

    def _windows(self, times):
        """From some half hour on, or up to one; between two, or outside."""
        halves = [self.calendar.second_of(when) // HALF_HOUR for when in times]
        used = sorted(set(halves))
        after = {tuple(half >= begin for half in halves) for begin in used[1:]}
        between = {tuple(begin <= half <= end for half in halves) for begin in used[1:] for end in used[:-1] if begin <= end}
        yield after | set(map(inverse, after))
        yield between | set(map(inverse, between))

    def _rests(self, rule, times):
        rests = [self.recording.rest_before(rule.trigger[0], when) for when in times]
        return (tuple(rest >= limit for rest in rests) for limit in below_each(rests))


def inverse(holds):
    return tuple(not held for held in holds)


def below_each(numbers):
    """Limits between neighbours."""
    ordered = sorted(set(numbers))
    return [(low + high) / 2 for low, high in zip(ordered, ordered[1:])]


def is_told(rule, recording, calendar, rivals, training, days):
    """Whether what the rule hangs on, or a condition that is as good on all days, is what the training days' occasions
    show."""
    asked = occasions(rule, recording, calendar, days)
    times = [when for when, _ in asked]
    known = [acted for when, acted in asked if calendar.day_of(when) in set(training)]
    planted = tuple(replay.may_act(rule, recording, calendar, when) for when in times)
    if not known:
        return False
    none, weight = log_evidence(known), {True: 0.0, False: 0.0}
    for family in rivals.families(rule, times):
        for holds in family:
            odds = math.exp(evidence_of(holds[: len(known)], known) - none)
            weight[are_alike(holds, planted)] += odds / len(family)
    return weight[True] >= TOLD_MIN * (weight[True] + weight[False])
