#include "home/plan.h"

static const char *const areas[HOME_AREA_COUNT] = {
    "Living room",  "Kitchen",    "Bedroom",     "Bathroom", "Hallway", "Office",
    "Kids room",    "Guest room", "Dining room", "Garage",   "Cellar",  "Attic",
    "Laundry room", "Workshop",   "Terrace",     "Garden",
};

static const char *const domains[HOME_DOMAIN_COUNT] = {
    "light",         "switch", "fan",        "input_boolean", "media_player",
    "binary_sensor", "sensor", "automation", "person",        "device_tracker",
};

static const char *const roles[HOME_ROLE_COUNT] = {
    "habitual", "distractor", "member",     "automated", "machine",
    "detector", "measured",   "automation", "presence",
};

static const char *const kinds[HOME_KIND_COUNT] = {
    "time_of_day", "sun", "sequence", "left_on", "value", "chain", "long_quiet",
};

static const char *const gates[] = {"none", "presence", "dark"};

bool home_lives_in_ha(enum home_domain domain)
{
    return domain == HOME_AUTOMATION || domain == HOME_INPUT_BOOLEAN || domain == HOME_PERSON;
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

const char *home_gate_name(enum home_gate gate)
{
    return gates[gate];
}

const char *home_level_name(enum home_domain domain)
{
    return domain == HOME_LIGHT          ? "brightness_pct"
           : domain == HOME_FAN          ? "percentage"
           : domain == HOME_MEDIA_PLAYER ? "volume_level"
                                         : NULL;
}

const char *home_word_name(enum home_domain domain, int32_t word)
{
    if (domain == HOME_PERSON || domain == HOME_TRACKER)
        return word == HOME_ON ? "home" : "not_home";
    if (domain == HOME_MEDIA_PLAYER && word == HOME_ON)
        return "playing";
    return word == HOME_ON ? "on" : "off";
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
