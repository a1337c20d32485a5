"""A recorder database written with Home Assistant's own tables and rows, of events given to it one by one."""
import datetime
import json

from homeassistant.components.recorder import db_schema
from sqlalchemy import create_engine
from sqlalchemy.orm import Session


def utc(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)


class Recorder:
    def __init__(self):
        self.rows, self.entities, self.attributes, self.last_ids = [], {}, {}, {}
        self.events, self.event_types = [], {}

    def add_state(self, event, late_s):
        """What the recorder keeps of a state_changed event. A removal's time is its event's, which is `late_s` too late."""
        row = db_schema.States.from_event(event)
        entity_id, row.entity_id = event.data["entity_id"], None
        shared = db_schema.StateAttributes.shared_attrs_bytes_from_event(event, None)
        row.state_id = len(self.rows) + 1
        row.metadata_id = self.entities.setdefault(entity_id, len(self.entities) + 1)
        row.attributes_id = self.attributes.setdefault(shared, len(self.attributes) + 1)
        row.old_state_id = self.last_ids.get(entity_id)
        if event.data["new_state"] is None:
            row.state = None
            row.last_updated_ts = round(row.last_updated_ts - late_s, 6)  # not a bit before what came first
            self.last_ids.pop(entity_id, None)
        else:
            self.last_ids[entity_id] = row.state_id
        self.rows.append(row)

    def add_event(self, event_type, time_s):
        self.events.append(db_schema.Events(
            event_id=len(self.events) + 1, time_fired_ts=time_s, origin_idx=0,
            event_type_id=self.event_types.setdefault(event_type, len(self.event_types) + 1)))

    def write(self, folder, home):
        """`home-assistant_v2.db` and the place of the home beside it."""
        path = folder / "home-assistant_v2.db"
        path.unlink(missing_ok=True)
        engine = create_engine(f"sqlite:///{path}")
        db_schema.Base.metadata.create_all(engine)
        with Session(engine) as session:
            now = utc(home["runs"][-1]["to"])
            session.add(db_schema.SchemaChanges(schema_version=db_schema.SCHEMA_VERSION, changed=now))
            for run, following in zip(home["runs"], [*home["runs"][1:], None]):
                # The end of one that crashed is told by the next one, as its own start.
                end = run["to"] if run["clean"] else following and following["from"]
                session.add(db_schema.RecorderRuns(start=utc(run["from"]), end=end and utc(end), created=utc(run["from"]),
                                                   closed_incorrect=not run["clean"] and end is not None))
            session.add_all(db_schema.StatesMeta(metadata_id=i, entity_id=e) for e, i in self.entities.items())
            session.add_all(
                db_schema.StateAttributes(attributes_id=i, shared_attrs=shared.decode(),
                                          hash=db_schema.StateAttributes.hash_shared_attrs_bytes(shared))
                for shared, i in self.attributes.items())
            session.flush()
            session.add_all(self.rows)
            session.add_all(db_schema.EventTypes(event_type_id=i, event_type=t) for t, i in self.event_types.items())
            session.flush()
            session.add_all(self.events)
            session.commit()
        engine.dispose()
        place = home["place"]
        store = {"version": 1, "minor_version": 4, "key": "core.config", "data": {
            "latitude": place["latitude"], "longitude": place["longitude"], "elevation": place["elevation"],
            "time_zone": place["time_zone"], "unit_system_v2": "metric", "location_name": "Home",
            "external_url": None, "internal_url": None, "currency": "EUR", "country": None, "language": "en",
            "radius": 100}}
        (folder / ".storage").mkdir(exist_ok=True)
        (folder / ".storage" / "core.config").write_text(json.dumps(store))
