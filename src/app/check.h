/* `ha-ai check`: tries every part of the configuration. */
#ifndef HA_AI_APP_CHECK_H
#define HA_AI_APP_CHECK_H

/* Prints a table of parts: ok, failed or off, and what to do. 0 = nothing failed, 1 = something
 * did, 2 = wrong use. With --health it asks the running service instead. */
int check_main(int argc, char **argv);

#endif
