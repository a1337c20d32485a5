/* Which rules hang together, so that they may be steps of one. Pure. */
#ifndef HA_AI_SUGGEST_CHAIN_LINKS_H
#define HA_AI_SUGGEST_CHAIN_LINKS_H

#include "mine/miner.h"

#define CHAIN_LINK_P 0.05 /* over all pairs that are tested in a home */

/* A rule that stands alone. */
struct chain_part {
    const struct habit *habit;
    const size_t *acts; /* of its hits on training days: indices into its actor's acts, sorted */
    size_t act_count;
};

enum chain_link {
    CHAIN_LINK_NONE,
    CHAIN_LINK_OF_FIRE, /* it has the same trigger, a state */
    CHAIN_LINK_OF_ACT,  /* its trigger is the other one's act */
    CHAIN_LINK_BY_ACTS, /* its acts come with the other one's, whatever their triggers are */
};

/* Whether the two have a target in common. */
bool chain_shares_target(const struct rule *a, const struct rule *b);

/* Whether the rule acts on what the trigger looks at. */
bool chain_is_trigger(const struct rule *rule, const struct rule_trigger *trigger);

/* Fills in count x count links (enum chain_link), from the row's part to the column's. */
void chain_links_find(const struct mine_input *input, const struct chain_part *parts, size_t count,
                      uint8_t *links);

#endif
