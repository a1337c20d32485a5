/* What people set at the device, kept over restarts, and its buttons for the process itself. */
#include "app/settings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "store/outbox.h"

enum {
    CERTAINTY_LEAST = 50,
    CERTAINTY_MOST = 99,
    HISTORY_DAYS_LEAST = 7,
    HISTORY_DAYS_MOST = 36500
};

static const char *const log_levels[] = {"error", "warn", "info", "debug"};

bool settings_set_log_level(const char *name)
{
    for (size_t i = 0; i < sizeof(log_levels) / sizeof(log_levels[0]); i++)
        if (strcmp(name, log_levels[i]) == 0) {
            log_set_level((enum log_level)i);
            return true;
        }
    return false;
}

static int64_t setting(const struct app *app, const char *name, int64_t otherwise)
{
    return json_get_int(json_get_object(app->facts, "settings"), name, otherwise);
}

bool settings_learning_paused(const struct app *app)
{
    return json_get_bool(json_get_object(app->facts, "settings"), "learning_paused", false);
}

bool settings_shows(const struct app *app, json_object *content)
{
    int64_t least = setting(app, "certainty", CERTAINTY_LEAST);
    return least <= CERTAINTY_LEAST || json_get_double(content, "score", 1) * 100 >= (double)least;
}

size_t settings_hide(const struct app *app, struct suggestion *list, size_t count)
{
    size_t shown = 0;
    for (size_t i = 0; i < count; i++) {
        if (list[i].state == SUGGESTION_NEW && !settings_shows(app, list[i].content))
            continue;
        struct suggestion one = list[i];
        memmove(&list[shown + 1], &list[shown], (i - shown) * sizeof(list[0]));
        list[shown++] = one;
    }
    return shown;
}

bool settings_since(const struct app *app, char out[SETTINGS_DATE_SIZE])
{
    int64_t days = setting(app, "history_days", 0);
    if (days <= 0 || app->tz == NULL || days >= options_int(&app->options, OPTION_ARCHIVE_DAYS))
        return false; /* all that is kept */
    struct tz_local now;
    int year, month, day;
    tz_to_local(app->tz, clock_wall_ms() / 1000, &now);
    tz_civil_from_days(now.day - days, &year, &month, &day);
    snprintf(out, SETTINGS_DATE_SIZE, "%04d-%02d-%02d", year, month, day);
    return true;
}

/* The level that was set at the device, until LOG_LEVEL is set to another one: who changes that
 * wants to see it. Kept as "level configured". */
static void init_log_level(struct app *app)
{
    const char *configured = options_string(&app->options, OPTION_LOG_LEVEL);
    char *kept = store_get(app->store, "log_level");
    char *space = kept != NULL ? strchr(kept, ' ') : NULL;
    if (space != NULL)
        *space++ = '\0';
    bool holds = space != NULL && strcmp(space, configured) == 0 && settings_set_log_level(kept);
    facts_set(app, "settings", "log_level", json_object_new_string(holds ? kept : configured));
    free(kept);
}

static void init_number(struct app *app, const char *name, int64_t otherwise)
{
    char *text = store_get(app->store, name);
    facts_set(app, "settings", name,
              json_object_new_int64(text != NULL ? strtoll(text, NULL, 10) : otherwise));
    free(text);
}

void settings_init(struct app *app)
{
    char *paused = store_get(app->store, "learning_paused");
    facts_set(app, "settings", "learning_paused",
              json_object_new_boolean(paused != NULL && strcmp(paused, "ON") == 0));
    free(paused);
    init_number(app, "history_days", options_int(&app->options, OPTION_ARCHIVE_DAYS));
    init_number(app, "certainty", CERTAINTY_LEAST);
    init_log_level(app);
}

int settings_pause_learning(struct app *app, json_object *arguments, const char *who,
                            struct error *err)
{
    (void)who;
    const char *value = json_get_string(arguments, "value");
    if (value == NULL || (strcmp(value, "ON") != 0 && strcmp(value, "OFF") != 0))
        return error_set(err, ERROR_INVALID, "learning_paused takes ON or OFF");
    if (store_set(app->store, "learning_paused", value, err) < 0)
        return -1;
    facts_set(app, "settings", "learning_paused",
              json_object_new_boolean(strcmp(value, "ON") == 0));
    facts_refresh_analysis(app, NULL);
    return 0;
}

static int take_number(struct app *app, const char *name, json_object *arguments, int64_t least,
                       int64_t most, struct error *err)
{
    double value = json_get_double(arguments, "value", NAN);
    if (!(value >= (double)least && value <= (double)most))
        return error_set(err, ERROR_INVALID, "%s takes a number from %lld to %lld", name,
                         (long long)least, (long long)most);
    char text[24];
    int64_t whole = (int64_t)lround(value);
    snprintf(text, sizeof(text), "%lld", (long long)whole);
    if (store_set(app->store, name, text, err) < 0)
        return -1;
    facts_set(app, "settings", name, json_object_new_int64(whole));
    return 0;
}

int settings_use_history(struct app *app, json_object *arguments, const char *who,
                         struct error *err)
{
    (void)who;
    return take_number(app, "history_days", arguments, HISTORY_DAYS_LEAST, HISTORY_DAYS_MOST, err);
}

int settings_ask_certainty(struct app *app, json_object *arguments, const char *who,
                           struct error *err)
{
    (void)who;
    if (take_number(app, "certainty", arguments, CERTAINTY_LEAST, CERTAINTY_MOST, err) < 0)
        return -1;
    facts_refresh_suggestions(app);
    return 0;
}

int settings_choose_log_level(struct app *app, json_object *arguments, const char *who,
                              struct error *err)
{
    (void)who;
    const char *value = json_get_string(arguments, "value");
    char kept[32];
    if (value == NULL || !settings_set_log_level(value))
        return error_set(err, ERROR_INVALID, "log_level takes error, warn, info or debug");
    snprintf(kept, sizeof(kept), "%s %s", value, options_string(&app->options, OPTION_LOG_LEVEL));
    if (store_set(app->store, "log_level", kept, err) < 0)
        return -1;
    facts_set(app, "settings", "log_level", json_object_new_string(value));
    return 0;
}

int settings_restart(struct app *app, json_object *arguments, const char *who, struct error *err)
{
    (void)arguments, (void)err;
    log_info("app", "a restart is asked for by %s", who != NULL && *who != '\0' ? who : "mqtt");
    app->restart_requested = true; /* when the message is committed, or it would come again */
    return 0;
}

/* Here I am: in the log, and for whoever listens in Developer Tools. */
int settings_identify(struct app *app, json_object *arguments, const char *who, struct error *err)
{
    (void)arguments;
    const char *instance = options_string(&app->options, OPTION_INSTANCE);
    log_info("app", "here is %s: ha-ai " HA_AI_VERSION ", asked by %s", instance,
             who != NULL && *who != '\0' ? who : "mqtt");
    json_object *reply = json_object_new_object();
    json_add_string(reply, "message", "ha-ai is here");
    json_add_string(reply, "received", "identify");
    json_add_string(reply, "instance", instance);
    json_add_string(reply, "version", HA_AI_VERSION);
    int rc = outbox_append(app->store, "ha-ai/test/reply", reply,
                           options_int(&app->options, OPTION_TTL), clock_wall_ms(), err);
    json_object_put(reply);
    return rc < 0 ? -1 : 0;
}
