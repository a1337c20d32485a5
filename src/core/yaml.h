/* YAML text to a json_object tree, as Home Assistant's own loader (PyYAML's safe loader, YAML 1.1)
 * reads it: on and no are booleans, 7:30 is 450, 07:30:00 a string, 010 is eight. Every list,
 * mapping, string, integer and boolean knows where it stood. Bounded whatever the text holds. */
#ifndef HA_AI_CORE_YAML_H
#define HA_AI_CORE_YAML_H

#include <json-c/json.h>
#include <stddef.h>

#include "core/error.h"

enum {
    YAML_BYTES_MAX = 16 * 1024 * 1024, /* of the text */
    YAML_NODES_MAX = 500000,           /* scalars, lists and mappings, with what aliases repeat */
    YAML_EXPANDED_BYTES_MAX = 64 * 1024 * 1024, /* of strings and keys, with what aliases repeat */
    YAML_DEPTH_MAX = 64,
    YAML_KEY_BYTES_MAX = 1024,
    YAML_ANCHORS_MAX = 10000,
    YAML_WARNINGS_MAX = 20, /* that are told */
};

/* Parses one document; name (a file's) begins every message. 0 and *out, which the caller puts
 * (NULL: the text is empty or null), or -1 with *err, that says line and column: not YAML, more
 * than one document, a maximum above, or what Home Assistant's loader refuses too (unknown tags,
 * an anchor inside itself or twice the same, a list or mapping as a key).
 *
 * A key that is no string becomes one (true, null, 5; 1.50 as it is written). A key that stands
 * twice is logged, and the last one counts. What an alias names is the anchor's own value once
 * more: a walker sees it as often as it is named, and nobody may change it; yaml_copy. Integers
 * beyond 64 bits become doubles. Any thread. */
int yaml_parse(const char *name, const char *text, size_t length, json_object **out,
               struct error *err);

/* The same with a file; "-" is standard input. */
int yaml_read_file(const char *path, json_object **out, struct error *err);

/* Where a value of yaml_parse began, from 1; 0 = not known: of null, of a float, or it came from
 * elsewhere. */
int yaml_line(json_object *value);
int yaml_column(json_object *value);

/* What a string stands for that is not known here: "!secret", "!input", "!env_var", "!include" (or
 * one of "!include_dir_…": a list or mapping, then), "!!binary"; "!!timestamp" of a date that Home
 * Assistant would have as one. NULL: it is the text itself. Static. */
const char *yaml_tag(json_object *value);

/* A copy of its own of a whole tree, lines, columns and tags too (json_object_deep_copy refuses
 * such a tree). Caller puts it. */
json_object *yaml_copy(json_object *value);

/* ---- private to core/yaml*.c ---- */

enum yaml_kind {
    YAML_KIND_STRING,
    YAML_KIND_NULL,
    YAML_KIND_BOOL,
    YAML_KIND_INT,
    YAML_KIND_FLOAT,
    YAML_KIND_TIMESTAMP,
    YAML_KIND_MERGE,   /* << */
    YAML_KIND_DEFAULT, /* = */
};

/* What a plain scalar is by its form. */
enum yaml_kind yaml_resolve(const char *text);

/* The scalar as a value of that kind (STRING for a timestamp); -1 when its text is none. */
int yaml_construct(enum yaml_kind kind, const char *text, size_t length, json_object **out);

#endif
