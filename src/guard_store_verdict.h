/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_verdict.h: several limits, one verdict.
 *
 * What every store has in common once it knows what each client's record says
 * of a guess. Pure functions: no lock, no record, no clock.
 */
#ifndef GUARD_STORE_VERDICT_H
#define GUARD_STORE_VERDICT_H

#include "guard_store.h"

/** What the record of one claim says of a guess. */
typedef struct guard_opinion_t {
    guard_row_e row;
    int is_narrow;       /* guard_verdict_is_narrow of the claim's client */
    int is_proven;       /* was right from this client */
    int is_trusting;     /* guard_policy_trusts of the record */
    uint64_t until_usec; /* LOCKED: when that ends, on any one clock */
} guard_opinion_t;

/** @return 1 if one address makes such a client, not a network or the whole
 *  world; else 0. */
int guard_verdict_is_narrow(const guard_client_t *client);

/** @return 1 if the row may still give way to "proven": no place has been
 *  given, none refused; else 0. */
int guard_verdict_is_open(guard_row_e row);

/**
 * A guess that was right from this address was right from its network, and by
 * its user, too: what is proven for a narrow claim needs no place in the wide
 * ones, where many people's guesses would have to be remembered.
 */
void guard_verdict_widen(guard_opinion_t *opinions, unsigned count);

/** @return 1 if claim i's record is asked whether proven guesses are to be
 *  trusted: those of the address; where nothing is counted by address, all. */
int guard_verdict_vouches(const guard_opinion_t *opinions, unsigned count,
                          unsigned i);

/**
 * What the opinions come to.
 * @param no_check of the ticket
 * @param report is_join, is_proven and lacks_check are set
 */
guard_verdict_e guard_verdict_judge(const guard_opinion_t *opinions,
                                    unsigned count, guard_patience_e patience,
                                    int no_check, guard_report_t *report);

/** @return the claim that decides a verdict: of several lockouts the longest,
 *  of other verdicts the first that has the row behind it. */
unsigned guard_verdict_decisive(const guard_opinion_t *opinions, unsigned count,
                                guard_verdict_e verdict);

#endif
