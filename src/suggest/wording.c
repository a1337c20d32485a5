/* The sentences. Numbers and dates only as measured. */
#include "suggest/wording.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/tz.h"
#include "core/xalloc.h"

/* Bytes of text that fit into max without cutting a UTF-8 character. */
static int fitting_bytes(const char *text, size_t max)
{
    size_t length = strnlen(text, max + 1);
    if (length <= max)
        return (int)length;
    for (length = max; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;)
        length--;
    return (int)length;
}

static bool contains(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; *text != '\0'; text++)
        if (strncasecmp(text, part, length) == 0)
            return true;
    return false;
}

char *wording_device(const struct history_entity *entity)
{
    const char *name = entity->name != NULL ? entity->name : entity->entity_id;
    int bytes = fitting_bytes(name, WORDING_NAME_MAX);
    if (entity->area == NULL || entity->area[0] == '\0' || contains(name, entity->area))
        return xasprintf("%.*s", bytes, name);
    return xasprintf("%.*s (%.*s)", bytes, name, fitting_bytes(entity->area, WORDING_NAME_MAX),
                     entity->area);
}

const char *wording_day_class(unsigned weekdays)
{
    static const char *const single[] = {"on Mondays",   "on Tuesdays", "on Wednesdays",
                                         "on Thursdays", "on Fridays",  "on Saturdays",
                                         "on Sundays"};
    if (weekdays == RULE_EVERY_DAY)
        return "every day";
    if (weekdays == RULE_WEEKDAYS)
        return "on weekdays";
    if (weekdays == RULE_WEEKEND)
        return "at weekends";
    for (int day = 0; day < 7; day++)
        if (weekdays == 1U << day)
            return single[day];
    return "on some days";
}

static char *format_time(int second_of_day)
{
    return xasprintf("%02d:%02d", second_of_day / 3600 % 24, second_of_day / 60 % 60);
}

char *wording_title(const struct history_entity *entity, enum rule_verb verb, int second_of_day,
                    unsigned weekdays)
{
    char *device = wording_device(entity);
    char *at = format_time(second_of_day);
    char *title = xasprintf("T%s %s at %s %s", rule_verbs[verb].phrase + 1, device, at,
                            wording_day_class(weekdays));
    free(device);
    free(at);
    return title;
}

static char *format_date(const struct days *days, int index)
{
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    int year, month, day;
    tz_civil_from_days(days->first + index, &year, &month, &day);
    return xasprintf("%d %s %d", day, months[month - 1], year);
}

/* First and last day of a role; -1 when there is none. */
static void role_range(const struct days *days, enum day_role role, int *first, int *last)
{
    *first = *last = -1;
    for (int i = 0; i < days->count; i++) {
        if (days_role(days, i) != role)
            continue;
        if (*first < 0)
            *first = i;
        *last = i;
    }
}

static char *format_range(const struct days *days, enum day_role role)
{
    int first, last;
    role_range(days, role, &first, &last);
    char *from = format_date(days, first), *to = format_date(days, last);
    char *text = xasprintf("%s to %s", from, to);
    free(from);
    free(to);
    return text;
}

static const char *class_days(unsigned weekdays, int count)
{
    if (weekdays == RULE_WEEKDAYS)
        return count == 1 ? "weekday" : "weekdays";
    if (weekdays == RULE_WEEKEND)
        return count == 1 ? "weekend day" : "weekend days";
    return count == 1 ? "day" : "days";
}

char *wording_explanation(const struct history_entity *entity, const struct habit *habit,
                          const struct days *days, const struct backtest *held_out)
{
    char *device = wording_device(entity);
    char *at = format_time(habit->rule.trigger.second);
    char *trained = format_range(days, DAY_TRAINING), *tested = format_range(days, DAY_HELD_OUT);
    unsigned weekdays = habit->rule.weekdays;
    int spread = (habit->spread_s + 30) / 60;
    char *text = xasprintf(
        "Someone %s %s around %s (give or take %d %s) %s: on %d of %d %s from %s. On the days kept "
        "back to check it, %s, this rule would have run %d %s: %d %s what someone did within 15 "
        "minutes anyway, %d found it already %s, %d %s not wanted.",
        rule_verbs[habit->rule.verb].past, device, at, spread, spread == 1 ? "minute" : "minutes",
        wording_day_class(weekdays), habit->matching_days, habit->training_days,
        class_days(weekdays, habit->training_days), trained, tested, held_out->fires,
        held_out->fires == 1 ? "time" : "times", held_out->hits,
        held_out->hits == 1 ? "was" : "were", held_out->idle, rule_verbs[habit->rule.verb].state,
        held_out->misses, held_out->misses == 1 ? "was" : "were");
    free(device);
    free(at);
    free(trained);
    free(tested);
    return text;
}

char *wording_learning(const struct history_entity *entity, const struct learning *learning)
{
    char *device = wording_device(entity);
    char *at = format_time(learning->trigger.second);
    char *text =
        xasprintf("Someone may have a habit: %s %s around %s %s, on %d of %d %s so far. "
                  "About %d more %s of history are needed to prove it.",
                  rule_verbs[learning->verb].past, device, at,
                  wording_day_class(learning->weekdays), learning->matching_days,
                  learning->training_days, class_days(learning->weekdays, learning->training_days),
                  learning->days_missing, learning->days_missing == 1 ? "day" : "days");
    free(device);
    free(at);
    return text;
}
