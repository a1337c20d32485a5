/* Private to suggest/overlap*.c. */
#ifndef HA_AI_SUGGEST_OVERLAP_PARTS_H
#define HA_AI_SUGGEST_OVERLAP_PARTS_H

#include "core/dictionary.h"
#include "suggest/overlap.h"

/* Something that an existing automation would have done. */
struct overlap_event {
    int64_t time_ms;
    uint32_t entity; /* index into overlap_book.entities */
    uint32_t existing;
    const struct existing_act *act;
    bool is_on; /* of ON, OFF and TOGGLE: what it came to */
    bool is_sure;
};

/* What all would have done to the entities that matter. */
struct overlap_book {
    const struct history *history;
    const struct existing_list *existing;
    struct dictionary entities;   /* what suggestions act on, with the members of groups */
    struct overlap_event *events; /* by entity, then time */
    size_t count, capacity;
};

void overlap_book_init(struct overlap_book *book, const struct mine_input *input,
                       const struct existing_list *existing, const struct judged *judged);
void overlap_book_release(struct overlap_book *book);

/* The events of an entity in [from_ms, to_ms]; NULL when there are none. */
const struct overlap_event *overlap_events(const struct overlap_book *book, const char *entity_id,
                                           int64_t from_ms, int64_t to_ms, size_t *count);

/* Whether an act does what the step does to an entity, or its opposite. is_on: what a toggle, too,
 * comes to. */
bool overlap_is_same(const struct existing_act *act, bool is_on, const struct rule_step *step);
bool overlap_is_opposite(const struct existing_act *act, bool is_on, const struct rule_step *step);

/* All steps of a rule, one by one; NULL behind the last one. delay_ms: since the fire. */
const struct rule_step *overlap_step(const struct rule *rule, size_t index, struct rule_step *first,
                                     int64_t *delay_ms);

/* By their triggers: whether an existing automation covers the rule, is_late aside; opposes it. */
bool overlap_static_covers(const struct history *h, const struct existing *existing,
                           const struct rule *rule);
bool overlap_static_opposes(const struct existing *existing, const struct rule *rule);

/* Whether the rule's acts set the automation off; the other way round; one automation the other. */
bool overlap_sets_off(const struct history *h, const struct rule *rule,
                      const struct existing *existing);
bool overlap_is_set_off(const struct existing *existing, const struct rule *rule);
bool overlap_sets_off_other(const struct existing *existing, const struct existing *other);

/* Whether the automation, set off by the rule's act, undoes it soon. */
bool overlap_undoes(const struct history *h, const struct existing *existing,
                    const struct rule *rule);

#endif
