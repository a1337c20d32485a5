/* The two clocks. Pure modules take time as an argument instead. */
#ifndef HA_AI_CORE_CLOCK_H
#define HA_AI_CORE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_wall_ms(void);      /* UTC, ms since 1970 */
int64_t clock_monotonic_ms(void); /* for delays only */

/* "2026-11-23T12:34:56.789Z" (24 characters and NUL). RFC 3339. */
enum { CLOCK_RFC3339_SIZE = 32 };
void clock_format_rfc3339(char out[CLOCK_RFC3339_SIZE], int64_t utc_ms);

/* Parses RFC 3339 with any offset ("Z", "+02:00"; fraction optional). 0 or -1. */
int clock_parse_rfc3339(const char *text, int64_t *utc_ms);

#endif
