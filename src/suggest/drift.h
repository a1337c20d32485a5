/* Whether something that was so for long is not so any more, told one case after the other: the
 * e-detectors of Shiryaev and Roberts (Shiryaev 1963, Theory Probab. Appl. 8:22; Roberts 1966,
 * Technometrics 8:411; Shin, Ramdas & Rinaldo 2023, arXiv:2203.03532). Pure. */
#ifndef HA_AI_SUGGEST_DRIFT_H
#define HA_AI_SUGGEST_DRIFT_H

#include <stdbool.h>
#include <stddef.h>

enum { DRIFT_FORMS_MAX = 8, DRIFT_RECENT = 14 /* cases within which an alarm still stands */ };

/* What is looked for has several forms (moved by 20, 30, 45 minutes); they share the alarm. While
 * nothing has changed, the mean number of cases until the first alarm is `threshold` at least, as
 * long as each ratio has the mean 1 or less then. */
struct drift {
    double threshold;
    size_t forms;
    double sums[DRIFT_FORMS_MAX];    /* Shiryaev and Roberts' */
    double weights[DRIFT_FORMS_MAX]; /* CUSUM's log likelihood ratios: since when */
    size_t starts[DRIFT_FORMS_MAX];
    size_t cases;
    size_t found;  /* case at which it was first told; SIZE_MAX = it was not */
    size_t latest; /* last case at which it was */
};

void drift_init(struct drift *drift, double threshold, size_t forms);

/* One more case: how much more probable it is under each form than without a change, as ln of the
 * ratio. */
void drift_add(struct drift *drift, const double *log_ratios);

/* One that says nothing: it only has its number. */
void drift_skip(struct drift *drift);

/* Whether there was an alarm, and it still stands: not more than DRIFT_RECENT cases ago. */
bool drift_stands(const struct drift *drift);

/* The case from which on the change is most probable; that of the most probable form. */
size_t drift_start(const struct drift *drift);

/* ln of the ratios of a yes or no for higher rates than usual: a half, seven and 95 of a hundred
 * between `usual` and 1. A lower rate than `usual` makes an alarm rarer. */
enum { DRIFT_RATES = 3 };
void drift_add_rate(struct drift *drift, bool is_so, double usual);

#endif
