/* A review as docs/analyze-format.md says. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/xalloc.h"
#include "stats/stats.h"
#include "suggest/automation.h"
#include "suggest/review_parts.h"
#include "suggest/wording.h"

static const char *const verdict_names[REVIEW_VERDICT_COUNT] = {
    [REVIEW_KEEP] = "keep",     [REVIEW_RETIME] = "retime", [REVIEW_REFINE] = "refine",
    [REVIEW_RETIRE] = "retire", [REVIEW_OFFER] = "offer",   [REVIEW_WITHDRAW] = "withdraw"};

static void add_time(json_object *object, const char *key, int64_t time_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(text, time_ms);
    json_add_string(object, key, text);
}

/* --- the log --- */

/* "turn on light.a, light.b", "set climate.a to 21°". Caller frees. */
static char *format_act(const struct review *review)
{
    char *text = NULL;
    size_t size, count = review->is_read ? review->read.rule.entity_count : review->act.count;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        abort();
    fprintf(stream, "%s ", rule_verbs[review->verb].phrase);
    for (size_t i = 0; i < count && i < WORDING_MEMBERS_MAX; i++)
        fprintf(stream, "%s%s", i > 0 ? ", " : "",
                review->is_read ? review->read.rule.entity_ids[i] : review->act.entity_ids[i]);
    if (count > WORDING_MEMBERS_MAX)
        fprintf(stream, " and %zu more", count - WORDING_MEMBERS_MAX);
    for (size_t i = 0; review->is_read && i < review->read.rule.value_count; i++) {
        const struct rule_value *value = &review->read.rule.values[i];
        const struct rule_attribute_row *row = &rule_attributes[value->attribute];
        fprintf(stream, "%s%g%s", i == 0 ? " to " : ", ", value->value * row->shown, row->unit);
    }
    fclose(stream);
    return text;
}

static void format_clock(const struct review *review, int64_t time_ms, char out[8])
{
    struct tz_local local;
    tz_to_local(review->input->days->tz, time_ms / 1000, &local);
    snprintf(out, 8, "%02d:%02d", local.hour % 100, local.minute % 100);
}

static char *format_undone(const struct review *review, const struct review_fire *fire,
                           const char *clock)
{
    if (fire->has_value) {
        const struct rule_attribute_row *row =
            &rule_attributes[review->read.rule.values[0].attribute];
        return xasprintf("you set it to %g%s at %s", fire->value * row->shown, row->unit, clock);
    }
    if (review->verb == RULE_SET)
        return xasprintf("you changed it at %s", clock);
    return xasprintf("you turned it %s at %s", review->verb == RULE_TURN_ON ? "off" : "on", clock);
}

static char *format_did(const struct review *review, const struct review_fire *fire)
{
    char clock[8];
    format_clock(review, fire->act_ms, clock);
    switch (fire->outcome) {
    case REVIEW_UNDONE:
        return format_undone(review, fire, clock);
    case REVIEW_PREEMPTED:
        return xasprintf("you did it at %s", clock);
    case REVIEW_HIT:
        if (fire->act_ms != 0)
            return xasprintf("you did it at %s", clock);
        return xstrdup(review->known->state == REVIEW_TRYING ? "you did it" : "nothing");
    case REVIEW_IDLE:
        return xasprintf("it was %s already", review->verb == RULE_SET        ? "so"
                                              : review->verb == RULE_TURN_OFF ? "off"
                                                                              : "on");
    case REVIEW_MISS:
    case REVIEW_OUTCOME_COUNT:
    default:
        return xstrdup("nothing");
    }
}

/* The newest ones, in time order. */
static json_object *write_log(const struct review *review)
{
    json_object *array = json_object_new_array();
    char *would = format_act(review);
    size_t first = review->count > REVIEW_LOG_MAX ? review->count - REVIEW_LOG_MAX : 0;
    for (size_t i = first; i < review->count; i++) {
        json_object *object = json_object_new_object();
        add_time(object, "at", review->fires[i].time_ms);
        json_add_string(object, "would", would);
        json_add_text(object, "did", format_did(review, &review->fires[i]));
        json_object_array_add(array, object);
    }
    free(would);
    return array;
}

/* --- the proposal --- */

static json_object *write_backtest(const struct review_proposal *p)
{
    int tries = p->hits + p->misses;
    json_object *object = json_object_new_object();
    json_add_int(object, "held_out_days", p->days);
    json_add_int(object, "fires", p->fires);
    json_add_int(object, "hits", p->hits);
    json_add_int(object, "idle", p->fires - tries);
    json_add_int(object, "misses", p->misses);
    json_add_int(object, "right", p->hits);
    json_add_int(object, "wrong", p->misses);
    json_add_fixed(object, "precision", tries > 0 ? (double)p->hits / tries : 0, 3);
    json_add_fixed(object, "precision_low", stats_wilson_low(p->hits, tries, STATS_Z95), 3);
    return object;
}

static const char *kind_of(const struct rule *rule)
{
    static const char *const kinds[] = {[RULE_TRIGGER_TIME] = "time_of_day",
                                        [RULE_TRIGGER_SUN] = "sun",
                                        [RULE_TRIGGER_STATE] = "sequence"};
    if (rule->verb == RULE_SET || rule->value_count > 0)
        return "value";
    if (rule->trigger.kind == RULE_TRIGGER_STATE && rule->trigger.quiet_s > 0)
        return "long_quiet";
    if (rule->trigger.kind == RULE_TRIGGER_STATE && rule->trigger.for_s > 0)
        return "left_on";
    return kinds[rule->trigger.kind];
}

/* The same for ever of one known rule: what is proposed may move from day to day. */
static char *format_id(const struct review *review)
{
    uint64_t hash = hash_text(hash_text(HASH_START, "refines "), review->known->id);
    return xasprintf("%016" PRIx64, hash);
}

static void add_rule(const struct rule *rule, json_object *object)
{
    json_object *inner = json_object_new_object();
    int s = rule->trigger.second;
    if (rule->trigger.kind == RULE_TRIGGER_TIME) {
        char time[16];
        snprintf(time, sizeof time, "%02d:%02d:%02d", s / 3600 % 24, s / 60 % 60, s % 60);
        json_add_string(inner, "time", time);
    }
    json_object_object_add(object, "rule", inner);
}

static json_object *write_proposal(const struct review *review,
                                   const struct review_finding *finding)
{
    const struct review_proposal *p = &finding->proposal;
    json_object *object = json_object_new_object(), *evidence = json_object_new_object();
    json_object *ids = json_object_new_array();
    char *title = wording_title(review->input->history, &review->actor, &p->rule);
    json_add_text(object, "id", format_id(review));
    json_add_string(object, "refines", review->known->id);
    json_add_string(object, "kind", kind_of(&p->rule));
    json_add_string(object, "title", title);
    json_add_string(object, "explanation", finding->why);
    for (size_t i = 0; i < p->rule.entity_count; i++)
        json_object_array_add(ids, json_object_new_string(p->rule.entity_ids[i]));
    json_object_object_add(object, "entity_ids", ids);
    json_object_object_add(object, "automation",
                           automation_from_rule(&p->rule, title, finding->why));
    add_rule(&p->rule, object);
    json_add_int(evidence, "occurrences", p->hits);
    json_add_int(evidence, "days", p->hits);
    json_add_int(evidence, "of_days", p->of_days);
    if (p->spread_s > 0)
        json_add_fixed(evidence, "spread_minutes", p->spread_s / 60.0, 3);
    json_object_object_add(object, "evidence", evidence);
    json_object_object_add(object, "backtest", write_backtest(p));
    json_add_fixed(object, "score", stats_beta_mean(p->hits, p->hits + p->misses, 1, 2), 3);
    json_object_object_add(object, "variants", json_object_new_array());
    json_object_object_add(object, "shown", json_object_new_boolean(1));
    free(title);
    return object;
}

json_object *review_write(const struct review *review, const struct review_finding *finding)
{
    json_object *object = json_object_new_object();
    json_add_string(object, "id", review->known->id);
    add_time(object, "since", review->known->since_ms);
    json_add_int(object, "days", review->days);
    json_add_int(object, "fires", (int64_t)review->count);
    json_add_int(object, "hits", review->counts[REVIEW_HIT]);
    json_add_int(object, "idle", review->counts[REVIEW_IDLE]);
    json_add_int(object, "misses", review->counts[REVIEW_MISS]);
    json_add_int(object, "undone", review->counts[REVIEW_UNDONE]);
    json_add_int(object, "preempted", review->counts[REVIEW_PREEMPTED]);
    json_add_int(object, "redone", review->redone);
    json_add_int(object, "nobody_home", review->nobody_home);
    json_add_string(object, "verdict", verdict_names[finding->verdict]);
    json_add_string(object, "why", finding->why);
    if (finding->found_ms != 0)
        add_time(object, "found", finding->found_ms);
    if (finding->has_proposal)
        json_object_object_add(object, "proposal", write_proposal(review, finding));
    json_object_object_add(object, "log", write_log(review));
    return object;
}
