/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_late.c: settlements that are owed. Their order, their bound and what
 * is dropped, when one is due, names that outlive their request; and threads
 * and processes among which none is lost or told twice.
 */
#include "late.h"
#include "tap.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS 1000u
#define WORKERS 4
#define EACH 20000
#define FIT 50 /* of each worker */

static guard_redis_late_t *late;

static void push(uint64_t token, uint64_t due_usec)
{
    guard_redis_owed_t owed = {.token = token, .due_usec = due_usec};

    guard_redis_late_push(late, &owed, 0);
}

/* @return the token, 0: none is due; is_told as guard_redis_late_end's */
static long long pop(uint64_t now_usec, int is_told)
{
    guard_redis_owed_t owed;

    if (!guard_redis_late_take(late, now_usec, &owed)) {
        return 0;
    }
    guard_redis_late_end(late, &owed, is_told, now_usec);
    return (long long)owed.token;
}

static void come_and_go(void)
{
    late_clear();
    is(pop(LATE_SEC, 1), 0, "nothing is owed at first");
    push(1, 100 * MS);
    push(2, 200 * MS);
    push(3, 200 * MS);
    is(guard_redis_late_count(late), 3, "three are owed");
    is(pop(100 * MS - 1, 1), 0, "none is due yet");
    is(pop(100 * MS, 1), 1, "due on its tick");
    is(pop(200 * MS - 1, 1), 0, "the next is not");
    push(4, 150 * MS);
    is(pop(200 * MS, 1), 4, "due first, out first");
    is(pop(200 * MS, 1), 2, "  and of two that are due at once the first");
    push(5, 201 * MS - 999);
    is(pop(201 * MS - 1, 0), 3, "one that could not be told");
    is(pop(201 * MS - 1, 1), 0, "  and one that is due within the tick");
    is(pop(201 * MS, 1), 3, "  is owed again");
    is(pop(201 * MS, 1), 5, "  like any other");
    is(pop(LATE_SEC, 1), 0, "and no more");
    is(guard_redis_late_count(late), 0, "none is owed");
    is((long long)late->dropped, 0, "and none was dropped");
}

/* One whose turn comes again and again does not stand before the others. */
static void go_behind(void)
{
    late_clear();
    push(1, 10 * MS);
    push(2, 20 * MS);
    is(pop(30 * MS, 0), 1, "one that can't be told");
    is(pop(30 * MS, 1), 2, "  lets the other pass");
    is(pop(30 * MS, 1), 1, "  and comes then");
}

static void fill(void)
{
    unsigned in_order = 0;

    late_clear();
    for (unsigned i = 1; i <= GUARD_REDIS_LATE_MAX; i++) {
        push(i, 1000 * i);
    }
    is((long long)late->dropped, 0, "as many as fit");
    push(GUARD_REDIS_LATE_MAX + 1, LATE_SEC);
    is((long long)late->dropped, 1, "the next one drops one");
    push(GUARD_REDIS_LATE_MAX + 2, LATE_SEC);
    is((long long)late->dropped, 2, "and so does the next");
    is(guard_redis_late_count(late), GUARD_REDIS_LATE_MAX, "they are no more");
    for (unsigned i = 1; i <= GUARD_REDIS_LATE_MAX; i++) {
        in_order += pop(LATE_SEC, 1) == i + 2;
    }
    is(in_order, GUARD_REDIS_LATE_MAX,
       "the oldest went; the rest in order, the newest too");
    is(pop(LATE_SEC, 1), 0, "and no more");
}

/* What somebody is just telling of is not dropped. */
static void fill_while_taken(void)
{
    guard_redis_owed_t owed[GUARD_REDIS_LATE_MAX];
    unsigned ended = 0;

    late_clear();
    for (unsigned i = 0; i < GUARD_REDIS_LATE_MAX; i++) {
        push(i + 1, 1000);
        guard_redis_late_take(late, 1000, &owed[i]);
    }
    is(guard_redis_late_count(late), GUARD_REDIS_LATE_MAX, "all are taken");
    push(GUARD_REDIS_LATE_MAX + 1, 1000);
    is((long long)late->dropped, 1, "  a new one is dropped");
    is(pop(1000, 1), 0, "  and not there");
    for (unsigned i = 0; i < GUARD_REDIS_LATE_MAX; i++) {
        ended += guard_redis_late_end(late, &owed[i], 1, 1000) &&
                 owed[i].token == i + 1;
    }
    is(ended, GUARD_REDIS_LATE_MAX, "  and each of the others is ended");
}

static void keep_all(void)
{
    guard_redis_owed_t in = {.token = 1,
                             .due_usec = 1,
                             .outcome = GUARD_WRONG,
                             .guess = {.tag = 2, .proven_tag = 3, .user = 4},
                             .claim_count = 3},
                       out;
    char name[200] = "example.org /a";

    late_clear();
    memset(name + 100, 'x', 99);
    memset(name + 14, '/', 86);
    in.claim[0].client.id = 5;
    in.claim[0].client.scope_name = name;
    in.claim[1].policy.limit = 6;
    in.claim[2].client.scope_name = "";
    in.hold[2].what = GUARD_HOLD_SLOT;
    guard_redis_late_push(late, &in, 0);
    memset(name, 'z', sizeof name - 1);
    ok(guard_redis_late_take(late, 1000, &out), "one with all its fields");
    ok(out.outcome == GUARD_WRONG && out.guess.tag == 2 &&
           out.guess.proven_tag == 3 && out.guess.user == 4 &&
           out.claim_count == 3 && out.claim[0].client.id == 5 &&
           out.claim[1].policy.limit == 6 && out.hold[2].what,
       "  comes back whole");
    ok(out.claim[0].client.scope_name == out.scope_name[0] &&
           !strncmp(out.scope_name[0], "example.org /a///", 17),
       "  with a copy of the scope's name");
    is((long long)strlen(out.scope_name[0]), GUARD_REDIS_LATE_NAME_MAX - 1,
       "  cut to what fits");
    ok(!out.claim[1].client.scope_name, "  no name stays none");
    is_str(out.claim[2].client.scope_name, "", "  an empty one stays empty");
}

/* ---- many at once ---- */

typedef enum {
    MANY, /* more than fit: some are dropped */
    FEW,  /* they fit */
    PUSH  /* nobody takes any: nearly all are dropped */
} plan_e;

static void work(unsigned number, plan_e plan)
{
    uint64_t token = (uint64_t)number * EACH;

    for (unsigned i = 1; i <= EACH; i++) {
        late_push(++token);
        if (plan == MANY && i % 8) {
            late_tell();
        }
        for (unsigned k = 0; plan == FEW && i % FIT == 0 && k < FIT; k++) {
            late_tell();
        }
    }
}

static void *work_many(void *number)
{
    work((unsigned)(uintptr_t)number, MANY);
    return NULL;
}

static void settle_accounts(const char *who)
{
    while (late_tell()) {
    }
    is(world->strange, 0, who);
    is(world->twice, 0, "  none is told twice");
    is((long long)(world->ended + world->late.dropped), WORKERS * EACH,
       "  each was told or dropped");
    is(guard_redis_late_count(late), 0, "  none is left");
}

static void run_threads(void)
{
    pthread_t thread[WORKERS];

    late_clear();
    for (uintptr_t i = 0; i < WORKERS; i++) {
        pthread_create(&thread[i], NULL, work_many, (void *)i);
    }
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(thread[i], NULL);
    }
    settle_accounts("threads: what is taken is as it was pushed");
    ok(late->dropped && world->ended > late->dropped, "  %u were dropped",
       (unsigned)late->dropped);
}

static void run_processes(plan_e plan, const char *name)
{
    late_clear();
    for (unsigned i = 0; i < WORKERS; i++) {
        if (!fork()) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            work(i, plan);
            _exit(0);
        }
    }
    for (int i = 0; i < WORKERS; i++) {
        wait(NULL);
    }
    settle_accounts(name);
}

int main(void)
{
    if (!late_make_world()) {
        printf("Bail out! no memory\n");
        return 1;
    }
    late = &world->late;
    come_and_go();
    go_behind();
    fill();
    fill_while_taken();
    keep_all();
    run_threads();
    run_processes(MANY, "processes: what is taken is as it was pushed");
    run_processes(FEW, "processes with few: what is taken is as pushed");
    is((long long)late->dropped, 0, "  and none was dropped: they fit");
    run_processes(PUSH, "processes that but push: what is taken is as pushed");
    is(world->ended, GUARD_REDIS_LATE_MAX, "  as many as fit");
    return tap_done();
}
