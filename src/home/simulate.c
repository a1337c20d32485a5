#include "home/simulate.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/error.h"
#include "core/tz.h"
#include "core/json.h"
#include "core/xalloc.h"
#include "home/deployed.h"
#include "home/ha_config.h"
#include "home/plan.h"
#include "home/play.h"
#include "home/recorder_db.h"
#include "home/truth.h"

#define STATES_MAX INT64_C(100000000)
#define YEAR_2000_MS INT64_C(946684800000)
#define YEAR_3000_MS INT64_C(32503680000000)

enum {
    DAYS_MAX = 3650,
    DEFAULT_PACE_S = 600,
    LEAST_PACE_S = 4 * 3600,
    FASTEST_PACE_S = 1,
    TROUBLE_COUNT = 5
};

struct arguments {
    int64_t days, entities, habits, seed, states, schema, purge;
    const char *deployed, *out, *truth, *ha_config, *timezone, *location, *end;
    const char *kinds, *gates, *trouble, *anomalies, *adherence, *sigma;
    double latitude, longitude;
    int64_t end_us;
    int64_t keep_from_us;      /* what lies before was purged; INT64_MIN: nothing */
    struct home_settings home; /* what of it the arguments say */
};

enum argument_kind { NUMBER, TEXT };

/* One row gives an option's parsing, limits and help. */
struct argument {
    const char *name;
    enum argument_kind kind;
    size_t offset;
    int64_t least, most;
    const char *help;
};

#define AT(field) offsetof(struct arguments, field)

static const struct argument table[] = {
    {"days", NUMBER, AT(days), 1, DAYS_MAX, "complete local days of history before today (30)"},
    {"entities", NUMBER, AT(entities), HOME_ENTITIES_MIN, HOME_ENTITIES_MAX,
     "entities of the home (40)"},
    {"seed", NUMBER, AT(seed), 0, INT64_MAX, "which home: equal seeds, equal homes (1)"},
    {"out", TEXT, AT(out), 0, 0, "recorder database to write; must not exist"},
    {"truth", TEXT, AT(truth), 0, 0, "JSON file to write: what was planted"},
    {"schema", NUMBER, AT(schema), 50, 53, "recorder schema: 50 (HA 2025.4 on) or 53 (2026.11)"},
    {"ha-config", TEXT, AT(ha_config), 0, 0,
     "write a whole HA configuration folder that has the home"},
    {"timezone", TEXT, AT(timezone), 0, 0, "the home's time zone (Europe/Berlin)"},
    {"location", TEXT, AT(location), 0, 0, "LAT,LON of the home (52.52,13.405)"},
    {"end", TEXT, AT(end), 0, 0, "RFC 3339 time at which the history ends (now)"},
    {"habits", NUMBER, AT(habits), 0, HOME_ENTITIES_MAX,
     "planted habits; 0: a home without any (up to 8, by size)"},
    {"kinds", TEXT, AT(kinds), 0, 0,
     "kinds of habits, of time_of_day,sun,sequence,left_on,value,chain,long_quiet,scene (all)"},
    {"gates", TEXT, AT(gates), 0, 0,
     "what they may hang on besides, of none,presence,dark,lux,mode,window,days (all)"},
    {"trouble", TEXT, AT(trouble), 0, 0, "of drift,change,holidays,guests,sensors; or none (all)"},
    {"anomalies", TEXT, AT(anomalies), 0, 0,
     "at the end, of open_at_night,left_on,unlocked,habit_missed,sensor_silent; or none (all)"},
    {"adherence", TEXT, AT(adherence), 0, 0,
     "A or A,B: on how many of its days a habit happens (0.6,0.95)"},
    {"sigma", TEXT, AT(sigma), 0, 0, "A or A,B: jitter of habits in minutes (2,30)"},
    {"purge", NUMBER, AT(purge), 1, DAYS_MAX, "keep that many days only, as HA's recorder does"},
    {"deployed", TEXT, AT(deployed), 0, 0,
     "JSON file: automations that the people live with, and habits that change"},
    {"states", NUMBER, AT(states), 1, STATES_MAX,
     "about so many states in all, by pacing the numeric sensors"},
};
enum { TABLE_COUNT = sizeof table / sizeof table[0] };

static void print_help(void)
{
    puts("Usage: ha-ai simulate --out DB --truth JSON [OPTIONS]\n"
         "Writes the recorder database of a simulated home with planted habits, and the truth "
         "about\n"
         "it (docs/truth-format.md). Equal arguments give equal files; --end is now unless "
         "given.\n");
    for (size_t i = 0; i < TABLE_COUNT; i++)
        printf("  --%-10s %-5s %s\n", table[i].name, table[i].kind == NUMBER ? "N" : "TEXT",
               table[i].help);
    puts("  --help           this text");
}

static int parse_number(const struct argument *a, const char *text, int64_t *out, struct error *err)
{
    char *rest;
    errno = 0;
    const long long value = strtoll(text, &rest, 10);
    if (rest == text || *rest != '\0' || errno != 0 || value < a->least || value > a->most)
        return error_set(err, ERROR_INVALID, "--%s: '%s' is not a whole number in %lld..%lld",
                         a->name, text, (long long)a->least, (long long)a->most);
    *out = value;
    return 0;
}

static int parse_location(struct arguments *args, struct error *err)
{
    char *rest;
    args->latitude = strtod(args->location, &rest);
    bool ok = rest != args->location && *rest == ',';
    if (ok) {
        const char *second = rest + 1;
        args->longitude = strtod(second, &rest);
        ok = rest != second && *rest == '\0';
    }
    if (!ok || !(fabs(args->latitude) <= 90) || !(fabs(args->longitude) <= 180))
        return error_set(err, ERROR_INVALID, "--location: '%s' is not LAT,LON in degrees",
                         args->location);
    return 0;
}

/* The words of the options that take a list, in the order of their bits. */
struct names {
    const char *kinds[HOME_KIND_COUNT], *gates[HOME_GATE_COUNT], *trouble[TROUBLE_COUNT];
    const char *anomalies[HOME_ANOMALY_COUNT];
};

static struct names names_of_sets(void)
{
    struct names n = {.trouble = {"drift", "change", "holidays", "guests", "sensors"}};
    for (int k = 0; k < HOME_KIND_COUNT; k++)
        n.kinds[k] = home_kind_name((enum home_habit_kind)k);
    for (int g = 0; g < HOME_GATE_COUNT; g++)
        n.gates[g] = home_gate_name((enum home_gate_kind)g);
    for (int a = 0; a < HOME_ANOMALY_COUNT; a++)
        n.anomalies[a] = home_anomaly_name((enum home_anomaly_kind)a);
    return n;
}

/* One number, or two with a comma between them, within limits. */
static int parse_range(const char *name, const char *text, double least, double most, double *low,
                       double *high, struct error *err)
{
    char *rest;
    if (text == NULL)
        return 0;
    *low = *high = strtod(text, &rest);
    bool ok = rest != text;
    if (ok && *rest == ',') {
        const char *second = rest + 1;
        *high = strtod(second, &rest);
        ok = rest != second;
    }
    if (!ok || *rest != '\0' || !(*low >= least) || !(*low <= *high) || !(*high <= most))
        return error_set(err, ERROR_INVALID, "--%s: '%s' is neither A nor A,B within %g..%g", name,
                         text, least, most);
    return 0;
}

/* A list of names as a set of bits, in their order. */
static int parse_set(const char *name, const char *text, const char *const *names, int count,
                     unsigned *out, struct error *err)
{
    if (text == NULL)
        return 0;
    *out = 0;
    for (const char *word = text;; word++) {
        const size_t length = strcspn(word, ",");
        int i = 0;
        while (i < count && (strlen(names[i]) != length || strncmp(names[i], word, length) != 0))
            i++;
        if (i == count)
            return error_set(err, ERROR_INVALID, "--%s: '%.*s' is none of those in --help", name,
                             (int)(length < 40 ? length : 40), word);
        *out |= 1u << i;
        word += length;
        if (*word == '\0')
            return 0;
    }
}

static int parse_set_or_none(const char *name, const char *text, const char *const *names,
                             int count, unsigned *out, struct error *err)
{
    if (text == NULL || strcmp(text, "none") != 0)
        return parse_set(name, text, names, count, out, err);
    *out = 0;
    return 0;
}

static int parse_home(struct arguments *args, struct error *err)
{
    const struct names names = names_of_sets();
    struct home_settings *s = &args->home;
    if (parse_set("kinds", args->kinds, names.kinds, HOME_KIND_COUNT, &s->kinds, err) < 0 ||
        parse_set("gates", args->gates, names.gates, HOME_GATE_COUNT, &s->gates, err) < 0)
        return -1;
    if (parse_set_or_none("trouble", args->trouble, names.trouble, TROUBLE_COUNT, &s->trouble,
                          err) < 0 ||
        parse_set_or_none("anomalies", args->anomalies, names.anomalies, HOME_ANOMALY_COUNT,
                          &s->anomalies, err) < 0)
        return -1;
    if (parse_range("adherence", args->adherence, 0, 1, &s->adherence_low, &s->adherence_high,
                    err) < 0)
        return -1;
    return parse_range("sigma", args->sigma, 0, 60, &s->sigma_low_min, &s->sigma_high_min, err);
}

static int check_arguments(struct arguments *args, struct error *err)
{
    if (args->schema != 50 && args->schema != 53)
        return error_set(err, ERROR_INVALID, "--schema: %lld is neither 50 nor 53",
                         (long long)args->schema);
    if (args->out == NULL && args->ha_config == NULL)
        return error_set(err, ERROR_INVALID,
                         "nothing to write: give --out FILE or --ha-config DIR");
    int64_t end_ms = clock_wall_ms();
    if (args->end != NULL && clock_parse_rfc3339(args->end, &end_ms) != 0)
        return error_set(err, ERROR_INVALID, "--end: '%s' is not a time such as %s", args->end,
                         "2026-11-23T12:00:00Z");
    const int64_t day_ms = INT64_C(86400000);
    if (end_ms - args->days * day_ms < YEAR_2000_MS || end_ms >= YEAR_3000_MS)
        return error_set(err, ERROR_INVALID,
                         "--end: %lld days up to '%s' do not lie within the years 2000..2999",
                         (long long)args->days, args->end != NULL ? args->end : "now");
    args->end_us = end_ms * 1000;
    return parse_location(args, err) < 0 ? -1 : parse_home(args, err);
}

/* 0, -1 with *err, or 1: help was asked for. */
static int parse_arguments(int argc, char **argv, struct arguments *args, struct error *err)
{
    struct option options[TABLE_COUNT + 2] = {0};
    for (int i = 0; i < TABLE_COUNT; i++)
        options[i] = (struct option){table[i].name, required_argument, NULL, i};
    options[TABLE_COUNT] = (struct option){"help", no_argument, NULL, TABLE_COUNT};

    optind = 1;
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
        if (c == TABLE_COUNT)
            return 1;
        if (c == ':')
            return error_set(err, ERROR_INVALID, "%s wants a value", argv[optind - 1]);
        if (c == '?')
            return error_set(err, ERROR_INVALID, "unknown option %s", argv[optind - 1]);
        const struct argument *a = &table[c];
        void *field = (char *)args + a->offset;
        if (a->kind == TEXT)
            *(const char **)field = optarg;
        else if (parse_number(a, optarg, field, err) != 0)
            return -1;
    }
    if (optind < argc)
        return error_set(err, ERROR_INVALID, "unexpected argument '%s'", argv[optind]);
    return check_arguments(args, err);
}

/* --- Playing into the database and the truth
 * ------------------------------------------------------- */

struct output {
    struct home_sink database;
    struct truth *truth;
    int64_t keep_from_us;
};

static void output_change(void *data, const struct home_change *change)
{
    const struct output *out = data;
    out->database.change(out->database.data, change);
    if (change->time_us >= out->keep_from_us)
        truth_note_change(out->truth, change);
}

static void output_event(void *data, const struct home_event *event)
{
    const struct output *out = data;
    out->database.event(out->database.data, event);
    if (event->time_us >= out->keep_from_us)
        truth_note_event(out->truth, event);
}

static void output_note(void *data, const struct home_wish *note)
{
    const struct output *out = data;
    if (note->time_us >= out->keep_from_us)
        truth_note_occasion(out->truth, note);
}

static void output_run_begins(void *data, int64_t time_us)
{
    const struct output *out = data;
    out->database.run_begins(out->database.data, time_us);
    if (time_us >= out->keep_from_us)
        truth_note_run(out->truth, time_us, true, true);
}

static void output_run_ends(void *data, int64_t time_us, bool clean)
{
    const struct output *out = data;
    out->database.run_ends(out->database.data, time_us, clean);
    if (time_us >= out->keep_from_us)
        truth_note_run(out->truth, time_us, false, clean);
}

struct count {
    int64_t keep_from_us, states;
};

static void count_change(void *data, const struct home_change *change)
{
    struct count *count = data;
    count->states += change->time_us >= count->keep_from_us;
}

/* What a sensor reads of the whole: less when it dies early. */
static double share_of(const struct home *home, const struct home_entity *e)
{
    const struct home_settings *s = &home->settings;
    const double days = (double)(s->last_day - s->first_day + 1);
    const double lives = e->dies_on > s->last_day ? days : (double)(e->dies_on - s->first_day);
    return e->quantity == NULL ? 0 : e->quantity->share * lives / days;
}

/* How fast the sensors must be read to make the wanted number of states. */
static int find_pace(const struct play *play, const struct arguments *args, struct home_pace *pace,
                     struct error *err)
{
    pace->seconds_per_reading = DEFAULT_PACE_S;
    if (args->states == 0)
        return 0;
    struct count others = {.keep_from_us = args->keep_from_us};
    const struct home_sink counter = {.data = &others, .change = count_change};
    home_play(play, &counter);

    double shares = 0, fastest = 0;
    for (size_t e = 0; e < play->home->entity_count; e++) {
        const struct home_entity *entity = &play->home->entities[e];
        shares += share_of(play->home, entity);
        if (entity->quantity != NULL)
            fastest = fmax(fastest, entity->quantity->share);
    }
    const int64_t begin_us = tz_day_start(play->tz, play->first_day) * 1000000;
    const int64_t from_us = begin_us > args->keep_from_us ? begin_us : args->keep_from_us;
    const double seconds = (double)(play->end_us - from_us) / 1e6;
    const double wanted = (double)(args->states - others.states);
    const double most = seconds / (FASTEST_PACE_S * fastest) * shares;
    if (wanted > most)
        return error_set(err, ERROR_INVALID,
                         "--states: %lld are too many for %lld days of %zu entities (at most %lld)",
                         (long long)args->states, (long long)args->days, play->home->entity_count,
                         (long long)most + (long long)others.states);
    pace->seconds_per_reading = LEAST_PACE_S;
    if (wanted > seconds * shares / LEAST_PACE_S)
        pace->seconds_per_reading = seconds * shares / wanted;
    return 0;
}

static void add_names(json_object *obj, const char *key, unsigned set, const char *const *names,
                      int count)
{
    char text[256] = "";
    size_t length = 0;
    for (int i = 0; i < count; i++)
        if (set & 1u << i)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%s",
                                       length > 0 ? "," : "", names[i]);
    json_object_object_add(obj, key, json_object_new_string(length > 0 ? text : "none"));
}

static void add_range(json_object *obj, const char *key, double low, double high)
{
    char text[64];
    snprintf(text, sizeof text, "%g,%g", low, high);
    json_object_object_add(obj, key, json_object_new_string(text));
}

static void add_home_arguments(json_object *obj, const struct home_settings *s)
{
    const struct names names = names_of_sets();
    add_names(obj, "kinds", s->kinds, names.kinds, HOME_KIND_COUNT);
    add_names(obj, "gates", s->gates, names.gates, HOME_GATE_COUNT);
    add_names(obj, "trouble", s->trouble, names.trouble, TROUBLE_COUNT);
    add_names(obj, "anomalies", s->anomalies, names.anomalies, HOME_ANOMALY_COUNT);
    add_range(obj, "adherence", s->adherence_low, s->adherence_high);
    add_range(obj, "sigma", s->sigma_low_min, s->sigma_high_min);
}

/* What was asked for, defaults filled in: running it again gives the same home. */
static json_object *arguments_json(const struct arguments *args, const struct home *home)
{
    char end[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(end, args->end_us / 1000);
    json_object *obj = json_object_new_object();
    json_object_object_add(obj, "days", json_object_new_int64(args->days));
    json_object_object_add(obj, "entities", json_object_new_int64(args->entities));
    json_object_object_add(obj, "seed", json_object_new_int64(args->seed));
    json_object_object_add(obj, "habits", json_object_new_int64((int64_t)home->habit_count));
    if (args->purge != 0)
        json_object_object_add(obj, "purge", json_object_new_int64(args->purge));
    if (args->deployed != NULL)
        json_object_object_add(obj, "deployed", json_object_new_string(args->deployed));
    add_home_arguments(obj, &home->settings);
    json_object_object_add(obj, "states",
                           args->states != 0 ? json_object_new_int64(args->states) : NULL);
    json_object_object_add(obj, "schema", json_object_new_int64(args->schema));
    json_object_object_add(obj, "timezone", json_object_new_string(args->timezone));
    json_object_object_add(obj, "location", json_object_new_string(args->location));
    json_object_object_add(obj, "end", json_object_new_string(end));
    return obj;
}

static int write_all(const struct play *play, const struct arguments *args, struct output *out,
                     const char *path, struct error *err)
{
    struct recorder_db *db = recorder_db_create(path, play->home, (int)args->schema, err);
    if (db == NULL)
        return -1;
    recorder_db_bind(db, &out->database);
    recorder_db_purge_before(db, args->keep_from_us);
    const struct home_sink sink = {
        .data = out,
        .change = output_change,
        .event = output_event,
        .note = output_note,
        .run_begins = output_run_begins,
        .run_ends = output_run_ends,
    };
    home_play(play, &sink);
    int result = recorder_db_finish(db, play->end_us, err);
    recorder_db_free(db);
    if (result == 0 && args->truth != NULL) {
        json_object *json = arguments_json(args, play->home);
        result = truth_write(out->truth, json, args->truth, err);
        json_object_put(json);
    }
    return result;
}

static int simulate(const struct arguments *args, const struct tz *tz, const struct home *home,
                    struct error *err)
{
    const struct home_settings *s = &home->settings;
    struct play play = {
        .home = home, .tz = tz, .first_day = s->last_day + 1 - args->days, .end_us = args->end_us};
    struct home_pace pace;
    if (find_pace(&play, args, &pace, err) != 0)
        return -1;
    play.pace = &pace;

    const struct ha_config config = {
        .home = home,
        .schema = (int)args->schema,
        .timezone = args->timezone,
        .latitude = args->latitude,
        .longitude = args->longitude,
        .time_us = args->end_us,
    };
    if (args->ha_config != NULL && ha_config_write(&config, args->ha_config, err) != 0)
        return -1;
    char *in_folder =
        args->ha_config != NULL ? xasprintf("%s/home-assistant_v2.db", args->ha_config) : NULL;
    struct output out = {.truth = truth_new(home, tz, s->first_day, s->last_day),
                         .keep_from_us = args->keep_from_us};
    int result = write_all(&play, args, &out, args->out != NULL ? args->out : in_folder, err);
    if (result == 0 && args->out != NULL && in_folder != NULL)
        result = ha_config_copy_file(args->out, in_folder, err);
    truth_free(out.truth);
    free(in_folder);
    return result;
}

/* HA purges at 04:12: what lies so many days before that is gone, and with it the days before. */
static int purge(struct arguments *args, const struct tz *tz, const struct tz_local *end,
                 struct error *err)
{
    enum { PURGE_AT_S = (4 * 60 + 12) * 60 };
    struct tz_local from;
    args->keep_from_us = INT64_MIN;
    if (args->purge == 0)
        return 0;
    const int64_t day = end->second_of_day < PURGE_AT_S ? end->day - 1 : end->day;
    const int64_t from_s = tz_to_utc(tz, day, PURGE_AT_S) - args->purge * DAY_S;
    tz_to_local(tz, from_s, &from);
    if (from.day < args->home.first_day)
        return 0;
    if (from.day >= args->home.last_day)
        return error_set(err, ERROR_INVALID, "--purge: %lld leaves no complete day",
                         (long long)args->purge);
    args->keep_from_us = from_s * 1000000;
    args->home.first_day = from.day + 1;
    return 0;
}

static int make_home(struct arguments *args, const struct tz *tz, struct home *home,
                     struct error *err)
{
    struct tz_local end;
    struct home_settings *s = &args->home;
    tz_to_local(tz, args->end_us / 1000000, &end);
    s->seed = (uint64_t)args->seed;
    s->entities = (int)args->entities;
    s->habits = (int)args->habits;
    s->first_day = end.day - args->days;
    s->last_day = end.day - 1;
    s->end_us = args->end_us;
    s->tz = tz;
    if (purge(args, tz, &end, err) < 0)
        return -1;
    s->latitude = args->latitude;
    s->longitude = args->longitude;
    if (home_init(home, s, err) != 0)
        return -1;
    if (args->deployed == NULL)
        return 0;
    json_object *file = json_read_file(args->deployed, DEPLOYED_FILE_MAX, err);
    const int result = file != NULL ? deployed_apply(home, file, err) : -1;
    json_object_put(file);
    return result == 0 ? 0 : error_prefix(err, "--deployed: %s", args->deployed);
}

int simulate_main(int argc, char **argv)
{
    struct arguments args = {.days = 30,
                             .entities = 40,
                             .habits = -1,
                             .seed = 1,
                             .schema = 50,
                             .timezone = "Europe/Berlin",
                             .location = "52.52,13.405",
                             .home = home_settings_default(0, 0, 0, 0)};
    struct error err = {0};
    struct home home = {0};
    int exit_code = 2;
    const int parsed = parse_arguments(argc, argv, &args, &err);
    if (parsed == 1) {
        print_help();
        return 0;
    }
    struct tz *tz = parsed == 0 ? tz_load(args.timezone, &err) : NULL;
    if (tz != NULL && make_home(&args, tz, &home, &err) == 0) {
        const bool done = simulate(&args, tz, &home, &err) == 0;
        exit_code = done ? 0 : err.code == ERROR_INVALID ? 2 : 1;
    }
    if (exit_code != 0)
        fprintf(stderr, "ha-ai simulate: %s\n", err.message);
    home_release(&home);
    tz_free(tz);
    return exit_code;
}
