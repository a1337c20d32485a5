/* Strings to small numbers, in order of arrival. */
#ifndef HA_AI_CORE_DICTIONARY_H
#define HA_AI_CORE_DICTIONARY_H

#include <stddef.h>
#include <stdint.h>

struct dictionary {
    char **keys; /* owned; NUL-terminated */
    size_t count, capacity;
    uint32_t *slots; /* index + 1, or 0 */
    size_t slot_count;
};

void dictionary_init(struct dictionary *d);
void dictionary_release(struct dictionary *d);

/* The key's index, or -1. The key need not be terminated. */
int64_t dictionary_find(const struct dictionary *d, const char *key, size_t length);

/* The key's index; added when it is new and fewer than max are there, else -1. */
int64_t dictionary_add(struct dictionary *d, const char *key, size_t length, size_t max);

#endif
