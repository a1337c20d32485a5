/* One day of a home while it is put together: what is used when, by whom. */
#ifndef HA_AI_HOME_TODAY_H
#define HA_AI_HOME_TODAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tz.h"
#include "home/day.h"
#include "home/plan.h"

#define SECOND_US INT64_C(1000000)

enum { DAY_S = 86400, HOUR_S = 3600, ABSENCES_MAX = 12 };

/* Something goes on, and off again; or, of what is set, it gets a level at once. */
struct home_use {
    int64_t begin_us, end_us;
    uint32_t entity;
    int16_t begin_habit, end_habit; /* whose act that half is, or -1 */
    uint8_t begin_cause, end_cause; /* enum home_cause */
    uint8_t person;
    uint8_t step;    /* of the habit's chain: 0 = its act, 1.. = what follows */
    uint8_t scene;   /* index + 1 of the scene that began it; 0: none */
    bool is_setting; /* a scene or a level: nothing ends */
    int16_t level;   /* percent, or tenths of a degree; HOME_NO_LEVEL: has none, or nobody says */
    int16_t kelvin;  /* 0: nobody says */
};

struct absence {
    int64_t from_us, to_us;           /* out of the front door, and in again */
    int64_t seen_from_us, seen_to_us; /* when HA sees it */
    bool goes, comes;                 /* on this day: a longer absence begins or ends on another */
};

/* A resident's day. */
struct presence {
    struct absence away[ABSENCES_MAX]; /* in order, apart */
    int away_count;
    int64_t wake_us, bed_us;
};

struct today {
    const struct home *home;
    const struct tz *tz;
    int64_t local_day;
    int64_t begin_us, end_us; /* of the local day */
    int weekday;
    bool is_holiday; /* nobody is home */
    double busyness; /* factor on how often things are used */
    struct home_use *uses;
    size_t use_count, use_capacity;
    struct presence people[HOME_PEOPLE_MAX];
    struct home_wishes *wishes;
};

/* The day without uses. Borrows all. */
struct today today_of(const struct home *home, const struct tz *tz, int64_t local_day,
                      struct home_wishes *wishes);
void today_release(struct today *today);

/* UTC of a local second of the day; the fraction is kept, the days before and after are reached. */
int64_t today_us(const struct today *today, double second_of_day);

/* A new use of an entity, of no habit, valid until the next one is added. */
struct home_use *today_add_use(struct today *today, uint32_t entity);

/* Whether a use comes too near to one of the same entity among those from index `first` on. */
bool today_overlaps(const struct today *today, size_t first, const struct home_use *candidate);

/* What wishes call the use with that index. */
uint64_t home_use_id(const struct today *today, size_t index);

void today_add_wish(struct today *today, const struct home_wish *wish);

bool today_is_home(const struct today *today, int person, int64_t time_us);
bool today_is_seen_home(const struct today *today, int person, int64_t time_us); /* by HA */
bool today_is_dark(const struct today *today, int64_t time_us);

/* Local second of the day at which the sun rises or sets; false when it does not on this day. */
bool today_find_sun(const struct today *today, bool sunset, double *second);

#endif
