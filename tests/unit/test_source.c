/* source/: recorder databases as Home Assistant leaves them, as it writes them, and as nobody
 * should have made them. */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "seeded.h"
#include <sqlite3.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "home/recorder_schema.h"
#include "model/history.h"
#include "model/rule.h"
#include "source/builder.h"
#include "source/ignored.h"
#include "source/recorder.h"
#include "source/recorder_cause.h"
#include "source/source.h"

enum { HOSTILE_ROUNDS = 25, DAMAGE_ROUNDS = 80, MANY_ROWS = 60000 };
static const int64_t day_s = 86400;
static const int64_t monday_s =
    1792969200; /* 2026-10-26 00:00 in Berlin, the day after DST ended */

static char folder[64];
static char database[96];
static bool has_index; /* of entity and time: without it there is another road to the rows */
static struct tz *berlin;

static int random_below(int n)
{
    return (int)(next_random() % (uint64_t)n);
}

/* --- making databases --- */

/* SQLite's printf: %Q quotes. */
static void run(sqlite3 *db, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *sql = sqlite3_vmprintf(fmt, ap);
    va_end(ap);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        print_error("%s: %s\n", sql, message);
    assert_null(message);
    sqlite3_free(sql);
}

/* An empty recorder database in WAL mode, open for more. */
static sqlite3 *create(int schema)
{
    const struct recorder_schema *ddl = recorder_schema_find(schema);
    assert_non_null(ddl);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
    run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
    assert_int_equal(sqlite3_exec(db, ddl->tables, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, ddl->statistics_meta, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, ddl->indexes, NULL, NULL, NULL), SQLITE_OK);
    if (!has_index)
        run(db, "DROP INDEX ix_states_metadata_id_last_updated_ts");
    run(db, "INSERT INTO schema_changes (schema_version, changed) VALUES (%d, '2026-01-01')",
        schema);
    return db;
}

static void add_entity(sqlite3 *db, int id, const char *entity_id)
{
    run(db, "INSERT INTO states_meta (metadata_id, entity_id) VALUES (%d, %Q)", id, entity_id);
}

/* cause: a letter of "person, physical, automation". */
static void add_state(sqlite3 *db, int entity, double time_s, const char *state, char cause)
{
    run(db,
        "INSERT INTO states (metadata_id, state, last_updated_ts, attributes_id, context_id_bin,"
        " context_user_id_bin, context_parent_id_bin)"
        " VALUES (%d, %Q, %f, %d, randomblob(16), %s, %s)",
        entity, state, time_s, entity,
        cause == 'u' ? "x'00112233445566778899aabbccddeeff'" : "NULL",
        cause == 'a' ? "x'ffeeddccbbaa99887766554433221100'" : "NULL");
}

static void add_run(sqlite3 *db, int64_t start_s, int64_t end_s, bool closed_incorrect)
{
    run(db,
        "INSERT INTO recorder_runs (start, \"end\", closed_incorrect, created) VALUES"
        " (strftime('%%Y-%%m-%%d %%H:%%M:%%S.000000', %lld, 'unixepoch'),"
        "  CASE WHEN %lld > 0 THEN strftime('%%Y-%%m-%%d %%H:%%M:%%S', %lld, 'unixepoch') END,"
        "  %d, '2026-01-01')",
        (long long)start_s, (long long)end_s, (long long)end_s, closed_incorrect);
}

static void write_file(const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    free(path);
}

/* --- reading them --- */

static int read_all(const struct source_options *options, struct history *h,
                    struct source_stats *stats, struct error *err)
{
    static const struct source_options none = {.exclude = NULL};
    history_init(h);
    h->tz = berlin;
    struct source *source = source_open(database, err);
    if (source == NULL)
        return -1;
    int result = source_read(source, options != NULL ? options : &none, h, stats, err);
    source_close(source);
    return result;
}

static void must_read(const struct source_options *options, struct history *h,
                      struct source_stats *stats)
{
    struct error err = {ERROR_NONE, ""};
    if (read_all(options, h, stats, &err) != 0)
        fail_msg("%s", err.message);
}

static const struct history_entity *find(const struct history *h, const char *entity_id)
{
    for (size_t i = 0; i < h->entity_count; i++)
        if (strcmp(h->entities[i].entity_id, entity_id) == 0)
            return &h->entities[i];
    print_error("%s is not there\n", entity_id);
    abort(); /* which the compiler knows to end it */
}

/* "on off (other)": an entity's words in order. */
static void assert_words(const struct history *h, const char *entity_id, const char *expected)
{
    char words[512] = "";
    const struct history_entity *e = find(h, entity_id);
    for (size_t i = 0, n = 0; i < e->changes; i++) {
        if (i > 0)
            assert_true(e->time_ms[i] >= e->time_ms[i - 1]);
        n += (size_t)snprintf(words + n, sizeof words - n, "%s%s", i > 0 ? " " : "",
                              h->states[e->state[i]]);
    }
    assert_string_equal(words, expected);
}

static void assert_covered(const struct history *h, size_t index, double from_s, double to_s)
{
    assert_true(index < h->covered_count);
    assert_int_equal(h->covered[index].from_ms, (int64_t)(from_s * 1000));
    assert_int_equal(h->covered[index].to_ms, (int64_t)(to_s * 1000));
}

/* --- tests --- */

static void reads_both_schemas(void **state)
{
    (void)state;
    static const int schemas[] = {50, 53};
    for (size_t i = 0; i < 2; i++) {
        sqlite3 *db = create(schemas[i]);
        add_entity(db, 1, "light.kitchen_lamp");
        add_entity(db, 2, "sensor.power");
        add_entity(db, 3, "sensor.never_seen");
        add_run(db, monday_s, monday_s + day_s, false);
        add_state(db, 1, (double)monday_s, "off", 'p');
        add_state(db, 1, (double)monday_s + 3600.25, "on", 'u');
        add_state(db, 1, (double)monday_s + 3700, "on", 'p'); /* an attribute only */
        add_state(db, 1, (double)monday_s + 7200, "off", 'a');
        for (int n = 0; n < 40; n++)
            add_state(db, 2, (double)monday_s + n * 100, n == 7 ? "unknown" : "12.5", 'p');
        sqlite3_close(db);
        struct history h;
        struct source_stats stats;
        must_read(NULL, &h, &stats);
        assert_int_equal(stats.skipped, 0);
        assert_int_equal(h.entity_count, 2);
        assert_int_equal(h.state_changes, 4 + BUILDER_NUMBERS_MIN + 1);
        assert_words(&h, "light.kitchen_lamp", "off on off");
        const struct history_entity *lamp = find(&h, "light.kitchen_lamp");
        assert_int_equal(lamp->time_ms[1], monday_s * 1000 + 3600250);
        assert_int_equal(lamp->cause[0], CAUSE_PHYSICAL);
        assert_int_equal(lamp->cause[1], CAUSE_PERSON);
        assert_int_equal(lamp->cause[2], CAUSE_AUTOMATION);
        assert_int_equal(lamp->rows, 4);
        assert_string_equal(lamp->name, "Kitchen lamp");
        assert_null(lamp->area);
        assert_int_equal(find(&h, "sensor.power")->changes, 0);
        assert_int_equal(find(&h, "sensor.power")->rows, BUILDER_NUMBERS_MIN + 1);
        assert_int_equal(h.from_ms, monday_s * 1000);
        assert_int_equal(h.to_ms, monday_s * 1000 + 7200000);
        history_release(&h);
        unlink(database);
    }
}

static void an_automation_by_itself_is_no_person(void **state)
{
    (void)state;
    sqlite3 *db = create(53);
    add_entity(db, 1, "light.hall");
    for (int n = 0; n < 6; n++)
        add_state(db, 1, (double)monday_s + n * 600, n % 2 ? "off" : "on", 'p');
    run(db, "INSERT INTO event_types VALUES (1, 'call_service'), (2, 'automation_triggered');"
            "INSERT INTO events (event_type_id, time_fired_ts, context_id_bin)"
            " SELECT 1 + (state_id > 3), last_updated_ts, context_id_bin FROM states"
            " WHERE state_id IN (2, 4)");
    sqlite3_close(db);
    struct history h;
    must_read(NULL, &h, NULL);
    const struct history_entity *hall = find(&h, "light.hall");
    assert_int_equal(hall->changes, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(hall->cause[i], i == 3 ? CAUSE_AUTOMATION : CAUSE_PHYSICAL);
    history_release(&h);
}

static void keeps_words_only(void **state)
{
    (void)state;
    sqlite3 *db = create(50);
    static const char *const ids[] = {"sensor.mode",  "sensor.title", "sensor.battery",
                                      "climate.room", "sensor.alarm", "light.gone"};
    for (int i = 0; i < 6; i++)
        add_entity(db, i + 1, ids[i]);
    double t = (double)monday_s;
    for (int n = 0; n < 200; n++) {
        char title[32];
        snprintf(title, sizeof title, "song %d", n);
        add_state(db, 1, t + n, n % 2 ? "heating" : "idle", 'p');
        add_state(db, 2, t + n, title, 'p');
    }
    add_state(db, 3, t, "unknown", 'p');
    add_state(db, 3, t + 1, "-7", 'p');
    add_state(db, 4, t, "heat", 'p');
    add_state(db, 4, t + 1, "21", 'p'); /* odd, but not a number's series */
    add_state(db, 4, t + 2, "22", 'p');
    add_state(db, 4, t + 3, "off", 'p');
    add_state(db, 4, t + 4, "heat", 'p');
    add_state(db, 5, t, "2026-11-23T06:30:00+00:00", 'p');
    add_state(db, 6, t, "on", 'u');
    add_state(db, 6, t + 1, NULL, 'p'); /* removed */
    add_state(db, 6, t + 2, "", 'p');
    sqlite3_close(db);
    struct history h;
    must_read(NULL, &h, NULL);
    assert_int_equal(find(&h, "sensor.mode")->changes, 200);
    assert_int_equal(find(&h, "sensor.title")->changes, 0);
    assert_int_equal(find(&h, "sensor.title")->rows, BUILDER_ENTITY_WORDS_MAX + 1);
    assert_int_equal(find(&h, "sensor.battery")->changes, 0);
    assert_int_equal(find(&h, "sensor.alarm")->changes, 0);
    assert_words(&h, "climate.room", "heat (other) off heat");
    assert_words(&h, "light.gone", "on unavailable unknown");
    history_release(&h);
}

/* The moment, in HA's words: what a scene's state is after it was activated then. */
static void add_scene_state(sqlite3 *db, int entity, double row_s, double stamp_s, char cause)
{
    time_t seconds = (time_t)stamp_s;
    struct tm tm;
    char text[40], micro[16] = "";
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));
    if (stamp_s > (double)seconds) /* Python leaves out what is zero */
        snprintf(micro, sizeof micro, ".%06d", (int)((stamp_s - (double)seconds) * 1e6));
    char *state = xasprintf("%s%s+00:00", text, micro);
    add_state(db, entity, row_s, state, cause);
    free(state);
}

/* A scene's state is when it was activated; what a restart restores is no activation. */
static void keeps_when_scenes_were_activated(void **state)
{
    (void)state;
    sqlite3 *db = create(50);
    add_entity(db, 1, "scene.movie");
    add_entity(db, 2, "scene.never");
    double t = (double)monday_s;
    add_state(db, 1, t, "unknown", 'p');
    add_scene_state(db, 1, t + 10.25, t + 10.25, 'u');
    add_scene_state(db, 1, t + 20, t + 20, 'u');
    add_scene_state(db, 1, t + 30, t + 29.75, 'a');
    add_state(db, 1, t + 40, "unavailable", 'p');
    add_scene_state(db, 1, t + 50, t + 29.75, 'p'); /* restored */
    for (int n = 0; n < 100; n++)                   /* more than an entity may have words */
        add_scene_state(db, 1, t + 100 + n, t + 100 + n, 'p');
    add_state(db, 1, t + 300, "2026-10-26", 'p');
    add_state(db, 1, t + 301, "2026-10-26T00:05:01", 'p'); /* without its zone */
    add_state(db, 1, t + 302, "", 'p');
    add_state(db, 2, t, "unknown", 'p');
    add_state(db, 2, t + 5, NULL, 'p');
    sqlite3_close(db);
    struct history h;
    must_read(NULL, &h, NULL);
    const struct history_entity *movie = find(&h, "scene.movie");
    assert_int_equal(movie->rows, 109);
    const int64_t on_ms[] = {10250, 20000, 30000};
    const int causes[] = {CAUSE_PERSON, CAUSE_PERSON, CAUSE_AUTOMATION};
    assert_int_equal(movie->state[0], HISTORY_STATE_OFF);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(movie->state[1 + 2 * i], HISTORY_STATE_ON);
        assert_int_equal(movie->time_ms[1 + 2 * i], monday_s * 1000 + on_ms[i]);
        assert_int_equal(movie->cause[1 + 2 * i], causes[i]);
        assert_int_equal(movie->state[2 + 2 * i], HISTORY_STATE_OFF);
        assert_int_equal(movie->time_ms[2 + 2 * i], monday_s * 1000 + on_ms[i] + 1);
    }
    assert_int_equal(movie->state[7], HISTORY_STATE_UNAVAILABLE);
    assert_int_equal(movie->state[8], HISTORY_STATE_OFF);
    assert_int_equal(movie->changes, 9 + 2 * 100);
    assert_words(&h, "scene.never", "off unavailable");
    history_release(&h);
}

static void sorts_what_came_late(void **state)
{
    (void)state;
    sqlite3 *db = create(50);
    add_entity(db, 1, "switch.a");
    double t = (double)monday_s;
    add_state(db, 1, t + 30, "on", 'p');
    add_state(db, 1, t + 20, "on", 'u'); /* the true beginning */
    add_state(db, 1, t + 10, "off", 'p');
    add_state(db, 1, t + 40, "off", 'p');
    add_state(db, 1, t + 40, "on", 'p'); /* equal times: in order of arrival */
    add_state(db, 1, t + 60, "on", 'p'); /* no change, until the next row tells */
    add_state(db, 1, t + 50, "off", 'a');
    sqlite3_close(db);
    struct history h;
    must_read(NULL, &h, NULL);
    assert_words(&h, "switch.a", "off on off on off on");
    assert_int_equal(find(&h, "switch.a")->time_ms[5], (monday_s + 60) * 1000);
    assert_int_equal(find(&h, "switch.a")->time_ms[1], (monday_s + 20) * 1000);
    assert_int_equal(find(&h, "switch.a")->cause[1], CAUSE_PERSON);
    history_release(&h);
}

static void leaves_out_what_is_excluded(void **state)
{
    (void)state;
    sqlite3 *db = create(50);
    add_entity(db, 1, "light.a");
    add_entity(db, 2, "light.bedroom_left");
    add_entity(db, 3, "light.bedroom_right");
    add_entity(db, 4, "person.anna");
    for (int n = 0; n < 40; n++)
        add_state(db, 1 + n % 4, (double)monday_s + n, n % 8 < 4 ? "on" : "off", 'p');
    sqlite3_close(db);
    struct history h;
    struct source_stats stats;
    must_read(&(struct source_options){.exclude = " light.bedroom_*,\tperson.anna,,"}, &h, &stats);
    assert_int_equal(h.entity_count, 1);
    assert_int_equal(h.state_changes, 10);
    assert_int_equal(stats.skipped, 0);
    for (size_t i = 0; i < h.state_count; i++)
        assert_null(strstr(h.states[i], "bedroom"));
    history_release(&h);
    must_read(&(struct source_options){.since_ms = (monday_s + 10) * 1000,
                                       .until_ms = (monday_s + 20) * 1000},
              &h, NULL);
    assert_int_equal(h.state_changes, 10);
    assert_int_equal(h.from_ms, (monday_s + 10) * 1000);
    assert_int_equal(h.to_ms, (monday_s + 19) * 1000);
    history_release(&h);
    char *many = xmalloc(2 * SOURCE_EXCLUSIONS_MAX + 3);
    for (int i = 0; i <= SOURCE_EXCLUSIONS_MAX; i++)
        memcpy(many + 2 * i, "a,", 3);
    struct error err = {ERROR_NONE, ""};
    assert_int_equal(read_all(&(struct source_options){.exclude = many}, &h, NULL, &err), -1);
    assert_int_equal(err.code, ERROR_LIMIT);
    history_release(&h);
    free(many);
}

/* What a user does who is no evidence counts as an automation's; every list has its maximum. */
static void leaves_people_and_labels_out(void **state)
{
    (void)state;
    static const char user[] = "00112233445566778899aabbccddeeff";
    sqlite3 *db = create(50);
    add_entity(db, 1, "light.a");
    for (int n = 0; n < 4; n++)
        add_state(db, 1, (double)monday_s + n, n % 2 == 0 ? "on" : "off", n < 2 ? 'u' : 'p');
    sqlite3_close(db);
    struct history h;
    must_read(NULL, &h, NULL);
    assert_int_equal(h.entities[0].cause[1], CAUSE_PERSON);
    history_release(&h);
    must_read(&(struct source_options){.exclude_users = user}, &h, NULL);
    assert_int_equal(h.entities[0].cause[1], CAUSE_AUTOMATION);
    assert_int_equal(h.entities[0].cause[2], CAUSE_PHYSICAL);
    history_release(&h);
    must_read(&(struct source_options){.exclude_users = "x,0011,ffffffffffffffffffffffffffffffff"},
              &h, NULL);
    assert_int_equal(h.entities[0].cause[1], CAUSE_PERSON);
    history_release(&h);

    struct recorder_cause cause;
    char *users = xcalloc((RECORDER_USERS_MAX + 1) * sizeof user + 1, 1);
    for (int i = 0; i <= RECORDER_USERS_MAX; i++)
        strcat(strcat(users, user), ",");
    recorder_cause_init(&cause);
    recorder_cause_exclude(&cause, users);
    assert_int_equal(cause.user_count, RECORDER_USERS_MAX);
    recorder_cause_release(&cause);
    free(users);

    struct ignored ignored;
    struct error err = {ERROR_NONE, ""};
    char *names = xcalloc(2 * IGNORED_NAMES_MAX + 3, 1);
    for (int i = 0; i <= IGNORED_NAMES_MAX; i++)
        strcat(names, "a,");
    assert_int_equal(ignored_read(database, NULL, names, NULL, &ignored, &err), -1);
    assert_int_equal(err.code, ERROR_LIMIT);
    ignored_release(&ignored);
    free(names);
    assert_int_equal(ignored_read(database, "light.*", NULL, user, &ignored, &err), 0);
    assert_string_equal(ignored.entities, "light.*");
    assert_string_equal(ignored.users, user);
    ignored_release(&ignored);
    assert_int_equal(ignored_read(database, NULL, NULL, NULL, &ignored, &err), 0);
    assert_null(ignored.entities);
    assert_null(ignored.users);
    ignored_release(&ignored);
    assert_int_equal(ignored_read(database, NULL, "Attic", NULL, &ignored, &err), -1);
    assert_non_null(strstr(err.message, "EXCLUDE_AREAS: got 'Attic'"));
    ignored_release(&ignored);
}

/* Hourly rows of one switch. */
static void add_hours(sqlite3 *db, int64_t from_s, int64_t to_s)
{
    for (int64_t t = from_s; t < to_s; t += 3600)
        add_state(db, 1, (double)t, (t / 3600) % 2 ? "on" : "off", 'p');
}

static void covers_what_the_runs_say(void **state)
{
    (void)state;
    sqlite3 *db = create(50);
    add_entity(db, 1, "switch.a");
    add_run(db, monday_s - 30 * day_s, monday_s + 10 * 3600, false); /* older rows are purged */
    add_run(db, monday_s + 12 * 3600, monday_s + day_s, true);       /* died before 19:00 */
    add_run(db, monday_s + day_s, 0, false);                         /* died, not told yet */
    add_run(db, monday_s + 2 * day_s, 0, false);                     /* is running */
    add_hours(db, monday_s, monday_s + 10 * 3600);
    add_hours(db, monday_s + 12 * 3600, monday_s + 19 * 3600);
    add_hours(db, monday_s + day_s, monday_s + day_s + 6 * 3600);
    add_hours(db, monday_s + 2 * day_s, monday_s + 3 * day_s);
    sqlite3_close(db);
    struct history h;
    must_read(NULL, &h, NULL);
    assert_int_equal(h.covered_count, 4);
    assert_covered(&h, 0, (double)monday_s, (double)monday_s + 10 * 3600);
    /* The last row, to the next 3.6 s. */
    assert_covered(&h, 1, (double)monday_s + 12 * 3600, (double)monday_s + 18 * 3600 + 3.6);
    assert_covered(&h, 2, (double)monday_s + (double)day_s,
                   (double)monday_s + (double)day_s + 5 * 3600 + 3.6);
    assert_covered(&h, 3, (double)monday_s + 2 * (double)day_s,
                   (double)monday_s + 3 * (double)day_s - 3600 + 0.001);
    history_release(&h);
}

/* Converted from other systems: one run, or none, over months without rows. */
static void does_not_cover_empty_days(void **state)
{
    (void)state;
    for (int with_run = 0; with_run < 2; with_run++) {
        sqlite3 *db = create(50);
        int64_t sunday_s = monday_s - 25 * 3600; /* 25 hours long */
        add_entity(db, 1, "switch.a");
        if (with_run)
            add_run(db, sunday_s - 2 * day_s, monday_s + 9 * day_s, false);
        add_hours(db, sunday_s - day_s, sunday_s);
        add_hours(db, monday_s, monday_s + day_s);
        add_hours(db, monday_s + 4 * day_s + 7200, monday_s + 5 * day_s);
        sqlite3_close(db);
        struct history h;
        must_read(NULL, &h, NULL);
        assert_int_equal(h.covered_count, 3);
        assert_covered(&h, 0, (double)(sunday_s - day_s), (double)sunday_s);
        assert_covered(&h, 1, (double)monday_s, (double)(monday_s + day_s));
        assert_covered(&h, 2, (double)(monday_s + 4 * day_s),
                       (double)(monday_s + 5 * day_s - 3600) + 0.001);
        history_release(&h);
        unlink(database);
    }
}

static void names_areas_and_place(void **state)
{
    (void)state;
    sqlite3 *db = create(53);
    static const char *const ids[] = {"light.a", "light.b", "light.c", "light.d", "light.e"};
    for (int i = 0; i < 5; i++) {
        add_entity(db, i + 1, ids[i]);
        add_state(db, i + 1, (double)monday_s, "on", 'p');
    }
    run(db, "INSERT INTO state_attributes (attributes_id, shared_attrs) VALUES"
            " (1, '{\"friendly_name\":\"Lampe \xC3\xBC\",\"device_class\":\"lamp\"}'), (2, 'no "
            "json'), (3, '[1]'),"
            " (4, '{\"friendly_name\":7}')");
    sqlite3_close(db);
    write_file(".storage/core.config",
               "{\"data\":{\"time_zone\":\"Europe/Paris\",\"latitude\":48.8,"
               "\"longitude\":2}}");
    write_file(".storage/core.area_registry",
               "{\"data\":{\"areas\":[{\"id\":\"k\",\"name\":\"Kitchen\"},{\"id\":\"h\",\"name\":"
               "\"Hall\"},7,{\"name\":\"no id\"}]}}");
    write_file(".storage/core.device_registry",
               "{\"data\":{\"devices\":[{\"id\":\"d1\",\"area_id\":\"h\",\"name\":\"Plug\"}]}}");
    write_file(
        ".storage/core.entity_registry",
        "{\"data\":{\"entities\":["
        "{\"entity_id\":\"light.a\",\"area_id\":\"k\",\"name\":\"Other\",\"device_id\":\"d1\","
        "\"device_class\":\"other\"},"
        "{\"entity_id\":\"light.b\",\"device_id\":\"d1\",\"original_name\":\"Power\","
        "\"has_entity_name\":true,\"device_class\":null,\"original_device_class\":\"plug\"},"
        "{\"entity_id\":\"light.c\",\"name\":\"Mine\",\"area_id\":\"gone\"},"
        "{\"entity_id\":\"light.z\"},{\"entity_id\":5},null]}}");
    struct error err = {ERROR_NONE, ""};
    struct source *source = source_open(database, &err);
    assert_non_null(source);
    const struct source_place *place = source_place(source);
    assert_string_equal(place->timezone, "Europe/Paris");
    assert_true(place->has_location && place->latitude > 48.7 && place->longitude == 2);
    source_close(source);
    struct history h;
    must_read(NULL, &h, NULL);
    static const char *const names[] = {"Lampe \xC3\xBC", "Plug Power", "Mine", "D", "E"};
    static const char *const areas[] = {"Kitchen", "Hall", NULL, NULL, NULL};
    assert_string_equal(find(&h, "light.a")->device_class, "lamp");
    assert_string_equal(find(&h, "light.b")->device_class, "plug");
    assert_null(find(&h, "light.c")->device_class);
    for (int i = 0; i < 5; i++) {
        const struct history_entity *e = find(&h, ids[i]);
        assert_string_equal(e->name, names[i]);
        if (areas[i] == NULL)
            assert_null(e->area);
        else
            assert_string_equal(e->area, areas[i]);
    }
    history_release(&h);
    /* Broken ones cost the names, not the history. */
    write_file(".storage/core.config",
               "{\"data\":{\"time_zone\":3,\"latitude\":200,\"longitude\":0}}");
    write_file(".storage/core.entity_registry", "{\"data\":{\"entities\":[[[");
    source = source_open(database, &err);
    assert_null(source_place(source)->timezone);
    assert_false(source_place(source)->has_location);
    source_close(source);
    must_read(NULL, &h, NULL);
    assert_string_equal(find(&h, "light.b")->name, "B");
    history_release(&h);
}

static void assert_refused(enum error_code code, const char *part)
{
    struct error err = {ERROR_NONE, ""};
    struct history h;
    assert_int_equal(read_all(NULL, &h, NULL, &err), -1);
    history_release(&h);
    if (err.code != code || strstr(err.message, part) == NULL)
        print_error("code %d: %s\n", err.code, err.message);
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.message, part));
    assert_non_null(strstr(err.message, database));
    assert_null(strchr(err.message, '\n'));
}

static void names_what_is_wrong_with_a_file(void **state)
{
    (void)state;
    assert_refused(ERROR_NOT_FOUND, "No such file");
    write_file("home.db", "");
    assert_refused(ERROR_INVALID, "empty");
    char *line = xmalloc(5000);
    memset(line, 'x', 4999);
    line[4999] = '\0';
    write_file("home.db", line);
    free(line);
    assert_refused(ERROR_INVALID, "no SQLite database");
    unlink(database);
    assert_int_equal(mkfifo(database, 0600), 0);
    assert_refused(ERROR_INVALID, "no regular file");
    unlink(database);
    assert_int_equal(mkdir(database, 0700), 0);
    assert_refused(ERROR_INVALID, "folder");
    rmdir(database);
    struct error err = {ERROR_NONE, ""};
    assert_null(source_open("postgresql://me:secret@host/db", &err));
    assert_int_equal(err.code, ERROR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "home-assistant_v2.db"));
    assert_null(strstr(err.message, "secret"));
    assert_null(source_open("https://ha.example/", &err));
    assert_null(source_open("ftp://x", &err));
}

static void names_what_is_wrong_inside(void **state)
{
    (void)state;
    sqlite3 *db = NULL;
    sqlite3_open(database, &db);
    run(db, "CREATE TABLE t (x)");
    sqlite3_close(db);
    assert_refused(ERROR_INVALID, "schema_changes");
    unlink(database);
    db = create(50);
    run(db, "UPDATE schema_changes SET schema_version = 30");
    assert_refused(ERROR_UNSUPPORTED, "recorder schema 30; expected 38");
    run(db, "UPDATE schema_changes SET schema_version = 'x'");
    assert_refused(ERROR_UNSUPPORTED, "recorder schema 0");
    run(db, "UPDATE schema_changes SET schema_version = 60");
    struct history h;
    must_read(NULL, &h, NULL); /* newer, with all columns */
    assert_int_equal(h.state_changes, 0);
    assert_int_equal(h.covered_count, 0);
    history_release(&h);
    run(db, "ALTER TABLE states RENAME COLUMN last_updated_ts TO then_ts");
    assert_refused(ERROR_UNSUPPORTED, "states.last_updated_ts");
    run(db, "ALTER TABLE states RENAME TO s;"
            "CREATE VIEW states AS SELECT *, then_ts AS last_updated_ts FROM s");
    assert_refused(ERROR_UNSUPPORTED, "states.state_id"); /* a view is no table */
    sqlite3_close(db);
}

static void a_locked_database_is_worth_a_retry(void **state)
{
    (void)state;
    sqlite3 *db = create(50);
    run(db, "PRAGMA journal_mode = DELETE; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    assert_refused(ERROR_BUSY, "locked");
    sqlite3_close(db);
    assert_string_equal(recorder_network_fs(0x6969), "NFS");
    assert_string_equal(recorder_network_fs(0xFFFFFFFFFF534D42ul), "CIFS"); /* sign-extended */
    assert_null(recorder_network_fs(0xEF53));
}

/* As another user who may only read: 100 + entities, or the error's code. */
static int read_as_nobody(void)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct history h;
        struct error err = {ERROR_NONE, ""};
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(99);
        int result = read_all(NULL, &h, NULL, &err);
        _exit(result == 0 ? 100 + (int)h.entity_count : (int)err.code);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void copy_to(const char *suffix, const char *copy)
{
    char *command = xasprintf("cp '%s%s' '%s/ro/%s'", database, suffix, folder, copy);
    assert_int_equal(system(command), 0);
    free(command);
}

static void reads_beside_a_running_home_assistant(void **state)
{
    (void)state;
    sqlite3 *db = create(53);
    run(db, "PRAGMA wal_autocheckpoint = 0");
    add_entity(db, 1, "light.a");
    add_state(db, 1, (double)monday_s, "on", 'p');
    struct stat info;
    stat(database, &info);
    assert_true(info.st_size <= 4096); /* all of it is in the -wal */
    struct history h;
    must_read(NULL, &h, NULL);
    assert_int_equal(h.state_changes, 1);
    history_release(&h);
    chmod(folder, 0755);
    assert_int_equal(read_as_nobody(), 101);
    /* Stopped, in a folder we may not write: copies that nobody has open. */
    char *ro = xasprintf("%s/ro", folder), kept[sizeof database];
    mkdir(ro, 0755);
    copy_to("", "home.db");
    copy_to("-wal", "home.db-wal");
    memcpy(kept, database, sizeof kept);
    snprintf(database, sizeof database, "%s/ro/home.db", folder);
    chmod(ro, 0555);
    assert_int_equal(read_as_nobody(), ERROR_BUSY);
    chmod(database, 0);
    assert_int_equal(read_as_nobody(), ERROR_DENIED);
    memcpy(database, kept, sizeof kept);
    sqlite3_close(db);
    free(ro);
}

struct writer {
    sqlite3 *db;
    atomic_bool stop;
    atomic_int truncated, refused;
};

static void *write_and_checkpoint(void *argument)
{
    struct writer *w = argument;
    while (!w->stop) {
        add_state(w->db, 1, (double)monday_s, "on", 'p');
        int wal = -1, done = -1;
        int rc = sqlite3_wal_checkpoint_v2(w->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &wal, &done);
        if (rc == SQLITE_OK)
            w->truncated++;
        else
            w->refused++;
    }
    return NULL;
}

/* A checkpoint that truncates the WAL needs an instant without any reader. It must find one while
 * we read, and must not find one while a plain reader holds its transaction. */
static void does_not_keep_a_writer_waiting(void **state)
{
    (void)state;
    struct writer w = {.db = create(53)};
    add_entity(w.db, 1, "light.a");
    add_entity(w.db, 2, "switch.b");
    run(w.db,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
        " INSERT INTO states (metadata_id, state, last_updated_ts)"
        " SELECT 2, substr('onoff', 1 + i %% 2 * 2, 2 + i %% 2), %lld + i FROM n",
        MANY_ROWS, (long long)monday_s);
    sqlite3_busy_timeout(w.db, 200);
    sqlite3 *plain = NULL;
    sqlite3_open_v2(database, &plain, SQLITE_OPEN_READONLY, NULL);
    run(plain, "BEGIN; SELECT count(*) FROM states");
    add_state(w.db, 1, (double)monday_s, "on", 'p');
    assert_int_equal(sqlite3_wal_checkpoint_v2(w.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL),
                     SQLITE_BUSY);
    sqlite3_close(plain);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_and_checkpoint, &w), 0);
    int reads = 0;
    int64_t longest_ms = 0;
    for (; reads < 500 && (reads < 3 || w.truncated < 5); reads++) {
        struct history h;
        struct source_stats stats;
        must_read(&(struct source_options){.chunk_ms = 3, .threads = 2}, &h, &stats);
        assert_true(h.state_changes >= MANY_ROWS + 1);
        assert_true(stats.chunks >= 2);
        if (stats.longest_read_ms > longest_ms)
            longest_ms = stats.longest_read_ms;
        history_release(&h);
    }
    w.stop = true;
    pthread_join(thread, NULL);
    print_message("%d reads, %d checkpoints done, %d refused; longest transaction %lld ms\n", reads,
                  w.truncated, w.refused, (long long)longest_ms);
    assert_true(w.truncated >= 5);
    assert_true(longest_ms < 250);
    sqlite3_close(w.db);
}

/* Chunks of the least size see each row once. */
static void chunks_lose_nothing(void **state)
{
    (void)state;
    sqlite3 *db = create(50);
    add_entity(db, 1, "light.a");
    int64_t id = -5;
    for (int n = 0; n < 3000; n++) {
        run(db,
            "INSERT INTO states (state_id, metadata_id, state, last_updated_ts)"
            " VALUES (%lld, 1, '%s', %lld)",
            (long long)id, n % 2 ? "on" : "off", (long long)(monday_s + n));
        id += n == 2000 ? 1000000000000 : 1 + random_below(50);
    }
    sqlite3_close(db);
    struct history h;
    struct source_stats stats;
    must_read(&(struct source_options){.chunk_ms = 1}, &h, &stats);
    assert_int_equal(h.state_changes, 3000);
    assert_int_equal(find(&h, "light.a")->changes, 3000);
    history_release(&h);
}

/* --- by entity, by slices of time, by several threads --- */

static void assert_same_coverage(const struct history *a, const struct history *b)
{
    assert_int_equal(a->covered_count, b->covered_count);
    for (size_t i = 0; i < a->covered_count; i++) {
        assert_int_equal(a->covered[i].from_ms, b->covered[i].from_ms);
        assert_int_equal(a->covered[i].to_ms, b->covered[i].to_ms);
    }
}

static void assert_same_rows(const struct history *a, const struct history *b)
{
    assert_int_equal(a->state_changes, b->state_changes);
    assert_int_equal(a->from_ms, b->from_ms);
    assert_int_equal(a->to_ms, b->to_ms);
    assert_int_equal(a->state_count, b->state_count);
    for (size_t i = 0; i < a->state_count; i++)
        assert_string_equal(a->states[i], b->states[i]);
    assert_int_equal(a->entity_count, b->entity_count);
    for (size_t i = 0; i < a->entity_count; i++) {
        const struct history_entity *x = &a->entities[i], *y = &b->entities[i];
        assert_string_equal(x->entity_id, y->entity_id);
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->rows, y->rows);
        assert_int_equal(x->changes, y->changes);
        for (size_t n = 0; n < x->changes; n++) {
            assert_int_equal(x->time_ms[n], y->time_ms[n]);
            assert_int_equal(x->state[n], y->state[n]);
            assert_int_equal(x->cause[n], y->cause[n]);
        }
        assert_int_equal(x->value_count, y->value_count);
        for (size_t n = 0; n < x->value_count; n++) {
            assert_int_equal(x->values[n].time_ms, y->values[n].time_ms);
            assert_int_equal(x->values[n].attribute, y->values[n].attribute);
            assert_int_equal(x->values[n].cause, y->values[n].cause);
            assert_false(fabs(x->values[n].value - y->values[n].value) > 0);
        }
        assert_int_equal(x->mean_count, y->mean_count);
        assert_int_equal(x->means_from_ms, y->means_from_ms);
        for (size_t n = 0; n < x->mean_count; n++)
            assert_true(isnan(x->means[n]) ? isnan(y->means[n])
                                           : !(fabsf(x->means[n] - y->means[n]) > 0));
    }
}

enum { FAN_ATTRIBUTES = 1000, FAN_SPEEDS = 4 };

static bool is_fan(int entity)
{
    return entity % 12 == 8;
}

/* 1 of 3 entities is a light, 1 of 12 a fan with a speed, 1 of 12 has free text, 1 of 12 has modes
 * and some numbers, 1 of 12 is a scene, the others numbers. */
static void random_state(int entity, double time_s, char *out, size_t size)
{
    time_t stamp = (time_t)time_s - (random_below(4) == 0 ? 1000 : 0);
    struct tm tm;
    if (random_below(97) == 0)
        snprintf(out, size, "unavailable");
    else if (entity % 12 == 5)
        strftime(out, size, "%Y-%m-%dT%H:%M:%S+00:00", gmtime_r(&stamp, &tm));
    else if (entity % 3 == 0 || is_fan(entity))
        snprintf(out, size, random_below(2) ? "on" : "off");
    else if (entity % 12 == 1)
        snprintf(out, size, "text %d", random_below(100));
    else if (entity % 12 == 2 && random_below(5) > 0)
        snprintf(out, size, "mode %d", random_below(7));
    else
        snprintf(out, size, "%d.%d", random_below(100), random_below(10));
}

static void add_random_rows(sqlite3 *db, int entities, int64_t from_s, int64_t span_s, int rows,
                            bool in_order)
{
    sqlite3_stmt *stmt = NULL;
    sqlite3_prepare_v2(db,
                       "INSERT INTO states (metadata_id, last_updated_ts, state, attributes_id,"
                       " context_id_bin, context_user_id_bin, context_parent_id_bin)"
                       " VALUES (?1, ?2, ?3, ?6, zeroblob(16), ?4, ?5)",
                       -1, &stmt, NULL);
    for (int i = 0; i < rows; i++) {
        int entity = 1 + random_below(entities);
        double time_s = (double)from_s + (double)span_s / rows * i;
        if (!in_order && random_below(50) == 0)
            time_s -= 1000;
        char text[32];
        /* All pause for a day and a half; what has words does for another. */
        double pause_s = time_s - (double)(monday_s - 4 * day_s),
               words_s = time_s - (double)monday_s;
        if ((pause_s > 0 && pause_s < 150000) ||
            (words_s > 0 && words_s < 150000 && (entity % 3 == 0 || entity % 12 < 3)))
            continue;
        random_state(entity, time_s, text, sizeof text);
        sqlite3_bind_int(stmt, 1, entity);
        sqlite3_bind_int(stmt, 6,
                         is_fan(entity) ? FAN_ATTRIBUTES + random_below(FAN_SPEEDS) : entity);
        sqlite3_bind_double(stmt, 2, random_below(2) ? time_s : (double)(int64_t)time_s);
        sqlite3_bind_text(stmt, 3, text, -1, SQLITE_TRANSIENT);
        for (int c = 4; c <= 5; c++) {
            sqlite3_bind_null(stmt, c);
            if (random_below(4) == 0)
                sqlite3_bind_zeroblob(stmt, c, 16);
        }
        assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
}

/* Some days of many entities, with days of numbers alone, days of nothing, crashes. Rows: enough
 * for several slices. Equal times are common. */
static void make_random_home(bool in_order)
{
    sqlite3 *db = create(random_below(2) ? 50 : 53);
    int entities = 20 + random_below(60);
    int64_t from_s = monday_s - 5 * day_s - random_below(100000), span_s = 9 * day_s;
    run(db, "BEGIN");
    for (int i = 1; i <= entities; i++) {
        char id[32];
        snprintf(id, sizeof id,
                 i % 12 == 5 ? "scene.c%d"
                 : is_fan(i) ? "fan.f%d"
                 : i % 3     ? "sensor.s%d"
                             : "light.l%d",
                 i);
        add_entity(db, i, id);
        run(db,
            "INSERT INTO state_attributes (attributes_id, shared_attrs)"
            " VALUES (%d, '{\"friendly_name\":\"Thing %d\"%s}')",
            i, random_below(1000), i == 4 || i == 7 ? ",\"device_class\":\"illuminance\"" : "");
    }
    for (int i = 0; i < FAN_SPEEDS; i++)
        run(db,
            "INSERT INTO state_attributes (attributes_id, shared_attrs)"
            " VALUES (%d, '{\"percentage\":%d}')",
            FAN_ATTRIBUTES + i, 25 * i);
    add_random_rows(db, entities, from_s, span_s, 110000 + random_below(60000), in_order);
    for (int64_t t = from_s; t < from_s + span_s; t += 40000 + random_below(40000))
        add_run(db, t, random_below(4) ? t + random_below(40000) : 0, random_below(2));
    run(db, "COMMIT");
    sqlite3_close(db);
}

static void any_road_leads_to_the_same_history(void **state)
{
    (void)state;
    static const struct source_options roads[] = {
        {.threads = 2},
        {.threads = 3, .chunk_ms = 1},
        {.threads = 4},
        {.threads = 0},
    };
    for (int round = 0; round < 4; round++) {
        make_random_home(round < 2);
        struct source_options options = {.threads = 1};
        struct history expected, h;
        struct source_stats stats;
        if (round % 2) {
            options.since_ms = (monday_s - 3 * day_s) * 1000 + random_below(1000);
            options.until_ms = (monday_s + 2 * day_s) * 1000 + random_below(1000);
        }
        must_read(&options, &expected, &stats);
        assert_true(find(&expected, "light.l3")->changes > 100);
        assert_true(find(&expected, "sensor.s2")->changes > 100);
        assert_true(find(&expected, "scene.c5")->changes > 100);
        assert_int_equal(find(&expected, "sensor.s1")->changes, 0);
        assert_int_equal(find(&expected, "sensor.s4")->changes, 0);
        assert_true(find(&expected, "sensor.s4")->mean_count > 100);
        assert_true(find(&expected, "fan.f8")->value_count > 20);
        for (size_t i = 0; i < sizeof roads / sizeof *roads; i++) {
            struct source_options road = roads[i];
            road.since_ms = options.since_ms;
            road.until_ms = options.until_ms;
            must_read(&road, &h, NULL);
            assert_same_rows(&expected, &h);
            assert_same_coverage(&expected, &h);
            history_release(&h);
        }
        /* Without the index: one pass. It knows a crash to the quarter hour only, and what came
         * late and repeated a state not exactly. */
        sqlite3 *db = NULL;
        sqlite3_open(database, &db);
        run(db, "DROP INDEX ix_states_metadata_id_last_updated_ts");
        sqlite3_close(db);
        must_read(&options, &h, NULL);
        if (round < 2)
            assert_same_rows(&expected, &h);
        history_release(&h);
        history_release(&expected);
        unlink(database);
    }
}

/* --- light --- */

static void add_light(sqlite3 *db, int id, const char *entity_id, const char *attributes)
{
    add_entity(db, id, entity_id);
    run(db, "INSERT INTO state_attributes (attributes_id, shared_attrs) VALUES (%d, %Q)", id,
        attributes);
}

static void assert_number(const struct history *h, const char *entity_id, double time_s,
                          double expected)
{
    double number = history_number_at(find(h, entity_id), (int64_t)(time_s * 1000));
    if (isnan(expected) ? !isnan(number) : !(fabs(number - expected) < 1e-3))
        fail_msg("%s at %+.0f s: %f, expected %f", entity_id, time_s - (double)monday_s, number,
                 expected);
}

/* Five-minute means, weighted by time, of what its attributes call a light sensor. */
static void light_sensors_have_means(void **state)
{
    (void)state;
    const double t = (double)monday_s;
    sqlite3 *db = create(53);
    add_light(db, 1, "sensor.lux", "{\"device_class\":\"illuminance\"}");
    add_light(db, 2, "sensor.by_unit", "{\"unit_of_measurement\":\"lx\"}");
    add_light(db, 3, "sensor.power", "{\"device_class\":\"power\",\"friendly_name\":\"lx\"}");
    add_light(db, 4, "input_number.lux", "{\"unit_of_measurement\":\"lx\"}");
    add_run(db, monday_s, monday_s + day_s, false);
    for (int n = 0; n < 40; n++)
        for (int id = 1; id <= 4; id++)
            add_state(db, id, t + 100 + n * 300,
                      n == 30  ? "unavailable"
                      : n < 20 ? "10"
                               : "40",
                      'p');
    add_state(db, 1, t + 110, "9999", 'p'); /* not the first of its five minutes */
    add_state(db, 1, t + 40 * 300 + 1, "1e300", 'p');
    add_light(db, 5, "sensor.late", "{\"device_class\":\"illuminance\"}");
    for (int n = 0; n < 400; n++)
        add_state(db, 5, t + 100 + n, n < 50 ? "unavailable" : "20", 'p');
    sqlite3_close(db);
    struct history h;
    struct source_stats stats;
    must_read(NULL, &h, &stats);
    for (int i = 0; i < 2; i++) {
        const char *id = i == 0 ? "sensor.lux" : "sensor.by_unit";
        assert_string_equal(find(&h, id)->device_class, "illuminance");
        assert_int_equal(find(&h, id)->changes, 0);
        assert_number(&h, id, t + 299, NAN);           /* not over yet */
        assert_number(&h, id, t + 300, 10);            /* of the seconds from 100 on */
        assert_number(&h, id, t + 20 * 300 + 299, 10); /* of the five minutes before */
        assert_number(&h, id, t + 21 * 300, (10 + 2 * 40) / 3.0);
        assert_number(&h, id, t + 22 * 300, 40);
        assert_number(&h, id, t + 31 * 300, 40); /* what of it had a value */
        assert_number(&h, id, t + 32 * 300, 40);
        assert_number(&h, id, t + 40 * 300, 40);
        assert_number(&h, id, t + 42 * 300, NAN);
        assert_number(&h, id, t - 300, NAN);
    }
    assert_number(&h, "sensor.late", t + 299, NAN);
    assert_number(&h, "sensor.late", t + 300, 20); /* whatever was not there before */
    assert_int_equal(find(&h, "sensor.power")->mean_count, 0);
    assert_int_equal(find(&h, "input_number.lux")->mean_count, 0);
    history_release(&h);
}

/* Too many of them: the first by id. Of those that can be read by the index, fewer rows. */
static void only_so_many_light_sensors_have_means(void **state)
{
    (void)state;
    sqlite3 *db = create(53);
    struct history h;
    run(db, "BEGIN");
    for (int id = 1; id <= HISTORY_LIGHT_SENSORS_MAX + 2; id++) {
        char *entity_id = xasprintf("sensor.lux_%c", (has_index ? 'z' - id : 'a' + id));
        add_light(db, id, entity_id, "{\"device_class\":\"illuminance\"}");
        free(entity_id);
        for (int n = 0; n < 500; n++)
            add_state(db, id, (double)monday_s + n * 300 + id, "5", 'p');
    }
    /* The last time that there is: what is too old leaves. */
    add_state(db, 2, (double)monday_s + 460 * (double)day_s, "7", 'p');
    add_state(db, 2, (double)monday_s + 460 * (double)day_s + 400, "7", 'p');
    run(db, "COMMIT");
    sqlite3_close(db);
    must_read(NULL, &h, NULL);
    int with_means = 0;
    for (size_t i = 0; i < h.entity_count; i++) {
        with_means += h.entities[i].mean_count > 0;
        assert_true(h.entities[i].mean_count <= HISTORY_MEANS_MAX);
        if (h.entities[i].mean_count > 0)
            assert_true(i < HISTORY_LIGHT_SENSORS_MAX);
        if (h.entities[i].mean_count > 0 && has_index)
            assert_true(h.entities[i].rows < 500 / 2 + BUILDER_NUMBERS_MIN + 5);
    }
    assert_int_equal(with_means, HISTORY_LIGHT_SENSORS_MAX);
    history_release(&h);
    must_read(&(struct source_options){.until_ms = (monday_s + day_s) * 1000}, &h, NULL);
    assert_number(&h, h.entities[1].entity_id, (double)monday_s + 70000, 5);
    history_release(&h);
}

/* --- values --- */

/* A row with these attributes; cause as in add_state. */
static void add_valued(sqlite3 *db, int entity, double time_s, const char *state,
                       const char *attributes, char cause)
{
    run(db, "INSERT INTO state_attributes (shared_attrs) VALUES (%Q)", attributes);
    add_state(db, entity, time_s, state, cause);
    run(db, "UPDATE states SET attributes_id = (SELECT max(attributes_id) FROM state_attributes)"
            " WHERE state_id = (SELECT max(state_id) FROM states)");
}

/* "0u 30 60p 80.5": seconds since Monday with the cause's letter, and values. */
static void assert_values(const struct history *h, const char *entity_id, const char *expected)
{
    static const char causes[] = {
        [CAUSE_PERSON] = 'u', [CAUSE_PHYSICAL] = 'p', [CAUSE_AUTOMATION] = 'a'};
    char text[1024] = "";
    const struct history_entity *e = find(h, entity_id);
    for (size_t i = 0, n = 0; i < e->value_count; i++) {
        const struct history_value *v = &e->values[i];
        assert_true(rule_has_attribute(entity_id, (enum rule_attribute)v->attribute));
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%.10g%c %.10g", i > 0 ? " " : "",
                              (double)(v->time_ms - monday_s * 1000) / 1000, causes[v->cause],
                              v->value);
    }
    assert_string_equal(text, expected);
}

static void rows_tell_what_was_chosen(void **state)
{
    (void)state;
    const double t = (double)monday_s;
    struct history h;
    sqlite3 *db = create(53);
    add_entity(db, 1, "climate.room");
    add_entity(db, 2, "fan.bath");
    add_entity(db, 3, "media_player.radio");
    add_valued(db, 1, t, "heat", "{\"temperature\":20.0,\"current_temperature\":19.5}", 'p');
    add_valued(db, 1, t + 900, "heat", "{\"temperature\":20.0,\"current_temperature\":19.6}", 'p');
    add_valued(db, 1, t + 3600, "heat", "{\"min_temp\":7,\"temperature\" : 20.5}", 'u');
    add_valued(db, 1, t + 3603, "heat", "{\"a\":{\"temperature\":3},\"temperature\":21}", 'u');
    add_valued(db, 1, t + 3606, "heat", "{\"x\":\"\\\"temperature\",\"temperature\":21.5}", 'p');
    add_valued(db, 1, t + 4000, "unavailable", "{\"temperature\":5}", 'p');
    add_valued(db, 1, t + 4100, "heat", "{\"temperature\":21.5}", 'p');
    add_valued(db, 1, t + 5000, "heat", "{\"temperature\":17}", 'a');
    add_valued(db, 1, t + 6000, "heat", "{\"temperature\":19}", 'u');
    add_valued(db, 1, t + 6010, "heat", "{\"temperature\":17}", 'u'); /* thought better of it */
    add_valued(db, 1, t + 7000, "off", "{\"temperature\":null}", 'u');
    add_valued(db, 1, t + 8000, "heat", "{\"temperature\":17.0}", 'u');

    add_valued(db, 2, t, "off", "{\"percentage\":0}", 'p');
    add_valued(db, 2, t + 100, "on", "{\"percentage\":66}", 'u');
    add_valued(db, 2, t + 500, "off", "{\"percentage\":0}", 'u');
    add_valued(db, 2, t + 900, "on", "{\"percentage\":66}", 'p');
    add_valued(db, 2, t + 1500, "on", "{\"percentage\":33.4}", 'p');

    add_valued(db, 3, t, "playing", "{\"volume_level\":0.25}", 'p');
    add_valued(db, 3, t + 1000, "playing", "{\"volume_level\":0.304}", 'u');
    add_valued(db, 3, t + 1020, "idle", "{\"volume_level\":0.5}", 'a');
    sqlite3_close(db);
    must_read(NULL, &h, NULL);
    assert_values(&h, "climate.room", "0p 20 3600u 21.5 5000a 17");
    assert_values(&h, "fan.bath", "100u 66 1500p 33");
    assert_values(&h, "media_player.radio", "0p 0.25 1000a 0.5");
    history_release(&h);
}

static void covers_count_where_they_stop(void **state)
{
    (void)state;
    const double t = (double)monday_s;
    struct history h;
    sqlite3 *db = create(53);
    add_entity(db, 1, "cover.blind");
    add_entity(db, 2, "cover.garage");
    add_entity(db, 3, "cover.silent");
    add_valued(db, 1, t, "closed", "{\"current_position\":0}", 'p');
    add_valued(db, 1, t + 1000, "opening", "{\"current_position\":0}", 'u');
    add_valued(db, 1, t + 1050, "opening", "{\"current_position\":20}", 'p');
    add_valued(db, 1, t + 1150, "opening", "{\"current_position\":60}", 'p'); /* slowly */
    add_valued(db, 1, t + 1170, "open", "{\"current_position\":70}", 'p');
    add_valued(db, 1, t + 2000, "closing", "{\"current_position\":70}", 'p');
    add_valued(db, 1, t + 2001, "opening", "{\"current_position\":69}", 'a');
    add_valued(db, 1, t + 2005, "open", "{\"current_position\":100}", 'p');
    add_valued(db, 1, t + 9000, "open", "{\"current_position\":40}", 'u');
    /* It knows no positions. */
    add_valued(db, 2, t, "closed", "{}", 'p');
    add_valued(db, 2, t + 1000, "opening", "{}", 'u');
    add_valued(db, 2, t + 1020, "open", "{}", 'p');
    add_valued(db, 2, t + 2000, "unknown", "{}", 'p');
    add_valued(db, 2, t + 3000, "closed", "{}", 'a');
    /* It tells where it is, and not that it moves. */
    add_valued(db, 3, t, "open", "{\"current_position\":100}", 'p');
    for (int n = 1; n <= 9; n++) {
        char *attributes = xasprintf("{\"current_position\":%d}", 100 - 10 * n);
        add_valued(db, 3, t + 1000 + 5 * n, "open", attributes, n == 1 ? 'u' : 'p');
        free(attributes);
    }
    sqlite3_close(db);
    must_read(NULL, &h, NULL);
    assert_values(&h, "cover.blind", "0p 0 1000u 70 2000a 100 9000u 40");
    assert_values(&h, "cover.garage", "0p 0 1000u 100 3000a 0");
    assert_values(&h, "cover.silent", "0p 100 1005u 10");
    history_release(&h);
}

static void add_call(sqlite3 *db, double time_s, const char *data, char cause)
{
    run(db, "INSERT OR IGNORE INTO event_types (event_type_id, event_type) VALUES"
            " (7, 'call_service'), (8, 'automation_triggered')");
    run(db, "INSERT INTO event_data (shared_data) VALUES (%Q)", data);
    run(db,
        "INSERT INTO events (event_type_id, time_fired_ts, data_id, context_id_bin,"
        " context_user_id_bin, context_parent_id_bin) VALUES (7, %f,"
        " (SELECT max(data_id) FROM event_data), x'%s', %s, %s)",
        time_s,
        cause == 'r' ? "11111111111111111111111111111111"
                     : "2222222222222222222222222222222"
                       "2",
        cause == 'u' ? "x'00112233445566778899aabbccddeeff'" : "NULL",
        cause == 'a' ? "x'ffeeddccbbaa99887766554433221100'" : "NULL");
}

#define CALL(service, data)                                                                        \
    "{\"domain\":\"light\",\"service\":\"" service "\",\"service_data\":" data "}"

static void calls_tell_how_lights_shine(void **state)
{
    (void)state;
    const double t = (double)monday_s;
    struct history h;
    sqlite3 *db = create(50);
    add_entity(db, 1, "light.a");
    add_entity(db, 2, "light.b");
    add_entity(db, 3, "switch.s");
    for (int id = 1; id <= 3; id++)
        add_state(db, id, t, "off", 'p');
    add_call(db, t + 100, CALL("turn_on", "{\"entity_id\":\"light.a\",\"brightness_pct\":30}"),
             'u');
    add_call(db, t + 200,
             CALL("turn_on",
                  "{\"entity_id\":[\"light.a\",\"light.b\",\"switch.s\",\"light.none\",7],"
                  "\"brightness\":128,\"color_temp_kelvin\":2703}"),
             'a');
    add_call(db, t + 300,
             CALL("toggle", "{\"entity_id\":\"light.b, light.a\",\"brightness\":\"77\"}"), 'p');
    add_call(db, t + 400, CALL("turn_on", "{\"entity_id\":\"light.a\",\"color_temp\":370}"), 'p');
    run(db,
        "INSERT INTO events (event_type_id, time_fired_ts, context_id_bin) VALUES"
        " (8, %f, x'11111111111111111111111111111111')",
        t + 499);
    add_call(db, t + 500, CALL("turn_on", "{\"entity_id\":\"light.b\",\"brightness_pct\":100}"),
             'r');
    /* Chosen again; a slider on its way. */
    add_call(db, t + 900, CALL("turn_on", "{\"entity_id\":\"light.b\",\"brightness_pct\":100}"),
             'u');
    add_call(db, t + 990, CALL("turn_on", "{\"entity_id\":\"light.b\",\"brightness_pct\":80}"),
             'u');
    add_call(db, t + 991, CALL("turn_on", "{\"entity_id\":\"light.b\",\"brightness_pct\":60}"),
             'u');
    static const char *const nothing[] = {
        CALL("turn_on", "{\"entity_id\":\"light.a\"}"),
        CALL("turn_on", "{\"entity_id\":\"light.a\",\"brightness\":0}"),
        CALL("turn_on", "{\"entity_id\":\"light.a\",\"brightness_pct\":-3}"),
        CALL("turn_on", "{\"entity_id\":\"light.a\",\"brightness_pct\":1e300}"),
        CALL("turn_on", "{\"entity_id\":\"light.a\",\"brightness_step_pct\":10}"),
        CALL("turn_on", "{\"entity_id\":\"light.a\",\"brightness_pct\":\"much\"}"),
        CALL("turn_on", "{\"entity_id\":{\"a\":1},\"brightness_pct\":50}"),
        CALL("turn_on", "{\"entity_id\":\",,\",\"brightness_pct\":50}"),
        CALL("turn_on", "{\"area_id\":\"hall\",\"brightness_pct\":50}"),
        CALL("turn_on", "[\"brightness_pct\"]"),
        CALL("turn_off", "{\"entity_id\":\"light.a\",\"brightness_pct\":50}"),
        "{\"domain\":\"light\",\"brightness\":1}",
        "[\"light\",\"brightness\"]",
        "\"light\" \"brightness\" {",
        "",
    };
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        add_call(db, t + 2000 + (double)i, nothing[i], 'u');
    add_call(db, 1e300, CALL("turn_on", "{\"entity_id\":\"light.a\",\"brightness_pct\":50}"), 'u');
    run(db, "UPDATE event_data SET shared_data = zeroblob(400000) WHERE data_id = 9");
    sqlite3_close(db);
    must_read(NULL, &h, NULL);
    assert_values(&h, "light.a", "100u 30 200a 50 200a 2700 300p 30 400p 2700");
    assert_values(&h, "light.b", "200a 50 200a 2700 300p 30 500a 100 900u 100 990u 60");
    assert_int_equal(find(&h, "switch.s")->value_count, 0);
    history_release(&h);
    must_read(&(struct source_options){.exclude = "light.b",
                                       .since_ms = (monday_s - 10) * 1000,
                                       .until_ms = (monday_s + 250) * 1000},
              &h, NULL);
    assert_values(&h, "light.a", "100u 30 200a 50 200a 2700");
    assert_int_equal(h.entity_count, 2);
    history_release(&h);
}

#define CALL_OF(domain, service, data)                                                             \
    "{\"domain\":\"" domain "\",\"service\":\"" service "\",\"service_data\":" data "}"

/* What is asked for again though it is so already is chosen as well; a call and the row that it
 * leads to are one choice. */
static void calls_tell_what_no_row_does(void **state)
{
    (void)state;
    const double t = (double)monday_s;
    struct history h;
    sqlite3 *db = create(50);
    add_entity(db, 1, "climate.room");
    add_entity(db, 2, "cover.blind");
    add_entity(db, 3, "fan.bath");
    add_entity(db, 4, "media_player.radio");
    add_valued(db, 1, t, "heat", "{\"temperature\":20}", 'p');
    add_valued(db, 2, t, "open", "{\"current_position\":100}", 'p');
    add_valued(db, 3, t, "on", "{\"percentage\":50}", 'p');
    add_valued(db, 4, t, "playing", "{\"volume_level\":0.2}", 'p');
    static const struct {
        int after;
        const char *data;
        char cause;
    } calls[] = {
        {1000,
         CALL_OF("climate", "set_temperature",
                 "{\"entity_id\":\"climate.room\",\"temperature\":20}"),
         'u'},
        {2000,
         CALL_OF("climate", "set_temperature",
                 "{\"entity_id\":\"climate.room\",\"temperature\":21}"),
         'a'},
        {3000,
         CALL_OF("climate", "set_temperature",
                 "{\"entity_id\":\"climate.room\",\"target_temp_low\":18}"),
         'u'},
        {1000, CALL_OF("cover", "open_cover", "{\"entity_id\":[\"cover.blind\",\"climate.room\"]}"),
         'u'},
        {2000,
         CALL_OF("cover", "set_cover_position", "{\"entity_id\":\"cover.blind\",\"position\":0}"),
         'u'},
        {3000, CALL_OF("cover", "close_cover", "{\"entity_id\":\"cover.blind\"}"), 'p'},
        {4000, CALL_OF("cover", "stop_cover", "{\"entity_id\":\"cover.blind\"}"), 'p'},
        {1000, CALL_OF("fan", "set_percentage", "{\"entity_id\":\"fan.bath\",\"percentage\":50}"),
         'u'},
        {2000, CALL_OF("fan", "turn_on", "{\"entity_id\":\"fan.bath\",\"percentage\":25}"), 'u'},
        {3000, CALL_OF("fan", "set_percentage", "{\"entity_id\":\"fan.bath\",\"percentage\":0}"),
         'u'},
        {4000, CALL_OF("fan", "set_percentage", "{\"entity_id\":\"fan.bath\",\"percentage\":null}"),
         'u'},
        {1000,
         CALL_OF("media_player", "volume_set",
                 "{\"entity_id\":\"media_player.radio\",\"volume_level\":0.2}"),
         'u'},
        {2000,
         CALL_OF("media_player", "volume_set",
                 "{\"entity_id\":\"media_player.radio\",\"volume_level\":2}"),
         'u'},
        {3000, CALL_OF("media_player", "volume_up", "{\"entity_id\":\"media_player.radio\"}"), 'u'},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        add_call(db, t + calls[i].after, calls[i].data, calls[i].cause);
    add_valued(db, 1, t + 2002, "heat", "{\"temperature\":21}", 'a');
    add_valued(db, 2, t + 2001, "closing", "{\"current_position\":100}", 'u');
    add_valued(db, 2, t + 2090, "closing", "{\"current_position\":40}", 'p');
    add_valued(db, 2, t + 2150, "closed", "{\"current_position\":0}", 'p');
    sqlite3_close(db);
    must_read(NULL, &h, NULL);
    assert_values(&h, "climate.room", "0p 20 1000u 20 2000a 21");
    assert_values(&h, "cover.blind", "0p 100 1000u 100 2000u 0 3000p 0");
    assert_values(&h, "fan.bath", "0p 50 1000u 50 2000u 25");
    assert_values(&h, "media_player.radio", "0p 0.2 1000u 0.2");
    history_release(&h);
}

/* A call and the row that it leads to, in one millisecond: whoever asked for it chose it. */
static void a_call_and_its_row_are_one(void **state)
{
    (void)state;
    const double t = (double)monday_s;
    struct history h;
    sqlite3 *db = create(50);
    add_entity(db, 1, "fan.bath");
    add_valued(db, 1, t, "on", "{\"percentage\":50}", 'p');
    add_valued(db, 1, t + 1000, "on", "{\"percentage\":60}", 'p');
    add_call(db, t + 1000,
             CALL_OF("fan", "set_percentage", "{\"entity_id\":\"fan.bath\",\"percentage\":60}"),
             'u');
    sqlite3_close(db);
    must_read(NULL, &h, NULL);
    assert_values(&h, "fan.bath", "0p 50 1000u 60");
    history_release(&h);
}

/* A cover that never stops is not on its way to one place for ever. */
static void movements_have_a_maximum(void **state)
{
    (void)state;
    struct history h;
    sqlite3 *db = create(50);
    add_entity(db, 1, "cover.blind");
    run(db, "INSERT INTO state_attributes (attributes_id, shared_attrs) VALUES"
            " (1, '{\"current_position\":10}'), (2, '{\"current_position\":90}')");
    for (int i = 0; i < 200; i++)
        run(db,
            "INSERT INTO states (metadata_id, state, last_updated_ts, attributes_id)"
            " VALUES (1, %Q, %lld, %d)",
            i % 2 ? "opening" : "closing", (long long)monday_s + 70 * i, 1 + i % 2);
    sqlite3_close(db);
    must_read(NULL, &h, NULL);
    assert_int_equal(find(&h, "cover.blind")->value_count, 200 - 63); /* the first 64 are one */
    history_release(&h);
}

/* Events whose times are no numbers: they come after all times, page after page. */
static void times_that_are_none_end_the_events(void **state)
{
    (void)state;
    const double t = (double)monday_s;
    struct history h;
    sqlite3 *db = create(50);
    add_entity(db, 1, "light.a");
    add_state(db, 1, t, "off", 'p');
    add_call(db, t + 100, CALL("turn_on", "{\"entity_id\":\"light.a\",\"brightness_pct\":30}"),
             'u');
    run(db,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
        " INSERT INTO events (event_type_id, time_fired_ts, data_id)"
        " SELECT 7 + i %% 2, 'never', 1 FROM n",
        6 * RECORDER_PAGE_ROWS);
    sqlite3_close(db);
    alarm(60); /* instead of for ever */
    must_read(NULL, &h, NULL);
    alarm(0);
    assert_values(&h, "light.a", "100u 30");
    history_release(&h);
}

/* A device that changes all the time, and one call for a thousand lamps. */
static void values_have_a_maximum(void **state)
{
    (void)state;
    struct history h;
    sqlite3 *db = create(53);
    add_entity(db, 1, "media_player.noise");
    add_entity(db, 2, "light.l0300");
    add_state(db, 2, (double)monday_s, "off", 'p');
    run(db, "BEGIN; INSERT INTO state_attributes (attributes_id, shared_attrs) VALUES"
            " (1, '{\"volume_level\":0.1}'), (2, '{\"volume_level\":0.2}');");
    run(db,
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
        " INSERT INTO states (metadata_id, state, last_updated_ts, attributes_id)"
        " SELECT 1, 'playing', %lld + i * 70, 1 + i %% 2 FROM n",
        HISTORY_VALUES_MAX, (long long)monday_s);
    char targets[300 * 16] = "";
    for (int i = 1, n = 0; i <= 300; i++)
        n +=
            snprintf(targets + n, sizeof targets - (size_t)n, "%slight.l%04d", i > 1 ? "," : "", i);
    char *data = xasprintf("{\"domain\":\"light\",\"service\":\"turn_on\",\"service_data\":"
                           "{\"entity_id\":\"%s\",\"brightness\":9}}",
                           targets);
    add_call(db, (double)monday_s, data, 'u');
    free(data);
    run(db, "COMMIT");
    sqlite3_close(db);
    must_read(NULL, &h, NULL);
    assert_int_equal(find(&h, "media_player.noise")->value_count, 0);
    assert_int_equal(find(&h, "light.l0300")->value_count, 0); /* beyond CALLS_TARGETS_MAX */
    history_release(&h);
    must_read(&(struct source_options){.since_ms = (monday_s + 100) * 1000}, &h, NULL);
    assert_int_equal(find(&h, "media_player.noise")->value_count, HISTORY_VALUES_MAX - 1);
    history_release(&h);
}

/* Of numbers, no more is read than tells what they are; but they tell when the recorder ran. */
static void numbers_alone_cover_their_days(void **state)
{
    (void)state;
    sqlite3 *db = create(50);
    add_entity(db, 1, "switch.a");
    add_entity(db, 2, "sensor.power");
    add_entity(db, 3, "sensor.secret");
    add_run(db, monday_s, monday_s + 5 * day_s - 3600, true); /* died after 12:00 of the 5th day */
    add_run(db, monday_s + 6 * day_s, 0, false);
    add_state(db, 1, (double)monday_s, "on", 'p');
    run(db, "BEGIN");
    for (int64_t t = monday_s; t < monday_s + 9 * day_s; t += 600) {
        bool is_off = t > monday_s + 4 * day_s + 43200 && t < monday_s + 6 * day_s;
        if (!is_off && t / day_s != (monday_s + 7 * day_s + 43200) / day_s)
            add_state(db, 2, (double)t, "1.5", 'p');
        add_state(db, 3, (double)t, "2.5", 'p');
    }
    run(db, "COMMIT");
    add_state(db, 1, (double)monday_s + 9 * (double)day_s, "off", 'p');
    sqlite3_close(db);
    struct history h;
    must_read(&(struct source_options){.exclude = "sensor.secret"}, &h, NULL);
    assert_int_equal(h.state_changes, 2 + BUILDER_NUMBERS_MIN);
    assert_int_equal(h.covered_count, 2);
    assert_covered(&h, 0, (double)monday_s, (double)monday_s + 4.5 * (double)day_s + 3.6);
    assert_covered(&h, 1, (double)monday_s + 6 * (double)day_s,
                   (double)monday_s + 9 * (double)day_s + 0.001);
    history_release(&h);
}

/* Transactions that end anywhere, also among the entities at the end that are dropped. */
static void entities_at_the_end_may_be_numbers(void **state)
{
    (void)state;
    sqlite3 *db = create(50);
    for (int i = 1; i <= 60; i++) {
        char id[32];
        snprintf(id, sizeof id, i <= 30 ? "light.l%d" : "sensor.s%d", i);
        add_entity(db, i, id);
    }
    run(db,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)"
        " INSERT INTO states (metadata_id, state, last_updated_ts) SELECT 1 + i %% 60,"
        " CASE WHEN i %% 60 < 30 THEN substr('onoff', 1 + i / 60 %% 2 * 2, 2 + i / 60 %% 2)"
        " ELSE '1.5' END, %lld + i FROM n",
        (long long)monday_s);
    sqlite3_close(db);
    for (int round = 0; round < 12; round++) {
        struct history h;
        struct source_stats stats;
        must_read(&(struct source_options){.chunk_ms = 1, .threads = 1 + round % 3}, &h, &stats);
        assert_true(stats.chunks > 3);
        assert_int_equal(find(&h, "light.l7")->changes, 3334);
        history_release(&h);
    }
}

/* Two metadata ids of one entity, as no Home Assistant makes them. */
static void twins_are_one_entity(void **state)
{
    (void)state;
    sqlite3 *db = create(50);
    run(db, "DROP INDEX ix_states_meta_entity_id");
    add_entity(db, 1, "light.a");
    add_entity(db, 2, "light.a");
    for (int n = 0; n < 10; n++)
        add_state(db, 1 + n / 2 % 2, (double)monday_s + n, n % 2 ? "off" : "on", 'p');
    sqlite3_close(db);
    struct history h;
    must_read(NULL, &h, NULL);
    assert_int_equal(h.entity_count, 1);
    assert_int_equal(find(&h, "light.a")->changes, 10);
    history_release(&h);
}

/* What is wrong with an index is not wrong with the rows. */
static void a_damaged_index_does_not_matter(void **state)
{
    (void)state;
    sqlite3 *db = create(50);
    add_entity(db, 1, "light.a");
    run(db, "BEGIN");
    for (int n = 0; n < 2000; n++)
        add_state(db, 1, (double)monday_s + n, n % 2 ? "off" : "on", 'p');
    run(db, "COMMIT; PRAGMA journal_mode = DELETE");
    sqlite3_stmt *stmt = NULL;
    sqlite3_prepare_v2(db,
                       "SELECT rootpage FROM sqlite_schema"
                       " WHERE name = 'ix_states_metadata_id_last_updated_ts'",
                       -1, &stmt, NULL);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int page = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    FILE *file = fopen(database, "r+b");
    fseek(file, (page - 1) * 4096L, SEEK_SET);
    for (int i = 0; i < 4096; i++)
        fputc(0x5a, file);
    fclose(file);
    struct history h;
    must_read(NULL, &h, NULL);
    assert_int_equal(find(&h, "light.a")->changes, 2000);
    assert_int_equal(find(&h, "light.a")->rows, 2000);
    history_release(&h);
}

/* --- hostile ones --- */

static void random_value(char *out, size_t size)
{
    static const char *const values[] = {
        "NULL",
        "''",
        "'on'",
        "'off'",
        "'unavailable'",
        "x'00ff'",
        "9e999",
        "-9e999",
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "1.5e300",
        "'1792969200'",
        "1792969200.5",
        "zeroblob(300)",
        "replace(hex(zeroblob(400)),'00','ab')",
        "char(0)",
        "'a' || char(0) || 'b'",
        "char(55296, 1114111)",
        "zeroblob(300000)",
        "replace(hex(zeroblob(300000)),'00','on')",
        "'../../etc/passwd'",
        "'light.A B'",
        "'light.ok'",
        "1",
        "2",
        "3",
        "'2026-10-26 00:00:00.000000'",
        "'9999-99-99 99:99:99'",
        "'{\"friendly_name\":\"x\"}'",
        "'[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[['",
    };
    if (random_below(6) == 0)
        snprintf(out, size, "hex(randomblob(%d))", random_below(40));
    else
        snprintf(out, size, "%s", values[random_below(sizeof values / sizeof *values)]);
}

/* Every column of every row anything; SQLite checks no types. */
static void hostile_values_do_no_harm(void **state)
{
    (void)state;
    for (int round = 0; round < HOSTILE_ROUNDS; round++) {
        sqlite3 *db = create(random_below(2) ? 50 : 53);
        add_entity(db, 1, "light.real");
        for (int i = 0; i < 10; i++)
            add_state(db, 1, (double)monday_s + i, i % 2 ? "on" : "off", 'p');
        run(db, "DROP INDEX ix_states_meta_entity_id;"
                "INSERT OR IGNORE INTO event_types VALUES (1, 'automation_triggered')");
        for (int i = 0; i < 40; i++) {
            char v[8][64];
            for (int k = 0; k < 8; k++)
                random_value(v[k], sizeof v[k]);
            char *sql = sqlite3_mprintf(
                "INSERT OR IGNORE INTO states (metadata_id, state, last_updated_ts, attributes_id,"
                " context_id_bin, context_user_id_bin, context_parent_id_bin)"
                " VALUES (%s,%s,%s,%s,%s,%s,%s)",
                random_below(2) ? "1" : v[0], v[1], random_below(2) ? "1792969300" : v[2], v[3],
                v[4], v[5], v[6]);
            sqlite3_exec(db, sql, NULL, NULL, NULL);
            sqlite3_free(sql);
            static const char *const others[] = {
                "INSERT INTO states_meta (entity_id) VALUES (%s)",
                "INSERT INTO state_attributes (shared_attrs) VALUES (%s)",
                "INSERT INTO recorder_runs (start, \"end\", closed_incorrect, created)"
                " VALUES (%s, %s, %s, 1)",
                "INSERT INTO events (event_type_id, time_fired_ts, context_id_bin)"
                " VALUES (1, %s, %s)",
            };
            for (size_t k = 0; k < 8; k++) /* too large is refused there */
                if (strstr(v[k], "00000)") != NULL)
                    snprintf(v[k], sizeof v[k], "'light.short'");
            for (size_t k = 0; k < 4; k++) {
                sql = sqlite3_mprintf(others[k], v[k], v[k + 1], v[k + 2]);
                sqlite3_exec(db, sql, NULL, NULL, NULL);
                sqlite3_free(sql);
            }
        }
        sqlite3_close(db);
        struct history h;
        struct source_stats stats;
        must_read(NULL, &h, &stats);
        assert_true(find(&h, "light.real")->rows >= 10);
        for (size_t i = 0; i < h.covered_count; i++)
            assert_true(h.covered[i].from_ms >= h.from_ms && h.covered[i].to_ms <= h.to_ms + 1);
        history_release(&h);
        unlink(database);
    }
}

/* The rows around one that is too large to load are all there. */
static void a_huge_value_costs_its_row_only(void **state)
{
    (void)state;
    static const char *const columns[] = {"state", "context_id_bin", "last_updated_ts",
                                          "metadata_id"};
    for (size_t c = 0; c < 4; c++) {
        sqlite3 *db = create(50);
        add_entity(db, 1, "light.a");
        for (int i = 0; i < 100; i++)
            add_state(db, 1, (double)monday_s + i, i % 2 ? "on" : "off", 'p');
        run(db, "UPDATE states SET %s = zeroblob(300000) WHERE state_id IN (1, 50, 51, 100)",
            columns[c]);
        sqlite3_close(db);
        struct history h;
        struct source_stats stats;
        must_read(NULL, &h, &stats);
        /* Rows of no time or entity are not met in the index. */
        assert_int_equal(stats.skipped, c < 2 || !has_index ? 4 : 0);
        assert_true(find(&h, "light.a")->changes == 96 || find(&h, "light.a")->changes == 95);
        history_release(&h);
        unlink(database);
    }
}

static void named_maxima_hold(void **state)
{
    (void)state;
    sqlite3 *db = create(50);
    /* As many distinct words as fit, and more, over entities with few each. */
    run(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000)"
            " INSERT INTO states_meta SELECT i, 'select.e' || i FROM n WHERE i <= 1500");
    run(db,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000)"
        " INSERT INTO states (metadata_id, state, last_updated_ts)"
        " SELECT 1 + i %% 1500, 'word ' || i, %lld + i FROM n",
        (long long)monday_s);
    struct history h;
    must_read(NULL, &h, NULL);
    assert_int_equal(h.state_count, HISTORY_STATES_MAX);
    const struct history_entity *last = find(&h, "select.e1500");
    assert_int_equal(last->state[last->changes - 1], HISTORY_STATE_OTHER);
    history_release(&h);
    run(db,
        "DELETE FROM states; DELETE FROM states_meta;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= %d)"
        " INSERT INTO states_meta SELECT i, 'a.b' || i FROM n",
        HISTORY_ENTITIES_MAX);
    assert_refused(ERROR_LIMIT, "more than 100000 entities");
    sqlite3_close(db);
}

/* Bytes changed anywhere: read, or refused with a reason. */
static void damaged_files_do_no_harm(void **state)
{
    (void)state;
    sqlite3 *db = create(50);
    add_entity(db, 1, "light.a");
    add_entity(db, 2, "sensor.b");
    run(db, "BEGIN");
    for (int i = 0; i < 600; i++)
        add_state(db, 1 + i % 2, (double)monday_s + i, i % 4 ? "on" : "off", 'u');
    run(db, "COMMIT; PRAGMA journal_mode = DELETE");
    sqlite3_close(db);
    FILE *file = fopen(database, "rb");
    unsigned char *whole = xmalloc(1 << 20), *data = xmalloc(1 << 20);
    size_t size = fread(whole, 1, 1 << 20, file);
    fclose(file);
    int refused = 0;
    for (int round = 0; round < DAMAGE_ROUNDS; round++) {
        memcpy(data, whole, size);
        size_t length = round % 10 == 0 ? (size_t)random_below((int)size) : size;
        for (int n = 1 + random_below(60); n > 0; n--)
            data[random_below((int)size)] = (unsigned char)next_random();
        file = fopen(database, "wb");
        fwrite(data, 1, length, file);
        fclose(file);
        struct error err = {ERROR_NONE, ""};
        struct history h;
        if (read_all(NULL, &h, NULL, &err) != 0) {
            refused++;
            assert_true(err.message[0] != '\0');
        }
        history_release(&h);
    }
    print_message("%d of %d damaged files refused\n", refused, DAMAGE_ROUNDS);
    assert_true(refused > 0);
    free(whole);
    free(data);
}

static void times_of_runs(void **state)
{
    (void)state;
    int64_t ms = 0;
    assert_int_equal(recorder_parse_time("2026-10-26 00:00:01.250000", &ms), 0);
    assert_int_equal(ms, 1792972801250);
    assert_int_equal(recorder_parse_time("2026-10-26T00:00:01", &ms), 0);
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-13-01 00:00:00",
                                      "2026-10-26 24:00:00",
                                      "2026-10-26 00:00:00 x",
                                      "2026-10-26 00:00:nan",
                                      "2026-10-26 00:00:1e9"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(recorder_parse_time(bad[i], &ms), -1);
}

static int make_folder(void **state)
{
    (void)state;
    has_index = true;
    snprintf(folder, sizeof folder, "/tmp/test_source_XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(database, sizeof database, "%s/home.db", folder);
    char *storage = xasprintf("%s/.storage", folder);
    int result = mkdir(storage, 0700);
    free(storage);
    return result;
}

static int make_folder_without_index(void **state)
{
    int result = make_folder(state);
    has_index = false;
    return result;
}

static int remove_folder(void **state)
{
    (void)state;
    char *command = xasprintf("chmod -R u+w '%s' && rm -rf '%s'", folder, folder);
    int result = system(command);
    free(command);
    return result;
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
#define BOTH_ROADS(test)                                                                           \
    IN_FOLDER(test), cmocka_unit_test_setup_teardown(test, make_folder_without_index, remove_folder)

int main(void)
{
    seed_init();
    struct error err;
    berlin = tz_load("Europe/Berlin", &err);
    const struct CMUnitTest tests[] = {
        BOTH_ROADS(reads_both_schemas),
        BOTH_ROADS(an_automation_by_itself_is_no_person),
        BOTH_ROADS(keeps_words_only),
        BOTH_ROADS(keeps_when_scenes_were_activated),
        BOTH_ROADS(light_sensors_have_means),
        BOTH_ROADS(only_so_many_light_sensors_have_means),
        BOTH_ROADS(rows_tell_what_was_chosen),
        BOTH_ROADS(covers_count_where_they_stop),
        BOTH_ROADS(calls_tell_how_lights_shine),
        BOTH_ROADS(calls_tell_what_no_row_does),
        BOTH_ROADS(a_call_and_its_row_are_one),
        BOTH_ROADS(times_that_are_none_end_the_events),
        BOTH_ROADS(movements_have_a_maximum),
        BOTH_ROADS(values_have_a_maximum),
        BOTH_ROADS(sorts_what_came_late),
        BOTH_ROADS(leaves_out_what_is_excluded),
        BOTH_ROADS(leaves_people_and_labels_out),
        BOTH_ROADS(covers_what_the_runs_say),
        BOTH_ROADS(does_not_cover_empty_days),
        IN_FOLDER(names_areas_and_place),
        IN_FOLDER(names_what_is_wrong_with_a_file),
        IN_FOLDER(names_what_is_wrong_inside),
        IN_FOLDER(a_locked_database_is_worth_a_retry),
        BOTH_ROADS(reads_beside_a_running_home_assistant),
        BOTH_ROADS(does_not_keep_a_writer_waiting),
        BOTH_ROADS(chunks_lose_nothing),
        IN_FOLDER(any_road_leads_to_the_same_history),
        BOTH_ROADS(numbers_alone_cover_their_days),
        IN_FOLDER(entities_at_the_end_may_be_numbers),
        BOTH_ROADS(twins_are_one_entity),
        IN_FOLDER(a_damaged_index_does_not_matter),
        BOTH_ROADS(hostile_values_do_no_harm),
        BOTH_ROADS(a_huge_value_costs_its_row_only),
        BOTH_ROADS(named_maxima_hold),
        BOTH_ROADS(damaged_files_do_no_harm),
        cmocka_unit_test(times_of_runs),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tz_free(berlin);
    return failed;
}
