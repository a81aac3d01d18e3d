/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_shm_claim.c owns the way from claims to records and back: which
 * stripes are locked, in which order, where each claim's record is or would
 * be, and what is written; and what the memory of proofs is told. It decides
 * nothing.
 *
 * Invariant: stripes are locked in ascending order, all of a call's before
 * any record is read, so that no two processes wait for each other; and no
 * two claims of one call are given the same entry.
 */
#include "guard_store_shm_claim.h"

#include <string.h>

/* Put the stripes in ascending order, each once. */
static void sort_stripes(guard_locked_t *locked)
{
    unsigned count = locked->stripe_count;

    locked->stripe_count = 0;
    for (unsigned i = 0; i < count; i++) {
        uint32_t stripe = locked->stripe[i];
        unsigned at = locked->stripe_count;

        while (at && locked->stripe[at - 1] > stripe) {
            at--;
        }
        if (at && locked->stripe[at - 1] == stripe) {
            continue;
        }
        for (unsigned k = locked->stripe_count++; k > at; k--) {
            locked->stripe[k] = locked->stripe[k - 1];
        }
        locked->stripe[at] = stripe;
    }
}

static apr_status_t lock_all(guard_shm_table_t *table, guard_locked_t *locked)
{
    for (unsigned i = 0; i < locked->stripe_count; i++) {
        apr_status_t rv = guard_shm_table_lock(table, locked->stripe[i]);

        if (rv != APR_SUCCESS) {
            locked->stripe_count = i;
            guard_shm_claim_unlock(table, locked);
            return rv;
        }
    }
    return APR_SUCCESS;
}

apr_status_t guard_shm_claim_lock(guard_shm_table_t *table,
                                  const guard_claim_t *claims, unsigned count,
                                  uint64_t table_usec, guard_locked_t *locked)
{
    apr_status_t rv;

    for (unsigned i = 0; i < count; i++) {
        uint32_t bucket = guard_shm_table_bucket_of(table, claims[i].client.id);

        guard_shm_table_prefetch(table, bucket);
        locked->bucket[i] = bucket;
        locked->stripe[i] = guard_shm_table_stripe_of(bucket);
    }
    locked->stripe_count = count;
    if (count > 1) {
        sort_stripes(locked);
    }
    rv = lock_all(table, locked);
    for (unsigned i = 0; rv == APR_SUCCESS && i < count; i++) {
        guard_shm_table_renew_locked(table, locked->bucket[i], table_usec);
    }
    return rv;
}

void guard_shm_claim_unlock(guard_shm_table_t *table,
                            const guard_locked_t *locked)
{
    for (unsigned i = locked->stripe_count; i; i--) {
        guard_shm_table_unlock(table, locked->stripe[i - 1]);
    }
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
static int is_unkept(const guard_shm_place_t *place,
                     const guard_client_t *client)
{
    return guard_shm_is_overflow(place->index) &&
           client->counted == GUARD_COUNTED_OBSERVED;
}

/* Tenants share an overflow record, so none of them may set its limit. */
static const guard_policy_t *policy_for(const guard_shm_place_t *place,
                                        const guard_claim_t *claim)
{
    return guard_shm_is_overflow(place->index) && claim->client.tenant
               ? &guard_policy_default
               : &claim->policy;
}

/* Entries of that bucket which other claims of the call have already. */
static uint64_t promised(const guard_claim_view_t *views, unsigned count,
                         uint32_t bucket)
{
    uint64_t entries = 0;

    for (unsigned i = 0; i < count; i++) {
        if (views[i].placed && views[i].place.bucket == bucket) {
            entries |= (uint64_t)1 << views[i].place.index;
        }
    }
    return entries;
}

/* Copy the record of a view out, or begin one. */
static void fetch_locked(guard_shm_table_t *table, const guard_claim_t *claim,
                         uint64_t table_usec, guard_claim_view_t *view)
{
    view->policy = policy_for(&view->place, claim);
    if (view->place.found && !is_unkept(&view->place, &claim->client)) {
        guard_shm_table_read_locked(table, &view->place, &view->record);
        guard_policy_refresh(&view->record, table_usec);
    } else {
        begin_record(&view->record, &claim->client,
                     guard_shm_is_overflow(view->place.index));
    }
}

void guard_shm_claim_find_locked(const guard_shm_table_t *table,
                                 const guard_claim_t *claims, unsigned count,
                                 const guard_locked_t *locked,
                                 guard_claim_view_t *views)
{
    for (unsigned i = 0; i < count; i++) {
        views[i].changed = 0;
        views[i].place = guard_shm_table_find_locked(table, locked->bucket[i],
                                                     claims[i].client.id);
        views[i].placed = views[i].place.found;
    }
}

void guard_shm_claim_load_locked(guard_shm_table_t *table,
                                 const guard_claim_t *claims, unsigned count,
                                 uint64_t table_usec, guard_claim_view_t *views)
{
    for (unsigned i = 0; i < count; i++) {
        guard_claim_view_t *view = &views[i];

        if (!view->placed) {
            view->place = guard_shm_table_room_locked(
                table, view->place.bucket, claims[i].client.tenant,
                promised(views, count, view->place.bucket), table_usec);
            view->placed = 1;
        }
        fetch_locked(table, &claims[i], table_usec, view);
    }
}

void guard_shm_claim_save_locked(guard_shm_table_t *table,
                                 const guard_client_t *client,
                                 guard_claim_view_t *view)
{
    static const guard_record_t nothing;
    int known = view->place.found;

    if (!view->changed || is_unkept(&view->place, client)) {
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
            guard_shm_table_scope(table, client->scope, client->scope_name) %
            GUARD_SHM_SCOPES;
    }
    guard_shm_table_write_locked(table, &view->place, &view->record);
}

void guard_shm_claim_tell_record(guard_standing_t *standing,
                                 const guard_record_t *record,
                                 uint64_t table_usec)
{
    guard_phase_e phase = guard_policy_phase_at(record, table_usec);
    uint64_t left_usec;

    standing->phase = phase;
    standing->failures = 0;
    standing->level = guard_policy_level_at(record, table_usec);
    standing->remaining_usec = 0;
    standing->lasts_usec = 0;
    if (phase == GUARD_PHASE_CALM) {
        return;
    }
    standing->failures = record->failures;
    left_usec = record->until_usec - table_usec;
    /* Somebody may have written into the file. */
    standing->lasts_usec = left_usec < (uint64_t)GUARD_LOCKOUT_USEC_MAX
                               ? (apr_interval_time_t)left_usec
                               : GUARD_LOCKOUT_USEC_MAX;
    if (phase == GUARD_PHASE_LOCKED) {
        standing->remaining_usec = standing->lasts_usec;
    }
}

void guard_shm_claim_tell(guard_standing_t *standing,
                          const guard_claim_view_t *view, uint64_t table_usec)
{
    guard_shm_claim_tell_record(standing, &view->record, table_usec);
    standing->limit = view->policy->limit;
    standing->overflow = guard_shm_is_overflow(view->place.index) ? 1 : 0;
}

void guard_shm_claim_look_locked(const guard_shm_table_t *table,
                                 const guard_claim_t *claims, unsigned count,
                                 const guard_locked_t *locked,
                                 uint64_t table_usec,
                                 guard_standing_t *standings)
{
    static const guard_standing_t free_to_try;

    for (unsigned i = 0; i < count; i++) {
        const guard_client_t *client = &claims[i].client;
        guard_standing_t *standing = &standings[i];
        guard_shm_place_t place =
            guard_shm_table_find_locked(table, locked->bucket[i], client->id);

        if (!place.found && (client->tenant || !guard_shm_table_has_free_locked(
                                                   table, place.bucket))) {
            place = guard_shm_table_room_locked(table, place.bucket,
                                                client->tenant, 0, table_usec);
        }
        *standing = free_to_try;
        standing->limit = policy_for(&place, &claims[i])->limit;
        standing->overflow = guard_shm_is_overflow(place.index) ? 1 : 0;
        if (place.found && !is_unkept(&place, client)) {
            guard_shm_claim_tell_record(
                standing, guard_shm_table_record(table, &place), table_usec);
        }
    }
}

/* Where the ticket remembers the record. */
static int is_still_there(const guard_shm_table_t *table,
                          const guard_ticket_t *ticket, unsigned i,
                          const guard_shm_place_t *place)
{
    return place->index < GUARD_SHM_BUCKET_CLIENTS &&
           guard_shm_table_record(table, place)->id ==
               ticket->claim[i].client.id;
}

void guard_shm_claim_load_held_locked(guard_shm_table_t *table,
                                      const guard_ticket_t *ticket, unsigned i,
                                      const guard_locked_t *locked,
                                      uint64_t table_usec,
                                      guard_claim_view_t *view)
{
    const guard_claim_t *claim = &ticket->claim[i];
    guard_locked_t mine = {.bucket = {locked->bucket[i]}};

    view->changed = 0;
    if (ticket->overflow[i] &&
        claim->client.counted != GUARD_COUNTED_OBSERVED) {
        view->place =
            guard_shm_overflow_of(locked->bucket[i], claim->client.tenant);
        view->place.found = 1;
        if (guard_shm_table_record(table, &view->place)->id ==
            GUARD_SHM_OVERFLOW_ID) {
            fetch_locked(table, claim, table_usec, view);
            return;
        }
    }
    view->place.bucket = locked->bucket[i];
    view->place.index = ticket->entry[i];
    view->place.found = 1;
    view->place.evicts = 0;
    if (is_still_there(table, ticket, i, &view->place)) {
        fetch_locked(table, claim, table_usec, view);
        return;
    }
    guard_shm_claim_find_locked(table, claim, 1, &mine, view);
    guard_shm_claim_load_locked(table, claim, 1, table_usec, view);
}

void guard_shm_claim_await_proof(const guard_shm_table_t *table,
                                 const guard_ticket_t *ticket)
{
    for (unsigned i = 0; i < ticket->claim_count; i++) {
        const guard_client_t *client = &ticket->claim[i].client;

        if (guard_verdict_is_narrow(client)) {
            guard_shm_proven_prefetch(table, client->id,
                                      ticket->guess.proven_tag);
        }
    }
}

void guard_shm_claim_note_proof_locked(
    guard_shm_table_t *table, const guard_claim_t *claims, unsigned count,
    const guard_locked_t *locked, const guard_guess_t *guess,
    guard_outcome_e outcome, uint64_t table_usec)
{
    for (unsigned i = 0; i < count; i++) {
        const guard_client_t *client = &claims[i].client;
        uint32_t bucket = locked->bucket[i];

        if (!guard_verdict_is_narrow(client)) {
            continue;
        }
        if (outcome == GUARD_RIGHT) {
            guard_shm_proven_note_locked(table, bucket, table_usec);
            guard_shm_proven_add(table, client->id, guess->proven_tag,
                                 table_usec);
        } else if (outcome == GUARD_WRONG &&
                   guard_shm_proven_any_locked(table, bucket, table_usec)) {
            guard_shm_proven_drop(table, client->id, guess->proven_tag);
        }
    }
}
