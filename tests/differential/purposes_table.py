"""Home Assistant's own table of purpose-specific triggers and conditions, as data. Runs in its venv.

    python purposes_table.py FILE.json

Of each whose meaning is a state or a number of entities: its key, which entities it is for (domain, device class), where
the value comes from, which values it knows, and some options that Home Assistant accepts.
"""
import asyncio
import json
import sys
import tempfile
from pathlib import Path

import homeassistant.components
from homeassistant.core import HomeAssistant
from homeassistant.helpers import automation, condition, trigger
from homeassistant.helpers.condition.entity_condition import EntityConditionBase
from homeassistant.helpers.trigger.entity_trigger import EntityTriggerBase
from homeassistant.loader import async_get_integration, async_setup

TARGET = {"entity_id": ["light.x"]}
# What options a class may want; each is asked whether it takes them.
OPTIONS = {
    "none": {}, "for": {"for": {"seconds": 5}}, "behavior": {"behavior": "all"}, "first": {"behavior": "first"},
    "threshold any": {"threshold": {"type": "any"}},
    "threshold": {"threshold": {"type": "above", "value": {"number": 5}}},
    "hvac_mode": {"hvac_mode": ["heat"]}, "mode": {"mode": ["eco"]}, "operation_mode": {"operation_mode": ["eco"]},
    "zone": {"zone": "zone.home"}, "option": {"option": ["day"]}, "event_type": {"event_type": ["press"]},
}


def texts(values):
    return sorted((v if isinstance(v, bool) else str(v) for v in values), key=str)


def plain(value):
    return value if isinstance(value, (str, int, float, bool)) else None


def described(key, kind, integration):
    """What is known of a class without running it."""
    domains = {}
    for domain, spec in getattr(kind, "_domain_specs", {}).items():
        device_class = spec.device_class
        domains[domain] = {
            "device_class": "*" if device_class is automation.ANY_DEVICE_CLASS else device_class and str(device_class),
            "source": spec.value_source and str(spec.value_source),
            "target": getattr(spec, "target_value", None)}
    found = {"key": key, "integration": integration, "domains": domains, "bases": [c.__name__ for c in kind.__mro__]}
    for name in ("_to_states", "_from_states", "_states"):
        if getattr(kind, name, None):
            found[name.strip("_")] = texts(getattr(kind, name))
    for name in ("_from_state", "_valid_unit", "_base_unit", "_required_features"):
        found[name.strip("_")] = plain(getattr(kind, name, None))
    converter = getattr(kind, "_unit_converter", None)
    found["units"] = sorted(str(u) for u in converter.VALID_UNITS if u) if converter else []
    return found


async def accepts(hass, kind, options, entry):
    """Whether the class takes these options; `entry` learns whether it wants a target."""
    for target in ({"target": TARGET}, {}):
        try:
            await kind.async_validate_config(hass, {"options": options, **target})
        except Exception:
            continue
        entry["wants target"] = bool(target)
        return True
    return False


async def table(folder):
    hass = HomeAssistant(folder)
    async_setup(hass)
    found = {"triggers": [], "conditions": []}
    root = Path(homeassistant.components.__path__[0])
    for platform, base, what in (("trigger", EntityTriggerBase, "triggers"), ("condition", EntityConditionBase, "conditions")):
        for path in sorted(root.glob(f"*/{platform}.py")):
            integration = await async_get_integration(hass, path.parent.name)
            try:
                module = await integration.async_get_platform(platform)
            except ImportError:
                continue
            getter = getattr(module, f"async_get_{what}", None)
            for name, kind in (await getter(hass) if getter else {}).items():
                key = automation.get_absolute_description_key(path.parent.name, name)
                entry = described(key, kind, path.parent.name)
                entry["by entity"] = issubclass(kind, base)
                entry["options"] = [o for o, sample in OPTIONS.items() if await accepts(hass, kind, sample, entry)]
                if not entry["options"] and entry["units"]:
                    sample = {"threshold": {"type": "above", "value": {"number": 5, "unit_of_measurement": entry["units"][0]}}}
                    entry["options"] = ["threshold unit"] if await accepts(hass, kind, sample, entry) else []
                found[what].append(entry)
    await hass.async_stop(force=True)
    return found


with tempfile.TemporaryDirectory() as scratch:
    Path(sys.argv[1]).write_text(json.dumps(asyncio.run(table(scratch)), indent=1))
