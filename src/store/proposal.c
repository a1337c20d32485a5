#include "store/proposal.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "store/statement.h"
#include "store/suggestion_row.h"

static const char *const REFINES = "refines", *const RETIRES = "retires";

bool proposal_retires(const struct suggestion *s)
{
    return json_get_string(s->content, RETIRES) != NULL;
}

const char *proposal_base(const struct suggestion *s)
{
    const char *base = json_get_string(s->content, REFINES);
    return base != NULL ? base : json_get_string(s->content, RETIRES);
}

enum proposal_part proposal_part_of(const struct suggestion *s)
{
    static const unsigned carried_out = 1u << SUGGESTION_DEPLOYED | 1u << SUGGESTION_EDITED |
                                        1u << SUGGESTION_REFINED | 1u << SUGGESTION_RETIRED;
    if (proposal_base(s) == NULL)
        return PROPOSAL_NONE;
    if (proposal_retires(s))
        return PROPOSAL_RETIRES;
    return 1u << s->state & carried_out ? PROPOSAL_NONE : PROPOSAL_REFINES;
}

int proposal_check(struct store *store, const struct suggestion *s, struct error *err)
{
    const char *id = proposal_base(s);
    if (id == NULL)
        return 0;
    struct suggestion base;
    int found = suggestion_find(store, id, &base, err);
    if (found < 0)
        return -1;
    enum suggestion_state state = found > 0 ? base.state : SUGGESTION_EXPIRED;
    if (found > 0)
        suggestion_release(&base);
    if (state == SUGGESTION_DEPLOYED)
        return 0;
    return error_set(err, ERROR_INVALID,
                     "it is about the automation of suggestion %s, which is %s meanwhile", id,
                     found > 0 ? suggestion_state_name(state) : "forgotten");
}

int proposal_find_approved(struct store *store, const char *base, bool retires,
                           struct suggestion *out, struct error *err)
{
    struct suggestion *list;
    size_t count;
    int found = 0;
    if (suggestions_list(store, 1u << SUGGESTION_APPROVED, &list, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count && found == 0; i++) {
        const char *id = proposal_base(&list[i]);
        if (id == NULL || strcmp(id, base) != 0 || (retires && !proposal_retires(&list[i])))
            continue;
        found = 1;
        if (out != NULL) {
            *out = list[i]; /* moved */
            list[i] = (struct suggestion){0};
        }
    }
    suggestions_free(list, count);
    return found;
}

/* ---- what a review says ---- */

int reviews_each(struct store *store, json_object *reviews, review_fn take, void *ctx,
                 struct error *err)
{
    size_t count = reviews != NULL ? json_object_array_length(reviews) : 0;
    for (size_t i = 0; i < count; i++) {
        json_object *review = json_object_array_get_idx(reviews, i);
        const char *id = json_get_string(review, "id");
        struct suggestion s;
        int found = id != NULL ? suggestion_find(store, id, &s, err) : 0;
        if (found < 0)
            return -1;
        if (found == 0)
            continue;
        int rc = take(&s, review, ctx, err);
        suggestion_release(&s);
        if (rc < 0)
            return -1;
    }
    return 0;
}

struct wanted {
    char *id;
    json_object *content;
};

static void wanted_release(struct wanted *w)
{
    free(w->id);
    json_object_put(w->content);
    *w = (struct wanted){0};
}

/* The automation of the one that it is about, with the review's reason. */
static void want_retirement(const struct suggestion *base, const char *why, struct wanted *out)
{
    static const char *const dropped[] = {"review", "trial",   "variants",
                                          "parts",  "refines", "conflicts"};
    json_object_deep_copy(base->content, &out->content, NULL);
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
        json_object_object_del(out->content, dropped[i]);
    out->id = xasprintf("%.50s-retire", base->id);
    json_add_string(out->content, RETIRES, base->id);
    json_add_text(out->content, "title", xasprintf("Remove: %s", base->title));
    json_add_string(out->content, "explanation", why);
}

static void want_refinement(json_object *proposal, struct wanted *out)
{
    const char *id = json_get_string(proposal, "id");
    json_object_deep_copy(proposal, &out->content, NULL);
    out->id = xstrdup(id != NULL ? id : "");
}

static bool is_complete(const struct wanted *w)
{
    const char *title = json_get_string(w->content, "title");
    return w->id[0] != '\0' && strlen(w->id) <= SUGGESTION_ID_MAX && title != NULL &&
           title[0] != '\0' && json_get_object(w->content, "automation") != NULL;
}

/* What the review would have in the place of this one; nothing: it stays. */
static int read_wanted(const struct suggestion *base, json_object *review, struct wanted *out,
                       struct error *err)
{
    char automation_id[SUGGESTION_AUTOMATION_ID_SIZE];
    const char *verdict = json_get_string(review, "verdict");
    json_object *proposal = json_get_object(review, "proposal");
    *out = (struct wanted){0};
    if (json_is(review, "verdict", "retire"))
        want_retirement(base, json_get_string(review, "why"), out);
    else if (proposal != NULL && json_is(proposal, REFINES, base->id))
        want_refinement(proposal, out);
    else
        return 0;
    if (!is_complete(out))
        return error_set(err, ERROR_INVALID,
                         "the review of suggestion %s proposes something without a valid id, title "
                         "or automation",
                         base->id);
    suggestion_automation_id(base, automation_id);
    json_add_string(out->content, "automation_id", automation_id);
    json_add_string(out->content, "verdict", verdict);
    json_add_string(out->content, "id", out->id);
    return 0;
}

/* ---- the suggestion of it ---- */

struct work {
    struct store *store;
    int64_t now_ms;
    json_object *created, *steps;
};

static int step(const struct work *w, const char *id, enum suggestion_state to, const char *reason,
                struct error *err)
{
    const struct life_step taken = {
        .to = to, .reason = reason, .who = LIFE_WHO_ANALYSIS, .now_ms = w->now_ms};
    return life_take_listed(w->store, id, &taken, w->steps, err);
}

/* Shown first: what is about an automation that runs is more than a wish. */
static int write(const struct work *w, const struct suggestion *base, const struct wanted *wanted,
                 enum suggestion_state state, struct error *err)
{
    const struct when when = when_of(wanted->content);
    char *title =
        suggestion_row_title(w->store, json_get_string(wanted->content, "title"), wanted->id, err);
    if (title == NULL)
        return -1;
    json_add_string(wanted->content, "title", title);
    const struct suggestion_row row = {
        .id = wanted->id,
        .family = base->family,
        .state = state,
        .content = wanted->content,
        .title = title,
        .when = &when,
        .said = &when,
    };
    int rc = suggestion_row_write(w->store, &row, w->now_ms, err);
    free(title);
    return rc;
}

static const char *text_of(const struct json_object *content, const char *key)
{
    return json_text(
        json_object_object_get(json_get_object((json_object *)content, "automation"), key));
}

/* Whether what was not wanted would be another thing now: another verdict, another time, other
 * conditions or values. */
static bool is_another(json_object *before, json_object *now)
{
    const struct when a = when_of(before), b = when_of(now);
    const char *verdict = json_get_string(now, "verdict");
    if (verdict == NULL || !json_is(before, "verdict", verdict) || when_distance(&a, &b) < 0)
        return true;
    char *actions = xstrdup(text_of(before, "actions"));
    char *conditions = xstrdup(text_of(before, "conditions"));
    bool is = strcmp(actions, text_of(now, "actions")) != 0 ||
              strcmp(conditions, text_of(now, "conditions")) != 0;
    free(actions);
    free(conditions);
    return is;
}

static bool is_wanted_again(const struct suggestion *s, json_object *content)
{
    switch (s->state) {
    case SUGGESTION_EXPIRED: /* what nobody answered is no news the day after */
        return s->is_gone;
    case SUGGESTION_RETIRED: /* what it ended has been deployed again */
        return true;
    case SUGGESTION_REJECTED:
        return s->objection != OBJECTION_NEVER && is_another(s->content, content);
    case SUGGESTION_UNDONE:
        return is_another(s->content, content);
    default:
        return false;
    }
}

static int renew(const struct work *w, const struct suggestion *base, const struct wanted *wanted,
                 const struct suggestion *before, struct error *err)
{
    bool waits = before->state == SUGGESTION_NEW || before->state == SUGGESTION_SNOOZED;
    bool again = is_wanted_again(before, wanted->content);
    if (!waits && !again)
        return 0; /* a person decided on it, or it is carried out */
    if (again && step(w, before->id, SUGGESTION_NEW, "found again", err) < 0)
        return -1;
    json_object *trial;
    if (json_object_object_get_ex(before->content, "trial", &trial))
        json_object_object_add(wanted->content, "trial", json_object_get(trial));
    return write(w, base, wanted, again ? SUGGESTION_NEW : before->state, err);
}

static int insert(const struct work *w, const struct suggestion *base, const struct wanted *wanted,
                  struct error *err)
{
    int room = suggestion_row_make_room(w->store, err);
    if (room == 0)
        log_warn("store", "what a review proposes is left out: %d suggestions are kept already",
                 SUGGESTIONS_MAX);
    if (room <= 0)
        return room;
    if (write(w, base, wanted, SUGGESTION_NEW, err) < 0)
        return -1;
    json_object_array_add(w->created, json_object_get(wanted->content));
    return 0;
}

static int offer(const struct work *w, const struct suggestion *base, const struct wanted *wanted,
                 struct error *err)
{
    struct suggestion before;
    if (strlen(json_text(wanted->content)) > SUGGESTION_CONTENT_MAX)
        json_object_object_del(wanted->content, "picture");
    if (strlen(json_text(wanted->content)) > SUGGESTION_CONTENT_MAX)
        return error_set(err, ERROR_LIMIT, "suggestion %s has more than %d bytes", wanted->id,
                         SUGGESTION_CONTENT_MAX);
    int found = suggestion_find(w->store, wanted->id, &before, err);
    if (found <= 0)
        return found < 0 ? -1 : insert(w, base, wanted, err);
    int rc = renew(w, base, wanted, &before, err);
    suggestion_release(&before);
    return rc;
}

/* No review proposes it any more: when one does again, that is news. */
static int mark_gone(struct store *store, const char *base, const char *kept, struct error *err)
{
    sqlite3_stmt *stmt =
        statement(store,
                  "UPDATE suggestion SET is_gone = 1 WHERE state = ?3 AND id IS NOT ?2"
                  " AND coalesce(json_extract(content, '$.refines'),"
                  " json_extract(content, '$.retires')) = ?1",
                  err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, base);
    bind_text(stmt, 2, kept);
    bind_int(stmt, 3, SUGGESTION_EXPIRED);
    return statement_run(store, stmt, err);
}

/* What waits and is about this one, but for `kept` (NULL: nothing is), expires. */
static int expire_others(const struct work *w, const struct suggestion *waiting, size_t count,
                         const char *base, const char *kept, const char *reason, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        const char *about = proposal_base(&waiting[i]);
        if (about == NULL || strcmp(about, base) != 0 ||
            (kept != NULL && strcmp(waiting[i].id, kept) == 0))
            continue;
        if (step(w, waiting[i].id, SUGGESTION_EXPIRED, reason, err) < 0)
            return -1;
    }
    return mark_gone(w->store, base, kept, err);
}

static json_object *record_of(json_object *review)
{
    static const char *const dropped[] = {"proposal", "log", "id"};
    json_object *record = NULL;
    json_object_deep_copy(review, &record, NULL);
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
        json_object_object_del(record, dropped[i]);
    return record;
}

struct reviewing {
    const struct work *work;
    const struct suggestion *waiting;
    size_t count;
};

static int take_review(const struct suggestion *base, json_object *review, void *ctx,
                       struct error *err)
{
    const struct reviewing *r = ctx;
    const struct work *w = r->work;
    if (base->state != SUGGESTION_DEPLOYED && base->state != SUGGESTION_EDITED)
        return 0;
    json_object *record = record_of(review);
    int rc = suggestion_keep(w->store, base->id, "review", record, err);
    json_object_put(record);
    if (rc < 0 && err->code == ERROR_LIMIT) {
        log_warn("store", "a review is not kept: %s", err->message);
        rc = 0;
    }
    struct wanted wanted = {0};
    if (rc == 0 && base->state == SUGGESTION_DEPLOYED)
        rc = read_wanted(base, review, &wanted, err);
    if (rc == 0)
        rc = expire_others(w, r->waiting, r->count, base->id, wanted.id,
                           "its review says so no more", err);
    if (rc == 0 && wanted.id != NULL)
        rc = offer(w, base, &wanted, err);
    wanted_release(&wanted);
    return rc;
}

/* Whose automation is not ours and deployed any more. */
static int expire_orphans(const struct work *w, const struct suggestion *waiting, size_t count,
                          struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (proposal_base(&waiting[i]) == NULL || proposal_check(w->store, &waiting[i], err) == 0)
            continue;
        if (err->code != ERROR_INVALID ||
            step(w, waiting[i].id, SUGGESTION_EXPIRED, err->message, err) < 0)
            return -1;
    }
    return 0;
}

static int merge(const struct work *w, json_object *reviews, struct error *err)
{
    static const unsigned waits = 1u << SUGGESTION_NEW | 1u << SUGGESTION_SNOOZED;
    struct suggestion *waiting;
    size_t count;
    if (suggestions_list(w->store, waits, &waiting, &count, err) < 0)
        return -1;
    struct reviewing reviewing = {w, waiting, count};
    int rc = reviews_each(w->store, reviews, take_review, &reviewing, err);
    suggestions_free(waiting, count);
    if (rc < 0 || suggestions_list(w->store, waits, &waiting, &count, err) < 0)
        return -1;
    rc = expire_orphans(w, waiting, count, err);
    suggestions_free(waiting, count);
    return rc;
}

int proposals_merge(struct store *store, json_object *reviews, int64_t now_ms, json_object *created,
                    json_object *steps, struct error *err)
{
    const struct work w = {store, now_ms, created, steps};
    int scope = scope_begin(store, err);
    return scope < 0 ? -1 : scope_end(store, scope, merge(&w, reviews, err), err);
}
