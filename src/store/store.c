/* Opening is where most of the care lies: the file belongs to a service that must not lose a fact,
 * so everything that could make SQLite's promises void is refused by name. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "store/schema.h"
#include "store/statement.h"

enum { HEALTH_BUSY_TIMEOUT_MS = 20 };

struct cached {
    const char *sql;
    sqlite3_stmt *stmt;
};

struct store {
    sqlite3 *db;
    char *path;
    const struct schema *schema;
    struct stat identity; /* of the file that was opened */
    bool write_failed;    /* the last write did; store_is_healthy tries again */
    bool begun;           /* store_begin's transaction was not ended by us yet */
    struct cached cache[STORE_STATEMENTS_MAX];
    int cached;
};

/* ---- errors ---- */

static int set_sqlite_error(struct store *store, struct error *err)
{
    int rc = sqlite3_extended_errcode(store->db);
    const char *text = sqlite3_errmsg(store->db);
    if (rc == SQLITE_READONLY_ROLLBACK)
        return error_set(err, ERROR_BUSY,
                         "%s was being written when its program was killed: the next one that "
                         "writes to it puts it right",
                         store->path);
    switch (rc & 0xff) {
    case SQLITE_NOTADB:
        return error_set(err, ERROR_INVALID,
                         "%s is not a database; move it away and a new one is made", store->path);
    case SQLITE_CORRUPT:
        return error_set(err, ERROR_INVALID,
                         "the database %s is damaged (%s); move it away or restore a copy",
                         store->path, text);
    case SQLITE_FULL:
        return error_set(err, ERROR_IO, "the disk of %s is full", store->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(err, ERROR_BUSY, "the database %s is locked by another program",
                         store->path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return error_set(err, ERROR_DENIED, "the database %s or its folder cannot be written",
                         store->path);
    default:
        return error_set(err, ERROR_IO, "database %s: %s", store->path, text);
    }
}

/* ---- statements ---- */

sqlite3_stmt *statement(struct store *store, const char *sql, struct error *err)
{
    /* A full disk makes SQLite roll back by itself: what follows belonged to that transaction. */
    if (store->begun && !store_in_transaction(store)) {
        error_set(err, ERROR_IO, "database %s: the transaction was rolled back", store->path);
        return NULL;
    }
    for (int i = 0; i < store->cached; i++)
        if (store->cache[i].sql == sql || strcmp(store->cache[i].sql, sql) == 0)
            return store->cache[i].stmt;
    if (store->cached == STORE_STATEMENTS_MAX) {
        error_set(err, ERROR_LIMIT, "more than %d statements", STORE_STATEMENTS_MAX);
        return NULL;
    }
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) !=
        SQLITE_OK) {
        set_sqlite_error(store, err);
        return NULL;
    }
    store->cache[store->cached++] = (struct cached){sql, stmt};
    return stmt;
}

void statement_done(sqlite3_stmt *stmt)
{
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
}

int statement_step(struct store *store, sqlite3_stmt *stmt, struct error *err)
{
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_DONE) {
        if (!sqlite3_stmt_readonly(stmt) && !store_in_transaction(store))
            store->write_failed = false;
        return 0;
    }
    if (!sqlite3_stmt_readonly(stmt))
        store->write_failed = true;
    return set_sqlite_error(store, err);
}

int statement_run(struct store *store, sqlite3_stmt *stmt, struct error *err)
{
    int rc;
    do
        rc = statement_step(store, stmt, err);
    while (rc > 0);
    statement_done(stmt);
    return rc;
}

void bind_text(sqlite3_stmt *stmt, int index, const char *text)
{
    sqlite3_bind_text(stmt, index, text, -1, SQLITE_STATIC);
}

void bind_int(sqlite3_stmt *stmt, int index, int64_t value)
{
    sqlite3_bind_int64(stmt, index, value);
}

char *column_text(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return text ? xstrdup(text) : NULL;
}

/* ---- transactions ---- */

static int run_sql(struct store *store, const char *sql, struct error *err)
{
    sqlite3_stmt *stmt = statement(store, sql, err);
    return stmt ? statement_run(store, stmt, err) : -1;
}

bool store_in_transaction(const struct store *store)
{
    return !sqlite3_get_autocommit(store->db);
}

/* IMMEDIATE: the wait for the other thread happens here, where busy_timeout works, and never
 * as a failed upgrade from reading to writing. */
int store_begin(struct store *store, struct error *err)
{
    int rc = run_sql(store, "BEGIN IMMEDIATE", err);
    store->begun |= rc == 0;
    return rc;
}

int store_commit(struct store *store, struct error *err)
{
    if (run_sql(store, "COMMIT", err) < 0) {
        store->write_failed = true;
        store_rollback(store);
        return -1;
    }
    store->write_failed = store->begun = false;
    return 0;
}

void store_rollback(struct store *store)
{
    store->begun = false;
    if (store_in_transaction(store))
        run_sql(store, "ROLLBACK", NULL);
}

int scope_begin(struct store *store, struct error *err)
{
    bool nested = store_in_transaction(store);
    int rc = nested ? run_sql(store, "SAVEPOINT scope", err) : store_begin(store, err);
    return rc < 0 ? -1 : nested ? SCOPE_NESTED : SCOPE_OWN;
}

int scope_end(struct store *store, int scope, int rc, struct error *err)
{
    if (scope == SCOPE_OWN) {
        if (rc >= 0)
            return store_commit(store, err) < 0 ? -1 : rc;
        store_rollback(store);
        return rc;
    }
    if (!store_in_transaction(store)) /* by itself, see statement() */
        return rc < 0 ? rc : error_set(err, ERROR_IO, "the transaction was rolled back");
    if (rc < 0)
        run_sql(store, "ROLLBACK TO scope", NULL);
    return run_sql(store, "RELEASE scope", rc < 0 ? NULL : err) < 0 ? -1 : rc;
}

/* ---- opening ---- */

static int check_storage(const char *path, struct error *err)
{
    static const struct {
        unsigned long magic;
        const char *name;
        bool refused;
    } kinds[] = {
        {NFS_SUPER_MAGIC, "NFS", true},
        {SMB_SUPER_MAGIC, "SMB", true},
        {0xFF534D42, "CIFS", true},
        {0xFE534D42, "SMB2", true},
        {AFS_SUPER_MAGIC, "AFS", true},
        {CODA_SUPER_MAGIC, "Coda", true},
        {0x00C36400, "Ceph", true},
        {NCP_SUPER_MAGIC, "NCP", true},
        {V9FS_MAGIC, "a shared folder (9p)", false},
        {0x65735546, "FUSE", false}, /* sshfs, but also local NTFS or a NAS's union */
    };
    struct statfs fs;
    if (statfs(path, &fs) < 0)
        return error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if ((unsigned long)fs.f_type != kinds[i].magic)
            continue;
        if (kinds[i].refused)
            return error_set(err, ERROR_UNSUPPORTED,
                             "%s lies on network storage (%s), where a database is not safe; set "
                             "DATABASE_PATH to a local disk",
                             path, kinds[i].name);
        log_warn("store",
                 "%s lies on %s: if it is network storage, a crash can damage the database", path,
                 kinds[i].name);
    }
    return 0;
}

static int make_folders(const char *path, struct error *err)
{
    char *copy = xstrdup(path);
    int rc = 0;
    for (char *slash = strchr(copy + 1, '/'); slash != NULL && rc == 0;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(copy, 0700) < 0 && errno != EEXIST) {
            int why = errno;
            struct stat st;
            if (stat(copy, &st) < 0) /* a parent that we may not write but that exists is fine */
                rc = error_set(err, ERROR_IO, "cannot make the folder %s: %s", copy, strerror(why));
        }
        *slash = '/';
    }
    free(copy);
    return rc;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

/* The file exists with mode 0600 before SQLite sees it; -wal and -shm take the mode from it. An
 * existing file is not opened here: closing a descriptor would drop the locks that another
 * connection of this process holds on it. */
static int prepare_file(const char *path, struct error *err)
{
    if (make_folders(path, err) < 0)
        return -1;
    char *folder = folder_of(path);
    int rc = check_storage(folder, err);
    if (rc == 0 && access(folder, W_OK | X_OK) < 0)
        rc = error_set(err, ERROR_DENIED, "the folder %s cannot be written: %s", folder,
                       strerror(errno));
    free(folder);
    if (rc < 0)
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    struct stat st;
    if (errno != EEXIST || stat(path, &st) < 0)
        return error_set(err, ERROR_IO, "cannot create %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_INVALID, "%s is not a file", path);
    if ((st.st_mode & 077) != 0 && chmod(path, 0600) < 0)
        return error_set(err, ERROR_DENIED,
                         "others may read %s, and its mode cannot be changed: %s", path,
                         strerror(errno));
    if (access(path, R_OK | W_OK) < 0)
        return error_set(err, ERROR_DENIED, "%s cannot be written: %s", path, strerror(errno));
    return 0;
}

static int query_int(struct store *store, const char *sql, int64_t *out, struct error *err)
{
    sqlite3_stmt *stmt = statement(store, sql, err);
    if (stmt == NULL)
        return -1;
    int rc = statement_step(store, stmt, err);
    *out = rc > 0 ? sqlite3_column_int64(stmt, 0) : 0;
    statement_done(stmt);
    return rc < 0 ? -1 : 0;
}

static int exec(struct store *store, const char *sql, struct error *err)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return set_sqlite_error(store, err);
    return 0;
}

/* A file of another program (a recorder database in DATABASE_PATH) stays as it is. Both are read in
 * one transaction: another process may be making the tables at this moment. */
static int check_owner(struct store *store, struct error *err)
{
    int64_t application = 0, tables = 0;
    if (run_sql(store, "BEGIN", err) < 0)
        return -1;
    int rc = query_int(store, "PRAGMA application_id", &application, err);
    if (rc == 0)
        rc = query_int(store, "SELECT count(*) FROM sqlite_master", &tables, err);
    store_rollback(store);
    if (rc < 0)
        return -1;
    if (application == store->schema->application_id || (application == 0 && tables == 0))
        return 0;
    return error_set(err, ERROR_INVALID, "%s is the database of another program", store->path);
}

static int migrate(struct store *store, struct error *err)
{
    const struct schema *schema = store->schema;
    int64_t version = 0;
    if (query_int(store, "PRAGMA user_version", &version, err) < 0)
        return -1;
    if (version > schema->version)
        return error_set(err, ERROR_UNSUPPORTED,
                         "%s was written by a newer ha-ai (schema %d, this one knows %d)",
                         store->path, (int)version, schema->version);
    if (version < 0) /* an index below */
        return error_set(err, ERROR_INVALID,
                         "the database %s is damaged (schema %d); move it away or restore a copy",
                         store->path, (int)version);
    if (version == schema->version)
        return 0;
    if (store_begin(store, err) < 0)
        return -1;
    /* Another thread or process may have done it while we waited. */
    if (query_int(store, "PRAGMA user_version", &version, err) < 0)
        goto fail;
    for (; version < schema->version; version++) {
        char sql[96];
        snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d",
                 schema->application_id, (int)version + 1);
        if (exec(store, schema->migrations[version], err) < 0 || exec(store, sql, err) < 0)
            goto fail;
    }
    return store_commit(store, err);
fail:
    store_rollback(store);
    return -1;
}

/* SQLite changes to WAL only when it is alone, and does not ask the busy handler while another
 * connection does the same. */
static int enter_wal(struct store *store, struct error *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + STORE_BUSY_TIMEOUT_MS;
    while (exec(store, "PRAGMA journal_mode = WAL", err) < 0) {
        if (err->code != ERROR_BUSY || clock_monotonic_ms() >= deadline_ms)
            return -1;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    return 0;
}

static int open_writable(struct store *store, struct error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(store->path, &store->db, flags, NULL) != SQLITE_OK)
        return set_sqlite_error(store, err);
    sqlite3_busy_timeout(store->db, STORE_BUSY_TIMEOUT_MS);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (check_owner(store, err) < 0 || (store->schema->has_wal && enter_wal(store, err) < 0) ||
        exec(store, store->schema->pragmas, err) < 0)
        return -1;
    return migrate(store, err);
}

static int open_readonly(struct store *store, struct error *err)
{
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int64_t version = 0;
    if (sqlite3_open_v2(store->path, &store->db, flags, NULL) != SQLITE_OK)
        return set_sqlite_error(store, err);
    sqlite3_busy_timeout(store->db, STORE_BUSY_TIMEOUT_MS);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (check_owner(store, err) < 0 || exec(store, store->schema->pragmas, err) < 0 ||
        query_int(store, "PRAGMA user_version", &version, err) < 0)
        return -1;
    if (version != store->schema->version)
        return error_set(err, ERROR_UNSUPPORTED,
                         "%s was written by another ha-ai (schema %d, this one knows %d)",
                         store->path, (int)version, store->schema->version);
    return 0;
}

struct store *store_open_schema(const char *path, const struct schema *schema, bool readonly,
                                struct error *err)
{
    struct error ignored;
    if (err == NULL)
        err = &ignored;
    if (!readonly && prepare_file(path, err) < 0)
        return NULL;
    struct store *store = xcalloc(1, sizeof(*store));
    store->path = xstrdup(path);
    store->schema = schema;
    int rc = readonly ? open_readonly(store, err) : open_writable(store, err);
    if (rc == 0 && stat(path, &store->identity) < 0)
        rc = error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
    if (rc < 0) {
        store_close(store);
        return NULL;
    }
    return store;
}

struct store *store_open(const char *path, struct error *err)
{
    return store_open_schema(path, &schema_store, false, err);
}

const char *store_path(const struct store *store)
{
    return store->path;
}

int store_compact(struct store *store, int wait_ms, struct error *err)
{
    sqlite3_busy_timeout(store->db, wait_ms);
    int64_t busy = 0;
    int rc = exec(store, "VACUUM", err);
    if (rc == 0)
        rc = query_int(store, "PRAGMA wal_checkpoint(TRUNCATE)", &busy, err);
    if (rc == 0 && busy != 0)
        rc = error_set(err, ERROR_BUSY, "the database %s is being read: its -wal is not emptied",
                       store->path);
    sqlite3_busy_timeout(store->db, STORE_BUSY_TIMEOUT_MS);
    return rc;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    for (int i = 0; i < store->cached; i++)
        sqlite3_finalize(store->cache[i].stmt);
    sqlite3_close(store->db);
    free(store->path);
    free(store);
}

int store_lock(const char *path, struct error *err)
{
    if (make_folders(path, err) < 0)
        return -1;
    char *name = xasprintf("%s.lock", path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set(err, ERROR_IO, "cannot create %s: %s", name, strerror(errno));
    } else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            error_set(err, ERROR_BUSY, "another ha-ai is running on %s", path);
        else
            error_set(err, ERROR_IO, "cannot lock %s: %s", name, strerror(errno));
        close(fd);
        fd = -1;
    }
    free(name);
    return fd;
}

/* ---- settings and counters ---- */

char *store_get(struct store *store, const char *key)
{
    struct error err;
    sqlite3_stmt *stmt = statement(store, "SELECT value FROM setting WHERE key = ?1", &err);
    char *value = NULL;
    int rc = -1;
    if (stmt != NULL) {
        bind_text(stmt, 1, key);
        rc = statement_step(store, stmt, &err);
        if (rc > 0)
            value = column_text(stmt, 0);
        statement_done(stmt);
    }
    if (rc < 0)
        log_error("store", "setting %s: %s", key, err.message);
    return value;
}

int store_set(struct store *store, const char *key, const char *value, struct error *err)
{
    if (value != NULL && strlen(value) > STORE_SETTING_MAX)
        return error_set(err, ERROR_LIMIT, "setting %s: more than %d bytes", key,
                         STORE_SETTING_MAX);
    sqlite3_stmt *stmt = statement(store,
                                   value ? "INSERT INTO setting (key, value) VALUES (?1, ?2)"
                                           " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
                                         : "DELETE FROM setting WHERE key = ?1",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, key);
    if (value != NULL)
        bind_text(stmt, 2, value);
    return statement_run(store, stmt, err);
}

int counter_add(struct store *store, const char *name, int64_t n, struct error *err)
{
    sqlite3_stmt *stmt = statement(store,
                                   "INSERT INTO counter (name, value) VALUES (?1, ?2)"
                                   " ON CONFLICT (name) DO UPDATE SET value = value + ?2",
                                   err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, name);
    bind_int(stmt, 2, n);
    return statement_run(store, stmt, err);
}

int counter_get(struct store *store, const char *name, int64_t *out, struct error *err)
{
    sqlite3_stmt *stmt = statement(store, "SELECT value FROM counter WHERE name = ?1", err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, name);
    int rc = statement_step(store, stmt, err);
    *out = rc > 0 ? sqlite3_column_int64(stmt, 0) : 0;
    statement_done(stmt);
    return rc < 0 ? -1 : 0;
}

bool store_is_healthy(struct store *store, struct error *err)
{
    struct stat st;
    if (stat(store->path, &st) < 0 || st.st_ino != store->identity.st_ino ||
        st.st_dev != store->identity.st_dev) {
        error_set(err, ERROR_IO, "the database %s was deleted or replaced; restart ha-ai",
                  store->path);
        return false;
    }
    int64_t ignored;
    if (query_int(store, "SELECT count(*) FROM counter", &ignored, err) < 0)
        return false;
    if (!store->write_failed || store_in_transaction(store))
        return true;
    sqlite3_busy_timeout(store->db, HEALTH_BUSY_TIMEOUT_MS);
    int rc = counter_add(store, "write_probe", 1, err);
    sqlite3_busy_timeout(store->db, STORE_BUSY_TIMEOUT_MS);
    return rc == 0;
}
