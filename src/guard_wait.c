/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_wait.c owns the count of the threads that wait in this process. It
 * knows neither requests nor stores, and never sleeps: its lock is held for a
 * few instructions.
 *
 * Invariant: threads that wait for places are at most their share, of this
 * process, or of all where each has one; and so are those that wait for
 * verdicts, unless all of them wait for the same one, or their clients have not
 * failed.
 */
#include "guard_wait.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

/* Of a child's threads, one in so many may wait; for one verdict, all. */
#define WAITING_SHARE_PLACE 4
#define WAITING_SHARE_VERDICT 2

typedef struct waiters_t {
    pthread_mutex_t lock;
    int count;      /* [lock] */
    uint32_t guess; /* [lock] what the first of them waits for */
    int is_mixed;   /* [lock] 1: others wait, or have, for something else */
    int max;        /* [fork] */
} waiters_t;

static waiters_t waiters[GUARD_WAIT_KINDS] = {
    [GUARD_WAIT_FOR_PLACE] = {.lock = PTHREAD_MUTEX_INITIALIZER, .max = 1},
    [GUARD_WAIT_FOR_VERDICT] = {.lock = PTHREAD_MUTEX_INITIALIZER, .max = 1}};

/* Where each process has one thread, which always may wait. */
static guard_wait_board_t *board; /* [fork] NULL: threads are counted */
static int board_max;             /* [fork] */
static _Atomic pid_t *mine;       /* where this process stands on it, or NULL */

static int share_of(int threads, int share)
{
    return threads / share > 1 ? threads / share : 1;
}

void guard_wait_init(int threads)
{
    waiters[GUARD_WAIT_FOR_PLACE].max = share_of(threads, WAITING_SHARE_PLACE);
    waiters[GUARD_WAIT_FOR_VERDICT].max =
        share_of(threads, WAITING_SHARE_VERDICT);
}

void guard_wait_share(guard_wait_board_t *shared, int processes)
{
    board = shared;
    board_max = share_of(processes, WAITING_SHARE_PLACE);
    if (board_max > GUARD_WAIT_PROCESSES_MAX) {
        board_max = GUARD_WAIT_PROCESSES_MAX;
    }
}

/* Whoever was killed while he waited stands there still. Another process may
 * have got his number: then his place is free again when that one ends, or
 * with the next graceful restart, which brings a new board. */
static int is_gone(pid_t pid)
{
    return !pid || (kill(pid, 0) && errno == ESRCH);
}

/* @return 1 if this process may wait beside the others, else 0 */
static int stand_on_board(void)
{
    pid_t self = getpid();

    for (int i = 0; board && i < board_max && !mine; i++) {
        pid_t pid = atomic_load(&board->waiter[i]);

        if (is_gone(pid) &&
            atomic_compare_exchange_strong(&board->waiter[i], &pid, self)) {
            mine = &board->waiter[i];
        }
    }
    return !board || mine;
}

static void leave_board(void)
{
    if (mine) {
        atomic_store(mine, 0);
        mine = NULL;
    }
}

int guard_wait_begin(guard_wait_e what, uint32_t guess, int is_clean)
{
    waiters_t *w = &waiters[what];
    int may_wait;

    pthread_mutex_lock(&w->lock);
    if (!w->count) {
        w->guess = guess;
        w->is_mixed = what == GUARD_WAIT_FOR_PLACE; /* each wants its own */
    }
    may_wait = w->count < w->max || (!w->is_mixed && w->guess == guess) ||
               (is_clean && what == GUARD_WAIT_FOR_VERDICT);
    if (may_wait && what == GUARD_WAIT_FOR_PLACE) {
        may_wait = stand_on_board();
    }
    if (may_wait) {
        w->count++;
        w->is_mixed |= w->guess != guess;
    }
    pthread_mutex_unlock(&w->lock);
    return may_wait;
}

void guard_wait_end(guard_wait_e what)
{
    pthread_mutex_lock(&waiters[what].lock);
    waiters[what].count--;
    if (what == GUARD_WAIT_FOR_PLACE) {
        leave_board();
    }
    pthread_mutex_unlock(&waiters[what].lock);
}
