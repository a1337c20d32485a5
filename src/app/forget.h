/* `ha-ai forget`: erases what is kept of an entity, or of all, also while the service runs. */
#ifndef HA_AI_APP_FORGET_H
#define HA_AI_APP_FORGET_H

/* The exit code: 0 done, 1 failed, 2 wrong use. */
int forget_main(int argc, char **argv);

#endif
