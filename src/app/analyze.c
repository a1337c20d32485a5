#include "app/analyze.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/import_step.h"
#include "app/known_automations.h"
#include "app/offline.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/parallel.h"
#include "core/tz.h"
#include "core/xalloc.h"
#include "mine/days.h"
#include "model/history.h"
#include "model/shuffle.h"
#include "source/exclusion.h"
#include "source/ignored.h"
#include "source/source.h"
#include "suggest/analysis.h"
#include "suggest/hindsight.h"
#include "suggest/review.h"

enum { EXIT_FAILED = 1, EXIT_WRONG_USE = 2 };
enum { PROGRESS_FD_MAX = 1023 };
enum { READ_SHARE = 70, IMPORT_SHARE = 60 }; /* percent of the progress */
enum { ARCHIVE_DAYS_DEFAULT = 400, ARCHIVE_DAYS_LEAST = 14, ARCHIVE_DAYS_MOST = 36500 };

static const char usage[] =
    "Usage: ha-ai analyze --history SOURCE [OPTIONS]\n"
    "Finds habits in a home's history and suggests automations. Touches nothing but --archive.\n\n"
    "  --history SOURCE    path of Home Assistant's home-assistant_v2.db (its folder's .storage\n"
    "                      is read too), or of an archive; default: the variable HISTORY\n"
    "  --archive FILE      first bring what is new in SOURCE into this archive (it is made if it\n"
    "                      is not there), then analyse the archive. What is older than\n"
    "                      ARCHIVE_DAYS (400) days leaves it\n"
    "  --automations FILE  Home Assistant's own automations, against which suggestions are held:\n"
    "                      JSON [{\"entity_id\", \"enabled\", \"config\"}] or YAML; default:\n"
    "                      automations.yaml beside the database, if it is there\n"
    "  --timezone ZONE     the home's zone, as in Europe/Berlin; default: Home Assistant's\n"
    "                      (.storage/core.config), else the variable TZ\n"
    "  --location LAT,LON  the home's place in degrees, or LAT,LON,METRES above the sea;\n"
    "                      default likewise, else LOCATION\n"
    "  --exclude-areas L   leave out everything in these areas (names or ids, commas between);\n"
    "                      default: the variable EXCLUDE_AREAS\n"
    "  --exclude-people L  what these people do in Home Assistant shows no habit (names, entity\n"
    "                      ids or ids of users); default: the variable EXCLUDE_PEOPLE\n"
    "  --since TIME        leave out what is older: 2026-11-23 (the home's day) or RFC 3339\n"
    "  --until TIME        leave out what is from then on\n"
    "  --format FORMAT     text (default) or json\n"
    "  --all               print all suggestions, not the best ten (json has them all)\n"
    "  --explain           add what is not suggested, each with its reason and numbers\n"
    "  --known FILE        also review these rules, which are on trial or deployed: the JSON of\n"
    "                      docs/analyze-format.md; adds \"reviews\"\n"
    "  --review-only       with --known: look for nothing, only review\n"
    "  --timing            add the time and memory that it took\n"
    "  --progress-fd N     write lines \"PERCENT PHASE\" to this file descriptor\n"
    "  --threads N         on so many processors; default: those that pay. Never another result\n"
    "  --null TEST         a test of chance: analyse the history with its habits shuffled away.\n"
    "                      days: each entity's days in an order of its own; clock: each\n"
    "                      entity's each day turned by a time of its own\n"
    "  --seed N            of --null; default 1\n"
    "  --help              this text\n\n"
    "The variable EXCLUDE names entities (ids or globs, separated by commas) that are not read,\n"
    "and what has the label ha-ai-ignore in Home Assistant (or is of such a device or area) is\n"
    "left out, too.\n"
    "Exit code: 0 done, 1 failed, 2 wrong use.\n";

struct arguments {
    struct offline_arguments common;
    const char *archive, *automations, *known, *areas, *people;
    bool as_json, timing, all, explain, review_only;
    struct review_list reviewed; /* what is in the file `known` */
    int progress_fd;             /* -1 = none */
    int threads;                 /* 0 = what pays */
    const char *null;            /* "days", "clock"; NULL: the history as it is */
    int64_t seed;
};

/* --- arguments --- */

static int parse_number(const char *text, int64_t low, int64_t high, int64_t *out)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || number < low || number > high)
        return -1;
    *out = number;
    return 0;
}

static int check_arguments(struct arguments *args, struct error *err)
{
    if (args->archive != NULL && args->archive[0] == '\0')
        return offline_wrong_use(err, "archive", "", "the path of a file");
    if (args->automations != NULL && args->automations[0] == '\0')
        return offline_wrong_use(err, "automations", "", "the path of a file");
    if (args->review_only && args->known == NULL)
        return error_set(err, ERROR_INVALID, "--review-only needs --known FILE");
    return offline_check(&args->common, err);
}

/* Where an option's value goes as it is; NULL for the other options. */
static const char **text_of(struct arguments *args, int option)
{
    switch (option) {
    case 'A':
        return &args->archive;
    case 'k':
        return &args->automations;
    case 'K':
        return &args->known;
    case 'R':
        return &args->areas;
    case 'P':
        return &args->people;
    case 'h':
        return &args->common.history;
    case 'z':
        return &args->common.timezone;
    case 'l':
        return &args->common.location;
    case 's':
        return &args->common.since;
    case 'u':
        return &args->common.until;
    default:
        return NULL;
    }
}

static int take_option(struct arguments *args, int option, const char *value, struct error *err)
{
    const char **text = text_of(args, option);
    int64_t number;
    if (text != NULL) {
        *text = value;
        return 0;
    }
    switch (option) {
    case 'f':
        if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
            return offline_wrong_use(err, "format", value, "text or json");
        args->as_json = strcmp(value, "json") == 0;
        break;
    case 't':
        args->timing = true;
        break;
    case 'a':
        args->all = true;
        break;
    case 'e':
        args->explain = true;
        break;
    case 'r':
        args->review_only = true;
        break;
    case 'n':
        if (strcmp(value, "days") != 0 && strcmp(value, "clock") != 0)
            return offline_wrong_use(err, "null", value, "days or clock");
        args->null = value;
        break;
    case 'S':
        if (parse_number(value, 0, INT64_MAX, &args->seed) != 0)
            return offline_wrong_use(err, "seed", value, "a number from 0 on");
        break;
    case 'T':
        if (parse_number(value, 1, PARALLEL_THREADS_MAX, &number) != 0)
            return offline_wrong_use(err, "threads", value, "a number from 1 to 16");
        args->threads = (int)number;
        break;
    default:
        if (parse_number(value, 0, PROGRESS_FD_MAX, &number) != 0)
            return offline_wrong_use(err, "progress-fd", value,
                                     "the number of an open file descriptor");
        args->progress_fd = (int)number;
    }
    return 0;
}

/* 0, or -1 with *err; *help when only that was asked for. */
static int parse_arguments(int argc, char **argv, struct arguments *args, bool *help,
                           struct error *err)
{
    static const struct option options[] = {
        {"archive", required_argument, NULL, 'A'},
        {"automations", required_argument, NULL, 'k'},
        {"known", required_argument, NULL, 'K'},
        {"review-only", no_argument, NULL, 'r'},
        {"exclude-areas", required_argument, NULL, 'R'},
        {"exclude-people", required_argument, NULL, 'P'},
        {"history", required_argument, NULL, 'h'},
        {"timezone", required_argument, NULL, 'z'},
        {"location", required_argument, NULL, 'l'},
        {"since", required_argument, NULL, 's'},
        {"until", required_argument, NULL, 'u'},
        {"format", required_argument, NULL, 'f'},
        {"timing", no_argument, NULL, 't'},
        {"progress-fd", required_argument, NULL, 'p'},
        {"all", no_argument, NULL, 'a'},
        {"explain", no_argument, NULL, 'e'},
        {"null", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 'S'},
        {"threads", required_argument, NULL, 'T'},
        {"help", no_argument, NULL, '?'},
        {NULL, 0, NULL, 0},
    };
    *args = (struct arguments){.progress_fd = -1, .seed = 1};
    *help = false;
    opterr = 0;
    optind = 1;
    for (int index = optind; optind < argc; index = optind) {
        int which = -1, option = getopt_long(argc, argv, "+:", options, &which);
        if (option == ':')
            return error_set(err, ERROR_INVALID, "%s needs a value", argv[index]);
        *help = which >= 0 && strcmp(options[which].name, "help") == 0;
        if (*help)
            return 0;
        if (which < 0)
            return error_set(err, ERROR_INVALID, "unknown argument '%s'", argv[index]);
        if (take_option(args, option, optarg, err) != 0)
            return -1;
    }
    return check_arguments(args, err);
}

/* --- the run --- */

static int read_history(struct source *source, const struct arguments *args,
                        const struct ignored *ignored, struct offline_progress *progress,
                        struct history *h, struct known_automations *known, struct error *err)
{
    struct source_options options = {.exclude = ignored->entities,
                                     .exclude_users = ignored->users,
                                     .threads = args->threads,
                                     .progress = offline_show_progress,
                                     .progress_ctx = progress};
    progress->share = READ_SHARE * (100 - progress->from) / 100;
    struct offline_location location;
    if (offline_find_location(&args->common, source_place(source), &location, err) != 0 ||
        offline_period(&args->common, h->tz, &options.since_ms, &options.until_ms, err) != 0)
        return -1;
    h->has_location = location.is_known;
    h->latitude = location.latitude;
    h->longitude = location.longitude;
    h->elevation_m = location.elevation_m;
    if (source_read(source, &options, h, NULL, err) != 0)
        return -1;
    if (h->state_changes == 0) {
        bool is_cut = args->common.since != NULL || args->common.until != NULL;
        return error_set(err, ERROR_NOT_FOUND, "'%s' holds no states%s: there is nothing to learn",
                         args->common.history,
                         is_cut                    ? " in that time"
                         : args->archive != NULL   ? " (but what was forgotten or is excluded)"
                         : options.exclude != NULL ? " besides what is excluded"
                                                   : " yet");
    }
    if (args->null != NULL)
        return 0;                                     /* nobody's automations are of that home */
    options.exclude = offline_environment("EXCLUDE"); /* they act all the same */
    return known_automations_read(known, args->automations, args->common.history, source, &options,
                                  h, err);
}

/* --null */
static void shuffle_history(const struct arguments *args, struct history *h)
{
    if (strcmp(args->null, "clock") == 0) {
        shuffle_clock(h, (uint64_t)args->seed);
        return;
    }
    struct days days;
    days_init(&days, h);
    int64_t *complete = xcalloc((size_t)days.count + 1, sizeof *complete);
    size_t count = 0;
    for (int i = 0; i < days.count; i++)
        if (days_role(&days, i) != DAY_INCOMPLETE)
            complete[count++] = days.first + i;
    shuffle_days(h, complete, count, (uint64_t)args->seed);
    free(complete);
    days_release(&days);
}

/* `where`: the history itself, or the archive. */
static json_object *analyze(const struct arguments *args, const char *where,
                            const struct ignored *ignored, struct offline_progress *progress,
                            struct error *err)
{
    int64_t start_ms = clock_monotonic_ms();
    json_object *result = NULL;
    struct tz *tz = NULL;
    struct history h;
    struct known_automations known = {.is_known = false};
    history_init(&h);
    struct source *source = source_open(where, err);
    if (source != NULL)
        tz = offline_zone(&args->common, source_place(source), err);
    h.tz = tz;
    if (tz != NULL && read_history(source, args, ignored, progress, &h, &known, err) == 0) {
        int64_t read_ms = clock_monotonic_ms();
        if (args->null != NULL)
            shuffle_history(args, &h);
        progress->from += progress->share;
        progress->share = 100 - progress->from;
        const struct review_list *reviewed = args->known != NULL ? &args->reviewed : NULL;
        result = analysis_run(
            &h, &(struct analysis_options){.progress = offline_show_progress,
                                           .progress_ctx = progress,
                                           .threads = args->threads,
                                           .existing = known.is_known ? &known.list : NULL,
                                           .explain = args->explain,
                                           .known = reviewed,
                                           .review_only = args->review_only});
        int64_t end_ms = clock_monotonic_ms();
        if (args->null != NULL) {
            json_object_object_add(result, "null", json_object_new_string(args->null));
            json_object_object_add(result, "seed", json_object_new_int64(args->seed));
        }
        if (args->timing) {
            json_object *timing = json_object_new_object();
            json_object_object_add(timing, "read_ms", json_object_new_int64(read_ms - start_ms));
            json_object_object_add(timing, "mine_ms", json_object_new_int64(end_ms - read_ms));
            json_object_object_add(timing, "total_ms", json_object_new_int64(end_ms - start_ms));
            json_object_object_add(timing, "peak_rss_kb",
                                   json_object_new_int64(offline_peak_rss_kb()));
            json_object_object_add(result, "timing", timing);
        }
    }
    known_automations_release(&known);
    source_close(source);
    history_release(&h);
    tz_free(tz);
    return result;
}

static int archive_days(int *days, struct error *err)
{
    const char *text = offline_environment("ARCHIVE_DAYS");
    char *end = NULL;
    long value = text != NULL ? strtol(text, &end, 10) : ARCHIVE_DAYS_DEFAULT;
    if (text != NULL &&
        (end == text || *end != '\0' || value < ARCHIVE_DAYS_LEAST || value > ARCHIVE_DAYS_MOST))
        return error_set(err, ERROR_INVALID, "ARCHIVE_DAYS: got '%s', takes %d to %d", text,
                         ARCHIVE_DAYS_LEAST, ARCHIVE_DAYS_MOST);
    *days = (int)value;
    return 0;
}

/* With an archive: what is new goes into it, and it is analysed. Where that fails, what there is is
 * analysed all the same and history.problem says so. */
static json_object *analyze_archive(const struct arguments *args, const struct ignored *ignored,
                                    struct offline_progress *progress, struct error *err)
{
    struct import_step step = {.history = args->common.history,
                               .archive = args->archive,
                               .exclude = offline_environment("EXCLUDE"),
                               .exclude_users = ignored->users,
                               .progress = offline_show_progress,
                               .progress_ctx = progress};
    progress->share = IMPORT_SHARE;
    if (archive_days(&step.days, err) != 0)
        return NULL;
    import_step_run(&step);
    progress->from = IMPORT_SHARE;
    json_object *result = analyze(args, step.is_usable ? args->archive : args->common.history,
                                  ignored, progress, err);
    bool is_unreadable = err->code == ERROR_INVALID || err->code == ERROR_UNSUPPORTED;
    if (result == NULL && step.is_usable && is_unreadable) { /* damaged, or a newer ha-ai's */
        snprintf(step.problem, sizeof step.problem, "%s", err->message);
        progress->from = IMPORT_SHARE;
        result = analyze(args, args->common.history, ignored, progress, err);
    }
    if (result == NULL && step.problem[0] != '\0')
        error_set(err, err->code, "%s", step.problem); /* it came first */
    if (result != NULL && step.problem[0] != '\0') {
        offline_end_progress(progress);
        fprintf(stderr, "ha-ai: analyze: %s; what there is was analysed all the same\n",
                step.problem);
        json_object_object_add(json_get_object(result, "history"), "problem",
                               json_object_new_string(step.problem));
    }
    return result;
}

/* Before the history, which takes long. */
static int read_known(struct arguments *args, struct error *err)
{
    if (args->known == NULL)
        return 0;
    json_object *known = json_read_file(args->known, REVIEW_FILE_MAX, err);
    if (known == NULL)
        return error_prefix(err, "--known");
    int result = review_list_parse(known, &args->reviewed, err);
    json_object_put(known);
    return result == 0 ? 0 : error_prefix(err, "--known: %s", args->known);
}

/* What is excluded is not read: a rule about it would look as if it had nothing left to do. */
static int leave_out_excluded(struct review_list *rules, const char *excluded, struct error *err)
{
    struct exclusion exclusion;
    struct timeline places;
    if (exclusion_init(&exclusion, excluded, err) != 0) {
        exclusion_release(&exclusion);
        return -1;
    }
    timeline_init(&places);
    size_t kept = 0;
    for (size_t i = 0; i < rules->count; i++) {
        struct hindsight_act act;
        bool is_excluded = false;
        if (hindsight_find_act(rules->list[i].automation, &places, &act))
            for (size_t k = 0; k < act.count; k++)
                is_excluded = is_excluded || exclusion_matches(&exclusion, act.entity_ids[k]);
        hindsight_act_release(&act);
        if (!is_excluded)
            rules->list[kept++] = rules->list[i];
    }
    rules->count = kept;
    timeline_release(&places);
    exclusion_release(&exclusion);
    return 0;
}

/* By the registries beside Home Assistant's database, also when the archive is analysed. */
static int find_ignored(const struct arguments *args, struct ignored *out, struct error *err)
{
    const char *areas = args->areas != NULL ? args->areas : offline_environment("EXCLUDE_AREAS");
    const char *people =
        args->people != NULL ? args->people : offline_environment("EXCLUDE_PEOPLE");
    return ignored_read(args->common.history, offline_environment("EXCLUDE"), areas, people, out,
                        err);
}

int analyze_main(int argc, char **argv)
{
    struct error err = {ERROR_NONE, ""};
    struct arguments args;
    bool help;
    if (parse_arguments(argc, argv, &args, &help, &err) != 0) {
        fprintf(stderr, "ha-ai: analyze: %s; see 'ha-ai analyze --help'\n", err.message);
        return EXIT_WRONG_USE;
    }
    if (help) {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    if (read_known(&args, &err) != 0) {
        fprintf(stderr, "ha-ai: analyze: %s\n", err.message);
        review_list_release(&args.reviewed);
        return EXIT_FAILED;
    }
    offline_obey_signals(args.progress_fd >= 0);
    struct offline_progress progress = {.fd = args.progress_fd,
                                        .on_terminal =
                                            args.progress_fd < 0 && isatty(STDERR_FILENO),
                                        .percent = -1};
    struct ignored ignored;
    json_object *result = NULL;
    if (find_ignored(&args, &ignored, &err) == 0 &&
        leave_out_excluded(&args.reviewed, ignored.entities, &err) == 0)
        result = args.archive != NULL
                     ? analyze_archive(&args, &ignored, &progress, &err)
                     : analyze(&args, args.common.history, &ignored, &progress, &err);
    ignored_release(&ignored);
    offline_end_progress(&progress);
    review_list_release(&args.reviewed);
    if (result == NULL) {
        fprintf(stderr, "ha-ai: analyze: %s\n", err.message);
        return EXIT_FAILED;
    }
    if (args.as_json)
        puts(json_text(result));
    else
        analyze_print_text(result, args.all, stdout);
    json_object_put(result);
    if (offline_flush() != 0) {
        fprintf(stderr, "ha-ai: analyze: cannot write the result: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    return EXIT_SUCCESS;
}
