/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_wait.c owns the count of the threads that wait in this process. It
 * knows neither requests nor stores, and never sleeps: its lock is held for a
 * few instructions.
 *
 * Invariant: threads that wait for places are at most their share, and so are
 * those that wait for verdicts, unless all of them wait for the same one.
 */
#include "guard_wait.h"

#include <pthread.h>

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

int guard_wait_begin(guard_wait_e what, uint32_t guess)
{
    waiters_t *w = &waiters[what];
    int may_wait;

    pthread_mutex_lock(&w->lock);
    if (!w->count) {
        w->guess = guess;
        w->is_mixed = what == GUARD_WAIT_FOR_PLACE; /* each wants its own */
    }
    may_wait = w->count < w->max || (!w->is_mixed && w->guess == guess);
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
    pthread_mutex_unlock(&waiters[what].lock);
}
