/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_shm_claim.c owns the way from claims to records and back: which
 * stripes are locked, in which order, where each claim's record is or would
 * be, and what is written. It decides nothing.
 *
 * Invariant: stripes are locked in ascending order, all of a call's before
 * any record is read, so that no two processes wait for each other; and no
 * two claims of one call are given the same entry.
 */
#include "guard_store_shm_claim.h"

#include <string.h>

static void add_stripe(guard_stripe_set_t *set, uint32_t stripe)
{
    unsigned at = set->count;

    while (at && set->stripe[at - 1] > stripe) {
        at--;
    }
    if (at && set->stripe[at - 1] == stripe) {
        return;
    }
    memmove(&set->stripe[at + 1], &set->stripe[at],
            (set->count - at) * sizeof(set->stripe[0]));
    set->stripe[at] = stripe;
    set->count++;
}

static void unlock_all(guard_shm_table_t *table, const guard_stripe_set_t *set,
                       unsigned count)
{
    while (count) {
        guard_shm_table_unlock(table, set->stripe[--count]);
    }
}

apr_status_t guard_shm_claim_lock(guard_shm_table_t *table,
                                  const guard_claim_t *claims, unsigned count,
                                  guard_stripe_set_t *set)
{
    set->count = 0;
    for (unsigned i = 0; i < count; i++) {
        uint32_t bucket = guard_shm_table_bucket_of(table, claims[i].client.id);

        add_stripe(set, guard_shm_table_stripe_of(bucket));
    }
    for (unsigned i = 0; i < set->count; i++) {
        apr_status_t rv = guard_shm_table_lock(table, set->stripe[i]);

        if (rv != APR_SUCCESS) {
            unlock_all(table, set, i);
            return rv;
        }
    }
    return APR_SUCCESS;
}

void guard_shm_claim_unlock(guard_shm_table_t *table,
                            const guard_stripe_set_t *set)
{
    unlock_all(table, set, set->count);
}

/* A newcomer's record. */
static void begin_record(guard_record_t *record, const guard_client_t *client,
                         int overflow)
{
    memset(record, 0, sizeof(*record));
    record->id = overflow ? GUARD_SHM_OVERFLOW_ID : client->id;
    record->kind = overflow ? GUARD_KIND_OVERFLOW : client->kind;
    if (client->counted == GUARD_COUNTED_OBSERVED && !overflow) {
        record->kind |= GUARD_RECORD_OBSERVED;
    }
    if (client->tenant) {
        record->kind |= GUARD_RECORD_TENANT;
    }
    if (!overflow) {
        record->addr = client->addr;
        record->bits = client->bits;
    }
}

/* What is only observed and finds no room is not kept at all: the overflow
 * record is the budget of clients that count. */
static int is_unkept(const guard_claim_view_t *view,
                     const guard_client_t *client)
{
    return guard_shm_is_overflow(view->place.index) &&
           client->counted == GUARD_COUNTED_OBSERVED;
}

/* Tenants share an overflow record, so none of them may set its limit. */
static const guard_policy_t *policy_for(const guard_claim_view_t *view,
                                        const guard_claim_t *claim)
{
    return view->place.index == GUARD_SHM_TENANT_OVERFLOW
               ? &guard_policy_default
               : &claim->policy;
}

/* Entries of that bucket which other claims of the call have already. */
static uint32_t promised(const guard_claim_view_t *views, unsigned count,
                         uint32_t bucket)
{
    uint32_t entries = 0;

    for (unsigned i = 0; i < count; i++) {
        if (views[i].place.bucket == bucket && views[i].placed) {
            entries |= 1u << views[i].place.index;
        }
    }
    return entries;
}

void guard_shm_claim_load_locked(guard_shm_table_t *table,
                                 const guard_claim_t *claims, unsigned count,
                                 uint64_t table_usec, guard_claim_view_t *views)
{
    for (unsigned i = 0; i < count; i++) {
        views[i].changed = 0;
        views[i].place =
            guard_shm_table_find_locked(table, claims[i].client.id);
        views[i].placed = views[i].place.found;
    }
    for (unsigned i = 0; i < count; i++) {
        guard_claim_view_t *view = &views[i];

        if (!view->placed) {
            view->place = guard_shm_table_room_locked(
                table, claims[i].client.id, claims[i].client.tenant,
                promised(views, count, view->place.bucket), table_usec);
            view->placed = 1;
        }
        view->policy = policy_for(view, &claims[i]);
        if (view->place.found && !is_unkept(view, &claims[i].client)) {
            guard_shm_table_read_locked(table, &view->place, &view->record);
            guard_policy_refresh(&view->record, table_usec);
        } else {
            begin_record(&view->record, &claims[i].client,
                         guard_shm_is_overflow(view->place.index));
        }
    }
}

void guard_shm_claim_save_locked(guard_shm_table_t *table,
                                 const guard_client_t *client,
                                 guard_claim_view_t *view)
{
    static const guard_record_t nothing;
    int known = view->place.found;

    if (!view->changed || is_unkept(view, client)) {
        return;
    }
    if (guard_policy_is_blank(&view->record)) {
        if (known) {
            guard_shm_table_write_locked(table, &view->place, &nothing);
        }
        return;
    }
    if (guard_shm_is_overflow(view->place.index)) {
        guard_shm_table_tally(table, GUARD_COUNT_OVERFLOW);
    } else if (!view->record.scope) {
        view->record.scope =
            guard_shm_table_scope(table, client->scope, client->scope_name);
    }
    guard_shm_table_write_locked(table, &view->place, &view->record);
}

void guard_shm_claim_tell(guard_standing_t *standing,
                          const guard_claim_view_t *view, uint64_t table_usec)
{
    const guard_record_t *record = &view->record;

    standing->phase = record->phase;
    standing->failures = record->failures;
    standing->limit = view->policy->limit;
    standing->level = record->level;
    standing->overflow = guard_shm_is_overflow(view->place.index) ? 1 : 0;
    standing->remaining_usec = 0;
    standing->lasts_usec = 0;
    if (record->phase != GUARD_PHASE_CALM) {
        uint64_t left_usec = record->until_usec - table_usec;

        /* Somebody may have written into the file. */
        standing->lasts_usec = left_usec < (uint64_t)GUARD_LOCKOUT_USEC_MAX
                                   ? (apr_interval_time_t)left_usec
                                   : GUARD_LOCKOUT_USEC_MAX;
    }
    if (record->phase == GUARD_PHASE_LOCKED) {
        standing->remaining_usec = standing->lasts_usec;
    }
}

void guard_shm_claim_load_held_locked(guard_shm_table_t *table,
                                      const guard_ticket_t *ticket, unsigned i,
                                      uint64_t table_usec,
                                      guard_claim_view_t *view)
{
    guard_shm_place_t overflow = {
        .bucket = guard_shm_table_bucket_of(table, ticket->claim[i].client.id),
        .index = ticket->overflow[i],
        .found = 1};

    if (ticket->overflow[i] &&
        ticket->claim[i].client.counted != GUARD_COUNTED_OBSERVED) {
        guard_shm_table_read_locked(table, &overflow, &view->record);
        if (view->record.id == GUARD_SHM_OVERFLOW_ID) {
            view->place = overflow;
            view->policy = policy_for(view, &ticket->claim[i]);
            view->changed = 0;
            guard_policy_refresh(&view->record, table_usec);
            return;
        }
    }
    guard_shm_claim_load_locked(table, &ticket->claim[i], 1, table_usec, view);
}
