/* The life of suggestions: what an analysis finds again, what stays decided, and the runs. */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "scratch_store.h"
#include "store/outbox.h"
#include "store/life.h"

/* ---- an analysis in short: "id HH:MM days title", one habit a line ---- */

enum { EVERY_DAY = 0, WORKDAYS, WEEKEND };

struct habit {
    const char *id, *at;
    int days;
    const char *title; /* NULL = "id at" */
};

static json_object *suggestion_of(const struct habit *h)
{
    static const char *const conditions[] = {
        "[]", "[{\"condition\":\"time\",\"weekday\":[\"mon\",\"tue\",\"wed\",\"thu\",\"fri\"]}]",
        "[{\"condition\":\"time\",\"weekday\":[\"sat\",\"sun\"]}]"};
    char *text;
    if (h->at[0] == 's')
        text = xasprintf("[{\"trigger\":\"sun\",\"event\":\"sunset\"}]");
    else if (strchr(h->at, '.') != NULL)
        text = xasprintf(
            "[{\"trigger\":\"state\",\"entity_id\":\"%s\",\"from\":\"off\",\"to\":\"on\"}]", h->at);
    else
        text = xasprintf("[{\"trigger\":\"time\",\"at\":\"%s:00\"}]", h->at);
    char *title = h->title ? xstrdup(h->title) : xasprintf("%s %s", h->id, h->at);
    char *json =
        xasprintf("{\"id\":\"%s\",\"kind\":\"time_of_day\",\"title\":\"%s\",\"automation\":"
                  "{\"triggers\":%s,\"conditions\":%s,\"actions\":[]},"
                  "\"evidence\":{\"days\":22},\"score\":0.5}",
                  h->id, title, text, conditions[h->days]);
    json_object *obj = json_parse(json, strlen(json), NULL);
    assert_non_null(obj);
    free(text);
    free(title);
    free(json);
    return obj;
}

static json_object *analysis(const struct habit *habits, size_t count)
{
    json_object *result = json_object_new_object(), *list = json_object_new_array();
    for (size_t i = 0; i < count; i++)
        json_object_array_add(list, suggestion_of(&habits[i]));
    json_object_object_add(result, "suggestions", list);
    return result;
}

struct outcome {
    size_t created, changed;
    int waiting;
};

static struct outcome merge_at(const struct habit *habits, size_t count, int64_t now_ms)
{
    struct suggestions_merge m;
    struct error err = {0};
    json_object *result = analysis(habits, count);
    if (suggestions_merge_analysis(store, result, now_ms, &m, &err) < 0)
        fail_msg("%s", err.message);
    struct outcome out = {json_object_array_length(m.created), json_object_array_length(m.changed),
                          m.waiting};
    json_object_put(m.created);
    json_object_put(m.changed);
    json_object_put(m.steps);
    json_object_put(result);
    return out;
}

#define MERGE(...)                                                                                 \
    merge_at((struct habit[]){__VA_ARGS__},                                                        \
             sizeof((struct habit[]){__VA_ARGS__}) / sizeof(struct habit), 1000)

static void check_outcome(struct outcome got, size_t created, size_t changed, int waiting)
{
    assert_int_equal(got.created, created);
    assert_int_equal(got.changed, changed);
    assert_int_equal(got.waiting, waiting);
}

/* The time that the stored automation of an id has, and its state. */
static void check(const char *id, enum suggestion_state state, const char *at)
{
    struct suggestion s;
    assert_int_equal(suggestion_find(store, id, &s, NULL), 1);
    assert_string_equal(suggestion_state_name(s.state), suggestion_state_name(state));
    json_object *triggers = json_at(s.content, "automation.triggers");
    const char *time = json_get_string(json_object_array_get_idx(triggers, 0), "at");
    assert_memory_equal(time, at, 5);
    assert_string_equal(json_get_string(s.content, "id"), id);
    assert_string_equal(json_get_string(s.content, "title"), s.title);
    suggestion_release(&s);
}

static void must_move(const char *id, enum suggestion_state to)
{
    struct error err = {0};
    if (suggestion_move(store, id, to, "because", "tester", 5000, &err) < 0)
        fail_msg("%s", err.message);
}

/* ---- merging ---- */

static void test_second_analysis_suggests_nothing_twice(void **state)
{
    (void)state;
    check_outcome(MERGE({"a", "07:00", 0, 0}, {"b", "22:00", 0, 0}), 2, 2, 2);
    check_outcome(MERGE({"a", "07:00", 0, 0}, {"b", "22:00", 0, 0}), 0, 0, 2);
    check_outcome(MERGE({"a", "07:04", 0, 0}, {"b", "22:00", 0, 0}), 0, 0, 2);
    check("a", SUGGESTION_NEW, "07:04");
    check_outcome(MERGE({"a", "07:05", 0, 0}, {"b", "22:00", WORKDAYS, 0}), 0, 2, 2);
    check_outcome(MERGE({"a", "07:08", 0, 0}, {"b", "22:00", WORKDAYS, 0}), 0, 0, 2);
    /* It drifts by little steps: told every five minutes, the same habit for ever. */
    check_outcome(MERGE({"a", "07:10", 0, 0}, {"b", "22:00", WORKDAYS, 0}), 0, 1, 2);
    check_outcome(MERGE({"a", "07:55", 0, 0}, {"b", "22:00", WORKDAYS, 0}), 0, 1, 2);
    check("a", SUGGESTION_NEW, "07:55");
    check_outcome(MERGE({"a", "08:41", 0, 0}, {"b", "22:00", WORKDAYS, 0}), 1, 1, 2);
    check("a#2", SUGGESTION_NEW, "08:41");
    check("a", SUGGESTION_EXPIRED, "07:55");
}

static void test_rejected_does_not_return(void **state)
{
    (void)state;
    MERGE({"a", "07:00", WORKDAYS, 0});
    must_move("a", SUGGESTION_REJECTED);
    check_outcome(MERGE({"a", "07:01", WORKDAYS, 0}), 0, 0, 0);
    check_outcome(MERGE({"a", "07:30", 0, 0}), 0, 0, 0); /* not told either */
    check("a", SUGGESTION_REJECTED, "07:30");
    check_outcome(merge_at(NULL, 0, 1000), 0, 0, 0);
    check("a", SUGGESTION_REJECTED, "07:30");
    check_outcome(MERGE({"a", "07:00", WEEKEND, 0}), 0, 0, 0);
}

static void test_expired_comes_back_as_it_was(void **state)
{
    (void)state;
    MERGE({"a", "07:00", 0, 0});
    check_outcome(merge_at(NULL, 0, 1000), 0, 0, 0);
    check("a", SUGGESTION_EXPIRED, "07:00");
    check_outcome(MERGE({"a", "07:00", 0, 0}), 0, 1, 1); /* told, but no new suggestion */
    check("a", SUGGESTION_NEW, "07:00");
}

static void test_deployed_keeps_its_automation(void **state)
{
    (void)state;
    MERGE({"a", "07:00", 0, 0});
    must_move("a", SUGGESTION_APPROVED);
    must_move("a", SUGGESTION_DEPLOYED);
    struct suggestion s;
    struct habit h = {"a", "07:20", 0, "another title"};
    json_object *result = analysis(&h, 1);
    json_object *first = json_object_array_get_idx(json_get_array(result, "suggestions"), 0);
    json_object_object_add(first, "score", json_object_new_double(0.75));
    struct suggestions_merge m;
    assert_int_equal(suggestions_merge_analysis(store, result, 9000, &m, NULL), 0);
    json_object_put(m.created);
    json_object_put(m.changed);
    json_object_put(m.steps);
    json_object_put(result);
    check("a", SUGGESTION_DEPLOYED, "07:00");
    assert_int_equal(suggestion_find(store, "a", &s, NULL), 1);
    assert_string_equal(s.title, "a 07:00");
    assert_true(json_get_double(s.content, "score", 0) == 0.75);
    assert_int_equal(s.deployed_ms, 5000);
    assert_int_equal(s.created_ms, 1000);
    assert_int_equal(s.updated_ms, 9000);
    suggestion_release(&s);
    /* Its time is followed all the same, so that it is never suggested a second time. */
    check_outcome(MERGE({"a", "08:00", 0, 0}), 0, 1, 0);
    check("a", SUGGESTION_DEPLOYED, "07:00");
}

static void test_two_habits_of_one_lamp_keep_apart(void **state)
{
    (void)state;
    check_outcome(MERGE({"a", "07:00", WORKDAYS, 0}, {"a#2", "08:30", WEEKEND, 0}), 2, 2, 2);
    must_move("a", SUGGESTION_REJECTED);
    /* The miner numbers them the other way round. */
    check_outcome(MERGE({"a", "08:30", WEEKEND, 0}, {"a#2", "07:05", WORKDAYS, 0}), 0, 0, 1);
    check("a", SUGGESTION_REJECTED, "07:05");
    check("a#2", SUGGESTION_NEW, "08:30");
    /* Their times cross: the days tell them apart. */
    MERGE({"a", "07:40", WORKDAYS, 0}, {"a#2", "07:55", WEEKEND, 0});
    MERGE({"a", "07:58", WORKDAYS, 0}, {"a#2", "07:38", WEEKEND, 0});
    check("a", SUGGESTION_REJECTED, "07:58");
    check("a#2", SUGGESTION_NEW, "07:38");
    /* Same days: the nearest. */
    MERGE({"b", "12:00", 0, 0}, {"b#2", "12:40", 0, 0});
    MERGE({"b", "12:32", 0, 0}, {"b#2", "12:10", 0, 0});
    check("b", SUGGESTION_NEW, "12:10");
    check("b#2", SUGGESTION_NEW, "12:32");
}

static void test_only_one_of_two_is_found_again(void **state)
{
    (void)state;
    MERGE({"a", "07:00", 0, 0}, {"a#2", "19:00", 0, 0});
    check_outcome(MERGE({"a", "19:10", 0, 0}), 0, 1, 1);
    check("a", SUGGESTION_EXPIRED, "07:00");
    check("a#2", SUGGESTION_NEW, "19:10");
    check_outcome(MERGE({"a", "12:00", 0, 0}, {"a#2", "19:10", 0, 0}), 1, 1, 2);
    check("a#3", SUGGESTION_NEW, "12:00");
}

static void test_midnight_and_sun(void **state)
{
    (void)state;
    MERGE({"a", "23:50", 0, 0});
    check_outcome(MERGE({"a", "00:20", 0, 0}), 0, 1, 1);
    check("a", SUGGESTION_NEW, "00:20");
    MERGE({"s", "18:00", 0, 0});
    check_outcome(MERGE({"s", "sunset", 0, 0}), 0, 1, 1);
    check_outcome(MERGE({"s", "18:30", 0, 0}), 0, 1, 1);
    check("s", SUGGESTION_NEW, "18:30");
}

/* What follows another device is that habit only while it follows the same one, and never one of
 * the clock. */
static void test_state_triggers(void **state)
{
    (void)state;
    check_outcome(MERGE({"a", "light.x", 0, 0}, {"a#2", "light.y", 0, 0}, {"a#3", "18:00", 0, 0}),
                  3, 3, 3);
    check_outcome(MERGE({"a", "18:00", 0, 0}, {"a#2", "light.y", 0, 0}, {"a#3", "light.x", 0, 0}),
                  0, 0, 3);
    must_move("a", SUGGESTION_REJECTED);
    check_outcome(MERGE({"a", "light.z", 0, 0}, {"a#2", "light.x", 0, 0}), 1, 1, 1);
    check_outcome(MERGE({"a", "sunset", 0, 0}), 0, 1, 1);
}

/* ---- chains ---- */

/* An analysis of one chain with these parts; or of the parts alone. */
static struct outcome merge_chain(const struct habit *parts, size_t count, bool is_chain)
{
    struct suggestions_merge m;
    struct error err = {0};
    json_object *result = analysis(parts, count);
    json_object *list = json_object_get(json_get_array(result, "suggestions"));
    if (is_chain) {
        json_object *chain = suggestion_of(&parts[0]), *one = json_object_new_array();
        json_object_object_add(chain, "kind", json_object_new_string("chain"));
        json_object_object_add(chain, "title", json_object_new_string("all of it"));
        json_object_object_add(chain, "parts", list);
        json_object_array_add(one, chain);
        json_object_object_add(result, "suggestions", one);
    } else {
        json_object_put(list);
    }
    if (suggestions_merge_analysis(store, result, 1000, &m, &err) < 0)
        fail_msg("%s", err.message);
    struct outcome out = {json_object_array_length(m.created), json_object_array_length(m.changed),
                          m.waiting};
    json_object_put(m.created);
    json_object_put(m.changed);
    json_object_put(m.steps);
    json_object_put(result);
    return out;
}

static void check_state(const char *id, enum suggestion_state state, const char *kind)
{
    struct suggestion s;
    assert_int_equal(suggestion_find(store, id, &s, NULL), 1);
    assert_string_equal(suggestion_state_name(s.state), suggestion_state_name(state));
    assert_string_equal(json_get_string(s.content, "kind"), kind);
    assert_null(json_get_array(s.content, "parts"));
    if (state == SUGGESTION_EXPIRED)
        assert_string_equal(s.reason, "part of a chain");
    suggestion_release(&s);
}

static const struct habit chain_parts[] = {
    {"a", "binary_sensor.door", 0, 0}, {"b", "light.a", 0, 0}, {"c", "light.b", 0, 0}};

/* It is what its first part was, the others wait no more; nothing of it is told as new. */
static void test_parts_become_a_chain(void **state)
{
    (void)state;
    check_outcome(merge_chain(chain_parts, 3, false), 3, 3, 3);
    check_outcome(merge_chain(chain_parts, 3, true), 0, 0, 1);
    check_state("a", SUGGESTION_NEW, "chain");
    check_state("b", SUGGESTION_EXPIRED, "time_of_day");
    check_state("c", SUGGESTION_EXPIRED, "time_of_day");
    check_outcome(merge_chain(chain_parts, 3, true), 0, 0, 1);
    check_outcome(merge_chain(chain_parts, 3, false), 0, 2, 3); /* back */
    check_state("a", SUGGESTION_NEW, "time_of_day");
    check_outcome(merge_chain(chain_parts, 2, true), 0, 0, 1);
}

static void test_new_chain(void **state)
{
    (void)state;
    struct suggestion s;
    check_outcome(merge_chain(chain_parts, 3, true), 1, 1, 1);
    check_state("a", SUGGESTION_NEW, "chain");
    assert_int_equal(suggestion_find(store, "b", &s, NULL), 0);
    must_move("a", SUGGESTION_REJECTED);
    check_outcome(merge_chain(chain_parts, 3, true), 0, 0, 0);
    check_state("a", SUGGESTION_REJECTED, "chain");
    must_move("a", SUGGESTION_NEW);
    must_move("a", SUGGESTION_APPROVED);
    must_move("a", SUGGESTION_DEPLOYED);
    check_outcome(merge_chain(chain_parts, 3, true), 0, 0, 0);
    check_state("a", SUGGESTION_DEPLOYED, "chain");
}

/* What a person decided on holds for the act alone: no chain does or undoes it by the way. */
static void test_decided_part_stands_apart(void **state)
{
    (void)state;
    merge_chain(chain_parts, 3, false);
    must_move("b", SUGGESTION_REJECTED);
    check_outcome(merge_chain(chain_parts, 3, true), 0, 0, 2);
    check_state("a", SUGGESTION_NEW, "time_of_day");
    check_state("b", SUGGESTION_REJECTED, "time_of_day");
    check_state("c", SUGGESTION_NEW, "time_of_day");
    must_move("b", SUGGESTION_NEW);
    must_move("a", SUGGESTION_APPROVED);
    must_move("a", SUGGESTION_DEPLOYED);
    check_outcome(merge_chain(chain_parts, 3, true), 0, 0, 2);
    check_state("a", SUGGESTION_DEPLOYED, "time_of_day");
    check_state("b", SUGGESTION_NEW, "time_of_day");
}

/* Nobody answered to the act alone: as a part of a chain it is another question. Once. */
static void test_unanswered_part_of_a_new_chain(void **state)
{
    (void)state;
    struct error err = {0};
    json_object *told = json_object_new_array();
    merge_chain(chain_parts, 1, false);
    assert_int_equal(life_tick(store, 1000 + LIFE_UNANSWERED_DAYS * INT64_C(86400000), told, &err),
                     0);
    json_object_put(told);
    check_outcome(merge_chain(chain_parts, 1, false), 0, 0, 0);
    check_outcome(merge_chain(chain_parts, 3, true), 0, 1, 1);
    check_state("a", SUGGESTION_NEW, "chain");
    assert_int_equal(suggestion_move(store, "a", SUGGESTION_EXPIRED, NULL, "t", 1, &err), 0);
    check_outcome(merge_chain(chain_parts, 3, true), 0, 0, 0);
}

static void refuse_chain(json_object *result, const char *why)
{
    struct suggestions_merge m;
    struct error err = {0};
    assert_int_equal(suggestions_merge_analysis(store, result, 1000, &m, &err), -1);
    assert_non_null(strstr(err.message, why));
    json_object_put(result);
}

static void test_bad_chains_are_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        json_object *result = analysis(chain_parts, 2);
        json_object *list = json_get_array(result, "suggestions");
        json_object *chain = json_object_array_get_idx(list, 0), *parts = json_object_new_array();
        for (int k = 0; k < (i == 0 ? 9 : 2); k++)
            json_object_array_add(parts, i == 1 ? json_object_new_string("no object")
                                                : suggestion_of(&chain_parts[k % 3]));
        json_object_object_add(chain, "parts", parts);
        refuse_chain(result, i == 0 ? "9 parts" : i == 1 ? "lacks a valid id" : "the id b twice");
    }
}

static void test_titles_are_unique(void **state)
{
    (void)state;
    MERGE({"a", "07:00", 0, "Lamp on"}, {"a#2", "09:00", 0, "Lamp on"},
          {"b", "09:00", 0, "Lamp on"});
    struct suggestion *list;
    size_t count;
    assert_int_equal(suggestions_list(store, 1u << SUGGESTION_NEW, &list, &count, NULL), 0);
    assert_int_equal(count, 3);
    assert_string_equal(list[0].title, "Lamp on");
    assert_string_equal(list[1].title, "Lamp on (a#2)");
    assert_string_equal(list[2].title, "Lamp on (b)");
    assert_int_equal(list[2].rank, 2);
    suggestions_free(list, count);
    /* Two swap their titles. */
    MERGE({"a", "07:00", 0, "one"}, {"b", "09:00", 0, "two"});
    MERGE({"a", "07:00", 0, "two"}, {"b", "09:00", 0, "one"});
    assert_int_equal(suggestions_list(store, 1u << SUGGESTION_NEW, &list, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].title, "two");
    assert_string_equal(list[1].title, "one");
    suggestions_free(list, count);
    /* Cut between characters: 199 bytes and one of two bytes. */
    char title[SUGGESTION_TITLE_MAX + 10];
    memset(title, 'x', sizeof(title));
    memcpy(title + SUGGESTION_TITLE_MAX - 1, "\xc3\xa9\xc3\xa9", 5);
    MERGE({"c", "07:00", 0, title});
    struct suggestion s;
    assert_int_equal(suggestion_find(store, "c", &s, NULL), 1);
    assert_int_equal(strlen(s.title), SUGGESTION_TITLE_MAX - 1);
    suggestion_release(&s);
}

static void refuse(const char *json, const char *why)
{
    struct error err = {0};
    struct suggestions_merge m;
    json_object *result = json_parse(json, strlen(json), NULL);
    assert_non_null(result);
    assert_int_equal(suggestions_merge_analysis(store, result, 1, &m, &err), -1);
    assert_null(m.created);
    if (strstr(err.message, why) == NULL)
        fail_msg("expected '%s' in '%s'", why, err.message);
    json_object_put(result);
}

static void test_a_bad_result_is_refused_whole(void **state)
{
    (void)state;
    MERGE({"a", "07:00", 0, 0});
    refuse("{}", "no list 'suggestions'");
    refuse("{\"suggestions\":[{\"id\":\"b\",\"title\":\"b\",\"automation\":{}},"
           "{\"title\":\"c\",\"automation\":{}}]}",
           "suggestion 1 of the analysis lacks");
    refuse("{\"suggestions\":[{\"id\":\"b c\",\"title\":\"b\",\"automation\":{}}]}",
           "suggestion 0");
    refuse("{\"suggestions\":[7]}", "suggestion 0");
    refuse("{\"suggestions\":[{\"id\":\"b\",\"title\":\"b\",\"automation\":{}},"
           "{\"id\":\"b\",\"title\":\"c\",\"automation\":{}}]}",
           "twice");
    check("a", SUGGESTION_NEW, "07:00");
    struct suggestion s;
    assert_int_equal(suggestion_find(store, "b", &s, NULL), 0);
}

static void test_limits(void **state)
{
    (void)state;
    static struct habit habits[SUGGESTIONS_MAX + 1];
    static char ids[SUGGESTIONS_MAX + 1][16];
    for (size_t i = 0; i <= SUGGESTIONS_MAX; i++) {
        snprintf(ids[i], sizeof(ids[i]), "h%zu", i);
        habits[i] = (struct habit){ids[i], "07:00", 0, NULL};
    }
    check_outcome(merge_at(habits, SUGGESTIONS_MAX, 1000), SUGGESTIONS_MAX, SUGGESTIONS_MAX,
                  SUGGESTIONS_MAX);
    must_move("h0", SUGGESTION_REJECTED);
    /* Full of what waits: the new one is left out. */
    habits[0].id = "x0";
    check_outcome(merge_at(habits, SUGGESTIONS_MAX, 2000), 0, 0, SUGGESTIONS_MAX - 1);
    /* One expired: the new one takes its place, the rejected one stays. */
    habits[1].id = "x1";
    check_outcome(merge_at(habits, SUGGESTIONS_MAX, 3000), 1, 1, SUGGESTIONS_MAX - 1);
    check("h0", SUGGESTION_REJECTED, "07:00");

    struct error err = {0};
    struct suggestions_merge m;
    json_object *result = analysis(habits, SUGGESTIONS_MAX + 1);
    assert_int_equal(suggestions_merge_analysis(store, result, 1, &m, &err), -1);
    assert_int_equal(err.code, ERROR_LIMIT);
    json_object_put(result);

    char *large = xcalloc(1, SUGGESTION_CONTENT_MAX + 1);
    memset(large, 'x', SUGGESTION_CONTENT_MAX);
    struct habit h = {"large", "07:00", 0, large};
    result = analysis(&h, 1);
    assert_int_equal(suggestions_merge_analysis(store, result, 1, &m, &err), -1);
    assert_int_equal(err.code, ERROR_LIMIT);
    json_object_put(result);
    free(large);
}

/* Merges one habit with a picture and as many further bytes. */
static json_object *merge_drawn(const char *picture, size_t bytes)
{
    struct suggestions_merge m;
    struct suggestion s;
    struct error err = {0};
    char *more = xcalloc(1, bytes + 1);
    memset(more, 'x', bytes);
    struct habit habit = {"drawn", "07:00", 0, "Drawn"};
    json_object *result = analysis(&habit, 1);
    json_object *content = json_object_array_get_idx(json_get_array(result, "suggestions"), 0);
    json_add_string(content, "explanation", more);
    json_add_string(content, "picture", picture);
    if (suggestions_merge_analysis(store, result, 1, &m, &err) < 0)
        fail_msg("%s", err.message);
    json_object_put(m.created);
    json_object_put(m.changed);
    json_object_put(m.steps);
    json_object_put(result);
    free(more);
    assert_int_equal(suggestion_find(store, "drawn", &s, &err), 1);
    json_object *kept = json_object_get(s.content);
    assert_true(strlen(json_text(kept)) <= SUGGESTION_CONTENT_MAX);
    suggestion_release(&s);
    return kept;
}

/* Where there is no room for both, a suggestion goes without its picture. */
static void test_a_picture_gives_way(void **state)
{
    (void)state;
    json_object *kept = merge_drawn("one", 100);
    assert_string_equal(json_get_string(kept, "picture"), "one");
    json_object_put(kept);
    char picture[2048];
    memset(picture, 'p', sizeof picture - 1);
    picture[sizeof picture - 1] = '\0';
    kept = merge_drawn(picture, SUGGESTION_CONTENT_MAX - 1024);
    assert_null(json_get_string(kept, "picture"));
    assert_int_equal(strlen(json_get_string(kept, "explanation")), SUGGESTION_CONTENT_MAX - 1024);
    json_object_put(kept);
    /* of what is deployed it is renewed, like its evidence */
    must_move("drawn", SUGGESTION_APPROVED);
    must_move("drawn", SUGGESTION_DEPLOYED);
    kept = merge_drawn("two", 100);
    assert_string_equal(json_get_string(kept, "picture"), "two");
    json_object_put(kept);
}

static void test_joins_the_callers_transaction(void **state)
{
    (void)state;
    assert_int_equal(store_begin(store, NULL), 0);
    MERGE({"a", "07:00", 0, 0});
    store_rollback(store);
    struct suggestion s;
    assert_int_equal(suggestion_find(store, "a", &s, NULL), 0);
    assert_int_equal(store_begin(store, NULL), 0);
    MERGE({"a", "07:00", 0, 0});
    refuse("{\"suggestions\":[7]}", "suggestion 0");
    assert_int_equal(store_commit(store, NULL), 0);
    check("a", SUGGESTION_NEW, "07:00");
}

/* ---- moving ---- */

static void test_reason_and_via_mqtt(void **state)
{
    (void)state;
    MERGE({"a", "07:00", 0, 0});
    must_move("a", SUGGESTION_APPROVED);
    must_move("a", SUGGESTION_FAILED);
    assert_int_equal(suggestion_set_via_mqtt(store, "a", true, NULL), 0);
    struct suggestion s;
    assert_int_equal(suggestion_find(store, "a", &s, NULL), 1);
    assert_string_equal(s.reason, "because");
    assert_true(s.via_mqtt);
    struct error err = {0};
    assert_int_equal(suggestion_set_via_mqtt(store, "nobody", true, &err), -1);
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_int_equal(s.deployed_ms, 0);
    suggestion_release(&s);
}

/* ---- runs ---- */

static struct run_counts runs(const char *automation, int64_t now_ms)
{
    struct run_counts out;
    assert_int_equal(run_count(store, automation, now_ms, &out, NULL), 0);
    return out;
}

static void record(const char *automation, const char *context, bool from_ha, const char *status,
                   int64_t at_ms)
{
    assert_int_equal(run_record(store, automation, context, from_ha, status, at_ms, NULL), 0);
}

static void test_runs(void **state)
{
    (void)state;
    record("x", "c1", true, "triggered", 1000);
    assert_int_equal(runs("x", 61000).unconfirmed, 0);
    assert_int_equal(runs("x", 61001).unconfirmed, 1);
    record("x", "c1", false, "executed", 2000); /* the same run */
    record("x", "c2", false, "executed", 3000); /* the report comes first */
    record("x", "c2", true, "triggered", 3100);
    record("x", "c3", true, "triggered", 4000);
    record("x", "c3", false, "failed", 4500);
    record("y", "c1", true, "triggered", 5000);
    record("y", NULL, true, "triggered", 6000);
    record("y", NULL, true, "triggered", 6000);
    struct run_counts x = runs("x", 1000000), all = runs(NULL, 1000000);
    assert_int_equal(x.runs, 3);
    assert_int_equal(x.confirmed, 2);
    assert_int_equal(x.failed, 1);
    assert_int_equal(x.unconfirmed, 0);
    assert_int_equal(x.last_ms, 4000);
    assert_int_equal(all.runs, 6);
    assert_int_equal(all.unconfirmed, 3);
    struct error err = {0};
    assert_int_equal(run_record(store, "x", "c", true, "danced", 1, &err), -1);
    assert_int_equal(err.code, ERROR_INVALID);
}

/* What ran while we were away: HA tells the time of the last one, the broker kept the reports. */
static void test_missed_runs(void **state)
{
    (void)state;
    record("x", NULL, true, "triggered", 100000);
    record("x", "c1", false, "executed", 101000); /* its report */
    record("x", "c1", false, "executed", 101000);
    assert_int_equal(runs("x", 1000000).runs, 1);
    assert_int_equal(runs("x", 1000000).confirmed, 1);
    record("x", "c2", false, "executed", 500000); /* the report comes first */
    record("x", NULL, true, "triggered", 499000);
    assert_int_equal(runs("x", 1000000).runs, 2);
    assert_int_equal(runs("x", 1000000).last_ms, 499000);
    record("x", NULL, true, "triggered", 700000); /* another, nobody reports it */
    record("x", "c3", false, "failed", 800000);   /* and the report of yet another */
    record("y", NULL, true, "triggered", 800000); /* of another automation */
    assert_int_equal(runs("x", 1000000).runs, 4);
    assert_int_equal(runs("x", 1000000).unconfirmed, 1);
    record("x", NULL, true, "triggered", 900000); /* as many as HA tells */
    record("x", NULL, true, "triggered", 990000);
    assert_int_equal(runs("x", 1000000).runs, 6);
}

static void test_run_and_audit_limits(void **state)
{
    (void)state;
    assert_int_equal(store_begin(store, NULL), 0);
    for (int i = 0; i < RUN_ROWS_MAX + 10; i++) {
        char context[16];
        snprintf(context, sizeof(context), "c%d", i);
        record("x", context, true, "triggered", i);
    }
    assert_int_equal(runs("x", 0).runs, RUN_ROWS_MAX);
    MERGE({"a", "07:00", 0, 0});
    for (int i = 0; i < AUDIT_ROWS_MAX / 2 + 5; i++) {
        must_move("a", SUGGESTION_REJECTED);
        must_move("a", SUGGESTION_NEW);
    }
    assert_int_equal(store_commit(store, NULL), 0);
    char *path = scratch_path(SCRATCH_STORE);
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM audit", -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(stmt, 0), AUDIT_ROWS_MAX);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    free(path);
}

/* ---- forgetting ---- */

static int find_state(const char *id)
{
    struct suggestion s;
    int found = suggestion_find(store, id, &s, NULL);
    if (found > 0)
        suggestion_release(&s);
    return found;
}

static void test_forgets_what_mentions_an_entity(void **state)
{
    (void)state;
    struct error err = {0};
    int erased, kept;
    MERGE({"a", "light.hall", 0, 0}, {"b", "light.hall_2", 0, 0}, {"c", "light.hall", 0, 0},
          {"d", "light.hall", 0, 0}, {"e", "my_light.hall", 0, 0});
    must_move("c", SUGGESTION_REJECTED);
    must_move("d", SUGGESTION_APPROVED);
    must_move("d", SUGGESTION_DEPLOYED);
    assert_int_equal(suggestions_forget(store, "light.hall", &erased, &kept, &err), 0);
    assert_int_equal(erased, 2);
    assert_int_equal(kept, 1);
    assert_int_equal(find_state("a"), 0);
    assert_int_equal(find_state("b"), 1);
    assert_int_equal(find_state("c"), 0);
    assert_int_equal(find_state("d"), 1);
    assert_int_equal(find_state("e"), 1);
    assert_int_equal(suggestions_forget(store, NULL, &erased, &kept, &err), 0);
    assert_int_equal(erased, 2);
    assert_int_equal(kept, 1);
    assert_int_equal(find_state("d"), 1);
    assert_int_equal(store_compact(store, 1000, &err), 0);
}

static int64_t waiting(void)
{
    struct error err = {0};
    struct outbox_counts counts;
    assert_int_equal(outbox_count(store, &counts, &err), 0);
    return counts.waiting;
}

/* What waits to be told of an entity that is out of the ordinary. */
static void test_forgets_anomalies_that_wait(void **state)
{
    (void)state;
    static const char *const entities[] = {"light.hall", "light.hall_2", "lock.door"};
    struct error err = {0};
    int erased, kept;
    for (size_t i = 0; i < 3; i++) {
        json_object *payload = json_object_new_object();
        json_object_object_add(payload, "entity_id", json_object_new_string(entities[i]));
        assert_int_equal(
            outbox_append(store, "ha-ai/events/anomaly/detected", payload, 300, 1000, &err), 0);
        json_object_put(payload);
    }
    assert_int_equal(suggestions_forget(store, "light.hall", &erased, &kept, &err), 0);
    assert_int_equal(waiting(), 2);
    assert_int_equal(suggestions_forget(store, NULL, &erased, &kept, &err), 0);
    assert_int_equal(waiting(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_forgets_what_mentions_an_entity),
        STORE_TEST(test_forgets_anomalies_that_wait),
        STORE_TEST(test_second_analysis_suggests_nothing_twice),
        STORE_TEST(test_rejected_does_not_return),
        STORE_TEST(test_expired_comes_back_as_it_was),
        STORE_TEST(test_deployed_keeps_its_automation),
        STORE_TEST(test_two_habits_of_one_lamp_keep_apart),
        STORE_TEST(test_only_one_of_two_is_found_again),
        STORE_TEST(test_midnight_and_sun),
        STORE_TEST(test_state_triggers),
        STORE_TEST(test_parts_become_a_chain),
        STORE_TEST(test_new_chain),
        STORE_TEST(test_decided_part_stands_apart),
        STORE_TEST(test_unanswered_part_of_a_new_chain),
        STORE_TEST(test_bad_chains_are_refused),
        STORE_TEST(test_titles_are_unique),
        STORE_TEST(test_a_bad_result_is_refused_whole),
        STORE_TEST(test_limits),
        STORE_TEST(test_a_picture_gives_way),
        STORE_TEST(test_joins_the_callers_transaction),
        STORE_TEST(test_reason_and_via_mqtt),
        STORE_TEST(test_runs),
        STORE_TEST(test_missed_runs),
        STORE_TEST(test_run_and_audit_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
