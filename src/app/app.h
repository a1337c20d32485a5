/* The service: owns the facts, the jobs and the connections; the only place that joins the shells
 * below. Loop thread only. */
#ifndef HA_AI_APP_APP_H
#define HA_AI_APP_APP_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/face.h"
#include "core/error.h"
#include "core/loop.h"
#include "core/options.h"
#include "mqtt/mqtt.h"
#include "store/store.h"

struct app;

/* `ha-ai run`: serves until SIGTERM or SIGINT. `faces` ends with NULL. The exit code. */
int app_main(int argc, char **argv, const struct face *const *faces);

/* Where our own database lies (design: DATABASE_PATH, else the state folder). Caller frees. */
char *app_database_path(const struct options *options);

/* The archive beside that database: its path without ".db" and with "-archive.db". Caller frees. */
char *app_archive_path(const char *database_path);

/* The SOURCE of the history (HISTORY, else HA's database if it is mounted); NULL = off. Caller
 * frees. */
char *app_history(const struct options *options);

/* Borrowed parts, for the faces. */
struct loop *app_loop(struct app *app);
struct store *app_store(struct app *app);
struct mqtt *app_mqtt(struct app *app);
const struct options *app_options(struct app *app);

/* What the service knows, as one tree (borrowed; read it again after a change bit):
 * version
 * mqtt        {connected, problem}
 * ha          {configured, reachable (null = not configured), problem, version, admin}
 * history     {configured, problem, state_changes, days}      (null before the first analysis)
 * analysis    {state: idle|running|failed, progress, phase, last_ended, last_duration_s, next,
 *              error, hypotheses, learning, dropped}
 * habits      {known}, week {done, undone, taken_back}
 * problem     {any, detail: {reason}, last, last_detail: {since}}
 * suggestions {waiting, hidden, options, selected, detail: {id, title, explanation, ...}, and by
 *              state: new, trying, approved, deployed, ...}
 * runs        {total, confirmed, failed, unconfirmed, last}
 * settings    {daily_analysis, reject_reason, learning_paused, history_days, certainty, log_level}
 * archive     {days, size_mb}, process {started, memory_mb}, latency {ha_ms}
 * database    {ok, problem}, outbox {waiting, oldest, expired, dropped}
 * docs/facts.md lists them with their types. */
json_object *app_facts(struct app *app);

/* Home Assistant's clock in UTC ms (ours, where HA does not tell). */
int64_t app_ha_now_ms(struct app *app);

/* Runs a command of a person or a machine: "analyze", "approve", "reject", "try", "snooze",
 * "undo", "next", "select" (value: a title), "reason" (value: of the next rejection),
 * "daily_analysis" and "learning_paused" (value: ON|OFF), "history_days" and "certainty" (a
 * number), "log_level" (error|warn|info|debug), "restart", "identify". arguments (may be NULL):
 * {"value", "ts" in ms of HA's clock, "suggestion": the id of another than the selected one,
 * "reason": of a rejection}.
 * who: HA's user id, "mqtt", "api token" or "page", for the audit. Inside the transaction of the
 * message that brought it. -1 with the reason when refused. */
int app_command(struct app *app, const char *command, json_object *arguments, const char *who,
                struct error *err);

/* The device shows this title as the selected suggestion. A press soon after the selection moved by
 * itself is refused: it was meant for what the person saw before. */
void app_selection_shown(struct app *app, const char *title);

/* Queues an event of the device's entity `key` (ha-ai/device/<INSTANCE>/<key>/event), which needs
 * an "event_type". Joins an open transaction; steals the reference of event. */
void app_send_event(struct app *app, const char *key, json_object *event);

/* Tells that a command was refused: in the log and as an event of the entity "suggestion". who may
 * be NULL. */
void app_refuse(struct app *app, const char *command, const char *who, const char *reason);

#endif
