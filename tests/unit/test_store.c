/* The database itself, the outbox and the inbox: refusals, modes, limits, and what is left after a
 * process died between any two steps. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/xalloc.h"
#include "scratch.h"
#include "store/inbox.h"
#include "store/outbox.h"
#include "store/statement.h"
#include "store/schema.h"
#include "store/store.h"

static char *path;

static int setup(void **state)
{
    assert_int_equal(scratch_make(state), 0);
    path = scratch_path("ha-ai.db");
    return 0;
}

static int teardown(void **state)
{
    free(path);
    return scratch_remove(state);
}

static struct store *must_open(void)
{
    struct error err = {0};
    struct store *store = store_open(path, &err);
    if (store == NULL)
        fail_msg("store_open: %s", err.message);
    return store;
}

static void refused(const char *why)
{
    struct error err = {0};
    struct store *store = store_open(path, &err);
    assert_null(store);
    if (strstr(err.message, why) == NULL)
        fail_msg("expected '%s' in '%s'", why, err.message);
}

static void fill_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static unsigned mode_of(const char *suffix)
{
    char *name = xasprintf("%s%s", path, suffix);
    struct stat st;
    int rc = stat(name, &st);
    free(name);
    return rc < 0 ? 0 : st.st_mode & 0777;
}

/* One SQL statement over a connection of its own; its first column as a number. */
static int64_t sql(const char *text)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK);
    int64_t value = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return value;
}

/* ---- opening ---- */

static void test_modes(void **state)
{
    (void)state;
    mode_t old = umask(0);
    struct store *store = must_open();
    assert_int_equal(store_set(store, "a", "b", NULL), 0);
    assert_int_equal(mode_of(""), 0600);
    assert_int_equal(mode_of("-wal"), 0600);
    assert_int_equal(mode_of("-shm"), 0600);
    int lock = store_lock(path, NULL);
    assert_true(lock >= 0);
    assert_int_equal(mode_of(".lock"), 0600);
    close(lock);
    store_close(store);
    chmod(path, 0644);
    store_close(must_open());
    assert_int_equal(mode_of(""), 0600);
    umask(old);
}

static void test_settings_last(void **state)
{
    (void)state;
    struct store *store = must_open();
    assert_null(store_get(store, "daily_analysis"));
    assert_int_equal(store_set(store, "daily_analysis", "OFF", NULL), 0);
    assert_int_equal(store_set(store, "daily_analysis", "ON", NULL), 0);
    store_close(store);
    store = must_open();
    char *value = store_get(store, "daily_analysis");
    assert_string_equal(value, "ON");
    free(value);
    assert_int_equal(store_set(store, "daily_analysis", NULL, NULL), 0);
    assert_null(store_get(store, "daily_analysis"));
    struct error err = {0};
    char *large = xcalloc(1, STORE_SETTING_MAX + 2);
    memset(large, 'x', STORE_SETTING_MAX);
    assert_int_equal(store_set(store, "large", large, &err), 0);
    large[STORE_SETTING_MAX] = 'x';
    assert_int_equal(store_set(store, "large", large, &err), -1);
    assert_int_equal(err.code, ERROR_LIMIT);
    free(large);
    store_close(store);
}

static void test_makes_its_folder(void **state)
{
    (void)state;
    free(path);
    path = scratch_path("a/b/ha-ai.db");
    store_close(must_open());
    assert_int_equal(mode_of(""), 0600);
}

static void test_refuses_what_is_no_database(void **state)
{
    (void)state;
    char text[2048];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    fill_file(path, text);
    refused("is not a database");
    unlink(path);

    fill_file(path, ""); /* empty: as good as none */
    store_close(must_open());
    unlink(path);

    mkdir(path, 0700);
    refused("is not a file");
    rmdir(path);

    char *whole = path;
    path = scratch_path("plain/ha-ai.db");
    char *plain = scratch_path("plain");
    fill_file(plain, "");
    refused("plain");
    free(plain);
    free(path);
    path = whole;
}

static void test_refuses_another_programs_database(void **state)
{
    (void)state;
    sql("CREATE TABLE states (state_id INTEGER)");
    refused("database of another program");
    assert_int_equal(sql("SELECT count(*) FROM sqlite_master"), 1);
}

static void test_refuses_a_newer_schema(void **state)
{
    (void)state;
    store_close(must_open());
    sql("PRAGMA user_version = 1000");
    refused("newer ha-ai");
}

static void test_refuses_a_damaged_database(void **state)
{
    (void)state;
    store_close(must_open());
    int fd = open(path, O_WRONLY);
    char junk[4000];
    memset(junk, 0xa5, sizeof(junk));
    assert_int_equal(pwrite(fd, junk, sizeof(junk), 100), sizeof(junk));
    close(fd);
    refused("damaged");
}

static void test_refuses_a_locked_database(void **state)
{
    (void)state;
    store_close(must_open());
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;"
                                  "CREATE TABLE x (y)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    refused("locked by another program");
    sqlite3_close(db);
}

static void test_migrates_once_when_two_open(void **state)
{
    (void)state;
    pid_t pids[4];
    for (int i = 0; i < 4; i++)
        if ((pids[i] = fork()) == 0) {
            struct store *store = store_open(path, NULL);
            _exit(store == NULL);
        }
    for (int i = 0; i < 4; i++) {
        int status;
        waitpid(pids[i], &status, 0);
        assert_int_equal(status, 0);
    }
    assert_int_equal(sql("PRAGMA user_version"), schema_store.version);
    assert_int_equal(sql("PRAGMA application_id"), 0x48414149);
}

static void test_one_service_a_database(void **state)
{
    (void)state;
    struct error err = {0};
    int first = store_lock(path, &err);
    assert_true(first >= 0);
    pid_t pid = fork();
    if (pid == 0) {
        int second = store_lock(path, &err);
        _exit(second >= 0 || err.code != ERROR_BUSY);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    close(first);
    int again = store_lock(path, &err);
    assert_true(again >= 0);
    close(again);
}

/* ---- transactions ---- */

static void test_rollback_and_nested_failure(void **state)
{
    (void)state;
    struct error err = {0};
    struct store *store = must_open();
    assert_int_equal(store_begin(store, &err), 0);
    assert_true(store_in_transaction(store));
    store_set(store, "a", "1", NULL);
    json_object *array = json_object_new_array();
    assert_int_equal(outbox_append(store, "t", array, 300, 0, &err), -1); /* no object */
    json_object_put(array);
    assert_true(store_in_transaction(store));
    assert_int_equal(store_commit(store, &err), 0);
    char *a = store_get(store, "a");
    assert_string_equal(a, "1");
    free(a);

    assert_int_equal(store_begin(store, &err), 0);
    store_set(store, "a", "2", NULL);
    store_rollback(store);
    a = store_get(store, "a");
    assert_string_equal(a, "1");
    free(a);
    store_close(store);
}

static void test_waits_for_the_other_thread(void **state)
{
    (void)state;
    struct error err = {0};
    struct store *one = must_open(), *two = must_open();
    assert_int_equal(store_begin(one, &err), 0);
    store_set(one, "a", "1", NULL);
    int64_t start = clock_monotonic_ms();
    assert_int_equal(store_begin(two, &err), -1);
    assert_int_equal(err.code, ERROR_BUSY);
    int64_t waited = clock_monotonic_ms() - start;
    assert_true(waited >= STORE_BUSY_TIMEOUT_MS - 200 && waited < STORE_BUSY_TIMEOUT_MS + 2000);
    start = clock_monotonic_ms();
    assert_false(store_is_healthy(two, &err)); /* asked often: must not wait as long */
    assert_int_equal(err.code, ERROR_BUSY);
    assert_true(clock_monotonic_ms() - start < 500);
    assert_int_equal(store_commit(one, &err), 0);
    assert_true(store_is_healthy(two, &err));
    assert_int_equal(store_begin(two, &err), 0);
    assert_int_equal(store_commit(two, &err), 0);
    store_close(one);
    store_close(two);
}

static void test_health(void **state)
{
    (void)state;
    struct error err = {0};
    struct store *store = must_open();
    assert_true(store_is_healthy(store, &err));
    char *away = xasprintf("%s.away", path);
    rename(path, away);
    assert_false(store_is_healthy(store, &err));
    assert_non_null(strstr(err.message, "deleted or replaced"));
    rename(away, path);
    assert_true(store_is_healthy(store, &err));
    free(away);
    store_close(store);
}

/* ---- outbox ---- */

static int append(struct store *store, const char *text, int64_t ttl_s, int64_t now_ms)
{
    json_object *payload = json_object_new_object();
    json_object_object_add(payload, "text", json_object_new_string(text));
    struct error err = {0};
    int rc = outbox_append(store, "ha-ai/events/x", payload, ttl_s, now_ms, &err);
    json_object_put(payload);
    return rc < 0 ? -(int)err.code : rc;
}

static struct outbox_counts counts(struct store *store)
{
    struct outbox_counts out;
    assert_int_equal(outbox_count(store, &out, NULL), 0);
    return out;
}

static void test_outbox_order_and_envelope(void **state)
{
    (void)state;
    struct store *store = must_open();
    const int64_t now = 1700000000123;
    for (int i = 0; i < 3; i++)
        assert_int_equal(append(store, (char[]){(char)('a' + i), 0}, 300, now), 0);
    struct outbox_message m;
    int64_t after = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(outbox_next(store, after, now, &m, NULL), 1);
        assert_true(m.row > after);
        assert_int_equal(m.expires_ms, now + 300000);
        assert_int_equal(m.payload_len, strlen(m.payload));
        json_object *obj = json_parse(m.payload, m.payload_len, NULL);
        assert_int_equal(json_get_string(obj, "text")[0], 'a' + i);
        assert_int_equal(strlen(json_get_string(obj, "id")), 36);
        assert_string_equal(json_get_string(obj, "timestamp"), "2023-11-14T22:13:20.123Z");
        assert_int_equal(json_get_int(obj, "ttl", 0), 300);
        assert_int_equal(json_get_int(obj, "schema", 0), 1);
        json_object_put(obj);
        after = m.row;
        outbox_message_release(&m);
    }
    assert_int_equal(outbox_next(store, after, now, &m, NULL), 0);
    assert_int_equal(counts(store).waiting, 3);
    assert_int_equal(counts(store).oldest_ms, now);
    assert_int_equal(outbox_delete(store, after, NULL), 0);
    assert_int_equal(counts(store).waiting, 2);
    assert_int_equal(outbox_next(store, 0, now, &m, NULL), 1);
    assert_int_equal(outbox_fail(store, m.row, "not authorised", NULL), 0);
    assert_int_equal(outbox_fail(store, m.row, "again", NULL), 0); /* counted once */
    outbox_message_release(&m);
    assert_int_equal(counts(store).failed, 1);
    assert_int_equal(counts(store).waiting, 1);
    store_close(store);
    assert_int_equal(sql("SELECT count(*) FROM outbox WHERE ended = 'failed' AND payload = ''"), 1);
}

static void test_outbox_keeps_a_given_envelope(void **state)
{
    (void)state;
    struct store *store = must_open();
    json_object *p = json_parse("{\"id\":\"mine\",\"schema\":2}", 24, NULL);
    assert_int_equal(outbox_append(store, "t", p, 1, 0, NULL), 0);
    assert_string_equal(json_get_string(p, "id"), "mine");
    assert_int_equal(json_get_int(p, "schema", 0), 2);
    json_object_put(p);
    store_close(store);
}

static void test_outbox_expires(void **state)
{
    (void)state;
    struct store *store = must_open();
    assert_int_equal(append(store, "a", 10, 1000), 0);
    assert_int_equal(append(store, "b", 20, 1000), 0);
    struct outbox_message m;
    assert_int_equal(outbox_next(store, 0, 10000, &m, NULL), 1); /* exactly one second left */
    assert_non_null(strstr(m.payload, "\"a\""));
    outbox_message_release(&m);
    assert_int_equal(outbox_next(store, 0, 10001, &m, NULL), 1);
    assert_non_null(strstr(m.payload, "\"b\""));
    outbox_message_release(&m);
    assert_int_equal(counts(store).expired, 1);
    assert_int_equal(outbox_expire(store, 1000000, NULL), 0);
    assert_int_equal(counts(store).expired, 2);
    assert_int_equal(counts(store).waiting, 0);
    store_close(store);
}

static void test_outbox_limits(void **state)
{
    (void)state;
    struct store *store = must_open();
    assert_int_equal(append(store, "a", 0, 0), -ERROR_INVALID);
    assert_int_equal(append(store, "a", OUTBOX_TTL_MAX_S + 1, 0), -ERROR_INVALID);
    char *large = xcalloc(1, OUTBOX_PAYLOAD_MAX + 1);
    memset(large, 'x', OUTBOX_PAYLOAD_MAX);
    assert_int_equal(append(store, large, 10, 0), -ERROR_LIMIT);
    large[OUTBOX_PAYLOAD_MAX - 200] = '\0'; /* the envelope needs its place */

    assert_int_equal(store_begin(store, NULL), 0);
    int fits = OUTBOX_BYTES_MAX / OUTBOX_PAYLOAD_MAX;
    for (int i = 0; i < fits + 3; i++)
        assert_int_equal(append(store, large, 10, 0), 0);
    assert_int_equal(store_commit(store, NULL), 0);
    assert_int_equal(counts(store).waiting, fits);
    assert_int_equal(counts(store).dropped, 3);
    free(large);

    assert_int_equal(store_begin(store, NULL), 0);
    for (int i = 0; i < OUTBOX_ROWS_MAX + 1; i++)
        assert_int_equal(append(store, "small", 10, 0), 0);
    assert_int_equal(counts(store).waiting, OUTBOX_ROWS_MAX);
    assert_int_equal(counts(store).dropped, 3 + fits + 1);
    for (int i = 0; i < OUTBOX_ENDED_MAX; i++)
        assert_int_equal(append(store, "small", 10, 0), 0);
    assert_int_equal(store_commit(store, NULL), 0);
    assert_int_equal(counts(store).waiting, OUTBOX_ROWS_MAX);
    assert_int_equal(counts(store).dropped, 3 + fits + 1 + OUTBOX_ENDED_MAX);
    store_close(store);
    assert_int_equal(sql("SELECT count(*) FROM outbox WHERE ended IS NOT NULL"), OUTBOX_ENDED_MAX);
}

/* A process that is killed at a random moment while it commits a fact together with its message:
 * afterwards there are exactly as many messages as facts. */
static void test_crash_between_fact_and_message(void **state)
{
    (void)state;
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("SEED=%u\n", seed);
    store_close(must_open());
    for (int round = 0; round < 12; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct store *store = store_open(path, NULL);
            for (int i = 0; store != NULL; i++) {
                char *fact = xasprintf("fact %d %d", round, i);
                if (store_begin(store, NULL) < 0 || store_set(store, fact, "x", NULL) < 0 ||
                    append(store, fact, 300, 0) < 0 || store_commit(store, NULL) < 0)
                    _exit(1);
                free(fact);
            }
            _exit(1);
        }
        struct timespec delay = {0, 1000000L * (20 + rand_r(&seed) % 60)};
        nanosleep(&delay, NULL);
        kill(pid, SIGKILL);
        int status;
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
    }
    int64_t facts = sql("SELECT count(*) FROM setting");
    assert_true(facts > 0);
    assert_int_equal(sql("SELECT count(*) FROM outbox"), facts < OUTBOX_ROWS_MAX + OUTBOX_ENDED_MAX
                                                             ? facts
                                                             : OUTBOX_ROWS_MAX + OUTBOX_ENDED_MAX);
    assert_int_equal(
        sql("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
}

/* ---- inbox ---- */

static struct inbox_arrival arrival(const char *payload, int mid, int64_t epoch)
{
    return (struct inbox_arrival){.topic = "ha-ai/device/ha_ai/approve/set",
                                  .payload = payload,
                                  .len = strlen(payload),
                                  .mid = mid,
                                  .session = 1,
                                  .epoch = epoch,
                                  .connected_ms = clock_wall_ms() - 1000,
                                  .now_ms = clock_wall_ms()};
}

static int deliver(struct store *store, const char *payload, int mid, int64_t epoch)
{
    struct inbox_arrival a = arrival(payload, mid, epoch);
    return inbox_insert(store, &a, NULL);
}

/* Executes the oldest: its flags, or -1 when nothing waits. */
static int execute(struct store *store)
{
    struct inbox_message m;
    if (inbox_next(store, &m, NULL) != 1)
        return -1;
    int flags = (int)m.flags;
    assert_int_equal(inbox_done(store, m.row, "done", NULL), 0);
    inbox_message_release(&m);
    return flags;
}

static void test_inbox_executes_once(void **state)
{
    (void)state;
    struct store *store = must_open();
    const char *press = "{\"id\":\"one\",\"value\":\"x\"}";
    assert_int_equal(deliver(store, press, 5, 1), 1);
    /* Redelivered after a crash, before and after it was executed. */
    assert_int_equal(deliver(store, press, 5, 2), 0);
    assert_int_equal(execute(store), 0);
    assert_int_equal(execute(store), -1);
    assert_int_equal(deliver(store, press, 5, 3), 0);
    /* Somebody sends it again. */
    assert_int_equal(deliver(store, press, 6, 3), 1);
    assert_int_equal(execute(store), INBOX_REPEATED);
    store_close(store);
}

static void test_inbox_same_id_in_one_connection(void **state)
{
    (void)state;
    struct store *store = must_open();
    assert_int_equal(deliver(store, "{\"id\":7}", 1, 1), 1);
    assert_int_equal(deliver(store, "{\"id\":7}", 2, 1), 1);
    assert_int_equal(deliver(store, "{\"id\":7}", 3, 2), 0); /* still waits from epoch 1 */
    struct inbox_arrival other = arrival("{\"id\":7}", 4, 2);
    other.topic = "ha-ai/device/ha_ai/reject/set";
    assert_int_equal(inbox_insert(store, &other, NULL), 1);
    assert_int_equal(execute(store), 0);
    assert_int_equal(execute(store), INBOX_REPEATED);
    assert_int_equal(execute(store), 0);
    store_close(store);
}

static void test_inbox_without_id(void **state)
{
    (void)state;
    struct store *store = must_open();
    assert_int_equal(deliver(store, "{}", 1, 1), 1);
    assert_int_equal(deliver(store, "{}", 2, 1), 1); /* pressed twice */
    assert_int_equal(deliver(store, "{}", 1, 2), 0); /* redelivered */
    assert_int_equal(deliver(store, "{}", 0, 2), 1); /* QoS 0 is never redelivered */
    struct inbox_arrival late = arrival("{}", 1, 3);
    late.now_ms = late.connected_ms + INBOX_REDELIVERY_MS + 1;
    assert_int_equal(inbox_insert(store, &late, NULL), 1);
    struct inbox_arrival fresh = arrival("{}", 1, 3);
    fresh.session = 2;
    assert_int_equal(inbox_insert(store, &fresh, NULL), 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(execute(store), 0);
    assert_int_equal(execute(store), -1);
    store_close(store);
}

static void test_inbox_refusals(void **state)
{
    (void)state;
    struct store *store = must_open();
    struct inbox_arrival a = arrival("{}", 1, 1);
    a.retained = true;
    assert_int_equal(inbox_insert(store, &a, NULL), 1);
    assert_int_equal(execute(store), INBOX_RETAINED);

    static const struct {
        const char *bytes;
        size_t len;
        int flags;
    } cases[] = {
        {"", 0, 0},
        {"a\0b", 3, INBOX_NOT_TEXT},
        {"\xff", 1, INBOX_NOT_TEXT},
        {"\xc3\xa9", 2, 0},
        {"\xc3", 1, INBOX_NOT_TEXT},
        {"\xc0\x80", 2, INBOX_NOT_TEXT},
        {"\xed\xa0\x80", 3, INBOX_NOT_TEXT},
        {"\xf0\x9f\x98\x80", 4, 0},
        {"\xf0\x9f\x98", 3, INBOX_NOT_TEXT},
        {"\xf4\x90\x80\x80", 4, INBOX_NOT_TEXT},
        {"[[[[", 4, 0},
        {"{\"id\":\"\"}", 9, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct inbox_arrival c = arrival("", 10 + (int)i, 1);
        c.payload = cases[i].bytes;
        c.len = cases[i].len;
        assert_int_equal(inbox_insert(store, &c, NULL), 1);
        assert_int_equal(execute(store), cases[i].flags);
    }

    char *large = xcalloc(1, INBOX_PAYLOAD_MAX + 1);
    memset(large, ' ', INBOX_PAYLOAD_MAX + 1);
    struct inbox_arrival most = arrival("", 100, 1);
    most.payload = large;
    most.len = INBOX_PAYLOAD_MAX;
    assert_int_equal(inbox_insert(store, &most, NULL), 1);
    assert_int_equal(execute(store), 0);
    most.len++;
    assert_int_equal(inbox_insert(store, &most, NULL), 1);
    struct inbox_message m;
    assert_int_equal(inbox_next(store, &m, NULL), 1);
    assert_int_equal(m.flags, INBOX_TOO_LARGE);
    assert_int_equal(m.payload_len, INBOX_PAYLOAD_MAX + 1);
    assert_string_equal(m.payload, "");
    inbox_message_release(&m);
    free(large);
    store_close(store);
}

static void test_inbox_limits(void **state)
{
    (void)state;
    struct error err = {0};
    struct store *store = must_open();
    assert_int_equal(store_begin(store, NULL), 0);
    for (int i = 0; i < INBOX_ROWS_MAX; i++)
        assert_int_equal(deliver(store, "{}", i + 1, 1), 1);
    struct inbox_arrival one_more = arrival("{}", 2000, 1);
    assert_int_equal(inbox_insert(store, &one_more, &err), -1);
    assert_int_equal(err.code, ERROR_LIMIT);
    assert_int_equal(execute(store), 0);
    assert_int_equal(inbox_insert(store, &one_more, &err), 1);
    int64_t waiting;
    assert_int_equal(inbox_count(store, &waiting, NULL), 0);
    assert_int_equal(waiting, INBOX_ROWS_MAX);
    /* Executed ones are remembered by number and by age. */
    while (execute(store) >= 0)
        continue;
    store_rollback(store);

    assert_int_equal(store_begin(store, NULL), 0);
    for (int i = 0; i < INBOX_KEEP_ROWS + 10; i++) {
        struct inbox_arrival a = arrival("{}", 1 + i, 1);
        assert_int_equal(inbox_insert(store, &a, NULL), 1);
        assert_int_equal(execute(store), 0);
    }
    assert_int_equal(store_commit(store, NULL), 0);
    assert_int_equal(sql("SELECT count(*) FROM inbox"), INBOX_KEEP_ROWS);
    store_close(store);
    sql("UPDATE inbox SET received_ms = received_ms - 8 * 86400000");
    store = must_open();
    assert_int_equal(deliver(store, "{}", 0, 2), 1);
    assert_int_equal(execute(store), 0);
    store_close(store);
    assert_int_equal(sql("SELECT count(*) FROM inbox"), 1);
}

/* A full disk ends a transaction behind our back: nothing that follows may stand without the rest.
 */
static void test_disk_full_within_a_transaction(void **state)
{
    (void)state;
    struct error err = {0};
    struct store *store = store_open(path, NULL);
    assert_non_null(store);
    assert_int_equal(store_begin(store, NULL), 0);
    assert_int_equal(store_set(store, "fact", "1", NULL), 0);
    sqlite3_stmt *limit = statement(store, "PRAGMA max_page_count = 1", NULL); /* = as it is */
    assert_int_equal(statement_run(store, limit, NULL), 0);
    char *big = xmalloc(STORE_SETTING_MAX + 1);
    memset(big, 'x', STORE_SETTING_MAX);
    big[STORE_SETTING_MAX] = '\0';
    int rc = 0;
    for (int i = 0; i < 100 && rc == 0; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%d", i);
        rc = store_set(store, key, big, &err);
    }
    free(big);
    assert_int_equal(rc, -1);
    assert_non_null(strstr(err.message, "full"));
    json_object *message = json_object_new_object();
    assert_int_equal(outbox_append(store, "ha-ai/x", message, 300, 1000, NULL), -1);
    json_object_put(message);
    assert_int_equal(store_set(store, "after", "1", NULL), -1);
    assert_int_equal(store_commit(store, NULL), -1);
    assert_null(store_get(store, "fact"));
    assert_null(store_get(store, "after"));
    assert_int_equal(store_set(store, "after", "2", NULL), 0); /* and it goes on */
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_settings_last, setup, teardown),
        cmocka_unit_test_setup_teardown(test_makes_its_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_disk_full_within_a_transaction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_what_is_no_database, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_another_programs_database, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_a_newer_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_a_damaged_database, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_a_locked_database, setup, teardown),
        cmocka_unit_test_setup_teardown(test_migrates_once_when_two_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_service_a_database, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rollback_and_nested_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waits_for_the_other_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(test_health, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outbox_order_and_envelope, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outbox_keeps_a_given_envelope, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outbox_expires, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outbox_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crash_between_fact_and_message, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inbox_executes_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inbox_same_id_in_one_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inbox_without_id, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inbox_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inbox_limits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
