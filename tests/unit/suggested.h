/* What is suggested in homes drawn at random, in short: for tests that include cmocka.h. HOMES sets
 * how many, VERBOSE prints each suggestion. */
#ifndef SUGGESTED_H
#define SUGGESTED_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "core/xalloc.h"
#include "suggest/analysis.h"

static inline json_object *at(json_object *object, const char *path)
{
    json_object *found = NULL;
    return json_pointer_get(object, path, &found) == 0 ? found : NULL;
}

/* Suggestions of kind `chain`, and all of them. */
struct counts {
    int right, chains, all;
};

/* "binary_sensor.t light.a +00:02:00 !light.b" of a suggestion: its trigger's entity, or "time";
 * what it turns on, off by "!", and the delays between. */
static inline void describe(json_object *suggestion, char *out, size_t size)
{
    json_object *trigger_of = at(suggestion, "/automation/triggers/0");
    json_object *actions = at(suggestion, "/automation/actions");
    const char *entity = json_object_get_string(at(trigger_of, "/entity_id"));
    int n = snprintf(out, size, "%s", entity != NULL ? entity : "time");
    for (size_t i = 0; i < json_object_array_length(actions); i++) {
        json_object *action = json_object_array_get_idx(actions, i);
        json_object *target = at(action, "/target/entity_id");
        if (at(action, "/delay") != NULL)
            n += snprintf(out + n, size - (size_t)n, " +%s",
                          json_object_get_string(at(action, "/delay")));
        if (target == NULL)
            continue;
        n += snprintf(out + n, size - (size_t)n, " %s%s",
                      strstr(json_object_get_string(at(action, "/action")), "off") ? "!" : "",
                      json_object_get_string(target));
    }
}

/* Whether two texts have the same words, in any order. */
static inline bool has_same_words(const char *text, const char *wanted)
{
    if (strlen(text) != strlen(wanted))
        return false;
    char *words = xstrdup(wanted), *rest = NULL;
    bool is_same = true;
    for (char *word = strtok_r(words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        is_same = is_same && strstr(text, word) != NULL;
    free(words);
    return is_same;
}

static inline void look(const struct history *h, const char *wanted, bool any_order,
                        struct counts *counts)
{
    json_object *result = analysis_run(h, NULL);
    json_object *list = at(result, "/suggestions");
    bool is_told = getenv("VERBOSE") != NULL;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        json_object *one = json_object_array_get_idx(list, i);
        char text[512];
        describe(one, text, sizeof text);
        counts->all++;
        counts->chains += strcmp(json_object_get_string(at(one, "/kind")), "chain") == 0;
        counts->right += wanted != NULL &&
                         (any_order ? has_same_words(text, wanted) : strcmp(text, wanted) == 0);
        if (is_told)
            print_message("  %s\n", text);
    }
    if (is_told)
        print_message("\n");
    json_object_put(result);
}

static inline int homes_of(int usual)
{
    const char *given = getenv("HOMES");
    return given != NULL ? atoi(given) : usual;
}

/* What is wanted and what is found in so many homes. */
static inline struct counts look_at_homes(const char *name, int homes, const char *wanted,
                                          bool any_order, void (*make)(struct history *h, int days))
{
    struct counts counts = {0};
    for (int i = 0; i < homes; i++) {
        struct history h;
        make(&h, 30);
        look(&h, wanted, any_order, &counts);
        history_release(&h);
    }
    print_message("%s: %d homes, %d right of %d chains, %d suggestions\n", name, homes,
                  counts.right, counts.chains, counts.all);
    return counts;
}

#endif
