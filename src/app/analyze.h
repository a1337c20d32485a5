/* `ha-ai analyze`: a history in, suggestions out; touches nothing else. Also what the service runs
 * as its child. */
#ifndef HA_AI_APP_ANALYZE_H
#define HA_AI_APP_ANALYZE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

/* The exit code: 0 done, 1 failed, 2 wrong use. */
int analyze_main(int argc, char **argv);

/* The result object for people: all suggestions, or those that are shown at first. */
void analyze_print_text(json_object *result, bool all, FILE *out);

#endif
