/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_told.c owns the decision when the log speaks of a full table.
 * It knows no log and no store.
 *
 * Invariant: the first time is told at once, the next ones at most once a
 * minute, and what is told adds up to what was counted.
 */
#include "guard_store_told.h"

void guard_store_told_begin(guard_store_told_t *told, uint64_t evictions,
                            uint64_t overflow, uint64_t now_usec)
{
    told->evictions = evictions;
    told->overflow = overflow;
    told->at_usec = now_usec;
    told->is_told = 0;
}

int guard_store_told_news(guard_store_told_t *told, uint64_t evictions,
                          uint64_t overflow, uint64_t now_usec,
                          guard_store_news_t *news)
{
    /* The file was rebuilt, and counts from 0 again. */
    if (evictions < told->evictions || overflow < told->overflow) {
        told->evictions = evictions;
        told->overflow = overflow;
    }
    if (evictions == told->evictions && overflow == told->overflow) {
        return 0;
    }
    if (told->is_told && now_usec - told->at_usec < GUARD_TOLD_USEC) {
        return 0;
    }
    news->evictions = evictions - told->evictions;
    news->overflow = overflow - told->overflow;
    news->seconds = (unsigned)apr_time_sec(now_usec - told->at_usec);
    guard_store_told_begin(told, evictions, overflow, now_usec);
    told->is_told = 1;
    return 1;
}
