/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_told.c: the log speaks of a full table at once, then at most once a
 * minute, and what it says adds up to what was counted.
 */
#include "guard_store_told.h"
#include "tap.h"

#define SECOND ((uint64_t)APR_USEC_PER_SEC)

static guard_store_told_t told;
static guard_store_news_t news;
static uint64_t start_usec = 1000 * SECOND;

static int news_at(unsigned second, uint64_t evictions, uint64_t overflow)
{
    memset(&news, 0, sizeof news);
    return guard_store_told_news(&told, evictions, overflow,
                                 start_usec + second * SECOND, &news);
}

static void is_news(uint64_t evictions, uint64_t overflow, unsigned seconds)
{
    is((long long)news.evictions, (long long)evictions, "  so many evictions");
    is((long long)news.overflow, (long long)overflow, "  so much overflow");
    is(news.seconds, seconds, "  in so many seconds");
}

static void a_flood(void)
{
    unsigned lines = 0;
    uint64_t evictions = 0, overflow = 0;

    guard_store_told_begin(&told, 0, 0, start_usec);
    for (unsigned second = 0; second < 3600; second++) {
        lines += (unsigned)news_at(second, 7 * second, 3 * second);
        evictions += news.evictions;
        overflow += news.overflow;
    }
    is(lines, 60, "a flood of an hour: a line a minute");
    is(news_at(3660, 7 * 3599, 3 * 3599), 1, "and one for the rest");
    is((long long)(evictions + news.evictions), 7 * 3599,
       "all evictions are told of");
    is((long long)(overflow + news.overflow), 3 * 3599, "all overflow too");
    is(news_at(9999, 7 * 3599, 3 * 3599), 0, "then there is no news");
}

int main(void)
{
    guard_store_told_begin(&told, 100, 50, start_usec);
    is(news_at(10, 100, 50), 0, "what the file had counted before is no news");
    is(news_at(20, 101, 50), 1, "the first eviction is told at once");
    is_news(1, 0, 20);
    is(news_at(21, 105, 52), 0, "the next ones are not");
    is(news_at(79, 109, 53), 0, "for a minute");
    is(news_at(80, 110, 53), 1, "then they are, all of them");
    is_news(9, 3, 60);
    is(news_at(200, 110, 53), 0, "no news, no line");
    is(news_at(201, 110, 54), 1, "overflow alone is news");
    is_news(0, 1, 121);
    is(news_at(300, 4, 0), 0, "a file that was rebuilt counts from the start");
    is(news_at(301, 5, 0), 1, "and what comes then is news");
    is_news(1, 0, 100);
    a_flood();
    return tap_done();
}
