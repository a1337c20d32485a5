/* configuration.yaml, automations.yaml, known_devices.yaml. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "home/ha_private.h"

static const char configuration_head[] = "# A simulated home: every light, switch, fan and sensor "
                                         "is a template over a helper named sim_….\n"
                                         "api:\n"
                                         "config:\n"
                                         "frontend:\n"
                                         "history:\n"
                                         "logbook:\n"
                                         "script:\n"
                                         "sun:\n"
                                         "zone:\n"
                                         "recorder:\n"
                                         "  purge_keep_days: 400\n"
                                         "  exclude:\n"
                                         "    entity_globs:\n"
                                         "      - input_boolean.sim_*\n"
                                         "      - input_number.sim_*\n"
                                         "automation: !include automations.yaml\n";

/* --- Helpers: what a template shows, and what a service sets
 * ------------------------------------------------------------------------ */

/* What is on or off of an entity is a boolean helper of its own, unless HA has it itself. */
static bool has_boolean(const struct home_entity *e)
{
    return e->domain <= HOME_BINARY_SENSOR ? e->domain != HOME_INPUT_BOOLEAN
                                           : e->domain == HOME_CLIMATE || e->domain == HOME_LOCK;
}

/* The number helpers of an entity: sim_<prefix><domain>_<object id>, of a sensor sim_<object id>.
 */
struct number_helper {
    const char *prefix;
    double low, high, initial, step;
};

static void write_number(FILE *out, const struct home_entity *e, const struct number_helper *n)
{
    fprintf(out, "  sim_%s%s_%s: {min: %g, max: %g, initial: %g, step: %g, mode: box}\n", n->prefix,
            home_domain_name(e->domain), ha_object_id(e), n->low, n->high, n->initial, n->step);
}

static void write_numbers_of(FILE *out, const struct home_entity *e)
{
    static const struct number_helper levels[HOME_DOMAIN_COUNT] = {
        [HOME_LIGHT] = {"level_", 0, 255, 204, 1},       [HOME_FAN] = {"level_", 0, 100, 80, 1},
        [HOME_MEDIA_PLAYER] = {"level_", 0, 1, .3, .01}, [HOME_COVER] = {"level_", 0, 100, 100, 1},
        [HOME_CLIMATE] = {"now_", -20, 60, 20, .1},
    };
    static const struct number_helper mireds = {"mireds_", 100, 1000, 333, 1};
    if (e->quantity != NULL)
        fprintf(out, "  sim_%s: {min: %g, max: %g, initial: %g, step: %g, mode: box}\n",
                ha_object_id(e), e->quantity->low, e->quantity->high, e->quantity->base,
                pow(10, -e->quantity->decimals));
    if (e->has_level)
        write_number(out, e, &levels[e->domain]);
    if (e->has_kelvin)
        write_number(out, e, &mireds);
}

static void write_helpers(FILE *out, const struct home *home)
{
    fputs("\ninput_boolean:\n", out);
    for (size_t i = 0; i < home->entity_count; i++) {
        const struct home_entity *e = &home->entities[i];
        if (e->domain == HOME_INPUT_BOOLEAN)
            fprintf(out, "  %s:\n    name: %s\n", ha_object_id(e), e->name);
        else if (has_boolean(e))
            fprintf(out, "  sim_%s_%s:\n", home_domain_name(e->domain), ha_object_id(e));
    }
    bool any = false;
    for (size_t i = 0; i < home->entity_count; i++) {
        const struct home_entity *e = &home->entities[i];
        if (!any && (e->quantity != NULL || e->has_level))
            fputs("\ninput_number:\n", out);
        any = any || e->quantity != NULL || e->has_level;
        write_numbers_of(out, e);
    }
}

/* "name: {action: input_boolean.turn_on, …}": switches the entity's boolean helper. */
static void write_switch(FILE *out, const char *indent, const char *name,
                         const struct home_entity *e, bool on)
{
    fprintf(out,
            "%s%s: {action: input_boolean.turn_%s, target: {entity_id: "
            "input_boolean.sim_%s_%s}}\n",
            indent, name, on ? "on" : "off", home_domain_name(e->domain), ha_object_id(e));
}

static void write_switching(FILE *out, const char *indent, const struct home_entity *e)
{
    write_switch(out, indent, "turn_on", e, true);
    write_switch(out, indent, "turn_off", e, false);
}

/* "name: …": gives a number helper the value of a service's variable. */
static void write_setting(FILE *out, const char *indent, const char *name, const char *prefix,
                          const char *variable, const struct home_entity *e)
{
    fprintf(out,
            "%s%s: {action: input_number.set_value, target: {entity_id: "
            "input_number.sim_%s%s_%s}, data: {value: \"{{ %s }}\"}}\n",
            indent, name, prefix, home_domain_name(e->domain), ha_object_id(e), variable);
}

/* --- Entities
 * ------------------------------------------------------------------------------------- */

/* A light that is given a level is switched on by that. */
static void write_light_levels(FILE *out, const char *indent, const struct home_entity *e)
{
    static const struct {
        const char *shows, *sets, *prefix, *variable;
    } parts[] = {{"level", "set_level", "level_", "brightness"},
                 {"temperature", "set_temperature", "mireds_", "color_temp"}};
    for (int i = 0; i < (e->has_kelvin ? 2 : 1); i++)
        fprintf(out,
                "%s%s: \"{{ states('input_number.sim_%slight_%s') | int(0) }}\"\n"
                "%s%s:\n%s  - {action: input_boolean.turn_on, target: {entity_id: "
                "input_boolean.sim_light_%s}}\n%s  - {action: input_number.set_value, target: "
                "{entity_id: input_number.sim_%slight_%s}, data: {value: \"{{ %s }}\"}}\n",
                indent, parts[i].shows, parts[i].prefix, ha_object_id(e), indent, parts[i].sets,
                indent, ha_object_id(e), indent, parts[i].prefix, ha_object_id(e),
                parts[i].variable);
}

static void write_sensor(FILE *out, const char *indent, const struct home_entity *e)
{
    fprintf(out,
            "%sstate: \"{{ states('input_number.sim_%s') }}\"\n%sunit_of_measurement: \"%s\"\n"
            "%sdevice_class: %s\n%sstate_class: measurement\n",
            indent, ha_object_id(e), indent, e->quantity->unit, indent, e->quantity->device_class,
            indent);
}

/* In the modern form, under `template:`. */
static void write_template(FILE *out, const struct home_entity *e)
{
    static const char indent[] = "        ";
    const char *domain = home_domain_name(e->domain);
    fprintf(out, "      - name: %s\n%sunique_id: home_%s_%s\n", e->name, indent, domain,
            ha_object_id(e));
    if (e->quantity != NULL) {
        write_sensor(out, indent, e);
        return;
    }
    if (e->domain == HOME_COVER) {
        fprintf(out, "%sposition: \"{{ states('input_number.sim_level_cover_%s') | int(0) }}\"\n",
                indent, ha_object_id(e));
        write_setting(out, indent, "set_cover_position", "level_", "position", e);
    } else {
        fprintf(out, "%sstate: \"{{ is_state('input_boolean.sim_%s_%s', 'on')%s }}\"\n", indent,
                domain, ha_object_id(e),
                e->domain == HOME_LOCK ? " | iif('unlocked', 'locked')" : "");
    }
    if (e->device_class != NULL) {
        fprintf(out, "%sdevice_class: %s\n", indent, e->device_class);
    } else if (e->domain == HOME_LOCK) {
        write_switch(out, indent, "lock", e, false);
        write_switch(out, indent, "unlock", e, true);
    } else {
        write_switching(out, indent, e);
    }
    if (e->domain == HOME_LIGHT && e->has_level)
        write_light_levels(out, indent, e);
    if (e->domain == HOME_FAN && e->has_level) {
        fprintf(out, "%spercentage: \"{{ states('input_number.sim_level_fan_%s') | int(0) }}\"\n",
                indent, ha_object_id(e));
        write_setting(out, indent, "set_percentage", "level_", "percentage", e);
    }
}

/* Before 2025.5 some template entities exist only in an old form, which later releases dropped. */
static void write_old_fan(FILE *out, const struct home_entity *e)
{
    fprintf(out,
            "      %s:\n        friendly_name: %s\n        unique_id: home_fan_%s\n"
            "        value_template: \"{{ states('input_boolean.sim_fan_%s') }}\"\n",
            ha_object_id(e), e->name, ha_object_id(e), ha_object_id(e));
    write_switching(out, "        ", e);
    if (!e->has_level)
        return;
    fprintf(out,
            "        percentage_template: \"{{ states('input_number.sim_level_fan_%s') | int(0) "
            "}}\"\n",
            ha_object_id(e));
    write_setting(out, "        ", "set_percentage", "level_", "percentage", e);
}

static void write_old_cover(FILE *out, const struct home_entity *e)
{
    fprintf(out,
            "      %s:\n        friendly_name: %s\n        unique_id: home_cover_%s\n"
            "        device_class: %s\n        position_template: \"{{ "
            "states('input_number.sim_level_cover_%s') | int(0) }}\"\n",
            ha_object_id(e), e->name, ha_object_id(e), e->device_class, ha_object_id(e));
    write_setting(out, "        ", "set_cover_position", "level_", "position", e);
}

static void write_old_lock(FILE *out, const struct home_entity *e)
{
    fprintf(out,
            "  - platform: template\n    name: %s\n    unique_id: home_lock_%s\n"
            "    value_template: \"{{ is_state('input_boolean.sim_lock_%s', 'on') | "
            "iif('unlocked', 'locked') }}\"\n",
            e->name, ha_object_id(e), ha_object_id(e));
    write_switch(out, "    ", "lock", e, false);
    write_switch(out, "    ", "unlock", e, true);
}

static void write_player(FILE *out, const struct home_entity *e)
{
    fprintf(out,
            "  - platform: universal\n    name: %s\n    unique_id: home_media_player_%s\n"
            "    state_template: \"{{ 'playing' if is_state('input_boolean.sim_media_player_%s',"
            " 'on') else 'off' }}\"\n",
            e->name, ha_object_id(e), ha_object_id(e));
    if (e->has_level)
        fprintf(out,
                "    attributes:\n      volume_level: input_number.sim_level_media_player_%s\n",
                ha_object_id(e));
    fputs("    commands:\n", out);
    write_switching(out, "      ", e);
    if (e->has_level)
        write_setting(out, "      ", "volume_set", "level_", "volume_level", e);
}

static void write_climate(FILE *out, const struct home_entity *e)
{
    fprintf(out,
            "  - platform: generic_thermostat\n    name: %s\n    unique_id: home_climate_%s\n"
            "    heater: input_boolean.sim_climate_%s\n"
            "    target_sensor: input_number.sim_now_climate_%s\n"
            "    initial_hvac_mode: heat\n    target_temp: 20\n    target_temp_step: 0.5\n",
            e->name, ha_object_id(e), ha_object_id(e), ha_object_id(e));
}

static void write_selection(FILE *out, const struct home_entity *e)
{
    fprintf(out, "  %s:\n    name: %s\n    options:\n", ha_object_id(e), e->name);
    for (int o = 0; o < HOME_OPTION_COUNT; o++)
        fprintf(out, "      - %s\n", home_word_name(HOME_INPUT_SELECT, o));
}

/* Domains outside of `template:`; of some only in the old form. */
static const struct {
    enum home_domain domain;
    bool is_old;
    const char *head;
    void (*write)(FILE *out, const struct home_entity *e);
} others[] = {
    {HOME_FAN, true, "fan:\n  - platform: template\n    fans:\n", write_old_fan},
    {HOME_COVER, true, "cover:\n  - platform: template\n    covers:\n", write_old_cover},
    {HOME_LOCK, true, "lock:\n", write_old_lock},
    {HOME_MEDIA_PLAYER, false, "media_player:\n", write_player},
    {HOME_CLIMATE, false, "climate:\n", write_climate},
    {HOME_INPUT_SELECT, false, "input_select:\n", write_selection},
};
enum { OTHER_COUNT = sizeof others / sizeof others[0] };

static void write_others(FILE *out, const struct home *home, bool modern)
{
    for (int o = 0; o < OTHER_COUNT; o++) {
        bool any = false;
        for (size_t i = 0; i < home->entity_count; i++) {
            if (home->entities[i].domain != others[o].domain || (others[o].is_old && modern))
                continue;
            if (!any)
                fprintf(out, "\n%s", others[o].head);
            others[o].write(out, &home->entities[i]);
            any = true;
        }
    }
}

static bool is_templated(enum home_domain domain, bool modern)
{
    for (int o = 0; o < OTHER_COUNT; o++)
        if (others[o].domain == domain)
            return others[o].is_old && modern;
    return domain == HOME_LIGHT || domain == HOME_SWITCH || domain == HOME_BINARY_SENSOR ||
           domain == HOME_SENSOR;
}

static void write_scenes(FILE *out, const struct home *home)
{
    fputs(home->scene_count > 0 ? "\nscene:\n" : "\nscene: []\n", out);
    for (size_t s = 0; s < home->scene_count; s++) {
        const struct home_scene *scene = &home->scenes[s];
        const struct home_entity *e = &home->entities[scene->entity];
        fprintf(out, "  - id: %s\n    name: %s\n    entities:%s\n", ha_object_id(e), e->name,
                scene->member_count > 0 ? "" : " {}");
        for (int m = 0; m < scene->member_count; m++) {
            fprintf(out, "      %s: {state: \"on\"", home->entities[scene->members[m]].entity_id);
            if (scene->levels[m] > 0)
                fprintf(out, ", brightness: %d", (int)lrint(scene->levels[m] * 2.55));
            fputs("}\n", out);
        }
    }
}

static const char *person_id(const struct home *home, int p)
{
    return ha_object_id(&home->entities[home->people[p].entity]);
}

/* Each person has a phone; its tracker's state is restored by HA, or set by device_tracker.see. */
static void write_people(FILE *out, const struct home *home)
{
    bool any = false;
    for (int p = 0; p < home->people_count; p++) {
        if (home->people[p].entity < 0)
            continue;
        const char *id = person_id(home, p);
        fprintf(out, "%s  - id: %s\n    name: %s\n    device_trackers: [device_tracker.%s_phone]\n",
                any ? "" : "\ndevice_tracker:\nperson:\n", id, home->people[p].name, id);
        any = true;
    }
}

void ha_write_phones(FILE *out, const struct home *home)
{
    for (int p = 0; p < home->people_count; p++)
        if (home->people[p].entity >= 0)
            fprintf(out, "%s_phone:\n  name: %s phone\n  track: true\n", person_id(home, p),
                    home->people[p].name);
}

void ha_write_configuration(FILE *out, const struct ha_config *config)
{
    const struct home *home = config->home;
    const bool modern = config->schema >= HA_SCHEMA_MODERN;
    fputs(configuration_head, out);
    write_helpers(out, home);
    fputs("\ntemplate:\n", out);
    for (int d = 0; d < HOME_DOMAIN_COUNT; d++) {
        bool any = false;
        for (size_t i = 0; i < home->entity_count; i++) {
            if ((int)home->entities[i].domain != d || !is_templated((enum home_domain)d, modern))
                continue;
            if (!any)
                fprintf(out, "  - %s:\n", home_domain_name((enum home_domain)d));
            write_template(out, &home->entities[i]);
            any = true;
        }
    }
    write_others(out, home, modern);
    write_scenes(out, home);
    write_people(out, home);
}

/* --- automations.yaml
 * -------------------------------------------------------------------------------- */

void ha_write_automations(FILE *out, const struct home *home)
{
    if (home->rule_count == 0)
        fputs("[]\n", out);
    for (size_t r = 0; r < home->rule_count; r++) {
        const struct home_rule *rule = &home->rules[r];
        const char *target = home->entities[rule->target].entity_id;
        fprintf(out, "- id: %s\n  alias: %s\n  description: ''\n  triggers:\n",
                ha_object_id(&home->entities[rule->automation]),
                home->entities[rule->automation].name);
        if (rule->trigger >= 0)
            fprintf(out, "  - trigger: state\n    entity_id:\n    - %s\n    to: 'on'\n",
                    home->entities[rule->trigger].entity_id);
        else
            fprintf(out, "  - trigger: time\n    at: '%02d:%02d:%02d'\n", rule->at_s / 3600,
                    rule->at_s / 60 % 60, rule->at_s % 60);
        fprintf(out,
                "  conditions: []\n"
                "  actions:\n"
                "  - action: light.turn_on\n    target:\n      entity_id: %s\n"
                "  - delay: '%02d:%02d:%02d'\n"
                "  - action: light.turn_off\n    target:\n      entity_id: %s\n"
                "  mode: restart\n",
                target, rule->off_after_s / 3600, rule->off_after_s / 60 % 60,
                rule->off_after_s % 60, target);
    }
}
