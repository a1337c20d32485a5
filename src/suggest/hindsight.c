/* Fires of the replay against what people did. The matching is the back-test's own
 * (suggest/backtest.c): here its fires come from outside. */
#include "suggest/hindsight.h"

#include <stdlib.h>
#include <string.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "mine/actors.h"
#include "suggest/hindsight_use.h"

/* The two kinds of fires as rules of the back-test, by how near an act has to be. */
enum { OF_CLOCK, OF_STATE, KINDS };

static const int64_t reach_ms[KINDS] = {BACKTEST_HIT_MS, BACKTEST_STATE_MS};

static int64_t local_day(const struct tz *tz, int64_t time_ms)
{
    struct tz_local local;
    tz_to_local(tz, time_ms / 1000, &local);
    return local.day;
}

/* --- who --- */

static void add_known(const struct history *h, const char *id, size_t **list, size_t *count,
                      size_t *capacity)
{
    const struct history_entity *entity = history_find_entity(h, id);
    if (entity == NULL || entity->changes == 0)
        return;
    size_t index = (size_t)(entity - h->entities);
    for (size_t i = 0; i < *count; i++)
        if ((*list)[i] == index)
            return;
    *list = grow_array(*list, *count, capacity, sizeof **list);
    (*list)[(*count)++] = index;
}

/* The entities of the act that the history has; a group of Home Assistant's by its members. The
 * list is the caller's to free. */
static size_t *find_entities(const struct history *h, const struct hindsight_act *act,
                             size_t *count)
{
    size_t *list = NULL, capacity = 0;
    *count = 0;
    for (size_t i = 0; i < act->count; i++) {
        const struct history_entity *entity = history_find_entity(h, act->entity_ids[i]);
        size_t before = *count;
        const char *p = entity != NULL && entity->members != NULL ? entity->members : "";
        for (p += strspn(p, " "); *p != '\0'; p += strspn(p, " ")) {
            size_t length = strcspn(p, " ");
            char *id = xstrndup(p, length);
            add_known(h, id, &list, count, &capacity);
            free(id);
            p += length;
        }
        if (*count == before)
            add_known(h, act->entity_ids[i], &list, count, &capacity);
    }
    return list;
}

static uint16_t state_of(enum rule_verb verb)
{
    return verb == RULE_TURN_ON ? HISTORY_STATE_ON : HISTORY_STATE_OFF;
}

/* Who caused the change at that very moment into the state. */
static bool cause_at(const struct hindsight_input *input, const struct actor *actor,
                     enum rule_verb verb, int64_t time_ms, enum cause *by)
{
    for (size_t i = 0; i < actor->count; i++) {
        const struct history_entity *e = &input->ground.history->entities[actor->entities[i]];
        for (size_t c = history_find_change(e, time_ms); c < e->changes && e->time_ms[c] == time_ms;
             c++)
            if (e->state[c] == state_of(verb)) {
                *by = (enum cause)e->cause[c];
                return true;
            }
    }
    return false;
}

/* Who had brought the targets into the state they are in, last. */
static bool cause_before(const struct hindsight_input *input, const struct actor *actor,
                         enum rule_verb verb, int64_t time_ms, enum cause *by)
{
    int64_t last_ms = INT64_MIN;
    for (size_t i = 0; i < actor->count; i++) {
        const struct history_entity *e = &input->ground.history->entities[actor->entities[i]];
        size_t change = history_find_change(e, time_ms);
        if (change == 0 || e->state[change - 1] != state_of(verb) ||
            e->time_ms[change - 1] <= last_ms)
            continue;
        last_ms = e->time_ms[change - 1];
        *by = (enum cause)e->cause[change - 1];
    }
    return last_ms != INT64_MIN;
}

static void count_causes(const struct hindsight_input *input, const struct actor *actor,
                         enum rule_verb verb, struct hindsight *out)
{
    for (size_t i = 0; i < actor->count; i++) {
        const struct history_entity *e = &input->ground.history->entities[actor->entities[i]];
        size_t c = history_find_change(e, input->from_ms);
        for (c = c > 0 ? c : 1; c < e->changes && e->time_ms[c] < input->to_ms; c++)
            if (e->state[c] == state_of(verb) && !acts_is_absent(e->state[c - 1]) &&
                !restarts_hold(input->ground.restarts, e->time_ms[c]) &&
                e->cause[c] < HINDSIGHT_CAUSES)
                out->who[e->cause[c]]++;
    }
}

/* --- fires --- */

/* As backtest_judge sorts what is made of them, so that both lists go together. */
static int compare_fires(const void *left, const void *right)
{
    const struct hindsight_fire *a = left, *b = right;
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    if (a->is_of_state != b->is_of_state)
        return a->is_of_state ? 1 : -1;
    return (a->trigger > b->trigger) - (a->trigger < b->trigger);
}

static bool ends_use(const struct automation *automation, size_t trigger,
                     const struct hindsight_act *act)
{
    return act != NULL && act->count == 1 && act->verb == RULE_TURN_OFF &&
           automation_trigger_waits(automation, trigger, act->entity_ids[0], "on");
}

static void copy_fires(const struct automation *automation, const struct replay_fire *fires,
                       size_t count, const struct hindsight_act *act, struct hindsight *out)
{
    out->fires = xcalloc(count, sizeof *out->fires);
    out->fire_count = count;
    for (size_t i = 0; i < count; i++)
        out->fires[i] = (struct hindsight_fire){
            .time_ms = fires[i].time_ms,
            .trigger = fires[i].trigger,
            .is_of_state = !automation_trigger_is_clock(automation, fires[i].trigger),
            .ends_use = ends_use(automation, fires[i].trigger, act),
            .is_approximate = fires[i].is_approximate};
    if (count > 0)
        qsort(out->fires, count, sizeof *out->fires, compare_fires);
}

/* An automation, a script or a machine did the same near the fire: nobody was left to do it. */
static bool was_automatic(const struct acts *acts, int64_t time_ms, int64_t within_ms)
{
    size_t after = acts_find(acts->automatic, acts->automatic_count, time_ms - within_ms);
    return after < acts->automatic_count && acts->automatic[after].time_ms <= time_ms + within_ms;
}

static void settle(const struct hindsight_input *input, const struct actor *actor,
                   enum rule_verb verb, const struct backtest_fire *judged,
                   struct hindsight_fire *fire)
{
    const struct acts *acts = &actor->acts[verb];
    fire->outcome = judged->outcome;
    if (fire->outcome == BACKTEST_HIT)
        fire->has_by = cause_at(input, actor, verb, acts->list[judged->act].time_ms, &fire->by);
    else if (fire->outcome == BACKTEST_IDLE)
        fire->has_by = cause_before(input, actor, verb, judged->time_ms, &fire->by);
    else if (was_automatic(acts, judged->time_ms, reach_ms[judged->rule])) {
        fire->outcome = BACKTEST_IDLE;
        fire->by = CAUSE_AUTOMATION;
        fire->has_by = true;
    }
}

/* For those that end a use a person's act near them says nothing, or the opposite: what became of
 * the use does. */
static void judge_uses(const struct hindsight_input *input, const struct hindsight_act *act,
                       const struct actor *actor, struct backtest_fires *fires,
                       struct hindsight *out)
{
    struct hindsight_uses uses;
    hindsight_uses_init(&uses, actor, &input->ground);
    for (size_t i = 0; i < fires->count; i++) {
        struct hindsight_fire *fire = &out->fires[i];
        struct backtest_fire *judged = &fires->list[i];
        int64_t end_ms;
        if (!fire->ends_use)
            continue;
        fire->outcome = hindsight_judge_use(&uses, judged->time_ms, &end_ms);
        fire->has_by =
            fire->outcome != BACKTEST_MISS &&
            (end_ms > 0 ? cause_at(input, actor, act->verb, end_ms, &fire->by)
                        : cause_before(input, actor, act->verb, judged->time_ms, &fire->by));
        judged->outcome = fire->outcome;
        judged->is_support = fire->outcome == BACKTEST_HIT;
    }
    hindsight_uses_release(&uses);
}

/* The fires as those of two rules, one for each kind of trigger. */
static void judge_fires(const struct hindsight_input *input, const struct hindsight_act *act,
                        const struct actor *actor, struct backtest_fires *fires,
                        struct hindsight *out)
{
    const struct days *days = input->ground.days;
    const struct rule kinds[KINDS] = {
        [OF_CLOCK] = {.trigger.kind = RULE_TRIGGER_TIME, .verb = act->verb},
        [OF_STATE] = {.trigger.kind = RULE_TRIGGER_STATE, .verb = act->verb},
    };
    const struct rule *const rules[KINDS] = {&kinds[OF_CLOCK], &kinds[OF_STATE]};
    for (size_t i = 0; i < out->fire_count; i++) {
        int64_t at_ms = out->fires[i].time_ms + act->delay_ms;
        backtest_add_fire(fires, at_ms, (int)(local_day(days->tz, at_ms) - days->first),
                          out->fires[i].is_of_state ? OF_STATE : OF_CLOCK);
    }
    const struct backtest_input against = {
        .history = input->ground.history, .days = days, .actor = actor};
    backtest_judge(&against, rules, fires);
    for (size_t i = 0; i < fires->count; i++) {
        settle(input, actor, act->verb, &fires->list[i], &out->fires[i]);
        fires->list[i].outcome = out->fires[i].outcome;
    }
    if (actor->count == 1)
        judge_uses(input, act, actor, fires, out);
    struct backtest counts[KINDS];
    backtest_count(fires, rules, KINDS, days, DAY_TRAINING, counts);
    for (int k = 0; k < KINDS; k++) {
        out->hits += counts[k].hits;
        out->idle += counts[k].idle;
        out->misses += counts[k].misses;
        out->right += counts[k].right;
        out->wrong += counts[k].wrong;
    }
}

/* --- acts --- */

static struct hindsight_day *day_of(const struct hindsight_input *input, struct hindsight *out,
                                    int64_t time_ms)
{
    int64_t day = local_day(input->ground.history->tz, time_ms) - out->first_day;
    return day >= 0 && day < (int64_t)out->day_count ? &out->days[day] : NULL;
}

/* Acts of people that lie near no fire. */
static void count_uncovered(const struct hindsight_input *input, const struct acts *acts,
                            const struct backtest_fires *fires, struct hindsight *out)
{
    bool *covered = xcalloc(acts->count, sizeof *covered);
    size_t next[KINDS] = {0, 0}; /* acts before it have been looked at for that kind */
    for (size_t f = 0; f < fires->count; f++) {
        size_t kind = fires->list[f].rule;
        int64_t at_ms = fires->list[f].time_ms, reach = reach_ms[kind];
        size_t first = acts_find(acts->list, acts->count, at_ms - reach);
        next[kind] = next[kind] > first ? next[kind] : first;
        while (next[kind] < acts->count && acts->list[next[kind]].time_ms <= at_ms + reach)
            covered[next[kind]++] = true;
    }
    for (size_t a = acts_find(acts->list, acts->count, input->from_ms);
         a < acts->count && acts->list[a].time_ms < input->to_ms; a++) {
        struct hindsight_day *day = day_of(input, out, acts->list[a].time_ms);
        out->acts++;
        out->uncovered += !covered[a];
        if (day != NULL)
            day->uncovered += !covered[a];
    }
    free(covered);
}

static void judge(const struct hindsight_input *input, const struct hindsight_act *act,
                  struct hindsight *out)
{
    size_t count;
    size_t *entities = find_entities(input->ground.history, act, &count);
    out->is_judged = count > 0;
    if (out->is_judged) {
        struct actor actor;
        struct backtest_fires fires = {.list = NULL};
        actor_init(&actor, entities, count, &input->ground);
        judge_fires(input, act, &actor, &fires, out);
        count_uncovered(input, &actor.acts[act->verb], &fires, out);
        count_causes(input, &actor, act->verb, out);
        backtest_fires_release(&fires);
        actor_release(&actor);
    }
    free(entities);
}

/* --- days --- */

static void make_days(const struct hindsight_input *input, struct hindsight *out)
{
    const struct days *days = input->ground.days;
    out->first_day = local_day(days->tz, input->from_ms);
    int64_t count = local_day(days->tz, input->to_ms - 1) - out->first_day + 1;
    out->day_count = count < 0 ? 0 : count > DAYS_MAX ? DAYS_MAX : (size_t)count;
    out->days = xcalloc(out->day_count, sizeof *out->days);
    for (size_t i = 0; i < out->day_count; i++) {
        int64_t day = out->first_day + (int64_t)i, index = day - days->first;
        out->days[i].is_complete = index >= 0 && index < days->count &&
                                   days_role(days, (int)index) != DAY_INCOMPLETE &&
                                   tz_day_start(days->tz, day) * 1000 >= input->from_ms;
    }
}

static void count_days(const struct hindsight_input *input, struct hindsight *out)
{
    for (size_t i = 0; i < out->fire_count; i++) {
        const struct hindsight_fire *fire = &out->fires[i];
        struct hindsight_day *day = day_of(input, out, fire->time_ms);
        if (day == NULL)
            continue;
        day->fires++;
        day->hits += out->is_judged && fire->outcome == BACKTEST_HIT;
        day->idle += out->is_judged && fire->outcome == BACKTEST_IDLE;
        day->misses += out->is_judged && fire->outcome == BACKTEST_MISS;
    }
}

void hindsight_judge(const struct hindsight_input *input, const struct automation *automation,
                     const struct replay_fire *fires, size_t count, const struct hindsight_act *act,
                     struct hindsight *out)
{
    *out = (struct hindsight){.is_judged = false};
    make_days(input, out);
    copy_fires(automation, fires, count, act, out);
    if (act != NULL)
        judge(input, act, out);
    count_days(input, out);
}

void hindsight_release(struct hindsight *hindsight)
{
    free(hindsight->fires);
    free(hindsight->days);
    *hindsight = (struct hindsight){.fires = NULL};
}

size_t hindsight_complete_days(const struct hindsight_input *input)
{
    struct hindsight days = {.is_judged = false};
    size_t count = 0;
    make_days(input, &days);
    for (size_t i = 0; i < days.day_count; i++)
        count += days.days[i].is_complete;
    hindsight_release(&days);
    return count;
}
