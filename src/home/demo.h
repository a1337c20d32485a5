/* `ha-ai demo`: a broker, the service and a simulated home that lives on, until Ctrl-C. */
#ifndef HA_AI_HOME_DEMO_H
#define HA_AI_HOME_DEMO_H

int demo_main(int argc, char **argv);

#endif
