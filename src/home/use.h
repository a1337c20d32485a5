/* One use of a device while a day of a home is put together: it goes on, and off again. */
#ifndef HA_AI_HOME_USE_H
#define HA_AI_HOME_USE_H

#include <stddef.h>
#include <stdint.h>

struct home_use {
    int64_t begin_us, end_us;
    uint32_t entity;
    int16_t begin_habit, end_habit; /* whose act that half is, or -1 */
    uint8_t begin_cause, end_cause; /* enum home_cause */
    uint8_t person;
};

struct home_uses {
    struct home_use *items;
    size_t count, capacity;
};

#endif
