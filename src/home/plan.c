#include "home/plan.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "home/habits.h"
#include "home/people.h"
#include "home/rng.h"
#include "home/streams.h"

enum { HOUR = 3600, NOUNS_MAX = 8 };

/* Last words of the names of what people use. */
static const char *const nouns[HOME_USED_DOMAINS][NOUNS_MAX] = {
    {"ceiling light", "floor lamp", "wall light", "reading lamp", "spots", "light strip",
     "window light", "corner lamp"},
    {"radio", "socket", "speaker", "heater", "screen", "charger", "kettle", "dehumidifier"},
    {"fan", "ceiling fan", "table fan", "air purifier", "extractor fan", "window fan", "floor fan",
     "ventilation"},
    {"quiet mode", "guest mode", "music mode", "reading mode", "cleaning mode", "holiday mode",
     "party mode", "work mode"},
    {"TV", "stereo", "media player", "soundbar", "screen player", "smart display", "jukebox",
     "music box"},
};

/* The first detectors of a home; further ones are named area by area. */
static const struct {
    const char *noun;
    int area;
} first_detectors[] = {
    {"motion", 4}, {"door", 4},    {"motion", 10}, {"motion", 1}, {"window", 3}, {"door", 9},
    {"motion", 0}, {"motion", 12}, {"window", 2},  {"motion", 5}, {"door", 14},  {"motion", 11},
};
enum { FIRST_DETECTORS = sizeof first_detectors / sizeof first_detectors[0] };
static const char *const more_detectors[] = {"motion sensor", "door contact", "window contact",
                                             "presence sensor"};

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
    int automations, machines, measured, detectors, people, trackers, groups, used;
};

static struct shape shape_of(int n)
{
    struct shape s = {
        .automations = n >= 16 ? 2 : 1,
        .machines = n >= 50   ? 3
                    : n >= 40 ? 2
                    : n >= 16 ? 1
                              : 0,
        .measured = n >= 24 ? n / 4 : n / 6,
        .detectors = n < 12 ? 1 : 2 + n / 13,
        .people = n < 12   ? 0
                  : n < 24 ? 1
                           : 2,
        .groups = n < 24    ? 0
                  : n < 80  ? 1
                  : n < 150 ? 2
                            : 3,
    };
    s.trackers = n >= 60 ? s.people : 0;
    /* Each automation is an entity and works one. */
    s.used = n - 2 * s.automations - s.machines - s.measured - s.detectors - s.people - s.trackers;
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
        .entity_id = xasprintf("%s.%s", home_domain_name(domain), object_id),
        .name = name,
        .area = area,
        .domain = domain,
        .role = role,
        .group = -1,
        .dies_on = INT64_MAX,
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
    char *name = round == 0 ? xasprintf("%s %s", home_area_name(area), words[word])
                            : xasprintf("%s %s %d", home_area_name(area), words[word], round + 1);
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
        HOME_LIGHT, HOME_SWITCH, HOME_FAN,    HOME_LIGHT, HOME_MEDIA_PLAYER,
    };
    const enum home_domain domain = mix[rng_below(&b->rng, sizeof mix / sizeof mix[0])];
    struct home_entity *e = add_named(b, domain, HOME_ROLE_DISTRACTOR, nouns[domain], NOUNS_MAX);
    const double per_day = rng_between(&b->rng, .5, 4) * (home_is_seldom_visited(e->area) ? .3 : 1);
    e->profile = draw_profile(&b->rng, per_day, rng_between(&b->rng, 15, 120) * 60);
    e->has_level = home_level_name(domain) != NULL && rng_chance(&b->rng, .6);
    if (rng_chance(&b->rng, .25)) { /* some of its uses follow on coming home, within hours */
        e->after_coming = rng_between(&b->rng, .1, .4);
        e->profile.per_day *= .6;
    }
    if (domain == HOME_MEDIA_PLAYER)
        e->physical_share = 1; /* remote controls: HA sees the state alone */
}

/* Two or three lamps that always act as one, perhaps with a light group in HA. Returns how many
 * entities they are. */
static int add_group(struct builder *b, int room)
{
    static const char *const places[] = {"left", "right", "middle"};
    static const int group_areas[] = {8, 0, 14};
    struct home *home = b->home;
    const int number = (int)home->group_count, area = group_areas[number];
    struct home_group *g = &home->groups[home->group_count++];
    const int lamps = room >= 4 && rng_chance(&b->rng, .5) ? 3 : 2;
    const bool known = room > lamps && rng_chance(&b->rng, .5);
    const struct home_profile profile =
        draw_profile(&b->rng, rng_between(&b->rng, .5, 4), rng_between(&b->rng, 15, 120) * 60);
    *g = (struct home_group){.leader = (uint32_t)home->entity_count,
                             .first_member = (uint32_t)home->entity_count + 1,
                             .member_count = (uint32_t)lamps - 1,
                             .entity = -1,
                             .latest_s = rng_between(&b->rng, .2, 1.8)};
    for (int i = 0; i < lamps; i++) {
        struct home_entity *e =
            add_entity(b, HOME_LIGHT, i == 0 ? HOME_ROLE_DISTRACTOR : HOME_ROLE_MEMBER, area,
                       xasprintf("%s lamp %s", home_area_name(area), places[i]));
        e->group = number;
        if (i == 0)
            e->profile = profile;
    }
    if (!known)
        return lamps;
    g->entity = (int64_t)home->entity_count;
    add_entity(b, HOME_LIGHT, HOME_ROLE_MEMBER, area, xasprintf("%s lamps", home_area_name(area)))
        ->group = number;
    return lamps + 1;
}

/* What people use, groups in between. */
static void add_all_used(struct builder *b, const struct shape *shape)
{
    int left = shape->used, groups = shape->groups;
    while (left > 0) {
        if (groups > 0 && left >= 3 && (rng_chance(&b->rng, 2.0 * groups / left) || left < 6)) {
            left -= add_group(b, left);
            groups--;
        } else {
            add_used(b);
            left--;
        }
    }
}

static struct home_entity *add_detector(struct builder *b, int index)
{
    if (index < FIRST_DETECTORS) {
        const int area = first_detectors[index].area;
        const char *noun = first_detectors[index].noun;
        struct home_entity *e = add_entity(
            b, HOME_BINARY_SENSOR, HOME_ROLE_DETECTOR, area,
            index == 1 ? xstrdup("Front door") : xasprintf("%s %s", home_area_name(area), noun));
        e->device_class = noun;
        return e;
    }
    static const char *const classes[] = {"motion", "door", "window", "occupancy"};
    const int kind = index % 4;
    struct home_entity *e =
        add_named(b, HOME_BINARY_SENSOR, HOME_ROLE_DETECTOR, &more_detectors[kind], 1);
    e->device_class = classes[kind];
    return e;
}

/* Doors and windows are opened at any time; motion and the front door follow the people. */
static void add_detectors(struct builder *b, int count)
{
    for (int i = 0; i < count; i++) {
        struct home_entity *e = add_detector(b, i);
        const double per_day = rng_between(&b->rng, 1, 4);
        e->is_front_door = i == 1;
        if (e->device_class[0] == 'd' || e->device_class[0] == 'w') {
            e->profile = draw_profile(&b->rng, i == 1 ? .7 : per_day, 40);
            e->profile.duration_spread = .8;
        }
    }
}

/* --- People
 * ------------------------------------------------------------------------------------------ */

static void add_presence(struct builder *b, int entities, bool trackers)
{
    static const char *const names[HOME_PEOPLE_MAX] = {"Anna", "Ben"};
    for (int p = 0; p < entities; p++) {
        struct home_person *person = &b->home->people[p];
        person->entity = (int64_t)b->home->entity_count;
        add_entity(b, HOME_PERSON, HOME_ROLE_PRESENCE, 0, xstrdup(names[p]));
        if (!trackers)
            continue;
        person->tracker = (int64_t)b->home->entity_count;
        add_entity(b, HOME_TRACKER, HOME_ROLE_PRESENCE, 0, xasprintf("%s phone", names[p]));
    }
}

/* Some go to work every weekday, some on a few days, some not at all. */
static uint8_t draw_workdays(struct rng *rng)
{
    const double u = rng_uniform(rng);
    if (u < .5)
        return HOME_WEEKDAYS;
    if (u < .8)
        return (uint8_t)(HOME_WEEKDAYS & ~(1u << rng_below(rng, 5)) & ~(1u << rng_below(rng, 5)));
    return 0;
}

static void draw_people(struct builder *b, int count)
{
    for (int p = 0; p < count; p++) {
        struct rng rng;
        rng_init(&rng, b->home->seed, STREAM_USERS, (uint64_t)p, 0);
        const uint64_t parts[] = {rng_next(&rng), rng_next(&rng)};
        struct home_person *person = &b->home->people[p];
        *person = (struct home_person){
            .name = p == 0 ? "Anna" : "Ben",
            .entity = -1,
            .tracker = -1,
            .workdays = draw_workdays(&rng),
            .wake_s = rng_between(&rng, 5.5, 8) * HOUR,
            .leave_s = rng_between(&rng, 7.5, 9.5) * HOUR,
            .return_s = rng_between(&rng, 15.5, 18.5) * HOUR,
            .bed_s = rng_between(&rng, 21.75, 24) * HOUR,
            .jitter_s = rng_between(&rng, 50, 85) * 60,
            .errands = rng_between(&rng, .3, .9),
        };
        memcpy(person->user, parts, HOME_ID_SIZE);
    }
    b->home->people_count = count;
}

static void add_measured(struct builder *b, int count)
{
    for (int i = 0; i < count; i++) {
        const struct home_quantity *q = &quantities[i % QUANTITY_COUNT];
        const int area = i / QUANTITY_COUNT % HOME_AREA_COUNT;
        const int round = i / (QUANTITY_COUNT * HOME_AREA_COUNT);
        char *name = round == 0 ? xasprintf("%s %s", home_area_name(area), q->noun)
                                : xasprintf("%s %s %d", home_area_name(area), q->noun, round + 1);
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

/* People switch it on, its timer switches it off. */
static void add_stairs_light(struct builder *b)
{
    struct home_entity *e =
        add_entity(b, HOME_LIGHT, HOME_ROLE_MACHINE, 4, xstrdup("Stairs light"));
    e->profile = draw_profile(&b->rng, rng_between(&b->rng, 2, 5), 60);
    e->physical_share = 1;
    e->auto_off_s = 60 * (2 + (int)rng_below(&b->rng, 9));
    b->home->machines[b->home->machine_count++] =
        (struct home_machine){.entity = index_of(b, e), .off_after_s = e->auto_off_s};
}

static void add_machines(struct builder *b, int count)
{
    static const char *const names[] = {"Aquarium light", "Circulation pump"};
    for (int i = 0; i < count && i < 2; i++) {
        struct home_entity *e =
            add_entity(b, HOME_SWITCH, HOME_ROLE_MACHINE, i == 0 ? 0 : 10, xstrdup(names[i]));
        e->profile = draw_profile(&b->rng, .15, 20 * 60);
        b->home->machines[b->home->machine_count++] = (struct home_machine){
            .entity = index_of(b, e),
            .on_s = (6 * 4 + (int)rng_below(&b->rng, 16)) * 900,
            .off_s = (18 * 4 + (int)rng_below(&b->rng, 16)) * 900,
        };
    }
    if (count > 2)
        add_stairs_light(b);
}

/* --- Trouble
 * ----------------------------------------------------------------------------------------- */

/* A stretch of days within the history, drawn by chance; none in short ones. */
static struct home_span draw_span(struct rng *rng, const struct home_settings *s, double chance,
                                  int shortest, int longest)
{
    const int64_t days = s->last_day - s->first_day + 1;
    const bool happens = rng_chance(rng, chance);
    const int length = shortest + (int)rng_below(rng, (uint32_t)(longest - shortest + 1));
    if (!happens || days < 7 * (int64_t)length)
        return (struct home_span){1, 0};
    const int64_t from = s->first_day + (int64_t)(rng_uniform(rng) * (double)(days - length));
    return (struct home_span){from, from + length - 1};
}

static bool is_trigger(const struct home *home, size_t entity)
{
    for (size_t h = 0; h < home->habit_count; h++)
        if (home->habits[h].trigger == entity || home->habits[h].entity == entity)
            return true;
    for (size_t r = 0; r < home->rule_count; r++)
        if (home->rules[r].trigger == (int64_t)entity)
            return true;
    return false;
}

/* One detector in ten dies within the history, one in ten flaps; none that a habit hangs on. */
static void draw_sensor_trouble(struct home *home)
{
    const struct home_settings *s = &home->settings;
    const double days = (double)(s->last_day - s->first_day + 1);
    for (size_t e = 0; e < home->entity_count; e++) {
        struct home_entity *entity = &home->entities[e];
        struct rng rng;
        rng_init(&rng, home->seed, STREAM_SENSORS, e, 0);
        const double u = rng_uniform(&rng);
        const bool may = entity->role == HOME_ROLE_DETECTOR || entity->role == HOME_ROLE_MEASURED;
        if (!may || is_trigger(home, e))
            continue;
        if (u < .1)
            entity->dies_on = s->first_day + (int64_t)(rng_between(&rng, .2, .9) * days);
        else if (u < .2 && entity->role == HOME_ROLE_DETECTOR)
            entity->flapping_share = rng_between(&rng, .05, .2);
    }
}

static void draw_trouble(struct home *home)
{
    const struct home_settings *s = &home->settings;
    struct rng rng;
    rng_init(&rng, home->seed, STREAM_TROUBLE, 0, 0);
    home->holidays = draw_span(&rng, s, s->trouble & HOME_HOLIDAYS ? .25 : 0, 2, 8);
    home->guests = draw_span(&rng, s, s->trouble & HOME_GUESTS ? .3 : 0, 1, 4);
    if (s->trouble & HOME_SENSORS)
        draw_sensor_trouble(home);
}

/* --- All of it
 * --------------------------------------------------------------------------------------- */

struct home_settings home_settings_default(uint64_t seed, int entities, int64_t first_day,
                                           int64_t last_day)
{
    return (struct home_settings){
        .seed = seed,
        .entities = entities,
        .habits = -1,
        .kinds = (1u << HOME_KIND_COUNT) - 1,
        .gates = 1u << HOME_UNGATED | 1u << HOME_GATE_PRESENCE | 1u << HOME_GATE_DARK,
        .trouble = HOME_TROUBLES_ALL,
        .adherence_low = .60,
        .adherence_high = .95,
        .sigma_low_min = 2,
        .sigma_high_min = 30,
        .first_day = first_day,
        .last_day = last_day,
        .latitude = 52.52,
        .longitude = 13.405,
    };
}

static void add_everything(struct builder *b, const struct shape *shape)
{
    draw_people(b, rng_chance(&b->rng, .7) ? 2 : 1);
    add_all_used(b, shape);
    const uint32_t first_detector = (uint32_t)b->home->entity_count;
    add_detectors(b, shape->detectors);
    /* A single person's home has more numbers instead of a second person. */
    const int people =
        shape->people < b->home->people_count ? shape->people : b->home->people_count;
    add_presence(b, people, shape->trackers > 0);
    add_rules(b, shape->automations, first_detector);
    add_machines(b, shape->machines);
    add_measured(b, b->home->settings.entities - (int)b->home->entity_count);
}

int home_init(struct home *home, const struct home_settings *settings, struct error *err)
{
    *home = (struct home){.settings = *settings, .seed = settings->seed};
    const int entities = settings->entities;
    if (entities < HOME_ENTITIES_MIN || entities > HOME_ENTITIES_MAX)
        return error_set(err, ERROR_INVALID, "entities: %d is not in %d..%d", entities,
                         (int)HOME_ENTITIES_MIN, (int)HOME_ENTITIES_MAX);
    const struct shape shape = shape_of(entities);
    home->entities = xcalloc((size_t)entities, sizeof *home->entities);
    home->groups = xcalloc((size_t)shape.groups + 1, sizeof *home->groups);
    home->rules = xcalloc((size_t)shape.automations, sizeof *home->rules);
    home->machines = xcalloc((size_t)shape.machines + 1, sizeof *home->machines);
    struct builder b = {.home = home};
    rng_init(&b.rng, home->seed, STREAM_PLAN, 0, 0);
    add_everything(&b, &shape);
    if (habits_draw(home, err) < 0)
        return -1;
    people_weigh_areas(home);
    draw_trouble(home);
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
    free(home->groups);
    free(home->rules);
    free(home->machines);
    *home = (struct home){0};
}
