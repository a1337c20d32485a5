#include "suggest/settle.h"

#include <math.h>
#include <string.h>

#include "mine/acts.h"
#include "mine/settings.h"
#include "suggest/review_parts.h"

const char *settle_outcome_name(enum settle_outcome outcome)
{
    static const char *const names[SETTLE_OUTCOME_COUNT] = {
        [SETTLE_PENDING] = "pending",     [SETTLE_UNKNOWN] = "unknown", [SETTLE_KEPT] = "kept",
        [SETTLE_IDLE] = "idle",           [SETTLE_UNSEEN] = "unseen",   [SETTLE_UNDONE] = "undone",
        [SETTLE_PREEMPTED] = "preempted",
    };
    return names[outcome];
}

enum settle_state settle_state_of(const char *entity_id, const char *state)
{
    if (state == NULL || strcmp(state, "unavailable") == 0 || strcmp(state, "unknown") == 0)
        return SETTLE_ABSENT;
    if (rule_is_lock(entity_id))
        return strcmp(state, "locked") == 0     ? SETTLE_ON
               : strcmp(state, "unlocked") == 0 ? SETTLE_OFF
                                                : SETTLE_OTHER;
    return strcmp(state, "on") == 0    ? SETTLE_ON
           : strcmp(state, "off") == 0 ? SETTLE_OFF
                                       : SETTLE_OTHER;
}

/* One target, as the changes are walked through. */
struct track {
    bool is_known;
    enum settle_state state;
    double value;
    int64_t since_ms;                  /* from when on all was seen */
    int64_t quiet_until_ms, absent_ms; /* as mine/acts.c: what is restored is nobody's act */
    enum settle_state lost;
    int64_t hand_ms, automatic_ms; /* the last time that it was brought into the run's state */
    bool is_reversed;
    bool is_deduced; /* not seen before the run, but the run itself brought it into its state */
};

struct walk {
    const struct settle_run *run;
    struct track tracks[RULE_TARGETS_MAX];
    int64_t effect_ms; /* 0 = none yet */
};

static bool is_about(const struct settle_run *run, double value)
{
    return !isnan(value) &&
           fabs(value - run->value.value) <= settings_tolerance(run->value.attribute);
}

static enum settle_state state_of_verb(enum rule_verb verb)
{
    return verb == RULE_TURN_OFF ? SETTLE_OFF : SETTLE_ON;
}

static bool is_so(const struct settle_run *run, enum settle_state state, double value)
{
    return run->verb == RULE_SET ? is_about(run, value) : state == state_of_verb(run->verb);
}

static void begin_track(const struct settle_run *run, struct track *t,
                        const struct settle_change *c)
{
    bool is_so_now = c->state != SETTLE_ABSENT && is_so(run, c->state, c->value);
    *t = (struct track){
        .is_known = true,
        .state = c->state,
        .value = c->value,
        .since_ms = c->at_ms,
        .quiet_until_ms = c->state == SETTLE_ABSENT ? c->at_ms + ACTS_SETTLE_MS : INT64_MIN,
        .absent_ms = c->state == SETTLE_ABSENT ? c->at_ms : INT64_MIN,
        .lost = SETTLE_ABSENT,
        .hand_ms = is_so_now && c->by == SETTLE_BY_PERSON ? c->at_ms : 0,
        .automatic_ms = is_so_now && c->by == SETTLE_BY_AUTOMATION ? c->at_ms : 0,
    };
}

/* Takes the change in. True when it is somebody's act: neither an absence nor its end, nor what is
 * restored after one. */
static bool follow(struct track *t, const struct settle_change *c)
{
    enum settle_state before = t->state;
    t->state = c->state;
    t->value = c->value;
    if (before == SETTLE_ABSENT || c->state == SETTLE_ABSENT) {
        t->quiet_until_ms = c->at_ms + ACTS_SETTLE_MS;
        t->absent_ms = c->at_ms;
        t->lost = before == SETTLE_ABSENT ? t->lost : before;
        return false;
    }
    bool is_restored = before != c->state && c->state == t->lost && t->absent_ms != INT64_MIN &&
                       c->at_ms <= t->absent_ms + ACTS_RESTORE_MS;
    if (before != c->state && !is_restored)
        t->absent_ms = INT64_MIN;
    return c->at_ms > t->quiet_until_ms && !is_restored;
}

/* --- before the run --- */

static void look_before(struct walk *w, const struct settle_change *c)
{
    struct track *t = &w->tracks[c->target];
    if (c->is_first || !t->is_known) {
        begin_track(w->run, t, c);
        return;
    }
    bool was_so = is_so(w->run, t->state, t->value);
    bool is_act = follow(t, c);
    if (!is_act || was_so || !is_so(w->run, c->state, c->value))
        return;
    if (c->by == SETTLE_BY_AUTOMATION)
        t->automatic_ms = c->at_ms;
    else
        t->hand_ms = c->at_ms;
}

/* Of a target that was not seen before the run: when the watch began it was in the run's state
 * since a moment after it, by an automation. So it was not before; and since then all was seen. */
static void deduce(struct walk *w, const struct settle_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct settle_change *c = &changes[i];
        struct track *t = &w->tracks[c->target];
        if (t->is_known || w->run->verb == RULE_SET)
            continue;
        t->is_known = t->is_deduced = c->is_first && c->by == SETTLE_BY_AUTOMATION &&
                                      is_so(w->run, c->state, c->value) &&
                                      c->at_ms <= w->run->at_ms + REVIEW_EFFECT_MS;
        t->state = w->run->verb == RULE_TURN_ON ? SETTLE_OFF : SETTLE_ON;
        t->value = NAN;
        t->since_ms = c->at_ms;
        t->quiet_until_ms = t->absent_ms = INT64_MIN;
        if (!t->is_known)
            return; /* one that is not is enough */
    }
}

static bool is_all_known(const struct walk *w)
{
    for (size_t i = 0; i < w->run->target_count; i++)
        if (!w->tracks[i].is_known)
            return false;
    return true;
}

static bool was_so(const struct walk *w)
{
    size_t present = 0;
    for (size_t i = 0; i < w->run->target_count; i++) {
        const struct track *t = &w->tracks[i];
        if (t->state == SETTLE_ABSENT)
            continue;
        if (!is_so(w->run, t->state, t->value))
            return false;
        present++;
    }
    return present > 0;
}

/* Of a run that found it so already. */
static struct settled judge_idle(const struct walk *w)
{
    int64_t hand_ms = 0, automatic_ms = 0, from_ms = w->run->at_ms - REVIEW_PREEMPTED_MS;
    bool is_unseen = false;
    for (size_t i = 0; i < w->run->target_count; i++) {
        const struct track *t = &w->tracks[i];
        hand_ms = t->hand_ms > hand_ms ? t->hand_ms : hand_ms;
        automatic_ms = t->automatic_ms > automatic_ms ? t->automatic_ms : automatic_ms;
        is_unseen = is_unseen || (t->since_ms > from_ms && t->hand_ms == 0 && t->automatic_ms == 0);
    }
    if (hand_ms >= from_ms && hand_ms != 0 && automatic_ms <= hand_ms)
        return (struct settled){SETTLE_PREEMPTED, hand_ms};
    return (struct settled){is_unseen ? SETTLE_UNKNOWN : SETTLE_IDLE, 0};
}

/* --- after it --- */

static bool is_effect(const struct walk *w, const struct settle_change *c, bool was_so_before)
{
    int64_t after_ms = c->at_ms - w->run->at_ms;
    return !was_so_before && is_so(w->run, c->state, c->value) && after_ms <= REVIEW_EFFECT_MS &&
           (c->by == SETTLE_BY_AUTOMATION ||
            (c->by == SETTLE_BY_DEVICE && after_ms <= REVIEW_AT_ONCE_MS));
}

/* A person chose another value than the run's, from a moment on. */
static bool is_other_value(const struct walk *w, const struct settle_change *c, double before,
                           int64_t from_ms)
{
    bool is_new = !isnan(c->value) && (isnan(before) || c->value != before);
    return w->run->has_value && is_new && c->by != SETTLE_BY_AUTOMATION && c->at_ms >= from_ms &&
           c->at_ms <= from_ms + REVIEW_UNDONE_MS && !is_about(w->run, c->value);
}

/* Who reverses one lamp of many has not reversed the act: two, and half of them. */
static bool is_reversed(struct walk *w, struct track *t)
{
    size_t reversed = 0, of = 0;
    t->is_reversed = true;
    for (size_t i = 0; i < w->run->target_count; i++) {
        reversed += w->tracks[i].is_reversed;
        of += w->tracks[i].state != SETTLE_ABSENT;
    }
    return w->run->target_count == 1 || (reversed >= 2 && 2 * reversed >= of);
}

/* A change after a run that found it otherwise. True: it was undone. */
static bool look_after(struct walk *w, const struct settle_change *c)
{
    struct track *t = &w->tracks[c->target];
    enum settle_state before = t->state;
    double value = t->value;
    bool was_so_before = is_so(w->run, before, value), is_act = follow(t, c);
    if (w->effect_ms == 0) {
        if (is_effect(w, c, was_so_before))
            w->effect_ms = c->at_ms;
        return false;
    }
    if (is_act && is_other_value(w, c, value, w->effect_ms + 1000))
        return true;
    enum settle_state reverse = w->run->verb == RULE_TURN_ON ? SETTLE_OFF : SETTLE_ON;
    bool is_opposite = w->run->verb != RULE_SET && is_act && c->state == reverse &&
                       before != c->state && c->by != SETTLE_BY_AUTOMATION;
    return is_opposite && c->at_ms > w->effect_ms && c->at_ms <= w->effect_ms + REVIEW_UNDONE_MS &&
           is_reversed(w, t);
}

static struct settled when_over(int64_t end_ms, int64_t now_ms, struct settled settled)
{
    return now_ms >= end_ms + SETTLE_MARGIN_MS ? settled : (struct settled){SETTLE_PENDING, 0};
}

struct settled settle_run(const struct settle_run *run, const struct settle_change *changes,
                          size_t count, int64_t now_ms)
{
    struct walk w = {.run = run};
    const struct settled unknown = {SETTLE_UNKNOWN, 0};
    size_t i = 0;
    if (now_ms < run->at_ms + SETTLE_FIRST_MS)
        return (struct settled){SETTLE_PENDING, 0};
    for (; i < count && changes[i].at_ms < run->at_ms; i++)
        look_before(&w, &changes[i]);
    deduce(&w, changes + i, count - i);
    if (!is_all_known(&w))
        return unknown;
    bool is_idle = was_so(&w);
    struct settled idle = is_idle ? judge_idle(&w) : unknown;
    if (is_idle && !run->has_value)
        return idle;
    for (; i < count; i++) {
        const struct settle_change *c = &changes[i];
        int64_t end_ms = w.effect_ms != 0 ? w.effect_ms + REVIEW_UNDONE_MS
                         : is_idle        ? run->at_ms + REVIEW_UNDONE_MS
                                          : run->at_ms + REVIEW_EFFECT_MS;
        if (c->at_ms > end_ms)
            break;
        struct track *t = &w.tracks[c->target];
        if (c->is_first && !t->is_deduced)
            return unknown; /* what was in between was not seen */
        t->is_deduced = false;
        double value = t->value;
        if (is_idle ? follow(t, c) && is_other_value(&w, c, value, run->at_ms) : look_after(&w, c))
            return (struct settled){SETTLE_UNDONE, c->at_ms};
    }
    if (is_idle)
        return when_over(run->at_ms + REVIEW_UNDONE_MS, now_ms, idle);
    if (w.effect_ms == 0)
        return when_over(run->at_ms + REVIEW_EFFECT_MS, now_ms, (struct settled){SETTLE_UNSEEN, 0});
    return when_over(w.effect_ms + REVIEW_UNDONE_MS, now_ms, (struct settled){SETTLE_KEPT, 0});
}

bool settle_is_same_act(const struct settle_run *run, const struct settle_change *before,
                        const struct settle_change *change)
{
    return change->by != SETTLE_BY_AUTOMATION && !change->is_first &&
           before->state != SETTLE_ABSENT && change->state != SETTLE_ABSENT &&
           !is_so(run, before->state, before->value) && is_so(run, change->state, change->value);
}
