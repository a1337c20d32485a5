/* The purposes of random streams in a home: what two draws must not share. */
#ifndef HA_AI_HOME_STREAMS_H
#define HA_AI_HOME_STREAMS_H

enum home_stream {
    STREAM_PLAN = 1,
    STREAM_USES,
    STREAM_HABIT,
    STREAM_MACHINE,
    STREAM_OUTAGES,
    STREAM_LEVEL,
    STREAM_READINGS,
    STREAM_WORLD,
    STREAM_USERS,
    STREAM_REGISTRY,
    STREAM_HABITS,
    STREAM_TROUBLE,
    STREAM_SENSORS,
    STREAM_LIFE,
    STREAM_WALK,
    STREAM_SEQUENCE,
    STREAM_FLAPPING,
    STREAM_COMING,
    STREAM_MOOD,
};

#endif
