/* The sentences. Numbers and dates only as measured. */
#include "suggest/wording.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/tz.h"
#include "core/xalloc.h"

enum { LONGEST_WEEKS = 100 }; /* what is rarer is told as such */

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

/* Bytes of the blank or control character that begins here; 0 when it is another one. */
static size_t blank_bytes(const unsigned char *text)
{
    if (text[0] != '\0' && (text[0] <= ' ' || text[0] == 0x7f))
        return 1;
    return text[0] == 0xc2 && text[1] >= 0x80 && text[1] <= 0xa0 ? 2 : 0;
}

/* A name as a part of a sentence: on one line, without what steers a terminal, single blanks
 * between its words. */
static char *clean_name(const char *name)
{
    char *text = xstrdup(name);
    size_t kept = 0;
    for (const unsigned char *at = (const unsigned char *)name; *at != '\0';) {
        size_t blank = blank_bytes(at);
        at += blank;
        if (blank == 0)
            text[kept++] = (char)*at++;
        else if (kept > 0 && *at != '\0' && blank_bytes(at) == 0)
            text[kept++] = ' ';
    }
    text[kept] = '\0';
    for (char *p = text; *p != '\0'; p++) { /* it may come into an automation: no template there */
        *p = *p == '{' ? '(' : *p;
        *p = *p == '}' ? ')' : *p;
    }
    text[fitting_bytes(text, WORDING_NAME_MAX)] = '\0';
    return text;
}

char *wording_device(const struct history_entity *entity)
{
    char *name = clean_name(entity->name != NULL ? entity->name : "");
    char *area = clean_name(entity->area != NULL ? entity->area : "");
    if (name[0] == '\0') {
        free(name);
        name = clean_name(entity->entity_id);
    }
    if (area[0] != '\0' && !contains(name, area)) {
        char *both = xasprintf("%s (%s)", name, area);
        free(name);
        name = both;
    }
    free(area);
    return name;
}

/* "on weekdays", "every day", "at weekends", "on Tuesdays". */
static const char *format_day_class(unsigned weekdays)
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

static const char *plural(int count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

static const char *first_id(const struct history *h, const struct actor *actor)
{
    return h->entities[actor->entities[0]].entity_id;
}

/* A device, or of a group "Lamp A, Lamp B and Lamp C". */
static char *format_actor(const struct history *h, const struct actor *actor)
{
    size_t shown = actor->count <= WORDING_MEMBERS_MAX ? actor->count : WORDING_MEMBERS_MAX - 1;
    char *text = wording_device(&h->entities[actor->entities[0]]);
    for (size_t i = 1; i < shown; i++) {
        char *device = wording_device(&h->entities[actor->entities[i]]);
        char *longer = xasprintf("%s%s%s", text, i + 1 == actor->count ? " and " : ", ", device);
        free(device);
        free(text);
        text = longer;
    }
    if (shown < actor->count) {
        char *longer = xasprintf("%s and %zu more", text, actor->count - shown);
        free(text);
        text = longer;
    }
    return text;
}

static char *format_time(int second_of_day)
{
    return xasprintf("%02d:%02d", second_of_day / 3600 % 24, second_of_day / 60 % 60);
}

/* "20 minutes", "1 hour", "2 hours and 5 minutes". */
static char *format_duration(int seconds)
{
    int hours = (seconds + 30) / 3600, minutes = (seconds + 30) / 60 % 60;
    if (hours == 0)
        return xasprintf("%d %s", minutes, plural(minutes, "minute", "minutes"));
    if (minutes == 0)
        return xasprintf("%d %s", hours, plural(hours, "hour", "hours"));
    return xasprintf("%d %s and %d %s", hours, plural(hours, "hour", "hours"), minutes,
                     plural(minutes, "minute", "minutes"));
}

/* "20 minutes before sunset", "sunrise". */
static char *format_sun(const struct rule_trigger *trigger)
{
    static const char *const events[RULE_SUN_EVENT_COUNT] = {
        [RULE_SUNRISE] = "sunrise", [RULE_SUNSET] = "sunset"};
    const char *event = events[trigger->event];
    if (abs(trigger->second) < 30)
        return xstrdup(event);
    char *offset = format_duration(abs(trigger->second));
    char *text = xasprintf("%s %s %s", offset, trigger->second < 0 ? "before" : "after", event);
    free(offset);
    return text;
}

/* What is done to an entity, and was done. */
static const char *verb_phrase(const char *entity_id, enum rule_verb verb)
{
    return rule_is_scene(entity_id)  ? "activate scene"
           : rule_is_lock(entity_id) ? "lock"
                                     : rule_verbs[verb].phrase;
}

static const char *verb_past(const char *entity_id, enum rule_verb verb)
{
    return rule_is_scene(entity_id)  ? "activated scene"
           : rule_is_lock(entity_id) ? "locked"
                                     : rule_verbs[verb].past;
}

/* What an entity's going into a state is called: of these domains (NULL = of all). */
static const struct entry_phrase {
    const char *domain, *state, *present, *past;
} entry_phrases[] = {
    {"person", "home", "comes home", "came home"},
    {"person", "not_home", "leaves home", "left home"},
    {"device_tracker", "home", "comes home", "came home"},
    {"device_tracker", "not_home", "leaves home", "left home"},
    {"cover", "open", "opens", "opened"},
    {"cover", "closed", "closes", "closed"},
    {"lock", "locked", "is locked", "was locked"},
    {"lock", "unlocked", "is unlocked", "was unlocked"},
    {"media_player", "playing", "starts to play", "started to play"},
    {"media_player", "paused", "is paused", "was paused"},
    {"vacuum", "docked", "is docked", "was docked"},
    {NULL, "on", "turns on", "turned on"},
    {NULL, "off", "turns off", "turned off"},
};

/* "Hall motion turns on", "Ada came home". */
static char *format_entry(const struct history *h, const struct rule_trigger *trigger, bool is_past)
{
    const struct history_entity *entity = history_find_entity(h, trigger->entity_id);
    char *device = entity != NULL ? wording_device(entity) : xstrdup(trigger->entity_id);
    size_t domain = strcspn(trigger->entity_id, ".");
    char *text = NULL;
    for (size_t i = 0; i < sizeof entry_phrases / sizeof *entry_phrases && text == NULL; i++) {
        const struct entry_phrase *row = &entry_phrases[i];
        if ((row->domain == NULL || (strlen(row->domain) == domain &&
                                     memcmp(row->domain, trigger->entity_id, domain) == 0)) &&
            strcmp(row->state, trigger->to) == 0)
            text = xasprintf("%s %s", device, is_past ? row->past : row->present);
    }
    if (text == NULL)
        text = xasprintf("%s %s to \"%.*s\"", device, is_past ? "changed" : "changes",
                         fitting_bytes(trigger->to, WORDING_NAME_MAX), trigger->to);
    free(device);
    return text;
}

/* What `text` says and what follows, which may be NULL; frees both. */
static char *join(char *text, const char *between, char *more)
{
    if (more == NULL)
        return text;
    char *both = xasprintf("%s%s%s", text, between, more);
    free(text);
    free(more);
    return both;
}

static char *format_entity(const struct history *h, const char *entity_id)
{
    const struct history_entity *entity = history_find_entity(h, entity_id);
    return entity != NULL ? wording_device(entity) : xstrdup(entity_id);
}

/* "... after 4 hours of rest"; frees the text. */
static char *join_rest(char *text, const struct rule_trigger *trigger)
{
    if (trigger->quiet_s == 0)
        return text;
    return join(text, " after ", join(format_duration(trigger->quiet_s), "", xstrdup(" of rest")));
}

/* "when Hall motion turns on", "when Lamp has been on for 20 minutes". */
static char *format_state_trigger(const struct history *h, const struct rule_trigger *trigger)
{
    if (trigger->for_s > 0) {
        char *device = format_entity(h, trigger->entity_id);
        char *duration = format_duration(trigger->for_s);
        char *text = xasprintf("when %s has been %.*s for %s", device,
                               fitting_bytes(trigger->to, WORDING_NAME_MAX), trigger->to, duration);
        free(duration);
        free(device);
        return text;
    }
    char *entry = format_entry(h, trigger, false);
    char *text = xasprintf("when %s", entry);
    free(entry);
    return join_rest(text, trigger);
}

/* "at 07:00 on weekdays", "at sunset every day", "when Hall motion turns on". */
static char *format_when(const struct history *h, const struct rule_trigger *trigger,
                         unsigned weekdays)
{
    const char *days = format_day_class(weekdays);
    char *part, *text = NULL;
    switch (trigger->kind) {
    case RULE_TRIGGER_TIME:
        part = format_time(trigger->second);
        text = xasprintf("at %s %s", part, days);
        break;
    case RULE_TRIGGER_SUN:
        part = format_sun(trigger);
        text = xasprintf("%s%s %s", abs(trigger->second) < 30 ? "at " : "", part, days);
        break;
    case RULE_TRIGGER_STATE:
    default:
        part = format_state_trigger(h, trigger);
        text = weekdays == RULE_EVERY_DAY ? xstrdup(part) : xasprintf("%s %s", part, days);
        break;
    }
    free(part);
    return text;
}

/* What an entity's being in a state is called: of these domains (NULL = of all). */
static const struct state_phrase {
    const char *domain, *state, *phrase;
    bool is_whole; /* says all: the entity's name is not told */
} state_phrases[] = {
    {"sun", RULE_DARK, "it is dark", true},
    {"sun", RULE_DAYLIGHT, "it is light outside", true},
    {"person", "home", "is home", false},
    {"person", "not_home", "is not home", false},
    {"device_tracker", "home", "is home", false},
    {"device_tracker", "not_home", "is not home", false},
    {NULL, "on", "is on", false},
    {NULL, "off", "is off", false},
};

static char *format_state_condition(const struct history *h, const struct rule_condition *condition)
{
    size_t domain = strcspn(condition->entity_id, ".");
    char *device = format_entity(h, condition->entity_id), *text = NULL;
    for (size_t i = 0; i < sizeof state_phrases / sizeof *state_phrases && text == NULL; i++) {
        const struct state_phrase *row = &state_phrases[i];
        if ((row->domain == NULL || (strlen(row->domain) == domain &&
                                     memcmp(row->domain, condition->entity_id, domain) == 0)) &&
            strcmp(row->state, condition->state) == 0)
            text = row->is_whole ? xstrdup(row->phrase) : xasprintf("%s %s", device, row->phrase);
    }
    if (text == NULL)
        text = xasprintf("%s is \"%.*s\"", device,
                         fitting_bytes(condition->state, WORDING_NAME_MAX), condition->state);
    free(device);
    return text;
}

/* Of how many are home: "nobody is home", "somebody is home". */
static char *format_people(const struct rule_condition *condition)
{
    const char *side = condition->kind == RULE_WHEN_BELOW ? "below" : "above";
    if (condition->kind == RULE_WHEN_BELOW && condition->limit <= 1)
        return xstrdup("nobody is home");
    if (condition->kind == RULE_WHEN_ABOVE && condition->limit < 1)
        return xstrdup("somebody is home");
    return xasprintf("the number of people at home is %s %.10g", side, condition->limit);
}

/* "it is dark", "Ada is home", "Hall light level is below 40", "it is between 18:00 and 23:30". */
static char *format_condition(const struct history *h, const struct rule_condition *condition)
{
    char *first, *second, *text;
    switch (condition->kind) {
    case RULE_WHEN_STATE:
        return format_state_condition(h, condition);
    case RULE_WHEN_TIME:
        first = format_time(condition->from_s);
        second = format_time(condition->to_s);
        text = xasprintf("it is between %s and %s", first, second);
        free(second);
        break;
    case RULE_WHEN_BELOW:
    case RULE_WHEN_ABOVE:
    default:
        if (strcmp(condition->entity_id, RULE_HOME_ENTITY) == 0)
            return format_people(condition);
        first = format_entity(h, condition->entity_id);
        text = xasprintf("%s is %s %.10g", first,
                         condition->kind == RULE_WHEN_BELOW ? "below" : "above", condition->limit);
        break;
    }
    free(first);
    return text;
}

char *wording_conditions(const struct history *h, const struct rule *rule)
{
    char *text = NULL;
    for (size_t i = 0; i < rule->condition_count; i++) {
        char *one = format_condition(h, &rule->conditions[i]);
        text = text == NULL ? one : join(text, " and ", one);
    }
    return text;
}

/* "21.5°", "30 %". */
static char *format_value(const struct rule_value *value)
{
    const struct rule_attribute_row *row = &rule_attributes[value->attribute];
    return xasprintf("%.10g%s", value->value * row->shown, row->unit);
}

/* "to 21.5°", "at 30 %"; NULL = nothing is set. */
static char *format_values(const struct rule_step *step)
{
    char *text = NULL;
    for (size_t i = 0; i < step->value_count; i++) {
        char *one = format_value(&step->values[i]);
        text = text == NULL ? join(xstrdup(step->verb == RULE_SET ? "to " : "at "), "", one)
                            : join(text, " and ", one);
    }
    return text;
}

/* "turn on Lamp at 30 %": what a step does to the devices so called; frees them. */
static char *format_act(const struct rule_step *step, char *devices)
{
    char *text = join(xasprintf("%s ", verb_phrase(step->entity_ids[0], step->verb)), "", devices);
    return join(text, " ", format_values(step));
}

/* "Radio and 2 more". */
static char *format_targets(const struct history *h, const struct rule_step *step)
{
    char *devices = format_entity(h, step->entity_ids[0]);
    if (step->entity_count > 1)
        devices = join(devices, "", xasprintf(" and %zu more", step->entity_count - 1));
    return devices;
}

/* "turn on B, then after 2 minutes turn off C": NULL when nothing follows. */
static char *format_steps(const struct history *h, const struct rule *rule)
{
    char *text = NULL;
    for (size_t i = 0; i < rule->step_count; i++) {
        const struct rule_step *step = &rule->steps[i];
        char *one = format_act(step, format_targets(h, step));
        if (step->delay_s > 0)
            one = join(join(xstrdup("after "), "", format_duration(step->delay_s)), " ", one);
        text = text == NULL ? one : join(text, ", then ", one);
    }
    return text;
}

/* "when Hall motion turns on, if it is dark": all that tells when. */
static char *format_whole_when(const struct history *h, const struct rule *rule)
{
    return join(format_when(h, &rule->trigger, rule->weekdays), ", if ",
                wording_conditions(h, rule));
}

/* Of values and steps, what a title shows: of steps that take more than the room, how many. */
static char *format_rest(const struct history *h, const struct rule *rule, size_t room)
{
    const struct rule_step first = rule_first_step(rule);
    char *values = format_values(&first), *steps = format_steps(h, rule);
    if (steps != NULL && strlen(steps) > room) {
        free(steps);
        steps = xasprintf("%zu more %s", rule->step_count,
                          plural((int)rule->step_count, "step", "steps"));
    }
    char *rest = values == NULL ? xstrdup("") : join(xstrdup(" "), "", values);
    return join(rest, ", then ", steps);
}

char *wording_title(const struct history *h, const struct actor *actor, const struct rule *rule)
{
    const char *phrase = verb_phrase(first_id(h, actor), rule->verb);
    char *device = format_actor(h, actor), *when = format_whole_when(h, rule);
    /* long names must not take the place of what tells when */
    size_t own = strlen(phrase) + 2 + strlen(when);
    size_t name = strnlen(device, WORDING_NAME_MAX) + own + strlen(", then ");
    char *rest = format_rest(h, rule, name < WORDING_TITLE_MAX ? WORDING_TITLE_MAX - name : 0);
    size_t other = own + strlen(rest);
    bool is_short = other + WORDING_NAME_MAX <= WORDING_TITLE_MAX;
    int bytes = fitting_bytes(device, is_short ? WORDING_TITLE_MAX - other : WORDING_NAME_MAX);
    char *title = xasprintf("%s %.*s%s %s", phrase, bytes, device, rest, when);
    title[0] = (char)toupper((unsigned char)title[0]);
    title[fitting_bytes(title, WORDING_TITLE_MAX)] = '\0';
    free(rest);
    free(device);
    free(when);
    return title;
}

char *wording_unique_title(const char *title, const char *mark)
{
    size_t room = strlen(mark) + 3;
    int bytes = fitting_bytes(title, room < WORDING_TITLE_MAX ? WORDING_TITLE_MAX - room : 0);
    char *text = xasprintf("%.*s [%s]", bytes, title, mark);
    text[fitting_bytes(text, WORDING_TITLE_MAX)] = '\0';
    return text;
}

/* A local day, since 1970-01-01. */
static char *format_day(int64_t local_day)
{
    static const char *const months[] = {"January",   "February", "March",    "April",
                                         "May",       "June",     "July",     "August",
                                         "September", "October",  "November", "December"};
    int year, month, day;
    tz_civil_from_days(local_day, &year, &month, &day);
    return xasprintf("%d %s %d", day, months[month - 1], year);
}

static char *format_date(const struct days *days, int index)
{
    return format_day(days->first + index);
}

char *wording_duration(int seconds)
{
    return format_duration(seconds);
}

char *wording_moment(const struct tz *tz, int64_t time_ms)
{
    struct tz_local local;
    tz_to_local(tz, time_ms / 1000, &local);
    return join(format_time(local.second_of_day), " on ", format_day(local.day));
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

/* "Someone turned on Lamp around 07:00 (give or take 4 minutes) on weekdays: on 20 of 22 weekdays
 * from … to …." */
static char *explain_time(const char *device, const struct habit *habit, const char *trained)
{
    const struct rule *rule = &habit->rule;
    char *at = rule->trigger.kind == RULE_TRIGGER_SUN ? format_sun(&rule->trigger)
                                                      : format_time(rule->trigger.second);
    int spread = (habit->spread_s + 30) / 60;
    bool is_bound = rule->condition_count > 0;
    char *text =
        xasprintf("Someone %s %s around %s (give or take %d %s) %s: on %d of %s%d %s%s from "
                  "%s.",
                  verb_past(rule->entity_ids[0], rule->verb), device, at, spread,
                  plural(spread, "minute", "minutes"), format_day_class(rule->weekdays),
                  habit->matching_days, is_bound ? "the " : "", habit->training_days,
                  class_days(rule->weekdays, habit->training_days),
                  is_bound ? " on which the condition held," : "", trained);
    free(at);
    return text;
}

/* "20 seconds", "5 minutes". */
static char *format_lag(int seconds)
{
    if (seconds >= 90)
        return format_duration(seconds);
    return xasprintf("%d %s", seconds, plural(seconds, "second", "seconds"));
}

/* "When Hall motion turned on, someone turned on Lamp, typically 20 seconds later: on …." */
static char *explain_state(const struct history *h, const char *device, const struct habit *habit,
                           const char *trained)
{
    const struct rule *rule = &habit->rule;
    char *entry = join_rest(format_entry(h, &rule->trigger, true), &rule->trigger);
    char *later = format_lag(habit->lag_s < 1 ? 1 : habit->lag_s);
    char *text =
        xasprintf("When %s%s%s, someone %s %s, typically %s later: on %d of the %d %s on "
                  "which that could be, from %s.",
                  entry, rule->weekdays == RULE_EVERY_DAY ? "" : " ",
                  rule->weekdays == RULE_EVERY_DAY ? "" : format_day_class(rule->weekdays),
                  verb_past(rule->entity_ids[0], rule->verb), device, later, habit->matching_days,
                  habit->training_days, plural(habit->training_days, "day", "days"), trained);
    free(entry);
    free(later);
    return text;
}

/* "about once in 20 weeks", "about 3 times a week". */
static char *format_rate(double a_week)
{
    if (a_week >= 1.5)
        return xasprintf("about %.0f times a week", a_week);
    if (a_week >= 0.75)
        return xstrdup("about once a week");
    if (a_week * LONGEST_WEEKS < 1)
        return xasprintf("less than once in %d weeks", LONGEST_WEEKS);
    return xasprintf("about once in %.0f weeks", 1 / a_week);
}

/* "Half of the uses of Lamp end within 20 minutes, but on 4 of 20 days it was left on …." */
static char *explain_lengths(const char *device, const struct habit *habit, const char *trained)
{
    const struct habit_lengths *lengths = &habit->lengths;
    char *usual = format_duration(habit->lag_s < 60 ? 60 : habit->lag_s);
    char *left = format_duration(lengths->left_s);
    char *wait = format_duration(habit->rule.trigger.for_s);
    char *wrong = format_rate(lengths->wrong_a_week);
    char *saved = format_duration((int)(lengths->saved_minutes_a_week * 60));
    char *text = xasprintf(
        "Half of the uses of %s end within %s, but on %d of %d days with one, from %s, it was left "
        "on for longer than %s. To turn it off after %s would cut short a use that is still wanted "
        "%s, and save %s a week.",
        device, usual, habit->matching_days, habit->training_days, trained, left, wait, wrong,
        saved);
    free(saved);
    free(wrong);
    free(wait);
    free(left);
    free(usual);
    return text;
}

/* "this rule would have run 7 times: 6 uses were left on for longer than an hour, 1 was still
 * wanted." */
static char *explain_uses(const struct habit *habit, const struct backtest *held_out)
{
    char *left = format_duration(habit->lengths.left_s);
    char *idle =
        held_out->idle == 0 ? xstrdup("") : xasprintf(" Of %d nobody knows.", held_out->idle);
    char *text = xasprintf(
        "this rule would have run %d %s: %d %s left on for longer than %s, %d %s still wanted.%s",
        held_out->fires, plural(held_out->fires, "time", "times"), held_out->hits,
        plural(held_out->hits, "use was", "uses were"), left, held_out->misses,
        plural(held_out->misses, "was", "were"), idle);
    free(idle);
    free(left);
    return text;
}

/* "this rule would have run 7 times: 6 were what someone did within 15 minutes anyway, …." Of a
 * scene nobody can tell whether it is on. */
static char *explain_fires(const struct actor *actor, const struct rule *rule,
                           const struct backtest *held_out)
{
    char *idle =
        rule_is_scene(actor->entity_ids[0])
            ? xstrdup("")
            : xasprintf(
                  "%d found %s already %s, ", held_out->idle, actor->count == 1 ? "it" : "them",
                  rule->verb == RULE_SET ? "so" : rule_state_of(rule->verb, actor->entity_ids[0]));
    char *text =
        xasprintf("this rule would have run %d %s: %d %s what someone did within %d "
                  "minutes anyway, %s%d %s not wanted.",
                  held_out->fires, plural(held_out->fires, "time", "times"), held_out->hits,
                  plural(held_out->hits, "was", "were"), BACKTEST_HIT_MS / 60000, idle,
                  held_out->misses, plural(held_out->misses, "was", "were"));
    free(idle);
    return text;
}

/* "this rule would have acted on 7 occasions: 6 were what someone did within 5 minutes anyway, …."
 */
static char *explain_occasions(const struct backtest *held_out)
{
    int occasions = held_out->right + held_out->wrong;
    return xasprintf(
        "this rule would have acted on %d %s: %d %s what someone did within %d minutes "
        "anyway, %d %s not wanted.",
        occasions, plural(occasions, "occasion", "occasions"), held_out->right,
        plural(held_out->right, "was", "were"), BACKTEST_STATE_MS / 60000, held_out->wrong,
        plural(held_out->wrong, "was", "were"));
}

/* "Then someone turned on Radio, typically 12 seconds later (19 of 20 times), and …." */
static char *explain_steps(const struct history *h, const struct rule *rule,
                           const struct chain *chain)
{
    char *text = xstrdup("Then someone ");
    for (size_t i = 0; i < rule->step_count; i++) {
        const struct chain_act *act = &chain->acts[i + 1];
        char *device = format_targets(h, &rule->steps[i]);
        char *later = act->pause_s < 1
                          ? xstrdup("at about the same time")
                          : join(xstrdup("typically "), "",
                                 join(format_lag(act->pause_s), " ", xstrdup("later")));
        text = join(text, i == 0 ? "" : ", and ",
                    xasprintf("%s %s, %s (%d of %d times)",
                              verb_past(rule->steps[i].entity_ids[0], rule->steps[i].verb), device,
                              later, act->done, act->could));
        free(later);
        free(device);
    }
    return join(text, "", xstrdup("."));
}

/* "this rule would have acted on 7 occasions: on 6 someone did all of it anyway, on 1 not all of it
 * was wanted." */
static char *explain_whole(const struct chain *chain)
{
    const struct backtest *b = &chain->held_out;
    int occasions = b->right + b->wrong;
    return xasprintf("this rule would have acted on %d %s: on %d someone did all of it anyway, "
                     "on %d not all of it was wanted.",
                     occasions, plural(occasions, "occasion", "occasions"), b->right, b->wrong);
}

static char *explain_fires_of(const struct actor *actor, const struct rule *rule,
                              const struct backtest *held_out)
{
    return rule->trigger.kind == RULE_TRIGGER_STATE ? explain_occasions(held_out)
                                                    : explain_fires(actor, rule, held_out);
}

/* "On the days kept back to check it, 12 May 2026 to …, this rule would have run …."; frees what
 * was tried. */
static char *explain_test(const struct days *days, char *tried)
{
    char *tested = format_range(days, DAY_HELD_OUT);
    char *text = join(xasprintf("On the days kept back to check it, %s", tested), ", ", tried);
    free(tested);
    return text;
}

/* "On 17 of the 18 days on which a brightness was told it was 40 % (give or take 2)."; NULL = no
 * value goes with it. */
static char *explain_values(const struct habit *habit)
{
    char *text = NULL;
    for (size_t i = 0; i < habit->rule.value_count && habit->rule.verb != RULE_SET; i++) {
        const struct rule_value *value = &habit->rule.values[i];
        const struct rule_attribute_row *row = &rule_attributes[value->attribute];
        const struct habit_value *chosen = &habit->chosen[i];
        char *is = format_value(value);
        char *one =
            xasprintf("On %d of the %d %s on which a %s was told, it was %s (give or take %.2g).",
                      chosen->days, chosen->of_days, plural(chosen->of_days, "day", "days"),
                      row->noun, is, chosen->spread * row->shown);
        text = text == NULL ? one : join(text, " ", one);
        free(is);
    }
    return text;
}

/* What was seen, `more` about it (may be NULL), which it frees, and what must hold. */
static char *explain_seen(const struct history *h, const struct actor *actor,
                          const struct habit *habit, const struct days *days, bool is_open,
                          char *more)
{
    const struct rule_step first = rule_first_step(&habit->rule);
    char *device = join(format_actor(h, actor), " ", format_values(&first));
    char *trained = format_range(days, DAY_TRAINING),
         *seen = habit->lengths.is_of_lengths ? explain_lengths(device, habit, trained)
                 : habit->rule.trigger.kind == RULE_TRIGGER_STATE
                     ? explain_state(h, device, habit, trained)
                     : explain_time(device, habit, trained);
    seen = join(join(seen, " ", explain_values(habit)), " ", more);
    if (habit->rule.condition_count > 0)
        seen = join(seen, " Only if ", join(wording_conditions(h, &habit->rule), "", xstrdup(".")));
    if (is_open)
        seen = join(seen, " ",
                    xstrdup("The days cannot tell yet whether it follows the clock or "
                            "the sun."));
    free(device);
    free(trained);
    return seen;
}

char *wording_explanation(const struct history *h, const struct actor *actor,
                          const struct habit *habit, const struct days *days,
                          const struct backtest *held_out, bool is_open)
{
    char *tried = habit->lengths.is_of_lengths ? explain_uses(habit, held_out)
                                               : explain_fires_of(actor, &habit->rule, held_out);
    return join(explain_seen(h, actor, habit, days, is_open, NULL), " ", explain_test(days, tried));
}

char *wording_form(const struct actor *actor, const struct rule *rule, const struct days *days,
                   const struct backtest *held_out)
{
    return join(xstrdup("Another form of a habit. "), "",
                explain_test(days, explain_fires_of(actor, rule, held_out)));
}

char *wording_chain(const struct history *h, const struct actor *actor, const struct habit *first,
                    const struct rule *rule, const struct days *days, const struct chain *chain,
                    bool is_open)
{
    return join(explain_seen(h, actor, first, days, is_open, explain_steps(h, rule, chain)), " ",
                explain_test(days, explain_whole(chain)));
}

char *wording_learning(const struct history *h, const struct actor *actor,
                       const struct learning *learning)
{
    const struct rule_trigger *trigger = &learning->trigger;
    struct rule rule = {.condition_count = learning->condition_count};
    memcpy(rule.conditions, learning->conditions, sizeof rule.conditions);
    const struct rule_step set = {.verb = learning->verb,
                                  .values = {actor->value},
                                  .value_count = learning->verb == RULE_SET};
    char *device = join(format_actor(h, actor), " ", format_values(&set)), *part, *when;
    if (trigger->kind == RULE_TRIGGER_STATE && trigger->for_s > 0) {
        part = format_duration(trigger->for_s);
        when = xasprintf("late, after more than %s,", part);
    } else if (trigger->kind == RULE_TRIGGER_STATE) {
        part = join_rest(format_entry(h, trigger, true), trigger);
        when = xasprintf("when %s", part);
    } else {
        part =
            trigger->kind == RULE_TRIGGER_SUN ? format_sun(trigger) : format_time(trigger->second);
        when = xasprintf("around %s %s", part, format_day_class(learning->weekdays));
    }
    when = join(when, ", if ", wording_conditions(h, &rule));
    char *text = xasprintf("Someone may have a habit: %s %s %s, on %d of %d %s so far. "
                           "About %d more %s of history %s needed to prove it.",
                           verb_past(first_id(h, actor), learning->verb), device, when,
                           learning->matching_days, learning->training_days,
                           class_days(learning->weekdays, learning->training_days),
                           learning->days_missing, plural(learning->days_missing, "day", "days"),
                           plural(learning->days_missing, "is", "are"));
    free(device);
    free(part);
    free(when);
    return text;
}
