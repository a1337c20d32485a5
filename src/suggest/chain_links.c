#include "suggest/chain_links.h"

#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "mine/coincidence.h"
#include "mine/together.h"
#include "suggest/backtest.h"

#define FOLLOWED_MIN 0.5 /* of a rule's acts, another one's come with so many: else not tested */

struct work {
    const struct mine_input *input;
    const struct chain_part *parts;
    size_t count;
    uint8_t *links;
};

static const struct rule *rule_of(const struct work *work, size_t part)
{
    return &work->parts[part].habit->rule;
}

static const struct acts *acts_of(const struct work *work, size_t part)
{
    const struct habit *habit = work->parts[part].habit;
    return &work->input->actors->list[habit->actor].acts[habit->rule.verb];
}

bool chain_shares_target(const struct rule *a, const struct rule *b)
{
    for (size_t i = 0; i < a->entity_count; i++)
        if (rule_has_target(b, a->entity_ids[i]))
            return true;
    return false;
}

bool chain_is_trigger(const struct rule *rule, const struct rule_trigger *trigger)
{
    return trigger->kind == RULE_TRIGGER_STATE && rule_has_target(rule, trigger->entity_id);
}

static bool is_started_by(const struct rule *rule, const struct rule *by)
{
    const struct rule_trigger *trigger = &rule->trigger;
    const char *state =
        trigger->kind == RULE_TRIGGER_STATE ? rule_state_of(by->verb, trigger->entity_id) : NULL;
    return trigger->kind == RULE_TRIGGER_STATE && trigger->for_s == 0 && trigger->quiet_s == 0 &&
           state != NULL && strcmp(trigger->to, state) == 0 &&
           rule_has_target(by, trigger->entity_id);
}

static bool same_trigger(const struct rule_trigger *a, const struct rule_trigger *b)
{
    return a->kind == RULE_TRIGGER_STATE && b->kind == RULE_TRIGGER_STATE &&
           strcmp(a->entity_id, b->entity_id) == 0 && strcmp(a->to, b->to) == 0 &&
           a->for_s == b->for_s && a->quiet_s == b->quiet_s;
}

/* Of how many of one rule's acts another one's come with. */
static bool often_come_together(const struct work *work, size_t first, size_t second)
{
    const struct chain_part *a = &work->parts[first], *b = &work->parts[second];
    const struct act *x = acts_of(work, first)->list, *y = acts_of(work, second)->list;
    size_t k = 0, together = 0;
    for (size_t i = 0; i < a->act_count; i++) {
        int64_t at = x[a->acts[i]].time_ms;
        while (k < b->act_count && y[b->acts[k]].time_ms < at - TOGETHER_MS)
            k++;
        together += k < b->act_count && y[b->acts[k]].time_ms <= at + BACKTEST_STATE_MS;
    }
    return a->act_count > 0 && (double)together >= FOLLOWED_MIN * (double)a->act_count;
}

static enum chain_link known_link(const struct work *work, size_t first, size_t second)
{
    const struct rule *a = rule_of(work, first), *b = rule_of(work, second);
    if (is_started_by(b, a))
        return CHAIN_LINK_OF_ACT;
    return same_trigger(&a->trigger, &b->trigger) ? CHAIN_LINK_OF_FIRE : CHAIN_LINK_NONE;
}

struct pair {
    size_t first, second;
};

/* Rules that are known by their triggers to hang together, and those whose acts do: a time may well
 * tell two acts of one habit as well as one tells the other. */
static void find_links(const struct work *work)
{
    struct pair *pairs = NULL;
    size_t count = 0, capacity = 0;
    for (size_t a = 0; a < work->count; a++)
        for (size_t b = 0; b < work->count; b++) {
            if (a == b || chain_shares_target(rule_of(work, a), rule_of(work, b)))
                continue;
            enum chain_link link = known_link(work, a, b);
            work->links[a * work->count + b] = (uint8_t)link;
            if (link != CHAIN_LINK_NONE || !often_come_together(work, a, b))
                continue;
            pairs = grow_array(pairs, count, &capacity, sizeof *pairs);
            pairs[count++] = (struct pair){a, b};
        }
    struct coincidence_days on;
    if (count > 0)
        coincidence_days_init(&on, work->input->history, work->input->days);
    double enough = CHAIN_LINK_P / (double)(count > 0 ? count : 1);
    for (size_t i = 0; i < count; i++)
        if (together_p_value(&on, acts_of(work, pairs[i].first), acts_of(work, pairs[i].second),
                             enough) <= enough)
            work->links[pairs[i].first * work->count + pairs[i].second] = CHAIN_LINK_BY_ACTS;
    if (count > 0)
        coincidence_days_release(&on);
    free(pairs);
}

void chain_links_find(const struct mine_input *input, const struct chain_part *parts, size_t count,
                      uint8_t *links)
{
    const struct work work = {input, parts, count, links};
    find_links(&work);
}
