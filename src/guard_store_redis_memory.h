/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_memory.h: what Redis said a moment ago, so that it need
 * not be asked again: guesses that are proven, and lockouts.
 *
 * It lies in memory that all processes share, without a lock: nobody waits
 * here, any thread of any process may call at any time, and one killed
 * anywhere leaves nothing that is believed by mistake. It may forget.
 *
 * A proof is believed without asking Redis ("fresh") for a few seconds, and
 * only as long as nothing has raised a doubt. Whoever asks Redis for a guess
 * that is not known here raises one first, for all guesses of that client:
 * so a guesser sends his client's proven guesses to Redis, too, and can't tell
 * by this memory what Redis would not tell. The way of one reserve:
 *
 *     proof = guard_redis_memory_find(m, id, tag, since, now);
 *     if (proof == GUARD_REDIS_FRESH) admit, unasked;
 *     if (proof == GUARD_REDIS_UNKNOWN) guard_redis_memory_doubt(m, id);
 *     mark = guard_redis_memory_mark(m, id, now);
 *     ... ask Redis ...
 *     proven, trusted, not locked: guard_redis_memory_prove(m, id, tag, &mark);
 *     locked:                      guard_redis_memory_lock(m, id, &mark, ...);
 *     no longer trusted:           guard_redis_memory_doubt(m, id);
 *
 * and all of it before the client is told anything. A mark ties what Redis
 * says to the doubts before the question: what was asked before a doubt, or
 * before lockouts were forgotten, is not believed after it, however late it
 * is written down.
 */
#ifndef GUARD_STORE_REDIS_MEMORY_H
#define GUARD_STORE_REDIS_MEMORY_H

#include "guard_policy.h"

#include <stdatomic.h>

#define GUARD_REDIS_FRESH_USEC apr_time_from_sec(5) /* a proof, unasked */
#define GUARD_REDIS_KNOWN_USEC apr_time_from_sec(4) /* a lockout, unasked */
#define GUARD_REDIS_PROOFS_MAX 15                   /* of one client */
#define GUARD_REDIS_PROOF_SETS 16384
#define GUARD_REDIS_LOCKOUTS_MAX 4 /* of clients that share a set */
#define GUARD_REDIS_LOCKOUT_SETS 4096

/** The proofs of one client; few clients share a set. */
typedef struct guard_redis_proofs_t {
    _Atomic uint64_t doubts; /* how many were raised */
    _Atomic uint64_t entry[GUARD_REDIS_PROOFS_MAX][2];
    uint64_t unused;
} guard_redis_proofs_t;

typedef struct guard_redis_lockouts_t {
    _Atomic uint64_t entry[GUARD_REDIS_LOCKOUTS_MAX][4];
} guard_redis_lockouts_t;

_Static_assert(sizeof(guard_redis_proofs_t) == 256, "four cache lines");
_Static_assert(sizeof(guard_redis_lockouts_t) == 128, "two cache lines");

/** Zeroed: empty. */
typedef struct guard_redis_memory_t {
    guard_secret_t secret;    /* [fork] */
    _Atomic uint64_t doubts;  /* raised for all clients */
    _Atomic uint64_t forgets; /* how often lockouts were forgotten */
    guard_redis_proofs_t proofs[GUARD_REDIS_PROOF_SETS];
    guard_redis_lockouts_t lockouts[GUARD_REDIS_LOCKOUT_SETS];
} guard_redis_memory_t;

/** What is known of a guess. */
typedef enum {
    GUARD_REDIS_UNKNOWN = 0, /* raise a doubt before asking */
    GUARD_REDIS_KNOWN,       /* proven in the last GUARD_PROVEN_SEC: ask */
    GUARD_REDIS_FRESH        /* proven, trusted and not locked: don't ask */
} guard_redis_proof_e;

/** Taken before Redis is asked, and given with what it said. */
typedef struct guard_redis_mark_t {
    uint64_t asked_usec;
    uint64_t doubts;
    uint64_t forgets;
} guard_redis_mark_t;

/** A lockout that Redis told of. */
typedef struct guard_redis_lockout_t {
    uint64_t until_usec; /* by our clock */
    uint16_t failures;
    uint16_t limit;
    uint8_t level;
} guard_redis_lockout_t;

/** In the parent, before the children: draw the secret by which sets are
 *  chosen. @return APR_SUCCESS or the system's error */
apr_status_t guard_redis_memory_init(guard_redis_memory_t *memory);

/** Take a mark. @param id of the client that Redis will be asked for */
guard_redis_mark_t guard_redis_memory_mark(const guard_redis_memory_t *memory,
                                           uint64_t id, uint64_t now_usec);

/**
 * Look a guess up.
 * @param since_usec from guard_redis_listen_look: nothing that was asked
 * before it is fresh; 0: nothing is
 */
guard_redis_proof_e guard_redis_memory_find(const guard_redis_memory_t *memory,
                                            uint64_t id, uint32_t proven_tag,
                                            uint64_t since_usec,
                                            uint64_t now_usec);

/** Redis says: proven, trusted, not locked. The client's oldest proof makes
 *  room. */
void guard_redis_memory_prove(guard_redis_memory_t *memory, uint64_t id,
                              uint32_t proven_tag,
                              const guard_redis_mark_t *mark);

/** It was wrong now: it is not known any more, and that raises a doubt. */
void guard_redis_memory_disprove(guard_redis_memory_t *memory, uint64_t id,
                                 uint32_t proven_tag);

/** No proof of this client is fresh until Redis is asked again. */
void guard_redis_memory_doubt(guard_redis_memory_t *memory, uint64_t id);

/** The same for all clients: somebody is locked out. */
void guard_redis_memory_doubt_all(guard_redis_memory_t *memory);

/** Redis says: locked. mark was taken before it was asked. */
void guard_redis_memory_lock(guard_redis_memory_t *memory, uint64_t id,
                             const guard_redis_mark_t *mark,
                             const guard_redis_lockout_t *lockout);

/** @return 1 if the client is known to be locked, with *lockout set; else 0,
 *  and Redis must be asked. */
int guard_redis_memory_find_lockout(const guard_redis_memory_t *memory,
                                    uint64_t id, uint64_t now_usec,
                                    guard_redis_lockout_t *lockout);

/** No lockout is known until Redis is asked again: somebody was unlocked. */
void guard_redis_memory_forget_lockouts(guard_redis_memory_t *memory);

#endif
