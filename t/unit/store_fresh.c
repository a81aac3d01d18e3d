/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * store_fresh.c: a guess that proved right is settled right again. Within the
 * same second that has nothing to write, and writes nothing; in the next one it
 * makes the proof last longer. What was taken back meanwhile stays so.
 */
#include "caller.h"
#include "shm.h"

#define HALF (APR_USEC_PER_SEC / 2)

static caller_t c;
static guard_claim_t claim[2];
static unsigned char before[4096 * 1024];

static void begin(const char *scope, unsigned failures)
{
    printf("# %s\n", scope);
    shm_close();
    shm_sweep();
    c.store = shm_serve(GUARD_SHM_CLIENTS_MIN, NULL);
    c.now_usec = (uint64_t)apr_time_from_sec(1000000) + HALF / 2;
    c.scope = scope;
    claim[0] = caller_ip(&c, "192.0.2.1", 5);
    claim[1] = caller_claim(&c, GUARD_KIND_NET, "192.0.2.0/24", "", 50);
    caller_fail(&c, &claim[0], failures);
    caller_attempt(&c, claim, 2, "a:right", GUARD_RIGHT);
}

static void keep(void)
{
    memcpy(before, guard_store_shm_table(c.store)->head,
           guard_shm_table_size(GUARD_SHM_CLIENTS_MIN));
}

static int is_as_before(void)
{
    return !memcmp(before, guard_store_shm_table(c.store)->head,
                   guard_shm_table_size(GUARD_SHM_CLIENTS_MIN));
}

static void nothing_to_write(guard_outcome_e outcome, unsigned failures)
{
    guard_ticket_t ticket = {0};

    begin("nothing to write", failures);
    c.now_usec += HALF;
    caller_reserve(&c, claim, 2, "a:right", GUARD_LAST_TRY, &ticket);
    is(c.report.is_proven, 1, "it is proven");
    keep();
    memset(&c.report, 0x5a, sizeof c.report);
    is(caller_settle(&c, &ticket, outcome), GUARD_EVENT_NONE, "it is settled");
    is(is_as_before(), 1, "  nothing is written");
    is(ticket.state, GUARD_TICKET_CLOSED, "  the ticket is closed");
    is(c.report.standing[0].failures, failures, "  it tells the failures");
    is(c.report.standing[0].limit, 5, "  and the limit");
    is(c.report.standing[0].phase,
       failures ? GUARD_PHASE_WINDOW : GUARD_PHASE_CALM, "  and the phase");
}

static void the_next_second_counts(void)
{
    guard_ticket_t ticket = {0};

    begin("the next second counts", 0);
    c.now_usec += HALF;
    caller_reserve(&c, claim, 2, "a:right", GUARD_LAST_TRY, &ticket);
    c.now_usec += HALF;
    keep();
    caller_settle(&c, &ticket, GUARD_RIGHT);
    is(is_as_before(), 0, "a second later the proof is prolonged");
    caller_pass(&c, GUARD_PROVEN_SEC - 1);
    memset(&ticket, 0, sizeof ticket);
    caller_reserve(&c, claim, 2, "a:right", GUARD_LAST_TRY, &ticket);
    is(c.report.is_proven, 1, "and lasts from then on");
    c.now_usec += APR_USEC_PER_SEC;
    memset(&ticket, 0, sizeof ticket);
    caller_reserve(&c, &claim[0], 1, "b:other", GUARD_LAST_TRY, &ticket);
    is(c.report.is_proven, 0, "another one is not proven by it");
}

static void taken_back_meanwhile(void)
{
    guard_ticket_t first = {0}, second = {0}, third = {0};

    begin("taken back meanwhile", 0);
    caller_reserve(&c, claim, 2, "a:right", GUARD_LAST_TRY, &first);
    caller_reserve(&c, claim, 2, "a:right", GUARD_LAST_TRY, &second);
    caller_settle(&c, &first, GUARD_WRONG);
    caller_settle(&c, &second, GUARD_RIGHT);
    is(caller_reserve(&c, claim, 2, "a:right", GUARD_LAST_TRY, &third) &&
           c.report.is_proven,
       0, "the same second's other verdict does not prove it anew");
    is(c.report.standing[0].failures, 1, "and it has failed");
}

/* What holds a place is settled, whatever second it is. */
static void a_place_is_given_back(guard_outcome_e outcome)
{
    guard_ticket_t ticket = {0};

    begin("a place is given back", 0);
    caller_reserve(&c, &claim[0], 1, "b:new", GUARD_LAST_TRY, &ticket);
    is(ticket.fresh_sec, 0, "a guess with a place is not fresh");
    keep();
    caller_settle(&c, &ticket, outcome);
    is(is_as_before(), 0, "its settling is written");
    is(caller_places(&c, &claim[0]), 5, "all places are free");
}

int main(void)
{
    shm_begin();
    nothing_to_write(GUARD_RIGHT, 0);
    nothing_to_write(GUARD_RIGHT, 2);
    nothing_to_write(GUARD_ABANDONED, 0);
    nothing_to_write(GUARD_ABANDONED, 2);
    the_next_second_counts();
    taken_back_meanwhile();
    a_place_is_given_back(GUARD_RIGHT);
    a_place_is_given_back(GUARD_ABANDONED);
    shm_close();
    return tap_done();
}
