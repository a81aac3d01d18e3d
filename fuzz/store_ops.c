/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_ops.c: any order of operations on a store.
 *
 * Input: two or three bytes an operation: reserve, ask again, settle, abandon,
 * let time pass, unlock, stop and start.
 * Holds, after each: the table is sound; ticket and verdict agree; nothing
 * lasts longer than it may; and over any window's length no client had more
 * wrong guesses verified than budgets allow, as counted from outside.
 */
#include "caller.h"
#include "fuzz.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>

const char fuzz_target[] = "store_ops";

#define CLIENTS 4
#define GUESSES 16 /* each client's; number 0 is the right one */
#define TICKETS 6
#define LIMIT 2
#define WINDOW_USEC apr_time_from_sec(600)
#define OPS_MAX 120
#define STARTS_MAX 4

/* Two windows can touch any length of one; and where a right password came,
 * each can have its budget once more, forgiven. */
#define WRONG_MAX (2 * LIMIT)

typedef struct attempt_t {
    guard_ticket_t ticket;
    guard_claim_t claim[GUARD_CLAIMS_MAX];
    unsigned count, client, number;
    uint64_t at_usec;
} attempt_t;

typedef struct model_t {
    caller_t caller;
    apr_pool_t *parent, *pool; /* pool is the store's */
    unsigned starts;
    attempt_t attempt[TICKETS];
    uint64_t wrong_at[CLIENTS][GUESSES]; /* last verified; 0: never */
    int had_right[CLIENTS];
} model_t;

static uint8_t *fresh; /* a new table's file */
static size_t fresh_size;

static void open_store(model_t *m, int draw)
{
    apr_status_t rv;

    apr_pool_create(&m->pool, m->parent);
    rv = table_open(&m->caller.store, GUARD_SHM_SERVER, GUARD_SHM_CLIENTS_MIN,
                    draw ? NULL : &table_guess_secret, m->pool);
    fuzz_must(rv == APR_SUCCESS, "the store opens");
}

static void begin(model_t *m)
{
    memset(m, 0, sizeof(*m));
    table_begin();
    m->parent = fuzz_begin();
    if (fresh) {
        table_write(fresh, fresh_size);
    }
    open_store(m, 0);
    if (!fresh) {
        fresh = table_read(&fresh_size);
    }
    m->caller.scope = "fuzz";
    m->caller.now_usec = table_world.clock_usec;
}

static guard_claim_t claim_of(const model_t *m, guard_kind_e kind,
                              unsigned client)
{
    char addr[32];
    guard_claim_t claim;

    snprintf(addr, sizeof addr,
             kind == GUARD_KIND_NET ? "192.0.%u.0/24" : "192.0.%u.7", client);
    claim = caller_claim(&m->caller, kind, addr, client % 2 ? "bob" : "alice",
                         kind == GUARD_KIND_IP ? LIMIT : 3 * LIMIT);
    claim.client.tenant = client == 2;
    return claim;
}

/* ---- what must hold ---- */

static void must_agree(const model_t *m, const attempt_t *a,
                       guard_verdict_e verdict, guard_patience_e patience)
{
    guard_ticket_e state = a->ticket.state;

    fuzz_must(verdict >= GUARD_ADMIT && verdict <= GUARD_OVERLOAD,
              "there is a verdict");
    fuzz_must((verdict == GUARD_ADMIT) == (state == GUARD_TICKET_OPEN),
              "an open ticket is an admission");
    fuzz_must(verdict != GUARD_WAIT || patience == GUARD_MAY_WAIT,
              "who can't wait is not told to");
    for (unsigned i = 0; i < a->count; i++) {
        const guard_standing_t *standing = &m->caller.report.standing[i];

        fuzz_must(standing->remaining_usec >= 0 &&
                      standing->remaining_usec <= apr_time_from_sec(3600),
                  "a lockout lasts an hour at most");
        fuzz_must(verdict != GUARD_ADMIT ||
                      standing->phase != GUARD_PHASE_LOCKED,
                  "nobody who is locked out is admitted");
    }
}

/* Count from outside, by when the place was given. */
static void note_wrong(model_t *m, const attempt_t *a)
{
    unsigned wrong = 0;

    m->wrong_at[a->client][a->number] = a->at_usec;
    for (unsigned i = 1; i < GUESSES; i++) {
        uint64_t at_usec = m->wrong_at[a->client][i];

        wrong += at_usec && at_usec <= a->at_usec &&
                 at_usec + WINDOW_USEC > a->at_usec;
    }
    fuzz_must(wrong <= (m->had_right[a->client] ? 2u : 1u) * WRONG_MAX,
              "nobody gets more guesses than his budget");
}

/* ---- the operations ---- */

static void ask(model_t *m, attempt_t *a, guard_patience_e patience)
{
    char text[40];
    guard_verdict_e verdict;

    snprintf(text, sizeof text, "%s:%u", a->client % 2 ? "bob" : "alice",
             a->number);
    verdict = caller_reserve(&m->caller, a->claim, a->count, text, patience,
                             &a->ticket);
    must_agree(m, a, verdict, patience);
    a->at_usec = m->caller.now_usec;
    if (verdict != GUARD_ADMIT && verdict != GUARD_WAIT) {
        memset(a, 0, sizeof(*a));
    }
}

static void reserve(model_t *m, attempt_t *a, fuzz_input_t *input)
{
    static const guard_kind_e kinds[] = {GUARD_KIND_IP, GUARD_KIND_NET,
                                         GUARD_KIND_USER, GUARD_KIND_LOGIN};
    unsigned what = (unsigned)fuzz_take(input, 1);
    unsigned how = (unsigned)fuzz_take(input, 1);

    if (a->ticket.state != GUARD_TICKET_NEW) {
        return;
    }
    a->client = what % CLIENTS;
    a->number = what / CLIENTS % GUESSES;
    a->count = how % 8 ? 1 : GUARD_CLAIMS_MAX;
    a->ticket.no_check = how / 8 % 8 == 7;
    for (unsigned i = 0; i < a->count; i++) {
        a->claim[i] = claim_of(m, kinds[i], a->client);
    }
    ask(m, a, how & 64 ? GUARD_MAY_WAIT : GUARD_LAST_TRY);
}

static void settle(model_t *m, attempt_t *a, int abandon)
{
    guard_outcome_e outcome = abandon     ? GUARD_ABANDONED
                              : a->number ? GUARD_WRONG
                                          : GUARD_RIGHT;

    if (a->ticket.state == GUARD_TICKET_OPEN) {
        fuzz_must(caller_settle(&m->caller, &a->ticket, outcome) !=
                      (guard_event_e)-1,
                  "an open ticket can be settled");
        fuzz_must(a->ticket.state == GUARD_TICKET_CLOSED, "and is closed");
        m->had_right[a->client] |= outcome == GUARD_RIGHT;
        if (outcome == GUARD_WRONG) {
            note_wrong(m, a);
        }
        memset(a, 0, sizeof(*a));
    }
}

static void pass(model_t *m, unsigned how)
{
    static const unsigned msec[] = {300,    1000,   5000,    6000,
                                    60000,  300000, 599999,  600000,
                                    600001, 900000, 3600000, 86400000};

    m->caller.now_usec +=
        (uint64_t)msec[how % (sizeof(msec) / sizeof(msec[0]))] * 1000;
    table_world.clock_usec = m->caller.now_usec;
    table_world.wall_usec += (apr_time_t)msec[how % 12] * 1000;
}

/* Whom it frees may guess anew. */
static void unlock(model_t *m, unsigned how)
{
    guard_filter_t filter = {.by = how % 3};
    guard_claim_t claim = claim_of(m, GUARD_KIND_IP, how / 3 % CLIENTS);
    unsigned count;

    filter.net.addr = claim.client.addr;
    filter.net.bits = claim.client.bits;
    filter.user = "alice";
    fuzz_must(m->caller.store->ops->unlock(m->caller.store, m->caller.now_usec,
                                           &filter, &count) == APR_SUCCESS,
              "unlock works");
    memset(m->wrong_at, 0, sizeof(m->wrong_at));
}

/* What was in flight is never settled. */
static void start_anew(model_t *m, unsigned how)
{
    if (m->starts++ >= STARTS_MAX) {
        return;
    }
    apr_pool_destroy(m->pool);
    if (how & 1) {
        table_world.boot_id = m->starts % 2 ? "second" : "first";
    }
    open_store(m, how & 2);
    memset(m->attempt, 0, sizeof(m->attempt));
}

static apr_status_t see(void *baton, const guard_entry_t *entry)
{
    (void)baton;
    fuzz_must(entry->remaining_usec >= 0 &&
                  entry->remaining_usec <= apr_time_from_sec(3600),
              "nothing lasts longer than an hour");
    return APR_SUCCESS;
}

static void look(model_t *m)
{
    static const guard_filter_t all;
    const char *fault =
        guard_store_shm_fault(m->caller.store, m->caller.now_usec, m->pool);

    fuzz_must(!fault, fault);
    fuzz_must(m->caller.store->ops->iterate(m->caller.store, m->caller.now_usec,
                                            &all, see, NULL) == APR_SUCCESS,
              "iterate works");
}

static void operate(model_t *m, fuzz_input_t *input)
{
    unsigned what = (unsigned)fuzz_take(input, 1);
    attempt_t *a = &m->attempt[what / 8 % TICKETS];

    switch (what % 8) {
    case 0:
    case 1:
    case 2:
        reserve(m, a, input);
        break;
    case 3:
        if (a->ticket.state == GUARD_TICKET_WAITING) {
            ask(m, a, what & 128 ? GUARD_MAY_WAIT : GUARD_LAST_TRY);
        }
        break;
    case 4:
    case 5:
        settle(m, a, what % 8 == 5 && what & 128);
        break;
    case 6:
        pass(m, what / 8);
        break;
    default:
        if (what & 128) {
            unlock(m, what / 8 % 16);
        } else {
            start_anew(m, what / 8);
        }
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input_t input = {.at = data, .end = data + size};
    static model_t model;

    begin(&model);
    for (unsigned i = 0; i < OPS_MAX && input.at < input.end; i++) {
        operate(&model, &input);
        look(&model);
    }
    fuzz_end();
    table_sweep();
    return 0;
}
