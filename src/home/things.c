/* Climates, covers, locks, modes, scenes and sensors of light. */
#include <math.h>

#include "core/xalloc.h"
#include "home/furnish.h"

enum { LIVING_ROOM = 0, KITCHEN = 1, BEDROOM = 2, BATHROOM = 3, OFFICE = 5, KIDS_ROOM = 6 };
enum { DINING_ROOM = 8, GARAGE = 9, GARDEN = 15 };

static const struct home_quantity brightness = {
    "brightness", "illuminance", "lx", 1, 0, 0, 0, 0, 0, 120000, 0}; /* at no pace */

double furnish_daylight(struct furnisher *f, int area)
{
    return home_is_outside(area) ? rng_between(&f->rng, .4, 1)
                                 : exp(rng_between(&f->rng, log(.003), log(.02)));
}

static void add_programme(struct furnisher *f, uint32_t climate)
{
    f->home->machines[f->home->machine_count++] = (struct home_machine){
        .entity = climate,
        .on_s = (5 * 4 + (int)rng_below(&f->rng, 12)) * 900,
        .off_s = (20 * 4 + (int)rng_below(&f->rng, 12)) * 900,
        .on_level = 200 + 5 * (int)rng_below(&f->rng, 5),
        .off_level = 160 + 5 * (int)rng_below(&f->rng, 5),
    };
}

/* Setpoints are chosen now and then, by those who freeze; the last climate of a larger home has a
 * programme. */
static void add_climates(struct furnisher *f, int count)
{
    enum { MAX = 4 };
    static const int areas[MAX] = {LIVING_ROOM, BATHROOM, OFFICE, BEDROOM};
    for (int i = 0; i < count; i++) {
        const bool has_programme = i >= 2 && i == count - 1;
        struct home_entity *e =
            furnish_add(f, HOME_CLIMATE, has_programme ? HOME_ROLE_MACHINE : HOME_ROLE_DISTRACTOR,
                        areas[i], xasprintf("%s thermostat", home_area_name(areas[i])));
        e->profile =
            furnish_profile(&f->rng, has_programme ? .1 : rng_between(&f->rng, .2, 1.2), 0);
        e->has_level = true;
        if (has_programme)
            add_programme(f, furnish_index(f, e));
    }
}

static void add_covers(struct furnisher *f, int count)
{
    enum { MAX = 3 };
    static const int areas[MAX] = {BEDROOM, LIVING_ROOM, KIDS_ROOM};
    for (int i = 0; i < count; i++) {
        struct home_entity *e = furnish_add(f, HOME_COVER, HOME_ROLE_DISTRACTOR, areas[i],
                                            xasprintf("%s blind", home_area_name(areas[i])));
        e->profile = furnish_profile(&f->rng, rng_between(&f->rng, .3, 1.5), 0);
        e->has_level = true;
        e->slides = rng_chance(&f->rng, .5);
        e->device_class = rng_chance(&f->rng, .5) ? "shutter" : "blind";
        e->tells_moving = rng_chance(&f->rng, .5);
    }
}

static void add_lock(struct furnisher *f)
{
    struct home_entity *e =
        furnish_add(f, HOME_LOCK, HOME_ROLE_DISTRACTOR, GARAGE, xstrdup("Garage lock"));
    e->profile = furnish_profile(&f->rng, rng_between(&f->rng, .6, 2), 10 * 60);
}

/* The first is a selection or a helper, the second the other one. */
static void add_modes(struct furnisher *f, int count)
{
    const bool selects_first = rng_chance(&f->rng, .5);
    for (int i = 0; i < count; i++) {
        const bool selects = selects_first == (i == 0);
        struct home_entity *e =
            furnish_add(f, selects ? HOME_INPUT_SELECT : HOME_INPUT_BOOLEAN, HOME_ROLE_MODE,
                        LIVING_ROOM, xstrdup(selects ? "House mode" : "Quiet day"));
        e->physical_share = 0;
        f->home->modes[f->home->mode_count++] = (struct home_mode){
            .entity = furnish_index(f, e),
            .usual = HOME_OFF,
            .special = selects ? 1 + (int)rng_below(&f->rng, HOME_OPTION_COUNT - 1) : HOME_ON,
            .chance = rng_between(&f->rng, .5, .8),
        };
    }
}

static void add_scenes(struct furnisher *f, int count)
{
    enum { MAX = 3 };
    static const struct {
        const char *name;
        int area;
    } known[MAX] = {
        {"Cosy evening", LIVING_ROOM}, {"Dinner", DINING_ROOM}, {"Good morning", KITCHEN}};
    for (int i = 0; i < count; i++) {
        struct home_entity *e =
            furnish_add(f, HOME_SCENE, HOME_ROLE_SCENE, known[i].area, xstrdup(known[i].name));
        e->profile = furnish_profile(&f->rng, rng_between(&f->rng, .1, .6), 0);
        e->physical_share = 0;
        f->home->scenes[f->home->scene_count++] =
            (struct home_scene){.entity = furnish_index(f, e)};
    }
}

/* Sensors of light that report every change: one outside, one in the living room. */
static void add_light_sensors(struct furnisher *f, int count)
{
    const bool outside_first = rng_chance(&f->rng, .5);
    for (int i = 0; i < count; i++) {
        const int area = outside_first == (i == 0) ? GARDEN : LIVING_ROOM;
        struct home_entity *e = furnish_add(f, HOME_SENSOR, HOME_ROLE_MEASURED, area,
                                            xasprintf("%s brightness", home_area_name(area)));
        e->quantity = &brightness;
        e->daylight = furnish_daylight(f, area);
        e->report_s = 300;
    }
}

void furnish_things(struct furnisher *f, const struct home_shape *shape)
{
    add_climates(f, shape->climates);
    add_covers(f, shape->covers);
    if (shape->locks > 0)
        add_lock(f);
    add_modes(f, shape->modes);
    add_scenes(f, shape->scenes);
    add_light_sensors(f, shape->light_sensors);
}
