/* Whether it is worth while to look for conditions: most triggers of a home are followed by chance,
 * and no condition could make them a rule. */
#include <stdlib.h>

#include "core/xalloc.h"
#include "mine/gate_lights.h"
#include "mine/gate_weights.h"
#include "mine/gates.h"
#include "mine/miner.h"

#define FAIR_SHARE 0.25

struct tally {
    int n, followed;
};

static void tally_add(struct tally *tally, const struct gate_case *at)
{
    tally->n++;
    tally->followed += at->followed;
}

static bool is_fair(const struct tally *tally, int least)
{
    return tally->followed >= least && tally->followed >= FAIR_SHARE * tally->n;
}

static bool any_is_fair(const struct tally *list, size_t count, int least)
{
    for (size_t i = 0; i < count; i++)
        if (is_fair(&list[i], least))
            return true;
    return false;
}

/* Whether those from some index on are, or those up to it. */
static bool part_is_fair(const struct tally *list, size_t count)
{
    struct tally up = {0, 0}, down = {0, 0};
    for (size_t i = 0; i < count; i++) {
        up.n += list[i].n;
        up.followed += list[i].followed;
        down.n += list[count - 1 - i].n;
        down.followed += list[count - 1 - i].followed;
        if (is_fair(&up, MINE_MATCHING_DAYS_MIN) || is_fair(&down, MINE_MATCHING_DAYS_MIN))
            return true;
    }
    return false;
}

static bool light_is_worth_it(const struct gates *gates, const struct gate_question *question)
{
    size_t lights[GATES_LIGHTS_MAX], count = gate_lights_find(gates, question, lights);
    uint8_t *levels = xcalloc(question->count + 1, sizeof *levels);
    bool is = false;
    for (size_t l = 0; l < count && !is; l++) {
        struct tally tallies[GATE_LIMITS + 1] = {{0, 0}};
        gate_light_look(gates, lights[l], question, levels);
        for (size_t i = 0; i < question->count; i++)
            if (levels[i] != GATE_LEVEL_NONE)
                tally_add(&tallies[levels[i]], &question->cases[i]);
        is = part_is_fair(tallies, GATE_LIMITS + 1);
    }
    free(levels);
    return is;
}

static bool state_is_worth_it(const struct gates *gates, const struct gate_question *question)
{
    struct tally states[GATES_MAX] = {{0, 0}};
    for (size_t i = 0; i < question->count; i++)
        for (uint64_t left = question->cases[i].holds; left != 0; left &= left - 1)
            tally_add(&states[__builtin_ctzll(left)], &question->cases[i]);
    return any_is_fair(states, gates->count, MINE_MATCHING_DAYS_MIN);
}

bool gates_are_worth_it(const struct gates *gates, const struct gate_question *question)
{
    enum { PARTS = 12, RESTS = GATES_REST_COUNT + 1, PART_BINS = GATES_BIN_COUNT / PARTS };
    struct tally rests[RESTS] = {{0, 0}}, parts[PARTS] = {{0, 0}};
    int followed = 0;
    for (size_t i = 0; i < question->count; i++)
        followed += question->cases[i].followed;
    if (followed < MINE_MATCHING_DAYS_MIN)
        return false;
    for (size_t i = 0; i < question->count; i++) {
        const struct gate_case *at = &question->cases[i];
        tally_add(&rests[at->rest], at);
        tally_add(&parts[at->bin / PART_BINS], at);
    }
    return part_is_fair(rests, RESTS) || any_is_fair(parts, PARTS, MINE_MATCHING_DAYS_MIN / 2) ||
           state_is_worth_it(gates, question) || light_is_worth_it(gates, question);
}
