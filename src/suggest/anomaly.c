/* Each kind asks for the probability that a day gives as much when everything is as usual, and
 * tells what is below a threshold that all that is looked at shares (docs/miner.md). */
#include "suggest/anomaly_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "mine/away.h"
#include "mine/spells.h"
#include "mine/watchers.h"
#include "stats/lengths.h"

const char *const anomaly_kinds[ANOMALY_KIND_COUNT] = {
    [ANOMALY_OPEN_AT_NIGHT] = "open_at_night", [ANOMALY_LEFT_ON] = "left_on",
    [ANOMALY_UNLOCKED] = "unlocked",           [ANOMALY_HABIT_MISSED] = "habit_missed",
    [ANOMALY_SENSOR_SILENT] = "sensor_silent",
};

enum {
    SPELL_DAYS_MIN = 7, /* with a spell that ended */
    SPELLS_MAX = 1000,  /* the latest */
    INTERRUPTION_MAX_MS = 3600 * 1000,
    NIGHT_OPEN_MIN_MS = 30 * 60 * 1000, /* who looks out for a moment has not left it open */
    NIGHT_FROM_S = 23 * 3600,
    NIGHT_TO_S = 6 * 3600,
};

#define ROUNDING 1e-9

void anomaly_add(struct anomaly_search *search, const struct anomaly *anomaly)
{
    struct anomalies *out = search->out;
    out->list = grow_array(out->list, out->count, &out->capacity, sizeof *out->list);
    out->list[out->count++] = *anomaly;
}

/* ---- spells --------------------------------------------------------------------------------- */

/* What is looked at: entities of a domain in a state; of these classes, or of none of those. */
static const char *const doors[] = {"door", "window", "garage_door", "garage", "opening", NULL};
static const char *const locks[] = {"garage_door", "garage", "lock", NULL};
static const char *const shutters[] = {"awning", "blind",  "blinds",  "curtain", "damper",
                                       "shade",  "shades", "shutter", NULL};
static const struct watched {
    enum anomaly_kind kind;
    const char *domain, *state;
    const char *const *classes, *const *others; /* NULL = any, none */
} watched[] = {
    {ANOMALY_LEFT_ON, "light", "on", NULL, NULL},
    {ANOMALY_LEFT_ON, "switch", "on", NULL, NULL},
    {ANOMALY_LEFT_ON, "fan", "on", NULL, NULL},
    {ANOMALY_LEFT_ON, "input_boolean", "on", NULL, NULL},
    {ANOMALY_UNLOCKED, "lock", "unlocked", NULL, NULL},
    {ANOMALY_UNLOCKED, "cover", "open", NULL, shutters},
    {ANOMALY_UNLOCKED, "binary_sensor", "on", locks, NULL},
    {ANOMALY_OPEN_AT_NIGHT, "binary_sensor", "on", doors, NULL},
    {ANOMALY_OPEN_AT_NIGHT, "cover", "open", NULL, shutters},
};

static bool is_watched(const struct watched *row, const struct history_entity *e)
{
    size_t length = strlen(row->domain);
    return strncmp(e->entity_id, row->domain, length) == 0 && e->entity_id[length] == '.' &&
           (row->classes == NULL || watchers_has_class(e, row->classes)) &&
           (row->others == NULL || !watchers_has_class(e, row->others));
}

/* The word's index; HISTORY_STATE_OTHER when nothing ever was in that state. */
static uint16_t find_state(const struct history *h, const char *word)
{
    for (size_t i = 0; i < h->state_count; i++)
        if (strcmp(h->states[i], word) == 0)
            return (uint16_t)i;
    return HISTORY_STATE_OTHER;
}

/* What is in the same state before and after a short time of which nothing is known (a restart)
 * went on meanwhile. */
static void join_interrupted(struct spells *spells)
{
    size_t count = 0;
    for (size_t i = 0; i < spells->count; i++) {
        struct spell *spell = &spells->list[i], *last = &spells->list[count - (count > 0)];
        if (count > 0 && last->end == SPELL_CUT && spell->is_resumed &&
            spell->begin_ms - last->end_ms <= INTERRUPTION_MAX_MS) {
            last->end_ms = spell->end_ms;
            last->end = spell->end;
        } else {
            spells->list[count++] = *spell;
        }
    }
    spells->count = count;
}

static int64_t length_of(const struct spell *spell)
{
    return spell->end_ms - spell->begin_ms;
}

static int compare_lengths(const void *left, const void *right)
{
    const struct length *a = left, *b = right;
    return (a->log_s > b->log_s) - (a->log_s < b->log_s);
}

/* An entity's spells but for the one in question, the last of them or near it. */
struct past {
    struct length *list;
    struct lengths lengths;
    double longest_s, median_s;
    size_t ended;
    int days; /* with a spell that ended */
};

static void past_init(struct past *past, const struct spells *spells, const struct spell *but)
{
    *past = (struct past){.list = xcalloc(spells->count, sizeof *past->list)};
    size_t count = 0;
    int last_day = -1;
    for (size_t i = spells->count; i > 0 && count < SPELLS_MAX; i--) {
        const struct spell *spell = &spells->list[i - 1];
        if (spell == but || spell->begin_ms > but->begin_ms)
            continue;
        double s = fmax((double)length_of(spell) / 1000, 1);
        bool ended = spell->end == SPELL_ENDED && !spell->is_resumed;
        past->longest_s = fmax(past->longest_s, s);
        past->ended += ended;
        past->days += ended && spell->day != last_day;
        last_day = ended ? spell->day : last_day;
        past->list[count++] = (struct length){log(s), spell->day, !ended};
    }
    if (count > 0)
        qsort(past->list, count, sizeof *past->list, compare_lengths);
    past->lengths = (struct lengths){past->list, count};
    size_t passed = 0;
    for (size_t i = 0; i < count && past->median_s == 0; i++)
        if (!past->list[i].is_cut && 2 * ++passed >= past->ended)
            past->median_s = exp(past->list[i].log_s);
}

static bool is_known(const struct past *past)
{
    return past->ended >= LENGTHS_ENDED_MIN && past->days >= SPELL_DAYS_MIN;
}

/* Probability that a spell lasts that long. */
static double tail_of(const struct past *past, int64_t length_ms)
{
    double log_s = log(fmax((double)length_ms / 1000, 1)), tail;
    lengths_predict(&past->lengths, HUGE_VAL, 0, &log_s, &tail, 1);
    return tail;
}

static struct anomaly describe(const struct watched *row, size_t entity, const struct past *past,
                               const struct spell *spell)
{
    return (struct anomaly){.kind = row->kind,
                            .entity = entity,
                            .since_ms = spell->begin_ms,
                            .state = row->state,
                            .lasted_ms = length_of(spell),
                            .is_over = spell->end != SPELL_CUT,
                            .usual_s = past->median_s,
                            .longest_s = past->longest_s,
                            .others = (int)past->lengths.count};
}

/* In that state now, and for longer than ever. */
static void look_at_length(struct anomaly_search *search, const struct watched *row, size_t entity,
                           const struct spells *spells)
{
    const struct spell *last = &spells->list[spells->count - 1];
    struct past past;
    past_init(&past, spells, last);
    search->looked[row->kind] += is_known(&past);
    bool is_now = last->end == SPELL_CUT && last->end_ms == search->input->history->to_ms;
    if (is_known(&past) && is_now &&
        (double)length_of(last) / 1000 > ANOMALY_LONGER * past.longest_s) {
        struct anomaly anomaly = describe(row, entity, &past, last);
        anomaly.days = search->complete;
        anomaly.probability =
            (double)past.ended / search->complete * tail_of(&past, length_of(last));
        anomaly_add(search, &anomaly);
    }
    free(past.list);
}

/* ---- nights --------------------------------------------------------------------------------- */

/* The hours of a night, by the index of the day on whose evening it begins. */
struct night {
    int day;
    int64_t from_ms, to_ms;
};

static struct night night_of(const struct days *days, int day)
{
    return (struct night){day, tz_to_utc(days->tz, days->first + day, NIGHT_FROM_S) * 1000,
                          tz_to_utc(days->tz, days->first + day + 1, NIGHT_TO_S) * 1000};
}

static bool is_in_night(int second)
{
    return second >= NIGHT_FROM_S || second < NIGHT_TO_S;
}

/* How the nights before were: complete ones. */
struct nights {
    int count;
    int64_t longest_ms; /* open without a pause */
    int begun;          /* with a spell that began in the night */
};

static int64_t overlap_ms(const struct spell *spell, const struct night *night)
{
    int64_t from_ms = spell->begin_ms > night->from_ms ? spell->begin_ms : night->from_ms;
    int64_t to_ms = spell->end_ms < night->to_ms ? spell->end_ms : night->to_ms;
    return to_ms > from_ms ? to_ms - from_ms : 0;
}

static struct nights compare_nights(const struct anomaly_search *search,
                                    const struct spells *spells, const struct spell *but,
                                    const struct night *night)
{
    const struct days *days = search->input->days;
    struct nights nights = {0};
    for (int day = 0; day < night->day; day++) {
        if (days_role(days, day) == DAY_INCOMPLETE || days_role(days, day + 1) == DAY_INCOMPLETE)
            continue;
        struct night other = night_of(days, day);
        bool begun = false;
        for (size_t i = 0; i < spells->count; i++) {
            const struct spell *spell = &spells->list[i];
            int64_t ms = spell == but ? 0 : overlap_ms(spell, &other);
            nights.longest_ms = ms > nights.longest_ms ? ms : nights.longest_ms;
            begun = begun || (ms > 0 && spell->begin_ms >= other.from_ms);
        }
        nights.count++;
        nights.begun += begun;
    }
    return nights;
}

/* One spell in the night that begins on the evening of that day: in none before was it open nearly
 * as long. */
static void look_at_spell(struct anomaly_search *search, const struct watched *row, size_t entity,
                          const struct spells *spells, const struct spell *spell, int day)
{
    struct night night = night_of(search->input->days, day);
    int64_t open_ms = overlap_ms(spell, &night);
    int64_t since_ms = search->input->history->to_ms - ANOMALY_DAY_MS;
    if (open_ms < NIGHT_OPEN_MIN_MS || spell->end_ms <= since_ms || night.to_ms <= since_ms)
        return;
    struct nights nights = compare_nights(search, spells, spell, &night);
    if (nights.count < ANOMALY_DAYS_MIN ||
        (double)open_ms <= ANOMALY_LONGER * (double)nights.longest_ms)
        return;
    struct past past;
    past_init(&past, spells, spell);
    if (is_known(&past)) {
        struct anomaly anomaly = describe(row, entity, &past, spell);
        double begun = is_in_night(spell->second) ? (nights.begun + 1.0) / (nights.count + 2.0)
                                                  : (double)past.ended / search->complete;
        anomaly.longest_s = (double)nights.longest_ms / 1000;
        anomaly.days = nights.count;
        anomaly.probability = begun * tail_of(&past, length_of(spell));
        anomaly_add(search, &anomaly);
    }
    free(past.list);
}

static void look_at_nights(struct anomaly_search *search, const struct watched *row, size_t entity,
                           const struct spells *spells)
{
    const struct days *days = search->input->days;
    struct past past;
    past_init(&past, spells, &spells->list[spells->count - 1]);
    bool is_looked_at = is_known(&past);
    free(past.list);
    size_t first = spells->count;
    int64_t since_ms = search->input->history->to_ms - ANOMALY_DAY_MS;
    while (first > 0 && spells->list[first - 1].end_ms > since_ms)
        first--;
    size_t before = search->out->count;
    for (size_t i = first; i < spells->count; i++)
        for (int day = days->count - 3; day < days->count; day++)
            if (day >= 0)
                look_at_spell(search, row, entity, spells, &spells->list[i], day);
    /* one for each entity: the least probable */
    struct anomalies *out = search->out;
    search->looked[row->kind] += is_looked_at || out->count > before;
    for (size_t i = before + 1; i < out->count; i++)
        if (out->list[i].probability < out->list[before].probability)
            out->list[before] = out->list[i];
    out->count = out->count > before + 1 ? before + 1 : out->count;
}

static void look_at_spells(struct anomaly_search *search)
{
    const struct history *h = search->input->history;
    for (size_t r = 0; r < sizeof watched / sizeof *watched; r++) {
        uint16_t state = find_state(h, watched[r].state);
        for (size_t i = 0; i < h->entity_count && state != HISTORY_STATE_OTHER; i++) {
            if (!is_watched(&watched[r], &h->entities[i]))
                continue;
            struct spells spells;
            spells_collect(&spells, h, &h->entities[i], state, search->input->days,
                           search->input->restarts);
            join_interrupted(&spells);
            if (spells.count > LENGTHS_ENDED_MIN)
                (watched[r].kind == ANOMALY_OPEN_AT_NIGHT ? look_at_nights : look_at_length)(
                    search, &watched[r], i, &spells);
            spells_release(&spells);
        }
    }
}

/* ---- all ------------------------------------------------------------------------------------ */

static int compare_anomalies(const void *left, const void *right)
{
    const struct anomaly *a = left, *b = right;
    if (a->probability != b->probability)
        return a->probability < b->probability ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->entity != b->entity)
        return a->entity < b->entity ? -1 : 1;
    return (a->since_ms > b->since_ms) - (a->since_ms < b->since_ms);
}

/* A door that is open all night is one thing to tell, not two; so is a habit that may follow the
 * clock or the sun. */
static bool is_told_already(const struct anomalies *out, const struct anomaly *anomaly)
{
    for (size_t i = 0; i < out->count; i++) {
        const struct anomaly *told = &out->list[i];
        bool same_habit = anomaly->candidate != NULL && told->candidate != NULL;
        if (told->entity == anomaly->entity && (same_habit || told->since_ms == anomaly->since_ms))
            return true;
    }
    return false;
}

/* Of ANOMALY_A_DAY: most for what is on for hours anyway, which stands out least. */
static const double shares[ANOMALY_KIND_COUNT] = {[ANOMALY_LEFT_ON] = 0.85,
                                                  [ANOMALY_OPEN_AT_NIGHT] = 0.05,
                                                  [ANOMALY_UNLOCKED] = 0.05,
                                                  [ANOMALY_SENSOR_SILENT] = 0.05};

/* What is improbable enough, once each. A habit that was missed is no guess but a fact: it has a
 * threshold of its own. */
static void keep_improbable(struct anomaly_search *search)
{
    struct anomalies *out = search->out;
    size_t count = out->count;
    if (count > 0)
        qsort(out->list, count, sizeof *out->list, compare_anomalies);
    out->count = 0;
    for (size_t i = 0; i < count && out->count < ANOMALY_TOLD_MAX; i++) {
        struct anomaly *anomaly = &out->list[i];
        anomaly->threshold =
            anomaly->kind == ANOMALY_HABIT_MISSED
                ? ANOMALY_MISSED_MAX
                : ANOMALY_A_DAY * shares[anomaly->kind] / search->looked[anomaly->kind];
        if (anomaly->probability <= anomaly->threshold * (1 + ROUNDING) &&
            !is_told_already(out, anomaly))
            out->list[out->count++] = *anomaly;
    }
}

void anomalies_find(const struct mine_input *input, const struct judged *judged,
                    struct anomalies *out)
{
    *out = (struct anomalies){.list = NULL};
    bool *away = away_find_days(input->actors, input->days);
    struct anomaly_search search = {.input = input,
                                    .away = away,
                                    .complete = input->days->training + input->days->held_out,
                                    .out = out};
    if (search.complete >= ANOMALY_DAYS_MIN) {
        look_at_spells(&search);
        anomaly_look_at_sensors(&search);
        anomaly_look_at_habits(&search, judged);
        keep_improbable(&search);
    }
    free(away);
}

void anomalies_release(struct anomalies *anomalies)
{
    free(anomalies->list);
    *anomalies = (struct anomalies){.list = NULL};
}
