/* What a rule may hang on besides its trigger: the predicates of a home (it is dark, somebody is
 * home, a mode, ...), and which of them, if any, tell on which occasions people follow.
 * docs/miner.md, "Conditions", says how one is told from chance. Pure. */
#ifndef HA_AI_MINE_GATES_H
#define HA_AI_MINE_GATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mine/actors.h"
#include "mine/conditions.h"
#include "mine/days.h"
#include "model/history.h"
#include "model/rule.h"

/* From robust to fragile: of what tells the same, the earlier kind stays. */
enum gate_kind {
    GATE_SUN,      /* it is dark, or it is not */
    GATE_DAYS,     /* weekdays, the weekend */
    GATE_PRESENCE, /* a person is home or not, somebody, nobody */
    GATE_MODE,     /* an entity of few states that change slowly is in one of them */
    GATE_HELPER,   /* an input_boolean is on, or off: a mode, but often a device as well */
    GATE_REST,     /* the trigger's entity was at rest before, for so long */
    GATE_LIGHT,    /* a light sensor is below or above a limit */
    GATE_WINDOW,   /* between two times of day */
    GATE_KIND_COUNT
};

enum {
    GATES_MAX = 64,           /* predicates of the first five kinds; more are not looked at */
    GATES_PERSONS_MAX = 8,    /* likewise, people */
    GATES_LIGHTS_MAX = 4,     /* light sensors looked at for one rule: those nearby first */
    GATES_REST_STEP_S = 1800, /* rests are told by the half hour, */
    GATES_REST_COUNT = 16,    /* up to eight hours */
    GATES_BIN_S = 1800,       /* windows begin and end at half hours */
    GATES_BIN_COUNT = 86400 / GATES_BIN_S,
    GATES_CHOSEN_MAX = 2, /* conditions of one rule, days and rest among them */
};

/* Odds, before looking, that a trigger's or a time's rule has any condition; and the share of the
 * error budget that rules with some have. */
#define GATES_ODDS 0.2

/* Split among the kinds: each kind's odds, which are split among all that is looked at of it. */
extern const double gates_odds[GATE_KIND_COUNT];

struct gate {
    enum gate_kind kind;
    struct rule_condition condition; /* SUN, PRESENCE, MODE, HELPER, LIGHT, WINDOW */
    unsigned weekdays;               /* DAYS */
    int level;                       /* REST: 0..GATES_REST_COUNT-1; LIGHT: of the limit */
    int bit;                         /* of the first five kinds: index into gates.list */
    size_t entity; /* index into history.entities whose state or number it is; SIZE_MAX = none */
    /* Of the first five kinds: when it begins and ceases to hold, from "does not" on; UTC ms. */
    int64_t *toggle_ms;
    size_t toggle_count, toggle_capacity;
};

/* A home's. Bit i of a set is list[i]. */
struct gates {
    const struct history *history; /* borrowed */
    const struct days *days;       /* borrowed */
    struct gate list[GATES_MAX];
    size_t count;
    size_t of_kind[GATE_KIND_COUNT]; /* how many are looked at: what each of them pays for */
    size_t *lights;                  /* indices into history.entities */
    uint8_t **levels; /* by light: of each of its means, how many limits are not above it */
    size_t light_count, light_capacity;
    bool *away; /* by day: nobody did anything */
};

/* Looks only at training days: a predicate counts that held, and did not, at some time on at least
 * five of them. Borrows the rest; release. */
void gates_init(struct gates *gates, const struct history *h, const struct daylight *daylight,
                const struct days *days, const struct actors *actors);
void gates_release(struct gates *gates);

/* The set of the predicates that hold at each of some times (UTC ms, sorted). */
void gates_mark(const struct gates *gates, const int64_t *time_ms, size_t count, uint64_t *holds);

/* Seconds of a rest, by level: half an hour is 0. */
int gates_rest_s(int level);

/* How many of them are not longer than so many ms. */
uint8_t gates_rest_level(int64_t rest_ms);

/* A time at which a rule could act. */
struct gate_case {
    int64_t time_ms; /* UTC */
    int day;         /* index into days */
    uint64_t holds;
    uint8_t rest; /* gates_rest_level() of the trigger's entity */
    uint8_t bin;  /* of the local time of day */
    bool followed;
    int fires; /* of the trigger, within minutes: what follows one leaves the others wrong */
};

struct gate_question {
    const struct gate_case *cases; /* in time order */
    size_t count;
    unsigned kinds;         /* 1 << enum gate_kind: what may be a condition here */
    size_t trigger, target; /* entities whose own state is no condition; SIZE_MAX = none */
    double usual;           /* share of the occasions that the device's other use would follow */
    double precision_min;   /* of the fires: with fewer followed the rule is no help */
    const double *odds; /* by kind, before looking: gates_odds, or what the question's rules have */
};

/* A rule's conditions, none or some. */
struct gate_choice {
    struct gate gates[GATES_CHOSEN_MAX]; /* without toggles */
    size_t count;
    double gain;  /* ln of the odds against the rule without them, their prior paid */
    double share; /* of the error budget: what a p-value is to be divided by; 1 without any */
};

/* The conditions that tell best which cases are followed; none when they do not tell more than they
 * pay for. */
void gates_choose(const struct gates *gates, const struct gate_question *question,
                  struct gate_choice *out);

/* Whether there could be any at all: some predicate with which the rule would be right on a fair
 * share of so many cases as MINE_MATCHING_DAYS_MIN. Cheap; hardly ever false for what would be
 * chosen.
 */
bool gates_are_worth_it(const struct gates *gates, const struct gate_question *question);

/* Whether all that was chosen holds at a case. */
bool gates_hold(const struct gates *gates, const struct gate_choice *choice,
                const struct gate_case *at);

/* Writes them into a rule. */
void gates_write(const struct gate_choice *choice, struct rule *rule);

#endif
