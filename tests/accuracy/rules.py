"""Rules (a suggested automation, a planted habit) in one form, and the home's calendar that says when they fire."""

import dataclasses
import datetime
import statistics
import zoneinfo

import sun

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_CLASSES = {"all": WEEK, "weekdays": WEEK[:5], "weekend": WEEK[5:]}
DAY_S = 86400
# What state an action leaves its target in.
STATE_OF_SERVICE = {
    "turn_on": "on", "turn_off": "off", "open_cover": "open", "close_cover": "closed",
    "lock": "locked", "unlock": "unlocked", "media_play": "playing", "media_stop": "idle",
}  # fmt: skip
MEDIA_PLAYER_STATES = {"turn_on": "playing"}  # what a media player that is switched on does
REPORT_ALIAS = "ha-ai: report"


@dataclasses.dataclass(frozen=True)
class Rule:
    """kind "time_of_day": at (local second of the day). "sun": event, offset_s. "sequence": trigger
    (entity, state). A state of None means any: some prior art does not see states."""

    kind: str
    targets: frozenset
    state: str | None
    days: frozenset = frozenset(WEEK)
    at: float = 0
    event: str = ""
    offset_s: float = 0
    trigger: tuple = ()


def seconds_of(clock):
    """ "06:30" or "-00:15:00" in seconds."""
    sign = -1 if clock.startswith("-") else 1
    parts = [int(part) for part in clock.lstrip("+-").split(":")] + [0]
    return sign * (parts[0] * 3600 + parts[1] * 60 + parts[2])


def state_of_service(entity, service):
    """The state in which the service leaves the entity. ValueError names a service that is not known."""
    state = MEDIA_PLAYER_STATES.get(service) if entity.startswith("media_player.") else None
    state = state or STATE_OF_SERVICE.get(service)
    if state is None:
        raise ValueError(f"unknown action {service} on {entity} in a suggestion")
    return state


def days_of_class(day_class):
    return frozenset(DAY_CLASSES.get(day_class) or (day_class[:3],))


def as_list(value):
    return value if isinstance(value, list) else [value]


def rule_of_suggestion(suggestion):
    """The rule of one of analyze's suggestions. ValueError names what this reader does not know."""
    automation = suggestion["automation"]
    targets, states = set(), set()
    for action in automation["actions"]:
        if action.get("alias", "").startswith(REPORT_ALIAS):
            break
        entities = as_list(action["target"]["entity_id"])
        targets.update(entities)
        states.update(state_of_service(entity, action["action"].split(".")[1]) for entity in entities)
    days = frozenset(WEEK)
    for condition in automation.get("conditions", []):
        if condition.get("weekday"):
            days &= frozenset(as_list(condition["weekday"]))
    common = {"targets": frozenset(targets), "state": "+".join(sorted(states)), "days": days}
    if len(automation["triggers"]) != 1:
        raise ValueError(f"{len(automation['triggers'])} triggers in a suggestion: one is expected")
    trigger = automation["triggers"][0]
    if trigger["trigger"] == "time":
        return Rule("time_of_day", at=seconds_of(trigger["at"]), **common)
    if trigger["trigger"] == "sun":
        offset = trigger.get("offset", 0)
        offset = seconds_of(offset) if isinstance(offset, str) else offset
        return Rule("sun", event=trigger["event"], offset_s=offset, **common)
    if trigger["trigger"] == "state":
        return Rule("sequence", trigger=(as_list(trigger["entity_id"])[0], trigger.get("to")), **common)
    raise ValueError(f"unknown trigger {trigger['trigger']} in a suggestion")


def rule_of_habit(habit):
    """The rule that was planted; None for kinds that have no such rule (left on, values, …)."""
    common = {
        "targets": frozenset(habit.get("members") or [habit["entity_id"]]),
        "state": habit.get("state"),
        "days": days_of_class(habit.get("day_class", "all")),
    }
    if habit["kind"] == "time_of_day":
        return Rule("time_of_day", at=seconds_of(habit["at"]), **common)
    if habit["kind"] == "sun":
        return Rule("sun", event=habit["event"], offset_s=habit["offset_min"] * 60, **common)
    if habit["kind"] == "sequence":
        trigger = habit["trigger"]
        return Rule("sequence", trigger=(trigger["entity_id"], trigger["state"]), **common)
    return None


class Calendar:
    """The home's local days: dates, zone and place."""

    def __init__(self, timezone, location):
        self.zone = zoneinfo.ZoneInfo(timezone)
        self.latitude, self.longitude = (float(part) for part in location.split(","))
        self._midnights = {}

    def midnight(self, day):
        """UTC seconds of the day's local midnight."""
        if day not in self._midnights:
            local = datetime.datetime.combine(day, datetime.time(), self.zone)
            self._midnights[day] = local.timestamp()
        return self._midnights[day]

    def day_of(self, when):
        return datetime.datetime.fromtimestamp(when, self.zone).date()

    def fire(self, rule, day):
        """UTC seconds at which a time or sun rule fires on a day of its class; None if it does not."""
        if WEEK[day.weekday()] not in rule.days:
            return None
        if rule.kind == "time_of_day":
            clock = datetime.time(int(rule.at) // 3600, int(rule.at) // 60 % 60, int(rule.at) % 60)
            local = datetime.datetime.combine(day, clock, self.zone)
            skipped = local.astimezone(datetime.timezone.utc).astimezone(self.zone).time() != clock
            return None if skipped else local.timestamp()
        event = sun.event_utc(rule.event, day, self.latitude, self.longitude)
        utc_midnight = datetime.datetime.combine(day, datetime.time(), datetime.timezone.utc)
        return None if event is None else utc_midnight.timestamp() + event + rule.offset_s

    def clock(self, rule, day):
        """Local second of the day at which a time or sun rule would fire, whatever its days; or None."""
        if rule.kind == "time_of_day":
            return rule.at
        when = self.fire(dataclasses.replace(rule, days=frozenset(WEEK)), day)
        if when is None:
            return None
        local = datetime.datetime.fromtimestamp(when, self.zone)
        return local.hour * 3600 + local.minute * 60 + local.second

    def apart(self, rule, other, days):
        """Seconds by which two time or sun rules lie apart, on average over the days: signed, the rule's
        minus the other's, round the clock; None where the sun says nothing."""
        differences = []
        for day in days:
            first, second = self.clock(rule, day), self.clock(other, day)
            if first is not None and second is not None:
                differences.append((first - second + DAY_S / 2) % DAY_S - DAY_S / 2)
        if not differences:
            return None
        return statistics.fmean(map(abs, differences)) * (1 if statistics.fmean(differences) >= 0 else -1)
