/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_told.h: when to say again that a table is full.
 *
 * Pure functions over counters that only grow. One process tells, so nothing
 * here is shared; now_usec is guard_store_clock() or a test's own.
 */
#ifndef GUARD_STORE_TOLD_H
#define GUARD_STORE_TOLD_H

#include <apr_time.h>
#include <stdint.h>

#define GUARD_TOLD_USEC apr_time_from_sec(60) /* at most so often */

/** What has been told of, and when. */
typedef struct guard_store_told_t {
    uint64_t evictions;
    uint64_t overflow;
    uint64_t at_usec;
    int is_told; /* 0: nothing yet; at_usec is when it began */
} guard_store_told_t;

/** What is to be told. */
typedef struct guard_store_news_t {
    uint64_t evictions;
    uint64_t overflow;
    unsigned seconds; /* in which it came */
} guard_store_news_t;

/** Begin: what the counters say now is no news. */
void guard_store_told_begin(guard_store_told_t *told, uint64_t evictions,
                            uint64_t overflow, uint64_t now_usec);

/**
 * Look at the counters, as often as you like.
 * @return 1 if it is time to tell, with *news set and noted as told; else 0
 */
int guard_store_told_news(guard_store_told_t *told, uint64_t evictions,
                          uint64_t overflow, uint64_t now_usec,
                          guard_store_news_t *news);

#endif
