/* The archive: its packing, and imports in random pieces from a recorder database that is purged,
 * restored, replaced and killed meanwhile, against one that kept everything. */
#define _GNU_SOURCE /* usleep, memmem */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
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
#include "source/import.h"
#include "source/recorder.h"
#include "source/source.h"
#include "store/archive.h"
#include "store/archive_codec.h"

enum {
    STORIES = 3,
    STEPS = 30,
    ENTITIES = 12,
    KINDS = ENTITIES,
    DAMAGE_ROUNDS = 150,
    PACK_ROUNDS = 300,
    NAME_SIZE = 128,
};
static const int64_t begin_ms = 1790000000000; /* 2026-09-21, some hour of the day */

static char folder[64], live_path[NAME_SIZE], full_path[NAME_SIZE], archive_path[NAME_SIZE];
static struct tz *berlin;

static int random_below(int n)
{
    return (int)(next_random() % (uint64_t)n);
}

/* --- packing --- */

static struct archive_row random_row(int64_t day_ms, int decimals)
{
    struct archive_row row = {.time_ms = day_ms + random_below(ARCHIVE_DAY_MS),
                              .cause = (uint8_t)random_below(3)};
    switch (random_below(4)) {
    case 0:
        row.word = (uint16_t)random_below(ARCHIVE_WORDS_MAX);
        break;
    case 1:
        row.kind = ARCHIVE_NUMBERLIKE;
        row.word = HISTORY_STATE_OTHER;
        break;
    default:
        row.kind = ARCHIVE_NUMBER;
        row.word = HISTORY_STATE_OTHER;
        row.decimals = (uint8_t)decimals;
        row.value = (double)(random_below(2000000) - 1000000) / pow(10, decimals);
    }
    return row;
}

static void rows_come_back_as_they_were(void **state)
{
    (void)state;
    for (int round = 0; round < PACK_ROUNDS; round++) {
        struct archive_rows rows = {.items = NULL}, back = {.items = NULL};
        struct archive_blob blob = {.data = NULL};
        int64_t day_ms = (int64_t)random_below(40000) * ARCHIVE_DAY_MS, key = random_below(1000);
        int decimals = random_below(4);
        for (int i = random_below(200); i > 0; i--) {
            struct archive_row row = random_row(day_ms, decimals);
            archive_rows_add(&rows, &row);
        }
        archive_pack_rows(&rows, key, day_ms, &blob);
        assert_int_equal(archive_unpack_rows(blob.data, blob.size, key, day_ms, &back), 0);
        assert_int_equal(back.count, rows.count);
        for (size_t i = 0; i < rows.count; i++) {
            assert_int_equal(back.items[i].time_ms, rows.items[i].time_ms);
            assert_int_equal(back.items[i].word, rows.items[i].word);
            assert_int_equal(back.items[i].kind, rows.items[i].kind);
            assert_int_equal(back.items[i].cause, rows.items[i].cause);
            assert_true(fabs(back.items[i].value - rows.items[i].value) < 1e-9);
        }
        struct archive_counts counts = {0}, counted = {0};
        struct archive_rows changes = {.items = NULL};
        archive_sort(&rows);
        archive_collapse(&rows, &counts);
        archive_pack_changes(&rows, &counts, key, day_ms, &blob);
        assert_int_equal(
            archive_unpack_changes(blob.data, blob.size, key, day_ms, &changes, &counted), 0);
        assert_memory_equal(&counts, &counted, sizeof counts);
        assert_int_equal(changes.count, rows.count);
        for (size_t i = 0; i < rows.count; i++) {
            assert_int_equal(changes.items[i].time_ms, rows.items[i].time_ms);
            assert_int_equal(changes.items[i].word, rows.items[i].word);
            assert_true(i == 0 || changes.items[i].word != changes.items[i - 1].word);
        }
        archive_rows_release(&rows);
        archive_rows_release(&back);
        archive_rows_release(&changes);
        archive_blob_release(&blob);
    }
}

static void means_come_back_as_they_were(void **state)
{
    (void)state;
    for (int round = 0; round < PACK_ROUNDS; round++) {
        double means[ARCHIVE_BUCKETS], back[ARCHIVE_BUCKETS];
        int decimals = random_below(4), kept;
        double value = NAN;
        for (int i = 0; i < ARCHIVE_BUCKETS; i++) {
            int what = random_below(10);
            if (what == 0)
                value = NAN;
            else if (what < 5)
                value = (double)(random_below(100000) - 50000) / pow(10, decimals);
            means[i] = value;
        }
        struct archive_blob blob = {.data = NULL};
        archive_pack_means(means, decimals, round, &blob);
        assert_int_equal(archive_unpack_means(blob.data, blob.size, round, back, &kept), 0);
        assert_int_equal(kept, decimals);
        for (int i = 0; i < ARCHIVE_BUCKETS; i++)
            assert_true(isnan(means[i]) ? isnan(back[i]) : fabs(means[i] - back[i]) < 1e-9);
        assert_int_equal(archive_unpack_means(blob.data, blob.size, round + 1, back, &kept), -1);
        archive_blob_release(&blob);
    }
}

static uint8_t word_kind(const char *text, double *value, int *decimals)
{
    struct archive_row row = {.kind = 99};
    bool known = archive_parse_state(text, text != NULL ? strlen(text) : 0, &row);
    *value = row.value;
    *decimals = row.decimals;
    return known ? row.kind : 99;
}

static void states_are_parsed_as_home_assistant_writes_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int kind, decimals;
        double value;
    } cases[] = {
        {"21.50", ARCHIVE_NUMBER, 2, 21.5},
        {"-3", ARCHIVE_NUMBER, 0, -3},
        {"1e-05", ARCHIVE_NUMBER, 5, 1e-5},
        {"1e-99999999999999999999", ARCHIVE_NUMBER, ARCHIVE_DECIMALS_MAX, 0},
        {"0e99999999999999999999", ARCHIVE_NUMBER, 0, 0},
        {".5", ARCHIVE_NUMBER, 1, 0.5},
        {"on", 99, 0, 0},
        {"2026-11-23T06:30:00+00:00", ARCHIVE_NUMBERLIKE, 0, 0},
        {"12:30", ARCHIVE_NUMBERLIKE, 0, 0},
        {"0x10", ARCHIVE_NUMBERLIKE, 0, 0},
        {"nan", 99, 0, 0},
        {"1e999", ARCHIVE_NUMBERLIKE, 0, 0},
        {"", ARCHIVE_WORD, 0, 0},
        {"-", 99, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value;
        int decimals;
        assert_int_equal(word_kind(cases[i].text, &value, &decimals), cases[i].kind);
        if (cases[i].kind != ARCHIVE_NUMBER)
            continue;
        assert_true(fabs(value - cases[i].value) < 1e-12);
        assert_int_equal(decimals, cases[i].decimals);
    }
}

/* Whatever the bytes are: an error or rows within bounds. */
static void packed_garbage_is_refused(void **state)
{
    (void)state;
    int64_t day_ms = 20000 * (int64_t)ARCHIVE_DAY_MS;
    int refused = 0, rounds = PACK_ROUNDS * 20;
    for (int round = 0; round < rounds; round++) {
        struct archive_rows rows = {.items = NULL}, back = {.items = NULL};
        struct archive_blob blob = {.data = NULL};
        struct archive_counts counts = {0};
        double means[ARCHIVE_BUCKETS];
        int decimals;
        for (int i = random_below(20); i >= 0; i--) {
            struct archive_row row = random_row(day_ms, 1);
            archive_rows_add(&rows, &row);
        }
        archive_pack_rows(&rows, 1, day_ms, &blob);
        if (random_below(2))
            blob.size = (size_t)random_below((int)blob.size);
        if (blob.size > 0)
            blob.data[random_below((int)blob.size)] ^= (uint8_t)(1 << random_below(8));
        bool ok = archive_unpack_rows(blob.data, blob.size, 1, day_ms, &back) == 0;
        refused += !ok;
        assert_true(ok || back.count == 0);
        archive_unpack_changes(blob.data, blob.size, 1, day_ms, &back, &counts);
        archive_unpack_means(blob.data, blob.size, 1, means, &decimals);
        struct archive_settings settings = {.items = NULL};
        assert_int_equal(archive_unpack_settings(blob.data, blob.size, 1, day_ms, &settings), -1);
        assert_int_equal(settings.count, 0);
        archive_rows_release(&rows);
        archive_rows_release(&back);
        archive_blob_release(&blob);
    }
    assert_int_equal(refused, rounds);
}

/* What docs/archive-format.md says of it. */
static void append_checksum(uint8_t *blob, size_t *size, int64_t key)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < 8; i++)
        hash = (hash ^ ((uint64_t)key >> (8 * i) & 0xff)) * 0x100000001B3u;
    for (size_t i = 0; i < *size; i++)
        hash = (hash ^ blob[i]) * 0x100000001B3u;
    for (int i = 0; i < 4; i++)
        blob[(*size)++] = (uint8_t)((uint32_t)(hash ^ hash >> 32) >> (8 * i));
}

/* A whole blob, but with a number that no double holds exactly; and a mean of yesterday's value. */
static void numbers_beyond_all_measure_do_no_harm(void **state)
{
    (void)state;
    for (int bytes = 1; bytes <= 10; bytes++) {
        uint8_t blob[32] = {1, 9, 0, 1}; /* format, decimals, the day's begin, a number */
        size_t size = 4;
        for (int i = 1; i < bytes; i++)
            blob[size++] = 0x80;
        blob[size++] = 1;
        append_checksum(blob, &size, 7);
        struct archive_rows rows = {.items = NULL};
        bool ok = archive_unpack_rows(blob, size, 7, 0, &rows) == 0;
        assert_int_equal(ok, bytes <= 8); /* 2^55 by zigzag is 2^54 */
        archive_rows_release(&rows);
    }
    double means[ARCHIVE_BUCKETS], back[ARCHIVE_BUCKETS];
    struct archive_blob blob = {.data = NULL};
    int decimals;
    for (int i = 0; i < ARCHIVE_BUCKETS; i++)
        means[i] = i < 100 ? 5e15 : i < 200 ? NAN : 1e-9;
    archive_pack_means(means, ARCHIVE_DECIMALS_MAX, 7, &blob);
    assert_int_equal(archive_unpack_means(blob.data, blob.size, 7, back, &decimals), 0);
    assert_int_equal(decimals, 0);
    assert_true(fabs(back[0] - 5e15) < 1 && isnan(back[150]) && fabs(back[250]) < 1);
    archive_blob_release(&blob);
}

/* --- recorder databases --- */

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

static int64_t query(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    int64_t value = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_finalize(stmt);
    return value;
}

static void remove_database(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < 4; i++) {
        char *name = xasprintf("%s%s", path, ends[i]);
        unlink(name);
        free(name);
    }
}

static sqlite3 *create(const char *path)
{
    const struct recorder_schema *ddl = recorder_schema_find(53);
    sqlite3 *db = NULL;
    remove_database(path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
    assert_int_equal(sqlite3_exec(db, ddl->tables, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, ddl->statistics_meta, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, ddl->indexes, NULL, NULL, NULL), SQLITE_OK);
    run(db, "INSERT INTO schema_changes (schema_version, changed) VALUES (53, '2026-01-01');"
            "INSERT INTO event_types VALUES (1, 'automation_triggered'), (2, 'call_service')");
    return db;
}

/* --- a home that lives --- */

static const char *const ids[ENTITIES] = {
    "light.kitchen",      "switch.pump",   "climate.room", "sensor.temperature",
    "sensor.power",       "sensor.energy", "sensor.song",  "sensor.was_word",
    "binary_sensor.door", "scene.movie",   "sensor.light", "cover.blind",
};
enum { KITCHEN = 0, CLIMATE = 2, SCENE = 9, LIGHT = 10, COVER = 11 };
enum { SETPOINTS = 6, POSITIONS = 11, CALLS = 5 };
/* attributes_id of each of these, and data_id */
enum { SETPOINT_ID = 10, POSITION_ID = 20, CALL_ID = 1 };

struct story {
    sqlite3 *live, *full;
    int64_t now_ms;
    int64_t run_ms;   /* the running recorder run's start */
    int metadata_add; /* metadata ids of the live database are larger by this */
    int rows[ENTITIES];
    double power, energy;
    int64_t light_ms; /* one row in five minutes: of more the recorder's are not all read */
    int since_restart;
};

static void bind_row(sqlite3 *db, int metadata_id, double time_s, const char *text, int cause,
                     const unsigned char context[16], int attributes)
{
    static const unsigned char someone[16] = {1, 2, 3};
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "INSERT INTO states (metadata_id, last_updated_ts, state,"
                           " context_id_bin, context_user_id_bin, context_parent_id_bin,"
                           " attributes_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                           -1, &stmt, NULL),
        SQLITE_OK);
    sqlite3_bind_int(stmt, 1, metadata_id);
    sqlite3_bind_double(stmt, 2, time_s);
    if (text != NULL)
        sqlite3_bind_text(stmt, 3, text, -1, SQLITE_STATIC);
    sqlite3_bind_blob(stmt, 4, context, 16, SQLITE_STATIC);
    if (cause == CAUSE_PERSON)
        sqlite3_bind_blob(stmt, 5, someone, 16, SQLITE_STATIC);
    if (cause == 3) /* a script of an automation */
        sqlite3_bind_blob(stmt, 6, someone, 16, SQLITE_STATIC);
    sqlite3_bind_int(stmt, 7, attributes);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
    if (cause == CAUSE_AUTOMATION) {
        assert_int_equal(sqlite3_prepare_v2(db,
                                            "INSERT INTO events (event_type_id, time_fired_ts,"
                                            " context_id_bin) VALUES (1, ?1, ?2)",
                                            -1, &stmt, NULL),
                         SQLITE_OK);
        sqlite3_bind_double(stmt, 1, time_s);
        sqlite3_bind_blob(stmt, 2, context, 16, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
        sqlite3_finalize(stmt);
    }
}

/* A row of an entity: in both databases. */
static void add_row(struct story *s, int entity, int64_t time_ms, const char *text, int cause)
{
    unsigned char context[16];
    for (int i = 0; i < 16; i++)
        context[i] = (unsigned char)random_below(256);
    double time_s = (double)time_ms / 1000 + 0.0001;
    int attributes = entity == LIGHT     ? 2
                     : entity == CLIMATE ? SETPOINT_ID + random_below(SETPOINTS)
                     : entity == COVER   ? POSITION_ID + random_below(POSITIONS)
                                         : 1;
    bind_row(s->live, entity + 1 + s->metadata_add, time_s, text, cause, context, attributes);
    bind_row(s->full, entity + 1, time_s, text, cause, context, attributes);
    s->rows[entity]++;
}

/* Somebody asks for a brightness. */
static void add_call(struct story *s, int64_t time_ms, int cause)
{
    sqlite3 *const both[] = {s->live, s->full};
    int data = CALL_ID + random_below(CALLS), context = random_below(1000000000);
    for (int i = 0; i < 2; i++) {
        run(both[i],
            "INSERT INTO events (event_type_id, time_fired_ts, data_id, context_id_bin,"
            " context_user_id_bin, context_parent_id_bin) VALUES (2, %f, %d, x'0000000%09d', %s, "
            "%s)",
            (double)time_ms / 1000, data, context, cause == CAUSE_PERSON ? "x'01'" : "NULL",
            cause == 3 ? "x'02'" : "NULL");
        if (cause == CAUSE_AUTOMATION)
            run(both[i],
                "INSERT INTO events (event_type_id, time_fired_ts, context_id_bin)"
                " VALUES (1, %f, x'0000000%09d')",
                (double)time_ms / 1000, context);
    }
}

static void time_text(char out[40], int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(out, 40, "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(out + n, 40 - n, ".%06d", (int)(time_ms % 1000) * 1000);
}

static void live_row(struct story *s)
{
    char text[64];
    int entity = random_below(ENTITIES);
    int64_t time_ms = s->now_ms;
    if (random_below(6) == 0) /* state_id order is nearly, not surely, time order */
        time_ms -= random_below(random_below(5) == 0 ? 20 * 60000 : 3000);
    if (time_ms <= s->run_ms + 1000)
        time_ms = s->run_ms + 1000;
    if (entity == LIGHT && time_ms / HISTORY_MEAN_MS <= s->light_ms / HISTORY_MEAN_MS)
        entity = 0;
    const char *state = text;
    int cause = random_below(4), n = s->rows[entity];
    switch (entity) {
    case 0:
    case 1:
    case 8:
        state = random_below(25) == 0   ? "unavailable"
                : random_below(40) == 0 ? NULL
                : random_below(2)       ? "on"
                                        : "off";
        break;
    case 2: /* mostly its attributes change */
        state = random_below(6) > 0 ? "heat" : random_below(8) == 0 ? "21" : "auto";
        break;
    case 3:
        snprintf(text, sizeof text, "%.1f", 20 + 3 * sin((double)s->now_ms / 1e7));
        if (random_below(50) == 0)
            state = "unknown";
        break;
    case 4:
        s->power = random_below(4) ? s->power : random_below(3000);
        snprintf(text, sizeof text, "%g", s->power + random_below(10) / 10.0);
        break;
    case 5:
        s->energy += random_below(100) / 1000.0;
        snprintf(text, sizeof text, "%.3f", s->energy);
        break;
    case 6:
        snprintf(text, sizeof text, "song %d", n);
        break;
    case COVER:
        state = random_below(20) == 0  ? "unavailable"
                : random_below(3) == 0 ? "opening"
                : random_below(3) == 0 ? "closed"
                                       : "open";
        break;
    case LIGHT:
        s->light_ms = time_ms;
        snprintf(text, sizeof text, "%d", random_below(3000));
        if (random_below(20) == 0)
            state = "unavailable";
        break;
    case SCENE: /* activated, or what a restart restores */
        time_text(text, random_below(4) ? time_ms : time_ms - 86400000);
        text[10] = 'T';
        memcpy(text + strlen(text), "+00:00", 7);
        state = random_below(20) == 0 ? "unavailable" : random_below(20) == 0 ? "unknown" : text;
        break;
    default:
        if (n < 30)
            snprintf(text, sizeof text, "mode %c", 'a' + random_below(3));
        else
            snprintf(text, sizeof text, "%d", random_below(100));
    }
    add_row(s, entity, time_ms, state, cause);
}

static void live_rows(struct story *s, int count)
{
    run(s->live, "BEGIN");
    run(s->full, "BEGIN");
    for (int i = 0; i < count; i++) {
        s->now_ms += 1 + random_below(random_below(30) == 0 ? 3600000 : 120000);
        live_row(s);
        if (random_below(6) == 0)
            add_call(s, s->now_ms - random_below(3000), random_below(4));
    }
    run(s->live, "COMMIT");
    run(s->full, "COMMIT");
}

static void begin_run(struct story *s, sqlite3 *only)
{
    char text[40];
    s->now_ms += 60000 + random_below(900000);
    s->run_ms = s->now_ms;
    time_text(text, s->run_ms);
    sqlite3 *dbs[] = {s->live, s->full};
    for (int i = 0; i < 2; i++) {
        if (only != NULL && only != dbs[i])
            continue;
        /* Home Assistant closes what a crash left. */
        run(dbs[i],
            "UPDATE recorder_runs SET \"end\" = %Q, closed_incorrect = 1 WHERE \"end\" IS NULL;"
            "INSERT INTO recorder_runs (start, closed_incorrect, created) VALUES (%Q, 0, %Q)",
            text, text, text);
    }
    for (int i = 0; i < 2; i++)
        add_row(s, random_below(2) * 8, s->now_ms + 2000 + i, "unavailable", CAUSE_PHYSICAL);
    s->now_ms += 5000;
}

static void restart(struct story *s)
{
    char text[40];
    if (random_below(2)) { /* an orderly one */
        time_text(text, s->now_ms + 500);
        run(s->live, "UPDATE recorder_runs SET \"end\" = %Q WHERE \"end\" IS NULL", text);
        run(s->full, "UPDATE recorder_runs SET \"end\" = %Q WHERE \"end\" IS NULL", text);
    }
    begin_run(s, NULL);
}

static void add_metas(sqlite3 *db, int add)
{
    for (int i = 0; i < ENTITIES; i++)
        run(db, "INSERT INTO states_meta (metadata_id, entity_id) VALUES (%d, %Q)", i + 1 + add,
            ids[i]);
    run(db, "INSERT INTO state_attributes (attributes_id, shared_attrs) VALUES"
            " (1, '{\"friendly_name\": \"A name\"}'),"
            " (2, '{\"friendly_name\": \"A name\", \"unit_of_measurement\": \"lx\"}')");
    for (int i = 0; i < SETPOINTS; i++)
        run(db,
            "INSERT INTO state_attributes (attributes_id, shared_attrs) VALUES"
            " (%d, '{\"friendly_name\":\"A name\",\"temperature\":%d.5}')",
            SETPOINT_ID + i, 17 + i);
    for (int i = 0; i < POSITIONS; i++)
        run(db,
            "INSERT INTO state_attributes (attributes_id, shared_attrs) VALUES"
            " (%d, '{\"friendly_name\":\"A name\",\"current_position\":%d}')",
            POSITION_ID + i, 10 * i);
    for (int i = 0; i < CALLS; i++)
        run(db,
            "INSERT INTO event_data (data_id, shared_data) VALUES (%d,"
            " '{\"domain\":\"light\",\"service\":\"turn_on\",\"service_data\":"
            "{\"entity_id\":\"light.kitchen\",\"brightness_pct\":%d}}')",
            CALL_ID + i, 10 + 15 * i);
}

static void story_begin(struct story *s)
{
    *s = (struct story){.now_ms = begin_ms + random_below(86400000)};
    remove_database(archive_path);
    s->live = create(live_path);
    s->full = create(full_path);
    add_metas(s->live, 0);
    add_metas(s->full, 0);
    begin_run(s, NULL);
    add_row(s, KITCHEN, s->now_ms, "off", CAUSE_PHYSICAL); /* of what has no row nothing is kept */
}

static void story_end(struct story *s)
{
    sqlite3_close(s->live);
    sqlite3_close(s->full);
}

/* --- importing and comparing --- */

static int import_with(const struct import_options *options, struct import_stats *stats,
                       struct error *err)
{
    struct archive *archive = archive_open(archive_path, false, err);
    if (archive == NULL)
        return -1;
    int rc = import_history(live_path, archive, options, stats, err);
    archive_close(archive);
    return rc;
}

static struct import_stats must_import(int rows)
{
    struct import_stats stats;
    struct error err = {ERROR_NONE, ""};
    struct import_options options = {.rows = rows};
    if (import_with(&options, &stats, &err) != 0)
        fail_msg("%s", err.message);
    return stats;
}

static void die_by_progress(int percent, const char *phase, void *ctx)
{
    (void)percent;
    (void)phase;
    int *left = ctx;
    if (--*left <= 0)
        kill(getpid(), SIGKILL);
}

/* An import that is killed, somewhere between or within its transactions. */
static void killed_import(void)
{
    int left = 1 + random_below(20), delay_us = random_below(20000), rows = 1 + random_below(300);
    bool by_progress = random_below(2) == 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct import_stats stats;
        struct error err;
        struct import_options options = {.rows = rows};
        if (by_progress) {
            options.progress = die_by_progress;
            options.progress_ctx = &left;
        }
        import_with(&options, &stats, &err);
        _exit(0);
    }
    if (!by_progress) {
        usleep((unsigned)delay_us);
        kill(pid, SIGKILL);
    }
    waitpid(pid, NULL, 0);
}

static void read_history(const char *path, const struct source_options *options, struct history *h)
{
    static const struct source_options none = {.exclude = NULL};
    struct error err = {ERROR_NONE, ""};
    history_init(h);
    h->tz = berlin;
    struct source *source = source_open(path, &err);
    if (source == NULL ||
        source_read(source, options != NULL ? options : &none, h, NULL, &err) != 0)
        fail_msg("%s: %s", path, err.message);
    source_close(source);
}

static void compare_entities(const struct history *a, const struct history *b, size_t i)
{
    const struct history_entity *x = &a->entities[i], *y = &b->entities[i];
    assert_string_equal(x->entity_id, y->entity_id);
    for (size_t k = 0; k < x->changes || k < y->changes; k++) {
        if (k >= x->changes || k >= y->changes || x->time_ms[k] != y->time_ms[k] ||
            strcmp(a->states[x->state[k]], b->states[y->state[k]]) != 0 ||
            x->cause[k] != y->cause[k])
            fail_msg("%s, change %zu of %zu and %zu: %lld %s %d, expected %lld %s %d", x->entity_id,
                     k, x->changes, y->changes, k < x->changes ? (long long)x->time_ms[k] : 0,
                     k < x->changes ? a->states[x->state[k]] : "", k < x->changes ? x->cause[k] : 0,
                     k < y->changes ? (long long)y->time_ms[k] : 0,
                     k < y->changes ? b->states[y->state[k]] : "",
                     k < y->changes ? y->cause[k] : 0);
    }
    for (size_t k = 0; k < x->value_count || k < y->value_count; k++) {
        const struct history_value *v = &x->values[k], *w = &y->values[k];
        if (k >= x->value_count || k >= y->value_count || v->time_ms != w->time_ms ||
            v->attribute != w->attribute || v->cause != w->cause || fabs(v->value - w->value) > 0)
            fail_msg("%s, value %zu of %zu and %zu: %lld %f %d, expected %lld %f %d", x->entity_id,
                     k, x->value_count, y->value_count,
                     k < x->value_count ? (long long)v->time_ms : 0,
                     k < x->value_count ? v->value : 0, k < x->value_count ? v->cause : 0,
                     k < y->value_count ? (long long)w->time_ms : 0,
                     k < y->value_count ? w->value : 0, k < y->value_count ? w->cause : 0);
    }
    if (x->changes > 0)
        assert_string_equal(x->name, y->name);
}

/* Half a unit of what is kept. */
static void compare_light(const struct history *a, const struct history *b)
{
    const struct history_entity *x = history_find_entity(a, ids[LIGHT]);
    const struct history_entity *y = history_find_entity(b, ids[LIGHT]);
    if (x == NULL || y == NULL)
        return;
    for (int64_t ms = b->from_ms; ms < b->to_ms; ms += HISTORY_MEAN_MS) {
        double got = history_number_at(x, ms), expected = history_number_at(y, ms);
        if (isnan(got) != isnan(expected) || fabs(got - expected) > 0.501)
            fail_msg("light at %lld: %f, expected %f", (long long)ms, got, expected);
    }
    assert_string_equal(x->device_class, "illuminance");
}

static void print_spans(const struct history *a, const struct history *b)
{
    const struct history *both[] = {a, b};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < both[k]->covered_count; i++)
            print_error("%s %lld..%lld\n", k ? "expected" : "got",
                        (long long)both[k]->covered[i].from_ms,
                        (long long)both[k]->covered[i].to_ms);
}

static void compare_histories(const struct history *a, const struct history *b)
{
    assert_int_equal(a->entity_count, b->entity_count);
    for (size_t i = 0; i < a->entity_count; i++)
        compare_entities(a, b, i);
    assert_int_equal(a->from_ms, b->from_ms);
    assert_int_equal(a->to_ms, b->to_ms);
    if (a->covered_count != b->covered_count)
        print_spans(a, b);
    assert_int_equal(a->covered_count, b->covered_count);
    for (size_t i = 0; i < a->covered_count; i++) {
        assert_true(llabs(a->covered[i].from_ms - b->covered[i].from_ms) <= 4000);
        assert_true(llabs(a->covered[i].to_ms - b->covered[i].to_ms) <= 4000);
    }
}

/* Of numbers a direct reading counts only what it looked at: the rows themselves are asked. */
static void compare_counts(const struct history *h, sqlite3 *full)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < h->entity_count; i++) {
        char *sql = sqlite3_mprintf("SELECT count(*) FROM states JOIN states_meta"
                                    " USING (metadata_id) WHERE states_meta.entity_id = %Q",
                                    h->entities[i].entity_id);
        assert_int_equal(h->entities[i].rows, query(full, sql));
        sum += h->entities[i].rows;
        sqlite3_free(sql);
    }
    assert_int_equal(h->state_changes, sum);
}

static void archive_is_as_if_nothing_was_lost(sqlite3 *full)
{
    struct history from_archive, from_full;
    read_history(archive_path, NULL, &from_archive);
    read_history(full_path, NULL, &from_full);
    compare_histories(&from_archive, &from_full);
    compare_light(&from_archive, &from_full);
    compare_counts(&from_archive, full);
    history_release(&from_archive);
    history_release(&from_full);
}

/* How many days of values the archive has of an entity, or of all (-1). */
static int64_t settings_of(int entity)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(archive_path, &db), SQLITE_OK);
    char *sql = sqlite3_mprintf("SELECT count(*) FROM setting WHERE %d < 0 OR (key & 1048575) ="
                                " (SELECT number FROM entity WHERE entity_id = %Q)",
                                entity, entity >= 0 ? ids[entity] : "");
    int64_t count = query(db, sql);
    sqlite3_free(sql);
    sqlite3_close(db);
    return count;
}

/* Means of one numeric entity, from the rows that were kept; tells how many days had some. */
static int compare_means(struct story *s, struct archive *archive, int entity)
{
    struct archive_rows rows = {.items = NULL};
    sqlite3_stmt *stmt = NULL;
    struct error err;
    assert_int_equal(
        sqlite3_prepare_v2(s->full,
                           "SELECT last_updated_ts, state FROM states"
                           " WHERE metadata_id = ?1 ORDER BY last_updated_ts, state_id",
                           -1, &stmt, NULL),
        SQLITE_OK);
    sqlite3_bind_int(stmt, 1, entity + 1);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        struct archive_row row = {.time_ms =
                                      (int64_t)(sqlite3_column_double(stmt, 0) * 1000 + 0.5)};
        const char *text = (const char *)sqlite3_column_text(stmt, 1);
        archive_parse_state(text, text != NULL ? strlen(text) : 0, &row);
        archive_rows_add(&rows, &row);
    }
    sqlite3_finalize(stmt);
    int64_t index = archive_find_entity(archive, ids[entity]);
    assert_true(index >= 0);
    double value = NAN;
    int days = 0;
    for (size_t i = 0; i < rows.count;) {
        int64_t day = rows.items[i].time_ms / ARCHIVE_DAY_MS;
        double expected[ARCHIVE_BUCKETS] = {0}, weight[ARCHIVE_BUCKETS] = {0};
        double means[ARCHIVE_BUCKETS];
        int decimals = 0;
        /* Second by second: not the way the archive does it. */
        for (int64_t ms = day * ARCHIVE_DAY_MS; ms < (day + 1) * ARCHIVE_DAY_MS; ms += 100) {
            for (; i < rows.count && rows.items[i].time_ms <= ms; i++)
                value = rows.items[i].kind == ARCHIVE_NUMBER ? rows.items[i].value : NAN;
            int bucket = (int)(ms % ARCHIVE_DAY_MS / ARCHIVE_BUCKET_MS);
            if (!isnan(value)) {
                expected[bucket] += value;
                weight[bucket]++;
            }
        }
        for (; i < rows.count && rows.items[i].time_ms < (day + 1) * ARCHIVE_DAY_MS; i++)
            value = rows.items[i].kind == ARCHIVE_NUMBER ? rows.items[i].value : NAN;
        bool has_value = false;
        for (int k = 0; k < ARCHIVE_BUCKETS; k++)
            has_value = has_value || weight[k] > 1; /* more than the step that finds its end */
        int result = archive_read_means(archive, (size_t)index, day, means, &decimals, &err);
        if (result == 0 && !has_value)
            continue; /* it was unavailable all day */
        if (result != 1)
            fail_msg("%s: no means of day %lld", ids[entity], (long long)day);
        days++;
        for (int k = 0; k < ARCHIVE_BUCKETS; k++) {
            if (weight[k] <= 0 || isnan(means[k])) {
                assert_true(weight[k] <= 1 || !isnan(means[k]));
                continue;
            }
            /* Half a unit of what is kept, and what 100 ms steps miss. */
            double error = fabs(means[k] - expected[k] / weight[k]);
            if (error > 0.51 * pow(10, -decimals) + 3000.0 * 5 / fmax(weight[k], 1))
                fail_msg("%s, day %lld, bucket %d: %f, expected %f", ids[entity], (long long)day, k,
                         means[k], expected[k] / weight[k]);
        }
    }
    archive_rows_release(&rows);
    return days;
}

static void copy_file(const char *from, const char *to)
{
    char buffer[65536];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, in)) > 0;)
        assert_int_equal(fwrite(buffer, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static sqlite3 *reopen_live(void)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(live_path, &db), SQLITE_OK);
    run(db, "PRAGMA synchronous = OFF");
    return db;
}

/* What Home Assistant purges was imported before, here; the last row of that may be among it. */
static void purge(struct story *s)
{
    must_import(0);
    int64_t last = query(s->live, "SELECT max(state_id) FROM states");
    int64_t first = query(s->live, "SELECT min(state_id) FROM states");
    int64_t id = random_below(2) ? last : first + random_below((int)(last - first) + 1);
    int64_t event = query(s->live, "SELECT max(event_id) FROM events");
    live_rows(s, 1 + random_below(50));
    run(s->live,
        "DELETE FROM events WHERE event_id <= %lld; DELETE FROM states WHERE state_id <= %lld",
        (long long)event, (long long)id);
}

static void restore(struct story *s, const char *backup)
{
    must_import(0); /* what was not would be lost with the database */
    sqlite3_close(s->live);
    remove_database(live_path);
    copy_file(backup, live_path);
    s->live = reopen_live();
    s->metadata_add = (int)query(s->live, "SELECT min(metadata_id) - 1 FROM states_meta");
    begin_run(s, NULL);
}

static void back_up(struct story *s, const char *backup)
{
    run(s->live, "PRAGMA wal_checkpoint(TRUNCATE)");
    copy_file(live_path, backup);
}

/* A fresh database, or the old rows under other ids (moved from another kind of database). */
static void replace_live(struct story *s, bool with_rows)
{
    must_import(0);
    char *old = xasprintf("%s/old.db", folder);
    back_up(s, old);
    sqlite3_close(s->live);
    s->live = create(live_path);
    s->metadata_add += 100;
    add_metas(s->live, s->metadata_add);
    if (with_rows) {
        run(s->live, "ATTACH %Q AS old", old);
        run(s->live,
            "INSERT INTO states (state_id, metadata_id, state, last_updated_ts, context_id_bin,"
            " context_user_id_bin, context_parent_id_bin, attributes_id)"
            " SELECT state_id - (SELECT min(state_id) - 1 FROM old.states), metadata_id + 100, "
            "state, last_updated_ts, context_id_bin,"
            " context_user_id_bin, context_parent_id_bin, attributes_id FROM old.states;"
            "INSERT INTO recorder_runs SELECT * FROM old.recorder_runs;"
            "INSERT INTO events (event_type_id, time_fired_ts, data_id, context_id_bin,"
            " context_user_id_bin, context_parent_id_bin) SELECT event_type_id, time_fired_ts,"
            " data_id, context_id_bin, context_user_id_bin, context_parent_id_bin FROM old.events");
        run(s->live, "DETACH old");
    }
    unlink(old);
    free(old);
    begin_run(s, NULL);
}

static void random_story(int steps, bool with_replacements)
{
    struct story s;
    char *backup = xasprintf("%s/backup.db", folder);
    bool has_backup = false;
    story_begin(&s);
    for (int step = 0; step < steps; step++) {
        live_rows(&s, 1 + random_below(200));
        switch (random_below(with_replacements ? 9 : 6)) {
        case 0:
        case 1:
            must_import(1 + random_below(300));
            break;
        case 2:
            killed_import();
            break;
        case 3:
            restart(&s);
            break;
        case 4:
            purge(&s);
            break;
        case 5:
            back_up(&s, backup);
            has_backup = true;
            break;
        case 6:
            if (has_backup)
                restore(&s, backup);
            break;
        case 7:
            replace_live(&s, true);
            has_backup = false;
            break;
        default:
            replace_live(&s, false);
            has_backup = false;
        }
        if (step % 10 == 9) {
            must_import(0);
            archive_is_as_if_nothing_was_lost(s.full);
        }
    }
    must_import(0);
    archive_is_as_if_nothing_was_lost(s.full);
    assert_int_equal(must_import(0).imported, 0);
    assert_true(settings_of(KITCHEN) > 0 && settings_of(CLIMATE) > 0 && settings_of(COVER) > 0);
    struct error err;
    struct archive *archive = archive_open(archive_path, true, &err);
    assert_non_null(archive);
    assert_true(compare_means(&s, archive, 3) > 0);
    assert_true(compare_means(&s, archive, 4) > 0);
    assert_true(compare_means(&s, archive, 5) > 0);
    archive_close(archive);
    story_end(&s);
    unlink(backup);
    free(backup);
}

/* More of them in `make test-long`. */
static int stories(void)
{
    return getenv("HA_AI_LONG") != NULL ? 10 * STORIES : STORIES;
}

static void pieces_make_the_whole(void **state)
{
    (void)state;
    for (int i = 0; i < stories(); i++)
        random_story(STEPS, false);
}

static void other_databases_add_only_what_is_new(void **state)
{
    (void)state;
    for (int i = 0; i < stories(); i++)
        random_story(STEPS, true);
}

/* --- single cases --- */

static struct archive *open_archive(bool readonly)
{
    struct error err = {ERROR_NONE, ""};
    struct archive *archive = archive_open(archive_path, readonly, &err);
    if (archive == NULL)
        fail_msg("%s", err.message);
    return archive;
}

static const struct history_entity *find(const struct history *h, const char *entity_id)
{
    for (size_t i = 0; i < h->entity_count; i++)
        if (strcmp(h->entities[i].entity_id, entity_id) == 0)
            return &h->entities[i];
    return NULL;
}

/* 0 without such an entity. */
static uint64_t rows_of(const struct history *h, const char *entity_id)
{
    const struct history_entity *e = find(h, entity_id);
    return e != NULL ? e->rows : 0;
}

/* The bytes of the file hold this text somewhere. */
static bool file_has(const char *path, const char *text)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *bytes = xmalloc(size + 1);
    assert_int_equal(fread(bytes, 1, size, file), size);
    fclose(file);
    bool found = memmem(bytes, size, text, strlen(text)) != NULL;
    free(bytes);
    return found;
}

static void what_is_excluded_is_neither_archived_nor_read(void **state)
{
    (void)state;
    struct story s;
    struct import_stats stats;
    struct error err;
    struct history h;
    struct import_options options = {.exclude = "climate.*,sensor.song"};
    story_begin(&s);
    live_rows(&s, 400);
    assert_int_equal(import_with(&options, &stats, &err), 0);
    assert_false(file_has(archive_path, "climate.room"));
    assert_false(file_has(archive_path, "song 1"));
    read_history(archive_path, NULL, &h);
    assert_null(find(&h, "climate.room"));
    assert_non_null(find(&h, "light.kitchen"));
    size_t values = find(&h, "light.kitchen")->value_count;
    assert_true(values > 0);
    history_release(&h);
    /* Excluded later: what is there stays, nothing is added, none of it is read. */
    options.exclude = "climate.*,sensor.song,light.kitchen";
    uint64_t rows = (uint64_t)s.rows[0];
    live_rows(&s, 400);
    assert_int_equal(import_with(&options, &stats, &err), 0);
    read_history(archive_path, &(struct source_options){.exclude = "light.*"}, &h);
    assert_null(find(&h, "light.kitchen"));
    history_release(&h);
    read_history(archive_path, NULL, &h);
    assert_int_equal(rows_of(&h, "light.kitchen"), rows);
    assert_int_equal(find(&h, "light.kitchen")->value_count, values);
    history_release(&h);
    story_end(&s);
}

static void what_is_forgotten_is_gone_and_stays_away(void **state)
{
    (void)state;
    struct story s;
    struct error err;
    struct history h;
    story_begin(&s);
    live_rows(&s, 600);
    must_import(0);
    live_rows(&s, 100); /* in the recorder, not yet in the archive */
    assert_true(file_has(archive_path, "climate.room"));
    struct archive *archive = open_archive(false);
    assert_int_equal(archive_forget(archive, "climate.room", s.now_ms, 1000, &err), 1);
    assert_int_equal(archive_forget(archive, "climate.room", s.now_ms, 1000, &err), 0);
    assert_int_equal(archive_forget(archive, "light.never", s.now_ms, 1000, &err), 0);
    archive_close(archive);
    assert_int_equal(settings_of(CLIMATE), 0);
    assert_true(settings_of(KITCHEN) > 0);
    assert_false(file_has(archive_path, "climate.room"));
    assert_false(file_has(archive_path, "light.never"));
    must_import(0);
    read_history(archive_path, NULL, &h);
    assert_null(find(&h, "climate.room"));
    assert_int_equal(rows_of(&h, "light.kitchen"), s.rows[0]);
    history_release(&h);
    /* Not even out of another database with the same past. */
    replace_live(&s, true);
    must_import(0);
    read_history(archive_path, NULL, &h);
    assert_null(find(&h, "climate.room"));
    assert_int_equal(rows_of(&h, "light.kitchen"), s.rows[0]);
    history_release(&h);
    /* What happens from now on is new. */
    uint64_t before = (uint64_t)s.rows[2];
    live_rows(&s, 200);
    must_import(0);
    read_history(archive_path, NULL, &h);
    assert_int_equal(rows_of(&h, "climate.room"), (uint64_t)s.rows[2] - before);
    history_release(&h);
    archive = open_archive(false);
    assert_int_equal(archive_forget(archive, NULL, s.now_ms, 1000, &err), 1);
    assert_int_equal(archive->entity_count, 0);
    archive_close(archive);
    for (int i = 0; i < ENTITIES; i++)
        assert_false(file_has(archive_path, ids[i]));
    assert_int_equal(settings_of(-1), 0);
    assert_int_equal(must_import(0).imported, 0);
    assert_int_equal(settings_of(-1), 0);
    s.now_ms += 3600000; /* late rows are not of the past either */
    live_rows(&s, 50);
    assert_int_equal(must_import(0).imported, 50);
    story_end(&s);
}

/* Another process forgets while an import is between two transactions. */
static void forget_in_the_middle(int percent, const char *phase, void *ctx)
{
    (void)phase;
    bool *done = ctx;
    struct error err;
    if (*done || percent < 40)
        return;
    *done = true;
    struct archive *archive = open_archive(false);
    assert_int_equal(archive_forget(archive, "climate.room", INT64_C(4000000000000), 1000, &err),
                     1);
    archive_close(archive);
}

static void forgetting_beside_an_import_holds(void **state)
{
    (void)state;
    struct story s;
    struct import_stats stats;
    struct error err = {ERROR_NONE, ""};
    struct history h;
    bool done = false;
    story_begin(&s);
    live_rows(&s, 3000);
    struct import_options options = {
        .rows = 100, .progress = forget_in_the_middle, .progress_ctx = &done};
    if (import_with(&options, &stats, &err) != 0)
        fail_msg("%s", err.message);
    assert_true(done);
    assert_false(file_has(archive_path, "climate.room"));
    read_history(archive_path, NULL, &h);
    assert_null(find(&h, "climate.room"));
    for (int i = 0; i < ENTITIES; i++)
        if (i != 2)
            assert_int_equal(rows_of(&h, ids[i]), s.rows[i]);
    history_release(&h);
    story_end(&s);
}

/* Two imports at once: each begins anew when the other has written. */
static void two_imports_at_once_import_once(void **state)
{
    (void)state;
    struct story s;
    struct history h;
    story_begin(&s);
    live_rows(&s, 4000);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct import_stats stats;
        struct error err;
        for (int i = 0; i < 20; i++)
            import_with(&(struct import_options){.rows = 500}, &stats, &err);
        _exit(0);
    }
    for (int i = 0; i < 20; i++) {
        struct import_stats stats;
        struct error err;
        import_with(&(struct import_options){.rows = 700}, &stats, &err);
    }
    waitpid(pid, NULL, 0);
    must_import(0);
    archive_is_as_if_nothing_was_lost(s.full);
    read_history(archive_path, NULL, &h);
    compare_counts(&h, s.full);
    history_release(&h);
    story_end(&s);
}

/* Home Assistant goes on writing. */
static void an_import_beside_a_writer_misses_nothing(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s);
    live_rows(&s, 500);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) { /* one database connection of its own; the archive is not ours to compare */
        struct import_stats stats;
        struct error err;
        for (int i = 0; i < 60; i++) {
            import_with(&(struct import_options){.rows = 50, .chunk_ms = 1}, &stats, &err);
            usleep(2000);
        }
        _exit(0);
    }
    for (int i = 0; i < 100; i++) {
        live_rows(&s, 20);
        usleep(1000);
    }
    waitpid(pid, NULL, 0);
    must_import(0);
    archive_is_as_if_nothing_was_lost(s.full);
    story_end(&s);
}

static void old_days_leave_the_archive(void **state)
{
    (void)state;
    struct story s;
    struct import_stats stats;
    struct error err;
    struct history h, full;
    story_begin(&s);
    while (s.now_ms < begin_ms + 40 * (int64_t)ARCHIVE_DAY_MS)
        live_rows(&s, 300);
    assert_int_equal(
        import_with(&(struct import_options){.now_ms = s.now_ms, .rows = 1000}, &stats, &err), 0);
    must_import(0);
    assert_int_equal(
        import_with(&(struct import_options){.days = 20, .now_ms = s.now_ms}, &stats, &err), 0);
    int64_t oldest_ms = (s.now_ms / ARCHIVE_DAY_MS - 20) * (int64_t)ARCHIVE_DAY_MS;
    read_history(archive_path, NULL, &h);
    read_history(full_path, &(struct source_options){.since_ms = oldest_ms}, &full);
    for (size_t i = 0; i < full.entity_count; i++)
        if (full.entities[i].changes > 0 && strcmp(full.entities[i].entity_id, ids[6]) != 0)
            compare_entities(&h, &full, i);
    assert_int_equal(h.from_ms, full.from_ms);
    history_release(&h);
    history_release(&full);
    /* Nor do they come back. */
    assert_int_equal(must_import(0).imported, 0);
    story_end(&s);
}

static void a_renamed_entity_keeps_its_past(void **state)
{
    (void)state;
    struct story s;
    struct history h;
    story_begin(&s);
    live_rows(&s, 300);
    must_import(0);
    run(s.live, "UPDATE states_meta SET entity_id = 'light.island' WHERE entity_id = %Q", ids[0]);
    run(s.full, "UPDATE states_meta SET entity_id = 'light.island' WHERE entity_id = %Q", ids[0]);
    /* Not Home Assistant's doing: calls of before name what is not there any more. */
    run(s.full, "UPDATE event_data SET shared_data = replace(shared_data, %Q, 'light.island')",
        ids[0]);
    run(s.live, "UPDATE event_data SET shared_data = replace(shared_data, %Q, 'light.island')",
        ids[0]);
    live_rows(&s, 300);
    must_import(0);
    read_history(archive_path, NULL, &h);
    assert_null(find(&h, ids[0]));
    assert_int_equal(rows_of(&h, "light.island"), s.rows[0]);
    history_release(&h);
    archive_is_as_if_nothing_was_lost(s.full);
    story_end(&s);
}

/* A light sensor that told nothing in the time asked for is not there, and nothing of it is left.
 */
static void a_silent_sensor_leaves_nothing(void **state)
{
    (void)state;
    struct story s;
    struct history h;
    story_begin(&s);
    live_rows(&s, 500);
    s.light_ms = INT64_MAX; /* it is silent from now on */
    int rows = s.rows[LIGHT];
    live_rows(&s, 2000);
    assert_int_equal(s.rows[LIGHT], rows);
    must_import(0);
    read_history(archive_path, &(struct source_options){.since_ms = s.now_ms - 3 * 3600000}, &h);
    assert_null(find(&h, ids[LIGHT]));
    assert_true(rows_of(&h, ids[KITCHEN]) > 0);
    history_release(&h);
    story_end(&s);
}

/* An old database comes after the one in use: what was asked for in its days is new as well. */
static void an_older_database_brings_its_calls(void **state)
{
    (void)state;
    struct story s;
    struct history from_archive, from_full;
    char *old = xasprintf("%s/old.db", folder);
    story_begin(&s);
    live_rows(&s, 300);
    back_up(&s, old);
    sqlite3_close(s.live);
    s.live = create(live_path);
    s.metadata_add = 100;
    add_metas(s.live, s.metadata_add);
    s.now_ms += (int64_t)2 * IMPORT_LATE_MS;
    begin_run(&s, NULL);
    live_rows(&s, 300);
    must_import(0);
    sqlite3_close(s.live);
    remove_database(live_path);
    copy_file(old, live_path);
    s.live = reopen_live();
    must_import(0);
    read_history(archive_path, NULL, &from_archive);
    read_history(full_path, NULL, &from_full);
    for (size_t i = 0; i < from_full.entity_count; i++)
        compare_entities(&from_archive, &from_full, i);
    history_release(&from_archive);
    history_release(&from_full);
    story_end(&s);
    unlink(old);
    free(old);
}

static void must_refuse_as(bool readonly, const char *words)
{
    struct error err = {ERROR_NONE, ""};
    struct archive *archive = archive_open(archive_path, readonly, &err);
    assert_null(archive);
    if (strstr(err.message, words) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, words);
}

static void must_refuse(const char *words)
{
    must_refuse_as(false, words);
    must_refuse_as(true, words);
}

/* An archive that an older ha-ai has written keeps what it has, and gets the rest. */
static void an_older_archive_goes_on(void **state)
{
    (void)state;
    struct story s;
    struct history h, full;
    sqlite3 *db = NULL;
    story_begin(&s);
    live_rows(&s, 1000);
    must_import(0);
    assert_int_equal(sqlite3_open(archive_path, &db), SQLITE_OK);
    run(db, "ALTER TABLE entity DROP COLUMN device_class; DROP TABLE setting;"
            "ALTER TABLE cursor DROP COLUMN calls_ms; PRAGMA user_version = 1");
    sqlite3_close(db);
    must_refuse_as(true, "schema 1");
    s.now_ms += ARCHIVE_DAY_MS;
    struct source_options lately = {.since_ms = (s.now_ms / ARCHIVE_DAY_MS) * ARCHIVE_DAY_MS};
    live_rows(&s, 1000);
    must_import(0);
    read_history(archive_path, &lately, &h);
    read_history(full_path, &lately, &full);
    for (size_t i = 0; i < full.entity_count; i++)
        if (full.entities[i].changes > 0 && strcmp(full.entities[i].entity_id, ids[6]) != 0)
            compare_entities(&h, &full, i);
    assert_true(find(&h, ids[CLIMATE])->value_count > 0);
    assert_true(find(&h, ids[KITCHEN])->value_count > 0);
    assert_string_equal(find(&h, ids[LIGHT])->device_class, "illuminance");
    history_release(&full);
    history_release(&h);
    read_history(archive_path, NULL, &h);
    assert_true(find(&h, ids[LIGHT])->mean_count > 0);
    assert_int_equal(rows_of(&h, ids[KITCHEN]), s.rows[KITCHEN]);
    history_release(&h);
    story_end(&s);
}

/* A row that comes after its day was sealed. */
static void late_rows_find_their_day(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s);
    add_row(&s, 0, s.now_ms, "on", CAUSE_PERSON);
    add_row(&s, 0, s.now_ms + 60000, "off", CAUSE_PERSON);
    int64_t late_ms = s.now_ms + 90000;
    s.now_ms += 3 * (int64_t)ARCHIVE_DAY_MS;
    add_row(&s, 0, s.now_ms, "on", CAUSE_PHYSICAL);
    must_import(0);
    add_row(&s, 0, late_ms, "unavailable", CAUSE_PHYSICAL);
    add_row(&s, 0, late_ms + 10000, "off", CAUSE_PHYSICAL);
    add_row(&s, 3, late_ms, "21.5", CAUSE_PHYSICAL);
    must_import(0);
    archive_is_as_if_nothing_was_lost(s.full);
    story_end(&s);
}

/* Our clock and Home Assistant's were years ahead for a moment: no later day ends early for that,
 * when it is imported in two pieces. */
static void a_clock_that_was_wrong_ends_no_day_early(void **state)
{
    (void)state;
    struct story s;
    struct import_stats stats;
    struct error err;
    double means[ARCHIVE_BUCKETS];
    int decimals;
    story_begin(&s);
    int64_t day = s.now_ms / ARCHIVE_DAY_MS + 2, day_ms = day * ARCHIVE_DAY_MS;
    int64_t wrong_ms = day_ms + 3000 * (int64_t)ARCHIVE_DAY_MS;
    add_row(&s, 3, wrong_ms, "19", CAUSE_PHYSICAL);
    add_call(&s, wrong_ms, CAUSE_PERSON);
    assert_int_equal(import_with(&(struct import_options){.now_ms = wrong_ms + 1000}, &stats, &err),
                     0);
    for (int hour = 6; hour < 24; hour += 6) {
        char text[16];
        snprintf(text, sizeof text, "%d", hour);
        s.now_ms = day_ms + hour * INT64_C(3600000);
        add_row(&s, 3, s.now_ms, text, CAUSE_PHYSICAL);
        add_call(&s, s.now_ms, CAUSE_PERSON);
        assert_int_equal(
            import_with(&(struct import_options){.now_ms = s.now_ms + 1000}, &stats, &err), 0);
    }
    add_row(&s, 0, day_ms + 2 * (int64_t)ARCHIVE_DAY_MS, "on", CAUSE_PERSON);
    assert_int_equal(
        import_with(&(struct import_options){.now_ms = day_ms + 3 * (int64_t)ARCHIVE_DAY_MS},
                    &stats, &err),
        0);
    struct archive *archive = archive_open(archive_path, true, &err);
    assert_non_null(archive);
    size_t entity = (size_t)archive_find_entity(archive, ids[3]);
    assert_int_equal(archive_read_means(archive, entity, day, means, &decimals, &err), 1);
    for (int hour = 6; hour < 24; hour++)
        assert_true(fabs(means[hour * 12 + 6] - hour / 6 * 6) < 0.01);
    archive_close(archive);
    assert_int_equal(settings_of(KITCHEN), 2); /* of that moment, and of the day */
    story_end(&s);
}

static int count_rows(size_t entity, int64_t day, const struct archive_rows *changes,
                      const struct archive_counts *counts, void *ctx, struct error *err)
{
    (void)entity;
    (void)day;
    (void)changes;
    (void)err;
    *(uint64_t *)ctx += counts->rows;
    return 0;
}

static int count_setting(size_t entity, const struct history_value *value, void *ctx,
                         struct error *err)
{
    (void)entity;
    (void)value;
    (void)err;
    ++*(size_t *)ctx;
    return 0;
}

/* More values than a day may hold; those that are known already. */
static void a_day_holds_so_many_values(void **state)
{
    (void)state;
    enum { EXTRA = 100 };
    struct error err = {ERROR_NONE, ""};
    int64_t day = begin_ms / ARCHIVE_DAY_MS;
    size_t seen = 0;
    remove_database(archive_path);
    struct archive *archive = open_archive(false);
    assert_int_equal(archive_add_entity(archive, "fan.quick", &err), 0);
    struct archive_settings settings = {.items = NULL};
    for (int i = 0; i < ARCHIVE_DAY_SETTINGS_MAX + EXTRA; i++)
        archive_settings_add(
            &settings, &(struct history_value){day * ARCHIVE_DAY_MS + 4000 * (int64_t)i, i % 100,
                                               RULE_PERCENTAGE, (uint8_t)(i % 3), i % 5 == 0});
    assert_int_equal(archive_begin(archive, &err), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(archive_append_settings(archive, 0, day, settings.items, EXTRA, &err), 0);
    assert_int_equal(archive_commit(archive, &err), 0);
    assert_int_equal(archive_read_settings(archive, day, day + 1, NULL, count_setting, &seen, &err),
                     0);
    assert_int_equal(seen, EXTRA);
    assert_int_equal(archive_begin(archive, &err), 0);
    assert_int_equal(archive_append_settings(archive, 0, day, settings.items, settings.count, &err),
                     0);
    assert_int_equal(archive_commit(archive, &err), 0);
    seen = 0;
    assert_int_equal(archive_read_settings(archive, day, day + 1, NULL, count_setting, &seen, &err),
                     0);
    assert_int_equal(seen, ARCHIVE_DAY_SETTINGS_MAX);
    archive_settings_release(&settings);
    archive_close(archive);
}

static void settings_come_back_as_they_were(void **state)
{
    (void)state;
    for (int round = 0; round < PACK_ROUNDS; round++) {
        struct archive_settings settings = {.items = NULL}, back = {.items = NULL};
        struct archive_blob blob = {.data = NULL};
        int64_t day = 20000 + random_below(100), day_ms = day * ARCHIVE_DAY_MS, key = day << 20 | 7;
        for (int i = random_below(40); i > 0; i--) {
            enum rule_attribute attribute = (enum rule_attribute)random_below(RULE_ATTRIBUTE_COUNT);
            const struct rule_attribute_row *row = &rule_attributes[attribute];
            double raw =
                (row->low + (row->high - row->low) * random_below(1000) / 999) / row->scale;
            archive_settings_add(
                &settings,
                &(struct history_value){day_ms + random_below(ARCHIVE_DAY_MS),
                                        rule_field_of_attribute(attribute, raw), (uint8_t)attribute,
                                        (uint8_t)random_below(3), random_below(2) == 1});
        }
        archive_settings_sort(&settings);
        archive_pack_settings(&settings, key, day_ms, &blob);
        assert_int_equal(archive_unpack_settings(blob.data, blob.size, key, day_ms, &back), 0);
        assert_int_equal(back.count, settings.count);
        for (size_t i = 0; i < back.count; i++) {
            assert_int_equal(back.items[i].time_ms, settings.items[i].time_ms);
            assert_int_equal(back.items[i].attribute, settings.items[i].attribute);
            assert_int_equal(back.items[i].is_told, settings.items[i].is_told);
            assert_int_equal(back.items[i].cause, settings.items[i].cause);
            assert_false(fabs(back.items[i].value - settings.items[i].value) > 0);
        }
        assert_int_equal(archive_unpack_settings(blob.data, blob.size, key + 1, day_ms, &back), -1);
        archive_settings_release(&settings);
        archive_settings_release(&back);
        archive_blob_release(&blob);
    }
}

/* More than a day, or the archive, may hold. */
static void limits_hold(void **state)
{
    (void)state;
    enum { EXTRA = 1000 };
    struct error err = {ERROR_NONE, ""};
    struct archive_rows rows = {.items = NULL};
    int64_t day = begin_ms / ARCHIVE_DAY_MS, full = ARCHIVE_DAY_ROWS_MAX;
    remove_database(archive_path);
    struct archive *archive = open_archive(false);
    int64_t entity = archive_add_entity(archive, "sensor.quick", &err);
    assert_int_equal(entity, 0);
    for (int64_t i = 0; i < full + EXTRA; i++) {
        struct archive_row row = {.time_ms = day * ARCHIVE_DAY_MS + i * 400,
                                  .kind = ARCHIVE_NUMBER,
                                  .word = HISTORY_STATE_OTHER,
                                  .value = (double)(i % 7)};
        archive_rows_add(&rows, &row);
    }
    assert_int_equal(archive_begin(archive, &err), 0);
    struct archive_rows part = {rows.items, (size_t)full / 2, 0};
    struct archive_rows rest = {rows.items + part.count, rows.count - part.count, 0};
    assert_int_equal(archive_append(archive, 0, day, &part, &err), 0);
    assert_int_equal(archive_append(archive, 0, day, &rest, &err), 0);
    assert_int_equal(archive_append(archive, 0, day, &part, &err), 0); /* its day has ended */
    assert_int_equal(archive_commit(archive, &err), 0);
    uint64_t seen = 0;
    assert_int_equal(archive_read_changes(archive, day, day + 1, NULL, count_rows, &seen, &err), 0);
    assert_int_equal(seen, rows.count + part.count);
    /* Of runs and ranges the newest count. */
    struct archive_run *runs = NULL;
    struct archive_range *ranges = NULL;
    size_t run_count, range_count;
    assert_int_equal(archive_begin(archive, &err), 0);
    for (int64_t i = 0; i < ARCHIVE_RUNS_MAX + 3; i++)
        assert_int_equal(
            archive_add_run(archive, &(struct archive_run){.from_ms = i, .to_ms = i + 1}, &err), 0);
    for (int64_t i = 0; i < ARCHIVE_RANGES_MAX + 3; i++)
        assert_int_equal(archive_new_range(archive, &err), 0);
    assert_int_equal(archive_commit(archive, &err), 0);
    assert_int_equal(archive_read_runs(archive, &runs, &run_count, &err), 0);
    assert_int_equal(archive_read_ranges(archive, &ranges, &range_count, &err), 0);
    assert_int_equal(run_count, ARCHIVE_RUNS_MAX);
    assert_int_equal(runs[0].from_ms, 3);
    assert_int_equal(range_count, ARCHIVE_RANGES_MAX);
    assert_int_equal(ranges[0].id, 4);
    free(runs);
    free(ranges);
    while (archive->entity_count < ARCHIVE_ENTITIES_MAX)
        assert_true(archive_add_entity(archive, "sensor.one_more", &err) > 0);
    assert_int_equal(archive_add_entity(archive, "sensor.too_many", &err), -1);
    assert_non_null(strstr(err.message, "100000"));
    archive_close(archive);
    archive_rows_release(&rows);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    sqlite3 *db = NULL;
    struct error err;
    remove_database(archive_path);
    FILE *file = fopen(archive_path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("no database at all\n", file);
    fclose(file);
    must_refuse("not a database");
    remove_database(archive_path);
    copy_file(full_path, archive_path); /* a recorder's: not even its mode is changed */
    assert_int_equal(chmod(archive_path, 0644), 0);
    must_refuse("another program");
    struct stat info;
    assert_int_equal(stat(archive_path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0644);
    remove_database(archive_path);
    archive_close(open_archive(false));
    assert_int_equal(sqlite3_open(archive_path, &db), SQLITE_OK);
    run(db, "PRAGMA user_version = 99");
    sqlite3_close(db);
    must_refuse("ha-ai");
    assert_int_equal(sqlite3_open(archive_path, &db), SQLITE_OK);
    run(db, "PRAGMA user_version = -1929379839");
    sqlite3_close(db);
    must_refuse("schema -1929379839");
    remove_database(archive_path);
    assert_null(archive_open(archive_path, true, &err));
    assert_int_not_equal(access(archive_path, F_OK), 0);
    archive_close(open_archive(false));
    assert_int_equal(stat(archive_path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_true(archive_is_file(archive_path));
    assert_false(archive_is_file(full_path));
    assert_false(archive_is_file("/nonexistent"));
}

/* A row of the table that no archive of ours has. */
static void a_day_before_all_days_is_left_alone(void **state)
{
    (void)state;
    struct story s;
    sqlite3 *db = NULL;
    story_begin(&s);
    live_rows(&s, 100);
    must_import(0);
    assert_int_equal(sqlite3_open(archive_path, &db), SQLITE_OK);
    run(db, "INSERT INTO rows VALUES (-9223372036854775807, x'00'), (-5, x'00');"
            "INSERT INTO setting VALUES (-9223372036854775807, x'00', 1), (-5, x'00', 1)");
    sqlite3_close(db);
    live_rows(&s, 100);
    must_import(0);
    archive_is_as_if_nothing_was_lost(s.full);
    story_end(&s);
}

/* A flipped bit costs the day of an entity, and is told; the rest is read. */
static void a_damaged_blob_is_left_out(void **state)
{
    (void)state;
    struct story s;
    struct history h;
    sqlite3 *db = NULL;
    story_begin(&s);
    live_rows(&s, 2000);
    must_import(0);
    assert_int_equal(sqlite3_open(archive_path, &db), SQLITE_OK);
    int64_t key = query(db, "SELECT key FROM changes WHERE (key & 1048575) ="
                            " (SELECT number FROM entity WHERE entity_id = 'light.kitchen')"
                            " ORDER BY key LIMIT 1");
    assert_true(key > 0);
    run(db,
        "UPDATE changes SET data = CAST(substr(data, 1, 4) || CASE hex(substr(data, 5, 1))"
        " WHEN 'FF' THEN x'00' ELSE x'ff' END || substr(data, 6) AS BLOB) WHERE key = %lld",
        (long long)key);
    sqlite3_close(db);
    read_history(archive_path, NULL, &h);
    assert_true(rows_of(&h, "light.kitchen") < (uint64_t)s.rows[0]);
    assert_true(rows_of(&h, "light.kitchen") > 0);
    assert_int_equal(rows_of(&h, "switch.pump"), s.rows[1]);
    history_release(&h);
    must_import(0); /* and it goes on */
    story_end(&s);
}

/* Whatever the numbers in the tables are. */
static void damaged_numbers_do_no_harm(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "UPDATE entity SET value = 1e300, value_day = 1",
        "UPDATE entity SET value = -9e999, value_day = 1",
        "UPDATE entity SET value = 1, value_day = 9223372036854775807",
        "UPDATE cursor SET stream_ms = -9223372036854775808, calls_ms = -9223372036854775808",
        "UPDATE cursor SET forgotten_ms = 9223372036854775807",
        "UPDATE cursor SET forgotten_ms = -9223372036854775808",
        "UPDATE range SET to_ms = 9223372036854775807, known_ms = 9223372036854775807",
        "UPDATE run SET last_ms = 9223372036854775807, is_uncertain = 1",
        "UPDATE run SET last_ms = -9223372036854775808, to_ms = -9223372036854775808",
        "INSERT INTO day VALUES (9223372036854775807, 0, 0, x'00')",
    };
    struct story s;
    struct history h;
    char *good = xasprintf("%s/good.db", folder);
    story_begin(&s);
    live_rows(&s, 1000);
    must_import(0);
    copy_file(archive_path, good);
    live_rows(&s, 1500);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        sqlite3 *db = NULL;
        remove_database(archive_path);
        copy_file(good, archive_path);
        assert_int_equal(sqlite3_open(archive_path, &db), SQLITE_OK);
        run(db, "%s", damages[i]);
        sqlite3_close(db);
        for (int round = 0; round < 2; round++) {
            read_history(archive_path, NULL, &h);
            history_release(&h);
            must_import(0);
        }
    }
    unlink(good);
    free(good);
    story_end(&s);
}

/* Whatever the bytes of the file are: an error, or a history. */
static void a_damaged_file_crashes_nothing(void **state)
{
    (void)state;
    struct story s;
    char *good = xasprintf("%s/good.db", folder);
    story_begin(&s);
    live_rows(&s, 1500);
    must_import(0);
    copy_file(archive_path, good);
    struct stat info;
    assert_int_equal(stat(good, &info), 0);
    for (int round = 0; round < DAMAGE_ROUNDS; round++) {
        remove_database(archive_path);
        copy_file(good, archive_path);
        if (random_below(3) == 0)
            assert_int_equal(truncate(archive_path, random_below((int)info.st_size)), 0);
        FILE *file = fopen(archive_path, "r+b");
        for (int i = 1 + random_below(30); i > 0; i--) {
            fseek(file, random_below((int)info.st_size), SEEK_SET);
            fputc(random_below(256), file);
        }
        fclose(file);
        struct error err = {ERROR_NONE, ""};
        struct history h;
        history_init(&h);
        h.tz = berlin;
        struct source *source = source_open(archive_path, &err);
        if (source == NULL ||
            source_read(source, &(struct source_options){.exclude = NULL}, &h, NULL, &err) != 0)
            assert_string_not_equal(err.message, "");
        source_close(source);
        history_release(&h);
        struct import_stats stats;
        if (import_with(&(struct import_options){.rows = 0}, &stats, &err) != 0)
            assert_string_not_equal(err.message, "");
    }
    unlink(good);
    free(good);
    story_end(&s);
}

/* A bad history leaves the archive as it was. */
static void a_history_that_fails_loses_nothing(void **state)
{
    (void)state;
    struct story s;
    struct import_stats stats;
    struct error err = {ERROR_NONE, ""};
    story_begin(&s);
    live_rows(&s, 500);
    must_import(0);
    sqlite3_close(s.live);
    s.live = NULL;
    char *kept = xasprintf("%s/kept.db", folder);
    copy_file(live_path, kept);
    remove_database(live_path);
    struct import_options options = {.rows = 0};
    assert_int_equal(import_with(&options, &stats, &err), -1);
    assert_non_null(strstr(err.message, "live.db"));
    FILE *file = fopen(live_path, "w");
    fputs("SQLite format 3", file);
    fclose(file);
    assert_int_equal(import_with(&options, &stats, &err), -1);
    archive_is_as_if_nothing_was_lost(s.full);
    copy_file(kept, live_path);
    s.live = reopen_live();
    live_rows(&s, 100);
    must_import(0);
    archive_is_as_if_nothing_was_lost(s.full);
    unlink(kept);
    free(kept);
    story_end(&s);
}

/* --- main --- */

static int set_up(void **state)
{
    (void)state;
    seed_init();
    struct error err;
    berlin = tz_load("Europe/Berlin", &err);
    snprintf(folder, sizeof folder, "/tmp/test_archive.XXXXXX");
    if (berlin == NULL || mkdtemp(folder) == NULL)
        return -1;
    snprintf(live_path, sizeof live_path, "%s/live.db", folder);
    snprintf(full_path, sizeof full_path, "%s/full.db", folder);
    snprintf(archive_path, sizeof archive_path, "%s/archive.db", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove_database(live_path);
    remove_database(full_path);
    remove_database(archive_path);
    rmdir(folder);
    tz_free(berlin);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_as_they_were),
        cmocka_unit_test(means_come_back_as_they_were),
        cmocka_unit_test(states_are_parsed_as_home_assistant_writes_them),
        cmocka_unit_test(packed_garbage_is_refused),
        cmocka_unit_test(numbers_beyond_all_measure_do_no_harm),
        cmocka_unit_test(pieces_make_the_whole),
        cmocka_unit_test(other_databases_add_only_what_is_new),
        cmocka_unit_test(what_is_excluded_is_neither_archived_nor_read),
        cmocka_unit_test(what_is_forgotten_is_gone_and_stays_away),
        cmocka_unit_test(forgetting_beside_an_import_holds),
        cmocka_unit_test(two_imports_at_once_import_once),
        cmocka_unit_test(an_import_beside_a_writer_misses_nothing),
        cmocka_unit_test(old_days_leave_the_archive),
        cmocka_unit_test(a_renamed_entity_keeps_its_past),
        cmocka_unit_test(a_silent_sensor_leaves_nothing),
        cmocka_unit_test(an_older_database_brings_its_calls),
        cmocka_unit_test(an_older_archive_goes_on),
        cmocka_unit_test(late_rows_find_their_day),
        cmocka_unit_test(a_clock_that_was_wrong_ends_no_day_early),
        cmocka_unit_test(settings_come_back_as_they_were),
        cmocka_unit_test(a_day_holds_so_many_values),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(a_day_before_all_days_is_left_alone),
        cmocka_unit_test(a_damaged_blob_is_left_out),
        cmocka_unit_test(damaged_numbers_do_no_harm),
        cmocka_unit_test(a_damaged_file_crashes_nothing),
        cmocka_unit_test(a_history_that_fails_loses_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
