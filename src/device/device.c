#include "device/device.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "app/app.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "device/command.h"
#include "device/discovery.h"
#include "mqtt/topics.h"
#include "store/inbox.h"

enum {
    /* HA can lose components of an announcement that comes while it still works on another. */
    ANNOUNCE_GAP_MS = 5000,
    BIRTH_MIN_MS = 1000, /* after HA's birth, at random within: all devices of a home hear it */
    BIRTH_MAX_MS = 5000,
    SETTLE_MS = 1000,   /* until HA has surely taken new options in */
    LANGUAGE_MS = 1000, /* how long the very first announcement waits for HA's language */
    CLEAN_UP_MS = 3000  /* until HA has surely stopped listening to a removed device */
};

/* What was last published of an entity; NULL = nothing yet. */
struct published {
    char *state, *attributes;
};

struct device {
    struct app *app;
    struct discovery discovery;
    struct published published[DISCOVERY_FILES_MAX];
    const char *instance;
    char *config_topic, *announce_topic;
    json_object *announced; /* the last message, also of an earlier run; NULL = HA has none */
    json_object *settled;   /* the one that HA has surely taken in */
    bool sent;              /* announced by this process */
    bool removed;           /* by the person, in HA */
    int64_t announced_ms;   /* monotonic; of the last time that HA got an announcement */
    int64_t started_ms;     /* monotonic */
    int announce_timer, settle_timer, birth_timer, clean_up_timer, fresh_timer;
};

static void refresh(struct device *device);

static char *entity_topic(const struct device *device, size_t i, const char *leaf)
{
    return topics_entity(device->instance, device->discovery.entities[i].id, leaf);
}

static void stop_timer(struct device *device, int *timer)
{
    loop_remove_timer(app_loop(device->app), *timer);
    *timer = 0;
}

static void keep(struct device *device, const char *key, const char *value)
{
    struct error err;
    if (store_set(app_store(device->app), key, value, &err) < 0)
        log_error("device", "%s cannot be kept: %s", key, err.message);
}

/* --- states ---------------------------------------------------------------------------------- */

static json_object *options_in(json_object *message, const char *id)
{
    json_object *components = message != NULL ? json_get_object(message, "components") : NULL;
    json_object *component = components != NULL ? json_get_object(components, id) : NULL;
    return component != NULL ? json_get_array(component, "options") : NULL;
}

/* A select's state may only be one of the options that HA has and of those that are retained: HA
 * complains about any other. Until then the old state stays, and stays among the options. */
static bool may_publish(const struct device *device, const struct entity *entity, const char *state)
{
    if (entity->options == NULL)
        return true;
    json_object *text = json_object_new_string(state);
    json_object *settled = options_in(device->settled, entity->id);
    json_object *announced = options_in(device->announced, entity->id);
    bool may = (settled == NULL || entity_has_option(settled, text)) &&
               (announced == NULL || entity_has_option(announced, text));
    json_object_put(text);
    return may;
}

/* Publishes *now when it differs from *last, and takes it. */
static void publish(struct device *device, size_t i, const char *leaf, char **last, char *now)
{
    if (now == NULL || (*last != NULL && strcmp(*last, now) == 0)) {
        free(now);
        return;
    }
    char *topic = entity_topic(device, i, leaf);
    mqtt_set_state(app_mqtt(device->app), topic, now, strlen(now));
    free(topic);
    free(*last);
    *last = now;
}

static void publish_states(struct device *device)
{
    json_object *facts = app_facts(device->app);
    for (size_t i = 0; i < device->discovery.count; i++) {
        const struct entity *entity = &device->discovery.entities[i];
        struct published *last = &device->published[i];
        char *state = entity_state_text(entity, facts);
        if (state != NULL && !may_publish(device, entity, state)) {
            free(state);
            continue;
        }
        publish(device, i, "attributes", &last->attributes, entity_attributes_text(entity, facts));
        publish(device, i, "state", &last->state, state);
        if (entity->command != NULL && strcmp(entity->command, "select") == 0 &&
            last->state != NULL)
            app_selection_shown(device->app, last->state);
    }
}

/* How often states with expire_after are sent again; 0 = there are none. Should this process hang
 * while its connection stays, HA shows them as unavailable. */
static int64_t fresh_interval_ms(const struct device *device)
{
    int64_t least_s = 0;
    for (size_t i = 0; i < device->discovery.count; i++) {
        int64_t expire_s = json_get_int(device->discovery.entities[i].component, "expire_after", 0);
        if (expire_s > 0 && (least_s == 0 || expire_s < least_s))
            least_s = expire_s;
    }
    return least_s * 1000 / 3;
}

static void send_fresh(struct device *device)
{
    for (size_t i = 0; !device->removed && i < device->discovery.count; i++) {
        if (json_get_int(device->discovery.entities[i].component, "expire_after", 0) == 0)
            continue;
        char *topic = entity_topic(device, i, "state");
        mqtt_republish_states(app_mqtt(device->app), topic);
        free(topic);
    }
}

static int64_t keep_fresh(void *ctx)
{
    struct device *device = ctx;
    send_fresh(device);
    return fresh_interval_ms(device);
}

/* --- announcing ------------------------------------------------------------------------------ */

/* What the selects show now must stay among their options: {entity id: array}. */
static json_object *options_to_keep(const struct device *device)
{
    json_object *out = json_object_new_object();
    for (size_t i = 0; i < device->discovery.count; i++) {
        const struct entity *entity = &device->discovery.entities[i];
        if (entity->options == NULL)
            continue;
        json_object *options = NULL;
        if (device->published[i].state != NULL) {
            options = json_object_new_array();
            json_object_array_add(options, json_object_new_string(device->published[i].state));
        } else {
            /* The state retained by an earlier run is one of these. */
            options = json_object_get(options_in(device->announced, entity->id));
        }
        if (options != NULL)
            json_object_object_add(out, entity->id, options);
    }
    return out;
}

static int ha_release(const struct device *device)
{
    json_object *ha = json_get_object(app_facts(device->app), "ha");
    return ha_rules_release(ha != NULL ? json_get_string(ha, "version") : NULL);
}

static json_object *wanted_message(struct device *device)
{
    json_object *to_keep = options_to_keep(device);
    json_object *message =
        discovery_message(&device->discovery, device->instance, app_facts(device->app), to_keep,
                          ha_release(device), device->announced);
    json_object_put(to_keep);
    return message;
}

/* For the next run: which components HA has, and the options of its selects. */
static void keep_announced(struct device *device)
{
    json_object *summary = json_object_new_object();
    json_object *components = json_object_new_object();
    json_object_object_add(summary, "components", components);
    json_object_object_foreach(json_get_object(device->announced, "components"), id, component)
    {
        json_object *short_one = json_object_new_object();
        static const char *const keys[] = {"platform", "options"};
        for (size_t i = 0; i < 2; i++) {
            json_object *value;
            if (json_object_object_get_ex(component, keys[i], &value))
                json_object_object_add(short_one, keys[i], json_object_get(value));
        }
        json_object_object_add(components, id, short_one);
    }
    keep(device, DEVICE_KEY_ANNOUNCED, json_text(summary));
    json_object_put(summary);
}

static int64_t on_settled(void *ctx)
{
    struct device *device = ctx;
    device->settle_timer = 0;
    json_object_put(device->settled);
    device->settled = json_object_get(device->announced);
    send_fresh(device); /* to HA a changed entity with expire_after has expired */
    refresh(device);
    return LOOP_TIMER_STOP;
}

/* Steals message. */
static void send_announcement(struct device *device, json_object *message)
{
    struct error err;
    if (discovery_check(message, ha_release(device), &err) < 0) {
        log_error("device", "not announced: %s", err.message);
        json_object_put(message);
        return;
    }
    const char *text = json_text(message);
    mqtt_set_state(app_mqtt(device->app), device->config_topic, text, strlen(text));
    bool first = device->announced == NULL;
    json_object_put(device->announced);
    device->announced = message;
    keep_announced(device);
    device->sent = true;
    device->announced_ms = clock_monotonic_ms();
    stop_timer(device, &device->settle_timer);
    if (first)
        device->settled = json_object_get(message);
    else
        device->settle_timer = loop_add_timer(app_loop(device->app), SETTLE_MS, on_settled, device);
    log_debug("device", "announced");
}

static int64_t on_announce(void *ctx)
{
    struct device *device = ctx;
    device->announce_timer = 0;
    refresh(device);
    return LOOP_TIMER_STOP;
}

/* Milliseconds until HA may get the next announcement. */
static int64_t announce_wait(const struct device *device)
{
    int64_t since = clock_monotonic_ms() - device->announced_ms;
    bool quiet = !device->sent || !mqtt_is_connected(app_mqtt(device->app));
    return quiet || since >= ANNOUNCE_GAP_MS ? 0 : ANNOUNCE_GAP_MS - since;
}

static void announce_if_changed(struct device *device)
{
    json_object *wanted = wanted_message(device);
    if (device->sent && json_object_equal(wanted, device->announced)) {
        json_object_put(wanted);
        return;
    }
    int64_t wait = announce_wait(device);
    if (wait == 0) {
        stop_timer(device, &device->announce_timer);
        send_announcement(device, wanted);
        return;
    }
    json_object_put(wanted);
    if (device->announce_timer == 0)
        device->announce_timer = loop_add_timer(app_loop(device->app), wait, on_announce, device);
}

/* The first announcement of all can be in the home's language when HA tells it soon. */
static bool waits_for_language(struct device *device)
{
    json_object *ha = json_get_object(app_facts(device->app), "ha");
    int64_t left_ms = device->started_ms + LANGUAGE_MS - clock_monotonic_ms();
    bool waits = device->announced == NULL && !device->sent && left_ms > 0 &&
                 json_get_bool(ha, "configured", false) && json_get_string(ha, "language") == NULL;
    if (waits && device->announce_timer == 0)
        device->announce_timer =
            loop_add_timer(app_loop(device->app), left_ms, on_announce, device);
    return waits;
}

/* Brings the broker up to date with the facts. Once HA knows the device, states that the retained
 * options allow go first, so that options can leave without taking the state with them. */
static void refresh(struct device *device)
{
    if (device->removed || waits_for_language(device))
        return;
    if (device->announced == NULL)
        announce_if_changed(device);
    publish_states(device);
    announce_if_changed(device);
}

/* Everything once more, changed or not. */
static void repeat(struct device *device)
{
    refresh(device);
    device->announced_ms = clock_monotonic_ms();
    mqtt_republish_states(app_mqtt(device->app), device->config_topic);
    char *prefix = xasprintf("ha-ai/device/%s/", device->instance);
    mqtt_republish_states(app_mqtt(device->app), prefix);
    free(prefix);
}

static int64_t on_birth(void *ctx)
{
    struct device *device = ctx;
    int64_t wait = announce_wait(device);
    if (wait > 0)
        return wait;
    device->birth_timer = 0;
    if (!device->removed)
        repeat(device);
    return LOOP_TIMER_STOP;
}

static void take_birth(struct device *device, const struct inbox_message *message)
{
    const struct options *options = app_options(device->app);
    if (strcmp(message->payload, options_string(options, OPTION_BIRTH_PAYLOAD)) != 0 ||
        device->removed || device->birth_timer != 0)
        return;
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
        random = (uint32_t)clock_monotonic_ms();
    int64_t delay = BIRTH_MIN_MS + random % (BIRTH_MAX_MS - BIRTH_MIN_MS);
    device->birth_timer = loop_add_timer(app_loop(device->app), delay, on_birth, device);
}

/* --- removed by the person, and asked back --------------------------------------------------- */

static void forget_published(struct device *device)
{
    for (size_t i = 0; i < DISCOVERY_FILES_MAX; i++) {
        free(device->published[i].state);
        free(device->published[i].attributes);
        device->published[i] = (struct published){.state = NULL};
    }
    json_object_put(device->announced);
    json_object_put(device->settled);
    device->announced = device->settled = NULL;
    device->sent = false;
}

/* Nothing of a removed device lingers at the broker. */
static int64_t on_clean_up(void *ctx)
{
    struct device *device = ctx;
    device->clean_up_timer = 0;
    struct mqtt *mqtt = app_mqtt(device->app);
    for (size_t i = 0; device->removed && i < device->discovery.count; i++) {
        const struct entity *entity = &device->discovery.entities[i];
        bool has_state = entity->state != NULL && !entity_is_availability(entity);
        char *state = has_state ? entity_topic(device, i, "state") : NULL;
        char *attributes =
            entity->attributes != NULL ? entity_topic(device, i, "attributes") : NULL;
        if (state != NULL)
            mqtt_set_state(mqtt, state, NULL, 0);
        if (attributes != NULL)
            mqtt_set_state(mqtt, attributes, NULL, 0);
        free(state);
        free(attributes);
    }
    return LOOP_TIMER_STOP;
}

static void take_removal(struct device *device)
{
    keep(device, DEVICE_KEY_REMOVED, "1"); /* again too: the transaction may have failed */
    keep(device, DEVICE_KEY_ANNOUNCED, NULL);
    if (device->removed)
        return;
    log_info("device", "removed in Home Assistant: silent until `ha-ai discovery announce`");
    device->removed = true;
    mqtt_forget_state(app_mqtt(device->app), device->config_topic);
    forget_published(device);
    stop_timer(device, &device->announce_timer);
    stop_timer(device, &device->settle_timer);
    stop_timer(device, &device->birth_timer);
    stop_timer(device, &device->clean_up_timer);
    device->clean_up_timer =
        loop_add_timer(app_loop(device->app), CLEAN_UP_MS, on_clean_up, device);
}

/* Our own topic: an empty payload is the person's removal; another announcement is somebody with
 * our INSTANCE (over MQTT 3.1.1 it may be our own). */
static void take_config(struct device *device, const struct inbox_message *message)
{
    if (message->payload_len == 0) {
        take_removal(device);
        return;
    }
    if (message->flags & INBOX_RETAINED || device->announced == NULL ||
        strcmp(message->payload, json_text(device->announced)) == 0)
        return;
    log_warn("device",
             "somebody else announces on %s: two services on one broker need two INSTANCEs",
             device->config_topic);
}

/* --- commands -------------------------------------------------------------------------------- */

/* Says no: in the log, at the event entity, and by the state, so that HA's page shows what is. */
static void refuse(struct device *device, const struct entity *entity, const char *what,
                   const char *who, const char *reason)
{
    app_refuse(device->app, what, who, reason);
    if (entity != NULL && entity->state != NULL) {
        char *topic = topics_entity(device->instance, entity->id, "state");
        mqtt_republish_states(app_mqtt(device->app), topic);
        free(topic);
    }
}

static int parse_command(struct device *device, const struct inbox_message *message,
                         struct command *command, struct error *err)
{
    int64_t ttl_ms = options_int(app_options(device->app), OPTION_TTL) * INT64_C(1000);
    return command_parse(command, message, app_ha_now_ms(device->app), ttl_ms, err);
}

static void run_command(struct device *device, const struct entity *entity,
                        const struct inbox_message *message)
{
    struct command command;
    struct error err;
    const char *name = json_get_string(entity->component, "name");
    if (parse_command(device, message, &command, &err) < 0) {
        refuse(device, entity, name, NULL, err.message);
        return;
    }
    json_object *options = entity_options(entity, app_facts(device->app), NULL);
    json_object *arguments = json_object_new_object();
    json_object_object_add(arguments, "ts", json_object_new_int64(command.ts_ms));
    if (command.value != NULL)
        json_object_object_add(arguments, "value", json_object_get(command.value));
    static const char *const more[] = {"suggestion", "reason"};
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        if (json_get_string(command.payload, more[i]) != NULL)
            json_add_string(arguments, more[i], json_get_string(command.payload, more[i]));
    if (entity_check_value(entity, command.value, options, &err) < 0 ||
        app_command(device->app, entity->command, arguments, command.by, &err) < 0)
        refuse(device, entity, name, command.by, err.message);
    json_object_put(arguments);
    json_object_put(options);
    command_release(&command);
}

/* `ha-ai discovery announce`. */
static void take_announce(struct device *device, const struct inbox_message *message)
{
    struct command command;
    struct error err;
    if (parse_command(device, message, &command, &err) < 0) {
        refuse(device, NULL, "announce", NULL, err.message);
        return;
    }
    command_release(&command);
    log_info("device", "announcing, as asked");
    device->removed = false;
    keep(device, DEVICE_KEY_REMOVED, NULL);
    if (device->birth_timer == 0)
        device->birth_timer = loop_add_timer(app_loop(device->app), 0, on_birth, device);
}

/* --- the face -------------------------------------------------------------------------------- */

static void subscribe(struct device *device)
{
    struct mqtt *mqtt = app_mqtt(device->app);
    mqtt_add_topic(mqtt, device->config_topic, MQTT_OWN);
    mqtt_add_topic(mqtt, device->announce_topic, 0);
    mqtt_add_topic(mqtt, options_string(app_options(device->app), OPTION_BIRTH_TOPIC), 0);
    for (size_t i = 0; i < device->discovery.count; i++)
        if (device->discovery.entities[i].command != NULL) {
            char *topic = entity_topic(device, i, "set");
            mqtt_add_topic(mqtt, topic, 0);
            free(topic);
        }
}

static void recall(struct device *device)
{
    struct store *store = app_store(device->app);
    char *removed = store_get(store, DEVICE_KEY_REMOVED);
    device->removed = removed != NULL;
    free(removed);
    char *announced = store_get(store, DEVICE_KEY_ANNOUNCED);
    if (announced != NULL)
        device->announced = json_parse(announced, strlen(announced), NULL);
    device->settled = json_object_get(device->announced);
    free(announced);
    if (device->removed)
        log_info("device",
                 "not announced: it was removed in Home Assistant; `ha-ai discovery announce` "
                 "brings it back");
}

static void device_stop(void *face)
{
    struct device *device = face;
    stop_timer(device, &device->announce_timer);
    stop_timer(device, &device->settle_timer);
    stop_timer(device, &device->birth_timer);
    stop_timer(device, &device->clean_up_timer);
    stop_timer(device, &device->fresh_timer);
    forget_published(device);
    discovery_release(&device->discovery);
    free(device->config_topic);
    free(device->announce_topic);
    free(device);
}

static void *device_start(struct app *app, struct error *err)
{
    struct device *device = xcalloc(1, sizeof(*device));
    const struct options *options = app_options(app);
    device->app = app;
    device->instance = options_string(options, OPTION_INSTANCE);
    device->config_topic =
        topics_discovery(options_string(options, OPTION_DISCOVERY_PREFIX), device->instance);
    device->announce_topic = topics_announce(device->instance);
    char *folder = discovery_folder(options);
    int result = discovery_load(&device->discovery, folder, NULL, NULL, err);
    free(folder);
    if (result < 0) {
        if (options_string(options, OPTION_DISCOVERY_DIR) != NULL) {
            error_prefix(err, "DISCOVERY_DIR");
            err->code = ERROR_INVALID;
        }
        device_stop(device);
        return NULL;
    }
    device->started_ms = clock_monotonic_ms();
    int64_t interval_ms = fresh_interval_ms(device);
    if (interval_ms > 0)
        device->fresh_timer = loop_add_timer(app_loop(app), interval_ms, keep_fresh, device);
    subscribe(device);
    recall(device);
    return device;
}

static void device_changed(void *face, unsigned changes)
{
    struct device *device = face;
    /* The connection itself brings what was announced before it came up. */
    if (changes & APP_CHANGED_CONNECTED && device->sent)
        device->announced_ms = clock_monotonic_ms();
    if (changes & APP_CHANGED_CONNECTED && device->removed)
        on_clean_up(device);
    refresh(device);
}

static bool device_message(void *face, const struct inbox_message *message)
{
    struct device *device = face;
    const char *topic = message->topic;
    if (strcmp(topic, device->config_topic) == 0)
        take_config(device, message);
    else if (strcmp(topic, device->announce_topic) == 0)
        take_announce(device, message);
    else if (strcmp(topic, options_string(app_options(device->app), OPTION_BIRTH_TOPIC)) == 0)
        take_birth(device, message);
    else {
        for (size_t i = 0; i < device->discovery.count; i++) {
            const struct entity *entity = &device->discovery.entities[i];
            char *own = entity->command != NULL ? entity_topic(device, i, "set") : NULL;
            bool hit = own != NULL && strcmp(own, topic) == 0;
            free(own);
            if (hit) {
                run_command(device, entity, message);
                return true;
            }
        }
        return false;
    }
    return true;
}

const struct face device_face = {
    .name = "device",
    .start = device_start,
    .changed = device_changed,
    .message = device_message,
    .stop = device_stop,
};
