"""Home Assistant's registries of floors, labels, areas, devices and entities, filled from home.json and saved as it saves them."""
from unittest.mock import patch

import orjson
from homeassistant.helpers import (
    area_registry, device_registry, entity_registry, floor_registry, label_registry,
)
from homeassistant.helpers.entity import EntityCategory
from pytest_homeassistant_custom_component.common import MockConfigEntry

ALL = (area_registry, device_registry, entity_registry, floor_registry, label_registry)


def fill(hass, wanted):
    floors, labels, areas, devices, entities = (m.async_get(hass) for m in (
        floor_registry, label_registry, area_registry, device_registry, entity_registry))
    entry = MockConfigEntry(domain="test", entry_id="test", title="test")
    entry.add_to_hass(hass)
    for name in wanted["floors"]:
        floors.async_create(name)
    for name in wanted["labels"]:
        labels.async_create(name)
    for name, area in wanted["areas"].items():
        areas.async_create(name, floor_id=area["floor"], labels=set(area["labels"]))
    for device_id, device in wanted["devices"].items():
        # Its id is drawn by Home Assistant; automations name it already.
        with patch("homeassistant.util.uuid.getrandbits", return_value=int(device_id, 16)):
            made = devices.async_get_or_create(config_entry_id="test", identifiers={("test", device_id)}, name=device_id[:4])
        assert made.id == device_id
        devices.async_update_device(device_id, area_id=device["area"], labels=set(device["labels"]))
    for entity_id, entity in wanted["entities"].items():
        domain, name = entity_id.split(".")
        made = entities.async_get_or_create(
            domain, "test", entity_id, suggested_object_id=name, config_entry=entry, device_id=entity["device"],
            original_name=name, original_device_class=entity["device_class"], supported_features=entity["supported_features"],
            entity_category=EntityCategory(entity["category"]) if entity["category"] else None,
            hidden_by=entity_registry.RegistryEntryHider.USER if entity["hidden"] else None)
        assert made.entity_id == entity_id, made.entity_id
        entities.async_update_entity(entity_id, area_id=entity["area"], labels=set(entity["labels"]))


def save(hass, folder):
    folder.mkdir(exist_ok=True)
    for module in ALL:
        registry = module.async_get(hass)
        text = orjson.dumps({  # parts of them are its fragments
            "version": module.STORAGE_VERSION_MAJOR, "minor_version": module.STORAGE_VERSION_MINOR, "key": module.STORAGE_KEY,
            "data": registry._data_to_save()}, default=str)
        (folder / module.STORAGE_KEY).write_bytes(text)
