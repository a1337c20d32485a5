/* From a file to automations: one, a list, or a whole automations.yaml. What Home Assistant would
 * refuse, and what is kept elsewhere (!secret, !include), spoils one entry, not the file. */
#include <stdlib.h>
#include <string.h>

#include "app/backtest_parts.h"
#include "core/json.h"
#include "core/text.h"
#include "core/xalloc.h"
#include "core/yaml.h"

enum { PATH_SIZE = 200, KEY_SHOWN = 60, NAMES_SHOWN = 5 };

/* --- entries --- */

static void add_note(struct backtest_entry *entry, const char *path, json_object *at,
                     const char *what, const char *effect)
{
    if (entry->note_count == BACKTEST_NOTES_MAX)
        return;
    entry->notes =
        grow_array(entry->notes, entry->note_count, &entry->note_capacity, sizeof *entry->notes);
    bool is_known = yaml_line(at) > 0;
    entry->notes[entry->note_count++] =
        (struct automation_note){.path = xstrdup(path),
                                 .line = is_known ? yaml_line(at) : entry->line,
                                 .column = is_known ? yaml_column(at) : entry->column,
                                 .what = xstrdup(what),
                                 .effect = xstrdup(effect)};
}

void backtest_entry_note(struct backtest_entry *entry, const char *what, const char *effect)
{
    add_note(entry, "", NULL, what, effect);
}

const struct automation_note *backtest_entry_get_note(const struct backtest_entry *entry,
                                                      size_t index)
{
    size_t count = 0;
    const struct automation_note *notes =
        entry->base.automation != NULL ? automation_notes(entry->base.automation, &count) : NULL;
    if (index < count)
        return &notes[index];
    return index - count < entry->note_count ? &entry->notes[index - count] : NULL;
}

/* What the entry was noted to lack, its variants lack too; but their own parsers say what in them
 * is not replayed. */
bool backtest_case_is_partial(const struct backtest_entry *entry, const struct backtest_case *one)
{
    size_t count = 0;
    if (one->automation != NULL)
        automation_notes(one->automation, &count);
    return one->problem != NULL || one->is_cut || count > 0 || entry->note_count > 0;
}

static void release_case(struct backtest_case *one)
{
    free(one->problem);
    hindsight_release(&one->result);
    automation_free(one->automation);
    json_object_put(one->config);
}

void backtest_entry_release(struct backtest_entry *entry)
{
    for (size_t i = 0; i < entry->variant_count; i++)
        release_case(&entry->variants[i]);
    free(entry->variants);
    release_case(&entry->base);
    for (size_t i = 0; i < entry->note_count; i++) {
        free(entry->notes[i].path);
        free(entry->notes[i].what);
        free(entry->notes[i].effect);
    }
    for (size_t i = 0; i < entry->unknown_count; i++)
        free(entry->unknown[i]);
    free(entry->notes);
    free(entry->unknown);
    free(entry->id);
    free(entry->alias);
    hindsight_act_release(&entry->act);
    *entry = (struct backtest_entry){.variants = NULL};
}

void backtest_file_release(struct backtest_file *file)
{
    for (size_t i = 0; i < file->count; i++)
        backtest_entry_release(&file->entries[i]);
    free(file->entries);
    *file = (struct backtest_file){.entries = NULL};
}

/* --- what is kept elsewhere --- */

/* As far as there is room. */
static void append_key(char *path, const char *key)
{
    char shown[KEY_SHOWN + 1];
    size_t length = strlen(path);
    text_copy_shown(shown, sizeof shown, key);
    if (length + 1 + strlen(shown) < PATH_SIZE)
        snprintf(path + length, PATH_SIZE - length, "%s%s", length > 0 ? "." : "", shown);
}

/* Notes each tagged text (a secret, another file) below the value. */
static void note_tags(struct backtest_entry *entry, json_object *value, char *path)
{
    size_t length = strlen(path);
    const char *tag = yaml_tag(value);
    if (tag != NULL)
        add_note(entry, path, value, tag, "not read: never fires");
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member)
        {
            path[length] = '\0';
            append_key(path, key);
            note_tags(entry, member, path);
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            snprintf(path + length, PATH_SIZE - length, "[%zu]", i);
            note_tags(entry, json_object_array_get_idx(value, i), path);
        }
    }
    path[length] = '\0';
}

/* Where a tag does not matter to what fires. */
static bool is_harmless(const char *key)
{
    static const char *const keys[] = {"alias", "description", "id", "action", "actions"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

/* Of the whole automation, or only of what decides when it fires. */
static void note_tags_of(struct backtest_entry *entry, bool is_whole)
{
    char path[PATH_SIZE] = "";
    if (!json_object_is_type(entry->base.config, json_type_object)) {
        note_tags(entry, entry->base.config, path);
        return;
    }
    json_object_object_foreach(entry->base.config, key, value)
    {
        if (!is_whole && is_harmless(key))
            continue;
        path[0] = '\0';
        append_key(path, key);
        note_tags(entry, value, path);
    }
}

/* --- reading --- */

static char *copy_name(json_object *config, const char *key)
{
    json_object *value = NULL;
    if (!json_object_is_type(config, json_type_object) ||
        !json_object_object_get_ex(config, key, &value) || value == NULL ||
        json_object_is_type(value, json_type_object) || json_object_is_type(value, json_type_array))
        return NULL;
    return xstrdup(json_object_get_string(value));
}

/* What it is instead of an automation; NULL when it looks like one. */
static const char *find_other_kind(json_object *config)
{
    static const struct {
        const char *key, *kind;
    } kinds[] = {{"blueprint", "a blueprint, not an automation: give one that uses it"},
                 {"sequence", "a script, not an automation"},
                 {"entities", "a scene, not an automation"},
                 {"triggers", NULL},
                 {"trigger", NULL},
                 {"use_blueprint", NULL}};
    if (!json_object_is_type(config, json_type_object))
        return NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (json_object_object_get_ex(config, kinds[i].key, NULL))
            return kinds[i].kind;
    return "no automation: it has neither triggers nor use_blueprint";
}

static void parse_entry(struct backtest_entry *entry)
{
    struct error err;
    note_tags_of(entry, false);
    if (entry->note_count > 0 ||
        automation_parse(entry->base.config, &entry->base.automation, &err) == 0)
        return;
    note_tags_of(entry, true);
    if (entry->note_count > 0)
        return;
    const char *other = find_other_kind(entry->base.config);
    if (other != NULL && entry->line > 0)
        entry->base.problem =
            xasprintf("line %d, column %d: %s", entry->line, entry->column, other);
    else
        entry->base.problem = xstrdup(other != NULL ? other : err.message);
}

static int add_entry(struct backtest_file *file, json_object *config, struct error *err)
{
    if (file->count == BACKTEST_AUTOMATIONS_MAX)
        return error_set(err, ERROR_LIMIT, "more than %d automations", BACKTEST_AUTOMATIONS_MAX);
    file->entries = grow_array(file->entries, file->count, &file->capacity, sizeof *file->entries);
    struct backtest_entry *entry = &file->entries[file->count++];
    *entry = (struct backtest_entry){.base.config = json_object_get(config),
                                     .id = copy_name(config, "id"),
                                     .alias = copy_name(config, "alias"),
                                     .line = yaml_line(config),
                                     .column = yaml_column(config)};
    parse_entry(entry);
    return 0;
}

static int add_entries(struct backtest_file *file, json_object *value, struct error *err)
{
    if (!json_object_is_type(value, json_type_array))
        return add_entry(file, value, err);
    for (size_t i = 0; i < json_object_array_length(value); i++)
        if (add_entry(file, json_object_array_get_idx(value, i), err) != 0)
            return -1;
    return 0;
}

/* A package or a configuration.yaml has them under `automation` or `automation <name>`. */
static int add_packaged(struct backtest_file *file, json_object *value, bool *is_packaged,
                        struct error *err)
{
    static const char key_begin[] = "automation";
    *is_packaged = false;
    if (!json_object_is_type(value, json_type_object))
        return 0;
    json_object_object_foreach(value, key, member)
    {
        char end =
            strncmp(key, key_begin, sizeof key_begin - 1) == 0 ? key[sizeof key_begin - 1] : 'x';
        if (end != '\0' && end != ' ')
            continue;
        *is_packaged = true;
        if (add_entries(file, member, err) != 0)
            return -1;
    }
    return 0;
}

/* At least one must be what Home Assistant would take. */
static int check_entries(const struct backtest_file *file, struct error *err)
{
    if (file->count == 0)
        return error_set(err, ERROR_INVALID, "there is no automation in it");
    for (size_t i = 0; i < file->count; i++)
        if (file->entries[i].base.problem == NULL)
            return 0;
    return error_set(err, ERROR_INVALID, "%s", file->entries[0].base.problem);
}

static const char *name_of(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

int backtest_file_read(const char *path, struct backtest_file *out, struct error *err)
{
    json_object *value = NULL;
    bool is_packaged = false;
    *out = (struct backtest_file){.entries = NULL};
    if (yaml_read_file(path, &value, err) != 0)
        return -1;
    int result = value == NULL ? 0 : add_packaged(out, value, &is_packaged, err);
    if (result == 0 && value != NULL && !is_packaged)
        result = add_entries(out, value, err);
    if (result == 0)
        result = check_entries(out, err);
    json_object_put(value);
    if (result != 0) {
        error_prefix(err, "%s", name_of(path));
        backtest_file_release(out);
    }
    return result;
}

static bool is_called(const struct backtest_entry *entry, const char *name)
{
    return (entry->id != NULL && strcmp(entry->id, name) == 0) ||
           (entry->alias != NULL && strcmp(entry->alias, name) == 0);
}

int backtest_file_choose(struct backtest_file *file, const char *id_or_alias, const char *path,
                         struct error *err)
{
    struct error problem;
    char names[300] = "";
    size_t kept = 0, length = 0, shown = 0;
    for (size_t i = 0; i < file->count; i++)
        kept += is_called(&file->entries[i], id_or_alias);
    for (size_t i = 0; i < file->count && shown < NAMES_SHOWN && kept == 0; i++) {
        const struct backtest_entry *entry = &file->entries[i];
        const char *text = entry->alias != NULL ? entry->alias : entry->id;
        char name[KEY_SHOWN + 1];
        text_copy_shown(name, sizeof name, text != NULL ? text : "");
        if (name[0] != '\0' && length + strlen(name) + 5 < sizeof names) {
            snprintf(names + length, sizeof names - length, "%s'%s'", shown++ > 0 ? ", " : "",
                     name);
            length = strlen(names);
        }
    }
    if (kept == 0)
        return error_set(err, ERROR_NOT_FOUND, "%s: no automation has the id or alias '%.60s'%s%s",
                         name_of(path), id_or_alias, shown > 0 ? "; it has " : "", names);
    size_t to = 0;
    for (size_t i = 0; i < file->count; i++) {
        if (is_called(&file->entries[i], id_or_alias))
            file->entries[to++] = file->entries[i];
        else
            backtest_entry_release(&file->entries[i]);
    }
    file->count = to;
    if (check_entries(file, &problem) != 0)
        return error_set(err, ERROR_INVALID, "%s: %s", name_of(path), problem.message);
    return 0;
}

/* --- variants --- */

static void move_case(const struct move *move, const struct backtest_entry *entry,
                      struct backtest_case *out)
{
    struct error err = {ERROR_NONE, ""};
    *out = (struct backtest_case){.config = NULL};
    if (entry->base.automation != NULL)
        out->config = move_apply(move, entry->base.config, &err);
    if (out->config != NULL && automation_parse(out->config, &out->automation, &err) == 0)
        return;
    out->problem = xstrdup(entry->base.automation != NULL ? err.message : "it is not replayed");
}

int backtest_file_move(struct backtest_file *file, struct move *const *moves, size_t count,
                       const char *path, struct error *err)
{
    for (size_t i = 0; i < file->count; i++) {
        struct backtest_entry *entry = &file->entries[i];
        entry->variants = xcalloc(count, sizeof *entry->variants);
        entry->variant_count = count;
        for (size_t m = 0; m < count; m++)
            move_case(moves[m], entry, &entry->variants[m]);
    }
    for (size_t m = 0; m < count; m++) {
        size_t taken = 0;
        for (size_t i = 0; i < file->count; i++)
            taken += file->entries[i].variants[m].automation != NULL;
        if (taken == 0)
            return error_set(err, ERROR_NOT_FOUND, "--move %s: %s: %s", move_text(moves[m]),
                             name_of(path), file->entries[0].variants[m].problem);
    }
    return 0;
}
