"""What a habit hangs on besides its time or trigger: could it be told from the recording, by likelihoods?

No miner is asked. Occasions on which people could act, and whether they did, are explained by two rates, one where a
condition holds and a lower one where it does not: by the planted condition, by every other one that the home knows,
and by none. All families of conditions are as likely beforehand, and within a family all that differ here."""

import collections
import dataclasses
import functools
import itertools
import math
import statistics

import replay
import rules

EPISODE_S = 20 * 60
AGREES_MIN = 0.95  # of the occasions: two conditions are then as good as one;
COMMON_MIN = 0.75  # of those on which either holds, where both seldom do
GAIN_MIN = 7  # nats: a thousand to one
KEPT_MIN = 0.9  # of the acts, at which what people hang on holds
TOLD_MIN = 0.95  # probability of the planted condition, and those that are as good
HALF_HOUR = 1800


def occasions(rule, recording, calendar, days):
    """[(UTC seconds, whether a person acted)]: the rule's times, or its trigger's episodes, of which repeats within
    twenty minutes are one, whatever it hangs on; not those on which all was done already."""
    rule = dataclasses.replace(rule, conditions=(), quiet_s=0, days=frozenset(rules.WEEK))
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


# Sets of occasions are whole numbers: bit i is set when it holds at occasion i.


def mask_of(holds):
    return int("0" + "".join("01"[bool(held)] for held in reversed(holds)), 2)


def log_beta(a, b):
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


@functools.lru_cache(100_000)
def is_greater(hits, misses, other_hits, other_misses):
    """P(the rate behind hits and misses is greater than the other one), nothing known of either before: the sum that
    Evan Miller gives in "Formulas for Bayesian A/B Testing"."""
    a, b, c, d = hits + 1, misses + 1, other_hits + 1, other_misses + 1
    return sum(math.exp(log_beta(c + i, b + d) - math.log(b + i) - log_beta(1 + i, b) - log_beta(c, d)) for i in range(a))


@dataclasses.dataclass(frozen=True)
class Outcomes:
    """Of which occasions something is known, and at which of them people acted."""

    known: int
    acted: int

    def log_evidence(self, holds):
        """ln P(these outcomes): of one rate where a condition holds and a lower one where it does not, of which nothing
        else is known before; of one rate alone where it always holds."""
        inside, outside = self.known & holds, self.known & ~holds
        hits, other_hits = (inside & self.acted).bit_count(), (outside & self.acted).bit_count()
        misses, other_misses = inside.bit_count() - hits, outside.bit_count() - other_hits
        found = log_beta(hits + 1, misses + 1) + log_beta(other_hits + 1, other_misses + 1)
        if inside and outside:
            found += math.log(2 * is_greater(hits, misses, other_hits, other_misses) + 1e-300)
        return found


def are_alike(one, other, count):
    """Whether two conditions, asked on the same occasions, are as good as one."""
    either, both = (one | other).bit_count(), (one & other).bit_count()
    return either > 0 and count - (one ^ other).bit_count() >= AGREES_MIN * count and both >= COMMON_MIN * either


class Rivals:
    """All that a home knows besides: who is home, modes, the dark, light, the days of the week, the time of day, how
    long a detector rested."""

    def __init__(self, truth, recording, calendar):
        self.recording, self.calendar = recording, calendar
        people = [one["entity_id"] for one in truth["entities"] if one["entity_id"].startswith("person.")]
        modes = [mode["entity_id"] for mode in truth.get("modes", [])]
        self.words = [*people, *modes]
        self.numbers = truth.get("light_sensors", [])

    def families(self, rule, times):
        """Sets of conditions: of each at which of those times it holds."""
        every = (1 << len(times)) - 1
        families = [{every}, *self._states(times), *self._numbers(times), set(self._days(times))]
        if rule.kind == "sequence":
            families += [*self._windows(times), set(self._rests(rule, times))]
        if len(rule.days) < 7:  # each on the rule's days alone, too
            on_days = mask_of([rules.WEEK[self.calendar.day_of(when).weekday()] in rule.days for when in times])
            families += [{holds & on_days for holds in family} for family in families]
        return [family for family in families if family]

    def _states(self, times):
        every = (1 << len(times)) - 1
        dark = mask_of([self.calendar.is_dark(when) for when in times])
        yield {dark, every ^ dark}
        for entity in self.words:
            states = [self.recording.state_at(entity, when) for when in times]
            known = {mask_of([state == word for state in states]) for word in set(states)}
            yield known | {every ^ holds for holds in known}

    def _numbers(self, times):
        for entity in self.numbers:
            below = set(below_each([self.recording.number_at(entity, when) for when in times]))
            yield below | {((1 << len(times)) - 1) ^ holds for holds in below}

    def _days(self, times):
        days = [rules.WEEK[self.calendar.day_of(when).weekday()] for when in times]
        for wanted in ("weekdays", "weekend", *rules.WEEK):
            yield mask_of([day in rules.days_of_class(wanted) for day in days])

    def _windows(self, times):
        """Up to some half hour, or from one on; between two, or outside."""
        every = (1 << len(times)) - 1
        before = list(below_each([self.calendar.second_of(when) // HALF_HOUR for when in times]))
        between = {later & ~earlier for earlier, later in itertools.combinations(before, 2)}
        for family in (set(before), between):
            yield family | {every ^ holds for holds in family}

    def _rests(self, rule, times):
        every = (1 << len(times)) - 1
        rests = [self.recording.rest_before(rule.trigger[0], when) for when in times]
        return (every ^ below for below in below_each(rests))


def below_each(numbers):
    """Where they are below a limit, for each limit between two of them. None is no number."""
    by_number = collections.defaultdict(int)
    for index, number in enumerate(numbers):
        if number is not None:
            by_number[number] |= 1 << index
    below = 0
    for number in sorted(by_number)[:-1]:
        below |= by_number[number]
        yield below


class Telling:
    """What can be told of a planted rule's condition."""

    def __init__(self, planted, recording, calendar, rivals, training, days):
        asked, wanted = occasions(planted, recording, calendar, days), set(training)
        self._planted, self._recording, self._calendar = planted, recording, calendar
        self._times = [when for when, _ in asked]
        known = [calendar.day_of(when) in wanted for when in self._times]
        acted = [was_known and acts for was_known, (_, acts) in zip(known, asked)]
        self._outcomes = Outcomes(mask_of(known), mask_of(acted))
        self.is_told = any(known) and self._probability(rivals) >= TOLD_MIN

    def _holds(self, rule):
        rule = dataclasses.replace(rule, trigger=self._planted.trigger)
        return mask_of([replay.may_act(rule, self._recording, self._calendar, when) for when in self._times])

    def _probability(self, rivals):
        """Of the planted condition, and of all that are as good on all days."""
        planted, count, weight = self._holds(self._planted), len(self._times), {True: 0.0, False: 0.0}
        none = self._outcomes.log_evidence(-1)
        for family in rivals.families(self._planted, self._times):
            for holds in family:
                odds = math.exp(self._outcomes.log_evidence(holds) - none)
                weight[are_alike(holds, planted, count)] += odds / len(family)
        return weight[True] / (weight[True] + weight[False])

    def may_be(self, rule):
        """Whether what another rule hangs on may be it, too, for all that the training days show: it held at nine of
        ten acts, and they do not speak twenty times as much for the planted one."""
        holds, planted, acted = self._holds(rule), self._holds(self._planted), self._outcomes.acted
        odds = self._outcomes.log_evidence(holds) - self._outcomes.log_evidence(planted)
        kept = (holds & acted).bit_count() >= KEPT_MIN * acted.bit_count()
        return kept and odds >= math.log(1 - TOLD_MIN)


# --- Lengths of use and of rest, for worlds whose truth does not say it


def is_rare(count, days, factor):
    """Whether a spell so many times as long as the longest of count before, in so many days, comes once in 1,000 days
    at most when all are of one kind: the longest of n exponential ones is outdone with the probability n B(n, factor + 1)."""
    outdone = math.exp(math.lgamma(count + 1) + math.lgamma(factor + 1) - math.lgamma(count + factor + 1))
    return count / days * outdone <= 0.001


def log_normal(x, middle, spread):
    return -(((x - middle) / spread) ** 2) / 2 - math.log(spread * math.sqrt(2 * math.pi))


def log_logistic(x, middle, scale):
    z = abs(x - middle) / scale
    return -z - 2 * math.log1p(math.exp(-z)) - math.log(scale)


def best_of(density, values):
    """The greatest log likelihood of a family with a middle and a spread: a search that halves its steps."""
    middle, spread, step = statistics.fmean(values), statistics.pstdev(values) or 1, 0.5

    def judge(middle, spread):
        return sum(density(value, middle, spread) for value in values)

    best = judge(middle, spread)
    while step > 1e-3:
        around = [(middle + sign * step * spread, spread) for sign in (-1, 1)]
        around += [(middle, spread * math.exp(sign * step)) for sign in (-1, 1)]
        found, place = max((judge(*place), place) for place in around)
        if found > best + 1e-9:
            best, (middle, spread) = found, place
        else:
            step /= 2
    return best


def gain_of_forgetting(uses):
    """Log likelihood of usual (lognormal) and forgotten (evenly long) uses over one way of use with a long tail, less
    what the share and the range must be learned from (Schwarz). uses: [(seconds, whether its end was forgotten)]."""
    lengths = [math.log(seconds) for seconds, _ in uses]
    usual = [x for x, (_, forgotten) in zip(lengths, uses) if not forgotten]
    long = [seconds for seconds, forgotten in uses if forgotten]
    if len(usual) < 3 or len(long) < 2:
        return 0
    share = len(long) / len(uses)
    two = len(usual) * math.log(1 - share) + best_of(log_normal, usual)
    two += sum(math.log(share * seconds / (max(long) - min(long) + 1)) for seconds in long)
    return two - max(best_of(log_normal, lengths), best_of(log_logistic, lengths)) - 1.5 * math.log(len(uses))
