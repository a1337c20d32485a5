/* replay/: the purpose-specific triggers and conditions on cases derived by hand from Home
 * Assistant 2026.11.0 (helpers/trigger/entity_trigger.py, helpers/condition/entity_condition.py,
 * helpers/target.py, the integrations' own trigger.py and condition.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "made_timeline.h"
#include "replay/purpose.h"

static struct tz *utc;

static int load_zone(void **state)
{
    (void)state;
    struct error err;
    utc = tz_load("UTC", &err);
    return utc == NULL;
}

static int free_zone(void **state)
{
    (void)state;
    tz_free(utc);
    return 0;
}

/* New Year's Day. */
static struct timeline begin(void)
{
    struct timeline t;
    timeline_init(&t);
    t.tz = utc;
    t.from_ms = at_ms(utc, "2026-01-01 00:00");
    t.to_ms = at_ms(utc, "2026-01-02 00:00");
    return t;
}

static int64_t at(const char *time)
{
    char *text = xasprintf("2026-01-01 %s", time);
    int64_t ms = at_ms(utc, text);
    free(text);
    return ms;
}

/* Rows of one entity: "00:00 on; 01:00 off {'a': 5}; 02:00 !", the last one a removal. */
static void put(struct timeline *t, const char *entity_id, const char *rows)
{
    char *copy = xstrdup(rows), *rest = copy;
    for (char *row; (row = strtok_r(rest, ";", &rest)) != NULL;) {
        while (*row == ' ')
            row++;
        char *space = strchr(row, ' '), *attributes = strchr(row, '{');
        assert_non_null(space);
        *space = '\0';
        char *state = space + 1;
        if (attributes != NULL)
            attributes[-1] = '\0';
        char *time = xasprintf("2026-01-01 %s", row);
        put_row(t, time, entity_id, *state == '!' ? NULL : state, attributes);
        free(time);
    }
    free(copy);
}

#define TRIGGER(kind, more) "{'triggers': [{'trigger': '" kind "', " more "}], 'actions': []}"
#define OF(id) "'target': {'entity_id': '" id "'}"

/* --- every row of the tables --- */

static bool has_spec(const char *domains)
{
    size_t count = 1;
    for (const char *c = domains; *c != '\0'; c++)
        count += *c == ' ';
    return domains[0] != '\0' && count <= PURPOSE_DOMAINS_MAX;
}

static void check_table(const struct purpose *table, size_t least)
{
    size_t count = 0;
    for (const struct purpose *p = table; p->key != NULL; p++, count++) {
        assert_true(has_spec(p->domains));
        assert_ptr_equal(purpose_find(table, p->key), p); /* no key twice */
        bool needs_words = p->valid == VALID_IN || p->valid == VALID_NOT_IN ||
                           p->valid == VALID_LIMIT || p->valid == VALID_IN_ZONE ||
                           p->valid == VALID_NOT_IN_ZONE;
        if (needs_words && p->to == NULL && p->option == NULL)
            fail_msg("%s knows no word", p->key);
        if (p->change == CHANGE_TRANSITION && p->from == NULL)
            fail_msg("%s comes from nowhere", p->key);
        if ((p->valid == VALID_NUMBER) !=
            (p->option != NULL && strcmp(p->option, "threshold") == 0))
            fail_msg("%s has a threshold without a number, or the other way round", p->key);
    }
    assert_true(count >= least);
}

static void test_tables_are_whole(void **state)
{
    (void)state;
    check_table(purpose_triggers, 170);
    check_table(purpose_conditions, 140);
}

/* --- states --- */

static void test_target_states(void **state)
{
    (void)state;
    struct timeline t = begin();
    put(&t, "light.a",
        "00:00 off; 01:00 on; 02:00 on {'brightness': 5}; 03:00 unavailable; 04:00 on; "
        "05:00 off; 06:00 unknown; 07:00 on; 08:00 !; 09:00 on; 10:00 off; 11:00 on");
    timeline_finish(&t);
    /* Neither out of unavailable, unknown or nothing nor from on to on. */
    expect_fires(&t, TRIGGER("light.turned_on", OF("light.a")),
                 "0@01-01 01:00:00 0@01-01 11:00:00");
    expect_fires(&t, TRIGGER("light.turned_off", OF("light.a")),
                 "0@01-01 05:00:00 0@01-01 10:00:00");
    expect_fires(&t, TRIGGER("fan.turned_on", OF("light.a")), "");
    expect_fires(&t, TRIGGER("light.turned_on", OF("light.none")), "");
    expect_fires(&t, TRIGGER("light.turned_on", "'target': {}"), "");
    timeline_release(&t);
}

static void test_transitions_and_attributes(void **state)
{
    (void)state;
    struct timeline t = begin();
    put(&t, "climate.a",
        "00:00 off {'hvac_action': 'off'}; 01:00 heat {'hvac_action': 'idle'}; "
        "02:00 cool {'hvac_action': 'cooling'}; 03:00 cool {'hvac_action': 'cooling', 'x': 1}; "
        "04:00 odd {'hvac_action': null}; 05:00 heat {'hvac_action': 'cooling'}");
    put(&t, "valve.a",
        "00:00 open {'is_closed': false}; 01:00 closed {'is_closed': true}; 02:00 open {}; "
        "03:00 closed {'is_closed': true}; 04:00 open {'is_closed': false}");
    put(&t, "water_heater.a", "00:00 off; 01:00 eco; 02:00 electric; 03:00 off");
    put(&t, "button.a",
        "00:00 unknown; 01:00 A; 02:00 B; 03:00 B {'x': 1}; 04:00 unavailable; "
        "05:00 C");
    put(&t, "event.a",
        "00:00 A {'event_type': 'press'}; 01:00 B {'event_type': 'press'}; "
        "02:00 C {'event_type': 'hold'}; 03:00 C {'event_type': 'press'}");
    timeline_finish(&t);
    expect_fires(&t, TRIGGER("climate.turned_on", OF("climate.a")), "0@01-01 01:00:00");
    expect_fires(&t, TRIGGER("climate.started_cooling", OF("climate.a")),
                 "0@01-01 02:00:00 0@01-01 05:00:00");
    expect_fires(&t,
                 TRIGGER("climate.hvac_mode_changed",
                         OF("climate.a") ", 'options': {'hvac_mode': ['heat', 'cool']}"),
                 "0@01-01 01:00:00 0@01-01 05:00:00"); /* from heat to cool it stays among them */
    expect_fires(&t, TRIGGER("valve.closed", OF("valve.a")), "0@01-01 01:00:00");
    expect_fires(&t, TRIGGER("valve.opened", OF("valve.a")), "0@01-01 04:00:00");
    expect_fires(&t, TRIGGER("water_heater.turned_on", OF("water_heater.a")), "0@01-01 01:00:00");
    expect_fires(&t, TRIGGER("button.pressed", OF("button.a")),
                 "0@01-01 01:00:00 0@01-01 02:00:00");
    expect_fires(&t,
                 TRIGGER("event.received", OF("event.a") ", 'options': {'event_type': 'press'}"),
                 "0@01-01 01:00:00"); /* at 03:00 the state, a time, is the same */
    timeline_release(&t);
}

static void test_covers_and_doors(void **state)
{
    (void)state;
    struct timeline t = begin();
    put(&t, "cover.a",
        "00:00 open {'device_class': 'door', 'is_closed': false}; "
        "01:00 closed {'device_class': 'door', 'is_closed': true}; "
        "02:00 closed {'device_class': 'door', 'is_closed': null}; "
        "03:00 open {'device_class': 'door', 'is_closed': false}; "
        "04:00 closed {'device_class': 'door', 'is_closed': true}");
    put(&t, "binary_sensor.a",
        "00:00 off {'device_class': 'door'}; 05:00 on {'device_class': 'door'}");
    put(&t, "binary_sensor.window",
        "00:00 off {'device_class': 'window'}; 06:00 on {'device_class': 'window'}");
    put(&t, "binary_sensor.plain", "00:00 off {}; 07:00 on {}");
    timeline_finish(&t);
    static const char all[] = "'target': {'entity_id': ['cover.a', 'binary_sensor.a', "
                              "'binary_sensor.window', 'binary_sensor.plain']}";
    char *opened = xasprintf(TRIGGER("door.opened", "%s"), all);
    char *closed = xasprintf(TRIGGER("door.closed", "%s"), all);
    expect_fires(&t, opened, "0@01-01 05:00:00"); /* not out of null */
    expect_fires(&t, closed, "0@01-01 01:00:00 0@01-01 04:00:00");
    free(opened);
    free(closed);
    timeline_release(&t);
}

static void test_counters_schedules_and_players(void **state)
{
    (void)state;
    struct timeline t = begin();
    put(&t, "counter.a",
        "00:00 1 {'maximum': 3, 'initial': 1}; 01:00 3 {'maximum': 3, 'initial': 1}; "
        "02:00 2 {'maximum': null}; 03:00 odd {}; 04:00 1 {'initial': 1, 'minimum': 1}");
    put(&t, "schedule.a",
        "00:00 off {'next_event': 'a'}; 01:00 on {'next_event': 'b'}; "
        "02:00 on {'next_event': 'b', 'x': 1}; 03:00 on {'next_event': 'c'}; "
        "04:00 off {'next_event': 'd'}");
    put(&t, "schedule.b", "00:00 off {}; 01:30 on {}; 02:30 on {'x': 1}");
    put(&t, "media_player.a",
        "00:00 on {'is_volume_muted': false, 'volume_level': 0.5}; "
        "01:00 on {'is_volume_muted': true, 'volume_level': 0.5}; "
        "02:00 on {'volume_level': 0}; 03:00 on {'volume_level': 0.2}; 04:00 on {}");
    timeline_finish(&t);
    expect_fires(&t, TRIGGER("counter.incremented", OF("counter.a")), "0@01-01 01:00:00");
    expect_fires(&t, TRIGGER("counter.decremented", OF("counter.a")), "0@01-01 02:00:00");
    expect_fires(&t, TRIGGER("counter.maximum_reached", OF("counter.a")), "0@01-01 01:00:00");
    expect_fires(&t, TRIGGER("counter.reset", OF("counter.a")), "0@01-01 04:00:00");
    expect_fires(&t, TRIGGER("schedule.block_started", OF("schedule.a")),
                 "0@01-01 01:00:00 0@01-01 03:00:00");
    expect_fires(&t, TRIGGER("schedule.block_started", OF("schedule.b")), "0@01-01 01:30:00");
    expect_fires(&t, TRIGGER("media_player.muted", OF("media_player.a")), "0@01-01 01:00:00");
    expect_fires(&t, TRIGGER("media_player.unmuted", OF("media_player.a")), "0@01-01 03:00:00");
    timeline_release(&t);
}

static void test_zones(void **state)
{
    (void)state;
    struct timeline t = begin();
    put(&t, "person.a",
        "00:00 x {'in_zones': []}; 01:00 x {'in_zones': ['zone.a', 'zone.b']}; 02:00 x {}; "
        "03:00 x {'in_zones': ['zone.b']}; 04:00 x {'in_zones': ['zone.b', 'zone.a']}");
    put(&t, "zone.a", "00:00 0; 01:00 2; 02:00 1; 03:00 0; 04:00 odd; 05:00 1");
    timeline_finish(&t);
    expect_fires(&t, TRIGGER("zone.entered", OF("person.a") ", 'options': {'zone': 'zone.a'}"),
                 "0@01-01 01:00:00 0@01-01 04:00:00");
    expect_fires(&t, TRIGGER("zone.left", OF("person.a") ", 'options': {'zone': 'zone.a'}"),
                 "0@01-01 02:00:00");
    expect_fires(&t, TRIGGER("zone.occupancy_detected", "'options': {'zone': 'zone.a'}"),
                 "0@01-01 01:00:00 0@01-01 05:00:00");
    expect_fires(&t,
                 TRIGGER("zone.occupancy_cleared", "'options': {'zone': 'zone.a', 'for': 1800}"),
                 "0@01-01 03:30:00");
    timeline_release(&t);
}

/* --- numbers --- */

#define LIMIT(type, value) "'options': {'threshold': {'type': '" type "', 'value': " value "}}"

static void test_numbers_and_their_units(void **state)
{
    (void)state;
    struct timeline t = begin();
#define C "{'device_class': 'temperature', 'unit_of_measurement': '°C'}"
#define F "{'device_class': 'temperature', 'unit_of_measurement': '°F'}"
    put(&t, "sensor.t",
        "00:00 10 " C "; 01:00 68 " F "; 02:00 21 " C "; 03:00 20 {'device_class': 'temperature'}; "
        "04:00 300 {'device_class': 'temperature', 'unit_of_measurement': 'K'}; 05:00 odd " C);
    put(&t, "climate.a",
        "00:00 heat {'temperature': 18}; 01:00 heat {'temperature': 22}; "
        "02:00 heat {'temperature': null}; 03:00 heat {'temperature': 22.0}");
    put(&t, "sensor.lux",
        "00:00 5 {'device_class': 'illuminance', 'unit_of_measurement': 'lx'}; "
        "01:00 50 {'device_class': 'illuminance', 'unit_of_measurement': 'lx'}; "
        "02:00 60 {'device_class': 'illuminance', 'unit_of_measurement': 'lm'}; "
        "03:00 50 {'device_class': 'illuminance', 'unit_of_measurement': 'lx'}; "
        "04:00 50.0 {'device_class': 'illuminance', 'unit_of_measurement': 'lx'}; "
        "05:00 20 {'device_class': 'illuminance', 'unit_of_measurement': 'lx'}");
    put(&t, "sensor.limit",
        "00:00 40 {'unit_of_measurement': 'lx'}; 04:30 10 "
        "{'unit_of_measurement': 'lx'}; 05:30 10 {}");
    put(&t, "light.a",
        "00:00 on {'brightness': 51}; 01:00 on {'brightness': 153}; "
        "02:00 off {'brightness': null}; 03:00 on {'brightness': 128}");
    put(&t, "media_player.a", "00:00 on {'volume_level': 0.1}; 01:00 on {'volume_level': 0.4}");
    timeline_finish(&t);
    /* 68 °F are 20 °C, 300 K more than that; without a unit it is none. */
    expect_fires(&t,
                 TRIGGER("temperature.crossed_threshold",
                         OF("sensor.t") ", " LIMIT("above", "{'number': 19.9, "
                                                            "'unit_of_measurement': '°C'}")),
                 "0@01-01 01:00:00 0@01-01 04:00:00");
    expect_fires(&t,
                 TRIGGER("temperature.crossed_threshold",
                         OF("sensor.t") ", " LIMIT("above", "{'number': 69, "
                                                            "'unit_of_measurement': '°F'}")),
                 "0@01-01 02:00:00 0@01-01 04:00:00");
    expect_fires(&t,
                 TRIGGER("climate.target_temperature_changed",
                         OF("climate.a") ", 'options': {'threshold': {'type': 'any'}}"),
                 "0@01-01 01:00:00 0@01-01 03:00:00");
    t.is_fahrenheit = true; /* the attribute, too: 22 °F are -5.6 °C */
    expect_fires(&t,
                 TRIGGER("climate.target_temperature_changed",
                         OF("climate.a") ", " LIMIT("above", "{'number': 0, "
                                                             "'unit_of_measurement': '°C'}")),
                 "");
    expect_fires(
        &t, TRIGGER("illuminance.changed", OF("sensor.lux") ", " LIMIT("above", "{'number': 10}")),
        "0@01-01 01:00:00 0@01-01 03:00:00 0@01-01 05:00:00");
    expect_fires(&t,
                 TRIGGER("illuminance.crossed_threshold",
                         OF("sensor.lux") ", " LIMIT("above", "{'entity': 'sensor.limit'}")),
                 "0@01-01 01:00:00 0@01-01 03:00:00");
    expect_fires(&t,
                 TRIGGER("illuminance.crossed_threshold",
                         OF("sensor.lux") ", 'options': {'threshold': {'type': 'outside', "
                                          "'value_min': {'number': 10}, 'value_max': {'number': "
                                          "30, 'active_choice': 'number', 'entity': 'sensor.x'}}}"),
                 "0@01-01 03:00:00"); /* it was outside at 00:00, too */
    expect_fires(
        &t,
        TRIGGER("light.brightness_crossed_threshold",
                OF("light.a") ", 'options': {'threshold': {'type': 'between', "
                              "'value_min': {'number': 50}, 'value_max': {'number': 60}}}"),
        "0@01-01 01:00:00 0@01-01 03:00:00");
    expect_fires(&t,
                 TRIGGER("media_player.volume_crossed_threshold",
                         OF("media_player.a") ", " LIMIT("above", "{'number': 39}")),
                 "0@01-01 01:00:00");
    timeline_release(&t);
}

/* --- behavior and for --- */

static struct timeline three_lights(void)
{
    struct timeline t = begin();
    put(&t, "light.a", "00:00 off; 01:00 on; 05:00 off; 07:00 on; 08:00 unavailable; 09:00 on");
    put(&t, "light.b", "00:00 off; 02:00 on; 04:00 off; 07:30 on");
    put(&t, "light.c", "00:00 unavailable; 03:00 on; 06:00 off; 07:15 on");
    timeline_finish(&t);
    return t;
}

#define LIGHTS "'target': {'entity_id': ['light.a', 'light.b', 'light.c']}"
#define LIGHTS_ON(options) TRIGGER("light.turned_on", LIGHTS ", 'options': {" options "}")

static void test_behaviors(void **state)
{
    (void)state;
    struct timeline t = three_lights();
    static const char each[] = "0@01-01 01:00:00 0@01-01 02:00:00 0@01-01 07:00:00 "
                               "0@01-01 07:15:00 0@01-01 07:30:00";
    expect_fires(&t, LIGHTS_ON(""), each);
    expect_fires(&t, LIGHTS_ON("'behavior': 'any'"), each);
    expect_fires(&t, LIGHTS_ON("'behavior': 'first'"), "0@01-01 01:00:00 0@01-01 07:00:00");
    /* At 02:00 the third one is unavailable: it does not count. */
    expect_fires(&t, LIGHTS_ON("'behavior': 'all'"), "0@01-01 02:00:00 0@01-01 07:30:00");
    expect_fires(&t, LIGHTS_ON("'behavior': 'last'"), "0@01-01 02:00:00 0@01-01 07:30:00");
    /* Each waits for itself; light.c of 03:00 came out of unavailable. */
    expect_fires(&t, LIGHTS_ON("'for': {'hours': 1, 'minutes': 59}"),
                 "0@01-01 02:59:00 0@01-01 03:59:00 0@01-01 09:14:00 0@01-01 09:29:00");
    /* The first one's hours end when all are off, at 06:00, not with its own, at 05:00. */
    expect_fires(&t, LIGHTS_ON("'behavior': 'first', 'for': '04:30'"),
                 "0@01-01 05:30:00 0@01-01 11:30:00");
    expect_fires(&t, LIGHTS_ON("'behavior': 'first', 'for': '05:00:01'"), "0@01-01 12:00:01");
    /* Unavailable does not end all's, being off does. */
    expect_fires(&t, LIGHTS_ON("'behavior': 'all', 'for': '01:00'"),
                 "0@01-01 03:00:00 0@01-01 08:30:00");
    expect_fires(&t, LIGHTS_ON("'behavior': 'all', 'for': '02:01'"), "0@01-01 09:31:00");
    expect_fires(&t, LIGHTS_ON("'for': 0, 'behavior': 'first'"),
                 "0@01-01 01:00:00 0@01-01 07:00:00");
    timeline_release(&t);
}

/* --- targets --- */

static void put_place(struct timeline *t, const char *entity_id, struct timeline_place place)
{
    struct error err;
    char *id = xstrdup(entity_id);
    place.entity_id = id;
    assert_int_equal(timeline_add_place(t, &place, &err), 0);
    free(id);
}

static void test_targets(void **state)
{
    (void)state;
    char hall[] = "hall", attic[] = "attic", up[] = "up", device[] = "d1", child[] = "d2";
    char big[] = " big odd ", bigger[] = " bigger ";
    struct timeline t = begin();
    static const char *const ids[] = {"light.a", "light.b", "light.c", "light.d",
                                      "light.e", "light.f", "fan.g"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        char *rows = xasprintf("00:00 off; 0%zu:00 on", i + 1);
        put(&t, ids[i], rows);
        free(rows);
    }
    put_place(&t, "light.a", (struct timeline_place){.area_id = hall, .floor_id = up});
    put_place(&t, "light.b",
              (struct timeline_place){.area_id = hall, .floor_id = up, .is_hidden = true});
    put_place(&t, "light.c",
              (struct timeline_place){.area_id = hall, .floor_id = up, .is_config = true});
    put_place(&t, "light.d",
              (struct timeline_place){.device_id = device, .labels = big, .is_config = true});
    put_place(&t, "light.e",
              (struct timeline_place){
                  .device_id = child, .parent_device_id = device, .device_labels = bigger});
    put_place(&t, "light.f", (struct timeline_place){.area_id = attic, .area_labels = big});
    put_place(&t, "fan.g", (struct timeline_place){.area_id = hall});
    put_place(&t, "light.never", (struct timeline_place){.area_id = hall});
    timeline_finish(&t);
#define TO(target) TRIGGER("light.turned_on", "'target': " target)
    static const char *const cases[][2] = {
        {TO("{'area_id': 'hall'}"), "0@01-01 01:00:00"},
        {TO("{'area_id': ['hall', 'attic']}"), "0@01-01 01:00:00 0@01-01 06:00:00"},
        {TO("{'floor_id': 'up'}"), "0@01-01 01:00:00"},
        {TO("{'device_id': 'd1'}"), "0@01-01 05:00:00"},
        {TO("{'device_id': 'd2'}"), "0@01-01 05:00:00"},
        /* By its own label an entity with a category is meant, too. */
        {TO("{'label_id': 'big'}"), "0@01-01 04:00:00 0@01-01 06:00:00"},
        {TO("{'label_id': 'bigger'}"), "0@01-01 05:00:00"},
        {TO("{'label_id': 'bi'}"), ""},
        {TO("{'entity_id': ['light.b', 'light.a', 'light.b'], 'area_id': 'hall'}"),
         "0@01-01 01:00:00 0@01-01 02:00:00"},
        {TO("{'entity_id': ['light.a', 'light.b', 'light.f'], 'exclude': {'area_id': 'hall'}}"),
         "0@01-01 06:00:00"},
        {TO("{'area_id': ['hall', 'attic'], 'exclude': {'label_id': 'odd'}}"), "0@01-01 01:00:00"},
        {TO("{'area_id': 'hall', 'exclude': {'entity_id': 'light.a'}}"), ""},
        {TRIGGER("fan.turned_on", "'target': {'area_id': 'hall'}"), "0@01-01 07:00:00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_fires(&t, cases[i][0], cases[i][1]);
    timeline_release(&t);
}

/* A battery's sensor has a category; alarm panels differ in what they can. */
static void test_categories_classes_and_features(void **state)
{
    (void)state;
    char hall[] = "hall", battery[] = "battery";
    struct timeline t = begin();
    put(&t, "binary_sensor.a", "00:00 off; 01:00 on"); /* attributes are not known */
    put(&t, "alarm_control_panel.a", "00:00 disarmed {}; 02:00 armed_away {}");
    put(&t, "alarm_control_panel.b", "00:00 disarmed {}; 03:00 armed_away {}");
    put(&t, "alarm_control_panel.c",
        "00:00 disarmed {'supported_features': 2}; 04:00 armed_away {'supported_features': 2}");
    put_place(&t, "binary_sensor.a",
              (struct timeline_place){.area_id = hall, .device_class = battery, .is_config = true});
    put_place(&t, "alarm_control_panel.a", (struct timeline_place){.supported_features = 3});
    put_place(&t, "alarm_control_panel.b", (struct timeline_place){.supported_features = 1});
    timeline_finish(&t);
    expect_fires(&t, TRIGGER("battery.became_low", "'target': {'area_id': 'hall'}"),
                 "0@01-01 01:00:00");
    expect_fires(&t, TRIGGER("motion.detected", "'target': {'area_id': 'hall'}"), "");
    expect_fires(&t,
                 TRIGGER("alarm_control_panel.armed_away",
                         "'target': {'entity_id': ['alarm_control_panel.a', "
                         "'alarm_control_panel.b', 'alarm_control_panel.c']}"),
                 "0@01-01 02:00:00 0@01-01 04:00:00");
    timeline_release(&t);
}

/* Which entities have a feature is looked up at the start. One that has no state then and is in no
 * registry is not listened to, however it comes later; where the recorder has forgotten the start,
 * or does not tell it, the first state stands for it. */
static void test_features_of_one_that_comes_late(void **state)
{
    (void)state;
    static const struct {
        const char *from, *run_from, *started; /* the history, and Home Assistant's life in it */
        const char *first_row;
        bool has_registry;
        const char *fires;
    } cases[] = {
        {"00:00", "00:00", "00:01", "01:00 disarmed {}", true, ""},
        {"00:00", "00:00", "00:01", "01:00 disarmed {}", false, "0@01-01 02:00:00"},
        {"00:00", "00:00", "01:01", "01:00 disarmed {}", true, "0@01-01 02:00:00"},
        {"01:00", "00:00", "00:01", "01:00 disarmed {}", true, "0@01-01 02:00:00"},
        {"00:00", "01:00", "01:00", "01:00:59 disarmed {}", true, "0@01-01 02:00:00"},
        {"00:00", "01:00", "01:00", "01:01:01 disarmed {}", true, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct timeline t = begin();
        t.from_ms = at(cases[i].from);
        const struct timeline_run run = {at(cases[i].run_from), at(cases[i].started), t.to_ms,
                                         false};
        struct error err;
        assert_int_equal(timeline_add_run(&t, &run, &err), 0);
        put(&t, "alarm_control_panel.late", cases[i].first_row);
        put(&t, "alarm_control_panel.late", "02:00 armed_away {}");
        if (cases[i].has_registry)
            put_place(&t, "light.a", (struct timeline_place){.is_config = false});
        timeline_finish(&t);
        expect_fires(&t, TRIGGER("alarm_control_panel.armed_away", OF("alarm_control_panel.late")),
                     cases[i].fires);
        timeline_release(&t);
    }
}

/* --- conditions --- */

#define AT_TIMES(times, condition)                                                                 \
    "{'triggers': [{'trigger': 'time', 'at': [" times "]}], 'conditions': [" condition             \
    "], 'actions': []}"

static void test_conditions(void **state)
{
    (void)state;
    struct timeline t = three_lights();
#define HOURS "'00:30', '01:30', '02:30', '03:30', '04:30', '07:45'"
    expect_fires(&t, AT_TIMES(HOURS, "{'condition': 'light.is_on', " LIGHTS "}"),
                 "0@01-01 01:30:00 0@01-01 02:30:00 0@01-01 03:30:00 0@01-01 04:30:00 "
                 "0@01-01 07:45:00");
    expect_fires(
        &t,
        AT_TIMES(HOURS, "{'condition': 'light.is_on', " LIGHTS ", 'options': {'behavior': 'all'}}"),
        "0@01-01 02:30:00 0@01-01 03:30:00 0@01-01 07:45:00");
    expect_fires(&t,
                 AT_TIMES(HOURS, "{'condition': 'light.is_on', " LIGHTS
                                 ", 'options': {'behavior': 'all', 'for': '00:45'}}"),
                 ""); /* at 03:30 light.c has been on for half an hour */
    expect_fires(&t,
                 AT_TIMES("'01:45', '01:44'",
                          "{'condition': 'light.is_on', " LIGHTS ", 'options': {'for': '00:45'}}"),
                 "0@01-01 01:45:00");
    /* Of nothing any is false, all is true. */
    expect_fires(&t, AT_TIMES("'01:00'", "{'condition': 'light.is_on', 'target': {}}"), "");
    expect_fires(&t,
                 AT_TIMES("'01:00'", "{'condition': 'light.is_on', 'target': {}, 'options': "
                                     "{'behavior': 'all'}}"),
                 "0@01-01 01:00:00");
    expect_fires(&t,
                 AT_TIMES("'00:30', '02:30'", "{'not': {'condition': 'light.is_on', " LIGHTS "}}"),
                 "0@01-01 00:30:00");
    timeline_release(&t);
}

/* `for` counts from when it became valid, where last_changed does not tell that. */
static void test_conditions_for_what_is_followed(void **state)
{
    (void)state;
    struct timeline t = begin();
    put(&t, "climate.a",
        "00:00 off {'hvac_action': 'off'}; 01:00 heat {'hvac_action': 'idle'}; "
        "02:00 cool {'hvac_action': 'cooling'}; 03:00 cool {'hvac_action': 'cooling', 'x': 1}; "
        "04:00 off {'hvac_action': 'off'}");
    put(&t, "sensor.t",
        "00:00 5 {'device_class': 'illuminance', 'unit_of_measurement': 'lx'}; "
        "01:00 50 {'device_class': 'illuminance', 'unit_of_measurement': 'lx'}; "
        "02:00 60 {'device_class': 'illuminance', 'unit_of_measurement': 'lx'}");
    put(&t, "light.a", "00:00 on; 01:00 off; 02:00 on");
    timeline_finish(&t);
#define QUARTERS "'01:45', '02:15', '03:15', '04:15'"
    expect_fires(&t,
                 AT_TIMES(QUARTERS, "{'condition': 'climate.is_on', " OF(
                                        "climate.a") ", 'options': {'for': '01:00'}}"),
                 "0@01-01 02:15:00 0@01-01 03:15:00"); /* from heat to cool it stays on */
    expect_fires(&t,
                 AT_TIMES(QUARTERS, "{'condition': 'climate.is_cooling', " OF(
                                        "climate.a") ", 'options': {'for': '01:00'}}"),
                 "0@01-01 03:15:00");
    expect_fires(&t,
                 AT_TIMES(QUARTERS,
                          "{'condition': 'illuminance.is_value', " OF(
                              "sensor.t") ", 'options': {'threshold': {'type': 'above', 'value': "
                                          "{'number': 40}}, 'for': '01:00'}}"),
                 "0@01-01 02:15:00 0@01-01 03:15:00 0@01-01 04:15:00");
    expect_fires(&t,
                 AT_TIMES(QUARTERS, "{'condition': 'light.is_on', " OF(
                                        "light.a") ", 'options': {'for': '01:00'}}"),
                 "0@01-01 03:15:00 0@01-01 04:15:00");
    timeline_release(&t);
}

/* Whether a state is valid is looked at when it is written, not when its limit is: of the first
 * one the limit is not known then. */
static void test_condition_for_with_a_limit_that_changes(void **state)
{
    (void)state;
    struct timeline t = begin();
#define LUX " {'device_class': 'illuminance', 'unit_of_measurement': 'lx'}"
    put(&t, "sensor.lux", "00:00 50" LUX "; 02:00 51" LUX "; 04:00 10" LUX "; 05:00 50" LUX);
    put(&t, "sensor.limit", "01:00 40" LUX "; 06:00 60" LUX "; 07:00 40" LUX);
#undef LUX
    timeline_finish(&t);
    expect_fires(&t,
                 AT_TIMES("'01:50', '02:20', '02:40', '05:20', '05:40', '06:40', '07:40'",
                          "{'condition': 'illuminance.is_value', " OF(
                              "sensor.lux") ", 'options': {'threshold': {'type': 'above', 'value': "
                                            "{'entity': 'sensor.limit'}}, 'for': '00:30'}}"),
                 "0@01-01 02:40:00 0@01-01 05:40:00 0@01-01 07:40:00");
    timeline_release(&t);
}

static void test_sunset_by_its_own_name(void **state)
{
    (void)state;
    struct timeline t = begin();
    t.latitude = 52.52;
    t.longitude = 13.405;
    t.has_location = true;
    timeline_finish(&t);
    char *old = fires_of(&t, "{'triggers': [{'trigger': 'sun', 'event': 'sunset', 'offset': "
                             "'-00:30'}], 'actions': []}");
    expect_fires(&t, TRIGGER("sun.sunset", "'options': {'offset': '-00:30'}"), old);
    expect_fires(&t,
                 TRIGGER("sun.sunset", "'options': {'offset': {'minutes': 30}, 'offset_type': "
                                       "'before'}"),
                 old);
    const char expected[] = "0@01-01 14:32:"; /* Berlin's sun sets at 16:02 */
    assert_true(strncmp(old, expected, strlen(expected)) == 0);
    free(old);
    timeline_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_are_whole),
        cmocka_unit_test(test_target_states),
        cmocka_unit_test(test_transitions_and_attributes),
        cmocka_unit_test(test_covers_and_doors),
        cmocka_unit_test(test_counters_schedules_and_players),
        cmocka_unit_test(test_zones),
        cmocka_unit_test(test_numbers_and_their_units),
        cmocka_unit_test(test_behaviors),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_categories_classes_and_features),
        cmocka_unit_test(test_features_of_one_that_comes_late),
        cmocka_unit_test(test_conditions),
        cmocka_unit_test(test_conditions_for_what_is_followed),
        cmocka_unit_test(test_condition_for_with_a_limit_that_changes),
        cmocka_unit_test(test_sunset_by_its_own_name),
    };
    return cmocka_run_group_tests(tests, load_zone, free_zone);
}
