#include "source/source.h"

#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "source/archive.h"
#include "source/recorder.h"
#include "store/archive.h"

static const struct source_backend backends[] = {
    {"", recorder_open, recorder_close, recorder_place, recorder_read, recorder_read_places,
     recorder_read_timeline},
    {.scheme = "http"},
    {.scheme = "https"},
    {.scheme = "postgresql"},
    {.scheme = "mysql"},
};

/* A path too: it is known by what is in it. */
static const struct source_backend archive_backend = {"",
                                                      archive_source_open,
                                                      archive_source_close,
                                                      archive_source_place,
                                                      archive_source_read,
                                                      archive_source_read_places,
                                                      archive_source_read_timeline};

struct source {
    const struct source_backend *backend;
    void *state;
};

static const struct source_backend *find_backend(const char *where)
{
    const char *end = strstr(where, "://");
    size_t length = end != NULL ? (size_t)(end - where) : 0;
    if (end == NULL && archive_is_file(where))
        return &archive_backend;
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++)
        if (strlen(backends[i].scheme) == length && strncmp(where, backends[i].scheme, length) == 0)
            return &backends[i];
    return NULL;
}

int source_check_kind(const char *where, struct error *err)
{
    const struct source_backend *backend = find_backend(where);
    if (backend != NULL && backend->open != NULL)
        return 0;
    /* Not the whole URL: it may hold a password. */
    return error_set(err, ERROR_UNSUPPORTED,
                     "history from %.*s:// is not supported yet: give the path of "
                     "home-assistant_v2.db",
                     (int)strcspn(where, ":"), where);
}

struct source *source_open(const char *where, struct error *err)
{
    if (source_check_kind(where, err) < 0)
        return NULL;
    const struct source_backend *backend = find_backend(where);
    void *state = backend->open(where, err);
    if (state == NULL)
        return NULL;
    struct source *source = xmalloc(sizeof *source);
    *source = (struct source){backend, state};
    return source;
}

void source_close(struct source *source)
{
    if (source == NULL)
        return;
    source->backend->close(source->state);
    free(source);
}

const struct source_place *source_place(const struct source *source)
{
    return source->backend->place(source->state);
}

int source_read(struct source *source, const struct source_options *options, struct history *h,
                struct source_stats *stats, struct error *err)
{
    struct source_stats unwanted;
    if (stats == NULL)
        stats = &unwanted;
    *stats = (struct source_stats){.skipped = 0};
    return source->backend->read(source->state, options, h, stats, err);
}

int source_read_places(struct source *source, struct timeline *timeline, struct error *err)
{
    return source->backend->read_places(source->state, timeline, err);
}

int source_read_timeline(struct source *source, const struct source_options *options,
                         const struct source_wanted *wanted, struct timeline *timeline,
                         struct source_stats *stats, struct error *err)
{
    struct source_stats unwanted;
    if (stats == NULL)
        stats = &unwanted;
    *stats = (struct source_stats){.skipped = 0};
    return source->backend->read_timeline(source->state, options, wanted, timeline, stats, err);
}
