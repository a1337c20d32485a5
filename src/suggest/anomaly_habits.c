/* Habits of the clock and the sun: whether the act came near each fire of the automation that would
 * be deployed, and did not near the last ones. */
#include <stdlib.h>
#include <string.h>

#include "core/order.h"
#include "core/tz.h"
#include "core/xalloc.h"
#include "stats/stats.h"
#include "suggest/anomaly_parts.h"
#include "suggest/backtest.h"

enum {
    LIVED_IN_MS = 6 * 3600 * 1000, /* on either side of a fire somebody does something */
    EARLY_MS = 3 * 3600 * 1000,    /* what was switched off so long before was done early */
    FIRES_MIN = 14,                /* before a habit is one that is always kept */
};
#define STRONG 0.9 /* a habit that is kept to on so many of its fires */

/* Fires in a row, as the habit was kept or not; those that say nothing are left out. */
struct row {
    int fires, hits;  /* before the last ones without */
    int missed;       /* the last ones without */
    int longest;      /* of the earlier rows without */
    int64_t since_ms; /* the first of the last ones */
};

static void row_add(struct row *row, bool hit, int64_t time_ms)
{
    if (hit) {
        row->fires += row->missed + 1;
        row->hits++;
        row->longest = row->missed > row->longest ? row->missed : row->longest;
        row->missed = 0;
        return;
    }
    row->since_ms = row->missed == 0 ? time_ms : row->since_ms;
    row->missed++;
}

/* P of as many without, when the rate is known from those before: Beta(hits + 1, omissions + 1).
 * Rows of two and more that came before show that days hang together: they must be well beyond
 * these. */
static double row_p(const struct row *row)
{
    if (row->longest > 1 && row->missed < ANOMALY_LONGER * row->longest)
        return 1;
    return stats_beta_binomial_lower(0, row->missed, row->hits + 1.0, row->fires - row->hits + 1.0);
}

static bool has_act(const struct acts *acts, int64_t from_ms, int64_t to_ms)
{
    size_t i = acts_find(acts->list, acts->count, from_ms);
    return i < acts->count && acts->list[i].time_ms <= to_ms;
}

/* Whether there was nothing to do about a fire: a target was in the verb's state already, got there
 * within the hour after, or was not there at all. But what is off for hours was not used: that is
 * as much as missed. */
static bool was_in_state(const struct mine_input *input, const struct candidate *c, int64_t fire_ms)
{
    const struct actor *actor = &input->actors->list[c->habit.actor];
    bool is_on = c->habit.rule.verb == RULE_TURN_ON;
    uint16_t state = is_on ? HISTORY_STATE_ON : HISTORY_STATE_OFF;
    for (size_t i = 0; i < actor->count; i++) {
        const struct history_entity *e = actor_state(actor, input->history, i);
        size_t change = history_find_change(e, fire_ms);
        if (change > 0 && acts_is_absent(e->state[change - 1]))
            return true;
        if (change > 0 && e->state[change - 1] == state &&
            (is_on || e->time_ms[change - 1] > fire_ms - EARLY_MS))
            return true;
        for (; change < e->changes && e->time_ms[change] <= fire_ms + BACKTEST_RECALL_MS; change++)
            if (e->state[change] == state || acts_is_absent(e->state[change]))
                return true;
    }
    return false;
}

/* Whether anybody did anything about that time: else nobody is home, or up. */
static bool is_lived_in(const struct mine_input *input, int64_t time_ms)
{
    for (size_t i = 0; i < input->actors->count; i++)
        for (int verb = 0; verb < RULE_VERB_COUNT; verb++)
            if (has_act(&input->actors->list[i].acts[verb], time_ms - LIVED_IN_MS,
                        time_ms + LIVED_IN_MS))
                return true;
    return false;
}

/* Whether the history has all of a time. */
static bool is_recorded(const struct history *h, int64_t from_ms, int64_t to_ms)
{
    for (size_t i = 0; i < h->covered_count; i++)
        if (h->covered[i].from_ms <= from_ms && to_ms <= h->covered[i].to_ms)
            return true;
    return false;
}

static int64_t local_day(const struct days *days, int64_t time_ms)
{
    struct tz_local local;
    tz_to_local(days->tz, time_ms / 1000, &local);
    return local.day;
}

static bool is_away(const struct anomaly_search *search, int64_t time_ms)
{
    const struct days *days = search->input->days;
    int64_t day = local_day(days, time_ms) - days->first;
    return day >= 0 && day < days->count && search->away[day];
}

/* The beginning of its local day: a rule's time moves by minutes as days are added, and the same
 * miss is to be told once. */
static int64_t day_start_ms(const struct days *days, int64_t time_ms)
{
    return tz_day_start(days->tz, local_day(days, time_ms)) * 1000;
}

/* What is suggested, or would be but for the last days. What follows on something else is not due
 * at any time. */
static bool is_missable(const struct candidate *c)
{
    bool stood = c->verdict == VERDICT_SUGGESTED || c->verdict == VERDICT_STOPPED ||
                 c->verdict == VERDICT_FADED || c->verdict == VERDICT_NOT_CONFIRMED;
    return stood && c->habit.rule.trigger.kind != RULE_TRIGGER_STATE &&
           c->habit.rule.verb < RULE_SWITCHING_COUNT;
}

static bool is_near_fire(const struct fires *fires, int64_t time_ms)
{
    size_t i = order_find(fires->time_ms, fires->count, time_ms - BACKTEST_RECALL_MS);
    return i < fires->count && fires->time_ms[i] <= time_ms + BACKTEST_RECALL_MS;
}

/* Whether another rule, which fires then, tells most of a rule's acts as well, and some since. */
static bool is_kept_otherwise(const struct acts *acts, const bool *is_told, int64_t since_ms,
                              const struct fires *other)
{
    int told = 0, both = 0, since = 0;
    for (size_t i = 0; i < acts->count; i++) {
        bool is_other = is_near_fire(other, acts->list[i].time_ms);
        if (acts->list[i].time_ms >= since_ms)
            since += is_other;
        else if (is_told[i]) {
            told++;
            both += is_other;
        }
    }
    return since > 0 && 2 * both > told;
}

/* What follows the sun leaves its hour when the clocks change, and what follows the clock leaves
 * the sun: as long as the days do not tell which it is, it is kept when it is in either way. */
static bool is_same_kept(const struct mine_input *input, const struct judged *judged,
                         const struct candidate *c, int64_t since_ms)
{
    const struct acts *acts = &input->actors->list[c->habit.actor].acts[c->habit.rule.verb];
    struct fires fires = fires_of_rule(judged->fires, &c->habit.rule);
    bool *is_told = xcalloc(acts->count, sizeof *is_told), found = false;
    for (size_t i = 0; i < acts->count; i++)
        is_told[i] = is_near_fire(&fires, acts->list[i].time_ms);
    for (size_t i = 0; i < judged->count && !found; i++) {
        const struct candidate *other = &judged->list[i];
        bool may_tell = is_missable(other) || other->verdict == VERDICT_CLOCK_OR_SUN;
        if (other == c || !may_tell || other->habit.actor != c->habit.actor ||
            other->habit.rule.verb != c->habit.rule.verb)
            continue;
        fires = fires_of_rule(judged->fires, &other->habit.rule);
        found = is_kept_otherwise(acts, is_told, since_ms, &fires);
    }
    free(is_told);
    return found;
}

static void look_at_habit(struct anomaly_search *search, const struct judged *judged,
                          const struct candidate *c)
{
    const struct mine_input *input = search->input;
    const struct acts *acts = &input->actors->list[c->habit.actor].acts[c->habit.rule.verb];
    struct fires fires = fires_of_rule(judged->fires, &c->habit.rule);
    struct row row = {0};
    for (size_t i = 0; i < fires.count; i++) {
        int64_t fire_ms = fires.time_ms[i];
        int64_t from_ms = fire_ms - BACKTEST_RECALL_MS, to_ms = fire_ms + BACKTEST_RECALL_MS;
        if (is_away(search, fire_ms) || !is_recorded(input->history, from_ms, to_ms))
            continue;
        bool hit = has_act(acts, from_ms, to_ms);
        if (hit || (!was_in_state(input, c, fire_ms) && is_lived_in(input, fire_ms)))
            row_add(&row, hit, fire_ms);
    }
    if (row.fires < FIRES_MIN || row.hits < STRONG * row.fires || row.missed == 0 ||
        is_same_kept(input, judged, c, row.since_ms))
        return;
    anomaly_add(search, &(struct anomaly){.kind = ANOMALY_HABIT_MISSED,
                                          .entity = input->actors->list[c->habit.actor].entities[0],
                                          .since_ms = day_start_ms(input->days, row.since_ms),
                                          .days = row.fires,
                                          .hits = row.hits,
                                          .missed = row.missed,
                                          .candidate = c,
                                          .probability = row_p(&row)});
}

void anomaly_look_at_habits(struct anomaly_search *search, const struct judged *judged)
{
    for (size_t i = 0; i < judged->count; i++)
        if (is_missable(&judged->list[i]))
            look_at_habit(search, judged, &judged->list[i]);
}
