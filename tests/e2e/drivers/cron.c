/* "ZONE UTC_SECONDS CRON LINE" per line of stdin -> the next run in UTC seconds, or "error ...". */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cron.h"

int main(void)
{
    char line[1024];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char zone[64], at[32];
        int used = 0;
        struct cron cron;
        struct error err;
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%63s %31s %n", zone, at, &used) < 2)
            return 2;
        struct tz *tz = tz_load(zone, &err);
        if (tz == NULL || cron_parse(line + used, &cron, &err) != 0)
            printf("error %s\n", err.message);
        else
            printf("%" PRId64 "\n", cron_next(&cron, tz, strtoll(at, NULL, 10)));
        tz_free(tz);
    }
    return 0;
}
