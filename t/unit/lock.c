/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * lock.c: what others see of a lock whose holder lives but does not go on: an
 * error after a while, as if they had not called; and the lock, once he does.
 */
#include "caller.h"
#include "shm.h"
#include "stop.h"

#define HELD 3                                   /* a step in the middle */
#define TWO_LOCKS (4 * GUARD_SHM_BUCKET_CLIENTS) /* two buckets have one */

static caller_t c;
static guard_claim_t claim, other;
static guard_ticket_t ticket;

/* @return a client of that bucket, another for each first. */
static guard_claim_t client_in(uint32_t bucket, unsigned first)
{
    const guard_shm_table_t *table = guard_store_shm_table(c.store);
    guard_claim_t found;

    do {
        found = caller_nth(&c, first++, 3);
    } while (guard_shm_table_bucket_of(table, found.client.id) != bucket);
    return found;
}

static void settle_wrong(void) { caller_settle(&c, &ticket, GUARD_WRONG); }

/* A client with one failure and a guess in flight. */
static void begin(const char *scope)
{
    printf("# %s\n", scope);
    shm_close();
    shm_sweep();
    c.store = shm_serve(TWO_LOCKS, NULL);
    c.now_usec = (uint64_t)apr_time_from_sec(1000000);
    c.scope = scope;
    memset(&ticket, 0, sizeof ticket);
    claim = client_in(2, 0);
    other = client_in(0, 0); /* whose lock comes first */
    caller_fail(&c, &claim, 1);
    caller_reserve(&c, &claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
}

/* Let the holder go on. */
static void release(pid_t pid)
{
    kill(pid, SIGCONT);
    is(shm_wait(pid), 0, "the holder goes on");
    is(caller_peek(&c, &claim, 1)->failures, 2, "and all is as it should be");
    shm_is_sound(c.store, c.now_usec, "then");
}

static void errors_change_nothing(void)
{
    const guard_store_ops_t *op;
    guard_report_t blank;
    guard_ticket_t fresh = {0}, open;
    guard_guess_t guess;
    pid_t pid;

    begin("errors change nothing");
    op = c.store->ops;
    open = ticket;
    guess = caller_guess(&c, "b:1");
    pid = stop_child(c.store, settle_wrong, HELD);
    memset(&blank, 0x5a, sizeof blank);
    c.report = blank;
    is(op->reserve(c.store, c.now_usec, &claim, 1, &guess, GUARD_LAST_TRY,
                   &fresh, &c.report),
       APR_TIMEUP, "reserve: a lock that is held too long is told");
    is(fresh.state, GUARD_TICKET_NEW, "  no ticket is given");
    is(op->peek(c.store, c.now_usec, &claim, 1, &c.report), APR_TIMEUP,
       "peek: the same");
    is(op->settle(c.store, c.now_usec, &open, GUARD_RIGHT, &c.report),
       APR_TIMEUP, "settle: the same");
    is(open.state, GUARD_TICKET_OPEN, "  the ticket stays open");
    ok(!memcmp(&c.report, &blank, sizeof blank), "nothing is reported");
    release(pid);
}

static apr_status_t show_nothing(void *baton, const guard_entry_t *entry)
{
    (void)baton;
    (void)entry;
    return APR_SUCCESS;
}

static void walks_tell_it_too(void)
{
    guard_filter_t all = {0};
    guard_stats_t stats;
    unsigned count;
    pid_t pid;

    begin("walks tell it too");
    pid = stop_child(c.store, settle_wrong, HELD);
    is(c.store->ops->iterate(c.store, c.now_usec, &all, show_nothing, NULL),
       APR_TIMEUP, "iterate");
    is(c.store->ops->unlock(c.store, c.now_usec, &all, &count), APR_TIMEUP,
       "unlock");
    is(c.store->ops->stats(c.store, c.now_usec, &stats), APR_TIMEUP, "stats");
    kill(pid, SIGCONT);
    shm_wait(pid);
    is(shm_closed_locks(c.store), 0, "and leave no lock closed");
}

static void one_lock_of_two(void)
{
    guard_claim_t both[2];
    guard_ticket_t fresh = {0};
    pid_t pid;

    begin("one lock of two");
    pid = stop_child(c.store, settle_wrong, HELD);
    for (int turn = 0; turn < 2; turn++) {
        both[turn] = claim;
        both[!turn] = other;
        is(caller_reserve(&c, both, 2, "b:1", GUARD_LAST_TRY, &fresh), 0,
           "of two locks one can't be had");
        is(caller_attempt(&c, &other, 1, "c:1", GUARD_ABANDONED), GUARD_ADMIT,
           "the other was given back");
    }
    release(pid);
}

/* Others with another lock don't notice. */
static void only_his_own_lock(void)
{
    guard_claim_t neighbour;
    pid_t pid;

    begin("only his own lock");
    neighbour = client_in(3, 10000);
    pid = stop_child(c.store, settle_wrong, HELD);
    is(caller_attempt(&c, &other, 1, "b:1", GUARD_WRONG), GUARD_ADMIT,
       "a client of another bucket is served");
    is(caller_attempt(&c, &neighbour, 1, "b:1", GUARD_WRONG), 0,
       "one of the bucket beside it is not");
    release(pid);
}

/* @return 1 once that process sleeps. */
static int sleeps(pid_t pid)
{
    char path[40], state = '?';
    FILE *stat;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    stat = fopen(path, "r");
    if (stat) {
        if (fscanf(stat, "%*d %*s %c", &state) != 1) {
            state = '?';
        }
        fclose(stat);
    }
    return state == 'S';
}

/* Whoever waits for a lock is woken by the process that lets it go. */
static void waiters_are_woken(void)
{
    pid_t holder, waker, self = getpid();

    begin("waiters are woken");
    holder = stop_child(c.store, settle_wrong, HELD);
    waker = shm_fork();
    if (!waker) {
        while (!sleeps(self)) {
        }
        kill(holder, SIGCONT);
        _exit(0);
    }
    is(caller_attempt(&c, &claim, 1, "b:1", GUARD_ABANDONED), GUARD_ADMIT,
       "whoever waits gets the lock when it is let go");
    shm_wait(waker);
    release(holder);
}

int main(void)
{
    shm_begin();
    errors_change_nothing();
    walks_tell_it_too();
    one_lock_of_two();
    only_his_own_lock();
    waiters_are_woken();
    shm_close();
    return tap_done();
}
