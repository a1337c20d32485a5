"""The prior art's simple rules and the program under test, beside each other on the same homes. All are judged
alike and mildly: a suggestion is right when it fires when a planted habit of that act does, whatever its days and
whether it names the sun or the clock."""

import collections
import datetime
import sqlite3

import homes
import prior_hours
import prior_pairs
import prior_slots
import rules
import scoring
import tables
from intervals import Share

Event = collections.namedtuple("Event", "when local entity state")
SWITCHED = ("light", "switch", "fan", "input_boolean", "cover", "lock", "media_player", "climate")
OURS = "ha-ai"
KINDS = ("time_of_day", "sun", "sequence")  # of which one of them can say something
RULES = {
    "hour clusters (HomeIQ)": prior_hours.suggest,
    "pairs within 5 minutes (HomeIQ)": prior_pairs.suggest,
    "15-minute slots (Selora AI)": prior_slots.suggest,
}


def read_events(path, zone):
    """Every change to on or off (home, not_home) in order of time, whoever caused it: so do they."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    rows = db.execute(
        "SELECT s.last_updated_ts, m.entity_id, s.state FROM states AS s JOIN states_meta AS m"
        " ON m.metadata_id = s.metadata_id ORDER BY s.last_updated_ts, s.state_id"
    )
    events, before = [], {}
    for when, entity, state in rows:
        if state in ("on", "off", "home", "not_home") and before.get(entity) != state:
            events.append(Event(when, datetime.datetime.fromtimestamp(when, zone), entity, state))
        before[entity] = state
    db.close()
    return events


def switchable(truth):
    """Whether an entity may be a rule's target. What an existing automation switches may not: one of the originals
    compares its suggestions with the automations that are there."""
    automated = {automation["target"] for automation in truth.data["automations"]}
    return lambda entity: entity.split(".")[0] in SWITCHED and entity not in automated


def judge(truth, alternatives):
    """ "right", "neutral" or "wrong" for one suggestion: one rule, or several of which one needs be right."""
    for rule in alternatives:
        for habit, planted in truth.habits:
            match = planted and truth.compare(rule, habit, planted)
            if match and match.near and not truth.stopped(habit):
                return "right"
    return "neutral" if all(map(truth.is_neutral, alternatives)) else "wrong"


def suggest_by_all(task):
    """Worker: [row of one rule's answer for this home]. task: (home, suggest line)."""
    home, suggest = task
    rows = []
    with homes.Made(home, suggest) as made:
        truth = scoring.open_home(made)
        events = read_events(made.db, truth.calendar.zone)
        may_switch = switchable(truth)
        answers = {name: rule(events, may_switch) for name, rule in RULES.items()}
        answers[OURS] = [[rules.rule_of_suggestion(suggestion)] for suggestion in made.suggest()["suggestions"]]
        for name, found in answers.items():
            verdicts = collections.Counter(judge(truth, alternatives) for alternatives in found)
            row = {"home": home.seed, "rule": name, "suggestions": len(found), **verdicts}
            targets = [
                (habit, planted)
                for habit, planted in truth.habits
                if scoring.is_target(truth, habit, planted)
            ]
            for kind in KINDS:
                of_kind = [(habit, planted) for habit, planted in targets if habit["kind"] == kind]
                row[kind] = len(of_kind)
                row["found " + kind] = sum(
                    any(judge_one(truth, rule, habit, planted) for rule_list in found for rule in rule_list)
                    for habit, planted in of_kind
                )
            rows.append(row)
    return rows


def judge_one(truth, rule, habit, planted):
    match = truth.compare(rule, habit, planted)
    return bool(match and match.near)


def compare(pool, suggest, drawn, empty):
    """The table of all rules; drawn: homes with habits, empty: without."""
    rows = [row for rows in pool.map(suggest_by_all, [(home, suggest) for home in drawn]) for row in rows]
    nothing = [row for rows in pool.map(suggest_by_all, [(home, suggest) for home in empty]) for row in rows]
    lines = []
    for name in (OURS, *RULES):
        own, quiet = tables.pick(rows, rule=name), tables.pick(nothing, rule=name)
        if not own or not quiet:
            continue
        cells = [
            tables.show_share(Share(own, lambda row, k=kind: row["found " + k], lambda row, k=kind: row[k]))
            for kind in KINDS
        ]
        right = Share(own, lambda row: row.get("right", 0), lambda row: row.get("right", 0) + row.get("wrong", 0))
        a_home = sum(row["suggestions"] for row in quiet) / len(quiet)
        lines.append([name, *cells, tables.show_share(right), f"{a_home:.1f}"])
    head = [
        "rule",
        *(f"{kind} found" for kind in KINDS),
        "suggestions right",
        "suggestions a home without habits",
    ]
    return (
        [tables.table(f"Beside the prior art's simple rules, {len(drawn)} homes of 30 days", head, lines)]
        if lines
        else []
    )
