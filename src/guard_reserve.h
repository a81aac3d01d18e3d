/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_reserve.h: one guess, from its place in the budget to its settlement.
 *
 * The engine behind both faces of the guard: the check_authn hook
 * (guard_attempt.c) and the provider (guard_provider.c) fill an attempt,
 * reserve, have the password checked, and settle.
 */
#ifndef GUARD_RESERVE_H
#define GUARD_RESERVE_H

#include "guard_chain.h"
#include "guard_conf.h"
#include "guard_credentials.h"
#include "guard_log.h"
#include "guard_recent.h"
#include "guard_scope.h"
#include "guard_server.h"
#include "guard_store.h"

/** Which clients an attempt's claims are made for. */
typedef enum {
    GUARD_CLAIMED_NONE = 0,
    GUARD_CLAIMED_ADDRESS, /* `ip` and `net` */
    GUARD_CLAIMED_ALL
} guard_claimed_e;

/** Everything about one guess, while it lasts. Lives on the stack. */
typedef struct guard_attempt_t {
    request_rec *r;
    const guard_dir_conf_t *conf;
    guard_store_t *store;
    guard_auth_e auth;
    guard_mode_e mode;
    guard_credentials_t credentials;
    guard_addr_t addr;
    int is_v4;
    int is_exempt; /* AuthGuardExempt lists it */
    guard_scope_t scope;
    const char *guess_realm; /* the realm, and who wrote it */
    guard_log_subject_t subject;
    guard_claimed_e claimed;
    enum {
        GUARD_UNASKED = 0,
        GUARD_FREE,
        GUARD_KEPT_OUT
    } standing; /* claims' */
    unsigned claim_count;
    guard_recent_t *recent; /* of the connection; may be NULL */
    uint64_t now_usec; /* guard_store_clock at the last question; 0: not yet */
    uint64_t header_hash; /* to know the header again by; 0: it won't be */
    int has_guess;        /* the connection's, without taking it apart */
    guard_guess_t guess;
    guard_outcome_e outcome; /* of the check, once it has ended */
    guard_check_e check;     /* the server's place for this check */
    int lacked_check;        /* a far store would have admitted, but for one */
    guard_visit_t *visit;
    guard_report_t report;                  /* what the store said last */
    guard_ticket_t ticket;                  /* from guard_reserve_begin on */
    guard_claim_t claims[GUARD_CLAIMS_MAX]; /* claim_count of them */
} guard_attempt_t;

/**
 * Begin: whose request it is, and where.
 * @return 1, or 0 if there is no store or no address to count by
 */
int guard_reserve_identify(guard_attempt_t *a, request_rec *r,
                           guard_auth_e auth, guard_mode_e mode,
                           guard_origin_e origin);

/** @return 1 if the attempt is only observed, else 0. */
static inline int guard_reserve_observes(const guard_attempt_t *a)
{
    return a->mode == GUARD_MODE_OBSERVE;
}

/**
 * Set the header that presents credentials, or NULL. Where the connection's
 * last request had the same in the same realm, its guess is taken over, and
 * the credentials are not taken apart.
 */
void guard_reserve_present_header(guard_attempt_t *a, const char *header);

/** @return 1 if the connection's last request was admitted as a guess. */
static inline int guard_reserve_has_recent_guess(const guard_attempt_t *a)
{
    return a->recent && a->recent->header;
}

/** Set the credentials themselves; their strings must outlive the attempt. */
void guard_reserve_present(guard_attempt_t *a,
                           const guard_credentials_t *credentials);

/** Fill a->claims with all limits in force, unless they are. Without
 *  credentials there is no user to count by: `ip` and `net` only. */
void guard_reserve_claim(guard_attempt_t *a, int with_user);

/** @return 1, noted in the view, if AuthGuardExempt lists the client; else 0.
 *  An exempt attempt (is_attempt: it presents a guess) is counted as such. */
int guard_reserve_is_exempt(guard_attempt_t *a, int is_attempt);

/** Copy what the store reported last into the visit's view. */
void guard_reserve_show(guard_attempt_t *a, guard_state_e state,
                        guard_answer_e answer);

/**
 * Reserve a place for the guess, and wait for one as long as that may last.
 * Says what the store says: a->report.verdict is never GUARD_WAIT afterwards,
 * and GUARD_OVERLOAD where the store failed. Anything but GUARD_ADMIT is
 * noted in view, counters and log; GUARD_ADMIT must be settled.
 * @return a->report.verdict
 */
guard_verdict_e guard_reserve_begin(guard_attempt_t *a);

/** @return 1 if a client claimed is locked out, to be noted; else 0. The store
 *  is asked until it has said so once. */
int guard_reserve_is_locked(guard_attempt_t *a);

/** The same, but without waiting for the store: 0, too, where it would have to
 *  be waited for. */
int guard_reserve_is_locked_at_once(guard_attempt_t *a);

/** Note in view, counters and log that the request is refused as locked.
 *  @param is_attempt 1 if it presents a guess */
void guard_reserve_note_locked(guard_attempt_t *a, int is_attempt);

/** Settle what was admitted: records, view, counters, log. */
void guard_reserve_settle(guard_attempt_t *a, guard_outcome_e outcome);

#endif
