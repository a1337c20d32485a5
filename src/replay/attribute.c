/* Attributes that an automation asks for and a history does not have: the recorder leaves some out,
 * other histories have none at all. What looks at one of those never holds: that is told. */
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "core/xalloc.h"
#include "replay/parse.h"
#include "replay/purpose.h"

enum {
    ROWS_LOOKED_AT = 100, /* of each entity */
    NAME_SHOWN = 60,      /* bytes of an attribute's name in a note */
};

/* _entity_component_unrecorded_attributes, _unrecorded_attributes of 2026.11: those that change.
 * Home Assistant's own input_datetime's has_date and has_time follow from its state. */
static const struct {
    const char *domain;
    const char *names[14];
} unrecorded[] = {
    {"automation", {"current", "last_triggered", "mode", NULL}},
    {"calendar", {"description", NULL}},
    {"group", {"entity_id", "group_entities", NULL}},
    {"light",
     {"brightness", "color_mode", "color_temp_kelvin", "effect", "hs_color", "rgb_color",
      "rgbw_color", "rgbww_color", "xy_color", NULL}},
    {"media_player",
     {"entity_picture", "entity_picture_local", "media_position", "media_position_updated_at",
      NULL}},
    {"person", {"device_trackers", NULL}},
    {"schedule", {"next_event", NULL}},
    {"script", {"current", "last_action", "last_triggered", "mode", NULL}},
    {"sun",
     {"azimuth", "elevation", "next_dawn", "next_dusk", "next_midnight", "next_noon", "next_rising",
      "next_setting", "rising", NULL}},
    {"update", {"in_progress", "release_summary", "update_percentage", NULL}},
};

static bool is_unrecorded(const char *entity_id, const char *attribute)
{
    for (size_t i = 0; i < sizeof unrecorded / sizeof *unrecorded; i++) {
        size_t length = strlen(unrecorded[i].domain);
        if (strncmp(entity_id, unrecorded[i].domain, length) != 0 || entity_id[length] != '.')
            continue;
        for (size_t j = 0; unrecorded[i].names[j] != NULL; j++)
            if (strcmp(unrecorded[i].names[j], attribute) == 0)
                return true;
    }
    return false;
}

void parse_attribute_use(struct parser *p, json_object *object, const char *key,
                         const char *attribute, const size_t *entities, size_t count,
                         const struct purpose_use *purpose)
{
    struct automation *a = p->automation;
    a->attributes = grow_array(a->attributes, a->attribute_count, &a->attribute_capacity,
                               sizeof *a->attributes);
    size_t mark = key != NULL ? parse_enter_key(p, key) : strlen(p->path);
    struct attribute_use *use = &a->attributes[a->attribute_count++];
    *use = (struct attribute_use){.path = xstrdup(p->path),
                                  .name = xstrdup(attribute),
                                  .entities = entities,
                                  .entity_count = count,
                                  .purpose = purpose};
    parse_position(p, object, key, &use->line, &use->column);
    parse_leave(p, mark);
}

/* What is known of an attribute in the entities that somebody asks it of. */
struct looking {
    const struct timeline *timeline;
    const char *name;
    const struct purpose_use *purpose; /* NULL: it is asked of all */
    bool has_rows, has_attributes, has_it, is_unrecorded;
};

static void look_at_row(struct looking *l, const struct timeline_row *row)
{
    const char *state = l->timeline->words[row->word];
    if (row->word == TIMELINE_REMOVED || strcmp(state, "unavailable") == 0 ||
        strcmp(state, "unknown") == 0)
        return;
    l->has_rows = true;
    l->has_attributes = l->has_attributes || row->attributes >= 0;
    l->has_it = l->has_it || (row->attributes >= 0 &&
                              parse_has(l->timeline->attributes[row->attributes], l->name));
}

static void look_at(const char *entity_id, void *ctx)
{
    struct looking *l = ctx;
    const struct timeline_series *series = timeline_find(l->timeline, entity_id);
    const struct domain_spec *spec =
        l->purpose != NULL ? purpose_spec(l->purpose, entity_id) : NULL;
    /* Of a domain whose state is looked at, or another attribute. */
    bool is_of_another = spec != NULL && l->purpose->purpose->change != CHANGE_NEXT_BLOCK &&
                         strcmp(spec->attribute, l->name) != 0;
    if (series == NULL || l->has_it || is_of_another)
        return;
    l->is_unrecorded = l->is_unrecorded || is_unrecorded(entity_id, l->name);
    for (size_t i = 0; i < series->count && i < ROWS_LOOKED_AT; i++)
        look_at_row(l, &series->rows[i]);
}

void attributes_note_missing(struct automation *a, const struct timeline *timeline)
{
    for (size_t i = 0; i < a->attribute_count; i++) {
        struct attribute_use *use = &a->attributes[i];
        struct looking l = {.timeline = timeline, .name = use->name, .purpose = use->purpose};
        if (use->purpose != NULL)
            target_visit(a, use->purpose, timeline, look_at, &l);
        for (size_t j = 0; j < use->entity_count; j++)
            look_at(a->entities.keys[use->entities[j]], &l);
        if (use->is_noted || !l.has_rows || l.has_it || (l.has_attributes && !l.is_unrecorded))
            continue;
        use->is_noted = true;
        char shown[NAME_SHOWN + 1];
        text_copy_shown(shown, sizeof shown, use->name);
        char *what = xasprintf("attribute %s, which this history does not have", shown);
        automation_add_note(a, use->path, use->line, use->column, what, "taken to be absent");
        free(what);
    }
}
