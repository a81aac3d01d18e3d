/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * policy_slots.c: what a record remembers of guesses: forgiveness, the reuse
 * of slots, holders, waiters, and what is void under another guess key.
 * script.h tells how a story is read.
 */
#include "script.h"

static const script_row_t forgiveness_rows[] = {
    {"ip: the user's own failures are forgiven", "a1! a2! a3= failures=0"},
    {"login: the user's own failures are forgiven",
     "kind=login a1! a2! a3= failures=0"},
    {"net: nothing is forgiven", "kind=net a1! a2! a3= failures=2"},
    {"user: nothing is forgiven", "kind=user a1! a2! a3= failures=2"},
    {"overflow: nothing is forgiven", "kind=overflow a1! a2! a3= failures=2"},
    {"observed records forgive as real ones do",
     "observed a1! a2! a3= failures=0"},
    {"observed net records forgive nothing either",
     "kind=net observed a1! a2! a3= failures=2"},
    {"another user's failures are not",
     "a1! b1! b2! a2= failures=2 b1?repeated"},
    {"a forgiven guess is forgotten, and counts if it comes again",
     "a1! a2= a1?free a1! failures=1"},
    {"nothing is forgiven to a guess that was proven before",
     "a1= a2! a1= failures=1"},
    {"nor when it had to queue", "a1= busy busy busy busy busy busy busy busy "
                                 "a2! a1= failures=1"},
    {"proof that ran out does not count as proven before",
     "a1= +595 a2! +5 a1= failures=0"},
    {"at most limit are forgiven in one window",
     "limit=3 a1! a2! a3= failures=0 a4! a5! a6= failures=1"},
    {"and as many again in the next",
     "limit=3 a1! a2! a3= a4! a5! a6= +600 a7! a8! a9= failures=0"},
    {"what is remembered no more is not forgiven",
     "limit=100 a1! +1 a2! +1 a3! +1 a4! +1 a5! +1 a6! +1 a7! +1 a8! a9= "
     "failures=3"},
    {"a guess still being verified is not forgiven",
     "a1< a2= failures=0 a1x failures=1"},
    {"a guess that was wrong and is right now is forgiven itself",
     "a1! +6 a1= failures=0 a1?proven"},
    {"net: a guess that was wrong and is right now stays counted",
     "kind=net a1! +6 a1= failures=1 a1?proven"},
    {"a joined guess forgives once",
     "limit=3 a1! a2< a2& a2v failures=0 a3! a2v failures=1"},
    {"forgiveness leaves the window open",
     "a1! +100 a2= failures=0 phase=window left=500"},
    {"a lockout is not forgiven",
     "limit=3 a1! a2! a3< limit=2 over a3v phase=locked failures=2"},
    {"Digest: forgiven by user all the same", "A1! A2! A3= failures=0"},
};

static const script_row_t slot_rows[] = {
    {"an empty slot is taken before anything is forgotten",
     "limit=9 p1= a1! b1! c1! d1! q1= p1?proven q1?proven a1?repeated"},
    {"then the oldest proven guess is forgotten",
     "limit=9 p1= +1 q1= a1! b1! c1! d1! e1< p1?free q1?proven a1?repeated"},
    {"a new proven one goes before an old rejected one",
     "limit=9 a1! b1! c1! d1! e1! +1 p1= f1< p1?free a1?repeated"},
    {"then the oldest rejected guess",
     "limit=9 a1! +1 b1! +1 c1! +1 d1! +1 e1! +1 f1! g1< a1?free b1?repeated "
     "c1?repeated f1?repeated"},
    {"the oldest is the one that was wrong longest ago, not first",
     "limit=9 a1! +1 b1! c1! d1! e1! f1! +5 a1! g1< a1?repeated"},
    {"a forgotten failure still counts, and counts again if it comes again",
     "limit=9 a1! +1 b1! c1! d1! e1! f1! g1! failures=7 a1! failures=8"},
    {"slots in flight are never taken, whatever time it is",
     "limit=99 a1< b1< c1< +300 d1< e1< f1< g1?full +299 g1?full a1x b1v "
     "g1?free"},
    {"a dropped place's slot is free again",
     "limit=99 a1< b1< c1< d1< e1< f1< g1?full +601 g1?free"},
    {"a right verdict that finds no slot is lost, not counted",
     "limit=99 a1= a1< b1< c1< d1< e1< f1< g1< h1?full a1v failures=0 "
     "places=6"},
    {"a wrong verdict that finds no slot is counted",
     "limit=99 a1= a1< b1< c1< d1< e1< f1< g1< a1x failures=1 places=6"},
    {"void: proven guesses are", "a1= void a1?free blank=1"},
    {"void: rejected guesses are, their failures are not",
     "a1! b1! void failures=2 a1?free"},
    {"void: places stay taken", "limit=2 a1! b1< void places=1 c1?full"},
    {"void: a guess verified again leaves its failure",
     "a1! +6 a1< void failures=1 places=0 a1?free"},
    {"void: lockouts and levels stay",
     "limit=1 a1! void phase=locked left=900 level=1"},
    {"settled after the window closed on its rejection: new again",
     "window=20 a1! +10 a1< a1x +10 a1?free a1! failures=1"},
};

/* One slot counts so many holders; the others hold nothing, and the place is
 * given back when the counted ones have ended. */
static void holders_are_bounded(void)
{
    enum { JOINED = 299 };
    static script_t s;
    guard_guess_t guess = script_guess("a1");
    unsigned nothing = 0;

    script_init(&s);
    script_begin(&s, &guess, GUARD_ROW_FREE);
    for (int i = 0; i < JOINED; i++) {
        script_begin(&s, &guess, GUARD_ROW_CHECKING);
    }
    for (int i = 0; i <= JOINED; i++) {
        nothing += s.open[i].hold.what == GUARD_HOLD_NOTHING;
    }
    is(nothing, JOINED + 1 - GUARD_HOLDERS_MAX, "holders are counted to 255");
    is(script_places(&s.record), 1, "all under one place");
    for (int i = 0; i < GUARD_HOLDERS_MAX - 1; i++) {
        script_end(&s, &guess, GUARD_ABANDONED);
    }
    is(script_places(&s.record), 1, "one counted holder keeps the place");
    while (script_end(&s, &guess, GUARD_ABANDONED)) {
    }
    is(script_places(&s.record), 0, "the last one gives it back");
    ok(!guard_policy_fault(&s.record, s.now_usec), "the record is sound");
}

#define WAIT_USEC (2 * APR_USEC_PER_SEC)

/* @return how many more may wait, on a copy. */
static int waits_left(const guard_record_t *record, uint64_t now_usec)
{
    guard_record_t copy = *record;
    int left = 0;

    guard_policy_refresh(&copy, now_usec);
    while (left <= GUARD_WAITERS_MAX &&
           guard_policy_wait(&copy, now_usec, WAIT_USEC)) {
        left++;
    }
    return left;
}

static void waiters_are_bounded(void)
{
    static script_t s;

    script_init(&s);
    is(waits_left(&s.record, s.now_usec), GUARD_WAITERS_MAX, "32 may wait");
    for (int i = 0; i < GUARD_WAITERS_MAX; i++) {
        guard_policy_wait(&s.record, s.now_usec, WAIT_USEC);
    }
    is(waits_left(&s.record, s.now_usec), 0, "the 33rd may not");
    ok(!guard_policy_fault(&s.record, s.now_usec), "the record is sound");
    guard_policy_unwait(&s.record);
    is(waits_left(&s.record, s.now_usec), 1, "one wait ended: one more may");
    for (int i = 0; i < 2 * GUARD_WAITERS_MAX; i++) {
        guard_policy_unwait(&s.record);
    }
    is(waits_left(&s.record, s.now_usec), GUARD_WAITERS_MAX,
       "ends without a wait do no harm");
}

/* 32 requests begin to wait at that time. @return 1 if so many more may, so
 * much later. */
static int waits_left_later(uint64_t start_usec, double wait_sec,
                            double later_sec, int left)
{
    static script_t s;

    script_init(&s);
    for (int i = 0; i < GUARD_WAITERS_MAX; i++) {
        guard_policy_wait(&s.record, start_usec,
                          (apr_interval_time_t)(wait_sec * APR_USEC_PER_SEC));
    }
    start_usec += (uint64_t)(later_sec * APR_USEC_PER_SEC);
    return waits_left(&s.record, start_usec) == left;
}

/* Whatever the clock shows: the seconds of a wait's end are kept in 16 bits. */
static void killed_waiters_are_forgotten(void)
{
    static const struct {
        double wait_sec;
        const char *after;
        double sec;
        int left;
    } row[] = {
        {2, "1 s", 1, 0},
        {2, "1.9 s", 1.9, 0},
        {2, "5 s", 5, GUARD_WAITERS_MAX},
        {2, "10 minutes", 600, GUARD_WAITERS_MAX},
        {2, "9 hours", 32400, GUARD_WAITERS_MAX},
        {2, "10 hours", 36000, GUARD_WAITERS_MAX},
        {2, "18 hours", 64800, GUARD_WAITERS_MAX},
        {2, "1 day", 86400, GUARD_WAITERS_MAX},
        {2, "30 days", 30 * 86400, GUARD_WAITERS_MAX},
        {0.001, "3 s", 3, GUARD_WAITERS_MAX},
        {60, "59.9 s", 59.9, 0},
        {60, "63 s", 63, GUARD_WAITERS_MAX},
        {60, "10 hours", 36000, GUARD_WAITERS_MAX},
    };
    static const uint64_t start_sec[] = {0,     100000, 65473, 65533,
                                         65534, 65535,  65536, 131071};

    for (size_t i = 0; i < COUNT(row); i++) {
        int fine = 1;

        for (size_t j = 0; j < COUNT(start_sec); j++) {
            uint64_t start_usec = start_sec[j] * APR_USEC_PER_SEC + 900000;

            fine &= waits_left_later(start_usec, row[i].wait_sec, row[i].sec,
                                     row[i].left);
        }
        ok(fine, "waits of %g s are %s after %s", row[i].wait_sec,
           row[i].left ? "forgotten" : "counted", row[i].after);
    }
}

static void a_late_waiter_keeps_its_own_time(void)
{
    static script_t s;

    script_init(&s);
    guard_policy_wait(&s.record, s.now_usec, WAIT_USEC);
    s.now_usec += (uint64_t)WAIT_USEC;
    guard_policy_refresh(&s.record, s.now_usec);
    guard_policy_wait(&s.record, s.now_usec, WAIT_USEC);
    ok(waits_left(&s.record, s.now_usec + (uint64_t)WAIT_USEC - 1) <
           GUARD_WAITERS_MAX,
       "the end of the first wait does not end the second");
}

int main(void)
{
    script_run(forgiveness_rows, COUNT(forgiveness_rows));
    script_run(slot_rows, COUNT(slot_rows));
    holders_are_bounded();
    waiters_are_bounded();
    killed_waiters_are_forgotten();
    a_late_waiter_keeps_its_own_time();
    return tap_done();
}
