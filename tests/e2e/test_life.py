"""The whole life of a suggestion, lived through the device's topics on a real broker. With a Home Assistant that presses
the buttons: test_life_ha.py. The table of steps itself, and what a rejection bars: tests/unit/test_life.c."""
import datetime
import json
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from homeassistant import wait_until
from listener import Listener
from service import COMPLETE, DEVICE, EVENT, RUN, Services

ROOT = Path(__file__).resolve().parents[2]
DAY_S = 86400
STATES = ["new", "approved", "deployed", "failed", "rejected", "retired", "trying", "snoozed", "expired", "undone",
          "edited", "refined"]
DETAIL, SELECTED, WAITING, REASON = (f"{DEVICE}/{leaf}" for leaf in (
    "selected_suggestion/attributes", "selected_suggestion/state", "suggestions_waiting/state", "reason/state"))
# entity: a value that it takes
COMMANDS = {"approve": None, "reject": None, "try_first": None, "snooze": None, "undo_last": None, "next": None,
            "analyze_now": None, "reason": "never", "selected_suggestion": "", "daily_analysis": "OFF"}


@pytest.fixture(scope="module")
def analysed(ha_ai, home, mosquitto, tmp_path_factory):
    """The database of a service that has analysed the home, at rest."""
    with Services(ha_ai, tmp_path_factory.mktemp("analysed"), mosquitto) as made, Listener(mosquitto) as listener:
        one = made(HISTORY=home, TZ="UTC").start().wait_healthy()
        listener.publish(RUN)
        listener.wait(COMPLETE)
        one.stop()
        return one.folder / "ha-ai.db"


class Life:
    """A service on a copy of that database, whose buttons are pressed; HISTORY is off, nothing changes by itself."""

    def __init__(self, services, listener, database, change=None, **settings):
        self.listener = listener
        self.service = services(**settings)
        shutil.copy(database, self.service.folder / "ha-ai.db")
        if change:
            self.sql(*change)
        self.presses = 0
        self.start()

    def start(self):
        self.seen = len(self.listener.of(EVENT))
        self.service.start().wait_healthy()
        wait_until(lambda: self.listener.last(SELECTED), 10, "the selection")

    def sql(self, text, *values):
        """Rows of a query; or a change of the stopped service's database."""
        return self.service.sql(text, *values)

    def rows(self):
        return self.sql("SELECT id, state, reason, objection, until_ms, content FROM suggestion ORDER BY id")

    def ids(self):
        return [row[0] for row in self.sql("SELECT id FROM suggestion WHERE state = 0 ORDER BY rank")]

    def audit(self):
        return self.sql("SELECT who, suggestion, from_state, to_state, reason, command FROM audit ORDER BY row")

    def selected(self):
        (row,) = self.sql("SELECT value FROM setting WHERE key = 'selected'")
        return row[0]

    def send(self, entity, value=None, by=None, at_s=None, **more):
        """A press as HA stamps it, surely later than the selection's last move."""
        self.presses += 1
        at = datetime.datetime(2999, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=at_s or 0)
        body = {"id": f"{self.service.pid}-{self.presses}", "ts": at.isoformat(), **more}
        body.update({key: text for key, text in (("value", value), ("by", by)) if text is not None})
        self.listener.publish(f"{DEVICE}/{entity}/set", body)

    def next_event(self):
        """The one event that comes next; it is as documented."""
        body = wait_until(lambda: (self.listener.of(EVENT)[self.seen:] or [None])[0], 15, "an event", every=0.02)
        self.seen += 1
        document = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())
        Draft202012Validator({**document["components"]["schemas"]["SuggestionEvent"],
                              "components": document["components"]}).validate(body)
        return body

    def press(self, entity, value=None, by="anna", **more):
        self.send(entity, value, by, **more)
        return self.next_event()

    def refused(self, entity, words, **more):
        event = self.press(entity, **more)
        assert event["event_type"] == "refused" and words in event["reason"], event
        return event

    def check(self, suggestion, state):
        (row,) = self.sql("SELECT state FROM suggestion WHERE id = ?", suggestion)
        assert STATES[row[0]] == state

    def quiet(self):
        """Nothing more was told."""
        self.listener.publish("ha-ai/test", "done?")
        count = len(self.listener.of("ha-ai/test/reply"))
        wait_until(lambda: len(self.listener.of("ha-ai/test/reply")) > count, 10, "the answer")
        assert len(self.listener.of(EVENT)) == self.seen


@pytest.fixture
def life(services, listener, analysed):
    return Life(services, listener, analysed, TRIAL_DAYS=3)


def seconds_from_now(text):
    return (datetime.datetime.fromisoformat(text) - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def test_every_button(life):
    """Each step: its state, its event, who it was in the audit, and what the device shows."""
    first, second, third, *_ = life.ids()
    assert life.selected() == first
    count = len(life.ids())

    event = life.press("try_first")
    assert (event["event_type"], event["from"], event["by"], event["suggestion_id"]) == ("trying", "new", "anna", first)
    assert abs(seconds_from_now(event["until"]) - 3 * DAY_S) < 60
    life.check(first, "trying")
    detail = life.listener.wait(DETAIL, lambda body: body.get("state") == "trying")
    assert (detail["id"], detail["until"]) == (first, event["until"])
    assert life.selected() == first  # it can still be approved or rejected
    life.listener.wait_last(WAITING, str(count - 1))

    life.send("next")
    wait_until(lambda: life.selected() == second, 10, "the next one")
    event = life.press("snooze")
    assert (event["event_type"], event["suggestion_id"]) == ("snoozed", second)
    assert abs(seconds_from_now(event["until"]) - 7 * DAY_S) < 60
    life.listener.wait_last(WAITING, str(count - 2))
    assert life.selected() == third  # that is what waits now

    life.send("reason", "wrong time", by="anna")
    life.listener.wait_last(REASON, "wrong time")
    event = life.press("reject")
    assert (event["event_type"], event["suggestion_id"], event["reason"]) == ("rejected", third, "wrong time")
    life.listener.wait_last(REASON, "this habit")  # of one rejection alone
    assert life.sql("SELECT objection, reason FROM suggestion WHERE id = ?", third) == [(1, "wrong time")]

    for suggestion, was in ((third, "rejected"), (second, "snoozed"), (first, "trying")):
        event = life.press("undo_last", by="berta")
        assert (event["event_type"], event["from"], event["suggestion_id"]) == ("new", was, suggestion)
        assert life.selected() == suggestion
    life.refused("undo_last", "no step that can be taken back")
    life.listener.wait_last(WAITING, str(count))

    assert life.audit() == [
        ("anna", first, "new", "trying", None, None), ("anna", second, "new", "snoozed", None, None),
        ("anna", "", "", "wrong time", None, "reason"), ("anna", third, "new", "rejected", "wrong time", None),
        ("berta", third, "rejected", "new", "taken back", None), ("berta", second, "snoozed", "new", "taken back", None),
        ("berta", first, "trying", "new", "taken back", None)]
    life.quiet()


def test_what_is_tried_is_decided_on(life):
    first, *_ = life.ids()
    life.press("try_first")
    life.refused("try_first", "is trying and cannot become trying")
    life.refused("snooze", "is trying and cannot become snoozed")
    assert life.press("approve")["from"] == "trying"
    assert life.next_event()["event_type"] == "deployed"
    life.check(first, "deployed")


def test_a_trial_ends_with_its_record(services, listener, analysed, home):
    """The days of the trial, moved back to days that the home recorded, are replayed by the next analysis."""
    life = Life(services, listener, analysed, HISTORY=home, TZ="UTC")
    first, *_ = life.ids()
    assert life.press("try_first")["event_type"] == "trying"
    life.service.stop()
    with sqlite3.connect(home) as recorded:
        ((end,),) = recorded.execute("SELECT max(last_updated_ts) FROM states")
    life.sql("UPDATE suggestion SET since_ms = ?1 - 14 * 86400000, until_ms = ?1 - 60000 WHERE id = ?2",
             int(end * 1000), first)
    life.start()
    life.listener.publish(RUN)
    event = life.listener.wait(EVENT, lambda e: e.get("suggestion_id") == first
                               and e["event_type"] in ("new", "retired") and e.get("from") == "trying", 60)
    ((content, reason),) = life.sql("SELECT content, reason FROM suggestion WHERE id = ?", first)
    record = json.loads(content)["trial"]
    assert record["id"] == first and record["days"] >= 12 and record["fires"] > 0 and record["log"], record
    assert (event["event_type"] == "new") == (record["verdict"] == "offer"), (event, record["verdict"])
    assert not list(life.service.folder.glob("*-known.json"))


def test_another_than_the_selected_one(life):
    """By its id, as an automation sends what a phone answered: the selection is not asked, nor moved."""
    first, second, third, *_ = life.ids()
    event = life.press("reject", suggestion=third, reason="never", by=None)
    assert (event["suggestion_id"], event["reason"], event["by"]) == (third, "never", "mqtt")
    assert life.press("snooze", suggestion=second)["suggestion_id"] == second
    assert life.selected() == first
    life.refused("snooze", "is snoozed and cannot become snoozed", suggestion=second)
    life.refused("approve", "is rejected and cannot become approved", suggestion=third)
    life.refused("reject", "no reason 'perhaps': expected 'this habit'", suggestion=first, reason="perhaps")
    life.refused("try_first", "there is no suggestion nobody", suggestion="nobody")
    life.refused("approve", "there is no suggestion xxx", suggestion="x" * 300)
    life.check(first, "new")


def test_next_goes_round(life):
    ids = life.ids()
    for expected in ids[1:] + ids[:1]:
        life.send("next")
        wait_until(lambda: life.selected() == expected, 10, expected)
    titles = dict(life.sql("SELECT id, title FROM suggestion"))
    life.listener.wait_last(SELECTED, titles[ids[0]])
    # Who pressed Next has not seen what comes: a press at that moment is not meant for it.
    life.send("next")
    life.listener.wait_last(SELECTED, titles[ids[1]])
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    life.refused("approve", "look at it and press again", ts=now)
    life.quiet()


def test_nothing_waits(services, listener, analysed):
    life = Life(services, listener, analysed, ["UPDATE suggestion SET state = 4"])
    for entity in ("approve", "reject", "try_first", "snooze", "next"):
        life.refused(entity, "no suggestion is waiting")
    life.refused("undo_last", "no step that can be taken back")  # nobody took one


def test_only_one_waits(services, listener, analysed):
    life = Life(services, listener, analysed, ["UPDATE suggestion SET state = 4 WHERE rank > 0"])
    life.refused("next", "no other suggestion is waiting")


def test_a_snooze_and_a_trial_end_by_themselves(life):
    first, second, third, *_ = life.ids()
    life.press("snooze")
    life.press("try_first")
    life.service.stop()
    life.sql("UPDATE suggestion SET until_ms = 1000 WHERE until_ms > 0")
    life.sql("UPDATE suggestion SET since_ms = since_ms - 60 * 86400000 WHERE id = ?", third)
    life.start()
    events = sorted((life.next_event() for _ in range(3)), key=lambda e: e["event_type"])
    told = {(e["suggestion_id"], e["from"], e["event_type"], e["by"]) for e in events}
    assert told == {(first, "snoozed", "new", "schedule"), (second, "trying", "new", "schedule"),
                    (third, "new", "expired", "schedule")}
    assert [a[0] for a in life.audit()[-3:]] == ["schedule"] * 3
    for suggestion, state in ((first, "new"), (second, "new"), (third, "expired")):
        life.check(suggestion, state)
    life.service.restart().wait_healthy()  # once
    life.quiet()


def test_a_rejection_bars_what_an_analysis_finds(services, listener, analysed, home):
    """Never: the other habits of that lamp and act wait no more, and the count of what was dropped says so."""
    life = Life(services, listener, analysed, HISTORY=home, TZ="UTC")
    first, *others = life.ids()
    life.send("reason", "never", by="anna")
    life.press("reject")
    # Forget it, but for the rejection: what the analysis finds has other ids than before.
    life.service.stop()
    (row,) = life.sql("SELECT content FROM suggestion WHERE id = ?", first)
    life.sql("UPDATE suggestion SET id = 'elsewhere', family = 'elsewhere' WHERE id = ?", first)
    life.service.start().wait_healthy()
    done = len(listener.of(COMPLETE))
    listener.publish(RUN)
    listener.wait(COMPLETE, count=done + 1)
    assert life.sql("SELECT id FROM suggestion WHERE id = ?", first) == []
    life.check("elsewhere", "rejected")
    (summary,) = life.sql("SELECT value FROM setting WHERE key = 'last_analysis'")
    assert json.loads(summary[0])["dropped"]["rejected"] >= 1
    acts = json.loads(row[0])["automation"]["actions"][0]
    for other in life.sql("SELECT content FROM suggestion WHERE state = 0"):
        action = json.loads(other[0])["automation"]["actions"][0]
        assert (action["action"], action["target"]) != (acts["action"], acts["target"])


def test_what_guards_the_home_is_approved_twice(services, listener, analysed):
    life = Life(services, listener, analysed, TTL="86400", change=[
        "UPDATE suggestion SET content = json_set(content, '$.automation.actions[0].action', 'lock.lock',"
        " '$.automation.actions[0].target.entity_id', 'lock.front_door', '$.automation.actions[1].sequence[0]"
        ".wait_template', '{{ is_state(''lock.front_door'', ''locked'') }}') WHERE rank = 0"])
    first, *_ = life.ids()
    life.refused("approve", "press Approve again within 60 s", at_s=0)
    life.refused("approve", "press Approve again within 60 s", at_s=61)  # too late: it is a first one again
    life.check(first, "new")
    assert life.press("approve", at_s=120)["event_type"] == "approved"
    assert life.next_event()["event_type"] == "deployed"
    assert life.press("approve", at_s=125)["event_type"] == "approved"  # the next one guards nothing


def test_undo_of_what_went_over_mqtt_is_refused(life):
    first, *_ = life.ids()
    life.press("approve")
    assert life.next_event()["event_type"] == "deployed"
    life.refused("undo_last", "whoever deployed it must take it back")
    life.check(first, "deployed")


def test_who_it_was(life):
    """Nobody outside passes for a part of the service, and a name has its limit."""
    assert life.press("snooze", by="schedule")["by"] == "mqtt"
    assert life.press("snooze", by="x" * 101)["by"] == "mqtt"
    assert life.press("undo_last", by="x" * 100)["by"] == "x" * 100
    life.send("analyze_now", by="anna")
    life.next_event()  # there is no history: refused
    life.send("daily_analysis", "OFF", by="")
    wait_until(lambda: life.audit()[-1][5] == "daily_analysis", 10, "the switch in the audit")
    assert [row[0] for row in life.audit()] == ["mqtt", "mqtt", "x" * 100, "mqtt"]


@pytest.mark.parametrize("entity", COMMANDS)
def test_bad_commands_change_nothing(services, listener, analysed, entity):
    life = Life(services, listener, analysed)
    value = COMMANDS[entity]
    if entity == "selected_suggestion":
        value = life.sql("SELECT title FROM suggestion ORDER BY rank")[1][0]
    topic = f"{DEVICE}/{entity}/set"
    good = {} if value is None else {"value": value}
    old = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)).isoformat()
    settings = "SELECT * FROM setting WHERE key IN ('selected', 'reject_reason', 'daily_analysis')"
    before = (life.rows(), life.audit(), life.sql(settings))
    wrong = [("now!", "not JSON"), ('["approve"]', "JSON object"), (b"\xff\xfe{}", "UTF-8"),
             (json.dumps({**good, "x": "y" * 70000}), "at most 65536"), ({**good, "ts": old}, "s old"),
             ({**good, "ts": [1]}, "expected a time")]
    if value is not None:
        wrong += [({}, "value"), ({"value": 5}, "value"), ({"value": "no such thing"}, "no such thing"),
                  ({"value": ""}, "")]
    for payload, reason in wrong:
        listener.publish(topic, payload)
        event = life.next_event()
        assert event["event_type"] == "refused" and reason in event["reason"], (payload, event)
    try:
        listener.publish(topic, good, retain=True)
        assert "retained" in life.next_event()["reason"]
    finally:
        listener.publish(topic, "", retain=True)
    life.seen = len(listener.of(EVENT))
    assert (life.rows(), life.audit(), life.sql(settings)) == before
    # Twice the same: once.
    for _ in range(2):
        listener.publish(topic, {"id": "twice", "ts": "2999-01-01T00:00:00Z", **good})
    wait_until(lambda: any(e["event_type"] == "refused" and "before" in e["reason"]
                           for e in listener.of(EVENT)[life.seen:]), 10, "the refusal of the second")
    steps = [row for row in life.audit() if row not in before[1]]
    assert len(steps) <= 2 and len([row for row in steps if row[0] == "mqtt"]) <= 1, steps
    life.seen = len(listener.of(EVENT))
    life.quiet()


# ---- the command line ---------------------------------------------------------------------------

def suggestions(life, *arguments, expect=0, **more):
    """What `ha-ai suggestions …` says with the service's configuration."""
    done = subprocess.run([life.service.binary, "suggestions", *arguments], env={**life.service.environment, **more},
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == expect, done.stderr
    return done.stdout if expect == 0 else done.stderr


def test_command_line(life):
    first, second, third, *_ = life.ids()
    titles = dict(life.sql("SELECT id, title FROM suggestion"))
    lines = suggestions(life, "list").splitlines()
    assert lines[0].split(None, 2) == [first, "new", titles[first]] and len(lines) == len(titles)
    assert suggestions(life, "reject", second, "--reason", "wrong time") == f"rejected: {titles[second]}\n"
    assert suggestions(life, "snooze", third) == f"snoozed: {titles[third]}\n"
    assert suggestions(life, "try", first) == f"trying: {titles[first]}\n"
    assert suggestions(life, "undo") == f"new: {titles[first]}\n"
    shown = suggestions(life, "show", second)
    assert "wrong time" in shown and "new -> rejected by command line: wrong time" in shown
    assert json.loads(shown[shown.index("{"):shown.rindex("}") + 1])["triggers"]
    assert suggestions(life, "approve", first) == f"approved: {titles[first]}\n"
    assert "is rejected and cannot become approved" in suggestions(life, "approve", second, expect=1)
    assert "there is no suggestion nobody" in suggestions(life, "show", "nobody", expect=1)
    assert "there is no suggestion nobody" in suggestions(life, "snooze", "nobody", expect=1)
    assert "no reason 'perhaps'" in suggestions(life, "reject", first, "--reason", "perhaps", expect=1)
    assert {row[0] for row in life.audit()} == {"command line", "ha-ai"}


def test_command_line_used_wrongly(life, tmp_path):
    assert suggestions(life, "--help").startswith("Usage: ha-ai suggestions")
    for arguments in ((), ("dance",), ("show",), ("list", "x"), ("undo", "x"), ("approve", "x", "--reason", "never")):
        assert suggestions(life, *arguments, expect=2).startswith("Usage: ha-ai suggestions")
    nowhere = tmp_path / "none.db"
    assert "there is no database" in suggestions(life, "list", expect=1, DATABASE_PATH=str(nowhere))
    assert not nowhere.exists()
    life.service.stop()
    assert "no service answered within 10 s" in suggestions(life, "undo", expect=1)
