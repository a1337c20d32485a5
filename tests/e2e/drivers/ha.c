/* src/ha on stdin and stdout: HA_URL and HA_TOKEN from the environment; "deploy ID JSON", "watch ID LAST_RUN_MS"
 * (-1 = not on record), "undeploy ID EARLIER" (JSON or null), "compare ID -", "automations - -",
 * "explain ID CONTEXT|AT_MS",
 * "entities - ID,ID,..."; prints "state REACHABLE ADMIN PROBLEM", "websocket OPEN PROBLEM",
 * "run ID CONTEXT AT_MS", "deployed ID SAVED ERROR", "automation JSON" and "automations LEFT_OUT ERROR".
 * Ends with stdin. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "core/log.h"
#include "ha/ha.h"

enum { WATCHED_MAX = 100, INPUT_MAX = 65536 };

static struct loop *loop;
static struct ha *ha;
static char *watched[WATCHED_MAX];
static size_t watched_count;

static void on_changed(void *ctx)
{
    (void)ctx;
    printf("state %d %d %s\n", ha_is_reachable(ha), ha_is_admin(ha), ha_problem(ha));
}

static void on_run(const char *id, const char *context_id, int64_t at_ms, void *ctx)
{
    (void)ctx;
    printf("run %s %s %" PRId64 "\n", id, context_id[0] != '\0' ? context_id : "-", at_ms);
}

/* What was written last under an id. */
static json_object *written;

static void on_deployed(const struct ha_deployed *result, void *ctx)
{
    printf("deployed %s %d %s\n", (const char *)ctx, result->saved != NULL,
           result->error != NULL ? result->error : "");
    if (result->saved != NULL)
        json_object_object_add(written, ctx, json_object_get(result->saved));
    free(ctx);
}

static void on_undeployed(const struct ha_undeployed *result, void *ctx)
{
    printf("undeployed %s %d %d %s\n", (const char *)ctx, result->is_theirs, result->is_transient,
           result->error != NULL ? result->error : "");
    free(ctx);
}

static void on_compared(enum ha_verdict verdict, const char *field, void *ctx)
{
    static const char *const names[] = {"unknown", "same", "differs", "missing"};
    printf("compared %s %s %s\n", (const char *)ctx, names[verdict], field);
    free(ctx);
}

static void on_websocket(void *ctx)
{
    (void)ctx;
    printf("websocket %d %s\n", ha_websocket_is_open(ha), ha_websocket_problem(ha));
}

static const char *or_dash(const char *text)
{
    return text != NULL ? text : "-";
}

static void on_change(const struct ha_change *change, void *ctx)
{
    (void)ctx;
    if (change->is_first) {
        printf("is %s %s\n", change->entity_id, or_dash(change->to));
        return;
    }
    printf("change %s %s %s %s %s %s %" PRId64 "\n", change->entity_id, or_dash(change->from),
           or_dash(change->to), or_dash(change->context_id), or_dash(change->parent_id),
           or_dash(change->user_id), change->at_ms);
}

static void watch_entities(char *list)
{
    const char *ids[HA_LIVE_ENTITIES_MAX + 1];
    size_t count = 0;
    char *save = NULL;
    struct error err;
    for (const char *id = strtok_r(list, ",", &save); id != NULL && count <= HA_LIVE_ENTITIES_MAX;
         id = strtok_r(NULL, ",", &save))
        ids[count++] = id;
    int rc = ha_watch_entities(ha, ids, count, on_change, NULL, &err);
    printf("watching %zu %s\n", count, rc < 0 ? err.message : "");
}

static void on_explained(const char *words, void *ctx)
{
    (void)ctx;
    printf("explained %s\n", or_dash(words));
}

static void on_changed_automations(void *ctx)
{
    (void)ctx;
    printf("changed\n");
}

static void on_automation(json_object *automation, void *ctx)
{
    (void)ctx;
    printf("automation %s\n", json_text(automation));
}

static void on_automations(const char *error, size_t left_out, void *ctx)
{
    (void)ctx;
    printf("automations %zu %s\n", left_out, error != NULL ? error : "");
}

static void command(char *line)
{
    char *save = NULL;
    const char *verb = strtok_r(line, " ", &save);
    const char *id = strtok_r(NULL, " ", &save);
    const char *rest = strtok_r(NULL, "", &save);
    if (verb == NULL || id == NULL || rest == NULL)
        exit(2);
    if (strcmp(verb, "deploy") == 0) {
        json_object *automation = json_parse(rest, strlen(rest), NULL);
        ha_deploy(ha, id, automation, json_object_object_get(written, id), on_deployed,
                  strdup(id));
        json_object_put(automation);
    } else if (strcmp(verb, "undeploy") == 0) {
        json_object *earlier = json_parse(rest, strlen(rest), NULL);
        ha_undeploy(ha, id, json_object_object_get(written, id), earlier, on_undeployed,
                    strdup(id));
        json_object_put(earlier);
    } else if (strcmp(verb, "entities") == 0) {
        char *list = strdup(rest);
        watch_entities(list);
        free(list);
    } else if (strcmp(verb, "explain") == 0) {
        bool is_time = strspn(rest, "0123456789") == strlen(rest);
        ha_explain_run(ha, id, is_time ? "" : rest, strtoll(rest, NULL, 10), on_explained, NULL);
    } else if (strcmp(verb, "compare") == 0) {
        ha_compare(ha, id, json_object_object_get(written, id), on_compared, strdup(id));
    } else if (strcmp(verb, "automations") == 0) {
        struct error err;
        if (ha_read_automations(ha, on_automation, on_automations, NULL, &err) < 0)
            on_automations(err.message, 0, NULL);
    } else {
        int64_t last_ms = strtoll(rest, NULL, 10);
        if (watched_count == WATCHED_MAX)
            exit(2);
        watched[watched_count++] = strdup(id);
        ha_watch_automations(ha, (const char *const *)watched, watched_count);
        if (last_ms >= 0)
            ha_set_last_run(ha, id, last_ms);
    }
}

static void on_input(int fd, short events, void *ctx)
{
    static char input[INPUT_MAX];
    static size_t len;
    (void)events;
    (void)ctx;
    ssize_t n = read(fd, input + len, sizeof(input) - 1 - len);
    if (n <= 0) {
        loop_stop(loop);
        return;
    }
    len += (size_t)n;
    input[len] = '\0';
    char *end;
    while ((end = strchr(input, '\n')) != NULL) {
        *end = '\0';
        command(input);
        len -= (size_t)(end + 1 - input);
        memmove(input, end + 1, len + 1);
    }
}

int main(void)
{
    struct error err;
    setvbuf(stdout, NULL, _IOLBF, 0);
    log_set_level(LOG_LEVEL_DEBUG);
    loop = loop_new();
    written = json_object_new_object();
    struct ha_settings settings = {.url = getenv("HA_URL"),
                                   .token = getenv("HA_TOKEN"),
                                   .on_changed = on_changed,
                                   .on_run = on_run,
                                   .on_websocket = on_websocket,
                                   .on_automations = on_changed_automations};
    ha = ha_new(loop, &settings, &err);
    if (ha == NULL) {
        printf("error %s\n", err.message);
        return 1;
    }
    loop_add_fd(loop, STDIN_FILENO, POLLIN, on_input, NULL);
    loop_run(loop);
    ha_free(ha);
    loop_free(loop);
    json_object_put(written);
    for (size_t i = 0; i < watched_count; i++)
        free(watched[i]);
    return 0;
}
