/* Plain English for people: titles and explanations from facts alone. Pure; every char * result is
 * the caller's to free. */
#ifndef HA_AI_SUGGEST_WORDING_H
#define HA_AI_SUGGEST_WORDING_H

#include "mine/actors.h"
#include "mine/days.h"
#include "mine/miner.h"
#include "model/history.h"
#include "suggest/backtest.h"
#include "suggest/chain.h"

enum {
    WORDING_NAME_MAX = 80,   /* bytes of a name that a title shows */
    WORDING_TITLE_MAX = 200, /* bytes of a title; HA shows at most 255 */
    WORDING_MEMBERS_MAX = 4, /* names of a group; of more, "and 3 more" */
};

/* "Kitchen lamp" or "Ceiling lamp (Kitchen)": the area where the name does not say it. Blanks and
 * control characters are single blanks; a name of nothing else is the entity id. */
char *wording_device(const struct history_entity *entity);

/* "20 minutes", "1 hour", "2 hours and 5 minutes". */
char *wording_duration(int seconds);

/* "07:05 on 22 November 2026": local time of a moment (UTC ms). */
char *wording_moment(const struct tz *tz, int64_t time_ms);

/* "Turn on Ceiling lamp (Kitchen) at 07:00 on weekdays", "… 20 minutes before sunset every day",
 * "… when Hall motion turns on, if it is dark", "Set Thermostat to 21° at …". At most
 * WORDING_TITLE_MAX bytes: long names of targets are cut. */
char *wording_title(const struct history *h, const struct actor *actor, const struct rule *rule);

/* "it is dark and Ada is home"; NULL when the rule has no conditions but days. */
char *wording_conditions(const struct history *h, const struct rule *rule);

/* A title with something that tells it from another, within the same length. */
char *wording_unique_title(const char *title, const char *mark);

/* What was seen, on which days, and how the rule did on the days it had not seen. is_open: the days
 * cannot tell yet whether it follows the clock or the sun. */
char *wording_explanation(const struct history *h, const struct actor *actor,
                          const struct habit *habit, const struct days *days,
                          const struct backtest *held_out, bool is_open);

/* The same of a chain: how its first act came about (first), what followed it, and how the whole
 * did.
 */
char *wording_chain(const struct history *h, const struct actor *actor, const struct habit *first,
                    const struct rule *rule, const struct days *days, const struct chain *chain,
                    bool is_open);
/* Of another form of a suggestion: how it did on the days that chose nothing. */
char *wording_form(const struct actor *actor, const struct rule *rule, const struct days *days,
                   const struct backtest *held_out);

/* What is still missing. */
char *wording_learning(const struct history *h, const struct actor *actor,
                       const struct learning *learning);

#endif
