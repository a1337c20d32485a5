/* The homeassistant trigger (components/homeassistant/triggers/homeassistant.py). Start is the
 * moment from which automations listen; shutdown comes only where Home Assistant was stopped in
 * order. */
#include <string.h>

#include "replay/engine.h"
#include "replay/parse.h"

static int parse_homeassistant(struct parser *p, json_object *config, struct trigger *t)
{
    static const char *const keys[] = {"event", NULL};
    json_object *event = parse_get(config, "event");
    const char *text =
        json_object_is_type(event, json_type_string) ? json_object_get_string(event) : "";
    if (parse_trigger_keys(p, config, keys) != 0)
        return -1;
    t->is_set = strcmp(text, "shutdown") == 0;
    if (!t->is_set && strcmp(text, "start") != 0)
        return parse_fail_key(p, config, "event", "start or shutdown");
    return 0;
}

static void attach(struct replay *r, size_t trigger)
{
    if (!r->automation->triggers[trigger].is_set)
        engine_fire(r, trigger, NULL);
}

static void on_shutdown(struct replay *r, size_t trigger)
{
    if (r->automation->triggers[trigger].is_set)
        engine_fire(r, trigger, NULL);
}

const struct trigger_type trigger_homeassistant = {.name = "homeassistant",
                                                   .parse = parse_homeassistant,
                                                   .attach = attach,
                                                   .on_shutdown = on_shutdown};
