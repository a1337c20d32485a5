/* Complete local days and their roles. */
#include "mine/days.h"

#include <stdlib.h>

#include "core/tz.h"
#include "core/xalloc.h"

static int64_t floor_seconds(int64_t ms)
{
    return ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000);
}

/* How much of [from, to) the recorder covered; *span moves on over spans that end before from. */
static int64_t covered_ms(const struct history *h, size_t *span, int64_t from, int64_t to)
{
    int64_t sum = 0;
    while (*span < h->covered_count && h->covered[*span].to_ms <= from)
        (*span)++;
    for (size_t i = *span; i < h->covered_count && h->covered[i].from_ms < to; i++) {
        int64_t begin = h->covered[i].from_ms > from ? h->covered[i].from_ms : from;
        int64_t end = h->covered[i].to_ms < to ? h->covered[i].to_ms : to;
        sum += end - begin;
    }
    return sum;
}

/* The last max(2, days / 4) complete days become the held-out ones. */
static void hold_out_last(struct days *days, int complete)
{
    int wanted = complete / DAYS_HELD_OUT_SHARE;
    if (wanted < DAYS_HELD_OUT_MIN)
        wanted = DAYS_HELD_OUT_MIN;
    for (int i = days->count - 1; i >= 0 && days->held_out < wanted; i--) {
        if (days->role[i] != DAY_TRAINING)
            continue;
        days->role[i] = DAY_HELD_OUT;
        days->held_out++;
    }
    days->training = complete - days->held_out;
}

void days_init(struct days *days, const struct history *h)
{
    *days = (struct days){.tz = h->tz};
    if (h->covered_count == 0)
        return;
    struct tz_local begin, end;
    tz_to_local(h->tz, floor_seconds(h->covered[0].from_ms), &begin);
    tz_to_local(h->tz, floor_seconds(h->covered[h->covered_count - 1].to_ms), &end);
    days->first = begin.day;
    if (end.day - begin.day >= DAYS_MAX)
        days->first = end.day - DAYS_MAX + 1;
    days->count = (int)(end.day - days->first) + 1;
    days->role = xcalloc((size_t)days->count, sizeof *days->role);
    int complete = 0;
    size_t span = 0;
    for (int i = 0; i < days->count; i++) {
        int64_t from = tz_day_start(h->tz, days->first + i) * 1000;
        int64_t to = tz_day_start(h->tz, days->first + i + 1) * 1000;
        if (covered_ms(h, &span, from, to) < to - from - DAYS_GAP_MAX_MS)
            continue;
        days->role[i] = DAY_TRAINING;
        complete++;
    }
    hold_out_last(days, complete);
}

void days_release(struct days *days)
{
    free(days->role);
    *days = (struct days){.role = NULL};
}

void days_forget(struct days *days, int index)
{
    days->training -= days->role[index] == DAY_TRAINING;
    days->held_out -= days->role[index] == DAY_HELD_OUT;
    days->role[index] = DAY_INCOMPLETE;
}

enum day_role days_role(const struct days *days, int index)
{
    return index < 0 || index >= days->count ? DAY_INCOMPLETE : (enum day_role)days->role[index];
}

int days_weekday(const struct days *days, int index)
{
    int64_t since_monday = (days->first + index + 3) % 7; /* 1970-01-01 was a Thursday */
    return (int)(since_monday < 0 ? since_monday + 7 : since_monday);
}

bool days_match(const struct days *days, int index, enum day_role role, unsigned weekdays)
{
    return days_role(days, index) == role && (weekdays >> days_weekday(days, index) & 1U);
}

int days_count(const struct days *days, enum day_role role, unsigned weekdays)
{
    int count = 0;
    for (int i = 0; i < days->count; i++)
        count += days_match(days, i, role, weekdays);
    return count;
}
