/* A path per line of stdin -> "safe", or why a save by HA would hurt that file. */
#include <stdio.h>
#include <string.h>

#include "ha/ha.h"

int main(void)
{
    char path[4096], why[256];
    while (fgets(path, sizeof(path), stdin) != NULL) {
        path[strcspn(path, "\n")] = '\0';
        puts(ha_automations_file_risk(path, why, sizeof(why)) ? why : "safe");
    }
    return 0;
}
