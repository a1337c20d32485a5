/* What people set at the device. Only src/app includes this. Commands as in app_command: within the
 * message's transaction, -1 with the reason. */
#ifndef HA_AI_APP_SETTINGS_H
#define HA_AI_APP_SETTINGS_H

#include "app/state.h"

enum { SETTINGS_DATE_SIZE = 32 };

/* Reads what is kept into facts.settings, and applies the log level. */
void settings_init(struct app *app);

/* "error", "warn", "info", "debug"; false for any other. */
bool settings_set_log_level(const char *name);

/* Nothing is read nor archived then: no analysis starts. */
bool settings_learning_paused(const struct app *app);

/* Whether the content of a suggestion has the score that a person wants to see (Certainty). It
 * hides only: what is proved is proved by the analysis. */
bool settings_shows(const struct app *app, json_object *content);
/* Moves new suggestions that are not shown to the end of the list, else in order; how many are
 * shown. */
size_t settings_hide(const struct app *app, struct suggestion *list, size_t count);

/* The home's day from which on history is used, "2026-11-23"; false = all that is kept. */
bool settings_since(const struct app *app, char out[SETTINGS_DATE_SIZE]);

int settings_pause_learning(struct app *app, json_object *arguments, const char *who,
                            struct error *err);
int settings_use_history(struct app *app, json_object *arguments, const char *who,
                         struct error *err);
int settings_ask_certainty(struct app *app, json_object *arguments, const char *who,
                           struct error *err);
int settings_choose_log_level(struct app *app, json_object *arguments, const char *who,
                              struct error *err);
int settings_restart(struct app *app, json_object *arguments, const char *who, struct error *err);
int settings_identify(struct app *app, json_object *arguments, const char *who, struct error *err);

#endif
