/* What people decide on suggestions, by the device's buttons and selects or otherwise, and what
 * time decides. Each step is one transaction with its row in the audit and its event. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/state.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "store/written.h"
#include "suggest/safety.h"

enum {
    /* A press within this time of the selection's own move, as people see it, was meant for the
     * one before. */
    SELECTION_SETTLE_MS = 2000,
    SELECTION_UNSEEN_MS = 10 * 1000, /* the same when no device shows it */
    SECOND_PRESS_MS = 60 * 1000,     /* for the second Approve of what guards the home */
    TIME_PASSES_MS = 60 * 1000,
};

static const int64_t DAY_MS = INT64_C(24) * 3600 * 1000;

/* ---- the selection ---- */

/* What the command is about: the one that it names, else the selected one, unless the selection
 * moved by itself just when the button was pressed. */
static int find_subject(struct app *app, json_object *arguments, char id[APP_ID_SIZE],
                        struct error *err)
{
    const char *named = json_get_string(arguments, "suggestion");
    int64_t pressed_ms = json_get_int(arguments, "ts", app_ha_now_ms(app));
    snprintf(id, APP_ID_SIZE, "%s", named != NULL ? named : app->choice.selected);
    if (named != NULL)
        return 0;
    if (id[0] == '\0')
        return error_set(err, ERROR_INVALID, "no suggestion is waiting");
    int64_t settled_ms = app->choice.moved_ms == 0   ? 0
                         : app->choice.shown_ms != 0 ? app->choice.shown_ms + SELECTION_SETTLE_MS
                                                     : app->choice.moved_ms + SELECTION_UNSEEN_MS;
    if (pressed_ms < settled_ms)
        return error_set(err, ERROR_INVALID,
                         "the selection changed at that moment: look at it and press again");
    return 0;
}

void app_selection_shown(struct app *app, const char *title)
{
    const char *selected = json_get_string(json_get_object(app->facts, "suggestions"), "selected");
    if (app->choice.shown_ms == 0 && selected != NULL && strcmp(title, selected) == 0)
        app->choice.shown_ms = app_ha_now_ms(app);
}

static int keep_selection(struct app *app, const char *id, bool was_seen, struct error *err)
{
    if (store_set(app->store, "selected", id, err) < 0)
        return -1;
    snprintf(app->choice.selected, sizeof(app->choice.selected), "%s", id);
    app->choice.moved_ms = was_seen ? 0 : app_ha_now_ms(app); /* chosen by hand: a press is meant */
    app->choice.shown_ms = 0;
    facts_refresh_suggestions(app);
    return 0;
}

int decide_select(struct app *app, json_object *arguments, const char *who, struct error *err)
{
    struct suggestion *offered;
    size_t count;
    (void)who;

    const char *title = json_get_string(arguments, "value");
    if (title == NULL)
        return error_set(err, ERROR_INVALID, "select needs a value, the title of a suggestion");
    if (suggestions_list(app->store, SUGGESTION_OFFERED, &offered, &count, err) < 0)
        return -1;
    int result = 0;
    size_t i = 0;
    while (i < count && strcmp(offered[i].title, title) != 0)
        i++;
    if (i < count)
        result = keep_selection(app, offered[i].id, true, err);
    else if (count > 0 || strcmp(title, "–") != 0)
        result = error_set(err, ERROR_NOT_FOUND, "no suggestion '%.80s' is waiting", title);
    suggestions_free(offered, count);
    return result;
}

int decide_next(struct app *app, json_object *arguments, const char *who, struct error *err)
{
    struct suggestion *offered;
    size_t count;
    (void)arguments, (void)who;

    if (suggestions_list(app->store, SUGGESTION_OFFERED, &offered, &count, err) < 0)
        return -1;
    int result;
    if (count < 2) {
        result = error_set(err, ERROR_INVALID, "no %ssuggestion is waiting", count ? "other " : "");
    } else {
        size_t i = 0;
        while (i < count && strcmp(offered[i].id, app->choice.selected) != 0)
            i++;
        /* Who pressed it has not seen yet what comes. */
        result = keep_selection(app, offered[i + 1 < count ? i + 1 : 0].id, false, err);
    }
    suggestions_free(offered, count);
    return result;
}

/* ---- steps ---- */

void decide_tell(struct app *app, json_object *steps)
{
    for (size_t i = 0; i < json_object_array_length(steps); i++)
        app_send_event(app, "suggestion", json_object_get(json_object_array_get_idx(steps, i)));
}

int decide_step(struct app *app, const char *id, const struct life_step *step, struct error *err)
{
    json_object *told;
    if (life_take(app->store, id, step, &told, err) < 0)
        return -1;
    app_send_event(app, "suggestion", told);
    return 0;
}

/* id may be the selection itself, which moves with the step. */
static int take_step(struct app *app, const char *id, const struct life_step *step,
                     struct error *err)
{
    if (decide_step(app, id, step, err) < 0)
        return -1;
    facts_refresh_suggestions(app);
    return 0;
}

/* What guards the home is approved by two presses within a minute. -1: this was the first one. */
static int check_second_press(struct app *app, const char *id, json_object *arguments,
                              struct error *err)
{
    struct suggestion s;
    int64_t pressed_ms = json_get_int(arguments, "ts", app_ha_now_ms(app));
    int found = suggestion_find(app->store, id, &s, err);
    if (found <= 0)
        return found;
    bool guards = safety_needs_second_press(json_get_object(s.content, "automation"));
    suggestion_release(&s);
    int64_t since_ms = pressed_ms - app->choice.guard_asked_ms;
    if (!guards ||
        (strcmp(app->choice.guard_asked, id) == 0 && since_ms > 0 && since_ms <= SECOND_PRESS_MS))
        return 0;
    snprintf(app->choice.guard_asked, sizeof(app->choice.guard_asked), "%s", id);
    app->choice.guard_asked_ms = pressed_ms;
    return error_set(err, ERROR_INVALID,
                     "it locks, closes or arms what guards the home: press Approve again within "
                     "%d s to do it",
                     SECOND_PRESS_MS / 1000);
}

int decide_approve(struct app *app, json_object *arguments, const char *who, struct error *err)
{
    const struct life_step step = {
        .to = SUGGESTION_APPROVED, .who = who, .now_ms = clock_wall_ms()};
    char id[APP_ID_SIZE];
    if (find_subject(app, arguments, id, err) < 0)
        return -1;
    if (deploy_may_approve(app, id, err) < 0 || check_second_press(app, id, arguments, err) < 0)
        return -1;
    app->choice.guard_asked[0] = '\0';
    return take_step(app, id, &step, err);
}

static const char reasons_taken[] =
    "expected 'this habit', 'wrong time', 'wrong trigger' or 'never'";

static int keep_reason(struct app *app, enum objection objection, struct error *err)
{
    const char *name = objection_name(objection);
    if (store_set(app->store, "reject_reason", name, err) < 0)
        return -1;
    facts_set(app, "settings", "reject_reason", json_object_new_string(name));
    return 0;
}

int decide_reason(struct app *app, json_object *arguments, const char *who, struct error *err)
{
    (void)who;
    const char *value = json_get_string(arguments, "value");
    int objection = value != NULL ? objection_from_name(value) : -1;
    if (objection < 0)
        return error_set(err, ERROR_INVALID, "reason: %s", reasons_taken);
    return keep_reason(app, (enum objection)objection, err);
}

/* That should have been done when it failed; HA may have refused. */
static int take_remains_back(struct app *app, const char *id, const char *who, struct error *err)
{
    struct suggestion s;
    if (suggestion_find(app->store, id, &s, err) <= 0)
        return -1;
    int rc = undo_ask_remains(app, &s, who, err);
    suggestion_release(&s);
    return rc;
}

int decide_reject(struct app *app, json_object *arguments, const char *who, struct error *err)
{
    char id[APP_ID_SIZE];
    if (find_subject(app, arguments, id, err) < 0)
        return -1;
    const char *given = json_get_string(arguments, "reason");
    char *kept = store_get(app->store, "reject_reason"); /* not the fact: that may be ahead */
    int objection = given != NULL  ? objection_from_name(given)
                    : kept != NULL ? objection_from_name(kept)
                                   : OBJECTION_HABIT;
    free(kept);
    if (objection < 0)
        return error_set(err, ERROR_INVALID, "no reason '%.40s': %s", given ? given : "",
                         reasons_taken);
    const struct life_step step = {
        .to = SUGGESTION_REJECTED,
        .objection = (enum objection)objection,
        .reason = objection_name((enum objection)objection),
        .who = who,
        .now_ms = clock_wall_ms(),
    };
    /* The reason is of this rejection alone: nobody says "never" by a select that stands so. */
    if (take_step(app, id, &step, err) < 0 || take_remains_back(app, id, who, err) < 0)
        return -1;
    return given != NULL ? 0 : keep_reason(app, OBJECTION_HABIT, err);
}

static int put_off(struct app *app, json_object *arguments, enum suggestion_state to, int64_t days,
                   const char *who, struct error *err)
{
    int64_t now_ms = clock_wall_ms();
    const struct life_step step = {
        .to = to, .until_ms = now_ms + days * DAY_MS, .who = who, .now_ms = now_ms};
    char id[APP_ID_SIZE];
    if (find_subject(app, arguments, id, err) < 0)
        return -1;
    return take_step(app, id, &step, err);
}

/* That nothing happens is no experiment. */
static int check_trial(struct app *app, json_object *arguments, struct error *err)
{
    struct suggestion s;
    char id[APP_ID_SIZE];
    if (find_subject(app, arguments, id, err) < 0)
        return -1;
    int found = suggestion_find(app->store, id, &s, err);
    if (found <= 0)
        return found; /* who takes the step says so */
    int rc = proposal_retires(&s)
                 ? error_set(err, ERROR_INVALID,
                             "it would remove an automation: there is nothing to try")
                 : 0;
    suggestion_release(&s);
    return rc;
}

int decide_try(struct app *app, json_object *arguments, const char *who, struct error *err)
{
    return check_trial(app, arguments, err) < 0
               ? -1
               : put_off(app, arguments, SUGGESTION_TRYING,
                         options_int(&app->options, OPTION_TRIAL_DAYS), who, err);
}

int decide_snooze(struct app *app, json_object *arguments, const char *who, struct error *err)
{
    return put_off(app, arguments, SUGGESTION_SNOOZED, LIFE_SNOOZE_DAYS, who, err);
}

static struct life_step step_back(enum suggestion_state to, const char *who)
{
    return (struct life_step){
        .to = to, .reason = "taken back", .who = who, .now_ms = clock_wall_ms()};
}

/* Two steps: what is gone waits again, and the person decides once more. */
static int decide_again(struct app *app, const char *id, enum suggestion_state to, const char *who,
                        struct error *err)
{
    const struct life_step back = step_back(SUGGESTION_NEW, who), step = step_back(to, who);
    return life_take(app->store, id, &back, NULL, err) < 0 ? -1 : take_step(app, id, &step, err);
}

/* A retirement is taken back: on its way, it waits again; done, the automation is deployed again
 * and the retirement is rejected. */
static int undo_retirement(struct app *app, const struct suggestion *s, const char *who,
                           struct error *err)
{
    const char *base = proposal_base(s);
    const struct life_step step = step_back(SUGGESTION_NEW, who);
    if (s->state == SUGGESTION_RETIRED)
        return deploy_may_approve(app, base, err) < 0 ||
                       decide_again(app, base, SUGGESTION_APPROVED, who, err) < 0
                   ? -1
                   : decide_again(app, s->id, SUGGESTION_REJECTED, who, err);
    if (undo_is_under_way(app, base))
        return error_set(err, ERROR_BUSY,
                         "the automation is being removed at this moment: press again in a while");
    if (undo_end(app->store, base, err) < 0 || take_step(app, s->id, &step, err) < 0)
        return -1;
    return keep_selection(app, s->id, false, err);
}

int decide_undo(struct app *app, json_object *arguments, const char *who, struct error *err)
{
    (void)arguments;
    struct life_undoable last;
    int found = life_find_undoable(app->store, &last, err);
    if (found < 0)
        return -1;
    if (found == 0)
        return error_set(err, ERROR_NOT_FOUND, "there is no step that can be taken back");
    struct suggestion s;
    if (suggestion_find(app->store, last.id, &s, err) <= 0)
        return -1;
    bool is_retirement = proposal_retires(&s) &&
                         (last.state == SUGGESTION_APPROVED || last.state == SUGGESTION_RETIRED);
    int rc = is_retirement ? undo_retirement(app, &s, who, err) : 0;
    suggestion_release(&s);
    if (is_retirement)
        return rc;
    if (last.state == SUGGESTION_DEPLOYED)
        return deploy_undo(app, last.id, who, err);
    if (strcmp(app->deploying, last.id) == 0)
        return error_set(err, ERROR_BUSY,
                         "suggestion %s is being deployed at this moment: press again in a while",
                         last.id);
    const struct life_step step = step_back(SUGGESTION_NEW, who);
    if (take_step(app, last.id, &step, err) < 0)
        return -1;
    return keep_selection(app, last.id, false, err); /* it is what the person had to do with */
}

/* ---- time ---- */

void decide_let_time_pass(struct app *app)
{
    struct error err = {0};
    int64_t now_ms = clock_monotonic_ms();
    if (app->time_passed_ms != 0 && now_ms - app->time_passed_ms < TIME_PASSES_MS)
        return;
    app->time_passed_ms = now_ms;
    if (store_begin(app->store, &err) < 0) {
        log_error("app", "what time changes is not kept: %s", err.message);
        return;
    }
    json_object *steps = json_object_new_array();
    int rc = life_tick(app->store, clock_wall_ms(), steps, &err);
    if (rc == 0)
        decide_tell(app, steps);
    if (rc < 0 || store_commit(app->store, &err) < 0) {
        store_rollback(app->store);
        log_error("app", "what time changes is not kept: %s", err.message);
    } else if (json_object_array_length(steps) > 0) {
        facts_refresh_suggestions(app);
        mqtt_flush_outbox(app->mqtt);
    }
    json_object_put(steps);
}

/* A record that is too large is left out: the trial ends all the same. */
static int end_trial(struct app *app, const char *id, json_object *review, int64_t now_ms,
                     struct error *err)
{
    bool withdraws = json_is(review, "verdict", "withdraw");
    const char *reason = json_get_string(review, "why");
    json_object *told = NULL;
    int rc = suggestion_end_trial(app->store, id, review, withdraws, reason, now_ms, &told, err);
    if (rc < 0 && err->code == ERROR_LIMIT) {
        log_warn("app", "a trial's record is not kept: %s", err->message);
        rc = suggestion_end_trial(app->store, id, NULL, withdraws, reason, now_ms, &told, err);
    }
    if (rc == 0)
        app_send_event(app, "suggestion", told);
    return rc;
}

/* Whether a review of one on trial is its last: it offers itself, or withdraws. Another one tells
 * how it is doing. */
static bool ends_trial(json_object *review)
{
    return json_is(review, "verdict", "offer") || json_is(review, "verdict", "withdraw");
}

static int take_review(const struct suggestion *s, json_object *review, void *ctx,
                       struct error *err)
{
    bool is_over = s->state == SUGGESTION_TRYING && ends_trial(review);
    return is_over ? end_trial(ctx, s->id, review, clock_wall_ms(), err) : 0;
}

int decide_end_trials(struct app *app, json_object *result, struct error *err)
{
    return reviews_each(app->store, json_get_array(result, "reviews"), take_review, app, err);
}
