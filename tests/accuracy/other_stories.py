"""The households of tests/accuracy/other_world.py, as tables. Ranges are drawn from, of lists one is chosen.

People: hours of getting up and going to bed; when they are out: days, from and to (hours), their scatter, its chance.
Devices: entity, room, uses a day without habit, minutes of a use, share of uses by the switch on the wall."""

WEEKDAYS, WEEKEND, DAILY = "mon tue wed thu fri", "sat sun", "mon tue wed thu fri sat sun"
DARK = {"kind": "dark", "entity_id": "sun.sun", "state": "below_horizon"}


def home(person):
    return {"kind": "presence", "entity_id": f"person.{person}", "state": "home"}


def mode(entity, state):
    return {"kind": "mode", "entity_id": entity, "state": state}


def habit(kind, act, **more):
    """act: "entity state", of what is set "entity"."""
    entity, _, state = act.partition(" ")
    return {"kind": kind, "act": (entity, state or None), "days": ["all"], "gate": [None]} | more


def at(act, first, last, kind="time_of_day", **more):
    return habit(kind, act, at=(first, last), **more)


def by_sun(act, event, low, high, kind="sun", **more):
    return habit(kind, act, sun=event, offset=(low, high), **more)


def after(act, trigger, low, high, kind="sequence", **more):
    return habit(kind, act, after=tuple(trigger.split()), lag=(low, high), **more)


def bright(act, first, last, **values):
    return habit("value", act, values=values, **{"from": (first, last)})


def left(entity, low, high):
    return habit("left_on", f"{entity} off", minutes=(low, high))


RETIRED = {
    "name": "a retired couple",
    "scatter": "laplace",
    "people": {
        "gertrud": (6.5, 22.3, [(DAILY, 10, 11.3, 0.6, 0.5), ("thu", 14, 17, 0.3, 0.9), (WEEKEND, 15, 17, 0.8, 0.4)]),
        "heinz": (7.2, 22.8, [("tue fri", 9, 12, 0.4, 0.8), (DAILY, 16, 17.2, 1.2, 0.4)]),
    },
    "motion": {"flur": 34, "stube": 40, "kueche": 44, "speisekammer": 0, "werkstatt": 9},
    "door": "binary_sensor.haustuer",
    "window": "binary_sensor.bad_fenster",
    "machine": "switch.aquarium",
    "automatic": ("binary_sensor.flur_motion", "light.flur_nachtlicht"),
    "modes": {},
    "scenes": {"scene.fernsehabend": ["light.stube_deckenlampe", "light.bad_spiegel"]},
    "devices": """
        light.stube_deckenlampe stube 1.5 70 0.4      light.stube_leselampe stube 5 25 0.1
        light.eckleuchte_links stube 0.4 90 0.5       light.eckleuchte_rechts stube 0 90 0.5
        switch.kaffeemaschine kueche 0.3 40 1         switch.kuechenradio kueche 0.5 80 0.8
        light.arbeitsplatte kueche 0.6 35 0.6         light.speisekammer speisekammer 0 7 1
        light.flur flur 0.8 12 0.9                    light.hauslicht flur 0.2 200 0.3
        switch.heizdecke schlafzimmer 0.4 45 0.7      light.werkstatt werkstatt 1.4 25 1
        fan.gewaechshaus garten 0.9 50 0.2            media_player.fernseher stube 1.6 95 0.7
        light.terrasse garten 0.3 60 0.2              switch.brunnen garten 0.3 90 0.1
        light.bad_spiegel bad 2.5 11 1                cover.stube_rollladen stube 0.3 0 0.4
        climate.stube stube 0.3 0 0.3                 climate.bad bad 0.1 0 0.3
        scene.fernsehabend stube 0.1 0 0              lock.haustuer flur 1.5 4 1
        light.flur_nachtlicht flur 0 3 1              switch.aquarium stube 0 0 1""",
    "habits": [
        at("switch.kaffeemaschine on", "06:40", "08:10", days=["all", "weekdays"]),
        at("switch.kuechenradio off", "12:30", "14:30"),
        at("switch.heizdecke on", "20:30", "21:45", gate=[None, home("heinz")]),
        by_sun("light.hauslicht on", "sunset", -15, 40),
        by_sun("light.eckleuchte_links on", "sunset", -40, 10, members=["light.eckleuchte_rechts"]),
        after("light.speisekammer on", "binary_sensor.speisekammer_motion on", 2, 15, visits=3.5, gate=[None, DARK]),
        by_sun("cover.stube_rollladen", "sunrise", 0, 50, "value", values={"position": [100, 80]}),
        at("climate.bad", "05:30", "06:30", "value", values={"temperature": [22, 22.5, 23]}),
        bright("light.stube_leselampe on", "18:00", "20:00", brightness_pct=[20, 35, 45]),
        left("light.werkstatt", 12, 35),
        after("light.arbeitsplatte on", "binary_sensor.kueche_motion on", 5, 60, "long_quiet", quiet=(2.5, 4.5)),
        at("scene.fernsehabend", "19:50", "20:20", "scene", days=["all", "weekdays"]),
        after("light.terrasse on", "media_player.fernseher playing", 15, 60, "chain", steps=["switch.brunnen on 10 40"]),
    ],
}

FAMILY = {
    "name": "a family with shift work",
    "scatter": "uniform",
    "people": {
        "mara": (6.0, 22.5, "shift"),
        "jon": (6.3, 23.2, [(WEEKDAYS, 7.7, 16.6, 0.4, 0.95), (WEEKEND, 10, 12.5, 1.0, 0.6)]),
    },
    "motion": {"hall": 40, "kitchen": 46, "nursery": 25, "laundry": 11, "landing": 22},
    "door": "binary_sensor.front_door",
    "window": "binary_sensor.loft_window",
    "machine": "switch.water_softener",
    "automatic": ("binary_sensor.hall_motion", "light.hall_strip"),
    "modes": {"input_select.shift": ["Free", "Early", "Late", "Night"]},
    "scenes": {"scene.story_time": ["light.landing_wall", "light.nursery_desk"]},
    "devices": """
        light.kitchen_island kitchen 0.7 45 0.5       switch.kettle kitchen 1.6 6 1
        switch.coffee_grinder kitchen 0.2 9 1         light.hall_ceiling hall 0.3 20 0.8
        light.nursery_moon nursery 0.7 80 0.1         light.nursery_desk nursery 1.8 70 0.3
        switch.humidifier nursery 0.5 120 0.3         media_player.stories nursery 4 25 0.1
        light.laundry laundry 1.9 15 1                switch.drying_rack laundry 0.3 100 0.9
        light.landing_wall landing 1.2 10 0.9         light.sofa living 0.5 80 0.1
        light.shelf_a living 0.2 110 0.2              light.shelf_b living 0.2 110 0.2
        switch.blanket bedroom 0.3 35 0.3             light.her_side bedroom 0.5 20 0.7
        light.porch hall 0.3 90 0.3                   fan.bath_extractor bath 2 20 0.9
        cover.nursery_blind nursery 0.3 0 0.3         cover.living_shade living 0.4 0 0.1
        climate.living living 0.2 0 0.1               lock.front hall 1.5 5 1
        switch.bike_charger garage 0.6 150 1          light.garage garage 1 12 1
        scene.story_time nursery 0.1 0 0              light.hall_strip hall 0 3 1
        switch.water_softener bath 0 0 1""",
    "habits": [
        at("light.her_side on", "04:50", "05:20", gate=[mode("input_select.shift", "Early")]),
        at("switch.humidifier on", "18:30", "19:45", days=["all", "weekdays"]),
        at("light.nursery_moon off", "20:30", "21:30", days=["all", "weekdays"]),
        at("switch.coffee_grinder on", "06:20", "07:10", days=["weekdays"]),
        by_sun("light.porch on", "sunset", 0, 45),
        after("light.hall_ceiling on", "binary_sensor.front_door on", 3, 20, gate=[DARK]),
        after("switch.blanket on", "person.mara home", 60, 150),
        at("cover.nursery_blind", "19:00", "20:10", "value", values={"position": [0, 20]}),
        at("climate.living", "16:00", "17:30", "value", days=["all", "weekdays"], values={"temperature": [20.5, 21, 21.5]}),
        bright("media_player.stories playing", "16:30", "18:30", volume_level=[0.15, 0.2, 0.3]),
        left("fan.bath_extractor", 10, 25),
        left("light.laundry", 6, 20),
        after("light.kitchen_island on", "binary_sensor.kitchen_motion on", 4, 40, "long_quiet", quiet=(2, 4)),
        at("light.sofa on", "20:40", "21:20", "chain", steps=["light.shelf_a on 5 25", "light.shelf_b on 4 15"]),
        at("scene.story_time", "18:45", "19:30", "scene"),
    ],
}

NIGHT_OWL = {
    "name": "a night owl",
    "scatter": "late",
    "until": "05:00:00",
    "people": {"sam": (10.5, 27.0, [("wed thu fri sat sun", 17.2, 23.6, 0.4, 0.93), (DAILY, 12.5, 13.6, 1.0, 0.4)])},
    "motion": {"den": 48, "galley": 36, "closet": 0, "corridor": 30},
    "door": "binary_sensor.flat_door",
    "window": "binary_sensor.galley_window",
    "machine": "switch.terrarium",
    "automatic": ("binary_sensor.corridor_motion", "light.corridor_glow"),
    "modes": {"input_boolean.recording": ["off", "on"]},
    "scenes": {"scene.after_hours": ["light.desk_bar", "light.den_shelf"]},
    "devices": """
        light.neon den 0.4 120 0.1                    light.den_work den 6 25 0.1
        switch.amp den 0.3 100 0.6                    switch.synth_rack den 0.4 130 0.5
        media_player.deck den 2 70 0.2                switch.espresso galley 0.3 25 1
        light.galley_strip galley 0.6 30 0.6          light.closet_bulb closet 0 6 1
        light.corridor_spot corridor 0.4 8 0.8        light.bed_red bedroom 1.2 35 0.1
        switch.fan_heater bedroom 1.8 30 0.8          light.balcony_string balcony 0.3 100 0.1
        fan.den_floor den 5 30 0.3                    cover.blackout den 0.3 0 0.2
        climate.den den 0.2 0 0.1                     lock.flat corridor 1.5 6 1
        scene.after_hours den 0.1 0 0                 light.corridor_glow corridor 0 3 1
        switch.terrarium den 0 0 1                    switch.projector den 1.1 110 0.3
        light.desk_bar den 1.4 60 0.3                 light.den_shelf den 0.9 70 0.3
        switch.soldering_iron den 1.3 40 0.9          fan.fumes den 0.1 45 0.9""",
    "habits": [
        at("switch.espresso on", "11:00", "12:00"),
        at("switch.synth_rack on", "14:30", "15:40", gate=[None, mode("input_boolean.recording", "on")]),
        by_sun("light.balcony_string on", "sunset", -10, 30),
        after("light.closet_bulb on", "binary_sensor.closet_motion on", 1, 6, visits=3),
        after("light.corridor_spot on", "binary_sensor.flat_door on", 2, 9,
              gate=[{"kind": "window", "after": "19:00:00", "before": "02:00:00"}, DARK]),
        after("switch.amp on", "switch.projector on", 5, 25),
        bright("light.den_work on", "20:00", "22:00", brightness_pct=[10, 15, 25]),
        at("cover.blackout", "10:40", "11:40", "value", values={"position": [60, 100]}),
        bright("fan.den_floor on", "15:00", "20:00", percentage=[30, 45]),
        left("switch.fan_heater", 15, 40),
        after("light.galley_strip on", "binary_sensor.galley_motion on", 3, 20, "long_quiet", quiet=(2, 5)),
        after("light.neon on", "switch.soldering_iron on", 10, 50, "chain", steps=["fan.fumes on 8 40"]),
        after("scene.after_hours", "media_player.deck playing", 10, 40, "scene"),
    ],
}  # fmt: skip

FLAT_SHARE = {
    "name": "a flat-share",
    "scatter": "laplace",
    "people": {
        "ana": (7.5, 23.5, [(WEEKDAYS, 8.6, 15.5, 0.9, 0.85), (DAILY, 19, 21.5, 1.0, 0.35)]),
        "bo": (8.5, 25.0, [("mon wed fri", 9.7, 18, 0.8, 0.9), (WEEKEND, 13, 19, 1.5, 0.6)]),
        "cem": (6.8, 23.0, [(WEEKDAYS, 7.4, 14.2, 0.4, 0.9), ("tue thu", 17.5, 20.3, 0.4, 0.8)]),
    },
    "motion": {"hallway": 60, "kitchen": 64, "storage": 0, "bath": 40},
    "door": "binary_sensor.house_door",
    "window": "binary_sensor.bath_window",
    "machine": "switch.freezer_light",
    "automatic": ("binary_sensor.hallway_motion", "light.hallway_floor"),
    "modes": {"input_boolean.guests": ["off", "on"]},
    "scenes": {"scene.dinner_for_all": ["light.bo_ceiling", "light.kitchen_table"]},
    "devices": """
        light.kitchen_table kitchen 3.5 50 0.8        switch.rice_cooker kitchen 0.5 35 1
        switch.toaster kitchen 1.5 5 1                switch.speaker kitchen 0.4 60 0.3
        light.storage storage 0 5 1                   light.ana_desk ana 6 30 0.1
        light.ana_bed ana 0.4 45 0.4                  switch.ana_printer ana 0.5 15 1
        light.bo_ceiling bo 2 70 0.9                  switch.bo_console bo 0.5 110 0.8
        media_player.bo_monitor bo 1.8 90 0.3         light.cem_shelf cem 0.5 90 0.2
        fan.cem_window cem 1.7 70 0.3                 light.bath_mirror bath 3.5 12 1
        switch.bath_heater bath 2.1 20 1              light.hallway_long hallway 0.4 15 0.9
        cover.awning kitchen 0.3 0 0.2                climate.kitchen kitchen 0.2 0 0.1
        lock.flat_door hallway 1.5 4 1                scene.dinner_for_all kitchen 0.1 0 0
        light.hallway_floor hallway 0 3 1             switch.freezer_light storage 0 0 1
        light.balcony balcony 0.3 40 0.4              light.hood kitchen 0.4 25 0.9""",
    "habits": [
        at("light.ana_bed on", "22:00", "22:50", days=["all", "weekdays"]),
        at("switch.rice_cooker on", "17:30", "18:40", days=["all", "weekdays"], gate=[None, home("cem")]),
        at("switch.bo_console on", "20:00", "21:30", days=["all", "weekdays"]),
        by_sun("light.cem_shelf on", "sunset", -20, 25),
        after("light.storage on", "binary_sensor.storage_motion on", 1, 8, visits=4),
        after("light.hallway_long on", "binary_sensor.house_door on", 4, 15,
              gate=[DARK, {"kind": "lux", "entity_id": "sensor.yard_brightness", "below": 2000}]),
        bright("light.ana_desk on", "18:00", "20:30", brightness_pct=[30, 40, 55]),
        at("climate.kitchen", "07:00", "08:30", "value", days=["all", "weekdays"], values={"temperature": [18.5, 19.5]}),
        by_sun("cover.awning", "sunset", -60, 0, "value", values={"position": [0]}),
        left("switch.bath_heater", 8, 25),
        after("switch.speaker on", "binary_sensor.kitchen_motion on", 20, 120, "long_quiet", quiet=(2, 4)),
        after("light.hood on", "switch.toaster on", 5, 40, "chain", steps=["light.balcony on 10 50"]),
        at("scene.dinner_for_all", "19:00", "20:00", "scene", days=["all", "weekend"]),
    ],
}  # fmt: skip

STORIES = (RETIRED, FAMILY, NIGHT_OWL, FLAT_SHARE)
