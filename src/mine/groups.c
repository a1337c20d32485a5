/* Two devices act as one when nearly every act of either comes with the same act of the other. From
 * the last training day backwards a sum grows by the log likelihood ratio of "one of a group" (98 %
 * of the acts are common) against two devices that are often used together (70 %): a few misses
 * cost what dozens of common acts gave. Acts within a second say more than those within five, which
 * a person can do on the way through a room. Nothing is said by an act that finds the other device
 * in that state already, or gone. Acts of one use hang together: so the sum must be higher than for
 * independent ones, and higher still when it only holds for the last part of the history (a group
 * that began late), for a run of luck may be anywhere.
 *
 * Devices that act as one with half of a group's members belong to it. So does one that comes with
 * nearly all acts of such a group, even if it has acts of its own as well. */
#include "mine/groups.h"

#include <stdlib.h>

#include "core/order.h"
#include "core/xalloc.h"

enum {
    TIGHT_MS = 1000,
    APART_MS = 60 * 1000, /* common acts nearer than this to the last one tell nothing new */
    COMMON_MIN = 8,       /* acts in common of pairs that are looked at */
    COMMON_MAX = 1000000, /* of all pairs: later ones are not counted (devices that chatter) */
    DAYS_MIN = 3,
    GONE_MISSES = 5, /* acts of the group without a member, since it last took part */
};
/* ln(0.98 / 0.7) = 0.34, shared out by how much the lag tells; ln(0.02 / 0.3) */
#define SCORE_TIGHT 0.5
#define SCORE_LOOSE 0.3
#define SCORE_APART (-2.7)
#define SCORE_ALL 6.9          /* enough when it holds for all of the history */
#define SCORE_LATE 14.0        /* for its last part, or one way only */
#define SCORE_HOPELESS (-13.5) /* five misses: whatever was before does not hold any more */

/* An act of some device. */
struct deed {
    struct act act;
    size_t device; /* actor, or place in a group */
    size_t index;  /* in the device's list */
    enum rule_verb verb;
};

struct deeds {
    struct deed *list;
    size_t count, capacity;
};

static int compare_deeds(const void *left, const void *right)
{
    const struct deed *a = left, *b = right;
    if (a->act.time_ms != b->act.time_ms)
        return a->act.time_ms < b->act.time_ms ? -1 : 1;
    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    return (a->verb > b->verb) - (a->verb < b->verb);
}

static void deeds_add(struct deeds *deeds, const struct act *list, size_t count, size_t device,
                      enum rule_verb verb)
{
    for (size_t i = 0; i < count; i++) {
        deeds->list = grow_array(deeds->list, deeds->count, &deeds->capacity, sizeof *deeds->list);
        deeds->list[deeds->count++] =
            (struct deed){.act = list[i], .device = device, .index = i, .verb = verb};
    }
}

static void deeds_add_actor(struct deeds *deeds, const struct actor *actor, size_t device)
{
    for (int verb = 0; verb < RULE_SWITCHING_COUNT; verb++)
        deeds_add(deeds, actor->acts[verb].list, actor->acts[verb].count, device,
                  (enum rule_verb)verb);
}

static void deeds_sort(struct deeds *deeds)
{
    if (deeds->count > 0)
        qsort(deeds->list, deeds->count, sizeof *deeds->list, compare_deeds);
}

/* ---- together or apart --------------------------------------------------------------------- */

enum company { COMPANY_UNKNOWN, COMPANY_TIGHT, COMPANY_LOOSE, COMPANY_APART, COMPANY_ABSENT };

/* The state at a time (UTC ms); unknown before the first. */
static uint16_t state_at(const struct history_entity *e, int64_t time_ms)
{
    size_t after = history_find_change(e, time_ms + 1);
    return after > 0 ? e->state[after - 1] : HISTORY_STATE_UNKNOWN;
}

/* Whether a device that did not act at that time could have. */
static enum company missing_company(const struct history_entity *e, int64_t time_ms,
                                    enum rule_verb verb)
{
    uint16_t before = state_at(e, time_ms - GROUPS_TOGETHER_MS);
    uint16_t after = state_at(e, time_ms + GROUPS_TOGETHER_MS);
    if (acts_is_absent(before) && acts_is_absent(after))
        return COMPANY_ABSENT;
    return acts_is_free(before, verb) && acts_is_free(after, verb) ? COMPANY_APART
                                                                   : COMPANY_UNKNOWN;
}

/* Did the other device do the same at that time? */
static enum company company_of(const struct actor *other, const struct history *h, int64_t time_ms,
                               enum rule_verb verb)
{
    const struct acts *acts = &other->acts[verb];
    int64_t nearest_ms = INT64_MAX;
    for (size_t i = acts_find(acts->list, acts->count, time_ms - GROUPS_TOGETHER_MS);
         i < acts->count && acts->list[i].time_ms <= time_ms + GROUPS_TOGETHER_MS; i++) {
        int64_t apart_ms = llabs(acts->list[i].time_ms - time_ms);
        nearest_ms = apart_ms < nearest_ms ? apart_ms : nearest_ms;
    }
    if (nearest_ms <= GROUPS_TOGETHER_MS)
        return nearest_ms <= TIGHT_MS ? COMPANY_TIGHT : COMPANY_LOOSE;
    return missing_company(&h->entities[other->entities[0]], time_ms, verb);
}

enum relation { RELATION_AS_ONE, RELATION_ACCOMPANIED };

/* Whether nearly all acts of both devices are common, or those of one come with the other's. */
static bool is_related(enum relation relation, const struct actor *one, const struct actor *other,
                       const struct history *h, const struct days *days)
{
    struct deeds deeds = {.list = NULL};
    deeds_add_actor(&deeds, one, 0);
    if (relation == RELATION_AS_ONE)
        deeds_add_actor(&deeds, other, 1);
    deeds_sort(&deeds);
    double sum = 0, best = 0;
    int day_count = 0, last_day = -1;
    int64_t last_ms = INT64_MAX;
    for (size_t i = deeds.count; i-- > 0 && sum > SCORE_HOPELESS;) {
        const struct deed *deed = &deeds.list[i];
        if (days_role(days, deed->act.day) != DAY_TRAINING)
            continue;
        enum company company =
            company_of(deed->device == 0 ? other : one, h, deed->act.time_ms, deed->verb);
        if (company == COMPANY_APART)
            sum += SCORE_APART;
        if ((company != COMPANY_TIGHT && company != COMPANY_LOOSE) ||
            last_ms - deed->act.time_ms < APART_MS)
            continue;
        sum += company == COMPANY_TIGHT ? SCORE_TIGHT : SCORE_LOOSE;
        last_ms = deed->act.time_ms;
        day_count += deed->act.day != last_day;
        last_day = deed->act.day;
        if (sum > best && day_count >= DAYS_MIN)
            best = sum;
    }
    free(deeds.list);
    return best >= SCORE_LATE ||
           (relation == RELATION_AS_ONE && sum >= SCORE_ALL && day_count >= DAYS_MIN);
}

/* ---- who belongs together ------------------------------------------------------------------ */

/* Two devices that acted in common often enough to be looked at. */
struct pair {
    uint32_t one, other; /* actors; one < other */
    bool are_as_one;
    bool one_is_accompanied, other_is_accompanied;
};

struct pairs {
    struct pair *list; /* by one, other */
    size_t count, capacity;
};

/* One key for each two devices and common act on a training day. */
static uint64_t *list_common(const struct deeds *deeds, const struct days *days, size_t *count)
{
    uint64_t *keys = NULL;
    size_t capacity = 0;
    *count = 0;
    for (size_t i = 0; i < deeds->count && *count < COMMON_MAX; i++) {
        const struct deed *a = &deeds->list[i];
        if (days_role(days, a->act.day) != DAY_TRAINING)
            continue;
        for (size_t k = i + 1; k < deeds->count && k - i < (size_t)GROUPS_MEMBERS_MAX; k++) {
            const struct deed *b = &deeds->list[k];
            if (b->act.time_ms - a->act.time_ms > GROUPS_TOGETHER_MS)
                break;
            if (b->verb != a->verb || b->device == a->device)
                continue;
            uint64_t low = a->device < b->device ? a->device : b->device;
            uint64_t high = a->device < b->device ? b->device : a->device;
            keys = grow_array(keys, *count, &capacity, sizeof *keys);
            keys[(*count)++] = low << 32 | high;
        }
    }
    return keys;
}

static void pairs_find(struct pairs *pairs, const struct actors *actors, const struct history *h,
                       const struct days *days)
{
    struct deeds deeds = {.list = NULL};
    for (size_t i = 0; i < actors->count; i++)
        if (!rule_is_scene(actors->list[i].entity_ids[0])) /* acts by others */
            deeds_add_actor(&deeds, &actors->list[i], i);
    deeds_sort(&deeds);
    size_t count;
    uint64_t *keys = list_common(&deeds, days, &count);
    free(deeds.list);
    if (count > 0)
        qsort(keys, count, sizeof *keys, order_uint64);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i; end < count && keys[end] == keys[i]; end++)
            ;
        if (end - i < COMMON_MIN)
            continue;
        struct pair pair = {.one = (uint32_t)(keys[i] >> 32), .other = (uint32_t)keys[i]};
        const struct actor *one = &actors->list[pair.one], *other = &actors->list[pair.other];
        pair.are_as_one = is_related(RELATION_AS_ONE, one, other, h, days);
        pair.one_is_accompanied = is_related(RELATION_ACCOMPANIED, one, other, h, days);
        pair.other_is_accompanied = is_related(RELATION_ACCOMPANIED, other, one, h, days);
        pairs->list = grow_array(pairs->list, pairs->count, &pairs->capacity, sizeof *pairs->list);
        pairs->list[pairs->count++] = pair;
    }
    free(keys);
}

/* Whether two devices act as one, or nearly every act of `one` comes with one of `other`. */
static bool pairs_related(const struct pairs *pairs, enum relation relation, size_t one,
                          size_t other)
{
    const uint32_t low = (uint32_t)(one < other ? one : other);
    const uint32_t high = (uint32_t)(one < other ? other : one);
    size_t first = 0, end = pairs->count;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        const struct pair *pair = &pairs->list[middle];
        if (pair->one < low || (pair->one == low && pair->other < high))
            first = middle + 1;
        else
            end = middle;
    }
    const struct pair *pair = pairs->list + first;
    if (first == pairs->count || pair->one != low || pair->other != high)
        return false;
    if (relation == RELATION_AS_ONE)
        return pair->are_as_one;
    return one == low ? pair->one_is_accompanied : pair->other_is_accompanied;
}

struct group {
    size_t members[GROUPS_MEMBERS_MAX]; /* actors */
    size_t count;
    uint64_t gone; /* by place */
};

/* Whether at least half of the group's first `count` members are related to a device. */
static bool belongs(const struct pairs *pairs, enum relation relation, const struct group *group,
                    size_t count, size_t device)
{
    size_t related = 0;
    for (size_t i = 0; i < count; i++)
        related += pairs_related(pairs, relation, group->members[i], device);
    return related * 2 >= count;
}

/* The group of a device and of later ones that are still free; count < 2 when there is none. */
static void group_form(struct group *group, const struct pairs *pairs, size_t device, size_t count,
                       const bool *is_taken)
{
    *group = (struct group){.members = {device}, .count = 1};
    for (size_t i = device + 1; i < count && group->count < GROUPS_MEMBERS_MAX; i++)
        if (!is_taken[i] && belongs(pairs, RELATION_AS_ONE, group, group->count, i))
            group->members[group->count++] = i;
    size_t core = group->count;
    if (core < 2)
        return;
    for (size_t i = 0; i < count && group->count < GROUPS_MEMBERS_MAX; i++) {
        bool is_member = is_taken[i];
        for (size_t k = 0; k < core; k++)
            is_member = is_member || group->members[k] == i;
        if (!is_member && belongs(pairs, RELATION_ACCOMPANIED, group, core, i))
            group->members[group->count++] = i;
    }
}

/* ---- its acts ------------------------------------------------------------------------------ */

/* Acts of members at one time. */
struct gathering {
    struct act act; /* the first one's */
    enum rule_verb verb;
    uint64_t took_part, missed; /* members by place */
    size_t first, end;          /* deeds of its verb */
};

static size_t count_bits(uint64_t bits)
{
    size_t count = 0;
    for (; bits != 0; bits &= bits - 1)
        count++;
    return count;
}

/* The gathering that begins with a deed; whether it is an act of the group. */
static bool gather(const struct group *group, const struct actors *actors, const struct history *h,
                   const struct deeds *deeds, size_t first, struct gathering *g)
{
    const struct deed *begin = &deeds->list[first];
    *g = (struct gathering){.act = begin->act, .verb = begin->verb, .first = first};
    for (g->end = first; g->end < deeds->count; g->end++) {
        const struct deed *deed = &deeds->list[g->end];
        if (deed->act.time_ms - begin->act.time_ms > GROUPS_TOGETHER_MS ||
            (g->took_part >> deed->device & 1U))
            break;
        g->took_part |= UINT64_C(1) << deed->device;
    }
    size_t could = 0;
    for (size_t i = 0; i < group->count; i++) {
        if (g->took_part >> i & 1U)
            continue;
        const struct actor *actor = &actors->list[group->members[i]];
        enum company company =
            missing_company(&h->entities[actor->entities[0]], begin->act.time_ms, begin->verb);
        could += company == COMPANY_APART;
        if (company == COMPANY_APART || company == COMPANY_ABSENT)
            g->missed |= UINT64_C(1) << i;
    }
    return count_bits(g->took_part) >= 2 && count_bits(g->took_part) >= could;
}

static int compare_gatherings(const void *left, const void *right)
{
    const struct gathering *a = left, *b = right;
    return (a->act.time_ms > b->act.time_ms) - (a->act.time_ms < b->act.time_ms);
}

/* The group's acts among lists of its members: people's, or automatic ones. */
static struct gathering *list_gatherings(const struct group *group, const struct actors *actors,
                                         const struct history *h, const struct deeds *by_verb,
                                         size_t *count)
{
    struct gathering *list = NULL, one;
    size_t capacity = 0;
    *count = 0;
    for (int verb = 0; verb < RULE_SWITCHING_COUNT; verb++)
        for (size_t i = 0; i < by_verb[verb].count;) {
            bool is_act = gather(group, actors, h, &by_verb[verb], i, &one);
            if (is_act) {
                list = grow_array(list, *count, &capacity, sizeof *list);
                list[(*count)++] = one;
            }
            i = is_act ? one.end : i + 1;
        }
    if (*count > 0)
        qsort(list, *count, sizeof *list, compare_gatherings);
    return list;
}

/* Members that no longer take part. */
static uint64_t find_gone(const struct group *group, const struct gathering *list, size_t count)
{
    uint64_t gone = 0;
    for (size_t i = 0; i < group->count; i++) {
        int misses = 0;
        for (size_t k = 0; k < count; k++) {
            if (list[k].took_part >> i & 1U)
                misses = 0;
            else
                misses += list[k].missed >> i & 1U ? 1 : 0;
        }
        if (misses >= GONE_MISSES)
            gone |= UINT64_C(1) << i;
    }
    return gone;
}

static void collect_deeds(const struct group *group, const struct actors *actors, bool automatic,
                          struct deeds *by_verb)
{
    for (int verb = 0; verb < RULE_SWITCHING_COUNT; verb++) {
        by_verb[verb] = (struct deeds){.list = NULL};
        for (size_t i = 0; i < group->count; i++) {
            const struct acts *acts = &actors->list[group->members[i]].acts[verb];
            deeds_add(&by_verb[verb], automatic ? acts->automatic : acts->list,
                      automatic ? acts->automatic_count : acts->count, i, (enum rule_verb)verb);
        }
        deeds_sort(&by_verb[verb]);
    }
}

static void add_act(struct act **list, size_t *count, size_t *capacity, const struct act *act)
{
    *list = grow_array(*list, *count, capacity, sizeof **list);
    (*list)[(*count)++] = *act;
}

/* Takes from the members what the group did. */
static void take_acts(const struct group *group, struct actors *actors, const struct deeds *by_verb,
                      const struct gathering *list, size_t count)
{
    for (int verb = 0; verb < RULE_SWITCHING_COUNT; verb++)
        for (size_t i = 0; i < group->count; i++) {
            struct acts *acts = &actors->list[group->members[i]].acts[verb];
            bool *is_taken = xcalloc(acts->count + 1, sizeof *is_taken);
            for (size_t k = 0; k < count; k++)
                for (size_t d = list[k].first; d < list[k].end; d++)
                    if ((int)list[k].verb == verb && by_verb[verb].list[d].device == i)
                        is_taken[by_verb[verb].list[d].index] = true;
            size_t kept = 0;
            for (size_t k = 0; k < acts->count; k++)
                if (!is_taken[k])
                    acts->list[kept++] = acts->list[k];
            acts->count = kept;
            free(is_taken);
        }
}

/* The actor of the group's living members. */
static void add_actor(const struct group *group, struct actors *actors,
                      const struct gathering *list, size_t count, const struct gathering *automatic,
                      size_t automatic_count)
{
    actors->list = grow_array(actors->list, actors->count, &actors->capacity, sizeof *actors->list);
    struct actor *actor = &actors->list[actors->count++];
    *actor = (struct actor){.entities = xcalloc(group->count, sizeof *actor->entities),
                            .entity_ids = xcalloc(group->count, sizeof *actor->entity_ids)};
    for (size_t i = 0; i < actors->count - 1; i++)
        for (size_t k = 0; k < group->count; k++)
            if (group->members[k] == i && !(group->gone >> k & 1U)) {
                actor->entities[actor->count] = actors->list[i].entities[0];
                actor->entity_ids[actor->count++] = actors->list[i].entity_ids[0];
            }
    for (size_t i = 0; i < count; i++) {
        struct acts *acts = &actor->acts[list[i].verb];
        add_act(&acts->list, &acts->count, &acts->capacity, &list[i].act);
    }
    for (size_t i = 0; i < automatic_count; i++) {
        struct acts *acts = &actor->acts[automatic[i].verb];
        add_act(&acts->automatic, &acts->automatic_count, &acts->automatic_capacity,
                &automatic[i].act);
    }
}

/* Makes the group an actor, if enough of it still lives. */
static void group_found(struct group *group, struct actors *actors, const struct history *h)
{
    struct deeds people[RULE_SWITCHING_COUNT], machines[RULE_SWITCHING_COUNT];
    size_t count, automatic_count;
    collect_deeds(group, actors, false, people);
    collect_deeds(group, actors, true, machines);
    struct gathering *list = list_gatherings(group, actors, h, people, &count);
    struct gathering *automatic = list_gatherings(group, actors, h, machines, &automatic_count);
    group->gone = find_gone(group, list, count);
    if (group->count - count_bits(group->gone) >= 2) {
        take_acts(group, actors, people, list, count);
        add_actor(group, actors, list, count, automatic, automatic_count);
    }
    free(list);
    free(automatic);
    for (int verb = 0; verb < RULE_SWITCHING_COUNT; verb++) {
        free(people[verb].list);
        free(machines[verb].list);
    }
}

void groups_gather(struct actors *actors, const struct history *h, const struct days *days)
{
    size_t devices = actors->count;
    struct pairs pairs = {.list = NULL};
    pairs_find(&pairs, actors, h, days);
    bool *is_taken = xcalloc(devices + 1, sizeof *is_taken);
    for (size_t i = 0; i < devices; i++)
        is_taken[i] = true;
    for (size_t i = 0; i < pairs.count; i++)
        is_taken[pairs.list[i].one] = is_taken[pairs.list[i].other] = false;
    for (size_t i = 0; i < devices; i++) {
        struct group group;
        if (is_taken[i])
            continue;
        group_form(&group, &pairs, i, devices, is_taken);
        for (size_t k = 0; k < group.count && group.count >= 2; k++)
            is_taken[group.members[k]] = true;
        if (group.count >= 2)
            group_found(&group, actors, h);
    }
    free(is_taken);
    free(pairs.list);
}
