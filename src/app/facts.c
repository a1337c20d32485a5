#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "app/settings.h"
#include "app/state.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "plot/evidence.h"
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

json_object *facts_text(const char *text)
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
    facts_set(app, "mqtt", "problem", facts_text(mqtt_problem(app->mqtt)));

    json_object *config = app->ha ? ha_config(app->ha) : NULL;
    facts_set(app, "ha", "configured", json_object_new_boolean(app->ha != NULL));
    facts_set(app, "ha", "reachable",
              app->ha ? json_object_new_boolean(ha_is_reachable(app->ha)) : NULL);
    facts_set(app, "ha", "problem", facts_text(app->ha ? ha_problem(app->ha) : NULL));
    bool admin_known = app->ha != NULL && ha_is_admin_known(app->ha);
    facts_set(app, "ha", "admin",
              admin_known ? json_object_new_boolean(ha_is_admin(app->ha)) : NULL);
    json_object *websocket = json_object_new_object();
    json_add_bool(websocket, "connected", app->ha != NULL && ha_websocket_is_open(app->ha));
    json_object_object_add(websocket, "problem",
                           facts_text(app->ha ? ha_websocket_problem(app->ha) : NULL));
    facts_set(app, "ha", "websocket", websocket);
    facts_set(app, "ha", "version", facts_text(json_get_string(config, "version")));
    learn_language(app, json_get_string(config, "language"));
    facts_set(app, "ha", "language", facts_text(app->language));

    struct error err = {0};
    bool healthy = store_is_healthy(app->store, &err);
    facts_set(app, "database", "ok", json_object_new_boolean(healthy));
    facts_set(app, "database", "problem", facts_text(healthy ? NULL : err.message));

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

/* The selection stays while its suggestion can be decided on; else the best one is taken. */
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

/* The evidence of a suggestion (NULL = none is selected), drawn; without what the broker would not
 * take. */
static json_object *draw_picture(struct app *app, const struct suggestion *s)
{
    json_object *picture = s != NULL ? json_get_object(s->content, "picture") : NULL;
    char *svg = plot_evidence(picture, s != NULL ? s->title : NULL, NULL);
    if (strlen(svg) > mqtt_payload_max(app->mqtt)) {
        free(svg);
        svg = plot_evidence(NULL, s != NULL ? s->title : NULL, NULL);
    }
    json_object *text = json_object_new_string(svg);
    free(svg);
    return text;
}

/* The title of what it would take the place of, or took; null: nothing. */
static json_object *replaced_by(struct app *app, const struct suggestion *s)
{
    struct suggestion base;
    struct error err = {0};
    const char *id = proposal_retires(s) ? NULL : proposal_base(s);
    if (id == NULL || suggestion_find(app->store, id, &base, &err) <= 0)
        return NULL;
    json_object *title = json_object_new_string(base.title);
    suggestion_release(&base);
    return title;
}

/* The selected one, as the select's attributes show it. */
static json_object *detail_of(struct app *app, const struct suggestion *s)
{
    json_object *detail = json_object_new_object();
    json_object_object_foreach(s->content, key, value) if (strcmp(key, "picture") != 0)
        json_object_object_add(detail, key, json_object_get(value));
    json_add_string(detail, "id", s->id);
    json_add_string(detail, "title", s->title);
    json_add_string(detail, "state", suggestion_state_name(s->state));
    json_add_string(detail, "status", suggestion_state_name(s->state)); /* HA drops a "state" */
    json_object_object_add(detail, "reason", facts_text(s->reason));
    json_object_object_add(detail, "since", time_or_null(s->since_ms));
    json_object_object_add(detail, "until", time_or_null(s->until_ms));
    json_object_object_add(detail, "replaces", replaced_by(app, s));
    return detail;
}

/* hidden: new ones that are not shown. */
static void refresh_counts(struct app *app, int64_t hidden)
{
    int64_t counts[SUGGESTION_STATE_COUNT], waiting = 0;
    struct error err = {0};
    if (suggestions_count(app->store, counts, &err) < 0) {
        log_error("app", "suggestions cannot be counted: %s", err.message);
        return;
    }
    for (int i = 0; i < SUGGESTION_STATE_COUNT; i++) {
        waiting += 1 << i & SUGGESTION_WAITING ? counts[i] : 0;
        facts_set(app, "suggestions", suggestion_state_name((enum suggestion_state)i),
                  json_object_new_int64(counts[i]));
    }
    facts_set(app, "suggestions", "waiting", json_object_new_int64(waiting - hidden));
}

void facts_refresh_suggestions(struct app *app)
{
    struct suggestion *offered;
    size_t count, all;
    struct error err = {0};
    if (suggestions_list(app->store, SUGGESTION_OFFERED, &offered, &all, &err) < 0) {
        log_error("app", "suggestions cannot be read: %s", err.message);
        return;
    }
    count = settings_hide(app, offered, all);
    facts_set(app, "suggestions", "hidden", json_object_new_int64((int64_t)(all - count)));
    size_t selected = settle_selection(app, offered, count);
    json_object *options = json_object_new_array();
    for (size_t i = 0; i < count; i++) /* the best, and what is selected: the rest is kept */
        if (i < SUGGESTIONS_SHOWN || i == selected)
            json_object_array_add(options, json_object_new_string(offered[i].title));
    if (count == 0)
        json_object_array_add(options, json_object_new_string(NO_SUGGESTION));
    facts_set(app, "suggestions", "options", options);
    facts_set(app, "suggestions", "selected",
              json_object_new_string(count ? offered[selected].title : NO_SUGGESTION));
    facts_set(app, "suggestions", "detail", count ? detail_of(app, &offered[selected]) : NULL);
    facts_set(app, "suggestions", "picture", draw_picture(app, count ? &offered[selected] : NULL));
    suggestions_free(offered, all);
    refresh_counts(app, (int64_t)(all - count));
}

void facts_set_progress(struct app *app, int percent, const char *phase)
{
    facts_set(app, "analysis", "progress", json_object_new_int(percent));
    facts_set(app, "analysis", "phase", facts_text(phase));
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
    char *reason = store_get(app->store, "reject_reason");
    facts_set(app, "settings", "reject_reason",
              json_object_new_string(reason ? reason : objection_name(OBJECTION_HABIT)));
    free(reason);
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
