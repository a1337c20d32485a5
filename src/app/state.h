/* Inside of the service: what its files share. Only src/app includes this. */
#ifndef HA_AI_APP_STATE_H
#define HA_AI_APP_STATE_H

#include "app/analysis_job.h"
#include "app/app.h"
#include "app/ha_automations.h"
#include "core/cron.h"
#include "core/tz.h"
#include "ha/ha.h"
#include "store/inbox.h"
#include "store/proposal.h"

enum { APP_FACES_MAX = 4, APP_ID_SIZE = 80, APP_REASON_SIZE = 512 };

/* What a press of Approve or Reject is about. */
struct app_choice {
    char selected[APP_ID_SIZE];    /* suggestion id, "" = none */
    int64_t moved_ms;              /* when it last moved by itself, on HA's clock; 0 = it did not */
    int64_t shown_ms;              /* since when the device shows that; 0 = not yet */
    char risk_shown[APP_ID_SIZE];  /* its first Approve was refused with what HA would lose */
    char guard_asked[APP_ID_SIZE]; /* its first Approve asked for a second one */
    int64_t guard_asked_ms;        /* when that was pressed, on HA's clock */
};

struct app {
    struct options options;
    struct loop *loop;
    struct store *store;
    struct mqtt *mqtt;
    struct owner *owner; /* owner.c */
    int exit_code;       /* of the process, when the loop stops by itself */
    struct ha *ha;       /* NULL = not configured */
    const struct face *faces[APP_FACES_MAX];
    void *face_states[APP_FACES_MAX];
    size_t face_count;
    json_object *facts;
    char *language;   /* that HA said last; NULL = never */
    unsigned changes; /* enum app_change bits that the faces have not seen */
    int signal_fd;
    int lock_fd;            /* one service on one database */
    bool restart_requested; /* by the message whose transaction is open, or since */
    int64_t measured_ms;    /* monotonic; when health.c last measured; 0 = never */
    int64_t ha_away_ms;     /* monotonic; since when HA does not answer; 0 = it does */
    int inbox_timer;        /* more waits than one turn takes; 0 = no */
    char *database_path;

    /* analysis.c */
    char *history; /* SOURCE, NULL = off */
    struct tz *tz;
    struct cron cron;
    int64_t next_run_s;  /* UTC; INT64_MAX = never */
    int64_t scheduled_s; /* the runs up to then are done or will not be; kept */
    int64_t checked_s;   /* when the schedule was last looked at */
    int schedule_timer;
    struct analysis_job *job; /* ended ones are freed before the next starts */
    struct ha_automations *ha_automations;
    bool analysing;
    bool retrying;           /* the one that runs repeats a failed one by itself */
    bool analysis_requested; /* by the message whose transaction is open */
    int64_t retry_delay_ms;  /* 0 = no retry is due */
    int retry_timer;
    int64_t forgotten, forgotten_before; /* how often `ha-ai forget` ran; when the analysis began */

    struct app_choice choice;
    int64_t time_passed_ms; /* monotonic; when decide_let_time_pass last looked */

    /* deploy.c */
    char deploying[APP_ID_SIZE]; /* suggestion id, "" = none */
    bool deploy_ended;           /* HA answered; kept as soon as our database takes it: */
    char deploy_failure[1024];   /* "" = it runs */
    json_object *deploy_saved;   /* as HA's file holds it, NULL = it does not */

    struct explain *explain; /* explain.c */
    struct undo *undo;       /* undo.c */
    struct theirs *theirs;   /* theirs.c */
    struct watch_runs *watch_runs;
};

/* facts.c: the tree that the faces read. Each refresh reads its part anew. */
void facts_init(struct app *app);
void facts_refresh_connections(struct app *app); /* mqtt, ha, database, outbox, runs, health */
void facts_refresh_suggestions(struct app *app); /* also moves the selection when it must */
void facts_refresh_analysis(struct app *app, json_object *last /* borrowed, NULL = keep */);
void facts_set_progress(struct app *app, int percent, const char *phase);
void facts_set(struct app *app, const char *group, const char *key, json_object *value);
json_object *facts_text(const char *text); /* null where there is none, or "" */

/* analysis.c: when and how an analysis runs, and what becomes of its result. */
int analysis_setup(struct app *app, struct error *err);
void analysis_teardown(struct app *app);
void analysis_resume(struct app *app); /* at the start, facts are there: what fails is retried */
/* A message asks for one: -1 with the reason, else it starts when the message is committed. */
int analysis_request(struct app *app, struct error *err);
void analysis_start_requested(struct app *app);
void analysis_home_changed(struct app *app);     /* HA told the time zone */
void analysis_notice_forgotten(struct app *app); /* `ha-ai forget` may have run beside us */

/* Ends the one that runs, if learning was paused meanwhile. */
void analysis_stop_if_paused(struct app *app);

/* health.c: facts.problem, process, latency, archive, habits, week. */
void health_init(struct app *app);
void health_refresh(struct app *app);
void health_refresh_archive(struct app *app); /* after an analysis */

/* deploy.c: approved suggestions become automations. */
int deploy_may_approve(struct app *app, const char *id, struct error *err);
void deploy_continue(struct app *app); /* after a commit, and when HA came back */
void deploy_watch_runs(struct app *app);
void deploy_on_run(const char *automation_id, const char *context_id, int64_t at_ms, void *ctx);
void deploy_on_response(struct app *app, const struct inbox_message *message, json_object *body,
                        bool executed);

/* The title of the suggestion behind an automation's id (caller frees); NULL: none that we
 * deployed. */
char *deploy_title_of(struct app *app, const char *automation_id);
/* Before HA rewrites automations.yaml: a copy beside our database when something would be lost. */
int deploy_keep_copy(struct app *app, struct error *err);

/* explain.c: a run that failed, or of which no report came, is told with HA's own words. */
void explain_continue(struct app *app); /* now and then */
void explain_soon(struct app *app);     /* a report of a failure came */
void explain_teardown(struct app *app);

/* undo.c: deployed automations are taken back. */
/* Whether HA is asked about that one at this moment: then the wish cannot be withdrawn. */
bool undo_is_under_way(const struct app *app, const char *id);
/* Takes the automation of a deployed suggestion back, as soon as HA can be asked, now or after a
 * restart; then it is undone, which the event tells. Joins the transaction of the message. -1 with
 * the reason when that cannot be. */
int deploy_undo(struct app *app, const char *id, const char *who, struct error *err);
/* Within the caller's transaction: what a deployment of this one that failed left in HA, if
 * anything, is taken back as soon as HA can be asked; the version that ran before is put there. */
int undo_ask_remains(struct app *app, const struct suggestion *s, const char *who,
                     struct error *err);
/* For deploy_continue: true while HA is asked. */
bool undo_continue(struct app *app);
void undo_teardown(struct app *app);
/* What we wrote last under an automation's id, `depth` versions before; of what was deployed before
 * that was kept, what was sent. The caller puts it; NULL = nothing. */
json_object *undo_written(struct app *app, const struct suggestion *s, int depth);

/* theirs.c: what people do to our automations in HA: changed is theirs, deleted is retired. */
void theirs_setup(struct app *app);
void theirs_teardown(struct app *app);
void theirs_look(void *ctx);        /* soon: something may have changed in HA */
void theirs_label(struct app *app); /* labels those that have none yet */
/* decide.c: what people decide on suggestions, as commands (app_command), and what time does. */
int decide_approve(struct app *app, json_object *arguments, const char *who, struct error *err);
int decide_reject(struct app *app, json_object *arguments, const char *who, struct error *err);
int decide_try(struct app *app, json_object *arguments, const char *who, struct error *err);
int decide_snooze(struct app *app, json_object *arguments, const char *who, struct error *err);
int decide_undo(struct app *app, json_object *arguments, const char *who, struct error *err);
int decide_next(struct app *app, json_object *arguments, const char *who, struct error *err);
int decide_select(struct app *app, json_object *arguments, const char *who, struct error *err);
int decide_reason(struct app *app, json_object *arguments, const char *who, struct error *err);
/* Once a minute: snoozed ones come back, unanswered ones expire. In a transaction of its own. */
void decide_let_time_pass(struct app *app);
/* Ends the trials that are over, by the "reviews" of an analysis. Within its transaction. */
int decide_end_trials(struct app *app, json_object *result, struct error *err);
/* Takes a step (life_take) and queues its event, within the caller's transaction. */
int decide_step(struct app *app, const char *id, const struct life_step *step, struct error *err);
/* Queues the events of steps (an array of life_take's), within their transaction. */
void decide_tell(struct app *app, json_object *steps);

/* commands.c: messages on our own topics. True when it was ours. */
void commands_subscribe(struct app *app);
bool commands_on_message(struct app *app, const struct inbox_message *message);

#endif
