/* The face to machines: GET /health on HTTP_BIND:HTTP_PORT. */
#ifndef HA_AI_WEB_WEB_H
#define HA_AI_WEB_WEB_H

#include "app/face.h"

extern const struct face web_face;

#endif
