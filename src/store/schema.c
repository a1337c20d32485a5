#include "store/schema.h"

static const char version_1[] =
    "CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

    /* A row waits until `ended` says how it ended: NULL, 'expired', 'dropped', 'failed'. A
     * delivered one is deleted; the last ended ones stay, without payload, as a record. */
    "CREATE TABLE outbox ("
    " row INTEGER PRIMARY KEY AUTOINCREMENT,"
    " id TEXT NOT NULL, topic TEXT NOT NULL, payload TEXT NOT NULL, size INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,"
    " ended TEXT, reason TEXT) STRICT;"
    "CREATE INDEX outbox_waiting ON outbox (row, expires_ms, size) WHERE ended IS NULL;"

    /* done_ms NULL = waits. mid, session, epoch: how it arrived, to know it again when the broker
     * sends it once more because it never saw our acknowledgement. */
    "CREATE TABLE inbox ("
    " row INTEGER PRIMARY KEY AUTOINCREMENT,"
    " id TEXT NOT NULL, topic TEXT NOT NULL, payload TEXT NOT NULL, payload_len INTEGER NOT NULL,"
    " digest INTEGER NOT NULL, mid INTEGER NOT NULL, session INTEGER NOT NULL,"
    " epoch INTEGER NOT NULL, flags INTEGER NOT NULL, received_ms INTEGER NOT NULL,"
    " done_ms INTEGER, result TEXT) STRICT;"
    "CREATE INDEX inbox_waiting ON inbox (row) WHERE done_ms IS NULL;"
    "CREATE INDEX inbox_id ON inbox (id, topic);"
    "CREATE INDEX inbox_digest ON inbox (digest);"
    "CREATE INDEX inbox_received ON inbox (received_ms) WHERE done_ms IS NOT NULL;"

    /* family: the id without its #n. second: of the local day, NULL = none; days: bit 0 = Monday.
     * said_*: what the last event told. */
    "CREATE TABLE suggestion ("
    " id TEXT PRIMARY KEY, family TEXT NOT NULL, state INTEGER NOT NULL,"
    " title TEXT NOT NULL UNIQUE, content TEXT NOT NULL, reason TEXT,"
    " via_mqtt INTEGER NOT NULL DEFAULT 0, rank INTEGER NOT NULL,"
    " second INTEGER, days INTEGER NOT NULL, said_second INTEGER, said_days INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, deployed_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX suggestion_family ON suggestion (family);"
    "CREATE INDEX suggestion_state ON suggestion (state, rank);"

    "CREATE TABLE audit ("
    " row INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, who TEXT NOT NULL,"
    " suggestion TEXT NOT NULL, from_state TEXT NOT NULL, to_state TEXT NOT NULL, reason TEXT"
    ") STRICT;"

    "CREATE TABLE run ("
    " automation TEXT NOT NULL, context TEXT NOT NULL, at_ms INTEGER NOT NULL,"
    " from_ha INTEGER NOT NULL, executed INTEGER NOT NULL, failed INTEGER NOT NULL,"
    " PRIMARY KEY (automation, context)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX run_at ON run (at_ms);";

/* What we wrote into Home Assistant, newest version last, and what is to be taken back. */
static const char version_written[] =
    "CREATE TABLE written ("
    " automation TEXT NOT NULL, version INTEGER NOT NULL, content TEXT NOT NULL,"
    " live INTEGER NOT NULL, labelled INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    " PRIMARY KEY (automation, version)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE undo (suggestion TEXT PRIMARY KEY, who TEXT NOT NULL, at_ms INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    /* A failed run, or one without a report, is told once, with Home Assistant's own words when it
     * has some. Those of before were told. */
    "ALTER TABLE run ADD COLUMN told INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE run ADD COLUMN reason TEXT;"
    "UPDATE run SET told = 1;"
    "CREATE INDEX run_untold ON run (at_ms) WHERE told = 0;";

/* since_ms: when it came into its state; until_ms: when a snooze or a trial ends, 0 = neither.
 * objection: what a rejection bars (enum objection). is_gone: since then an analysis did not find
 * it. An audit's command: what was pressed where no suggestion took a step. */
static const char version_2[] =
    "ALTER TABLE suggestion ADD COLUMN since_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE suggestion ADD COLUMN until_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE suggestion ADD COLUMN objection INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE suggestion ADD COLUMN is_gone INTEGER NOT NULL DEFAULT 0;"
    "UPDATE suggestion SET since_ms = updated_ms, is_gone = (state = 5);" /* 5 = retired */
    "CREATE INDEX suggestion_until ON suggestion (until_ms) WHERE until_ms > 0;"
    "ALTER TABLE audit ADD COLUMN command TEXT;"
    "CREATE INDEX audit_suggestion ON audit (suggestion, row);";

static const char *const migrations[] = {version_1, version_2, version_written};

const struct schema schema_store = {
    .application_id = 0x48414149, /* "HAAI" */
    .migrations = migrations,
    .version = sizeof(migrations) / sizeof(migrations[0]),
    .has_wal = true,
    .pragmas = "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
               "PRAGMA trusted_schema = OFF; PRAGMA cache_size = -256; PRAGMA temp_store = MEMORY;"
               "PRAGMA wal_autocheckpoint = 256; PRAGMA journal_size_limit = 1048576",
};
