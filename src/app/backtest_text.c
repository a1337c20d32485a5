/* The result of a back-test as a person reads it on a terminal. */
#include "app/backtest_parts.h"

static void begin(const struct backtest_report *report, FILE *out)
{
    fprintf(out, "%zu complete days (%s)\n", report->days, tz_name(report->tz));
}

static void print_entry(const struct backtest_report *report, const struct backtest_entry *entry,
                        size_t index, FILE *out)
{
    (void)report, (void)index;
    fprintf(out, "%s: %zu fires\n", entry->alias ? entry->alias : "?", entry->result.fire_count);
}

static void end(const struct backtest_report *report, FILE *out)
{
    (void)report, (void)out;
}

const struct backtest_printer backtest_text = {begin, print_entry, end};
