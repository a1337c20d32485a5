/* What a person has against a suggestion that they reject, and what else it bars. Pure. */
#ifndef HA_AI_STORE_OBJECTION_H
#define HA_AI_STORE_OBJECTION_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "store/when.h"

enum objection {                    /* the numbers stand in databases */
                 OBJECTION_HABIT,   /* this habit, wherever its time moves */
                 OBJECTION_TIME,    /* these acts within SUGGESTION_MATCH_MINUTES of this time */
                 OBJECTION_TRIGGER, /* these acts by this kind of trigger: the clock, the sun, a
                                       state, ... */
                 OBJECTION_NEVER,   /* these acts for good */
                 OBJECTION_COUNT
};

/* "this habit", "wrong time", "wrong trigger", "never": the words of the device's select. */
const char *objection_name(enum objection objection);
/* -1 = none of these words. */
int objection_from_name(const char *name);

enum {
    OBJECTION_ACTS_MAX = 256 /* of one automation; with more it is known by its family alone */
};

/* What an automation does to which entities, whatever the value: "service entity", sorted. */
struct objection_acts {
    char **items;
    size_t count;
};
void objection_acts_of(json_object *content, struct objection_acts *out);
void objection_acts_release(struct objection_acts *acts);

/* A suggestion, seen as what an objection is about. Borrowed. */
struct objection_subject {
    json_object *content;
    const char *family; /* id without "#n", so long: */
    size_t family_len;
    const struct when *when;
    const struct objection_acts *acts;
};

/* Whether the objection to `rejected` bars `found`: what does all of the rejected acts, alone or
 * among others, and for the narrower objections at such a time or by such a trigger. False of
 * OBJECTION_HABIT: which habit is which is for the analysis's merge to tell. */
bool objection_bars(enum objection objection, const struct objection_subject *rejected,
                    const struct objection_subject *found);

#endif
