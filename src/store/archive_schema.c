#include "store/archive_schema.h"

static const char version_1[] =
    /* One row: struct archive_cursor and struct archive_home. revision counts transactions. */
    "CREATE TABLE cursor ("
    " id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL,"
    " last_id INTEGER NOT NULL, last_metadata_id INTEGER NOT NULL, last_time_s REAL NOT NULL,"
    " filter_id INTEGER NOT NULL, range INTEGER NOT NULL, stream_ms INTEGER NOT NULL,"
    " run_id INTEGER NOT NULL, run_start_ms INTEGER NOT NULL, forgotten_ms INTEGER NOT NULL,"
    " timezone TEXT, latitude REAL, longitude REAL, elevation_m REAL) STRICT;"
    "INSERT INTO cursor VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL);"

    "CREATE TABLE entity ("
    " number INTEGER PRIMARY KEY, entity_id TEXT NOT NULL UNIQUE, name TEXT, area TEXT,"
    " members TEXT,"
    " metadata_id INTEGER NOT NULL, is_text INTEGER NOT NULL, value REAL,"
    " value_day INTEGER NOT NULL) STRICT;"
    "CREATE TABLE word ("
    " entity INTEGER NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL,"
    " PRIMARY KEY (entity, number)) STRICT, WITHOUT ROWID;"

    /* key: UTC day << 20 | entity. Days follow each other, so pages fill up and old days go in one
     * piece. rows: days that may still grow, row for row; changes and means: sealed days. */
    "CREATE TABLE rows (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"
    "CREATE TABLE changes (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"
    "CREATE TABLE means (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;"

    "CREATE TABLE day ("
    " day INTEGER PRIMARY KEY, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,"
    " slots BLOB NOT NULL) STRICT;"
    "CREATE TABLE run ("
    " from_ms INTEGER PRIMARY KEY, to_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,"
    " is_uncertain INTEGER NOT NULL) STRICT;"
    "CREATE TABLE range ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,"
    " known_ms INTEGER NOT NULL) STRICT;"
    /* entity: a hash of the id, so that the mark does not tell what was erased. */
    "CREATE TABLE forgotten (entity INTEGER PRIMARY KEY, until_ms INTEGER NOT NULL) STRICT;";

static const char version_2[] =
    "ALTER TABLE entity ADD COLUMN device_class TEXT;"
    /* What attributes were seen to take, or were set to; keys as above. */
    "CREATE TABLE setting (key INTEGER PRIMARY KEY, data BLOB NOT NULL, is_open INTEGER NOT NULL)"
    " STRICT;"
    "CREATE INDEX setting_open ON setting (key) WHERE is_open;"
    /* up to when services that were called are known */
    "ALTER TABLE cursor ADD COLUMN calls_ms INTEGER NOT NULL DEFAULT 0;";

static const char *const migrations[] = {version_1, version_2};

const struct schema schema_archive = {
    .application_id = ARCHIVE_APPLICATION_ID,
    .migrations = migrations,
    .version = sizeof(migrations) / sizeof(migrations[0]),
    .pragmas = "PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -4000;"
               "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON; PRAGMA cell_size_check = ON",
};
