/* When a rule would have run: the automation that would be deployed, replayed as Home Assistant
 * would have run it. Pure; any thread. */
#ifndef HA_AI_SUGGEST_FIRES_H
#define HA_AI_SUGGEST_FIRES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tz.h"
#include "mine/conditions.h"
#include "model/history.h"
#include "model/rule.h"
#include "model/timeline.h"

enum { FIRES_KEPT_MAX = 1024 * 1024 }; /* times that a book keeps: 8 MB */

/* What was replayed already: rules with one trigger and the same conditions share their fires. One
 * thread. */
struct fires_book;
/* Borrows both; without daylight, sun.sun is what the history says of it. */
struct fires_book *fires_book_new(const struct history *h, const struct daylight *daylight);
void fires_book_free(struct fires_book *book);

/* Sorted, UTC ms, within the history. */
struct fires {
    const int64_t *time_ms;
    size_t count;
};

/* Of a rule that is not valid, none. Numbers are five-minute means. Borrowed until the next call.
 */
struct fires fires_of_rule(struct fires_book *book, const struct rule *rule);

/* The most of them that one local day has. */
size_t fires_most_a_day(const struct fires *fires, const struct tz *tz);

/* Adds to a timeline that has its runs, and is not finished, what a history tells of sun.sun and of
 * zone.home though it holds no row of them: the daylight, the number of people at home. False when
 * the entity is neither, the place is not known, or the timeline is full. */
bool fires_add_derived(struct timeline *timeline, const struct history *h,
                       const struct daylight *daylight, const char *entity_id);

#endif
