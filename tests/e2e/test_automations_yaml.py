"""A real Home Assistant whose automations.yaml is 2,000 automations long, broken, or not included at all: what is
deployed, taken back and read, and what is said when that cannot be."""
import time

import pytest

from homeassistant import HomeAssistant, wait_until
from test_ha import AUTOMATION, Driver, built, changed, entity_of  # noqa: F401

COUNT = 2000
ONE = """- id: 'many_{n}'
  alias: Many {n}
  description: One of very many.
  triggers:
  - trigger: time
    at: '07:00:00'
  - trigger: state
    entity_id: input_boolean.door
    to: 'on'
  conditions: []
  actions:
  - action: input_boolean.turn_on
    target:
      entity_id: input_boolean.lamp
  mode: single
"""
SPLIT = "automation: !include_dir_merge_list automations\n"


def simple(**fields):
    return changed(actions=AUTOMATION["actions"][:1], **fields)


class Home:
    """A Home Assistant on a folder with these files, and the driver at it."""

    def __init__(self, version, folder, **files):
        for name, text in files.items():
            path = folder / name.replace("__", "/").replace("_yaml", ".yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.folder = folder
        self.ha = HomeAssistant(version, folder).start()
        self.driver = Driver(self.ha.url, self.ha.token)
        self.driver.wait("websocket 1", timeout=60)

    def close(self):
        self.driver.stop()
        self.ha.stop()


@pytest.fixture
def home(tmp_path, ha_version):
    made = []

    def make(**files):
        made.append(Home(ha_version, tmp_path / "ha", **files))
        return made[-1]
    yield make
    for one in made:
        one.close()


def undeploy(driver, identifier):
    driver.send("undeploy", identifier, "null")
    theirs, transient, *words = driver.wait("undeployed", identifier, timeout=60).split()
    return theirs == "1", transient == "1", " ".join(words)


def test_two_thousand_automations(home):
    one = home(automations_yaml="".join(ONE.format(n=n) for n in range(COUNT)))
    began = time.monotonic()
    one.driver.send("automations", "-", "-")
    assert one.driver.wait("automations", timeout=60) == "0"
    took = time.monotonic() - began
    print(f"{COUNT} automations were read in {took:.1f} s")
    assert took < 20, "what the service waits for"
    assert sum(line.startswith("automation {") for line in one.driver.log) == COUNT
    assert one.driver.deploy("ha_ai_one_more", simple()) == (True, "")
    one.driver.send("compare", "ha_ai_one_more", "-")
    assert one.driver.wait("compared", "ha_ai_one_more", timeout=60) == "same"
    assert undeploy(one.driver, "ha_ai_one_more") == (False, False, "")
    text = (one.folder / "automations.yaml").read_text()
    assert "ha_ai_one_more" not in text and f"many_{COUNT - 1}" in text


@pytest.mark.parametrize("text", ["- id: 'x'\n  alias: [\n", "just text\n", "- id: x\n  alias: !secret nowhere\n"])
def test_broken_while_it_runs(home, text):
    """Nothing is lost, nothing is believed; mended, it goes on."""
    one = home()
    assert one.driver.deploy("ha_ai_x", simple()) == (True, "")
    good = (one.folder / "automations.yaml").read_text()
    (one.folder / "automations.yaml").write_text(text)
    saved, error = one.driver.deploy("ha_ai_y", simple())
    assert not saved and "automations.yaml" in error, error
    theirs, transient, words = undeploy(one.driver, "ha_ai_x")
    assert not theirs and words
    assert (one.folder / "automations.yaml").read_text() == text
    one.driver.send("compare", "ha_ai_x", "-")
    assert one.driver.wait("compared", "ha_ai_x") in ("same", "unknown"), "Home Assistant still runs it"
    (one.folder / "automations.yaml").write_text(good)
    assert undeploy(one.driver, "ha_ai_x") == (False, False, "")


def test_split_files_only(home):
    """configuration.yaml includes a folder and no automations.yaml: saved, but nothing would run it."""
    one = home(configuration_yaml=SPLIT, automations__mine_yaml=ONE.format(n=1))
    saved, error = one.driver.deploy("ha_ai_x", simple())
    assert saved and "does not run it" in error and "automations.yaml" in error
    one.driver.send("automations", "-", "-")
    assert one.driver.wait("automations") == "0"
    assert any('"many_1"' in line for line in one.driver.log if line.startswith("automation {"))
    assert undeploy(one.driver, "ha_ai_x") == (False, False, ""), "what was saved can be taken back"


def test_moved_to_a_split_file(home):
    """A person moves it into another file: theirs, not deleted."""
    both = "automation: !include automations.yaml\nautomation mine: !include_dir_merge_list automations\n"
    one = home(configuration_yaml=both, automations__mine_yaml=ONE.format(n=1))
    assert one.driver.deploy("ha_ai_x", simple(alias="Moves")) == (True, "")
    text = (one.folder / "automations.yaml").read_text()
    (one.folder / "automations" / "moved.yaml").write_text(text.replace("Moves", "Moved"))
    (one.folder / "automations.yaml").write_text("[]\n")
    one.ha.call_service("automation", "reload")
    wait_until(lambda: "Moved" in str(one.ha.states()), 20, "the new file to be read")
    one.driver.send("compare", "ha_ai_x", "-")
    assert one.driver.wait("compared", "ha_ai_x") == "differs it is in another file"
    theirs, _, words = undeploy(one.driver, "ha_ai_x")
    assert theirs and "another file" in words
    assert entity_of(one.ha, "ha_ai_x"), "left alone"
