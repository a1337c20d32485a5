/* Opening a recorder database that Home Assistant may be writing at this moment, and saying
 * plainly what is wrong with one that cannot be read. Never `immutable`: on a database that lives,
 * that reads torn pages. */
#define _XOPEN_SOURCE 700 /* realpath */
#include "source/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/tz.h"
#include "core/xalloc.h"
#include "source/storage.h"

enum {
    RECORDER_BUSY_MS = 2000,
    RECORDER_VALUE_MAX = 256 * 1024, /* bytes of one row; HA's largest are 16 kB of attributes */
    RECORDER_SQL_MAX = 64 * 1024,
};

struct column {
    const char *table, *name;
};

static const struct column required[] = {
    {"states", "state_id"},
    {"states", "state"},
    {"states", "last_updated_ts"},
    {"states", "attributes_id"},
    {"states", "metadata_id"},
    {"states", "context_id_bin"},
    {"states", "context_user_id_bin"},
    {"states", "context_parent_id_bin"},
    {"states_meta", "metadata_id"},
    {"states_meta", "entity_id"},
    {"state_attributes", "attributes_id"},
    {"state_attributes", "shared_attrs"},
    {"recorder_runs", "start"},
    {"recorder_runs", "end"},
    {"recorder_runs", "closed_incorrect"},
};

/* Automations that ran by themselves, */
static const struct column of_triggers[] = {
    {"events", "event_id"},       {"events", "event_type_id"},      {"events", "time_fired_ts"},
    {"events", "context_id_bin"}, {"event_types", "event_type_id"}, {"event_types", "event_type"},
};
/* and, with these, services that were called. A database without them is read all the same. */
static const struct column of_calls[] = {
    {"events", "data_id"},
    {"events", "context_user_id_bin"},
    {"events", "context_parent_id_bin"},
    {"event_data", "data_id"},
    {"event_data", "shared_data"},
};

const char *recorder_network_fs(unsigned long type)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } known[] = {
        {0x6969, "NFS"},        {0x517B, "SMB"},       {0xFF534D42, "CIFS"},
        {0xFE534D42, "SMB"},    {0x65735546, "FUSE"},  {0x01021997, "9P"},
        {0x00C36400, "Ceph"},   {0x5346414F, "AFS"},   {0x73757245, "Coda"},
        {0x01161970, "GFS2"},   {0x7461636F, "OCFS2"}, {0x786F4256, "VirtualBox"},
        {0x0BD00BD0, "Lustre"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].magic == (type & 0xFFFFFFFFul))
            return known[i].name;
    return NULL;
}

/* --- the file, before SQLite sees it --- */

static bool has_sibling(const char *path, const char *suffix)
{
    char *sibling = xasprintf("%s%s", path, suffix);
    struct stat info;
    bool found = stat(sibling, &info) == 0 && info.st_size > 0;
    free(sibling);
    return found;
}

static int check_network(const char *path, int fd, struct error *err)
{
    unsigned char header[20];
    struct statfs fs;
    if (pread(fd, header, sizeof header, 0) != (ssize_t)sizeof header || header[18] != 2)
        return 0; /* not in WAL mode */
    if (fstatfs(fd, &fs) != 0 || !has_sibling(path, "-wal"))
        return 0;
    const char *name = recorder_network_fs((unsigned long)fs.f_type);
    if (name == NULL)
        return 0;
    return error_set(err, ERROR_BUSY,
                     "'%s' is in use (-wal) on a network file system (%s), where its newest rows "
                     "cannot be read safely: run ha-ai on Home Assistant's own machine; trying "
                     "again later helps once Home Assistant has stopped",
                     path, name);
}

static int check_file(const char *path, struct error *err)
{
    /* A pipe would block in open() for ever. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set(err,
                         errno == ENOENT   ? ERROR_NOT_FOUND
                         : errno == EACCES ? ERROR_DENIED
                                           : ERROR_IO,
                         "cannot open '%s': %s", path, strerror(errno));
    struct stat info;
    int result = -1;
    if (fstat(fd, &info) != 0)
        error_set(err, ERROR_IO, "'%s': %s", path, strerror(errno));
    else if (S_ISDIR(info.st_mode))
        error_set(err, ERROR_INVALID,
                  "'%s' is a folder: give the path of the home-assistant_v2.db in it", path);
    else if (!S_ISREG(info.st_mode))
        error_set(err, ERROR_INVALID, "'%s' is no regular file", path);
    else if (info.st_size == 0 && !has_sibling(path, "-wal"))
        error_set(err, ERROR_INVALID,
                  "'%s' is empty: expected Home Assistant's home-assistant_v2.db", path);
    else
        result = check_network(path, fd, err);
    close(fd);
    return result;
}

/* --- SQLite's errors in words --- */

int recorder_error(const struct recorder *recorder, struct error *err)
{
    const char *path = recorder->path;
    int code = sqlite3_extended_errcode(recorder->db);
    switch (code & 0xFF) {
    case SQLITE_NOTADB:
        return error_set(err, ERROR_INVALID,
                         "'%s' is no SQLite database: expected Home Assistant's "
                         "home-assistant_v2.db",
                         path);
    case SQLITE_CORRUPT:
        return error_set(err, ERROR_INVALID, "'%s' is damaged: %s (code %d)", path,
                         sqlite3_errmsg(recorder->db), code);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return error_set(err, ERROR_BUSY, "'%s' is locked by another program: try again later",
                         path);
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        return error_set(err, ERROR_BUSY,
                         "'%s' was left by a stopped Home Assistant and its folder is not "
                         "writable, so that SQLite cannot open it: try again when Home Assistant "
                         "runs, or copy the file (and its -wal) to another folder",
                         path);
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return error_set(err, ERROR_DENIED, "no right to read '%s'", path);
    case SQLITE_TOOBIG:
        return error_set(err, ERROR_LIMIT,
                         "'%s' holds a value of more than %d bytes where Home Assistant has none",
                         path, RECORDER_VALUE_MAX);
    case SQLITE_NOMEM:
        return error_set(err, ERROR_LIMIT, "not enough memory to read '%s'", path);
    default:
        return error_set(err, ERROR_IO, "cannot read '%s': %s (code %d)", path,
                         sqlite3_errmsg(recorder->db), code);
    }
}

/* --- what is inside --- */

/* 1 there, 0 not there, -1 with *err. */
static int has_column(struct recorder *r, const struct column *column, struct error *err)
{
    static const char sql[] =
        "SELECT 1 FROM sqlite_schema s JOIN pragma_table_info(s.name) c"
        " WHERE s.type = 'table' AND s.rootpage > 0 AND s.name = ?1 AND c.name = ?2";
    sqlite3_stmt *stmt = NULL;
    int result = -1;
    if (sqlite3_prepare_v2(r->db, sql, -1, &stmt, NULL) == SQLITE_OK) {
        sqlite3_bind_text(stmt, 1, column->table, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 2, column->name, -1, SQLITE_STATIC);
        int rc = sqlite3_step(stmt);
        result = rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : -1;
    }
    if (result < 0)
        recorder_error(r, err);
    sqlite3_finalize(stmt);
    return result;
}

/* Whether all of them are there: 1, 0, or -1 with *err. */
static int has_columns(struct recorder *r, const struct column *columns, size_t count,
                       struct error *err)
{
    int found = 1;
    for (size_t i = 0; i < count && found == 1; i++)
        found = has_column(r, &columns[i], err);
    return found;
}

/* The one number of a query; 0 or -1 with *err. No row or no integer leaves *out as it is. */
static int query_int(struct recorder *r, const char *sql, int64_t *out, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(r->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW && sqlite3_column_type(stmt, 0) == SQLITE_INTEGER)
        *out = sqlite3_column_int64(stmt, 0);
    int result = rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : recorder_error(r, err);
    sqlite3_finalize(stmt);
    return result;
}

static int check_schema(struct recorder *r, struct error *err)
{
    static const struct column version_column = {"schema_changes", "schema_version"};
    int64_t version = 0, is_key = 0;
    int found = has_column(r, &version_column, err);
    if (found < 0)
        return -1;
    if (found == 0)
        return error_set(err, ERROR_INVALID,
                         "'%s' is no recorder database of Home Assistant: it has no table "
                         "schema_changes",
                         r->path);
    if (query_int(r, "SELECT schema_version FROM schema_changes ORDER BY change_id DESC LIMIT 1",
                  &version, err) != 0)
        return -1;
    if (version < RECORDER_SCHEMA_MIN)
        return error_set(err, ERROR_UNSUPPORTED,
                         "'%s' has recorder schema %lld; expected %d (Home Assistant 2023.4) or "
                         "newer: a newer Home Assistant migrates it when it starts",
                         r->path, (long long)version, RECORDER_SCHEMA_MIN);
    for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
        found = has_column(r, &required[i], err);
        if (found < 0)
            return -1;
        if (found == 0)
            return error_set(err, ERROR_UNSUPPORTED,
                             "'%s' (recorder schema %lld) has no column %s.%s; schemas %d to %d "
                             "are known",
                             r->path, (long long)version, required[i].table, required[i].name,
                             RECORDER_SCHEMA_MIN, RECORDER_SCHEMA_KNOWN);
    }
    /* Otherwise reading in order of state_id would sort the whole table for every chunk. */
    if (query_int(r,
                  "SELECT count(*) FROM pragma_table_info('states') WHERE name = 'state_id'"
                  " AND pk = 1 AND upper(type) = 'INTEGER'",
                  &is_key, err) != 0)
        return -1;
    if (is_key == 0)
        return error_set(err, ERROR_UNSUPPORTED,
                         "'%s': states.state_id is not the INTEGER PRIMARY KEY", r->path);
    int triggers = has_columns(r, of_triggers, sizeof of_triggers / sizeof *of_triggers, err);
    int calls = has_columns(r, of_calls, sizeof of_calls / sizeof *of_calls, err);
    if (triggers < 0 || calls < 0)
        return -1;
    r->has_triggers = triggers > 0;
    r->has_calls = triggers > 0 && calls > 0;
    return 0;
}

/* Whatever the file holds, it can only be read, and only so much of it at once. */
static int harden(struct recorder *r, struct error *err)
{
    static const char pragmas[] = "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;"
                                  "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
                                  "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1000";
    sqlite3_busy_timeout(r->db, RECORDER_BUSY_MS);
    sqlite3_extended_result_codes(r->db, 1);
    sqlite3_db_config(r->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_limit(r->db, SQLITE_LIMIT_LENGTH, RECORDER_VALUE_MAX);
    sqlite3_limit(r->db, SQLITE_LIMIT_SQL_LENGTH, RECORDER_SQL_MAX);
    sqlite3_limit(r->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(r->db, SQLITE_LIMIT_WORKER_THREADS, 0);
    if (sqlite3_exec(r->db, pragmas, NULL, NULL, NULL) != SQLITE_OK)
        return recorder_error(r, err);
    return 0;
}

/* "file:" URI of a path: what a URI would misread is escaped. */
static char *path_to_uri(const char *path)
{
    static const char hex[] = "0123456789ABCDEF";
    char *uri = xmalloc(strlen(path) * 3 + sizeof "file:?mode=ro");
    char *out = uri + sizeof "file:" - 1;
    memcpy(uri, "file:", sizeof "file:" - 1);
    for (const char *p = path; *p != '\0'; p++) {
        if (strchr("%?#", *p) == NULL) {
            *out++ = *p;
            continue;
        }
        *out++ = '%';
        *out++ = hex[(unsigned char)*p >> 4];
        *out++ = hex[(unsigned char)*p & 15];
    }
    memcpy(out, "?mode=ro", sizeof "?mode=ro");
    return uri;
}

/* 0, or -1 with *err; r->db is to be closed then too. */
static int connect_db(struct recorder *r, struct error *err)
{
    char *uri = path_to_uri(r->path);
    int rc = sqlite3_open_v2(uri, &r->db,
                             SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    free(uri);
    return rc == SQLITE_OK ? harden(r, err) : recorder_error(r, err);
}

int recorder_connect(const struct recorder *recorder, struct recorder *other, struct error *err)
{
    *other = (struct recorder){.path = recorder->path};
    int result = connect_db(other, err);
    if (result != 0)
        recorder_disconnect(other);
    return result;
}

void recorder_disconnect(struct recorder *other)
{
    sqlite3_close(other->db);
    other->db = NULL;
}

void *recorder_open(const char *path, struct error *err)
{
    if (check_file(path, err) != 0)
        return NULL;
    struct recorder *r = xcalloc(1, sizeof *r);
    /* An absolute path: "//…" and "./…" mean other things in a URI. */
    r->path = realpath(path, NULL);
    if (r->path == NULL)
        r->path = xstrdup(path);
    if (connect_db(r, err) != 0 || check_schema(r, err) != 0) {
        recorder_close(r);
        return NULL;
    }
    storage_read_place(r->path, &r->place);
    return r;
}

void recorder_close(void *recorder)
{
    struct recorder *r = recorder;
    if (r == NULL)
        return;
    sqlite3_close(r->db);
    free(r->place.timezone);
    free(r->path);
    free(r);
}

const struct source_place *recorder_place(const void *recorder)
{
    const struct recorder *r = recorder;
    return &r->place;
}

int recorder_read_pages(struct recorder *recorder, const char *sql, double since_s,
                        int (*row)(sqlite3_stmt *stmt, void *ctx, struct error *err), void *ctx,
                        struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(recorder->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return recorder_error(recorder, err);
    int64_t last_id = INT64_MIN;
    double last_s = since_s;
    bool by_time = sqlite3_bind_parameter_count(stmt) == 3;
    int result = 0, rows = RECORDER_PAGE_ROWS;
    sqlite3_bind_int(stmt, 2, RECORDER_PAGE_ROWS);
    while (result == 0 && rows == RECORDER_PAGE_ROWS) {
        int rc = SQLITE_DONE;
        rows = 0;
        sqlite3_bind_int64(stmt, 1, last_id);
        if (by_time)
            sqlite3_bind_double(stmt, 3, last_s);
        while (result == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
            int type = by_time ? sqlite3_column_type(stmt, 2) : SQLITE_FLOAT;
            if (type == SQLITE_TEXT || type == SQLITE_BLOB) { /* no time: behind all times */
                rows = 0;
                rc = SQLITE_DONE;
                break;
            }
            rows++;
            last_id = sqlite3_column_int64(stmt, 0);
            if (by_time)
                last_s = sqlite3_column_double(stmt, 2);
            result = row(stmt, ctx, err);
        }
        if (result == 0 && rc != SQLITE_DONE)
            result = recorder_error(recorder, err);
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    return result;
}

int recorder_parse_time(const char *text, int64_t *utc_ms)
{
    int year, month, day, hour, minute, length = 0;
    double second;
    if (sscanf(text, "%4d-%2d-%2d%*1[ T]%2d:%2d:%lf%n", &year, &month, &day, &hour, &minute,
               &second, &length) != 6 ||
        text[length] != '\0')
        return -1;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 ||
        minute < 0 || minute > 59 || !(second >= 0 && second < 61))
        return -1;
    int64_t minutes = tz_days_from_civil(year, month, day) * 1440 + hour * 60 + minute;
    *utc_ms = minutes * 60000 + (int64_t)(second * 1000 + 0.5);
    return 0;
}
