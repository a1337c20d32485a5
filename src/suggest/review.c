#include "suggest/review.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "stats/stats.h"
#include "suggest/health.h"
#include "suggest/review_parts.h"
#include "suggest/wording.h"

enum {
    GONE_MS = 3 * 86400 * 1000, /* unavailable for so long at the end */
    SCORE_WORTH = 10, /* fires that a score alone is worth, where its back-test is not known */
};
#define TRIAL_TAIL 0.05  /* what the score makes more improbable refutes it */
#define RETIRE_SHARE 0.4 /* of the fires that acted, undone: then it is more trouble than help */

/* --- whom it is about --- */

static void add_known(const struct history *h, const char *entity_id, size_t *list, size_t *count)
{
    const struct history_entity *e = history_find_entity(h, entity_id);
    if (e == NULL || e->changes == 0 || *count == RULE_TARGETS_MAX)
        return;
    size_t index = (size_t)(e - h->entities);
    for (size_t i = 0; i < *count; i++)
        if (list[i] == index)
            return;
    list[(*count)++] = index;
}

/* The setting that the rule's value is, among those that people set. */
static const struct actor *find_setting(const struct review *review)
{
    const struct actors *actors = review->input->actors;
    const struct rule *rule = &review->read.rule;
    for (size_t i = 0; i < actors->count; i++) {
        const struct actor *actor = &actors->list[i];
        if (actor->kind != ACTOR_SWITCH && strcmp(actor->entity_ids[0], rule->entity_ids[0]) == 0 &&
            actor->value.attribute == rule->values[0].attribute)
            return actor;
    }
    return NULL;
}

static void find_actor(struct review *review)
{
    const struct mine_input *input = review->input;
    size_t entities[RULE_TARGETS_MAX], count = 0;
    if (review->is_read && review->verb == RULE_SET) {
        const struct actor *setting = find_setting(review);
        review->has_actor = setting != NULL;
        if (setting != NULL)
            review->actor = *setting;
        return;
    }
    const struct rule *rule = &review->read.rule;
    for (size_t i = 0; review->is_read && i < rule->entity_count; i++)
        add_known(input->history, rule->entity_ids[i], entities, &count);
    for (size_t i = 0; !review->is_read && i < review->act.count; i++)
        add_known(input->history, review->act.entity_ids[i], entities, &count);
    if (count == 0)
        return;
    const struct actor_ground ground = {input->history, input->days, input->restarts, review->suns};
    actor_init(&review->actor, entities, count, &ground);
    review->has_actor = review->is_own_actor = true;
}

static void find_act(struct review *review)
{
    struct error err;
    struct timeline places;
    timeline_init(&places);
    review->is_read = automation_read_rule(review->known->automation, &review->read, &err) == 0;
    review->has_act = hindsight_find_act(review->known->automation, &places, &review->act);
    timeline_release(&places);
    review->verb = review->is_read ? review->read.rule.verb : review->act.verb;
    find_actor(review);
}

/* --- what is not there any more --- */

static bool is_gone(const struct history *h, const char *entity_id)
{
    const struct history_entity *e = history_find_entity(h, entity_id);
    if (e == NULL || e->rows == 0)
        return true;
    return e->changes > 0 && acts_is_absent(e->state[e->changes - 1]) &&
           h->to_ms - e->time_ms[e->changes - 1] >= GONE_MS;
}

/* The first entity without which the rule can do nothing, and what is the matter; NULL = none.
 * Caller frees. */
static char *find_gone(const struct review *review)
{
    const struct mine_input *input = review->input;
    if (!review->is_read)
        return NULL;
    const struct rule *rule = &review->read.rule;
    size_t gone = 0;
    for (size_t i = 0; i < rule->entity_count; i++)
        gone += is_gone(input->history, rule->entity_ids[i]);
    if (gone == rule->entity_count)
        return xasprintf("%s is not there any more", rule->entity_ids[0]);
    if (rule->trigger.kind != RULE_TRIGGER_STATE)
        return NULL;
    const struct history_entity *trigger =
        history_find_entity(input->history, rule->trigger.entity_id);
    if (is_gone(input->history, rule->trigger.entity_id))
        return xasprintf("%s, which sets it off, is not there any more", rule->trigger.entity_id);
    if (strncmp(rule->trigger.entity_id, "binary_sensor.", strlen("binary_sensor.")) == 0 &&
        input->gates != NULL && health_is_dead(input, trigger, input->gates->away))
        return xasprintf("%s, which sets it off, has gone silent", rule->trigger.entity_id);
    return NULL;
}

/* --- on trial --- */

static void finding_set(struct review_finding *finding, enum review_verdict verdict, char *why)
{
    finding->verdict = verdict;
    finding->why = why;
}

/* Hits and misses that the rule's score rests on. */
static void read_score(const struct review *review, double *hits, double *misses)
{
    json_object *suggestion = review->known->suggestion;
    json_object *backtest = json_get_object(suggestion, "backtest");
    if (backtest != NULL) {
        *hits = (double)json_get_int(backtest, "hits", 0);
        *misses = (double)json_get_int(backtest, "misses", 0);
        return;
    }
    double score = json_get_double(suggestion, "score", .5);
    *hits = SCORE_WORTH * score;
    *misses = SCORE_WORTH * (1 - score);
}

static void judge_trial(const struct review *review, struct review_finding *finding)
{
    int hits = review->counts[REVIEW_HIT], misses = review->counts[REVIEW_MISS];
    int tries = hits + misses;
    double right, wrong;
    read_score(review, &right, &wrong);
    double tail = stats_beta_binomial_lower(hits, tries, right + 1, wrong + 2);
    const char *days = review->days == 1 ? "day" : "days";
    if (review->input->history->to_ms < review->known->until_ms)
        finding_set(finding, REVIEW_KEEP,
                    xasprintf("In %d %s so far it would have acted %d times, and %d times you did "
                              "that yourself.",
                              review->days, days, tries, hits));
    else if (tries == 0)
        finding_set(
            finding, REVIEW_WITHDRAW,
            xasprintf("In %d %s there was no occasion that would have told.", review->days, days));
    else if (hits > misses && tail >= TRIAL_TAIL)
        finding_set(finding, REVIEW_OFFER,
                    xasprintf("In %d %s it would have acted %d times, and %d times you did that "
                              "yourself: as its score lets expect (so few or fewer with a "
                              "probability of %.2f, beta-binomial).",
                              review->days, days, tries, hits, tail));
    else
        finding_set(finding, REVIEW_WITHDRAW,
                    xasprintf("In %d %s it would have acted %d times, and you did that yourself "
                              "only %d times: %s (so few or fewer with a probability of %.2f, "
                              "beta-binomial).",
                              review->days, days, tries, hits,
                              tail < TRIAL_TAIL ? "fewer than its score lets expect"
                                                : "it would be wrong as often as right",
                              tail));
}

/* --- deployed --- */

static bool has_time(const struct review *review)
{
    return review->read.rule.trigger.kind != RULE_TRIGGER_STATE;
}

static char *summarize(const struct review *review)
{
    return xasprintf("In %d %s it was due %zu times: it acted %d times and you undid that %d "
                     "times, you had done it yourself %d times, and %d times it was so already",
                     review->days, review->days == 1 ? "day" : "days", review->count,
                     review->counts[REVIEW_HIT] + review->counts[REVIEW_UNDONE],
                     review->counts[REVIEW_UNDONE], review->counts[REVIEW_PREEMPTED],
                     review->counts[REVIEW_IDLE]);
}

/* Of the fires from that one on that acted, those undone. */
static double undone_share(const struct review *review, size_t from)
{
    int undone = 0, acted = 0;
    for (size_t i = from; i < review->count; i++) {
        undone += review->fires[i].outcome == REVIEW_UNDONE;
        acted +=
            review->fires[i].outcome == REVIEW_UNDONE || review->fires[i].outcome == REVIEW_HIT;
    }
    return acted > 0 ? (double)undone / acted : 0;
}

static void note_found(const struct review *review, const struct drift *drift,
                       struct review_finding *finding)
{
    int64_t at_ms = review->fires[drift->found].time_ms;
    if (finding->found_ms == 0 || at_ms < finding->found_ms)
        finding->found_ms = at_ms;
}

/* That it moved; false when nothing else holds up as its time. */
static bool judge_moved(const struct review *review, const struct drift *drift, const char *summary,
                        struct review_finding *finding)
{
    if (!drift_stands(drift))
        return false;
    note_found(review, drift, finding);
    if (!review_retime(review, drift_start(drift), &finding->proposal))
        return false;
    finding->has_proposal = true;
    finding_set(finding, REVIEW_RETIME,
                xasprintf("%s. Lately you did it by hand at another time, %d of %d times within a "
                          "quarter of an hour of each other.",
                          summary, finding->proposal.hits, finding->proposal.fires));
    return true;
}

/* That another value is chosen. */
static bool judge_value(const struct review *review, const char *summary,
                        struct review_finding *finding)
{
    struct review_proposal *p = &finding->proposal;
    if (!drift_stands(&review->value))
        return false;
    note_found(review, &review->value, finding);
    if (!review_refine_value(review, drift_start(&review->value), p))
        return false;
    finding->has_proposal = true;
    finding_set(finding, REVIEW_REFINE,
                xasprintf("%s. Lately you chose another value, %d times about the same one.",
                          summary, p->hits));
    return true;
}

static void judge_undone(const struct review *review, const char *summary,
                         struct review_finding *finding)
{
    size_t from = drift_start(&review->undone);
    note_found(review, &review->undone, finding);
    struct review_proposal *p = &finding->proposal;
    if (has_time(review) && review_retime(review, from, p)) {
        finding->has_proposal = true;
        finding_set(finding, REVIEW_RETIME,
                    xasprintf("%s. Lately you undid it and did it at another time, %d of %d times "
                              "within a quarter of an hour of each other.",
                              summary, p->hits, p->fires));
    } else if (review_refine_condition(review, from, p)) {
        finding->has_proposal = true;
        finding_set(finding, REVIEW_REFINE,
                    xasprintf("%s. With one more condition it would lately have been undone %d of "
                              "%d times.",
                              summary, p->misses, p->fires));
    } else if (undone_share(review, from) >= RETIRE_SHARE) {
        finding_set(finding, REVIEW_RETIRE,
                    xasprintf("%s. Lately you undid %.0f %% of what it did, and no other time or "
                              "condition would have helped.",
                              summary, 100 * undone_share(review, from)));
    } else {
        finding_set(
            finding, REVIEW_KEEP,
            xasprintf("%s. That is more often undone than before, but mostly right.", summary));
    }
}

static void judge_deployed(const struct review *review, struct review_finding *finding)
{
    char *summary = summarize(review);
    bool moved = review->is_read && (judge_value(review, summary, finding) ||
                                     judge_moved(review, &review->later, summary, finding) ||
                                     judge_moved(review, &review->earlier, summary, finding));
    if (moved) {
    } else if (review->is_read && drift_stands(&review->undone)) {
        judge_undone(review, summary, finding);
    } else if (drift_stands(&review->idle)) {
        note_found(review, &review->idle, finding);
        finding_set(finding, REVIEW_RETIRE,
                    xasprintf("%s. Nearly always there was nothing left for it to do.", summary));
    } else {
        finding_set(finding, REVIEW_KEEP, xasprintf("%s.", summary));
    }
    free(summary);
}

/* Theirs: it is watched, and nothing is proposed. */
static void only_watch(struct review_finding *finding)
{
    char *why = xasprintf("You have changed it: it is only watched. %s", finding->why);
    free(finding->why);
    *finding = (struct review_finding){.verdict = REVIEW_KEEP, .why = why};
}

static void judge(struct review *review, struct review_finding *finding)
{
    bool is_trial = review->known->state == REVIEW_TRYING;
    char *gone = find_gone(review);
    if (gone != NULL) {
        finding->found_ms = review->input->history->to_ms;
        finding_set(finding, is_trial ? REVIEW_WITHDRAW : REVIEW_RETIRE,
                    xasprintf("It can do nothing: %s.", gone));
    } else if (!review->has_actor) {
        finding_set(finding, REVIEW_KEEP,
                    xstrdup("How it does cannot be told: its targets are not in the history."));
    } else if (is_trial) {
        judge_trial(review, finding);
    } else {
        judge_deployed(review, finding);
    }
    free(gone);
    if (review->known->state == REVIEW_EDITED)
        only_watch(finding);
}

static json_object *review_one(const struct mine_input *input, const struct review_rule *known,
                               const struct suns *suns, struct fires_book *book)
{
    struct review *review = xcalloc(1, sizeof *review); /* large */
    struct review_finding finding = {.verdict = REVIEW_KEEP};
    review->input = input;
    review->known = known;
    review->suns = suns;
    review->book = book;
    find_act(review);
    if (review->has_actor) {
        review_look(review);
        if (known->state != REVIEW_TRYING)
            review_detect(review);
    }
    judge(review, &finding);
    json_object *object = review_write(review, &finding);
    free(finding.why);
    free(review->fires);
    if (review->is_own_actor)
        actor_release(&review->actor);
    if (review->has_act)
        hindsight_act_release(&review->act);
    free(review);
    return object;
}

json_object *review_run(const struct mine_input *input, const struct review_list *list)
{
    json_object *array = json_object_new_array();
    struct suns *suns = suns_new(input->history, input->days);
    struct fires_book *book = fires_book_new(input->history, input->daylight);
    for (size_t i = 0; i < list->count; i++)
        json_object_array_add(array, review_one(input, &list->list[i], suns, book));
    fires_book_free(book);
    suns_free(suns);
    return array;
}
