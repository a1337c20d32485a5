/* The daily circle on which a habit has its place: seconds since local midnight, or since half a
 * day before the day's sunrise or sunset. What scans and fits a circle need not know which. Pure.
 */
#ifndef HA_AI_MINE_DIAL_H
#define HA_AI_MINE_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "mine/acts.h"
#include "mine/days.h"
#include "model/history.h"
#include "model/rule.h"

enum dial_kind { DIAL_CLOCK, DIAL_SUNRISE, DIAL_SUNSET, DIAL_COUNT };

enum {
    DIAL_EVENT_S = 43200,         /* where the event is on its circle */
    DIAL_OFFSET_MAX_S = 3 * 3600, /* habits are looked for this near to it, on either side */
};

struct dial {
    enum dial_kind kind;
    struct days days;  /* the history's; what has no such event is DAY_INCOMPLETE */
    int64_t *start_ms; /* by day, UTC: where its circle begins */
};

/* A sun's dial needs history->has_location. Borrows the history's zone. */
void dial_init(struct dial *dial, enum dial_kind kind, const struct history *h,
               const struct days *days);
void dial_release(struct dial *dial);

/* The same acts in the same order with day and second by the dial. Release with acts_release. */
void dial_place_acts(const struct dial *dial, const struct acts *acts, struct acts *out);

/* Of the acts on a circle only those from..to-1 can be the middle of a habit. */
void dial_range(const struct dial *dial, int *from, int *to);

struct rule_trigger dial_trigger(const struct dial *dial, int second);

/* Which circle a rule's trigger lies on, and where; DIAL_COUNT = on none. */
enum dial_kind dial_of_trigger(const struct rule_trigger *trigger, int *second);

/* When a rule of that second of the circle fires on one of its days, UTC ms. */
int64_t dial_fire_ms(const struct dial *dial, int day, int second);

/* The local time of day (0..86399) of a second of the circle on one of its days. */
int dial_local_second(const struct dial *dial, int day, int second);

/* Whether that second lies on the day itself, by the calendar, on each of the given days: HA checks
 * a rule's days of the week when it fires. */
bool dial_stays_on_day(const struct dial *dial, int second, unsigned weekdays);

#endif
