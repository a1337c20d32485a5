/* The result of a back-test as a person reads it on a terminal: a table of many automations, or all
 * about one. */
#include <inttypes.h>
#include <string.h>

#include "app/backtest_parts.h"
#include "core/text.h"
#include "core/tz.h"

enum { NAME_SIZE = 256 };
enum { FIRES_SHOWN = 10, CELL_WIDTH = 11, DAYS_A_WEEK = 7, UNKNOWN_SHOWN = 10 };

static const char *const outcomes[] = {
    [BACKTEST_HIT] = "hit", [BACKTEST_IDLE] = "idle", [BACKTEST_MISS] = "miss"};
static const char *const causes[] = {[CAUSE_PERSON] = "a person in Home Assistant",
                                     [CAUSE_PHYSICAL] = "a switch",
                                     [CAUSE_AUTOMATION] = "an automation"};

static void copy_name(char out[NAME_SIZE], const struct backtest_entry *entry)
{
    const char *name = entry->alias != NULL ? entry->alias
                       : entry->id != NULL  ? entry->id
                                            : "without a name";
    text_copy_shown(out, NAME_SIZE, name);
}

static const char *plural(int64_t count)
{
    return count == 1 ? "" : "s";
}

static void print_day(int64_t day, FILE *out)
{
    int year, month, day_of_month;
    tz_civil_from_days(day, &year, &month, &day_of_month);
    fprintf(out, "%04d-%02d-%02d", year, month, day_of_month);
}

static int64_t local_day(const struct backtest_report *report, int64_t time_ms)
{
    struct tz_local local;
    tz_to_local(report->tz, time_ms / 1000, &local);
    return local.day;
}

/* --- what was not replayed --- */

static void print_notes(const struct backtest_entry *entry, int indent, FILE *out)
{
    const struct automation_note *note;
    if (entry->base.problem != NULL)
        fprintf(out, "%*s! Home Assistant would refuse it: %s\n", indent, "", entry->base.problem);
    for (size_t i = 0; (note = backtest_entry_get_note(entry, i)) != NULL; i++) {
        fprintf(out, "%*s! not replayed: ", indent, "");
        if (note->path[0] != '\0')
            fprintf(out, "%s, ", note->path);
        if (note->line > 0)
            fprintf(out, "line %d, column %d: ", note->line, note->column);
        fprintf(out, "%s (%s)\n", note->what, note->effect);
    }
    for (size_t i = 0; i < entry->unknown_count && i < UNKNOWN_SHOWN; i++)
        fprintf(out, "%*s! %s has no state in this history: as if it did not exist\n", indent, "",
                entry->unknown[i]);
    if (entry->unknown_count > UNKNOWN_SHOWN)
        fprintf(out, "%*s! nor have %zu more\n", indent, "", entry->unknown_count - UNKNOWN_SHOWN);
    if (entry->is_approximate)
        fprintf(out, "%*s! numbers are five-minute means: a fire may be missing or too many\n",
                indent, "");
}

/* --- tables --- */

static const char table_head[] = "  fires    hits    idle  misses   right   wrong    left  ";

static void print_row(const struct backtest_case *one, const char *name, FILE *out)
{
    const struct hindsight *h = &one->result;
    if (one->automation == NULL)
        fprintf(out, "%7s %7s %7s %7s %7s %7s %7s  %s\n", "-", "-", "-", "-", "-", "-", "-", name);
    else if (!h->is_judged)
        fprintf(out, "%7zu %7s %7s %7s %7s %7s %7s  %s\n", h->fire_count, "-", "-", "-", "-", "-",
                "-", name);
    else
        fprintf(out, "%7zu %7d %7d %7d %7d %7d %7zu  %s\n", h->fire_count, h->hits, h->idle,
                h->misses, h->right, h->wrong, h->uncovered, name);
}

static void print_variants(const struct backtest_report *report, const struct backtest_entry *entry,
                           FILE *out)
{
    for (size_t i = 0; i < entry->variant_count; i++) {
        print_row(&entry->variants[i], move_text(report->moves[i]), out);
        if (entry->variants[i].problem != NULL)
            fprintf(out, "%*s! %s\n", (int)sizeof table_head - 1, "", entry->variants[i].problem);
    }
}

/* --- all about one --- */

static void print_act(const struct backtest_entry *entry, FILE *out)
{
    const struct hindsight *h = &entry->base.result;
    if (!entry->has_act) {
        fputs("   Nothing that it switches can be held against what people did.\n", out);
        return;
    }
    fprintf(out, "   It would %s", rule_verbs[entry->act.verb].phrase);
    for (size_t i = 0; i < entry->act.count; i++)
        fprintf(out, "%s %s", i > 0 ? "," : "", entry->act.entity_ids[i]);
    if (!h->is_judged) {
        fputs(": not in this history, so nobody can tell whether that was wanted.\n", out);
        return;
    }
    fprintf(out,
            ".\n   %d hit%s (people did the same about then), %d idle (it was so already), %d "
            "miss%s.\n",
            h->hits, plural(h->hits), h->idle, h->misses, h->misses == 1 ? "" : "es");
    fprintf(out, "   By occasion: %d right, %d wrong.\n", h->right, h->wrong);
    fprintf(out, "   People did it %zu time%s, %zu of them near no fire.\n", h->acts,
            plural((int64_t)h->acts), h->uncovered);
    fputs("   Who did it in all:", out);
    for (int cause = 0; cause < HINDSIGHT_CAUSES; cause++)
        fprintf(out, "%s %s %zu", cause > 0 ? "," : "", causes[cause], h->who[cause]);
    fputs(".\n", out);
}

/* "+2 o1 -1 ?1", as far as there is something. */
static void print_cell(const struct hindsight *h, const struct hindsight_day *day, int *blank,
                       FILE *out)
{
    char text[80] = "";
    size_t length = 0;
    const struct {
        char mark;
        int count;
    } parts[] = {{'+', day->hits}, {'o', day->idle}, {'-', day->misses}, {'?', day->uncovered}};
    for (size_t i = 0; h->is_judged && i < sizeof parts / sizeof *parts; i++)
        if (parts[i].count > 0)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%c%d",
                                       length > 0 ? " " : "", parts[i].mark, parts[i].count);
    if (!h->is_judged && day->fires > 0)
        length = (size_t)snprintf(text, sizeof text, "%d", day->fires);
    if (length == 0)
        snprintf(text, sizeof text, "%s", day->is_complete ? "." : "");
    *blank += 1 + CELL_WIDTH;
    if (text[0] == '\0')
        return;
    fprintf(out, "%*s", *blank, text);
    *blank = 0;
}

static void print_calendar(const struct hindsight *h, FILE *out)
{
    static const char *const weekdays[DAYS_A_WEEK] = {"Mon", "Tue", "Wed", "Thu",
                                                      "Fri", "Sat", "Sun"};
    int64_t weekday = ((h->first_day + 3) % DAYS_A_WEEK + DAYS_A_WEEK) % DAYS_A_WEEK;
    fputs(h->is_judged ? "\n   Day by day: + hit, o idle, - miss, ? people did it near no fire"
                       : "\n   Fires, day by day",
          out);
    fputs("; . none\n   week of   ", out);
    for (int i = 0; i < DAYS_A_WEEK; i++)
        fprintf(out, " %*s", CELL_WIDTH, weekdays[i]);
    static const struct hindsight_day none;
    int blank = 0;
    for (int64_t i = -weekday; i < (int64_t)h->day_count; i++) {
        if ((i + weekday) % DAYS_A_WEEK == 0) {
            fputs("\n   ", out);
            print_day(h->first_day + i, out);
            blank = 0;
        }
        print_cell(h, i < 0 ? &none : &h->days[i], &blank, out);
    }
    fputc('\n', out);
}

static void print_last_fires(const struct backtest_report *report,
                             const struct backtest_entry *entry, FILE *out)
{
    const struct hindsight *h = &entry->base.result;
    size_t first = h->fire_count > FIRES_SHOWN ? h->fire_count - FIRES_SHOWN : 0;
    if (h->fire_count > 0)
        fprintf(out, "\n   %s%s:\n", first > 0 ? "The last fires" : "Fires",
                first > 0 ? " (--format json has all)" : "");
    for (size_t i = first; i < h->fire_count; i++) {
        const struct hindsight_fire *fire = &h->fires[i];
        struct tz_local local;
        char id[NAME_SIZE];
        tz_to_local(report->tz, fire->time_ms / 1000, &local);
        text_copy_shown(id, sizeof id,
                        automation_trigger_id(entry->base.automation, fire->trigger));
        fputs("   ", out);
        print_day(local.day, out);
        fprintf(out, " %02d:%02d:%02d  trigger %s", local.hour, local.minute, local.second, id);
        if (h->is_judged)
            fprintf(out, "  %s", outcomes[fire->outcome]);
        if (fire->has_by)
            fprintf(out, ", by %s", causes[fire->by]);
        fprintf(out, "%s\n", fire->is_approximate ? " (approximate)" : "");
    }
}

static void print_alone(const struct backtest_report *report, const struct backtest_entry *entry,
                        FILE *out)
{
    const struct hindsight *h = &entry->base.result;
    char name[NAME_SIZE];
    copy_name(name, entry);
    fprintf(out, "\n%s: ", name);
    if (entry->base.automation == NULL)
        fputs("not replayed.\n", out);
    else
        fprintf(out, "it would have run %zu time%s.\n", h->fire_count,
                plural((int64_t)h->fire_count));
    print_notes(entry, 3, out);
    if (entry->base.automation == NULL)
        return;
    print_act(entry, out);
    print_calendar(h, out);
    print_last_fires(report, entry, out);
    if (entry->variant_count > 0) {
        fprintf(out, "\n%s(left: what people did near no fire)\n", table_head);
        print_row(&entry->base, "as it is", out);
        print_variants(report, entry, out);
    }
}

/* --- the whole --- */

static void begin(const struct backtest_report *report, FILE *out)
{
    fprintf(out, "%zu complete day%s from ", report->days, plural((int64_t)report->days));
    print_day(local_day(report, report->from_ms), out);
    fputs(" to ", out);
    print_day(local_day(report, report->to_ms), out);
    fprintf(out, " (%s), %" PRIu64 " states of %zu entities.\n", tz_name(report->tz),
            report->state_changes, report->entities);
    if (report->automations > 1)
        fprintf(out,
                "hit: people did the same about then; idle: it was so already; miss: neither.\n"
                "right and wrong count occasions; left: what people did near no fire.\n\n"
                "%sautomation\n",
                table_head);
}

static void print_entry(const struct backtest_report *report, const struct backtest_entry *entry,
                        size_t index, FILE *out)
{
    (void)index;
    if (report->automations == 1) {
        print_alone(report, entry, out);
        return;
    }
    char name[NAME_SIZE];
    copy_name(name, entry);
    print_row(&entry->base, name, out);
    print_notes(entry, (int)sizeof table_head - 1, out);
    print_variants(report, entry, out);
}

static void end(const struct backtest_report *report, FILE *out)
{
    if (report->automations > 1)
        fputs("\n--automation NAME tells more about one of them.\n", out);
    if (report->has_timing)
        fprintf(out,
                "\nRead in %" PRId64 " ms, replayed in %" PRId64 " ms, %" PRId64
                " ms in all; peak memory %" PRId64 " kB.\n",
                report->read_ms, report->replay_ms, report->total_ms, report->peak_rss_kb);
}

const struct backtest_printer backtest_text = {begin, print_entry, end};
