/* Miners propose habits; each is one row of a table and one file. Pure: no I/O, no clock. */
#ifndef HA_AI_MINE_MINER_H
#define HA_AI_MINE_MINER_H

#include "mine/acts.h"
#include "mine/days.h"
#include "model/history.h"
#include "model/rule.h"

enum {
    MINE_MATCHING_DAYS_MIN = 5, /* training days that a suggestion needs */
    MINE_HELD_OUT_DAYS_MIN = 2, /* held-out days of its class */
};
#define MINE_Q_MAX 0.05

/* What a miner saw on the training days. */
struct habit {
    struct rule rule;
    size_t entity;      /* index into history.entities */
    size_t hypothesis;  /* index into mined.p_values */
    double q_value;     /* set by mine_run */
    int occurrences;    /* acts near the rule's time, on training days of its class */
    int matching_days;  /* training days with such an act */
    int training_days;  /* training days of its class */
    int spread_s;       /* standard deviation of the acts around the rule's time */
    double chance_hits; /* hits a day (within 15 minutes) that its other use would give */
};

/* Where a day class is still too young to say more. */
struct learning {
    size_t entity;
    enum rule_verb verb;
    unsigned weekdays;
    int second_of_day;
    int matching_days, training_days;
    int days_missing; /* further complete days of any class until it can be suggested */
};

struct mined {
    struct habit *habits;
    size_t habit_count, habit_capacity;
    struct learning *learning;
    size_t learning_count, learning_capacity;
    double *p_values; /* one per hypothesis family: all that was looked at */
    size_t p_count, p_capacity;
    uint64_t hypotheses_tested; /* classes of each family counted singly */
    uint64_t machine_acts;      /* left out as a machine's schedule */
};

typedef void (*mine_progress_fn)(int percent, void *ctx);

struct mine_input {
    const struct history *history;
    const struct days *days;
    const struct restarts *restarts;
    mine_progress_fn progress; /* may be NULL */
    void *progress_ctx;
};

struct miner {
    const char *kind; /* "time_of_day": the suggestion's kind */
    void (*mine)(const struct mine_input *input, struct mined *out);
};

extern const struct miner miners[];
extern const size_t miner_count;

/* Runs every miner and gives each habit its q-value over all hypotheses. Release `out`. */
void mine_run(const struct mine_input *input, struct mined *out);
void mined_release(struct mined *mined);

/* For miners: one more hypothesis family; returns its index. */
size_t mined_add_p_value(struct mined *mined, double p);
void mined_add_habit(struct mined *mined, const struct habit *habit);
void mined_add_learning(struct mined *mined, const struct learning *learning);

/* The miners (one per file). */
void mine_time_of_day(const struct mine_input *input, struct mined *out);

#endif
