/* How rules that are on trial, or deployed, did: what people did about their fires, and whether
 * that speaks for another time, another condition or value, or for their end. docs/miner.md,
 * "Reviews", says how a change is told from chance. Pure and deterministic. */
#ifndef HA_AI_SUGGEST_REVIEW_H
#define HA_AI_SUGGEST_REVIEW_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "mine/miner.h"

enum {
    REVIEW_RULES_MAX = 500,
    REVIEW_ID_MAX = 255,
    REVIEW_LOG_MAX = 50,       /* the newest fires that are told */
    REVIEW_FIRES_MAX = 20000,  /* of one rule, since then: the newest ones */
    REVIEW_FILE_MAX = 64 << 20 /* bytes of a file of known rules */
};

enum review_state { REVIEW_TRYING, REVIEW_DEPLOYED, REVIEW_EDITED, REVIEW_STATE_COUNT };

/* A rule that the store knows. All is borrowed from review_list.known. */
struct review_rule {
    const char *id;
    enum review_state state;
    int64_t since_ms;        /* UTC */
    int64_t until_ms;        /* of a trial; INT64_MAX = no end yet */
    json_object *automation; /* in Home Assistant's form */
    json_object *suggestion; /* what analyze said of it; NULL = not known */
};

struct review_list {
    json_object *known; /* owned reference */
    struct review_rule *list;
    size_t count;
};

/* Reads {"rules": [...]} (docs/analyze-format.md, "Known rules"). 0, or -1 with *err, which names
 * the rule and what is wrong with it. Release `out` in either case. */
int review_list_parse(json_object *known, struct review_list *out, struct error *err);
void review_list_release(struct review_list *list);

/* The array "reviews", in the order of the list; caller's. */
json_object *review_run(const struct mine_input *input, const struct review_list *list);

#endif
