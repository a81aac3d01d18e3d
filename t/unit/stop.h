/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * stop.h: children that stop at a chosen step inside the critical section of
 * the shared-memory store, with its lock in their hands.
 */
#ifndef STOP_H
#define STOP_H

#include "shm.h"

#include <signal.h>
#include <sys/prctl.h>

static int stop_at; /* -1: nowhere */
static int stop_steps;

static inline void stop_step(int step)
{
    (void)step;
    if (stop_steps++ == stop_at) {
        raise(SIGSTOP);
    }
}

/** @return how many steps act has; it is done. */
static inline int stop_count(void (*act)(void))
{
    stop_at = -1;
    stop_steps = 0;
    guard_shm_step = stop_step;
    act();
    guard_shm_step = NULL;
    return stop_steps;
}

/** In a child: stop at that step of act, and end after it. */
static inline void stop_self(void (*act)(void), int step)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    stop_at = step;
    stop_steps = 0;
    guard_shm_step = stop_step;
    act();
    _exit(0);
}

/** @return a child that is stopped at that step of act; 0 if act has fewer. */
static inline pid_t stop_child(guard_store_t *store, void (*act)(void),
                               int step)
{
    pid_t pid = shm_fork();
    int status = 0;

    if (!pid) {
        if (guard_store_shm_child_init(store) != APR_SUCCESS) {
            _exit(1);
        }
        stop_self(act, step);
    }
    if (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status)) {
        return pid;
    }
    return 0;
}

static inline void stop_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

#endif
