/* UUIDv7 (RFC 9562): ids that sort by time. Any thread. */
#ifndef HA_AI_CORE_UUID_H
#define HA_AI_CORE_UUID_H

enum { UUID_SIZE = 37 };

void uuid_v7(char out[UUID_SIZE]);

#endif
