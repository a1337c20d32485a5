"""Pair counts: the co-occurrence rule of HomeIQ (co_occurrence.py, August 2026) in our own words. Two devices
that change within five minutes of each other, 5 times or more and at least 0.7 of the changes of the rarer one,
belong together; one of the two can be switched, the other too or is a sensor or a person.

Kinder than the original: on and off apart (it is not shown states), and these two thresholds are its code's own
defaults, where its scheduler asks for one time and 0.5. Its pairs have no direction: either counts as right."""

import collections

from rules import Rule

WINDOW_S, MIN_COUNT, MIN_CONFIDENCE = 300, 5, 0.7
TRIGGERS = ("binary_sensor", "device_tracker", "person", "input_boolean", "input_select")


def suggest(events, may_switch):
    """As prior_hours.suggest."""
    pairs, counts, recent = collections.Counter(), collections.Counter(), collections.deque()
    for event in events:
        item = event.entity, event.state
        counts[item] += 1
        while recent and event.when - recent[0][0] > WINDOW_S:
            recent.popleft()
        for _, other in recent:
            if other[0] != item[0]:
                pairs[tuple(sorted((item, other)))] += 1
        recent.append((event.when, item))
    found = []
    for (first, second), count in pairs.items():
        if count < MIN_COUNT or count / min(counts[first], counts[second]) < MIN_CONFIDENCE:
            continue
        rules = []
        for trigger, target in ((first, second), (second, first)):
            may_trigger = may_switch(trigger[0]) or trigger[0].split(".")[0] in TRIGGERS
            if may_trigger and may_switch(target[0]):
                rules.append(Rule("sequence", frozenset([target[0]]), target[1], trigger=trigger))
        if rules:
            found.append(rules)
    return found
