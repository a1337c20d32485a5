#ifndef HA_AI_DEVICE_DISCOVERY_COMMAND_H
#define HA_AI_DEVICE_DISCOVERY_COMMAND_H

/* `ha-ai discovery print|check|announce`. The exit code. */
int discovery_main(int argc, char **argv);

#endif
