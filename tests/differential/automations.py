"""Random automations for a home: every trigger and condition that the back-test replays, with random parameters.

They are plain data as Home Assistant reads it from YAML, in its many spellings; spelling.py turns them into text.
`Maker.purpose` (purposes.py) adds what only newer releases know.
"""
from spelling import Plain

SECONDS = [0.5, 1, 2, 5, 10, 30, 45, 60, 90, 120, 300, 600, 900, 1200, 1800, 3600, 5400, 7200, 4 * 3600, 10 * 3600]
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Maker:
    def __init__(self, rng, home, version):
        self.rng, self.home, self.version = rng, home, version
        self.new = version >= (2026,)
        self.purpose = None

    def chance(self, probability):
        return self.rng.random() < probability

    def some(self, values, most):
        """One to `most` of them."""
        values = list(values)
        return self.rng.sample(values, min(len(values), self.rng.choice([1, 1, *range(1, most + 1)])))

    def listed(self, values):
        """One value alone, or a list; Home Assistant takes both."""
        return values[0] if len(values) == 1 and self.chance(0.7) else list(values)

    def ids(self, entities):
        ids = [e.entity_id for e in entities]
        return ", ".join(ids) if self.chance(0.1) else self.listed(ids)

    # --- lengths and times of day -------------------------------------------------------------------------------------

    def period(self, seconds):
        """A length of time in one of its spellings."""
        rng, whole = self.rng, int(seconds)
        clock = f"{whole // 3600:02d}:{whole // 60 % 60:02d}"
        forms = [seconds, str(seconds), {"seconds": seconds}]
        if seconds == whole:
            forms += [f"{clock}:{whole % 60:02d}", f"{clock}:{whole % 60:02d}", {"seconds": str(whole)},
                      {"hours": whole // 3600, "minutes": whole // 60 % 60, "seconds": whole % 60},
                      {"minutes": seconds / 60}, {"milliseconds": whole * 1000}]
            if whole % 60 == 0:
                forms += [clock, {"minutes": whole // 60}, {"hours": whole // 3600, "minutes": whole // 60 % 60}]
            if whole >= 3600:  # YAML 1.1 reads it as a number to the base 60: seconds
                forms.append(Plain(f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}", whole))
            elif whole >= 60:
                forms.append(Plain(f"{whole // 60}:{whole % 60:02d}", whole))
        else:
            forms += [f"{clock}:{seconds % 60:06.3f}", {"milliseconds": round(seconds * 1000)}]
        return rng.choice(forms)

    def length(self, most=10 * 3600):
        seconds = self.rng.choice([s for s in SECONDS if s <= most])
        self.home.durations.append(round(seconds * 1000))
        return self.period(seconds)

    def moment(self):
        """A local time of day (hour, minute, second)."""
        rng = self.rng
        moment = (rng.choice([0, 1, 2, 2, 3, 5, 6, 7, 8, 12, 16, 17, 18, 20, 22, 23]), rng.choice([0, 0, 15, 30, 30, 59]),
                  rng.choice([0, 0, 0, 30, 59]))
        self.home.moments.append(moment)
        return moment

    def clock(self):
        hour, minute, second = self.moment()
        return f"{hour:02d}:{minute:02d}" if second == 0 and self.chance(0.5) else f"{hour:02d}:{minute:02d}:{second:02d}"

    def offset(self):
        rng = self.rng
        seconds = rng.choice([600, 900, 1800, 2700, 3600, 5400, 3 * 3600, 7 * 3600, 30 * 3600])
        sign = rng.choice([1, -1])
        whole = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"
        return rng.choice([sign * seconds, f"{'-' if sign < 0 else rng.choice(['', '+'])}{whole}:00",
                           f"{'-' if sign < 0 else ''}{whole}", {"minutes": sign * seconds // 60},
                           {"hours": sign * (seconds // 3600), "minutes": sign * (seconds // 60 % 60)}])

    # --- triggers -----------------------------------------------------------------------------------------------------

    def states_of(self, entities):
        """Values that the entities' states take, and some that they do not."""
        rng, values = self.rng, []
        for entity in entities:
            values += entity.states or [entity.value(rng, None)[0] for _ in range(3)]
        return [*dict.fromkeys(values), "unavailable", "unknown", *(["nonsense"] if self.chance(0.1) else [])]

    def wanted(self, values, most):
        """A value, a list of some, or nothing at all (null)."""
        if self.chance(0.06):
            return None
        return self.listed(self.some(values, most))

    def state_trigger(self):
        rng, home = self.rng, self.home
        first = rng.choice(list(home.entities.values()))
        entities = [first]
        if self.chance(0.3):
            entities = list(dict.fromkeys([first, *self.some(home.of(first.domain), 3)]))
        trigger = {"entity_id": self.ids(entities)}
        values = self.states_of(entities)
        if first.attributes and self.chance(0.3):
            name = rng.choice(list(first.attributes))
            trigger["attribute"] = name
            values = [v for v in first.attributes[name] if not isinstance(v, list)] + ["nonsense"]
        shape = rng.choice(["to", "to", "to", "from", "from to", "not_to", "not_from", "from not_to", "not_from to", "", ""])
        for key in shape.split():
            trigger[key] = self.wanted(values, 3)
        if self.chance(0.45):
            trigger["for"] = 0 if self.chance(0.05) else self.length()
        return "state", trigger

    def threshold(self, entity):
        """A number near the entity's, now and then written as a text, or another entity's number."""
        rng = self.rng
        if self.chance(0.2):
            return rng.choice([e.entity_id for e in self.home.entities.values() if hasattr(e, "range")])
        low, high, digits = entity.range
        number = round(rng.uniform(low + (high - low) * 0.2, high - (high - low) * 0.2), digits)
        return rng.choice([number, number, round(number), str(number)])

    def numeric(self):
        """What numeric_state triggers and conditions have in common."""
        rng, home = self.rng, self.home
        measured = [e for e in home.entities.values() if hasattr(e, "range")]
        first = rng.choice(measured)
        config = {}
        if self.chance(0.2):
            first = rng.choice(home.of("light", "climate", "media_player", "cover", "sun"))
            name, (low, high) = {
                "light": ("brightness", (0, 255)), "climate": (rng.choice(["temperature", "current_temperature"]), (15, 25)),
                "media_player": ("volume_level", (0, 1)), "cover": ("current_position", (0, 100)),
                "sun": ("elevation", (-20, 40))}[first.domain]
            config["attribute"] = name if self.chance(0.95) else "missing"
            above, below = (round(rng.uniform(low, high), 2) for _ in range(2))
        else:
            above, below = self.threshold(first), self.threshold(first)
        entities = [first]
        if self.chance(0.25) and "attribute" not in config:
            entities = list(dict.fromkeys([first, *self.some(measured, 3)]))
        shape = rng.choice(["above", "below", "above below"])
        if "above" in shape:
            config["above"] = above
        if "below" in shape:
            config["below"] = below
        try:  # Home Assistant refuses what can never be
            if shape == "above below" and float(above) > float(below):
                config["above"], config["below"] = below, above
        except ValueError:
            pass
        return {"entity_id": self.ids(entities), **config}

    def numeric_trigger(self):
        config = self.numeric()
        if self.chance(0.35):
            config["for"] = self.length(7200)
        return "numeric_state", config

    def time_trigger(self):
        rng, home, at = self.rng, self.home, []
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            entities = home.of("input_datetime") + [e for e in home.of("sensor") if e.device_class == "timestamp"]
            chance = rng.random()
            if chance < 0.25:
                at.append(rng.choice(entities).entity_id)
            elif chance < 0.35:
                entity = {"entity_id": rng.choice(entities).entity_id}
                at.append({**entity, "offset": self.offset()} if not self.new or self.chance(0.9) else entity)
            else:
                at.append(self.clock())
        config = {"at": self.listed(at)}
        if self.new and self.chance(0.3):
            config["weekday"] = self.listed(self.some(WEEKDAYS, 5))
        return "time", config

    def sun_trigger(self):
        config = {"event": self.rng.choice(["sunrise", "sunset"])}
        if self.chance(0.5):
            config["offset"] = self.offset()
        return "sun", config

    def zone_trigger(self):
        who = self.some(self.home.of("person", "device_tracker"), 2)
        config = {"entity_id": self.ids(who), "zone": self.rng.choice(self.home.of("zone")).entity_id}
        if self.chance(0.8):
            config["event"] = self.rng.choice(["enter", "leave"])
        return "zone", config

    def pattern_trigger(self):
        rng = self.rng
        return "time_pattern", rng.choice([
            {"hours": "/2"}, {"hours": 2, "minutes": 30}, {"minutes": "/15"}, {"minutes": "/7"}, {"minutes": 30},
            {"hours": "*", "minutes": "5", "seconds": 20}, {"hours": "1", "minutes": "/20", "seconds": "/30"}, {"hours": "/5"},
            {"minutes": "/5", "seconds": 59}, {"hours": 23, "minutes": 59, "seconds": "59"}, {"hours": 3, "minutes": "*"}])

    def start_trigger(self):
        return "homeassistant", {"event": "start"}

    def trigger(self, index):
        if self.purpose and self.chance(0.6):
            kind, config = self.purpose.trigger(self)
        else:
            kind, config = self.rng.choices(
                [self.state_trigger, self.numeric_trigger, self.time_trigger, self.sun_trigger, self.zone_trigger,
                 self.pattern_trigger, self.start_trigger], [36, 20, 13, 10, 8, 6, 1])[0]()
        config = {self.rng.choice(["trigger", "platform"]): kind, **config}
        if self.chance(0.3):
            config["id"] = self.rng.choice([f"t{index}", "morning", "same", "1"])
        if self.chance(0.05):
            config["alias"] = "a trigger"
        if self.chance(0.08):
            config["enabled"] = self.chance(0.4)
        if self.chance(0.04):
            config["variables"] = {"who": "world"}
        return config

    # --- conditions ---------------------------------------------------------------------------------------------------

    def state_condition(self):
        rng, home = self.rng, self.home
        first = rng.choice(list(home.entities.values()))
        entities = [first]
        if self.chance(0.25):
            entities = list(dict.fromkeys([first, *self.some(home.of(first.domain), 3)]))
        config = {"entity_id": self.ids(entities)}
        values = self.states_of(entities)
        if first.attributes and self.chance(0.2):
            name = rng.choice(list(first.attributes))
            config["attribute"] = name
            values = [str(v) for v in first.attributes[name] if isinstance(v, (str, int, float))] or ["5"]
        by_entity = "attribute" not in config and self.chance(0.05)
        if by_entity:
            values = [rng.choice(home.of("input_select", "input_boolean")).entity_id, *values]
        config["state"] = self.listed(self.some(values, 3))
        if self.chance(0.3) and not (self.new and ("attribute" in config or by_entity)):
            config["for"] = self.length()
        if len(entities) > 1 and self.chance(0.4):
            config["match"] = rng.choice(["any", "all"])
        return "state", config

    def time_condition(self):
        rng, home, config = self.rng, self.home, {}

        def end():
            entities = home.of("input_datetime") + [e for e in home.of("sensor") if e.device_class == "timestamp"]
            return rng.choice(entities).entity_id if self.chance(0.2) else self.clock()
        shape = rng.choice(["after", "before", "after before", "after before", "weekday"])
        if "after" in shape:
            config["after"] = end()
        if "before" in shape:
            config["before"] = end()
        if shape == "weekday" or self.chance(0.2):
            config["weekday"] = self.listed(self.some(WEEKDAYS, 6))
        return "time", config

    def sun_condition(self):
        rng, config = self.rng, {}
        for key in rng.choice([["after"], ["before"], ["after", "before"]]):
            config[key] = rng.choice(["sunrise", "sunset"])
            if self.chance(0.4):
                config[f"{key}_offset"] = self.offset()
        return "sun", config

    def zone_condition(self):
        who = self.some(self.home.of("person", "device_tracker"), 2)
        where = self.some(self.home.of("zone"), 2)
        return "zone", {"entity_id": self.ids(who), "zone": self.listed([e.entity_id for e in where])}

    def condition(self, ids, depth=0):
        rng = self.rng
        if depth < 3 and self.chance(0.25):
            kind = rng.choice(["and", "or", "or", "not"])
            inner = [self.condition(ids, depth + 1) for _ in range(rng.choice([1, 2, 2, 3]))]
            if self.chance(0.4):
                config = {kind: inner}
            else:
                config = {"condition": kind, "conditions": self.listed(inner)}
        elif self.purpose and self.chance(0.5):
            kind, config = self.purpose.condition(self)
            config = {"condition": kind, **config}
        elif self.chance(0.15):
            config = {"condition": "trigger", "id": self.listed(self.some(ids, 3))}
        else:
            kind, config = rng.choices(
                [self.state_condition, self.numeric, self.time_condition, self.sun_condition, self.zone_condition],
                [35, 20, 25, 12, 8])[0](), None
            kind, config = kind if isinstance(kind, tuple) else ("numeric_state", kind)
            config = {"condition": kind, **config}
        if self.chance(0.06):
            config["enabled"] = self.chance(0.5)
        if self.chance(0.03):
            config["alias"] = "a condition"
        return config

    # --- actions and the rest -----------------------------------------------------------------------------------------

    def delay(self):
        """An odd length, so that a run seldom ends exactly when something else happens; sometimes a round one."""
        rng = self.rng
        if self.chance(0.1):
            return self.period(rng.choice([60, 300, 900, 3600]))
        return self.period(rng.choice([0.7, 3.3, 7, 37, 113, 611, 1741, 3607, 10009, 40009]))

    def actions(self):
        rng, actions = self.rng, []
        for _ in range(rng.choice([0, 1, 1, 2])):
            lamp = rng.choice(self.home.of("light")).entity_id
            key = rng.choice(["action", "service"])
            actions.append(rng.choice([
                {key: "light.turn_on", "target": {"entity_id": lamp}, "data": {"brightness": 128}},
                {key: "light.turn_off", "entity_id": lamp},
                {key: "notify.notify", "data": {"message": "it happened"}},
                {"event": "something_happened", "event_data": {"what": 1}}]))
        for _ in range(rng.choice([0, 0, 1, 1, 2])):
            actions.insert(rng.randint(0, len(actions)), {"delay": self.delay()})
        return actions

    def automation(self, number):
        rng = self.rng
        triggers = [self.trigger(i) for i in range(rng.choice([1, 1, 1, 2, 2, 3]))]
        ids = [t.get("id", str(i)) for i, t in enumerate(triggers)] + ["other"]
        automation = {"alias": f"A{number}"}
        if self.chance(0.7):
            automation["id"] = rng.choice([f"id{number}", str(1700000000000 + number)])
        if self.chance(0.3):
            automation["description"] = "Does: nothing # really"
        if len(triggers) > 1 and self.chance(0.07):
            automation["triggers"] = [triggers[0], {"triggers": triggers[1:]}]
        else:
            automation[rng.choice(["trigger", "triggers"])] = self.listed(triggers)
        if self.chance(0.55):
            conditions = [self.condition(ids) for _ in range(rng.choice([1, 1, 1, 2]))]
            automation[rng.choice(["condition", "conditions"])] = self.listed(conditions)
        actions = self.actions()
        automation[rng.choice(["action", "actions"])] = self.listed(actions) if actions else []
        mode = rng.choice([None, None, "single", "restart", "queued", "parallel"])
        if mode:
            automation["mode"] = mode
            if mode in ("queued", "parallel") and self.chance(0.6):
                automation["max"] = rng.choice([2, 2, 3, 5])
            if self.chance(0.3):
                automation["max_exceeded"] = rng.choice(["silent", "warning"])
        if self.chance(0.03):
            automation["initial_state"] = self.chance(0.5)
        return automation
