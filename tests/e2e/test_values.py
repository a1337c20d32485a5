"""What people set, learned from a simulated home, in a real Home Assistant that has this home: it takes the automations,
and when they run, the devices have the values."""
import json
import subprocess

import pytest

from homeassistant import HomeAssistant, wait_until
from test_simulate import SCHEMAS, seed

PLACE = ("--timezone", "Europe/Berlin", "--location", "52.52,13.405")
# What shows a field of a service's data: the attribute, and by what it is to be divided.
SHOWN = {"brightness_pct": ("brightness", 2.55), "color_temp_kelvin": ("color_temp_kelvin", 1),
         "percentage": ("percentage", 1), "volume_level": ("volume_level", 1), "temperature": ("temperature", 1),
         "position": ("current_position", 1)}
HOMES = 5


def draw_home(ha_ai, ha_version, config):
    """The suggestions in a home that set something."""
    subprocess.run([ha_ai, "simulate", "--seed", str(seed()), "--days", "30", "--states", "20000", "--entities", "150",
                    "--kinds", "value,time_of_day", "--gates", "none", "--trouble", "none", "--adherence", "0.9,0.95",
                    "--sigma", "2,6", "--schema", str(SCHEMAS[ha_version]), *PLACE, "--ha-config", config, "--truth",
                    config.parent / f"{config.name}.json"], check=True)
    answer = subprocess.run([ha_ai, "analyze", "--history", config / "home-assistant_v2.db", *PLACE, "--format", "json"],
                            check=True, stdout=subprocess.PIPE).stdout
    return [one for one in json.loads(answer)["suggestions"] if "data" in one["automation"]["actions"][0]]


@pytest.fixture(scope="module")
def learned(ha_ai, ha_version, tmp_path_factory):
    """Of some homes whose people set things, the one with the most such suggestions: its folder, and these."""
    folder = tmp_path_factory.mktemp("values")
    homes = [(folder / f"config{n}", draw_home(ha_ai, ha_version, folder / f"config{n}")) for n in range(HOMES)]
    return max(homes, key=lambda one: len(one[1]))


@pytest.fixture(scope="module")
def home(learned, ha_version):
    with HomeAssistant(ha_version, learned[0]) as ha:
        yield ha


def automation_of(ha, name):
    return next((e for e, s in ha.states().items() if e.startswith("automation.") and s["state"] == "on"
                 and s["attributes"].get("id") == name), None)


def shows(ha, entity, attribute, value):
    """Brightness goes from 0 to 255, in whole numbers."""
    shown = ha.states()[entity]["attributes"].get(attribute)
    near = {"brightness": 1.3, "color_temp_kelvin": 20}.get(attribute, 0.001)  # mireds are whole numbers, too
    return shown is not None and abs(shown - value) <= near


def test_they_are_taken_and_set_what_was_learned(home, learned):
    suggestions = learned[1]
    assert len(suggestions) >= 2, "of five homes"
    mark = home.log_mark()
    for index, one in enumerate(suggestions):
        name, action = f"value_{index}", one["automation"]["actions"][0]
        target = action["target"]["entity_id"]
        home.api("POST", f"/api/config/automation/config/{name}", one["automation"])
        wait_until(lambda: automation_of(home, name), 10, f"the automation {one['title']}")
        if target.split(".")[0] in ("light", "fan", "media_player"):
            home.call_service(target.split(".")[0], "turn_on", entity_id=target)
        home.call_service("automation", "trigger", entity_id=automation_of(home, name))
        # A template light runs one script a call: that of the colour, where it is given one.
        data = {k: v for k, v in action["data"].items() if k == "color_temp_kelvin"} or action["data"]
        for field, value in data.items():
            attribute, scale = SHOWN[field]
            wait_until(lambda: shows(home, target, attribute, value * scale), 10, f"{one['title']}: {attribute}")
    assert not [text for text in home.log_problems("automation|[Tt]emplate", mark) if "mqtt.publish" not in text]
