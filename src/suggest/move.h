/* An automation, changed a little: "at=+15min", as a person types it. Pure; any thread. */
#ifndef HA_AI_SUGGEST_MOVE_H
#define HA_AI_SUGGEST_MOVE_H

#include <json-c/json.h>

#include "core/error.h"

enum {
    MOVE_BYTES_MAX = 200, /* of one text */
    MOVE_PARTS_MAX = 8,   /* of one move, with spaces between them */
};

#define MOVE_TAKES                                                                                 \
    "at=+15min, at=07:30, for=10min, for=+5min, above=+2, below=19.5, weekday=mon-fri, "           \
    "without=conditions[0], or several with a space between"

struct move;

/* What the text says; NULL with *err. Free it. */
struct move *move_parse(const char *text, struct error *err);
void move_free(struct move *move);
const char *move_text(const struct move *move); /* as it was given; borrowed */

/* A changed copy of the configuration, caller's; NULL with *err when it has nothing that the move
 * is about. `at` moves time triggers, and with a sign the sun's offsets; `for` is that of triggers;
 * `above` and `below` are those of triggers and conditions; `weekday` replaces the days that there
 * are, or is one more condition; `without` takes out what stands at a path. */
json_object *move_apply(const struct move *move, json_object *config, struct error *err);

#endif
