/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_memory_torn.c: entries that nobody wrote as they stand are never
 * believed. They are put together from two writes, word by word; threads write,
 * doubt and read one client's set at once; and writers are killed.
 */
#include "guard_store_redis_memory.h"
#include "random.h"
#include "tap.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEC ((uint64_t)apr_time_from_sec(1))
#define NOW (1000000 * SEC)
#define ALICE 7
#define TAG 77
#define CHANGES 400
#define ASKERS 3
#define READERS 3
#define KILLS 200

static guard_redis_memory_t *memory;

static void clear(void)
{
    guard_secret_t secret = memory->secret;

    memset(memory, 0, sizeof(*memory));
    memory->secret = secret;
}

static guard_redis_mark_t mark_at(uint64_t asked_usec)
{
    return guard_redis_memory_mark(memory, ALICE, asked_usec);
}

static void prove(uint32_t tag, uint64_t asked_usec)
{
    guard_redis_mark_t mark = mark_at(asked_usec);

    guard_redis_memory_prove(memory, ALICE, tag, &mark);
}

/* A lockout whose numbers tell each other. */
static void lock(uint16_t number, uint64_t asked_usec)
{
    guard_redis_mark_t mark = mark_at(asked_usec);
    guard_redis_lockout_t lockout = {.until_usec = NOW + number * SEC,
                                     .failures = number,
                                     .limit = (uint16_t)(65535 - number),
                                     .level = (uint8_t)number};

    guard_redis_memory_lock(memory, ALICE, &mark, &lockout);
}

static guard_redis_proof_e find(uint32_t tag, uint64_t now_usec)
{
    return guard_redis_memory_find(memory, ALICE, tag, 1, now_usec);
}

/* @return 1 if a lockout is found that nobody wrote */
static int has_strange_lockout(uint64_t now_usec)
{
    guard_redis_lockout_t got;

    return guard_redis_memory_find_lockout(memory, ALICE, now_usec, &got) &&
           (got.until_usec != NOW + got.failures * SEC ||
            got.limit != 65535 - got.failures ||
            got.level != (uint8_t)got.failures);
}

/* ---- word by word ---- */

static _Atomic uint64_t *proof_in_use(void)
{
    int set = 0;

    while (!memory->proofs[set].entry[0][1]) {
        set++;
    }
    return memory->proofs[set].entry[0];
}

static _Atomic uint64_t *lockout_in_use(void)
{
    int set = 0;

    while (!memory->lockouts[set].entry[0][2]) {
        set++;
    }
    return memory->lockouts[set].entry[0];
}

static void copy(uint64_t *to, const _Atomic uint64_t *from, int words)
{
    for (int i = 0; i < words; i++) {
        to[i] = from[i];
    }
}

/* An old and a new proof, of one guess or of two. */
static unsigned mix_proofs(uint32_t tag, uint32_t new_tag)
{
    _Atomic uint64_t *entry;
    uint64_t word[2][2];
    unsigned believed = 0;

    clear();
    prove(tag, NOW - 60 * SEC);
    entry = proof_in_use();
    copy(word[0], entry, 2);
    entry[0] = entry[1] = 0;
    guard_redis_memory_doubt(memory, ALICE);
    prove(new_tag, NOW);
    copy(word[1], entry, 2);
    for (int first = 0; first < 2; first++) {
        entry[0] = word[first][0];
        entry[1] = word[!first][1];
        believed += find(tag, NOW) || find(new_tag, NOW);
    }
    prove(tag, NOW);
    return believed + (find(tag, NOW) != GUARD_REDIS_FRESH);
}

/* @return how many mixtures of two lockouts are believed */
static unsigned mix_lockouts(void)
{
    _Atomic uint64_t *entry;
    uint64_t word[2][4];
    unsigned believed = 0;

    clear();
    lock(1, NOW - SEC);
    entry = lockout_in_use();
    copy(word[0], entry, 4);
    lock(2, NOW);
    copy(word[1], entry, 4);
    for (unsigned mixture = 0; mixture < 16; mixture++) {
        guard_redis_lockout_t got;

        for (int i = 0; i < 4; i++) {
            entry[i] = word[mixture >> i & 1][i];
        }
        believed +=
            (unsigned)guard_redis_memory_find_lockout(memory, ALICE, NOW, &got);
    }
    return believed;
}

/* ---- threads ----
 *
 * The server's state is a number that one thread counts up, with a doubt before
 * and after. Others ask for it and write down a proof that carries what they
 * heard. Readers look for proofs of numbers that are over.
 */

static struct {
    _Atomic uint32_t number; /* what is asked for */
    _Atomic uint32_t over;   /* it is this, and the doubt after is raised */
    _Atomic int is_done;
    _Atomic unsigned stale, fresh, strange;
} world;

static uint64_t time_of(uint32_t number) { return NOW + number * 1000ul; }

static void *change(void *unused)
{
    (void)unused;
    for (uint32_t i = 1; i <= CHANGES; i++) {
        guard_redis_memory_doubt(memory, ALICE);
        world.number = i;
        guard_redis_memory_doubt(memory, ALICE);
        world.over = i;
        sched_yield();
    }
    world.is_done = 1;
    return NULL;
}

static void *ask(void *unused)
{
    (void)unused;
    while (!world.is_done) {
        guard_redis_mark_t mark = mark_at(time_of(world.number));
        uint32_t number = world.number;

        guard_redis_memory_prove(memory, ALICE, number, &mark);
        lock((uint16_t)(number % 1000 + 1000), NOW);
    }
    return NULL;
}

static void *read_all(void *unused)
{
    (void)unused;
    while (!world.is_done) {
        uint32_t over = world.over;
        uint64_t now_usec = time_of(over);

        for (uint32_t back = 1; back < 5 && back < over; back++) {
            world.stale += find(over - back, now_usec) == GUARD_REDIS_FRESH;
        }
        world.fresh += find(over, now_usec) == GUARD_REDIS_FRESH;
        world.strange += (unsigned)has_strange_lockout(NOW);
    }
    return NULL;
}

static void run_threads(void)
{
    pthread_t thread[1 + ASKERS + READERS];
    int count = 0;

    clear();
    for (int i = 0; i < ASKERS; i++) {
        pthread_create(&thread[count++], NULL, ask, NULL);
    }
    for (int i = 0; i < READERS; i++) {
        pthread_create(&thread[count++], NULL, read_all, NULL);
    }
    pthread_create(&thread[count++], NULL, change, NULL);
    while (count) {
        pthread_join(thread[--count], NULL);
    }
    is(world.stale, 0, "threads: no proof from before a doubt is fresh");
    ok(world.fresh > 0, "  others are: %u", world.fresh);
    is(world.strange, 0, "  no lockout that nobody wrote");
}

/* ---- killed ---- */

/* What is proven with an even tag was asked before a doubt. */
static void write_till_killed(void)
{
    guard_redis_mark_t old = mark_at(NOW);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    guard_redis_memory_doubt(memory, ALICE);
    for (uint32_t i = 1;; i++) {
        if (i % 2) {
            prove(i % 40, NOW + i % 1000 * 1000);
        } else {
            guard_redis_memory_prove(memory, ALICE, i % 40, &old);
        }
        lock((uint16_t)(i % 1000 + 1), NOW);
    }
}

static void kill_writers(void)
{
    unsigned stale = 0, strange = 0, lost = 0;
    uint64_t random = 1;

    clear();
    for (int i = 0; i < KILLS; i++) {
        pid_t pid = fork();

        if (!pid) {
            write_till_killed();
        }
        usleep(random_below(&random, 2000));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        for (uint32_t tag = 0; tag < 40; tag += 2) {
            stale += find(tag, NOW) == GUARD_REDIS_FRESH;
        }
        strange += (unsigned)has_strange_lockout(NOW);
        prove(1, NOW);
        lost += find(1, NOW) != GUARD_REDIS_FRESH;
    }
    is(stale, 0, "killed writers: nothing is fresh that was not");
    is(strange, 0, "  no lockout that nobody wrote");
    is(lost, 0, "  and what they leave hinders nobody");
}

int main(void)
{
    memory = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        printf("Bail out! no memory\n");
        return 1;
    }
    memory->secret.byte[0] = 1; /* no set of ALICE's is shared by chance */
    is(mix_proofs(TAG, TAG), 0, "half of a proof and half of its successor");
    is(mix_proofs(TAG, TAG + 1), 0, "halves of two guesses' proofs");
    is(mix_lockouts(), 2, "of all mixtures of two lockouts only these two");
    run_threads();
    kill_writers();
    return tap_done();
}
