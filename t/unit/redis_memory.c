/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_memory.c: what may be believed without asking Redis. Every end on its
 * tick; how many guesses and lockouts there is room for; and questions and
 * doubts in all orders of their steps: nothing that was asked before a doubt is
 * believed after it.
 */
#include "guard_store_redis_memory.h"
#include "random.h"
#include "tap.h"

#include <stdlib.h>

#define SEC ((uint64_t)apr_time_from_sec(1))
#define NOW (1000000 * SEC)
#define SINCE 1 /* the subscription has always stood */
#define ALICE 7
#define TAG 77

static guard_redis_memory_t *memory;

static void clear(void)
{
    guard_secret_t secret = memory->secret;

    memset(memory, 0, sizeof(*memory));
    memory->secret = secret;
}

static void prove(uint64_t id, uint32_t tag, uint64_t asked_usec)
{
    guard_redis_mark_t mark = guard_redis_memory_mark(memory, id, asked_usec);

    guard_redis_memory_prove(memory, id, tag, &mark);
}

static guard_redis_proof_e find(uint64_t id, uint32_t tag, uint64_t now_usec)
{
    return guard_redis_memory_find(memory, id, tag, SINCE, now_usec);
}

static void lock(uint64_t id, uint64_t asked_usec, uint64_t until_usec)
{
    guard_redis_mark_t mark = guard_redis_memory_mark(memory, id, asked_usec);
    guard_redis_lockout_t lockout = {
        .until_usec = until_usec, .failures = 5, .limit = 1000, .level = 255};

    guard_redis_memory_lock(memory, id, &mark, &lockout);
}

static int is_locked(uint64_t id, uint64_t now_usec)
{
    guard_redis_lockout_t lockout;

    return guard_redis_memory_find_lockout(memory, id, now_usec, &lockout);
}

/* ---- ends ---- */

static void end_proofs(void)
{
    static const uint64_t KNOWN = GUARD_PROVEN_SEC * SEC;

    clear();
    is(find(ALICE, TAG, NOW), GUARD_REDIS_UNKNOWN, "nothing is known at first");
    prove(ALICE, TAG, NOW);
    is(find(ALICE, TAG, NOW), GUARD_REDIS_FRESH, "proven: fresh");
    is(find(ALICE, TAG + 1, NOW), GUARD_REDIS_UNKNOWN, "another guess");
    is(find(ALICE + 1, TAG, NOW), GUARD_REDIS_UNKNOWN, "another client");
    is(find(ALICE, TAG, NOW + 5 * SEC), GUARD_REDIS_FRESH, "for 5 s");
    is(find(ALICE, TAG, NOW + 5 * SEC + 1), GUARD_REDIS_KNOWN, "no longer");
    is(find(ALICE, TAG, NOW + KNOWN), GUARD_REDIS_KNOWN, "known for 10 min");
    is(find(ALICE, TAG, NOW + KNOWN + 1), GUARD_REDIS_UNKNOWN, "no longer");
    is(find(ALICE, TAG, NOW - 1), GUARD_REDIS_FRESH,
       "a reader whose clock was read before");
    is(guard_redis_memory_find(memory, ALICE, TAG, 0, NOW), GUARD_REDIS_KNOWN,
       "no subscription: not fresh");
    is(guard_redis_memory_find(memory, ALICE, TAG, NOW, NOW), GUARD_REDIS_FRESH,
       "asked as it began: fresh");
    is(guard_redis_memory_find(memory, ALICE, TAG, NOW + 1, NOW + 1),
       GUARD_REDIS_KNOWN, "asked before it began: not");
    prove(ALICE, TAG, NOW + 999);
    is(find(ALICE, TAG, NOW + 5 * SEC + 1), GUARD_REDIS_KNOWN,
       "within a millisecond it ends early, never late");
    prove(ALICE, TAG, NOW + KNOWN);
    is(find(ALICE, TAG, NOW + KNOWN), GUARD_REDIS_FRESH, "proven again");
}

static void end_lockouts(void)
{
    guard_redis_lockout_t got = {0};

    clear();
    ok(!is_locked(ALICE, NOW), "nobody is locked at first");
    lock(ALICE, NOW, NOW + 60 * SEC);
    ok(guard_redis_memory_find_lockout(memory, ALICE, NOW, &got) &&
           got.until_usec == NOW + 60 * SEC && got.failures == 5 &&
           got.limit == 1000 && got.level == 255,
       "a lockout comes back as it was told");
    ok(!is_locked(ALICE + 1, NOW), "another client is not locked");
    ok(is_locked(ALICE, NOW + 4 * SEC), "known for 4 s");
    ok(!is_locked(ALICE, NOW + 4 * SEC + 1), "no longer");
    lock(ALICE, NOW, NOW + SEC);
    ok(is_locked(ALICE, NOW + SEC - 1), "a shorter one to its end");
    ok(!is_locked(ALICE, NOW + SEC), "and not at its end");
    lock(ALICE, NOW, NOW + 60 * SEC);
    guard_redis_memory_forget_lockouts(memory);
    ok(!is_locked(ALICE, NOW), "forgotten");
    lock(ALICE, NOW, NOW + 60 * SEC);
    ok(is_locked(ALICE, NOW), "and told again");
    guard_redis_memory_doubt_all(memory);
    ok(is_locked(ALICE, NOW), "a doubt is no matter of lockouts");
}

/* ---- doubts ---- */

static void doubt_clients(void)
{
    clear();
    prove(ALICE, TAG, NOW);
    prove(ALICE, TAG + 1, NOW);
    prove(ALICE + 1, TAG, NOW);
    guard_redis_memory_doubt(memory, ALICE);
    is(find(ALICE, TAG, NOW), GUARD_REDIS_KNOWN, "doubted: known, not fresh");
    is(find(ALICE, TAG + 1, NOW), GUARD_REDIS_KNOWN, "all of the client's are");
    is(find(ALICE + 1, TAG, NOW), GUARD_REDIS_FRESH, "another client's not");
    prove(ALICE, TAG, NOW);
    is(find(ALICE, TAG, NOW), GUARD_REDIS_FRESH, "asked again: fresh");
    is(find(ALICE, TAG + 1, NOW), GUARD_REDIS_KNOWN, "the other one not");
    guard_redis_memory_doubt_all(memory);
    is(find(ALICE, TAG, NOW), GUARD_REDIS_KNOWN, "doubt all: hers");
    is(find(ALICE + 1, TAG, NOW), GUARD_REDIS_KNOWN, "and others'");
    prove(ALICE, TAG, NOW);
    prove(ALICE, TAG + 1, NOW);
    guard_redis_memory_disprove(memory, ALICE, TAG);
    is(find(ALICE, TAG, NOW), GUARD_REDIS_UNKNOWN, "disproved: unknown");
    is(find(ALICE, TAG + 1, NOW), GUARD_REDIS_KNOWN, "and the others doubted");
}

/* One asks, and writes down what it hears; one changes what there is to hear,
 * with a doubt before and after. For lockouts the doubt is to forget them. */
typedef struct scene_t {
    int is_lockout;
    unsigned asking, changing; /* how many of their three steps are done */
    unsigned marked_at;        /* changing, when the mark was taken */
    int has_changed, has_heard;
    guard_redis_mark_t mark;
} scene_t;

static void step_asking(scene_t *scene)
{
    guard_redis_lockout_t lockout = {.until_usec = NOW + 60 * SEC};

    switch (scene->asking++) {
    case 0:
        scene->mark = guard_redis_memory_mark(memory, ALICE, NOW);
        scene->marked_at = scene->changing;
        break;
    case 1:
        scene->has_heard = scene->has_changed;
        break;
    default:
        if (scene->is_lockout) {
            guard_redis_memory_lock(memory, ALICE, &scene->mark, &lockout);
        } else {
            guard_redis_memory_prove(memory, ALICE, TAG, &scene->mark);
        }
    }
}

static void step_changing(scene_t *scene)
{
    if (scene->changing++ == 1) {
        scene->has_changed = 1;
    } else if (scene->is_lockout) {
        guard_redis_memory_forget_lockouts(memory);
    } else {
        guard_redis_memory_doubt(memory, ALICE);
    }
}

/* Set bits of order are steps of asking. @return 1 if what was heard is
 * believed in the end */
static int play(unsigned order, scene_t *scene)
{
    clear();
    for (int step = 0; step < 6; step++) {
        if (order >> step & 1) {
            step_asking(scene);
        } else {
            step_changing(scene);
        }
    }
    return scene->is_lockout ? is_locked(ALICE, NOW)
                             : find(ALICE, TAG, NOW) == GUARD_REDIS_FRESH;
}

static void play_all(int is_lockout, const char *what)
{
    unsigned seen = 0, believed = 0, stale = 0;

    for (unsigned order = 0; order < 64; order++) {
        scene_t scene = {.is_lockout = is_lockout};

        if (__builtin_popcount(order) == 3) {
            int is_believed = play(order, &scene);

            seen++;
            believed += (unsigned)is_believed;
            stale += is_believed && (!scene.marked_at || !scene.has_heard);
        }
    }
    is(seen, 20, what);
    is(stale, 0, "  what was asked before is never believed");
    is(believed, 1, "  what was asked after all of it is");
}

/* ---- room ---- */

static void fill_set(void)
{
    unsigned fresh = 0, known = 0;

    clear();
    for (uint32_t i = 0; i < GUARD_REDIS_PROOFS_MAX; i++) {
        prove(ALICE, i, NOW + i * 1000);
    }
    for (uint32_t i = 0; i < GUARD_REDIS_PROOFS_MAX; i++) {
        fresh += find(ALICE, i, NOW + SEC) == GUARD_REDIS_FRESH;
    }
    is(fresh, GUARD_REDIS_PROOFS_MAX, "as many guesses as fit are fresh");
    prove(ALICE, 99, NOW + SEC);
    is(find(ALICE, 99, NOW + SEC), GUARD_REDIS_FRESH, "one more is, too");
    is(find(ALICE, 0, NOW + SEC), GUARD_REDIS_UNKNOWN, "the oldest made room");
    for (uint32_t i = 1; i < GUARD_REDIS_PROOFS_MAX; i++) {
        known += find(ALICE, i, NOW + SEC) == GUARD_REDIS_FRESH;
    }
    is(known, GUARD_REDIS_PROOFS_MAX - 1, "and no other did");
    prove(ALICE, 1, NOW + 2 * SEC);
    prove(ALICE, 100, NOW + 2 * SEC);
    ok(find(ALICE, 1, NOW + 2 * SEC) == GUARD_REDIS_FRESH &&
           !find(ALICE, 2, NOW + 2 * SEC),
       "who was asked for again is not the oldest");
}

/* 13 people behind one address, each with a page of 30 pictures, in any order.
 * @return how often Redis is asked; as many more for a guesser among them */
static unsigned visit(unsigned people, unsigned guess_every)
{
    uint64_t random = 1, now_usec = NOW;
    unsigned asked = 0;

    clear();
    for (unsigned i = 0; i < people * 31 * 4; i++, now_usec += 4000) {
        uint32_t tag = random_below(&random, people);

        if (guess_every && i % guess_every == 0) {
            tag = 1000 + i;
        }
        switch (find(ALICE, tag, now_usec)) {
        case GUARD_REDIS_FRESH:
            continue;
        case GUARD_REDIS_UNKNOWN:
            guard_redis_memory_doubt(memory, ALICE);
            break;
        default:
            break;
        }
        asked++;
        if (tag < 1000) {
            prove(ALICE, tag, now_usec);
        }
    }
    return asked;
}

static void count_questions(void)
{
    unsigned requests = 13 * 31 * 4, asked = visit(13, 0);

    ok(asked <= requests / 10, "an office of 13: %u questions of %u requests",
       asked, requests);
    asked = visit(13, 5);
    ok(asked > requests / 2, "with a guesser in it: %u, or he could tell",
       asked);
}

static void fill_lockouts(void)
{
    unsigned known = 0;

    clear();
    for (uint64_t id = 1; id <= 2000; id++) {
        lock(id, NOW, NOW + 60 * SEC);
    }
    for (uint64_t id = 1; id <= 2000; id++) {
        known += (unsigned)is_locked(id, NOW);
    }
    ok(known > 1990, "2000 lockouts: %u are known", known);
    for (uint64_t id = 2001; id <= 200000; id++) {
        lock(id, NOW + 1000, NOW + 60 * SEC);
    }
    ok(is_locked(200000, NOW + 1000), "however many: the newest is known");
}

/* @return the set that holds a proof; there is one */
static int set_in_use(void)
{
    int set = 0;

    while (!memory->proofs[set].entry[0][1]) {
        set++;
    }
    return set;
}

/* Who knows clients by their numbers can't tell which share a set. */
static void choose_sets(void)
{
    guard_secret_t before = memory->secret;
    unsigned same = 0;
    int set;

    for (uint64_t id = 1; id <= 50; id++) {
        memory->secret = before;
        clear();
        prove(id, TAG, NOW);
        set = set_in_use();
        guard_redis_memory_init(memory);
        clear();
        prove(id, TAG, NOW);
        same += set == set_in_use();
    }
    ok(same < 5, "another secret, other sets");
}

int main(void)
{
    memory = calloc(1, sizeof(*memory));
    if (!memory) {
        printf("Bail out! no memory\n");
        return 1;
    }
    memory->secret.byte[0] = 1; /* who shares a set is the same in each run */
    end_proofs();
    end_lockouts();
    doubt_clients();
    play_all(0, "a question and a doubt: in all orders");
    play_all(1, "a question and an unlocking: in all orders");
    fill_set();
    count_questions();
    fill_lockouts();
    choose_sets();
    free(memory);
    return tap_done();
}
