/* Miners propose habits; each is one row of a table and one file. Pure: no I/O, no clock.
 *
 * A miner is asked actor by actor; the calls may run on several threads, each with its own `out`,
 * which are joined in the actors' order: the result does not depend on threads. */
#ifndef HA_AI_MINE_MINER_H
#define HA_AI_MINE_MINER_H

#include "mine/actors.h"
#include "mine/conditions.h"
#include "mine/days.h"
#include "mine/gates.h"
#include "model/history.h"
#include "model/rule.h"

enum {
    MINE_MATCHING_DAYS_MIN = 5, /* training days that a suggestion needs */
    MINE_HELD_OUT_DAYS_MIN = 2, /* held-out days of its class */
};
#define MINE_Q_MAX 0.05

/* Of a rule that ends what was left on: what the lengths of uses tell. */
struct habit_lengths {
    bool is_of_lengths;
    bool is_meant;      /* the long uses are no lapses */
    int left_s;         /* what lasts longer was left on, what ended before was wanted until then */
    double uses_a_week; /* usual ones */
    double wrong_a_week;         /* uses that last longer than the rule waits, and are wanted */
    double saved_minutes_a_week; /* of uses left on */
};

/* How surely people choose a value. Days are those on which one is told, on the training days and
 * on the held-out ones. */
struct habit_value {
    double spread;     /* mean deviation, in the unit of the service's field */
    int days, of_days; /* on which about that was chosen */
    int held_out_days, held_out_of_days;
};

/* What a miner saw on the training days. */
struct habit {
    struct rule rule;  /* chosen from training days alone; never refitted */
    size_t actor;      /* index into actors.list */
    size_t miner;      /* index into miners; set by mine_run */
    size_t hypothesis; /* index into mined.p_values */
    double q_value;    /* set by mine_run */
    int occurrences;   /* acts that follow the rule, on training days of its class */
    int matching_days; /* training days with such an act */
    int training_days; /* training days of its class; of a state rule: with a fire that could act */
    int spread_s;      /* standard deviation of the acts around the rule's time */
    double chance_hits; /* hits per fire that its other use would give */
    int typical_second; /* local second of the day at which it happens; -1 = no particular one */
    int lag_s;          /* state rules: median from trigger to act */
    struct habit_lengths lengths;
    struct habit_value chosen[RULE_VALUES_MAX]; /* of rule.values; set by judge_run */
};

/* Where a day class is still too young to say more. */
struct learning {
    size_t actor;
    enum rule_verb verb;
    struct rule_trigger trigger; /* as far as it shows */
    unsigned weekdays;
    struct rule_condition conditions[RULE_CONDITIONS_MAX];
    size_t condition_count;
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
    uint64_t hypotheses_tested; /* classes and triggers of each family counted singly */
};

typedef void (*mine_progress_fn)(int percent, void *ctx);

struct mine_input {
    const struct history *history;
    const struct daylight *daylight;
    const struct days *days;
    const struct restarts *restarts;
    const struct actors *actors;
    const struct gates *gates; /* NULL: no rule has conditions */
    mine_progress_fn progress; /* may be NULL; called on the caller's thread */
    void *progress_ctx;
    int threads; /* 1 to PARALLEL_THREADS_MAX; 0 = parallel_default_threads() */
};

struct miner {
    const char *kind;  /* "time_of_day": the suggestion's kind */
    const char *phase; /* "looking at times of day": what a person is told meanwhile */
    unsigned actors;   /* 1 << enum actor_kind: whom it is asked about */
    /* What all actors share, once; may be NULL, may return NULL. */
    void *(*prepare)(const struct mine_input *input);
    void (*release)(void *prepared);
    /* Adds to out what one actor's acts show. */
    void (*mine)(const struct mine_input *input, const void *prepared, size_t actor,
                 struct mined *out);
    /* The share of the error budget that its hypotheses have at least; 0 = an even share of what is
     * left for each of the hypotheses. */
    double budget;
};

extern const struct miner miners[];
extern const size_t miner_count;

/* The kind of what is suggested: its miner's, or that of a form of it that has a name of its own.
 * Static. */
const char *habit_kind(const struct habit *habit);

/* Runs every miner and gives each habit its q-value: Benjamini and Hochberg's over all hypotheses,
 * weighted by the miners' budgets (Genovese, Roeder & Wasserman 2006, Biometrika 93:509), or over
 * those of its own kind when that is worse, so that many sure habits of one kind give no slack to
 * another. Release `out`. */
void mine_run(const struct mine_input *input, struct mined *out);
void mined_release(struct mined *mined);

/* For miners: one more hypothesis family; returns its index. */
size_t mined_add_p_value(struct mined *mined, double p);
void mined_add_habit(struct mined *mined, const struct habit *habit);
void mined_add_learning(struct mined *mined, const struct learning *learning);

/* The miners (one per file). */
void *time_of_day_prepare(const struct mine_input *input);
void time_of_day_release(void *prepared);
void mine_time_of_day(const struct mine_input *input, const void *prepared, size_t actor,
                      struct mined *out);
void *sun_prepare(const struct mine_input *input);
void sun_release(void *prepared);
void mine_sun(const struct mine_input *input, const void *prepared, size_t actor,
              struct mined *out);

void *sequence_prepare(const struct mine_input *input);
void sequence_release(void *prepared);
void mine_sequence(const struct mine_input *input, const void *prepared, size_t actor,
                   struct mined *out);

void *value_of_use_prepare(const struct mine_input *input);
void value_of_use_release(void *prepared);
void mine_value_of_use(const struct mine_input *input, const void *prepared, size_t actor,
                       struct mined *out);

void mine_left_on(const struct mine_input *input, const void *prepared, size_t actor,
                  struct mined *out);

#endif
