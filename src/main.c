/* Command table -> subcommand. */
#include <stdio.h>
#include <string.h>

#include "app/analyze.h"
#include "app/app.h"
#include "app/backtest.h"
#include "app/check.h"
#include "app/forget.h"
#include "device/device.h"
#include "device/discovery_command.h"
#include "device/suggestions_command.h"
#include "home/demo.h"
#include "home/simulate.h"
#include "web/web.h"

struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; the exit code */
};

static int run_main(int argc, char **argv)
{
    static const struct face *const faces[] = {&device_face, &web_face, NULL};

    return app_main(argc, argv, faces);
}

static const struct command commands[] = {
    {"run", "the service", run_main},
    {"demo", "the service beside its own broker and a simulated home", demo_main},
    {"analyze", "a history in, suggestions out; touches nothing else", analyze_main},
    {"backtest", "when automations would have run, and whether that was wanted", backtest_main},
    {"forget", "erases what was learned of an entity, or all of it", forget_main},
    {"check", "tries every part of the configuration and says what to do", check_main},
    {"simulate", "a recorder database of a home with planted habits", simulate_main},
    {"suggestions", "what was found: list, show, approve, reject, try, snooze, undo",
     suggestions_main},
    {"discovery", "the device as Home Assistant gets it: print, check, announce", discovery_main},
    {NULL, NULL, NULL},
};

static void usage(FILE *out)
{
    fputs("Usage: ha-ai COMMAND [OPTIONS]\n"
          "Learns the habits of a home and suggests automations inside Home Assistant.\n\n"
          "Commands:\n",
          out);
    for (const struct command *c = commands; c->name != NULL; c++)
        fprintf(out, "  %-11s %s\n", c->name, c->summary);
    fputs("\n`ha-ai COMMAND --help` tells the options of a command.\n", out);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("ha-ai " HA_AI_VERSION);
        return 0;
    }
    for (const struct command *c = commands; c->name != NULL; c++)
        if (strcmp(argv[1], c->name) == 0)
            return c->run(argc - 1, argv + 1);
    fprintf(stderr, "ha-ai: unknown command '%s'; see 'ha-ai --help'\n", argv[1]);
    return 2;
}
