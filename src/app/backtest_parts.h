/* What `ha-ai backtest` works on. Private to app/backtest*.c. */
#ifndef HA_AI_APP_BACKTEST_PARTS_H
#define HA_AI_APP_BACKTEST_PARTS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/error.h"
#include "core/tz.h"
#include "replay/automation.h"
#include "suggest/hindsight.h"
#include "suggest/move.h"

enum {
    BACKTEST_AUTOMATIONS_MAX = 10000, /* in one file */
    BACKTEST_FIRES_MAX = 4000000,     /* of all that are printed */
    BACKTEST_NOTES_MAX = 200,         /* of one automation, besides its parser's own */
    BACKTEST_MOVES_MAX = 20,
};

/* An automation as it is, or moved. */
struct backtest_case {
    json_object *config;           /* owned reference */
    struct automation *automation; /* NULL: a problem, or notes, say why */
    char
        *problem; /* for which Home Assistant would refuse it, or it cannot be moved; NULL = none */
    bool is_cut;  /* it fires more often than is kept */
    struct hindsight result;
};

/* One automation of the file. */
struct backtest_entry {
    struct backtest_case base;
    struct backtest_case *variants; /* one for each move */
    size_t variant_count;
    char *id, *alias;              /* NULL = none */
    int line, column;              /* from 1; 0 = not known */
    struct automation_note *notes; /* besides the automation's own */
    size_t note_count, note_capacity;
    char **unknown; /* entities that it depends on and the history does not have */
    size_t unknown_count, unknown_capacity;
    struct hindsight_act act; /* if has_act */
    bool has_act, is_approximate;
};

struct backtest_file {
    struct backtest_entry *entries;
    size_t count, capacity;
};

/* Reads a file of automations ("-": standard input). 0, or -1 with *err: it cannot be read, is no
 * YAML, holds no automation, or none that Home Assistant would take. Release it. */
int backtest_file_read(const char *path, struct backtest_file *out, struct error *err);

/* Keeps only those of that id or alias. 0, or -1 with *err when there is none. */
int backtest_file_choose(struct backtest_file *file, const char *id_or_alias, const char *path,
                         struct error *err);

/* Gives each automation a variant by each of the moves. 0, or -1 with *err when there is a move
 * that none of them takes. */
int backtest_file_move(struct backtest_file *file, struct move *const *moves, size_t count,
                       const char *path, struct error *err);
void backtest_file_release(struct backtest_file *file);
void backtest_entry_release(struct backtest_entry *entry);

/* Adds a note at the entry itself. */
void backtest_entry_note(struct backtest_entry *entry, const char *what, const char *effect);

/* Its notes of both kinds, one after the other; NULL behind the last one. */
const struct automation_note *backtest_entry_get_note(const struct backtest_entry *entry,
                                                      size_t index);

/* Whether something of it could not be replayed. */
bool backtest_case_is_partial(const struct backtest_entry *entry, const struct backtest_case *one);

struct backtest_report {
    const struct tz *tz;
    int64_t from_ms, to_ms; /* of the states replayed on */
    size_t days;            /* complete ones */
    uint64_t state_changes;
    size_t entities, automations;
    struct move *const *moves; /* borrowed */
    bool has_timing;
    int64_t read_ms, replay_ms, total_ms, peak_rss_kb; /* set before end() */
};

/* Prints one automation after the other, so that no more than one result is held. */
struct backtest_printer {
    void (*begin)(const struct backtest_report *report, FILE *out);
    void (*entry)(const struct backtest_report *report, const struct backtest_entry *entry,
                  size_t index, FILE *out);
    void (*end)(const struct backtest_report *report, FILE *out);
};

extern const struct backtest_printer backtest_json, backtest_text;

#endif
