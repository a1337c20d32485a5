/* One error out-parameter for every fallible function: set once where the cause is known,
 * prefixed on the way up, logged once at the boundary that decides. */
#ifndef HA_AI_CORE_ERROR_H
#define HA_AI_CORE_ERROR_H

enum error_code {
    ERROR_NONE = 0,
    ERROR_INVALID, /* bad input: payload, file, option */
    ERROR_NOT_FOUND,
    ERROR_IO,     /* the system, a file, the network */
    ERROR_BUSY,   /* locked or temporarily unavailable: try again */
    ERROR_DENIED, /* credentials or rights */
    ERROR_LIMIT,  /* a named maximum was reached */
    ERROR_UNSUPPORTED,
};

struct error {
    enum error_code code;
    char message[512]; /* one line, no secrets */
};

/* Sets *err (may be NULL). Always returns -1, so that `return error_set(...)` reads well. */
int error_set(struct error *err, enum error_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "<formatted>: " before the message. Always returns -1. */
int error_prefix(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
