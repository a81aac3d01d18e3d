/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * list_order.c: htguard's list comes in order, each record once, whatever the
 * order in the store and however few records are held at once; it ends when
 * it is told to; and it holds no more than it may.
 */
#include "../../tools/htguard_order.c"
#include "tap.h"

#include <apr_general.h>

#include <stdlib.h>

#define RECORDS 1000

static guard_entry_t record[RECORDS];
static guard_entry_t expected[RECORDS];
static unsigned record_count;
static unsigned passes;
static apr_status_t failure; /* of the store, at its last record */

static apr_status_t iterate(guard_store_t *store, uint64_t now_usec,
                            const guard_filter_t *filter, guard_entry_fn *each,
                            void *baton)
{
    (void)store;
    (void)now_usec;
    (void)filter;
    passes++;
    for (unsigned i = 0; i < record_count; i++) {
        apr_status_t rv = each(baton, &record[i]);

        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    return failure;
}

static const guard_store_ops_t ops = {.name = "made up", .iterate = iterate};
static guard_store_t store = {.ops = &ops};
static volatile sig_atomic_t stop;

typedef struct seen_t {
    unsigned count;
    unsigned wrong;
    unsigned longest; /* page */
    unsigned stop_at; /* 0: never */
} seen_t;

static apr_status_t see(void *baton, const guard_entry_t *const *entries,
                        unsigned count)
{
    seen_t *seen = baton;

    seen->longest = count > seen->longest ? count : seen->longest;
    for (unsigned i = 0; i < count; i++, seen->count++) {
        seen->wrong += seen->count >= record_count ||
                       entries[i]->id != expected[seen->count].id;
    }
    stop = seen->stop_at && seen->count >= seen->stop_at;
    return APR_SUCCESS;
}

static apr_status_t walk(unsigned page_max, seen_t *seen)
{
    htguard_order_t order = {.store = &store,
                             .page_max = page_max,
                             .stop = &stop,
                             .page = see,
                             .baton = seen};
    apr_pool_t *pool;
    apr_status_t rv;

    stop = 0;
    passes = 0;
    apr_pool_create(&pool, NULL);
    rv = htguard_order_walk(&order, pool);
    apr_pool_destroy(pool);
    return rv;
}

/* Some last equally long, so that ids decide, too; and a calm one may last
 * longer than one that is locked. */
static void make_records(unsigned count)
{
    static const guard_phase_e PHASE[] = {GUARD_PHASE_LOCKED,
                                          GUARD_PHASE_WINDOW, GUARD_PHASE_CALM};
    unsigned to = 0;

    record_count = count;
    for (unsigned i = 0; i < count; i++) {
        expected[i].phase = PHASE[i * 3 / count];
        expected[i].remaining_usec =
            apr_time_from_sec(1 + (count - i * 3 % count) / 16);
        expected[i].id = i + 1;
    }
    for (unsigned step = 0; step < 7; step++) {
        for (unsigned i = step; i < count; i += 7) {
            record[to++] = expected[count - 1 - i];
        }
    }
}

static void in_order(unsigned count, unsigned page_max)
{
    seen_t seen = {0};
    apr_status_t rv;
    unsigned pages = (count + page_max - 1) / page_max;

    make_records(count);
    rv = walk(page_max, &seen);
    ok(rv == APR_SUCCESS && seen.count == count && !seen.wrong,
       "%u records, %u held: in order (%u seen, %u wrong)", count, page_max,
       seen.count, seen.wrong);
    ok(seen.longest <= page_max && passes == (pages ? pages : 1),
       "%u records, %u held: %u passes", count, page_max, passes);
}

int main(void)
{
    static const unsigned HELD[] = {1, 7, 499, 500, 999, 1000, 4096};
    seen_t seen = {.stop_at = 100};

    apr_initialize();
    for (unsigned i = 0; i < sizeof(HELD) / sizeof(HELD[0]); i++) {
        in_order(RECORDS, HELD[i]);
    }
    in_order(0, 16);
    in_order(1, 1);

    make_records(RECORDS);
    is(walk(100, &seen), APR_EINTR, "told to stop: it ends");
    is(seen.count, 100, "after the page that it was at");

    seen = (seen_t){0};
    failure = APR_TIMEUP;
    is(walk(100, &seen), APR_TIMEUP, "what the store says is passed on");
    is(seen.count, 0, "and nothing shown that may be out of order");
    apr_terminate();
    return tap_done();
}
