#!/usr/bin/env python3
"""Writes sun_table.h: what Home Assistant says about sunrise and sunset at random places, for test_sun.c.

Run it with the Python of an installed Home Assistant (tests/provision.py makes one):
    <python> tests/unit/make_sun_table.py >tests/unit/sun_table.h
It asks homeassistant.helpers.sun, which asks astral in the version that Home Assistant pins."""
import datetime
import importlib.metadata
import random
import types
import zoneinfo

from homeassistant.helpers import sun
from homeassistant.util import dt as dt_util

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
PLACES = (  # latitude, longitude, metres, zone
    (52.52, 13.4, 0, "Europe/Berlin"),
    (52.52, 13.4, 34, "Europe/Berlin"),
    (47.37, 8.54, 408, "Europe/Zurich"),
    (40.71, -74.01, 10, "America/New_York"),
    (-31.55, 159.08, 5, "Australia/Lord_Howe"),
    (-33.87, 151.21, 58, "Australia/Sydney"),
    (1.35, 103.82, 15, "Asia/Singapore"),
    (1.87, -157.4, 3, "Pacific/Kiritimati"),
    (64.84, -147.72, 136, "America/Anchorage"),
    (69.65, 18.96, 10, "Europe/Oslo"),
    (-16.5, -68.15, 3640, "America/La_Paz"),
    (78.22, 15.63, 0, "Arctic/Longyearbyen"),
    (-90.0, 0.0, 2835, "Antarctica/McMurdo"),
)
ROWS = 20  # of each place
NEVER = "INT64_MIN"


def ms(moment):
    return NEVER if moment is None else f"INT64_C({(moment - EPOCH) // datetime.timedelta(milliseconds=1)})"


def event_next(hass, event, moment, offset):
    try:
        return sun.get_astral_event_next(hass, event, moment, offset)
    except ValueError:
        return None


def main():
    draw = random.Random(20261123)
    print("/* Made by make_sun_table.py: Home Assistant " + importlib.metadata.version("homeassistant"), end="")
    print(", astral " + importlib.metadata.version("astral") + ". Times in UTC ms. */")
    print("static const struct sun_row {")
    print("    double latitude, longitude, elevation_m;\n    const char *zone;\n    bool sets;")
    print("    int64_t date, event_ms; /* of a civil date */")
    print("    int offset_s;\n    int64_t after_ms, next_ms; /* the trigger's next fire */")
    print("} sun_rows[] = {")
    for latitude, longitude, elevation, zone in PLACES:
        dt_util.set_default_time_zone(zoneinfo.ZoneInfo(zone))
        config = types.SimpleNamespace(latitude=latitude, longitude=longitude, elevation=elevation, time_zone=zone)
        hass = types.SimpleNamespace(config=config, data={})
        for _ in range(ROWS):
            event = draw.choice(("sunrise", "sunset"))
            date = datetime.date(2015, 1, 1) + datetime.timedelta(days=draw.randrange(25 * 365))
            offset = draw.choice((0, 0, draw.randrange(-10800, 10801, 60)))
            after = EPOCH + datetime.timedelta(milliseconds=draw.randrange(1420070400000, 2208988800000))
            found = sun.get_astral_event_date(hass, event, date)
            fire = event_next(hass, event, after, datetime.timedelta(seconds=offset))
            days = (date - EPOCH.date()).days
            print(f'    {{{latitude}, {longitude}, {elevation}, "{zone}", {str(event == "sunset").lower()}, {days},', end="")
            print(f" {ms(found)}, {offset}, {ms(after)}, {ms(fire)}}},")
    print("};")


if __name__ == "__main__":
    main()
