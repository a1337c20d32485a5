#define _GNU_SOURCE /* memmem */
#include "source/calls.h"

#include <math.h>
#include <string.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "source/attributes.h"
#include "source/builder.h"

/* ---- one call ------------------------------------------------------------------------------ */

/* What a field of a service's data, or the service as such, asks for. */
static const struct request {
    const char *domain, *service;
    const char *field; /* NULL = the service as such, for `factor` */
    enum rule_attribute attribute;
    double factor;
    bool is_inverse; /* mireds */
} requests[] = {
    {"light", "turn_on", "brightness", RULE_BRIGHTNESS, 1, false},
    {"light", "turn_on", "brightness_pct", RULE_BRIGHTNESS, 255.0 / 100, false},
    {"light", "turn_on", "color_temp_kelvin", RULE_COLOR_TEMPERATURE, 1, false},
    {"light", "turn_on", "kelvin", RULE_COLOR_TEMPERATURE, 1, false},
    {"light", "turn_on", "color_temp", RULE_COLOR_TEMPERATURE, 1e6, true},
    {"fan", "turn_on", "percentage", RULE_PERCENTAGE, 1, false},
    {"fan", "set_percentage", "percentage", RULE_PERCENTAGE, 1, false},
    {"media_player", "volume_set", "volume_level", RULE_VOLUME, 1, false},
    {"climate", "set_temperature", "temperature", RULE_SETPOINT, 1, false},
    {"cover", "set_cover_position", "position", RULE_POSITION, 1, false},
    {"cover", "open_cover", NULL, RULE_POSITION, 100, false},
    {"cover", "close_cover", NULL, RULE_POSITION, 0, false},
};
enum { REQUEST_COUNT = sizeof requests / sizeof *requests };

static bool has_word(const char *data, size_t length, const char *word)
{
    return memmem(data, length, word, strlen(word)) != NULL;
}

/* Whether it is worth parsing. */
static bool may_tell(const char *data, size_t length)
{
    static const char *const words[] = {
        "\"brightness",   "\"color_temp",        "\"kelvin", "\"percentage\"",
        "\"volume_set\"", "\"set_temperature\"", "_cover\"", "\"set_cover_position\""};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (has_word(data, length, words[i]))
            return true;
    return false;
}

/* Of lights, toggle asks for the same as turn_on. */
static bool is_of(const struct request *request, const char *domain, const char *service)
{
    if (strcmp(domain, "light") == 0 && strcmp(service, "toggle") == 0)
        service = "turn_on";
    return strcmp(domain, request->domain) == 0 && strcmp(service, request->service) == 0;
}

/* The value that is asked for; NAN = none. 0 turns lights and fans off. */
static double value_of(json_object *data, const struct request *request)
{
    json_object *number;
    if (request->field == NULL)
        return attributes_field(request->attribute, request->factor);
    if (!json_object_object_get_ex(data, request->field, &number))
        return NAN;
    if (!json_object_is_type(number, json_type_int) &&
        !json_object_is_type(number, json_type_double) &&
        !json_object_is_type(number, json_type_string))
        return NAN;
    double value = json_object_get_double(number); /* of a text what it says, else 0 */
    bool is_off = request->attribute <= RULE_PERCENTAGE && !(value > 0);
    if (is_off || isnan(value))
        return NAN;
    return attributes_field(request->attribute, request->is_inverse ? request->factor / value
                                                                    : value * request->factor);
}

/* The ids of an entity_id field: a text with commas, or a list of texts. */
struct targets {
    json_object *field;
    const char *rest; /* of a text */
    size_t next;      /* of a list */
};

/* The next id, cut out of the text; false behind the last. Caller frees. */
static bool next_target(struct targets *t, char **id)
{
    if (json_object_is_type(t->field, json_type_array)) {
        if (t->next == json_object_array_length(t->field) || t->next == CALLS_TARGETS_MAX)
            return false;
        const char *text = json_object_get_string(json_object_array_get_idx(t->field, t->next++));
        *id = xstrdup(text != NULL ? text : "");
        return true;
    }
    if (t->rest == NULL || t->next == CALLS_TARGETS_MAX)
        return false;
    t->next++;
    t->rest += strspn(t->rest, ", ");
    size_t length = strcspn(t->rest, ", ");
    *id = xstrndup(t->rest, length);
    t->rest += length;
    return length > 0 || (free(*id), false);
}

static int tell(json_object *data, struct history_value *value, calls_fn fn, void *ctx,
                struct error *err)
{
    struct targets targets = {.field = NULL};
    char *id;
    int result = 0;
    if (!json_object_object_get_ex(data, "entity_id", &targets.field))
        return 0;
    if (json_object_is_type(targets.field, json_type_string))
        targets.rest = json_object_get_string(targets.field);
    while (result == 0 && next_target(&targets, &id)) {
        if (rule_has_attribute(id, (enum rule_attribute)value->attribute))
            result = fn(id, value, ctx, err);
        free(id);
    }
    return result;
}

int calls_parse(const char *text, size_t length, int64_t time_ms, enum cause cause, calls_fn fn,
                void *ctx, struct error *err)
{
    if (!may_tell(text, length))
        return 0;
    json_object *event = json_parse(text, length, NULL);
    json_object *data = json_get_object(event, "service_data");
    const char *domain = json_get_string(event, "domain");
    const char *service = json_get_string(event, "service");
    bool has_told[RULE_ATTRIBUTE_COUNT] = {false};
    int result = 0;
    for (size_t i = 0; domain != NULL && service != NULL && result == 0 && i < REQUEST_COUNT; i++) {
        enum rule_attribute attribute = requests[i].attribute;
        if (!is_of(&requests[i], domain, service) || has_told[attribute])
            continue;
        struct history_value value = {.time_ms = time_ms,
                                      .value = value_of(data, &requests[i]),
                                      .attribute = (uint8_t)attribute,
                                      .cause = (uint8_t)cause,
                                      .is_told = rule_attributes[attribute].is_recorded};
        if (isnan(value.value))
            continue;
        has_told[attribute] = true;
        result = tell(data, &value, fn, ctx, err);
    }
    json_object_put(event);
    return result;
}

/* ---- all of them --------------------------------------------------------------------------- */

struct reading {
    struct recorder *recorder;
    const struct recorder_cause *causes;
    sqlite3_stmt *data;
    calls_fn fn;
    void *ctx;
};

enum call_column { COLUMN_ID, COLUMN_DATA, COLUMN_TIME, COLUMN_CONTEXT };

/* One that is too large to load is left out. */
static int take_call(sqlite3_stmt *stmt, void *ctx, struct error *err)
{
    struct reading *r = ctx;
    double ms = sqlite3_column_double(stmt, COLUMN_TIME) * 1000 + 0.5;
    if (!(ms >= (double)BUILDER_TIME_MIN_MS && ms < (double)BUILDER_TIME_MAX_MS))
        return 0;
    sqlite3_bind_int64(r->data, 1, sqlite3_column_int64(stmt, COLUMN_DATA));
    int rc = sqlite3_step(r->data), result = 0;
    if (rc == SQLITE_ROW && sqlite3_column_type(r->data, 0) == SQLITE_TEXT)
        result =
            calls_parse((const char *)sqlite3_column_text(r->data, 0),
                        (size_t)sqlite3_column_bytes(r->data, 0), (int64_t)ms,
                        recorder_cause_of_row(r->causes, stmt, COLUMN_CONTEXT), r->fn, r->ctx, err);
    else if (rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_TOOBIG)
        result = recorder_error(r->recorder, err);
    sqlite3_reset(r->data);
    return result;
}

int calls_read(struct recorder *recorder, double since_s, const struct recorder_cause *causes,
               calls_fn fn, void *ctx, struct error *err)
{
    static const char events[] =
        "SELECT event_id, data_id, time_fired_ts, context_id_bin, context_user_id_bin,"
        " context_parent_id_bin FROM events WHERE event_type_id ="
        " (SELECT event_type_id FROM event_types WHERE event_type = 'call_service')"
        " AND (time_fired_ts, event_id) > (?3, ?1) ORDER BY time_fired_ts, event_id LIMIT ?2";
    struct reading r = {.recorder = recorder, .causes = causes, .fn = fn, .ctx = ctx};
    if (!recorder->has_calls)
        return 0;
    if (sqlite3_prepare_v2(recorder->db, "SELECT shared_data FROM event_data WHERE data_id = ?1",
                           -1, &r.data, NULL) != SQLITE_OK)
        return recorder_error(recorder, err);
    int result = recorder_read_pages(recorder, events, since_s, take_call, &r, err);
    sqlite3_finalize(r.data);
    return result;
}
