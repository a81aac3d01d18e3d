/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * oracle.c: a neighbour behind the same address who is told "not now" for
 * wrong guesses and sees a right one come in has found a password uncounted.
 * After 8 such refusals, whatever they were for, proven guesses are told the
 * same; and who still waits to be told counts as if he had been. And what good
 * users gain by a proof: no place in the wide kinds.
 */
#include "caller.h"
#include "shm.h"

#define PAIR 2

static caller_t c;
static guard_claim_t pair[PAIR]; /* the address and its network */

static void begin(const char *scope, unsigned net_limit)
{
    printf("# %s\n", scope);
    shm_close();
    shm_sweep();
    c.store = shm_serve(4096, NULL);
    c.now_usec = (uint64_t)apr_time_from_sec(1000000);
    c.scope = scope;
    pair[0] = caller_ip(&c, "192.0.2.1", 5);
    pair[1] = caller_claim(&c, GUARD_KIND_NET, "192.0.2.0", "", net_limit);
    is(caller_attempt(&c, pair, PAIR, "alice:right", GUARD_RIGHT), GUARD_ADMIT,
       "alice signs in");
}

/* The verdict on a guess while the server has no check to spare. */
static guard_verdict_e without_check(const char *text)
{
    guard_ticket_t ticket = {.no_check = 1};
    guard_verdict_e verdict =
        caller_reserve(&c, pair, PAIR, text, GUARD_LAST_TRY, &ticket);

    caller_settle(&c, &ticket, GUARD_RIGHT);
    return verdict;
}

static void overload_or_in(void)
{
    begin("overload, or in", 50);
    is(without_check("alice:right"), GUARD_ADMIT, "a proof needs no check");
    for (unsigned i = 0; i < GUARD_BUSY_PROVEN_MAX; i++) {
        char text[20];

        snprintf(text, sizeof text, "alice:%u", i);
        is(without_check(text), GUARD_OVERLOAD, "a wrong guess does");
    }
    is(without_check("alice:right"), GUARD_OVERLOAD,
       "then the right one is told the same");
    shm_is_sound(c.store, c.now_usec, "then");
}

static void full_network_or_in(void)
{
    guard_ticket_t held = {0};
    guard_claim_t elsewhere;

    begin("a full network, or in", 1);
    elsewhere = pair[1];
    is(caller_reserve(&c, &elsewhere, 1, "carol:x", GUARD_LAST_TRY, &held),
       GUARD_ADMIT, "somebody takes the network's last place");
    is(caller_attempt(&c, pair, PAIR, "alice:right", GUARD_RIGHT), GUARD_ADMIT,
       "a proof for the address needs none there");
    for (unsigned i = 0; i < GUARD_BUSY_PROVEN_MAX; i++) {
        char text[20];

        snprintf(text, sizeof text, "alice:%u", i);
        is(caller_attempt(&c, pair, PAIR, text, GUARD_WRONG), GUARD_BUSY,
           "a wrong guess does");
    }
    is(caller_attempt(&c, pair, PAIR, "alice:right", GUARD_RIGHT), GUARD_BUSY,
       "then the right one is told the same");
    shm_is_sound(c.store, c.now_usec, "then");
}

/*
 * A burst: 8 wrong guesses wait for something, and alice's right one comes
 * among them. count: how many of the claims are in force.
 */
static void wait_beside(const guard_claim_t *claims, unsigned count,
                        int no_check, guard_verdict_e at_the_end)
{
    guard_ticket_t waiting[GUARD_BUSY_PROVEN_MAX];
    guard_ticket_t alice = {.no_check = no_check};
    char text[20];

    is(caller_reserve(&c, claims, count, "alice:right", GUARD_MAY_WAIT, &alice),
       GUARD_ADMIT, "at first a proof lets in");
    caller_settle(&c, &alice, GUARD_RIGHT);
    memset(waiting, 0, sizeof waiting);
    for (unsigned i = 0; i < GUARD_BUSY_PROVEN_MAX; i++) {
        snprintf(text, sizeof text, "alice:%u", i);
        waiting[i].no_check = no_check;
        is(caller_reserve(&c, claims, count, text, GUARD_MAY_WAIT, &waiting[i]),
           GUARD_WAIT, "a wrong guess waits");
    }
    memset(&alice, 0, sizeof alice);
    alice.no_check = no_check;
    is(caller_reserve(&c, claims, count, "alice:right", GUARD_MAY_WAIT, &alice),
       GUARD_WAIT, "then the right one waits beside them");
    for (unsigned i = 0; i < GUARD_BUSY_PROVEN_MAX; i++) {
        snprintf(text, sizeof text, "alice:%u", i);
        is(caller_reserve(&c, claims, count, text, GUARD_LAST_TRY, &waiting[i]),
           at_the_end, "a wrong one has waited in vain");
    }
    is(caller_reserve(&c, claims, count, "alice:right", GUARD_LAST_TRY, &alice),
       at_the_end, "and so has the right one");
    shm_is_sound(c.store, c.now_usec, "then");
}

static void waiting_or_in(void)
{
    guard_ticket_t held[5];

    memset(held, 0, sizeof held);
    begin("waiting for a place, or in", 50);
    for (unsigned i = 0; i < 5; i++) {
        char text[20];

        snprintf(text, sizeof text, "mallory:%u", i);
        is(caller_reserve(&c, pair, PAIR, text, GUARD_MAY_WAIT, &held[i]),
           GUARD_ADMIT, "the places are taken");
    }
    wait_beside(pair, PAIR, 0, GUARD_BUSY);
    begin("waiting for a check, or in", 50);
    wait_beside(pair, PAIR, 1, GUARD_OVERLOAD);
}

/* Past the trust, and with no check to spare: neither what is being verified
 * nor what was wrong a moment ago is told apart from what nobody knows. */
static void known_or_not(void)
{
    static const char *const text[] = {"alice:new", "alice:typo", "alice:9"};
    guard_ticket_t flying = {0};

    begin("overload, and known or not", 50);
    caller_attempt(&c, pair, PAIR, "alice:typo", GUARD_WRONG);
    is(caller_reserve(&c, pair, PAIR, "alice:new", GUARD_MAY_WAIT, &flying),
       GUARD_ADMIT, "a guess is being verified");
    is(without_check("alice:typo"), GUARD_REPEAT, "at first a typo shows");
    for (unsigned i = 0; i < GUARD_BUSY_PROVEN_MAX; i++) {
        char guess[20];

        snprintf(guess, sizeof guess, "alice:%u", i);
        without_check(guess);
    }
    for (unsigned i = 0; i < COUNT(text); i++) {
        is(without_check(text[i]), GUARD_OVERLOAD, text[i]);
    }
    shm_is_sound(c.store, c.now_usec, "then");
}

/* Who joined in time needs no trust once the verdict is there. */
static void joined_in_time(void)
{
    guard_ticket_t first = {0}, second = {0};

    begin("joined in time", 50);
    caller_reserve(&c, pair, PAIR, "alice:new", GUARD_MAY_WAIT, &first);
    is(caller_reserve(&c, pair, PAIR, "alice:new", GUARD_MAY_WAIT, &second),
       GUARD_WAIT, "the same guess waits");
    for (unsigned i = 0; i < GUARD_BUSY_PROVEN_MAX; i++) {
        char guess[20];

        snprintf(guess, sizeof guess, "alice:%u", i);
        without_check(guess);
    }
    caller_settle(&c, &first, GUARD_RIGHT);
    second.no_check = 1;
    is(caller_reserve(&c, pair, PAIR, "alice:new", GUARD_MAY_WAIT, &second),
       GUARD_ADMIT, "and goes on as proven, without a check");
    caller_settle(&c, &second, GUARD_RIGHT);
}

/* Where nothing is counted by address, `user` alone says who is proven. */
static void without_an_address(void)
{
    guard_claim_t user;

    begin("no limit by address", 50);
    user = caller_claim(&c, GUARD_KIND_USER, "", "alice", 5);
    is(caller_attempt(&c, &user, 1, "alice:right", GUARD_RIGHT), GUARD_ADMIT,
       "alice signs in by name");
    wait_beside(&user, 1, 1, GUARD_OVERLOAD);
}

static void many_are_remembered(void)
{
    unsigned admitted = 0;

    begin("many are remembered", 1);
    for (int round = 0; round < 2; round++) {
        guard_ticket_t held[40] = {{0}};
        char text[20];

        for (unsigned i = 0; i < 40; i++) {
            snprintf(text, sizeof text, "user%u:right", i);
            if (!round) {
                caller_attempt(&c, pair, PAIR, text, GUARD_RIGHT);
            } else {
                admitted += caller_reserve(&c, pair, PAIR, text, GUARD_LAST_TRY,
                                           &held[i]) == GUARD_ADMIT;
            }
        }
    }
    is(admitted, 40, "forty users of one address, all at once");
    caller_pass(&c, GUARD_PROVEN_SEC + 16);
    is(without_check("user7:right"), GUARD_OVERLOAD, "but not for ever");
}

int main(void)
{
    shm_begin();
    overload_or_in();
    full_network_or_in();
    waiting_or_in();
    known_or_not();
    joined_in_time();
    without_an_address();
    many_are_remembered();
    shm_close();
    return tap_done();
}
