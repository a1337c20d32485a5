/* Which habits hang on something besides their time or trigger. */
#include <math.h>
#include <stdlib.h>

#include "core/order.h"
#include "home/drawing.h"
#include "home/sun.h"
#include "home/weather.h"

enum { HOUR = 3600, SAMPLES_MAX = 400 };

/* Whether HA learns only minutes before or after it who is home: of comings and goings. */
static bool tells_who_comes(const struct home_entity *e)
{
    return e->role == HOME_ROLE_PRESENCE || e->is_front_door;
}

/* Only when that person is home: at a time at which it may be so or not. */
static void gate_by_presence(struct drawing *d, struct home_habit *h)
{
    const int p = drawing_person(d);
    if (p < 0 || d->home->people[p].workdays == 0 ||
        (h->kind == HOME_SEQUENCE && tells_who_comes(&d->home->entities[h->trigger])))
        return;
    const struct home_person *person = &d->home->people[p];
    h->gate = (struct home_gate){.kind = HOME_GATE_PRESENCE, .person = p};
    if (h->kind == HOME_TIME_OF_DAY) {
        const double hour = person->return_s / HOUR + rng_between(&d->rng, -.5, .75);
        h->at_s = floor(hour * 12) * 300;
        h->weekdays = HOME_WEEKDAYS;
    }
}

/* A habit at a time is about the dark only while the sun sets now before, now after it. */
static void gate_by_dark(struct drawing *d, struct home_habit *h)
{
    enum { LEAST_S = 25 * 60 };
    const struct home_settings *s = d->settings;
    double least = INFINITY, most = -INFINITY;
    for (int64_t day = s->first_day; day <= s->last_day && h->kind == HOME_TIME_OF_DAY; day++) {
        double utc_s;
        if (!sun_find_event(s->latitude, s->longitude, day, false, &utc_s))
            return;
        const double second = utc_s - (double)home_settings_us(s, day, 0) / 1e6;
        least = fmin(least, second);
        most = fmax(most, second);
    }
    if (h->kind == HOME_TIME_OF_DAY) {
        if (most - least < LEAST_S || most > 23 * HOUR)
            return;
        const double quarter = (most - least) / 4;
        const double at_s =
            floor(rng_between(&d->rng, least + quarter, most - quarter) / 300) * 300;
        if (at_s + 3.2 * h->sigma_s > 24 * HOUR)
            return;
        h->at_s = at_s;
    }
    h->gate = (struct home_gate){.kind = HOME_GATE_DARK};
}

/* Lux of the days, at the habit's time or through the day, in order. */
static int sample_lux(const struct drawing *d, const struct home_habit *h, uint32_t sensor,
                      double *out)
{
    enum { HOURS = 8 };
    const struct home_settings *s = d->settings;
    const int64_t days = s->last_day - s->first_day + 1;
    int count = 0;
    for (int64_t i = 0; count + HOURS <= SAMPLES_MAX && i < days; i++) {
        /* all of a short history, some days of a long one */
        const int64_t day = s->first_day + (days > 50 ? i * days / 50 : i);
        if (day > s->last_day)
            break;
        for (int k = 0; k < HOURS; k++) {
            const double at = h->kind == HOME_TIME_OF_DAY ? h->at_s : (8 + 2.0 * k) * HOUR;
            out[count++] = weather_lux(d->home, sensor, home_settings_us(s, day, at));
            if (h->kind == HOME_TIME_OF_DAY)
                break;
        }
    }
    qsort(out, (size_t)count, sizeof *out, order_double);
    return count;
}

/* 1, 2 or 5 times a power of ten: so people would say it. */
static double round_lux(double lux)
{
    const double power = pow(10, floor(log10(lux)));
    const double first = lux / power;
    return (first < 1.5 ? 1 : first < 3.5 ? 2 : first < 7.5 ? 5 : 10) * power;
}

/* A limit that is now reached and now not, on one of five occasions at least. */
static void gate_by_lux(struct drawing *d, struct home_habit *h)
{
    double samples[SAMPLES_MAX];
    int sensors = 0;
    uint32_t sensor = 0;
    for (size_t e = 0; e < d->home->entity_count; e++)
        if (d->home->entities[e].report_s > 0 &&
            rng_below(&d->rng, (uint32_t)++sensors) == 0) /* any of them */
            sensor = (uint32_t)e;
    if (sensors == 0)
        return;
    const int count = sample_lux(d, h, sensor, samples);
    const double lux = samples[(int)(rng_between(&d->rng, .35, .65) * count)];
    if (lux < 1)
        return;
    const double limit = round_lux(lux);
    if (samples[count / 5] < limit && samples[count - 1 - count / 5] > limit)
        h->gate = (struct home_gate){.kind = HOME_GATE_LUX, .entity = sensor, .lux = limit};
}

static void gate_by_mode(struct drawing *d, struct home_habit *h)
{
    if (d->home->mode_count == 0)
        return;
    const struct home_mode *mode =
        &d->home->modes[rng_below(&d->rng, (uint32_t)d->home->mode_count)];
    h->gate = (struct home_gate){.kind = HOME_GATE_MODE,
                                 .entity = mode->entity,
                                 .word = rng_chance(&d->rng, .5) ? mode->usual : mode->special};
    /* Modes are told by day. */
    if (h->kind == HOME_TIME_OF_DAY && h->at_s < 10 * HOUR)
        h->at_s += 6 * HOUR;
}

static void gate_by_window(struct drawing *d, struct home_habit *h)
{
    const double from_h = floor(rng_between(&d->rng, 7, 20) * 2) / 2;
    const double length_h = 3 + .5 * (int)rng_below(&d->rng, 11);
    h->gate = (struct home_gate){.kind = HOME_GATE_WINDOW,
                                 .from_s = from_h * HOUR,
                                 .to_s = fmod(from_h + length_h, 24) * HOUR};
}

/* Of days of the week, for what has no time of its own. */
static void gate_by_days(struct drawing *d, struct home_habit *h)
{
    h->weekdays = rng_chance(&d->rng, .65) ? HOME_WEEKDAYS : HOME_WEEKEND;
}

/* How often each gate is drawn, for habits at a time and for those after a trigger. */
static const struct {
    double timed, triggered;
    void (*draw)(struct drawing *d, struct home_habit *h);
} gates[HOME_GATE_COUNT] = {
    [HOME_UNGATED] = {.66, .43, NULL},
    [HOME_GATE_PRESENCE] = {.12, .08, gate_by_presence},
    [HOME_GATE_DARK] = {.05, .14, gate_by_dark},
    [HOME_GATE_LUX] = {.08, .10, gate_by_lux},
    [HOME_GATE_MODE] = {.09, .08, gate_by_mode},
    [HOME_GATE_WINDOW] = {0, .09, gate_by_window},
    [HOME_GATE_DAYS] = {0, .08, gate_by_days},
};

void drawing_gate(struct drawing *d, struct home_habit *h)
{
    if (h->kind != HOME_TIME_OF_DAY && h->kind != HOME_SEQUENCE)
        return;
    double weights[HOME_GATE_COUNT], total = 0;
    for (int g = 0; g < HOME_GATE_COUNT; g++) {
        const double weight = h->kind == HOME_SEQUENCE ? gates[g].triggered : gates[g].timed;
        weights[g] = d->settings->gates & 1u << g ? weight : 0;
        total += weights[g];
    }
    double u = rng_uniform(&d->rng) * total;
    for (int g = 0; g < HOME_GATE_COUNT; g++) {
        u -= weights[g];
        if (u < 0 && weights[g] > 0) {
            if (gates[g].draw != NULL)
                gates[g].draw(d, h);
            return;
        }
    }
}
