/* How much better two rates of being followed tell than one: what gates_choose() compares. Days are
 * what is independent. Pure. */
#ifndef HA_AI_MINE_GATE_WEIGHTS_H
#define HA_AI_MINE_GATE_WEIGHTS_H

#include "mine/gates.h"

enum { GATE_LEVEL_NONE = 255 }; /* a light sensor that tells nothing */

/* The rates by which a condition is judged: of a habit that is kept (the day classes' prior), and
 * how surely the other use is known. */
#define GATE_KEPT_FOLLOWED 9.0
#define GATE_KEPT_IGNORED 3.0
#define GATE_USUAL_WEIGHT 8.0

/* The cases of a question that are left when some conditions have been chosen. */
struct gate_view {
    const struct gates *gates;
    const struct gate_question *question;
    bool *active; /* by case: all that was chosen holds */
    bool is_poor; /* of these, too few are followed */
    /* By case: gate_light_look() at the sensor that is looked at; NULL = none is. */
    const uint8_t *levels;
};

/* Whether it holds at a case. Any thread. */
bool gate_holds(const struct gates *gates, const struct gate *gate, const struct gate_case *at);

/* The question's rate of other use, within what can be told from a habit. */
double gate_usual(const struct gate_question *question);

/* ln of how much better two rates tell, one where the gate holds and one where it does not, than
 * any one; -INFINITY when there is too little to tell, or hardly a difference. *both is on how many
 * days there were cases of either kind. Any thread. */
double gate_weigh(const struct gate_view *view, const struct gate *gate, int *both);

/* ln of the odds, prior and all, that the habit only lived on a part of the days: that it began,
 * ended or paused. Any thread. */
double gate_era_odds(const struct gate_view *view);

#endif
