/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_local.c: what this server counts while Redis does not answer stays
 * counted: an answer that was on its way meanwhile takes nothing back, and what
 * Redis is told of afterwards counts there. No server is there.
 */
#include "caller.h"
#include "shm.h"

#include "guard_store_redis_after.h"
#include "guard_store_redis_ops.h"

#define LIMIT 5

static guard_redis_store_t redis;
static guard_store_ops_t ops; /* the table's, with a mirror that is late */
static const guard_store_ops_t *table_ops;
static void (*meanwhile)(void), (*afterwards)(void);
static caller_t c = {.store = &redis.base, .scope = "local"};
static guard_claim_t claim;
static guard_ticket_t ticket;

/* Whoever takes over what Redis said has lost the processor: something else
 * happens first. */
static apr_status_t late_mirror(guard_store_t *store, uint64_t now_usec,
                                const guard_claim_t *claims, unsigned count,
                                const guard_standing_t *standings,
                                const _Atomic uint64_t *keeps_until_usec,
                                const guard_guess_t *guess,
                                guard_outcome_e outcome)
{
    if (meanwhile) {
        meanwhile();
    }
    return table_ops->mirror(store, now_usec, claims, count, standings,
                             keeps_until_usec, guess, outcome);
}

/* And here: Redis' word comes as soon as the table has counted. */
static apr_status_t early_settle(guard_store_t *store, uint64_t now_usec,
                                 guard_ticket_t *settled,
                                 guard_outcome_e outcome,
                                 guard_report_t *report)
{
    apr_status_t rv =
        table_ops->settle(store, now_usec, settled, outcome, report);

    if (afterwards) {
        afterwards();
    }
    return rv;
}

/* A store that has no connection: each question ends without an answer. */
static void begin(const char *name)
{
    static apr_pool_t *pool;

    printf("# %s\n", name);
    shm_close();
    shm_sweep();
    if (pool) {
        apr_pool_destroy(pool);
    }
    apr_pool_create(&pool, NULL);
    memset(&redis, 0, sizeof(redis));
    redis.base.ops = &guard_store_redis_ops;
    redis.options.failure = GUARD_FAILURE_LOCAL;
    redis.options.timeout_usec = apr_time_from_msec(50);
    redis.local = shm_serve(GUARD_SHM_CLIENTS_MIN, NULL);
    redis.base.table_secret = redis.local->table_secret;
    redis.base.guess_secret = redis.local->guess_secret;
    if (guard_redis_shared_create(&redis.shared, NULL, 0, pool) !=
        APR_SUCCESS) {
        printf("Bail out! no memory\n");
        exit(1);
    }
    table_ops = redis.local->ops;
    ops = *table_ops;
    ops.mirror = late_mirror;
    ops.settle = early_settle;
    redis.local->ops = &ops;
    c.now_usec = (uint64_t)apr_time_from_sec(1000000);
    claim = caller_ip(&c, "192.0.2.1", LIMIT);
    memset(&ticket, 0, sizeof(ticket));
    meanwhile = afterwards = NULL;
}

/* Redis said so; and this happens before anybody here can learn of it. */
static void hear(guard_phase_e phase, unsigned failures, void (*before)(void))
{
    guard_report_t said = {
        .standing[0] = {.phase = phase,
                        .failures = (uint16_t)failures,
                        .lasts_usec = apr_time_from_sec(600)}};

    meanwhile = before;
    guard_redis_after_mirror(&redis, c.now_usec, &claim, 1, &said, NULL,
                             GUARD_ABANDONED);
    meanwhile = NULL;
}

static long long failures(void) { return caller_peek(&c, &claim, 1)->failures; }

static void guess_to_the_limit(void) { caller_fail(&c, &claim, LIMIT); }

static void fail_once(void) { caller_fail(&c, &claim, 1); }

static void settle_wrong(void) { caller_settle(&c, &ticket, GUARD_WRONG); }

static void hear_calm(void) { hear(GUARD_PHASE_CALM, 0, NULL); }

static void settle_with_lockout(void)
{
    caller_fail(&c, &claim, LIMIT - 1);
    caller_settle(&c, &ticket, GUARD_WRONG);
}

static void an_answer_lowers_what_it_knows_of(void)
{
    begin("an answer lowers what it knows of");
    hear(GUARD_PHASE_WINDOW, 3, NULL);
    is(failures(), 3, "what Redis says is known here");
    hear(GUARD_PHASE_CALM, 0, NULL);
    is(failures(), 0, "and what it says next, when nothing was counted here");
}

static void a_failure_meanwhile_stays(void)
{
    begin("a failure meanwhile stays");
    hear(GUARD_PHASE_CALM, 0, fail_once);
    is(failures(), 1, "a failure counted here while an answer was on its way");
    begin("and one that was admitted before");
    caller_reserve(&c, &claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
    hear(GUARD_PHASE_CALM, 0, settle_wrong);
    is(failures(), 1, "a place taken here that becomes one");
    begin("and one that Redis admitted");
    caller_reserve(&c, &claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
    ticket.away.where = GUARD_REDIS_AT_SERVER;
    hear(GUARD_PHASE_CALM, 0, settle_wrong);
    is(failures(), 1, "one whose outcome Redis did not hear of");
}

static void a_failure_just_now_stays(void)
{
    begin("a failure just now stays");
    afterwards = hear_calm;
    fail_once();
    is(failures(), 1, "a failure counted here just before an answer comes");
    begin("and one that Redis admitted");
    caller_reserve(&c, &claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
    ticket.away.where = GUARD_REDIS_AT_SERVER;
    afterwards = hear_calm;
    settle_wrong();
    is(failures(), 1, "one whose outcome Redis did not hear of");
}

static void he_has_the_limit_once(void)
{
    begin("he has the limit once");
    hear(GUARD_PHASE_CALM, 0, guess_to_the_limit);
    is(caller_peek(&c, &claim, 1)->phase, GUARD_PHASE_LOCKED,
       "locked out while an answer was on its way: he stays so");
    is(caller_fail(&c, &claim, LIMIT), 0, "and has no guess more");
    begin("with a guess in flight");
    caller_reserve(&c, &claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
    hear(GUARD_PHASE_WINDOW, 1, settle_with_lockout);
    is(caller_fail(&c, &claim, LIMIT), 0, "the last of his guesses locks, too");
}

static void it_lasts_one_window(void)
{
    begin("it lasts one window");
    guess_to_the_limit();
    caller_pass(&c, 599);
    hear(GUARD_PHASE_CALM, 0, NULL);
    is(caller_peek(&c, &claim, 1)->phase, GUARD_PHASE_LOCKED,
       "within the window Redis' word does not end a lockout made here");
    caller_pass(&c, 2);
    hear(GUARD_PHASE_CALM, 0, NULL);
    is(caller_peek(&c, &claim, 1)->phase, GUARD_PHASE_CALM, "after it it does");
}

/* The attempt goes on as the guard's own does: with a new ticket, but for
 * away. @return the token that the outcome is owed under */
static uint64_t owed_after(guard_outcome_e outcome)
{
    guard_ticket_t anew = {.away = ticket.away};
    uint64_t soon_usec = guard_store_clock() + apr_time_from_sec(1);
    guard_redis_owed_t owed = {0};

    ticket = anew;
    caller_reserve(&c, &claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
    caller_settle(&c, &ticket, outcome);
    ok(guard_redis_late_take(&redis.shared->late, soon_usec, &owed) &&
           owed.outcome == outcome,
       "  its end is owed");
    guard_redis_late_end(&redis.shared->late, &owed, 1, soon_usec);
    return owed.token;
}

/* Redis takes each token's settlement once. */
static void a_place_given_back_is_another(int where)
{
    uint64_t first;

    ticket.away.where = (uint8_t)where;
    ticket.away.token = 7;
    ticket.away.in_doubt = 1;
    first = owed_after(GUARD_ABANDONED);
    ok(first == 7, "  under the name that Redis has for it");
    is(ticket.away.in_doubt, 0, "  which holds no more for it then");
    ok(owed_after(GUARD_WRONG) != first, "and what comes of it then counts");
}

int main(void)
{
    shm_begin();
    an_answer_lowers_what_it_knows_of();
    a_failure_meanwhile_stays();
    a_failure_just_now_stays();
    he_has_the_limit_once();
    it_lasts_one_window();
    begin("a place that is given back");
    a_place_given_back_is_another(GUARD_REDIS_AT_LOCAL);
    begin("a place that is given back, uncounted");
    redis.options.failure = GUARD_FAILURE_OPEN;
    a_place_given_back_is_another(GUARD_REDIS_UNCOUNTED);
    shm_is_sound(redis.local, c.now_usec, "in the end");
    shm_close();
    return tap_done();
}
