/* Reading purpose-specific triggers and conditions: target and options. */
#include "replay/purpose.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "replay/parse.h"

const struct purpose *purpose_find(const struct purpose *table, const char *key)
{
    while (table->key != NULL && strcmp(table->key, key) != 0)
        table++;
    return table->key != NULL ? table : NULL;
}

/* --- the table's own text --- */

static const char *read_word(const char *text, const char *end, char out[PURPOSE_WORD_MAX])
{
    size_t length = strcspn(text, end);
    size_t copied = length < PURPOSE_WORD_MAX ? length : PURPOSE_WORD_MAX - 1;
    memcpy(out, text, copied);
    out[copied] = '\0';
    return text + length;
}

static void read_specs(struct purpose_use *use, const char *text)
{
    while (*text != '\0' && use->spec_count < PURPOSE_DOMAINS_MAX) {
        struct domain_spec *spec = &use->specs[use->spec_count++];
        text = read_word(text, ":/= ", spec->domain);
        if (*text == ':')
            text = read_word(text + 1, "/= ", spec->device_class);
        if (*text == '/')
            text = read_word(text + 1, "= ", spec->attribute);
        if (*text == '=')
            text = read_word(text + 1, " ", spec->word);
        text += *text == ' ';
    }
}

static void add_word(char ***words, size_t *count, char *word)
{
    *words = xreallocarray(*words, *count + 1, sizeof **words);
    (*words)[(*count)++] = word;
}

static void read_words(char ***words, size_t *count, const char *text)
{
    while (text != NULL && *text != '\0') {
        size_t length = strcspn(text, " ");
        add_word(words, count, xstrndup(text, length));
        text += length + (text[length] == ' ');
    }
}

/* --- target --- */

static const char *const target_keys[] = {"entity_id", "device_id", "area_id", "floor_id",
                                          "label_id",  "exclude",   NULL};

/* strict_entity_id: no capitals, no commas. */
static int parse_target_entity(struct parser *p, json_object *id, size_t *entity)
{
    const char *text = json_object_is_type(id, json_type_string) ? json_object_get_string(id) : "";
    if (!parse_is_entity_id(text))
        return parse_fail(p, id, "an entity id such as light.kitchen, in small letters");
    return parse_entity_of(p, id, entity);
}

static int parse_ids(struct parser *p, json_object *target, size_t key, struct target_ids *out)
{
    json_object *list = parse_get(target, target_keys[key]);
    size_t count = parse_list_length(list);
    if (count > TARGET_IDS_MAX)
        return error_set(p->err, ERROR_LIMIT, "%s.%s: more than %d ids", p->path, target_keys[key],
                         TARGET_IDS_MAX);
    for (size_t i = 0; i < count; i++) {
        json_object *id = parse_list_at(list, i);
        if (key == 0) {
            size_t mark = parse_enter_key(p, target_keys[key]);
            out->entities =
                xreallocarray(out->entities, out->entity_count + 1, sizeof *out->entities);
            if (parse_target_entity(p, id, &out->entities[out->entity_count]) != 0)
                return -1;
            out->entity_count++;
            parse_leave(p, mark);
        } else {
            if (!json_object_is_type(id, json_type_string))
                return parse_fail_key(p, target, target_keys[key], "an id, or a list of them");
            add_word(&out->ids[key - 1], &out->counts[key - 1],
                     xstrdup(json_object_get_string(id)));
        }
    }
    return 0;
}

static int parse_all_ids(struct parser *p, json_object *target, struct target_ids *out)
{
    for (size_t i = 0; i <= TARGET_KINDS; i++)
        if (parse_ids(p, target, i, out) != 0)
            return -1;
    return 0;
}

static int parse_target(struct parser *p, json_object *config, struct purpose_use *use)
{
    static const char expected[] = "{entity_id, device_id, area_id, floor_id, label_id}";
    static const char *const excluded_keys[] = {"entity_id", "device_id", "area_id",
                                                "floor_id",  "label_id",  NULL};
    json_object *target = parse_get(config, "target");
    if (!json_object_is_type(target, json_type_object))
        return parse_fail_key(p, config, "target", expected);
    size_t mark = parse_enter_key(p, "target");
    if (parse_keys(p, target, target_keys) != 0 || parse_all_ids(p, target, &use->target) != 0)
        return -1;
    if (parse_has(target, "exclude")) {
        json_object *exclude = parse_get(target, "exclude");
        if (!json_object_is_type(exclude, json_type_object))
            return parse_fail_key(p, target, "exclude", expected);
        parse_enter_key(p, "exclude");
        if (parse_keys(p, exclude, excluded_keys) != 0 ||
            parse_all_ids(p, exclude, &use->exclude) != 0)
            return -1;
    }
    parse_leave(p, mark);
    return 0;
}

/* --- threshold (helpers/selector.py, NumericThresholdSelector) --- */

static int convert_limit(struct parser *p, json_object *end, const struct units *units,
                         struct limit *out)
{
    json_object *unit = parse_get(end, "unit_of_measurement");
    const char *name =
        json_object_is_type(unit, json_type_string) ? json_object_get_string(unit) : "";
    if (units == NULL || (parse_has(end, "unit_of_measurement") &&
                          units_convert(units, out->number, name, &out->number)))
        return 0;
    char *names = units_names(units);
    parse_fail_key(p, end, "unit_of_measurement", names);
    free(names);
    return -1;
}

static int parse_end(struct parser *p, json_object *threshold, const char *key,
                     const struct units *units, struct limit *out)
{
    static const char *const keys[] = {"active_choice", "number", "entity", "unit_of_measurement",
                                       NULL};
    json_object *end = parse_get(threshold, key), *choice = parse_get(end, "active_choice");
    if (!json_object_is_type(end, json_type_object))
        return parse_fail_key(p, threshold, key, "{number: ...} or {entity: ...}");
    size_t mark = parse_enter_key(p, key);
    if (parse_keys(p, end, keys) != 0)
        return -1;
    bool has_choice = parse_has(end, "active_choice");
    const char *chosen = has_choice && json_object_is_type(choice, json_type_string)
                             ? json_object_get_string(choice)
                             : "";
    bool by_number = has_choice ? strcmp(chosen, "number") == 0 : parse_has(end, "number");
    out->is_given = true;
    out->is_entity = !by_number;
    if (has_choice && !by_number && strcmp(chosen, "entity") != 0)
        return parse_fail_key(p, end, "active_choice", "number or entity");
    if (!has_choice && by_number && parse_has(end, "entity"))
        return parse_fail_key(p, end, "entity", "only one of number and entity");
    if (by_number) {
        if (!value_number(parse_get(end, "number"), &out->number))
            return parse_fail_key(p, end, "number", "a number");
        if (convert_limit(p, end, units, out) != 0)
            return -1;
    } else if (parse_entity(p, end, "entity", &out->entity) != 0) {
        return -1;
    }
    parse_leave(p, mark);
    return 0;
}

/* Whatever their units are. */
static bool is_greater(json_object *low, json_object *high)
{
    double a, b;
    return value_number(parse_get(low, "number"), &a) &&
           value_number(parse_get(high, "number"), &b) && a > b;
}

static int parse_threshold(struct parser *p, json_object *options, bool may_be_any,
                           struct purpose_use *use)
{
    static const struct {
        const char *name, *low, *high;
        const char *keys[4];
    } types[] = {
        [THRESHOLD_ANY] = {"any", NULL, NULL, {"type", NULL}},
        [THRESHOLD_ABOVE] = {"above", "value", NULL, {"type", "value", NULL}},
        [THRESHOLD_BELOW] = {"below", NULL, "value", {"type", "value", NULL}},
        [THRESHOLD_BETWEEN] = {"between",
                               "value_min",
                               "value_max",
                               {"type", "value_min", "value_max", NULL}},
        [THRESHOLD_OUTSIDE] = {
            "outside", "value_min", "value_max", {"type", "value_min", "value_max", NULL}}};
    json_object *threshold = parse_get(options, "threshold"), *type = parse_get(threshold, "type");
    const struct units *units = use->purpose->converter;
    if (!json_object_is_type(threshold, json_type_object))
        return parse_fail_key(p, options, "threshold", "{type: above, value: {number: ...}}");
    size_t mark = parse_enter_key(p, "threshold"), i = may_be_any ? 0 : 1;
    const char *name =
        json_object_is_type(type, json_type_string) ? json_object_get_string(type) : "";
    while (i < sizeof types / sizeof *types && strcmp(types[i].name, name) != 0)
        i++;
    if (i == sizeof types / sizeof *types)
        return parse_fail_key(p, threshold, "type",
                              may_be_any ? "above, below, between, outside or any"
                                         : "above, below, between or outside");
    use->threshold = (enum threshold_type)i;
    struct limit *low = &use->low, *high = &use->high;
    if (parse_keys(p, threshold, types[i].keys) != 0 ||
        (types[i].low != NULL && parse_end(p, threshold, types[i].low, units, low) != 0) ||
        (types[i].high != NULL && parse_end(p, threshold, types[i].high, units, high) != 0))
        return -1;
    if (low->is_given && high->is_given && !low->is_entity && !high->is_entity &&
        is_greater(parse_get(threshold, "value_min"), parse_get(threshold, "value_max")))
        return parse_fail_key(p, threshold, "value_min", "a number not greater than value_max");
    parse_leave(p, mark);
    return 0;
}

/* --- the other options --- */

/* Words of a mode, an option, a zone ...: HA wants a list with at least one text. */
static int parse_option(struct parser *p, json_object *options, struct purpose_use *use)
{
    static const char modes[] = " off heat cool heat_cool auto dry fan_only ";
    const char *key = use->purpose->option;
    json_object *value = parse_get(options, key);
    bool is_zone = strcmp(key, "zone") == 0;
    bool is_one = is_zone || (use->purpose->flags & PURPOSE_TEXT);
    /* cv.string takes numbers, too. */
    bool takes_numbers = (use->purpose->flags & PURPOSE_TEXT) || strcmp(key, "event_type") == 0;
    const char *expected = is_zone  ? "a zone such as zone.home"
                           : is_one ? "a text"
                                    : "a text, or a list of texts";
    size_t count = parse_list_length(value);
    if (count == 0 || (is_one && json_object_is_type(value, json_type_array)))
        return parse_fail_key(p, options, key, expected);
    if (count > TARGET_IDS_MAX)
        return error_set(p->err, ERROR_LIMIT, "%s.%s: more than %d texts", p->path, key,
                         TARGET_IDS_MAX);
    for (size_t i = 0; i < count; i++) {
        json_object *word = parse_list_at(value, i);
        bool is_number =
            json_object_is_type(word, json_type_int) || json_object_is_type(word, json_type_double);
        if (!json_object_is_type(word, json_type_string) && !(is_number && takes_numbers))
            return parse_fail_key(p, options, key, expected);
        const char *text = json_object_get_string(word);
        char *spaced = xasprintf(" %.40s ", text);
        bool is_mode = strcmp(key, "hvac_mode") != 0 ||
                       (strchr(text, ' ') == NULL && strstr(modes, spaced) != NULL);
        free(spaced);
        if (!is_mode || (is_zone && (strncmp(text, "zone.", 5) != 0 || !parse_is_entity_id(text))))
            return parse_fail_key(p, options, key, is_zone ? expected : "modes of a climate");
        add_word(&use->words, &use->word_count, xstrdup(text));
    }
    return 0;
}

static int parse_behavior(struct parser *p, json_object *options, bool is_trigger,
                          enum behavior *out)
{
    static const struct {
        const char *name;
        enum behavior behavior;
    } of_trigger[] = {{"each", BEHAVIOR_EACH},
                      {"first", BEHAVIOR_FIRST},
                      {"all", BEHAVIOR_ALL},
                      {"any", BEHAVIOR_EACH}, /* as they were called before */
                      {"last", BEHAVIOR_ALL}};
    json_object *value = parse_get(options, "behavior");
    const char *text =
        json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
    *out = is_trigger ? BEHAVIOR_EACH : BEHAVIOR_ANY;
    if (!parse_has(options, "behavior"))
        return 0;
    for (size_t i = 0; is_trigger && i < sizeof of_trigger / sizeof *of_trigger; i++)
        if (strcmp(text, of_trigger[i].name) == 0) {
            *out = of_trigger[i].behavior;
            return 0;
        }
    if (!is_trigger && strcmp(text, "all") == 0)
        *out = BEHAVIOR_ALL;
    else if (is_trigger || strcmp(text, "any") != 0)
        return parse_fail_key(p, options, "behavior",
                              is_trigger ? "each, first or all" : "any or all");
    return 0;
}

static int parse_options(struct parser *p, json_object *config, struct purpose_use *use,
                         bool is_trigger, int64_t *for_us)
{
    const struct purpose *purpose = use->purpose;
    const char *keys[4] = {NULL};
    size_t count = 0;
    if (purpose->option != NULL)
        keys[count++] = purpose->option;
    if ((purpose->flags & PURPOSE_PLAIN) == 0)
        keys[count++] = "for";
    if ((purpose->flags & (PURPOSE_PLAIN | PURPOSE_SUN | PURPOSE_ONE_ZONE)) == 0)
        keys[count++] = "behavior";
    json_object *options = parse_get(config, "options");
    if (parse_has(config, "options") && !json_object_is_type(options, json_type_object))
        return parse_fail_key(p, config, "options", "an object");
    size_t mark = parse_enter_key(p, "options");
    if ((options != NULL && parse_keys(p, options, keys) != 0) ||
        parse_behavior(p, options, is_trigger, &use->behavior) != 0 ||
        parse_period(p, options, "for", false, for_us, NULL) != 0)
        return -1;
    int result = 0;
    if (purpose->valid == VALID_NUMBER)
        result = parse_threshold(p, options, is_trigger && purpose->change == CHANGE_NUMBER, use);
    else if (purpose->option != NULL)
        result = parse_option(p, options, use);
    parse_leave(p, mark);
    return result;
}

/* What stands instead of a target. */
static int add_entity(struct parser *p, struct purpose_use *use, const char *entity_id)
{
    json_object *id = json_object_new_string(entity_id);
    use->target.entities = xcalloc(1, sizeof *use->target.entities);
    int result = parse_entity_of(p, id, &use->target.entities[0]);
    json_object_put(id);
    use->target.entity_count = result == 0;
    return result;
}

int purpose_parse(struct parser *p, json_object *config, const struct purpose *purpose,
                  bool is_trigger, int64_t *for_us, struct purpose_use **out)
{
    static const char *const keys[] = {"target", "options", NULL};
    static const char *const keys_alone[] = {"options", NULL};
    struct automation *a = p->automation;
    struct purpose_use *use = xcalloc(1, sizeof *use);
    a->uses = grow_array(a->uses, a->use_count, &a->use_capacity, sizeof *a->uses);
    use->index = a->use_count++;
    *out = a->uses[use->index] = use;
    use->purpose = purpose;
    read_specs(use, purpose->domains);
    read_words(&use->words, &use->word_count, purpose->to);
    read_words(&use->from, &use->from_count, purpose->from);
    bool is_alone = purpose->flags & (PURPOSE_SUN | PURPOSE_ONE_ZONE);
    int (*check)(struct parser *, json_object *, const char *const *) =
        is_trigger ? parse_trigger_keys : parse_condition_keys;
    if (check(p, config, is_alone ? keys_alone : keys) != 0 ||
        (!is_alone && parse_target(p, config, use) != 0) ||
        parse_options(p, config, use, is_trigger, for_us) != 0)
        return -1;
    if (is_alone &&
        add_entity(p, use, purpose->flags & PURPOSE_SUN ? "sun.sun" : use->words[0]) != 0)
        return -1;
    if (purpose->change == CHANGE_NEXT_BLOCK)
        parse_attribute_use(p, config, NULL, "next_event", NULL, 0, use);
    for (size_t i = 0; i < use->spec_count; i++)
        if (use->specs[i].attribute[0] != '\0')
            parse_attribute_use(p, config, NULL, use->specs[i].attribute, NULL, 0, use);
    return 0;
}

static void free_words(char **words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(words[i]);
    free(words);
}

static void release_ids(struct target_ids *ids)
{
    free(ids->entities);
    for (size_t i = 0; i < TARGET_KINDS; i++)
        free_words(ids->ids[i], ids->counts[i]);
}

void purpose_use_free(struct purpose_use *use)
{
    if (use == NULL)
        return;
    release_ids(&use->target);
    release_ids(&use->exclude);
    free_words(use->words, use->word_count);
    free_words(use->from, use->from_count);
    free(use);
}
