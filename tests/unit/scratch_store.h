/* A database of ours in a folder of the test's own, open while a test runs: cmocka's set-up and
 * teardown. */
#ifndef HA_AI_TESTS_SCRATCH_STORE_H
#define HA_AI_TESTS_SCRATCH_STORE_H

#include "scratch.h"
#include "store/store.h"

#define SCRATCH_STORE "ha-ai.db" /* of scratch_path */

static struct store *store;

static inline void scratch_store_open(void)
{
    struct error err = {0};
    char *path = scratch_path(SCRATCH_STORE);
    store = store_open(path, &err);
    free(path);
    if (store == NULL)
        fail_msg("%s", err.message);
}

static inline int scratch_store_make(void **state)
{
    assert_int_equal(scratch_make(state), 0);
    scratch_store_open();
    return 0;
}

static inline int scratch_store_remove(void **state)
{
    store_close(store);
    return scratch_remove(state);
}

#define STORE_TEST(name) \
    cmocka_unit_test_setup_teardown(name, scratch_store_make, scratch_store_remove)

#endif
