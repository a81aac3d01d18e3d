/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_verdict.c owns the question how several limits in force become
 * one verdict. It knows no record, no lock and no store, and every rule for a
 * single record is guard_policy.c's.
 *
 * Invariant: a guess is admitted by all its claims or by none.
 */
#include "guard_store_verdict.h"

int guard_verdict_is_narrow(const guard_client_t *client)
{
    return client->kind == GUARD_KIND_IP || client->kind == GUARD_KIND_LOGIN;
}

int guard_verdict_is_open(guard_row_e row)
{
    return row == GUARD_ROW_FREE || row == GUARD_ROW_FULL;
}

void guard_verdict_widen(guard_opinion_t *opinions, unsigned count)
{
    int narrow_proven = 0;

    if (count < 2) {
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        narrow_proven |=
            opinions[i].is_narrow && opinions[i].row == GUARD_ROW_PROVEN;
    }
    for (unsigned i = 0; narrow_proven && i < count; i++) {
        if (!opinions[i].is_narrow && guard_verdict_is_open(opinions[i].row)) {
            opinions[i].row = GUARD_ROW_PROVEN;
        }
    }
}

int guard_verdict_vouches(const guard_opinion_t *opinions, unsigned count,
                          unsigned i)
{
    for (unsigned k = 0; k < count; k++) {
        if (opinions[k].is_narrow) {
            return opinions[i].is_narrow;
        }
    }
    return 1;
}

/* What all opinions have in common. */
typedef struct common_t {
    guard_row_e strictest;
    unsigned full, proven; /* how many say so */
    unsigned narrow, narrow_proven;
} common_t;

static common_t sum_up(const guard_opinion_t *opinions, unsigned count)
{
    common_t all = {.strictest = GUARD_ROW_FREE};

    for (unsigned i = 0; i < count; i++) {
        guard_row_e row = opinions[i].row;
        unsigned is_proven = row == GUARD_ROW_PROVEN;

        all.strictest = guard_policy_strictest(all.strictest, row);
        all.full += row == GUARD_ROW_FULL;
        all.proven += is_proven;
        if (opinions[i].is_narrow) {
            all.narrow++;
            all.narrow_proven += is_proven;
        }
    }
    return all;
}

/* Whether the server needs no check to spare for it: it is proven, and
 * trusted, for the address. Where nothing is counted by address, anywhere. */
static int is_trusted(const common_t *all)
{
    return all->narrow ? all->narrow_proven == all->narrow : all->proven > 0;
}

/* Whether those records that vouch for proofs still do. */
static int is_vouched_for(const guard_opinion_t *opinions, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (guard_verdict_vouches(opinions, count, i) &&
            !opinions[i].is_trusting) {
            return 0;
        }
    }
    return 1;
}

guard_verdict_e guard_verdict_judge(const guard_opinion_t *opinions,
                                    unsigned count, guard_patience_e patience,
                                    int no_check, guard_report_t *report)
{
    int may_wait = patience == GUARD_MAY_WAIT;
    int shows = !no_check || is_vouched_for(opinions, count);
    common_t all = sum_up(opinions, count);

    switch (all.strictest) {
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
    if (all.full) {
        return may_wait ? GUARD_WAIT : GUARD_BUSY;
    }
    report->is_proven = is_trusted(&all);
    if (no_check && !report->is_proven) {
        report->lacks_check = 1;
        return may_wait ? GUARD_WAIT : GUARD_OVERLOAD;
    }
    return GUARD_ADMIT;
}

unsigned guard_verdict_decisive(const guard_opinion_t *opinions, unsigned count,
                                guard_verdict_e verdict)
{
    unsigned best = count;
    guard_row_e row;

    if (count < 2) {
        return 0;
    }
    row = verdict == GUARD_LOCKED ? GUARD_ROW_LOCKED
          : verdict == GUARD_BUSY ? GUARD_ROW_FULL
                                  : sum_up(opinions, count).strictest;
    for (unsigned i = 0; i < count; i++) {
        if (opinions[i].row == row &&
            (best == count ||
             (row == GUARD_ROW_LOCKED &&
              opinions[i].until_usec > opinions[best].until_usec))) {
            best = i;
        }
    }
    return best < count ? best : 0;
}
