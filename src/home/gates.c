#include "home/gates.h"

#include "home/readings.h"
#include "home/rng.h"
#include "home/streams.h"
#include "home/weather.h"

/* --- Modes */

int gates_find_spans(const struct today *today, size_t mode, struct mode_span *out)
{
    const struct home_mode *m = &today->home->modes[mode];
    const bool selects = today->home->entities[m->entity].domain == HOME_INPUT_SELECT;
    struct rng rng;
    int count = 0;
    rng_init(&rng, today->home->seed, STREAM_MODES, mode, today->local_day);
    double free_from_s = 7.0 * HOUR_S;
    for (int i = 0; i < GATES_SPANS_MAX; i++) {
        const bool happens = rng_chance(&rng, i == 0 ? m->chance : .25);
        const double begin_s = rng_between(&rng, 7, 20) * HOUR_S;
        const double length_s = rng_lognormal(&rng, 6 * HOUR_S, .4);
        const bool special = !selects || rng_chance(&rng, .85);
        const int32_t other = 1 + (int32_t)rng_below(&rng, HOME_OPTION_COUNT - 1);
        const double end_s = begin_s + length_s < 26 * HOUR_S ? begin_s + length_s : 26 * HOUR_S;
        if (!happens || begin_s < free_from_s || today->is_holiday)
            continue;
        free_from_s = end_s + HOUR_S;
        out[count++] = (struct mode_span){today_us(today, begin_s), today_us(today, end_s),
                                          special ? m->special : other};
    }
    return count;
}

static int32_t word_in(const struct today *today, size_t mode, int64_t time_us, int32_t word)
{
    struct mode_span spans[GATES_SPANS_MAX];
    for (int n = gates_find_spans(today, mode, spans); n > 0; n--)
        if (time_us >= spans[n - 1].from_us && time_us < spans[n - 1].to_us)
            word = spans[n - 1].word;
    return word;
}

/* Today's word, or that of yesterday evening which goes on after midnight. */
static int32_t mode_word(const struct today *today, uint32_t entity, int64_t time_us)
{
    size_t mode = 0;
    while (today->home->modes[mode].entity != entity)
        mode++;
    const struct today before =
        today_of(today->home, today->tz, today->local_day - 1, today->wishes);
    const int32_t usual = today->home->modes[mode].usual;
    return word_in(today, mode, time_us, word_in(&before, mode, time_us, usual));
}

static void tell_mode(struct today *today, uint32_t entity, int32_t word, int64_t time_us,
                      uint8_t person)
{
    today_add_wish(today, &(struct home_wish){.time_us = time_us,
                                              .entity = entity,
                                              .value = word,
                                              .level = HOME_NO_LEVEL,
                                              .habit = -1,
                                              .kind = WISH_SET,
                                              .cause = HOME_BY_PERSON,
                                              .person = person});
}

void gates_collect_modes(struct today *today)
{
    for (size_t m = 0; m < today->home->mode_count; m++) {
        const struct home_mode *mode = &today->home->modes[m];
        const uint8_t person = (uint8_t)(m % (size_t)today->home->people_count);
        struct mode_span spans[GATES_SPANS_MAX];
        const int count = gates_find_spans(today, m, spans);
        for (int i = 0; i < count; i++) {
            tell_mode(today, mode->entity, spans[i].word, spans[i].from_us, person);
            tell_mode(today, mode->entity, mode->usual, spans[i].to_us, person);
        }
    }
}

/* --- Gates */

static bool is_within(const struct today *today, const struct home_gate *gate, int64_t time_us)
{
    struct tz_local local;
    tz_to_local(today->tz, time_us / SECOND_US, &local);
    const double s = local.second_of_day;
    return gate->from_s < gate->to_s ? s >= gate->from_s && s < gate->to_s
                                     : s >= gate->from_s || s < gate->to_s;
}

bool gate_is_seen_open(const struct today *today, const struct home_habit *habit, int64_t time_us)
{
    const struct home_gate *gate = &habit->gate;
    switch (gate->kind) {
    case HOME_GATE_PRESENCE:
        return today_is_seen_home(today, gate->person, time_us);
    case HOME_GATE_LUX:
        return readings_told_lux(today, gate->entity, time_us) < gate->lux;
    default:
        return gate_is_open(today, habit, time_us);
    }
}

bool gate_is_open(const struct today *today, const struct home_habit *habit, int64_t time_us)
{
    const struct home_gate *gate = &habit->gate;
    switch (gate->kind) {
    case HOME_GATE_PRESENCE:
        return today_is_home(today, gate->person, time_us);
    case HOME_GATE_DARK:
        return today_is_dark(today, time_us);
    case HOME_GATE_LUX:
        return weather_lux(today->home, gate->entity, time_us) < gate->lux;
    case HOME_GATE_MODE:
        return mode_word(today, gate->entity, time_us) == gate->word;
    case HOME_GATE_WINDOW:
        return is_within(today, gate, time_us);
    case HOME_UNGATED:
    case HOME_GATE_DAYS:
    case HOME_GATE_COUNT:
        break;
    }
    return true;
}
