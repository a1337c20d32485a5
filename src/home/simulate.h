/* `ha-ai simulate`: a genuine recorder database of a home with planted habits, and the truth. */
#ifndef HA_AI_HOME_SIMULATE_H
#define HA_AI_HOME_SIMULATE_H

/* The subcommand; the exit code: 0 done, 1 failed, 2 wrong use. */
int simulate_main(int argc, char **argv);

#endif
