#include "replay/engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/order.h"
#include "core/xalloc.h"
#include "replay/purpose.h"
#include "replay/steps.h"

/* States come within this time of Home Assistant's start: a history that begins then lacks nothing
 * before it. */
enum { COMES_UP_MS = 60000 };

/* --- states --- */

/* The last one before that row which was written before the event that we are at. */
static struct state row_earlier(const struct replay *r, struct state state,
                                const struct timeline_row *row)
{
    while (row->time_ms == r->event_ms && row->order > r->event_order) {
        if (row == state.series->rows)
            return state;
        row--;
    }
    if (row->time_ms >= r->run->from_ms && row->word != TIMELINE_REMOVED)
        state.row = row;
    return state;
}

struct state engine_state(const struct replay *r, size_t entity, int64_t at_us)
{
    const struct entity_run *e = &r->entities[entity];
    struct state state = {.series = e->series};
    if (e->series == NULL)
        return state;
    if (e->series->is_approximate)
        *r->is_approximate = true;
    size_t row;
    if (e->is_watched && at_us == r->now_us)
        row = e->next - 1; /* SIZE_MAX before the first */
    else
        row = timeline_row_at(e->series, at_us / 1000);
    if (row == SIZE_MAX)
        return state;
    const struct timeline_row *found = &e->series->rows[row];
    if (at_us == r->now_us && found->order > r->event_order && found->time_ms == r->event_ms)
        return row_earlier(r, state, found);
    if (found->time_ms >= r->run->from_ms && found->word != TIMELINE_REMOVED)
        state.row = found;
    return state;
}

/* By when a first state was there at the start. When Home Assistant had started may not be told
 * (the run begins with it), and of a start before the history nothing is. */
static int64_t first_states_until(const struct replay *r)
{
    const struct timeline *t = r->timeline;
    int64_t begin_ms = t->from_ms < t->first_row_ms ? t->from_ms : t->first_row_ms;
    if (r->run->started_ms < begin_ms - COMES_UP_MS)
        return INT64_MAX;
    return r->run->started_ms + (r->run->started_ms == r->run->from_ms ? COMES_UP_MS : 0);
}

struct state engine_first_state(const struct replay *r, size_t entity)
{
    const struct timeline_series *series = r->entities[entity].series;
    struct state state = {.series = series};
    if (series == NULL || series->count == 0)
        return state;
    size_t row = timeline_row_at(series, r->run->started_ms);
    if (row == SIZE_MAX || series->rows[row].time_ms < r->run->from_ms) {
        row++; /* the first one of this life */
        if (row == series->count || series->rows[row].time_ms > first_states_until(r))
            return state;
    }
    if (series->rows[row].time_ms < r->run->to_ms && series->rows[row].word != TIMELINE_REMOVED)
        state.row = &series->rows[row];
    return state;
}

const char *state_text(const struct replay *r, struct state state)
{
    return r->timeline->words[state.row->word];
}

bool state_number(const struct replay *r, struct state state, double *number)
{
    *number = r->timeline->numbers[state.row->word];
    return !isnan(*number) || timeline_number(state_text(r, state), number);
}

bool state_is_unknown(const struct replay *r, struct state state)
{
    const char *text = state_text(r, state);
    return strcmp(text, "unavailable") == 0 || strcmp(text, "unknown") == 0;
}

bool state_has_attribute(const struct replay *r, struct state state, const char *name)
{
    int32_t index = state.row->attributes;
    return index >= 0 && json_object_object_get_ex(r->timeline->attributes[index], name, NULL);
}

json_object *state_attribute(const struct replay *r, struct state state, const char *name)
{
    json_object *value = NULL;
    int32_t index = state.row->attributes;
    if (index >= 0)
        json_object_object_get_ex(r->timeline->attributes[index], name, &value);
    return value;
}

/* The row before it, if it was written by the same process and not removed. */
static const struct timeline_row *row_before(const struct replay *r,
                                             const struct timeline_series *series,
                                             const struct timeline_row *row)
{
    if (row == series->rows || row[-1].time_ms < r->run->from_ms ||
        row[-1].word == TIMELINE_REMOVED)
        return NULL;
    return row - 1;
}

struct state state_before(const struct replay *r, struct state state)
{
    state.row = row_before(r, state.series, state.row);
    return state;
}

int64_t state_last_changed_ms(const struct replay *r, struct state state)
{
    const struct timeline_row *row = state.row, *before;
    while (!row->is_forced && (before = row_before(r, state.series, row)) != NULL &&
           before->word == row->word)
        row = before;
    return row->time_ms;
}

bool state_is_since(const struct replay *r, struct state state, int64_t us)
{
    const struct timeline_row *row = state.row;
    while (row->time_ms * 1000 > us) {
        const struct timeline_row *before = row_before(r, state.series, row);
        if (before == NULL || before->word != row->word || row->is_forced)
            return false;
        row = before;
    }
    return true;
}

/* --- timers: a binary heap --- */

static bool is_sooner(const struct timer *a, const struct timer *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void swap_timers(struct timer *a, struct timer *b)
{
    struct timer spare = *a;
    *a = *b;
    *b = spare;
}

uint64_t engine_set_timer(struct replay *r, int64_t due_us, size_t trigger, size_t detail)
{
    r->timers = grow_array(r->timers, r->timer_count, &r->timer_capacity, sizeof *r->timers);
    size_t i = r->timer_count++;
    r->timers[i] = (struct timer){due_us, r->timer_order++, trigger, detail};
    for (; i > 0 && is_sooner(&r->timers[i], &r->timers[(i - 1) / 2]); i = (i - 1) / 2)
        swap_timers(&r->timers[i], &r->timers[(i - 1) / 2]);
    return r->timer_order - 1;
}

static struct timer pop_timer(struct replay *r)
{
    struct timer first = r->timers[0];
    r->timers[0] = r->timers[--r->timer_count];
    for (size_t i = 0;;) {
        size_t child = 2 * i + 1;
        if (child >= r->timer_count)
            return first;
        if (child + 1 < r->timer_count && is_sooner(&r->timers[child + 1], &r->timers[child]))
            child++;
        if (!is_sooner(&r->timers[child], &r->timers[i]))
            return first;
        swap_timers(&r->timers[i], &r->timers[child]);
        i = child;
    }
}

struct slot *engine_slot(struct replay *r, size_t trigger, size_t index)
{
    return &r->slots[r->automation->triggers[trigger].first_slot + index];
}

/* --- rows: a heap of the watched entities, by time, then entity --- */

/* NULL = none. */
static const struct timeline_row *next_row(const struct replay *r, size_t entity)
{
    const struct entity_run *e = &r->entities[entity];
    return e->next < e->series->count ? &e->series->rows[e->next] : NULL;
}

static bool comes_first(const struct replay *r, size_t a, size_t b)
{
    const struct timeline_row *x = next_row(r, a), *y = next_row(r, b);
    if (x == NULL || y == NULL)
        return x != NULL;
    return x->time_ms != y->time_ms ? x->time_ms < y->time_ms : x->order < y->order;
}

static void sift_rows(struct replay *r, size_t i)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= r->row_count)
            return;
        if (child + 1 < r->row_count && comes_first(r, r->rows[child + 1], r->rows[child]))
            child++;
        if (!comes_first(r, r->rows[child], r->rows[i]))
            return;
        size_t spare = r->rows[i];
        r->rows[i] = r->rows[child];
        r->rows[child] = spare;
        i = child;
    }
}

/* --- `for` --- */

void engine_wait(struct replay *r, struct watch *watch, const struct change *change, int64_t for_us)
{
    struct waiting *waiting = xmalloc(sizeof *waiting);
    *waiting = (struct waiting){.change = *change};
    waiting->timer =
        engine_set_timer(r, r->now_us + for_us, watch->trigger, (size_t)(watch - r->watches));
    if (watch->waiting == NULL)
        watch->waiting = waiting;
    else
        watch->newest->next = waiting;
    watch->newest = waiting;
}

/* The one behind `before`, or the first (NULL). */
static void end_waiting(struct watch *w, struct waiting *before)
{
    struct waiting **at = before != NULL ? &before->next : &w->waiting, *ended = *at;
    *at = ended->next;
    if (w->newest == ended)
        w->newest = before;
    free(ended);
}

void engine_end_waits(struct watch *watch)
{
    while (watch->waiting != NULL)
        end_waiting(watch, NULL);
}

/* A write that leaves the state as it was, of which each may begin a `for`: all go on. */
static bool spoils_nothing(const struct trigger *t, const struct change *change)
{
    return t->type == &trigger_state && t->attribute == NULL && change->from.row != NULL &&
           change->to.row != NULL && change->from.row->word == change->to.row->word;
}

/* Ends those that another change has spoiled, but not the ones that it began. */
static void check_waiting(struct replay *r, struct watch *w, const struct change *change,
                          uint64_t began)
{
    const struct trigger *t = &r->automation->triggers[w->trigger];
    if (spoils_nothing(t, change))
        return;
    struct waiting *before = NULL, *next;
    for (struct waiting *at = w->waiting; at != NULL; at = next) {
        next = at->next;
        if (at->timer < began && !t->type->is_same(r, t, &at->change, change))
            end_waiting(w, before);
        else
            before = at;
    }
}

/* A timer of a `for`, unless it was spoiled. */
static void fire_waiting(struct replay *r, const struct timer *timer)
{
    struct watch *w = &r->watches[timer->detail];
    for (struct waiting *before = NULL, *at = w->waiting; at != NULL; before = at, at = at->next) {
        if (at->timer != timer->order)
            continue;
        struct change change = at->change;
        end_waiting(w, before);
        engine_fire(r, timer->trigger, &change);
        return;
    }
}

/* --- runs --- */

static bool is_running(const struct replay *r)
{
    return r->end_count > 0;
}

static void forget_ended_runs(struct replay *r)
{
    while (r->end_count > 0 && r->ends_us[r->end_first] < r->now_us) {
        r->end_first++;
        r->end_count--;
    }
    if (r->end_count == 0)
        r->end_first = 0;
}

static void add_run(struct replay *r, int64_t end_us)
{
    size_t count = r->end_first + r->end_count;
    r->ends_us = grow_array(r->ends_us, count, &r->end_capacity, sizeof *r->ends_us);
    for (; count > r->end_first && r->ends_us[count - 1] > end_us; count--)
        r->ends_us[count] = r->ends_us[count - 1];
    r->ends_us[count] = end_us;
    r->end_count++;
}

static void add_fire(struct replay *r, size_t trigger)
{
    struct replay_fires *out = r->out;
    if (r->event_ms < r->input->from_ms || r->event_ms >= r->input->to_ms)
        return;
    if (out->count >= REPLAY_FIRES_MAX || r->fire_count >= REPLAY_AUTOMATION_FIRES_MAX) {
        out->is_cut = r->is_cut = true;
        return;
    }
    r->fire_count++;
    out->list = grow_array(out->list, out->count, &out->capacity, sizeof *out->list);
    out->list[out->count++] = (struct replay_fire){.time_ms = r->event_ms,
                                                   .automation = r->index,
                                                   .trigger = (uint32_t)trigger,
                                                   .is_approximate = *r->is_approximate};
}

void engine_fire(struct replay *r, size_t trigger, const struct change *change)
{
    const struct automation *a = r->automation;
    struct occasion occasion = {trigger, change};
    *r->is_approximate = change != NULL && change->to.series->is_approximate;
    if (!conditions_pass(r, a->conditions, a->condition_count, &occasion, r->now_us))
        return;
    forget_ended_runs(r);
    if (a->mode == MODE_SINGLE && is_running(r))
        return;
    if ((a->mode == MODE_QUEUED || a->mode == MODE_PARALLEL) &&
        (int64_t)r->end_count >= a->max_runs)
        return;
    add_fire(r, trigger);
    if (a->mode == MODE_RESTART)
        return;
    int64_t start_us = r->now_us;
    if (a->mode == MODE_QUEUED && is_running(r))
        start_us = r->ends_us[r->end_first + r->end_count - 1];
    bool is_instant;
    int64_t end_us = steps_end(r, &occasion, start_us, &is_instant);
    if (!is_instant || end_us > r->now_us)
        add_run(r, end_us);
}

/* --- events --- */

static void serve_row(struct replay *r)
{
    size_t entity = r->rows[0];
    struct entity_run *e = &r->entities[entity];
    const struct timeline_row *row = &e->series->rows[e->next++];
    sift_rows(r, 0);
    if (row->time_ms != r->instant_ms) {
        r->instant_ms = row->time_ms;
        r->instant_order = r->timer_order;
    }
    r->event_ms = row->time_ms;
    r->event_order = row->order;
    int64_t now_us = row->time_ms * 1000 + REPLAY_LATE_US;
    r->now_us = now_us > r->now_us ? now_us : r->now_us + 1; /* runs before it have ended */
    struct change change = {.entity = entity, .from.series = e->series, .to.series = e->series};
    change.from.row = row_before(r, e->series, row);
    change.to.row = row->word == TIMELINE_REMOVED ? NULL : row;
    if (change.from.row == NULL && change.to.row == NULL)
        return;
    uint64_t began = r->timer_order;
    for (size_t i = 0; i < e->watch_count; i++) {
        struct watch *w = &r->watches[r->watch_order[e->first_watch + i]];
        r->automation->triggers[w->trigger].type->on_change(r, w, &change);
        if (w->waiting != NULL)
            check_waiting(r, w, &change, began);
    }
}

static void serve_timer(struct replay *r)
{
    struct timer timer = pop_timer(r);
    const struct trigger_type *type = r->automation->triggers[timer.trigger].type;
    if (timer.due_us > r->now_us)
        r->now_us = timer.due_us + REPLAY_LATE_US;
    r->event_ms = (r->now_us - REPLAY_LATE_US) / 1000;
    r->event_order = UINT32_MAX;
    if (type->on_timer != NULL)
        type->on_timer(r, &timer);
    else
        fire_waiting(r, &timer);
}

static void serve(struct replay *r, int64_t until_ms)
{
    while (!r->is_cut) {
        const struct timeline_row *row = r->row_count > 0 ? next_row(r, r->rows[0]) : NULL;
        int64_t row_ms = row != NULL ? row->time_ms : INT64_MAX;
        int64_t timer_us = r->timer_count > 0 ? r->timers[0].due_us : INT64_MAX;
        /* Of one instant rows come first, and before its next row the timers that it set itself. */
        bool is_due = timer_us <= r->now_us && r->timers[0].order >= r->instant_order;
        if (row_ms < until_ms && row_ms * 1000 <= timer_us && !is_due)
            serve_row(r);
        else if (timer_us < until_ms * 1000)
            serve_timer(r);
        else
            return;
    }
}

/* --- a life of Home Assistant --- */

static void begin_run(struct replay *r)
{
    r->event_ms = r->run->started_ms;
    r->event_order = UINT32_MAX;
    r->now_us = r->run->started_ms * 1000 + REPLAY_LATE_US;
    for (size_t i = 0; i < r->row_count; i++) {
        struct entity_run *e = &r->entities[r->rows[i]];
        e->next = timeline_row_at(e->series, r->run->started_ms) + 1;
    }
    for (size_t i = r->row_count; i-- > 0;)
        sift_rows(r, i);
    for (size_t i = 0; i < r->automation->trigger_count; i++) {
        const struct trigger_type *type = r->automation->triggers[i].type;
        if (type != NULL && type->attach != NULL)
            type->attach(r, i);
    }
}

static void end_run(struct replay *r)
{
    if (r->run->is_clean && r->run->to_ms < r->input->to_ms) {
        r->event_ms = r->run->to_ms;
        r->event_order = UINT32_MAX;
        r->now_us = r->run->to_ms * 1000 + REPLAY_LATE_US;
        for (size_t i = 0; i < r->automation->trigger_count; i++) {
            const struct trigger_type *type = r->automation->triggers[i].type;
            if (type != NULL && type->on_shutdown != NULL)
                type->on_shutdown(r, i);
        }
    }
    for (size_t i = 0; i < r->watch_count; i++) {
        engine_end_waits(&r->watches[i]);
        r->watches[i].is_armed = false;
    }
    r->timer_count = 0;
    r->end_count = r->end_first = 0;
}

/* --- what is listened to --- */

struct watch *engine_watches(struct replay *r, size_t trigger, size_t *count)
{
    *count = r->of_trigger[trigger].count;
    return &r->watches[r->of_trigger[trigger].first];
}

struct finding {
    struct replay *r;
    struct index_list *found;
    size_t capacity;
};

/* An entity that was never recorded is as if it were not there. */
static void add_target(const char *entity_id, void *ctx)
{
    struct finding *f = ctx;
    struct replay *r = f->r;
    if (timeline_find(r->timeline, entity_id) == NULL)
        return;
    size_t length = strlen(entity_id);
    int64_t index = dictionary_find(&r->automation->entities, entity_id, length);
    if (index < 0) {
        index = dictionary_add(&r->found, entity_id, length, TIMELINE_ENTITIES_MAX);
        index = index < 0 ? index : index + (int64_t)r->automation->entities.count;
    }
    if (index < 0)
        return; /* there are no more series than that */
    f->found->list = grow_array(f->found->list, f->found->count, &f->capacity, sizeof(size_t));
    f->found->list[f->found->count++] = (size_t)index;
}

static void find_targets(struct replay *r)
{
    const struct automation *a = r->automation;
    dictionary_init(&r->found);
    r->targets = xcalloc(a->use_count, sizeof *r->targets);
    for (size_t i = 0; i < a->use_count; i++) {
        struct index_list *found = &r->targets[i];
        struct finding f = {.r = r, .found = found};
        target_visit(a, a->uses[i], r->timeline, add_target, &f);
        if (found->count > 0)
            qsort(found->list, found->count, sizeof *found->list, order_size);
        size_t kept = 0;
        for (size_t j = 0; j < found->count; j++)
            if (kept == 0 || found->list[j] != found->list[kept - 1])
                found->list[kept++] = found->list[j];
        found->count = kept;
    }
}

static void find_series(struct replay *r)
{
    size_t own = r->automation->entities.count;
    r->entity_count = own + r->found.count;
    r->entities = xcalloc(r->entity_count, sizeof *r->entities);
    for (size_t i = 0; i < r->entity_count; i++)
        r->entities[i].series = timeline_find(r->timeline, i < own ? r->automation->entities.keys[i]
                                                                   : r->found.keys[i - own]);
}

/* The entities of a trigger that never fires are not listened to. */
static struct index_list entities_of(const struct replay *r, const struct trigger *t)
{
    if (t->type == NULL)
        return (struct index_list){NULL, 0, 0};
    if (t->use != NULL)
        return r->targets[t->use->index];
    return (struct index_list){t->entities, 0, t->entity_count};
}

static void set_watches(struct replay *r)
{
    const struct automation *a = r->automation;
    r->of_trigger = xcalloc(a->trigger_count, sizeof *r->of_trigger);
    for (size_t i = 0; i < a->trigger_count; i++) {
        r->of_trigger[i].first = r->watch_count;
        r->of_trigger[i].count = entities_of(r, &a->triggers[i]).count;
        r->watch_count += r->of_trigger[i].count;
    }
    r->watches = xcalloc(r->watch_count, sizeof *r->watches);
    r->watch_order = xcalloc(r->watch_count, sizeof *r->watch_order);
    r->rows = xcalloc(r->entity_count, sizeof *r->rows);
    for (size_t i = 0; i < a->trigger_count; i++) {
        struct index_list entities = entities_of(r, &a->triggers[i]);
        for (size_t j = 0; j < entities.count; j++) {
            struct watch *w = &r->watches[r->of_trigger[i].first + j];
            *w = (struct watch){.trigger = i, .entity = entities.list[j]};
            r->entities[w->entity].watch_count++;
        }
    }
    size_t first = 0;
    for (size_t i = 0; i < r->entity_count; i++) {
        struct entity_run *e = &r->entities[i];
        e->first_watch = first;
        first += e->watch_count;
        e->is_watched = e->watch_count > 0 && e->series != NULL;
        e->watch_count = 0;
        if (e->is_watched)
            r->rows[r->row_count++] = i;
    }
    for (size_t i = 0; i < r->watch_count; i++) {
        struct entity_run *e = &r->entities[r->watches[i].entity];
        r->watch_order[e->first_watch + e->watch_count++] = i;
    }
}

static void release(struct replay *r)
{
    for (size_t i = 0; i < r->automation->use_count; i++)
        free(r->targets[i].list);
    dictionary_release(&r->found);
    free(r->targets);
    free(r->of_trigger);
    free(r->entities);
    free(r->watches);
    free(r->watch_order);
    free(r->rows);
    free(r->timers);
    free(r->slots);
    free(r->ends_us);
}

static void replay_one(struct replay *r)
{
    find_targets(r);
    find_series(r);
    set_watches(r);
    r->slots = xcalloc(r->automation->slot_count, sizeof *r->slots);
    for (size_t i = 0; i < r->timeline->run_count; i++) {
        r->run = &r->timeline->runs[i];
        if (r->run->started_ms >= r->input->to_ms)
            break;
        begin_run(r);
        serve(r, r->run->to_ms < r->input->to_ms ? r->run->to_ms : r->input->to_ms);
        end_run(r);
    }
    release(r);
}

static int compare_fires(const void *a, const void *b)
{
    const struct replay_fire *x = a, *y = b;
    if (x->time_ms != y->time_ms)
        return x->time_ms < y->time_ms ? -1 : 1;
    if (x->automation != y->automation)
        return x->automation < y->automation ? -1 : 1;
    return (x->trigger > y->trigger) - (x->trigger < y->trigger);
}

void replay_run(const struct replay_input *input, struct automation *const *automations,
                size_t count, struct replay_fires *out)
{
    *out = (struct replay_fires){.list = NULL};
    for (size_t i = 0; i < count; i++) {
        if (automations[i]->is_off)
            continue;
        attributes_note_missing(automations[i], input->timeline);
        bool is_approximate = false;
        struct replay r = {.timeline = input->timeline,
                           .is_approximate = &is_approximate,
                           .automation = automations[i],
                           .input = input,
                           .out = out,
                           .index = (uint32_t)i};
        replay_one(&r);
    }
    if (out->count > 0)
        qsort(out->list, out->count, sizeof *out->list, compare_fires);
}

void replay_fires_release(struct replay_fires *fires)
{
    free(fires->list);
    *fires = (struct replay_fires){.list = NULL};
}
