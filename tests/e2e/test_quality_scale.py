"""docs/quality_scale.yaml: every rule of Home Assistant's integration quality scale, and that what it claims is so."""
import json
import re
import subprocess

import pytest
import yaml

from conftest import ROOT

# script/hassfest/quality_scale.py of Home Assistant.
RULES = {
    "bronze": "action-setup appropriate-polling brands common-modules config-flow config-flow-test-coverage "
              "dependency-transparency docs-actions docs-conditions docs-high-level-description "
              "docs-installation-instructions docs-removal-instructions docs-triggers entity-event-setup "
              "entity-unique-id has-entity-name runtime-data test-before-configure test-before-setup "
              "unique-config-entry",
    "silver": "action-exceptions config-entry-unloading docs-configuration-parameters docs-installation-parameters "
              "entity-unavailable integration-owner log-when-unavailable parallel-updates reauthentication-flow "
              "test-coverage",
    "gold": "devices diagnostics discovery discovery-update-info docs-data-update docs-examples "
            "docs-known-limitations docs-supported-devices docs-supported-functions docs-troubleshooting "
            "docs-use-cases dynamic-devices entity-category entity-device-class entity-disabled-by-default "
            "entity-translations exception-translations icon-translations reconfiguration-flow repair-issues "
            "stale-devices",
    "platinum": "async-dependency inject-websession strict-typing",
}
TEXT = (ROOT / "docs/quality_scale.yaml").read_text()
SCALE = yaml.safe_load(TEXT)["rules"]
README = (ROOT / "README.md").read_text()
FILES = [json.loads(path.read_text()) for path in sorted((ROOT / "discovery").glob("*.json"))]


@pytest.fixture(scope="module")
def message(ha_ai):
    printed = subprocess.run([ha_ai, "discovery", "print"], check=True, capture_output=True, text=True, env={})
    return json.loads(printed.stdout)


def test_all_rules_are_there_by_tier():
    assert list(SCALE) == " ".join(RULES.values()).split()
    tiers = [line.strip("# ").lower() for line in TEXT.splitlines() if re.fullmatch("  # [A-Z][a-z]+", line)]
    assert tiers == list(RULES)


@pytest.mark.parametrize("rule", SCALE)
def test_each_says_why(rule):
    entry = SCALE[rule]
    assert set(entry) == {"status", "comment"}
    assert entry["status"] in ("done", "exempt") and len(entry["comment"]) > 10


def done(rule):
    assert SCALE[rule]["status"] == "done"


def test_what_is_said_of_the_documents():
    """Chapters and phrases that comments point to exist."""
    for rule, entry in SCALE.items():
        if entry["status"] != "done" or not rule.startswith("docs-"):
            continue
        for name in re.findall(r"(?:docs|contrib)/[\w./-]+", entry["comment"]):
            assert (ROOT / name.rstrip(".")).exists(), (rule, name)
        for words in re.findall('"([^"]+)"', entry["comment"]):
            text = README if "README" in entry["comment"] else (ROOT / "docs/discovery-format.md").read_text()
            assert words in text, (rule, words)
    variables = set(re.findall("^#? ?([A-Z_]+)=", (ROOT / "contrib/env.template").read_text(), re.M))
    assert {"MQTT_BROKER", "HA_URL", "HA_TOKEN", "INSTANCE"} <= variables


def test_names_ids_and_device(message):
    done("entity-unique-id"), done("has-entity-name"), done("devices"), done("discovery")
    device = message["device"]
    assert device["identifiers"] == ["ha_ai"] and device["manufacturer"] and device["model"] and device["sw_version"]
    entities = {key: c for key, c in message["components"].items() if c["platform"] != "device_automation"}
    assert len(entities) == len(FILES)
    assert all(c["unique_id"] == f"ha_ai_{key}" for key, c in entities.items())
    assert not [c["name"] for c in entities.values() if c["name"].startswith(device["name"])]


def test_categories_classes_and_noise():
    done("entity-category"), done("entity-device-class"), done("entity-disabled-by-default")
    for one in FILES:
        assert one.get("device_class") or one["icon"].startswith("mdi:"), one["name"]
        if one.get("enabled_by_default") is False:
            assert one["entity_category"] == "diagnostic", one["name"]
        if one["platform"] in ("number", "switch"):
            assert one["entity_category"] == "config", one["name"]
        if one["platform"] == "sensor" and one.get("unit_of_measurement") in ("d", "s", "ms"):
            assert one["device_class"] == "duration", one["name"]
        if one["platform"] == "sensor" and one.get("unit_of_measurement") == "MB":
            assert one["device_class"] == "data_size", one["name"]
    assert sum(one.get("enabled_by_default") is False for one in FILES) >= 8


def test_entities_are_unavailable_but_for_one(message):
    done("entity-unavailable")
    own = [key for key, c in message["components"].items() if "availability" in c]
    assert own == ["connected"] and message["availability"] == [{"topic": "ha-ai/device/ha_ai/availability"}]


def test_translations(message):
    done("entity-translations")
    ids = {one["ha_ai"]["id"] for one in FILES}
    english = {one["ha_ai"]["id"]: one["name"] for one in FILES}
    languages = {path.stem: json.loads(path.read_text()) for path in (ROOT / "discovery/lang").glob("*.json")}
    assert {"de", "fr", "nl", "es"} <= set(languages)
    for language, names in languages.items():
        assert set(names) <= ids, language
        assert len(names) >= 0.9 * len(ids), f"{language}: hardly a word may be missing"
        assert sum(names[i] != english[i] for i in names) > 0.8 * len(names), language


def test_every_event_is_a_trigger(message):
    done("docs-triggers")
    triggers = {(c["type"], c["subtype"]) for c in message["components"].values()
                if c["platform"] == "device_automation"}
    events = [one for one in FILES if one["platform"] == "event"]
    assert triggers == {(kind, one["name"]) for one in events for kind in one["event_types"]}
    assert all(f"*{one['name']}*" in README or f"| {one['name']}" in README for one in events)


def test_every_entity_is_in_the_readme():
    done("docs-supported-functions")
    table = README[README.index("| entity |"):README.index("**Approve** needs")]
    missing = [one["name"] for one in FILES if one["name"].partition(" (")[0] not in table]
    assert missing == []
