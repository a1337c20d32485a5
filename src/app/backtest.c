#include "app/backtest.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/backtest_parts.h"
#include "app/offline.h"
#include "core/clock.h"
#include "core/dictionary.h"
#include "core/xalloc.h"
#include "mine/days.h"
#include "model/history.h"
#include "model/timeline.h"
#include "source/exclusion.h"
#include "source/source.h"

enum { EXIT_FAILED = 1, EXIT_WRONG_USE = 2 };
enum { HISTORY_SHARE = 50, TIMELINE_SHARE = 30 }; /* percent of the progress */
enum { OUTPUT_BUFFER = 64 * 1024 };

static const char usage[] =
    "Usage: ha-ai backtest FILE --history SOURCE [OPTIONS]\n"
    "Tells when automations would have run in a home's past, as Home Assistant would have run\n"
    "them, and whether that was what people did anyway. Touches nothing.\n\n"
    "FILE is YAML (or JSON): one automation, a list of them, a whole automations.yaml; - is\n"
    "standard input.\n\n"
    "  --history SOURCE    path of Home Assistant's home-assistant_v2.db (its folder's .storage\n"
    "                      is read too), or of an archive; default: the variable HISTORY\n"
    "  --timezone ZONE     the home's zone, as in Europe/Berlin; default: Home Assistant's\n"
    "                      (.storage/core.config), else the variable TZ\n"
    "  --location LAT,LON  the home's place in degrees, or LAT,LON,METRES above the sea;\n"
    "                      default likewise, else LOCATION\n"
    "  --since TIME        replay from then on: 2026-11-23 (the home's day) or RFC 3339\n"
    "  --until TIME        as if it ended then\n"
    "  --automation NAME   only the automation with that id or alias\n"
    "  --move SPEC         beside it, the same with a change; may be given several times:\n"
    "                      at=+15min or at=07:30 (with a sign also of the sun), for=10min or\n"
    "                      for=+5min (of triggers), above=+2, below=19.5 (of triggers and\n"
    "                      conditions; below==-5 is minus five), weekday=mon-fri,\n"
    "                      without=conditions[1]; several with a space between are one change\n"
    "  --format FORMAT     text (default) or json\n"
    "  --timing            add the time and memory that it took\n"
    "  --help              this text\n\n"
    "The variable EXCLUDE names entities (ids or globs, separated by commas) that are not read.\n"
    "Exit code: 0 done, 1 failed, 2 wrong use.\n";

struct arguments {
    struct offline_arguments common;
    const char *file, *automation;
    struct move *moves[BACKTEST_MOVES_MAX];
    size_t move_count;
    bool as_json, timing;
};

/* --- arguments --- */

static int take_move(struct arguments *args, const char *text, struct error *err)
{
    if (args->move_count == BACKTEST_MOVES_MAX)
        return error_set(err, ERROR_LIMIT, "more than %d --move", BACKTEST_MOVES_MAX);
    args->moves[args->move_count] = move_parse(text, err);
    if (args->moves[args->move_count] == NULL)
        return error_prefix(err, "--move");
    args->move_count++;
    return 0;
}

static int take_option(struct arguments *args, int option, const char *value, struct error *err)
{
    switch (option) {
    case 'h':
        args->common.history = value;
        break;
    case 'z':
        args->common.timezone = value;
        break;
    case 'l':
        args->common.location = value;
        break;
    case 's':
        args->common.since = value;
        break;
    case 'u':
        args->common.until = value;
        break;
    case 'a':
        args->automation = value;
        break;
    case 'm':
        return take_move(args, value, err);
    case 'f':
        if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
            return offline_wrong_use(err, "format", value, "text or json");
        args->as_json = strcmp(value, "json") == 0;
        break;
    default:
        args->timing = true;
    }
    return 0;
}

static int take_file(struct arguments *args, const char *file, struct error *err)
{
    if (args->file != NULL)
        return error_set(err, ERROR_INVALID, "got two files, '%s' and '%s', takes one", args->file,
                         file);
    args->file = file;
    return 0;
}

static int check_arguments(struct arguments *args, struct error *err)
{
    if (args->file == NULL || args->file[0] == '\0')
        return error_set(err, ERROR_INVALID,
                         "which file has the automation? (- is standard input)");
    return offline_check(&args->common, err);
}

/* 0, or -1 with *err; *help when only that was asked for. */
static int parse_arguments(int argc, char **argv, struct arguments *args, bool *help,
                           struct error *err)
{
    static const struct option options[] = {
        {"history", required_argument, NULL, 'h'},
        {"timezone", required_argument, NULL, 'z'},
        {"location", required_argument, NULL, 'l'},
        {"since", required_argument, NULL, 's'},
        {"until", required_argument, NULL, 'u'},
        {"automation", required_argument, NULL, 'a'},
        {"move", required_argument, NULL, 'm'},
        {"format", required_argument, NULL, 'f'},
        {"timing", no_argument, NULL, 't'},
        {"help", no_argument, NULL, '?'},
        {NULL, 0, NULL, 0},
    };
    enum { OPERAND = 1 };
    *args = (struct arguments){.file = NULL};
    *help = false;
    opterr = 0;
    optind = 1;
    for (int index = optind; optind < argc; index = optind) {
        int which = -1, option = getopt_long(argc, argv, "-:", options, &which);
        if (option == -1)
            break;
        if (option == ':')
            return error_set(err, ERROR_INVALID, "%s needs a value", argv[index]);
        *help = which >= 0 && strcmp(options[which].name, "help") == 0;
        if (*help)
            return 0;
        if (option != OPERAND && which < 0)
            return error_set(err, ERROR_INVALID, "unknown argument '%s'", argv[index]);
        if ((option == OPERAND ? take_file(args, optarg, err)
                               : take_option(args, option, optarg, err)) != 0)
            return -1;
    }
    for (; optind < argc; optind++)
        if (take_file(args, argv[optind], err) != 0)
            return -1;
    return check_arguments(args, err);
}

/* --- what is read --- */

struct run {
    const struct arguments *args;
    struct backtest_file file;
    struct offline_progress progress;
    struct source *source;
    struct tz *tz;
    struct offline_location location;
    struct source_options options;
    struct history history;
    struct timeline timeline;
    struct dictionary wanted; /* entity ids */
};

static void want_entity(const char *entity_id, void *ctx)
{
    struct dictionary *wanted = ctx;
    dictionary_add(wanted, entity_id, strlen(entity_id), TIMELINE_ENTITIES_MAX);
}

static void share_progress(struct run *run, int share)
{
    run->progress.from += run->progress.share;
    run->progress.share = share;
}

static int open_source(struct run *run, struct error *err)
{
    const struct offline_arguments *common = &run->args->common;
    run->source = source_open(common->history, err);
    if (run->source == NULL)
        return -1;
    const struct source_place *place = source_place(run->source);
    run->tz = offline_zone(common, place, err);
    if (run->tz == NULL || offline_find_location(common, place, &run->location, err) != 0)
        return -1;
    run->options = (struct source_options){.exclude = offline_environment("EXCLUDE"),
                                           .progress = offline_show_progress,
                                           .progress_ctx = &run->progress};
    return offline_period(common, run->tz, &run->options.since_ms, &run->options.until_ms, err);
}

static int fail_without_states(const struct run *run, struct error *err)
{
    const struct offline_arguments *common = &run->args->common;
    return error_set(err, ERROR_NOT_FOUND, "'%s' holds no states%s: there is nothing to replay",
                     common->history,
                     common->since != NULL || common->until != NULL ? " in that time"
                     : run->options.exclude != NULL                 ? " besides what EXCLUDE names"
                                                                    : " yet");
}

/* All of it, whatever --since says: a lamp may have been on since long before. */
static int read_history(struct run *run, struct error *err)
{
    struct history *h = &run->history;
    struct source_options options = run->options;
    options.since_ms = 0;
    h->tz = run->tz;
    h->has_location = run->location.is_known;
    h->latitude = run->location.latitude;
    h->longitude = run->location.longitude;
    h->elevation_m = run->location.elevation_m;
    share_progress(run, HISTORY_SHARE);
    if (source_read(run->source, &options, h, NULL, err) != 0)
        return -1;
    return h->state_changes == 0 ? fail_without_states(run, err) : 0;
}

/* All of it too: whether a run with long delays still goes on follows from all runs before it. */
static int read_timeline(struct run *run, struct error *err)
{
    struct timeline *t = &run->timeline;
    struct source_options options = run->options;
    options.since_ms = 0;
    t->tz = run->tz;
    t->has_location = run->location.is_known;
    t->latitude = run->location.latitude;
    t->longitude = run->location.longitude;
    t->elevation_m = run->location.elevation_m;
    if (source_read_places(run->source, t, err) != 0)
        return -1;
    for (size_t i = 0; i < run->file.count; i++)
        if (run->file.entries[i].base.automation != NULL)
            automation_visit_entities(run->file.entries[i].base.automation, t, want_entity,
                                      &run->wanted);
    const struct source_wanted wanted = {.entity_ids = (const char *const *)run->wanted.keys,
                                         .entity_count = run->wanted.count};
    share_progress(run, TIMELINE_SHARE);
    if (source_read_timeline(run->source, &options, &wanted, t, NULL, err) != 0)
        return -1;
    offline_add_derived(t, &run->history, &run->wanted);
    t->from_ms = run->history.from_ms;
    t->to_ms = run->history.to_ms;
    timeline_finish(t);
    return 0;
}

/* --- the replay --- */

/* [from, to) of what is replayed: nothing runs before the first state, nor after the last or Home
 * Assistant's last life. */
static int find_period(const struct run *run, struct replay_input *input, struct error *err)
{
    const struct timeline *t = &run->timeline;
    *input = (struct replay_input){
        .timeline = t, .from_ms = run->history.from_ms, .to_ms = run->history.to_ms + 1};
    if (t->runs[0].from_ms < input->from_ms)
        input->from_ms = t->runs[0].from_ms;
    if (t->runs[t->run_count - 1].to_ms > input->to_ms)
        input->to_ms = t->runs[t->run_count - 1].to_ms;
    if (run->options.since_ms > input->from_ms)
        input->from_ms = run->options.since_ms;
    if (run->options.until_ms > 0 && run->options.until_ms < input->to_ms)
        input->to_ms = run->options.until_ms;
    return input->from_ms < input->to_ms ? 0 : fail_without_states(run, err);
}

struct sight {
    struct backtest_entry *entry;
    const struct run *run;
    const struct exclusion *exclusion;
};

static void look_at_entity(const char *entity_id, void *ctx)
{
    struct sight *sight = ctx;
    struct backtest_entry *entry = sight->entry;
    const struct timeline_series *series = timeline_find(&sight->run->timeline, entity_id);
    if (series != NULL && series->count > 0) {
        entry->is_approximate = entry->is_approximate || series->is_approximate;
        return;
    }
    if (exclusion_matches(sight->exclusion, entity_id)) {
        char *what = xasprintf("%s, which EXCLUDE names", entity_id);
        backtest_entry_note(entry, what, "as if it did not exist");
        free(what);
        return;
    }
    entry->unknown = grow_array(entry->unknown, entry->unknown_count, &entry->unknown_capacity,
                                sizeof *entry->unknown);
    entry->unknown[entry->unknown_count++] = xstrdup(entity_id);
}

static void replay_case(const struct replay_input *input, const struct hindsight_input *against,
                        const struct backtest_entry *entry, struct backtest_case *one,
                        size_t *fires_left)
{
    struct replay_fires fires = {.list = NULL};
    if (one->automation != NULL)
        replay_run(input, &one->automation, 1, &fires);
    one->is_cut = fires.is_cut || fires.count > *fires_left;
    if (fires.count > *fires_left)
        fires.count = *fires_left;
    *fires_left -= fires.count;
    hindsight_judge(against, one->automation, fires.list, fires.count,
                    entry->has_act ? &entry->act : NULL, &one->result);
    replay_fires_release(&fires);
}

static void replay_entry(const struct run *run, const struct replay_input *input,
                         const struct hindsight_input *against, struct backtest_entry *entry,
                         size_t *fires_left)
{
    const struct automation *automation = entry->base.automation;
    entry->has_act =
        automation != NULL && hindsight_find_act(entry->base.config, &run->timeline, &entry->act);
    replay_case(input, against, entry, &entry->base, fires_left);
    for (size_t i = 0; i < entry->variant_count; i++) {
        size_t most = BACKTEST_FIRES_MAX;
        replay_case(input, against, entry, &entry->variants[i], &most);
    }
    if (entry->base.is_cut)
        backtest_entry_note(entry, "more fires than are kept", "later ones are missing");
    if (automation != NULL && automation_needs_location(automation) && !run->location.is_known)
        backtest_entry_note(entry, "the sun, without the home's place (--location)",
                            "its triggers never fire, its conditions never hold");
}

static void replay_all(struct run *run, const struct replay_input *input,
                       const struct exclusion *exclusion, struct backtest_report *report)
{
    const struct backtest_printer *printer = run->args->as_json ? &backtest_json : &backtest_text;
    struct days days;
    struct restarts restarts;
    size_t fires_left = BACKTEST_FIRES_MAX;
    days_init(&days, &run->history);
    restarts_init(&restarts, &run->history);
    struct suns *suns = suns_new(&run->history, &days);
    const struct hindsight_input against = {.ground = {&run->history, &days, &restarts, suns},
                                            .from_ms = input->from_ms,
                                            .to_ms = input->to_ms};
    share_progress(run, 100 - HISTORY_SHARE - TIMELINE_SHARE);
    report->from_ms = run->history.from_ms > input->from_ms ? run->history.from_ms : input->from_ms;
    report->to_ms = run->history.to_ms > report->from_ms ? run->history.to_ms : report->from_ms;
    report->days = hindsight_complete_days(&against);
    offline_end_progress(&run->progress);
    printer->begin(report, stdout);
    for (size_t i = 0; i < run->file.count; i++) {
        struct backtest_entry *entry = &run->file.entries[i];
        struct sight sight = {entry, run, exclusion};
        if (entry->base.automation != NULL)
            automation_visit_entities(entry->base.automation, &run->timeline, look_at_entity,
                                      &sight);
        replay_entry(run, input, &against, entry, &fires_left);
        printer->entry(report, entry, i, stdout);
        backtest_entry_release(entry);
    }
    suns_free(suns);
    restarts_release(&restarts);
    days_release(&days);
}

static int backtest(struct run *run, struct error *err)
{
    int64_t start_ms = clock_monotonic_ms();
    struct exclusion exclusion = {.patterns = NULL};
    struct backtest_report report = {.has_timing = run->args->timing};
    history_init(&run->history);
    timeline_init(&run->timeline);
    dictionary_init(&run->wanted);
    struct replay_input period;
    int result = open_source(run, err);
    if (result == 0)
        result = exclusion_init(&exclusion, run->options.exclude, err);
    if (result == 0)
        result = read_history(run, err);
    if (result == 0)
        result = read_timeline(run, err);
    if (result == 0)
        result = find_period(run, &period, err);
    if (result == 0) {
        int64_t read_ms = clock_monotonic_ms();
        report.tz = run->tz;
        report.state_changes = run->history.state_changes;
        report.entities = run->history.entity_count;
        report.automations = run->file.count;
        report.moves = run->args->moves;
        replay_all(run, &period, &exclusion, &report);
        report.read_ms = read_ms - start_ms;
        report.total_ms = clock_monotonic_ms() - start_ms;
        report.replay_ms = report.total_ms - report.read_ms;
        report.peak_rss_kb = offline_peak_rss_kb();
        (run->args->as_json ? &backtest_json : &backtest_text)->end(&report, stdout);
    }
    exclusion_release(&exclusion);
    dictionary_release(&run->wanted);
    timeline_release(&run->timeline);
    history_release(&run->history);
    source_close(run->source);
    tz_free(run->tz);
    return result;
}

/* The exit code. */
static int run_backtest(const struct arguments *args)
{
    struct error err = {ERROR_NONE, ""};
    struct run run = {.args = args,
                      .progress = {.fd = -1, .on_terminal = isatty(STDERR_FILENO), .percent = -1}};
    int result = backtest_file_read(args->file, &run.file, &err);
    if (result == 0 && args->automation != NULL)
        result = backtest_file_choose(&run.file, args->automation, args->file, &err);
    if (result == 0)
        result = backtest_file_move(&run.file, args->moves, args->move_count, args->file, &err);
    if (result == 0)
        result = backtest(&run, &err);
    backtest_file_release(&run.file);
    offline_end_progress(&run.progress);
    if (result != 0) {
        fprintf(stderr, "ha-ai: backtest: %s\n", err.message);
        return EXIT_FAILED;
    }
    if (offline_flush() != 0) {
        fprintf(stderr, "ha-ai: backtest: cannot write the result: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    return EXIT_SUCCESS;
}

int backtest_main(int argc, char **argv)
{
    struct error err = {ERROR_NONE, ""};
    struct arguments args;
    bool help;
    int code = EXIT_SUCCESS;
    if (parse_arguments(argc, argv, &args, &help, &err) != 0) {
        fprintf(stderr, "ha-ai: backtest: %s; see 'ha-ai backtest --help'\n", err.message);
        code = EXIT_WRONG_USE;
    } else if (help) {
        fputs(usage, stdout);
    } else {
        offline_obey_signals(false);
        code = run_backtest(&args);
    }
    for (size_t i = 0; i < args.move_count; i++)
        move_free(args.moves[i]);
    return code;
}
