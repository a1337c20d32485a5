/* What the files of anomalies share. */
#ifndef HA_AI_SUGGEST_ANOMALY_PARTS_H
#define HA_AI_SUGGEST_ANOMALY_PARTS_H

#include "suggest/anomaly.h"

enum {
    ANOMALY_DAYS_MIN = 10, /* complete days before anything is usual */
    ANOMALY_DAY_MS = 24 * 3600 * 1000,
};
#define ANOMALY_LONGER 1.5 /* than the longest ever, at least */

/* Found, with the number of things of each kind that were looked at. */
struct anomaly_search {
    const struct mine_input *input;
    const bool *away; /* by day */
    int complete;     /* days */
    int looked[ANOMALY_KIND_COUNT];
    struct anomalies *out;
};

void anomaly_add(struct anomaly_search *search, const struct anomaly *anomaly);

/* Detectors that tell nothing any more. */
void anomaly_look_at_sensors(struct anomaly_search *search);

/* Habits that were not kept the last time. */
void anomaly_look_at_habits(struct anomaly_search *search, const struct judged *judged);

#endif
