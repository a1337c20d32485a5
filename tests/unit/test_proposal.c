/* What reviews propose: a suggestion in the place of one that runs, or its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/json.h"
#include "core/xalloc.h"
#include "scratch_store.h"
#include "store/activity.h"
#include "store/proposal.h"
#include "store/written.h"

static int created, told; /* by the last reviews */

/* Single quotes are read as double ones. */
static json_object *parse(const char *text)
{
    struct error err = {0};
    char *copy = xstrdup(text);
    for (char *c = copy; *c != '\0'; c++)
        *c = *c == '\'' ? '"' : *c;
    json_object *object = json_parse(copy, strlen(copy), &err);
    if (object == NULL)
        fail_msg("%s: %s", err.message, copy);
    free(copy);
    return object;
}

#define CONTENT(id, title, at)                                                                     \
    "{'id': '" id "', 'kind': 'time_of_day', 'title': '" title "', 'explanation': '',"             \
    " 'entity_ids': ['light.a'], 'backtest': {'held_out_days': 7}, 'automation': {"                \
    "'triggers': [{'trigger': 'time', 'at': '" at "'}], 'conditions': [], 'actions': ["            \
    "{'action': 'light.turn_on', 'target': {'entity_id': 'light.a'}}]}"
#define REFINES(at)                                                                                \
    "[{'id': 'aaaa', 'verdict': 'retime', 'why': 'w', 'undone': 9, 'log': [1], "                   \
    "'proposal': " CONTENT("bbbb", "On later", at) ", 'refines': 'aaaa'}}]"
#define RETIRE "[{'id': 'aaaa', 'verdict': 'retire', 'why': 'nobody needs it'}]"
#define KEEP "[{'id': 'aaaa', 'verdict': 'keep', 'why': 'fine'}]"

static void found(const char *suggestions, int64_t now_ms)
{
    struct error err = {0};
    struct suggestions_merge merge;
    char *text = xasprintf("{'suggestions': [%s]}", suggestions);
    json_object *result = parse(text);
    if (suggestions_merge_analysis(store, result, now_ms, &merge, &err) < 0)
        fail_msg("%s", err.message);
    json_object_put(merge.created);
    json_object_put(merge.changed);
    json_object_put(merge.steps);
    json_object_put(result);
    free(text);
}

static int review(const char *reviews, struct error *err)
{
    json_object *list = parse(reviews), *new = json_object_new_array();
    json_object *steps = json_object_new_array();
    int rc = proposals_merge(store, list, 5000, new, steps, err);
    created = (int)json_object_array_length(new);
    told = (int)json_object_array_length(steps);
    json_object_put(list);
    json_object_put(new);
    json_object_put(steps);
    return rc;
}

static void reviewed(const char *reviews)
{
    struct error err = {0};
    if (review(reviews, &err) < 0)
        fail_msg("%s", err.message);
}

static struct suggestion get(const char *id)
{
    struct suggestion s = {0};
    if (suggestion_find(store, id, &s, NULL) != 1)
        fail_msg("there is no %s", id);
    return s;
}

static void assert_state(const char *id, enum suggestion_state state)
{
    struct suggestion s = get(id);
    assert_string_equal(suggestion_state_name(s.state), suggestion_state_name(state));
    suggestion_release(&s);
}

static void move(const char *id, enum suggestion_state to)
{
    struct error err = {0};
    const struct life_step step = {
        .to = to, .who = "anna", .now_ms = 4000, .until_ms = to == SUGGESTION_TRYING ? 9000 : 0};
    if (life_take(store, id, &step, NULL, &err) < 0)
        fail_msg("%s", err.message);
}

static void reject(const char *id, enum objection objection)
{
    struct error err = {0};
    const struct life_step step = {.to = SUGGESTION_REJECTED,
                                   .objection = objection,
                                   .reason = objection_name(objection),
                                   .who = "anna",
                                   .now_ms = 4000};
    assert_int_equal(life_take(store, id, &step, NULL, &err), 0);
}

static void make_deployed(void)
{
    found(CONTENT("aaaa", "On", "07:00:00") "}", 1000);
    move("aaaa", SUGGESTION_APPROVED);
    move("aaaa", SUGGESTION_DEPLOYED);
}

static void assert_time(const char *id, const char *at)
{
    struct suggestion s = get(id);
    assert_non_null(strstr(json_text(s.content), at));
    suggestion_release(&s);
}

static void a_refinement_waits_and_is_renewed(void **state)
{
    (void)state;
    make_deployed();
    reviewed(REFINES("08:00:00"));
    assert_int_equal(created, 1);
    assert_state("bbbb", SUGGESTION_NEW);
    assert_state("aaaa", SUGGESTION_DEPLOYED);
    struct suggestion base = get("aaaa"), refinement = get("bbbb");
    char automation_id[SUGGESTION_AUTOMATION_ID_SIZE];
    suggestion_automation_id(&refinement, automation_id);
    assert_string_equal(automation_id, "ha_ai_aaaa");
    json_object *record = json_get_object(base.content, "review");
    assert_int_equal(json_get_int(record, "undone", 0), 9);
    assert_null(json_get_array(record, "log"));
    assert_null(json_get_object(record, "proposal"));
    suggestion_release(&base);
    suggestion_release(&refinement);
    reviewed(REFINES("08:10:00"));
    assert_int_equal(created + told, 0);
    assert_time("bbbb", "08:10:00");
    int64_t habits = 0;
    assert_int_equal(activity_habit_count(store, &habits, NULL), 0);
    assert_int_equal(habits, 1);
    reviewed(KEEP);
    assert_state("bbbb", SUGGESTION_EXPIRED);
    reviewed(REFINES("08:00:00"));
    assert_state("bbbb", SUGGESTION_NEW);
    reviewed(RETIRE);
    assert_state("bbbb", SUGGESTION_EXPIRED);
    assert_state("aaaa-retire", SUGGESTION_NEW);
}

/* The habit at its new time is found by the miner, too. */
static void no_second_suggestion_beside_it(void **state)
{
    (void)state;
    make_deployed();
    found(CONTENT("aaaa", "On at eight", "08:00:00") "}", 2000); /* before any review */
    assert_state("aaaa#2", SUGGESTION_NEW);
    reviewed(REFINES("08:00:00"));
    found(CONTENT("aaaa", "On at eight", "08:00:00") "}", 3000);
    assert_state("aaaa#2", SUGGESTION_EXPIRED);
    assert_state("bbbb", SUGGESTION_NEW);
    assert_time("bbbb", "refines");
    /* The time of the deployed one is its own. */
    reviewed(REFINES("07:00:00"));
    found(CONTENT("aaaa", "On", "07:00:00") "}", 3000);
    struct suggestion base = get("aaaa");
    assert_string_equal(base.title, "On");
    assert_int_equal(base.updated_ms, 3000);
    suggestion_release(&base);
}

static void what_was_not_wanted_stays_away(void **state)
{
    (void)state;
    make_deployed();
    reviewed(REFINES("08:00:00"));
    reject("bbbb", OBJECTION_HABIT);
    reviewed(REFINES("08:20:00"));
    assert_state("bbbb", SUGGESTION_REJECTED);
    reviewed(REFINES("09:00:00")); /* another thing */
    assert_state("bbbb", SUGGESTION_NEW);
    assert_time("bbbb", "09:00:00");
    reject("bbbb", OBJECTION_NEVER);
    reviewed(REFINES("11:00:00"));
    assert_state("bbbb", SUGGESTION_REJECTED);
    reviewed(RETIRE);
    reject("aaaa-retire", OBJECTION_NEVER);
    reviewed(RETIRE);
    assert_state("aaaa-retire", SUGGESTION_REJECTED);
    found(CONTENT("aaaa", "On", "07:00:00") "}", 6000); /* that it stays bars nothing */
    struct suggestion base = get("aaaa");
    assert_int_equal(base.updated_ms, 6000);
    suggestion_release(&base);
}

/* In sixty days, and the next day nobody is asked again. */
static void what_nobody_answered_stays_away(void **state)
{
    (void)state;
    make_deployed();
    reviewed(REFINES("08:00:00"));
    json_object *events = json_object_new_array();
    assert_int_equal(life_tick(store, 5000 + INT64_C(61) * 86400000, events, NULL), 0);
    json_object_put(events);
    assert_state("bbbb", SUGGESTION_EXPIRED);
    reviewed(REFINES("08:00:00"));
    assert_state("bbbb", SUGGESTION_EXPIRED);
    reviewed(KEEP);
    reviewed(REFINES("08:00:00"));
    assert_state("bbbb", SUGGESTION_NEW);
}

static void a_trial_of_one_is_left_alone(void **state)
{
    (void)state;
    make_deployed();
    reviewed(REFINES("08:00:00"));
    move("bbbb", SUGGESTION_TRYING);
    reviewed(REFINES("09:00:00"));
    assert_state("bbbb", SUGGESTION_TRYING);
    assert_time("bbbb", "08:00:00");
    reviewed(KEEP);
    assert_state("bbbb", SUGGESTION_TRYING);
}

static void its_own_refinement_keeps_the_automation(void **state)
{
    (void)state;
    make_deployed();
    reviewed(REFINES("08:00:00"));
    move("bbbb", SUGGESTION_APPROVED);
    move("bbbb", SUGGESTION_DEPLOYED);
    move("aaaa", SUGGESTION_REFINED);
    reviewed("[{'id': 'bbbb', 'verdict': 'refine', 'why': 'w', 'proposal': " CONTENT(
        "cccc", "On, dark", "08:00:00") ", 'refines': 'bbbb'}}]");
    struct suggestion s = get("cccc");
    char automation_id[SUGGESTION_AUTOMATION_ID_SIZE];
    suggestion_automation_id(&s, automation_id);
    assert_string_equal(automation_id, "ha_ai_aaaa");
    suggestion_release(&s);
    int64_t habits = 0;
    assert_int_equal(activity_habit_count(store, &habits, NULL), 0);
    assert_int_equal(habits, 1);
    /* Forgetting what was refined leaves what stands in HA. */
    json_object *written = parse("{'alias': 'x'}");
    assert_int_equal(written_put(store, "ha_ai_aaaa", written, true, 1, NULL), 0);
    json_object_put(written);
    int erased, kept;
    assert_int_equal(suggestions_forget(store, "light.a", &erased, &kept, NULL), 0);
    assert_int_equal(kept, 1);
    assert_int_equal(written_get(store, "ha_ai_aaaa", 0, &written, NULL), 1);
    json_object_put(written);
}

static void what_is_not_ours_any_more_has_no_proposal(void **state)
{
    (void)state;
    struct error err = {0};
    make_deployed();
    reviewed(REFINES("08:00:00"));
    struct suggestion s = get("bbbb");
    assert_int_equal(proposal_check(store, &s, &err), 0);
    move("aaaa", SUGGESTION_EDITED);
    assert_int_equal(proposal_check(store, &s, &err), -1);
    assert_int_equal(err.code, ERROR_INVALID);
    assert_non_null(strstr(err.message, "which is edited"));
    suggestion_release(&s);
    reviewed(KEEP);
    assert_state("bbbb", SUGGESTION_EXPIRED);
    reviewed(REFINES("08:00:00")); /* an old answer */
    assert_state("bbbb", SUGGESTION_EXPIRED);
}

static void an_approved_retirement_is_found(void **state)
{
    (void)state;
    struct suggestion s;
    make_deployed();
    reviewed(RETIRE);
    assert_int_equal(proposal_find_approved(store, "aaaa", true, &s, NULL), 0);
    move("aaaa-retire", SUGGESTION_APPROVED);
    assert_int_equal(proposal_find_approved(store, "bbbb", true, &s, NULL), 0);
    assert_int_equal(proposal_find_approved(store, "aaaa", true, &s, NULL), 1);
    assert_string_equal(s.id, "aaaa-retire");
    assert_string_equal(s.title, "Remove: On");
    suggestion_release(&s);
    assert_int_equal(suggestion_move(store, "aaaa-retire", SUGGESTION_RETIRED, NULL,
                                     LIFE_WHO_SERVICE, 6000, NULL),
                     0);
    struct life_undoable undoable;
    assert_int_equal(life_find_undoable(store, &undoable, NULL), 1);
    assert_string_equal(undoable.id, "aaaa-retire");
    assert_int_equal(undoable.state, SUGGESTION_RETIRED);
}

static void bad_reviews(void **state)
{
    (void)state;
    struct error err = {0};
    make_deployed();
    reviewed("[{'id': 'nobody', 'verdict': 'retire', 'why': ''}, {'verdict': 'keep'}, 7]");
    assert_int_equal(created + told, 0);
    static const char *const wrong[] = {
        "[{'id': 'aaaa', 'verdict': 'retime', 'proposal': {'refines': 'aaaa', 'title': 'x'}}]",
        "[{'id': 'aaaa', 'verdict': 'retime', 'proposal': {'refines': 'aaaa', 'id': 'b'}}]",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(review(wrong[i], &err), -1);
        assert_non_null(strstr(err.message, "the review of suggestion aaaa proposes something"));
    }
    reviewed("[{'id': 'aaaa', 'verdict': 'retime', 'proposal': {'refines': 'other'}}]");
    assert_int_equal(created, 0);
}

static void a_huge_one_is_refused_and_room_is_bounded(void **state)
{
    (void)state;
    struct error err = {0};
    make_deployed();
    char *big = xmalloc(SUGGESTION_CONTENT_MAX + 1);
    memset(big, 'x', SUGGESTION_CONTENT_MAX);
    big[SUGGESTION_CONTENT_MAX] = '\0';
    char *text = xasprintf("[{'id': 'aaaa', 'verdict': 'retime', 'why': '%s'}]", big);
    reviewed(text); /* not kept, and said so */
    struct suggestion s = get("aaaa");
    assert_null(json_get_object(s.content, "review"));
    suggestion_release(&s);
    free(text);
    text = xasprintf("[{'id': 'aaaa', 'verdict': 'retime', 'proposal': " CONTENT(
                         "bbbb", "On", "08:00:00") ", 'refines': 'aaaa', 'note': '%s'}}]",
                     big);
    assert_int_equal(review(text, &err), -1);
    assert_int_equal(err.code, ERROR_LIMIT);
    free(text);
    free(big);
    assert_int_equal(store_begin(store, &err), 0);
    for (int i = 1; i < SUGGESTIONS_MAX; i++) {
        text = xasprintf(CONTENT("%04d", "On %04d", "07:00:00") "}", i, i);
        struct suggestions_merge merge;
        json_object *one = parse(text), *result = json_object_new_object();
        json_object *list = json_object_new_array();
        json_object_array_add(list, one);
        json_object_object_add(result, "suggestions", list);
        assert_int_equal(suggestions_merge_analysis(store, result, 1000, &merge, &err), 0);
        json_object_put(merge.created);
        json_object_put(merge.changed);
        json_object_put(merge.steps);
        json_object_put(result);
        free(text);
        char id[16];
        snprintf(id, sizeof id, "%04d", i);
        reject(id, OBJECTION_HABIT);
    }
    assert_int_equal(store_commit(store, &err), 0);
    reviewed(REFINES("08:00:00"));
    assert_int_equal(created, 0);
    assert_int_equal(suggestion_find(store, "bbbb", &s, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_refinement_waits_and_is_renewed),
        STORE_TEST(no_second_suggestion_beside_it),
        STORE_TEST(what_was_not_wanted_stays_away),
        STORE_TEST(what_nobody_answered_stays_away),
        STORE_TEST(a_trial_of_one_is_left_alone),
        STORE_TEST(its_own_refinement_keeps_the_automation),
        STORE_TEST(what_is_not_ours_any_more_has_no_proposal),
        STORE_TEST(an_approved_retirement_is_found),
        STORE_TEST(bad_reviews),
        STORE_TEST(a_huge_one_is_refused_and_room_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
