/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * lock_word.c: who is taken for a lock's living holder. A process that was
 * killed is not, whether its parent has asked for it or not; nor is one that
 * got its number since. One in another pid namespace is, for nobody here can
 * tell. Whatever stands in the word, it is a number and leads nowhere.
 */
#include "guard_store_shm_lock.h"
#include "tap.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_USEC apr_time_from_msec(200)

static guard_shm_lock_t *lock; /* shared with children */

/* A child that takes the lock and is killed with it. @return its pid; it has
 * not been waited for. */
static pid_t die_holding(void)
{
    siginfo_t ended;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (!pid) {
        guard_shm_lock_take(lock, PATIENCE_USEC);
        kill(getpid(), SIGKILL);
        _exit(1);
    }
    waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT);
    return pid;
}

static void is_taken_over(const char *how)
{
    is(guard_shm_lock_take(lock, PATIENCE_USEC), EOWNERDEAD, how);
    guard_shm_lock_give(lock);
}

static void is_left_alone(uint64_t word, const char *how)
{
    atomic_store(&lock->holder, word);
    is(guard_shm_lock_take(lock, PATIENCE_USEC), APR_TIMEUP, how);
    is(atomic_load(&lock->holder) == word, 1, "and keeps it");
    atomic_store(&lock->holder, 0);
}

int main(void)
{
    uint64_t mine;
    pid_t pid;

    lock = mmap(NULL, sizeof *lock, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    is(guard_shm_lock_take(lock, PATIENCE_USEC), APR_SUCCESS, "free: taken");
    mine = atomic_load(&lock->holder);
    is(guard_shm_lock_take(lock, PATIENCE_USEC), APR_TIMEUP,
       "held by a living process: not to be had");
    guard_shm_lock_give(lock);
    is(guard_shm_lock_take(lock, PATIENCE_USEC), APR_SUCCESS, "given: taken");
    guard_shm_lock_give(lock);

    pid = die_holding();
    is_taken_over("killed, and not waited for");
    waitpid(pid, NULL, 0);
    pid = die_holding();
    waitpid(pid, NULL, 0);
    is_taken_over("killed, and waited for");

    atomic_store(&lock->holder, mine + ((uint64_t)1 << 32));
    is_taken_over("its number has come again: born at another time");
    is_left_alone(mine ^ (uint64_t)1 << 22, "of another pid namespace");
    is_left_alone((uint32_t)mine, "nobody knows when it was born");
    atomic_store(&lock->holder, UINT64_MAX);
    is(guard_shm_lock_take(lock, PATIENCE_USEC) != APR_SUCCESS, 1, "noise");
    return tap_done();
}
