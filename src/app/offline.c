#include "app/offline.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "core/clock.h"
#include "core/options.h"
#include "mine/conditions.h"
#include "suggest/fires.h"

int offline_wrong_use(struct error *err, const char *option, const char *got, const char *takes)
{
    return error_set(err, ERROR_INVALID, "--%s: got '%s', takes %s", option, got, takes);
}

const char *offline_environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* --- the period --- */

/* A local day's begin, or an instant. */
static int parse_moment(const char *text, const struct tz *tz, int64_t *utc_ms)
{
    int year, month, day, length = 0;
    if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &length) == 3 && length == 10 &&
        text[length] == '\0') {
        if (year < 1970 || month < 1 || month > 12)
            return -1;
        int64_t days = tz_days_from_civil(year, month, day);
        int same_year, same_month, same_day;
        tz_civil_from_days(days, &same_year, &same_month, &same_day);
        *utc_ms = tz_day_start(tz, days) * 1000;
        return same_month == month && same_day == day ? 0 : -1; /* no 31st of February */
    }
    return clock_parse_rfc3339(text, utc_ms);
}

int offline_period(const struct offline_arguments *args, const struct tz *tz, int64_t *since_ms,
                   int64_t *until_ms, struct error *err)
{
    static const char takes[] = "a day (2026-11-23) or an instant (2026-11-23T12:00:00Z)";
    *since_ms = *until_ms = 0;
    if (args->since != NULL && parse_moment(args->since, tz, since_ms) != 0)
        return offline_wrong_use(err, "since", args->since, takes);
    if (args->until != NULL && parse_moment(args->until, tz, until_ms) != 0)
        return offline_wrong_use(err, "until", args->until, takes);
    if (args->until != NULL && *until_ms <= *since_ms)
        return offline_wrong_use(err, "until", args->until, "a time after --since");
    return 0;
}

int offline_check(struct offline_arguments *args, struct error *err)
{
    double latitude, longitude, elevation_m;
    int64_t since_ms, until_ms;
    if (args->history == NULL)
        args->history = offline_environment("HISTORY");
    if (args->history == NULL)
        return error_set(err, ERROR_INVALID,
                         "--history is missing: give the path of home-assistant_v2.db");
    if (args->location != NULL &&
        options_parse_place(args->location, &latitude, &longitude, &elevation_m) != 0)
        return offline_wrong_use(err, "location", args->location, OPTIONS_PLACE_TAKES);
    struct tz *utc = tz_load("UTC", err);
    int result = offline_period(args, utc, &since_ms, &until_ms, err);
    tz_free(utc);
    return result;
}

/* --- the home --- */

struct tz *offline_zone(const struct offline_arguments *args, const struct source_place *place,
                        struct error *err)
{
    const char *where = "--timezone", *name = args->timezone;
    if (name == NULL) {
        where = ".storage/core.config";
        name = place->timezone;
    }
    if (name == NULL) {
        where = "TZ";
        name = offline_environment("TZ");
        if (name != NULL && name[0] == ':')
            name++;
    }
    if (name == NULL) {
        error_set(err, ERROR_INVALID,
                  "the home's time zone is not known: set TZ or give --timezone, as in "
                  "Europe/Berlin");
        return NULL;
    }
    struct tz *tz = tz_load(name, err);
    if (tz == NULL)
        error_prefix(err, "%s", where);
    return tz;
}

int offline_find_location(const struct offline_arguments *args, const struct source_place *place,
                          struct offline_location *out, struct error *err)
{
    const char *text = args->location;
    *out = (struct offline_location){.is_known = false};
    if (text == NULL && place->has_location) {
        *out =
            (struct offline_location){place->latitude, place->longitude, place->elevation_m, true};
        return 0;
    }
    if (text == NULL)
        text = offline_environment("LOCATION");
    if (text == NULL)
        return 0;
    if (options_parse_place(text, &out->latitude, &out->longitude, &out->elevation_m) != 0)
        return error_set(err, ERROR_INVALID, "LOCATION: got '%s', takes " OPTIONS_PLACE_TAKES,
                         text);
    out->is_known = true;
    return 0;
}

void offline_add_derived(struct timeline *timeline, const struct history *h,
                         const struct dictionary *wanted)
{
    static const char *const entities[] = {RULE_SUN_ENTITY, RULE_HOME_ENTITY};
    struct daylight daylight;
    daylight_init(&daylight, h);
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
        const struct history_entity *known = history_find_entity(h, entities[i]);
        if (dictionary_find(wanted, entities[i], strlen(entities[i])) >= 0 &&
            (known == NULL || known->rows == 0))
            fires_add_derived(timeline, h, &daylight, entities[i]);
    }
    daylight_release(&daylight);
}

/* --- the run --- */

void offline_show_progress(int percent, const char *phase, void *ctx)
{
    struct offline_progress *progress = ctx;
    percent = progress->from + percent * progress->share / 100;
    if (percent <= progress->percent)
        return;
    progress->percent = percent;
    if (progress->fd >= 0)
        dprintf(progress->fd, "%d %s\n", percent, phase);
    else if (progress->on_terminal)
        fprintf(stderr, "\r\033[K%3d %% %s", percent, phase);
}

void offline_end_progress(const struct offline_progress *progress)
{
    if (progress->on_terminal)
        fputs("\r\033[K", stderr);
}

/* Not getrusage(): its figure survives exec, so that a child would tell its parent's. */
int64_t offline_peak_rss_kb(void)
{
    char line[256];
    long long kb = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmHWM: %lld kB", &kb) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kb;
}

void offline_obey_signals(bool is_child)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    if (is_child)
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a stopped process ends too */
}

int offline_flush(void)
{
    return fflush(stdout) != 0 || ferror(stdout) ? -1 : 0;
}
