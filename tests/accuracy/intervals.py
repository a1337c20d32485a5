"""95 % intervals of figures that come from homes: what happens within one home hangs together."""

import collections
import math
import random

Z = 1.959964
RESAMPLES = 1000


class Share:
    """hits of trials, home by home."""

    def __init__(self, rows, hits, trials=lambda row: 1):
        """rows: dicts with "home"; hits, trials: functions of a row."""
        self.homes = collections.defaultdict(lambda: [0, 0])
        for row in rows:
            self.homes[row["home"]][0] += hits(row)
            self.homes[row["home"]][1] += trials(row)
        self.hits = sum(hits for hits, _ in self.homes.values())
        self.trials = sum(trials for _, trials in self.homes.values())
        self.value = self.hits / self.trials if self.trials else None

    def design_effect(self):
        """By how much homes that differ widen the interval: variance of a ratio of sums over homes, against the
        binomial's; at least 1."""
        homes = len(self.homes)
        if homes < 2 or self.value in (None, 0, 1):
            return 1.0
        spread = sum((hits - self.value * trials) ** 2 for hits, trials in self.homes.values())
        variance = spread * homes / (homes - 1) / self.trials**2
        return max(1.0, variance / (self.value * (1 - self.value) / self.trials))

    def interval(self):
        """Wilson's, on as many trials as the homes are worth; None without trials."""
        if not self.trials:
            return None
        n = self.trials / self.design_effect()
        middle = (self.value + Z * Z / (2 * n)) / (1 + Z * Z / n)
        half = Z / (1 + Z * Z / n) * math.sqrt(self.value * (1 - self.value) / n + Z * Z / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)


def poisson_tail(count, mean):
    """P(X <= count) of a Poisson variable."""
    return sum(math.exp(i * math.log(mean) - mean - math.lgamma(i + 1)) for i in range(count + 1)) if mean else 1.0


def poisson_interval(count):
    """Garwood's exact interval of a Poisson mean, by bisection."""

    def solve(function):
        low, high = 0.0, 10.0 * count + 20
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if function(middle) else (low, middle)
        return low

    lower = solve(lambda mean: 1 - poisson_tail(count - 1, mean) < 0.025) if count else 0.0
    return lower, solve(lambda mean: poisson_tail(count, mean) > 0.025)


def predicted_tail(limit, count, homes, more):
    """P(more than limit) in so many more homes, after count in so many: Poisson counts whose rate has the posterior
    of Jeffreys' prior (negative binomial)."""
    r, share = count + 0.5, more / (homes + more)
    probability = within = (1 - share) ** r
    for i in range(limit):
        probability *= (r + i) / (i + 1) * share
        within += probability
    return 1 - within


def predicted_least(hits, misses, more, tail):
    """The least number of hits in so many more trials that a tail of all outcomes fall short of: binomial counts whose
    rate has the posterior of Jeffreys' prior (beta binomial). hits, misses: need not be whole."""
    a, b, below = hits + 0.5, misses + 0.5, 0.0
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) - math.lgamma(a + b + more) + math.lgamma(more + 1)
    for k in range(more + 1):
        ways = scale - math.lgamma(k + 1) - math.lgamma(more - k + 1)
        below += math.exp(ways + math.lgamma(a + k) + math.lgamma(b + more - k))
        if below > tail:
            return k
    return more


def bootstrap(rows, statistic):
    """(value, low, high) of a statistic of rows (dicts with "home"), homes drawn again with replacement; None
    where it has no value."""
    by_home = collections.defaultdict(list)
    for row in rows:
        by_home[row["home"]].append(row)
    groups, value = list(by_home.values()), statistic(rows)
    if value is None:
        return None
    draw, values = random.Random(1), []
    for _ in range(RESAMPLES):
        sample = [row for _ in groups for row in draw.choice(groups)]
        found = statistic(sample)
        if found is not None:
            values.append(found)
    values.sort()
    return value, values[int(0.025 * len(values))], values[min(len(values) - 1, int(0.975 * len(values)))]
