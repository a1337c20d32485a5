/* Events of libyaml to a tree. Nothing here recurses on what the text says: depth is a stack of
 * frames. */
#include "core/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "core/dictionary.h"
#include "core/log.h"
#include "core/text.h"
#include "core/xalloc.h"

enum {
    SHOWN_BYTES_MAX = 60, /* of a key or a tag in a message */
    MESSAGE_BYTES_MAX = 320,
};

struct position {
    int line, column;
    const char *tag; /* static; NULL = none */
};

/* A list or mapping whose end has not come yet. */
struct frame {
    json_object *value;
    json_object *merged; /* of a mapping: what its << keys name, in order; NULL = none */
    bool is_mapping, has_key, is_merging;
    char *key; /* owned; the next value's */
    int line, column;
    int64_t anchor; /* -1 = none */
    size_t nodes_before, bytes_before;
    int height; /* levels of lists and mappings, its own too */
};

struct anchor {
    json_object *value; /* owned; NULL = null, or not known yet */
    bool is_open;       /* its end has not come yet */
    size_t nodes, bytes;
    int height, line, column;
};

struct yaml_reader {
    const char *name;
    struct frame frames[YAML_DEPTH_MAX];
    int depth;
    json_object *root;
    bool has_root;
    size_t nodes, bytes;
    struct dictionary anchor_names;
    struct anchor *anchors; /* parallel to its keys */
    size_t anchor_capacity;
    unsigned warnings;
    char shown[SHOWN_BYTES_MAX + sizeof "..."];
    struct error *err;
};

/* --- messages --- */

/* A part of the text that may be shown: control characters and what is too long replaced. Valid
 * until the next call. */
static const char *show(struct yaml_reader *r, const char *text)
{
    size_t taken = text_copy_shown(r->shown, SHOWN_BYTES_MAX + 1, text), length = strlen(r->shown);
    snprintf(r->shown + length, sizeof "...", "%s", text[taken] != '\0' ? "..." : "");
    return r->shown;
}

static int fail(struct yaml_reader *r, enum error_code code, const yaml_mark_t *mark,
                const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static int fail(struct yaml_reader *r, enum error_code code, const yaml_mark_t *mark,
                const char *fmt, ...)
{
    char message[MESSAGE_BYTES_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    return error_set(r->err, code, "%s: line %zu, column %zu: %s", r->name, mark->line + 1,
                     mark->column + 1, message);
}

static void warn_of_twin(struct yaml_reader *r, const struct frame *f)
{
    if (r->warnings++ < YAML_WARNINGS_MAX)
        log_warn("yaml", "%s: line %d: the key '%s' stands there twice: the last one counts",
                 r->name, f->line, show(r, f->key));
}

/* What libyaml says of a text that is no YAML. */
static int fail_parser(struct yaml_reader *r, const yaml_parser_t *parser, const char *text,
                       size_t length)
{
    const char *problem = parser->problem != NULL ? parser->problem : "not YAML";
    if (parser->error == YAML_READER_ERROR) { /* has no mark */
        yaml_mark_t mark = {.line = 0};
        for (size_t i = 0; i < parser->problem_offset && i < length; i++) {
            mark.line += text[i] == '\n';
            mark.column =
                text[i] == '\n' ? 0 : mark.column + (((unsigned char)text[i] & 0xC0) != 0x80);
        }
        return fail(r, ERROR_INVALID, &mark, "%s", problem);
    }
    if (parser->context != NULL)
        return fail(r, ERROR_INVALID, &parser->problem_mark, "%s, %s that begins in line %zu",
                    problem, parser->context, parser->context_mark.line + 1);
    return fail(r, ERROR_INVALID, &parser->problem_mark, "%s", problem);
}

/* --- positions --- */

static void free_position(json_object *value, void *position)
{
    (void)value;
    free(position);
}

static void set_position(json_object *value, int line, int column, const char *tag)
{
    /* json-c keeps texts of its own in the user data of floats. */
    if (value == NULL || json_object_is_type(value, json_type_double))
        return;
    struct position *position = xmalloc(sizeof *position);
    *position = (struct position){line, column, tag};
    json_object_set_userdata(value, position, free_position);
}

static const struct position *get_position(json_object *value)
{
    if (value == NULL || json_object_is_type(value, json_type_double))
        return NULL;
    return json_object_get_userdata(value);
}

int yaml_line(json_object *value)
{
    const struct position *position = get_position(value);
    return position != NULL ? position->line : 0;
}

int yaml_column(json_object *value)
{
    const struct position *position = get_position(value);
    return position != NULL ? position->column : 0;
}

const char *yaml_tag(json_object *value)
{
    const struct position *position = get_position(value);
    return position != NULL ? position->tag : NULL;
}

static json_object *copy_scalar(json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_boolean:
        return json_object_new_boolean(json_object_get_boolean(value));
    case json_type_int:
        return json_object_new_int64(json_object_get_int64(value));
    case json_type_double:
        return json_object_new_double(json_object_get_double(value));
    case json_type_string:
        return json_object_new_string_len(json_object_get_string(value),
                                          json_object_get_string_len(value));
    default:
        return NULL;
    }
}

json_object *yaml_copy(json_object *value)
{
    json_object *copy;
    if (json_object_is_type(value, json_type_object)) {
        copy = json_object_new_object();
        json_object_object_foreach(value, key, member)
            json_object_object_add(copy, key, yaml_copy(member));
    } else if (json_object_is_type(value, json_type_array)) {
        copy = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(value); i++)
            json_object_array_add(copy, yaml_copy(json_object_array_get_idx(value, i)));
    } else {
        copy = copy_scalar(value);
    }
    const struct position *position = get_position(value);
    if (position != NULL)
        set_position(copy, position->line, position->column, position->tag);
    return copy;
}

/* --- anchors --- */

/* The value with that anchor begins. *anchor: its index, -1 when there is no anchor. */
static int open_anchor(struct yaml_reader *r, const yaml_char_t *name, const yaml_mark_t *mark,
                       int64_t *anchor)
{
    const char *text = (const char *)name;
    *anchor = -1;
    if (name == NULL)
        return 0;
    if (dictionary_find(&r->anchor_names, text, strlen(text)) >= 0)
        return fail(r, ERROR_INVALID, mark, "the anchor '%s' is there already", show(r, text));
    *anchor = dictionary_add(&r->anchor_names, text, strlen(text), YAML_ANCHORS_MAX);
    if (*anchor < 0)
        return fail(r, ERROR_LIMIT, mark, "more than %d anchors", YAML_ANCHORS_MAX);
    r->anchors = grow_array(r->anchors, (size_t)*anchor, &r->anchor_capacity, sizeof *r->anchors);
    r->anchors[*anchor] = (struct anchor){
        .is_open = true, .line = (int)mark->line + 1, .column = (int)mark->column + 1};
    return 0;
}

static void close_anchor(struct yaml_reader *r, int64_t anchor, json_object *value, size_t nodes,
                         size_t bytes, int height)
{
    if (anchor < 0)
        return;
    struct anchor *a = &r->anchors[anchor];
    a->is_open = false;
    a->value = json_object_get(value);
    a->nodes = nodes;
    a->bytes = bytes;
    a->height = height;
}

/* --- the tree --- */

static int count(struct yaml_reader *r, const yaml_mark_t *mark, size_t nodes, size_t bytes)
{
    r->nodes += nodes;
    r->bytes += bytes;
    if (r->nodes > YAML_NODES_MAX)
        return fail(r, ERROR_LIMIT, mark, "more than %d values, with what aliases repeat",
                    YAML_NODES_MAX);
    if (r->bytes > YAML_EXPANDED_BYTES_MAX)
        return fail(r, ERROR_LIMIT, mark, "more than %d bytes of text, with what aliases repeat",
                    YAML_EXPANDED_BYTES_MAX);
    return 0;
}

/* A value that may stand behind << : takes what it holds into the frame. */
static int take_merge(struct yaml_reader *r, struct frame *f, json_object *value,
                      const yaml_mark_t *mark)
{
    bool is_list = json_object_is_type(value, json_type_array);
    size_t length = is_list ? json_object_array_length(value) : 1;
    if (f->merged == NULL)
        f->merged = json_object_new_array();
    for (size_t i = length; i-- > 0;) { /* of a list the first one wins */
        json_object *one = is_list ? json_object_array_get_idx(value, i) : value;
        if (!json_object_is_type(one, json_type_object))
            return fail(r, ERROR_INVALID, mark, "'<<' takes a mapping, or a list of mappings");
        json_object_array_add(f->merged, json_object_get(one));
    }
    return 0;
}

/* A key's text of a scalar. */
static char *key_of(json_object *value)
{
    return xstrdup(value != NULL ? json_object_get_string(value) : "null");
}

static int take_key(struct yaml_reader *r, struct frame *f, json_object *value,
                    const yaml_mark_t *mark)
{
    if (json_object_is_type(value, json_type_object) || json_object_is_type(value, json_type_array))
        return fail(r, ERROR_INVALID, mark, "a list or mapping cannot be a key");
    if (yaml_tag(value) != NULL)
        return fail(r, ERROR_INVALID, mark, "%s cannot be a key", show(r, yaml_tag(value)));
    f->key = key_of(value);
    f->has_key = true;
    f->line = (int)mark->line + 1;
    if (json_object_is_type(value, json_type_string) &&
        strlen(f->key) != (size_t)json_object_get_string_len(value))
        return fail(r, ERROR_INVALID, mark, "a key with a NUL byte");
    if (strlen(f->key) > YAML_KEY_BYTES_MAX)
        return fail(r, ERROR_LIMIT, mark, "a key of more than %d bytes", YAML_KEY_BYTES_MAX);
    return 0;
}

/* Puts a whole value where it belongs; steals the reference. */
static int place(struct yaml_reader *r, json_object *value, int height, const yaml_mark_t *mark)
{
    int result = 0;
    if (r->depth == 0) {
        r->root = value;
        r->has_root = true;
        return 0;
    }
    struct frame *f = &r->frames[r->depth - 1];
    if (height + 1 > f->height)
        f->height = height + 1;
    if (f->is_mapping && !f->has_key && !f->is_merging) {
        result = take_key(r, f, value, mark);
        json_object_put(value);
    } else if (!f->is_mapping) {
        json_object_array_add(f->value, value);
    } else if (f->is_merging) {
        result = take_merge(r, f, value, mark);
        json_object_put(value);
        f->is_merging = false;
    } else {
        if (json_object_object_get_ex(f->value, f->key, NULL))
            warn_of_twin(r, f);
        json_object_object_add(f->value, f->key, value);
        free(f->key);
        f->key = NULL;
        f->has_key = false;
    }
    return result;
}

static void release_frame(struct frame *f)
{
    json_object_put(f->value);
    json_object_put(f->merged);
    free(f->key);
}

/* Its own keys over those that << named. */
static json_object *merge(struct frame *f)
{
    json_object *whole = json_object_new_object();
    for (size_t i = 0; i < json_object_array_length(f->merged); i++) {
        json_object_object_foreach(json_object_array_get_idx(f->merged, i), key, member)
            json_object_object_add(whole, key, json_object_get(member));
    }
    json_object_object_foreach(f->value, key, member)
        json_object_object_add(whole, key, json_object_get(member));
    return whole;
}

static bool expects_key(const struct yaml_reader *r)
{
    const struct frame *f = r->depth > 0 ? &r->frames[r->depth - 1] : NULL;
    return f != NULL && f->is_mapping && !f->has_key && !f->is_merging;
}

/* --- events --- */

static bool is_known_tag(const char *tag, bool is_mapping)
{
    static const char *const lists[] = {"!", "tag:yaml.org,2002:seq", NULL};
    static const char *const mappings[] = {"!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:set",
                                           NULL};
    const char *const *known = is_mapping ? mappings : lists;
    while (*known != NULL && strcmp(*known, tag) != 0)
        known++;
    return *known != NULL;
}

static int begin(struct yaml_reader *r, const yaml_event_t *event, bool is_mapping)
{
    const yaml_mark_t *mark = &event->start_mark;
    const yaml_char_t *anchor =
        is_mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    const char *tag =
        (const char *)(is_mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag);
    if (tag != NULL && !is_known_tag(tag, is_mapping))
        return fail(r, ERROR_INVALID, mark, "unknown tag %s of a %s", show(r, tag),
                    is_mapping ? "mapping" : "list");
    if (r->depth == YAML_DEPTH_MAX)
        return fail(r, ERROR_LIMIT, mark, "nested more than %d deep", YAML_DEPTH_MAX);
    if (expects_key(r))
        return fail(r, ERROR_INVALID, mark, "a list or mapping cannot be a key");
    struct frame f = {.is_mapping = is_mapping,
                      .line = (int)mark->line + 1,
                      .column = (int)mark->column + 1,
                      .nodes_before = r->nodes,
                      .bytes_before = r->bytes,
                      .height = 1};
    if (open_anchor(r, anchor, mark, &f.anchor) != 0 || count(r, mark, 1, 0) != 0)
        return -1;
    f.value = is_mapping ? json_object_new_object() : json_object_new_array();
    set_position(f.value, f.line, f.column, NULL);
    r->frames[r->depth++] = f;
    return 0;
}

static int end(struct yaml_reader *r, const yaml_event_t *event)
{
    struct frame *f = &r->frames[r->depth - 1];
    json_object *value = json_object_get(f->value);
    if (f->merged != NULL) {
        json_object *whole = merge(f);
        set_position(whole, yaml_line(value), yaml_column(value), NULL);
        json_object_put(value);
        value = whole;
    }
    int height = f->height;
    close_anchor(r, f->anchor, value, r->nodes - f->nodes_before, r->bytes - f->bytes_before,
                 height);
    release_frame(f);
    r->depth--;
    return place(r, value, height, &event->start_mark);
}

/* What a scalar's explicit tag makes of it: a kind, or *marker. 0 or -1. */
static int read_tag(struct yaml_reader *r, const char *tag, const yaml_mark_t *mark,
                    enum yaml_kind *kind, const char **marker)
{
    static const struct {
        const char *tag;
        enum yaml_kind kind;
        const char *marker;
    } rows[] = {
        {"tag:yaml.org,2002:str", YAML_KIND_STRING, NULL},
        {"tag:yaml.org,2002:null", YAML_KIND_NULL, NULL},
        {"tag:yaml.org,2002:bool", YAML_KIND_BOOL, NULL},
        {"tag:yaml.org,2002:int", YAML_KIND_INT, NULL},
        {"tag:yaml.org,2002:float", YAML_KIND_FLOAT, NULL},
        {"tag:yaml.org,2002:timestamp", YAML_KIND_TIMESTAMP, "!!timestamp"},
        {"tag:yaml.org,2002:binary", YAML_KIND_STRING, "!!binary"},
        {"!secret", YAML_KIND_STRING, "!secret"},
        {"!input", YAML_KIND_STRING, "!input"},
        {"!env_var", YAML_KIND_STRING, "!env_var"},
        {"!include", YAML_KIND_STRING, "!include"},
        {"!include_dir_list", YAML_KIND_STRING, "!include_dir_list"},
        {"!include_dir_merge_list", YAML_KIND_STRING, "!include_dir_merge_list"},
        {"!include_dir_named", YAML_KIND_STRING, "!include_dir_named"},
        {"!include_dir_merge_named", YAML_KIND_STRING, "!include_dir_merge_named"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(tag, rows[i].tag) == 0) {
            *kind = rows[i].kind;
            *marker = rows[i].marker;
            return 0;
        }
    return fail(r, ERROR_INVALID, mark, "unknown tag %s", show(r, tag));
}

static int take_scalar(struct yaml_reader *r, const yaml_event_t *event)
{
    const yaml_mark_t *mark = &event->start_mark;
    const char *text = (const char *)event->data.scalar.value, *marker = NULL;
    const char *tag = (const char *)event->data.scalar.tag;
    size_t length = event->data.scalar.length;
    enum yaml_kind kind = YAML_KIND_STRING;
    int64_t anchor;
    if (tag != NULL && strcmp(tag, "!") != 0) {
        if (read_tag(r, tag, mark, &kind, &marker) != 0)
            return -1;
        if (tag[0] == '!' && length == 0)
            return fail(r, ERROR_INVALID, mark, "%s needs a name behind it", show(r, tag));
    } else if (event->data.scalar.plain_implicit) {
        kind = yaml_resolve(text);
        marker = kind == YAML_KIND_TIMESTAMP ? "!!timestamp" : NULL;
    }
    bool is_key = expects_key(r);
    if (kind == YAML_KIND_MERGE && is_key && event->data.scalar.anchor == NULL) {
        r->frames[r->depth - 1].is_merging = true;
        return count(r, mark, 1, 0);
    }
    if (kind == YAML_KIND_DEFAULT && is_key)
        kind = YAML_KIND_STRING;
    if (kind == YAML_KIND_MERGE || kind == YAML_KIND_DEFAULT)
        return fail(r, ERROR_INVALID, mark, "'%s' alone is no value: put it in quotes",
                    show(r, text));
    json_object *value;
    if (yaml_construct(kind, text, length, &value) != 0)
        return fail(r, ERROR_INVALID, mark, "'%s' is no value of its kind", show(r, text));
    if (is_key && (kind == YAML_KIND_FLOAT || kind == YAML_KIND_TIMESTAMP)) { /* as written */
        json_object_put(value);
        value = json_object_new_string_len(text, (int)length);
        marker = NULL;
    }
    set_position(value, (int)mark->line + 1, (int)mark->column + 1, marker);
    if (open_anchor(r, event->data.scalar.anchor, mark, &anchor) != 0 ||
        count(r, mark, 1, length) != 0) {
        json_object_put(value);
        return -1;
    }
    close_anchor(r, anchor, value, 1, length, 0);
    return place(r, value, 0, mark);
}

static int take_alias(struct yaml_reader *r, const yaml_event_t *event)
{
    const yaml_mark_t *mark = &event->start_mark;
    const char *name = (const char *)event->data.alias.anchor;
    int64_t index = dictionary_find(&r->anchor_names, name, strlen(name));
    if (index < 0)
        return fail(r, ERROR_INVALID, mark, "there is no anchor '%s' before it", show(r, name));
    const struct anchor *a = &r->anchors[index];
    if (a->is_open) {
        return fail(r, ERROR_INVALID, mark,
                    "the anchor '%s' (line %d, column %d) holds itself: it would never end",
                    show(r, name), a->line, a->column);
    }
    if (count(r, mark, a->nodes, a->bytes) != 0)
        return -1;
    if (r->depth + a->height > YAML_DEPTH_MAX)
        return fail(r, ERROR_LIMIT, mark, "nested more than %d deep", YAML_DEPTH_MAX);
    return place(r, json_object_get(a->value), a->height, mark);
}

static int take_event(struct yaml_reader *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return r->has_root ? fail(r, ERROR_INVALID, &event->start_mark,
                                  "a second document: Home Assistant reads one alone")
                           : 0;
    case YAML_ALIAS_EVENT:
        return take_alias(r, event);
    case YAML_SCALAR_EVENT:
        return take_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT:
        return begin(r, event, false);
    case YAML_MAPPING_START_EVENT:
        return begin(r, event, true);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return end(r, event);
    default:
        return 0;
    }
}

static int read_events(struct yaml_reader *r, const char *text, size_t length)
{
    yaml_parser_t parser;
    yaml_event_t event;
    if (!yaml_parser_initialize(&parser))
        abort();
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    int result = 0;
    bool is_over = false;
    while (result == 0 && !is_over) {
        if (!yaml_parser_parse(&parser, &event)) {
            result = fail_parser(r, &parser, text, length);
            break;
        }
        result = take_event(r, &event);
        is_over = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return result;
}

int yaml_parse(const char *name, const char *text, size_t length, json_object **out,
               struct error *err)
{
    *out = NULL;
    if (length > YAML_BYTES_MAX)
        return error_set(err, ERROR_LIMIT, "%s: larger than %d bytes", name, YAML_BYTES_MAX);
    struct yaml_reader *r = xcalloc(1, sizeof *r);
    r->name = name;
    r->err = err;
    dictionary_init(&r->anchor_names);
    int result = read_events(r, text, length);
    while (r->depth > 0)
        release_frame(&r->frames[--r->depth]);
    for (size_t i = 0; i < r->anchor_names.count; i++)
        json_object_put(r->anchors[i].value);
    free(r->anchors);
    dictionary_release(&r->anchor_names);
    if (r->warnings > YAML_WARNINGS_MAX)
        log_warn("yaml", "%s: %u more such keys", name, r->warnings - YAML_WARNINGS_MAX);
    if (result == 0)
        *out = r->root;
    else
        json_object_put(r->root);
    free(r);
    return result;
}

/* --- files --- */

/* All of it, or one byte more than may be. NULL with *err. */
static char *read_all(FILE *file, const char *name, size_t *length, struct error *err)
{
    size_t capacity = 64 * 1024;
    char *text = xmalloc(capacity);
    *length = 0;
    for (;;) {
        size_t n = fread(text + *length, 1, capacity - *length, file);
        *length += n;
        if (n == 0 || *length > YAML_BYTES_MAX)
            break;
        if (*length == capacity)
            text = xrealloc(text, capacity *= 2);
    }
    if (!ferror(file))
        return text;
    error_set(err, ERROR_IO, "%s: %s", name, strerror(errno));
    free(text);
    return NULL;
}

int yaml_read_file(const char *path, json_object **out, struct error *err)
{
    bool is_input = strcmp(path, "-") == 0;
    const char *name = is_input ? "standard input" : path;
    size_t length;
    *out = NULL;
    FILE *file = is_input ? stdin : fopen(path, "re");
    if (file == NULL)
        return error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "%s: %s", path,
                         strerror(errno));
    char *text = read_all(file, name, &length, err);
    if (!is_input)
        fclose(file);
    if (text == NULL)
        return -1;
    int result = yaml_parse(name, text, length, out, err);
    free(text);
    return result;
}
