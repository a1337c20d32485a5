/* A history has the words of states and no attributes, which is all that a rule can ask for. What
 * it lacks is derived: zone.home's number from the people, sun.sun from the place. */
#include "suggest/fires.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/dictionary.h"
#include "core/json.h"
#include "core/xalloc.h"
#include "model/timeline.h"
#include "replay/replay.h"
#include "suggest/automation.h"

enum { RULES_KEPT_MAX = 100000 };

struct fires_book {
    const struct history *history;
    const struct daylight *daylight; /* NULL = not known */
    struct dictionary keys;
    struct times {
        int64_t *list;
        size_t count;
    } *times; /* by key */
    size_t capacity;
    size_t kept; /* times of all */
};

/* ---- the ground ----------------------------------------------------------------------------- */

struct filling {
    const struct history *history;
    const struct daylight *daylight;
    struct timeline *timeline;
    bool is_full; /* more rows than a timeline may have */
};

static void add_row(struct filling *f, size_t series, int64_t time_ms, const char *state)
{
    struct error err;
    struct timeline_row row = {.time_ms = time_ms, .attributes = -1};
    uint32_t word;
    if (f->is_full || timeline_add_word(f->timeline, state, strlen(state), &word, &err) != 0) {
        f->is_full = true;
        return;
    }
    row.word = word & 0xfffffffU;
    f->is_full = timeline_add_row(f->timeline, series, &row, &err) != 0;
}

/* A history has no row where a state is the same before and after a restart; Home Assistant wrote
 * one, for it begins with none. */
static void add_words(struct filling *f, const struct history_entity *e, size_t series)
{
    const struct history *h = f->history;
    size_t span = 0;
    for (size_t i = 0; i <= e->changes; i++) {
        int64_t at_ms = i < e->changes ? e->time_ms[i] : INT64_MAX;
        for (; span < h->covered_count && h->covered[span].from_ms < at_ms; span++)
            if (i > 0)
                add_row(f, series, h->covered[span].from_ms, h->states[e->state[i - 1]]);
        if (i < e->changes)
            add_row(f, series, at_ms, h->states[e->state[i]]);
    }
}

/* The mean of five minutes is known when they are over. */
static void add_means(struct filling *f, const struct history_entity *e, size_t series)
{
    for (size_t i = 0; i < e->mean_count; i++) {
        char state[32] = "unavailable";
        if (!isnan(e->means[i]))
            snprintf(state, sizeof state, "%.7g", (double)e->means[i]);
        add_row(f, series, e->means_from_ms + (int64_t)(i + 1) * HISTORY_MEAN_MS, state);
    }
}

static void add_people_at(struct filling *f, size_t series, int64_t time_ms)
{
    char state[32];
    snprintf(state, sizeof state, "%.0f", conditions_people_home(f->history, time_ms));
    add_row(f, series, time_ms, state);
}

static void add_people(struct filling *f, size_t series)
{
    static const char domain[] = "person.";
    const struct history *h = f->history;
    for (size_t i = 0; i < h->entity_count; i++) {
        const struct history_entity *e = &h->entities[i];
        for (size_t k = 0; strncmp(e->entity_id, domain, sizeof domain - 1) == 0 && k < e->changes;
             k++)
            add_people_at(f, series, e->time_ms[k]);
    }
    for (size_t i = 0; i < f->timeline->run_count; i++)
        add_people_at(f, series, f->timeline->runs[i].from_ms);
}

static void add_sun_at(struct filling *f, size_t series, int64_t time_ms)
{
    add_row(f, series, time_ms, daylight_at(f->daylight, time_ms) ? RULE_DAYLIGHT : RULE_DARK);
}

static void add_sun(struct filling *f, size_t series)
{
    for (size_t i = 0; i < f->timeline->run_count; i++)
        add_sun_at(f, series, f->timeline->runs[i].from_ms);
    for (size_t i = 0; i < f->daylight->count; i++)
        add_sun_at(f, series, f->daylight->toggle_ms[i]);
}

/* False when it is neither of them. */
static bool add_derived(struct filling *f, const char *entity_id)
{
    struct error err;
    size_t series;
    bool is_home = strcmp(entity_id, RULE_HOME_ENTITY) == 0;
    bool is_sun =
        strcmp(entity_id, RULE_SUN_ENTITY) == 0 && f->daylight != NULL && f->daylight->is_known;
    if ((!is_home && !is_sun) || f->is_full)
        return false;
    f->is_full = timeline_add_series(f->timeline, entity_id, &series, &err) != 0;
    if (is_home && !f->is_full)
        add_people(f, series);
    else if (!f->is_full)
        add_sun(f, series);
    return true;
}

static void add_entity(const char *entity_id, void *ctx)
{
    struct filling *f = ctx;
    struct error err;
    size_t series;
    const struct history_entity *e = history_find_entity(f->history, entity_id);
    if (add_derived(f, entity_id) || e == NULL || f->is_full)
        return;
    f->is_full = timeline_add_series(f->timeline, entity_id, &series, &err) != 0;
    if (f->is_full)
        return;
    if (e->mean_count > 0)
        add_means(f, e, series);
    else
        add_words(f, e, series);
}

bool fires_add_derived(struct timeline *timeline, const struct history *h,
                       const struct daylight *daylight, const char *entity_id)
{
    struct filling f = {.history = h, .daylight = daylight, .timeline = timeline};
    return add_derived(&f, entity_id) && !f.is_full;
}

/* When it had started is not known: what comes back after the first instant may set something off,
 * what was there at once does not. */
static void add_runs(struct filling *f)
{
    struct error err;
    for (size_t i = 0; i < f->history->covered_count && !f->is_full; i++) {
        const struct history_span *span = &f->history->covered[i];
        const struct timeline_run run = {
            .from_ms = span->from_ms, .started_ms = span->from_ms + 1, .to_ms = span->to_ms};
        f->is_full = timeline_add_run(f->timeline, &run, &err) != 0;
    }
}

/* ---- the replay ----------------------------------------------------------------------------- */

static struct times replay(const struct fires_book *book, struct automation *automation)
{
    const struct history *h = book->history;
    struct timeline t;
    struct filling f = {.history = h, .daylight = book->daylight, .timeline = &t};
    timeline_init(&t);
    t.tz = h->tz;
    t.has_location = h->has_location;
    t.latitude = h->latitude;
    t.longitude = h->longitude;
    t.elevation_m = h->elevation_m;
    t.from_ms = h->from_ms;
    t.to_ms = h->to_ms;
    add_runs(&f);
    automation_visit_entities(automation, NULL, add_entity, &f);
    timeline_finish(&t);
    struct replay_fires fires = {.list = NULL};
    const struct replay_input input = {&t, h->from_ms, h->to_ms + 1};
    if (!f.is_full)
        replay_run(&input, &automation, 1, &fires);
    struct times times = {xcalloc(fires.count, sizeof *times.list), fires.count};
    for (size_t i = 0; i < fires.count; i++)
        times.list[i] = fires.list[i].time_ms;
    replay_fires_release(&fires);
    timeline_release(&t);
    return times;
}

/* What decides when it runs: with pauses between its steps that is how long a run takes, too. */
static void drop_what_does_not_matter(json_object *config, const struct rule *rule)
{
    bool takes_time = false;
    for (size_t i = 0; i < rule->step_count; i++)
        takes_time = takes_time || rule->steps[i].delay_s > 0;
    if (!takes_time)
        json_object_object_add(config, "actions", json_object_new_array());
}

/* ---- the book ------------------------------------------------------------------------------- */

struct fires_book *fires_book_new(const struct history *h, const struct daylight *daylight)
{
    struct fires_book *book = xcalloc(1, sizeof *book);
    book->daylight = daylight;
    book->history = h;
    dictionary_init(&book->keys);
    return book;
}

static void forget(struct fires_book *book)
{
    for (size_t i = 0; i < book->keys.count; i++)
        free(book->times[i].list);
    dictionary_release(&book->keys);
    book->kept = 0;
}

void fires_book_free(struct fires_book *book)
{
    if (book == NULL)
        return;
    forget(book);
    free(book->times);
    free(book);
}

static struct fires find(struct fires_book *book, json_object *config)
{
    const char *key = json_text(config);
    int64_t known = dictionary_find(&book->keys, key, strlen(key));
    if (known < 0) {
        if (book->kept > FIRES_KEPT_MAX || book->keys.count == RULES_KEPT_MAX) {
            forget(book);
            dictionary_init(&book->keys);
        }
        struct error err;
        struct automation *automation;
        struct times times = {NULL, 0};
        if (automation_parse(config, &automation, &err) == 0) {
            times = replay(book, automation);
            automation_free(automation);
        }
        book->times =
            grow_array(book->times, book->keys.count, &book->capacity, sizeof *book->times);
        known = dictionary_add(&book->keys, key, strlen(key), RULES_KEPT_MAX);
        book->times[known] = times;
        book->kept += times.count;
    }
    return (struct fires){book->times[known].list, book->times[known].count};
}

struct fires fires_of_rule(struct fires_book *book, const struct rule *rule)
{
    struct fires fires = {NULL, 0};
    if (!rule_is_valid(rule))
        return fires;
    json_object *config = automation_from_rule(rule, "", "");
    drop_what_does_not_matter(config, rule);
    fires = find(book, config);
    json_object_put(config);
    return fires;
}

size_t fires_most_a_day(const struct fires *fires, const struct tz *tz)
{
    size_t most = 0;
    for (size_t from = 0, to = 0; from < fires->count; from = to) {
        struct tz_local local;
        tz_to_local(tz, fires->time_ms[from] / 1000, &local);
        int64_t end_ms = tz_day_start(tz, local.day + 1) * 1000;
        for (to = from + 1; to < fires->count && fires->time_ms[to] < end_ms;)
            to++;
        most = to - from > most ? to - from : most;
    }
    return most;
}
