#include "app/forget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/options.h"
#include "core/xalloc.h"
#include "model/rule.h"
#include "store/archive.h"
#include "store/store.h"
#include "store/suggestions.h"

enum { FORGET_WAIT_MS = 30000 }; /* for an import or the service to be between two writes */

static const char usage[] =
    "Usage: ha-ai forget --entity ENTITY | --all [--env-file FILE]\n"
    "Erases what was kept: history in the archive, and suggestions that are not deployed. Home\n"
    "Assistant's own history and its automations stay as they are. What happened until now does\n"
    "not come back by the next import; what happens from now on does, unless EXCLUDE names it.\n\n"
    "  --entity ENTITY  of this entity, as in light.bedroom\n"
    "  --all            of all entities\n"
    "  --env-file FILE  the configuration, as for `ha-ai run`\n"
    "  --help           this text\n\n"
    "Exit code: 0 done, 1 failed, 2 wrong use.\n";

struct arguments {
    const char *entity, *env_file;
    bool all, help;
};

static int parse_arguments(int argc, char **argv, struct arguments *args, struct error *err)
{
    *args = (struct arguments){.entity = NULL};
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            args->help = true;
        else if (strcmp(argv[i], "--all") == 0)
            args->all = true;
        else if (strcmp(argv[i], "--entity") == 0 && has_value)
            args->entity = argv[++i];
        else if (strcmp(argv[i], "--env-file") == 0 && has_value)
            args->env_file = argv[++i];
        else
            return error_set(err, ERROR_INVALID, "unexpected '%s'", argv[i]);
    }
    if (args->help)
        return 0;
    if (args->all == (args->entity != NULL))
        return error_set(err, ERROR_INVALID, "give either --entity ENTITY or --all");
    if (args->entity != NULL && !rule_entity_id_is_valid(args->entity))
        return error_set(err, ERROR_INVALID,
                         "--entity: got '%.100s', takes an id, as in "
                         "light.bedroom",
                         args->entity);
    return 0;
}

/* 1 = something was kept, 0 = nothing, -1. */
static int forget_archive(const char *path, const char *entity, struct error *err)
{
    if (access(path, F_OK) != 0)
        return 0;
    struct archive *archive = archive_open(path, false, err);
    int rc = archive != NULL ? archive_forget(archive, entity, clock_wall_ms(), FORGET_WAIT_MS, err)
                             : -1;
    archive_close(archive);
    return rc;
}

/* A running service and its analysis notice by this that something is gone. */
static int mark_forgotten(struct store *store, struct error *err)
{
    char *before = store_get(store, "forgotten");
    char *now = xasprintf("%lld", (before != NULL ? strtoll(before, NULL, 10) : 0) + 1);
    int rc = store_set(store, "forgotten", now, err);
    free(before);
    free(now);
    return rc;
}

static int forget_suggestions(const char *path, const char *entity, int *erased, int *kept,
                              struct error *err)
{
    *erased = *kept = 0;
    if (access(path, F_OK) != 0)
        return 0;
    struct store *store = store_open(path, err);
    if (store == NULL)
        return -1;
    int rc = store_begin(store, err);
    if (rc == 0) {
        rc = suggestions_forget(store, entity, erased, kept, err);
        if (rc == 0)
            rc = mark_forgotten(store, err);
        if (rc == 0)
            rc = store_commit(store, err);
        else
            store_rollback(store);
    }
    if (rc == 0)
        rc = store_compact(store, FORGET_WAIT_MS, err);
    store_close(store);
    return rc;
}

static int forget(const char *database, const char *entity, struct error *err)
{
    int erased, kept;
    char *archive = app_archive_path(database);
    bool is_there = access(database, F_OK) == 0 || access(archive, F_OK) == 0;
    int history = is_there ? forget_archive(archive, entity, err) : -1;
    if (!is_there)
        error_set(err, ERROR_NOT_FOUND,
                  "there is neither %s nor %s: give the service's --env-file or its DATABASE_PATH",
                  database, archive);
    free(archive);
    if (history < 0 || forget_suggestions(database, entity, &erased, &kept, err) < 0)
        return -1;
    const char *what = entity != NULL ? entity : "all entities";
    if (history == 0 && erased == 0)
        printf("Nothing was kept of %s.\n", what);
    else
        printf("Forgotten: %s (%s, %d suggestion%s).\n", what,
               history > 0 ? "its history" : "no history was kept", erased, erased == 1 ? "" : "s");
    if (kept > 0)
        printf("%d deployed automation%s in Home Assistant: delete %s there.\n", kept,
               kept == 1 ? " stays" : "s stay", kept == 1 ? "it" : "them");
    return 0;
}

int forget_main(int argc, char **argv)
{
    struct arguments args;
    struct options options;
    struct error err = {ERROR_NONE, ""};
    if (parse_arguments(argc, argv, &args, &err) != 0) {
        fprintf(stderr, "ha-ai: forget: %s; see 'ha-ai forget --help'\n", err.message);
        return 2;
    }
    if (args.help) {
        fputs(usage, stdout);
        return 0;
    }
    log_set_level(LOG_LEVEL_WARN);
    if (options_load(&options, args.env_file, &err) < 0) {
        fprintf(stderr, "ha-ai: %s\n", err.message);
        return 2;
    }
    char *database = app_database_path(&options);
    int rc = forget(database, args.entity, &err);
    if (rc < 0)
        fprintf(stderr, "ha-ai: forget: %s\n", err.message);
    free(database);
    options_release(&options);
    return rc < 0 ? 1 : 0;
}
