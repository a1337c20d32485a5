"""A person's hand on our automations in a real Home Assistant, and taking them back: what somebody made or changed is
left alone, what we wrote is taken back whole. Each test takes the next suggestion of one simulated home."""
import json
import os
import random
import subprocess
import time

import pytest

from broker import Broker
from daemon import Daemon
from homeassistant import HomeAssistant, wait_until
from listener import Listener
from service import CLEAR, CLOCK_HOME, COMPLETE, DEVICE, EVENT, RUN

REPORT = "ha-ai: report (may be deleted)"
EXECUTED = "ha-ai/responses/automation/executed"
NEEDED = 10  # suggestions
SETTLED_S = 12  # changes are looked at twice within this


def make_home(ha_ai, config, seed):
    """A Home Assistant folder; true when there is enough to suggest in it."""
    subprocess.run([ha_ai, "simulate", *CLOCK_HOME, *CLEAR, "--days", "30", "--entities", "60",
                    "--seed", str(seed), "--timezone", "UTC", "--states", "12000", "--ha-config", config, "--truth",
                    config.with_suffix(".json")], check=True)
    answer = subprocess.run([ha_ai, "analyze", "--history", config / "home-assistant_v2.db", "--timezone", "UTC",
                             "--format", "json"], check=True, stdout=subprocess.PIPE)
    return len(json.loads(answer.stdout)["suggestions"]) >= NEEDED


@pytest.fixture(scope="module")
def parts(ha_ai, ha_version, tmp_path_factory):
    folder = tmp_path_factory.mktemp("theirs")
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    while not make_home(ha_ai, folder / str(seed), seed):
        seed += 1
    print(f"home: seed {seed}")
    config = folder / str(seed)
    broker = Broker(folder / "broker").start()
    ha = HomeAssistant(ha_version, config).start()
    ha.add_mqtt(broker)
    daemon = Daemon(ha_ai, folder / "ha-ai", broker, HA_URL=ha.url, HA_TOKEN=ha.token,
                    HISTORY=config / "home-assistant_v2.db").start().wait_healthy()
    with Listener(broker) as listener:
        listener.publish(RUN)
        listener.wait(COMPLETE, timeout=120)
        yield ha, daemon, listener
    assert daemon.stop() == 0, daemon.log_text()[-3000:]
    ha.stop()
    broker.stop()


def state_of(daemon, suggestion):
    return daemon.sql("SELECT state, reason FROM suggestion WHERE id = ?", suggestion)[0]


NEW, APPROVED, DEPLOYED, FAILED, REJECTED, RETIRED, *_, UNDONE, EDITED, REFINED = range(12)


def selected(daemon):
    (found,) = daemon.sql("SELECT value FROM setting WHERE key = 'selected'")
    return found[0]


def automation_id(suggestion):
    return "ha_ai_" + suggestion.replace("#", "_")


def path_of(suggestion):
    return f"/api/config/automation/config/{automation_id(suggestion)}"


def of(suggestion, *types):
    return lambda event: event["event_type"] in types and event.get("suggestion_id") == suggestion


def approve(parts, expected="deployed"):
    """The suggestion that was selected, now deployed."""
    _, daemon, listener = parts
    suggestion = selected(daemon)
    assert suggestion, "the home has no more suggestions"
    listener.publish(f"{DEVICE}/approve/set", {"ts": "2999-01-01T00:00:00Z"})
    return suggestion, listener.wait(EVENT, of(suggestion, expected), timeout=40)


def ask_to_undo(daemon, suggestion):
    daemon.sql("INSERT INTO undo (suggestion, who, at_ms) VALUES (?, 'a person', 1)", suggestion)


def entity_of(ha, identifier):
    return next((e for e, s in ha.states().items()
                 if e.startswith("automation.") and s["attributes"].get("id") == identifier), None)


def gone(ha, suggestion):
    return ha.request("GET", path_of(suggestion), token=ha.token)[0] == 404


def test_deployed_is_readable_and_labelled(parts):
    ha, daemon, listener = parts
    mark = ha.log_mark()
    suggestion, _ = approve(parts)
    saved = ha.api("GET", path_of(suggestion))
    assert saved["alias"] and saved["description"]
    entity = entity_of(ha, automation_id(suggestion))
    registry = lambda: ha.ws("config/entity_registry/get", entity_id=entity)["labels"]  # noqa: E731
    labels = wait_until(registry, 20, "the label")
    (label,) = [one for one in ha.ws("config/label_registry/list") if one["label_id"] in labels]
    assert label["name"] == "ha-ai"
    wait_until(lambda: daemon.sql("SELECT 1 FROM written WHERE labelled = 1"), 10, "the label is on record")
    # Who takes it off, or adds another, has the last word.
    mine = ha.ws("config/label_registry/create", name=f"mine {time.time_ns()}")["label_id"]
    ha.ws("config/entity_registry/update", entity_id=entity, labels=[mine])
    daemon.restart().wait_healthy()
    time.sleep(SETTLED_S)
    assert registry() == [mine]
    assert not [r for r in ha.log_problems(r"(?i)ha_ai|label", mark) if "libturbojpeg" not in r]


def test_taken_back(parts):
    ha, daemon, listener = parts
    suggestion, _ = approve(parts)
    others = [e for e in ha.states() if e.startswith("automation.")]
    ask_to_undo(daemon, suggestion)
    event = listener.wait(EVENT, of(suggestion, "undone"), timeout=20)
    assert event["by"] == "a person"
    assert gone(ha, suggestion) and state_of(daemon, suggestion)[0] == UNDONE
    wait_until(lambda: len([e for e in ha.states() if e.startswith("automation.")]) == len(others) - 1, 10, "its end")
    assert not daemon.sql("SELECT * FROM undo")


def test_changed_by_a_person(parts):
    ha, daemon, listener = parts
    suggestion, _ = approve(parts)
    theirs = ha.api("GET", path_of(suggestion)) | {"mode": "restart"}
    ha.api("POST", path_of(suggestion), theirs)
    event = listener.wait(EVENT, of(suggestion, "edited"), timeout=30)
    assert "mode" in event["reason"]
    assert state_of(daemon, suggestion)[0] == EDITED
    ask_to_undo(daemon, suggestion)
    wait_until(lambda: not daemon.sql("SELECT * FROM undo"), 15, "the wish to be dropped")
    assert ha.api("GET", path_of(suggestion)) == theirs


def test_changed_just_before_it_is_taken_back(parts):
    ha, daemon, listener = parts
    suggestion, _ = approve(parts)
    theirs = ha.api("GET", path_of(suggestion)) | {"alias": "My own name"}
    ask_to_undo(daemon, suggestion)
    daemon.kill()
    ha.api("POST", path_of(suggestion), theirs)
    daemon.start().wait_healthy()
    event = listener.wait(EVENT, of(suggestion, "edited", "undone"), timeout=30)
    assert event["event_type"] == "edited" and "alias" in event["reason"]
    assert ha.api("GET", path_of(suggestion)) == theirs


def test_the_report_block_may_be_deleted_and_ha_writes_as_it_likes(parts):
    ha, daemon, listener = parts
    suggestion, _ = approve(parts)
    saved = ha.api("GET", path_of(suggestion))
    saved["actions"] = [a for a in saved["actions"] if a.get("alias") != REPORT]
    for action in saved["actions"]:
        if "action" in action:
            action.update(metadata={}, data=action.get("data", {}))
            if isinstance(action["target"]["entity_id"], str):
                action["target"]["entity_id"] = [action["target"]["entity_id"]]
    ha.api("POST", path_of(suggestion), saved)
    time.sleep(SETTLED_S)
    assert state_of(daemon, suggestion)[0] == DEPLOYED
    ask_to_undo(daemon, suggestion)
    listener.wait(EVENT, of(suggestion, "undone"), timeout=20)
    assert gone(ha, suggestion)


def test_deleted_by_a_person(parts):
    ha, daemon, listener = parts
    suggestion, _ = approve(parts)
    ha.api("DELETE", path_of(suggestion))
    event = listener.wait(EVENT, of(suggestion, "retired", "edited"), timeout=30)
    assert event["event_type"] == "retired" and "deleted" in event["reason"]
    assert state_of(daemon, suggestion)[0] == RETIRED


def test_copied_in_the_editor(parts):
    """The copy reports under its own id; nobody takes it for ours."""
    ha, daemon, listener = parts
    suggestion, _ = approve(parts)
    copy = ha.api("GET", path_of(suggestion)) | {"alias": "The copy"}
    copy.pop("id")
    ha.api("POST", "/api/config/automation/config/1700000000001", copy)
    wait_until(lambda: entity_of(ha, "1700000000001"), 10, "the copy")
    before = daemon.health()[1]["runs"]
    ha.call_service("automation", "trigger", entity_id=entity_of(ha, "1700000000001"))
    report = listener.wait(EXECUTED, lambda e: e["automation_id"] == "1700000000001", timeout=20)
    assert report["id"]
    time.sleep(SETTLED_S)
    assert daemon.health()[1]["runs"] == before
    assert state_of(daemon, suggestion)[0] == DEPLOYED
    ha.call_service("automation", "trigger", entity_id=entity_of(ha, automation_id(suggestion)))
    wait_until(lambda: daemon.health()[1]["runs"]["confirmed"] == before["confirmed"] + 1, 20, "our own run")
    ask_to_undo(daemon, suggestion)
    listener.wait(EVENT, of(suggestion, "undone"), timeout=20)
    assert ha.api("GET", "/api/config/automation/config/1700000000001")["alias"] == "The copy"


def test_a_persons_automation_under_our_id(parts):
    ha, daemon, listener = parts
    suggestion = selected(daemon)
    mine = {"alias": "Mine", "triggers": [], "conditions": [], "actions": [], "mode": "single"}
    ha.api("POST", path_of(suggestion), mine)
    _, event = approve(parts, "failed")
    assert "left alone" in event["reason"]
    assert ha.api("GET", path_of(suggestion))["alias"] == "Mine"
    ha.api("DELETE", path_of(suggestion))
    wait_until(lambda: entity_of(ha, automation_id(suggestion)) is None, 10, "its end")
    approve(parts)  # now there is room


def test_taken_back_over_a_restart_of_both(parts):
    ha, daemon, listener = parts
    suggestion, _ = approve(parts)
    ha.stop()
    ask_to_undo(daemon, suggestion)
    time.sleep(6)
    daemon.kill()
    daemon.start()
    ha.start()
    listener.wait(EVENT, of(suggestion, "undone"), timeout=60)
    assert gone(ha, suggestion)
    assert not [r for r in ha.log_problems(r"(?i)automation\.|ha_ai_") if "libturbojpeg" not in r], "silent"


def test_an_older_version_comes_back(parts):
    """What a newer version of ours replaced, taking that back restores."""
    ha, daemon, listener = parts
    suggestion, _ = approve(parts)
    older = ha.api("GET", path_of(suggestion))
    newer = older | {"alias": older["alias"] + " (refined)"}
    daemon.stop()
    ha.api("POST", path_of(suggestion), newer)
    daemon.sql("INSERT INTO written VALUES (?, 2, ?, 1, 1, 2)", automation_id(suggestion),
          json.dumps({k: v for k, v in newer.items() if k != "id"}))
    ask_to_undo(daemon, suggestion)
    daemon.start()
    listener.wait(EVENT, of(suggestion, "undone"), timeout=30)
    assert ha.api("GET", path_of(suggestion)) == older
    assert state_of(daemon, suggestion)[0] == DEPLOYED
    time.sleep(SETTLED_S)
    assert state_of(daemon, suggestion)[0] == DEPLOYED
