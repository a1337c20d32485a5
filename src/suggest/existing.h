/* The automations that Home Assistant has, as far as a suggestion may get in their way: what they
 * do to which entity, under which conditions, and what sets them off. Read from their configuration
 * in every spelling; each way through `choose` and `if` becomes an automation of its own that can
 * be replayed. Pure; one thread. */
#ifndef HA_AI_SUGGEST_EXISTING_H
#define HA_AI_SUGGEST_EXISTING_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "model/history.h"
#include "model/rule.h"
#include "model/timeline.h"
#include "replay/automation.h"

enum {
    EXISTING_MAX = 2000,            /* automations */
    EXISTING_BYTES_MAX = 64 * 1024, /* of one configuration, as JSON; a larger one is not read */
    EXISTING_ACTS_MAX = 500,        /* of one automation: later ones are not seen */
    EXISTING_BRANCHES_MAX = 50,     /* ways through one: likewise */
    EXISTING_TRIGGERS_MAX = 100,    /* of one, looked at without a replay: likewise */
    EXISTING_DEPTH_MAX = 12,        /* of sequences in sequences, groups in groups */
};

enum existing_effect { EXISTING_ON, EXISTING_OFF, EXISTING_TOGGLE, EXISTING_SET };

struct existing_act {
    char *entity_id;
    enum existing_effect effect; /* a lock's ON locks it; SET: a value alone */
    struct rule_value values[RULE_VALUES_MAX];
    size_t value_count;
    int64_t delay_ms; /* after the trigger */
    size_t branch;
    bool is_late; /* after a wait that may take any time */
};

/* A way through it. */
struct existing_branch {
    json_object *conditions;       /* those on the way, besides its own; [] = none */
    struct automation *automation; /* with them; NULL = cannot be replayed */
    bool is_sure;                  /* no condition of it was taken to hold */
    unsigned weekdays;             /* what time conditions leave of the week */
    bool has_more;                 /* conditions besides these */
};

enum existing_trigger_kind { EXISTING_AT, EXISTING_SUN, EXISTING_STATE };

struct existing_trigger {
    enum existing_trigger_kind kind;
    int second; /* AT: local; SUN: the offset */
    enum rule_sun_event event;
    char *entity_id; /* STATE */
    char *to;        /* NULL = any */
    int for_s;
    unsigned weekdays;
};

struct existing {
    char *id, *entity_id, *alias;  /* NULL = none */
    struct automation *automation; /* NULL: only looked at */
    bool restarts;                 /* mode: restart */
    struct existing_act *acts;
    size_t act_count, act_capacity;
    struct existing_branch *branches; /* the first one: without conditions of its own */
    size_t branch_count, branch_capacity;
    struct existing_trigger *triggers; /* those of which that can be told without a replay */
    size_t trigger_count, trigger_capacity;
    json_object *conditions; /* its own, a list */
};

/* What was read, and what of it could be used. */
struct existing_list {
    struct existing *list; /* enabled ones */
    size_t count, capacity;
    size_t read, disabled;
    size_t unreplayable;             /* enabled, but only looked at */
    size_t invalid;                  /* not even that */
    char problem[256];               /* the first of these; "" = none */
    const struct timeline *timeline; /* to replay on; NULL = none */
    json_object *scenes;             /* {"scene.x": {"light.a": "on", …}}; NULL = not known */
};

/* What names are looked up in; borrowed. */
struct existing_home {
    const struct history *history;
    const struct timeline *places; /* its places alone; NULL = none */
};

void existing_init(struct existing_list *list);
void existing_release(struct existing_list *list);

/* Adds one of the array that a person or Home Assistant gave: {"entity_id", "enabled", "config"},
 * or a bare configuration. What is no automation is counted as invalid. 0, or -1 with *err beyond
 * EXISTING_MAX. */
int existing_add(struct existing_list *list, json_object *element, const struct existing_home *home,
                 struct error *err);

/* "'Evening' (automation.evening)": fit to be shown and to stand in a description. Caller frees. */
char *existing_name(const struct existing *existing);

/* What it is called in JSON: its entity id, else its id, else its alias. Borrowed. */
const char *existing_id(const struct existing *existing);

/* Calls visit for each entity whose states a replay of them needs. */
void existing_visit_entities(const struct existing_list *list, const struct timeline *places,
                             void (*visit)(const char *entity_id, void *ctx), void *ctx);

/* ---- private to suggest/existing*.c ---- */

/* Collects what the actions do. config is one that existing_plain gave. */
void existing_read_acts(struct existing_list *list, struct existing *existing, json_object *config,
                        const struct existing_home *home);

/* Collects the triggers and the conditions' days. */
void existing_read_triggers(struct existing *existing, json_object *config);
void existing_read_days(json_object *conditions, unsigned *weekdays, bool *has_more);

/* A copy with what HA's pages write spelled out: device triggers and conditions as those of states,
 * registry ids as entity ids. NULL when it is too large. Caller puts it. */
json_object *existing_plain(json_object *config, const struct existing_home *home);

#endif
