"""Cron lines against croniter, on days on which the clock does not change (over a change croniter is no oracle: what
happens then is in tests/unit/test_cron.c)."""
import os
import random
import subprocess
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

from conftest import ROOT

ZONES = ("UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/New_York", "Asia/Kathmandu", "Pacific/Apia",
         "America/Santiago", "Africa/Casablanca")
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
WEEKDAYS = "sun mon tue wed thu fri sat".split()
FIELDS = ((0, 59, None), (0, 23, None), (1, 31, None), (1, 12, MONTHS), (0, 7, WEEKDAYS))


def random_value(rng, low, high, names):
    value = rng.randint(low, high)
    if names and rng.random() < 0.4:
        name = names[(value - low) % len(names)]
        return value, rng.choice((name, name.upper(), name.capitalize()))
    return value, str(value)


def random_part(rng, low, high, names):
    """One part of a list. Left out: what croniter reads in a way of its own ("5-5" and "59/2" are everything, "22-2" wraps)."""
    kind = rng.random()
    if kind < 0.45:
        return random_value(rng, low, high, names)[1]
    if kind < 0.6:
        return f"*/{rng.randint(1, high)}"
    if kind < 0.7:
        return f"{rng.randint(low, high - (2 if names is WEEKDAYS else 1))}/{rng.randint(1, high)}"
    while True:
        (first, first_text), (last, last_text) = (random_value(rng, low, high, names) for _ in "ab")
        if names is WEEKDAYS:
            first, last = first % 7, last if last == 7 else (last or 7)
            if first == 0 and last == 7:
                continue
        if first < last:
            step = f"/{rng.randint(1, high - low)}" if rng.random() < 0.3 else ""
            return f"{first_text}-{last_text}{step}"


def random_line(rng):
    fields = []
    for low, high, names in FIELDS:
        if rng.random() < 0.35:
            fields.append("*")
        else:
            fields.append(",".join(random_part(rng, low, high, names) for _ in range(rng.choice((1, 1, 1, 2, 3)))))
    return " ".join(fields)


def clock_changes_near(zone, date):
    at = datetime(date.year, date.month, date.day, tzinfo=zone)
    return len({(at + timedelta(hours=h)).utcoffset() for h in range(-24, 49)}) > 1


def oracle(line, after):
    """croniter's next run, None when there is none."""
    try:
        return croniter(line, after, max_years_between_matches=8).get_next(datetime)
    except CroniterBadDateError:
        minute, hour, day, month, weekday = line.split()
        # It gives up on a day like 30 February even where a weekday would do.
        return oracle(f"{minute} {hour} * {month} {weekday}", after) if "*" not in (day, weekday) else None


def is_ambiguous(line):
    """All weekdays or all days by a list: croniter takes that for "*" only if the other field has a "*" somewhere."""
    _, _, day, month, weekday = line.split()
    expanded = croniter.expand(f"0 0 {day} {month} {weekday}")[0]
    return weekday != "*" and (len(expanded[4]) == 7 or expanded[4] == ["*"]) or \
        day != "*" and (len(expanded[2]) == 31 or expanded[2] == ["*"])


def skips_first_of_month(line):
    """With a listed day that a short month does not have, croniter steps over the first days of the next."""
    return any(isinstance(day, int) and day > 28 for day in croniter.expand(line)[0][2])


def ask(driver, questions):
    answer = subprocess.run([driver], input="".join(f"{zone} {at} {line}\n" for zone, at, line in questions),
                            capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.splitlines()


def test_agrees_with_croniter():
    subprocess.run(["make", "-s", "MODE=asan", "build/asan/drivers/cron"], cwd=ROOT, check=True)
    seed = int(os.environ.get("SEED") or random.randrange(10**9))
    print(f"SEED={seed}")
    rng = random.Random(seed)
    questions = [(rng.choice(ZONES), rng.randrange(1672531200, 1893456000), random_line(rng)) for _ in range(6000)]
    compared = refused = 0
    for (name, at, line), got in zip(questions, ask(ROOT / "build/asan/drivers/cron", questions)):
        zone = ZoneInfo(name)
        local = datetime.fromtimestamp(at, zone)
        if is_ambiguous(line):
            continue
        # In naive time: croniter's own handling of zones is not what is compared.
        wanted = oracle(line, local.replace(tzinfo=None, fold=0))
        if wanted is None:
            assert got.startswith("error day: no month"), f"SEED={seed}: {line}: {got}, but there is no such date"
            refused += 1
            continue
        assert not got.startswith("error"), f"SEED={seed}: {line}: {got}, croniter says {wanted}"
        if clock_changes_near(zone, local.date()) or clock_changes_near(zone, wanted.date()):
            continue
        ours = datetime.fromtimestamp(int(got), zone).replace(tzinfo=None)
        if ours < wanted and skips_first_of_month(line) and croniter.match(line, ours):
            continue
        assert ours == wanted, f"SEED={seed}: {line} after {local}: {ours}, not {wanted}"
        compared += 1
    print(f"{compared} compared, {refused} without a date")
    assert compared > 4000
