/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_age.c: a bucket that nobody looks into for days or months. A slot
 * keeps few bits of when it ends; what ended long ago must not be taken for
 * something to come, and what lasts must last.
 */
#include "caller.h"
#include "shm.h"

#define DAY 86400u
#define WEEK_USEC GUARD_WINDOW_USEC_MAX
#define START_SEC 1000000u
#define HALF (APR_USEC_PER_SEC / 2) /* times in slots are whole seconds */
/* What a slot's bits count before they begin anew. */
#define ROUND_SEC (1u << GUARD_UNTIL_BITS)

static caller_t c;

static guard_claim_t client(const char *addr, unsigned limit)
{
    guard_claim_t claim = caller_ip(&c, addr, limit);

    claim.policy.window_usec = WEEK_USEC;
    claim.policy.lockout_usec = claim.policy.lockout_max_usec =
        GUARD_LOCKOUT_USEC_MAX;
    return claim;
}

static void begin(unsigned start_sec)
{
    shm_close();
    shm_sweep();
    c.store = shm_serve(GUARD_SHM_CLIENTS_MIN, NULL);
    c.now_usec = start_sec * (uint64_t)APR_USEC_PER_SEC + HALF;
    c.scope = "age";
}

/* One client of each sort, and that time passes. */
static void after(unsigned start_sec, unsigned gap_sec)
{
    guard_claim_t places, rejected, proven, locked;
    guard_ticket_t held = {0}, asked = {0};
    unsigned is_over = gap_sec >= 7 * DAY;

    begin(start_sec);
    places = client("192.0.2.1", 2);
    rejected = client("192.0.2.2", 9);
    proven = client("192.0.2.3", 9);
    locked = client("192.0.2.4", 1);
    caller_reserve(&c, &places, 1, "a:1", GUARD_LAST_TRY, &held);
    caller_attempt(&c, &rejected, 1, "a:1", GUARD_WRONG);
    caller_attempt(&c, &proven, 1, "a:1", GUARD_RIGHT);
    caller_fail(&c, &locked, 1);
    caller_pass(&c, gap_sec);
    printf("# %u s after %u s\n", gap_sec, start_sec);
    is(caller_peek(&c, &locked, 1)->phase,
       gap_sec < 30 * DAY ? GUARD_PHASE_LOCKED : GUARD_PHASE_CALM,
       "a lockout of 30 days lasts that long");
    is(caller_places(&c, &places), is_over ? 2 : 1,
       "a place that is never settled is taken for a week");
    is(caller_peek(&c, &rejected, 1)->failures, is_over ? 0 : 1,
       "a failure counts for a week");
    is(caller_reserve(&c, &rejected, 1, "a:1", GUARD_LAST_TRY, &asked),
       gap_sec < GUARD_REPEAT_SEC ? GUARD_REPEAT : GUARD_ADMIT,
       "a rejected guess is looked at again");
    memset(&asked, 0, sizeof asked);
    caller_reserve(&c, &proven, 1, "a:1", GUARD_LAST_TRY, &asked);
    is(c.report.is_proven, gap_sec < GUARD_PROVEN_SEC,
       "a right one is proven for minutes");
    shm_is_sound(c.store, c.now_usec, "then");
}

/* The same without a long pause: somebody looks each day. */
static void day_by_day(unsigned start_sec)
{
    guard_claim_t places;
    guard_ticket_t held = {0};
    unsigned wrong = 0;

    begin(start_sec);
    places = client("192.0.2.1", 1);
    caller_reserve(&c, &places, 1, "a:1", GUARD_LAST_TRY, &held);
    for (unsigned day = 1; day < 60; day++) {
        guard_claim_t other = client("192.0.2.9", 9);

        caller_pass(&c, DAY);
        caller_fail(&c, &other, 1);
        wrong += caller_places(&c, &places) != (day > 7);
    }
    printf("# from %u s on\n", start_sec);
    is(wrong, 0, "day by day, the same");
}

/* Two windows of different lengths share a count, so that one stays open for
 * longer than the longest: what was rejected at its beginning is looked at
 * again at its end. */
static void test_prolonged(void)
{
    guard_claim_t shorter, longer;
    guard_ticket_t ticket = {0};

    begin(START_SEC);
    shorter = client("192.0.2.1", 9);
    longer = shorter;
    shorter.policy.window_usec = apr_time_from_sec(6 * DAY + DAY / 4);
    longer.policy.window_usec = apr_time_from_sec(7 * DAY);
    caller_attempt(&c, &shorter, 1, "u:old", GUARD_WRONG);
    caller_pass(&c, 6 * DAY - 60);
    caller_attempt(&c, &longer, 1, "u:other", GUARD_WRONG);
    caller_pass(&c, 6 * DAY + DAY / 2);
    is(caller_peek(&c, &shorter, 1)->failures, 2, "the window is open still");
    is(caller_reserve(&c, &shorter, 1, "u:old", GUARD_LAST_TRY, &ticket),
       GUARD_ADMIT, "twelve days later it is looked at again");
}

int main(void)
{
    static const unsigned gap[] = {
        1,        60,       900,      DAY - 1,  DAY,       6 * DAY,  8 * DAY,
        11 * DAY, 12 * DAY, 13 * DAY, 16 * DAY, 19 * DAY,  20 * DAY, 24 * DAY,
        25 * DAY, 29 * DAY, 31 * DAY, 45 * DAY, 100 * DAY, 400 * DAY};
    static const unsigned start[] = {
        1,         START_SEC,     ROUND_SEC - 605, ROUND_SEC - 6,
        ROUND_SEC, 50 * ROUND_SEC};

    shm_begin();
    for (size_t i = 0; i < COUNT(start); i++) {
        for (size_t j = 0; j < COUNT(gap); j++) {
            after(start[i], gap[j]);
        }
        day_by_day(start[i]);
    }
    test_prolonged();
    shm_close();
    return tap_done();
}
