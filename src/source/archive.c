/* A history out of the archive: as the recorder's rows would have made it. */
#include "source/archive.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/xalloc.h"
#include "source/attributes.h"
#include "source/builder.h"
#include "source/exclusion.h"
#include "source/means.h"
#include "store/archive.h"

enum {
    SLOT_MS = ARCHIVE_DAY_MS / ARCHIVE_SLOTS,
    NUMBER_TEXT_SIZE = 340, /* of a mean: DBL_MAX and nine decimals */
};
static_assert((int)SLOT_MS == (int)BUILDER_SLOT_MS,
              "the archive keeps the builder's quarter hours");

struct archive_source {
    struct archive *archive;
    struct source_place place;
};

struct reading {
    struct archive *archive;
    const struct source_options *options;
    struct builder builder;
    int64_t since_ms, until_ms;
    bool *is_excluded;            /* by the archive's index */
    int64_t *entities;            /* in the builder; -1 = left out */
    bool *is_numeric;             /* it once was: as builder_add_state drops it for ever */
    struct history_value *before; /* in force when the period begins; time 0 = not known */
    int64_t first_day, last_day;
};

void *archive_source_open(const char *path, struct error *err)
{
    struct archive *archive = archive_open(path, true, err);
    if (archive == NULL)
        return NULL;
    struct archive_source *s = xmalloc(sizeof *s);
    *s = (struct archive_source){.archive = archive,
                                 .place = {.timezone = archive->home.timezone,
                                           .has_location = archive->home.has_location,
                                           .latitude = archive->home.latitude,
                                           .longitude = archive->home.longitude,
                                           .elevation_m = archive->home.elevation_m}};
    return s;
}

void archive_source_close(void *state)
{
    struct archive_source *s = state;
    archive_close(s->archive);
    free(s);
}

const struct source_place *archive_source_place(const void *state)
{
    const struct archive_source *s = state;
    return &s->place;
}

/* --- entities --- */

static int add_entities(struct reading *r, struct error *err)
{
    const struct archive *a = r->archive;
    struct exclusion exclusion;
    if (exclusion_init(&exclusion, r->options->exclude, err) != 0)
        return -1;
    for (size_t i = 0; i < a->entity_count; i++) {
        const struct archive_entity *e = &a->entities[i];
        size_t length = strlen(e->entity_id);
        r->is_excluded[i] = exclusion_matches(&exclusion, e->entity_id);
        r->entities[i] =
            r->is_excluded[i] ? -1 : builder_add_entity(&r->builder, e->entity_id, length);
        if (r->entities[i] < 0)
            continue;
        struct history_entity *out = &r->builder.history->entities[r->entities[i]];
        if (e->name != NULL && out->name == NULL)
            out->name = xstrdup(e->name);
        if (e->area != NULL && out->area == NULL)
            out->area = xstrdup(e->area);
        if (e->members != NULL && out->members == NULL)
            out->members = xstrdup(e->members);
        if (e->device_class != NULL && out->device_class == NULL)
            out->device_class = xstrdup(e->device_class);
    }
    exclusion_release(&exclusion);
    return 0;
}

/* --- states --- */

static const char *text_of(const struct archive_entity *e, uint16_t word)
{
    static const char *const fixed[] = {"unavailable", "unknown", "on", "off", "0"};
    if (word < HISTORY_STATE_FIXED_COUNT)
        return fixed[word];
    size_t own = (size_t)word - HISTORY_STATE_FIXED_COUNT;
    return own < e->word_count ? e->words[own] : NULL;
}

static int add_changes(struct reading *r, size_t from, int64_t to,
                       const struct archive_rows *changes, struct error *err)
{
    const struct archive_entity *e = &r->archive->entities[from];
    const struct builder_series *s = &r->builder.series[to];
    for (size_t i = 0; i < changes->count && !s->is_dropped; i++) {
        const struct archive_row *row = &changes->items[i];
        const char *text = text_of(e, row->word);
        if (row->time_ms < r->since_ms || row->time_ms >= r->until_ms || text == NULL)
            continue;
        if (builder_add_state(&r->builder, (size_t)to, row->time_ms, text, strlen(text),
                              (enum cause)(row->cause & ~ARCHIVE_MOMENT), err) != 0)
            return -1;
    }
    return 0;
}

/* How much of the day the period has. */
static double share_of_day(const struct reading *r, int64_t day)
{
    int64_t from_ms = day * ARCHIVE_DAY_MS, to_ms = from_ms + ARCHIVE_DAY_MS;
    if (from_ms >= r->since_ms && to_ms <= r->until_ms)
        return 1;
    from_ms = from_ms > r->since_ms ? from_ms : r->since_ms;
    to_ms = to_ms < r->until_ms ? to_ms : r->until_ms;
    return to_ms > from_ms ? (double)(to_ms - from_ms) / ARCHIVE_DAY_MS : 0;
}

static int take_changes(size_t from, int64_t day, const struct archive_rows *changes,
                        const struct archive_counts *counts, void *ctx, struct error *err)
{
    struct reading *r = ctx;
    int64_t to = r->entities[from];
    double share = share_of_day(r, day);
    if (to < 0 || share <= 0)
        return 0;
    struct builder_series *s = &r->builder.series[to];
    uint64_t rows = (uint64_t)((double)counts->rows * share + 0.5);
    uint64_t numbers = s->numbers + (uint64_t)((double)counts->numbers * share + 0.5);
    uint64_t words = s->words + (uint64_t)((double)counts->words * share + 0.5);
    /* The builder counts what it is given, which is less than there was; while it does so, its
     * judgement of what is a number shall rest on all words. */
    s->words = words;
    if (add_changes(r, from, to, changes, err) != 0)
        return -1;
    s->rows += rows > 0 ? rows : changes->count > 0;
    s->numbers = numbers;
    s->words = words;
    if (numbers >= BUILDER_NUMBERS_MIN && numbers > words && !s->is_scene)
        r->is_numeric[from] = true;
    return 0;
}

/* --- values --- */

static int take_setting(size_t from, const struct history_value *value, void *ctx,
                        struct error *err)
{
    struct reading *r = ctx;
    if (r->entities[from] < 0 || value->time_ms >= r->until_ms)
        return 0;
    if (value->time_ms < r->since_ms) {
        r->before[from] = *value;
        return 0;
    }
    return builder_add_value(&r->builder, (size_t)r->entities[from], value, err);
}

/* What rows tell they would have told again within the period. */
static int add_settings(struct reading *r, int64_t from_day, int64_t to_day, struct error *err)
{
    const struct archive *a = r->archive;
    if (archive_read_settings(r->archive, from_day, to_day, r->is_excluded, take_setting, r, err) !=
        0)
        return -1;
    for (size_t i = 0; i < a->entity_count; i++) {
        struct history_value value = r->before[i];
        if (value.time_ms == 0 ||
            attributes_recorded(a->entities[i].entity_id) == RULE_ATTRIBUTE_COUNT)
            continue;
        value.time_ms = r->since_ms;
        value.is_told = false;
        if (builder_add_value(&r->builder, (size_t)r->entities[i], &value, err) != 0)
            return -1;
    }
    return 0;
}

/* --- light --- */

static int compare_by_id(const void *a, const void *b)
{
    const struct archive_entity *x = *(struct archive_entity *const *)a,
                                *y = *(struct archive_entity *const *)b;
    return strcmp(x->entity_id, y->entity_id);
}

static int add_light(struct reading *r, size_t from, struct error *err)
{
    const struct history *h = r->builder.history;
    struct means means;
    double list[ARCHIVE_BUCKETS];
    int decimals, rc = 0;
    means_init(&means, 1);
    for (int64_t day = h->from_ms / ARCHIVE_DAY_MS; rc >= 0 && day <= h->to_ms / ARCHIVE_DAY_MS;
         day++) {
        rc = archive_read_means(r->archive, from, day, list, &decimals, err);
        for (int i = 0; rc == ARCHIVE_SILENT && means.count > 0 && i < ARCHIVE_BUCKETS; i++)
            list[i] = isnan(list[i]) ? (double)means.list[means.count - 1] : list[i];
        if (rc > 0)
            means_append(&means, day * ARCHIVE_DAY_MS, list, ARCHIVE_BUCKETS);
    }
    means_finish(&means, h->from_ms, h->to_ms, &r->builder.history->entities[r->entities[from]]);
    return rc < 0 ? -1 : 0;
}

/* Of the first light sensors by entity_id. */
static int add_all_lights(struct reading *r, struct error *err)
{
    const struct archive *a = r->archive;
    struct archive_entity **lights = xcalloc(a->entity_count + 1, sizeof(*lights));
    size_t count = 0;
    int rc = 0;
    for (size_t i = 0; i < a->entity_count; i++)
        if (r->entities[i] >= 0 && strncmp(a->entities[i].entity_id, "sensor.", 7) == 0 &&
            a->entities[i].device_class != NULL &&
            strcmp(a->entities[i].device_class, ATTRIBUTES_ILLUMINANCE) == 0)
            lights[count++] = &a->entities[i];
    if (count > 0)
        qsort(lights, count, sizeof(*lights), compare_by_id);
    for (size_t i = 0; i < count && i < HISTORY_LIGHT_SENSORS_MAX && rc == 0; i++)
        rc = add_light(r, (size_t)(lights[i] - a->entities), err);
    free(lights);
    return rc;
}

/* --- when anything came --- */

static int take_day(const struct archive_day *day, void *ctx, struct error *err)
{
    struct reading *r = ctx;
    (void)err;
    if (day->from_ms < BUILDER_TIME_MIN_MS || day->to_ms >= BUILDER_TIME_MAX_MS ||
        day->from_ms / ARCHIVE_DAY_MS != day->day || day->to_ms / ARCHIVE_DAY_MS != day->day)
        return 0;
    for (int64_t i = 0; i < ARCHIVE_SLOTS; i++) {
        int64_t slot_ms = day->day * ARCHIVE_DAY_MS + i * SLOT_MS;
        int64_t time_ms = slot_ms + (day->slots[i] - 1) * (int64_t)BUILDER_UNIT_MS;
        if (day->slots[i] == 0 || day->slots[i] > (int)SLOT_MS / (int)BUILDER_UNIT_MS)
            continue;
        /* Within the unit; the day's first and last time are known exactly. */
        time_ms = time_ms < day->from_ms ? day->from_ms : time_ms;
        time_ms = time_ms >= r->until_ms && slot_ms < r->until_ms ? r->until_ms - 1 : time_ms;
        if (time_ms < r->since_ms || time_ms >= r->until_ms)
            continue;
        builder_note_time(&r->builder, time_ms);
        if (slot_ms <= r->since_ms) /* of what the period cuts, the last row alone is known */
            builder_note_time(&r->builder, r->since_ms);
    }
    if (day->from_ms >= r->since_ms && day->from_ms < r->until_ms)
        builder_note_time(&r->builder, day->from_ms);
    if (day->to_ms >= r->since_ms && day->to_ms < r->until_ms)
        builder_note_time(&r->builder, day->to_ms);
    return 0;
}

/* The last row before it, rounded up a little as builder_last_noted does. */
static int64_t end_of_crash(const struct archive_run *run, int64_t from_ms, int64_t to_ms)
{
    int64_t last_ms = run->last_ms > from_ms ? run->last_ms : from_ms;
    if (run->last_ms > from_ms)
        last_ms += BUILDER_UNIT_MS - (last_ms - BUILDER_TIME_MIN_MS) % BUILDER_UNIT_MS;
    return last_ms < to_ms ? last_ms : to_ms;
}

/* What lies between two imports of which the recorder kept nothing is not covered. */
static void add_run(struct reading *r, const struct archive_run *run,
                    const struct archive_range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool is_cut = ranges[i].to_ms + 1 < run->to_ms;
        int64_t from_ms = run->from_ms > ranges[i].from_ms ? run->from_ms : ranges[i].from_ms;
        int64_t to_ms = is_cut ? ranges[i].to_ms + 1 : run->to_ms;
        if (from_ms >= to_ms)
            continue;
        if (run->is_uncertain && !is_cut)
            to_ms = end_of_crash(run, from_ms, to_ms);
        builder_add_span(&r->builder, from_ms, to_ms);
    }
}

static int add_runs(struct reading *r, struct error *err)
{
    struct archive_run *runs = NULL, whole = {.from_ms = 0, .to_ms = 0};
    struct archive_range *ranges = NULL;
    size_t run_count = 0, range_count = 0;
    int rc = archive_read_runs(r->archive, &runs, &run_count, err);
    if (rc == 0)
        rc = archive_read_ranges(r->archive, &ranges, &range_count, err);
    const struct archive_run *list = run_count > 0 ? runs : &whole;
    size_t count = run_count > 0 ? run_count : 1;
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct archive_run run = list[i];
        if (run.to_ms == 0 && i + 1 < count) { /* a crash, of which no start has told */
            run.to_ms = list[i + 1].from_ms;
            run.is_uncertain = true;
        } else if (run.to_ms == 0) {
            run = (struct archive_run){.from_ms = run.from_ms, .to_ms = INT64_MAX};
        }
        add_run(r, &run, ranges, range_count);
    }
    free(runs);
    free(ranges);
    return rc;
}

/* --- all of it --- */

static int read_all(struct reading *r, struct error *err)
{
    if (add_entities(r, err) != 0 || archive_read_days(r->archive, take_day, r, err) != 0)
        return -1;
    int64_t from_day = r->since_ms / ARCHIVE_DAY_MS, to_day = INT64_MAX;
    if (r->until_ms != INT64_MAX)
        to_day = r->until_ms / ARCHIVE_DAY_MS + 1;
    if (archive_read_changes(r->archive, from_day, to_day, r->is_excluded, take_changes, r, err) !=
        0)
        return -1;
    for (size_t i = 0; i < r->archive->entity_count; i++)
        if (r->is_numeric[i]) {
            struct builder_series *s = &r->builder.series[r->entities[i]];
            s->numbers = s->words + 1;
        }
    if (add_settings(r, from_day, to_day, err) != 0 || add_runs(r, err) != 0 ||
        add_all_lights(r, err) != 0)
        return -1;
    builder_finish(&r->builder);
    return 0;
}

int archive_source_read(void *state, const struct source_options *options, struct history *h,
                        struct source_stats *stats, struct error *err)
{
    struct archive_source *s = state;
    size_t count = s->archive->entity_count;
    struct reading r = {.archive = s->archive,
                        .options = options,
                        .since_ms = options->since_ms,
                        .until_ms = options->until_ms > 0 ? options->until_ms : INT64_MAX,
                        .is_excluded = xcalloc(count + 1, sizeof *r.is_excluded),
                        .entities = xcalloc(count + 1, sizeof *r.entities),
                        .is_numeric = xcalloc(count + 1, sizeof *r.is_numeric),
                        .before = xcalloc(count + 1, sizeof *r.before)};
    unsigned damaged = s->archive->damaged;
    builder_init(&r.builder, h);
    if (options->progress != NULL)
        options->progress(0, "reading the archive", options->progress_ctx);
    int result = read_all(&r, err);
    damaged = s->archive->damaged - damaged;
    stats->skipped = damaged;
    if (result == 0 && damaged > 0)
        log_warn("source", "%u records of a day are left out: the archive is damaged", damaged);
    builder_release(&r.builder);
    free(r.is_excluded);
    free(r.entities);
    free(r.is_numeric);
    free(r.before);
    return result;
}

/* --- a timeline --- */

/* What an entity's rows have come to. */
struct track {
    size_t series;   /* in the timeline */
    bool is_wanted;  /* it has one */
    bool is_number;  /* its state is a number at present: which, the means say */
    uint32_t number; /* word of the last one added */
    bool has_before; /* the latest row before the time asked for */
    struct timeline_row before;
};

struct tracing {
    struct archive *archive;
    struct timeline *timeline;
    struct track *tracks; /* by the archive's index */
    int64_t since_ms, until_ms;
};

static int add_traced(struct tracing *t, struct track *track, const struct timeline_row *row,
                      struct error *err)
{
    if (row->time_ms >= t->until_ms)
        return 0;
    if (row->time_ms < t->since_ms) {
        track->has_before = true;
        track->before = *row;
        return 0;
    }
    if (track->has_before && timeline_add_row(t->timeline, track->series, &track->before, err) != 0)
        return -1;
    track->has_before = false;
    return timeline_add_row(t->timeline, track->series, row, err);
}

static int add_word(struct tracing *t, struct track *track, const char *text, int64_t time_ms,
                    uint8_t cause, struct error *err)
{
    uint32_t word;
    if (timeline_add_word(t->timeline, text, strlen(text), &word, err) != 0)
        return -1;
    if (track->is_number && track->number == word)
        return 0;
    if (track->is_number)
        track->number = word;
    struct timeline_row row = {.time_ms = time_ms,
                               .word = word & (TIMELINE_WORDS_MAX - 1),
                               .cause = cause & 7u,
                               .attributes = -1};
    return add_traced(t, track, &row, err);
}

/* The mean of the five minutes as it would have been written. */
static int add_mean(struct tracing *t, struct track *track, double mean, int decimals,
                    int64_t time_ms, uint8_t cause, struct error *err)
{
    char text[NUMBER_TEXT_SIZE];
    if (isnan(mean))
        return 0;
    int length = snprintf(text, sizeof text, "%.*f", decimals, mean);
    if (length < 0 || (size_t)length >= sizeof text)
        return 0;
    t->timeline->series[track->series].is_approximate = true;
    return add_word(t, track, text, time_ms, cause, err);
}

/* A day of one entity. */
struct traced_day {
    int64_t begin_ms;
    bool has_means;
    double means[ARCHIVE_BUCKETS];
    int decimals;
};

/* The means of the buckets that begin after from_ms and before to_ms. */
static int add_means(struct tracing *t, struct track *track, const struct traced_day *day,
                     int64_t from_ms, int64_t to_ms, struct error *err)
{
    int64_t into_ms = from_ms - day->begin_ms;
    for (int64_t i = into_ms < 0 ? 0 : into_ms / ARCHIVE_BUCKET_MS + 1; i < ARCHIVE_BUCKETS; i++) {
        int64_t time_ms = day->begin_ms + i * ARCHIVE_BUCKET_MS;
        if (time_ms >= to_ms)
            break;
        if (add_mean(t, track, day->means[i], day->decimals, time_ms, CAUSE_PHYSICAL, err) != 0)
            return -1;
    }
    return 0;
}

static int take_change(struct tracing *t, size_t from, const struct traced_day *day,
                       const struct archive_row *row, struct error *err)
{
    struct track *track = &t->tracks[from];
    int64_t bucket = (row->time_ms - day->begin_ms) / ARCHIVE_BUCKET_MS;
    if (row->word == HISTORY_STATE_OTHER) {
        track->is_number = true;
        track->number = TIMELINE_REMOVED; /* it is written anew */
        if (!day->has_means || bucket < 0 || bucket >= ARCHIVE_BUCKETS)
            return 0;
        return add_mean(t, track, day->means[bucket], day->decimals, row->time_ms, row->cause, err);
    }
    const char *text = text_of(&t->archive->entities[from], row->word);
    if (text == NULL)
        return 0;
    track->is_number = false;
    return add_word(t, track, text, row->time_ms, row->cause, err);
}

static int trace_day(size_t from, int64_t number, const struct archive_rows *changes,
                     const struct archive_counts *counts, void *ctx, struct error *err)
{
    struct tracing *t = ctx;
    struct track *track = &t->tracks[from];
    struct traced_day day = {.begin_ms = number * ARCHIVE_DAY_MS};
    (void)counts;
    if (!track->is_wanted)
        return 0;
    int found = archive_read_means(t->archive, from, number, day.means, &day.decimals, err);
    if (found < 0)
        return -1;
    day.has_means = found > 0;
    int64_t at_ms = day.begin_ms - 1;
    for (size_t i = 0; i <= changes->count; i++) {
        bool is_last = i == changes->count;
        int64_t next_ms = is_last ? day.begin_ms + ARCHIVE_DAY_MS : changes->items[i].time_ms;
        if (day.has_means && track->is_number &&
            add_means(t, track, &day, at_ms, next_ms, err) != 0)
            return -1;
        if (!is_last && take_change(t, from, &day, &changes->items[i], err) != 0)
            return -1;
        at_ms = next_ms;
    }
    return 0;
}

static int find_wanted(struct tracing *t, const struct source_options *options,
                       const struct source_wanted *wanted, bool *is_excluded, struct error *err)
{
    struct exclusion exclusion;
    if (exclusion_init(&exclusion, options->exclude, err) != 0)
        return -1;
    int result = 0;
    memset(is_excluded, true, t->archive->entity_count);
    for (size_t i = 0; i < wanted->entity_count && result == 0; i++) {
        const char *id = wanted->entity_ids[i];
        int64_t index = archive_find_entity(t->archive, id);
        if (index < 0 || exclusion_matches(&exclusion, id) || t->archive->entities[index].is_text)
            continue;
        t->tracks[index].is_wanted = true;
        is_excluded[index] = false;
        result = timeline_add_series(t->timeline, id, &t->tracks[index].series, err);
    }
    exclusion_release(&exclusion);
    return result;
}

static int add_timeline_runs(struct tracing *t, struct error *err)
{
    struct archive_run *runs = NULL;
    size_t count = 0;
    int result = archive_read_runs(t->archive, &runs, &count, err);
    for (size_t i = 0; i < count && result == 0; i++) {
        const struct archive_run *run = &runs[i];
        int64_t to_ms = run->to_ms;
        if (run->is_uncertain || to_ms == 0) /* it crashed, or runs: the last row */
            to_ms = run->last_ms > run->from_ms ? run->last_ms + 1 : run->from_ms;
        struct timeline_run out = {.from_ms = run->from_ms,
                                   .started_ms = run->from_ms,
                                   .to_ms = to_ms,
                                   .is_clean = run->to_ms != 0 && !run->is_uncertain};
        result = timeline_add_run(t->timeline, &out, err);
    }
    free(runs);
    return result;
}

int archive_source_read_places(void *state, struct timeline *timeline, struct error *err)
{
    (void)state;
    (void)timeline;
    (void)err;
    return 0;
}

int archive_source_read_timeline(void *state, const struct source_options *options,
                                 const struct source_wanted *wanted, struct timeline *timeline,
                                 struct source_stats *stats, struct error *err)
{
    struct archive_source *s = state;
    size_t count = s->archive->entity_count;
    unsigned damaged = s->archive->damaged;
    bool *is_excluded = xcalloc(count + 1, sizeof *is_excluded);
    struct tracing t = {.archive = s->archive,
                        .timeline = timeline,
                        .tracks = xcalloc(count + 1, sizeof *t.tracks),
                        .since_ms = options->since_ms - SOURCE_TIMELINE_LEAD_MS,
                        .until_ms = options->until_ms > 0 ? options->until_ms : INT64_MAX};
    int64_t to_day = t.until_ms == INT64_MAX ? INT64_MAX : t.until_ms / ARCHIVE_DAY_MS + 1;
    int result = find_wanted(&t, options, wanted, is_excluded, err);
    if (result == 0) /* from the first day on: what an entity was before has to be known */
        result = archive_read_changes(s->archive, 0, to_day, is_excluded, trace_day, &t, err);
    for (size_t i = 0; i < count && result == 0; i++)
        if (t.tracks[i].has_before)
            result = timeline_add_row(timeline, t.tracks[i].series, &t.tracks[i].before, err);
    if (result == 0)
        result = add_timeline_runs(&t, err);
    stats->skipped = s->archive->damaged - damaged;
    if (result == 0 && stats->skipped > 0)
        log_warn("source", "%llu records of a day are left out: the archive is damaged",
                 (unsigned long long)stats->skipped);
    free(t.tracks);
    free(is_excluded);
    return result;
}
