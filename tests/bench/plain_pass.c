/* The yardstick of analyze-vs-pass: one plain pass over all states by state_id, entity names from
 * a map loaded before, nothing kept. Prints what it saw and its peak memory. */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENTITIES_MAX = 100000 };

static char *names[ENTITIES_MAX];

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        fprintf(stderr, "plain_pass: %s\n", sqlite3_errmsg(db));
        exit(1);
    }
    return stmt;
}

static long long peak_rss_kb(void)
{
    char line[256];
    long long kb = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmHWM: %lld kB", &kb) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kb;
}

int main(int argc, char **argv)
{
    sqlite3 *db;
    if (argc != 2 || sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        fprintf(stderr, "usage: plain_pass home-assistant_v2.db\n");
        return 2;
    }
    sqlite3_stmt *stmt = prepare(db, "SELECT metadata_id, entity_id FROM states_meta");
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        int id = sqlite3_column_int(stmt, 0);
        if (id >= 0 && id < ENTITIES_MAX)
            names[id] = strdup((const char *)sqlite3_column_text(stmt, 1));
    }
    sqlite3_finalize(stmt);
    stmt = prepare(db, "SELECT metadata_id, state, last_updated_ts FROM states ORDER BY state_id");
    long long rows = 0, checksum = 0;
    double latest = 0;
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        int id = sqlite3_column_int(stmt, 0);
        const char *state = (const char *)sqlite3_column_text(stmt, 1);
        double time = sqlite3_column_double(stmt, 2);
        if (id >= 0 && id < ENTITIES_MAX && names[id] != NULL)
            checksum += names[id][0] + (state != NULL ? state[0] : 0);
        if (time > latest)
            latest = time;
        rows++;
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    printf("%lld rows, checksum %lld, latest %.0f, peak %lld kB\n", rows, checksum, latest,
           peak_rss_kb());
    return 0;
}
