"""One service for one INSTANCE: a second one does not start, a dead one's place is free, a restart does not wait.
And what the process does about itself: the restart that a person presses, the analysis that was missed."""
import json
import sqlite3
import time

import paho.mqtt.client as mqtt
import pytest

from homeassistant import wait_until
from service import COMPLETE, DEVICE, RUN

OWNER = f"{DEVICE}/owner"
CONNECTED = "mqtt: connected"
ASK_MS = 5000  # OWNER_ANSWER_MS


def connects(service):
    return service.log_text().count(CONNECTED)


def wait_connects(service, count, timeout=15):
    wait_until(lambda: connects(service) >= count, timeout, f"connection {count} (log {service.log})", every=0.02)


def wait_owner(listener, before=None):
    def owner():
        text = listener.last(OWNER)
        claim = json.loads(text) if text else {}
        return claim if claim.get("boot", before) != before else None
    return wait_until(owner, 10, f"a new owner after {before}", every=0.02)


@pytest.fixture(autouse=True)
def free(listener):
    """Nobody of another test owns the device."""
    listener.publish(OWNER, "", retain=True)


def test_a_second_one_does_not_start(services, listener):
    first = services().start()
    first.wait_log(CONNECTED)
    owner = wait_owner(listener)
    second = services().start()
    wait_until(lambda: not second.alive(), ASK_MS / 1000 + 5, "the second one to end")
    assert second.stop() == 2
    assert "INSTANCE 'ha_ai' is taken" in second.log_text() and owner["started"] in second.log_text()
    assert connects(first) == 1 and connects(second) == 0, "the first one was left in peace"
    assert wait_owner(listener)["boot"] == owner["boot"]
    other = services(INSTANCE="other").start()
    other.wait_log(CONNECTED)
    first.wait_healthy()


def test_the_place_of_a_dead_one_is_free(services, listener):
    first = services().start()
    first.wait_log(CONNECTED)
    owner = wait_owner(listener)
    first.kill()
    second = services().start()  # the broker still says "online" for the dead one
    second.wait_log(CONNECTED, timeout=ASK_MS / 1000 + 10)
    after = wait_owner(listener, owner["boot"])
    second.stop()
    third = services().start()  # and "offline" for one that said goodbye: nothing to wait for
    began = time.monotonic()
    third.wait_log(CONNECTED)
    assert time.monotonic() - began < ASK_MS / 1000
    wait_owner(listener, after["boot"])


def test_a_restart_does_not_wait(services, listener):
    service = services().start()
    service.wait_log(CONNECTED)
    owner = wait_owner(listener)
    service.kill()
    service.start()
    began = time.monotonic()
    wait_connects(service, 2)
    assert time.monotonic() - began < ASK_MS / 1000, "its own last run is dead: it has its database"
    wait_owner(listener, owner["boot"])


def test_a_broker_that_is_away_is_no_reason_to_wait(services, listener, mosquitto):
    mosquitto.stop()
    try:
        service = services().start()
        service.wait_log("cannot connect")
    finally:
        mosquitto.start()
    service.wait_log(CONNECTED)


def test_two_that_started_without_the_broker(services, listener, mosquitto):
    """Nobody was there to be asked: one of them throws the other out, and that one ends."""
    mosquitto.stop()
    try:
        both = services().start(), services().start()
        for service in both:
            service.wait_log("cannot connect")
    finally:
        mosquitto.start()
    wait_until(lambda: not all(service.alive() for service in both), 30, "one of them to end")
    ended, other = sorted(both, key=lambda service: service.alive())
    assert ended.stop() == 2
    assert "INSTANCE 'ha_ai' is taken" in ended.log_text()
    other.wait_healthy()
    assert other.alive()


def test_another_client_with_our_id_ends_nothing(services, listener, mosquitto):
    service = services().start()
    service.wait_log(CONNECTED)
    intruder = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "ha_ai", protocol=mqtt.MQTTv5)
    intruder.username_pw_set(mosquitto.user, mosquitto.password)
    intruder.connect("127.0.0.1", mosquitto.port)
    intruder.loop_start()  # comes back after each time that it is thrown out
    try:
        service.wait_log("on one broker need different INSTANCE")
        time.sleep(ASK_MS / 1000 + 1)  # nobody answers
    finally:
        intruder.loop_stop()
        intruder.disconnect()
    service.wait_healthy()
    listener.wait_last(f"{DEVICE}/availability", "online")
    assert service.alive() and "is taken" not in service.log_text()


@pytest.mark.parametrize("rubbish", ['[1, {"boot": 2}]', '{"boot": 7}', json.dumps({"boot": "x" * 4096}), "null"])
def test_rubbish_as_owner_is_nobody(services, listener, rubbish):
    listener.publish(OWNER, rubbish, retain=True)
    listener.publish(f"{DEVICE}/availability", "online", retain=True)
    service = services().start()
    began = time.monotonic()
    service.wait_log(CONNECTED)
    assert time.monotonic() - began < ASK_MS / 1000
    listener.publish(OWNER, "7")
    listener.publish(OWNER, '{"ask": 1}')
    listener.publish(OWNER, '{"ask": "me"}')
    listener.wait(OWNER, lambda body: isinstance(body, dict) and "started" in body, count=2)  # at its start, and when asked


def test_restart(services, listener):
    service = services().start()
    service.wait_log(CONNECTED)
    owner, pid = wait_owner(listener), service.pid
    listener.wait_last(f"{DEVICE}/availability", "online")
    started = wait_until(lambda: listener.last(f"{DEVICE}/started/state"), 10, "when it started")
    time.sleep(1.1)  # the times have whole seconds
    listener.publish(f"{DEVICE}/restart/set", {"id": "press-1"})
    wait_connects(service, 2)
    wait_owner(listener, owner["boot"])
    listener.wait_last(f"{DEVICE}/availability", "online")
    assert service.pid == pid and service.alive()
    wait_until(lambda: listener.last(f"{DEVICE}/started/state") != started, 10, "another start")
    listener.publish(f"{DEVICE}/restart/set", {"id": "press-1"})  # the same press again
    listener.wait(f"{DEVICE}/suggestion/event", lambda body: "received before" in body.get("reason", ""))
    time.sleep(2)  # a loop would show
    assert connects(service) == 2
    database = sqlite3.connect(f"file:{service.folder / 'ha-ai.db'}?mode=ro", uri=True)
    assert database.execute("SELECT count(*) FROM inbox WHERE done_ms IS NULL").fetchone() == (0,)


def test_identify(services, listener):
    service = services().start()
    service.wait_log(CONNECTED)
    listener.publish(f"{DEVICE}/identify/set", {})
    service.wait_log("here is ha_ai")
    listener.wait("ha-ai/test/reply", lambda body: body.get("instance") == "ha_ai")


def test_settings_are_kept(services, listener):
    service = services().start()
    service.wait_log(CONNECTED)
    for entity, value, shown in (("certainty", 80, "80"), ("history_to_use", 30, "30"), ("log_level", "debug", "debug"),
                                 ("learning_paused", "ON", "ON")):
        listener.publish(f"{DEVICE}/{entity}/set", {"value": value})
        listener.wait_last(f"{DEVICE}/{entity}/state", shown)
    service.restart()
    wait_connects(service, 2)
    assert "<7>" in service.log_text()
    listener.wait_last(f"{DEVICE}/learning_paused/state", "ON")
    for entity, value, reason in (("certainty", 40, "50 to 99"), ("certainty", "90", "50 to 99"),
                                  ("history_to_use", 1, "7 to 36500"), ("log_level", "loud", "no 'loud'"),
                                  ("learning_paused", "on", "neither ON nor OFF")):
        listener.publish(f"{DEVICE}/{entity}/set", {"value": value})
        listener.wait(f"{DEVICE}/suggestion/event", lambda body: reason in body.get("reason", ""))
    assert listener.last(f"{DEVICE}/certainty/state") == "80"
    service.stop()
    service.environment["LOG_LEVEL"] = "warn"  # who changes it wants to see it
    service.start()
    listener.wait_last(f"{DEVICE}/log_level/state", "warn")


def test_learning_paused(services, listener, home):
    service = services(HISTORY=home, TZ="UTC").start()
    service.wait_log(CONNECTED)
    archive = service.folder / "ha-ai-archive.db"
    listener.wait_last(f"{DEVICE}/learning_paused/state", "OFF")
    wait_until(lambda: listener.last(f"{DEVICE}/next_analysis/state") not in (None, "None"), 10, "the next analysis")
    listener.publish(f"{DEVICE}/learning_paused/set", {"value": "ON"})
    listener.wait_last(f"{DEVICE}/next_analysis/state", "None")
    listener.publish(RUN, {})
    listener.publish(f"{DEVICE}/analyze_now/set", {})
    listener.wait(f"{DEVICE}/suggestion/event", lambda body: "learning is paused" in body.get("reason", ""), count=2)
    assert not archive.exists() and not listener.of(COMPLETE)

    listener.publish(f"{DEVICE}/learning_paused/set", {"value": "OFF"})
    listener.publish(RUN, {})
    service.wait_log("an analysis starts")
    listener.publish(f"{DEVICE}/learning_paused/set", {"value": "ON"})  # nothing goes on in the background
    listener.wait(COMPLETE, lambda body: body["error"] == "learning was paused")
    assert listener.last(f"{DEVICE}/problem/state") == "OFF"

    listener.publish(f"{DEVICE}/learning_paused/set", {"value": "OFF"})
    listener.publish(RUN, {})
    listener.wait(COMPLETE, lambda body: body["success"], timeout=120)
    wait_until(lambda: int(listener.last(f"{DEVICE}/archive_days/state")) >= 25, 10, "the days of the archive")
    assert float(listener.last(f"{DEVICE}/archive_size/state")) > 0
    patterns = listener.of(f"{DEVICE}/pattern/event")
    assert {p["title"] for p in patterns} == {p["title"] for p in listener.of("ha-ai/events/pattern/detected")}
    assert patterns and {p["event_type"] for p in patterns} == {"new"}
    assert int(listener.last(f"{DEVICE}/habits_known/state")) == len(patterns)


def test_certainty_hides_and_proves_nothing(services, listener, home):
    service = services(HISTORY=home, TZ="UTC").start()
    service.wait_log(CONNECTED)
    listener.publish(RUN, {})
    listener.wait(COMPLETE, lambda body: body["success"], timeout=120)
    scores = sorted(round(100 * b["confidence"], 3) for b in listener.of("ha-ai/events/suggestion/generated"))
    waiting = f"{DEVICE}/suggestions_waiting/state"
    listener.wait_last(waiting, str(len(scores)))
    for least in (99, 90, 50):
        shown = len([s for s in scores if s >= least]) if least > 50 else len(scores)
        listener.publish(f"{DEVICE}/certainty/set", {"value": least})
        listener.wait_last(waiting, str(shown))
    assert scores[0] < 99, "some are hidden at 99 %"
    count = len(scores)
    listener.publish(f"{DEVICE}/certainty/set", {"value": 99})
    listener.wait_last(f"{DEVICE}/certainty/state", "99")
    listener.publish(RUN, {})
    listener.wait(COMPLETE, lambda body: body["patterns_detected"] == count, timeout=120, count=2)


def test_history_to_use(services, listener, home):
    service = services(HISTORY=home, TZ="UTC").start()
    service.wait_log(CONNECTED)
    listener.publish(f"{DEVICE}/history_to_use/set", {"value": 14})
    listener.wait_last(f"{DEVICE}/history_to_use/state", "14")
    listener.publish(RUN, {})
    listener.wait(COMPLETE, lambda body: body["success"], timeout=120)
    wait_until(lambda: 10 <= int(listener.last(f"{DEVICE}/days_of_history/state") or 0) <= 15, 10,
               "two weeks, but for days that the home did not record")
    assert int(listener.last(f"{DEVICE}/archive_days/state")) >= 25, "the archive keeps all of it"
    # The recorder keeps every change of an attribute, with all the others: none is made by progress or by time.
    attributes = {}
    for _, message in listener.messages:
        if message.topic.endswith("/attributes") and not message.retain:  # not of the service before
            assert len(message.payload) <= 15 * 1024
            attributes.setdefault(message.topic, set()).add(message.payload)
    assert len(attributes) >= 4 and max(len(payloads) for payloads in attributes.values()) <= 2, {
        topic: len(payloads) for topic, payloads in attributes.items()}


def test_problem(services, listener, tmp_path):
    closed = "http://127.0.0.1:9"
    service = services(HISTORY=tmp_path / "no.db", TZ="UTC", HA_URL=closed, HA_TOKEN="x").start()
    service.wait_log(CONNECTED)
    listener.wait_last(f"{DEVICE}/problem/state", "ON")
    reason = json.loads(listener.last(f"{DEVICE}/problem/attributes"))["reason"]
    assert reason.startswith("history: ") and "no.db" in reason
    assert "Home Assistant" not in reason, "that it is away counts when it lasts: it restarts now and then"
    listener.wait_last(f"{DEVICE}/last_error/state", reason)
    assert json.loads(listener.last(f"{DEVICE}/last_error/attributes"))["since"].endswith("Z")
    service.stop()
    del service.environment["HISTORY"]
    service.start()
    wait_connects(service, 2)
    listener.wait_last(f"{DEVICE}/problem/state", "OFF")
    assert listener.last(f"{DEVICE}/last_error/state") == reason, "it was the last one"
    assert json.loads(listener.last(f"{DEVICE}/problem/attributes")) == {"reason": None}


@pytest.mark.parametrize("ago_h, daily, expected", [(30, True, 1), (30 * 24, True, 1), (30, False, 0), (0, True, 0)])
def test_a_missed_analysis_is_made_up_once(services, listener, home, ago_h, daily, expected):
    now = time.time()
    at = time.gmtime(now + 6 * 3600)  # the schedule is not due in this test
    service = services(HISTORY=home, TZ="UTC", ANALYSIS_SCHEDULE=f"{at.tm_min} {at.tm_hour} * * *").start()
    service.wait_log(CONNECTED)
    if not daily:
        listener.publish(f"{DEVICE}/daily_analysis/set", {"value": "OFF"})
        listener.wait_last(f"{DEVICE}/daily_analysis/state", "OFF")
    service.stop()
    assert not listener.of(COMPLETE)
    service.sql("UPDATE setting SET value = ? WHERE key = 'scheduled'", str(int(now - ago_h * 3600)))  # it slept
    service.start()
    wait_connects(service, 2)
    if expected:
        listener.wait(COMPLETE, lambda body: body["success"], timeout=120)
        service.wait_log("was missed")
    service.restart()
    wait_connects(service, 3)
    time.sleep(3)
    assert len(listener.of(COMPLETE)) == expected
