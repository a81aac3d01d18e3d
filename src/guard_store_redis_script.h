/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_script.h: the one script that does the counting in Redis,
 * how it is called and what it answers.
 *
 * The script is guard_store_redis_script.lua; its rules are guard_policy.c's.
 * One hash key is one client. guard_store_redis_script.c has the text,
 * guard_store_redis_call.c the calls, guard_store_redis_answer.c the answers.
 * Every call names the key and the time:
 *
 *     EVALSHA sha 1 <prefix>:{<id>} op now ...
 *
 * Calls are built on the caller's stack: they point into themselves, into the
 * script's text and into what they were given, and must not be copied.
 * All functions but guard_redis_script_init() may be called by any thread.
 */
#ifndef GUARD_STORE_REDIS_SCRIPT_H
#define GUARD_STORE_REDIS_SCRIPT_H

#include "guard_store.h"
#include "guard_store_redis_reply.h"
#include "guard_store_redis_url.h"

#define GUARD_REDIS_ARGS_MAX 24
#define GUARD_REDIS_PROVEN_MAX 32  /* proven guesses kept of one client */
#define GUARD_REDIS_HOLDERS_MAX 32 /* attempts that share one place */
#define GUARD_REDIS_SETTLED_MAX 16 /* tokens of which a resend is known */

/** Room for `<prefix>:{<16 hex digits>}` and its NUL. */
#define GUARD_REDIS_KEY_MAX (GUARD_REDIS_PREFIX_MAX + 20)

/** What is named alike by all servers of a fleet. */
typedef struct guard_redis_names_t {
    const char *prefix; /* at most GUARD_REDIS_PREFIX_MAX bytes */
} guard_redis_names_t;

/** The script's text, as it is sent, and the SHA-1 of just these bytes. */
typedef struct guard_redis_script_t {
    const char *text;
    size_t length;
    char sha[41];
} guard_redis_script_t;

/** Make the script's text, once, before any other call and any thread. */
void guard_redis_script_init(void);

/** The script; guard_redis_script_init() made it. */
const guard_redis_script_t *guard_redis_script(void);

/** One command, ready for the wire. */
typedef struct guard_redis_call_t {
    unsigned argc;
    const char *argv[GUARD_REDIS_ARGS_MAX];
    size_t length[GUARD_REDIS_ARGS_MAX];
    size_t used;
    char text[1024]; /* the key and the numbers */
} guard_redis_call_t;

/** Which rows a reservation may take: bits of `accept`. 0 only looks. */
enum {
    GUARD_REDIS_ACCEPT_PROVEN = 1,
    GUARD_REDIS_ACCEPT_REJECTED = 2,
    GUARD_REDIS_ACCEPT_FREE = 4,
    GUARD_REDIS_ACCEPT_CHECKING = 8, /* verify under the place of another */
    GUARD_REDIS_ACCEPT_WIDE = 16     /* another claim has it proven: FREE and
                                        FULL are PROVEN here */
};

/** What an effect does to the client: bits of `what`. */
enum {
    GUARD_REDIS_WAIT = 1,   /* one more waits */
    GUARD_REDIS_UNWAIT = 2, /* one waits no longer */
    GUARD_REDIS_BUSY = 4    /* a busy refusal */
};

/** What an answer says beside the standing: bits of `flags`. */
enum {
    GUARD_REDIS_IS_PROVEN = 1,    /* guard_opinion_t.is_proven */
    GUARD_REDIS_TRUSTS = 2,       /* guard_opinion_t.is_trusting */
    GUARD_REDIS_TAKEN = 4,        /* admitted: settle it */
    GUARD_REDIS_LOCKOUT = 8,      /* a lockout began by this */
    GUARD_REDIS_LATE = 16,        /* came after not_after, or once its token was
                                     settled: nothing was done */
    GUARD_REDIS_REFUSED = 32,     /* effect: GUARD_WAITERS_MAX wait already */
    GUARD_REDIS_CHANGED = 64,     /* unlock: there was something to forget */
    GUARD_REDIS_HELD_SLOT = 128,  /* TAKEN holds a slot; else nothing */
    GUARD_REDIS_HELD_PROVEN = 256 /* and the guess was proven before */
};

/** What the script says to reserve, effect, settle, peek, unlock, show. */
typedef struct guard_redis_answer_t {
    uint64_t server_usec; /* the server's TIME, or now_usec if that was given */
    guard_row_e row;      /* of reserve; else LOCKED or FREE, as in a peek */
    unsigned flags;       /* GUARD_REDIS_... */
    guard_phase_e phase;
    uint16_t failures;
    uint8_t level;
    apr_interval_time_t remaining_usec; /* of the lockout or the window */
} guard_redis_answer_t;

/**
 * Write a client's key.
 * @return its length
 */
size_t guard_redis_key_write(char key[GUARD_REDIS_KEY_MAX],
                             const guard_redis_names_t *names, uint64_t id);

/**
 * Read a key, as SCAN gave it.
 * @return the client's id; 0: it is no client's key of this prefix
 */
uint64_t guard_redis_key_read(const guard_redis_names_t *names, const char *key,
                              size_t length);

/*
 * The calls. now_usec is 0 in the server: Redis' own clock counts; a test may
 * give another. names, claim and guess are not needed after the call is built,
 * but a `key` must outlive it.
 */

/**
 * Take a place, or look.
 * @param token of this try, never 0: the same again is a resend, and is
 *              answered as before. Once settled, to give it back too, it is
 *              spent: the next try needs a new one, or is LATE.
 * @param not_after_usec on the server's clock: later, nothing is done; 0: no
 *              matter when. A settlement for a reservation of which nothing was
 *              heard belongs behind that time.
 * @param accept GUARD_REDIS_ACCEPT_...
 * @param joined 1: it has waited for this verdict (ticket->has_joined)
 * @param waited 1: it is counted as a waiter; if it is admitted, no longer
 */
void guard_redis_call_reserve(guard_redis_call_t *call,
                              const guard_redis_names_t *names,
                              const guard_claim_t *claim,
                              const guard_guess_t *guess, uint64_t token,
                              uint64_t not_after_usec, unsigned accept,
                              int joined, int waited, uint64_t now_usec);

/** Count waiters and busy refusals: what is GUARD_REDIS_WAIT and so on. */
void guard_redis_call_effect(guard_redis_call_t *call,
                             const guard_redis_names_t *names,
                             const guard_claim_t *claim, unsigned what,
                             apr_interval_time_t wait_usec, uint64_t now_usec);

/** Settle what a reservation gave; the same token again does nothing, and a
 *  lockout it began is told again. */
void guard_redis_call_settle(guard_redis_call_t *call,
                             const guard_redis_names_t *names,
                             const guard_claim_t *claim,
                             const guard_guess_t *guess, uint64_t token,
                             guard_hold_e hold, guard_outcome_e outcome,
                             uint64_t now_usec);

/** See where the client stands. */
void guard_redis_call_peek(guard_redis_call_t *call,
                           const guard_redis_names_t *names, uint64_t id,
                           uint64_t now_usec);

/** See it as people are told of it: read by guard_redis_answer_read_entry. */
void guard_redis_call_show(guard_redis_call_t *call, const char *key,
                           size_t key_length, uint64_t now_usec);

/** Forget lockout, failures and level, and free the places; with locked_only
 *  only where it is locked. CHANGED tells whether there were any. */
void guard_redis_call_unlock(guard_redis_call_t *call, const char *key,
                             size_t key_length, int locked_only,
                             uint64_t now_usec);

/** Do everything that the script ever does, to a key of its own that is gone
 *  when it ends: a replica, a full server or one that forbids something is
 *  found out. The channel gets the word `probe`, which means nothing. */
void guard_redis_call_probe(guard_redis_call_t *call,
                            const guard_redis_names_t *names,
                            uint64_t now_usec);

/** Make it an EVAL of the script's text: where EVALSHA said NOSCRIPT. */
void guard_redis_call_by_text(guard_redis_call_t *call);

/**
 * Read what came back to any of these but show.
 * @return APR_SUCCESS, or APR_EGENERAL for anything the script can't have
 *         said, error replies included; *answer is then untouched
 */
apr_status_t guard_redis_answer_read(guard_redis_answer_t *answer,
                                     const guard_redis_reply_t *reply);

/**
 * Read what came back to show; the entry's id is left to the caller.
 * @return APR_SUCCESS; APR_NOTFOUND if there is no such client, or nothing of
 *         it worth showing; APR_EGENERAL for anything the script can't have
 *         said
 */
apr_status_t guard_redis_answer_read_entry(guard_entry_t *entry,
                                           const guard_redis_reply_t *reply);

#endif
