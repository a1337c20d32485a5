/* Who acts: every switchable entity, with what people did to it; then the groups among them. */
#include "mine/actors.h"

#include <stdlib.h>
#include <string.h>

#include "core/xalloc.h"
#include "mine/dial.h"
#include "mine/groups.h"
#include "mine/settings.h"

/* ---- entities that stand for others --------------------------------------------------------- */

/* One id of history_entity.members, not terminated. */
struct member {
    const char *id;
    size_t length; /* 0: behind the last one */
};

static struct member next_member(const char *list)
{
    list += strspn(list, " ");
    return (struct member){list, strcspn(list, " ")};
}

static bool is_member(const struct member *member, const char *entity_id)
{
    return strncmp(member->id, entity_id, member->length) == 0 && entity_id[member->length] == '\0';
}

static int compare_entity_id(const void *key, const void *entity)
{
    const struct member *member = key;
    const char *id = ((const struct history_entity *)entity)->entity_id;
    int order = strncmp(member->id, id, member->length);
    return order == 0 && id[member->length] != '\0' ? -1 : order;
}

static const struct history_entity *find_entity(const struct history *h,
                                                const struct member *member)
{
    return bsearch(member, h->entities, h->entity_count, sizeof *h->entities, compare_entity_id);
}

/* Whether it went to that state within the time in which groups act. */
static bool changed_to(const struct history_entity *e, int64_t time_ms, uint16_t state)
{
    for (size_t i = history_find_change(e, time_ms - GROUPS_TOGETHER_MS);
         i < e->changes && e->time_ms[i] <= time_ms + GROUPS_TOGETHER_MS; i++)
        if (e->state[i] == state)
            return true;
    return false;
}

/* Takes out the acts that only tell what a member did. */
static void drop_echoes(struct acts *acts, const struct history *h,
                        const struct history_entity *group, uint16_t state)
{
    size_t kept = 0;
    for (size_t i = 0; i < acts->count; i++) {
        bool is_echo = false;
        for (struct member m = next_member(group->members); m.length > 0 && !is_echo;
             m = next_member(m.id + m.length)) {
            const struct history_entity *member = find_entity(h, &m);
            is_echo = member != NULL && changed_to(member, acts->list[i].time_ms, state);
        }
        if (!is_echo)
            acts->list[kept++] = acts->list[i];
    }
    acts->count = kept;
}

/* Whether the scene was activated shortly before. Which entities an integration's own scene sets is
 * not known: what comes at once is taken for them. */
static bool was_activated(const struct history_entity *scene, int64_t time_ms)
{
    int64_t takes_ms = scene->members != NULL ? ACTORS_SCENE_MS : GROUPS_TOGETHER_MS;
    for (size_t i = history_find_change(scene, time_ms - takes_ms);
         i < scene->changes && scene->time_ms[i] <= time_ms; i++)
        if (scene->state[i] == HISTORY_STATE_ON)
            return true;
    return false;
}

static bool has_member(const struct history_entity *e, const char *entity_id)
{
    for (struct member m = next_member(e->members); m.length > 0; m = next_member(m.id + m.length))
        if (is_member(&m, entity_id))
            return true;
    return false;
}

/* Itself, or by way of a group. */
static bool may_set(const struct history *h, const struct history_entity *scene,
                    const char *entity_id)
{
    if (scene->members == NULL || has_member(scene, entity_id))
        return true;
    for (struct member m = next_member(scene->members); m.length > 0;
         m = next_member(m.id + m.length)) {
        const struct history_entity *group = find_entity(h, &m);
        if (group != NULL && group->members != NULL && has_member(group, entity_id))
            return true;
    }
    return false;
}

/* Takes out the acts that come with an activation of the scene. */
static void drop_scene_acts(struct acts *acts, const struct history_entity *scene)
{
    size_t kept = 0;
    for (size_t i = 0; i < acts->count; i++)
        if (!was_activated(scene, acts->list[i].time_ms))
            acts->list[kept++] = acts->list[i];
    acts->count = kept;
}

/* Of the actors from one on. */
static void drop_scene_echoes(struct actors *actors, size_t from, const struct history *h,
                              const struct history_entity *scene)
{
    for (size_t i = from; i < actors->count; i++) {
        struct actor *actor = &actors->list[i];
        if (rule_is_scene(actor->entity_ids[0]) || !may_set(h, scene, actor->entity_ids[0]))
            continue;
        for (int verb = 0; verb < RULE_VERB_COUNT; verb++)
            drop_scene_acts(&actor->acts[verb], scene);
    }
}

static void drop_all_scene_echoes(struct actors *actors, size_t from, const struct history *h)
{
    for (size_t i = 0; i < h->entity_count; i++)
        if (rule_is_scene(h->entities[i].entity_id) && h->entities[i].changes > 0)
            drop_scene_echoes(actors, from, h, &h->entities[i]);
}

/* Whether Home Assistant's group holds exactly these. */
static bool stands_for(const struct history_entity *group, const struct actor *actor)
{
    size_t members = 0;
    for (struct member m = next_member(group->members); m.length > 0;
         m = next_member(m.id + m.length)) {
        bool is_target = false;
        for (size_t i = 0; i < actor->count; i++)
            is_target = is_target || is_member(&m, actor->entity_ids[i]);
        if (!is_target)
            return false;
        members++;
    }
    return members == actor->count;
}

/* One entity that stands for all of them is simpler to read and to switch. */
static void replace_by_group_entity(struct actor *actor, const struct history *h)
{
    for (size_t i = 0; i < h->entity_count; i++) {
        const char *id = h->entities[i].entity_id;
        if (h->entities[i].members == NULL || !rule_domain_is_switchable(id) ||
            !rule_entity_id_is_valid(id) || !stands_for(&h->entities[i], actor))
            continue;
        actor->entities[0] = i;
        actor->entity_ids[0] = id;
        actor->count = 1;
        return;
    }
}

const struct history_entity *actor_state(const struct actor *actor, const struct history *h,
                                         size_t member)
{
    return actor->setting != NULL ? actor->setting : &h->entities[actor->entities[member]];
}

/* ---- actors --------------------------------------------------------------------------------- */

/* The dials on which a machine may be punctual besides the clock. */
struct suns {
    struct dial dials[2];
    int count; /* 0 without a location */
};

struct suns *suns_new(const struct history *h, const struct days *days)
{
    struct suns *suns = xcalloc(1, sizeof *suns);
    if (!h->has_location)
        return suns;
    dial_init(&suns->dials[suns->count++], DIAL_SUNRISE, h, days);
    dial_init(&suns->dials[suns->count++], DIAL_SUNSET, h, days);
    return suns;
}

void suns_free(struct suns *suns)
{
    for (int s = 0; suns != NULL && s < suns->count; s++)
        dial_release(&suns->dials[s]);
    free(suns);
}

void suns_move_schedules(const struct suns *suns, struct acts *acts)
{
    for (int s = 0; s < suns->count; s++)
        acts_move_schedule(acts, &suns->dials[s]);
}

static void collect(struct acts *acts, const struct history_entity *e, int verb,
                    const struct days *days, const struct restarts *restarts,
                    const struct suns *suns)
{
    acts_collect(acts, e, (enum rule_verb)verb, days, restarts);
    suns_move_schedules(suns, acts);
}

static void actors_add(struct actors *actors, const struct history *h, size_t entity,
                       const struct days *days, const struct restarts *restarts,
                       const struct suns *suns)
{
    actors->list = grow_array(actors->list, actors->count, &actors->capacity, sizeof *actors->list);
    struct actor *actor = &actors->list[actors->count++];
    *actor = (struct actor){.entities = xcalloc(1, sizeof(size_t)),
                            .entity_ids = xcalloc(1, sizeof(char *)),
                            .count = 1};
    const struct history_entity *e = &h->entities[entity];
    actor->entities[0] = entity;
    actor->entity_ids[0] = e->entity_id;
    for (int verb = 0; verb < RULE_SWITCHING_COUNT; verb++) {
        if (!rule_domain_can(e->entity_id, (enum rule_verb)verb))
            continue;
        collect(&actor->acts[verb], e, verb, days, restarts, suns);
        if (e->members != NULL && !rule_is_scene(e->entity_id))
            drop_echoes(&actor->acts[verb], h, e,
                        verb == RULE_TURN_ON ? HISTORY_STATE_ON : HISTORY_STATE_OFF);
    }
}

/* `on` while it is locked; on its way, jammed or open it is not. Caller frees it and its columns.
 */
static struct history_entity *follow_lock(const struct history *h, const struct history_entity *e)
{
    struct history_entity *lock = xcalloc(1, sizeof *lock);
    *lock = (struct history_entity){.entity_id = e->entity_id,
                                    .time_ms = xcalloc(e->changes, sizeof *lock->time_ms),
                                    .state = xcalloc(e->changes, sizeof *lock->state),
                                    .cause = xcalloc(e->changes, sizeof *lock->cause)};
    for (size_t i = 0; i < e->changes; i++) {
        uint16_t state = strcmp(h->states[e->state[i]], "locked") == 0 ? HISTORY_STATE_ON
                         : acts_is_absent(e->state[i])                 ? e->state[i]
                                                                       : HISTORY_STATE_OFF;
        if (lock->changes > 0 && lock->state[lock->changes - 1] == state)
            continue;
        lock->time_ms[lock->changes] = e->time_ms[i];
        lock->cause[lock->changes] = e->cause[i];
        lock->state[lock->changes++] = state;
    }
    return lock;
}

static void add_lock(struct actors *actors, const struct history *h, size_t entity,
                     const struct days *days, const struct restarts *restarts,
                     const struct suns *suns)
{
    actors->list = grow_array(actors->list, actors->count, &actors->capacity, sizeof *actors->list);
    struct actor *actor = &actors->list[actors->count++];
    *actor = (struct actor){.kind = ACTOR_LOCK,
                            .entities = xcalloc(1, sizeof(size_t)),
                            .entity_ids = xcalloc(1, sizeof(char *)),
                            .count = 1,
                            .setting = follow_lock(h, &h->entities[entity])};
    actor->entities[0] = entity;
    actor->entity_ids[0] = h->entities[entity].entity_id;
    collect(&actor->acts[RULE_TURN_ON], actor->setting, RULE_TURN_ON, days, restarts, suns);
}

void actors_init(struct actors *actors, const struct history *h, const struct days *days,
                 const struct restarts *restarts)
{
    *actors = (struct actors){.list = NULL};
    struct suns *suns = suns_new(h, days);
    for (size_t i = 0; i < h->entity_count; i++) {
        const char *id = h->entities[i].entity_id;
        if ((rule_domain_can(id, RULE_TURN_ON) || rule_domain_can(id, RULE_TURN_OFF)) &&
            rule_entity_id_is_valid(id) && !rule_is_lock(id))
            actors_add(actors, h, i, days, restarts, suns);
    }
    drop_all_scene_echoes(actors, 0, h);
    size_t devices = actors->count;
    groups_gather(actors, h, days);
    for (size_t i = devices; i < actors->count; i++)
        replace_by_group_entity(&actors->list[i], h);
    size_t switches = actors->count;
    for (size_t i = 0; i < h->entity_count; i++)
        if (rule_is_lock(h->entities[i].entity_id) && h->entities[i].changes > 0 &&
            rule_entity_id_is_valid(h->entities[i].entity_id))
            add_lock(actors, h, i, days, restarts, suns);
    settings_add(actors, &(struct actor_ground){h, days, restarts, suns});
    drop_all_scene_echoes(actors, switches, h);
    suns_free(suns);
}

void actors_release(struct actors *actors)
{
    for (size_t i = 0; i < actors->count; i++)
        actor_release(&actors->list[i]);
    free(actors->list);
    *actors = (struct actors){.list = NULL};
}

/* ---- one of the caller's choice ------------------------------------------------------------- */

/* An act of one of several entities. */
struct part {
    struct act act;
    size_t member;
};

static int compare_parts(const void *left, const void *right)
{
    const struct part *a = left, *b = right;
    if (a->act.time_ms != b->act.time_ms)
        return a->act.time_ms < b->act.time_ms ? -1 : 1;
    return (a->member > b->member) - (a->member < b->member);
}

/* How many of the entities were there just before that time, in another state. */
static size_t count_others(const struct actor *actor, const struct history *h, int64_t time_ms,
                           uint16_t state)
{
    size_t count = 0;
    for (size_t i = 0; i < actor->count; i++) {
        const struct history_entity *e = &h->entities[actor->entities[i]];
        size_t change = history_find_change(e, time_ms);
        count +=
            change > 0 && !acts_is_absent(e->state[change - 1]) && e->state[change - 1] != state;
    }
    return count;
}

static void append_act(struct act **list, size_t *count, size_t *capacity, const struct act *act)
{
    *list = grow_array(*list, *count, capacity, sizeof **list);
    (*list)[(*count)++] = *act;
}

/* Acts of several entities, in time order, as those of one. */
static void join_parts(struct actor *actor, const struct history *h, int verb,
                       const struct part *parts, size_t count)
{
    struct acts *acts = &actor->acts[verb];
    uint16_t state = verb == RULE_TURN_ON ? HISTORY_STATE_ON : HISTORY_STATE_OFF;
    bool *has_acted = xcalloc(actor->count, sizeof *has_acted);
    for (size_t from = 0, to; from < count; from = to) {
        size_t members = 0;
        for (to = from;
             to < count && parts[to].act.time_ms - parts[from].act.time_ms <= ACTORS_TOGETHER_MS;
             to++) {
            members += !has_acted[parts[to].member];
            has_acted[parts[to].member] = true;
        }
        for (size_t i = from; i < to; i++)
            has_acted[parts[i].member] = false;
        if (2 * members >= count_others(actor, h, parts[from].act.time_ms, state))
            append_act(&acts->list, &acts->count, &acts->capacity, &parts[from].act);
        else
            to = from + 1; /* the next one may begin what is one */
    }
    free(has_acted);
}

static int compare_acts(const void *left, const void *right)
{
    const struct act *a = left, *b = right;
    return (a->time_ms > b->time_ms) - (a->time_ms < b->time_ms);
}

static void join_members(struct actor *actor, const struct history *h, int verb,
                         const struct acts *members)
{
    struct acts *acts = &actor->acts[verb];
    struct part *parts = NULL;
    size_t count = 0, capacity = 0;
    for (size_t m = 0; m < actor->count; m++) {
        for (size_t i = 0; i < members[m].count; i++) {
            parts = grow_array(parts, count, &capacity, sizeof *parts);
            parts[count++] = (struct part){members[m].list[i], m};
        }
        for (size_t i = 0; i < members[m].automatic_count; i++)
            append_act(&acts->automatic, &acts->automatic_count, &acts->automatic_capacity,
                       &members[m].automatic[i]);
        acts->machine += members[m].machine;
    }
    if (count > 0)
        qsort(parts, count, sizeof *parts, compare_parts);
    if (acts->automatic_count > 0)
        qsort(acts->automatic, acts->automatic_count, sizeof *acts->automatic, compare_acts);
    join_parts(actor, h, verb, parts, count);
    free(parts);
}

void actor_init(struct actor *actor, const size_t *entities, size_t count,
                const struct actor_ground *ground)
{
    const struct history *h = ground->history;
    struct acts *members = xcalloc(count, sizeof *members);
    *actor = (struct actor){.entities = xcalloc(count, sizeof(size_t)),
                            .entity_ids = xcalloc(count, sizeof(char *)),
                            .count = count};
    for (size_t i = 0; i < count; i++) {
        actor->entities[i] = entities[i];
        actor->entity_ids[i] = h->entities[entities[i]].entity_id;
    }
    for (int verb = 0; verb < RULE_SWITCHING_COUNT; verb++) {
        for (size_t i = 0; i < count; i++)
            collect(&members[i], &h->entities[entities[i]], verb, ground->days, ground->restarts,
                    ground->suns);
        if (count == 1) {
            actor->acts[verb] = members[0];
            continue;
        }
        join_members(actor, h, verb, members);
        for (size_t i = 0; i < count; i++)
            acts_release(&members[i]);
    }
    free(members);
}

void actor_release(struct actor *actor)
{
    for (int verb = 0; verb < RULE_VERB_COUNT; verb++)
        acts_release(&actor->acts[verb]);
    if (actor->setting != NULL) {
        free(actor->setting->time_ms);
        free(actor->setting->state);
        free(actor->setting->cause);
        free(actor->setting);
    }
    free(actor->entities);
    free(actor->entity_ids);
    *actor = (struct actor){.entities = NULL};
}
