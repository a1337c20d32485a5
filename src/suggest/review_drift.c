/* Four detectors share one false alarm in 365 fires. What each compares is how probable a fire's
 * outcome is if all is as before, and if something has changed (docs/miner.md, "Reviews"). */
#include <math.h>

#include "suggest/review_parts.h"

#define FIRES_A_YEAR 365.0
#define SHARE_UNDONE 0.4
#define SHARE_MOVED 0.25 /* each way */
#define SHARE_IDLE 0.1
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

/* Earlier: done by hand before the fire, which half of the acts are anyway. */
static void add_earlier(struct drift *drift, const struct review_usual *usual,
                        const struct review_fire *fire)
{
    const double reach = REVIEW_OFFSET_MS / 60e3;
    double spread = hypot(usual->spread_s / 60, RULE_OFF_MIN), ratios[MOVES] = {0};
    double x = (double)fire->offset_ms / 60e3, stray = usual->stray / reach;
    for (int i = 0; i < MOVES; i++) {
        double moved = -moves_min[i];
        if (fire->has_offset && x < 0)
            ratios[i] = log(usual->kept * density(x, moved, spread) + stray) -
                        log(usual->kept * density(x, 0, spread) + stray);
        else if (fire->outcome == REVIEW_HIT || fire->outcome == REVIEW_UNDONE)
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
    double x = (double)fire->offset_ms / 60e3, again = REDONE_SHARE * usual->kept;
    for (int i = 0; i < MOVES; i++) {
        if (fire->outcome == REVIEW_UNDONE && fire->has_offset)
            ratios[i] = log(again * density(x, moves_min[i], spread) + usual->undone / reach) -
                        log(usual->undone / reach);
        else if (fire->outcome == REVIEW_HIT || fire->outcome == REVIEW_PREEMPTED)
            ratios[i] = log(at_least(1 - again - usual->undone)) - log(at_least(1 - usual->undone));
    }
    drift_add(drift, ratios);
}

static bool has_time(const struct review *review)
{
    return review->is_read && review->read.rule.trigger.kind != RULE_TRIGGER_STATE;
}

/* A fire that says nothing about it. */
static void add_nothing(struct drift *drift)
{
    static const double none[DRIFT_FORMS_MAX];
    drift_add(drift, none);
}

void review_detect(struct review *review)
{
    drift_init(&review->undone, FIRES_A_YEAR / SHARE_UNDONE, DRIFT_RATES);
    drift_init(&review->earlier, FIRES_A_YEAR / SHARE_MOVED, MOVES);
    drift_init(&review->later, FIRES_A_YEAR / SHARE_MOVED, MOVES);
    drift_init(&review->idle, FIRES_A_YEAR / SHARE_IDLE, DRIFT_RATES);
    for (size_t i = 0; i < review->count; i++) {
        const struct review_fire *fire = &review->fires[i];
        bool acted = fire->outcome == REVIEW_HIT || fire->outcome == REVIEW_UNDONE;
        if (acted)
            drift_add_rate(&review->undone, fire->outcome == REVIEW_UNDONE, review->usual.undone);
        else
            add_nothing(&review->undone);
        if (fire->outcome != REVIEW_MISS)
            drift_add_rate(&review->idle, fire->outcome == REVIEW_IDLE, review->usual.idle);
        else
            add_nothing(&review->idle);
        if (has_time(review)) {
            add_earlier(&review->earlier, &review->usual, fire);
            add_later(&review->later, &review->usual, fire);
        }
    }
}
