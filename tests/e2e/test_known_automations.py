"""The analysis knows all automations of a real Home Assistant: the service collects them over the WebSocket into a file
for its child, goes on without when it cannot, and stays small."""
import json
import os
import random
import re
import subprocess
import time

import pytest

from homeassistant import HomeAssistant, wait_until
from service import CLEAR, CLOCK_HOME, COMPLETE, RUN
from test_automations_yaml import ONE
from test_deploy import home, service, stand_in  # noqa: F401

MANY = 1990
GROWTH_KB = 2048  # an analysis alone takes 1 MB for a while; all automations at once would take more than ten


def memory_kb(daemon, what):
    with open(f"/proc/{daemon.pid}/status") as status:
        return int(re.search(rf"{what}:\s+(\d+)", status.read())[1])


@pytest.fixture(scope="module")
def large(ha_ai, ha_version, tmp_path_factory):
    """A simulated home with nearly 2,000 automations that a person wrote."""
    config = tmp_path_factory.mktemp("large") / "config"
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    subprocess.run([ha_ai, "simulate", *CLOCK_HOME, *CLEAR, "--days", "30", "--entities", "60", "--seed", str(seed),
                    "--timezone", "UTC", "--states", "12000", "--ha-config", config, "--truth",
                    config.with_suffix(".json")], check=True)
    text = (config / "automations.yaml").read_text().strip()
    many = "".join(ONE.format(n=n) for n in range(MANY))
    (config / "automations.yaml").write_text(many if text == "[]" else f"{text}\n{many}")
    with HomeAssistant(ha_version, config) as ha:
        yield ha


def test_two_thousand_are_known(large, services, listener):
    one = services(HISTORY=large.folder / "home-assistant_v2.db", HA_URL=large.url, HA_TOKEN=large.token).start()
    one.wait_log("WebSocket is open", 60)
    before = memory_kb(one, "VmRSS")
    listener.publish(RUN)
    assert listener.wait(COMPLETE, timeout=200)["success"]
    (known,) = re.findall(r"(\d+) automations of HA are known", one.log_text())
    assert int(known) >= MANY
    assert not list(one.folder.glob("*automations.json*")), "the file is removed"
    if "asan" not in str(one.binary):  # a sanitizer keeps what was freed
        assert memory_kb(one, "VmHWM") - before <= GROWTH_KB


def collected(service, stand_in, listener, count=1):
    listener.publish(RUN)
    return listener.wait(COMPLETE, count=count, timeout=60)


@pytest.fixture
def two(service, stand_in):  # noqa: F811
    """Home Assistant has two automations."""
    wait_until(lambda: "WebSocket is open" in service.log_text(), 20, "the WebSocket")
    stand_in.post = lambda path, body: (200, {"all": ["x", "y"], "off": ["y"]})
    config = {"alias": "X", "triggers": [{"trigger": "time", "at": "07:00:00"}], "conditions": [], "actions": [
        {"action": "light.turn_on", "target": {"entity_id": "light.x"}}]}
    stand_in.socket.commands["automation/config"] = {"config": config}


def test_it_goes_on_without(service, stand_in, listener, two):  # noqa: F811
    """Home Assistant does not answer: after 20 s it begins without; killed meanwhile, it leaves nothing behind."""
    path = service.folder / "ha-ai.db-automations.json"
    assert collected(service, stand_in, listener, 2)["success"]
    assert "2 automations of HA are known" in service.log_text()
    stand_in.socket.commands["automation/config"] = lambda m: time.sleep(3600)
    began = time.monotonic()
    listener.publish(RUN)
    wait_until(path.exists, 5, "the file")
    assert path.stat().st_mode & 0o777 == 0o600
    assert listener.wait(COMPLETE, count=3, timeout=60)["success"]
    assert 18 < time.monotonic() - began < 50
    service.wait_log("goes on without HA's automations")
    assert not path.exists()
    listener.publish(RUN)
    wait_until(path.exists, 5, "the file")
    service.kill()
    assert path.exists()
    service.start().wait_healthy()
    assert not path.exists()
