"""Sunrise and sunset, by the equations that NOAA's solar calculator publishes: within half a minute of an
almanac between the polar circles, which is plenty where ten minutes decide."""

import datetime
import math

UPPER_LIMB = 90.833  # zenith distance in degrees: half a sun's disk, and the air's refraction
J2000_ORDINAL = datetime.date(2000, 1, 1).toordinal()


def _declination_and_equation(century):
    """(declination in radians, equation of time in minutes) at a Julian century since J2000."""
    mean_longitude = math.radians((280.46646 + century * (36000.76983 + century * 0.0003032)) % 360)
    anomaly = math.radians(357.52911 + century * (35999.05029 - century * 0.0001537))
    eccentricity = 0.016708634 - century * (0.000042037 + century * 0.0000001267)
    centre = (
        math.sin(anomaly) * (1.914602 - century * (0.004817 + century * 0.000014))
        + math.sin(2 * anomaly) * (0.019993 - century * 0.000101)
        + math.sin(3 * anomaly) * 0.000289
    )
    node = math.radians(125.04 - 1934.136 * century)
    longitude = mean_longitude + math.radians(centre - 0.00569 - 0.00478 * math.sin(node))
    obliquity = math.radians(23.439291 - century * 0.0130042 + 0.00256 * math.cos(node))
    y = math.tan(obliquity / 2) ** 2
    equation = (
        y * math.sin(2 * mean_longitude)
        - 2 * eccentricity * math.sin(anomaly)
        + 4 * eccentricity * y * math.sin(anomaly) * math.cos(2 * mean_longitude)
        - y * y / 2 * math.sin(4 * mean_longitude)
        - 1.25 * eccentricity**2 * math.sin(2 * anomaly)
    )
    return math.asin(math.sin(obliquity) * math.sin(longitude)), 4 * math.degrees(equation)


def event_utc(event, day, latitude, longitude):
    """Seconds after 00:00 UTC of that local day's date at which "sunrise" or "sunset" is (may be negative or
    beyond a day); None where the sun does neither on that day."""
    sign = -1 if event == "sunrise" else 1
    minutes = 720.0 - 4 * longitude
    for _ in range(3):
        century = (day.toordinal() - J2000_ORDINAL - 0.5 + minutes / 1440) / 36525
        declination, equation = _declination_and_equation(century)
        north = math.radians(latitude)
        cosine = math.cos(math.radians(UPPER_LIMB)) / (math.cos(north) * math.cos(declination))
        cosine -= math.tan(north) * math.tan(declination)
        if abs(cosine) > 1:
            return None
        minutes = 720 - 4 * longitude - equation + sign * 4 * math.degrees(math.acos(cosine))
    return minutes * 60


def is_dark(when, latitude, longitude):
    """Whether the sun's upper limb is below the horizon at a time (UTC seconds)."""
    days = when / 86400 - (J2000_ORDINAL - datetime.date(1970, 1, 1).toordinal())
    declination, equation = _declination_and_equation((days - 0.5) / 36525)
    minutes = when % 86400 / 60 + equation + 4 * longitude
    hour_angle, north = math.radians(minutes / 4 - 180), math.radians(latitude)
    sine = math.sin(north) * math.sin(declination)
    sine += math.cos(north) * math.cos(declination) * math.cos(hour_angle)
    return math.degrees(math.asin(sine)) < 90 - UPPER_LIMB
