/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_wait.h: how many threads may wait, and for what.
 *
 * A request that waits keeps a thread from everybody else. At most a quarter
 * of a child's threads wait for places. For a verdict all may while they wait
 * for the same one, since it comes to all of them as soon as one check has
 * ended; and so may whoever has not failed lately, for his may be the right
 * password that came many times. Where they wait for verdicts on several
 * guesses, half of the threads may otherwise. One always may.
 */
#ifndef GUARD_WAIT_H
#define GUARD_WAIT_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

/** Processes of one thread that may wait for places at once, at most. */
#define GUARD_WAIT_PROCESSES_MAX 256

/** Where the processes of a server write down that they wait. Zeroed, and
 *  shared by all of them. */
typedef struct guard_wait_board_t {
    _Atomic pid_t waiter[GUARD_WAIT_PROCESSES_MAX];
} guard_wait_board_t;

/** What a thread waits for. */
typedef enum {
    GUARD_WAIT_FOR_PLACE = 0, /* or a check */
    GUARD_WAIT_FOR_VERDICT,   /* on the same guess, in another request */
    GUARD_WAIT_KINDS
} guard_wait_e;

/** In a child, before its threads begin: how many there will be. */
void guard_wait_init(int threads);

/**
 * Where each process has but one thread: no more than a quarter of the
 * processes wait for places. After guard_wait_init; board lasts as long as
 * the process.
 */
void guard_wait_share(guard_wait_board_t *board, int processes);

/**
 * Ask to let this thread wait; any thread may, at any time.
 * @param guess the tag of the guess that waits, or whose verdict is awaited
 * @param is_clean 1 if the client has no failure in this window, else 0
 * @return 1, and then guard_wait_end(what) must follow; or 0
 */
int guard_wait_begin(guard_wait_e what, uint32_t guess, int is_clean);
void guard_wait_end(guard_wait_e what);

#endif
