#include "core/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"

FILE *private_file_create(const char *path, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file == NULL) {
        error_set(err, ERROR_IO, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    return file;
}

void private_file_remove(const char *path)
{
    if (unlink(path) < 0 && errno != ENOENT)
        log_warn("core", "%s cannot be removed: %s", path, strerror(errno));
}
