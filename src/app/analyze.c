#include "app/analyze.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "app/import_step.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/options.h"
#include "core/parallel.h"
#include "core/tz.h"
#include "core/xalloc.h"
#include "mine/days.h"
#include "model/history.h"
#include "model/shuffle.h"
#include "source/source.h"
#include "suggest/analysis.h"

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
    "  --timezone ZONE     the home's zone, as in Europe/Berlin; default: Home Assistant's\n"
    "                      (.storage/core.config), else the variable TZ\n"
    "  --location LAT,LON  the home's place in degrees, or LAT,LON,METRES above the sea;\n"
    "                      default likewise, else LOCATION\n"
    "  --since TIME        leave out what is older: 2026-11-23 (the home's day) or RFC 3339\n"
    "  --until TIME        leave out what is from then on\n"
    "  --format FORMAT     text (default) or json\n"
    "  --all               print all suggestions, not the best ten (json has them all)\n"
    "  --explain           add what is not suggested, each with its reason and numbers\n"
    "  --timing            add the time and memory that it took\n"
    "  --progress-fd N     write lines \"PERCENT PHASE\" to this file descriptor\n"
    "  --threads N         on so many processors; default: those that pay. Never another result\n"
    "  --null TEST         a test of chance: analyse the history with its habits shuffled away.\n"
    "                      days: each entity's days in an order of its own; clock: each\n"
    "                      entity's each day turned by a time of its own\n"
    "  --seed N            of --null; default 1\n"
    "  --help              this text\n\n"
    "The variable EXCLUDE names entities (ids or globs, separated by commas) that are not read.\n"
    "Exit code: 0 done, 1 failed, 2 wrong use.\n";

struct arguments {
    const char *history, *archive, *timezone, *location, *since, *until;
    bool as_json, timing, all, explain;
    int progress_fd;  /* -1 = none */
    int threads;      /* 0 = what pays */
    const char *null; /* "days", "clock"; NULL: the history as it is */
    int64_t seed;
};

struct progress {
    int fd; /* -1 = a line on the terminal, if stderr is one */
    bool on_terminal;
    int percent;
    int from, share; /* of the part that runs */
};

/* --- arguments --- */

static int wrong_use(struct error *err, const char *option, const char *got, const char *takes)
{
    return error_set(err, ERROR_INVALID, "--%s: got '%s', takes %s", option, got, takes);
}

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

/* A local day's begin, or an instant. */
static int parse_moment(const char *text, const struct tz *tz, int64_t *utc_ms)
{
    int year, month, day, length = 0;
    if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &length) == 3 && length == 10 &&
        text[length] == '\0') {
        if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31)
            return -1;
        *utc_ms = tz_day_start(tz, tz_days_from_civil(year, month, day)) * 1000;
        return 0;
    }
    return clock_parse_rfc3339(text, utc_ms);
}

/* [since, until) in the home's zone; until 0 = no end. */
static int parse_period(const struct arguments *args, const struct tz *tz, int64_t *since_ms,
                        int64_t *until_ms, struct error *err)
{
    static const char takes[] = "a day (2026-11-23) or an instant (2026-11-23T12:00:00Z)";
    *since_ms = *until_ms = 0;
    if (args->since != NULL && parse_moment(args->since, tz, since_ms) != 0)
        return wrong_use(err, "since", args->since, takes);
    if (args->until != NULL && parse_moment(args->until, tz, until_ms) != 0)
        return wrong_use(err, "until", args->until, takes);
    if (args->until != NULL && *until_ms <= *since_ms)
        return wrong_use(err, "until", args->until, "a time after --since");
    return 0;
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static int check_arguments(struct arguments *args, struct error *err)
{
    double latitude, longitude, elevation_m;
    int64_t since_ms, until_ms;
    if (args->history == NULL)
        args->history = environment("HISTORY");
    if (args->history == NULL)
        return error_set(err, ERROR_INVALID,
                         "--history is missing: give the path of home-assistant_v2.db");
    if (args->archive != NULL && args->archive[0] == '\0')
        return wrong_use(err, "archive", "", "the path of a file");
    if (args->location != NULL &&
        options_parse_place(args->location, &latitude, &longitude, &elevation_m) != 0)
        return wrong_use(err, "location", args->location, OPTIONS_PLACE_TAKES);
    struct tz *utc = tz_load("UTC", err);
    int result = parse_period(args, utc, &since_ms, &until_ms, err);
    tz_free(utc);
    return result;
}

/* Where an option's value goes as it is; NULL for the other options. */
static const char **text_of(struct arguments *args, int option)
{
    switch (option) {
    case 'A':
        return &args->archive;
    case 'h':
        return &args->history;
    case 'z':
        return &args->timezone;
    case 'l':
        return &args->location;
    case 's':
        return &args->since;
    case 'u':
        return &args->until;
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
            return wrong_use(err, "format", value, "text or json");
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
    case 'n':
        if (strcmp(value, "days") != 0 && strcmp(value, "clock") != 0)
            return wrong_use(err, "null", value, "days or clock");
        args->null = value;
        break;
    case 'S':
        if (parse_number(value, 0, INT64_MAX, &args->seed) != 0)
            return wrong_use(err, "seed", value, "a number from 0 on");
        break;
    case 'T':
        if (parse_number(value, 1, PARALLEL_THREADS_MAX, &number) != 0)
            return wrong_use(err, "threads", value, "a number from 1 to 16");
        args->threads = (int)number;
        break;
    default:
        if (parse_number(value, 0, PROGRESS_FD_MAX, &number) != 0)
            return wrong_use(err, "progress-fd", value, "the number of an open file descriptor");
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

/* --- progress --- */

static void show_progress(int percent, const char *phase, void *ctx)
{
    struct progress *progress = ctx;
    percent = progress->from + percent * progress->share / 100;
    if (percent <= progress->percent)
        return;
    progress->percent = percent;
    if (progress->fd >= 0)
        dprintf(progress->fd, "%d %s\n", percent, phase);
    else if (progress->on_terminal)
        fprintf(stderr, "\r\033[K%3d %% %s", percent, phase);
}

static void end_progress(const struct progress *progress)
{
    if (progress->on_terminal)
        fputs("\r\033[K", stderr);
}

/* --- the run --- */

/* In kB. Not getrusage(): its figure survives exec, so that a child would tell its parent's. */
static int64_t peak_rss_kb(void)
{
    char line[256];
    long long kb = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmHWM: %lld kB", &kb) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kb;
}

static struct tz *find_zone(const struct arguments *args, const struct source_place *place,
                            struct error *err)
{
    const char *where = "--timezone", *name = args->timezone;
    if (name == NULL) {
        where = ".storage/core.config";
        name = place->timezone;
    }
    if (name == NULL) {
        where = "TZ";
        name = environment("TZ");
        if (name != NULL && name[0] == ':')
            name++;
    }
    if (name == NULL) {
        error_set(err, ERROR_INVALID,
                  "the home's time zone is not known: set TZ or give --timezone, as in "
                  "Europe/Berlin");
        return NULL;
    }
    struct tz *tz = tz_load(name, err);
    if (tz == NULL)
        error_prefix(err, "%s", where);
    return tz;
}

static int find_location(const struct arguments *args, const struct source_place *place,
                         struct history *h, struct error *err)
{
    const char *text = args->location;
    if (text == NULL && place->has_location) {
        h->latitude = place->latitude;
        h->longitude = place->longitude;
        h->elevation_m = place->elevation_m;
        h->has_location = true;
        return 0;
    }
    if (text == NULL)
        text = environment("LOCATION");
    if (text == NULL)
        return 0;
    if (options_parse_place(text, &h->latitude, &h->longitude, &h->elevation_m) != 0)
        return error_set(err, ERROR_INVALID, "LOCATION: got '%s', takes " OPTIONS_PLACE_TAKES,
                         text);
    h->has_location = true;
    return 0;
}

static int read_history(struct source *source, const struct arguments *args,
                        struct progress *progress, struct history *h, struct error *err)
{
    struct source_options options = {.exclude = environment("EXCLUDE"),
                                     .threads = args->threads,
                                     .progress = show_progress,
                                     .progress_ctx = progress};
    progress->share = READ_SHARE * (100 - progress->from) / 100;
    if (find_location(args, source_place(source), h, err) != 0 ||
        parse_period(args, h->tz, &options.since_ms, &options.until_ms, err) != 0 ||
        source_read(source, &options, h, NULL, err) != 0)
        return -1;
    if (h->state_changes == 0) {
        bool is_cut = args->since != NULL || args->until != NULL;
        return error_set(err, ERROR_NOT_FOUND, "'%s' holds no states%s: there is nothing to learn",
                         args->history,
                         is_cut                    ? " in that time"
                         : args->archive != NULL   ? " (but what was forgotten or is excluded)"
                         : options.exclude != NULL ? " besides what EXCLUDE names"
                                                   : " yet");
    }
    return 0;
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
                            struct progress *progress, struct error *err)
{
    int64_t start_ms = clock_monotonic_ms();
    json_object *result = NULL;
    struct tz *tz = NULL;
    struct history h;
    history_init(&h);
    struct source *source = source_open(where, err);
    if (source != NULL)
        tz = find_zone(args, source_place(source), err);
    h.tz = tz;
    if (tz != NULL && read_history(source, args, progress, &h, err) == 0) {
        int64_t read_ms = clock_monotonic_ms();
        if (args->null != NULL)
            shuffle_history(args, &h);
        progress->from += progress->share;
        progress->share = 100 - progress->from;
        result = analysis_run(&h, &(struct analysis_options){.progress = show_progress,
                                                             .progress_ctx = progress,
                                                             .threads = args->threads,
                                                             .explain = args->explain});
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
            json_object_object_add(timing, "peak_rss_kb", json_object_new_int64(peak_rss_kb()));
            json_object_object_add(result, "timing", timing);
        }
    }
    source_close(source);
    history_release(&h);
    tz_free(tz);
    return result;
}

static int archive_days(int *days, struct error *err)
{
    const char *text = environment("ARCHIVE_DAYS");
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
static json_object *analyze_archive(const struct arguments *args, struct progress *progress,
                                    struct error *err)
{
    struct import_step step = {.history = args->history,
                               .archive = args->archive,
                               .exclude = environment("EXCLUDE"),
                               .progress = show_progress,
                               .progress_ctx = progress};
    progress->share = IMPORT_SHARE;
    if (archive_days(&step.days, err) != 0)
        return NULL;
    import_step_run(&step);
    progress->from = IMPORT_SHARE;
    json_object *result =
        analyze(args, step.is_usable ? args->archive : args->history, progress, err);
    bool is_unreadable = err->code == ERROR_INVALID || err->code == ERROR_UNSUPPORTED;
    if (result == NULL && step.is_usable && is_unreadable) { /* damaged, or a newer ha-ai's */
        snprintf(step.problem, sizeof step.problem, "%s", err->message);
        progress->from = IMPORT_SHARE;
        result = analyze(args, args->history, progress, err);
    }
    if (result == NULL && step.problem[0] != '\0')
        error_set(err, err->code, "%s", step.problem); /* it came first */
    if (result != NULL && step.problem[0] != '\0') {
        end_progress(progress);
        fprintf(stderr, "ha-ai: analyze: %s; what there is was analysed all the same\n",
                step.problem);
        json_object_object_add(json_get_object(result, "history"), "problem",
                               json_object_new_string(step.problem));
    }
    return result;
}

/* Whatever the parent ignores or blocks, SIGTERM and a closed pipe end us; as the service's child
 * so does the service's end. */
static void obey_signals(bool is_child)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    if (is_child)
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a stopped process ends too */
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
    obey_signals(args.progress_fd >= 0);
    struct progress progress = {.fd = args.progress_fd,
                                .on_terminal = args.progress_fd < 0 && isatty(STDERR_FILENO),
                                .percent = -1};
    json_object *result = args.archive != NULL ? analyze_archive(&args, &progress, &err)
                                               : analyze(&args, args.history, &progress, &err);
    end_progress(&progress);
    if (result == NULL) {
        fprintf(stderr, "ha-ai: analyze: %s\n", err.message);
        return EXIT_FAILED;
    }
    if (args.as_json)
        puts(json_text(result));
    else
        analyze_print_text(result, args.all, stdout);
    json_object_put(result);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "ha-ai: analyze: cannot write the result: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    return EXIT_SUCCESS;
}
