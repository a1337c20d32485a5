#include "core/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A line longer than this is cut: one write(2) keeps lines of two threads apart. */
enum { LOG_LINE_MAX = 2048 };

static atomic_int log_threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&log_threshold, (int)level);
}

__attribute__((format(printf, 3, 0))) static void log_line(enum log_level level, const char *module,
                                                           const char *fmt, va_list ap)
{
    static const int syslog_priority[] = {3, 4, 6, 7};

    if ((int)level > atomic_load(&log_threshold))
        return;
    char line[LOG_LINE_MAX];
    int head = snprintf(line, sizeof(line), "<%d>%s: ", syslog_priority[level], module);
    if (head < 0 || (size_t)head >= sizeof(line))
        return;
    size_t room = sizeof(line) - (size_t)head - 1;
    int n = vsnprintf(line + head, room, fmt, ap);
    if (n < 0)
        return;
    size_t len = (size_t)head + ((size_t)n < room ? (size_t)n : room - 1);
    for (char *p = line + head; p < line + len; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';
    line[len++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, len);
    (void)ignored;
}

#define LOG_FUNCTION(name, level)                                                                  \
    void name(const char *module, const char *fmt, ...)                                            \
    {                                                                                              \
        va_list ap;                                                                                \
        va_start(ap, fmt);                                                                         \
        log_line(level, module, fmt, ap);                                                          \
        va_end(ap);                                                                                \
    }

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
