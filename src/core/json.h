/* Small helpers over json-c: bounded parsing and typed fields. */
#ifndef HA_AI_CORE_JSON_H
#define HA_AI_CORE_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

enum { JSON_DEPTH_MAX = 32 };

/* Parses exactly one JSON value of at most len bytes; NULL with *err (position and reason).
 * Caller puts the result. */
json_object *json_parse(const char *text, size_t len, struct error *err);

/* Reads a whole file of at most max bytes as JSON. */
json_object *json_read_file(const char *path, size_t max, struct error *err);

/* Borrowed field or NULL when absent, null or of another type. */
const char *json_get_string(json_object *obj, const char *key);
json_object *json_get_object(json_object *obj, const char *key);
json_object *json_get_array(json_object *obj, const char *key);
int64_t json_get_int(json_object *obj, const char *key, int64_t otherwise);
double json_get_double(json_object *obj, const char *key, double otherwise);
bool json_get_bool(json_object *obj, const char *key, bool otherwise);

/* Borrowed field of any type, or of the first of two keys that is there; NULL when absent or null,
 * also of what is no object. */
json_object *json_get(json_object *obj, const char *key);
json_object *json_get_either(json_object *obj, const char *key, const char *other);
/* Whether the value, or the field, is this text. */
bool json_is_text(json_object *value, const char *text);
bool json_is(json_object *obj, const char *key, const char *text);

/* Borrowed value at "a.b.c", or NULL. */
json_object *json_at(json_object *obj, const char *path);

/* Adds a field, which copies its value. NULL: null. json_add_text frees its text. */
void json_add_string(json_object *obj, const char *key, const char *value);
void json_add_text(json_object *obj, const char *key, char *steals);
void json_add_int(json_object *obj, const char *key, int64_t value);
void json_add_bool(json_object *obj, const char *key, bool value);

/* A number in a fixed form, so that it is the same bytes everywhere: with so many decimals; with so
 * few digits as tell it (0.1, 21); with an exponent and two decimals. */
void json_add_fixed(json_object *obj, const char *key, double value, int decimals);
void json_add_short(json_object *obj, const char *key, double value);
void json_add_exponent(json_object *obj, const char *key, double value);

/* The one way that we write JSON: no spaces, slashes unescaped. Borrowed from obj. */
const char *json_text(json_object *obj);

#endif
