/* HA's own automations for the analysis, collected into a file that its child reads. They go there
 * one by one: all of a large home's would not fit into our memory. */
#include "app/ha_automations.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"
#include "core/private_file.h"
#include "core/xalloc.h"

struct ha_automations {
    struct loop *loop;
    struct ha *ha;
    char *path;
    FILE *file; /* NULL = not collecting */
    size_t count, bytes;
    int timer;
    ha_automations_fn on_done;
    void *ctx;
};

struct ha_automations *ha_automations_new(struct loop *loop, const char *database_path)
{
    struct ha_automations *a = xcalloc(1, sizeof(*a));
    a->loop = loop;
    a->path = xasprintf("%s-automations.json", database_path);
    ha_automations_remove(a); /* of a service that was killed */
    return a;
}

static void stop(struct ha_automations *a)
{
    if (a->file == NULL)
        return;
    loop_remove_timer(a->loop, a->timer);
    a->timer = 0;
    ha_read_automations_cancel(a->ha);
    fclose(a->file);
    a->file = NULL;
}

void ha_automations_remove(struct ha_automations *a)
{
    private_file_remove(a->path);
}

void ha_automations_free(struct ha_automations *a)
{
    if (a == NULL)
        return;
    if (a->file != NULL) {
        loop_remove_timer(a->loop, a->timer);
        fclose(a->file);
    }
    ha_automations_remove(a);
    free(a->path);
    free(a);
}

static void finish(struct ha_automations *a, const char *why)
{
    if (why == NULL && (fputs("]\n", a->file) < 0 || fflush(a->file) != 0))
        why = strerror(errno);
    stop(a);
    if (why != NULL) {
        log_warn("app", "the analysis goes on without HA's automations: %s", why);
        ha_automations_remove(a);
    } else {
        log_info("app", "%zu automations of HA are known to the analysis", a->count);
    }
    a->on_done(why == NULL ? a->path : NULL, a->ctx);
}

static void on_automation(json_object *automation, void *ctx)
{
    struct ha_automations *a = ctx;
    const char *text = json_text(automation);
    a->bytes += strlen(text) + 2;
    if (a->bytes > HA_AUTOMATIONS_BYTES_MAX)
        return; /* told at the end */
    fputs(a->count++ > 0 ? ",\n" : "", a->file);
    fputs(text, a->file);
}

static void on_read(const char *error, size_t left_out, void *ctx)
{
    struct ha_automations *a = ctx;
    if (left_out > 0)
        log_info("app", "%zu automations cannot be read from HA", left_out);
    if (error == NULL && ferror(a->file))
        error = "they cannot be written beside our database";
    if (error == NULL && a->bytes > HA_AUTOMATIONS_BYTES_MAX)
        error = "they are larger than 32 MB";
    finish(a, error);
}

static int64_t on_late(void *ctx)
{
    struct ha_automations *a = ctx;
    a->timer = 0;
    finish(a, "HA did not give them within 20 s");
    return LOOP_TIMER_STOP;
}

int ha_automations_collect(struct ha_automations *a, struct ha *ha, ha_automations_fn on_done,
                           void *ctx, struct error *err)
{
    stop(a);
    ha_automations_remove(a);
    FILE *file = private_file_create(a->path, err);
    if (file == NULL)
        return -1;
    a->ha = ha;
    a->file = file;
    a->count = a->bytes = 0;
    a->on_done = on_done;
    a->ctx = ctx;
    fputs("[", file);
    if (ha_read_automations(ha, on_automation, on_read, a, err) < 0) {
        fclose(file);
        a->file = NULL;
        ha_automations_remove(a);
        return -1;
    }
    a->timer = loop_add_timer(a->loop, HA_AUTOMATIONS_WAIT_MS, on_late, a);
    return 0;
}
