/* print and check need no broker; announce asks the running service over the broker, and believes
 * only an announcement that it sees. */
#include "device/discovery_command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "core/json.h"
#include "core/options.h"
#include "device/ask.h"
#include "device/device.h"
#include "device/discovery.h"
#include "mqtt/topics.h"
#include "store/store.h"

static const char usage_text[] =
    "Usage: ha-ai discovery print|check|announce [--env-file FILE] [--ha-version VERSION]\n"
    "The device as Home Assistant gets it.\n\n"
    "  print     the message that is announced\n"
    "  check     the files of the folder against Home Assistant's rules: one line for each fault\n"
    "  announce  come back after the device was removed in Home Assistant\n\n"
    "  --env-file FILE       the configuration, as for `ha-ai run`\n"
    "  --ha-version VERSION  for that release, as 2026.11 (print; default 2025.4)\n";

/* --- print, check ---------------------------------------------------------------------------- */

static void print_problem(const struct error *problem, void *ctx)
{
    (void)ctx;
    fprintf(stderr, "ha-ai: %s\n", problem->message);
}

static int fail(const struct error *err)
{
    print_problem(err, NULL);
    return 1;
}

static int print_message(const struct options *options, const char *folder, int release)
{
    struct discovery discovery;
    struct error err;
    int result = discovery_load(&discovery, folder, NULL, NULL, &err);
    json_object *message = NULL;
    if (result == 0) {
        message = discovery_message(&discovery, options_string(options, OPTION_INSTANCE), NULL,
                                    NULL, release, NULL);
        result = discovery_check(message, release, &err);
    }
    if (result == 0)
        puts(json_object_to_json_string_ext(message, JSON_C_TO_STRING_PRETTY |
                                                         JSON_C_TO_STRING_SPACED |
                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(message);
    discovery_release(&discovery);
    return result < 0 ? fail(&err) : 0;
}

static void print_valid(json_object *message, int release)
{
    int entities = 0, triggers = 0;
    json_object_object_foreach(json_get_object(message, "components"), id, component)
    {
        (void)id;
        if (json_get_string(component, "unique_id") != NULL)
            entities++;
        else
            triggers++;
    }
    printf("Home Assistant %d.%d: %d entities, %d device triggers, %zu bytes, valid\n",
           release / 100, release % 100, entities, triggers, strlen(json_text(message)));
}

static int check_files(const struct options *options, const char *folder)
{
    static const int releases[] = {HA_OLDEST, HA_NEWEST};
    struct discovery discovery;
    struct error err;
    int result = discovery_load(&discovery, folder, print_problem, NULL, &err);
    for (size_t i = 0; i < 2 && result == 0; i++) {
        json_object *message = discovery_message(
            &discovery, options_string(options, OPTION_INSTANCE), NULL, NULL, releases[i], NULL);
        result = discovery_check(message, releases[i], &err);
        if (result < 0)
            print_problem(&err, NULL);
        else
            print_valid(message, releases[i]);
        json_object_put(message);
    }
    discovery_release(&discovery);
    return result < 0 ? 1 : 0;
}

/* --- announce -------------------------------------------------------------------------------- */

/* 1 = the flag was there and is gone, 0 = there was none. */
static int clear_removed(const struct options *options, struct error *err)
{
    char *path = app_database_path(options);
    struct store *store = access(path, F_OK) == 0 ? store_open(path, err) : NULL;
    int result = 0;
    if (store != NULL) {
        char *removed = store_get(store, DEVICE_KEY_REMOVED);
        result = removed == NULL                                        ? 0
                 : store_set(store, DEVICE_KEY_REMOVED, NULL, err) == 0 ? 1
                                                                        : -1;
        free(removed);
        store_close(store);
    }
    free(path);
    return result;
}

static int announce(const struct options *options)
{
    struct error err = {0};
    const char *instance = options_string(options, OPTION_INSTANCE);
    char *config_topic =
        topics_discovery(options_string(options, OPTION_DISCOVERY_PREFIX), instance);
    char *topic = topics_announce(instance);
    json_object *body = json_object_new_object();
    const struct ask ask = {.topic = topic, .answer_topic = config_topic, .body = body};
    int result = ask_service(&ask, options, &err);
    json_object_put(body);
    free(topic);
    free(config_topic);
    if (result == 0) {
        puts("announced");
        return 0;
    }
    struct error why = err;
    if (clear_removed(options, &err) == 1) {
        printf("%s; it will announce itself when it starts\n", why.message);
        return 0;
    }
    return fail(&why);
}

/* --- the command ----------------------------------------------------------------------------- */

struct arguments {
    const char *env_file, *ha_version;
};

static int run(const char *verb, const struct arguments *arguments)
{
    struct options options;
    struct error err;
    if (options_load(&options, arguments->env_file, &err) < 0) {
        fail(&err);
        return 2;
    }
    char *folder = discovery_folder(&options);
    int result = 2;
    if (strcmp(verb, "print") == 0)
        result = print_message(&options, folder, ha_rules_release(arguments->ha_version));
    else if (strcmp(verb, "check") == 0)
        result = check_files(&options, folder);
    else
        result = announce(&options);
    free(folder);
    options_release(&options);
    return result;
}

int discovery_main(int argc, char **argv)
{
    static const struct option long_options[] = {{"env-file", required_argument, NULL, 'e'},
                                                 {"ha-version", required_argument, NULL, 'v'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    struct arguments arguments = {.env_file = NULL};
    int c;
    while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (c == 'h') {
            fputs(usage_text, stdout);
            return 0;
        }
        if (c == 'e')
            arguments.env_file = optarg;
        else if (c == 'v')
            arguments.ha_version = optarg;
        else
            return 2; /* getopt has said why */
    }
    const char *verb = optind + 1 == argc ? argv[optind] : "";
    if (strcmp(verb, "print") != 0 && strcmp(verb, "check") != 0 && strcmp(verb, "announce") != 0) {
        fputs(usage_text, stderr);
        return 2;
    }
    return run(verb, &arguments);
}
