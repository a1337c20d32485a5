"""One home's answers against its truth, as plain rows (dicts) that the tables add up."""

import json

import homes
import matching
import replay
import rules

TARGET_ADHERENCE_MIN, TARGET_SIGMA_MAX_MIN = 0.8, 12
TRAINING_ACT_DAYS_MIN, HELD_OUT_ACT_DAYS_MIN = 7, 2
LEARNING_ACT_DAYS_MIN = 3
SEQUENCE_RIGHT_MIN = 0.5
SWITCHED_DOMAINS = ("light", "switch", "fan", "input_boolean")  # that on and off say all of
JOINING_KINDS = ("sequence",)
CALIBRATION_DAYS = 30  # learned from so many, judged on so many more


def is_identifiable(habit):
    """The truth says it since schema 2; before, it follows from the days with the act."""
    told = habit.get("identifiable")
    if told is not None:
        return told["act"] and (habit["kind"] not in matching.TIME_KINDS or told["day_class"])
    return (
        habit["training"]["days_with_act"] >= TRAINING_ACT_DAYS_MIN
        and habit["held_out"]["days_with_act"] >= HELD_OUT_ACT_DAYS_MIN
    )


def sigma_of(habit):
    """Scatter in minutes: of the time, or of a sequence's lag."""
    sigma = habit.get("sigma_min")
    return habit.get("lag_sigma_s", 0) / 60 if sigma is None else sigma


def is_clear(truth, habit):
    """A habit that goes on, is kept to and keeps its time."""
    return (
        not truth.stopped(habit)
        and habit["adherence"] >= TARGET_ADHERENCE_MIN
        and sigma_of(habit) <= TARGET_SIGMA_MAX_MIN
    )


def is_worth_it(truth, habit, planted):
    """Whether the planted rule, as it can be said today, is right often enough on the training days. Conditions are
    not mined yet: a gated habit's rule must keep to the adherence without its gate. A sequence's adherence is that of
    the trigger's episodes; a trigger that fires again and again within one can make the rule wrong more often than
    right, and that nobody wants."""
    if not habit.get("gate") and habit["kind"] != "sequence":
        return True
    share = TARGET_ADHERENCE_MIN if habit.get("gate") else SEQUENCE_RIGHT_MIN
    outcome = replay.replay(planted, truth.recording, truth.calendar, truth.training)
    return outcome.hits >= share * (outcome.hits + outcome.misses)


def apart(truth, habit, planted):
    """Why a habit is counted apart from the targets although it is plain to see; None if it is not."""
    if habit["entity_id"].split(".")[0] not in SWITCHED_DOMAINS:
        return "media player: what it plays is a value"
    return None if is_worth_it(truth, habit, planted) else "rule itself too often wrong"


def is_target(truth, habit, planted):
    """Whether the targets of recall speak of this habit."""
    return is_clear(truth, habit) and is_identifiable(habit) and not apart(truth, habit, planted)


def has_too_few_days(truth, habit, planted):
    """Whether it should be in `learning`: seen often enough to be noticed, not often enough to be proved."""
    seen = habit["training"]["days_with_act"] >= LEARNING_ACT_DAYS_MIN
    return is_clear(truth, habit) and seen and not is_identifiable(habit) and not apart(truth, habit, planted)


def shape_of(habit):
    """What makes a habit special beyond its kind: the rows of a table."""
    if habit.get("active"):
        return "starts late or stops"
    if habit.get("drift_min"):
        return "drifts"
    if habit.get("gate"):
        return f"gated: {habit['gate']['kind']}"
    return "group" if habit.get("members") else "plain"


def trigger_of(habit):
    """What begins a sequence: "sensor", "person" or "device"; None for other kinds."""
    if habit["kind"] != "sequence":
        return None
    domain = habit["trigger"]["entity_id"].split(".")[0]
    return {"binary_sensor": "sensor", "person": "person", "device_tracker": "person"}.get(domain, "device")


def counts(outcome):
    return outcome._asdict() | {"by_fire": None}


def open_home(made):
    machines = [machine["entity_id"] for machine in made.truth.get("machines", [])]
    recording = replay.Recording(made.db, machines)
    return matching.Truth(made.truth, recording)


def score(home, truth, result):
    """{"habits": rows, "suggestions": rows} of one home's answer."""
    suggested = [(suggestion, rules.rule_of_suggestion(suggestion)) for suggestion in result["suggestions"]]
    learning = {
        (entity, rules.state_of_service(entity, learned["action"]))
        for learned in result["learning"]
        for entity in rules.as_list(learned["entity_id"])
    }
    suggestion_rows = [judge(home, truth, result, suggestion, rule) for suggestion, rule in suggested]
    habit_rows = [
        look_for(home, truth, habit, planted, [rule for _, rule in suggested], learning)
        for habit, planted in truth.habits
        if planted is not None
    ]
    return {"habits": habit_rows, "suggestions": suggestion_rows}


def agrees(truth, result, backtest, outcome):
    """Whether a suggestion's own back-test counts what an independent replay counts; None where it cannot be told
    (no back-test, or other days count as complete)."""
    if not backtest or result["history"]["days"] != len(truth.days):
        return None
    ours = (outcome.fires, outcome.hits, outcome.idle, outcome.misses)
    return ours == tuple(backtest[name] for name in ("fires", "hits", "idle", "misses"))


def judge(home, truth, result, suggestion, rule):
    """The row of one suggestion: planted, neither way ("neutral") or wrong and why; its held-out days beside
    those of the rule that was planted."""
    matches = []
    for habit, planted in truth.habits:
        match = None if planted is None else truth.compare(rule, habit, planted)
        if match:
            matches.append((habit, planted, match))
    ours = replay.replay(rule, truth.recording, truth.calendar, truth.held_out)
    row = {
        "home": home.seed,
        "days": home.days,
        "kind": rule.kind,
        "title": suggestion.get("title", ""),
        "q": suggestion.get("evidence", {}).get("q_value"),
        "score": suggestion.get("score"),
        "ours": counts(ours),
        "agrees": agrees(truth, result, suggestion.get("backtest"), ours),
        "verdict": "wrong",
    }
    alive = [found for found in matches if found[2].planted and not truth.stopped(found[0])]
    if alive:
        habit, planted, _ = alive[0]
        row["verdict"] = "planted"
        row["habit"] = f"{home.seed} {habit['kind']} {habit['entity_id']} {habit['state']}"
        row["theirs"] = counts(replay.replay(planted, truth.recording, truth.calendar, truth.held_out))
    elif truth.is_neutral(rule):
        row["verdict"] = "neutral"
    else:
        row["why"] = truth.why_wrong(rule, [(habit, match) for habit, _, match in matches])
    return row


def look_for(home, truth, habit, planted, suggested, learning):
    """The row of one habit: was it found, and how well."""
    matches = [match for match in (truth.compare(rule, habit, planted) for rule in suggested) if match]
    best = max(
        matches, default=None, key=lambda match: (match.planted, match.near, match.days_right, match.trigger_right)
    )
    stopped = truth.stopped(habit)
    near = bool(best and best.near)
    told = habit.get("identifiable", {})
    return {
        "home": home.seed,
        "days": home.days,
        "kind": habit["kind"],
        "shape": apart(truth, habit, planted) or shape_of(habit),
        "trigger": trigger_of(habit),
        "day_class": habit.get("day_class", "all"),
        "adherence": habit["adherence"],
        "sigma": sigma_of(habit),
        "identifiable": is_identifiable(habit) and not stopped,
        "clock_or_sun_told": habit["kind"] in matching.TIME_KINDS and bool(told.get("clock_or_sun", True)),
        "target": is_target(truth, habit, planted),
        "clear": is_clear(truth, habit) and is_identifiable(habit),
        "too_few_days": has_too_few_days(truth, habit, planted),
        "stopped": stopped,
        "found": bool(best and best.planted),
        "near": near,
        "days_right": bool(best and best.days_right),
        "trigger_right": bool(best and best.trigger_right),
        "error_s": best.error_s if best and best.planted else None,
        "learning": any((entity, habit["state"]) in learning for entity in planted.targets),
        "told": {key: value for key, value in habit.items() if key not in ("acts", "other_half")},
    }


def remarks(scored):
    """Lines that name what one home's answer missed or got wrong, below the line that makes the home again."""
    lines = []
    for row in scored["habits"]:
        if row["target"] and not row["found"]:
            seen = "learning" if row["learning"] else "near" if row["near"] else "nothing"
            lines.append(f"  missed ({seen}): {json.dumps(row['told'])}")
    for row in scored["suggestions"]:
        if row["verdict"] == "wrong":
            lines.append(f"  wrong ({row['why']}): {row['title']}, q {row['q']}, score {row['score']}")
        if row["agrees"] is False:
            lines.append(f"  back-test differs from the replay {row['ours']}: {row['title']}")
    return [scored["home"].command(), *lines] if lines else []


def score_home(task):
    """Worker of the process pool: a home with habits. task: (home, suggest line)."""
    home, suggest = task
    with homes.Made(home, suggest) as made:
        return {"home": home} | score(home, open_home(made), made.suggest())


def score_empty(task):
    """Worker: what a home is suggested that has no habit. task: (home, suggest line, what is done to its history:
    "", "days" or "clock"). Where days are permuted, only kinds that join entities lose their habits."""
    home, suggest, null = task
    with homes.Made(home, suggest) as made:
        options = ["--null", null, "--seed", home.seed] if null else []
        suggestions = made.suggest(*options)["suggestions"]
    rows = [(s["kind"], s["title"], s.get("evidence", {}).get("q_value")) for s in suggestions]
    return {"home": home, "null": null, "suggestions": [r for r in rows if null != "days" or r[0] in JOINING_KINDS]}


def empty_remarks(result):
    """As remarks."""
    if not result["suggestions"]:
        return []
    null = f"  of analyze --null {result['null']} --seed {result['home'].seed}" if result["null"] else "  of analyze"
    return [result["home"].command(), *(f"{null}: {found}" for found in result["suggestions"])]


def score_calibration(task):
    """Worker: [(score, hits, misses)] per suggestion learned from the first half of the days, over the other."""
    home, suggest = task
    with homes.Made(home, suggest) as made:
        truth = open_home(made)
        first_unseen = truth.days[min(CALIBRATION_DAYS, len(truth.days) - 1)]
        rows = []
        for suggestion in made.suggest("--until", first_unseen.isoformat())["suggestions"]:
            rule = rules.rule_of_suggestion(suggestion)
            days = [day for day in truth.days if day >= first_unseen]
            outcome = replay.replay(rule, truth.recording, truth.calendar, days)
            rows.append((suggestion["kind"], suggestion["score"], outcome.hits, outcome.misses, suggestion["title"]))
        return {"home": home, "rows": rows}
