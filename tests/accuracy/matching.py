"""Is a suggested rule planted? The definitions of docs/truth-format.md, and nothing else."""

import bisect
import dataclasses
import datetime

import replay
import rules
import telling

TOLERANCE_S = 600
TIME_KINDS = ("time_of_day", "sun")  # of what begins a rule
SIBLING_S, SIBLING_AGREES_MIN = 300, 0.9
# Of what is left on: uses that were ended, which the rule may end early; forgotten ones, which it must end.
CUT_MAX, ENDED_MIN = 0.1, 0.75


@dataclasses.dataclass(frozen=True)
class Match:
    """A suggested rule beside a planted one for the same act. near: it fires when the planted one does. whole: it
    does all that the planted one does. conditions_right, value_right: None where there is nothing to tell."""

    near: bool = False
    days_right: bool = False
    trigger_right: bool = False
    planted: bool = False
    whole: bool = True
    conditions_right: bool | None = None
    value_right: bool | None = None
    error_s: float | None = None
    why: str = ""


def rank(match):
    return match.planted, match.whole, match.near, match.days_right, match.trigger_right


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
        self.rule_of = {id(habit): rule for habit, rule in self.habits}
        self.parts = {id(habit): rules.parts_of(rule) for habit, rule in self.habits}
        self.roles = {entity["entity_id"]: entity["role"] for entity in truth["entities"]}
        self.scenes = {scene["entity_id"]: frozenset(scene["members"]) for scene in truth.get("scenes", [])}
        self._rivals, self._tellings = telling.Rivals(truth, recording, self.calendar), {}

    def compare(self, rule, habit, planted):
        """How a suggested rule stands beside a habit, or a part of a chain (a Match); None when the habit is
        another act's."""
        if habit["kind"] == "left_on":
            return self._left_on(rule, habit, planted)
        matches = [self._compare(rule, habit, planted)]
        matches += [
            dataclasses.replace(match, whole=False)
            for match in (self._compare(rule, habit, part) for part in self.parts[id(habit)])
            if match
        ]
        return max((match for match in matches if match), key=rank, default=None)

    def _compare(self, rule, habit, planted):
        if not does_the_same(rule, planted):
            return None
        if rule.kind == "sequence" or planted.kind == "sequence":
            match = self._sequence(rule, planted)
        else:
            match = self._time(rule, habit, planted)
        return self._with_values(self._with_conditions(match, rule, habit, planted), rule, planted)

    def _time(self, rule, habit, planted):
        error = self.calendar.apart(rule, planted, self.days)
        if error is None:
            return Match()
        # A drifting habit is met anywhere on its way; the truth tells its middle.
        near = abs(error) <= TOLERANCE_S + abs(habit.get("drift_min") or 0) * 60 / 2
        trigger_right = rule.kind == planted.kind and rule.event == planted.event
        days_right = rule.days == self._days_beside(rule, planted)
        told_apart = habit.get("identifiable", {}).get("clock_or_sun", True)
        is_planted = near and (trigger_right or not told_apart)
        why = "" if is_planted else "near a habit that can be told from it" if near else "wrong time"
        return Match(near, days_right, trigger_right, is_planted, error_s=abs(error), why=why)

    def _days_beside(self, rule, planted):
        """The planted days, moved by one where midnight lies between the two rules."""
        days = [day for day in self.days if self.calendar.clock(rule, day) is not None]
        gap = self.calendar.clock(rule, days[-1]) - (self.calendar.clock(planted, days[-1]) or 0)
        shift = 1 if gap < -rules.DAY_S / 2 else -1 if gap > rules.DAY_S / 2 else 0
        return frozenset(rules.WEEK[(rules.WEEK.index(day) + shift) % 7] for day in planted.days)

    def _sequence(self, rule, planted):
        if rule.kind != planted.kind or rule.for_s:
            return Match(days_right=rule.days == planted.days, why="not what begins it")
        entity, state = rule.trigger
        same = entity == planted.trigger[0] and state in (planted.trigger[1], None)
        same = same or (state is not None and self._is_sibling(rule, planted))
        return Match(same, rule.days == planted.days, same, same, why="" if same else "wrong trigger")

    def _is_sibling(self, rule, planted):
        """A detector that tells the same at the same times: of its fires, of the planted trigger's, and of those on
        which people act, nine of ten are within five minutes of one of the other's."""
        alone = {"days": planted.days, "conditions": (), "quiet_s": 0}
        ours, theirs = (
            replay.fires_of(dataclasses.replace(one, **alone), self.recording, self.calendar, self.days)
            for one in (rule, planted)
        )
        acts = replay.acts_of(planted, replay.target_of(planted, self.recording), self.recording)
        acted = [theirs[index] for index in replay.nearest_pairs(theirs, acts, replay.HIT_S["sequence"])]
        pairs = (ours, theirs), (theirs, ours), (acted, ours)
        return bool(ours and theirs) and all(count_near(*pair) >= SIBLING_AGREES_MIN * len(pair[0]) for pair in pairs)

    # --- Conditions

    def is_told(self, habit, planted):
        """Whether it can be told what the habit hangs on besides its time or trigger, the days of the week among it;
        None where it hangs on nothing."""
        if not (planted.conditions or planted.quiet_s or len(planted.days) < 7):
            return None
        told = habit["identifiable"].get("condition", habit["identifiable"]["day_class"])
        return told and self._telling(planted).is_told

    def _telling(self, planted):
        if planted not in self._tellings:
            self._tellings[planted] = telling.Telling(
                planted, self.recording, self.calendar, self._rivals, self.training, self.days
            )
        return self._tellings[planted]

    def _answers(self, rule, planted):
        """[(whether the rule would act, whether the planted one would)] on the planted one's days, or on the
        occasions of its trigger: where there is something to do."""

        def asked(one, when):
            return replay.may_act(one, self.recording, self.calendar, when)

        if planted.kind == "sequence":
            begun = [when for when, _ in replay.triggers_of(planted, self.recording, self.calendar, self.days)]
            times = [when for before, when in zip([-1e12] + begun, begun) if when - before > telling.EPISODE_S]
            # Its own trigger's rest: a detector beside the planted one rests likewise.
            rule = dataclasses.replace(rule, trigger=planted.trigger)
            times = [when for when in times if not replay.is_idle(planted, self.recording, when)]
            return [(asked(rule, when), asked(planted, when)) for when in times]
        pairs = [
            (self.calendar.fire_on_any_day(rule, day), self.calendar.fire_on_any_day(planted, day))
            for day in self.days
        ]
        pairs = [pair for pair in pairs if all(pair) and not replay.is_idle(planted, self.recording, pair[1])]
        return [(asked(rule, ours), asked(planted, theirs)) for ours, theirs in pairs]

    def _agree(self, rule, planted):
        """Whether two rules that begin alike hang on the same: days of the week, conditions, rest."""
        if (rule.days, rule.conditions, rule.quiet_s) == (planted.days, planted.conditions, planted.quiet_s):
            return True
        answers = self._answers(rule, planted)
        ours, theirs = (telling.mask_of([pair[side] for pair in answers]) for side in (0, 1))
        return telling.are_alike(ours, theirs, len(answers))

    def is_own_act(self, habit, trigger):
        """Whether that is an act of the habit's chain itself: what follows on it is a part of the chain."""
        begun = self.rule_of[id(habit)].acts[:-1]
        return any(trigger[0] in act.targets and trigger[1] == act.state for act in begun)

    def _keeps_chain(self, rule, habit, planted):
        """Of a part that begins with one of the chain's acts, whether it acts on nine of ten and more of these. Whatever
        it leaves out besides is other use, on which nothing follows."""
        entity, state = planted.trigger
        acts = [time_of(act) for act in habit["acts"]]
        if entity not in self.rule_of[id(habit)].targets:
            reach = sum(4 * step["lag_s"] + 60 for step in habit["steps"])
            acts = [when for when in self.recording.enters(entity, state) if any(0 < when - act < reach for act in acts)]
        acts = [act for act in acts if self.calendar.day_of(act) in set(self.days)]
        kept = sum(replay.may_act(rule, self.recording, self.calendar, act) for act in acts)
        return kept >= telling.KEPT_MIN * len(acts)

    def _is_on_its_days(self, rule, habit):
        """Whether the rule is for the days of nine of ten of the habit's acts, near the rule's time or not."""
        days = [self.calendar.day_of(time_of(act)) for act in habit["acts"]]
        return sum(rules.WEEK[day.weekday()] in rule.days for day in days) >= telling.KEPT_MIN * len(days)

    def _with_conditions(self, match, rule, habit, planted):
        """A habit is right with its own conditions, or such as agree with them; where its own cannot be told, with what
        they cannot be told from."""
        if not match.planted:
            return match
        if planted.trigger and self.is_own_act(habit, planted.trigger):
            kept = self._keeps_chain(rule, habit, planted)
            return dataclasses.replace(match, days_right=kept, planted=kept, why="" if kept else "wrong condition")
        told, is_gated = self.is_told(habit, planted), bool(planted.conditions or planted.quiet_s)
        right = match.days_right and not (rule.conditions or rule.quiet_s or is_gated)
        right = right or self._agree(rule, planted)
        may_be = told is False and self._is_on_its_days(rule, habit) and self._telling(planted).may_be(rule)
        accepted = right or may_be
        is_bare = not (rule.conditions or rule.quiet_s)
        why = "wrong condition" if not is_bare else "wrong days" if rule.days != planted.days else "condition missing"
        return dataclasses.replace(
            match,
            days_right=match.days_right or right,
            conditions_right=right if told and is_gated else None,
            planted=accepted,
            why="" if accepted else why,
        )

    # --- Values

    def _with_values(self, match, rule, planted):
        """What a rule sets must be what people choose; to leave it out is right where there is a state besides."""
        wanted, given = dict(planted.values), dict(rule.values)
        if not wanted and not given:
            return match
        right = all(name in wanted and replay.is_same_value(name, value, wanted[name]) for name, value in given.items())
        missing = not given and (planted.state is None or replay.sets_values(planted))
        planted_too = match.planted and right and not missing
        why = match.why or ("" if planted_too else "value missing" if missing else "wrong value")
        value_right = right if wanted and given else None
        return dataclasses.replace(match, value_right=value_right, planted=planted_too, why=why)

    # --- Left on

    def _left_on(self, rule, habit, planted):
        if rule.targets != planted.targets or rule.state != planted.state:
            return None
        if rule.kind != "sequence":
            return Match(why="not what begins it")
        cut, ended = self.cuts(rule, habit, self.days)
        trigger_right = rule.trigger == planted.trigger and rule.for_s > 0
        good = sum(cut) <= CUT_MAX * len(cut) and sum(ended) >= max(1, ENDED_MIN * len(ended))
        why = "" if good else "ends uses early" if sum(cut) > CUT_MAX * len(cut) else "leaves it on"
        return Match(trigger_right, True, trigger_right, good, why=why)

    def cuts(self, rule, habit, days):
        """Of the uses that ended on those days: ([whether the rule would have ended it early] of those that people
        ended, the same of those they forgot)."""
        uses = [
            {"from": time_of(use["from"]), "to": time_of(use["to"]), "forgotten": use["forgotten"]}
            for use in habit["uses"]
        ]
        cuts = replay.cuts_of(rule, self.recording, self.calendar, uses, set(days))
        sides = ([], [])
        for use, cut in cuts:
            sides[use["forgotten"]].append(cut)
        return sides

    # --- Verdicts

    def is_neutral(self, rule):
        """The other half of a planted use, or of a step's; what a planted scene switches."""
        for habit, planted in self.habits:
            halves = [habit["other_half"]] if habit.get("other_half") else []
            halves += [{"entity_id": step["entity_id"], "state": opposite(step["state"])} for step in habit.get("steps", [])]
            members = frozenset(habit.get("members", []))
            for half in halves:
                same = rule.targets <= members | {half["entity_id"]}
                if same and rule.state in (half["state"], None) and not rule.steps:
                    return True
            if habit["kind"] == "scene" and rule.targets <= self.scenes[habit["entity_id"]] and not rule.steps:
                as_scene = dataclasses.replace(rule, targets=planted.targets, state=None, values=())
                match = self._compare(as_scene, habit, planted)
                if rule.state == "off" or (match and match.near):
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
        if not matches:
            return "act without a habit"
        habit, match = max(matches, key=lambda pair: rank(pair[1]))
        if match.planted:
            return "stopped before the held-out days"
        return f"{match.why or 'far'}, beside a habit of {habit['kind']}"


def does_the_same(rule, planted):
    """Whether a rule's acts are the planted one's, of a group perhaps some of them, none left out and in their order;
    acts without delay between them may stand in any."""
    at = index = 0
    seen = set()
    for act in rule.acts:
        index = max(seen, default=0) if act.delay_s else 0
        for target in act.targets:
            fits = [
                at
                for at in range(index, len(planted.acts))
                if target in planted.acts[at].targets and is_same_state(act, planted.acts[at])
            ]
            if not fits:
                return False
            seen.add(fits[0])
    return len(seen) == len(planted.acts)


def is_same_state(act, planted):
    """Of values alone, a call that switches on besides is as good; prior art does not see states."""
    if planted.values and planted.state is None:
        return act.state is None or bool(act.values)
    return act.state == planted.state or act.state is None


def opposite(state):
    return "off" if state in ("on", "playing") else "on"


def time_of(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def count_near(fires, others):
    """How many of the fires have one of the others (both in order) within SIBLING_S."""
    firsts = (bisect.bisect_left(others, fire - SIBLING_S) for fire in fires)
    return sum(first < len(others) and others[first] <= fire + SIBLING_S for fire, first in zip(fires, firsts))
