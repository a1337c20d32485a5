#include "home/truth_json.h"

#include <math.h>
#include <stdio.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/tz.h"

/* To an object under a key, or to an array. */
static void add_text(json_object *obj, const char *key, const char *text)
{
    if (key != NULL)
        json_add_string(obj, key, text);
    else
        json_object_array_add(obj, json_object_new_string(text));
}

void truth_add_time(json_object *obj, const char *key, int64_t time_us)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(text, time_us / 1000);
    add_text(obj, key, text);
}

void truth_add_clock(json_object *obj, const char *key, double second_of_day)
{
    char text[16];
    const int s = (int)lrint(second_of_day) % 86400;
    snprintf(text, sizeof text, "%02d:%02d:%02d", s / 3600, s / 60 % 60, s % 60);
    json_add_string(obj, key, text);
}

void truth_add_date(json_object *obj, const char *key, int64_t day)
{
    char text[40];
    int year, month, of_month;
    tz_civil_from_days(day, &year, &month, &of_month);
    snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, of_month);
    add_text(obj, key, text);
}

json_object *truth_half(const struct home_entity *entity, int32_t word)
{
    json_object *half = json_object_new_object();
    const bool has_state = entity->domain != HOME_SCENE && entity->domain != HOME_CLIMATE;
    json_add_string(half, "entity_id", entity->entity_id);
    json_add_string(half, "state", has_state ? home_word_name(entity->domain, word) : NULL);
    return half;
}

json_object *truth_members(const struct home *home, const struct home_entity *entity)
{
    if (entity->group < 0)
        return NULL;
    const struct home_group *g = &home->groups[entity->group];
    json_object *members = json_object_new_array();
    json_object_array_add(members, json_object_new_string(home->entities[g->leader].entity_id));
    for (uint32_t m = 0; m < g->member_count; m++)
        json_object_array_add(
            members, json_object_new_string(home->entities[g->first_member + m].entity_id));
    if (g->entity >= 0)
        json_object_array_add(members, json_object_new_string(home->entities[g->entity].entity_id));
    return members;
}
