#define _GNU_SOURCE /* environ */
#include "home/child.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/xalloc.h"

enum { PORTS_TRIED = 100, POLL_US = 10000 };

pid_t child_start(const char *path, char *const argv[], char *const envp[], const char *log_path,
                  struct error *err)
{
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0)
        return error_set(err, ERROR_IO, "%s: %s", log_path, strerror(errno));
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY);
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(127);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
            _exit(127);
        execve(path, argv, envp ? envp : environ);
        _exit(127);
    }
    int cause = errno;
    close(log);
    if (pid < 0)
        return error_set(err, ERROR_IO, "fork: %s", strerror(cause));
    return pid;
}

bool child_is_alive(pid_t *pid)
{
    if (*pid <= 0)
        return false;
    if (waitpid(*pid, NULL, WNOHANG) != *pid)
        return true;
    *pid = 0;
    return false;
}

void child_stop(pid_t *pid, int64_t wait_ms)
{
    int64_t deadline = clock_monotonic_ms() + wait_ms;
    if (*pid > 0)
        kill(*pid, SIGTERM);
    while (child_is_alive(pid)) {
        if (clock_monotonic_ms() > deadline)
            kill(*pid, SIGKILL);
        nanosleep(&(struct timespec){.tv_nsec = POLL_US * 1000L}, NULL);
    }
}

static bool port_is_free(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    bool is_free = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                   listen(fd, 1) == 0;
    if (fd >= 0)
        close(fd);
    return is_free;
}

int child_free_port(int wanted)
{
    for (int port = wanted; port < wanted + PORTS_TRIED && port <= 65535; port++)
        if (port_is_free(port))
            return port;
    return 0;
}

int child_lock_ports(int64_t wait_ms)
{
    /* An abstract name: no file, no user's rights, gone with its holder. */
    static const struct sockaddr_un name = {.sun_family = AF_UNIX,
                                            .sun_path = "\0ha-ai demo ports"};
    int64_t deadline = clock_monotonic_ms() + wait_ms;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    while (fd >= 0 && bind(fd, (const struct sockaddr *)&name, sizeof(name)) < 0) {
        bool give_up = errno != EADDRINUSE || clock_monotonic_ms() > deadline;
        if (give_up || nanosleep(&(struct timespec){.tv_nsec = POLL_US * 1000L}, NULL) < 0) {
            close(fd);
            return -1;
        }
    }
    return fd;
}

char *child_find_program(const char *name)
{
    const char *path = getenv("PATH");
    char *folders = xasprintf("%s:/usr/sbin:/usr/local/sbin:/sbin", path ? path : "/usr/bin:/bin");
    char *found = NULL, *rest = folders;
    for (char *folder; found == NULL && (folder = strtok_r(rest, ":", &rest)) != NULL;) {
        found = xasprintf("%s/%s", folder, name);
        if (access(found, X_OK) != 0) {
            free(found);
            found = NULL;
        }
    }
    free(folders);
    return found;
}
