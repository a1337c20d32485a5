#include "device/command.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"

/* What was seen at the door. A retained command is an old one by nature: it would come again with
 * every connect. */
static int check_flags(const struct inbox_message *message, struct error *err)
{
    if (message->flags & INBOX_RETAINED)
        return error_set(err, ERROR_INVALID, "it is retained: commands must not be");
    if (message->flags & INBOX_REPEATED)
        return error_set(err, ERROR_INVALID, "it was received before");
    if (message->flags & INBOX_TOO_LARGE)
        return error_set(err, ERROR_LIMIT, "it has %zu bytes, expected at most %d",
                         message->payload_len, INBOX_PAYLOAD_MAX);
    if (message->flags & INBOX_NOT_TEXT)
        return error_set(err, ERROR_INVALID, "it is not JSON: no UTF-8 text");
    return 0;
}

static int check_age(struct command *command, int64_t ha_now_ms, int64_t ttl_ms, struct error *err)
{
    command->ts_ms = ha_now_ms;
    json_object *ts = json_object_object_get(command->payload, "ts");
    if (ts == NULL)
        return 0;
    if (!json_object_is_type(ts, json_type_string) ||
        clock_parse_rfc3339(json_object_get_string(ts), &command->ts_ms) < 0)
        return error_set(err, ERROR_INVALID, "its ts is %.60s, expected a time as in %s",
                         json_text(ts), "\"2026-11-23T12:34:56+01:00\"");
    int64_t age_ms = ha_now_ms - command->ts_ms;
    if (age_ms > ttl_ms)
        return error_set(err, ERROR_INVALID,
                         "it is %" PRId64 " s old, expected at most %" PRId64 " s", age_ms / 1000,
                         ttl_ms / 1000);
    return 0;
}

int command_parse(struct command *out, const struct inbox_message *message, int64_t ha_now_ms,
                  int64_t ttl_ms, struct error *err)
{
    *out = (struct command){.payload = NULL};
    if (check_flags(message, err) < 0)
        return -1;
    out->payload = json_parse(message->payload, message->payload_len, err);
    if (out->payload == NULL)
        return -1;
    if (!json_object_is_type(out->payload, json_type_object)) {
        error_set(err, ERROR_INVALID, "expected a JSON object, as {\"value\": ...}");
    } else if (check_age(out, ha_now_ms, ttl_ms, err) == 0) {
        const char *by = json_get_string(out->payload, "by");
        bool is_told = by != NULL && *by != '\0' && strlen(by) <= COMMAND_BY_MAX;
        out->by = is_told ? by : "mqtt";
        out->value = json_object_object_get(out->payload, "value");
        return 0;
    }
    command_release(out);
    return -1;
}

void command_release(struct command *command)
{
    json_object_put(command->payload);
    *command = (struct command){.payload = NULL};
}
