/* Reading configuration as Home Assistant's schemas do: typed values, with the place of each in the
 * message or the note. Private to replay/. */
#ifndef HA_AI_REPLAY_PARSE_H
#define HA_AI_REPLAY_PARSE_H

#include "replay/parts.h"

enum { PARSE_PATH_MAX = 200, PARSE_LIST_MAX = 4096 }; /* elements of one list */

struct parser {
    struct automation *automation;
    struct error *err;
    char path[PARSE_PATH_MAX]; /* "triggers[0].for" */
    size_t conditions, steps;  /* so far */
    int depth;
    json_object *at; /* the innermost trigger, condition or action that says where it stands */
};

/* Puts ".key" or "[index]" behind the path; gives what parse_leave wants back. */
size_t parse_enter_key(struct parser *p, const char *key);
size_t parse_enter_index(struct parser *p, size_t index);
void parse_leave(struct parser *p, size_t mark);

/* Sets *err: "<path>: got <value>, expected <expected>". Always -1. */
int parse_fail(struct parser *p, json_object *got, const char *expected);

/* The same at a key of an object. */
int parse_fail_key(struct parser *p, json_object *object, const char *key, const char *expected);

/* Tells what cannot be replayed at the key (NULL: the path itself). */
void parse_note(struct parser *p, json_object *object, const char *key, const char *what,
                const char *effect);

/* The same at the path itself of "<name> <what>": the name, any text, is cut and made fit to show.
 */
void parse_note_named(struct parser *p, json_object *object, const char *name, const char *what,
                      const char *effect);

/* Where the value at the key (NULL: the object) stands, or else the object, or what it is part of.
 */
void parse_position(const struct parser *p, json_object *object, const char *key, int *line,
                    int *column);

/* Remembers that it looks at an attribute (or key NULL: at a purpose's own) of these entities, or
 * of those that the purpose's target points at; both borrowed. */
void parse_attribute_use(struct parser *p, json_object *object, const char *key,
                         const char *attribute, const size_t *entities, size_t count,
                         const struct purpose_use *purpose);

/* Remembers where we are, if the object knows; gives what stood there before. */
json_object *parse_stand_at(struct parser *p, json_object *object);

/* -1 with *err when the object has another key than these (a NULL ends them); of a trigger or a
 * condition besides those that every one has. */
int parse_keys(struct parser *p, json_object *object, const char *const *keys);
int parse_trigger_keys(struct parser *p, json_object *object, const char *const *keys);
int parse_condition_keys(struct parser *p, json_object *object, const char *const *keys);

/* 2026.11 writes the fields of a trigger or condition into `options`; this moves them back up,
 * where only the keys that each one has are beside it. A new reference. */
json_object *parse_options_up(json_object *config, bool is_trigger);

bool parse_has(json_object *object, const char *key);
json_object *parse_get(json_object *object, const char *key); /* NULL: absent or null */
bool parse_is_template(json_object *value);

/* One value as a list of itself; null as an empty one (cv.ensure_list). */
size_t parse_list_length(json_object *value);
json_object *parse_list_at(json_object *value, size_t index);

/* Each reads object[key]; absent leaves *out as it is. 0, or -1 with *err. */
int parse_boolean(struct parser *p, json_object *object, const char *key, bool *out);
int parse_text(struct parser *p, json_object *object, const char *key, char **out);
/* An id is a text on purpose: a number would have lost its zeros. */
int parse_id(struct parser *p, json_object *object, char **out);

/* Both set *is_template (may be NULL: then a template fails) and leave *out where it is one. */
int parse_period(struct parser *p, json_object *object, const char *key, bool may_be_negative,
                 int64_t *out_us, bool *is_template);
int parse_limit(struct parser *p, json_object *object, const char *key, struct limit *out);

/* `enabled`: false turns off; a template is noted and taken to be true. */
int parse_enabled(struct parser *p, json_object *object, bool *is_enabled);

/* Entity ids as a string with commas or a list. */
int parse_entities(struct parser *p, json_object *object, const char *key, size_t **list,
                   size_t *count);
/* Exactly one. */
int parse_entity(struct parser *p, json_object *object, const char *key, size_t *entity);
int parse_entity_of(struct parser *p, json_object *value, size_t *entity);
bool parse_is_entity_id(const char *text);
const char *parse_entity_id(const struct parser *p, size_t entity); /* borrowed */

/* A whole number as Python's int() reads it. */
bool parse_whole_number(const char *text, double *out);

/* "07:30" or "07:30:15": second of the day; -1 when it is no time. */
int parse_clock(const char *text);

/* Weekdays ("mon", ...) or a list of them as bits. */
int parse_weekdays(struct parser *p, json_object *object, const char *key, unsigned *bits);

/* cv.sun_event: *is_set for sunset. */
int parse_sun_event(struct parser *p, json_object *object, const char *key, bool *is_set);

/* A configuration's parts. */
int parse_triggers(struct parser *p, json_object *config);
int parse_conditions(struct parser *p, json_object *list, struct condition **out, size_t *count);

#endif
