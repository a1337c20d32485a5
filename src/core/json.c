#include "core/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"

enum { NUMBER_MAX = 340 }; /* of a double with some decimals */

json_object *json_parse(const char *text, size_t len, struct error *err)
{
    enum { PARSE_MAX = 1 << 30 };

    if (len > PARSE_MAX) {
        error_set(err, ERROR_LIMIT, "JSON of %zu bytes is too large", len);
        return NULL;
    }
    json_tokener *tok = json_tokener_new_ex(JSON_DEPTH_MAX);
    if (tok == NULL)
        abort();
    json_tokener_set_flags(tok, JSON_TOKENER_VALIDATE_UTF8);
    json_object *obj = json_tokener_parse_ex(tok, text, (int)len);
    enum json_tokener_error state = json_tokener_get_error(tok);
    size_t end = json_tokener_get_parse_end(tok);
    if (state == json_tokener_continue && len > 0) {
        /* A number or literal at the very end needs to see that nothing follows. */
        obj = json_tokener_parse_ex(tok, "", 1);
        state = json_tokener_get_error(tok);
        end = len;
    }
    if (state == json_tokener_continue) {
        error_set(err, ERROR_INVALID, "not JSON: it ends too early after %zu bytes", len);
    } else if (state != json_tokener_success) {
        error_set(err, ERROR_INVALID, "not JSON: %s at byte %zu", json_tokener_error_desc(state),
                  end);
    } else {
        while (end < len && strchr(" \t\r\n", text[end]) != NULL && text[end] != '\0')
            end++;
        if (end < len) {
            error_set(err, ERROR_INVALID, "not JSON: something follows the value at byte %zu", end);
            state = json_tokener_error_parse_unexpected;
        }
    }
    if (state == json_tokener_success && obj == NULL) {
        error_set(err, ERROR_INVALID, "null is no value here");
        state = json_tokener_error_parse_null;
    }
    json_tokener_free(tok);
    if (state != json_tokener_success) {
        json_object_put(obj);
        return NULL;
    }
    return obj;
}

json_object *json_read_file(const char *path, size_t max, struct error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "%s: %s", path,
                  strerror(errno));
        return NULL;
    }
    char *text = NULL;
    size_t len = 0, capacity = 0;
    json_object *obj = NULL;
    for (;;) {
        if (capacity - len < 4096)
            text = xrealloc(text, capacity = capacity ? capacity * 2 : 8192);
        size_t n = fread(text + len, 1, capacity - len, file);
        if (n == 0)
            break;
        len += n;
        if (len > max) {
            error_set(err, ERROR_LIMIT, "%s: larger than %zu bytes", path, max);
            goto out;
        }
    }
    if (ferror(file)) {
        error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
        goto out;
    }
    obj = json_parse(text, len, err);
    if (obj == NULL)
        error_prefix(err, "%s", path);
out:
    free(text);
    fclose(file);
    return obj;
}

json_object *json_get(json_object *obj, const char *key)
{
    json_object *value = NULL;
    if (json_object_is_type(obj, json_type_object))
        json_object_object_get_ex(obj, key, &value);
    return value;
}

json_object *json_get_either(json_object *obj, const char *key, const char *other)
{
    json_object *value = json_get(obj, key);
    return value != NULL ? value : json_get(obj, other);
}

static json_object *get_typed(json_object *obj, const char *key, enum json_type type)
{
    json_object *value = json_get(obj, key);
    return json_object_is_type(value, type) ? value : NULL;
}

const char *json_get_string(json_object *obj, const char *key)
{
    json_object *value = get_typed(obj, key, json_type_string);
    return value ? json_object_get_string(value) : NULL;
}

bool json_is_text(json_object *value, const char *text)
{
    return json_object_is_type(value, json_type_string) &&
           strcmp(json_object_get_string(value), text) == 0;
}

bool json_is(json_object *obj, const char *key, const char *text)
{
    return json_is_text(json_get(obj, key), text);
}

json_object *json_get_object(json_object *obj, const char *key)
{
    return get_typed(obj, key, json_type_object);
}

json_object *json_get_array(json_object *obj, const char *key)
{
    return get_typed(obj, key, json_type_array);
}

int64_t json_get_int(json_object *obj, const char *key, int64_t otherwise)
{
    json_object *value = get_typed(obj, key, json_type_int);
    return value ? json_object_get_int64(value) : otherwise;
}

double json_get_double(json_object *obj, const char *key, double otherwise)
{
    json_object *value = get_typed(obj, key, json_type_double);
    if (value == NULL)
        value = get_typed(obj, key, json_type_int);
    return value ? json_object_get_double(value) : otherwise;
}

bool json_get_bool(json_object *obj, const char *key, bool otherwise)
{
    json_object *value = get_typed(obj, key, json_type_boolean);
    return value ? json_object_get_boolean(value) : otherwise;
}

json_object *json_at(json_object *obj, const char *path)
{
    char key[64];
    while (obj != NULL) {
        size_t n = strcspn(path, ".");
        if (n >= sizeof(key) || !json_object_is_type(obj, json_type_object))
            return NULL;
        memcpy(key, path, n);
        key[n] = '\0';
        if (!json_object_object_get_ex(obj, key, &obj))
            return NULL;
        if (path[n] == '\0')
            return obj;
        path += n + 1;
    }
    return NULL;
}

void json_add_string(json_object *obj, const char *key, const char *value)
{
    json_object_object_add(obj, key, value != NULL ? json_object_new_string(value) : NULL);
}

void json_add_text(json_object *obj, const char *key, char *steals)
{
    json_add_string(obj, key, steals);
    free(steals);
}

void json_add_int(json_object *obj, const char *key, int64_t value)
{
    json_object_object_add(obj, key, json_object_new_int64(value));
}

void json_add_bool(json_object *obj, const char *key, bool value)
{
    json_object_object_add(obj, key, json_object_new_boolean(value));
}

static void add_double(json_object *obj, const char *key, double value, const char *text)
{
    json_object_object_add(obj, key, json_object_new_double_s(value, text));
}

void json_add_fixed(json_object *obj, const char *key, double value, int decimals)
{
    char text[NUMBER_MAX];
    snprintf(text, sizeof text, "%.*f", decimals, value);
    add_double(obj, key, value, text);
}

void json_add_short(json_object *obj, const char *key, double value)
{
    char text[NUMBER_MAX];
    snprintf(text, sizeof text, "%.10g", value);
    add_double(obj, key, value, text);
}

void json_add_exponent(json_object *obj, const char *key, double value)
{
    char text[NUMBER_MAX];
    snprintf(text, sizeof text, "%.2e", value);
    add_double(obj, key, value, text);
}

const char *json_text(json_object *obj)
{
    return json_object_to_json_string_ext(obj,
                                          JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}
