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

#include <stdint.h>

/** Zeroed: free. Else who holds it: pid, pid namespace, time of birth. */
typedef struct guard_shm_lock_t {
    _Atomic uint64_t holder;
} guard_shm_lock_t;

/**
 * Take the lock; any thread, but never one that holds it already.
 * @return APR_SUCCESS; EOWNERDEAD if its holder died with it: it is the
 * caller's now, and what it guards may be half done; or APR_TIMEUP after
 * patience_usec
 */
apr_status_t guard_shm_lock_take(guard_shm_lock_t *lock,
                                 apr_interval_time_t patience_usec);

/** Give it back. Only by who took it. */
void guard_shm_lock_give(guard_shm_lock_t *lock);

#endif
