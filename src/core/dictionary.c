#include "core/dictionary.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/xalloc.h"

enum { DICTIONARY_SLOTS_FIRST = 256 };

void dictionary_init(struct dictionary *d)
{
    *d = (struct dictionary){.slot_count = DICTIONARY_SLOTS_FIRST};
    d->slots = xcalloc(d->slot_count, sizeof *d->slots);
}

void dictionary_release(struct dictionary *d)
{
    for (size_t i = 0; i < d->count; i++)
        free(d->keys[i]);
    free(d->keys);
    free(d->slots);
    *d = (struct dictionary){.keys = NULL};
}

static uint64_t hash_key(const char *key, size_t length)
{
    uint64_t hash = hash_bytes(HASH_START, key, length);
    return hash ^ (hash >> 32);
}

/* The slot that holds the key, or the free one where it belongs. */
static uint32_t *find_slot(const struct dictionary *d, const char *key, size_t length)
{
    size_t mask = d->slot_count - 1;
    for (size_t i = (size_t)hash_key(key, length) & mask;; i = (i + 1) & mask) {
        uint32_t *slot = &d->slots[i];
        if (*slot == 0)
            return slot;
        const char *known = d->keys[*slot - 1];
        if (strncmp(known, key, length) == 0 && known[length] == '\0')
            return slot;
    }
}

static void grow_slots(struct dictionary *d)
{
    free(d->slots);
    d->slot_count *= 2;
    d->slots = xcalloc(d->slot_count, sizeof *d->slots);
    for (size_t i = 0; i < d->count; i++)
        *find_slot(d, d->keys[i], strlen(d->keys[i])) = (uint32_t)(i + 1);
}

int64_t dictionary_find(const struct dictionary *d, const char *key, size_t length)
{
    return (int64_t)*find_slot(d, key, strnlen(key, length)) - 1;
}

int64_t dictionary_add(struct dictionary *d, const char *key, size_t length, size_t max)
{
    length = strnlen(key, length); /* a hostile row may hold a NUL */
    uint32_t *slot = find_slot(d, key, length);
    if (*slot != 0)
        return (int64_t)*slot - 1;
    if (d->count >= max)
        return -1;
    d->keys = grow_array(d->keys, d->count, &d->capacity, sizeof *d->keys);
    d->keys[d->count++] = xstrndup(key, length);
    *slot = (uint32_t)d->count;
    int64_t index = (int64_t)d->count - 1;
    if (d->count * 2 > d->slot_count)
        grow_slots(d);
    return index;
}
