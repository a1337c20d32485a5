/* Suggestions held against the automations that Home Assistant has already: what they do is not
 * suggested again, and what gets in each other's way is named (docs/safety.md). By a replay of the
 * automations over the history, and by their triggers alone, for those that never fired in it.
 * Pure; one thread. */
#ifndef HA_AI_SUGGEST_OVERLAP_H
#define HA_AI_SUGGEST_OVERLAP_H

#include <json-c/json.h>

#include "mine/miner.h"
#include "suggest/existing.h"
#include "suggest/judge.h"

enum {
    OVERLAP_OPPOSES_MS = 10 * 60 * 1000,   /* opposite acts this near are in each other's way */
    OVERLAP_AHEAD_MS = 45 * 60 * 1000,     /* what was done so much before a time's fire is it */
    OVERLAP_STILL_MS = 6 * 60 * 60 * 1000, /* likewise before a state's, while nothing undid it */
    OVERLAP_CONFLICTS_MAX = 5,             /* of one suggestion, that are named */
    OVERLAP_EXAMPLES_MAX = 3,              /* of one conflict */
    OVERLAP_EVENTS_MAX = 500000,           /* acts of replays that are kept; later ones are lost */
    OVERLAP_CHAIN_MAX = 3, /* existing automations from a suggestion's act back to its trigger */
};
#define OVERLAP_COVERED 0.9 /* of its useful fires: it is there already */
#define OVERLAP_OPPOSED 0.2 /* of its fires, and two: that is no chance */

enum overlap_kind { OVERLAP_LOOP, OVERLAP_OPPOSES, OVERLAP_CHAIN };

struct overlap_conflict {
    const struct existing *existing;
    enum overlap_kind kind;
    bool is_from_it;     /* CHAIN: its act sets the suggestion off, not the other way round */
    int times, of_times; /* OPPOSES by replay; 0 of 0: by their triggers */
    int64_t examples_ms[OVERLAP_EXAMPLES_MAX];
    size_t example_count;
};

/* Of one candidate. */
struct overlap {
    const struct existing *covered_by; /* NULL = by none */
    struct overlap_conflict conflicts[OVERLAP_CONFLICTS_MAX];
    size_t count;
};

/* Judges what is suggested anew: what is covered becomes VERDICT_DUPLICATE. The candidates point at
 * what is found. Caller frees with overlaps_free. */
struct overlap *overlaps_find(const struct mine_input *input, const struct existing_list *existing,
                              struct judged *judged);
void overlaps_free(struct overlap *overlaps);

/* "opposes". */
const char *overlap_kind_name(enum overlap_kind kind);

/* One sentence for people: what the automation does to the suggestion. Caller frees. */
char *overlap_why(const struct overlap_conflict *conflict);

#endif
