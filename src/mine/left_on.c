/* Devices that are left on now and then: uses that people end themselves within minutes or an hour,
 * and some that last for many hours, until somebody notices. The rule ends a use after the smallest
 * round time at which it would hardly ever end one that was still wanted. docs/miner.md says how
 * the two are told apart, and how often it will be wrong. */
#include <math.h>
#include <stdlib.h>

#include "core/order.h"
#include "core/tz.h"
#include "core/xalloc.h"
#include "mine/miner.h"
#include "mine/spells.h"
#include "mine/watchers.h"
#include "stats/lengths.h"
#include "stats/stats.h"

enum {
    USES_MAX = 1000,       /* of one device; the latest, for uses change */
    LEFT_DAYS_MIN = 2,     /* training days on which it was left on */
    LEFT_DAYS_SHARE = 1,   /* of the days with a use, one in so many at most: else it is no lapse */
    LEFT_PER_WRONG = 4,    /* uses left on for each wanted one that the rule would end, at least */
    LEFT_S_MIN = 2 * 3600, /* what is left on goes on for hours; less is another way of use */
    SAVED_S_MIN = 3600,    /* of which the rule saves so much on average, at least */
    ATTENDED_SHARE = 4,    /* of the long uses, one in so many with somebody there is too many */
};
/* Wanted uses that may be cut short: one in ten weeks. */
#define WRONG_A_WEEK_MAX 0.1
/* Even odds that there is another, rarer way of use, not seen often enough yet to be counted on. */
#define SECOND_WAY 0.5
/* What chance gives more often than this is not looked at any closer. */
#define LOOK_P 0.2
#define OWN_TIME_SHARE 0.8
#define OWN_TIME_P 0.001

static const int round_minutes[] = {5,   10,  15,  20,  30,  45,  60, 90,
                                    120, 180, 240, 300, 360, 480, 720};
enum { ROUND_COUNT = sizeof round_minutes / sizeof *round_minutes };

struct work {
    const struct mine_input *input;
    size_t actor;
    uint16_t state; /* of use */
    struct spells uses;
    const struct spell **of; /* of training days, in the order of lengths */
    struct length *list;
    struct lengths lengths;
    struct lengths_split split;
    double wanted_log_s; /* what ends earlier was wanted: */
    double wanted;       /* so many */
    double left_log_s;   /* what lasts longer was left on: */
    int left, left_days, use_days;
    struct watchers watchers;
    int64_t end_ms; /* of the training days */
    double weeks;
};

/* ---- what is known -------------------------------------------------------------------------- */

static int64_t training_end(const struct days *days)
{
    int last = days->count - 1;
    while (last >= 0 && days_role(days, last) != DAY_TRAINING)
        last--;
    return tz_day_start(days->tz, days->first + last + 1) * 1000;
}

struct entry {
    struct length length;
    const struct spell *use;
};

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->length.log_s != b->length.log_s)
        return a->length.log_s < b->length.log_s ? -1 : 1;
    return (a->use > b->use) - (a->use < b->use);
}

/* The lengths of what began on training days, as far as these go. */
static void measure(struct work *work)
{
    struct entry *entries = xcalloc(work->uses.count, sizeof *entries);
    size_t count = 0;
    for (size_t i = work->uses.count; i > 0 && count < USES_MAX; i--) {
        const struct spell *use = &work->uses.list[i - 1];
        if (use->is_resumed || days_role(work->input->days, use->day) != DAY_TRAINING)
            continue;
        bool is_over = use->end_ms <= work->end_ms;
        int64_t ms = (is_over ? use->end_ms : work->end_ms) - use->begin_ms;
        entries[count++] = (struct entry){
            {log(fmax((double)ms / 1000, 1)), use->day, !is_over || use->end != SPELL_BY_PERSON},
            use};
    }
    if (count > 0)
        qsort(entries, count, sizeof *entries, compare_entries);
    work->list = xcalloc(count, sizeof *work->list);
    work->of = xcalloc(count, sizeof(const struct spell *));
    for (size_t i = 0; i < count; i++) {
        work->list[i] = entries[i].length;
        work->of[i] = entries[i].use;
    }
    work->lengths = (struct lengths){work->list, count};
    free(entries);
}

static bool is_ended(const struct work *work, size_t i)
{
    return !work->list[i].is_cut;
}

/* Whether it lasted so long that it was hardly a usual one, until somebody ended it. */
static bool is_left(const struct work *work, size_t i)
{
    return is_ended(work, i) && work->list[i].log_s > work->left_log_s;
}

/* ---- whether the long ones are meant -------------------------------------------------------- */

static int seconds_after(int from, int second)
{
    return stats_circular_wrap(second - from);
}

/* P of so many long uses within the shortest arc that begins with one of them and holds most, if
 * they began at the same times as the others. */
static double arc_p(const struct work *work, int from, int *room)
{
    size_t count = 0;
    for (size_t i = 0; i < work->lengths.count; i++)
        if (is_left(work, i))
            room[count++] = seconds_after(from, work->of[i]->second);
    qsort(room, count, sizeof *room, order_int);
    int most = (int)ceil(OWN_TIME_SHARE * (double)count), inside = 0, usual = 0;
    for (size_t i = 0; i < work->lengths.count; i++) {
        if (is_left(work, i) || !is_ended(work, i))
            continue;
        usual++;
        inside += seconds_after(from, work->of[i]->second) <= room[most - 1];
    }
    return 1 -
           stats_beta_binomial_lower(most - 2, (int)count - 1, inside + 1.0, usual - inside + 1.0);
}

/* What is long at hours of its own, such as every evening, is so on purpose. */
static bool has_own_time(const struct work *work)
{
    int *room = xcalloc((size_t)work->left, sizeof *room);
    double best = 1;
    for (size_t i = 0; i < work->lengths.count; i++)
        if (is_left(work, i))
            best = fmin(best, arc_p(work, work->of[i]->second, room));
    free(room);
    return best * work->left < OWN_TIME_P;
}

/* How many long uses had somebody in the room all along. */
static int count_attended(const struct work *work, int after_s)
{
    int count = 0;
    for (size_t i = 0; i < work->lengths.count; i++)
        count +=
            is_left(work, i) &&
            watchers_saw_all_along(&work->watchers, work->of[i]->begin_ms + (int64_t)after_s * 1000,
                                   work->of[i]->end_ms);
    return count;
}

/* ---- the rule ------------------------------------------------------------------------------- */

/* Minutes a week that the long uses would have been shorter. */
static double saved_minutes(const struct work *work, int after_s)
{
    double saved_s = 0;
    for (size_t i = 0; i < work->lengths.count; i++)
        if (is_left(work, i))
            saved_s += exp(work->list[i].log_s) - after_s;
    return saved_s / 60 / work->weeks;
}

/* How many uses that people ended and did not leave on lasted longer. */
static int count_longer(const struct work *work, double log_s)
{
    int count = 0;
    for (size_t i = 0; i < work->lengths.count; i++)
        count += is_ended(work, i) && !is_left(work, i) && work->list[i].log_s > log_s;
    return count;
}

/* The smallest round time that is hardly ever wrong; 0 = there is none. */
static int choose_time(struct work *work, double *wrong_a_week)
{
    double log_s[ROUND_COUNT], tail[ROUND_COUNT];
    for (int i = 0; i < ROUND_COUNT; i++)
        log_s[i] = log(round_minutes[i] * 60.0);
    lengths_predict(&work->lengths, work->wanted_log_s, SECOND_WAY, log_s, tail, ROUND_COUNT);
    for (int i = 0; i < ROUND_COUNT; i++) {
        work->left_log_s = fmax(work->wanted_log_s, log_s[i]);
        *wrong_a_week = work->wanted / work->weeks * tail[i];
        if (*wrong_a_week <= WRONG_A_WEEK_MAX &&
            count_longer(work, log_s[i]) <= WRONG_A_WEEK_MAX * work->weeks)
            return round_minutes[i] * 60;
    }
    return 0;
}

static void count_left(struct work *work)
{
    bool *used = xcalloc((size_t)work->input->days->count, sizeof *used);
    bool *left = xcalloc((size_t)work->input->days->count, sizeof *left);
    for (size_t i = 0; i < work->lengths.count; i++) {
        int day = work->list[i].day;
        work->use_days += !used[day];
        used[day] = true;
        if (!is_left(work, i))
            continue;
        work->left++;
        work->left_days += !left[day];
        left[day] = true;
    }
    free(left);
    free(used);
}

static double usual_median_s(const struct work *work)
{
    double before = 0;
    for (size_t i = 0; i < work->lengths.count; i++)
        if (is_ended(work, i) && (before += 1) >= work->wanted / 2)
            return exp(work->list[i].log_s);
    return 0;
}

/* Standard deviation of the usual lengths. */
static int usual_spread_s(const struct work *work)
{
    double n = 0, sum = 0, squares = 0;
    for (size_t i = 0; i < work->lengths.count; i++) {
        if (is_left(work, i) || !is_ended(work, i))
            continue;
        double s = exp(work->list[i].log_s);
        n++;
        sum += s;
        squares += s * s;
    }
    return (int)sqrt(fmax(squares / n - sum / n * sum / n, 0));
}

/* Whether it is a lapse that comes again, and the rule would help with it. */
static bool is_worth_it(const struct work *work, int after_s, double wrong_a_week)
{
    return work->left_days >= LEFT_DAYS_MIN &&
           work->left_days * LEFT_DAYS_SHARE <= work->use_days &&
           saved_minutes(work, after_s) * 60 * work->weeks >= (double)SAVED_S_MIN * work->left &&
           work->left >= LEFT_PER_WRONG * wrong_a_week * work->weeks;
}

static void count_wanted(struct work *work)
{
    work->wanted_log_s = fmax(work->split.limit, log(LEFT_S_MIN));
    for (size_t i = 0; i < work->lengths.count; i++)
        work->wanted += is_ended(work, i) && work->list[i].log_s <= work->wanted_log_s;
}

static void add_habit(struct work *work, size_t hypothesis, struct mined *out)
{
    double wrong_a_week;
    count_wanted(work);
    int after_s = choose_time(work, &wrong_a_week);
    if (after_s == 0)
        return;
    count_left(work);
    if (!is_worth_it(work, after_s, wrong_a_week))
        return;
    int attended = count_attended(work, after_s);
    const struct actor *actor = &work->input->actors->list[work->actor];
    struct habit habit = {
        .rule = {.trigger = {.kind = RULE_TRIGGER_STATE,
                             .entity_id = actor->entity_ids[0],
                             .to = work->input->history->states[work->state],
                             .for_s = after_s},
                 .weekdays = RULE_EVERY_DAY,
                 .entity_ids = actor->entity_ids,
                 .entity_count = actor->count,
                 .verb = RULE_TURN_OFF},
        .actor = work->actor,
        .hypothesis = hypothesis,
        .occurrences = work->left,
        .matching_days = work->left_days,
        .training_days = work->use_days,
        .spread_s = usual_spread_s(work),
        .lag_s = (int)usual_median_s(work),
        .typical_second = -1,
        .lengths = {.is_of_lengths = true,
                    .left_s = (int)exp(work->left_log_s),
                    .wrong_a_week = wrong_a_week + attended / work->weeks,
                    .saved_minutes_a_week = saved_minutes(work, after_s),
                    .uses_a_week = work->wanted / work->weeks,
                    .is_meant = attended * ATTENDED_SHARE > work->left || has_own_time(work)}};
    mined_add_habit(out, &habit);
}

void mine_left_on(const struct mine_input *input, const void *prepared, size_t actor,
                  struct mined *out)
{
    (void)prepared;
    const struct actor *of = &input->actors->list[actor];
    if (input->days->training == 0)
        return;
    struct work work = {.input = input,
                        .actor = actor,
                        .state = spells_state_of_use(input->history, of),
                        .end_ms = training_end(input->days),
                        .weeks = input->days->training / 7.0};
    spells_collect(&work.uses, input->history, &input->history->entities[of->entities[0]],
                   work.state, input->days, input->restarts);
    spells_find_ends(&work.uses, of);
    watchers_find(&work.watchers, input->history, input->history->entities[of->entities[0]].area);
    measure(&work);
    size_t ended = 0;
    for (size_t i = 0; i < work.lengths.count; i++)
        ended += is_ended(&work, i);
    if (ended >= LENGTHS_ENDED_MIN) {
        out->hypotheses_tested++;
        bool found = lengths_split(&work.lengths, log(LEFT_S_MIN), &work.split);
        size_t hypothesis = mined_add_p_value(out, work.split.p_value);
        if (found && work.split.p_value <= LOOK_P)
            add_habit(&work, hypothesis, out);
    }
    free(work.list);
    free(work.of);
    watchers_release(&work.watchers);
    spells_release(&work.uses);
}
