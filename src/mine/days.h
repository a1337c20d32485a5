/* The days of a history: which local days are complete, which of them teach (training) and which
 * only examine (held out). Pure. */
#ifndef HA_AI_MINE_DAYS_H
#define HA_AI_MINE_DAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/history.h"

enum day_role {
    DAY_INCOMPLETE, /* the recorder missed a part of it: neither teaches nor examines */
    DAY_TRAINING,
    DAY_HELD_OUT,
};

enum {
    /* What a complete day may miss: restarts take a minute or two each. */
    DAYS_GAP_MAX_MS = 15 * 60 * 1000,
    DAYS_HELD_OUT_MIN = 2,
    DAYS_HELD_OUT_SHARE = 4, /* one of so many */
    DAYS_MAX = 20000,        /* 54 years: what is older is not looked at */
};

struct days {
    int64_t first; /* local day (since 1970-01-01) of index 0 */
    int count;     /* local days from the first row to the last */
    uint8_t *role; /* enum day_role, by index */
    int training, held_out;
    const struct tz *tz; /* borrowed from the history */
};

void days_init(struct days *days, const struct history *h);
void days_release(struct days *days);

/* Makes a day neither teach nor examine. */
void days_forget(struct days *days, int index);

/* enum day_role of a day index; one outside is DAY_INCOMPLETE. */
enum day_role days_role(const struct days *days, int index);

/* 0 = Monday. Any index. */
int days_weekday(const struct days *days, int index);

/* Number of days of that role on one of these days of the week (model/rule.h bits). */
int days_count(const struct days *days, enum day_role role, unsigned weekdays);

/* Whether the day has that role and lies in the set. */
bool days_match(const struct days *days, int index, enum day_role role, unsigned weekdays);

#endif
