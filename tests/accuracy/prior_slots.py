"""Quarter-hour slots: the time rule of Selora AI (pattern_engine.py, 2026) in our own words. A state that a
device takes in one slot of fifteen minutes, of weekdays or of weekends, on three days or more and on at least
half of the days on which the device did anything, is a habit.

Kinder than the original: the slot's middle is its time (it says the beginning), the same slot of weekdays and
weekends is one suggestion for every day, devices only that can be switched, all days of the history instead of
fourteen."""

import collections

from rules import DAY_CLASSES, WEEK, Rule

SLOT_S, MIN_DAYS, MIN_SHARE = 900, 3, 0.5


def suggest(events, may_switch):
    """As prior_hours.suggest."""
    days_in_slot, days_of_device = collections.defaultdict(set), collections.defaultdict(set)
    for event in events:
        if not may_switch(event.entity):
            continue
        day = event.local.date()
        slot = (event.local.hour * 3600 + event.local.minute * 60) // SLOT_S
        days_in_slot[event.entity, event.state, slot, day.weekday() < 5].add(day)
        days_of_device[event.entity].add(day)
    classes = collections.defaultdict(list)
    for (entity, state, slot, is_weekday), days in days_in_slot.items():
        if len(days) >= MIN_DAYS and len(days) / len(days_of_device[entity]) >= MIN_SHARE:
            classes[entity, state, slot].append("weekdays" if is_weekday else "weekend")
    found = []
    for (entity, state, slot), names in classes.items():
        days = frozenset(WEEK if len(names) == 2 else DAY_CLASSES[names[0]])
        found.append([Rule("time_of_day", frozenset([entity]), state, days, at=(slot + 0.5) * SLOT_S)])
    return found
