/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_shm_verdict.c owns the question how several limits in force
 * become one verdict, and does to the copies of the records what follows from
 * it. It knows no lock and no file, and every rule for a single record is
 * guard_policy.c's.
 *
 * Invariant: a guess gets a place in all its claims or in none.
 */
#include "guard_store_shm_verdict.h"

int guard_shm_verdict_is_narrow(const guard_client_t *client)
{
    return client->kind == GUARD_KIND_IP || client->kind == GUARD_KIND_LOGIN;
}

unsigned guard_shm_verdict_decisive(const guard_claim_view_t *views,
                                    unsigned count, guard_row_e row)
{
    unsigned best = count;

    for (unsigned i = 0; i < count; i++) {
        if (views[i].row == row &&
            (best == count ||
             (row == GUARD_ROW_LOCKED &&
              views[i].record.until_usec > views[best].record.until_usec))) {
            best = i;
        }
    }
    return best < count ? best : 0;
}

static int any(const guard_claim_view_t *views, unsigned count, guard_row_e row)
{
    for (unsigned i = 0; i < count; i++) {
        if (views[i].row == row) {
            return 1;
        }
    }
    return 0;
}

/* The limit was lowered below what has failed already. */
static void lock_over(guard_claim_view_t *views, unsigned count,
                      uint64_t table_usec, guard_report_t *report)
{
    for (unsigned i = 0; i < count; i++) {
        if (views[i].row == GUARD_ROW_OVER) {
            guard_policy_lock(&views[i].record, views[i].policy, table_usec);
            views[i].row = GUARD_ROW_LOCKED;
            views[i].changed = 1;
            report->standing[i].event = GUARD_EVENT_LOCKOUT;
        }
    }
}

/* Whether the claim's record is asked if proven guesses are to be trusted:
 * those of the address; where nothing is counted by address, all. */
static int vouches(const guard_claim_t *claims, unsigned count, unsigned i)
{
    for (unsigned k = 0; k < count; k++) {
        if (guard_shm_verdict_is_narrow(&claims[k].client)) {
            return guard_shm_verdict_is_narrow(&claims[i].client);
        }
    }
    return 1;
}

/* No place, or no check to spare for it: join those who wait; for a place,
 * unless there are enough of them. Who waits is noted where it counts against
 * the trust in proofs, too: waiting must tell no more than a refusal does. */
static guard_verdict_e queue(guard_claim_view_t *views,
                             const guard_claim_t *claims, unsigned count,
                             uint64_t table_usec, apr_interval_time_t wait_usec,
                             guard_ticket_t *ticket)
{
    for (unsigned i = 0; i < count; i++) {
        if (ticket->waiting[i] ||
            (views[i].row != GUARD_ROW_FULL && !vouches(claims, count, i))) {
            continue;
        }
        if (guard_policy_wait(&views[i].record, table_usec, wait_usec)) {
            ticket->waiting[i] = 1;
            views[i].changed = 1;
        } else if (views[i].row == GUARD_ROW_FULL) {
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
static void refuse_busy(guard_claim_view_t *views, const guard_claim_t *claims,
                        unsigned count, uint64_t table_usec)
{
    for (unsigned i = 0; i < count; i++) {
        if (views[i].row == GUARD_ROW_FULL || vouches(claims, count, i)) {
            guard_policy_busy(&views[i].record, views[i].policy, table_usec);
            views[i].changed = 1;
        }
    }
}

static void admit(guard_claim_view_t *views, const guard_claim_t *claims,
                  unsigned count, uint64_t table_usec, guard_ticket_t *ticket)
{
    for (unsigned i = 0; i < count; i++) {
        ticket->hold[i] =
            guard_policy_take(&views[i].record, views[i].policy, views[i].row,
                              &ticket->guess, table_usec);
        if (ticket->hold[i].what == GUARD_HOLD_SLOT && views[i].is_proven) {
            ticket->hold[i].what = GUARD_HOLD_SLOT_PROVEN;
        }
        ticket->claim[i] = claims[i];
        ticket->overflow[i] = guard_shm_is_overflow(views[i].place.index)
                                  ? (uint8_t)views[i].place.index
                                  : 0;
        views[i].changed |= views[i].row != GUARD_ROW_PROVEN;
    }
    ticket->claim_count = count;
    ticket->state = GUARD_TICKET_OPEN;
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

/* Whether the server needs no check to spare for it: it is proven, and
 * trusted, for the address. Where nothing is counted by address, anywhere. */
static int is_trusted(const guard_claim_view_t *views,
                      const guard_claim_t *claims, unsigned count)
{
    unsigned narrow = 0;

    for (unsigned i = 0; i < count; i++) {
        if (!guard_shm_verdict_is_narrow(&claims[i].client)) {
            continue;
        }
        if (views[i].row != GUARD_ROW_PROVEN) {
            return 0;
        }
        narrow++;
    }
    return narrow || any(views, count, GUARD_ROW_PROVEN);
}

/* Whether those records that vouch for proofs still do. */
static int is_vouched_for(const guard_claim_view_t *views,
                          const guard_claim_t *claims, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (vouches(claims, count, i) &&
            !guard_policy_trusts(&views[i].record)) {
            return 0;
        }
    }
    return 1;
}

/* What the rows come to; changes no record. */
static guard_verdict_e judge(const guard_claim_view_t *views,
                             const guard_claim_t *claims, unsigned count,
                             guard_row_e strictest, guard_patience_e patience,
                             const guard_ticket_t *ticket,
                             guard_report_t *report)
{
    int may_wait = patience == GUARD_MAY_WAIT;
    int shows = !ticket->no_check || is_vouched_for(views, claims, count);

    switch (strictest) {
    case GUARD_ROW_LOCKED:
    case GUARD_ROW_OVER:
        return GUARD_LOCKED;
    case GUARD_ROW_REPEATED:
        if (shows) {
            return GUARD_REPEAT;
        }
        break;
    case GUARD_ROW_CHECKING:
        if (!shows) {
            break; /* as a guess is told that nobody knows */
        }
        report->is_join = patience != GUARD_LAST_TRY;
        if (report->is_join) {
            return GUARD_WAIT;
        }
        break; /* it has waited in vain: verifies under the same place */
    default:
        break;
    }
    if (any(views, count, GUARD_ROW_FULL)) {
        return may_wait ? GUARD_WAIT : GUARD_BUSY;
    }
    report->is_proven = is_trusted(views, claims, count);
    if (ticket->no_check && !report->is_proven) {
        report->lacks_check = 1;
        return may_wait ? GUARD_WAIT : GUARD_OVERLOAD;
    }
    return GUARD_ADMIT;
}

guard_verdict_e
guard_shm_verdict_decide(guard_store_t *store, guard_claim_view_t *views,
                         const guard_claim_t *claims, unsigned count,
                         uint64_t table_usec, guard_patience_e patience,
                         guard_ticket_t *ticket, guard_report_t *report)
{
    guard_row_e row = GUARD_ROW_FREE;
    guard_verdict_e verdict;

    for (unsigned i = 0; i < count; i++) {
        row = guard_policy_strictest(row, views[i].row);
    }
    verdict = judge(views, claims, count, row, patience, ticket, report);
    ticket->has_joined |= report->is_join;
    if (verdict == GUARD_WAIT && !report->is_join) {
        verdict =
            queue(views, claims, count, table_usec, store->wait_usec, ticket);
    }
    if (verdict == GUARD_LOCKED) {
        lock_over(views, count, table_usec, report);
        row = GUARD_ROW_LOCKED;
    } else if (verdict == GUARD_OVERLOAD) {
        refuse_busy(views, claims, count, table_usec);
    } else if (verdict == GUARD_BUSY) {
        refuse_busy(views, claims, count, table_usec);
        row = GUARD_ROW_FULL;
    } else if (verdict == GUARD_ADMIT) {
        admit(views, claims, count, table_usec, ticket);
    }
    if (verdict != GUARD_WAIT) {
        stop_waiting(views, count, ticket);
    }
    report->decisive = guard_shm_verdict_decisive(views, count, row);
    return verdict;
}

/* Whether a row may still give way to "proven". */
static int is_open(guard_row_e row)
{
    return row == GUARD_ROW_FREE || row == GUARD_ROW_FULL;
}

void guard_shm_verdict_judge(const guard_shm_table_t *table,
                             guard_claim_view_t *views,
                             const guard_claim_t *claims, unsigned count,
                             const guard_guess_t *guess, uint64_t table_usec,
                             int has_joined)
{
    int narrow_proven = 0;

    for (unsigned i = 0; i < count; i++) {
        const guard_client_t *client = &claims[i].client;
        guard_claim_view_t *view = &views[i];

        view->row =
            guard_policy_judge(&view->record, view->policy, guess, table_usec);
        view->is_proven =
            view->row == GUARD_ROW_PROVEN ||
            (is_open(view->row) &&
             guard_shm_proven_find(table, client->id, guess->proven_tag,
                                   table_usec));
        /* Who was let wait for the verdict, and it was right, needs no trust.
         */
        if (view->is_proven && is_open(view->row) &&
            (has_joined || guard_policy_trusts(&view->record))) {
            view->row = GUARD_ROW_PROVEN;
        }
        narrow_proven |= view->row == GUARD_ROW_PROVEN &&
                         guard_shm_verdict_is_narrow(client);
    }
    for (unsigned i = 0; narrow_proven && i < count; i++) {
        if (is_open(views[i].row) &&
            !guard_shm_verdict_is_narrow(&claims[i].client)) {
            views[i].row = GUARD_ROW_PROVEN;
        }
    }
}
