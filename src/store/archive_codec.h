/* How the archive packs what one entity did on one UTC day (docs/archive-format.md). Pure.
 *
 * A day that may still grow is kept row for row, in order of arrival, so that what comes late finds
 * its place. A day that is over is sealed: its changes of words, and five-minute means of its
 * numbers. Each blob begins with the format's number and ends with a checksum that also covers its
 * key: damage, and a blob in a wrong place, are noticed. */
#ifndef HA_AI_STORE_ARCHIVE_CODEC_H
#define HA_AI_STORE_ARCHIVE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/history.h"

enum {
    ARCHIVE_FORMAT = 1,
    ARCHIVE_DAY_MS = 86400000,
    ARCHIVE_BUCKET_MS = 300000,
    ARCHIVE_BUCKETS = ARCHIVE_DAY_MS / ARCHIVE_BUCKET_MS,
    ARCHIVE_DAY_ROWS_MAX = 200000,    /* kept row for row; further numbers are counted only */
    ARCHIVE_DAY_SETTINGS_MAX = 20000, /* of one entity: more are left out */
    ARCHIVE_DECIMALS_MAX = 9,
    ARCHIVE_CAUSES_MAX = 8,
    ARCHIVE_MOMENT = 4,         /* with the cause: for a moment only, as a scene is activated */
    ARCHIVE_OWN_WORDS_MAX = 64, /* of one entity, besides the fixed ones; more: free text */
    ARCHIVE_WORDS_MAX = 5 + ARCHIVE_OWN_WORDS_MAX, /* 5 = HISTORY_STATE_FIXED_COUNT */
};

enum archive_kind {
    ARCHIVE_WORD,
    ARCHIVE_NUMBER,
    ARCHIVE_NUMBERLIKE, /* begins like a number but has no value, as a date */
};

struct archive_row {
    int64_t time_ms; /* UTC */
    double value;    /* of a number */
    uint16_t word;   /* enum history_state, or from HISTORY_STATE_FIXED_COUNT on the entity's own */
    uint8_t kind;    /* enum archive_kind; the word of both kinds of numbers is OTHER */
    uint8_t cause;   /* enum cause, and perhaps ARCHIVE_MOMENT */
    uint8_t decimals; /* of a number as it was written */
};

struct archive_rows {
    struct archive_row *items;
    size_t count, capacity;
};
void archive_rows_add(struct archive_rows *rows, const struct archive_row *row);
void archive_rows_release(struct archive_rows *rows);

/* How many rows a day had, and of which kind ("unavailable" and "unknown" are neither). */
struct archive_counts {
    uint64_t rows, numbers, words;
};

struct archive_blob {
    uint8_t *data;
    size_t size, capacity;
};
void archive_blob_release(struct archive_blob *blob);

/* Reads a state as the recorder wrote it: fills kind, value and decimals; the word only of numbers
 * and of what is empty. text NULL = removed. False when it is a word that the caller must number.
 */
bool archive_parse_state(const char *text, size_t length, struct archive_row *row);

/* Rows of one day in order of arrival. Each pack replaces the blob; each unpack appends to the rows
 * (means: fills all), and returns -1 without a change when the blob is no valid one of this key. */
void archive_pack_rows(const struct archive_rows *rows, int64_t key, int64_t day_ms,
                       struct archive_blob *out);
int archive_unpack_rows(const void *data, size_t size, int64_t key, int64_t day_ms,
                        struct archive_rows *rows);

/* By time, equal times in order of arrival; then counts, and keeps of neighbours with the same word
 * the first, and each that is of a moment. Numbers become HISTORY_STATE_OTHER. */
void archive_sort(struct archive_rows *rows);
void archive_collapse(struct archive_rows *sorted, struct archive_counts *counts);

void archive_pack_changes(const struct archive_rows *changes, const struct archive_counts *counts,
                          int64_t key, int64_t day_ms, struct archive_blob *out);
int archive_unpack_changes(const void *data, size_t size, int64_t key, int64_t day_ms,
                           struct archive_rows *changes, struct archive_counts *counts);

/* Time-weighted means of each five minutes; NAN where there was no value. *value: in force when the
 * day begins (NAN = none), then when it ends. False when the day had none at all. */
bool archive_means(const struct archive_rows *sorted, int64_t day_ms, double *value,
                   double means[ARCHIVE_BUCKETS]);

/* Decimals to keep of a day's numbers: its own, beyond three only what is among the first five
 * digits of its largest value. */
int archive_decimals(const struct archive_rows *rows);

/* Fewer decimals where a mean is too large for so many (2^53 units). */
void archive_pack_means(const double means[ARCHIVE_BUCKETS], int decimals, int64_t key,
                        struct archive_blob *out);
int archive_unpack_means(const void *data, size_t size, int64_t key, double means[ARCHIVE_BUCKETS],
                         int *decimals);

/* Values of one day, in any order. */
struct archive_settings {
    struct history_value *items;
    size_t count, capacity;
};
void archive_settings_add(struct archive_settings *settings, const struct history_value *value);
void archive_settings_release(struct archive_settings *settings);

/* By time; what is there twice is kept once. */
void archive_settings_sort(struct archive_settings *settings);
/* Leaves out what repeats the value before, of attributes that rows tell. */
void archive_settings_thin(struct archive_settings *sorted);

/* Values are whole steps of their attribute (rule_attributes). */
void archive_pack_settings(const struct archive_settings *sorted, int64_t key, int64_t day_ms,
                           struct archive_blob *out);
int archive_unpack_settings(const void *data, size_t size, int64_t key, int64_t day_ms,
                            struct archive_settings *settings);

#endif
