"""A recorder database (schema 50) for tests/accuracy/other_world.py: rows in, in order of time."""

import collections
import datetime
import json
import sqlite3

TIMES = "CHAR(0)"  # columns that HA keeps for what it wrote years ago
TABLES = {
    "event_data": "data_id INTEGER NOT NULL PRIMARY KEY, hash BIGINT, shared_data TEXT",
    "event_types": "event_type_id INTEGER NOT NULL PRIMARY KEY, event_type VARCHAR(64)",
    "state_attributes": "attributes_id INTEGER NOT NULL PRIMARY KEY, hash BIGINT, shared_attrs TEXT",
    "states_meta": "metadata_id INTEGER NOT NULL PRIMARY KEY, entity_id VARCHAR(255)",
    "recorder_runs": "run_id INTEGER NOT NULL PRIMARY KEY, start DATETIME NOT NULL, \"end\" DATETIME,"
    " closed_incorrect BOOLEAN NOT NULL, created DATETIME NOT NULL",
    "migration_changes": "migration_id VARCHAR(255) NOT NULL PRIMARY KEY, version SMALLINT NOT NULL",
    "schema_changes": "change_id INTEGER NOT NULL PRIMARY KEY, schema_version INTEGER, changed DATETIME NOT NULL",
    "statistics_runs": "run_id INTEGER NOT NULL PRIMARY KEY, start DATETIME NOT NULL",
    "statistics_meta": "id INTEGER NOT NULL PRIMARY KEY, statistic_id VARCHAR(255), source VARCHAR(32),"
    " unit_of_measurement VARCHAR(255), has_mean BOOLEAN, has_sum BOOLEAN, name VARCHAR(255), mean_type SMALLINT NOT NULL",
    "events": f"event_id INTEGER NOT NULL PRIMARY KEY, event_type {TIMES}, event_data {TIMES}, origin {TIMES},"
    f" origin_idx SMALLINT, time_fired {TIMES}, time_fired_ts FLOAT, context_id {TIMES}, context_user_id {TIMES},"
    f" context_parent_id {TIMES}, data_id INTEGER REFERENCES event_data (data_id), context_id_bin BLOB,"
    " context_user_id_bin BLOB, context_parent_id_bin BLOB, event_type_id INTEGER REFERENCES event_types (event_type_id)",
    "states": f"state_id INTEGER NOT NULL PRIMARY KEY, entity_id {TIMES}, state VARCHAR(255), attributes {TIMES},"
    f" event_id SMALLINT, last_changed {TIMES}, last_changed_ts FLOAT, last_reported_ts FLOAT, last_updated {TIMES},"
    " last_updated_ts FLOAT, old_state_id INTEGER REFERENCES states (state_id),"
    f" attributes_id INTEGER REFERENCES state_attributes (attributes_id), context_id {TIMES}, context_user_id {TIMES},"
    f" context_parent_id {TIMES}, origin_idx SMALLINT, context_id_bin BLOB, context_user_id_bin BLOB,"
    " context_parent_id_bin BLOB, metadata_id INTEGER REFERENCES states_meta (metadata_id)",
}
for name in ("statistics", "statistics_short_term"):
    TABLES[name] = (
        f"id INTEGER NOT NULL PRIMARY KEY, created {TIMES}, created_ts FLOAT, metadata_id INTEGER REFERENCES"
        f" statistics_meta (id) ON DELETE CASCADE, start {TIMES}, start_ts FLOAT, mean FLOAT, mean_weight FLOAT, min FLOAT,"
        f" max FLOAT, last_reset {TIMES}, last_reset_ts FLOAT, state FLOAT, sum FLOAT"
    )
INDEXES = (
    "event_data_hash ON event_data (hash)", "state_attributes_hash ON state_attributes (hash)",
    "UNIQUE event_types_event_type ON event_types (event_type)", "UNIQUE states_meta_entity_id ON states_meta (entity_id)",
    "UNIQUE statistics_meta_statistic_id ON statistics_meta (statistic_id)",
    "recorder_runs_start_end ON recorder_runs (start, \"end\")", "statistics_runs_start ON statistics_runs (start)",
    "events_context_id_bin ON events (context_id_bin)", "events_data_id ON events (data_id)",
    "events_time_fired_ts ON events (time_fired_ts)",
    "events_event_type_id_time_fired_ts ON events (event_type_id, time_fired_ts)",
    "states_old_state_id ON states (old_state_id)", "states_context_id_bin ON states (context_id_bin)",
    "states_last_updated_ts ON states (last_updated_ts)",
    "states_metadata_id_last_updated_ts ON states (metadata_id, last_updated_ts)",
    "states_attributes_id ON states (attributes_id)", "statistics_start_ts ON statistics (start_ts)",
    "UNIQUE statistics_statistic_id_start_ts ON statistics (metadata_id, start_ts)",
    "UNIQUE statistics_short_term_statistic_id_start_ts ON statistics_short_term (metadata_id, start_ts)",
    "statistics_short_term_start_ts ON statistics_short_term (start_ts)",
)  # fmt: skip


def fnv1a(text):
    """Fowler, Noll & Vo, 32 bits: by which HA finds equal texts again."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


class Recorder:
    def __init__(self, path):
        self._db = sqlite3.connect(path)
        for name, columns in TABLES.items():
            self._db.execute(f"CREATE TABLE {name} ({columns})")
        self._known, self._count, self._states, self._events = {}, collections.Counter(), [], []

    def _id_of(self, table, text):
        """The number of an attribute set, an entity, ...; a new one the first time."""
        if (table, text) not in self._known:
            self._count[table] += 1
            number = self._known[table, text] = self._count[table]
            hashed = table in ("event_data", "state_attributes")
            row = (number, fnv1a(text), text) if hashed else (number, text)
            self._db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        return self._known[table, text]

    def event(self, when, kind, data, context):
        """context: (id, user or None, parent or None), each of 16 bytes. In any order."""
        self._events.append((when, self._id_of("event_data", compact(data)), context, self._id_of("event_types", kind)))

    def state(self, when, entity, state, attributes, context):
        attributes = self._id_of("state_attributes", compact(attributes))
        self._states.append((when, self._id_of("states_meta", entity), state, attributes, context))

    def _state_rows(self):
        last = {}
        for number, (when, entity, state, attributes, context) in enumerate(sorted(self._states), 1):
            old, before, changed = last.get(entity, (None, None, when))
            last[entity] = number, state, changed if state == before else when
            changed = changed if state == before else None
            yield (number, None, state, None, None, None, changed, None, None, when, old, attributes, None, None, None, 0,
                   *context, entity)  # fmt: skip

    def _event_rows(self):
        for number, (when, data, context, kind) in enumerate(sorted(self._events), 1):
            yield (number, None, None, None, 0, None, when, None, None, None, data, *context, kind)

    def close(self, begin, end):
        """One run of HA, closed in order."""
        self._db.executemany(f"INSERT INTO states VALUES ({', '.join('?' * 20)})", self._state_rows())
        self._db.executemany(f"INSERT INTO events VALUES ({', '.join('?' * 15)})", self._event_rows())
        for index in INDEXES:
            unique, index = ("UNIQUE ", index[7:]) if index.startswith("UNIQUE ") else ("", index)
            self._db.execute(f"CREATE {unique}INDEX ix_{index}")
        begin, end = (datetime.datetime.fromtimestamp(t, datetime.timezone.utc) for t in (begin, end))
        begin, end = (t.strftime("%Y-%m-%d %H:%M:%S.%f") for t in (begin, end))
        self._db.execute("INSERT INTO recorder_runs VALUES (1, ?, ?, 0, ?)", (begin, end, begin))
        self._db.execute("INSERT INTO schema_changes VALUES (1, 50, ?)", (begin,))
        self._db.commit()
        self._db.close()


def compact(data):
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)
