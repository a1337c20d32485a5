#include "home/follow.h"

#include <stdlib.h>

#include "home/gates.h"
#include "home/people.h"
#include "home/rng.h"
#include "home/streams.h"
#include "home/uses.h"

enum { EPISODE_S = 20 * 60, EPISODES_MAX = 512 };

/* A trigger's entity goes to its word. */
struct episode {
    int64_t time_us;
    int64_t until_us; /* it leaves it again; INT64_MAX: nobody asks */
    double rest_s;    /* since it left it before */
};

void follow_prepare(struct today *today)
{
    uses_collect(today);
    people_draw(today);
    uses_collect_after_coming(today);
    uses_drop_absent(today);
    people_walk(today);
}

/* --- Episodes */

static int compare_episodes(const void *a, const void *b)
{
    const int64_t x = ((const struct episode *)a)->time_us;
    const int64_t y = ((const struct episode *)b)->time_us;
    return x < y ? -1 : x > y;
}

/* When HA sees a person come or go. */
static int find_person_changes(const struct today *today, uint32_t entity, int32_t word,
                               struct episode *out)
{
    int count = 0;
    for (int p = 0; p < today->home->people_count; p++) {
        if (today->home->people[p].entity != (int64_t)entity)
            continue;
        const struct presence *presence = &today->people[p];
        for (int i = 0; i < presence->away_count; i++) {
            const struct absence *a = &presence->away[i];
            if (word == HOME_ON ? a->comes : a->goes)
                out[count++] =
                    (struct episode){.time_us = word == HOME_ON ? a->seen_to_us : a->seen_from_us,
                                     .until_us = INT64_MAX};
        }
    }
    return count;
}

/* When the detector went off the last time before this day; when it did not on the day before,
 * that day's beginning. */
static int64_t last_end_before(const struct today *today, uint32_t entity)
{
    struct home_wishes ignored = {0};
    struct today before = today_of(today->home, today->tz, today->local_day - 1, &ignored);
    follow_prepare(&before);
    int64_t last_us = before.begin_us;
    for (size_t i = 0; i < before.use_count; i++)
        if (before.uses[i].entity == entity && before.uses[i].end_us > last_us)
            last_us = before.uses[i].end_us;
    today_release(&before);
    home_wishes_release(&ignored);
    return last_us;
}

static void find_rests(const struct today *today, uint32_t entity, struct episode *episodes,
                       int count)
{
    int64_t end_us = count > 0 ? last_end_before(today, entity) : 0;
    for (int i = 0; i < count; i++) {
        episodes[i].rest_s = (double)(episodes[i].time_us - end_us) / 1e6;
        end_us = episodes[i].until_us > end_us ? episodes[i].until_us : end_us;
    }
}

/* When a habit's trigger happens on this day, in order; repeats within EPISODE_S are one episode.
 */
static int find_episodes(const struct today *today, const struct home_habit *h, struct episode *out)
{
    int count = 0, kept = 0;
    if (today->home->entities[h->trigger].role == HOME_ROLE_PRESENCE)
        count = find_person_changes(today, h->trigger, h->trigger_word, out);
    for (size_t i = 0; i < today->use_count && count < EPISODES_MAX; i++) {
        const struct home_use *use = &today->uses[i];
        if (use->entity == h->trigger)
            out[count++] = h->trigger_word == HOME_ON
                               ? (struct episode){use->begin_us, use->end_us, 0}
                               : (struct episode){use->end_us, INT64_MAX, 0};
    }
    qsort(out, (size_t)count, sizeof *out, compare_episodes);
    if (h->kind == HOME_LONG_QUIET)
        find_rests(today, h->trigger, out, count);
    int64_t last = INT64_MIN;
    for (int i = 0; i < count; i++) {
        const int64_t time_us = out[i].time_us;
        if (last == INT64_MIN || time_us - last > EPISODE_S * SECOND_US)
            out[kept++] = out[i];
        last = time_us;
    }
    return kept;
}

/* --- Acts */

static bool drop_last_if_overlapping(struct today *today)
{
    const bool drop = today_overlaps(today, 0, &today->uses[today->use_count - 1]);
    today->use_count -= drop;
    return drop;
}

/* What follows on a chain's first act, one thing on the other, as far as it goes. */
static void follow_steps(struct today *today, size_t index, int64_t time_us)
{
    const struct home_habit *h = &today->home->habits[index];
    struct rng rng;
    rng_init(&rng, today->home->seed, STREAM_STEPS, index, time_us);
    for (int i = 0; i < h->step_count; i++) {
        const struct home_step *step = &h->steps[i];
        time_us += (int64_t)(rng_lognormal(&rng, step->lag_s, h->lag_spread) * 1e6);
        const int64_t us = (int64_t)(uses_draw_duration(&rng, h, USES_DURATION_MAX_S) * 1e6);
        if (!rng_chance(&rng, step->chance))
            return;
        struct home_use *use = today_add_use(today, step->entity);
        uses_draw_hands(today, &rng, use);
        use->begin_us = step->word == HOME_ON ? time_us : time_us - us;
        use->end_us = step->word == HOME_ON ? time_us + us : time_us;
        *(step->word == HOME_ON ? &use->begin_habit : &use->end_habit) = (int16_t)index;
        use->step = (uint8_t)(i + 1);
        drop_last_if_overlapping(today);
    }
}

static void add_setting(struct today *today, size_t index, int64_t time_us, struct rng *rng)
{
    const struct home_habit *h = &today->home->habits[index];
    struct home_use *use = today_add_use(today, h->entity);
    uses_draw_hands(today, rng, use);
    use->begin_us = use->end_us = time_us;
    use->begin_habit = (int16_t)index;
    use->end_cause = HOME_BY_PERSON;
    use->is_setting = true;
}

/* A trigger may come after midnight. */
static bool is_its_day(const struct today *today, const struct home_habit *h, int64_t time_us)
{
    struct tz_local local;
    tz_to_local(today->tz, time_us / SECOND_US, &local);
    return (h->weekdays & 1u << local.weekday) != 0;
}

/* After each episode of its trigger the act follows with the probability of the habit, unless the
 * device is in use already. */
static void collect_sequence(struct today *today, size_t index)
{
    const struct home_habit *h = &today->home->habits[index];
    struct episode episodes[EPISODES_MAX];
    const int count = find_episodes(today, h, episodes);
    const bool is_set = home_is_set(today->home->entities[h->entity].domain);
    struct rng rng;
    rng_init(&rng, today->home->seed, STREAM_SEQUENCE, index, today->local_day);
    for (int i = 0; i < count; i++) {
        const struct episode *e = &episodes[i];
        const bool follows = rng_chance(&rng, h->adherence);
        const double lag_s = rng_lognormal(&rng, h->lag_s, h->lag_spread);
        const double duration_s = uses_draw_duration(&rng, h, USES_DURATION_MAX_S);
        const bool may = is_its_day(today, h, e->time_us) && e->rest_s >= h->quiet_s;
        const bool open = may && gate_is_open(today, h, e->time_us);
        const int64_t time_us = e->time_us + (int64_t)(lag_s * 1e6);
        enum home_outcome outcome = !open ? HOME_CLOSED : follows ? HOME_ACTED : HOME_OMITTED;
        if (outcome == HOME_ACTED && is_set)
            add_setting(today, index, time_us, &rng);
        else if (outcome == HOME_ACTED)
            uses_add_by_habit(today, index, time_us, duration_s, &rng);
        if (outcome == HOME_ACTED && drop_last_if_overlapping(today))
            outcome = HOME_BUSY;
        uses_note(today, index, e->time_us, outcome,
                  may && gate_is_seen_open(today, h, e->time_us));
        if (outcome == HOME_ACTED)
            follow_steps(today, index, time_us);
    }
}

/* A chain that began at its own time goes on. */
static void continue_chain(struct today *today, size_t index)
{
    const size_t count = today->use_count;
    for (size_t i = 0; i < count; i++)
        if (today->uses[i].begin_habit == (int)index)
            follow_steps(today, index, today->uses[i].begin_us);
}

/* --- Scenes */

/* A scene switches its members on, as far as they are not in use; each is switched off in its own
 * time. */
static void switch_members(struct today *today, size_t scene, const struct home_use *activation)
{
    const struct home_scene *s = &today->home->scenes[scene];
    struct rng rng;
    rng_init(&rng, today->home->seed, STREAM_SCENES, scene + 1, activation->begin_us);
    const int64_t begin_us = activation->begin_us;
    const uint8_t person = activation->person; /* the list of uses moves */
    for (int m = 0; m < s->member_count; m++) {
        const struct home_profile *profile = &today->home->entities[s->members[m]].profile;
        struct home_use *use = today_add_use(today, s->members[m]);
        uses_draw_hands(today, &rng, use);
        use->begin_us = begin_us + (int64_t)(rng_between(&rng, .02, .9) * 1e6);
        use->end_us = use->begin_us + (int64_t)(rng_lognormal(&rng, profile->duration_s, .6) * 1e6);
        use->begin_cause = HOME_BY_PERSON;
        use->person = person;
        use->scene = (uint8_t)(scene + 1);
        use->level = (int16_t)s->levels[m];
        use->kelvin = 0;
        drop_last_if_overlapping(today);
    }
}

static void collect_scenes(struct today *today)
{
    const size_t count = today->use_count;
    for (size_t i = 0; i < count; i++) {
        for (size_t s = 0; s < today->home->scene_count; s++) {
            const struct home_use activation = today->uses[i];
            if (activation.entity == today->home->scenes[s].entity)
                switch_members(today, s, &activation);
        }
    }
}

void follow_collect(struct today *today)
{
    for (size_t h = 0; h < today->home->habit_count; h++) {
        const struct home_habit *habit = &today->home->habits[h];
        const bool lives = today->local_day >= habit->from_day && today->local_day <= habit->to_day;
        if (habit->begin == HOME_AFTER_TRIGGER && lives)
            collect_sequence(today, h);
        else if (habit->kind == HOME_CHAIN && lives)
            continue_chain(today, h);
    }
    collect_scenes(today);
}
