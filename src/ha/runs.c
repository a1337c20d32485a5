/* Runs of our automations: HA's event stream, and after each gap in it last_triggered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "ha/private.h"

enum {
    LINE_MAX_BYTES = 256 * 1024, /* HA's own limit of an event is 32 kB */
    PENDING_MAX = 64,
    KNOWN_MAX = 4000,
    SILENCE_MAX_MS = 120 * 1000, /* HA sends a ping every 50 s */
    FIRST_DELAY_MS = 1000,
    LAST_DELAY_MS = 60 * 1000,
    REFRESH_AGAIN_MS = 5 * 1000,
    SAME_RUN_MS = 2000, /* between a run's event and its last_triggered */
};

/* One of our automations in HA: events name the entity, not the id. */
struct known {
    char entity[HA_ENTITY_MAX], id[HA_ID_MAX];
};

struct watched {
    char id[HA_ID_MAX];
    int64_t last_ms;      /* -1 = no base line yet */
    bool is_from_refresh; /* its event may still come */
};

struct pending {
    char entity[HA_ENTITY_MAX], context_id[64];
    int64_t at_ms;
};

struct ha_runs {
    struct ha *ha;
    struct http_transfer *stream, *refresh;
    int timer; /* the next connection, or the end of patience with this one */
    int refresh_timer;
    bool is_open, is_known_stale;
    int64_t delay_ms;
    char *line;
    size_t line_len, line_capacity;
    bool line_too_long;
    struct known *known;
    size_t known_count;
    struct watched *watched;
    size_t watched_count;
    struct pending pending[PENDING_MAX];
    size_t pending_count;
};

static void refresh_known(struct ha_runs *runs);
static int64_t refresh_now(void *ctx);
static int64_t connect_now(void *ctx);
static void wait_for_silence(struct ha_runs *runs);

static struct watched *find_watched(struct ha_runs *runs, const char *id)
{
    for (size_t i = 0; i < runs->watched_count; i++)
        if (strcmp(runs->watched[i].id, id) == 0)
            return &runs->watched[i];
    return NULL;
}

static const char *find_known(const struct ha_runs *runs, const char *entity)
{
    for (size_t i = 0; i < runs->known_count; i++)
        if (strcmp(runs->known[i].entity, entity) == 0)
            return runs->known[i].id;
    return NULL;
}

static void tell_automations(struct ha_runs *runs)
{
    const struct ha_settings *settings = &runs->ha->settings;
    if (settings->on_automations != NULL)
        settings->on_automations(settings->ctx);
}

static void tell_run(struct ha_runs *runs, const char *id, const char *context_id, int64_t at_ms)
{
    const struct ha_settings *settings = &runs->ha->settings;
    if (settings->on_run != NULL)
        settings->on_run(id, context_id, at_ms, settings->ctx);
}

/* --- events --- */

static void take_run(struct ha_runs *runs, const char *id, const struct pending *run)
{
    struct watched *watched = find_watched(runs, id);
    if (watched != NULL) {
        bool is_same = llabs(run->at_ms - watched->last_ms) <= SAME_RUN_MS;
        if (watched->is_from_refresh && is_same) {
            watched->is_from_refresh = false; /* counted already */
            return;
        }
        if (run->at_ms > watched->last_ms)
            watched->last_ms = run->at_ms;
        watched->is_from_refresh = false;
    }
    tell_run(runs, id, run->context_id, run->at_ms);
}

static void take_triggered(struct ha_runs *runs, json_object *event)
{
    const char *entity = json_get_string(json_get_object(event, "data"), "entity_id");
    const char *context_id = json_get_string(json_get_object(event, "context"), "id");
    const char *time = json_get_string(event, "time_fired");
    struct pending run = {.at_ms = clock_wall_ms()};
    if (entity == NULL || strlen(entity) >= sizeof(run.entity))
        return;
    if (time != NULL)
        clock_parse_rfc3339(time, &run.at_ms);
    snprintf(run.entity, sizeof(run.entity), "%s", entity);
    snprintf(run.context_id, sizeof(run.context_id), "%s", context_id != NULL ? context_id : "");
    if (!runs->is_known_stale) { /* an unknown one is somebody else's */
        const char *id = find_known(runs, run.entity);
        if (id != NULL)
            take_run(runs, id, &run);
        return;
    }
    if (runs->pending_count < PENDING_MAX)
        runs->pending[runs->pending_count++] = run;
    else
        log_warn("ha", "more than %d runs wait for HA's list of automations: one is not counted",
                 PENDING_MAX);
    refresh_known(runs);
}

/* Automations were reloaded, or an entity of any kind was made, renamed or removed. */
static void take_change(struct ha_runs *runs, const char *type, json_object *event)
{
    const char *entity = json_get_string(json_get_object(event, "data"), "entity_id");
    runs->is_known_stale = true;
    if (strcmp(type, "automation_reloaded") == 0 ||
        (entity != NULL && strncmp(entity, "automation.", 11) == 0))
        tell_automations(runs);
}

/* "data: ..." of one event; HA writes each on one line. */
static void take_line(struct ha_runs *runs, const char *line, size_t len)
{
    static const char prefix[] = "data: ";
    size_t skip = sizeof(prefix) - 1;
    if (len < skip || memcmp(line, prefix, skip) != 0)
        return;
    if (!runs->is_open) {
        runs->is_open = true;
        runs->delay_ms = FIRST_DELAY_MS;
        log_debug("ha", "the event stream is open");
        refresh_known(runs);
        tell_automations(runs); /* who knows what happened before */
    }
    json_object *event = json_parse(line + skip, len - skip, NULL); /* "ping" is none */
    const char *type = json_get_string(event, "event_type");
    if (type == NULL)
        ;
    else if (strcmp(type, "automation_triggered") == 0)
        take_triggered(runs, event);
    else
        take_change(runs, type, event);
    json_object_put(event);
}

static void keep_line(struct ha_runs *runs, const char *data, size_t len)
{
    if (runs->line_too_long || len > LINE_MAX_BYTES - runs->line_len) {
        runs->line_too_long = true;
        return;
    }
    if (runs->line_capacity < runs->line_len + len) {
        runs->line_capacity = (runs->line_len + len) * 2;
        runs->line = xrealloc(runs->line, runs->line_capacity);
    }
    memcpy(runs->line + runs->line_len, data, len);
    runs->line_len += len;
}

static void on_stream_data(const char *data, size_t len, void *ctx)
{
    struct ha_runs *runs = ctx;
    wait_for_silence(runs);
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t n = end != NULL ? (size_t)(end - data) : len;
        keep_line(runs, data, n);
        if (end == NULL)
            return;
        if (!runs->line_too_long)
            take_line(runs, runs->line, runs->line_len);
        runs->line_len = 0;
        runs->line_too_long = false;
        data += n + 1;
        len -= n + 1;
    }
}

/* --- the connection --- */

static void connect_later(struct ha_runs *runs)
{
    http_cancel(runs->stream);
    runs->stream = NULL;
    runs->is_open = false;
    loop_remove_timer(runs->ha->loop, runs->timer);
    runs->timer = loop_add_timer(runs->ha->loop, runs->delay_ms, connect_now, runs);
    runs->delay_ms = runs->delay_ms * 2 < LAST_DELAY_MS ? runs->delay_ms * 2 : LAST_DELAY_MS;
}

static int64_t on_silence(void *ctx)
{
    struct ha_runs *runs = ctx;
    runs->timer = 0;
    log_info("ha", "the event stream has been silent for %d s: connecting again",
             SILENCE_MAX_MS / 1000);
    connect_later(runs);
    return LOOP_TIMER_STOP;
}

static void wait_for_silence(struct ha_runs *runs)
{
    loop_remove_timer(runs->ha->loop, runs->timer);
    runs->timer = loop_add_timer(runs->ha->loop, SILENCE_MAX_MS, on_silence, runs);
}

static void on_stream_done(const struct http_response *response, void *ctx)
{
    struct ha_runs *runs = ctx;
    char text[512];
    runs->stream = NULL;
    ha_describe_answer(response, text, sizeof(text));
    log_debug("ha", "the event stream ended: %s", text);
    if (response->status == 401 || response->status == 403)
        runs->delay_ms = LAST_DELAY_MS; /* HA logs and counts these */
    connect_later(runs);
    ha_probe_now(runs->ha);
}

static int64_t connect_now(void *ctx)
{
    struct ha_runs *runs = ctx;
    /* The other two tell that the list of our automations has changed. */
    char *url = xasprintf("%s/api/stream?restrict=automation_triggered,automation_reloaded,"
                          "entity_registry_updated",
                          runs->ha->url);
    struct http_request request = {.method = "GET",
                                   .url = url,
                                   .bearer = runs->ha->token,
                                   .timeout_ms = -1,
                                   .on_data = on_stream_data,
                                   .on_done = on_stream_done,
                                   .ctx = runs};
    runs->timer = 0;
    runs->line_len = 0;
    runs->line_too_long = false;
    runs->is_known_stale = true;
    runs->stream = http_start(runs->ha->loop, &request);
    free(url);
    wait_for_silence(runs);
    return LOOP_TIMER_STOP;
}

/* --- HA's list of our automations --- */

static void check_last_triggered(struct ha_runs *runs, const char *id, int64_t at_ms)
{
    struct watched *watched = find_watched(runs, id);
    if (watched == NULL)
        return;
    if (watched->last_ms < 0) {
        watched->last_ms = at_ms;
    } else if (at_ms > watched->last_ms + SAME_RUN_MS) {
        watched->last_ms = at_ms;
        watched->is_from_refresh = true;
        tell_run(runs, id, "", at_ms);
    }
}

static void take_known(struct ha_runs *runs, json_object *list)
{
    size_t count = json_object_array_length(list);
    if (count > KNOWN_MAX)
        count = KNOWN_MAX;
    runs->known = xreallocarray(runs->known, count + 1, sizeof(*runs->known));
    runs->known_count = 0;
    for (size_t i = 0; i < count; i++) {
        json_object *row = json_object_array_get_idx(list, i);
        if (!json_object_is_type(row, json_type_array) || json_object_array_length(row) < 4)
            continue;
        struct known *known = &runs->known[runs->known_count];
        const char *entity = json_object_get_string(json_object_array_get_idx(row, 0));
        const char *id = json_object_get_string(json_object_array_get_idx(row, 1));
        if (entity == NULL || id == NULL || strlen(entity) >= sizeof(known->entity) ||
            strlen(id) >= sizeof(known->id))
            continue;
        snprintf(known->entity, sizeof(known->entity), "%s", entity);
        snprintf(known->id, sizeof(known->id), "%s", id);
        runs->known_count++;
    }
}

static void on_refreshed(const struct http_response *response, void *ctx)
{
    struct ha_runs *runs = ctx;
    char text[512];
    runs->refresh = NULL;
    json_object *list = ha_parse_automations(response, text, sizeof(text));
    if (list == NULL) {
        log_debug("ha", "%s", text);
        runs->is_known_stale = true;
        runs->refresh_timer = loop_add_timer(runs->ha->loop, REFRESH_AGAIN_MS, refresh_now, runs);
        return;
    }
    take_known(runs, list);
    if (runs->is_known_stale) { /* they changed since we asked: what waits goes on waiting */
        json_object_put(list);
        refresh_known(runs);
        return;
    }
    size_t count = runs->pending_count; /* first the runs that are known exactly */
    runs->pending_count = 0;
    for (size_t i = 0; i < count; i++) {
        const char *id = find_known(runs, runs->pending[i].entity);
        if (id != NULL)
            take_run(runs, id, &runs->pending[i]);
    }
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        json_object *row = json_object_array_get_idx(list, i);
        if (!json_object_is_type(row, json_type_array))
            continue;
        const char *id = json_object_get_string(json_object_array_get_idx(row, 1));
        double at_s = json_object_get_double(json_object_array_get_idx(row, 3));
        if (id != NULL && at_s >= 0 && at_s < 1e12)
            check_last_triggered(runs, id, (int64_t)(at_s * 1000));
    }
    json_object_put(list);
}

static int64_t refresh_now(void *ctx)
{
    struct ha_runs *runs = ctx;
    runs->refresh_timer = 0;
    if (runs->is_open) { /* otherwise the next connection asks */
        runs->is_known_stale = false;
        runs->refresh = ha_request_automations(runs->ha, on_refreshed, runs);
    }
    return LOOP_TIMER_STOP;
}

static void refresh_known(struct ha_runs *runs)
{
    if (runs->refresh == NULL && runs->refresh_timer == 0)
        refresh_now(runs);
}

/* --- its life --- */

struct ha_runs *ha_runs_new(struct ha *ha)
{
    struct ha_runs *runs = xcalloc(1, sizeof(*runs));
    runs->ha = ha;
    return runs;
}

void ha_runs_start(struct ha_runs *runs)
{
    if (runs->stream != NULL || runs->timer != 0)
        return;
    runs->delay_ms = FIRST_DELAY_MS;
    connect_now(runs);
}

void ha_runs_stop(struct ha_runs *runs)
{
    http_cancel(runs->stream);
    http_cancel(runs->refresh);
    loop_remove_timer(runs->ha->loop, runs->timer);
    loop_remove_timer(runs->ha->loop, runs->refresh_timer);
    runs->stream = runs->refresh = NULL;
    runs->timer = runs->refresh_timer = 0;
    runs->is_open = false;
}

void ha_runs_free(struct ha_runs *runs)
{
    ha_runs_stop(runs);
    free(runs->line);
    free(runs->known);
    free(runs->watched);
    free(runs);
}

void ha_watch_automations(struct ha *ha, const char *const *ids, size_t count)
{
    struct ha_runs *runs = ha->runs;
    if (count > HA_WATCHED_MAX)
        count = HA_WATCHED_MAX;
    struct watched *watched = xcalloc(count + 1, sizeof(*watched));
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (strlen(ids[i]) >= sizeof(watched[kept].id))
            continue;
        const struct watched *former = find_watched(runs, ids[i]);
        watched[kept].last_ms = -1;
        if (former != NULL)
            watched[kept] = *former;
        else
            snprintf(watched[kept].id, sizeof(watched[kept].id), "%s", ids[i]);
        kept++;
    }
    free(runs->watched);
    runs->watched = watched;
    runs->watched_count = kept;
    if (runs->is_open)
        refresh_known(runs);
}

void ha_set_last_run(struct ha *ha, const char *automation_id, int64_t at_ms)
{
    struct watched *watched = find_watched(ha->runs, automation_id);
    if (watched != NULL && at_ms > watched->last_ms)
        watched->last_ms = at_ms;
}
