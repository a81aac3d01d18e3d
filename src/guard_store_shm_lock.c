/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_shm_lock.c owns the question who holds a lock, and whether he
 * still lives. It knows nothing of what is locked.
 *
 * A process is known by its number, the namespace of that number, and the time
 * when it began, as /proc tells it: numbers come again, and those of another
 * namespace mean nobody here. Whoever can't be judged is taken for alive.
 *
 * Invariant: a lock changes hands by one compare-and-swap, from free, or from
 * a holder who was seen to be dead; a dead one can't come back between the
 * look and the swap, for then the word would be another.
 */
#include "guard_store_shm_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The word: 22 bits of pid (the kernel's PID_MAX_LIMIT), 10 of the namespace,
 * 32 of the time of birth in clock ticks. */
#define PID_BITS 22
#define SPACE_BITS 10
#define PID_OF(word) ((pid_t)((word) & ((1u << PID_BITS) - 1)))
#define SPACE_OF(word) ((word) >> PID_BITS & ((1u << SPACE_BITS) - 1))
#define BIRTH_OF(word) ((uint32_t)((word) >> 32))

#define YIELDS 20              /* before the first sleep */
#define PAUSE_NSEC_FIRST 20000 /* each sleep is twice as long as the last */
#define PAUSE_NSEC_LAST 1280000

/* What stands in /proc/PID/stat behind the name. */
typedef struct life_t {
    char state;
    long threads;
    uint32_t birth; /* 0: it can't be read */
} life_t;

static life_t look_at(pid_t pid)
{
    life_t life = {0};
    char path[40], text[512];
    unsigned long long birth = 0;
    const char *behind;
    ssize_t got;
    int fd;

    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return life;
    }
    got = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[got > 0 ? got : 0] = '\0';
    behind = strrchr(text, ')'); /* the name may have anything in it */
    if (behind && sscanf(behind + 1,
                         " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u "
                         "%*d %*d %*d %*d %ld %*d %llu",
                         &life.state, &life.threads, &birth) == 3) {
        life.birth = (uint32_t)birth ? (uint32_t)birth : 1;
    }
    return life;
}

_Atomic uint64_t guard_shm_lock_self;

static void forget_self(void) { atomic_store(&guard_shm_lock_self, 0); }

static int forgets; /* a fork makes the child forget its parent's word */

static void note_forks(void)
{
    forgets = !pthread_atfork(NULL, NULL, forget_self);
}

/* @return 1 if the word may be remembered, else 0 */
static int may_remember(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    return !pthread_once(&once, note_forks) && forgets;
}

/* This process, as a word. It is made once in the life of a process; two
 * threads that make it at once make the same. */
static uint64_t self(void)
{
    uint64_t word =
        atomic_load_explicit(&guard_shm_lock_self, memory_order_relaxed);
    pid_t pid;
    struct stat space;
    uint64_t ns;

    if (word) {
        return word;
    }
    pid = getpid();
    ns = stat("/proc/self/ns/pid", &space) ? 0 : (uint64_t)space.st_ino;
    ns = (ns ^ ns >> SPACE_BITS) & ((1u << SPACE_BITS) - 1);
    word = (uint64_t)look_at(pid).birth << 32 | ns << PID_BITS |
           ((uint64_t)pid & ((1u << PID_BITS) - 1));
    if (may_remember()) {
        atomic_store_explicit(&guard_shm_lock_self, word, memory_order_relaxed);
    }
    return word;
}

/* A killed process stays in the list of processes until its parent asks for
 * it; its threads are gone by then. */
static int is_dead(uint64_t word)
{
    life_t life;

    if (SPACE_OF(word) != SPACE_OF(self())) {
        return 0;
    }
    if (!PID_OF(word) || (kill(PID_OF(word), 0) && errno == ESRCH)) {
        return 1;
    }
    life = look_at(PID_OF(word));
    if (!life.birth || !BIRTH_OF(word)) {
        return 0;
    }
    return life.birth != BIRTH_OF(word) ||
           ((life.state == 'Z' || life.state == 'X') && life.threads < 2);
}

static int swap(guard_shm_lock_t *lock, uint64_t from)
{
    return atomic_compare_exchange_strong_explicit(&lock->holder, &from, self(),
                                                   memory_order_acquire,
                                                   memory_order_relaxed);
}

static uint64_t now_nsec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* It is held: its holder runs, and is done in a moment; or has lost the
 * processor; or is dead. */
static apr_status_t wait_for(guard_shm_lock_t *lock, uint64_t patience_nsec)
{
    uint64_t end_nsec = now_nsec() + patience_nsec;
    struct timespec pause = {.tv_nsec = PAUSE_NSEC_FIRST};

    for (int i = 0; i < YIELDS; i++) {
        sched_yield();
        if (swap(lock, 0)) {
            return APR_SUCCESS;
        }
    }
    while (now_nsec() < end_nsec) {
        uint64_t holder =
            atomic_load_explicit(&lock->holder, memory_order_relaxed);

        if (swap(lock, 0)) {
            return APR_SUCCESS;
        }
        if (holder && is_dead(holder) && swap(lock, holder)) {
            return EOWNERDEAD;
        }
        nanosleep(&pause, NULL);
        pause.tv_nsec *= pause.tv_nsec < PAUSE_NSEC_LAST ? 2 : 1;
    }
    return APR_TIMEUP;
}

apr_status_t guard_shm_lock_wait(guard_shm_lock_t *lock,
                                 apr_interval_time_t patience_usec)
{
    if (swap(lock, 0)) { /* it may be that only our word was missing */
        return APR_SUCCESS;
    }
    return wait_for(lock, (uint64_t)patience_usec * 1000);
}
