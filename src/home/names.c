#include "home/plan.h"

static const char *const areas[HOME_AREA_COUNT] = {
    "Living room",  "Kitchen",    "Bedroom",     "Bathroom", "Hallway", "Office",
    "Kids room",    "Guest room", "Dining room", "Garage",   "Cellar",  "Attic",
    "Laundry room", "Workshop",   "Terrace",     "Garden",
};

static const char *const domains[HOME_DOMAIN_COUNT] = {
    "light",         "switch", "fan",        "input_boolean", "media_player",
    "binary_sensor", "sensor", "automation", "person",        "device_tracker",
    "climate",       "cover",  "lock",       "scene",         "input_select",
};

static const char *const roles[HOME_ROLE_COUNT] = {
    "habitual", "distractor", "member",   "automated", "machine", "detector",
    "measured", "automation", "presence", "mode",      "scene",
};

static const char *const kinds[HOME_KIND_COUNT] = {
    "time_of_day", "sun", "sequence", "left_on", "value", "chain", "long_quiet", "scene",
};

static const char *const gates[HOME_GATE_COUNT] = {
    "none", "presence", "dark", "lux", "mode", "window", "days",
};

static const char *const anomalies[HOME_ANOMALY_COUNT] = {
    "open_at_night", "left_on", "unlocked", "habit_missed", "sensor_silent",
};

/* Options of every selection of a home's mode. */
static const char *const options[HOME_OPTION_COUNT] = {"Normal", "Work", "Relax", "Guests"};

bool home_lives_in_ha(enum home_domain domain)
{
    return domain == HOME_AUTOMATION || domain == HOME_INPUT_BOOLEAN || domain == HOME_PERSON ||
           domain == HOME_SCENE || domain == HOME_INPUT_SELECT;
}

bool home_is_set(enum home_domain domain)
{
    return domain == HOME_CLIMATE || domain == HOME_COVER || domain == HOME_SCENE;
}

bool home_is_outside(int area)
{
    enum { TERRACE = 14, GARDEN = 15 };
    return area == TERRACE || area == GARDEN;
}

bool home_is_seldom_visited(int area)
{
    enum { GUEST_ROOM = 7, GARAGE = 9, WORKSHOP = 13 }; /* cellar, attic, laundry in between */
    return area == GUEST_ROOM || (area >= GARAGE && area <= WORKSHOP);
}

const char *home_area_name(int area)
{
    return areas[area];
}

const char *home_domain_name(enum home_domain domain)
{
    return domains[domain];
}

const char *home_role_name(enum home_role role)
{
    return roles[role];
}

const char *home_kind_name(enum home_habit_kind kind)
{
    return kinds[kind];
}

const char *home_gate_name(enum home_gate_kind gate)
{
    return gates[gate];
}

const char *home_anomaly_name(enum home_anomaly_kind kind)
{
    return anomalies[kind];
}

static const struct {
    const char *level; /* the field of the service */
    double unit;       /* of one step of a level */
    const char *on, *off;
} words[HOME_DOMAIN_COUNT] = {
    [HOME_LIGHT] = {"brightness_pct", 1, "on", "off"},
    [HOME_FAN] = {"percentage", 1, "on", "off"},
    [HOME_MEDIA_PLAYER] = {"volume_level", .01, "playing", "off"},
    [HOME_CLIMATE] = {"temperature", .1, "heat", "off"},
    [HOME_COVER] = {"position", 1, "open", "closed"},
    [HOME_LOCK] = {NULL, 1, "unlocked", "locked"},
    [HOME_PERSON] = {NULL, 1, "home", "not_home"},
    [HOME_TRACKER] = {NULL, 1, "home", "not_home"},
};

const char *home_level_name(enum home_domain domain)
{
    return words[domain].level;
}

double home_level_value(enum home_domain domain, int level)
{
    return level * words[domain].unit;
}

const char *home_word_name(enum home_domain domain, int32_t word)
{
    if (domain == HOME_INPUT_SELECT)
        return options[word];
    if (word == HOME_OPENING || word == HOME_CLOSING)
        return word == HOME_OPENING ? "opening" : "closing";
    if (words[domain].on == NULL)
        return word == HOME_ON ? "on" : "off";
    return word == HOME_ON ? words[domain].on : words[domain].off;
}

const char *home_day_class(uint8_t weekdays)
{
    static const struct {
        uint8_t weekdays;
        const char *name;
    } classes[] = {
        {HOME_ALL_DAYS, "all"},
        {HOME_WEEKDAYS, "weekdays"},
        {HOME_WEEKEND, "weekend"},
        {1, "mon"},
        {2, "tue"},
        {4, "wed"},
        {8, "thu"},
        {16, "fri"},
        {32, "sat"},
        {64, "sun"},
    };
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (classes[i].weekdays == weekdays)
            return classes[i].name;
    return NULL;
}
