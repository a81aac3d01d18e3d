/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_checks.h: how many unproven guesses the server verifies at once.
 *
 * A System V semaphore counts the places of AuthGuardChecks. The kernel gives
 * back what a process held when it dies, however it dies (SEM_UNDO in
 * semop(2)), so the number is exact at any moment, without a lock.
 */
#ifndef GUARD_CHECKS_H
#define GUARD_CHECKS_H

#include <apr_errno.h>

#include <sys/types.h>

#define GUARD_CHECKS_MAX 10000 /* below the kernel's SEMVMX of 32767 */

/**
 * Find or make the semaphore that belongs to a file: the same path, the same
 * semaphore, so that a server that was killed leaves nothing behind that the
 * next one does not take over; but a set of its own where a living server goes
 * by that one. Only the parent of the server that holds the file may call.
 * @param uid, gid of the children, who get the right to use it
 * @return APR_SUCCESS with *id set, or the system's error
 */
apr_status_t guard_checks_open(int *id, const char *path, uid_t uid, gid_t gid);

/** @return 1 if it is still there, and this user's, else 0: somebody has
 *  removed it (ipcrm), and it has to be opened anew. */
int guard_checks_is_ours(int id);

/**
 * Set how many places there are. Places that are held stay held: where more
 * are held than there shall be, the number falls as far as it can.
 * @return APR_SUCCESS, APR_EAGAIN if it has to be called again later, or the
 * system's error
 */
apr_status_t guard_checks_resize(int id, unsigned places);

/** Take a place, if one is free. @return APR_SUCCESS, APR_EAGAIN if none is,
 *  or the system's error. Any thread; never waits. */
apr_status_t guard_checks_take(int id);

/** Give it back. Only by the process that took it. */
void guard_checks_give(int id);

/** Remove the semaphore, at the end of the server. */
void guard_checks_remove(int id);

#endif
