/* What people and machines may ask of the service, and the messages on our own topics. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/settings.h"
#include "app/state.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "mqtt/topics.h"
#include "store/outbox.h"

void app_send_event(struct app *app, const char *key, json_object *event)
{
    struct error err = {0};
    char *topic = topics_entity(options_string(&app->options, OPTION_INSTANCE), key, "event");
    if (outbox_append(app->store, topic, event, options_int(&app->options, OPTION_TTL),
                      clock_wall_ms(), &err) < 0)
        log_error("app", "an event is lost: %s", err.message);
    free(topic);
    json_object_put(event);
}

void app_refuse(struct app *app, const char *command, const char *who, const char *reason)
{
    log_warn("app", "%s refused: %s", command, reason);
    json_object *event = json_object_new_object();
    json_object_object_add(event, "event_type", json_object_new_string("refused"));
    json_object_object_add(event, "command", json_object_new_string(command));
    json_object_object_add(event, "reason", json_object_new_string(reason));
    json_object_object_add(event, "by", who && *who ? json_object_new_string(who) : NULL);
    app_send_event(app, "suggestion", event);
}

static int command_analyze(struct app *app, json_object *arguments, const char *who,
                           struct error *err)
{
    (void)arguments, (void)who;
    return analysis_request(app, err);
}

static int command_daily_analysis(struct app *app, json_object *arguments, const char *who,
                                  struct error *err)
{
    (void)who;
    const char *value = json_get_string(arguments, "value");
    if (value == NULL || (strcmp(value, "ON") != 0 && strcmp(value, "OFF") != 0))
        return error_set(err, ERROR_INVALID, "daily_analysis takes ON or OFF");
    if (store_set(app->store, "daily_analysis", value, err) < 0)
        return -1;
    facts_set(app, "settings", "daily_analysis", json_object_new_boolean(strcmp(value, "ON") == 0));
    facts_refresh_analysis(app, NULL);
    return 0;
}

/* Steps are in the audit by themselves; the selection decides nothing. */
enum kept { BY_ITSELF, IN_AUDIT };

static const struct {
    const char *name;
    int (*run)(struct app *app, json_object *arguments, const char *who, struct error *err);
    enum kept kept;
} commands[] = {
    {"analyze", command_analyze, IN_AUDIT},
    {"approve", decide_approve, BY_ITSELF},
    {"reject", decide_reject, BY_ITSELF},
    {"try", decide_try, BY_ITSELF},
    {"snooze", decide_snooze, BY_ITSELF},
    {"undo", decide_undo, BY_ITSELF},
    {"next", decide_next, BY_ITSELF},
    {"select", decide_select, BY_ITSELF},
    {"reason", decide_reason, IN_AUDIT},
    {"daily_analysis", command_daily_analysis, IN_AUDIT},
    {"learning_paused", settings_pause_learning, IN_AUDIT},
    {"history_days", settings_use_history, IN_AUDIT},
    {"certainty", settings_ask_certainty, IN_AUDIT},
    {"log_level", settings_choose_log_level, IN_AUDIT},
    {"restart", settings_restart, IN_AUDIT},
    {"identify", settings_identify, IN_AUDIT},
};

/* Nobody outside is one of us. */
static const char *person(const char *who)
{
    static const char *const ours[] = {LIFE_WHO_ANALYSIS, LIFE_WHO_SCHEDULE, LIFE_WHO_SERVICE};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (who == NULL || strcmp(who, ours[i]) == 0)
            return "mqtt";
    return who;
}

int app_command(struct app *app, const char *command, json_object *arguments, const char *who,
                struct error *err)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, command) != 0)
            continue;
        if (commands[i].run(app, arguments, person(who), err) < 0)
            return -1;
        return commands[i].kept == BY_ITSELF
                   ? 0
                   : audit_command(app->store, command, NULL, json_get_string(arguments, "value"),
                                   person(who), clock_wall_ms(), err);
    }
    return error_set(err, ERROR_INVALID, "unknown command '%.40s'", command);
}

/* Why a message on one of our command topics is not obeyed; NULL = it is fine. */
static const char *refusal(struct app *app, const struct inbox_message *message, json_object *body,
                           char *buf, size_t size)
{
    if (message->flags & INBOX_RETAINED)
        return "the message is retained: an old command may not act again";
    if (message->flags & INBOX_REPEATED)
        return "its id was used before";
    if (message->flags & INBOX_TOO_LARGE)
        return "the payload is too large";
    if (message->flags & INBOX_NOT_TEXT)
        return "the payload is no UTF-8 text";
    if (message->payload[0] != '\0' && !json_object_is_type(body, json_type_object))
        return "the payload is not a JSON object";
    const char *sent = json_get_string(body, "timestamp");
    int64_t sent_ms;
    if (sent == NULL)
        return NULL;
    if (clock_parse_rfc3339(sent, &sent_ms) < 0)
        return "its timestamp is not RFC 3339";
    int64_t ttl_s = json_get_int(body, "ttl", options_int(&app->options, OPTION_TTL));
    int64_t age_ms = app_ha_now_ms(app) - sent_ms;
    if (age_ms / 1000 <= ttl_s)
        return NULL;
    snprintf(buf, size, "it is %lld s old, more than its ttl of %lld s", (long long)age_ms / 1000,
             (long long)ttl_s);
    return buf;
}

static void on_analysis_run(struct app *app, const struct inbox_message *message, json_object *body)
{
    char buf[APP_REASON_SIZE];
    struct error err = {0};
    const char *why = refusal(app, message, body, buf, sizeof(buf));
    if (why == NULL && analysis_request(app, &err) < 0)
        why = err.message;
    if (why != NULL)
        app_refuse(app, "analysis/run", "mqtt", why);
}

static void on_executed(struct app *app, const struct inbox_message *message, json_object *body)
{
    deploy_on_response(app, message, body, true);
}

static void on_failed(struct app *app, const struct inbox_message *message, json_object *body)
{
    deploy_on_response(app, message, body, false);
}

/* {"message": ...} or free text: the person in Developer Tools sees that we are there. */
static void on_test(struct app *app, const struct inbox_message *message, json_object *body)
{
    if (message->flags != 0)
        return;
    struct error err = {0};
    const char *text = json_get_string(body, "message");
    json_object *reply = json_object_new_object();
    json_object_object_add(reply, "message", json_object_new_string("ha-ai is here"));
    json_object_object_add(reply, "received",
                           json_object_new_string(text ? text : message->payload));
    json_object_object_add(reply, "version", json_object_new_string(HA_AI_VERSION));
    if (outbox_append(app->store, "ha-ai/test/reply", reply, options_int(&app->options, OPTION_TTL),
                      clock_wall_ms(), &err) < 0)
        log_error("app", "the test message is not answered: %s", err.message);
    json_object_put(reply);
}

static const struct {
    const char *topic;
    void (*handle)(struct app *app, const struct inbox_message *message, json_object *body);
} topics[] = {
    {"ha-ai/commands/analysis/run", on_analysis_run},
    {"ha-ai/responses/automation/executed", on_executed},
    {"ha-ai/responses/automation/failed", on_failed},
    {"ha-ai/test", on_test},
};

void commands_subscribe(struct app *app)
{
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
        mqtt_add_topic(app->mqtt, topics[i].topic, 0);
}

bool commands_on_message(struct app *app, const struct inbox_message *message)
{
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        if (strcmp(topics[i].topic, message->topic) != 0)
            continue;
        json_object *body = json_parse(message->payload, strlen(message->payload), NULL);
        topics[i].handle(app, message, body);
        json_object_put(body);
        return true;
    }
    return false;
}
