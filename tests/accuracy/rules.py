"""Rules (a suggested automation, a planted habit) in one form, and the home's calendar that says when they fire."""

import dataclasses
import datetime
import itertools
import re
import statistics
import zoneinfo

import sun

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_CLASSES = {"all": WEEK, "weekdays": WEEK[:5], "weekend": WEEK[5:]}
DAY_S = 86400
# What state an action leaves its target in; None: no particular one.
STATE_OF_SERVICE = {
    "turn_on": "on", "turn_off": "off", "open_cover": "open", "close_cover": "closed", "lock": "locked",
    "unlock": "unlocked", "media_play": "playing", "media_stop": "idle", "set_temperature": None, "volume_set": None,
    "set_percentage": None, "set_cover_position": None,
}  # fmt: skip
MEDIA_PLAYER_STATES = {"turn_on": "playing"}  # what a media player that is switched on does
VALUES = ("brightness_pct", "color_temp_kelvin", "percentage", "volume_level", "temperature", "position")
WHOLE_WAY = {"open_cover": 100, "close_cover": 0}
REPORT_ALIAS = "ha-ai: report"
# The one template that asks for a number: how long the trigger's entity was in its state before.
QUIET = re.compile(
    r"trigger\.to_state\.last_changed - trigger\.from_state\.last_changed\)\.total_seconds\(\) >= (\d+)"
)


@dataclasses.dataclass(frozen=True)
class Condition:
    """kind "state": entity is in state. "below", "above": its number is, of limit. "time": local seconds of the
    day, after <= t < before, over midnight where before <= after."""

    kind: str
    entity: str = ""
    state: str = ""
    limit: float = 0
    after: float = 0
    before: float = DAY_S


@dataclasses.dataclass(frozen=True)
class Act:
    """What is done to its targets: a state they are led to (None: none, or any: some prior art does not see
    states), values they get, as sorted pairs; so long after the act before."""

    targets: frozenset
    state: str | None
    values: tuple = ()
    delay_s: float = 0


@dataclasses.dataclass(frozen=True)
class Rule:
    """What begins it: kind "time_of_day": at (local second of the day). "sun": event, offset_s. "sequence": trigger
    (entity, state), which lasts for_s, after a rest of quiet_s. Then the first act (targets, state, values) and
    further ones, if the conditions hold."""

    kind: str
    targets: frozenset
    state: str | None
    days: frozenset = frozenset(WEEK)
    at: float = 0
    event: str = ""
    offset_s: float = 0
    trigger: tuple = ()
    for_s: float = 0
    quiet_s: float = 0
    conditions: tuple = ()
    values: tuple = ()
    steps: tuple = ()

    @property
    def acts(self):
        return (Act(self.targets, self.state, self.values), *self.steps)

    @property
    def hangs_on(self):
        """Entities besides its targets that it is about: a home's days, dealt out anew, tear them apart."""
        entities = {self.trigger[0]} if self.trigger else set()
        entities |= {condition.entity for condition in self.conditions if condition.entity}
        entities |= {target for step in self.steps for target in step.targets}
        return entities - self.targets - {"sun.sun"}


def seconds_of(clock):
    """ "06:30" or "-00:15:00" in seconds; numbers are seconds already."""
    if isinstance(clock, (int, float)):
        return clock
    if isinstance(clock, dict):
        units = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}
        return sum(units[unit] * value for unit, value in clock.items())
    sign = -1 if clock.startswith("-") else 1
    parts = [int(part) for part in clock.lstrip("+-").split(":")] + [0]
    return sign * (parts[0] * 3600 + parts[1] * 60 + parts[2])


def state_of_service(entity, service):
    """The state in which the service leaves the entity. ValueError names a service that is not known."""
    if entity.startswith("scene."):
        return None
    if entity.startswith("media_player.") and service in MEDIA_PLAYER_STATES:
        return MEDIA_PLAYER_STATES[service]
    if service not in STATE_OF_SERVICE:
        raise ValueError(f"unknown action {service} on {entity} in a suggestion")
    return STATE_OF_SERVICE[service]


def values_of_service(service, data):
    """Sorted pairs: what a call asks for besides a state."""
    values = {name: float(data[name]) for name in VALUES if name in data}
    if "brightness" in data:
        values["brightness_pct"] = float(data["brightness"]) / 2.55
    if service in WHOLE_WAY:
        values["position"] = float(WHOLE_WAY[service])
    return tuple(sorted(values.items()))


def days_of_class(day_class):
    return frozenset(DAY_CLASSES.get(day_class) or (day_class[:3],))


def as_list(value):
    return value if isinstance(value, list) else [value]


# --- Suggestions


def acts_of_actions(actions):
    """The acts before the report: what is done at once with the same things, or to the same state, is one."""
    acts, delay = [], 0
    for action in actions:
        if action.get("alias", "").startswith(REPORT_ALIAS):
            break
        if "delay" in action:
            delay += seconds_of(action["delay"])
            continue
        service = action["action"].split(".")[1]
        entities = frozenset(as_list(action["target"]["entity_id"]))
        states = {state_of_service(entity, service) for entity in entities}
        if "position" in dict(values_of_service(service, {})):
            states = {None}  # the whole way is a position
        if len(states) > 1:
            raise ValueError(f"{action['action']} leads to several states in a suggestion")
        act = Act(entities, states.pop(), values_of_service(service, action.get("data", {})), delay)
        last = acts[-1] if acts and not delay else None
        if last and last.targets == act.targets:
            values = tuple(sorted((dict(last.values) | dict(act.values)).items()))
            acts[-1] = dataclasses.replace(last, state=last.state or act.state, values=values)
        elif last and last.state == act.state and not last.values and not act.values:
            acts[-1] = dataclasses.replace(last, targets=last.targets | act.targets)
        else:
            acts.append(act)
        delay = 0
    return acts


def read_conditions(conditions):
    """(days, [Condition], quiet_s)."""
    days, found, quiet_s = frozenset(WEEK), [], 0
    for condition in conditions:
        kind = condition["condition"]
        if condition.get("weekday"):
            days &= frozenset(as_list(condition["weekday"]))
        if kind == "time" and ("after" in condition or "before" in condition):
            after, before = seconds_of(condition.get("after", 0)), seconds_of(condition.get("before", DAY_S))
            found.append(Condition("time", after=after, before=before or DAY_S))
        elif kind == "state":
            found.append(Condition("state", entity=condition["entity_id"], state=condition["state"]))
        elif kind == "numeric_state":
            for side in ("below", "above"):
                if side in condition:
                    found.append(Condition(side, entity=condition["entity_id"], limit=float(condition[side])))
        elif kind == "sun":
            event = condition.get("after", condition.get("before"))
            dark = ("after" in condition) == (event == "sunset")
            state = "below_horizon" if dark else "above_horizon"
            found.append(Condition("state", entity="sun.sun", state=state))
        elif kind == "template":
            asked = QUIET.search(condition["value_template"])
            quiet_s = int(asked[1]) if asked else quiet_s
        elif kind != "time":
            raise ValueError(f"unknown condition {kind} in a suggestion")
    return days, found, quiet_s


def rule_of_suggestion(suggestion):
    """The rule of one of analyze's suggestions. ValueError names what this reader does not know."""
    automation = suggestion["automation"]
    first, *steps = acts_of_actions(automation["actions"])
    days, conditions, quiet_s = read_conditions(automation.get("conditions", []))
    common = {"targets": first.targets, "state": first.state, "values": first.values, "steps": tuple(steps)}
    common |= {"days": days, "conditions": tuple(conditions), "quiet_s": quiet_s}
    if len(automation["triggers"]) != 1:
        raise ValueError(f"{len(automation['triggers'])} triggers in a suggestion: one is expected")
    trigger = automation["triggers"][0]
    if trigger["trigger"] == "time":
        return Rule("time_of_day", at=seconds_of(trigger["at"]), **common)
    if trigger["trigger"] == "sun":
        return Rule("sun", event=trigger["event"], offset_s=seconds_of(trigger.get("offset", 0)), **common)
    if trigger["trigger"] == "state":
        entity, for_s = as_list(trigger["entity_id"])[0], seconds_of(trigger.get("for", 0))
        return Rule("sequence", trigger=(entity, trigger.get("to")), for_s=for_s, **common)
    raise ValueError(f"unknown trigger {trigger['trigger']} in a suggestion")


# --- What was planted


def conditions_of_gate(gate):
    if not gate:
        return ()
    if gate["kind"] == "lux":
        return (Condition("below", entity=gate["entity_id"], limit=gate["below"]),)
    if gate["kind"] == "window":
        return (Condition("time", after=seconds_of(gate["after"]), before=seconds_of(gate["before"])),)
    return (Condition("state", entity=gate["entity_id"], state=gate["state"]),)


def planted_act(part):
    """The act of a habit, or of a step of it. What is set has no state."""
    values = tuple(sorted((name, float(value)) for name, value in part.get("values", {}).items()))
    is_set = part["entity_id"].split(".")[0] in ("cover", "climate", "scene")
    members = frozenset(part.get("members") or [part["entity_id"]])
    return Act(members, None if is_set else part["state"], values)


def begin_of_habit(habit):
    """What of a Rule says when the habit's act comes."""
    if "at" in habit:
        return {"kind": "time_of_day", "at": seconds_of(habit["at"])}
    if "event" in habit:
        return {"kind": "sun", "event": habit["event"], "offset_s": habit["offset_min"] * 60}
    if "trigger" in habit:
        trigger = habit["trigger"]["entity_id"], habit["trigger"]["state"]
        return {"kind": "sequence", "trigger": trigger, "quiet_s": habit.get("quiet_s", 0)}
    entity, state = habit["entity_id"], habit["state"]
    if habit["kind"] == "value":
        late = Condition("time", after=seconds_of(habit["from"]), before=seconds_of(habit.get("until", DAY_S)))
        return {"kind": "sequence", "trigger": (entity, state), "conditions": (late,)}
    begun = "playing" if entity.startswith("media_player.") else "on"  # left on: state is its end
    return {"kind": "sequence", "trigger": (entity, begun), "for_s": habit["after_s"]}


def rule_of_habit(habit):
    """The rule that was planted. Of what is left on, the length of a usual use stands in for the rule's."""
    act = planted_act(habit)
    steps = tuple(dataclasses.replace(planted_act(step), delay_s=step["lag_s"]) for step in habit.get("steps", []))
    parts = {"conditions": conditions_of_gate(habit.get("gate"))} | begin_of_habit(habit)
    days = days_of_class(habit.get("day_class", "all"))
    return Rule(targets=act.targets, state=act.state, values=act.values, steps=steps, days=days, **parts)


def parts_of(rule):
    """The rules that a chain holds besides itself: some of its acts, in order, on what began it or on one of its
    acts. Each of them is true, too."""
    acts, found = rule.acts, []
    for begin in range(len(acts)):
        for count in range(1, len(acts) - begin + 1):
            for chosen in itertools.combinations(acts[begin:], count):
                first = {"targets": chosen[0].targets, "state": chosen[0].state, "values": chosen[0].values}
                first["steps"] = chosen[1:]
                if begin == 0 and count < len(acts):
                    found.append(dataclasses.replace(rule, **first))
                if begin > 0:
                    before = acts[begin - 1]
                    found += [Rule("sequence", trigger=(target, before.state), **first) for target in before.targets]
    return found


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

    def second_of(self, when):
        local = datetime.datetime.fromtimestamp(when, self.zone)
        return local.hour * 3600 + local.minute * 60 + local.second + local.microsecond / 1e6

    def is_dark(self, when):
        return sun.is_dark(when, self.latitude, self.longitude)

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

    def fire_on_any_day(self, rule, day):
        return self.fire(dataclasses.replace(rule, days=frozenset(WEEK)), day)

    def clock(self, rule, day):
        """Local second of the day at which a time or sun rule would fire, whatever its days; or None."""
        if rule.kind == "time_of_day":
            return rule.at
        when = self.fire_on_any_day(rule, day)
        return None if when is None else int(self.second_of(when))

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
