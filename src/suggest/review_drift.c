/* Five detectors share what may be told in a year without a change. The bound on it is loose (a
 * threshold is overshot, and what people undo comes in no order): of three a year that it allows a
 * tenth comes (docs/accuracy.md). What each compares is how probable a fire's
 * outcome is if all is as before, and if something has changed (docs/miner.md, "Reviews"). */
#include <math.h>

#include "suggest/review_parts.h"

#define DAYS_A_YEAR 365.0
#define ALARMS_A_YEAR 3.0
#define SHARE_UNDONE 0.45
#define SHARE_MOVED 0.15 /* each way */
#define SHARE_IDLE 0.05
#define SHARE_VALUE 0.2
#define VALUE_USUAL 0.05  /* fires after which another value is chosen, for once */
#define RULE_OFF_MIN 3.0 /* by so much the rule's own time may be wrong */
#define REDONE_SHARE 0.6 /* of the acts that come later than the fire: it is undone first */
#define RATIO_LEAST 0.02 /* what hardly ever happens is not impossible */
enum { MOVES = 5 };

/* By how many minutes it may have moved. */
static const double moves_min[MOVES] = {15, 25, 40, 60, 90};

/* Of a normal distribution about `middle`, per minute. */
static double density(double x, double middle, double spread)
{
    double z = (x - middle) / spread;
    return exp(-z * z / 2) / spread * 0.3989422804014327;
}

static double below(double z)
{
    return erfc(-z / sqrt(2)) / 2;
}

static double at_least(double value)
{
    return fmax(value, RATIO_LEAST);
}

/* Where nobody is home nobody undoes it. */
static bool tells(const struct review_fire *fire)
{
    return fire->outcome == REVIEW_UNDONE || fire->outcome == REVIEW_PREEMPTED ||
           (fire->outcome == REVIEW_HIT && !fire->nobody_home);
}

/* Earlier: done by hand before the fire, which half of the acts are anyway. */
static void add_earlier(struct drift *drift, const struct review_usual *usual,
                        const struct review_fire *fire)
{
    const double reach = REVIEW_OFFSET_MS / 60e3;
    double spread = hypot(usual->spread_s / 60, RULE_OFF_MIN), ratios[MOVES] = {0};
    double x = (double)fire->offset_ms / 60e3, stray = usual->stray / reach;
    bool is_before = fire->has_offset && x < 0;
    if (!is_before && !tells(fire)) {
        drift_skip(drift);
        return;
    }
    for (int i = 0; i < MOVES; i++) {
        double moved = -moves_min[i];
        if (is_before)
            ratios[i] = log(usual->kept * density(x, moved, spread) + stray) -
                        log(usual->kept * density(x, 0, spread) + stray);
        else
            ratios[i] = log(at_least(1 - usual->kept * below(-moved / spread) - usual->stray)) -
                        log(at_least(1 - usual->kept / 2 - usual->stray));
    }
    drift_add(drift, ratios);
}

/* Later: undone, and done again by hand. */
static void add_later(struct drift *drift, const struct review_usual *usual,
                      const struct review_fire *fire)
{
    const double reach = REVIEW_OFFSET_MS / 60e3;
    double spread = hypot(usual->spread_s / 60, RULE_OFF_MIN), ratios[MOVES] = {0};
    if (!tells(fire) || (fire->outcome == REVIEW_UNDONE && !fire->has_offset)) {
        drift_skip(drift);
        return;
    }
    double x = (double)fire->offset_ms / 60e3, again = REDONE_SHARE * usual->kept;
    for (int i = 0; i < MOVES; i++) {
        if (fire->outcome == REVIEW_UNDONE && x > 0)
            ratios[i] = log(again * density(x, moves_min[i], spread) + usual->undone / reach) -
                        log(usual->undone / reach);
        else
            ratios[i] = log(at_least(1 - again - usual->undone)) - log(at_least(1 - usual->undone));
    }
    drift_add(drift, ratios);
}

static bool has_time(const struct review *review)
{
    return review->is_read && review->read.rule.trigger.kind != RULE_TRIGGER_STATE;
}

/* Days are what is independent: a state's rule may fire all evening. */
struct day {
    size_t last; /* index of its last fire */
    int told, undone, idle, others, all;
};

static struct day day_from(const struct review *review, size_t first)
{
    struct day day = {.last = first};
    for (size_t i = first; i < review->count && review->fires[i].day == review->fires[first].day;
         i++) {
        const struct review_fire *fire = &review->fires[i];
        day.last = i;
        day.told += tells(fire);
        day.undone += fire->outcome == REVIEW_UNDONE;
        day.idle += fire->outcome == REVIEW_IDLE;
        day.others += fire->has_value;
        day.all += fire->outcome != REVIEW_MISS;
    }
    return day;
}

/* A yes of more than half of so many; none of none. */
static void add_share(struct drift *drift, int part, int of, double usual)
{
    if (of > 0)
        drift_add_rate(drift, 2 * part > of, usual);
    else
        drift_skip(drift);
}

/* Days a year on which it fires, as it has done in all the history. */
static double days_a_year(const struct review *review)
{
    const struct history *h = review->input->history;
    double years = (double)(h->to_ms - h->from_ms) / (DAYS_A_YEAR * 86400e3);
    return fmin(fmax(review->fire_days / years, DAYS_A_YEAR / 14), DAYS_A_YEAR);
}

void review_detect(struct review *review)
{
    const bool sets = review->is_read && review->read.rule.value_count > 0;
    double days = days_a_year(review) / ALARMS_A_YEAR;
    drift_init(&review->undone, days / SHARE_UNDONE, DRIFT_RATES);
    drift_init(&review->earlier, days / SHARE_MOVED, MOVES);
    drift_init(&review->later, days / SHARE_MOVED, MOVES);
    drift_init(&review->value, days / SHARE_VALUE, DRIFT_RATES);
    drift_init(&review->idle, days / SHARE_IDLE, DRIFT_RATES);
    for (size_t i = 0; i < review->count;) {
        const struct day day = day_from(review, i);
        for (; i < day.last; i++) {
            drift_skip(&review->undone);
            drift_skip(&review->idle);
            drift_skip(&review->value);
            drift_skip(&review->earlier);
            drift_skip(&review->later);
        }
        add_share(&review->undone, day.undone, day.told, review->usual.undone);
        add_share(&review->idle, day.idle, day.all, review->usual.idle);
        add_share(&review->value, day.others, sets ? day.told : 0, VALUE_USUAL);
        if (has_time(review)) {
            add_earlier(&review->earlier, &review->usual, &review->fires[i]);
            add_later(&review->later, &review->usual, &review->fires[i]);
        }
        i++;
    }
}
