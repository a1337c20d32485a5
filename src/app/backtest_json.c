/* The object of `ha-ai backtest --format json` (docs/backtest-format.md), written piece by piece:
 * a file of automations may fire millions of times. */
#include <string.h>

#include "app/backtest_parts.h"
#include "core/clock.h"
#include "core/json.h"

static const char *const outcomes[] = {
    [BACKTEST_HIT] = "hit", [BACKTEST_IDLE] = "idle", [BACKTEST_MISS] = "miss"};
static const char *const causes[] = {
    [CAUSE_PERSON] = "person", [CAUSE_PHYSICAL] = "switch", [CAUSE_AUTOMATION] = "automation"};

/* The object's fields with a comma behind, so that others can follow; puts it. */
static void print_fields(json_object *object, FILE *out)
{
    const char *text = json_text(object);
    fprintf(out, "%.*s,", (int)strlen(text) - 2, text + 1);
    json_object_put(object);
}

static void print_value(const char *key, json_object *value, FILE *out)
{
    fprintf(out, "\"%s\":%s", key, json_text(value));
    json_object_put(value);
}

/* --- parts --- */

static json_object *notes_of(const struct backtest_entry *entry)
{
    json_object *list = json_object_new_array();
    const struct automation_note *note;
    for (size_t i = 0; (note = backtest_entry_get_note(entry, i)) != NULL; i++) {
        json_object *object = json_object_new_object();
        json_add_string(object, "path", note->path);
        json_add_int(object, "line", note->line > 0 ? note->line : entry->line);
        json_add_int(object, "column", note->line > 0 ? note->column : entry->column);
        json_add_string(object, "what", note->what);
        json_add_string(object, "effect", note->effect);
        json_object_array_add(list, object);
    }
    return list;
}

static void print_head(const struct backtest_entry *entry, FILE *out)
{
    json_object *head = json_object_new_object();
    json_add_string(head, "id", entry->id);
    json_add_string(head, "alias", entry->alias);
    json_add_int(head, "line", entry->line);
    if (entry->base.problem != NULL)
        json_add_string(head, "error", entry->base.problem);
    json_add_bool(head, "partial",
                  entry->base.problem != NULL || backtest_entry_get_note(entry, 0) != NULL);
    json_add_bool(head, "approximate", entry->is_approximate);
    json_object_object_add(head, "not_replayed", notes_of(entry));
    json_object *unknown = json_object_new_array();
    for (size_t i = 0; i < entry->unknown_count; i++)
        json_object_array_add(unknown, json_object_new_string(entry->unknown[i]));
    json_object_object_add(head, "unknown_entities", unknown);
    print_fields(head, out);
}

static void print_fires(const struct backtest_entry *entry, FILE *out)
{
    fputs("\"fires\":[", out);
    for (size_t i = 0; i < entry->base.result.fire_count; i++) {
        const struct hindsight_fire *fire = &entry->base.result.fires[i];
        char time[CLOCK_RFC3339_SIZE];
        clock_format_rfc3339(time, fire->time_ms);
        json_object *id =
            json_object_new_string(automation_trigger_id(entry->base.automation, fire->trigger));
        fprintf(out, "%s{\"time\":\"%s\",\"trigger\":%u,\"trigger_id\":%s", i > 0 ? "," : "", time,
                (unsigned)fire->trigger, json_text(id));
        json_object_put(id);
        if (entry->base.result.is_judged)
            fprintf(out, ",\"outcome\":\"%s\"", outcomes[fire->outcome]);
        if (fire->has_by)
            fprintf(out, ",\"by\":\"%s\"", causes[fire->by]);
        fputs(fire->is_approximate ? ",\"approximate\":true}" : "}", out);
    }
    fputs("],", out);
}

static json_object *act_of(const struct hindsight_act *act)
{
    json_object *object = json_object_new_object(), *ids = json_object_new_array();
    for (size_t i = 0; i < act->count; i++)
        json_object_array_add(ids, json_object_new_string(act->entity_ids[i]));
    json_object_object_add(object, "entity_ids", ids);
    json_add_string(object, "action", rule_verbs[act->verb].service);
    return object;
}

static json_object *counts_of(const struct hindsight *result)
{
    json_object *object = json_object_new_object();
    json_add_int(object, "fires", (int64_t)result->fire_count);
    if (!result->is_judged)
        return object;
    json_add_int(object, "hits", result->hits);
    json_add_int(object, "idle", result->idle);
    json_add_int(object, "misses", result->misses);
    json_add_int(object, "right", result->right);
    json_add_int(object, "wrong", result->wrong);
    json_add_int(object, "acts", (int64_t)result->acts);
    json_add_int(object, "uncovered", (int64_t)result->uncovered);
    return object;
}

static json_object *who_of(const struct hindsight *result)
{
    json_object *object = json_object_new_object();
    for (int cause = 0; cause < HINDSIGHT_CAUSES; cause++)
        json_add_int(object, causes[cause], (int64_t)result->who[cause]);
    return object;
}

static json_object *calendar_of(const struct hindsight *result)
{
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < result->day_count; i++) {
        const struct hindsight_day *day = &result->days[i];
        json_object *object = json_object_new_object();
        int year, month, day_of_month;
        char name[CLOCK_RFC3339_SIZE];
        tz_civil_from_days(result->first_day + (int64_t)i, &year, &month, &day_of_month);
        snprintf(name, sizeof name, "%04d-%02d-%02d", year, month, day_of_month);
        json_add_string(object, "day", name);
        json_add_bool(object, "complete", day->is_complete);
        json_add_int(object, "fires", day->fires);
        if (result->is_judged) {
            json_add_int(object, "hits", day->hits);
            json_add_int(object, "idle", day->idle);
            json_add_int(object, "misses", day->misses);
            json_add_int(object, "uncovered", day->uncovered);
        }
        json_object_array_add(list, object);
    }
    return list;
}

static json_object *variants_of(const struct backtest_report *report,
                                const struct backtest_entry *entry)
{
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < entry->variant_count; i++) {
        const struct backtest_case *variant = &entry->variants[i];
        json_object *object = json_object_new_object();
        json_add_string(object, "move", move_text(report->moves[i]));
        json_object_array_add(list, object);
        if (variant->problem != NULL) {
            json_add_string(object, "error", variant->problem);
            continue;
        }
        json_add_bool(object, "partial", backtest_case_is_partial(entry, variant));
        json_object_object_add(object, "counts", counts_of(&variant->result));
    }
    return list;
}

/* --- the whole --- */

static void begin(const struct backtest_report *report, FILE *out)
{
    char from[CLOCK_RFC3339_SIZE], to[CLOCK_RFC3339_SIZE];
    json_object *history = json_object_new_object();
    clock_format_rfc3339(from, report->from_ms);
    clock_format_rfc3339(to, report->to_ms);
    json_add_string(history, "from", from);
    json_add_string(history, "to", to);
    json_add_int(history, "days", (int64_t)report->days);
    json_add_int(history, "state_changes", (int64_t)report->state_changes);
    json_add_int(history, "entities", (int64_t)report->entities);
    json_add_string(history, "timezone", tz_name(report->tz));
    fputs("{\"schema\":1,", out);
    print_value("history", history, out);
    fputs(",\"automations\":[", out);
}

static void print_entry(const struct backtest_report *report, const struct backtest_entry *entry,
                        size_t index, FILE *out)
{
    fputs(index > 0 ? ",{" : "{", out);
    print_head(entry, out);
    print_fires(entry, out);
    if (entry->has_act) {
        print_value("act", act_of(&entry->act), out);
        fputc(',', out);
    }
    print_value("counts", counts_of(&entry->base.result), out);
    if (entry->base.result.is_judged) {
        fputc(',', out);
        print_value("who", who_of(&entry->base.result), out);
    }
    fputc(',', out);
    print_value("calendar", calendar_of(&entry->base.result), out);
    if (entry->variant_count > 0) {
        fputc(',', out);
        print_value("variants", variants_of(report, entry), out);
    }
    fputc('}', out);
}

static void end(const struct backtest_report *report, FILE *out)
{
    fputc(']', out);
    if (report->has_timing) {
        json_object *timing = json_object_new_object();
        json_add_int(timing, "read_ms", report->read_ms);
        json_add_int(timing, "replay_ms", report->replay_ms);
        json_add_int(timing, "total_ms", report->total_ms);
        json_add_int(timing, "peak_rss_kb", report->peak_rss_kb);
        fputc(',', out);
        print_value("timing", timing, out);
    }
    fputs("}\n", out);
}

const struct backtest_printer backtest_json = {begin, print_entry, end};
