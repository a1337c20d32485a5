/* A folder of the test's own, and files in it. The includer defines _GNU_SOURCE, for mkdtemp. */
#ifndef HA_AI_TESTS_SCRATCH_H
#define HA_AI_TESTS_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/xalloc.h"

static char folder[32];

static inline int scratch_make(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/ha-ai-test-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

/* With all that is in it. */
static inline int scratch_remove(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", folder, (char *)NULL);
        _exit(127);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return status;
}

/* The caller frees. */
static inline char *scratch_path(const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

static inline void write_file(const char *name, const char *text, size_t len)
{
    char *path = scratch_path(name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
    free(path);
}

static inline void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

static inline void remove_file(const char *name)
{
    char *path = scratch_path(name);
    unlink(path);
    free(path);
}

#endif
