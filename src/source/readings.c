#include "source/readings.h"

static bool is_same(double a, double b)
{
    return !(a < b) && !(a > b);
}

size_t readings_take(struct readings *r, const struct history_value *value,
                     struct history_value kept[READINGS_KEPT_MAX])
{
    size_t count = 0;
    if (r->has_any && value->time_ms < r->latest.time_ms) {
        /* It may lie between the last kept one and one that repeated it. */
        if (!r->is_latest_kept)
            kept[count++] = r->latest;
        r->is_latest_kept = true;
        r->kept = value->value;
        kept[count++] = *value;
        return count;
    }
    bool is_repeated = r->has_any && is_same(r->kept, value->value) &&
                       (!r->is_latest_kept || is_same(r->latest.value, value->value));
    r->latest = *value;
    r->has_any = true;
    r->is_latest_kept = !is_repeated;
    if (is_repeated)
        return 0;
    r->kept = value->value;
    kept[0] = *value;
    return 1;
}
