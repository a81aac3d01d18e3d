/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_late.h: settlements that the server could not be told of
 * in time, kept until it can.
 *
 * They lie in memory that all processes share, so that whoever asks the server
 * next tells of them, whichever process owes them, and whether or not that one
 * is still there. Bounded: when it is full the oldest goes, whose places Redis
 * gives up by itself after a window.
 *
 * Any thread of any process may call at any time. Nobody waits. One that is
 * killed anywhere leaves nothing half: what it was writing never was; what it
 * had taken is owed again after GUARD_REDIS_LATE_BUSY_USEC.
 */
#ifndef GUARD_STORE_REDIS_LATE_H
#define GUARD_STORE_REDIS_LATE_H

#include "guard_store.h"

#include <stdatomic.h>

#define GUARD_REDIS_LATE_MAX 256 /* settlements of all processes */
#define GUARD_REDIS_LATE_NAME_MAX                                              \
    64 /* bytes of a scope's name, NUL included                                \
        */
/* One takes longer to write, or to tell the server of: its process is dead. */
#define GUARD_REDIS_LATE_BUSY_USEC apr_time_from_sec(10)

/** One settlement that is owed. */
typedef struct guard_redis_owed_t {
    uint64_t due_usec;       /* not to be tried before */
    uint64_t token;          /* of the reservation */
    guard_outcome_e outcome; /* 0: it waits no longer */
    guard_guess_t guess;
    unsigned claim_count;
    guard_claim_t claim[GUARD_CLAIMS_MAX]; /* push() copies the names */
    guard_hold_t hold[GUARD_CLAIMS_MAX];
    char scope_name[GUARD_CLAIMS_MAX][GUARD_REDIS_LATE_NAME_MAX]; /* ours */
    unsigned slot;  /* ours: where it was taken from */
    uint64_t state; /* ours: what makes it the taker's */
} guard_redis_owed_t;

/* And one word that ties them together. */
#define GUARD_REDIS_LATE_WORDS ((sizeof(guard_redis_owed_t) + 7) / 8 + 1)

/** Zeroed: empty. */
typedef struct guard_redis_late_t {
    _Atomic uint64_t pushes;  /* so far */
    _Atomic uint64_t dropped; /* settlements that nobody was told of */
    _Atomic uint64_t state[GUARD_REDIS_LATE_MAX];
    _Atomic uint64_t word[GUARD_REDIS_LATE_MAX][GUARD_REDIS_LATE_WORDS];
} guard_redis_late_t;

/**
 * Owe one more; late->dropped counts what is dropped for it. Of
 * claim[i].client.scope_name as much as fits is copied; owed->scope_name, slot
 * and state need not be set.
 */
void guard_redis_late_push(guard_redis_late_t *late,
                           const guard_redis_owed_t *owed, uint64_t now_usec);

/**
 * Take the one that is due first, if it is due. It is the caller's until he
 * ends it. Names in *owed point into *owed: don't copy it.
 * @return 1 with *owed set; 0 if there is none that is due
 */
int guard_redis_late_take(guard_redis_late_t *late, uint64_t now_usec,
                          guard_redis_owed_t *owed);

/**
 * Be done with one that was taken.
 * @param is_told 1: it is owed no more; 0: it is owed again, due at now_usec
 * @return 1; 0 if that took so long that it is somebody else's by now
 */
int guard_redis_late_end(guard_redis_late_t *late,
                         const guard_redis_owed_t *owed, int is_told,
                         uint64_t now_usec);

/** @return how many are owed, with those that are taken: who took one may be
 *  dead. It looks at one word for each slot. */
unsigned guard_redis_late_count(const guard_redis_late_t *late);

#endif
