/* Each kind asks for the probability that a day gives as much when everything is as usual, and
 * tells what is below a threshold that all that is looked at shares (docs/miner.md). */
#include "suggest/anomaly.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "mine/away.h"
#include "mine/spells.h"
#include "mine/watchers.h"
#include "stats/lengths.h"
#include "stats/stats.h"
#include "stats/sun.h"
#include "suggest/backtest.h"
#include "suggest/health.h"

const char *const anomaly_kinds[ANOMALY_KIND_COUNT] = {
    [ANOMALY_OPEN_AT_NIGHT] = "open_at_night", [ANOMALY_LEFT_ON] = "left_on",
    [ANOMALY_UNLOCKED] = "unlocked",           [ANOMALY_HABIT_MISSED] = "habit_missed",
    [ANOMALY_SENSOR_SILENT] = "sensor_silent",
};

enum {
    DAYS_MIN = 14,      /* complete days before anything is usual */
    SPELL_DAYS_MIN = 7, /* with a spell that ended */
    SPELLS_MAX = 1000,  /* the latest */
    DAY_MS = 24 * 3600 * 1000,
    HOUR_MS = 3600 * 1000,
    NIGHT_FROM_S = 23 * 3600,
    NIGHT_TO_S = 6 * 3600,
};
#define LONGER 1.5 /* than the longest ever, at least */
#define STRONG 0.8 /* a habit that is kept to on so many of its days */

/* Found, with the number of things of each kind that were looked at. */
struct search {
    const struct mine_input *input;
    const bool *away;
    int complete; /* days */
    int looked[ANOMALY_KIND_COUNT];
    struct anomalies *out;
};

static void add(struct search *search, const struct anomaly *anomaly)
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
static void look_at_length(struct search *search, const struct watched *row, size_t entity,
                           const struct spells *spells)
{
    const struct spell *last = &spells->list[spells->count - 1];
    struct past past;
    past_init(&past, spells, last);
    search->looked[row->kind] += is_known(&past);
    bool is_now = last->end == SPELL_CUT && last->end_ms == search->input->history->to_ms;
    if (is_known(&past) && is_now && (double)length_of(last) / 1000 > LONGER * past.longest_s) {
        struct anomaly anomaly = describe(row, entity, &past, last);
        anomaly.days = search->complete;
        anomaly.probability =
            (double)past.ended / search->complete * tail_of(&past, length_of(last));
        add(search, &anomaly);
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

static bool overlaps(const struct spell *spell, int64_t from_ms, int64_t to_ms)
{
    return spell->begin_ms < to_ms && spell->end_ms > from_ms;
}

static bool is_in_night(int second)
{
    return second >= NIGHT_FROM_S || second < NIGHT_TO_S;
}

/* How the nights before were: complete ones. */
struct nights {
    int count;
    int open;  /* at that time of the night, give or take an hour */
    int begun; /* with a spell that began in the night */
};

static struct nights compare_nights(const struct search *search, const struct spells *spells,
                                    const struct spell *but, const struct night *night,
                                    int64_t at_ms)
{
    const struct days *days = search->input->days;
    struct nights nights = {0};
    for (int day = 0; day < night->day; day++) {
        if (days_role(days, day) == DAY_INCOMPLETE || days_role(days, day + 1) == DAY_INCOMPLETE)
            continue;
        struct night other = night_of(days, day);
        int64_t shift_ms = other.from_ms - night->from_ms;
        bool open = false, begun = false;
        for (size_t i = 0; i < spells->count; i++) {
            const struct spell *spell = &spells->list[i];
            if (spell == but)
                continue;
            open = open || overlaps(spell, at_ms + shift_ms - HOUR_MS, at_ms + shift_ms + HOUR_MS);
            begun = begun || (spell->begin_ms >= other.from_ms && spell->begin_ms < other.to_ms);
        }
        nights.count++;
        nights.open += open;
        nights.begun += begun;
    }
    return nights;
}

/* One spell in the night that begins on the evening of that day: the last time of it in that night
 * must be new. */
static void look_at_spell(struct search *search, const struct watched *row, size_t entity,
                          const struct spells *spells, const struct spell *spell, int day)
{
    struct night night = night_of(search->input->days, day);
    int64_t until_ms = search->input->history->to_ms, since_ms = until_ms - DAY_MS;
    int64_t from_ms = spell->begin_ms > night.from_ms ? spell->begin_ms : night.from_ms;
    int64_t to_ms = spell->end_ms < night.to_ms ? spell->end_ms : night.to_ms;
    if (from_ms >= to_ms || to_ms <= since_ms)
        return;
    struct nights nights = compare_nights(search, spells, spell, &night, to_ms);
    if (nights.count < DAYS_MIN || nights.open > 0)
        return;
    struct past past;
    past_init(&past, spells, spell);
    if (is_known(&past)) {
        struct anomaly anomaly = describe(row, entity, &past, spell);
        double begun = is_in_night(spell->second) ? (nights.begun + 1.0) / (nights.count + 2.0)
                                                  : (double)past.ended / search->complete;
        anomaly.days = nights.count;
        anomaly.probability = begun * tail_of(&past, length_of(spell));
        add(search, &anomaly);
    }
    free(past.list);
}

static void look_at_nights(struct search *search, const struct watched *row, size_t entity,
                           const struct spells *spells)
{
    const struct days *days = search->input->days;
    struct past past;
    past_init(&past, spells, &spells->list[spells->count - 1]);
    search->looked[row->kind] += is_known(&past);
    free(past.list);
    size_t first = spells->count;
    int64_t since_ms = search->input->history->to_ms - DAY_MS;
    while (first > 0 && spells->list[first - 1].end_ms > since_ms)
        first--;
    size_t before = search->out->count;
    for (size_t i = first; i < spells->count; i++)
        for (int day = days->count - 3; day < days->count; day++)
            if (day >= 0)
                look_at_spell(search, row, entity, spells, &spells->list[i], day);
    /* one for each entity: the least probable */
    struct anomalies *out = search->out;
    for (size_t i = before + 1; i < out->count; i++)
        if (out->list[i].probability < out->list[before].probability)
            out->list[before] = out->list[i];
    out->count = out->count > before + 1 ? before + 1 : out->count;
}

static void look_at_spells(struct search *search)
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
            if (spells.count > LENGTHS_ENDED_MIN)
                (watched[r].kind == ANOMALY_OPEN_AT_NIGHT ? look_at_nights : look_at_length)(
                    search, &watched[r], i, &spells);
            spells_release(&spells);
        }
    }
}

/* ---- days ----------------------------------------------------------------------------------- */

/* Days in a row, as something happened on them or not; days that say nothing are left out. */
struct row {
    int days, hits; /* before the last days without */
    int missed;     /* the last days without */
    int longest;    /* of the earlier rows of days without */
    int run;
    int64_t since_ms; /* the first of the last ones */
};

static void row_add(struct row *row, bool hit, int64_t time_ms)
{
    if (hit) {
        row->days += row->missed + 1;
        row->hits++;
        row->longest = row->missed > row->longest ? row->missed : row->longest;
        row->missed = 0;
        return;
    }
    row->since_ms = row->missed == 0 ? time_ms : row->since_ms;
    row->missed++;
}

/* P of as many days without, when the rate is known from those before: Beta(hits + 1, omissions +
 * 1). Rows of them that came before show that days hang together: they must be well beyond these.
 */
static double row_p(const struct row *row)
{
    if (row->days < DAYS_MIN || row->missed < LONGER * row->longest || row->missed == 0)
        return 1;
    return stats_beta_binomial_lower(0, row->missed, row->hits + 1.0, row->days - row->hits + 1.0);
}

static bool is_detector(const struct history_entity *e)
{
    return strncmp(e->entity_id, "binary_sensor.", 14) == 0;
}

/* Whether that change is one between states that are known. */
static bool has_told(const struct history_entity *e, size_t change)
{
    return change > 0 && !acts_is_absent(e->state[change]) && !acts_is_absent(e->state[change - 1]);
}

static void look_at_sensor(struct search *search, size_t entity)
{
    const struct mine_input *input = search->input;
    const struct days *days = input->days;
    const struct history_entity *e = &input->history->entities[entity];
    struct row row = {0};
    int64_t told_ms = INT64_MIN;
    size_t change = 0;
    for (int day = 0; day < days->count && e->changes > 0; day++) {
        int64_t from_ms = tz_day_start(days->tz, days->first + day) * 1000;
        int64_t to_ms = tz_day_start(days->tz, days->first + day + 1) * 1000;
        for (; change < e->changes && e->time_ms[change] < to_ms; change++)
            told_ms = has_told(e, change) ? e->time_ms[change] : told_ms;
        bool is_told = told_ms >= from_ms;
        if (from_ms >= e->time_ms[0] && days_role(days, day) != DAY_INCOMPLETE &&
            (is_told || !search->away[day]))
            row_add(&row, is_told, from_ms);
    }
    if (row.days < DAYS_MIN)
        return;
    search->looked[ANOMALY_SENSOR_SILENT]++;
    bool is_silent = row.missed > 0 && told_ms <= row.since_ms; /* today it told nothing either */
    if (is_silent)
        add(search, &(struct anomaly){.kind = ANOMALY_SENSOR_SILENT,
                                      .entity = entity,
                                      .since_ms = told_ms,
                                      .lasted_ms = input->history->to_ms - told_ms,
                                      .days = row.days,
                                      .hits = row.hits,
                                      .missed = row.missed,
                                      .probability = row_p(&row)});
}

/* ---- habits --------------------------------------------------------------------------------- */

/* When a rule of the clock or the sun fires on a day; INT64_MIN = it does not. */
static int64_t fire_on(const struct mine_input *input, const struct rule *rule, int day)
{
    const struct history *h = input->history;
    const struct rule_trigger *trigger = &rule->trigger;
    int64_t fire_ms = INT64_MIN;
    if ((rule->weekdays >> days_weekday(input->days, day) & 1U) == 0)
        return INT64_MIN;
    if (trigger->kind == RULE_TRIGGER_TIME)
        return backtest_fire_ms(input->days, day, trigger->second);
    const struct sun_place place = {h->latitude, h->longitude, h->elevation_m};
    return h->has_location && sun_fire_on_day(&place, h->tz, trigger->event == RULE_SUNSET,
                                              trigger->second, input->days->first + day, &fire_ms)
               ? fire_ms
               : INT64_MIN;
}

static bool has_act(const struct act *list, size_t count, int64_t from_ms, int64_t to_ms)
{
    size_t i = acts_find(list, count, from_ms);
    return i < count && list[i].time_ms <= to_ms;
}

/* Whether a target was in the verb's state at some time from a fire on. */
static bool was_in_state(const struct mine_input *input, const struct candidate *c, int64_t fire_ms)
{
    const struct actor *actor = &input->actors->list[c->habit.actor];
    uint16_t state = c->habit.rule.verb == RULE_TURN_ON ? HISTORY_STATE_ON : HISTORY_STATE_OFF;
    for (size_t i = 0; i < actor->count; i++) {
        const struct history_entity *e = &input->history->entities[actor->entities[i]];
        size_t change = history_find_change(e, fire_ms);
        if (change > 0 && (e->state[change - 1] == state || acts_is_absent(e->state[change - 1])))
            return true;
        for (; change < e->changes && e->time_ms[change] <= fire_ms + BACKTEST_RECALL_MS; change++)
            if (e->state[change] == state || acts_is_absent(e->state[change]))
                return true;
    }
    return false;
}

/* Whether anybody did anything in the day before a time: else nobody is home. */
static bool is_lived_in(const struct mine_input *input, int64_t time_ms)
{
    for (size_t i = 0; i < input->actors->count; i++)
        for (int verb = 0; verb < RULE_VERB_COUNT; verb++) {
            const struct acts *acts = &input->actors->list[i].acts[verb];
            if (has_act(acts->list, acts->count, time_ms - DAY_MS, time_ms))
                return true;
        }
    return false;
}

/* What is suggested, or would be but for the last days. */
static bool is_missable(const struct candidate *c)
{
    bool stood = c->verdict == VERDICT_SUGGESTED || c->verdict == VERDICT_STOPPED ||
                 c->verdict == VERDICT_FADED || c->verdict == VERDICT_NOT_CONFIRMED;
    return stood && c->habit.rule.trigger.kind != RULE_TRIGGER_STATE &&
           c->habit.rule.condition_count == 0 && c->habit.rule.verb < RULE_SWITCHING_COUNT;
}

static void look_at_habit(struct search *search, const struct candidate *c)
{
    const struct mine_input *input = search->input;
    const struct acts *acts = &input->actors->list[c->habit.actor].acts[c->habit.rule.verb];
    struct row row = {0};
    for (int day = 0; day < input->days->count; day++) {
        int64_t fire_ms = fire_on(input, &c->habit.rule, day);
        int64_t from_ms = fire_ms - BACKTEST_RECALL_MS, to_ms = fire_ms + BACKTEST_RECALL_MS;
        bool is_today = day == input->days->count - 1 && to_ms <= input->history->to_ms;
        if (fire_ms == INT64_MIN || search->away[day] ||
            (days_role(input->days, day) == DAY_INCOMPLETE && !is_today))
            continue;
        bool hit = has_act(acts->list, acts->count, from_ms, to_ms);
        if (hit || (!was_in_state(input, c, fire_ms) && is_lived_in(input, to_ms)))
            row_add(&row, hit, fire_ms);
    }
    if (row.days < DAYS_MIN || row.hits < STRONG * row.days)
        return;
    search->looked[ANOMALY_HABIT_MISSED]++;
    add(search, &(struct anomaly){.kind = ANOMALY_HABIT_MISSED,
                                  .entity = input->actors->list[c->habit.actor].entities[0],
                                  .since_ms = row.since_ms,
                                  .days = row.days,
                                  .hits = row.hits,
                                  .missed = row.missed,
                                  .candidate = c,
                                  .probability = row_p(&row)});
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

/* What is improbable enough, once each. */
static void keep_improbable(struct search *search)
{
    struct anomalies *out = search->out;
    size_t count = out->count;
    if (count > 0)
        qsort(out->list, count, sizeof *out->list, compare_anomalies);
    out->count = 0;
    for (size_t i = 0; i < count && out->count < ANOMALY_TOLD_MAX; i++) {
        struct anomaly *anomaly = &out->list[i];
        anomaly->threshold = ANOMALY_A_DAY / ANOMALY_KIND_COUNT / search->looked[anomaly->kind];
        if (anomaly->probability <= anomaly->threshold && !is_told_already(out, anomaly))
            out->list[out->count++] = *anomaly;
    }
}

void anomalies_find(const struct mine_input *input, const struct judged *judged,
                    struct anomalies *out)
{
    *out = (struct anomalies){.list = NULL};
    bool *away = away_find_days(input->actors, input->days);
    struct search search = {.input = input,
                            .away = away,
                            .complete = input->days->training + input->days->held_out,
                            .out = out};
    if (search.complete >= DAYS_MIN) {
        look_at_spells(&search);
        for (size_t i = 0; i < input->history->entity_count; i++)
            if (is_detector(&input->history->entities[i]))
                look_at_sensor(&search, i);
        for (size_t i = 0; i < judged->count; i++)
            if (is_missable(&judged->list[i]))
                look_at_habit(&search, &judged->list[i]);
        keep_improbable(&search);
    }
    free(away);
}

void anomalies_release(struct anomalies *anomalies)
{
    free(anomalies->list);
    *anomalies = (struct anomalies){.list = NULL};
}
