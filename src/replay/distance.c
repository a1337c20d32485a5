#include "replay/distance.h"

#include <math.h>

#define AXIS_A_M 6378137.0
#define FLATTENING (1 / 298.257223563)
#define AXIS_B_M 6356752.314245
#define PRECISION 1e-12

enum { ITERATIONS_MAX = 200 };

static double radians(double degrees)
{
    return degrees * (3.14159265358979323846 / 180.0);
}

/* The arc on the auxiliary sphere, and what the series of its length needs. */
struct arc {
    double sigma, sin_sigma, cos_sigma, cos_sq_alpha, cos_2sigma_m;
};

static double arc_length(const struct arc *a)
{
    double u_sq =
        a->cos_sq_alpha * (AXIS_A_M * AXIS_A_M - AXIS_B_M * AXIS_B_M) / (AXIS_B_M * AXIS_B_M);
    double big_a = 1 + u_sq / 16384 * (4096 + u_sq * (-768 + u_sq * (320 - 175 * u_sq)));
    double big_b = u_sq / 1024 * (256 + u_sq * (-128 + u_sq * (74 - 47 * u_sq)));
    double m = a->cos_2sigma_m;
    double delta =
        big_b * a->sin_sigma *
        (m + big_b / 4 *
                 (a->cos_sigma * (-1 + 2 * m * m) -
                  big_b / 6 * m * (-3 + 4 * a->sin_sigma * a->sin_sigma) * (-3 + 4 * m * m)));
    return AXIS_B_M * big_a * (a->sigma - delta);
}

double distance_m(double latitude_1, double longitude_1, double latitude_2, double longitude_2)
{
    double u1 = atan((1 - FLATTENING) * tan(radians(latitude_1)));
    double u2 = atan((1 - FLATTENING) * tan(radians(latitude_2)));
    double difference = radians(longitude_2 - longitude_1), lambda = difference;
    double sin_u1 = sin(u1), cos_u1 = cos(u1), sin_u2 = sin(u2), cos_u2 = cos(u2);
    for (int i = 0; i < ITERATIONS_MAX; i++) {
        struct arc a;
        double across = cos_u2 * sin(lambda);
        double along = cos_u1 * sin_u2 - sin_u1 * cos_u2 * cos(lambda);
        a.sin_sigma = sqrt(across * across + along * along);
        if (!(a.sin_sigma > 0))
            return 0;
        a.cos_sigma = sin_u1 * sin_u2 + cos_u1 * cos_u2 * cos(lambda);
        a.sigma = atan2(a.sin_sigma, a.cos_sigma);
        double sin_alpha = cos_u1 * cos_u2 * sin(lambda) / a.sin_sigma;
        a.cos_sq_alpha = 1 - sin_alpha * sin_alpha;
        a.cos_2sigma_m =
            a.cos_sq_alpha > 0 ? a.cos_sigma - 2 * sin_u1 * sin_u2 / a.cos_sq_alpha : 0;
        double c = FLATTENING / 16 * a.cos_sq_alpha * (4 + FLATTENING * (4 - 3 * a.cos_sq_alpha));
        double before = lambda, m = a.cos_2sigma_m;
        lambda =
            difference + (1 - c) * FLATTENING * sin_alpha *
                             (a.sigma + c * a.sin_sigma * (m + c * a.cos_sigma * (-1 + 2 * m * m)));
        if (fabs(lambda - before) < PRECISION)
            return rint(arc_length(&a) * 1000) / 1000;
    }
    return NAN;
}
