#include "core/order.h"

#define ORDER(name, type)                                                                          \
    int name(const void *left, const void *right)                                                  \
    {                                                                                              \
        type a = *(const type *)left, b = *(const type *)right;                                    \
        return (a > b) - (a < b);                                                                  \
    }

ORDER(order_int, int)
ORDER(order_int64, int64_t)
ORDER(order_uint64, uint64_t)
ORDER(order_size, size_t)
ORDER(order_double, double)

size_t order_find(const int64_t *list, size_t count, int64_t least)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list[middle] < least)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
