/* The distance of two places as Home Assistant measures it (util/location.py): Vincenty's inverse
 * formula on WGS 84 (Survey Review 23, 1975). Pure. */
#ifndef HA_AI_REPLAY_DISTANCE_H
#define HA_AI_REPLAY_DISTANCE_H

/* Degrees to metres, rounded to a millimetre; NAN where the iteration does not settle (places
 * nearly opposite on the globe). Any thread. */
double distance_m(double latitude_1, double longitude_1, double latitude_2, double longitude_2);

#endif
