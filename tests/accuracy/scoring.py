"""One home's answers against its truth, as plain rows (dicts) that the tables add up."""

import dataclasses
import datetime
import json
import math

import homes
import matching
import replay
import rules
import telling

TARGET_ADHERENCE_MIN, TARGET_SIGMA_MAX_MIN = 0.8, 12
LEARNING_ACT_DAYS_MIN = 3
SEQUENCE_RIGHT_MIN = 0.5
CALIBRATION_DAYS = 30  # learned from so many, judged on so many more
SLIDER = {"brightness_pct": 2, "percentage": 2, "position": 2, "volume_level": 0.02}  # as near as one gets with it
DUE_NEAR_S = 3 * 3600  # acts are then about what was due
WATCHED_DAYS = 7  # on which a home is asked for anomalies, day by day


def is_identifiable(habit):
    """The habit, its days, and what it is about show in the history; its condition is judged apart."""
    told = habit["identifiable"]
    return told["act"] and told["day_class"] and (habit["kind"] != "value" or told["value"])


def sigma_of(habit):
    """Scatter in minutes: of the time, or of a sequence's lag."""
    return habit.get("lag_sigma_s", 0) / 60 if habit["begins"] == "trigger" else habit.get("sigma_min", 0)


def is_clear(truth, habit):
    """A habit that goes on, is kept to and keeps its time."""
    return (
        not truth.stopped(habit)
        and habit["adherence"] >= TARGET_ADHERENCE_MIN
        and sigma_of(habit) <= TARGET_SIGMA_MAX_MIN
    )


def is_worth_it(truth, habit, planted):
    """Whether the planted rule is right often enough on the training days. A sequence's adherence is that of the
    trigger's episodes; a trigger that fires again and again within one can make the rule wrong more often than right,
    and that nobody wants; nor a chain of which people leave out more than they do."""
    if habit["begins"] != "trigger" and not planted.steps:
        return True
    hits, misses = replay.replay_whole(planted, truth.recording, truth.calendar, truth.training)
    return hits >= SEQUENCE_RIGHT_MIN * (hits + misses)


def is_condition_told(truth, habit, planted):
    """Whether what the habit hangs on can be told from the history; or the rule is as good without."""
    if truth.is_told(habit, planted) is not False:
        return True
    bare = dataclasses.replace(planted, conditions=(), quiet_s=0)
    outcome = replay.replay(bare, truth.recording, truth.calendar, truth.training)
    return outcome.hits >= TARGET_ADHERENCE_MIN * (outcome.hits + outcome.misses)


def is_to_play(act):
    return act.state == "playing" and any(target.startswith("media_player.") for target in act.targets)


def apart(truth, habit, planted):
    """Why a habit is counted apart from the targets although it is plain to see; None if it is not."""
    plays = any(is_to_play(act) for act in planted.acts)
    if plays and not replay.sets_values(planted):
        return "media player: to switch it on does not make it play"
    if not is_condition_told(truth, habit, planted):
        return "condition cannot be told"
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
    if habit["begins"] == "trigger" and habit["day_class"] != "all":
        return "gated: days"
    if habit["kind"] != "value" and habit.get("values"):
        return "with a value"
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
    """{"habits": rows, "suggestions": rows, "anomalies": rows} of one home's answer."""
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
    ]
    anomaly_rows = look_at_anomalies(home, truth, result.get("anomalies", []))
    return {"habits": habit_rows, "suggestions": suggestion_rows, "anomalies": anomaly_rows}


def is_value_told(truth, habit, planted):
    """Whether the values heard at its acts on the training days are the planted ones more often than not, by 95 %."""
    if not habit["identifiable"].get("value"):
        return False
    name, wanted = planted.values[0]
    acts = [matching.time_of(act) for act in habit["acts"]]
    acts = [act for act in acts if truth.calendar.day_of(act) in set(truth.training)]
    choices = truth.recording.choices(habit["entity_id"], name)
    heard = [value for when, value in choices if any(abs(when - act) < replay.SAME_CHOICE_S for act in acts)]
    same = sum(replay.is_same_value(name, value, wanted) or abs(value - wanted) <= SLIDER.get(name, 0) for value in heard)
    # P(rate > 1/2) of the rate's posterior: a binomial sum
    n = len(heard) + 1
    return sum(math.comb(n, k) for k in range(same + 1)) / 2**n >= telling.TOLD_MIN


def is_replayable(rule):
    """Whether the back-test's definitions say how a rule's fires are judged exactly: not for numbers (it has means
    of five minutes), choices and lengths of use."""
    numbers = any(condition.kind in ("below", "above") for condition in rule.conditions)
    return not (numbers or rule.for_s or replay.sets_values(rule) or rule.state is None)


def agrees(truth, result, suggestion, rule, outcome):
    """Whether a suggestion's own back-test counts what an independent replay counts; None where it cannot be told
    (no back-test, other days count as complete, or a chain, all of whose acts it judges)."""
    backtest = suggestion.get("backtest")
    is_chain = rule.steps or suggestion["kind"] == "chain"
    if not backtest or is_chain or result["history"]["days"] != len(truth.days) or not is_replayable(rule):
        return None
    ours = (outcome.fires, outcome.hits, outcome.idle, outcome.misses)
    return ours == tuple(backtest[name] for name in ("fires", "hits", "idle", "misses"))


def wrong_offs(truth, suggestion, rule, days):
    """{"stated", "counted"}: switching off early, over those days; None where nothing is stated or known."""
    stated = suggestion.get("expected", {}).get("wrong_offs_per_week")
    habit = next((h for h, planted in truth.habits if h["kind"] == "left_on" and planted.targets == rule.targets), None)
    if stated is None or habit is None:
        return None
    cut, _ = truth.cuts(rule, habit, days)
    return {"stated": stated * len(days) / 7, "counted": sum(cut)}


def judge(home, truth, result, suggestion, rule):
    """The row of one suggestion: planted, neither way ("neutral") or wrong and why; its held-out days beside
    those of the rule that was planted."""
    matches = []
    for habit, planted in truth.habits:
        match = truth.compare(rule, habit, planted)
        if match:
            matches.append((habit, planted, match))
    ours = None if rule.for_s else replay.replay(rule, truth.recording, truth.calendar, truth.held_out)
    row = {
        "home": home.seed,
        "days": home.days,
        "kind": suggestion["kind"],
        "title": suggestion.get("title", ""),
        "q": suggestion.get("evidence", {}).get("q_value"),
        "score": suggestion.get("score"),
        "ours": ours and counts(ours),
        "agrees": ours and agrees(truth, result, suggestion, rule, ours),
        "wrong_offs": wrong_offs(truth, suggestion, rule, truth.held_out),
        "verdict": "wrong",
    }
    alive = [found for found in matches if found[2].planted and not truth.stopped(found[0])]
    if alive:
        habit, planted, match = max(alive, key=lambda found: matching.rank(found[2]))
        row["verdict"] = "planted"
        row["habit"] = f"{home.seed} {habit['kind']} {habit['entity_id']} {habit['state']}"
        if ours and match.whole:
            row["theirs"] = counts(replay.replay(planted, truth.recording, truth.calendar, truth.held_out))
    elif truth.is_neutral(rule):
        row["verdict"] = "neutral"
    else:
        row["why"] = truth.why_wrong(rule, [(habit, match) for habit, _, match in matches])
    return row


def look_for(home, truth, habit, planted, suggested, learning):
    """The row of one habit: was it found, and how well."""
    matches = [match for match in (truth.compare(rule, habit, planted) for rule in suggested) if match]
    best = max(matches, default=matching.Match(), key=matching.rank)
    stopped = truth.stopped(habit)
    told = habit["identifiable"]
    return {
        "home": home.seed,
        "days": home.days,
        "kind": habit["kind"],
        "shape": apart(truth, habit, planted) or shape_of(habit),
        "begins": habit["begins"],
        "trigger": trigger_of(habit),
        "gated": bool(planted.conditions and habit["kind"] != "value" or planted.quiet_s),
        "day_class": habit.get("day_class", "all"),
        "adherence": habit["adherence"],
        "sigma": sigma_of(habit),
        "identifiable": is_identifiable(habit) and not stopped,
        "clock_or_sun_told": habit["begins"] in ("time", "sun") and bool(told["clock_or_sun"]),
        "value_told": is_value_told(truth, habit, planted),
        "target": is_target(truth, habit, planted),
        "clear": is_clear(truth, habit) and is_identifiable(habit),
        "too_few_days": has_too_few_days(truth, habit, planted),
        "stopped": stopped,
        "found": best.planted and best.whole,
        "partly": best.planted,
        "near": best.near,
        "days_right": best.days_right,
        "trigger_right": best.trigger_right,
        "conditions_right": best.conditions_right,
        "value_right": best.value_right,
        "why": best.why,
        "error_s": best.error_s if best.planted else None,
        "learning": any((entity, planted.state) in learning for entity in planted.targets),
        "told": {key: value for key, value in habit.items() if key not in ("acts", "other_half", "uses")},
    }


def dues_on(truth, planted, day):
    """UTC seconds at which a rule of the clock or the sun is due on a local day, or so near that one may take it for
    that day's."""
    begin, end = (truth.calendar.midnight(day + datetime.timedelta(days=after)) for after in (0, 1))
    around = [day + datetime.timedelta(days=after) for after in (-1, 0, 1)]
    dues = [truth.calendar.fire(planted, other) for other in around]
    near = matching.TOLERANCE_S
    return [due for due in dues if due is not None and begin - near <= due < end + near]


def is_left_out(truth, habit, planted, day):
    """Whether a habit of the clock or the sun was due on that day and not kept: left out as happens, or for nobody was
    home, it had ended, or what it hangs on did not hold, and that cannot be told."""
    active, omitted = habit.get("active") or {}, [matching.time_of(when) for when in habit["omitted"]]
    for due in dues_on(truth, planted, day):
        date = str(truth.calendar.day_of(due))
        lives = active.get("from", "") <= date <= active.get("to", "9999") and date not in truth.data.get("holidays", [])
        holds = replay.may_act(planted, truth.recording, truth.calendar, due)
        if any(abs(when - due) <= DUE_NEAR_S for when in omitted):
            return True
        if not lives or (not holds and not truth.is_told(habit, planted)):
            return True
    return False


def is_step_left_out(truth, planted, entity, day):
    """Whether a chain was due on that day of which that entity's act is a step, and nobody did it."""
    steps = [act for act in planted.acts[1:] if entity in act.targets]
    acts = [when for act in steps for when in truth.recording.acts(entity, act.state)]
    return bool(steps) and any(
        all(abs(when - due) > DUE_NEAR_S for when in acts) for due in dues_on(truth, planted, day)
    )


def is_accident(truth, told):
    """Whether what was told came about by itself, on whatever day: to tell that is neither right nor wrong."""
    entity, when = told["entity_id"], matching.time_of(told["since"])
    if told["kind"] == "habit_missed":  # since some time of a day
        day = truth.calendar.day_of(when)
        timed = [(habit, planted) for habit, planted in truth.habits if habit["begins"] in ("time", "sun")]
        return any(
            entity in planted.targets and is_left_out(truth, habit, planted, day)
            or is_step_left_out(truth, planted, entity, day)
            for habit, planted in timed
        )  # fmt: skip
    if told["kind"] != "left_on":
        return False
    spans = [span for span in truth.data.get("kept_on", []) if span["entity_id"] == entity]
    spans += [use for habit, planted in truth.habits if entity in planted.targets
              for use in habit.get("uses", []) if use["forgotten"]]  # fmt: skip
    return any(matching.time_of(span["from"]) - 60 <= when <= matching.time_of(span["to"]) for span in spans)


def is_never_suggested(truth, entity):
    """Whether it is to play at some time: no suggestion is about that, so that nobody expects it."""
    return any(is_to_play(act) for _, planted in truth.habits for act in planted.acts if entity in act.targets)


def look_at_anomalies(home, truth, reported):
    """Rows: what was planted and can be told, found or not; what was reported, true, neither way, or false."""
    by_chance_first = sorted(truth.data["anomalies"], key=lambda anomaly: anomaly["planted"])
    known = {(anomaly["kind"], anomaly["entity_id"]): anomaly for anomaly in by_chance_first}
    said = {(anomaly["kind"], anomaly["entity_id"]): anomaly for anomaly in reported}
    common = {"home": home.seed, "days": home.days}
    rows = [
        common | {"kind": kind, "entity_id": entity, "planted": True, "found": (kind, entity) in said}
        for (kind, entity), anomaly in known.items()
        if anomaly["planted"] and anomaly["identifiable"]
        and not (kind == "habit_missed" and is_never_suggested(truth, entity))
    ]
    for kind, entity in sorted(said):
        is_planted = known.get((kind, entity), {"planted": False})["planted"]
        # A door that is open all night is so by day, too: what is so may be called otherwise.
        same = [anomaly for (_, other), anomaly in known.items() if other == entity]
        is_neutral = same or is_accident(truth, said[kind, entity])
        verdict = "true" if is_planted else "neutral" if is_neutral else "false"
        rows.append(common | {"kind": kind, "entity_id": entity, "planted": False, "verdict": verdict})
    return rows


def remarks(scored):
    """Lines that name what one home's answer missed or got wrong, below the line that makes the home again."""
    lines = []
    for row in scored["habits"]:
        if row["target"] and not row["found"]:
            seen = "in part" if row["partly"] else "learning" if row["learning"] else row["why"] or "nothing"
            lines.append(f"  missed ({seen}): {json.dumps(row['told'])}")
    for row in scored["suggestions"]:
        if row["verdict"] == "wrong":
            lines.append(f"  wrong ({row['why']}): {row['title']}, q {row['q']}, score {row['score']}")
        if row["agrees"] is False:
            lines.append(f"  back-test differs from the replay {row['ours']}: {row['title']}")
    for row in scored["anomalies"]:
        if row["planted"] and not row["found"]:
            lines.append(f"  anomaly missed: {row['kind']} {row['entity_id']}")
        if not row["planted"] and row["verdict"] == "false":
            lines.append(f"  false anomaly: {row['kind']} {row['entity_id']}")
    return [scored["home"].command(), *lines] if lines else []


def score_home(task):
    """Worker of the process pool: a home with habits. task: (home, suggest line)."""
    home, suggest = task
    with homes.Made(home, suggest) as made:
        return {"home": home} | score(home, open_home(made), made.suggest())


def joins(suggestion):
    """Whether a suggestion is about several entities that know nothing of each other."""
    return bool(rules.rule_of_suggestion(suggestion).hangs_on)


def survives(suggestion, null):
    """Whether a habit may still be there in a shuffled history: where days are permuted, what is about one entity;
    where they are rotated, how long things are on, and to what they are set when they are switched on."""
    if null == "days":
        return not joins(suggestion)
    rule = rules.rule_of_suggestion(suggestion)
    return null == "clock" and bool(rule.for_s or (rule.trigger and rule.trigger[0] in rule.targets))


def score_empty(task):
    """Worker: what a home is suggested that has no habit. task: (home, suggest line, what is done to its history:
    "", "days" or "clock")."""
    home, suggest, null = task
    with homes.Made(home, suggest) as made:
        options = ["--null", null, "--seed", home.seed] if null else []
        suggestions = made.suggest(*options)["suggestions"]
    rows = [
        (suggestion["kind"], suggestion["title"], suggestion.get("evidence", {}).get("q_value"))
        for suggestion in suggestions
        if not survives(suggestion, null)
    ]
    return {"home": home, "null": null, "suggestions": rows}


def empty_remarks(result):
    """As remarks."""
    if not result["suggestions"]:
        return []
    null = f"  of analyze --null {result['null']} --seed {result['home'].seed}" if result["null"] else "  of analyze"
    return [result["home"].command(), *(f"{null}: {found}" for found in result["suggestions"])]


def score_watch(task):
    """Worker: anomalies that a home without any is told of, asked on each of its last days: the different ones, by
    what and since when. task: (home, suggest line)."""
    home, suggest = task
    with homes.Made(home, suggest) as made:
        truth, found = open_home(made), {}
        end = datetime.datetime.fromisoformat(home.end)
        for back in range(WATCHED_DAYS):
            until = (end - datetime.timedelta(days=back)).strftime("%Y-%m-%dT%H:%M:%SZ")
            result = made.suggest(*(["--until", until] if back else []))
            rows = look_at_anomalies(home, truth, result.get("anomalies", []))
            told = {(anomaly["kind"], anomaly["entity_id"]): anomaly for anomaly in result.get("anomalies", [])}
            for row in rows:
                key = row["kind"], row["entity_id"]
                if row.get("verdict") == "false":
                    found[(*key, told[key]["since"])] = told[key]["title"]
        return {"home": home, "suggestions": [(*key, title) for key, title in sorted(found.items())], "null": ""}


def score_calibration(task):
    """Worker: per suggestion learned from the first half of the days, over the other: (score, hits, misses), and how
    often it would have ended a use early."""
    home, suggest = task
    with homes.Made(home, suggest) as made:
        truth = open_home(made)
        first_unseen = truth.days[min(CALIBRATION_DAYS, len(truth.days) - 1)]
        days = [day for day in truth.days if day >= first_unseen]
        rows, offs = [], []
        for suggestion in made.suggest("--until", first_unseen.isoformat())["suggestions"]:
            rule = rules.rule_of_suggestion(suggestion)
            counted = wrong_offs(truth, suggestion, rule, days)
            offs += [{"home": home.seed} | counted] if counted else []
            if rule.for_s:
                continue
            outcome = replay.replay(rule, truth.recording, truth.calendar, days)
            rows.append((suggestion["kind"], suggestion["score"], outcome.hits, outcome.misses, suggestion["title"]))
        return {"home": home, "rows": rows, "wrong_offs": offs}
