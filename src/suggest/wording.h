/* Plain English for people: titles and explanations from facts alone. Pure; every result is the
 * caller's to free. */
#ifndef HA_AI_SUGGEST_WORDING_H
#define HA_AI_SUGGEST_WORDING_H

#include "mine/days.h"
#include "mine/miner.h"
#include "model/history.h"
#include "suggest/backtest.h"

enum { WORDING_NAME_MAX = 80 }; /* bytes of a name that a title shows */

/* "Kitchen lamp" or "Ceiling lamp (Kitchen)": the area where the name does not say it. */
char *wording_device(const struct history_entity *entity);

/* "on weekdays", "every day", "at weekends", "on Tuesdays". Borrowed. */
const char *wording_day_class(unsigned weekdays);

/* "Turn on Ceiling lamp (Kitchen) at 07:00 on weekdays". */
char *wording_title(const struct history_entity *entity, enum rule_verb verb, int second_of_day,
                    unsigned weekdays);

/* What was seen, on which days, and how the rule did on the days it had not seen. */
char *wording_explanation(const struct history_entity *entity, const struct habit *habit,
                          const struct days *days, const struct backtest *held_out);

/* What is still missing. */
char *wording_learning(const struct history_entity *entity, const struct learning *learning);

#endif
