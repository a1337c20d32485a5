/* What is out of the ordinary at the end of a history: events to be told, not automations. Pure and
 * deterministic. */
#ifndef HA_AI_SUGGEST_ANOMALY_H
#define HA_AI_SUGGEST_ANOMALY_H

#include <json-c/json.h>

#include "mine/miner.h"
#include "suggest/judge.h"

enum anomaly_kind {
    ANOMALY_OPEN_AT_NIGHT, /* a door or window, for longer than in any night before */
    ANOMALY_LEFT_ON,       /* for longer than ever */
    ANOMALY_UNLOCKED,      /* or a garage open: likewise */
    ANOMALY_HABIT_MISSED,  /* what nearly always happens at a time did not the last time */
    ANOMALY_SENSOR_SILENT, /* a detector that always had something to tell */
    ANOMALY_KIND_COUNT,
};
extern const char *const anomaly_kinds[ANOMALY_KIND_COUNT]; /* "open_at_night": the JSON's words */

/* False anomalies that a day may bring if everything is as usual, by our reckoning: one in two
 * weeks. Homes have fewer, for it leaves room for what is not known, and only what is well beyond
 * all that ever was is told (docs/accuracy.md). Each kind but missed habits has a share of it, and
 * each thing that is looked at an even share of its kind's. */
#define ANOMALY_A_DAY (1.0 / 14)
/* What a habit's being missed has at most as its probability. */
#define ANOMALY_MISSED_MAX 0.05

enum { ANOMALY_TOLD_MAX = 20 }; /* the most improbable ones */

struct anomaly {
    enum anomaly_kind kind;
    size_t entity;    /* index into history.entities; of a habit: its first target */
    int64_t since_ms; /* UTC: when it went to that state, was silent; the day on which it was first
                         missed */
    double probability; /* that a day brings as much, as usual */
    double threshold;   /* what it had to be below */
    const char *state;  /* of a spell: the state's word, borrowed */
    int64_t lasted_ms;  /* of a spell, up to its end or the history's; of silence */
    bool is_over;       /* a spell that ended by now */
    double usual_s;     /* of a spell: median of the others, */
    double longest_s;   /* and the longest; of a night, in one; of silence, the longest pause */
    int others;         /* of a spell: how many others there were */
    int days;           /* nights or days that were compared with; complete ones */
    int hits;           /* of these, with the act, or something told */
    int missed;         /* days without since then; of silence 0 */
    double usual_count; /* of silence: what it tells in such a time */
    const struct candidate *candidate; /* of a habit: borrowed from judged */
};

struct anomalies {
    struct anomaly *list; /* most improbable first */
    size_t count, capacity;
};

/* Looks at all entities, and at the habits that are suggested. Release `out`. */
void anomalies_find(const struct mine_input *input, const struct judged *judged,
                    struct anomalies *out);
void anomalies_release(struct anomalies *anomalies);

/* The array of docs/analyze-format.md. Caller puts it. */
json_object *anomalies_write(const struct mine_input *input, const struct anomalies *anomalies);

#endif
