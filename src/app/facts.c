#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "app/settings.h"
#include "app/state.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "store/outbox.h"

static const char *const NO_SUGGESTION = "–";

static json_object *time_or_null(int64_t utc_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    if (utc_ms <= 0)
        return NULL;
    clock_format_rfc3339(text, utc_ms);
    return json_object_new_string(text);
}

static json_object *text_or_null(const char *text)
{
    return text && *text ? json_object_new_string(text) : NULL;
}

void facts_set(struct app *app, const char *group, const char *key, json_object *value)
{
    json_object *obj = json_get_object(app->facts, group);
    if (obj == NULL) {
        obj = json_object_new_object();
        json_object_object_add(app->facts, group, obj);
    }
    json_object *old;
    if (json_object_object_get_ex(obj, key, &old) && json_object_equal(old, value)) {
        json_object_put(value);
        return;
    }
    json_object_object_add(obj, key, value);
    app->changes |= APP_CHANGED_FACTS;
}

/* Kept, so that a restart does not begin in English until HA has answered. */
static void learn_language(struct app *app, const char *said)
{
    struct error err = {0};
    if (said == NULL || (app->language != NULL && strcmp(app->language, said) == 0))
        return;
    free(app->language);
    app->language = xstrdup(said);
    if (store_set(app->store, "ha_language", said, &err) < 0)
        log_warn("app", "the language is not kept: %s", err.message);
}

void facts_refresh_connections(struct app *app)
{
    facts_set(app, "mqtt", "connected", json_object_new_boolean(mqtt_is_connected(app->mqtt)));
    facts_set(app, "mqtt", "problem", text_or_null(mqtt_problem(app->mqtt)));

    json_object *config = app->ha ? ha_config(app->ha) : NULL;
    facts_set(app, "ha", "configured", json_object_new_boolean(app->ha != NULL));
    facts_set(app, "ha", "reachable",
              app->ha ? json_object_new_boolean(ha_is_reachable(app->ha)) : NULL);
    facts_set(app, "ha", "problem", text_or_null(app->ha ? ha_problem(app->ha) : NULL));
    bool admin_known = app->ha != NULL && ha_is_admin_known(app->ha);
    facts_set(app, "ha", "admin",
              admin_known ? json_object_new_boolean(ha_is_admin(app->ha)) : NULL);
    facts_set(app, "ha", "version", text_or_null(json_get_string(config, "version")));
    learn_language(app, json_get_string(config, "language"));
    facts_set(app, "ha", "language", text_or_null(app->language));

    struct error err = {0};
    bool healthy = store_is_healthy(app->store, &err);
    facts_set(app, "database", "ok", json_object_new_boolean(healthy));
    facts_set(app, "database", "problem", text_or_null(healthy ? NULL : err.message));

    struct outbox_counts out;
    if (outbox_count(app->store, &out, &err) == 0) {
        facts_set(app, "outbox", "waiting", json_object_new_int64(out.waiting));
        facts_set(app, "outbox", "oldest", time_or_null(out.oldest_ms));
        facts_set(app, "outbox", "expired", json_object_new_int64(out.expired));
        facts_set(app, "outbox", "dropped", json_object_new_int64(out.dropped + out.failed));
    }
    struct run_counts runs;
    if (run_count(app->store, NULL, app_ha_now_ms(app), &runs, &err) == 0) {
        facts_set(app, "runs", "total", json_object_new_int64(runs.runs));
        facts_set(app, "runs", "confirmed", json_object_new_int64(runs.confirmed));
        facts_set(app, "runs", "failed", json_object_new_int64(runs.failed));
        facts_set(app, "runs", "unconfirmed", json_object_new_int64(runs.unconfirmed));
        facts_set(app, "runs", "last", time_or_null(runs.last_ms));
    }
    health_refresh(app);
}

/* The selection stays while its suggestion waits; else the best waiting one is taken. */
static size_t settle_selection(struct app *app, const struct suggestion *waiting, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(waiting[i].id, app->choice.selected) == 0)
            return i;
    if (count == 0 && app->choice.selected[0] == '\0')
        return 0;
    snprintf(app->choice.selected, sizeof(app->choice.selected), "%s", count ? waiting[0].id : "");
    app->choice.moved_ms = app_ha_now_ms(app);
    app->choice.shown_ms = 0;
    struct error err = {0};
    if (store_set(app->store, "selected", app->choice.selected, &err) < 0)
        log_warn("app", "the selection could not be kept: %s", err.message);
    return 0;
}

void facts_refresh_suggestions(struct app *app)
{
    struct suggestion *waiting;
    size_t count, all;
    struct error err = {0};
    unsigned mask = 1u << SUGGESTION_NEW | 1u << SUGGESTION_FAILED;
    if (suggestions_list(app->store, mask, &waiting, &all, &err) < 0) {
        log_error("app", "suggestions cannot be read: %s", err.message);
        return;
    }
    count = settings_hide(app, waiting, all);
    facts_set(app, "suggestions", "hidden", json_object_new_int64((int64_t)(all - count)));
    size_t selected = settle_selection(app, waiting, count);
    json_object *options = json_object_new_array();
    for (size_t i = 0; i < count; i++) /* the best, and what is selected: the rest is kept */
        if (i < SUGGESTIONS_SHOWN || i == selected)
            json_object_array_add(options, json_object_new_string(waiting[i].title));
    if (count == 0)
        json_object_array_add(options, json_object_new_string(NO_SUGGESTION));
    facts_set(app, "suggestions", "waiting", json_object_new_int64((int64_t)count));
    facts_set(app, "suggestions", "options", options);
    facts_set(app, "suggestions", "selected",
              json_object_new_string(count ? waiting[selected].title : NO_SUGGESTION));

    json_object *detail = NULL;
    if (count > 0) {
        const struct suggestion *s = &waiting[selected];
        detail = json_object_new_object();
        json_object_object_foreach(s->content, key, value)
            json_object_object_add(detail, key, json_object_get(value));
        json_object_object_add(detail, "id", json_object_new_string(s->id));
        json_object_object_add(detail, "title", json_object_new_string(s->title));
        json_object_object_add(detail, "state",
                               json_object_new_string(suggestion_state_name(s->state)));
        json_object_object_add(detail, "reason", text_or_null(s->reason));
    }
    facts_set(app, "suggestions", "detail", detail);
    suggestions_free(waiting, all);

    if (suggestions_list(app->store, 1u << SUGGESTION_DEPLOYED, &waiting, &count, &err) == 0) {
        facts_set(app, "suggestions", "deployed", json_object_new_int64((int64_t)count));
        suggestions_free(waiting, count);
    }
}

void facts_set_progress(struct app *app, int percent, const char *phase)
{
    facts_set(app, "analysis", "progress", json_object_new_int(percent));
    facts_set(app, "analysis", "phase", text_or_null(phase));
}

/* What the last analysis came to, without what changes while one runs: HA's recorder keeps every
 * change of an attribute. */
static json_object *outcome_of(json_object *last)
{
    static const char *const keys[] = {"found", "learning", "hypotheses", "dropped", "error"};
    json_object *out = json_object_new_object();
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        json_object_object_add(out, keys[i],
                               json_object_get(json_object_object_get(last, keys[i])));
    return out;
}

void facts_refresh_analysis(struct app *app, json_object *last)
{
    static const char *const copied[] = {"last_ended", "last_duration_s", "error", "hypotheses",
                                         "learning",   "dropped",         "found"};
    static const char *const history[] = {"state_changes", "days"};

    if (last != NULL) {
        for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
            facts_set(app, "analysis", copied[i],
                      json_object_get(json_object_object_get(last, copied[i])));
        /* A failed analysis knows no history: what was read before stays true. */
        for (size_t i = 0; i < sizeof(history) / sizeof(history[0]); i++) {
            json_object *value = json_object_object_get(last, history[i]);
            if (value != NULL)
                facts_set(app, "history", history[i], json_object_get(value));
        }
        facts_set(app, "analysis", "outcome", outcome_of(last));
        json_object *failed = json_object_object_get(last, "error");
        facts_set(app, "history", "problem",
                  json_object_get(failed ? failed : json_object_object_get(last, "problem")));
    }
    json_object *error = json_at(app->facts, "analysis.error");
    facts_set(app, "analysis", "state",
              json_object_new_string(app->analysing  ? "running"
                                     : error != NULL ? "failed"
                                                     : "idle"));
    bool daily = json_get_bool(json_get_object(app->facts, "settings"), "daily_analysis", true);
    bool runs = daily && !settings_learning_paused(app) && app->history != NULL &&
                app->next_run_s != INT64_MAX;
    facts_set(app, "analysis", "next", runs ? time_or_null(app->next_run_s * 1000) : NULL);
}

void facts_init(struct app *app)
{
    app->facts = json_object_new_object();
    json_object_object_add(app->facts, "version", json_object_new_string(HA_AI_VERSION));
    facts_set(app, "history", "configured", json_object_new_boolean(app->history != NULL));
    facts_set(app, "history", "problem", NULL);
    facts_set(app, "history", "state_changes", NULL);
    facts_set(app, "history", "days", NULL);
    char *daily = store_get(app->store, "daily_analysis");
    facts_set(app, "settings", "daily_analysis",
              json_object_new_boolean(daily == NULL || strcmp(daily, "ON") == 0));
    free(daily);
    settings_init(app);
    app->language = store_get(app->store, "ha_language");
    char *selected = store_get(app->store, "selected");
    snprintf(app->choice.selected, sizeof(app->choice.selected), "%s", selected ? selected : "");
    free(selected);
    facts_set_progress(app, 0, NULL);
    char *text = store_get(app->store, "last_analysis");
    json_object *last = text ? json_parse(text, strlen(text), NULL) : NULL;
    facts_refresh_analysis(app, last ? last : app->facts);
    json_object_put(last);
    free(text);
    facts_refresh_connections(app);
    facts_refresh_suggestions(app);
    health_init(app);
}
