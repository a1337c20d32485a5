#include "home/day.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/xalloc.h"
#include "home/rng.h"
#include "home/streams.h"
#include "home/sun.h"
#include "home/use.h"

enum {
    DAY_S = 86400,
    USES_MAX = 64, /* of an entity on a day without habit */
    MARGIN_S = 300,
    DURATION_MAX_S = 6 * 3600,
    USE_LEAST_S = 20,
    EPISODE_S = 20 * 60,
    EPISODES_MAX = 512,
};

#define SECOND_US INT64_C(1000000)

struct day {
    const struct home *home;
    const struct tz *tz;
    int64_t local_day;
    int weekday;
    struct home_wishes *wishes;
    struct home_uses uses;
};

static void add_wish(struct home_wishes *wishes, const struct home_wish *wish)
{
    wishes->items =
        grow_array(wishes->items, wishes->count, &wishes->capacity, sizeof *wishes->items);
    wishes->items[wishes->count++] = *wish;
}

/* UTC of a local second of the day; the fraction is kept, the days before and after are reached. */
static int64_t local_us(const struct day *day, double second_of_day)
{
    const double days = floor(second_of_day / DAY_S);
    const double within = second_of_day - days * DAY_S;
    const double whole = floor(within);
    const int64_t utc_s = tz_to_utc(day->tz, day->local_day + (int64_t)days, (int)whole);
    return utc_s * SECOND_US + (int64_t)((within - whole) * 1e6);
}

static int64_t draw_duration_us(struct rng *rng, double median_s, double spread)
{
    double s;
    do { /* drawn again instead of cut off: a cut would heap the ends up at one distance */
        s = rng_lognormal(rng, median_s, spread);
    } while (s < USE_LEAST_S || s > DURATION_MAX_S);
    return (int64_t)(s * 1e6);
}

static double draw_profile_second(struct rng *rng, const struct home_profile *profile)
{
    if (rng_chance(rng, profile->background))
        return rng_between(rng, 0, DAY_S);
    const uint32_t bump = rng_below(rng, (uint32_t)profile->bump_count);
    const double s = rng_normal(rng, profile->center_s[bump], profile->sigma_s[bump]);
    return s - floor(s / DAY_S) * DAY_S; /* round the clock, not cut off at midnight */
}

static struct home_use *add_use(struct day *day, uint32_t entity)
{
    struct home_uses *uses = &day->uses;
    uses->items = grow_array(uses->items, uses->count, &uses->capacity, sizeof *uses->items);
    struct home_use *use = &uses->items[uses->count++];
    *use = (struct home_use){.entity = entity, .begin_habit = -1, .end_habit = -1};
    return use;
}

static bool overlaps(const struct home_uses *uses, const struct home_use *candidate)
{
    for (size_t i = 0; i < uses->count; i++)
        if (uses->items[i].entity == candidate->entity && &uses->items[i] != candidate &&
            candidate->begin_us < uses->items[i].end_us + MARGIN_S * SECOND_US &&
            uses->items[i].begin_us < candidate->end_us + MARGIN_S * SECOND_US)
            return true;
    return false;
}

/* How far the use of point i may reach: half way to the nearest other one. */
static double reach_s(const int64_t *points_us, int count, int i)
{
    double reach = DURATION_MAX_S;
    for (int k = 0; k < count; k++) {
        const double half = (double)llabs(points_us[k] - points_us[i]) / 2e6 - MARGIN_S;
        if (k != i && half < reach)
            reach = half;
    }
    return reach > 2 * USE_LEAST_S ? reach : 2 * USE_LEAST_S;
}

static double draw_reaching_duration(struct rng *rng, const struct home_habit *habit, double reach)
{
    enum { TRIES = 20 };
    for (int i = 0; i < TRIES; i++) {
        const double s = rng_lognormal(rng, habit->duration_s, habit->duration_spread);
        if (s >= USE_LEAST_S && s <= reach)
            return s;
    }
    return rng_between(rng, reach / 2, reach);
}

static uint8_t draw_hand(struct rng *rng, const struct home_entity *entity)
{
    if (entity->role == HOME_ROLE_DETECTOR)
        return HOME_BY_SYSTEM;
    return rng_chance(rng, entity->physical_share) ? HOME_BY_SWITCH : HOME_BY_PERSON;
}

/* Who does it, and how. */
static void draw_hands(const struct day *day, struct rng *rng, struct home_use *use)
{
    const struct home_entity *e = &day->home->entities[use->entity];
    const uint32_t people = (uint32_t)day->home->people_count;
    use->begin_cause = draw_hand(rng, e);
    use->end_cause = draw_hand(rng, e);
    use->person = (uint8_t)(people > 0 ? rng_below(rng, people) : 0);
}

/* A habit's act at point_us, and the other half of that use. */
static void add_habit_use(struct day *day, size_t index, int64_t point_us, double duration_s,
                          struct rng *rng)
{
    const struct home_habit *habit = &day->home->habits[index];
    int64_t us = (int64_t)(1e6 * duration_s);
    struct home_use *use = add_use(day, habit->entity);
    if (habit->word == HOME_OFF) {
        /* The day before is over: what ends today began today. */
        const int64_t past_us = point_us - tz_day_start(day->tz, day->local_day) * SECOND_US;
        if (us > past_us)
            us = (int64_t)((double)past_us * rng_between(rng, .3, .9));
        use->begin_us = point_us - us;
        use->end_us = point_us;
        use->end_habit = (int16_t)index;
    } else {
        use->begin_us = point_us;
        use->end_us = point_us + us;
        use->begin_habit = (int16_t)index;
    }
    draw_hands(day, rng, use);
}

/* Local second of the day at which the sun rises or sets on this local day. */
static bool find_sun_second(const struct day *day, bool sunset, double *second)
{
    const struct home_settings *s = &day->home->settings;
    /* Far from its zone's meridian a place has the event on another civil day. */
    for (int k = -1; k <= 1; k++) {
        double utc_s;
        struct tz_local local;
        if (!sun_find_event(s->latitude, s->longitude, day->local_day + k, !sunset, &utc_s))
            continue;
        tz_to_local(day->tz, (int64_t)utc_s, &local);
        if (local.day != day->local_day)
            continue;
        *second = local.second_of_day;
        return true;
    }
    return false;
}

static bool is_dark(const struct day *day, int64_t time_us)
{
    const struct home_settings *s = &day->home->settings;
    return sun_height_deg(s->latitude, s->longitude, (double)time_us / 1e6) < -0.8333;
}

/* The habit's second on this day, without jitter; false when the day is none of its days. */
static bool find_habit_second(const struct day *day, const struct home_habit *h, double *second)
{
    const struct home_settings *s = &day->home->settings;
    if ((h->kind != HOME_TIME_OF_DAY && h->kind != HOME_SUN) ||
        !(h->weekdays & 1u << day->weekday) || day->local_day < h->from_day ||
        day->local_day > h->to_day)
        return false;
    const double past = (double)(day->local_day - s->first_day) + .5;
    double part = past / (double)(s->last_day - s->first_day + 1);
    part = part < 0 ? 0 : part > 1 ? 1 : part; /* it moves no further after the history */
    double base = 0;
    if (h->kind == HOME_SUN && !find_sun_second(day, h->at_sunset, &base))
        return false;
    *second = base + h->at_s + h->drift_s * (part - .5);
    return true;
}

/* The uses of an entity that its habits make on this day. */
static void collect_habit_uses(struct day *day, uint32_t entity)
{
    int64_t points_us[HOME_HABITS_PER_ENTITY];
    struct rng rngs[HOME_HABITS_PER_ENTITY];
    size_t habits[HOME_HABITS_PER_ENTITY];
    int count = 0;
    for (size_t h = 0; h < day->home->habit_count && count < HOME_HABITS_PER_ENTITY; h++) {
        const struct home_habit *habit = &day->home->habits[h];
        double second;
        if (habit->entity != entity || !find_habit_second(day, habit, &second))
            continue;
        struct rng *rng = &rngs[count];
        rng_init(rng, day->home->seed, STREAM_HABIT, h, day->local_day);
        if (!rng_chance(rng, habit->adherence))
            continue;
        points_us[count] = local_us(day, rng_normal(rng, second, habit->sigma_s));
        habits[count++] = h;
    }
    for (int i = 0; i < count; i++) {
        const struct home_habit *habit = &day->home->habits[habits[i]];
        const double reach = reach_s(points_us, count, i);
        add_habit_use(day, habits[i], points_us[i], draw_reaching_duration(&rngs[i], habit, reach),
                      &rngs[i]);
    }
}

/* Habits come first; a use without habit that would collide with one does not happen. */
static void collect_entity_uses(struct day *day, uint32_t entity)
{
    const struct home_entity *e = &day->home->entities[entity];
    if (e->role == HOME_ROLE_HABITUAL)
        collect_habit_uses(day, entity);
    struct rng rng;
    rng_init(&rng, day->home->seed, STREAM_USES, entity, day->local_day);
    const double factor = day->weekday >= 5 ? e->profile.weekend_factor : 1;
    int wanted = rng_poisson(&rng, e->profile.per_day * factor);
    for (int i = 0; i < wanted && i < USES_MAX; i++) {
        const double second = draw_profile_second(&rng, &e->profile);
        struct home_use use = {.entity = entity,
                               .begin_us = local_us(day, second),
                               .begin_habit = -1,
                               .end_habit = -1};
        use.end_us = use.begin_us +
                     draw_duration_us(&rng, e->profile.duration_s, e->profile.duration_spread);
        draw_hands(day, &rng, &use);
        if (!overlaps(&day->uses, &use))
            *add_use(day, entity) = use;
    }
}

/* --- What follows on something else
 * ------------------------------------------------------------------ */

static int compare_times(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* When an entity goes to a word on this day, in order; repeats within EPISODE_S are one episode.
 */
static int find_episodes(const struct day *day, uint32_t entity, int32_t word, int64_t *out)
{
    int count = 0, kept = 0;
    for (size_t i = 0; i < day->uses.count && count < EPISODES_MAX; i++)
        if (day->uses.items[i].entity == entity)
            out[count++] =
                word == HOME_ON ? day->uses.items[i].begin_us : day->uses.items[i].end_us;
    qsort(out, (size_t)count, sizeof *out, compare_times);
    int64_t last = INT64_MIN;
    for (int i = 0; i < count; i++) {
        if (last == INT64_MIN || out[i] - last > EPISODE_S * SECOND_US)
            out[kept++] = out[i];
        last = out[i];
    }
    return kept;
}

static bool gate_is_open(const struct day *day, const struct home_habit *h, int64_t time_us)
{
    return h->gate != HOME_GATE_DARK || is_dark(day, time_us);
}

/* After each episode of its trigger the act follows with the probability of the habit, unless the
 * device is in use already. */
static void collect_sequence(struct day *day, size_t index)
{
    const struct home_habit *h = &day->home->habits[index];
    int64_t episodes[EPISODES_MAX];
    if (day->local_day < h->from_day || day->local_day > h->to_day)
        return;
    const int count = find_episodes(day, h->trigger, h->trigger_word, episodes);
    struct rng rng;
    rng_init(&rng, day->home->seed, STREAM_SEQUENCE, index, day->local_day);
    for (int i = 0; i < count; i++) {
        const bool follows = rng_chance(&rng, h->adherence);
        const double lag_s = rng_lognormal(&rng, h->lag_s, h->lag_spread);
        const double duration_s = draw_reaching_duration(&rng, h, DURATION_MAX_S);
        if (!follows || !gate_is_open(day, h, episodes[i]))
            continue;
        add_habit_use(day, index, episodes[i] + (int64_t)(lag_s * 1e6), duration_s, &rng);
        if (overlaps(&day->uses, &day->uses.items[day->uses.count - 1]))
            day->uses.count--;
    }
}

/* A timer's relay follows its clock within a second and a half. */
static void collect_machines(struct day *day)
{
    for (size_t m = 0; m < day->home->machine_count; m++) {
        const struct home_machine *machine = &day->home->machines[m];
        struct rng rng;
        rng_init(&rng, day->home->seed, STREAM_MACHINE, m, day->local_day);
        struct home_use *use = add_use(day, machine->entity);
        use->begin_us = local_us(day, machine->on_s + rng_between(&rng, 0, 1.5));
        use->end_us = local_us(day, machine->off_s + rng_between(&rng, 0, 1.5));
        use->begin_cause = use->end_cause = HOME_BY_MACHINE;
    }
}

static void add_use_wishes(const struct day *day, const struct home_use *use, uint64_t id)
{
    struct home_wish wish = {
        .time_us = use->begin_us,
        .use = id,
        .entity = use->entity,
        .value = HOME_ON,
        .habit = use->begin_habit,
        .kind = WISH_BEGIN,
        .cause = use->begin_cause,
        .person = use->person,
    };
    add_wish(day->wishes, &wish);
    wish.time_us = use->end_us;
    wish.value = HOME_OFF;
    wish.habit = use->end_habit;
    wish.kind = WISH_END;
    wish.cause = use->end_cause;
    add_wish(day->wishes, &wish);
}

static void collect_uses(struct day *day)
{
    const struct home *home = day->home;
    for (size_t e = 0; e < home->entity_count; e++)
        if (home->entities[e].profile.bump_count > 0)
            collect_entity_uses(day, (uint32_t)e);
    for (size_t h = 0; h < home->habit_count; h++)
        if (home->habits[h].kind == HOME_SEQUENCE)
            collect_sequence(day, h);
    collect_machines(day);
    for (size_t i = 0; i < day->uses.count; i++)
        add_use_wishes(day, &day->uses.items[i], ((uint64_t)day->local_day << 20 | i) + 1);
    free(day->uses.items);
}

static void collect_rules(const struct day *day)
{
    for (size_t r = 0; r < day->home->rule_count; r++) {
        const struct home_rule *rule = &day->home->rules[r];
        if (rule->trigger >= 0)
            continue;
        add_wish(day->wishes, &(struct home_wish){
                                  /* HA's timers fire some milliseconds late */
                                  .time_us = local_us(day, rule->at_s) + 2500,
                                  .entity = rule->automation,
                                  .value = (int32_t)r,
                                  .habit = -1,
                                  .kind = WISH_RULE,
                                  .cause = HOME_BY_SYSTEM,
                              });
    }
}

/* HA is restarted every ten days or so, crashes every sixty; an entity drops out now and then. */
static void collect_outages(const struct day *day)
{
    struct rng rng;
    rng_init(&rng, day->home->seed, STREAM_OUTAGES, 0, day->local_day);
    struct home_wish wish = {.habit = -1, .cause = HOME_BY_SYSTEM};
    const double u = rng_uniform(&rng);
    if (u < .12) {
        const bool crash = u < .016;
        wish.kind = crash ? WISH_CRASH : WISH_RESTART;
        wish.time_us = local_us(day, rng_between(&rng, 6, 24) * 3600);
        wish.duration_s =
            (uint32_t)(crash ? rng_between(&rng, 1200, 9000) : rng_between(&rng, 20, 180));
        add_wish(day->wishes, &wish);
    }
    const double dropouts = (double)day->home->entity_count * .02;
    for (int n = rng_poisson(&rng, dropouts); n > 0; n--) {
        wish.entity = rng_below(&rng, (uint32_t)day->home->entity_count);
        wish.kind = WISH_DROPOUT;
        wish.time_us = local_us(day, rng_between(&rng, 0, DAY_S));
        wish.duration_s = (uint32_t)rng_between(&rng, 20, 900);
        const enum home_domain domain = day->home->entities[wish.entity].domain;
        if (domain != HOME_AUTOMATION && domain != HOME_INPUT_BOOLEAN) /* they live inside HA */
            add_wish(day->wishes, &wish);
    }
}

static struct day day_of(const struct home *home, const struct tz *tz, int64_t local_day,
                         struct home_wishes *wishes)
{
    struct tz_local local;
    /* Noon exists on every day; local midnight may not. */
    tz_to_local(tz, tz_to_utc(tz, local_day, DAY_S / 2), &local);
    return (struct day){
        .home = home, .tz = tz, .local_day = local_day, .weekday = local.weekday, .wishes = wishes};
}

void home_day_collect(const struct home *home, const struct tz *tz, int64_t local_day,
                      struct home_wishes *wishes)
{
    struct day day = day_of(home, tz, local_day, wishes);
    collect_uses(&day);
    collect_rules(&day);
    collect_outages(&day);
}

/* The level to which a sensor wandered by the start of a day: smoothed white noise. */
static double level_of(const struct home *home, uint32_t entity, int64_t local_day)
{
    double level = 0;
    for (int k = 0; k < 3; k++) {
        struct rng rng;
        rng_init(&rng, home->seed, STREAM_LEVEL, entity, local_day - k);
        level += rng_normal(&rng, 0, .58);
    }
    return level;
}

static void collect_sensor(const struct home *home, uint32_t entity, int64_t local_day,
                           int64_t begin_us, int64_t end_us, double step_s,
                           struct home_wishes *wishes)
{
    const struct home_entity *e = &home->entities[entity];
    const struct home_quantity *q = e->quantity;
    const double today = level_of(home, entity, local_day);
    const double tomorrow = level_of(home, entity, local_day + 1);
    const double scale = pow(10, q->decimals), length = (double)(end_us - begin_us);
    struct rng rng;
    rng_init(&rng, home->seed, STREAM_READINGS, entity, local_day);
    struct home_wish wish = {
        .entity = entity, .habit = -1, .kind = WISH_READING, .cause = HOME_BY_SYSTEM};
    /* The grid of the readings goes on across midnight. */
    const double step_us = step_s * 1e6;
    double grid = ceil((double)begin_us / step_us - e->phase);
    for (;; grid += 1) {
        const int64_t t = (int64_t)((grid + e->phase) * step_us);
        if (t >= end_us)
            break;
        const double day = (double)(t - begin_us) / length;
        double value = q->base + q->wave * sin(6.283185307179586 * (day + e->phase)) +
                       q->drift * (today + (tomorrow - today) * day) +
                       q->noise * 3.46 * (rng_uniform(&rng) - .5);
        value = value < q->low ? q->low : value > q->high ? q->high : value;
        wish.time_us = t + (int64_t)(rng_uniform(&rng) * .9 * step_us);
        wish.value = (int32_t)lrint(value * scale);
        add_wish(wishes, &wish);
    }
}

void home_day_collect_readings(const struct home *home, const struct tz *tz, int64_t local_day,
                               const struct home_pace *pace, struct home_wishes *wishes)
{
    const int64_t begin_us = tz_day_start(tz, local_day) * SECOND_US;
    const int64_t end_us = tz_day_start(tz, local_day + 1) * SECOND_US;
    for (size_t e = 0; e < home->entity_count; e++) {
        const struct home_quantity *q = home->entities[e].quantity;
        if (q != NULL)
            collect_sensor(home, (uint32_t)e, local_day, begin_us, end_us,
                           pace->seconds_per_reading / q->share, wishes);
    }
}

static int compare_wishes(const void *a, const void *b)
{
    const struct home_wish *x = a, *y = b;
    if (x->time_us != y->time_us)
        return x->time_us < y->time_us ? -1 : 1;
    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

void home_wishes_sort(struct home_wishes *wishes)
{
    if (wishes->count > 1)
        qsort(wishes->items, wishes->count, sizeof *wishes->items, compare_wishes);
}

void home_wishes_release(struct home_wishes *wishes)
{
    free(wishes->items);
    *wishes = (struct home_wishes){0};
}
