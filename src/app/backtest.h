/* `ha-ai backtest`: an automation's file and a history in, what it would have done out. */
#ifndef HA_AI_APP_BACKTEST_H
#define HA_AI_APP_BACKTEST_H

/* The exit code: 0 done, 1 failed, 2 wrong use. */
int backtest_main(int argc, char **argv);

#endif
