/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store.h: the contract between the guard and whatever keeps counts.
 *
 * A store knows clients, guesses and policies; it knows nothing of requests.
 * Each operation is atomic for its clients: of all processes that share the
 * store, one at a time sees and changes them. A process killed in the middle
 * leaves each client as before or as after; where it had several, some may be
 * after and some before, and a place taken that way is given up like any that
 * is never settled.
 *
 * The clock is an argument: now_usec is CLOCK_BOOTTIME in microseconds,
 * guard_store_clock() in the server, anything that only grows in a test.
 *
 * Errors: APR_SUCCESS, or a status that says why the store could not do it
 * (APR_TIMEUP: its lock was not to be had in time). After an error nothing
 * was changed, and reports and tickets are as if the call had not been made;
 * a ticket that could not be settled keeps its place for one window.
 */
#ifndef GUARD_STORE_H
#define GUARD_STORE_H

#include "guard_policy.h"
#include <apr_pools.h>
#include <signal.h>
#include <stdatomic.h>

#define GUARD_CLAIMS_MAX GUARD_KIND_MAX

/** A client and the limit that is in force for it. */
typedef struct guard_claim_t {
    guard_client_t client; /* sealed with the store's table_secret */
    guard_policy_t policy;
} guard_claim_t;

/** How long the caller is ready to stay. */
typedef enum {
    GUARD_MAY_WAIT, /* told GUARD_WAIT, it sleeps a little and asks again */
    GUARD_MAY_JOIN, /* the same, but for another request's verdict only */
    GUARD_LAST_TRY  /* decide now: no GUARD_WAIT */
} guard_patience_e;

typedef enum {
    GUARD_ADMIT = 1, /* verify the password, then settle */
    GUARD_REPEAT,    /* wrong a moment ago, and still: refuse, 401.1 */
    GUARD_LOCKED,    /* refuse, 401.501 */
    GUARD_WAIT,      /* ask again with the same ticket */
    GUARD_BUSY,      /* refuse, 429.501 */
    GUARD_OVERLOAD   /* refuse, 503.2 */
} guard_verdict_e;

/** What one operation did, or saw, of one claim. */
typedef struct guard_standing_t {
    guard_event_e event; /* GUARD_EVENT_LOCKOUT: it began just now */
    guard_phase_e phase;
    uint16_t failures;
    uint16_t limit;
    uint8_t level;
    uint8_t overflow;                   /* 1: counted in the overflow record */
    apr_interval_time_t remaining_usec; /* of the lockout; 0 if not locked */
    apr_interval_time_t lasts_usec;     /* of the lockout or the window */
} guard_standing_t;

/** What an operation reports. standing[i] belongs to claims[i]. */
typedef struct guard_report_t {
    guard_verdict_e verdict;
    unsigned decisive; /* index of the claim that decided the verdict */
    int lacks_check;   /* 1: WAIT or OVERLOAD for ticket->no_check alone */
    int is_join;       /* 1: WAIT for another request's verdict */
    int is_proven;     /* 1: proven for the address: needs no check */
    guard_standing_t standing[GUARD_CLAIMS_MAX];
} guard_report_t;

typedef enum {
    GUARD_TICKET_NEW = 0, /* as zeroed by the caller */
    GUARD_TICKET_WAITING, /* counted as waiting for a place */
    GUARD_TICKET_OPEN,    /* admitted, to be settled */
    GUARD_TICKET_CLOSED
} guard_ticket_e;

/**
 * One attempt's dealings with the store. The caller zeroes it (claim need not
 * be), passes it to every reserve of the attempt, and to settle; the rest is
 * the store's. An
 * attempt that is to reserve again after it was settled zeroes it but for
 * has_joined and away.
 */
typedef struct guard_ticket_t {
    guard_ticket_e state;
    int has_joined; /* it was let wait for another request's verdict */
    int no_check; /* by the caller: 1: the server verifies enough already; only
                     a proven guess may be admitted */
    unsigned claim_count;
    guard_guess_t guess;
    guard_hold_t hold[GUARD_CLAIMS_MAX];
    uint8_t overflow[GUARD_CLAIMS_MAX];  /* held in an overflow record: which */
    uint8_t waiting[GUARD_CLAIMS_MAX];   /* counted as waiter there */
    uint8_t entry[GUARD_CLAIMS_MAX];     /* where the record was: a hint */
    uint16_t failures[GUARD_CLAIMS_MAX]; /* when it was admitted */
    uint32_t fresh_sec; /* in that second nothing changes if it is right; 0 */
    struct {
        uint8_t where;    /* which of a store's parts has it; the store's own */
        uint8_t in_doubt; /* a server may hold a place that it never told of */
        uint64_t token;   /* names the reservation there */
        apr_interval_time_t slow_usec;     /* what waiting for it has cost */
    } away;                                /* of stores that have a server */
    guard_claim_t claim[GUARD_CLAIMS_MAX]; /* claim_count of them */
} guard_ticket_t;

/** Why a store had to do without its server. */
typedef enum {
    GUARD_FALLBACK_TIMEOUT,
    GUARD_FALLBACK_CONNECTION,
    GUARD_FALLBACK_REPLY,
    GUARD_FALLBACK_BREAKER,
    GUARD_FALLBACK_MAX
} guard_fallback_e;

/** What the counters count; docs/log.md and the metrics name them alike. */
typedef enum {
    GUARD_COUNT_OK,
    GUARD_COUNT_FAILED,
    GUARD_COUNT_REPEAT,
    GUARD_COUNT_LOCKED,
    GUARD_COUNT_BUSY,
    GUARD_COUNT_OVERLOAD,
    GUARD_COUNT_ABANDONED,
    GUARD_COUNT_EXEMPT,
    GUARD_COUNT_REFUSED_LOCKED, /* requests, with or without credentials */
    GUARD_COUNT_REFUSED_REPEAT,
    GUARD_COUNT_REFUSED_BUSY,
    GUARD_COUNT_REFUSED_OVERLOAD,
    GUARD_COUNT_LOCKOUTS,
    GUARD_COUNT_EVICTIONS, /* the store counts the last three itself */
    GUARD_COUNT_OVERFLOW,
    GUARD_COUNT_RECOVERIES,
    GUARD_COUNT_MAX
} guard_counter_e;

typedef struct guard_stats_t {
    uint64_t counter[GUARD_COUNT_MAX];
    uint64_t table_size;      /* clients that fit */
    uint64_t clients_tracked; /* records in use, overflow ones not counted */
    uint64_t clients_locked;
    uint64_t fallback[GUARD_FALLBACK_MAX]; /* operations done without it */
    int is_down;    /* 1: the server is away, a fallback speaks */
    int is_partial; /* 1: not all clients were looked at */
} guard_stats_t;

/** One record, as people are told of it. */
typedef struct guard_entry_t {
    uint64_t id;
    guard_kind_e kind;
    guard_counted_e counted;
    guard_addr_t addr;
    uint8_t bits;
    guard_phase_e phase;
    uint16_t failures;
    uint16_t limit;
    uint8_t level;
    apr_interval_time_t remaining_usec; /* of the lockout or the window */
    apr_interval_time_t since_usec;     /* the lockout began so long ago; 0 */
    unsigned in_flight;                 /* guesses being verified */
    uint64_t scope;                     /* 0 where the name is unknown */
    char scope_name[240];               /* "" where unknown; cut to fit */
} guard_entry_t;

/** Which records unlock and iterate mean; a zeroed one means all. */
typedef struct guard_filter_t {
    enum {
        GUARD_FILTER_ALL,
        GUARD_FILTER_NET,
        GUARD_FILTER_USER,
        GUARD_FILTER_ID
    } by;
    guard_cidr_t net;       /* NET: records that share addresses with it */
    const char *user;       /* USER: `user` and `login` records of this name */
    uint64_t id;            /* ID: the record of this guard_entry_t.id */
    const char *scope_name; /* NULL: every scope */
    int locked_only;
    const volatile sig_atomic_t *stop; /* NULL, or: once it is set, the walk
                                          ends with APR_EINTR */
} guard_filter_t;

/** @return APR_SUCCESS to go on; anything else ends the walk. */
typedef apr_status_t guard_entry_fn(void *baton, const guard_entry_t *entry);

typedef struct guard_store_t guard_store_t;

typedef struct guard_store_ops_t {
    const char *name;

    /**
     * Reserve a place in all claims, or in none. Call before any password is
     * looked at; with GUARD_WAIT, again, until it says something else.
     */
    apr_status_t (*reserve)(guard_store_t *store, uint64_t now_usec,
                            const guard_claim_t *claims, unsigned count,
                            const guard_guess_t *guess,
                            guard_patience_e patience, guard_ticket_t *ticket,
                            guard_report_t *report);

    /** Settle an open ticket; any other is left alone, APR_SUCCESS. */
    apr_status_t (*settle)(guard_store_t *store, uint64_t now_usec,
                           guard_ticket_t *ticket, guard_outcome_e outcome,
                           guard_report_t *report);

    /** See where the claims stand; verdict GUARD_LOCKED or GUARD_ADMIT. */
    apr_status_t (*peek)(guard_store_t *store, uint64_t now_usec,
                         const guard_claim_t *claims, unsigned count,
                         guard_report_t *report);

    /** Unlock what filter means: forget lockout, failures and level, and free
     *  the places. *count says how many clients had any of these. */
    apr_status_t (*unlock)(guard_store_t *store, uint64_t now_usec,
                           const guard_filter_t *filter, unsigned *count);

    /** Show every record in use that filter means; no lock is held while
     *  each() runs. */
    apr_status_t (*iterate)(guard_store_t *store, uint64_t now_usec,
                            const guard_filter_t *filter, guard_entry_fn *each,
                            void *baton);

    apr_status_t (*stats)(guard_store_t *store, uint64_t now_usec,
                          guard_stats_t *stats);

    /**
     * Take over what a store with a server says of the claims, so that this
     * one can go on in its stead.
     * @param keeps_until_usec till then what was counted here may not be known
     * there, so that a client this store is stricter with stays as it is; NULL:
     * all of it is. Whoever counts here raises it first, and it is read while
     * nobody can count: so nothing is counted between the look and the change
     * @param guess what was just verified there, with its outcome; NULL: none
     */
    apr_status_t (*mirror)(guard_store_t *store, uint64_t now_usec,
                           const guard_claim_t *claims, unsigned count,
                           const guard_standing_t *standings,
                           const _Atomic uint64_t *keeps_until_usec,
                           const guard_guess_t *guess, guard_outcome_e outcome);

    /** Count one event. Never fails, never waits. */
    void (*tally)(guard_store_t *store, guard_counter_e counter);
} guard_store_ops_t;

/** Every store's memory begins with this. */
struct guard_store_t {
    const guard_store_ops_t *ops;
    guard_secret_t table_secret;   /* [fork] names clients */
    guard_secret_t guess_secret;   /* [fork] names guesses; never written */
    apr_interval_time_t wait_usec; /* [fork] the longest that callers wait */
    int is_far; /* [fork] 1: a question may go to another machine */
};

/** How much it matters what the store has to say. */
typedef enum {
    GUARD_SAY_ERROR,
    GUARD_SAY_WARNING,
    GUARD_SAY_NOTICE
} guard_say_e;

/** Told in one sentence what a store found and did. id is the log id
 *  ("AG0201"). */
typedef void guard_say_fn(void *baton, guard_say_e level, const char *id,
                          const char *sentence);

/** CLOCK_BOOTTIME in microseconds: goes on in suspend, is never set. */
uint64_t guard_store_clock(void);

#endif
