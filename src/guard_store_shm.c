/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_shm.c owns the store's operations on shared memory: reserve,
 * settle and peek, from locking to unlocking. It knows no file beyond opening
 * it, and leaves verdicts to guard_store_shm_verdict.c.
 *
 * Invariant: an operation locks the stripes of all its claims, in ascending
 * order and before it reads any record; works on copies; and writes back only
 * once the verdict is known. So claims get a place in all or in none, and no
 * two processes wait for each other. No lock is held when a call returns.
 */
#include "guard_store_shm.h"
#include "guard_store_shm_claim.h"
#include "guard_store_shm_file.h"
#include "guard_store_shm_verdict.h"
#include "guard_store_shm_walk.h"
#include "guard_store_shm_watch.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* To be raised when guard_shm_store_t changes and keeps its size; a test
 * builds with another one. */
#ifndef LAYOUT
#define LAYOUT 1u
#endif

typedef struct guard_shm_store_t {
    guard_store_t base;
    guard_shm_file_t file;
    guard_shm_watch_t watch; /* [parent] */
} guard_shm_store_t;

static guard_shm_file_t *file_of(guard_store_t *store)
{
    return &((guard_shm_store_t *)store)->file;
}

/* Nothing has been seen yet. */
static void begin_report(guard_report_t *report, unsigned count)
{
    static const guard_standing_t unseen;

    report->verdict = 0;
    report->decisive = 0;
    report->lacks_check = 0;
    report->is_join = 0;
    report->is_proven = 0;
    report->standing[0] = unseen;
    for (unsigned i = 1; i < count; i++) {
        report->standing[i] = unseen;
    }
}

/* A guess that is not proven in all records: judge it on copies of them. */
static void judge_locked(guard_store_t *store, guard_claim_view_t *views,
                         const guard_claim_t *claims, unsigned count,
                         uint64_t table_usec, guard_patience_e patience,
                         guard_ticket_t *ticket, guard_report_t *report)
{
    guard_shm_table_t *table = &file_of(store)->table;
    guard_opinion_t opinions[GUARD_CLAIMS_MAX];

    guard_shm_claim_load_locked(table, claims, count, table_usec, views);
    guard_shm_verdict_judge(table, views, claims, count, &ticket->guess,
                            table_usec, ticket->has_joined, opinions);
    report->verdict =
        guard_shm_verdict_decide(store, views, opinions, claims, count,
                                 table_usec, patience, ticket, report);
    for (unsigned i = 0; i < count; i++) {
        guard_shm_claim_save_locked(table, &claims[i].client, &views[i]);
        guard_shm_claim_tell(&report->standing[i], &views[i], table_usec);
    }
}

static apr_status_t shm_reserve(guard_store_t *store, uint64_t now_usec,
                                const guard_claim_t *claims, unsigned count,
                                const guard_guess_t *guess,
                                guard_patience_e patience,
                                guard_ticket_t *ticket, guard_report_t *report)
{
    guard_shm_table_t *table = &file_of(store)->table;
    uint64_t table_usec = guard_shm_clock_read(table, now_usec);
    guard_claim_view_t views[GUARD_CLAIMS_MAX];
    guard_locked_t locked;
    apr_status_t rv =
        guard_shm_claim_lock(table, claims, count, table_usec, &locked);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    begin_report(report, count);
    ticket->guess = *guess;
    guard_shm_claim_find_locked(table, claims, count, &locked, views);
    if (!guard_shm_verdict_admit_proven(table, views, claims, count, table_usec,
                                        ticket, report)) {
        judge_locked(store, views, claims, count, table_usec, patience, ticket,
                     report);
    }
    guard_shm_claim_unlock(table, &locked);
    guard_shm_clock_beat(table, table_usec);
    return APR_SUCCESS;
}

/* Whether settling would change nothing: it holds nothing, and either there is
 * no verdict, or the same has been noted within this second. */
static int is_idle(const guard_ticket_t *ticket, guard_outcome_e outcome,
                   uint64_t table_usec)
{
    if (outcome == GUARD_RIGHT) {
        return ticket->fresh_sec &&
               ticket->fresh_sec == (uint32_t)apr_time_sec(table_usec);
    }
    for (unsigned i = 0; i < ticket->claim_count; i++) {
        if (ticket->hold[i].what != GUARD_HOLD_NOTHING) {
            return 0;
        }
    }
    return outcome == GUARD_ABANDONED;
}

/* What reserve has seen is what there is to see. */
static apr_status_t close_idle(guard_ticket_t *ticket, guard_report_t *report)
{
    for (unsigned i = 0; i < ticket->claim_count; i++) {
        guard_standing_t *standing = &report->standing[i];

        standing->failures = ticket->failures[i];
        standing->limit = ticket->claim[i].policy.limit;
        standing->phase =
            standing->failures ? GUARD_PHASE_WINDOW : GUARD_PHASE_CALM;
    }
    ticket->state = GUARD_TICKET_CLOSED;
    return APR_SUCCESS;
}

/* Claims that found no room may share one overflow record. What was taken there
 * was taken once. @return the claim that it was settled with, or -1 */
static int settled_before(const guard_ticket_t *ticket, unsigned i,
                          const guard_locked_t *locked)
{
    for (unsigned k = 0; ticket->overflow[i] && k < i; k++) {
        if (ticket->overflow[k] &&
            guard_shm_overflow_of(locked->bucket[k],
                                  ticket->claim[k].client.tenant)
                    .bucket ==
                guard_shm_overflow_of(locked->bucket[i],
                                      ticket->claim[i].client.tenant)
                    .bucket) {
            return (int)k;
        }
    }
    return -1;
}

static apr_status_t shm_settle(guard_store_t *store, uint64_t now_usec,
                               guard_ticket_t *ticket, guard_outcome_e outcome,
                               guard_report_t *report)
{
    guard_shm_table_t *table = &file_of(store)->table;
    uint64_t table_usec = guard_shm_clock_read(table, now_usec);
    guard_locked_t locked;
    apr_status_t rv;

    if (ticket->state != GUARD_TICKET_OPEN) {
        begin_report(report, GUARD_CLAIMS_MAX);
        return APR_SUCCESS;
    }
    if (is_idle(ticket, outcome, table_usec)) {
        begin_report(report, ticket->claim_count);
        return close_idle(ticket, report);
    }
    if (outcome == GUARD_RIGHT) {
        guard_shm_claim_await_proof(table, ticket);
    }
    rv = guard_shm_claim_lock(table, ticket->claim, ticket->claim_count,
                              table_usec, &locked);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    begin_report(report, ticket->claim_count);
    for (unsigned i = 0; i < ticket->claim_count; i++) {
        guard_claim_view_t view;
        int before = settled_before(ticket, i, &locked);

        if (before >= 0) {
            report->standing[i] = report->standing[before];
            report->standing[i].event = GUARD_EVENT_NONE;
            continue;
        }
        guard_shm_claim_load_held_locked(table, ticket, i, &locked, table_usec,
                                         &view);
        report->standing[i].event =
            guard_policy_settle(&view.record, view.policy, ticket->hold[i],
                                &ticket->guess, outcome, table_usec);
        view.changed = 1;
        guard_shm_claim_save_locked(table, &ticket->claim[i].client, &view);
        guard_shm_claim_tell(&report->standing[i], &view, table_usec);
    }
    guard_shm_claim_note_proof_locked(table, ticket->claim, ticket->claim_count,
                                      &locked, &ticket->guess, outcome,
                                      table_usec);
    ticket->state = GUARD_TICKET_CLOSED;
    guard_shm_claim_unlock(table, &locked);
    guard_shm_clock_beat(table, table_usec);
    return APR_SUCCESS;
}

static apr_status_t shm_peek(guard_store_t *store, uint64_t now_usec,
                             const guard_claim_t *claims, unsigned count,
                             guard_report_t *report)
{
    guard_shm_table_t *table = &file_of(store)->table;
    uint64_t table_usec = guard_shm_clock_read(table, now_usec);
    guard_locked_t locked;
    apr_status_t rv =
        guard_shm_claim_lock(table, claims, count, table_usec, &locked);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    begin_report(report, count);
    report->verdict = GUARD_ADMIT;
    guard_shm_claim_look_locked(table, claims, count, &locked, table_usec,
                                report->standing);
    guard_shm_claim_unlock(table, &locked);
    for (unsigned i = 0; i < count; i++) {
        /* Of several lockouts the longest decides. */
        if (report->standing[i].phase == GUARD_PHASE_LOCKED &&
            (report->verdict != GUARD_LOCKED ||
             report->standing[i].remaining_usec >
                 report->standing[report->decisive].remaining_usec)) {
            report->verdict = GUARD_LOCKED;
            report->decisive = i;
        }
    }
    return APR_SUCCESS;
}

/* Who finds no room is not mirrored: the overflow record is the budget of
 * those that count here. */
static apr_status_t shm_mirror(guard_store_t *store, uint64_t now_usec,
                               const guard_claim_t *claims, unsigned count,
                               const guard_standing_t *standings,
                               const _Atomic uint64_t *keeps_until_usec,
                               const guard_guess_t *guess,
                               guard_outcome_e outcome)
{
    guard_shm_table_t *table = &file_of(store)->table;
    uint64_t table_usec = guard_shm_clock_read(table, now_usec);
    guard_claim_view_t views[GUARD_CLAIMS_MAX];
    guard_locked_t locked;
    int may_lower;
    apr_status_t rv =
        guard_shm_claim_lock(table, claims, count, table_usec, &locked);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* Not before: who counted while this waited for the lock raised it. */
    may_lower = !keeps_until_usec || atomic_load(keeps_until_usec) <= now_usec;
    guard_shm_claim_find_locked(table, claims, count, &locked, views);
    guard_shm_claim_load_locked(table, claims, count, table_usec, views);
    for (unsigned i = 0; i < count; i++) {
        if (!guard_shm_is_overflow(views[i].place.index)) {
            guard_policy_mirror(&views[i].record, views[i].policy,
                                standings[i].phase, standings[i].failures,
                                standings[i].level, standings[i].lasts_usec,
                                may_lower, table_usec);
            views[i].changed = 1;
            guard_shm_claim_save_locked(table, &claims[i].client, &views[i]);
        }
    }
    if (guess) {
        guard_shm_claim_note_proof_locked(table, claims, count, &locked, guess,
                                          outcome, table_usec);
    }
    guard_shm_claim_unlock(table, &locked);
    guard_shm_clock_beat(table, table_usec);
    return APR_SUCCESS;
}

static void shm_tally(guard_store_t *store, guard_counter_e counter)
{
    guard_shm_table_tally(&file_of(store)->table, counter);
}

static const guard_store_ops_t SHM_OPS = {
    "shm",
    shm_reserve,
    shm_settle,
    shm_peek,
    guard_shm_walk_unlock,
    guard_shm_walk_iterate,
    guard_shm_walk_stats,
    shm_mirror,
    shm_tally,
};

guard_shm_table_t *guard_store_shm_table(guard_store_t *store)
{
    return &file_of(store)->table;
}

/* A file beyond RLIMIT_FSIZE shall be an error that is told, not the end of
 * the process. */
static void hold_back_sigxfsz(sigset_t *before)
{
    sigset_t xfsz;

    sigemptyset(&xfsz);
    sigaddset(&xfsz, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &xfsz, before);
}

static void let_go_sigxfsz(const sigset_t *before)
{
    static const struct timespec at_once;
    sigset_t xfsz;

    sigemptyset(&xfsz);
    sigaddset(&xfsz, SIGXFSZ);
    sigtimedwait(&xfsz, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

apr_status_t guard_store_shm_open(guard_store_t **store,
                                  const guard_shm_options_t *options,
                                  apr_pool_t *pool)
{
    guard_shm_store_t *shm = apr_pcalloc(pool, sizeof(*shm));
    sigset_t before;
    apr_status_t rv;

    hold_back_sigxfsz(&before);
    rv = guard_shm_file_open(&shm->file, options, pool);
    let_go_sigxfsz(&before);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    guard_shm_watch_begin(&shm->watch, &shm->file, options->path, pool);
    shm->base.ops = &SHM_OPS;
    shm->base.wait_usec = GUARD_WAIT_USEC_DEFAULT;
    shm->base.table_secret = shm->file.shape.table_secret;
    if (options->guess_secret) {
        shm->base.guess_secret = *options->guess_secret;
    } else {
        rv = guard_secret_draw(&shm->base.guess_secret);
    }
    if (rv == APR_SUCCESS && !options->guess_secret &&
        options->role == GUARD_SHM_SERVER) {
        rv = guard_shm_walk_void_guesses(&shm->file.table);
    }
    *store = &shm->base;
    return rv;
}

uint32_t guard_store_shm_layout(void)
{
    uint32_t layout = LAYOUT;

    layout = layout * 31 + GUARD_SHM_VERSION;
    layout = layout * 4099 + (uint32_t)sizeof(guard_record_t);
    layout = layout * 31 + GUARD_SHM_BUCKET_CLIENTS;
    return layout * 4099 + (uint32_t)sizeof(guard_shm_store_t);
}

guard_shm_handle_t guard_store_shm_handle(const guard_store_t *store)
{
    const guard_shm_store_t *shm = (const guard_shm_store_t *)store;
    guard_shm_handle_t handle = {.layout = guard_store_shm_layout(),
                                 .fd = shm->file.fd,
                                 .mapping = shm->file.mapping,
                                 .size_bytes = shm->file.shape.size_bytes,
                                 .guess_secret = store->guess_secret};

    return handle;
}

void guard_store_shm_adopt(guard_store_t *store)
{
    store->ops = &SHM_OPS;
    store->table_secret = file_of(store)->shape.table_secret;
}

void guard_store_shm_release(const guard_shm_handle_t *handle)
{
    munmap(handle->mapping, handle->size_bytes);
    close(handle->fd);
}

apr_status_t guard_store_shm_child_init(guard_store_t *store)
{
    return guard_shm_file_join(file_of(store));
}

apr_status_t guard_store_shm_grow_back(guard_store_t *store,
                                       const guard_shm_options_t *options)
{
    guard_shm_store_t *shm = (guard_shm_store_t *)store;
    sigset_t before;
    apr_status_t rv;

    hold_back_sigxfsz(&before);
    rv = guard_shm_watch_look(&shm->watch, &shm->file, options);
    let_go_sigxfsz(&before);
    return rv;
}

uint32_t guard_store_shm_clients(const guard_store_t *store)
{
    return ((const guard_shm_store_t *)store)->file.shape.clients;
}

const char *guard_store_shm_fault(guard_store_t *store, uint64_t now_usec,
                                  apr_pool_t *pool)
{
    guard_shm_table_t *table = &file_of(store)->table;

    return guard_shm_mend_fault(table, guard_shm_clock_read(table, now_usec),
                                pool);
}
