"""The benchmark's rows, added up into tables: lists of cells, printed for people or as Markdown."""
import statistics

from intervals import Share, bootstrap, poisson_interval

KINDS = ("time_of_day", "sun", "sequence")
ADHERENCE_BANDS = ((0.0, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01))
SIGMA_BANDS = ((0, 4), (4, 8), (8, 12), (12, 20), (20, 1000))
SCORE_BANDS = ((0.0, 0.5), (0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.85), (0.85, 0.9), (0.9, 0.95), (0.95, 1.01))


def show(value, interval=None, digits=3):
    """"0.957 (0.94–0.97)"."""
    if value is None:
        return "–"
    text = f"{value:.{digits}f}"
    return text if interval is None else f"{text} ({interval[0]:.{digits}f}–{interval[1]:.{digits}f})"


def show_share(share):
    return "–" if not share.trials else f"{show(share.value, share.interval())}, {share.hits} of {share.trials}"


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
    counted = [row for row in rows if row["verdict"] != "neutral"]
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


def show_bootstrap(found, digits=3):
    return "–" if found is None else show(found[0], found[1:], digits)


def headline(habits, suggestions):
    """The targets' figures at one length of history: [(name, target, text, value)]."""
    target = pick(habits, target=True)
    told = [row for row in target if row["clock_or_sun_told"] and row["near"]]
    near = [row for row in target if row["near"]]
    lost = [row for row in habits if not row["found"] and not row["stopped"] and not row["identifiable"]
            and row["adherence"] >= 0.8 and row["sigma"] <= 12]
    figures = [
        ("planted habits found", show_share(recall(target)), recall(target).value),
        ("suggestions that are planted", show_share(precision(suggestions)), precision(suggestions).value),
        ("day class right", show_share(Share(near, lambda row: row["days_right"])), None),
        ("sun or clock right", show_share(Share(told, lambda row: row["trigger_right"])), None),
        ("median time error, minutes", show_bootstrap(bootstrap(target, median_error_min), 2), median_error_min(target)),
    ]
    for name, of in (("precision", held_out_precision), ("recall", held_out_recall)):
        found = bootstrap(suggestions, lambda rows, of=of: held_out_quotient(rows, of))
        figures.append((f"held-out {name} ÷ the planted rules'", show_bootstrap(found), found and found[0]))
    figures.append(("too few days yet: share in learning", show_share(Share(lost, lambda row: row["learning"])), None))
    told = [row for row in suggestions if row["agrees"] is not None]
    figures.append(("back-test as an independent replay", show_share(Share(told, lambda row: row["agrees"])), None))
    return figures


def headline_table(by_days):
    """by_days: {days: {"habits": rows, "suggestions": rows}}."""
    columns = {days: headline(rows["habits"], rows["suggestions"]) for days, rows in by_days.items()}
    names = [name for name, _, _ in next(iter(columns.values()))]
    lines = [[name, *(column[i][1] for column in columns.values())] for i, name in enumerate(names)]
    return table(
        "Targets: habits with adherence >= 0.8, sigma <= 12 min, identifiable", ["figure", *(f"{days} days" for days in columns)], lines
    )


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
    head = [f"{days} days" for days in by_days]
    usable = [("all identifiable", lambda row: row["identifiable"])]
    kinds = [(kind, lambda row, kind=kind: row["target"] and row["kind"] == kind) for kind in KINDS]
    classes = [
        (name, lambda row, test=test: row["target"] and row["kind"] != "sequence" and test(row["day_class"]))
        for name, test in (
            ("every day", lambda c: c == "all"), ("weekdays", lambda c: c == "weekdays"),
            ("weekend", lambda c: c == "weekend"), ("one weekday", lambda c: c not in ("all", "weekdays", "weekend")),
        )
    ]  # fmt: skip
    shapes = sorted({row["shape"] for rows in by_days.values() for row in rows["habits"]})
    shaped = [(shape, lambda row, shape=shape: row["target"] and row["shape"] == shape) for shape in shapes]
    adherence = [
        (f"adherence {low:.1f} to {min(high, 1):.1f}", lambda row, low=low, high=high: row["identifiable"] and low <= row["adherence"] < high)
        for low, high in ADHERENCE_BANDS
    ]
    sigma = [
        (f"sigma {low} to {high} min" if high < 1000 else f"sigma {low} min and more",
         lambda row, low=low, high=high: row["identifiable"] and row["kind"] != "sequence" and low <= row["sigma"] < high)
        for low, high in SIGMA_BANDS
    ]  # fmt: skip
    return [
        table("Found, by kind (targets)", ["kind", *head], recall_lines(by_days, kinds)),
        table("Found, by days (targets; time and sun)", ["day class", *head], recall_lines(by_days, classes)),
        table("Found, by what is special (targets)", ["habit", *head], recall_lines(by_days, shaped)),
        table("Found, by adherence (all identifiable)", ["adherence", *head], recall_lines(by_days, usable + adherence)),
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
    return table("Planted, by kind of suggestion", ["kind", *(f"{days} days" for days in by_days)], lines)


def wrong_table(by_days):
    whys = {}
    for index, rows in enumerate(by_days.values()):
        for row in pick(rows["suggestions"], verdict="wrong"):
            whys.setdefault(f"{row['kind']}: {row['why']}", [0] * len(by_days))[index] += 1
    lines = [[why, *found] for why, found in sorted(whys.items(), key=lambda item: -sum(item[1]))]
    return table("Wrong suggestions, why", ["suggested: why", *(f"{days} days" for days in by_days)], lines)


def empty_table(empty):
    """empty: {(name, days): results of score_empty}."""
    lines = []
    for (name, days), results in empty.items():
        kinds = ("sequence",) if name.startswith("days permuted") else ("all",)
        counted = [sum(kinds == ("all",) or s[0] in kinds for s in result["suggestions"]) for result in results]
        low, high = poisson_interval(sum(counted))
        homes = len(counted)
        lines.append([name, days, homes, sum(counted), sum(map(bool, counted)), show(sum(counted) / homes, (low / homes, high / homes))])
    return table("Homes without habits: suggestions", ["what", "days", "homes", "suggestions", "homes with one", "a home"], lines)


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


def calibration_table(rows):
    lines = []
    for low, high in SCORE_BANDS:
        band = [row for row in rows if low <= row["score"] < high]
        share = Share(band, lambda row: row["hits"], lambda row: row["hits"] + row["misses"])
        if share.trials:
            said = sum(row["score"] * (row["hits"] + row["misses"]) for row in band) / share.trials
            lines.append([f"{low:.2f} to {min(high, 1):.2f}", len(band), show(said), show_share(share)])
    found = bootstrap(rows, calibration_error)
    title = f"What score says against the 30 days after: expected calibration error {show_bootstrap(found)}"
    return table(title, ["score", "suggestions", "said", "was right (fires)"], lines), found
