"""Purpose-specific triggers and conditions (`light.turned_on`, `motion.is_detected`) of Home Assistant 2026.11, at random.

What there is comes from Home Assistant's own table (purposes_table.py); so do the entities that a home gets for them, and
the values that those take. Targets point at entities, devices, areas, floors and labels of random registries.
"""
import hashlib

from homes import Entity, numbers

# What entities of a domain can be, besides what the table says; {attribute: values}.
POOLS = {
    "alarm_control_panel": (["disarmed", "arming", "pending", "disarming"], {"supported_features": [63]}),
    "assist_satellite": (["idle"], {}),
    "binary_sensor": (["on", "off"], {}),
    "button": (["2026-01-01T00:00:00+00:00", "2026-01-01T00:00:05+00:00", "2026-02-01T00:00:00+00:00", "unknown"], {}),
    "calendar": (["on", "off"], {}),
    "climate": (["heat", "cool", "off", "auto", "dry", "fan_only", "heat_cool"], {
        "hvac_action": ["idle", "off", "heating", "cooling", "drying", None], "temperature": [None, 17, 19.5, 21, 25],
        "current_temperature": [12, 19.5, 21, 26.5, None], "humidity": [None, 30, 45, 60],
        "current_humidity": [None, 20, 50, 80.5]}),
    "counter": ([str(n) for n in range(8)], {"minimum": [0, None], "maximum": [7, 5, None], "initial": [0, 2]}),
    "cover": (["open", "closed", "opening", "closing"], {"is_closed": [True, False, None], "current_position": [0, 40, 100]}),
    "event": (["2026-01-01T00:00:00.000+00:00", "2026-01-01T00:00:07.000+00:00", "2026-02-01T00:00:00.000+00:00", "unknown"],
              {"event_type": ["press", "double_press", "ring", None]}),
    "fan": (["on", "off"], {"percentage": [0, 50, 100]}),
    "humidifier": (["on", "off"], {"mode": ["eco", "baby", "auto"], "action": ["humidifying", "drying", "idle", "off"],
                                   "humidity": [None, 30, 45, 60], "current_humidity": [None, 20, 50, 80],
                                   "supported_features": [1]}),
    "input_boolean": (["on", "off"], {}),
    "input_select": (["day", "night", "away"], {"options": [["day", "night", "away"]]}),
    "input_text": (["a", "b", "", "hello"], {}),
    "lawn_mower": (["docked", "mowing", "paused"], {}),
    "light": (["on", "off"], {"brightness": [None, 0, 1, 51, 102, 128, 200, 255]}),
    "lock": (["locked", "unlocked", "locking", "unlocking"], {}),
    "media_player": (["playing", "paused", "idle", "off", "on", "buffering", "standby"], {
        "volume_level": [None, 0, 0.0, 0.25, 0.5, 1], "is_volume_muted": [None, True, False], "source": ["TV", "Radio", None]}),
    "remote": (["on", "off"], {}),
    "schedule": (["on", "off"], {"next_event": ["2026-01-01T08:00:00+00:00", "2026-01-01T09:00:00+00:00"]}),
    "select": (["day", "night", "away"], {"options": [["day", "night", "away"]]}),
    "siren": (["on", "off"], {}),
    "switch": (["on", "off"], {}),
    "text": (["a", "b", "hello"], {}),
    "timer": (["idle", "active", "paused"], {}),
    "todo": (["0", "1", "3", "7"], {}),
    "update": (["on", "off"], {}),
    "vacuum": (["docked", "cleaning", "idle"], {}),
    "valve": (["open", "closed", "opening"], {"is_closed": [True, False, None]}),
    "water_heater": (["off", "eco", "electric", "performance"], {
        "temperature": [None, 40, 55, 60], "current_temperature": [30, 45.5, 61], "operation_mode": ["off", "eco", "electric"],
        "supported_features": [3]}),
    "weather": (["sunny", "rainy", "cloudy"], {"temperature": [-3, 12.5, 30], "humidity": [20, 55, 90],
                                               "temperature_unit": ["°C"]}),
}
for twin, of in (("input_button", "button"), ("scene", "button")):
    POOLS[twin] = POOLS[of]


def hex_id(text):
    return hashlib.md5(text.encode()).hexdigest()


class Purposes:
    """What a home has of them. Made before its days are played: adds entities and registries to the home."""

    def __init__(self, rng, home, table, only=None):
        self.rng, self.home = rng, home
        self.triggers, self.conditions = ([e for e in table[what] if e["by entity"] and (e["options"] or "zone" in e["key"])]
                                          for what in ("triggers", "conditions"))
        if only:
            self.triggers, self.conditions = ([e for e in found if e["key"].split(".")[0] in only] or found
                                              for found in (self.triggers, self.conditions))
        # A few purposes a home, so that several automations and conditions meet in the same entities.
        chosen = rng.sample(sorted({e["key"].split(".")[0] for e in self.triggers}), min(9, len(only) if only else 9))
        self.triggers = [e for e in self.triggers if e["key"].split(".")[0] in chosen]
        self.conditions = [e for e in self.conditions if e["key"].split(".")[0] in chosen] or self.conditions[:5]
        self.triggers, self.conditions = (rng.sample(found, min(len(found), 24)) for found in (self.triggers, self.conditions))
        for number, entry in enumerate([*self.triggers, *self.conditions]):
            self.provide(entry, number)
        self.draw_registries()

    # --- entities -----------------------------------------------------------------------------------------------------

    def fitting(self, entry):
        """The home's entities that a trigger or condition is for."""
        return [e for e in self.home.entities.values() if e.domain in entry["domains"] and
                entry["domains"][e.domain]["device_class"] in ("*", e.device_class)]

    def provide(self, entry, number):
        """At least one entity for it, three at most."""
        rng, found = self.rng, self.fitting(entry)
        if len(found) >= 2 or "zone" in entry["domains"] or "person" in entry["domains"] or "sun" in entry["domains"]:
            return
        for i in range(rng.choice([1, 2, 3]) - len(found)):
            domain = rng.choice(sorted(entry["domains"]))
            spec = entry["domains"][domain]
            device_class = None if spec["device_class"] == "*" else spec["device_class"]
            entity = self.entity(f"{domain}.{entry['integration']}_{number}_{i + 1}", domain, device_class, entry)
            entity.near, entity.somewhere = self.home.near, self.home.somewhere
            self.home.entities[entity.entity_id] = entity

    def entity(self, entity_id, domain, device_class, entry):
        rng, fixed = self.rng, {"device_class": device_class} if device_class else {}
        if domain == "sensor":
            low, high = {"temperature": (-10, 35), "power": (0, 3000), "illuminance": (0, 2000)}.get(device_class, (0, 100))
            units = [entry["valid_unit"]] if entry["valid_unit"] else [entry["base_unit"], *entry["units"]]
            units = [u for u in units if u] or ["%"]
            if rng.random() < 0.1:
                units = ["furlongs"]
            fixed["unit_of_measurement"] = rng.choice([units[0], rng.choice(units)])
            entity = Entity(entity_id, fixed=fixed, rate=rng.choice([30, 100]), make=numbers(low, high, (high - low) / 6, 1))
            entity.range = (low, high, 1)
            return entity
        states, attributes = POOLS[domain]
        known = {s for e in [*self.triggers, *self.conditions] if domain in e["domains"] and not e["domains"][domain]["source"]
                 for name in ("to_states", "from_states", "states") for s in e.get(name, []) if isinstance(s, str)}
        attributes = dict(attributes)
        # What restored entities have, too.
        fixed.update({k: attributes.pop(k)[0] for k in ("supported_features",) if k in attributes})
        for e in [*self.triggers, *self.conditions]:
            source = e["domains"].get(domain, {}).get("source")
            if source and (e.get("to_states") or e.get("states")):
                attributes[source] = list(dict.fromkeys([*attributes.get(source, ["other"]), *(e.get("to_states") or e["states"])]))
        return Entity(entity_id, dict.fromkeys([*states, *sorted(known)]), attributes, fixed, rate=rng.choice([15, 60]))

    # --- registries ---------------------------------------------------------------------------------------------------

    def draw_registries(self):
        rng, home = self.rng, self.home
        floors = ["ground", "upper"]
        areas = {name: {"floor": rng.choice([*floors, None]), "labels": self.labels(0.2)}
                 for name in ("kitchen", "bedroom", "hall", "garden")}
        devices = {hex_id(f"{rng.random()}"): {"area": rng.choice([*areas, None]), "labels": self.labels(0.2)} for _ in range(7)}
        entities = {}
        for entity in home.entities.values():
            if entity.entity_id == "sun.sun" or entity.domain == "zone" or rng.random() < 0.15:
                continue
            entities[entity.entity_id] = {
                "device": rng.choice([*devices, None, None, None]), "area": rng.choice([*areas, *[None] * 10]),
                "labels": self.labels(0.2), "category": rng.choice(["config", "diagnostic", *[None] * 10]),
                "hidden": rng.random() < 0.06, "device_class": entity.device_class,
                "supported_features": entity.fixed.get("supported_features", 0)}
        home.registry = {"floors": floors, "labels": ["holiday", "important"], "areas": areas, "devices": devices,
                         "entities": entities}

    def labels(self, probability):
        return [label for label in ("holiday", "important") if self.rng.random() < probability]

    def target(self, maker, entry):
        rng, registry, fitting = self.rng, self.home.registry, self.fitting(entry)
        kinds = rng.choices([["entity_id"], ["area_id"], ["device_id"], ["floor_id"], ["label_id"], ["entity_id", "area_id"],
                             ["device_id", "label_id"]], [45, 15, 12, 8, 8, 8, 4])[0]
        target = {kind: self.pick(kind, maker, fitting, registry) for kind in kinds}
        if rng.random() < 0.08:
            kind = rng.choice(["entity_id", "area_id", "device_id", "label_id"])
            target["exclude"] = {kind: self.pick(kind, maker, fitting, registry)}
        return target

    def pick(self, kind, maker, fitting, registry):
        """Ids of that kind: mostly such as have something fitting."""
        rng = self.rng
        near = [registry["entities"][e.entity_id] for e in fitting if e.entity_id in registry["entities"]]
        devices = [e["device"] for e in near if e["device"]]
        areas = [e["area"] or (registry["devices"][e["device"]]["area"] if e["device"] else None) for e in near]
        areas = [a for a in areas if a]
        floors = [f for a in areas if (f := registry["areas"][a]["floor"])]
        pools = {
            "entity_id": [e.entity_id for e in fitting] or list(self.home.entities), "device_id": devices or list(registry["devices"]),
            "area_id": areas or list(registry["areas"]), "floor_id": floors or registry["floors"],
            "label_id": registry["labels"]}
        everything = {"entity_id": list(self.home.entities), "device_id": list(registry["devices"]),
                      "area_id": list(registry["areas"]), "floor_id": registry["floors"], "label_id": registry["labels"]}
        values = maker.some(dict.fromkeys(pools[kind]), 3)
        if rng.random() < 0.1:
            values.append(rng.choice(everything[kind]))
        return maker.listed(list(dict.fromkeys(values)))

    # --- configuration ------------------------------------------------------------------------------------------------

    def limit(self, entry, fitting):
        """A threshold's number, or an entity whose number it is."""
        rng = self.rng
        measured = [e.entity_id for e in self.home.entities.values() if hasattr(e, "range")]
        if measured and rng.random() < 0.15:
            return {"entity": rng.choice(measured)}
        source = {s["source"] for s in entry["domains"].values()}
        ranges = [e.range for e in fitting if hasattr(e, "range")] or [(0, 100, 0)]
        low, high, _ = rng.choice(ranges)
        if "temperature" in source or "current_temperature" in source:
            low, high = 10, 30
        limit = {"number": round(rng.uniform(low + (high - low) * 0.2, high - (high - low) * 0.2), rng.choice([0, 1]))}
        if entry["units"]:
            limit["unit_of_measurement"] = rng.choice([entry["base_unit"], entry["base_unit"], rng.choice(entry["units"])])
        return limit

    def threshold(self, entry, fitting, with_any):
        kind = self.rng.choice(["above", "above", "below", "between", "outside", *(["any"] * 3 if with_any else [])])
        if kind == "any":
            return {"type": "any"}
        if kind in ("above", "below"):
            return {"type": kind, "value": self.limit(entry, fitting)}
        ends = [self.limit(entry, fitting), self.limit(entry, fitting)]
        ends.sort(key=lambda e: e.get("number", 0))
        return {"type": kind, "value_min": ends[0], "value_max": ends[1]}

    def config(self, maker, entry, behaviors):
        rng, fitting, options = self.rng, self.fitting(entry), {}
        accepted = entry["options"]
        if any(o.startswith("threshold") for o in accepted):
            options["threshold"] = self.threshold(entry, fitting, "threshold any" in accepted)
        for name, values in (("hvac_mode", ["heat", "cool", "off", "auto"]), ("mode", ["eco", "baby", "auto"]),
                             ("operation_mode", ["eco", "electric", "performance", "off"]), ("option", ["day", "night", "away"]),
                             ("event_type", ["press", "double_press", "ring"])):
            if name in accepted:
                options[name] = maker.listed(maker.some(values, 2)) if name != "event_type" else maker.some(values, 2)
        if "zone" in accepted:
            options["zone"] = rng.choice(self.home.of("zone")).entity_id
        with_behavior = "behavior" in accepted or "crossed" in entry["key"] or "threshold" in options and "changed" not in entry["key"]
        is_sun = entry["key"].startswith("sun.")  # there is only one
        if with_behavior and not is_sun and rng.random() < 0.5:
            options["behavior"] = rng.choice(behaviors)
        if with_behavior and (not is_sun or "crossed" in entry["key"]) and rng.random() < 0.35:
            options["for"] = maker.length(3600)
        config = {}
        if entry["wants target"]:
            config["target"] = self.target(maker, entry)
        if options or rng.random() < 0.2:
            config["options"] = options
        return entry["key"], config

    def trigger(self, maker):
        return self.config(maker, self.rng.choice(self.triggers), ["each", "first", "all", "any", "last"])

    def condition(self, maker):
        return self.config(maker, self.rng.choice(self.conditions), ["any", "all"])
