#include "home/plan.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "home/rng.h"
#include "home/streams.h"

enum { HOUR = 3600, NOUNS_MAX = 8, ALL_DAYS = 0x7f, WEEKDAYS = 0x1f, WEEKEND = 0x60 };

static const char *const areas[HOME_AREA_COUNT] = {
    "Living room",  "Kitchen",    "Bedroom",     "Bathroom", "Hallway", "Office",
    "Kids room",    "Guest room", "Dining room", "Garage",   "Cellar",  "Attic",
    "Laundry room", "Workshop",   "Terrace",     "Garden",
};

static const char *const domains[HOME_DOMAIN_COUNT] = {
    "light", "switch", "fan", "input_boolean", "binary_sensor", "sensor", "automation",
};

static const char *const roles[HOME_ROLE_COUNT] = {
    "habitual", "distractor", "automated", "machine", "detector", "measured", "automation",
};

/* Last words of the names of what people use. */
static const char *const nouns[HOME_BINARY_SENSOR][NOUNS_MAX] = {
    {"ceiling light", "floor lamp", "wall light", "reading lamp", "spots", "light strip",
     "window light", "corner lamp"},
    {"radio", "socket", "speaker", "heater", "screen", "charger", "kettle", "dehumidifier"},
    {"fan", "ceiling fan", "table fan", "air purifier", "extractor fan", "window fan", "floor fan",
     "ventilation"},
    {"quiet mode", "guest mode", "music mode", "reading mode", "cleaning mode", "holiday mode",
     "party mode", "work mode"},
};

static const char *const detector_nouns[] = {"motion", "door", "window", "occupancy"};

static const struct home_quantity quantities[] = {
    {"temperature", "temperature", "°C", 2, 21, 1.2, .5, .08, -20, 60, 1},
    {"power", "power", "W", 1, 140, 90, 30, 25, 0, 4000, 4},
    {"humidity", "humidity", "%", 1, 48, 5, 3, .4, 0, 100, 1},
    {"illuminance", "illuminance", "lx", 1, 220, 200, 40, 12, 0, 20000, 1.5},
    {"carbon dioxide", "carbon_dioxide", "ppm", 1, 650, 180, 60, 9, 380, 4000, 1},
    {"pressure", "atmospheric_pressure", "hPa", 2, 1013, .8, 5, .06, 900, 1100, .5},
    {"voltage", "voltage", "V", 2, 231, 1.5, .8, .35, 190, 260, 2},
};
enum { QUANTITY_COUNT = sizeof quantities / sizeof quantities[0] };

const char *home_area_name(int area)
{
    return areas[area];
}

const char *home_domain_name(enum home_domain domain)
{
    return domains[domain];
}

const char *home_role_name(enum home_role role)
{
    return roles[role];
}

const char *home_day_class(uint8_t weekdays)
{
    static const struct {
        uint8_t weekdays;
        const char *name;
    } classes[] = {
        {ALL_DAYS, "all"},    {WEEKDAYS, "weekdays"},
        {WEEKEND, "weekend"}, {1, "mon"},
        {2, "tue"},           {4, "wed"},
        {8, "thu"},           {16, "fri"},
        {32, "sat"},          {64, "sun"},
    };
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (classes[i].weekdays == weekdays)
            return classes[i].name;
    return NULL;
}

/* "kitchen_ceiling_light" of "Kitchen ceiling light", as HA makes it: names are plain ASCII. */
static char *slug(const char *name)
{
    char *out = xstrdup(name);
    for (char *c = out; *c != '\0'; c++)
        *c = isalnum((unsigned char)*c) ? (char)tolower((unsigned char)*c) : '_';
    return out;
}

/* How many entities of each role a home of n has. */
struct shape {
    int automations, machines, measured, detectors, used;
};

static struct shape shape_of(int n)
{
    struct shape s = {
        .automations = n >= 12 ? 2 : 1,
        .machines = n >= 40   ? 2
                    : n >= 12 ? 1
                              : 0,
        .measured = n * 3 / 10,
        .detectors = 1 + n / 10,
    };
    /* Each automation is an entity and works one. */
    s.used = n - 2 * s.automations - s.machines - s.measured - s.detectors;
    return s;
}

/* Builder state: entities are named by running counters, area by area. */
struct builder {
    struct home *home;
    struct rng rng;
    int named[HOME_DOMAIN_COUNT];
};

/* Some things have no switch on the wall, some are never touched in HA, most are both. */
static double draw_physical_share(struct rng *rng)
{
    const double u = rng_uniform(rng);
    return u < .25 ? 0 : u > .75 ? 1 : rng_between(rng, .2, .8);
}

static struct home_entity *add_entity(struct builder *b, enum home_domain domain,
                                      enum home_role role, int area, char *name)
{
    struct home_entity *e = &b->home->entities[b->home->entity_count++];
    char *object_id = slug(name);
    *e = (struct home_entity){
        .entity_id = xasprintf("%s.%s", domains[domain], object_id),
        .name = name,
        .area = area,
        .domain = domain,
        .role = role,
        .physical_share = draw_physical_share(&b->rng),
        .phase = rng_uniform(&b->rng),
    };
    free(object_id);
    return e;
}

/* Adds the next entity of a domain: areas change fastest, then the nouns, then a number. */
static struct home_entity *add_named(struct builder *b, enum home_domain domain,
                                     enum home_role role, const char *const *words, int word_count)
{
    const int index = b->named[domain]++;
    const int area = index % HOME_AREA_COUNT;
    /* + area: neighbouring rooms have different things */
    const int word = (index / HOME_AREA_COUNT + area) % word_count;
    const int round = index / (HOME_AREA_COUNT * word_count);
    char *name = round == 0 ? xasprintf("%s %s", areas[area], words[word])
                            : xasprintf("%s %s %d", areas[area], words[word], round + 1);
    return add_entity(b, domain, role, area, name);
}

static struct home_profile draw_profile(struct rng *rng, double per_day, double duration_s)
{
    struct home_profile p = {
        .per_day = per_day,
        .weekend_factor = rng_between(rng, .6, 1.6),
        .background = rng_between(rng, .05, .3),
        .bump_count = 1 + (int)rng_below(rng, HOME_BUMPS_MAX),
        .duration_s = duration_s,
        .duration_spread = rng_between(rng, .6, 1.0),
    };
    for (int i = 0; i < p.bump_count; i++) {
        p.center_s[i] = rng_between(rng, 7, 23) * HOUR;
        /* Full width at half height = 2.355 sigma: 80 minutes make 3.1 hours. */
        p.sigma_s[i] = rng_between(rng, 80, 200) * 60;
    }
    return p;
}

static void add_used(struct builder *b)
{
    static const enum home_domain mix[] = {
        HOME_LIGHT, HOME_LIGHT,  HOME_SWITCH, HOME_LIGHT, HOME_INPUT_BOOLEAN,
        HOME_LIGHT, HOME_SWITCH, HOME_FAN,    HOME_LIGHT, HOME_SWITCH,
    };
    const enum home_domain domain = mix[rng_below(&b->rng, sizeof mix / sizeof mix[0])];
    struct home_entity *e = add_named(b, domain, HOME_ROLE_DISTRACTOR, nouns[domain], NOUNS_MAX);
    const double per_day = rng_between(&b->rng, .5, 4);
    e->profile = draw_profile(&b->rng, per_day, rng_between(&b->rng, 15, 120) * 60);
}

static void add_detectors(struct builder *b, int count)
{
    for (int i = 0; i < count; i++) {
        const bool moving = i % 4 == 0 || i % 4 == 3;
        struct home_entity *e =
            add_named(b, HOME_BINARY_SENSOR, HOME_ROLE_DETECTOR, &detector_nouns[i % 4], 1);
        e->device_class = detector_nouns[i % 4];
        e->profile =
            draw_profile(&b->rng, moving ? rng_between(&b->rng, 8, 25) : rng_between(&b->rng, 2, 8),
                         moving ? 75 : 40);
    }
}

static void add_measured(struct builder *b, int count)
{
    for (int i = 0; i < count; i++) {
        const struct home_quantity *q = &quantities[i % QUANTITY_COUNT];
        const int area = i / QUANTITY_COUNT % HOME_AREA_COUNT;
        const int round = i / (QUANTITY_COUNT * HOME_AREA_COUNT);
        char *name = round == 0 ? xasprintf("%s %s", areas[area], q->noun)
                                : xasprintf("%s %s %d", areas[area], q->noun, round + 1);
        add_entity(b, HOME_SENSOR, HOME_ROLE_MEASURED, area, name)->quantity = q;
    }
}

static uint32_t index_of(const struct builder *b, const struct home_entity *e)
{
    return (uint32_t)(e - b->home->entities);
}

/* The first automation answers a detector, the second one runs at a time of day. */
static void add_rules(struct builder *b, int count, uint32_t first_detector)
{
    static const struct {
        const char *alias, *target;
        int area;
    } known[] = {{"Light when somebody comes", "Entrance light", 4},
                 {"Evening light", "Porch light", 14}};
    for (int i = 0; i < count; i++) {
        struct home_entity *target =
            add_entity(b, HOME_LIGHT, HOME_ROLE_AUTOMATED, known[i].area, xstrdup(known[i].target));
        target->profile = draw_profile(&b->rng, .25, 20 * 60);
        const uint32_t target_index = index_of(b, target);
        struct home_entity *automation = add_entity(b, HOME_AUTOMATION, HOME_ROLE_AUTOMATION,
                                                    target->area, xstrdup(known[i].alias));
        b->home->rules[b->home->rule_count++] = (struct home_rule){
            .automation = index_of(b, automation),
            .target = target_index,
            .trigger = i == 0 ? (int64_t)first_detector : -1,
            .at_s = i == 0 ? 0 : (17 * 12 + (int)rng_below(&b->rng, 36)) * 300,
            .off_after_s = i == 0 ? 240 : 3 * HOUR + 600 * (int)rng_below(&b->rng, 6),
        };
    }
}

static void add_machines(struct builder *b, int count)
{
    static const char *const names[] = {"Aquarium light", "Circulation pump"};
    for (int i = 0; i < count; i++) {
        struct home_entity *e =
            add_entity(b, HOME_SWITCH, HOME_ROLE_MACHINE, i == 0 ? 0 : 10, xstrdup(names[i]));
        e->profile = draw_profile(&b->rng, .15, 20 * 60);
        b->home->machines[b->home->machine_count++] = (struct home_machine){
            .entity = index_of(b, e),
            .on_s = (6 * 4 + (int)rng_below(&b->rng, 16)) * 900,
            .off_s = (18 * 4 + (int)rng_below(&b->rng, 16)) * 900,
        };
    }
}

static uint8_t draw_weekdays(struct rng *rng)
{
    const double u = rng_uniform(rng);
    if (u < .46)
        return ALL_DAYS;
    if (u < .78)
        return WEEKDAYS;
    if (u < .95)
        return WEEKEND;
    return (uint8_t)(1u << rng_below(rng, 7));
}

static struct home_habit draw_habit(struct rng *rng, uint32_t entity)
{
    struct home_habit h = {
        .entity = entity,
        .word = rng_chance(rng, .75) ? HOME_ON : HOME_OFF,
        .weekdays = draw_weekdays(rng),
        .sigma_s = rng_between(rng, 2, 20) * 60,
        .adherence = rng_between(rng, .70, .95),
        .duration_spread = rng_between(rng, .5, .9),
    };
    /* People choose round times: whole five minutes. Far enough from midnight that the jitter
     * does not leave the day; what ends at its time began the same day. */
    const double first = h.word == HOME_ON ? 5.75 : 11, last = 22.75;
    h.at_s = floor(rng_between(rng, first, last) * 12) * 300;
    h.duration_s = h.word == HOME_ON ? rng_between(rng, 30, 240) * 60 : 150 * 60;
    return h;
}

/* A second habit of one device lies at least five hours from its first. */
static void add_habits(struct builder *b, int count, uint32_t first_used)
{
    struct home *home = b->home;
    uint32_t next = first_used;
    for (int i = 0; i < count; i++) {
        struct home_habit h = draw_habit(&b->rng, next);
        const struct home_habit *previous = i > 0 ? &home->habits[i - 1] : NULL;
        const bool alone = i == 1 || (i > 1 && home->habits[i - 2].entity != previous->entity);
        if (alone && rng_chance(&b->rng, .2) && fabs(previous->at_s - h.at_s) >= 5 * HOUR)
            h.entity = previous->entity;
        else
            next++;
        home->habits[home->habit_count++] = h;
    }
    for (uint32_t e = first_used; e < next; e++) {
        home->entities[e].role = HOME_ROLE_HABITUAL;
        home->entities[e].profile.per_day *= .3;
    }
}

int home_init(struct home *home, uint64_t seed, int entities, int habits, struct error *err)
{
    *home = (struct home){.seed = seed};
    if (entities < HOME_ENTITIES_MIN || entities > HOME_ENTITIES_MAX)
        return error_set(err, ERROR_INVALID, "entities: %d is not in %d..%d", entities,
                         (int)HOME_ENTITIES_MIN, (int)HOME_ENTITIES_MAX);
    const struct shape shape = shape_of(entities);
    const int habits_max = shape.used / 2;
    if (habits > habits_max)
        return error_set(err, ERROR_INVALID,
                         "habits: a home of %d entities has room for at most %d, not %d", entities,
                         habits_max, habits);
    if (habits < 0)
        habits = habits_max < 8 ? habits_max : 8;

    home->entities = xcalloc((size_t)entities, sizeof *home->entities);
    home->habits = xcalloc((size_t)habits + 1, sizeof *home->habits);
    home->rules = xcalloc((size_t)shape.automations, sizeof *home->rules);
    home->machines = xcalloc((size_t)shape.machines + 1, sizeof *home->machines);
    struct builder b = {.home = home};
    rng_init(&b.rng, seed, STREAM_PLAN, 0, 0);
    for (int i = 0; i < shape.used; i++)
        add_used(&b);
    add_habits(&b, habits, 0);
    const uint32_t first_detector = (uint32_t)home->entity_count;
    add_detectors(&b, shape.detectors);
    add_rules(&b, shape.automations, first_detector);
    add_machines(&b, shape.machines);
    add_measured(&b, shape.measured);
    return 0;
}

void home_release(struct home *home)
{
    for (size_t i = 0; i < home->entity_count; i++) {
        free(home->entities[i].entity_id);
        free(home->entities[i].name);
    }
    free(home->entities);
    free(home->habits);
    free(home->rules);
    free(home->machines);
    *home = (struct home){0};
}
