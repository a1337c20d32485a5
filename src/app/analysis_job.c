#define _GNU_SOURCE /* pipe2, prctl */
#include "app/analysis_job.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/xalloc.h"

enum { PROGRESS_FD = 3, REAP_INTERVAL_MS = 20, STDERR_MAX = 1024, PROGRESS_LINE_MAX = 128 };

struct analysis_job {
    struct loop *loop;
    struct analysis_job_settings settings; /* only the callbacks are used after the start */
    pid_t pid;                             /* 0 = reaped */
    int fd_out, fd_err, fd_progress;       /* -1 = ended */
    char *output;
    size_t output_len, output_capacity;
    char errors[STDERR_MAX]; /* the last bytes of its stderr */
    size_t errors_len;
    char line[PROGRESS_LINE_MAX];
    size_t line_len;
    const char *killed; /* why we killed it */
    int64_t started_ms;
    int timer;
};

/* Of the child's command line: words that are always there, and options with a value. */
enum { CHILD_WORDS = 9, CHILD_OPTIONS_MAX = 6 };

/* Everything that the child needs, made before the fork: after it only system calls are allowed. */
struct child {
    char *argv[CHILD_WORDS + 2 * CHILD_OPTIONS_MAX + 1];
    char *envp[12];
    int out, err, progress;
    pid_t parent;
};

static void run_child(const struct child *child)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* stopped or not, it does not outlive us */
    if (getppid() != child->parent)
        _exit(127);
    if (setpriority(PRIO_PROCESS, 0, ANALYSIS_NICE) < 0)
        errno = 0; /* a courtesy only */
#ifndef __SANITIZE_ADDRESS__
    struct rlimit memory = {ANALYSIS_MEMORY_MAX, ANALYSIS_MEMORY_MAX};
    setrlimit(RLIMIT_AS, &memory);
#endif
    /* Out of the way of 0-3 first: the pipes may have got such a number. */
    int out = fcntl(child->out, F_DUPFD, 10), err = fcntl(child->err, F_DUPFD, 10);
    int progress = fcntl(child->progress, F_DUPFD, 10), null = open("/dev/null", O_RDONLY);
    if (dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(err, STDERR_FILENO) < 0 || dup2(progress, PROGRESS_FD) < 0)
        _exit(127);
    long last = sysconf(_SC_OPEN_MAX);
    for (int fd = PROGRESS_FD + 1; fd < last && fd < 1024; fd++)
        close(fd);
    execve("/proc/self/exe", child->argv, child->envp);
    _exit(127);
}

static char *env_pair(const char *name, const char *value)
{
    return value ? xasprintf("%s=%s", name, value) : NULL;
}

/* The child gets no secret: a new environment with what an analysis needs. */
static void child_prepare(struct child *child, const struct analysis_job_settings *s)
{
    size_t n = 0;
    const char *const fixed[] = {"ha-ai",    "analyze",       "--format", "json",
                                 "--timing", "--progress-fd", "3",        "--history"};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        child->argv[n++] = xstrdup(fixed[i]);
    child->argv[n++] = xstrdup(s->history);
    const struct {
        const char *name, *value; /* NULL = not given */
    } given[CHILD_OPTIONS_MAX] = {
        {"--archive", s->archive},         {"--timezone", s->timezone}, {"--location", s->location},
        {"--automations", s->automations}, {"--known", s->known},       {"--since", s->since},
    };
    for (size_t i = 0; i < CHILD_OPTIONS_MAX; i++) {
        if (given[i].value == NULL)
            continue;
        child->argv[n++] = xstrdup(given[i].name);
        child->argv[n++] = xstrdup(given[i].value);
    }
    char *env[] = {
        env_pair("EXCLUDE", s->exclude),
        env_pair("ARCHIVE_DAYS", s->archive_days),
        env_pair("EXCLUDE_AREAS", s->exclude_areas),
        env_pair("EXCLUDE_PEOPLE", s->exclude_people),
        env_pair("TZ", s->fallback_timezone),
        env_pair("LOCATION", s->fallback_location),
        env_pair("TZDIR", getenv("TZDIR")),
        env_pair("ASAN_OPTIONS", getenv("ASAN_OPTIONS")),
        env_pair("PATH", getenv("PATH")),
    };
    n = 0;
    for (size_t i = 0; i < sizeof(env) / sizeof(env[0]); i++)
        if (env[i] != NULL)
            child->envp[n++] = env[i];
}

static void child_release(struct child *child)
{
    for (size_t i = 0; child->argv[i] != NULL; i++)
        free(child->argv[i]);
    for (size_t i = 0; child->envp[i] != NULL; i++)
        free(child->envp[i]);
}

static void close_fd(struct analysis_job *job, int *fd)
{
    if (*fd < 0)
        return;
    loop_remove_fd(job->loop, *fd);
    close(*fd);
    *fd = -1;
}

static void kill_child(struct analysis_job *job, const char *why)
{
    if (job->pid > 0 && job->killed == NULL) {
        job->killed = why;
        kill(job->pid, SIGKILL);
    }
}

static void read_output(struct analysis_job *job, const char *data, size_t len)
{
    if (job->output_len + len > ANALYSIS_OUTPUT_MAX) {
        kill_child(job, "its answer is larger than 16 MB");
        return;
    }
    while (job->output_capacity - job->output_len < len)
        job->output =
            xrealloc(job->output, job->output_capacity =
                                      job->output_capacity ? job->output_capacity * 2 : 65536);
    memcpy(job->output + job->output_len, data, len);
    job->output_len += len;
}

static void read_errors(struct analysis_job *job, const char *data, size_t len)
{
    if (len > STDERR_MAX - 1) {
        data += len - (STDERR_MAX - 1);
        len = STDERR_MAX - 1;
    }
    size_t over =
        job->errors_len + len > STDERR_MAX - 1 ? job->errors_len + len - (STDERR_MAX - 1) : 0;
    memmove(job->errors, job->errors + over, job->errors_len - over);
    job->errors_len -= over;
    memcpy(job->errors + job->errors_len, data, len);
    job->errors_len += len;
    job->errors[job->errors_len] = '\0';
}

/* Lines of "<percent> <phase>". */
static void read_progress(struct analysis_job *job, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] != '\n') {
            if (job->line_len < PROGRESS_LINE_MAX - 1)
                job->line[job->line_len++] = data[i];
            continue;
        }
        job->line[job->line_len] = '\0';
        job->line_len = 0;
        char *phase;
        long percent = strtol(job->line, &phase, 10);
        if (phase != job->line && *phase == ' ' && percent >= 0 && percent <= 100)
            job->settings.on_progress((int)percent, phase + 1, job->settings.ctx);
    }
}

/* One read; false when there is nothing now, or it has ended (then *ended is true). */
static bool read_some(struct analysis_job *job, int fd, bool *ended)
{
    char buf[16384];
    ssize_t n = read(fd, buf, sizeof(buf));
    *ended = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    if (n <= 0)
        return false;
    if (fd == job->fd_out)
        read_output(job, buf, (size_t)n);
    else if (fd == job->fd_err)
        read_errors(job, buf, (size_t)n);
    else
        read_progress(job, buf, (size_t)n);
    return true;
}

static int64_t on_tick(void *ctx);

static void on_readable(int fd, short events, void *ctx)
{
    struct analysis_job *job = ctx;
    bool ended;
    (void)events;

    read_some(job, fd, &ended);
    if (!ended)
        return;
    close_fd(job, fd == job->fd_out   ? &job->fd_out
                  : fd == job->fd_err ? &job->fd_err
                                      : &job->fd_progress);
    loop_remove_timer(job->loop, job->timer); /* it is about to end: no need to wait for a tick */
    job->timer = loop_add_timer(job->loop, 0, on_tick, job);
}

static void drain(struct analysis_job *job, int fd)
{
    bool ended;
    while (fd >= 0 && read_some(job, fd, &ended))
        continue;
}

/* The last line of its stderr, without the "ha-ai: analyze: " that its errors begin with. */
static const char *last_error_line(struct analysis_job *job)
{
    while (job->errors_len > 0 && job->errors[job->errors_len - 1] == '\n')
        job->errors[--job->errors_len] = '\0';
    const char *line = strrchr(job->errors, '\n');
    line = line ? line + 1 : job->errors;
    static const char prefix[] = "ha-ai: analyze: ";
    return strncmp(line, prefix, sizeof(prefix) - 1) == 0 ? line + sizeof(prefix) - 1 : line;
}

static void finish(struct analysis_job *job, int status)
{
    int64_t duration = clock_monotonic_ms() - job->started_ms;
    json_object *result = NULL;
    char why[STDERR_MAX + 64] = "";

    if (job->killed != NULL) {
        snprintf(why, sizeof(why), "the analysis was stopped: %s", job->killed);
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        struct error err = {0};
        result = json_parse(job->output ? job->output : "", job->output_len, &err);
        if (result == NULL)
            snprintf(why, sizeof(why), "the analysis answered no JSON: %s", err.message);
    } else if (WIFSIGNALED(status)) {
        snprintf(why, sizeof(why), "the analysis crashed (signal %d)", WTERMSIG(status));
    } else {
        const char *line = last_error_line(job);
        snprintf(why, sizeof(why), "%s", *line ? line : "the analysis failed without a reason");
    }
    free(job->output);
    job->output = NULL;
    job->settings.on_done(result, result ? NULL : why, duration, job->settings.ctx);
    json_object_put(result);
}

/* Watches the deadline and reaps. */
static int64_t on_tick(void *ctx)
{
    struct analysis_job *job = ctx;
    if (clock_monotonic_ms() - job->started_ms > ANALYSIS_DEADLINE_MS)
        kill_child(job, "it took longer than 30 minutes");
    int status = 0;
    pid_t pid = waitpid(job->pid, &status, WNOHANG);
    if (pid != job->pid)
        return job->fd_out < 0 ? REAP_INTERVAL_MS : 500;
    job->pid = 0;
    drain(job, job->fd_out); /* what is still in the pipes; the writer is gone */
    drain(job, job->fd_err);
    close_fd(job, &job->fd_out);
    close_fd(job, &job->fd_err);
    close_fd(job, &job->fd_progress);
    job->timer = 0;
    finish(job, status);
    return LOOP_TIMER_STOP;
}

struct analysis_job *analysis_job_start(struct loop *loop,
                                        const struct analysis_job_settings *settings,
                                        struct error *err)
{
    int out[2], errs[2], progress[2];
    if (pipe2(out, O_CLOEXEC) < 0) {
        error_set(err, ERROR_IO, "pipe: %s", strerror(errno));
        return NULL;
    }
    if (pipe2(errs, O_CLOEXEC) < 0) {
        error_set(err, ERROR_IO, "pipe: %s", strerror(errno));
        goto close_out;
    }
    if (pipe2(progress, O_CLOEXEC) < 0) {
        error_set(err, ERROR_IO, "pipe: %s", strerror(errno));
        goto close_errs;
    }
    struct child child = {
        .out = out[1], .err = errs[1], .progress = progress[1], .parent = getpid()};
    child_prepare(&child, settings);
    pid_t pid = fork();
    if (pid == 0)
        run_child(&child);
    child_release(&child);
    if (pid < 0) {
        error_set(err, ERROR_IO, "fork: %s", strerror(errno));
        goto close_progress;
    }
    close(out[1]);
    close(errs[1]);
    close(progress[1]);
    struct analysis_job *job = xcalloc(1, sizeof(*job));
    *job = (struct analysis_job){.loop = loop,
                                 .settings = *settings,
                                 .pid = pid,
                                 .fd_out = out[0],
                                 .fd_err = errs[0],
                                 .fd_progress = progress[0],
                                 .started_ms = clock_monotonic_ms()};
    int fds[] = {out[0], errs[0], progress[0]};
    for (size_t i = 0; i < 3; i++) {
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
        loop_add_fd(loop, fds[i], POLLIN, on_readable, job);
    }
    job->timer = loop_add_timer(loop, REAP_INTERVAL_MS, on_tick, job);
    return job;

close_progress:
    close(progress[0]);
    close(progress[1]);
close_errs:
    close(errs[0]);
    close(errs[1]);
close_out:
    close(out[0]);
    close(out[1]);
    return NULL;
}

void analysis_job_stop(struct analysis_job *job)
{
    if (job == NULL)
        return;
    loop_remove_timer(job->loop, job->timer);
    close_fd(job, &job->fd_out);
    close_fd(job, &job->fd_err);
    close_fd(job, &job->fd_progress);
    if (job->pid > 0) {
        kill(job->pid, SIGKILL);
        while (waitpid(job->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    free(job->output);
    free(job);
}
