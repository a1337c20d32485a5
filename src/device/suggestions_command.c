#include "device/suggestions_command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/text.h"
#include "device/ask.h"
#include "mqtt/topics.h"
#include "store/life.h"

enum { SHOWN_SIZE = 1024, AUDIT_SHOWN = 50 };

static const char usage_text[] =
    "Usage: ha-ai suggestions VERB [ID] [--reason REASON] [--env-file FILE]\n"
    "What was found, and what becomes of it.\n\n"
    "  list        all of them, best first: id, state, title\n"
    "  show ID     what is known of one, and who did what with it\n"
    "  approve ID, reject ID, try ID, snooze ID\n"
    "              as the device's buttons do, by the running service\n"
    "  undo        takes the last of these steps back\n\n"
    "  --reason REASON  of a reject: 'this habit' (default), 'wrong time', 'wrong trigger', "
    "'never'\n"
    "  --env-file FILE  the configuration, as for `ha-ai run`\n\n"
    "Exit code: 0 done, 1 failed or refused, 2 wrong use.\n";

static int fail(const struct error *err)
{
    fprintf(stderr, "ha-ai: %s\n", err->message);
    return 1;
}

/* ---- what is known ---- */

static void print_line(const char *name, const char *text)
{
    char shown[SHOWN_SIZE];
    if (text == NULL)
        return;
    text_copy_shown(shown, sizeof(shown), text);
    printf("%-12s %s\n", name, shown);
}

static void print_time(const char *name, int64_t utc_ms)
{
    char text[CLOCK_RFC3339_SIZE];
    if (utc_ms == 0)
        return;
    clock_format_rfc3339(text, utc_ms);
    print_line(name, text);
}

static int list(struct store *store, struct error *err)
{
    struct suggestion *all;
    size_t count;
    if (suggestions_list(store, ~0u, &all, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        char title[SHOWN_SIZE];
        text_copy_shown(title, sizeof(title), all[i].title);
        printf("%-20s %-9s %s\n", all[i].id, suggestion_state_name(all[i].state), title);
    }
    suggestions_free(all, count);
    return 0;
}

static int print_audit(struct store *store, const char *id, struct error *err)
{
    struct audit_row *rows;
    size_t count;
    if (audit_list(store, id, AUDIT_SHOWN, &rows, &count, err) < 0)
        return -1;
    for (size_t i = count; i-- > 0;) {
        char text[CLOCK_RFC3339_SIZE], who[AUDIT_WHO_MAX + 1], reason[SHOWN_SIZE];
        clock_format_rfc3339(text, rows[i].at_ms);
        text_copy_shown(who, sizeof(who), rows[i].who);
        text_copy_shown(reason, sizeof(reason), rows[i].reason ? rows[i].reason : "");
        printf("%s  %s -> %s by %s%s%s\n", text, rows[i].from, rows[i].to, who,
               reason[0] ? ": " : "", reason);
    }
    audit_free(rows, count);
    return 0;
}

/* What became of what a deployed automation did, by the last analysis. */
static void print_review(json_object *content)
{
    static const char *const counts[] = {"fires",  "hits",      "idle",   "misses",
                                         "undone", "preempted", "redone", "nobody_home"};
    json_object *review = json_get_object(content, "review");
    if (review == NULL)
        return;
    printf("%-12s", "review");
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        printf(" %s %lld%s", counts[i], (long long)json_get_int(review, counts[i], 0),
               i + 1 < sizeof(counts) / sizeof(counts[0]) ? "," : "\n");
    print_line("verdict", json_get_string(review, "verdict"));
    print_line("why", json_get_string(review, "why"));
}

static int show(struct store *store, const char *id, struct error *err)
{
    struct suggestion s;
    int found = suggestion_find(store, id, &s, err);
    if (found == 0)
        return error_set(err, ERROR_NOT_FOUND, "there is no suggestion %.80s", id);
    if (found < 0)
        return -1;
    print_line("title", s.title);
    print_line("state", suggestion_state_name(s.state));
    print_line("reason", s.reason);
    print_time("since", s.since_ms);
    print_time("until", s.until_ms);
    print_line("explanation", json_get_string(s.content, "explanation"));
    print_review(s.content);
    puts(json_object_to_json_string_ext(json_get_object(s.content, "automation"),
                                        JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                            JSON_C_TO_STRING_NOSLASHESCAPE));
    suggestion_release(&s);
    return print_audit(store, id, err);
}

static int read_database(const struct options *options, const char *id)
{
    struct error err = {0};
    char *path = app_database_path(options);
    struct store *store = NULL;
    int result = -1;
    if (access(path, F_OK) < 0)
        error_set(&err, ERROR_NOT_FOUND, "there is no database %s yet", path);
    else
        store = store_open(path, &err);
    if (store != NULL)
        result = id != NULL ? show(store, id, &err) : list(store, &err);
    store_close(store);
    free(path);
    return result < 0 ? fail(&err) : 0;
}

/* ---- what becomes of it ---- */

/* The event that tells the step or its refusal; takes the event (a reference). */
static bool is_answer(const char *payload, size_t len, void *ctx)
{
    json_object **answer = ctx, *event = json_parse(payload, len, NULL);
    const char *by = json_get_string(event, "by");
    if (*answer == NULL && by != NULL && strcmp(by, ASK_BY) == 0) {
        *answer = event;
        return true;
    }
    json_object_put(event);
    return false;
}

static int print_answer(json_object *event)
{
    const char *type = json_get_string(event, "event_type");
    const char *title = json_get_string(event, "title"), *why = json_get_string(event, "reason");
    char shown[SHOWN_SIZE];
    bool refused = type == NULL || strcmp(type, "refused") == 0;
    text_copy_shown(shown, sizeof(shown), refused ? (why ? why : "") : title ? title : "");
    if (refused)
        fprintf(stderr, "ha-ai: refused: %s\n", shown);
    else
        printf("%s: %s\n", type, shown);
    return refused ? 1 : 0;
}

static int decide(const struct options *options, const char *entity, const char *id,
                  const char *reason)
{
    struct error err = {0};
    const char *instance = options_string(options, OPTION_INSTANCE);
    char *topic = topics_entity(instance, entity, "set");
    char *answers = topics_entity(instance, "suggestion", "event");
    json_object *body = json_object_new_object(), *answer = NULL;
    const struct ask ask = {topic, answers, body, is_answer, &answer};
    if (id != NULL)
        json_add_string(body, "suggestion", id);
    if (reason != NULL)
        json_add_string(body, "reason", reason);
    int result = ask_service(&ask, options, &err) < 0 ? fail(&err) : print_answer(answer);
    json_object_put(answer);
    json_object_put(body);
    free(answers);
    free(topic);
    return result;
}

/* ---- the command ---- */

static const struct verb {
    const char *name, *entity; /* of the device; NULL = from the database */
    bool takes_id, takes_reason;
} verbs[] = {
    {"list", NULL, false, false},        {"show", NULL, true, false},
    {"approve", "approve", true, false}, {"reject", "reject", true, true},
    {"try", "try_first", true, false},   {"snooze", "snooze", true, false},
    {"undo", "undo_last", false, false},
};

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

int suggestions_main(int argc, char **argv)
{
    static const struct option long_options[] = {{"env-file", required_argument, NULL, 'e'},
                                                 {"reason", required_argument, NULL, 'r'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    const char *env_file = NULL, *reason = NULL;
    int c;
    while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (c == 'h') {
            fputs(usage_text, stdout);
            return 0;
        }
        if (c == 'e')
            env_file = optarg;
        else if (c == 'r')
            reason = optarg;
        else
            return 2; /* getopt has said why */
    }
    const struct verb *verb = optind < argc ? find_verb(argv[optind]) : NULL;
    if (verb == NULL || argc - optind != 1 + verb->takes_id ||
        (reason != NULL && !verb->takes_reason)) {
        fputs(usage_text, stderr);
        return 2;
    }
    struct options options;
    struct error err = {0};
    if (options_load(&options, env_file, &err) < 0) {
        fail(&err);
        return 2;
    }
    const char *id = verb->takes_id ? argv[optind + 1] : NULL;
    int result = verb->entity != NULL ? decide(&options, verb->entity, id, reason)
                                      : read_database(&options, id);
    options_release(&options);
    return result;
}
