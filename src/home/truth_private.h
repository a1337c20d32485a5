/* The truth about a home: what was noted while it was played. */
#ifndef HA_AI_HOME_TRUTH_PRIVATE_H
#define HA_AI_HOME_TRUTH_PRIVATE_H

#include "home/truth.h"

struct truth_gap {
    int64_t from_us, to_us;
    bool clean;
};

/* An act of a habit as HA recorded it. */
struct truth_act {
    int64_t time_us;
    int16_t habit;
    uint8_t step;
    bool told; /* HA heard the level */
};

/* What became of an occasion for one. */
struct truth_note {
    int64_t time_us;
    int16_t habit;
    uint8_t outcome; /* enum home_outcome */
    bool was_open;
    bool recorded; /* HA wrote the act down */
    bool was_done; /* the device was on already, which the act would have brought about */
};

/* A use of what people forget to switch off. */
struct truth_use {
    int64_t begin_us, end_us;
    int16_t habit;
    bool forgotten;
};

/* What HA saw of an entity that goes on and off. */
struct truth_seen {
    int64_t on_us;      /* since when it is on; 0: it is off */
    int64_t longest_us; /* of its uses that are over and did not begin as an anomaly */
    int64_t last_us;    /* when it went on or off the last time; 0: never */
    int64_t rest_us;    /* the longest time that it did not, while HA saw it */
    int64_t ons;
    int64_t off_due_us; /* when an automation's last run was to switch it off; 0: never */
    bool is_kept_on;    /* and did not, and another run has begun since */
    bool began_by_act;  /* a person, on or off the wall */
};

/* What an automation would have switched off, but did not: HA forgets delays when it stops. */
struct truth_kept_on {
    int64_t from_us, to_us;
    uint32_t entity;
};

struct truth {
    const struct home *home;
    const struct tz *tz;
    int64_t first_day, last_day;
    int64_t from_us, to_us; /* first and last row */
    uint64_t states;
    uint64_t by_cause[HOME_CAUSE_COUNT];
    struct truth_gap *gaps;
    size_t gap_count, gap_capacity;
    struct truth_act *acts;
    size_t act_count, act_capacity;
    struct truth_note *notes;
    size_t note_count, note_capacity;
    struct truth_use *uses;
    size_t use_count, use_capacity;
    struct truth_kept_on *kept_on;
    size_t kept_on_count, kept_on_capacity;
    bool
        acted_near[HOME_ANOMALIES_MAX]; /* of a missed habit: people did the same about that time */
    struct truth_seen *seen;            /* of each entity */
    struct truth_gap open_gap;
    bool is_open;
};

/* Whether a local day is complete: the recorder missed no more than a restart of it. */
bool truth_is_complete(const struct truth *t, int64_t day);

/* The first held-out day: the last max(2, complete / 4) complete days are held out. */
int64_t truth_first_held_out(const struct truth *t);

/* Whether something is on that an automation should have switched off before that time. */
bool truth_is_kept_on(const struct truth_seen *seen, int64_t time_us);

int64_t truth_local_day(const struct truth *t, int64_t time_us);

/* A habit with all that happened of it. */
json_object *truth_habit(const struct truth *t, size_t habit);

/* What was out of the ordinary at the end. */
json_object *truth_anomalies(const struct truth *t);

#endif
