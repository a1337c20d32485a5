/* `ha-ai suggestions`: what is known, from the database; decisions, by the running service. */
#ifndef HA_AI_DEVICE_SUGGESTIONS_COMMAND_H
#define HA_AI_DEVICE_SUGGESTIONS_COMMAND_H

/* The exit code: 0 done, 1 failed or refused, 2 wrong use. */
int suggestions_main(int argc, char **argv);

#endif
