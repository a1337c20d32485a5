/* What is out of the ordinary, in plain English and as JSON. Numbers only as measured. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/tz.h"
#include "core/xalloc.h"
#include "suggest/anomaly.h"
#include "suggest/wording.h"

enum { DAY_S = 86400, LONG_DAYS = 1000 };

/* The same but for its thousands: "3 days and 4 hours" of what lasts for days. */
static char *format_span(int64_t ms)
{
    int64_t s = ms / 1000;
    if (s < 2 * DAY_S)
        return wording_duration(s < 60 ? 60 : (int)s);
    return xasprintf("%lld days", (long long)((s + DAY_S / 2) / DAY_S));
}

/* "once in 300 days". */
static char *format_chance(double a_day)
{
    if (a_day * LONG_DAYS < 1)
        return xasprintf("less than once in %d days", LONG_DAYS);
    return xasprintf("about once in %.0f days", 1 / a_day);
}

/* What being in a state is called: "on", "unlocked", "open". A detector's "on" is an open door's.
 */
static const char *format_state(const struct anomaly *a)
{
    bool is_door = a->kind == ANOMALY_OPEN_AT_NIGHT || a->kind == ANOMALY_UNLOCKED;
    return is_door && strcmp(a->state, "on") == 0 ? "open" : a->state;
}

/* ---- titles --------------------------------------------------------------------------------- */

static char *title_spell(const struct anomaly *a, const char *device)
{
    return xasprintf("%s is %s for longer than ever", device, format_state(a));
}

static char *title_night(const struct anomaly *a, const char *device)
{
    return xasprintf("%s %s open at night, as it never was before", device,
                     a->is_over ? "was" : "is");
}

static char *title_habit(const struct anomaly *a, const char *device)
{
    (void)a;
    return xasprintf("Nobody did what is usual with %s", device);
}

static char *title_sensor(const struct anomaly *a, const char *device)
{
    (void)a;
    return xasprintf("%s says nothing any more", device);
}

/* ---- explanations --------------------------------------------------------------------------- */

static char *explain_spell(const struct mine_input *input, const struct anomaly *a)
{
    char *since = wording_moment(input->history->tz, a->since_ms);
    char *lasted = format_span(a->lasted_ms), *chance = format_chance(a->probability);
    char *usual = format_span((int64_t)(a->usual_s * 1000));
    char *longest = format_span((int64_t)(a->longest_s * 1000));
    char *text = xasprintf(
        "It has been %s since %s, for %s. Half of the %d times before were over within %s, the "
        "longest took %s. So long a time is to be expected %s.",
        format_state(a), since, lasted, a->others, usual, longest, chance);
    free(longest);
    free(usual);
    free(chance);
    free(lasted);
    free(since);
    return text;
}

static char *explain_night(const struct mine_input *input, const struct anomaly *a)
{
    char *since = wording_moment(input->history->tz, a->since_ms);
    char *lasted = format_span(a->lasted_ms), *chance = format_chance(a->probability);
    char *usual = format_span((int64_t)(a->usual_s * 1000));
    char *longest = a->longest_s > 0 ? format_span((int64_t)(a->longest_s * 1000)) : NULL;
    char *text =
        xasprintf("It %s open from %s on, for %s%s. On none of the %d nights before was it "
                  "open%s%s; half of the %d times that it was opened were over within %s. This is "
                  "to be expected %s.",
                  a->is_over ? "was" : "has been", since, lasted, a->is_over ? "" : " so far",
                  a->days, longest != NULL ? " for longer than " : "",
                  longest != NULL ? longest : "", a->others, usual, chance);
    free(longest);
    free(usual);
    free(chance);
    free(lasted);
    free(since);
    return text;
}

static char *explain_habit(const struct mine_input *input, const struct anomaly *a)
{
    const struct habit *habit = &a->candidate->habit;
    char *title = wording_title(input->history, &input->actors->list[habit->actor], &habit->rule);
    char *since = wording_moment(input->history->tz, a->since_ms);
    char *chance = format_chance(a->probability);
    char *times = a->missed == 1 ? xstrdup("time") : xasprintf("%d times", a->missed);
    char *text = xasprintf(
        "\"%s\" is what somebody did %d of %d times, give or take an hour, but not the last "
        "%s, since %s. This is to be expected %s.",
        title, a->hits, a->days, times, since, chance);
    free(times);
    free(chance);
    free(since);
    free(title);
    return text;
}

static char *explain_sensor(const struct mine_input *input, const struct anomaly *a)
{
    char *since = wording_moment(input->history->tz, a->since_ms);
    char *silent = format_span(a->lasted_ms), *chance = format_chance(a->probability);
    char *longest = format_span((int64_t)(a->longest_s * 1000));
    char *text = xasprintf(
        "The last change that it told was at %s, %s ago; before that it was never silent for "
        "longer than %s while somebody was home. At such hours of the %d days before it went on "
        "%.0f "
        "times on average. This is to be expected %s.",
        since, silent, longest, a->days, a->usual_count, chance);
    free(longest);
    free(chance);
    free(silent);
    free(since);
    return text;
}

static const struct {
    char *(*title)(const struct anomaly *a, const char *device);
    char *(*explain)(const struct mine_input *input, const struct anomaly *a);
} texts[ANOMALY_KIND_COUNT] = {
    [ANOMALY_OPEN_AT_NIGHT] = {title_night, explain_night},
    [ANOMALY_LEFT_ON] = {title_spell, explain_spell},
    [ANOMALY_UNLOCKED] = {title_spell, explain_spell},
    [ANOMALY_HABIT_MISSED] = {title_habit, explain_habit},
    [ANOMALY_SENSOR_SILENT] = {title_sensor, explain_sensor},
};

/* ---- JSON ----------------------------------------------------------------------------------- */

/* Of kind, entity and time: the same as long as it goes on. */
static char *format_id(const struct anomaly *a, const char *entity_id)
{
    char *text = xasprintf("%s %s %" PRId64, anomaly_kinds[a->kind], entity_id, a->since_ms);
    uint64_t hash = hash_text(HASH_START, text);
    free(text);
    return xasprintf("%016" PRIx64, hash);
}

static json_object *write_evidence(const struct anomaly *a)
{
    json_object *object = json_object_new_object();
    json_add_exponent(object, "probability", a->probability);
    json_add_exponent(object, "threshold", a->threshold);
    json_add_int(object, "days", a->days);
    if (a->state != NULL) {
        json_add_fixed(object, "lasted_minutes", (double)a->lasted_ms / 60000, 1);
        json_add_fixed(object, "usual_minutes", a->usual_s / 60, 1);
        json_add_fixed(object, "longest_minutes", a->longest_s / 60, 1);
        json_add_int(object, "times_before", a->others);
        json_object_object_add(object, "is_over", json_object_new_boolean(a->is_over));
    } else if (a->kind == ANOMALY_SENSOR_SILENT) {
        json_add_fixed(object, "lasted_minutes", (double)a->lasted_ms / 60000, 1);
        json_add_fixed(object, "longest_minutes", a->longest_s / 60, 1);
        json_add_fixed(object, "usual_times", a->usual_count, 1);
        json_add_int(object, "days_with", a->hits);
    } else {
        json_add_int(object, "days_with", a->hits);
        json_add_int(object, "days_missed", a->missed);
    }
    return object;
}

static json_object *write_anomaly(const struct mine_input *input, const struct anomaly *a)
{
    const struct history_entity *entity = &input->history->entities[a->entity];
    char since[CLOCK_RFC3339_SIZE], *device = wording_device(entity);
    clock_format_rfc3339(since, a->since_ms);
    json_object *object = json_object_new_object();
    json_add_text(object, "id", format_id(a, entity->entity_id));
    json_object_object_add(object, "kind", json_object_new_string(anomaly_kinds[a->kind]));
    json_object_object_add(object, "entity_id", json_object_new_string(entity->entity_id));
    json_object_object_add(object, "since", json_object_new_string(since));
    json_add_text(object, "title", texts[a->kind].title(a, device));
    json_add_text(object, "explanation", texts[a->kind].explain(input, a));
    json_object_object_add(object, "evidence", write_evidence(a));
    free(device);
    return object;
}

json_object *anomalies_write(const struct mine_input *input, const struct anomalies *anomalies)
{
    json_object *array = json_object_new_array();
    for (size_t i = 0; i < anomalies->count; i++)
        json_object_array_add(array, write_anomaly(input, &anomalies->list[i]));
    return array;
}
