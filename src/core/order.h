/* Numbers in order: for qsort(), and a search in what is sorted. Any thread. */
#ifndef HA_AI_CORE_ORDER_H
#define HA_AI_CORE_ORDER_H

#include <stddef.h>
#include <stdint.h>

/* Pointers to two of that type; no NAN. */
int order_int(const void *left, const void *right);
int order_int64(const void *left, const void *right);
int order_uint64(const void *left, const void *right);
int order_size(const void *left, const void *right);
int order_double(const void *left, const void *right);

/* First index in a sorted list whose number is `least` or more; count when there is none. */
size_t order_find(const int64_t *list, size_t count, int64_t least);

#endif
