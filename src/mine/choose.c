/* Bayes' rule for two explanations of the same acts: each is fitted to all of them on the training
 * days, on its own dial and with the same few parameters, so that their likelihoods compare as they
 * are. The held-out days then refute the one that predicts them worse (prequential evidence: Dawid
 * 1984, JRSS A 147:278-292); they move no time. */
#include "mine/choose.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/xalloc.h"
#include "mine/dial.h"
#include "mine/time_fit.h"

/* People live by the clock rather than by the sun, two to one, and that may rise or set. */
#define LOG_FOUR 1.3862943611198906
static const double log_priors[DIAL_COUNT] = {[DIAL_CLOCK] = LOG_FOUR};
/* Two habits are about the same acts when this share of the smaller one's is the other's, too. */
#define OVERLAP_MIN 0.5

struct chooser {
    const struct mine_input *input;
    const struct mined *mined;
    struct dial dials[DIAL_COUNT];
    bool has_dial[DIAL_COUNT];
};

/* Two habits of the same acts; log_odds are those of the first. */
struct pair {
    size_t first, second;
    double log_odds;
};

/* A habit with the acts of its actor and verb placed on its dial. */
struct side {
    const struct dial *dial;
    enum dial_kind kind;
    int center, reach_s;
    unsigned weekdays;
    struct acts acts;
};

static void side_init(struct side *side, const struct chooser *chooser, const struct habit *habit)
{
    *side =
        (struct side){.weekdays = habit->rule.weekdays, .reach_s = time_fit_reach(habit->spread_s)};
    side->kind = dial_of_trigger(&habit->rule.trigger, &side->center);
    side->dial = &chooser->dials[side->kind];
    const struct actor *actor = &chooser->input->actors->list[habit->actor];
    dial_place_acts(side->dial, &actor->acts[habit->rule.verb], &side->acts);
}

/* Whether a training or held-out day's act is one of the habit's. */
static bool side_holds(const struct side *side, size_t act, enum day_role *role)
{
    int offset;
    int day = acts_day_near(&side->acts.list[act], side->center, &offset);
    *role = days_role(&side->dial->days, day);
    return abs(offset) <= side->reach_s && *role != DAY_INCOMPLETE &&
           days_match(&side->dial->days, day, *role, side->weekdays);
}

/* ln of the density of the chosen acts: those of training days under this side's best fit to them,
 * those of held-out days as that fit predicts them. On days that are not of its class they are
 * other use. */
static double side_evidence(const struct side *side, const bool *chosen)
{
    double *times = xcalloc(side->acts.count, sizeof *times), sum = 0;
    size_t count = 0, first_held_out = side->acts.count;
    for (size_t i = 0; i < side->acts.count; i++) {
        int offset;
        int day = acts_day_near(&side->acts.list[i], side->center, &offset);
        enum day_role role = days_role(&side->dial->days, day);
        if (!chosen[i])
            continue;
        if (!days_match(&side->dial->days, day, role, side->weekdays)) {
            sum += time_fit_log_floor();
            continue;
        }
        if (role == DAY_HELD_OUT && count < first_held_out)
            first_held_out = count; /* they come last */
        times[count++] = side->center + offset;
    }
    size_t training = count < first_held_out ? count : first_held_out;
    struct time_fit fit = time_fit_run(times, training, side->center);
    for (size_t i = 0; i < count; i++)
        sum += time_fit_log_density(&fit, times[i]);
    free(times);
    return sum;
}

/* False when they are not about the same acts. */
static bool compare_sides(const struct side *first, const struct side *second, double *log_odds)
{
    size_t count = first->acts.count, held_first = 0, held_second = 0, both = 0;
    bool *chosen = xcalloc(count, sizeof *chosen);
    for (size_t i = 0; i < count; i++) {
        enum day_role role_first, role_second;
        bool by_first = side_holds(first, i, &role_first);
        bool by_second = side_holds(second, i, &role_second);
        chosen[i] = by_first || by_second;
        if ((by_first ? role_first : role_second) != DAY_TRAINING)
            continue;
        held_first += by_first;
        held_second += by_second;
        both += by_first && by_second;
    }
    size_t smaller = held_first < held_second ? held_first : held_second;
    bool overlap = both > 0 && (double)both >= OVERLAP_MIN * (double)smaller;
    if (overlap)
        *log_odds = side_evidence(first, chosen) + log_priors[first->kind] -
                    side_evidence(second, chosen) - log_priors[second->kind];
    free(chosen);
    return overlap;
}

static bool is_candidate(const struct chooser *chooser, const struct habit *habit)
{
    int second;
    enum dial_kind kind = dial_of_trigger(&habit->rule.trigger, &second);
    return kind != DIAL_COUNT && chooser->has_dial[kind] && habit->q_value <= MINE_Q_MAX;
}

/* Whether they are of one actor and verb, and follow different dials. */
static bool are_rivals(const struct habit *a, const struct habit *b)
{
    int second;
    return a->actor == b->actor && a->rule.verb == b->rule.verb &&
           dial_of_trigger(&a->rule.trigger, &second) != dial_of_trigger(&b->rule.trigger, &second);
}

static struct pair *find_pairs(const struct chooser *chooser, size_t *count)
{
    const struct mined *mined = chooser->mined;
    struct pair *pairs = NULL;
    size_t capacity = 0;
    *count = 0;
    for (size_t i = 0; i < mined->habit_count; i++)
        for (size_t k = i + 1; k < mined->habit_count; k++) {
            const struct habit *a = &mined->habits[i], *b = &mined->habits[k];
            if (!are_rivals(a, b) || !is_candidate(chooser, a) || !is_candidate(chooser, b))
                continue;
            struct side first, second;
            struct pair pair = {.first = i, .second = k};
            side_init(&first, chooser, a);
            side_init(&second, chooser, b);
            if (compare_sides(&first, &second, &pair.log_odds)) {
                pairs = grow_array(pairs, *count, &capacity, sizeof *pairs);
                pairs[(*count)++] = pair;
            }
            acts_release(&first.acts);
            acts_release(&second.acts);
        }
    return pairs;
}

/* The clearest first. */
static int compare_pairs(const void *left, const void *right)
{
    const struct pair *a = left, *b = right;
    if (fabs(a->log_odds) != fabs(b->log_odds))
        return fabs(a->log_odds) > fabs(b->log_odds) ? -1 : 1;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return (a->second > b->second) - (a->second < b->second);
}

static double probability(double log_odds)
{
    return 1 / (1 + exp(-log_odds));
}

/* Remembers the rival that comes nearest, or that won. */
static void choice_note(struct choice *choice, size_t rival, double log_odds)
{
    double posterior = probability(log_odds);
    if (choice->rival != SIZE_MAX && posterior >= choice->posterior)
        return;
    choice->rival = rival;
    choice->posterior = posterior;
}

/* A rule of the sun must also be more probable than the clock where no habit of the clock is
 * proven: of three dials one is narrow by luck more easily than one of one. */
static void challenge_by_clock(const struct chooser *chooser, const struct habit *habit,
                               struct choice *choice)
{
    struct habit clock = *habit;
    clock.rule.trigger = dial_trigger(&chooser->dials[DIAL_CLOCK], habit->typical_second);
    clock.spread_s = TIME_FIT_SPREAD_MAX_S;
    struct side first, second;
    double log_odds = 0;
    side_init(&first, chooser, habit);
    side_init(&second, chooser, &clock);
    if (compare_sides(&first, &second, &log_odds)) {
        choice->dropped = log_odds <= 0;
        choice->posterior = probability(log_odds);
    }
    acts_release(&first.acts);
    acts_release(&second.acts);
}

void choose_clock_or_sun(const struct mine_input *input, const struct mined *mined,
                         struct choice *out)
{
    struct chooser chooser = {.input = input, .mined = mined};
    for (int kind = 0; kind < DIAL_COUNT; kind++) {
        chooser.has_dial[kind] = kind == DIAL_CLOCK || input->history->has_location;
        if (chooser.has_dial[kind])
            dial_init(&chooser.dials[kind], (enum dial_kind)kind, input->history, input->days);
    }
    for (size_t i = 0; i < mined->habit_count; i++)
        out[i] = (struct choice){.rival = SIZE_MAX, .posterior = 1};
    size_t count;
    struct pair *pairs = find_pairs(&chooser, &count);
    if (count > 0)
        qsort(pairs, count, sizeof *pairs, compare_pairs);
    for (size_t i = 0; i < count; i++) {
        bool first_wins = pairs[i].log_odds > 0;
        size_t winner = first_wins ? pairs[i].first : pairs[i].second;
        size_t loser = first_wins ? pairs[i].second : pairs[i].first;
        if (out[winner].dropped || out[loser].dropped)
            continue;
        choice_note(&out[winner], loser, fabs(pairs[i].log_odds));
        choice_note(&out[loser], winner, -fabs(pairs[i].log_odds));
        out[loser].dropped = true;
    }
    free(pairs);
    for (size_t i = 0; i < mined->habit_count; i++)
        if (out[i].rival == SIZE_MAX && is_candidate(&chooser, &mined->habits[i]) &&
            mined->habits[i].rule.trigger.kind == RULE_TRIGGER_SUN)
            challenge_by_clock(&chooser, &mined->habits[i], &out[i]);
    for (int kind = 0; kind < DIAL_COUNT; kind++)
        if (chooser.has_dial[kind])
            dial_release(&chooser.dials[kind]);
}
