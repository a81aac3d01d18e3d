/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_shm_lock.h: a lock in memory that processes share.
 *
 * It is one word without a pointer in it: whoever can write to that memory can
 * hold the lock for ever, and no more. (The C library's robust mutexes keep a
 * list through the shared memory; who writes there chooses where another
 * process, and be it root's, writes next.) Private to guard_store_shm*.c.
 */
#ifndef GUARD_STORE_SHM_LOCK_H
#define GUARD_STORE_SHM_LOCK_H

#include <apr_errno.h>
#include <apr_time.h>

#include <stdatomic.h>
#include <stdint.h>

/** Zeroed: free. Else who holds it: pid, pid namespace, time of birth. */
typedef struct guard_shm_lock_t {
    _Atomic uint64_t holder;
} guard_shm_lock_t;

/** This process, as a word; 0: not known yet. Only for guard_shm_lock_take. */
extern _Atomic uint64_t guard_shm_lock_self;

/** What guard_shm_lock_take does when the lock is not to be had at once. */
apr_status_t guard_shm_lock_wait(guard_shm_lock_t *lock,
                                 apr_interval_time_t patience_usec);

/**
 * Take the lock; any thread, but never one that holds it already.
 * @return APR_SUCCESS; EOWNERDEAD if its holder died with it: it is the
 * caller's now, and what it guards may be half done; or APR_TIMEUP after
 * patience_usec
 */
static inline apr_status_t
guard_shm_lock_take(guard_shm_lock_t *lock, apr_interval_time_t patience_usec)
{
    uint64_t nobody = 0, me = atomic_load_explicit(&guard_shm_lock_self,
                                                   memory_order_relaxed);

    if (me && atomic_compare_exchange_strong_explicit(&lock->holder, &nobody,
                                                      me, memory_order_acquire,
                                                      memory_order_relaxed)) {
        return APR_SUCCESS;
    }
    return guard_shm_lock_wait(lock, patience_usec);
}

/** Give it back. Only by who took it. */
static inline void guard_shm_lock_give(guard_shm_lock_t *lock)
{
    atomic_store_explicit(&lock->holder, 0, memory_order_release);
}

#endif
