/* HA's trace of a run: the truth about it, with HA's own words for what went wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/xalloc.h"
#include "ha/private.h"

enum {
    SAME_RUN_MS = 5000, /* between a trace's start and the time that is told of its run */
    WORDS_MAX = 300,
};

struct ha_explanation {
    struct ha_explanation *next;
    struct ha *ha;
    char *id;
    char context_id[64];
    int64_t at_ms;
    ha_explain_fn on_done;
    void *ctx;
};

void ha_explanation_free(struct ha_explanation *e)
{
    session_forget(e->ha->session, e);
    for (struct ha_explanation **at = &e->ha->explanations; *at != NULL; at = &(*at)->next)
        if (*at == e) {
            *at = e->next;
            break;
        }
    free(e->id);
    free(e);
}

static void finish(struct ha_explanation *e, const char *words)
{
    ha_explain_fn on_done = e->on_done;
    void *ctx = e->ctx;
    ha_explanation_free(e);
    on_done(words, ctx);
}

/* The last step that has an error: "action/0" -> its words. */
static const char *error_of_steps(json_object *steps)
{
    const char *words = NULL;
    if (steps == NULL)
        return NULL;
    json_object_object_foreach(steps, path, runs)
    {
        (void)path;
        if (!json_object_is_type(runs, json_type_array))
            continue;
        for (size_t i = 0; i < json_object_array_length(runs); i++) {
            const char *error = json_get_string(json_object_array_get_idx(runs, i), "error");
            words = error != NULL ? error : words;
        }
    }
    return words;
}

static void on_trace(json_object *result, const char *error, void *ctx)
{
    struct ha_explanation *e = ctx;
    char text[WORDS_MAX + 1];
    (void)error;
    const char *words = json_get_string(result, "error");
    if (words == NULL)
        words = error_of_steps(json_get_object(result, "trace"));
    if (words == NULL) {
        finish(e, NULL);
        return;
    }
    size_t len = strlen(words) < WORDS_MAX ? strlen(words) : WORDS_MAX;
    while (len < strlen(words) && len > 0 && ((unsigned char)words[len] & 0xc0) == 0x80)
        len--; /* not within a character */
    snprintf(text, sizeof(text), "%.*s", (int)len, words);
    for (char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    finish(e, text);
}

static json_object *trace_command(const struct ha_explanation *e, const char *type)
{
    json_object *command = session_command(type);
    json_add_string(command, "domain", "automation");
    json_add_string(command, "item_id", e->id);
    return command;
}

static void ask_trace(struct ha_explanation *e, const char *run_id)
{
    if (run_id == NULL) {
        finish(e, NULL);
        return;
    }
    json_object *command = trace_command(e, "trace/get");
    json_add_string(command, "run_id", run_id);
    session_call(e->ha->session, command, on_trace, e);
}

static void on_list(json_object *result, const char *error, void *ctx)
{
    struct ha_explanation *e = ctx;
    const char *run_id = NULL;
    int64_t nearest = SAME_RUN_MS + 1;
    (void)error;
    size_t count =
        json_object_is_type(result, json_type_array) ? json_object_array_length(result) : 0;
    for (size_t i = 0; i < count; i++) {
        json_object *trace = json_object_array_get_idx(result, i);
        const char *start = json_get_string(json_get_object(trace, "timestamp"), "start");
        int64_t at_ms;
        if (start == NULL || clock_parse_rfc3339(start, &at_ms) < 0)
            continue;
        if (llabs(at_ms - e->at_ms) < nearest) {
            nearest = llabs(at_ms - e->at_ms);
            run_id = json_get_string(trace, "run_id");
        }
    }
    ask_trace(e, run_id);
}

static void on_contexts(json_object *result, const char *error, void *ctx)
{
    struct ha_explanation *e = ctx;
    (void)error;
    ask_trace(e, json_get_string(json_get_object(result, e->context_id), "run_id"));
}

void ha_explain_run(struct ha *ha, const char *automation_id, const char *context_id, int64_t at_ms,
                    ha_explain_fn on_done, void *ctx)
{
    struct ha_explanation *e = xcalloc(1, sizeof(*e));
    *e = (struct ha_explanation){.next = ha->explanations,
                                 .ha = ha,
                                 .id = xstrdup(automation_id),
                                 .at_ms = at_ms,
                                 .on_done = on_done,
                                 .ctx = ctx};
    snprintf(e->context_id, sizeof(e->context_id), "%s", context_id);
    ha->explanations = e;
    if (e->context_id[0] != '\0')
        session_call(ha->session, trace_command(e, "trace/contexts"), on_contexts, e);
    else
        session_call(ha->session, trace_command(e, "trace/list"), on_list, e);
}
