/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_shm_verdict.c owns what a verdict does to the copies of the
 * records. It knows no lock and no file; how several limits become one verdict
 * is guard_store_verdict.c's, and every rule for a single record
 * guard_policy.c's.
 *
 * Invariant: a guess gets a place in all its claims or in none.
 */
#include "guard_store_shm_verdict.h"

/* The limit was lowered below what has failed already. */
static void lock_over(guard_claim_view_t *views, guard_opinion_t *opinions,
                      unsigned count, uint64_t table_usec,
                      guard_report_t *report)
{
    for (unsigned i = 0; i < count; i++) {
        if (opinions[i].row == GUARD_ROW_OVER) {
            guard_policy_lock(&views[i].record, views[i].policy, table_usec);
            opinions[i].row = GUARD_ROW_LOCKED;
            opinions[i].until_usec = views[i].record.until_usec;
            views[i].changed = 1;
            report->standing[i].event = GUARD_EVENT_LOCKOUT;
        }
    }
}

/* No place, or no check to spare for it: join those who wait; for a place,
 * unless there are enough of them. Who waits is noted where it counts against
 * the trust in proofs, too: waiting must tell no more than a refusal does. */
static guard_verdict_e queue(guard_claim_view_t *views,
                             const guard_opinion_t *opinions, unsigned count,
                             uint64_t table_usec, apr_interval_time_t wait_usec,
                             guard_ticket_t *ticket)
{
    for (unsigned i = 0; i < count; i++) {
        if (ticket->waiting[i] ||
            (opinions[i].row != GUARD_ROW_FULL &&
             !guard_verdict_vouches(opinions, count, i))) {
            continue;
        }
        if (guard_policy_wait(&views[i].record, table_usec, wait_usec)) {
            ticket->waiting[i] = 1;
            views[i].changed = 1;
        } else if (opinions[i].row == GUARD_ROW_FULL) {
            return GUARD_BUSY;
        }
    }
    ticket->state = GUARD_TICKET_WAITING;
    return GUARD_WAIT;
}

/*
 * Count a refusal that says "not now", be it for the client's places or for
 * the server's checks: where there was no place, and wherever it is asked
 * whether proven guesses are still to be trusted, so that nobody can go on
 * telling "not now" from "in".
 */
static void refuse_busy(guard_claim_view_t *views,
                        const guard_opinion_t *opinions, unsigned count,
                        uint64_t table_usec)
{
    for (unsigned i = 0; i < count; i++) {
        if (opinions[i].row == GUARD_ROW_FULL ||
            guard_verdict_vouches(opinions, count, i)) {
            guard_policy_busy(&views[i].record, views[i].policy, table_usec);
            views[i].changed = 1;
        }
    }
}

static void open_ticket(guard_ticket_t *ticket, unsigned count,
                        uint64_t table_usec, int is_fresh)
{
    ticket->fresh_sec = is_fresh ? (uint32_t)apr_time_sec(table_usec) : 0;
    ticket->claim_count = count;
    ticket->state = GUARD_TICKET_OPEN;
}

static void admit(guard_claim_view_t *views, const guard_opinion_t *opinions,
                  const guard_claim_t *claims, unsigned count,
                  uint64_t table_usec, guard_ticket_t *ticket)
{
    for (unsigned i = 0; i < count; i++) {
        guard_claim_view_t *view = &views[i];

        ticket->hold[i] =
            guard_policy_take(&view->record, view->policy, opinions[i].row,
                              &ticket->guess, table_usec);
        if (ticket->hold[i].what == GUARD_HOLD_SLOT && opinions[i].is_proven) {
            ticket->hold[i].what = GUARD_HOLD_SLOT_PROVEN;
        }
        ticket->claim[i] = claims[i];
        ticket->entry[i] = (uint8_t)view->place.index;
        ticket->overflow[i] =
            guard_shm_is_overflow(view->place.index) ? ticket->entry[i] : 0;
        ticket->failures[i] = view->record.failures & UINT16_MAX;
        view->changed |= opinions[i].row != GUARD_ROW_PROVEN;
    }
    open_ticket(ticket, count, table_usec, 0);
}

/* What all records know of a guess, at least. */
static guard_proof_e proof_of_all(const guard_shm_table_t *table,
                                  const guard_claim_view_t *views,
                                  const guard_claim_t *claims, unsigned count,
                                  const guard_guess_t *guess,
                                  uint64_t table_usec)
{
    guard_proof_e least = GUARD_PROOF_FRESH;

    for (unsigned i = 0; least && i < count; i++) {
        const guard_record_t *record =
            guard_shm_table_record(table, &views[i].place);
        guard_proof_e proof =
            views[i].place.found ? guard_policy_proof(record, &claims[i].policy,
                                                      guess, table_usec)
                                 : GUARD_PROOF_NONE;

        least = proof < least ? proof : least;
    }
    return least;
}

int guard_shm_verdict_admit_proven(const guard_shm_table_t *table,
                                   const guard_claim_view_t *views,
                                   const guard_claim_t *claims, unsigned count,
                                   uint64_t table_usec, guard_ticket_t *ticket,
                                   guard_report_t *report)
{
    static const guard_hold_t nothing = {.what = GUARD_HOLD_NOTHING};
    guard_proof_e proof;

    if (ticket->state != GUARD_TICKET_NEW || !count) {
        return 0;
    }
    proof =
        proof_of_all(table, views, claims, count, &ticket->guess, table_usec);
    if (proof == GUARD_PROOF_NONE) {
        return 0;
    }
    for (unsigned i = 0; i < count; i++) {
        guard_standing_t *standing = &report->standing[i];

        guard_shm_claim_tell_record(
            standing, guard_shm_table_record(table, &views[i].place),
            table_usec);
        standing->limit = claims[i].policy.limit;
        ticket->hold[i] = nothing;
        ticket->claim[i] = claims[i];
        ticket->entry[i] = (uint8_t)views[i].place.index;
        ticket->overflow[i] = 0;
        ticket->failures[i] = standing->failures;
    }
    open_ticket(ticket, count, table_usec, proof == GUARD_PROOF_FRESH);
    report->verdict = GUARD_ADMIT;
    report->is_proven = 1;
    return 1;
}

/* Whoever waited and now is told something else, waits no longer. */
static void stop_waiting(guard_claim_view_t *views, unsigned count,
                         guard_ticket_t *ticket)
{
    for (unsigned i = 0; i < count; i++) {
        if (ticket->waiting[i]) {
            guard_policy_unwait(&views[i].record);
            ticket->waiting[i] = 0;
            views[i].changed = 1;
        }
    }
}

guard_verdict_e guard_shm_verdict_decide(
    guard_store_t *store, guard_claim_view_t *views, guard_opinion_t *opinions,
    const guard_claim_t *claims, unsigned count, uint64_t table_usec,
    guard_patience_e patience, guard_ticket_t *ticket, guard_report_t *report)
{
    guard_verdict_e verdict = guard_verdict_judge(opinions, count, patience,
                                                  ticket->no_check, report);

    ticket->has_joined |= report->is_join;
    if (verdict == GUARD_WAIT && !report->is_join) {
        verdict =
            queue(views, opinions, count, table_usec, store->wait_usec, ticket);
    }
    if (verdict == GUARD_LOCKED) {
        lock_over(views, opinions, count, table_usec, report);
    } else if (verdict == GUARD_OVERLOAD || verdict == GUARD_BUSY) {
        refuse_busy(views, opinions, count, table_usec);
    } else if (verdict == GUARD_ADMIT) {
        admit(views, opinions, claims, count, table_usec, ticket);
    }
    if (verdict != GUARD_WAIT) {
        stop_waiting(views, count, ticket);
    }
    report->decisive = guard_verdict_decisive(opinions, count, verdict);
    return verdict;
}

void guard_shm_verdict_judge(const guard_shm_table_t *table,
                             guard_claim_view_t *views,
                             const guard_claim_t *claims, unsigned count,
                             const guard_guess_t *guess, uint64_t table_usec,
                             int has_joined, guard_opinion_t *opinions)
{
    for (unsigned i = 0; i < count; i++) {
        const guard_client_t *client = &claims[i].client;
        guard_claim_view_t *view = &views[i];
        guard_opinion_t *opinion = &opinions[i];

        opinion->row =
            guard_policy_judge(&view->record, view->policy, guess, table_usec);
        opinion->is_narrow = guard_verdict_is_narrow(client);
        opinion->is_trusting = guard_policy_trusts(&view->record);
        opinion->until_usec = view->record.until_usec;
        opinion->is_proven =
            opinion->row == GUARD_ROW_PROVEN ||
            (opinion->is_narrow && guard_verdict_is_open(opinion->row) &&
             guard_shm_proven_any_locked(
                 table, guard_shm_table_bucket_of(table, client->id),
                 table_usec) &&
             guard_shm_proven_find(table, client->id, guess->proven_tag,
                                   table_usec));
        /* Who was let wait for the verdict, and it was right, needs no trust.
         */
        if (opinion->is_proven && guard_verdict_is_open(opinion->row) &&
            (has_joined || opinion->is_trusting)) {
            opinion->row = GUARD_ROW_PROVEN;
        }
    }
    guard_verdict_widen(opinions, count);
}
