/* What people set besides on and off: homes in which they mean a value, and homes in which not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <json-c/json.h>

#include "made_history.h"
#include "seeded.h"
#include "suggested.h"
#include "tracks.h"
#include "mine/miner.h"
#include "mine/settings.h"
#include "suggest/analysis.h"

/* ---- homes --------------------------------------------------------------------------------- */

static int64_t ms_of(double second)
{
    int64_t day = (int64_t)(second / STATS_DAY_S);
    return tz_day_start(tz, monday + day) * 1000 +
           (int64_t)((second - (double)day * STATS_DAY_S) * 1000);
}

/* What a device is set to, in any order, local seconds since the first day. */
struct settings {
    struct choice {
        double second, value;
        int attribute, cause;
    } list[TRACK_MAX];
    size_t count;
};

static struct settings choices;
static struct track track;

static void choose_by(double second, int attribute, double value, int cause)
{
    assert_true(choices.count < TRACK_MAX);
    choices.list[choices.count++] = (struct choice){second, value, attribute, cause};
}

static void choose(double second, int attribute, double value)
{
    choose_by(second, attribute, value, CAUSE_PERSON);
}

static int compare_choices(const void *left, const void *right)
{
    const struct choice *a = left, *b = right;
    return (a->second > b->second) - (a->second < b->second);
}

/* Writes them into the last entity; of what the recorder keeps only changes are told. */
static void write_choices(struct history *h)
{
    struct history_entity *e = &h->entities[h->entity_count - 1];
    double last[RULE_ATTRIBUTE_COUNT];
    for (int a = 0; a < RULE_ATTRIBUTE_COUNT; a++)
        last[a] = -1000;
    if (choices.count > 0)
        qsort(choices.list, choices.count, sizeof *choices.list, compare_choices);
    for (size_t i = 0; i < choices.count; i++) {
        const struct choice *c = &choices.list[i];
        double value = rule_field_of_attribute((enum rule_attribute)c->attribute,
                                               c->value / rule_attributes[c->attribute].scale);
        if (ms_of(c->second) >= h->to_ms ||
            (rule_attributes[c->attribute].is_recorded && fabs(value - last[c->attribute]) < 1e-9))
            continue;
        last[c->attribute] = value;
        made_value_ms(e, ms_of(c->second), c->attribute, value, c->cause);
    }
    choices.count = 0;
}

/* A device that is no switch, such as a thermostat. */
static void write_device(struct history *h, const char *id, const char *word)
{
    struct history_entity *e = made_entity(h, id);
    made_change(h, e, monday, 0, made_state(h, word), CAUSE_PHYSICAL);
    write_choices(h);
}

static double day_at(int day, double hour)
{
    return day * 86400.0 + hour * HOUR;
}

/* ---- at a time ----------------------------------------------------------------------------- */

/* 17 at night and 21 in the morning, now and then anything. */
static void make_thermostat(struct history *h, int days)
{
    made_init(h, tz, monday, days);
    choose(60, RULE_SETPOINT, 19);
    for (int d = 0; d < days; d++) {
        if (chance(0.9))
            choose(day_at(d, 6.5) + 360 * made_normal(&seed), RULE_SETPOINT, 21);
        if (chance(0.9))
            choose(day_at(d, 22.5) + 360 * made_normal(&seed), RULE_SETPOINT, 17);
        if (chance(0.2))
            choose(day_at(d, uniform(8, 21)), RULE_SETPOINT, 18 + (int)uniform(0, 8) * 0.5);
    }
    write_device(h, "climate.t", "heat");
}

/* To about 40 % by a slider at a quarter past eight, up to anything else in the morning. */
static void make_blind(struct history *h, int days)
{
    made_init(h, tz, monday, days);
    choose(60, RULE_POSITION, 100);
    for (int d = 0; d < days; d++) {
        choose(day_at(d, uniform(6, 12)), RULE_POSITION, uniform(60, 100));
        if (chance(0.9))
            choose(day_at(d, 20.25) + 400 * made_normal(&seed), RULE_POSITION,
                   40 + 1.2 * made_normal(&seed));
    }
    write_device(h, "cover.blind", "open");
}

/* A film: the blind goes to 10 % whenever the projector goes on, at any hour. */
static void make_film(struct history *h, int days)
{
    made_init(h, tz, monday, days);
    choose(60, RULE_POSITION, 100);
    for (int d = 0; d < days; d++) {
        double at = day_at(d, uniform(10, 20));
        track_use(&track, at, uniform(1, 2) * HOUR);
        if (chance(0.9))
            choose(at + uniform(8, 40), RULE_POSITION, 10);
        choose(at + uniform(2.1, 3.5) * HOUR, RULE_POSITION, uniform(50, 100));
    }
    write_device(h, "cover.blind", "open");
    track_write(&track, h, "switch.p");
}

/* ---- with a habit of switching on ---------------------------------------------------------- */

/* A use of the lamp with a value, told by the call. */
static void use_lamp(double at, double length, double value)
{
    track_use(&track, at, length);
    choose(at - 0.1, RULE_BRIGHTNESS, value);
}

static double any_level(void)
{
    return chance(0.5) ? 80 : 10 + 5 * (int)uniform(0, 19);
}

/* On at a quarter past seven in the evening, used at any time besides. */
static void make_lamp(struct history *h, int days, double kept, double held_out)
{
    made_init(h, tz, monday, days);
    for (int d = 0; d < days; d++) {
        double value = d < days * 3 / 4 ? 35 : held_out;
        if (chance(0.9))
            use_lamp(day_at(d, 19.25) + 300 * made_normal(&seed), uniform(0.5, 1) * HOUR,
                     chance(kept) ? value + made_normal(&seed) : any_level());
        if (chance(0.5))
            use_lamp(day_at(d, uniform(8, 17)), 1200, any_level());
    }
    track_write(&track, h, "light.l");
    write_choices(h);
}

static void make_lamp_at_35(struct history *h, int days)
{
    make_lamp(h, days, 1, 35);
}

static void make_lamp_at_any(struct history *h, int days)
{
    make_lamp(h, days, 0, 35);
}

static void make_lamp_changed(struct history *h, int days)
{
    make_lamp(h, days, 1, 90);
}

/* ---- with any use -------------------------------------------------------------------------- */

/* The lamp is used at any time; from some hour on people mean a value. */
static void make_late(struct history *h, int days)
{
    made_init(h, tz, monday, days);
    for (int d = 0; d < days; d++)
        for (int n = poisson(3.5); n > 0; n--) {
            double hour = uniform(9, 24);
            use_lamp(day_at(d, hour), 600, hour >= 19 ? 25 + made_normal(&seed) : any_level());
        }
    track_write(&track, h, "light.l");
    write_choices(h);
}

/* Half of the uses of a lamp get 80 %. */
static void make_without_value(struct history *h, int days)
{
    made_init(h, tz, monday, days);
    for (int d = 0; d < days; d++)
        for (int n = poisson(3.5); n > 0; n--)
            use_lamp(day_at(d, uniform(9, 24)), 600, any_level());
    track_write(&track, h, "light.l");
    write_choices(h);
}

/* Each day has its own level, on half of the days 80 %. */
static void make_moods(struct history *h, int days)
{
    made_init(h, tz, monday, days);
    for (int d = 0; d < days; d++) {
        double level = any_level();
        for (int n = poisson(3.5); n > 0; n--)
            use_lamp(day_at(d, uniform(9, 24)), 600, level);
    }
    track_write(&track, h, "light.l");
    write_choices(h);
}

/* A thermostat is turned to 20 and to anything, at hours broadly in the evening. */
static void make_broad(struct history *h, int days)
{
    made_init(h, tz, monday, days);
    choose(60, RULE_SETPOINT, 19);
    for (int d = 0; d < days; d++)
        for (int n = 0; n < 2; n++)
            choose(day_at(d, 19 + 3 * (uniform(0, 1) - uniform(0, 1))), RULE_SETPOINT,
                   n == 0 ? 20 : 16 + (int)uniform(0, 12) * 0.5);
    write_device(h, "climate.t", "heat");
}

/* A player is put to the same volume with each use, which then stays. */
static void make_player(struct history *h, int days)
{
    made_init(h, tz, monday, days);
    struct history_entity *e = made_entity(h, "media_player.p");
    uint16_t playing = made_state(h, "playing");
    made_change(h, e, monday, 0, HISTORY_STATE_OFF, CAUSE_PHYSICAL);
    choose(60, RULE_VOLUME, 0.5);
    for (int d = 0; d < days; d++) {
        double at = day_at(d, uniform(15, 20));
        made_change_ms(h, e, ms_of(at), playing, CAUSE_PHYSICAL);
        choose(at + uniform(2, 30), RULE_VOLUME, 0.22);
        choose(at + uniform(1200, 2400), RULE_VOLUME, uniform(0.3, 0.9));
        made_change_ms(h, e, ms_of(at + 3000 + uniform(0, 1500)), HISTORY_STATE_OFF,
                       CAUSE_PHYSICAL);
    }
    write_choices(h);
}

/* ---- what is found ------------------------------------------------------------------------- */

static double number_at(json_object *object, const char *path)
{
    json_object *found = at(object, path);
    return found != NULL ? json_object_get_double(found) : -1;
}

/* Homes with a suggestion of that service and value (NULL, -1: whatever) at about that second of
 * the day (-1: not at a time); *all counts suggestions that set something. */
static int count_homes(void (*make)(struct history *h, int days), int homes, const char *service,
                       const char *field, double value, int second, int *all)
{
    int found = 0;
    *all = 0;
    char path[64];
    snprintf(path, sizeof path, "/automation/actions/0/data/%s", field);
    for (int n = 0; n < homes; n++) {
        struct history h;
        make(&h, 30);
        json_object *result = analysis_run(&h, NULL);
        json_object *list = at(result, "/suggestions");
        bool is_right = false;
        for (size_t i = 0; i < json_object_array_length(list); i++) {
            json_object *one = json_object_array_get_idx(list, i);
            const char *does = json_object_get_string(at(one, "/automation/actions/0/action"));
            const char *time = json_object_get_string(at(one, "/rule/time"));
            int hours = 0, minutes = 0;
            bool has_time = time != NULL && sscanf(time, "%d:%d", &hours, &minutes) == 2;
            double data = number_at(one, path);
            *all += at(one, "/automation/actions/0/data") != NULL;
            is_right = is_right ||
                       (strcmp(does, service) == 0 && fabs(data - value) <= 0.05 * fabs(value) &&
                        (second < 0 ? !has_time
                                    : has_time && abs(hours * 3600 + minutes * 60 - second) < 600));
            if (getenv("VERBOSE") != NULL)
                print_message("  %s\n", json_object_get_string(at(one, "/title")));
        }
        found += is_right;
        json_object_put(result);
        history_release(&h);
    }
    print_message("%s %s %g: %d of %d homes, %d suggestions with values\n", service, field, value,
                  found, homes, *all);
    return found;
}

/* Of 1,000 homes each 985 to 1,000 are right. */
static void test_values_are_found(void **state)
{
    (void)state;
    static const struct {
        void (*make)(struct history *h, int days);
        const char *service, *field;
        double value;
        int second;
        int right; /* of 20: fewer are chance once in 10,000 */
        int all;   /* suggestions with values, of 20 homes, at most */
    } rows[] = {
        {make_thermostat, "climate.set_temperature", "temperature", 17, 81000, 18, 41},
        {make_thermostat, "climate.set_temperature", "temperature", 21, 23400, 18, 41},
        {make_blind, "cover.set_cover_position", "position", 40, 72900, 18, 21},
        {make_film, "cover.set_cover_position", "position", 10, -1, 17, 21},
        {make_lamp_at_35, "light.turn_on", "brightness_pct", 35, 69300, 18, 26},
        {make_late, "light.turn_on", "brightness_pct", 25, -1, 18, 24},
        {make_player, "media_player.volume_set", "volume_level", 0.22, -1, 18, 21},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int homes = homes_of(20), all;
        int right = count_homes(rows[i].make, homes, rows[i].service, rows[i].field, rows[i].value,
                                rows[i].second, &all);
        assert_true(right * 20 >= rows[i].right * homes);
        assert_true(all * 20 <= rows[i].all * homes);
    }
}

/* Without a value that is mostly chosen there is none, and the lamp is switched on all the same. */
static void test_values_are_stable(void **state)
{
    (void)state;
    int homes = homes_of(20), all;
    assert_true(
        count_homes(make_lamp_at_any, homes, "light.turn_on", "brightness_pct", -1, 69300, &all) *
            20 >=
        18 * homes);
    assert_true(all * 20 <= 5 * homes);
    assert_true(
        count_homes(make_lamp_changed, homes, "light.turn_on", "brightness_pct", -1, 69300, &all) *
            20 >=
        18 * homes);
    assert_true(all * 20 <= 5 * homes);
}

/* Of 1,000 homes each 0, 3 and 2 have a suggestion. */
static void test_no_values(void **state)
{
    (void)state;
    int homes = homes_of(20), all;
    count_homes(make_without_value, homes, "light.turn_on", "brightness_pct", 80, -1, &all);
    assert_true(all * 20 <= 3 * homes);
    count_homes(make_moods, homes, "light.turn_on", "brightness_pct", 80, -1, &all);
    assert_true(all * 20 <= 3 * homes);
    count_homes(make_broad, homes, "climate.set_temperature", "temperature", 20, -1, &all);
    assert_true(all * 20 <= 3 * homes);
}

/* ---- who acts ------------------------------------------------------------------------------ */

/* What actors_init makes of a home. */
struct cast {
    struct days days;
    struct restarts restarts;
    struct actors actors;
};

static void cast_init(struct cast *cast, const struct history *h)
{
    days_init(&cast->days, h);
    restarts_init(&cast->restarts, h);
    actors_init(&cast->actors, h, &cast->days, &cast->restarts);
}

static void cast_release(struct cast *cast)
{
    actors_release(&cast->actors);
    restarts_release(&cast->restarts);
    days_release(&cast->days);
}

/* The setting nearest to a value; NULL = there is none. */
static const struct actor *find_setting(const struct cast *cast, double value)
{
    const struct actor *best = NULL;
    for (size_t i = 0; i < cast->actors.count; i++) {
        const struct actor *actor = &cast->actors.list[i];
        if (actor->kind != ACTOR_SWITCH &&
            (best == NULL || fabs(actor->value.value - value) < fabs(best->value.value - value)))
            best = actor;
    }
    return best != NULL && fabs(best->value.value - value) < 1 ? best : NULL;
}

static size_t count_settings(const struct cast *cast)
{
    size_t count = 0;
    for (size_t i = 0; i < cast->actors.count; i++)
        count += cast->actors.list[i].kind != ACTOR_SWITCH;
    return count;
}

/* What is chosen about one value is one act each, whoever is a little off; what an automation did
 * is none, nor what a restart or an absence restored, nor the value that was there at first. */
static void test_acts_are_choices(void **state)
{
    (void)state;
    struct history h;
    struct cast cast;
    made_init(&h, tz, monday, 20);
    choose(60, RULE_POSITION, 40);
    for (int d = 0; d < 20; d++) {
        choose(day_at(d, 8 + 0.37 * (d % 5)), RULE_POSITION, 90);
        choose_by(day_at(d, 20 - 0.29 * (d % 7)), RULE_POSITION, 40 + d % 3 - 1,
                  d == 10 ? CAUSE_AUTOMATION : CAUSE_PHYSICAL);
    }
    struct history_entity *e = made_entity(&h, "cover.blind");
    uint16_t open = made_state(&h, "open");
    made_change(&h, e, monday, 0, open, CAUSE_PHYSICAL);
    double lost = day_at(5, 20 - 0.29 * 5);
    made_change_ms(&h, e, ms_of(lost - 30), HISTORY_STATE_UNAVAILABLE, CAUSE_PHYSICAL);
    made_change_ms(&h, e, ms_of(lost - 10), open, CAUSE_PHYSICAL);
    write_choices(&h);
    cast_init(&cast, &h);
    const struct actor *actor = find_setting(&cast, 40);
    assert_non_null(actor);
    assert_int_equal(count_settings(&cast), 2);
    assert_int_equal(actor->kind, ACTOR_SETTING);
    assert_int_equal(actor->acts[RULE_SET].count, 18);
    assert_int_equal(actor->acts[RULE_SET].automatic_count, 1);
    /* when it could be set, and when it is so */
    const struct history_entity *at = actor_state(actor, &h, 0);
    size_t i = history_find_change(at, ms_of(day_at(3, 12)));
    assert_int_equal(at->state[i - 1], HISTORY_STATE_OFF);
    i = history_find_change(at, ms_of(day_at(3, 23)));
    assert_int_equal(at->state[i - 1], HISTORY_STATE_ON);
    i = history_find_change(at, ms_of(lost - 20));
    assert_int_equal(at->state[i - 1], HISTORY_STATE_UNKNOWN);
    cast_release(&cast);
    history_release(&h);
}

/* A thermostat's own programme is no habit. */
static void test_programmes_are_machines(void **state)
{
    (void)state;
    struct history h;
    struct cast cast;
    made_init(&h, tz, monday, 30);
    choose(60, RULE_SETPOINT, 19);
    for (int d = 0; d < 30; d++) {
        choose_by(day_at(d, 6.5) + uniform(0, 1), RULE_SETPOINT, 21, CAUSE_PHYSICAL);
        choose_by(day_at(d, 22.5) + uniform(0, 1), RULE_SETPOINT, 17, CAUSE_PHYSICAL);
    }
    write_device(&h, "climate.t", "heat");
    cast_init(&cast, &h);
    const struct actor *actor = find_setting(&cast, 17);
    assert_non_null(actor);
    assert_true(actor->acts[RULE_SET].count <= 1);
    assert_true(actor->acts[RULE_SET].machine >= 29);
    cast_release(&cast);
    history_release(&h);
}

/* Of more values than SETTINGS_MAX those of the most days are looked at; of too few days, none. */
static void test_maxima(void **state)
{
    (void)state;
    struct history h;
    struct cast cast;
    made_init(&h, tz, monday, 40);
    choose(60, RULE_POSITION, 50);
    for (int v = 0; v < SETTINGS_MAX + 3; v++)
        for (int d = 0; d < SETTINGS_DAYS_MIN + v; d++)
            choose(day_at(d, 7 + v + uniform(0, 0.9)), RULE_POSITION, 8 * v);
    for (int d = 0; d < SETTINGS_DAYS_MIN - 1; d++)
        choose(day_at(d, 22 + uniform(0, 0.9)), RULE_POSITION, 99);
    write_device(&h, "cover.blind", "open");
    cast_init(&cast, &h);
    assert_int_equal(count_settings(&cast), SETTINGS_MAX);
    assert_null(find_setting(&cast, 0));
    assert_null(find_setting(&cast, 99));
    assert_non_null(find_setting(&cast, 8 * (SETTINGS_MAX + 2)));
    cast_release(&cast);
    history_release(&h);
}

/* What is chosen with switching on belongs to the use, with the use's own time at the earliest; a
 * use for which nobody told anything is one with nothing to do. What is chosen later is none. */
static void test_values_of_uses(void **state)
{
    (void)state;
    struct history h;
    struct cast cast;
    made_init(&h, tz, monday, 20);
    for (int d = 0; d < 20; d++) {
        double at = day_at(d, uniform(10, 20));
        track_use(&track, at, 3000);
        if (d % 4 != 3)
            choose(at - 0.2, RULE_BRIGHTNESS, d % 4 == 0 ? 70 : 30);
        choose(at + 1000, RULE_BRIGHTNESS, 55);
    }
    track_write(&track, &h, "light.l");
    write_choices(&h);
    const struct history_entity *lamp = &h.entities[0];
    cast_init(&cast, &h);
    const struct actor *actor = find_setting(&cast, 30);
    assert_non_null(actor);
    assert_null(find_setting(&cast, 55));
    assert_int_equal(actor->kind, ACTOR_SETTING_OF_USE);
    assert_int_equal(actor->acts[RULE_SET].count, 10);
    const struct history_entity *at = actor_state(actor, &h, 0);
    for (size_t i = 1, use = 0; i < lamp->changes; i++) {
        if (lamp->state[i] != HISTORY_STATE_ON)
            continue;
        size_t before = history_find_change(at, lamp->time_ms[i]);
        assert_int_equal(at->state[before - 1],
                         use % 4 == 3 ? HISTORY_STATE_ON : HISTORY_STATE_OFF);
        if (use == 1)
            assert_true(actor->acts[RULE_SET].list[0].time_ms == lamp->time_ms[i]);
        use++;
    }
    cast_release(&cast);
    history_release(&h);
}

/* ---- what is told -------------------------------------------------------------------------- */

static const char *text_at(json_object *object, const char *path)
{
    const char *text = json_object_get_string(at(object, path));
    return text != NULL ? text : "";
}

/* One blind with two habits, without exception. */
static void test_what_is_told(void **state)
{
    (void)state;
    struct history h;
    made_init(&h, tz, monday, 28);
    choose(60, RULE_POSITION, 100);
    for (int d = 0; d < 28; d++) {
        choose(day_at(d, 7.5) + 90 * (d % 7 - 3), RULE_POSITION, 80);
        choose(day_at(d, 20.5) + 90 * (d * 3 % 7 - 3), RULE_POSITION, 24 + d % 3);
    }
    write_device(&h, "cover.blind", "open");
    json_object *result = analysis_run(&h, NULL);
    assert_int_equal(json_object_array_length(at(result, "/suggestions")), 2);
    for (int i = 0; i < 2; i++) {
        char path[32];
        snprintf(path, sizeof path, "/suggestions/%d", i);
        json_object *one = at(result, path);
        bool is_second = strstr(text_at(one, "/id"), "#2") != NULL;
        assert_string_equal(text_at(one, "/kind"), "value");
        assert_string_equal(text_at(one, "/title"),
                            is_second ? "Set cover.blind to 25 % at 20:30 every day"
                                      : "Set cover.blind to 80 % at 07:30 every day");
        assert_non_null(strstr(text_at(one, "/explanation"), "Someone set cover.blind to "));
        assert_true(number_at(one, "/automation/actions/0/data/position") == (is_second ? 25 : 80));
        assert_string_equal(text_at(one, "/evidence/values/0/field"), "position");
        assert_true(number_at(one, "/evidence/values/0/days") == 21);
        assert_true(number_at(one, "/evidence/values/0/of_days") == 21);
        assert_true(number_at(one, "/evidence/values/0/held_out_days") == 7);
        assert_true(number_at(one, "/evidence/values/0/spread") < 1);
        assert_true(number_at(one, "/backtest/hits") == 7);
    }
    json_object_put(result);
    history_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_found),
        cmocka_unit_test(test_values_are_stable),
        cmocka_unit_test(test_no_values),
        cmocka_unit_test(test_acts_are_choices),
        cmocka_unit_test(test_programmes_are_machines),
        cmocka_unit_test(test_maxima),
        cmocka_unit_test(test_values_of_uses),
        cmocka_unit_test(test_what_is_told),
    };
    return cmocka_run_group_tests(tests, tracks_setup, berlin_teardown);
}
