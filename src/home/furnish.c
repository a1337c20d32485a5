#include "home/furnish.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
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
    {"illuminance", "illuminance", "lx", 1, 0, 0, 0, 0, 0, 120000, 1.5},
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

static int at_least(int n, const int *limits, int count)
{
    int reached = 0;
    while (reached < count && n >= limits[reached])
        reached++;
    return reached;
}

#define STEPS(n, ...)                                                                              \
    at_least(n, (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

struct home_shape furnish_shape(int n)
{
    struct home_shape s = {
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
        .climates = STEPS(n, 20, 40, 80, 150),
        .covers = STEPS(n, 20, 40, 100),
        .locks = STEPS(n, 30),
        .modes = STEPS(n, 24, 100),
        .scenes = STEPS(n, 30, 80, 150),
        .light_sensors = STEPS(n, 20, 60),
    };
    const int things = s.climates + s.covers + s.locks + s.modes + s.scenes + s.light_sensors;
    s.trackers = n >= 60 ? s.people : 0;
    /* They come in place of numbers, as far as these go. */
    s.measured = s.measured - things > n / 8 ? s.measured - things : n / 8;
    /* Each automation is an entity and works one. */
    s.used = n - 2 * s.automations - s.machines - s.measured - s.detectors - s.people - s.trackers -
             things;
    return s;
}

uint32_t furnish_index(const struct furnisher *f, const struct home_entity *e)
{
    return (uint32_t)(e - f->home->entities);
}

/* Some things have no switch on the wall, some are never touched in HA, most are both. */
static double draw_physical_share(struct rng *rng)
{
    const double u = rng_uniform(rng);
    return u < .25 ? 0 : u > .75 ? 1 : rng_between(rng, .2, .8);
}

struct home_entity *furnish_add(struct furnisher *f, enum home_domain domain, enum home_role role,
                                int area, char *name)
{
    struct home_entity *e = &f->home->entities[f->home->entity_count++];
    char *object_id = slug(name);
    *e = (struct home_entity){
        .entity_id = xasprintf("%s.%s", home_domain_name(domain), object_id),
        .name = name,
        .area = area,
        .domain = domain,
        .role = role,
        .group = -1,
        .dies_on = INT64_MAX,
        .physical_share = draw_physical_share(&f->rng),
        .phase = rng_uniform(&f->rng),
    };
    free(object_id);
    return e;
}

/* Adds the next entity of a domain: areas change fastest, then the nouns, then a number. */
static struct home_entity *add_named(struct furnisher *f, enum home_domain domain,
                                     enum home_role role, const char *const *words, int word_count)
{
    const int index = f->named[domain]++;
    const int area = index % HOME_AREA_COUNT;
    /* + area: neighbouring rooms have different things */
    const int word = (index / HOME_AREA_COUNT + area) % word_count;
    const int round = index / (HOME_AREA_COUNT * word_count);
    char *name = round == 0 ? xasprintf("%s %s", home_area_name(area), words[word])
                            : xasprintf("%s %s %d", home_area_name(area), words[word], round + 1);
    return furnish_add(f, domain, role, area, name);
}

struct home_profile furnish_profile(struct rng *rng, double per_day, double duration_s)
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

static void add_used(struct furnisher *f)
{
    static const enum home_domain mix[] = {
        HOME_LIGHT, HOME_LIGHT,  HOME_SWITCH, HOME_LIGHT, HOME_INPUT_BOOLEAN,
        HOME_LIGHT, HOME_SWITCH, HOME_FAN,    HOME_LIGHT, HOME_MEDIA_PLAYER,
    };
    const enum home_domain domain = mix[rng_below(&f->rng, sizeof mix / sizeof mix[0])];
    struct home_entity *e = add_named(f, domain, HOME_ROLE_DISTRACTOR, nouns[domain], NOUNS_MAX);
    const double per_day = rng_between(&f->rng, .5, 4) * (home_is_seldom_visited(e->area) ? .3 : 1);
    e->profile = furnish_profile(&f->rng, per_day, rng_between(&f->rng, 15, 120) * 60);
    e->has_level = home_level_name(domain) != NULL && rng_chance(&f->rng, .6);
    e->has_kelvin = e->has_level && domain == HOME_LIGHT && rng_chance(&f->rng, .5);
    e->slides = rng_chance(&f->rng, .5);
    if (rng_chance(&f->rng, .25)) { /* some of its uses follow on coming home, within hours */
        e->after_coming = rng_between(&f->rng, .1, .4);
        e->profile.per_day *= .6;
    }
    if (domain == HOME_MEDIA_PLAYER)
        e->physical_share = 1; /* remote controls: HA sees the state alone */
}

/* Two or three lamps that always act as one, perhaps with a light group in HA. Returns how many
 * entities they are. */
static int add_group(struct furnisher *f, int room)
{
    static const char *const places[] = {"left", "right", "middle"};
    static const int group_areas[] = {8, 0, 14};
    struct home *home = f->home;
    const int number = (int)home->group_count, area = group_areas[number];
    struct home_group *g = &home->groups[home->group_count++];
    const int lamps = room >= 4 && rng_chance(&f->rng, .5) ? 3 : 2;
    const bool known = room > lamps && rng_chance(&f->rng, .5);
    const struct home_profile profile =
        furnish_profile(&f->rng, rng_between(&f->rng, .5, 4), rng_between(&f->rng, 15, 120) * 60);
    *g = (struct home_group){.leader = (uint32_t)home->entity_count,
                             .first_member = (uint32_t)home->entity_count + 1,
                             .member_count = (uint32_t)lamps - 1,
                             .entity = -1,
                             .latest_s = rng_between(&f->rng, .2, 1.8)};
    for (int i = 0; i < lamps; i++) {
        struct home_entity *e =
            furnish_add(f, HOME_LIGHT, i == 0 ? HOME_ROLE_DISTRACTOR : HOME_ROLE_MEMBER, area,
                        xasprintf("%s lamp %s", home_area_name(area), places[i]));
        e->group = number;
        if (i == 0)
            e->profile = profile;
    }
    if (!known)
        return lamps;
    g->entity = (int64_t)home->entity_count;
    furnish_add(f, HOME_LIGHT, HOME_ROLE_MEMBER, area, xasprintf("%s lamps", home_area_name(area)))
        ->group = number;
    return lamps + 1;
}

/* What people use, groups in between. */
static void add_all_used(struct furnisher *f, const struct home_shape *shape)
{
    int left = shape->used, groups = shape->groups;
    while (left > 0) {
        if (groups > 0 && left >= 3 && (rng_chance(&f->rng, 2.0 * groups / left) || left < 6)) {
            left -= add_group(f, left);
            groups--;
        } else {
            add_used(f);
            left--;
        }
    }
}

static struct home_entity *add_detector(struct furnisher *f, int index)
{
    if (index < FIRST_DETECTORS) {
        const int area = first_detectors[index].area;
        const char *noun = first_detectors[index].noun;
        struct home_entity *e = furnish_add(
            f, HOME_BINARY_SENSOR, HOME_ROLE_DETECTOR, area,
            index == 1 ? xstrdup("Front door") : xasprintf("%s %s", home_area_name(area), noun));
        e->device_class = noun;
        return e;
    }
    static const char *const classes[] = {"motion", "door", "window", "occupancy"};
    const int kind = index % 4;
    struct home_entity *e =
        add_named(f, HOME_BINARY_SENSOR, HOME_ROLE_DETECTOR, &more_detectors[kind], 1);
    e->device_class = classes[kind];
    return e;
}

/* Doors and windows are opened at any time; motion and the front door follow the people. */
static void add_detectors(struct furnisher *f, int count)
{
    for (int i = 0; i < count; i++) {
        struct home_entity *e = add_detector(f, i);
        const double per_day = rng_between(&f->rng, 1, 4);
        e->is_front_door = i == 1;
        if (e->device_class[0] == 'd' || e->device_class[0] == 'w') {
            e->profile = furnish_profile(&f->rng, i == 1 ? .7 : per_day, 40);
            e->profile.duration_spread = .8;
        }
    }
}

/* --- People
 * ------------------------------------------------------------------------------------------ */

static void add_presence(struct furnisher *f, int entities, bool trackers)
{
    static const char *const names[HOME_PEOPLE_MAX] = {"Anna", "Ben"};
    for (int p = 0; p < entities; p++) {
        struct home_person *person = &f->home->people[p];
        person->entity = (int64_t)f->home->entity_count;
        furnish_add(f, HOME_PERSON, HOME_ROLE_PRESENCE, 0, xstrdup(names[p]));
        if (!trackers)
            continue;
        person->tracker = (int64_t)f->home->entity_count;
        furnish_add(f, HOME_TRACKER, HOME_ROLE_PRESENCE, 0, xasprintf("%s phone", names[p]));
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

static void draw_people(struct furnisher *f, int count)
{
    for (int p = 0; p < count; p++) {
        struct rng rng;
        rng_init(&rng, f->home->seed, STREAM_USERS, (uint64_t)p, 0);
        const uint64_t parts[] = {rng_next(&rng), rng_next(&rng)};
        struct home_person *person = &f->home->people[p];
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
    f->home->people_count = count;
}

static void add_measured(struct furnisher *f, int count)
{
    for (int i = 0; i < count; i++) {
        const struct home_quantity *q = &quantities[i % QUANTITY_COUNT];
        const int area = i / QUANTITY_COUNT % HOME_AREA_COUNT;
        const int round = i / (QUANTITY_COUNT * HOME_AREA_COUNT);
        char *name = round == 0 ? xasprintf("%s %s", home_area_name(area), q->noun)
                                : xasprintf("%s %s %d", home_area_name(area), q->noun, round + 1);
        struct home_entity *e = furnish_add(f, HOME_SENSOR, HOME_ROLE_MEASURED, area, name);
        e->quantity = q;
        if (strcmp(q->device_class, "illuminance") == 0)
            e->daylight = furnish_daylight(f, area);
    }
}

/* The first automation answers a detector, the second one runs at a time of day. */
static void add_rules(struct furnisher *f, int count, uint32_t first_detector)
{
    static const struct {
        const char *alias, *target;
        int area;
    } known[] = {{"Light when somebody comes", "Entrance light", 4},
                 {"Evening light", "Porch light", 14}};
    for (int i = 0; i < count; i++) {
        struct home_entity *target = furnish_add(f, HOME_LIGHT, HOME_ROLE_AUTOMATED, known[i].area,
                                                 xstrdup(known[i].target));
        target->profile = furnish_profile(&f->rng, .25, 20 * 60);
        const uint32_t target_index = furnish_index(f, target);
        struct home_entity *automation = furnish_add(f, HOME_AUTOMATION, HOME_ROLE_AUTOMATION,
                                                     target->area, xstrdup(known[i].alias));
        f->home->rules[f->home->rule_count++] = (struct home_rule){
            .automation = furnish_index(f, automation),
            .target = target_index,
            .trigger = i == 0 ? (int64_t)first_detector : -1,
            .at_s = i == 0 ? 0 : (17 * 12 + (int)rng_below(&f->rng, 36)) * 300,
            .off_after_s = i == 0 ? 240 : 3 * HOUR + 600 * (int)rng_below(&f->rng, 6),
        };
    }
}

/* People switch it on, its timer switches it off. */
static void add_stairs_light(struct furnisher *f)
{
    struct home_entity *e =
        furnish_add(f, HOME_LIGHT, HOME_ROLE_MACHINE, 4, xstrdup("Stairs light"));
    e->profile = furnish_profile(&f->rng, rng_between(&f->rng, 2, 5), 60);
    e->physical_share = 1;
    e->auto_off_s = 60 * (2 + (int)rng_below(&f->rng, 9));
    f->home->machines[f->home->machine_count++] =
        (struct home_machine){.entity = furnish_index(f, e), .off_after_s = e->auto_off_s};
}

static void add_machines(struct furnisher *f, int count)
{
    static const char *const names[] = {"Aquarium light", "Circulation pump"};
    for (int i = 0; i < count && i < 2; i++) {
        struct home_entity *e =
            furnish_add(f, HOME_SWITCH, HOME_ROLE_MACHINE, i == 0 ? 0 : 10, xstrdup(names[i]));
        e->profile = furnish_profile(&f->rng, .15, 20 * 60);
        f->home->machines[f->home->machine_count++] = (struct home_machine){
            .entity = furnish_index(f, e),
            .on_s = (6 * 4 + (int)rng_below(&f->rng, 16)) * 900,
            .off_s = (18 * 4 + (int)rng_below(&f->rng, 16)) * 900,
        };
    }
    if (count > 2)
        add_stairs_light(f);
}

void furnish(struct home *home, const struct home_shape *shape)
{
    struct furnisher furnisher = {.home = home}, *f = &furnisher;
    rng_init(&f->rng, home->seed, STREAM_PLAN, 0, 0);
    draw_people(f, rng_chance(&f->rng, .7) ? 2 : 1);
    add_all_used(f, shape);
    furnish_things(f, shape);
    const uint32_t first_detector = (uint32_t)home->entity_count;
    add_detectors(f, shape->detectors);
    /* A single person's home has more numbers instead of a second person. */
    const int people = shape->people < home->people_count ? shape->people : home->people_count;
    add_presence(f, people, shape->trackers > 0);
    add_rules(f, shape->automations, first_detector);
    add_machines(f, shape->machines);
    add_measured(f, home->settings.entities - (int)home->entity_count);
}
