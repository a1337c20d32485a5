"""`ha-ai analyze` beside the automations that Home Assistant has: the files that it takes, and a small part of
tests/accuracy/overlap, whose whole is for `make test-long` and the release build."""
import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from service import simulated_home
from test_analyze import analyze, result

ROOT = Path(__file__).resolve().parents[2]
PLACE = ("--timezone", "UTC", "--explain")
HOMES, LONG_HOMES = 2, 10


@pytest.fixture(scope="module")
def home(ha_ai, tmp_path_factory):
    return simulated_home(ha_ai, tmp_path_factory.mktemp("overlap"), least=2)


@pytest.fixture(scope="module")
def first(ha_ai, home):
    """The first suggestion, which nothing stands against yet."""
    said = result(ha_ai, "--history", home, *PLACE)
    assert "automations" not in said and all("conflicts" not in s for s in said["suggestions"])
    return said["suggestions"][0]


def duplicates(said):
    return {e["automation"]: e["better"] for e in said["explained"] if "automation" in e}


def ids(said):
    return [s["id"] for s in said["suggestions"]]


def test_what_is_there_is_not_suggested(ha_ai, home, first, tmp_path):
    """As Home Assistant tells it, a bare list, YAML, a package; and beside the database."""
    config = first["automation"] | {"id": "1234", "alias": "Mine"}
    told = [{"entity_id": "automation.mine", "enabled": True, "config": config}]
    for number, (text, name) in enumerate((
            (json.dumps(told), "automation.mine"),
            (json.dumps([config]), "1234"),
            (json.dumps(config), "1234"),
            (yaml.safe_dump([config]), "1234"),
            (yaml.safe_dump({"automation mine": [config], "light": []}), "1234"))):
        path = tmp_path / f"{number}.file"
        path.write_text(text)
        said = result(ha_ai, "--history", home, *PLACE, "--automations", path)
        assert duplicates(said) == {name: '"Mine"'} and first["id"] not in ids(said), text
        assert said["dropped"]["duplicate"] >= 1
        assert said["automations"] == {"read": 1, "disabled": 0, "replayed": 1, "looked_at_only": 0, "invalid": 0}
    beside = home.parent / "automations.yaml"
    beside.write_text(yaml.safe_dump([config]))
    try:
        said = result(ha_ai, "--history", home, *PLACE)
        assert duplicates(said) == {"1234": '"Mine"'}
        text = analyze(ha_ai, "--history", home, *PLACE).stdout
        assert "Held against 1 automations: 1 replayed" in text and 'better: "Mine"' in text
        # One of ours that is deployed counts as any other.
        beside.write_text(yaml.safe_dump([config | {"id": "ha_ai_" + first["id"]}]))
        assert first["id"] not in ids(result(ha_ai, "--history", home, *PLACE))
        # A test of chance is of another home.
        assert "automations" not in result(ha_ai, "--history", home, *PLACE, "--null", "days")
    finally:
        beside.unlink()


def test_a_conflict_is_shown(ha_ai, home, first, tmp_path):
    act = [a for a in first["automation"]["actions"] if "target" in a][0]
    service = act["action"].replace("_on", "_X").replace("_off", "_on").replace("_X", "_off")
    opposite = {"alias": "Other {{ way }}", "triggers": first["automation"]["triggers"],
                "actions": [{"action": service, "target": act["target"]}]}
    (tmp_path / "a.json").write_text(json.dumps([{"entity_id": "automation.other", "config": opposite}]))
    said = result(ha_ai, "--history", home, *PLACE, "--automations", tmp_path / "a.json")
    [own] = [s for s in said["suggestions"] if s["id"] == first["id"]]
    [conflict] = own["conflicts"]
    assert conflict["automation"] == "automation.other" and conflict["kind"] == "opposes"
    assert conflict["alias"] == "Other {{ way }}" and '"Other ((' in conflict["why"]
    assert 1 <= len(conflict["examples"]) <= 3 and all(e.endswith("Z") for e in conflict["examples"])
    assert conflict["why"] in own["explanation"] and "{{" not in own["automation"]["description"]
    text = analyze(ha_ai, "--history", home, *PLACE, "--automations", tmp_path / "a.json").stdout
    assert "conflict (opposes) with automation.other, as at 2" in text


@pytest.mark.parametrize("text, part", [
    (None, "No such file"),
    ("[{]", "line 1"),
    ("[1, 2", "position"),
    ("- a: [", "line"),
    ("just text", "no list of automations"),
    (json.dumps([{"triggers": [], "actions": []}] * 2001), "more than 2000 automations"),
    ("[" * 100 + "]" * 100, "nesting"),
    ("[" + " " * (32 * 1024 * 1024), "larger than"),
    ("- " + "x" * (16 * 1024 * 1024), "larger than"),
])
def test_a_bad_file_is_named(ha_ai, home, tmp_path, text, part):
    path = tmp_path / "automations.file"
    if text is not None:
        path.write_text(text)
    done = analyze(ha_ai, "--history", home, *PLACE, "--automations", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "--automations" in done.stderr and str(path) in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("text", ["- a: [", "just text", "- !secret x\n- {triggers: [], actions: !include x.yaml}"])
def test_a_bad_file_beside_the_database_stops_nothing(ha_ai, home, first, text):
    beside = home.parent / "automations.yaml"
    beside.write_text(text)
    try:
        said = result(ha_ai, "--history", home, *PLACE)
    finally:
        beside.unlink()
    assert first["id"] in ids(said) and said["automations"]["problem"]


def test_what_cannot_be_replayed_is_looked_at(ha_ai, home, first, tmp_path):
    """2,000 automations, most of them of no use."""
    config = {**first["automation"], "alias": "Mine", "variables": {"a": "{{ 1 }}"}}
    odd = [config | {"mode": "no such mode"}, {"use_blueprint": {"path": "x"}}, {"alias": "none"}, 5,
           {"enabled": False, "config": config}]
    (tmp_path / "a.json").write_text(json.dumps(odd + [{"triggers": [{"trigger": "event"}], "actions": []}] * 1995))
    said = result(ha_ai, "--history", home, *PLACE, "--automations", tmp_path / "a.json")
    counts = said["automations"]
    assert (counts["read"], counts["disabled"], counts["invalid"]) == (2000, 1, 2)
    assert counts["looked_at_only"] >= 2 and counts["problem"]
    assert duplicates(said) == {"Mine": '"Mine"'}  # by its trigger and action alone


def test_an_archive_is_held_against_them_too(ha_ai, home, first, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([first["automation"] | {"id": "1"}]))
    said = result(ha_ai, "--history", home, *PLACE, "--automations", tmp_path / "a.json",
                  "--archive", tmp_path / "x-archive.db")
    assert duplicates(said).keys() == {"1"}


def test_planted_ones_are_found(ha_ai):
    homes = LONG_HOMES if os.environ.get("HA_AI_LONG") else HOMES
    done = subprocess.run([ROOT / "tests/accuracy/overlap", "--homes", str(homes), "--each", "2"],
                          env=os.environ | {"HA_AI_RELEASE": str(ha_ai)}, capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
