/* Allocation that never returns NULL: out of memory aborts. */
#ifndef HA_AI_CORE_XALLOC_H
#define HA_AI_CORE_XALLOC_H

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
/* count * size, aborting on overflow. */
void *xreallocarray(void *p, size_t count, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Makes room for one more element: returns the (possibly moved) array, doubling *capacity. */
void *grow_array(void *array, size_t count, size_t *capacity, size_t element_size);

#endif
