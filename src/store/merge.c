/* Which result of an analysis is which known habit, and what that means for its life. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/log.h"
#include "core/xalloc.h"
#include "store/life.h"
#include "store/proposal.h"
#include "store/statement.h"
#include "store/suggestion_row.h"

/* ---- known habits ---- */

struct known {
    struct suggestion row;
    struct when when, said;
    struct objection_acts acts; /* of a rejected one */
    bool taken;                 /* a result belongs to it */
    enum proposal_part part;
    const char *why; /* it is not found, where that is known better */
};

struct found {
    json_object *content; /* borrowed from the result */
    const char *id;
    size_t family_len;
    struct when when;
    struct known *known; /* NULL = new */
    size_t part_count;   /* of a chain: they follow it in the list */
    size_t chain;        /* of a part: its chain; SIZE_MAX = none */
    int rank;
    bool is_out;    /* a chain that its parts stand for, or a part that its chain stands for */
    bool is_barred; /* by a rejection */
};

struct merge {
    struct store *store;
    int64_t now_ms;
    struct known *known;
    size_t known_count;
    struct found *found;
    size_t found_count;
    struct suggestions_merge *out;
};

static struct when read_when(sqlite3_stmt *stmt, int second, int days)
{
    return (struct when){
        .second = sqlite3_column_type(stmt, second) == SQLITE_NULL
                      ? WHEN_NO_TIME
                      : sqlite3_column_int(stmt, second),
        .days = (unsigned)sqlite3_column_int(stmt, days) & WHEN_EVERY_DAY,
    };
}

static int load_known(struct merge *m, struct error *err)
{
    struct suggestion *rows;
    size_t count;
    if (suggestions_list(m->store, ~0u, &rows, &count, err) < 0)
        return -1;
    m->known = xcalloc(count ? count : 1, sizeof(*m->known));
    m->known_count = count;
    for (size_t i = 0; i < count; i++)
        m->known[i].row = rows[i]; /* moved */
    free(rows);
    for (size_t i = 0; i < count; i++) {
        struct known *k = &m->known[i];
        sqlite3_stmt *stmt = statement(m->store,
                                       "SELECT second, days, said_second, said_days"
                                       " FROM suggestion WHERE id = ?1",
                                       err);
        if (stmt == NULL)
            return -1;
        bind_text(stmt, 1, k->row.id);
        int rc = statement_step(m->store, stmt, err);
        if (rc > 0) {
            k->when = read_when(stmt, 0, 1);
            k->said = read_when(stmt, 2, 3);
            struct when content = when_of(k->row.content);
            k->when.is_sun = k->when.second == WHEN_NO_TIME && content.is_sun;
            k->when.entity = content.entity;
            k->when.to = content.to;
            k->part = proposal_part_of(&k->row);
            if (k->part == PROPOSAL_RETIRES)
                k->row.objection = OBJECTION_HABIT; /* to the retirement, not to what it does */
            if (k->row.objection != OBJECTION_HABIT)
                objection_acts_of(k->row.content, &k->acts);
        }
        statement_done(stmt);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* ---- the result ---- */

static bool is_id(const char *id)
{
    size_t n = id ? strlen(id) : 0;
    return n > 0 && n <= SUGGESTION_ID_MAX && id[0] != '#' &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-#") == n;
}

/* Bytes of what is kept of it. */
static size_t content_size(json_object *content)
{
    json_object *parts = json_get_array(content, "parts");
    return strlen(json_text(content)) - (parts != NULL ? strlen(json_text(parts)) : 0);
}

/* Whether the id is another one's: a chain has that of its first part. */
static bool is_twice(const struct merge *m, const struct found *f)
{
    for (size_t k = 0; k < m->found_count; k++)
        if (k != f->chain && strcmp(m->found[k].id, f->id) == 0)
            return true;
    return false;
}

static int add_found(struct merge *m, json_object *content, size_t chain, int rank,
                     struct error *err)
{
    const char *id = json_get_string(content, "id");
    const char *title = json_get_string(content, "title");
    if (!is_id(id) || title == NULL || title[0] == '\0' ||
        json_get_object(content, "automation") == NULL)
        return error_set(err, ERROR_INVALID,
                         "suggestion %d of the analysis lacks a valid id, title or automation",
                         rank);
    if (content_size(content) > SUGGESTION_CONTENT_MAX) /* it can do without being drawn */
        json_object_object_del(content, "picture");
    if (content_size(content) > SUGGESTION_CONTENT_MAX)
        return error_set(err, ERROR_LIMIT, "suggestion %s has more than %d bytes", id,
                         SUGGESTION_CONTENT_MAX);
    struct found *f = &m->found[m->found_count];
    *f = (struct found){
        .content = content,
        .id = id,
        .family_len = strcspn(id, "#"),
        .when = when_of(content),
        .chain = chain,
        .rank = rank,
    };
    if (is_twice(m, f))
        return error_set(err, ERROR_INVALID, "the analysis has the id %s twice", id);
    m->found_count++;
    return 0;
}

/* A suggestion; a chain's parts behind it. */
static int read_one(struct merge *m, json_object *content, int rank, struct error *err)
{
    json_object *parts = json_get_array(content, "parts");
    size_t count = parts != NULL ? json_object_array_length(parts) : 0, chain = m->found_count;
    if (count > SUGGESTION_PARTS_MAX)
        return error_set(err, ERROR_LIMIT,
                         "suggestion %d of the analysis has %zu parts; at most %d", rank, count,
                         SUGGESTION_PARTS_MAX);
    if (add_found(m, content, SIZE_MAX, rank, err) < 0)
        return -1;
    m->found[chain].part_count = count;
    for (size_t i = 0; i < count; i++)
        if (add_found(m, json_object_array_get_idx(parts, i), chain, rank, err) < 0)
            return -1;
    return 0;
}

static int read_found(struct merge *m, json_object *result, struct error *err)
{
    json_object *list = json_get_array(result, "suggestions");
    if (list == NULL)
        return error_set(err, ERROR_INVALID, "the analysis has no list 'suggestions'");
    size_t count = json_object_array_length(list);
    if (count > SUGGESTIONS_MAX)
        return error_set(err, ERROR_LIMIT, "the analysis has %zu suggestions; at most %d", count,
                         SUGGESTIONS_MAX);
    m->found = xcalloc(count * (1 + SUGGESTION_PARTS_MAX) + 1, sizeof(*m->found));
    for (size_t i = 0; i < count; i++)
        if (read_one(m, json_object_array_get_idx(list, i), (int)i, err) < 0)
            return -1;
    return 0;
}

static bool same_family(const struct known *k, const struct found *f)
{
    return strlen(k->row.family) == f->family_len &&
           memcmp(k->row.family, f->id, f->family_len) == 0;
}

/* ---- rejections ---- */

static bool bars(const struct known *k, const struct objection_subject *found)
{
    const struct objection_subject rejected = {
        .content = k->row.content,
        .family = k->row.family,
        .family_len = strlen(k->row.family),
        .when = &k->when,
        .acts = &k->acts,
    };
    return k->row.state == SUGGESTION_REJECTED &&
           objection_bars(k->row.objection, &rejected, found);
}

static bool has_objections(const struct merge *m)
{
    for (size_t k = 0; k < m->known_count; k++)
        if (m->known[k].row.objection != OBJECTION_HABIT)
            return true;
    return false;
}

static struct objection_subject subject_of(const struct found *f, struct objection_acts *acts)
{
    objection_acts_of(f->content, acts);
    return (struct objection_subject){f->content, f->id, f->family_len, &f->when, acts};
}

static void mark_barred(struct merge *m)
{
    if (!has_objections(m))
        return;
    for (size_t i = 0; i < m->found_count; i++) {
        struct objection_acts acts;
        const struct objection_subject found = subject_of(&m->found[i], &acts);
        for (size_t k = 0; k < m->known_count && !m->found[i].is_barred; k++)
            m->found[i].is_barred = bars(&m->known[k], &found);
        objection_acts_release(&acts);
    }
}

static bool is_decided(const struct known *k)
{
    static const unsigned undecided =
        1u << SUGGESTION_NEW | 1u << SUGGESTION_RETIRED | 1u << SUGGESTION_EXPIRED;
    return k != NULL && (1u << k->row.state & undecided) == 0;
}

/* Whether a rejection allows that the result is this known one: what is barred renews nothing that
 * may be offered, and an objection to a time or a trigger is no answer to another. */
static bool may_be(struct known *k, const struct found *f)
{
    static const unsigned may_return = 1u << SUGGESTION_SNOOZED | 1u << SUGGESTION_UNDONE;
    if (f->is_barred && (!is_decided(k) || 1u << k->row.state & may_return)) {
        k->why = "like one that was rejected";
        return false;
    }
    if (k->row.objection == OBJECTION_HABIT)
        return true;
    struct objection_acts acts;
    const struct objection_subject found = subject_of(f, &acts);
    bool is_barred = bars(k, &found);
    objection_acts_release(&acts);
    return is_barred;
}

/* ---- which is which ---- */

struct pair {
    int distance;
    int order; /* of equals: what runs, what would take its place, what waits */
    size_t known, found;
};

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    if (x->known != y->known)
        return x->known < y->known ? -1 : 1;
    return x->found < y->found ? -1 : x->found > y->found;
}

static int order_of(const struct known *k)
{
    return k->row.state == SUGGESTION_DEPLOYED ? 0 : k->part == PROPOSAL_REFINES ? 1 : 2;
}

/* Nearest pair first. */
static void match(struct merge *m)
{
    struct pair *pairs = NULL;
    size_t count = 0, capacity = 0;
    for (size_t k = 0; k < m->known_count; k++) {
        for (size_t f = 0; f < m->found_count; f++) {
            if (m->found[f].part_count > 0 || m->known[k].part == PROPOSAL_RETIRES)
                continue; /* its first part finds what it was; that it goes is no habit */
            int d = same_family(&m->known[k], &m->found[f])
                        ? when_distance(&m->known[k].when, &m->found[f].when)
                        : -1;
            if (d < 0 || !may_be(&m->known[k], &m->found[f]))
                continue;
            pairs = grow_array(pairs, count, &capacity, sizeof(*pairs));
            pairs[count++] = (struct pair){d, order_of(&m->known[k]), k, f};
        }
    }
    if (count > 0)
        qsort(pairs, count, sizeof(*pairs), compare_pairs);
    for (size_t i = 0; i < count; i++) {
        struct known *k = &m->known[pairs[i].known];
        struct found *f = &m->found[pairs[i].found];
        if (k->taken || f->known != NULL)
            continue;
        k->taken = true;
        f->known = k;
    }
    free(pairs);
}

/* ---- chains ---- */

static bool is_chain(json_object *content)
{
    const char *kind = json_get_string(content, "kind");
    return kind != NULL && strcmp(kind, "chain") == 0;
}

/* A person decided on a chain's part before it was one: the decision holds for the part alone, and
 * the others are suggested as they were. What was the first part is the chain from now on. */
static bool stands_apart(const struct found *chain)
{
    const struct known *first = chain[1].known;
    if (first != NULL && is_chain(first->row.content) && is_decided(first))
        return false;
    for (size_t i = 1; i <= chain->part_count; i++)
        if (is_decided(chain[i].known))
            return true;
    return chain->is_barred;
}

/* Each chain, or else its parts. */
static void settle_chains(struct merge *m)
{
    for (size_t f = 0; f < m->found_count; f++) {
        struct found *chain = &m->found[f];
        if (chain->part_count == 0)
            continue;
        chain->is_out = stands_apart(chain);
        chain->known = chain[1].known;
        for (size_t i = 1; i <= chain->part_count && !chain->is_out; i++) {
            chain[i].is_out = true;
            if (i == 1 || chain[i].known == NULL)
                continue;
            chain[i].known->taken = false;
            chain[i].known->why = "part of a chain";
        }
    }
}

/* ---- ids and titles ---- */

/* The family's name itself, else "#2", "#3", ... whatever is free. Caller frees; NULL = error. */
static char *free_id(struct merge *m, const struct found *f, struct error *err)
{
    for (int n = 1; n <= SUGGESTIONS_MAX + 1; n++) {
        char *id = n == 1 ? xstrndup(f->id, f->family_len)
                          : xasprintf("%.*s#%d", (int)f->family_len, f->id, n);
        int taken = suggestion_row_has_id(m->store, id, err);
        if (taken == 0)
            return id;
        free(id);
        if (taken < 0)
            return NULL;
    }
    error_set(err, ERROR_LIMIT, "no free id for %s", f->id);
    return NULL;
}

/* ---- writing ---- */

/* What a person decided on stays as it was when they did; a rejection of the habit itself follows
 * it. */
static bool is_frozen(const struct known *k)
{
    static const unsigned open = 1u << SUGGESTION_NEW | 1u << SUGGESTION_SNOOZED |
                                 1u << SUGGESTION_RETIRED | 1u << SUGGESTION_EXPIRED |
                                 1u << SUGGESTION_REJECTED;
    return (1u << k->row.state & open) == 0 || k->row.objection != OBJECTION_HABIT;
}

/* Of what is frozen only what we know about it is renewed. */
static json_object *content_of_known(const struct known *k, json_object *found, bool back)
{
    static const char *const renewed[] = {"evidence", "backtest", "score", "picture"};
    json_object *copy = NULL, *trial;
    bool frozen = !back && is_frozen(k);
    json_object_deep_copy(frozen ? k->row.content : found, &copy, NULL);
    json_object_object_del(copy, "parts");
    if (!frozen && json_object_object_get_ex(k->row.content, "trial", &trial))
        json_object_object_add(copy, "trial", json_object_get(trial));
    for (size_t i = 0; frozen && i < sizeof(renewed) / sizeof(renewed[0]); i++) {
        json_object *value;
        if (json_object_object_get_ex(found, renewed[i], &value))
            json_object_object_add(copy, renewed[i], json_object_get(value));
    }
    return copy;
}

static void set_text(json_object *content, const char *key, const char *text)
{
    json_object_object_add(content, key, json_object_new_string(text));
}

/* Whether what waits no more is offered again, now that it is found. What was undone has to hold on
 * held-out days that all came after that, or to have been away. What nobody answered is another
 * question as the first part of a chain. */
static bool comes_back(const struct merge *m, const struct found *f)
{
    const struct known *k = f->known;
    int64_t days = json_get_int(json_get_object(f->content, "backtest"), "held_out_days",
                                LIFE_NEW_EVIDENCE_DAYS);
    switch (k->row.state) {
    case SUGGESTION_RETIRED:
        return k->row.is_gone;
    case SUGGESTION_EXPIRED:
        return k->row.is_gone || (f->part_count > 0 && !is_chain(k->row.content));
    case SUGGESTION_UNDONE:
        return k->row.is_gone || m->now_ms - k->row.since_ms > days * 24 * 3600 * 1000;
    default:
        return false;
    }
}

static int step(struct merge *m, const char *id, enum suggestion_state to, const char *reason,
                struct error *err)
{
    const struct life_step taken = {
        .to = to, .reason = reason, .who = LIFE_WHO_ANALYSIS, .now_ms = m->now_ms};
    return life_take_listed(m->store, id, &taken, m->out->steps, err);
}

static int update_known(struct merge *m, const struct found *f, struct error *err)
{
    const struct known *k = f->known;
    bool back = comes_back(m, f), follows = k->row.objection == OBJECTION_HABIT;
    bool tell =
        k->row.state != SUGGESTION_REJECTED && (back || when_has_changed(&f->when, &k->said));
    if (back && step(m, k->row.id, SUGGESTION_NEW, "found again", err) < 0)
        return -1;
    json_object *content = content_of_known(k, f->content, back);
    char *title = suggestion_row_title(m->store, json_get_string(content, "title"), k->row.id, err);
    int rc = -1;
    if (title != NULL) {
        set_text(content, "id", k->row.id);
        set_text(content, "title", title);
        const struct suggestion_row row = {
            .id = k->row.id,
            .family = k->row.family,
            .state = back ? SUGGESTION_NEW : k->row.state,
            .content = content,
            .title = title,
            .rank = f->rank,
            .when = follows ? &f->when : &k->when,
            .said = tell ? &f->when : &k->said,
        };
        rc = suggestion_row_write(m->store, &row, m->now_ms, err);
    }
    m->out->rejected += k->row.state == SUGGESTION_REJECTED;
    if (rc == 0 && tell)
        json_object_array_add(m->out->changed, json_object_get(content));
    json_object_put(content);
    free(title);
    return rc;
}

static int insert_new(struct merge *m, const struct found *f, struct error *err)
{
    json_object *content = NULL;
    char *family = xstrndup(f->id, f->family_len);
    char *title = NULL;
    char *id = free_id(m, f, err);
    int rc = -1;
    if (id == NULL || (title = suggestion_row_title(m->store, json_get_string(f->content, "title"),
                                                    id, err)) == NULL)
        goto out;
    json_object_deep_copy(f->content, &content, NULL);
    json_object_object_del(content, "parts");
    set_text(content, "id", id);
    set_text(content, "title", title);
    const struct suggestion_row row = {
        .id = id,
        .family = family,
        .state = SUGGESTION_NEW,
        .content = content,
        .title = title,
        .rank = f->rank,
        .when = &f->when,
        .said = &f->when,
    };
    rc = suggestion_row_write(m->store, &row, m->now_ms, err);
    if (rc == 0) {
        json_object_array_add(m->out->created, json_object_get(content));
        json_object_array_add(m->out->changed, json_object_get(content));
    }
out:
    json_object_put(content);
    free(title);
    free(id);
    free(family);
    return rc;
}

static int mark_gone(struct merge *m, const char *id, struct error *err)
{
    sqlite3_stmt *stmt =
        statement(m->store, "UPDATE suggestion SET is_gone = 1 WHERE id = ?1", err);
    if (stmt == NULL)
        return -1;
    bind_text(stmt, 1, id);
    return statement_run(m->store, stmt, err);
}

static int expire_missing(struct merge *m, struct error *err)
{
    for (size_t i = 0; i < m->known_count; i++) {
        const struct known *k = &m->known[i];
        bool waits = k->row.state == SUGGESTION_NEW || k->row.state == SUGGESTION_SNOOZED;
        if (k->taken || k->part != PROPOSAL_NONE)
            continue;
        if (waits &&
            step(m, k->row.id, SUGGESTION_EXPIRED, k->why ? k->why : "no longer found", err) < 0)
            return -1;
        if (mark_gone(m, k->row.id, err) < 0)
            return -1;
    }
    return 0;
}

/* All titles that will be given anew are free while they are: two may swap theirs. */
static int free_titles(struct merge *m, struct error *err)
{
    for (size_t i = 0; i < m->known_count; i++) {
        if (!m->known[i].taken || m->known[i].part != PROPOSAL_NONE)
            continue;
        sqlite3_stmt *stmt =
            statement(m->store, "UPDATE suggestion SET title = char(1) || id WHERE id = ?1", err);
        if (stmt == NULL)
            return -1;
        bind_text(stmt, 1, m->known[i].row.id);
        if (statement_run(m->store, stmt, err) < 0)
            return -1;
    }
    return 0;
}

static int write_all(struct merge *m, struct error *err)
{
    size_t refused = 0;
    if (expire_missing(m, err) < 0 || free_titles(m, err) < 0)
        return -1;
    /* Known ones first: none of them may lose its row to a new one. */
    for (size_t i = 0; i < m->found_count; i++)
        if (m->found[i].known != NULL && !m->found[i].is_out &&
            m->found[i].known->part == PROPOSAL_NONE && /* a review keeps those up to date */
            update_known(m, &m->found[i], err) < 0)
            return -1;
    for (size_t i = 0; i < m->found_count; i++) {
        if (m->found[i].known != NULL || m->found[i].is_out)
            continue;
        m->out->rejected += m->found[i].is_barred;
        if (m->found[i].is_barred)
            continue;
        int room = suggestion_row_make_room(m->store, err);
        if (room < 0 || (room > 0 && insert_new(m, &m->found[i], err) < 0))
            return -1;
        refused += room == 0;
    }
    if (refused > 0)
        log_warn("store", "%zu new suggestions are left out: %d are kept already", refused,
                 SUGGESTIONS_MAX);
    int64_t counts[SUGGESTION_STATE_COUNT];
    if (suggestions_count(m->store, counts, err) < 0)
        return -1;
    m->out->waiting = (int)(counts[SUGGESTION_NEW] + counts[SUGGESTION_FAILED]);
    return 0;
}

int suggestions_merge_analysis(struct store *store, json_object *result, int64_t now_ms,
                               struct suggestions_merge *out, struct error *err)
{
    *out = (struct suggestions_merge){
        .created = json_object_new_array(),
        .changed = json_object_new_array(),
        .steps = json_object_new_array(),
    };
    struct merge m = {.store = store, .now_ms = now_ms, .out = out};
    int rc = -1;
    int scope = scope_begin(store, err);
    if (scope >= 0) {
        if (read_found(&m, result, err) == 0 &&
            proposals_merge(store, json_get_array(result, "reviews"), now_ms, out->created,
                            out->steps, err) == 0 &&
            load_known(&m, err) == 0) {
            mark_barred(&m);
            match(&m);
            settle_chains(&m);
            rc = write_all(&m, err);
        }
        rc = scope_end(store, scope, rc, err);
    }
    for (size_t i = 0; i < m.known_count; i++) {
        suggestion_release(&m.known[i].row);
        objection_acts_release(&m.known[i].acts);
    }
    free(m.known);
    free(m.found);
    if (rc < 0) {
        json_object_put(out->created);
        json_object_put(out->changed);
        json_object_put(out->steps);
        *out = (struct suggestions_merge){0};
    }
    return rc;
}
