/* How a suggestion's row is written: for merge.c and proposal.c alone, within their transaction. */
#ifndef HA_AI_STORE_SUGGESTION_ROW_H
#define HA_AI_STORE_SUGGESTION_ROW_H

#include "store/suggestions.h"
#include "store/when.h"

struct suggestion_row {
    const char *id, *family; /* family: of the habit, an id without "#n" */
    enum suggestion_state state;
    json_object *content;
    const char *title;
    int rank;
    const struct when *when, *said; /* it happens; it was last told so */
};

/* Inserts it, or replaces all but what its life is (life_take): when it came into its state. */
int suggestion_row_write(struct store *store, const struct suggestion_row *row, int64_t now_ms,
                         struct error *err);
/* 1 = there is such an id, 0 = none, -1. */
int suggestion_row_has_id(struct store *store, const char *id, struct error *err);
/* What is wanted, cut to SUGGESTION_TITLE_MAX between characters, with the id behind it when
 * another suggestion has that title. Caller frees; NULL with *err. */
char *suggestion_row_title(struct store *store, const char *wanted, const char *id,
                           struct error *err);
/* Room for one more of SUGGESTIONS_MAX: 1 = there is, 0 = none, -1. Those go that nobody decided on
 * and whose habit is gone, longest ago first. */
int suggestion_row_make_room(struct store *store, struct error *err);

#endif
