/* What the reviews of deployed automations propose, as suggestions: another time, condition or
 * value in the place of one ("refines" in its content), or its end ("retires"). docs/life.md tells
 * it to people. */
#ifndef HA_AI_STORE_PROPOSAL_H
#define HA_AI_STORE_PROPOSAL_H

#include "store/life.h"

enum proposal_part {
    PROPOSAL_NONE,    /* an ordinary suggestion, or one whose proposal is carried out: it is the
                         automation now */
    PROPOSAL_REFINES, /* would take another one's place, or was not wanted to */
    PROPOSAL_RETIRES, /* would end another one, or did */
};
enum proposal_part proposal_part_of(const struct suggestion *suggestion);

/* The id of the suggestion that it refines or retires, borrowed; NULL = neither. */
const char *proposal_base(const struct suggestion *suggestion);
bool proposal_retires(const struct suggestion *suggestion);

/* Calls take for each of the "reviews" of an analysis (may be NULL) whose suggestion is known; all
 * borrowed. -1 when take says so, or the database. */
typedef int (*review_fn)(const struct suggestion *suggestion, json_object *review, void *ctx,
                         struct error *err);
int reviews_each(struct store *store, json_object *reviews, review_fn take, void *ctx,
                 struct error *err);

/* Takes the reviews of an analysis into the suggestions: a deployed one keeps its
 * newest review (without log and proposal) as "review" in its content; what the review proposes
 * becomes, or renews, a suggestion that waits; what no review proposes any more expires. Appends
 * the contents of new ones to `created`, the events of steps to `steps`, both arrays. Joins the
 * caller's transaction. suggestions_merge_analysis does it first: what it finds of the same habit
 * is then the proposal's. */
int proposals_merge(struct store *store, json_object *reviews, int64_t now_ms, json_object *created,
                    json_object *steps, struct error *err);

/* Whether it may be carried out: -1 ERROR_INVALID when what it is about is not ours and deployed
 * any more. 0 for what is no proposal. */
int proposal_check(struct store *store, const struct suggestion *suggestion, struct error *err);

/* What is approved about this one, retires: its retirement alone. 1 = *out (may be NULL) is the
 * caller's to release, 0 = none, -1. */
int proposal_find_approved(struct store *store, const char *base, bool retires,
                           struct suggestion *out, struct error *err);

#endif
