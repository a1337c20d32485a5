"""Hour clusters: the time-of-day rule of HomeIQ (time_of_day.py of its ai-pattern-service, August 2026) in our
own words. Per device, the times of day are clustered by k-means, k = 1 up to 10 events, 2 up to 20, else 3,
best of ten starts; a cluster of 3 or more is a habit at its mean when

    share of the events x (1 - min(deviation / 120 min, 0.3)) + 0.1 if 6 or more, within 0.5 to 0.95

is at least 0.6, as its scheduler asks. Kinder than the original: on and off apart (it is not shown states), local
time, devices only that can be switched, all days of the history instead of seven."""

import bisect
import collections
import itertools
import random
import statistics

from rules import Rule

STARTS, ROUNDS, SEED = 10, 100, 42
MIN_EVENTS, MIN_IN_CLUSTER, MIN_CONFIDENCE = 5, 3, 0.6


def cluster(hours, k):
    """k-means on the line: the best of ten random starts, as lists of hours."""
    hours, draw, best = sorted(hours), random.Random(SEED), None
    for _ in range(STARTS):
        centres = sorted(draw.sample(hours, k))
        for _ in range(ROUNDS):
            middles = [(left + right) / 2 for left, right in itertools.pairwise(centres)]
            bounds = [0, *(bisect.bisect(hours, middle) for middle in middles), len(hours)]
            groups = [hours[begin:end] for begin, end in itertools.pairwise(bounds)]
            moved = [statistics.fmean(group) if group else centre for group, centre in zip(groups, centres)]
            if moved == centres:
                break
            centres = moved
        spread = sum((hour - centre) ** 2 for group, centre in zip(groups, centres) for hour in group)
        if best is None or spread < best[0]:
            best = spread, groups
    return best[1]


def confidence(group, total):
    deviation_min = statistics.pstdev(group) * 60
    value = len(group) / total * (1 - min(deviation_min / 120, 0.3))
    value += 0.1 if len(group) >= 2 * MIN_IN_CLUSTER else 0
    return max(0.5, min(0.95, value))


def suggest(events, may_switch):
    """events: prior.Event in order of time. Returns lists of rules; those of one list are one suggestion."""
    hours, found = collections.defaultdict(list), []
    for event in events:
        if may_switch(event.entity):
            hours[event.entity, event.state].append(event.local.hour + event.local.minute / 60)
    for (entity, state), times in hours.items():
        if len(times) < MIN_EVENTS:
            continue
        k = 1 if len(times) <= 10 else 2 if len(times) <= 20 else 3
        for group in cluster(times, k):
            if len(group) >= MIN_IN_CLUSTER and confidence(group, len(times)) >= MIN_CONFIDENCE:
                at = statistics.fmean(group) * 3600
                found.append([Rule("time_of_day", frozenset([entity]), state, at=at)])
    return found
