"""The benchmark's rows, added up into tables: lists of cells, printed for people or as Markdown."""

import collections
import statistics

from intervals import Share, bootstrap, poisson_interval

KINDS = ("time_of_day", "sun", "sequence", "long_quiet", "left_on", "value", "chain", "scene")
ANOMALY_KINDS = ("open_at_night", "left_on", "unlocked", "habit_missed", "sensor_silent")
ADHERENCE_BANDS = ((0.0, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01))
SIGMA_BANDS = ((0, 4), (4, 8), (8, 12), (12, 20), (20, 1000))
SCORE_BANDS = ((0.0, 0.5), (0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.85), (0.85, 0.9), (0.9, 0.95), (0.95, 1.01))


# low, high: the 95 % interval; text: all of it for people. A figure without a value has None.
Figure = collections.namedtuple("Figure", "value low high text")


def show(value, interval=None, digits=3):
    """ "0.957 (0.94–0.97)"."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text if interval is None else f"{text} ({interval[0]:.{digits}f}–{interval[1]:.{digits}f})"


def show_share(share):
    return "–" if not share.trials else f"{show(share.value, share.interval())}, {share.hits} of {share.trials}"


def label(days):
    """Of a column: homes of so many days, or homes that are called otherwise."""
    return f"{days} days" if isinstance(days, int) else days


def table(title, head, lines):
    return {"title": title, "head": head, "lines": lines}


def as_text(made):
    """A table in columns, for a terminal."""
    rows = [made["head"], *made["lines"]]
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(made["head"]))]
    lines = ["  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join(["", made["title"], "", lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def as_markdown(made):
    def line(cells):
        return "| " + " | ".join(str(cell) for cell in cells) + " |"

    return "\n".join([line(made["head"]), "|" + "---|" * len(made["head"]), *map(line, made["lines"])])


def pick(rows, **wanted):
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def recall(rows):
    return Share(rows, lambda row: row["found"])


def precision(rows):
    """Of the suggestions that count either way."""
    counted = [row for row in rows if row["verdict"] != "neutral"]
    return Share(counted, lambda row: row["verdict"] == "planted")


def median_error_min(rows):
    errors = [row["error_s"] / 60 for row in rows if row["error_s"] is not None]
    return statistics.median(errors) if errors else None


def held_out_quotient(rows, of):
    """What all suggestions score on the held-out days over what the planted rules behind them score there.
    of: (hits, trials) of an outcome."""
    counted = [row for row in rows if row["verdict"] != "neutral" and row["ours"]]
    ours = [of(row["ours"]) for row in counted]
    theirs = [of(row["theirs"]) for row in counted if "theirs" in row]
    ours, theirs = [sum(column) for column in zip(*ours)], [sum(column) for column in zip(*theirs)]
    if not ours or not theirs or not ours[1] or not theirs[0]:
        return None
    return ours[0] / ours[1] / (theirs[0] / theirs[1])


def held_out_precision(outcome):
    return outcome["hits"], outcome["hits"] + outcome["misses"]


def held_out_recall(outcome):
    return outcome["hit_days"], outcome["act_days"]


def stated_quotient(rows):
    """Uses that would have been ended early, over what the suggestions said; rows: dicts with stated, counted."""
    stated = sum(row["stated"] for row in rows)
    return sum(row["counted"] for row in rows) / stated if stated else None


def offs_of(suggestions):
    return [{"home": row["home"]} | row["wrong_offs"] for row in suggestions if row["wrong_offs"]]


def show_bootstrap(found, digits=3):
    return "–" if found is None else show(found[0], found[1:], digits)


def of_share(share):
    low, high = share.interval() or (None, None)
    return Figure(share.value, low, high, show_share(share))


def of_bootstrap(found, digits=3):
    return Figure(*(found or (None, None, None)), show_bootstrap(found, digits))


def anomalies_found(rows):
    return Share(pick(rows, planted=True), lambda row: row["found"])


def anomalies_true(rows):
    reported = [row for row in pick(rows, planted=False) if row["verdict"] != "neutral"]
    return Share(reported, lambda row: row["verdict"] == "true")


def figures(habits, suggestions, anomalies):
    """{name: Figure}: what the targets speak of, at one length of history."""
    target = pick(habits, target=True)
    near = pick(target, near=True)
    told = pick(near, clock_or_sun_told=True)
    replayed = [row for row in suggestions if row["agrees"] is not None]
    few = pick(habits, too_few_days=True)
    gated = [row for row in near if row["conditions_right"] is not None]
    told_value = [row for row in near if row["value_told"] and row["kind"] != "value"]
    given = [row for row in near if row["value_told"] and row["value_right"] is not None]
    quotients = {
        name: bootstrap(suggestions, lambda rows, of=of: held_out_quotient(rows, of))
        for name, of in (("precision", held_out_precision), ("recall", held_out_recall))
    }
    return {
        "planted habits found": of_share(recall(target)),
        "the same with those counted apart": of_share(recall(pick(habits, clear=True))),
        "suggestions that are planted": of_share(precision(suggestions)),
        "day class right": of_share(Share(near, lambda row: row["days_right"])),
        "sun or clock right": of_share(Share(told, lambda row: row["trigger_right"])),
        "conditions right": of_share(Share(gated, lambda row: row["conditions_right"])),
        "values told, where people choose one": of_share(
            Share(told_value, lambda row: row["value_right"] is not None)
        ),
        "values within 5 %": of_share(Share(given, lambda row: row["value_right"])),
        "wrong switch-offs ÷ those stated": of_bootstrap(bootstrap(offs_of(suggestions), stated_quotient)),
        "median time error, minutes": of_bootstrap(bootstrap(target, median_error_min), 2),
        "held-out precision ÷ the planted rules'": of_bootstrap(quotients["precision"]),
        "held-out recall ÷ the planted rules'": of_bootstrap(quotients["recall"]),
        "too few days yet: in learning or suggested": of_share(Share(few, lambda row: row["learning"] or row["near"])),
        "back-test as an independent replay": of_share(Share(replayed, lambda row: row["agrees"])),
        "anomalies found": of_share(anomalies_found(anomalies)),
        "reported anomalies that are true": of_share(anomalies_true(anomalies)),
    }


def kind_figures(habits, suggestions):
    """{name: Figure}: the same of each kind of habit, and of suggestion."""
    target = pick(habits, target=True)
    found = {f"{kind}: planted habits found": of_share(recall(pick(target, kind=kind))) for kind in KINDS}
    return found | {
        f"{kind}: suggestions that are planted": of_share(precision(pick(suggestions, kind=kind))) for kind in KINDS
    }


def headline_table(by_days):
    """by_days: {days: {name: Figure}}."""
    names = next(iter(by_days.values()))
    lines = [[name, *(found[name].text for found in by_days.values())] for name in names]
    title = "Targets: habits with adherence >= 0.8, sigma <= 12 min, identifiable"
    return table(title, ["figure", *(label(days) for days in by_days)], lines)


def recall_lines(by_days, names_and_tests):
    lines = []
    for name, test in names_and_tests:
        cells = []
        for rows in by_days.values():
            cells.append(show_share(recall([row for row in rows["habits"] if test(row)])))
        if any(cell != "–" for cell in cells):
            lines.append([name, *cells])
    return lines


def recall_tables(by_days):
    head = [label(days) for days in by_days]
    usable = [("all identifiable", lambda row: row["identifiable"])]
    kinds = [(kind, lambda row, kind=kind: row["target"] and row["kind"] == kind) for kind in KINDS]
    begins = [
        (f"{kind}, on a {begin}", lambda row, k=kind, b=begin: row["target"] and row["kind"] == k and row["begins"] == b)
        for kind in ("value", "chain", "scene")
        for begin in ("time", "sun", "trigger", "use")
    ]
    classes = [
        (name, lambda row, test=test: row["target"] and row["begins"] in ("time", "sun") and test(row["day_class"]))
        for name, test in (
            ("every day", lambda c: c == "all"), ("weekdays", lambda c: c == "weekdays"),
            ("weekend", lambda c: c == "weekend"), ("one weekday", lambda c: c not in ("all", "weekdays", "weekend")),
        )
    ]  # fmt: skip
    triggers = [
        (trigger, lambda row, trigger=trigger: row["target"] and row["trigger"] == trigger)
        for trigger in ("sensor", "person", "device")
    ]
    shapes = sorted({row["shape"] for rows in by_days.values() for row in rows["habits"]})
    shaped = [(shape, lambda row, shape=shape: row["clear"] and row["shape"] == shape) for shape in shapes]
    adherence = [
        (
            f"adherence {low:.1f} to {min(high, 1):.1f}",
            lambda row, low=low, high=high: row["identifiable"] and low <= row["adherence"] < high,
        )
        for low, high in ADHERENCE_BANDS
    ]
    sigma = [
        (f"sigma {low} to {high} min" if high < 1000 else f"sigma {low} min and more",
         lambda row, low=low, high=high: row["identifiable"] and row["begins"] in ("time", "sun") and low <= row["sigma"] < high)
        for low, high in SIGMA_BANDS
    ]  # fmt: skip
    return [
        table("Found, by kind (targets)", ["kind", *head], recall_lines(by_days, kinds)),
        table("Found, by what begins it (targets)", ["kind", *head], recall_lines(by_days, begins)),
        table("Found, by days (targets; time and sun)", ["day class", *head], recall_lines(by_days, classes)),
        table("Found, by trigger (targets; sequences)", ["trigger", *head], recall_lines(by_days, triggers)),
        table(
            "Found, by what is special (identifiable, adherence and scatter as in the targets)",
            ["habit", *head],
            recall_lines(by_days, shaped),
        ),
        table(
            "Found, by adherence (all identifiable)", ["adherence", *head], recall_lines(by_days, usable + adherence)
        ),
        table("Found, by scatter (all identifiable; time and sun)", ["sigma", *head], recall_lines(by_days, sigma)),
    ]


def precision_table(by_days):
    lines = []
    for kind in ("all", *KINDS):
        cells = []
        for rows in by_days.values():
            of_kind = [row for row in rows["suggestions"] if kind in ("all", row["kind"])]
            cells.append(show_share(precision(of_kind)))
        lines.append([kind, *cells])
    return table("Planted, by kind of suggestion", ["kind", *(label(days) for days in by_days)], lines)


def anomaly_table(by_days, watched):
    """watched: results of scoring.score_watch."""
    lines = []
    for kind in ("all", *ANOMALY_KINDS):
        cells = []
        for rows in by_days.values():
            of_kind = [row for row in rows["anomalies"] if kind in ("all", row["kind"])]
            cells.append(show_share(anomalies_found(of_kind)))
        lines.append([kind, *cells])
    cells = []
    for rows in by_days.values():
        cells.append(show_share(anomalies_true(rows["anomalies"])))
    lines.append(["of those reported, true", *cells])
    figure = watch_figure(watched).text
    title = f"Anomalies found at the end of a history; false ones a home-week: {figure} ({len(watched)} home-weeks)"
    return table(title, ["kind", *(label(days) for days in by_days)], lines)


def watch_figure(watched):
    """Figure of false anomalies a home-week."""
    if not watched:
        return Figure(None, None, None, "–")
    count = sum(len(result["suggestions"]) for result in watched)
    low, high = (end / len(watched) for end in poisson_interval(count))
    return Figure(count / len(watched), low, high, show(count / len(watched), (low, high)))


def offs_table(by_days, later):
    """later: rows of scoring.score_calibration."""
    lines = []
    for name, rows in [(f"held out, {label(days)}", offs_of(r["suggestions"])) for days, r in by_days.items()] + [
        ("30 days after", later)
    ]:
        stated, counted = (sum(row[side] for row in rows) for side in ("stated", "counted"))
        figure = of_bootstrap(bootstrap(rows, stated_quotient)) if rows else None
        lines.append([name, len(rows), show(stated, digits=1), counted, figure.text if figure else "–"])
    head = ["days", "suggestions", "said", "happened", "happened ÷ said"]
    return table("Uses ended early by what switches off after some time", head, lines)


def wrong_table(by_days):
    whys = {}
    for index, rows in enumerate(by_days.values()):
        for row in pick(rows["suggestions"], verdict="wrong"):
            whys.setdefault(f"{row['kind']}: {row['why']}", [0] * len(by_days))[index] += 1
    lines = [[why, *found] for why, found in sorted(whys.items(), key=lambda item: -sum(item[1]))]
    return table("Wrong suggestions, why", ["suggested: why", *(label(days) for days in by_days)], lines)


def empty_figures(empty):
    """{(what, days): Figure of suggestions a home}; empty: {(what, days): results of scoring.score_empty}."""
    found = {}
    for key, results in empty.items():
        count, homes = sum(len(result["suggestions"]) for result in results), len(results)
        low, high = (end / homes for end in poisson_interval(count))
        found[key] = Figure(count / homes, low, high, show(count / homes, (low, high)))
    return found


def empty_table(empty):
    lines = []
    for (name, days), figure in empty_figures(empty).items():
        counts = [len(result["suggestions"]) for result in empty[name, days]]
        lines.append([name, days, len(counts), sum(counts), sum(map(bool, counts)), figure.text])
    head = ["what", "days", "homes", "suggestions", "homes with one", "a home"]
    return table("Suggestions where there is no habit", head, lines)


def calibration_error(rows):
    """Expected calibration error: fires weigh alike. rows: dicts with score, hits, misses."""
    total = error = 0
    for low, high in SCORE_BANDS:
        band = [row for row in rows if low <= row["score"] < high]
        fires = sum(row["hits"] + row["misses"] for row in band)
        if fires:
            said = sum(row["score"] * (row["hits"] + row["misses"]) for row in band)
            error += abs(said - sum(row["hits"] for row in band))
            total += fires
    return error / total if total else None


def calibration_figure(rows):
    return of_bootstrap(bootstrap(rows, calibration_error))


def calibration_table(rows):
    lines = []
    for low, high in SCORE_BANDS:
        band = [row for row in rows if low <= row["score"] < high]
        share = Share(band, lambda row: row["hits"], lambda row: row["hits"] + row["misses"])
        if share.trials:
            said = sum(row["score"] * (row["hits"] + row["misses"]) for row in band) / share.trials
            lines.append([f"{low:.2f} to {min(high, 1):.2f}", len(band), show(said), show_share(share)])
    title = f"What score says against the 30 days after: expected calibration error {calibration_figure(rows).text}"
    return table(title, ["score", "suggestions", "said", "was right (fires)"], lines)
