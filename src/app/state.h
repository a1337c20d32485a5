/* Inside of the service: what its files share. Only src/app includes this. */
#ifndef HA_AI_APP_STATE_H
#define HA_AI_APP_STATE_H

#include "app/analysis_job.h"
#include "app/app.h"
#include "core/cron.h"
#include "core/tz.h"
#include "ha/ha.h"
#include "store/inbox.h"
#include "store/suggestions.h"

enum { APP_FACES_MAX = 4, APP_ID_SIZE = 80, APP_REASON_SIZE = 512 };

/* What a press of Approve or Reject is about. */
struct app_choice {
    char selected[APP_ID_SIZE];   /* suggestion id, "" = none */
    int64_t moved_ms;             /* when it last moved by itself, on HA's clock; 0 = it did not */
    int64_t shown_ms;             /* since when the device shows that; 0 = not yet */
    char risk_shown[APP_ID_SIZE]; /* its first Approve was refused with what HA would lose */
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
    bool analysing;
    bool retrying;           /* the one that runs repeats a failed one by itself */
    bool analysis_requested; /* by the message whose transaction is open */
    int64_t retry_delay_ms;  /* 0 = no retry is due */
    int retry_timer;
    int64_t forgotten, forgotten_before; /* how often `ha-ai forget` ran; when the analysis began */

    struct app_choice choice;

    /* deploy.c */
    char deploying[APP_ID_SIZE]; /* suggestion id, "" = none */
    bool deploy_ended;           /* HA answered; kept as soon as our database takes it: */
    char deploy_failure[1024];   /* "" = it runs */
};

/* facts.c: the tree that the faces read. Each refresh reads its part anew. */
void facts_init(struct app *app);
void facts_refresh_connections(struct app *app); /* mqtt, ha, database, outbox, runs, health */
void facts_refresh_suggestions(struct app *app); /* also moves the selection when it must */
void facts_refresh_analysis(struct app *app, json_object *last /* borrowed, NULL = keep */);
void facts_set_progress(struct app *app, int percent, const char *phase);
void facts_set(struct app *app, const char *group, const char *key, json_object *value);

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

/* commands.c: messages on our own topics. True when it was ours. */
void commands_subscribe(struct app *app);
bool commands_on_message(struct app *app, const struct inbox_message *message);

/* The id of the automation of a suggestion: "ha_ai_<id>", '#' of a "#n" made '_'. */
void app_automation_id(char *out, size_t size, const char *suggestion_id);

#endif
