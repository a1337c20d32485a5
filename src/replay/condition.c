#include "replay/engine.h"

enum verdict condition_check(const struct replay *r, const struct condition *c,
                             const struct occasion *o, int64_t now_us)
{
    return c->is_disabled ? VERDICT_NONE : c->type->check(r, c, o, now_us);
}

bool conditions_pass(const struct replay *r, const struct condition *list, size_t count,
                     const struct occasion *o, int64_t now_us)
{
    bool has_error = false;
    for (size_t i = 0; i < count; i++) {
        enum verdict verdict = condition_check(r, &list[i], o, now_us);
        if (verdict == VERDICT_FALSE || verdict == VERDICT_EXCEPTION)
            return false;
        has_error = has_error || verdict == VERDICT_ERROR;
    }
    return !has_error;
}
