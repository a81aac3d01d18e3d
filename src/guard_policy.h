/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_policy.h: the counting rules, as functions of (record, policy, now).
 *
 * A record is what is remembered of one client. The functions below are the
 * only ones that change one. None takes a lock, reads a clock or allocates:
 * whoever calls them owns the record while they run (a store holds its lock,
 * or works on a copy).
 *
 * Time is in microseconds of the store's own clock, which only goes forward.
 * Times inside slots are whole seconds of the same clock, rounded so that
 * rounding errs against the client, by less than a second.
 */
#ifndef GUARD_POLICY_H
#define GUARD_POLICY_H

#include "guard_key.h"
#include <apr_time.h>

/* The bounds; docs/bounds.md tells each one's reason. */
#define GUARD_LIMIT_MAX 1000
#define GUARD_WINDOW_USEC_MIN apr_time_from_sec(1)
#define GUARD_WINDOW_USEC_MAX apr_time_from_sec(7 * 86400)
#define GUARD_LOCKOUT_USEC_MAX apr_time_from_sec(30 * 86400)
/* Where lockout= or max= is not given. */
#define GUARD_LOCKOUT_USEC_DEFAULT apr_time_from_sec(15 * 60)
#define GUARD_LOCKOUT_MAX_USEC_DEFAULT apr_time_from_sec(3600)
#define GUARD_PROVEN_SEC 600 /* a right guess stays proven */
#define GUARD_REPEAT_SEC 5   /* a rejected one is answered unverified */
#define GUARD_WAITERS_MAX 32 /* requests of one client waiting for a place */
#define GUARD_WAIT_USEC_DEFAULT apr_time_from_sec(2)
#define GUARD_WAIT_USEC_MAX apr_time_from_sec(60)
#define GUARD_BUSY_PROVEN_MAX                                                  \
    8 /* busy refusals, then proven ones queue too                             \
       */

/** One limit in force: the arguments of AuthGuardLimit. */
typedef struct guard_policy_t {
    uint16_t limit; /* failures that lock, 1 to GUARD_LIMIT_MAX */
    apr_interval_time_t window_usec;
    apr_interval_time_t lockout_usec;
    apr_interval_time_t lockout_max_usec;
} guard_policy_t;

/** The limit by `ip` where none is configured: 5/10min lockout=15min max=1h. */
extern const guard_policy_t guard_policy_default;

/** What a slot remembers of a guess. */
typedef enum {
    GUARD_SLOT_EMPTY = 0,
    GUARD_SLOT_CHECKING,   /* being verified; holds a place */
    GUARD_SLOT_REJECTED,   /* wrong, and counted in this window */
    GUARD_SLOT_RECHECKING, /* rejected, being verified again; no place */
    GUARD_SLOT_PROVEN      /* right, not long ago */
} guard_slot_e;

/* Of a guess's tag so many bits are kept, beside all of its user's; and of a
 * time in seconds so many, for what is near to now: 24 days all around. */
#define GUARD_TAG_BITS 27
#define GUARD_UNTIL_BITS 21

/** 10 bytes, without a gap, so that six fill a record. */
typedef struct __attribute__((packed, aligned(2))) guard_slot_t {
    uint32_t guess; /* of the tag, and the high bits of the user behind them */
    uint32_t until_sec : GUARD_UNTIL_BITS;
    /* CHECKING, RECHECKING: given up then; REJECTED: answered unverified till
     * then; PROVEN: till then; 0: long ago */
    uint32_t holders : 8; /* attempts verifying it, while in flight */
    uint32_t state : 3;
    uint16_t user; /* the low bits */
} guard_slot_t;

#define GUARD_SLOTS 6
#define GUARD_HOLDERS_MAX 255

typedef enum {
    GUARD_PHASE_CALM = 0,
    GUARD_PHASE_WINDOW, /* failures count until until_usec */
    GUARD_PHASE_LOCKED  /* locked out until until_usec */
} guard_phase_e;

/**
 * One client, the same in memory and in the file:
 *
 *     0  id                8  address          24  until_usec phase busy
 * waiters 32  level_until_usec 40  failures limit scope 44  forgiven
 * waiters_until               48  kind bits level window 52  6 slots of 10
 * bytes
 *
 * Slots say little of when they end, so a record that is kept has to be
 * refreshed once in GUARD_REFRESH_SEC, whatever happens to it.
 */
typedef struct guard_record_t {
    uint64_t id; /* guard_client_t's; 0: no record */
    guard_addr_t addr;
    uint64_t until_usec : 52; /* 142 years */
    uint64_t phase : 2;       /* guard_phase_e */
    uint64_t busy : 4;        /* busy refusals in this window, saturating */
    uint64_t waiters : 6;
    uint64_t level_until_usec; /* then level falls back to 0 */
    uint32_t failures : 10;    /* in this window, or when locked */
    uint32_t limit : 10;       /* as last judged by, for people */
    uint32_t scope : 12;       /* index of the scope's name, 0: unknown */
    uint16_t forgiven;         /* WINDOW: failures forgiven in it;
                                  LOCKED: the lockout's length, as a code */
    uint16_t waiters_until;    /* seconds, low bits: then waiters is void */
    uint8_t kind;              /* guard_kind_e, and GUARD_RECORD_... */
    uint8_t bits;
    uint8_t level;  /* lockouts in a row */
    uint8_t window; /* the longest that counts here, as a code */
    guard_slot_t slot[GUARD_SLOTS];
} guard_record_t;

_Static_assert(sizeof(guard_slot_t) == 10, "six slots fill a record");
_Static_assert(sizeof(guard_record_t) == 112,
               "36 of them and 64 bytes: a page");
_Static_assert(GUARD_LIMIT_MAX < 1 << 10 && GUARD_WAITERS_MAX < 1 << 6 &&
                   GUARD_BUSY_PROVEN_MAX < 1 << 4,
               "what the bits hold");

/* What stands in guard_record_t.kind beside the kind. */
#define GUARD_RECORD_OBSERVED 0x80
#define GUARD_RECORD_TENANT 0x40 /* a .htaccess makes its scope */
#define GUARD_RECORD_KIND 0x0f

/** The rows of the reserve table: what the client's state says of a guess. */
typedef enum {
    GUARD_ROW_LOCKED = 1, /* refuse */
    GUARD_ROW_OVER,       /* failures >= limit: lock out now */
    GUARD_ROW_REPEATED,   /* rejected a moment ago: wrong, unverified */
    GUARD_ROW_CHECKING,   /* another request verifies it: wait for it */
    GUARD_ROW_FULL,       /* no place or no slot: wait for one */
    GUARD_ROW_PROVEN,     /* admit, no place */
    GUARD_ROW_REJECTED,   /* admit, counted already, no place */
    GUARD_ROW_FREE        /* admit, take a place */
} guard_row_e;

/** What an admitted attempt holds in a record until it is settled. */
typedef enum {
    GUARD_HOLD_NOTHING = 0, /* proven, or a holder too many to count */
    GUARD_HOLD_SLOT,        /* one of the slot's holders */
    GUARD_HOLD_SLOT_PROVEN  /* the same; it was proven before */
} guard_hold_e;

/** until_sec tells the slot from a later one of the same guess, where a check
 *  outlasts its place; but not within the same second, which takes the user's
 *  own right password and an error of the server in that second. */
typedef struct guard_hold_t {
    guard_hold_e what;
    uint32_t until_sec;
} guard_hold_t;

/** How a password check ended. */
typedef enum {
    GUARD_RIGHT = 1,
    GUARD_WRONG,
    GUARD_ABANDONED /* our fault, or no check took place */
} guard_outcome_e;

/** What a change did to the client, for whoever logs. */
typedef enum { GUARD_EVENT_NONE = 0, GUARD_EVENT_LOCKOUT } guard_event_e;

/** Let time pass: end what is over. Every other call expects it done, but for
 *  those that say otherwise. */
void guard_policy_refresh(guard_record_t *record, uint64_t now_usec);

/**
 * The same for a record that was last refreshed, or written, at then_usec or
 * later, which may be long ago. After it the next GUARD_REFRESH_SEC begin.
 */
void guard_policy_catch_up(guard_record_t *record, uint64_t then_usec,
                           uint64_t now_usec);
#define GUARD_REFRESH_SEC 86400

/** @return the record's phase; calm for what is none, as noise leaves it. */
static inline guard_phase_e guard_policy_phase_of(const guard_record_t *record)
{
    return record->phase <= GUARD_PHASE_LOCKED ? record->phase
                                               : GUARD_PHASE_CALM;
}

/** @return the phase that a refresh would leave. */
static inline guard_phase_e guard_policy_phase_at(const guard_record_t *record,
                                                  uint64_t now_usec)
{
    return now_usec < record->until_usec ? guard_policy_phase_of(record)
                                         : GUARD_PHASE_CALM;
}

/** @return the level that a refresh would leave. */
static inline uint8_t guard_policy_level_at(const guard_record_t *record,
                                            uint64_t now_usec)
{
    return now_usec < record->level_until_usec ? record->level : 0;
}

/** @return 1 if nothing worth keeping is left (after a refresh), else 0. */
int guard_policy_is_blank(const guard_record_t *record);

/** @return 1 if eviction may take it (after a refresh): not locked, no guess
 *  in flight; else 0. */
int guard_policy_is_evictable(const guard_record_t *record);

/** @return when the last of what it remembers is over, in microseconds. */
uint64_t guard_policy_forgotten_at(const guard_record_t *record,
                                   uint64_t now_usec);

/** @return 1 if proven guesses are admitted without a place at present, else
 *  0: they queue. */
int guard_policy_trusts(const guard_record_t *record);

/** What a record knows of a guess that was right before. */
typedef enum {
    GUARD_PROOF_NONE = 0,
    GUARD_PROOF_HELD, /* judge() says GUARD_ROW_PROVEN */
    GUARD_PROOF_FRESH /* the same; and it proved right within this second, so
                         that to settle it as right again changes nothing */
} guard_proof_e;

/** The record need not be refreshed. Where only that could tell, the answer is
 *  GUARD_PROOF_NONE. */
guard_proof_e guard_policy_proof(const guard_record_t *record,
                                 const guard_policy_t *policy,
                                 const guard_guess_t *guess, uint64_t now_usec);

/** Which row of the reserve table fits; changes nothing. */
guard_row_e guard_policy_judge(const guard_record_t *record,
                               const guard_policy_t *policy,
                               const guard_guess_t *guess, uint64_t now_usec);

/**
 * The row of several limits in force together: any refusal beats any wait,
 * any wait beats admission.
 */
guard_row_e guard_policy_strictest(guard_row_e a, guard_row_e b);

/**
 * Admit by row (PROVEN, REJECTED or FREE; CHECKING for one that waited in
 * vain and verifies under the same place).
 */
guard_hold_t guard_policy_take(guard_record_t *record,
                               const guard_policy_t *policy, guard_row_e row,
                               const guard_guess_t *guess, uint64_t now_usec);

/** Begin a lockout: on GUARD_ROW_OVER, and inside settle. */
void guard_policy_lock(guard_record_t *record, const guard_policy_t *policy,
                       uint64_t now_usec);

/** @return when the lockout in force began, to 0.05 % of its length; 0 if
 *  there is none. For people. */
uint64_t guard_policy_locked_since(const guard_record_t *record);

/** Count a busy refusal; opens the window if none is. */
void guard_policy_busy(guard_record_t *record, const guard_policy_t *policy,
                       uint64_t now_usec);

/**
 * Let one more request of this client wait, at most until wait_usec from now.
 * @return 1, or 0 if GUARD_WAITERS_MAX do already.
 */
int guard_policy_wait(guard_record_t *record, uint64_t now_usec,
                      apr_interval_time_t wait_usec);

/** End one wait. */
void guard_policy_unwait(guard_record_t *record);

/** Settle what take() gave. Call once for each take(). */
guard_event_e guard_policy_settle(guard_record_t *record,
                                  const guard_policy_t *policy,
                                  guard_hold_t hold, const guard_guess_t *guess,
                                  guard_outcome_e outcome, uint64_t now_usec);

/** Forget failures, lockout, level and busy, and free all places: those of
 *  killed processes are among them. What proved right stays. */
void guard_policy_unlock(guard_record_t *record);

/**
 * Take over where another count of the same client stands, one that goes for
 * more servers than this: so that this record can go on in its stead.
 * @param lasts_usec how long the window or the lockout still lasts
 * @param may_lower 0: that count may not know yet what was counted here, so
 * that a record which is stricter stays
 */
void guard_policy_mirror(guard_record_t *record, const guard_policy_t *policy,
                         guard_phase_e phase, unsigned failures, unsigned level,
                         apr_interval_time_t lasts_usec, int may_lower,
                         uint64_t now_usec);

/** Void what was remembered under another guess key; places stay taken. */
void guard_policy_void_guesses(guard_record_t *record);

/**
 * Check a record's invariants, as after a crash or in a test.
 * @return NULL, or a sentence that tells the first one broken
 */
const char *guard_policy_fault(const guard_record_t *record, uint64_t now_usec);

#endif
