"""A run that failed, or of which no report came, is told with Home Assistant's own words. A stand-in plays Home
Assistant here; what the real one's traces say is in test_report.py."""
import time

import pytest

from service import EVENT
from test_deploy import approve, deployed, home, service, stand_in  # noqa: F401
from homeassistant import wait_until

FAILED = "ha-ai/responses/automation/failed"
WORDS = "Action light.turn_on not found"


def iso(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(seconds))


@pytest.fixture
def automation(service, listener, stand_in):
    """The id of one that is deployed."""
    wait_until(lambda: "WebSocket is open" in service.log_text(), 20, "the WebSocket")
    approve(listener)
    deployed(listener)
    return next(iter(stand_in.automations))


def told(listener, count=1):
    is_run = lambda e: e["event_type"] == "failed" and "automation_id" in e  # noqa: E731
    return listener.wait(EVENT, is_run, count=count)["reason"]


def traces(stand_in, automation, contexts=None, listed=()):
    stand_in.socket.commands.update({
        "trace/contexts": lambda m: contexts or {} if m["item_id"] == automation else {},
        "trace/list": list(listed),
        "trace/get": lambda m: {"run_id": m["run_id"], "trace": {
            "trigger/0": [{"path": "trigger/0"}], "action/0": [{"path": "action/0", "error": WORDS}]}},
    })


def test_a_report_of_a_failure(service, listener, stand_in, automation):
    traces(stand_in, automation, {"c1": {"run_id": "r1", "domain": "automation", "item_id": automation}})
    listener.publish(FAILED, {"automation_id": automation, "id": "c1"})
    assert told(listener) == WORDS
    # Of this one it knows nothing: the report's own reason counts, then what the block waited for.
    listener.publish(FAILED, {"automation_id": automation, "id": "c2", "error": "the lamp is broken"})
    assert told(listener, 2) == "the lamp is broken"
    listener.publish(FAILED, {"automation_id": automation, "id": "c3"})
    assert "no effect within 10 s" in told(listener, 3)
    service.restart().wait_healthy()
    time.sleep(7)
    with pytest.raises(TimeoutError):
        listener.wait(EVENT, lambda e: e["event_type"] == "failed", count=4, timeout=0.1)


def test_without_the_websocket(service, listener, stand_in, automation):
    stand_in.socket.mode = 404
    stand_in.socket.drop()
    service.wait_log("closed the WebSocket")
    listener.publish(FAILED, {"automation_id": automation, "id": "c1"})
    assert "no effect within 10 s" in told(listener)


def test_an_answer_that_does_not_come(service, listener, stand_in, automation):
    """The service is killed while it waits for it: the failure is told all the same, once."""
    traces(stand_in, automation)
    stand_in.socket.commands["trace/contexts"] = lambda m: time.sleep(3600)
    listener.publish(FAILED, {"automation_id": automation, "id": "c1"})
    wait_until(lambda: any(m["type"] == "trace/contexts" for m in stand_in.socket.seen), 10, "the question")
    service.kill()
    traces(stand_in, automation, {"c1": {"run_id": "r1", "domain": "automation", "item_id": automation}})
    service.start().wait_healthy()
    assert told(listener) == WORDS
    time.sleep(7)
    with pytest.raises(TimeoutError):
        told_again = lambda e: e["event_type"] == "failed" and "automation_id" in e  # noqa: E731
        listener.wait(EVENT, told_again, count=2, timeout=0.1)


def test_runs_without_a_report(service, listener, stand_in, automation):
    """Home Assistant only tells when it ran, while the service was off."""
    service.stop()
    at = time.time() - 300
    stand_in.last_triggered[automation] = at
    traces(stand_in, automation, listed=[
        {"run_id": "other", "timestamp": {"start": iso(at - 3600)}},
        {"run_id": "r7", "timestamp": {"start": iso(at)}}])
    service.start().wait_healthy()
    assert told(listener) == WORDS
    # And one that HA's trace has no error of, for the block was deleted: nothing to tell.
    stand_in.socket.commands["trace/get"] = {"trace": {}}
    service.stop()
    stand_in.last_triggered[automation] = time.time() - 120
    service.start().wait_healthy()
    wait_until(lambda: service.health()[1]["runs"]["unconfirmed"] == 2, 20, "the second run")
    time.sleep(7)
    with pytest.raises(TimeoutError):
        listener.wait(EVENT, lambda e: e["event_type"] == "failed", count=2, timeout=0.1)
