/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_breaker.c: when the server is asked, and who is told of a change. The
 * rules are told as stories; then 4 processes of 16 threads race for each
 * change and for each probe, and exactly one has it.
 */
#include "guard_store_redis_breaker.h"
#include "tap.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES 4
#define THREADS 16
#define ROUNDS 150
#define TICKS 20000 /* of 1 ms each */
#define FLIPS 10000 /* of each thread */

/*
 * ?P ?T ?S   ask: pass, probe (a try), stop
 * +          it has succeeded; o: so has one that was asked when it was closed
 * t c r b f  it has failed: timeout, connection, reply, breaker, fine
 * !          after one of these: and that changed the breaker
 * @1000      so many milliseconds have passed since the beginning
 */
static const struct {
    const char *rule, *story;
} ROW[] = {
    {"asked as long as all is well", "?P+ ?P+ ?P+"},
    {"three in a row open it", "?Pt ?Pt ?Pt! ?S"},
    {"whatever their cause", "?Pt ?Pc ?Pt! ?S"},
    {"a success in between: from the start", "tt + tt + tt ?P t! ?S"},
    {"one that refuses us opens it at once", "?Pr! ?S"},
    {"and so it does after others", "t r! ?S"},
    {"what was not the server's counts for nothing", "f b f b f b ?P tt b t!"},
    {"no probe for a second", "r! @999 ?S @1000 ?T"},
    {"one probe a second", "r! @1000 ?T?S?S @1999 ?S @2000 ?T?S @9000 ?T?S"},
    {"the probe's success closes it", "r! @1000 ?T+! ?P"},
    {"its failure does not", "r! @1000 ?Tt ?S @2000 ?Tr ?S @3000 ?T+! ?P"},
    {"then it takes three again", "tt t! @1000 ?T+! ?Pt ?Pt ?Pt! ?S"},
    {"an earlier success says nothing of now", "?Pr! o ?S @1000 o ?T+!"},
    {"who was told to stop can't close it", "r! ?S+ ?S"},
    {"a failure while it is open changes nothing", "r! rtct @999 ?S @1000 ?T"},
    {"a probe that comes too late to close it", "r! @1000 ?T+!+ ?P"},
    {"the second begins where it opens", "@5500 r! @6499 ?S @6500 ?T"},
};

static guard_redis_cause_e cause_of(char letter)
{
    switch (letter) {
    case 't':
        return GUARD_REDIS_TIMEOUT;
    case 'c':
        return GUARD_REDIS_CONNECTION;
    case 'r':
        return GUARD_REDIS_REPLY;
    case 'b':
        return GUARD_REDIS_BREAKER;
    default:
        return GUARD_REDIS_FINE;
    }
}

static char letter_of(guard_redis_leave_e leave)
{
    return leave == GUARD_REDIS_PASS    ? 'P'
           : leave == GUARD_REDIS_PROBE ? 'T'
                                        : 'S';
}

/* @return NULL, or where the story went another way */
static const char *tell(const char *at)
{
    guard_redis_breaker_t breaker = {0};
    guard_redis_leave_e leave = GUARD_REDIS_PASS;
    uint64_t now_usec = 0;
    unsigned changes = 0;

    for (; *at; at++) {
        const char *here = at;
        int changed = 0;

        if (*at == ' ') {
            continue;
        }
        if (*at == '@') {
            now_usec = strtoull(at + 1, (char **)&at, 10) * 1000;
            continue;
        }
        if (*at == '?') {
            leave = guard_redis_breaker_ask(&breaker, now_usec);
            if (letter_of(leave) != *++at) {
                return here;
            }
            continue;
        }
        changed =
            *at == '+' ? guard_redis_breaker_succeed(&breaker, leave)
            : *at == 'o'
                ? guard_redis_breaker_succeed(&breaker, GUARD_REDIS_PASS)
                : guard_redis_breaker_fail(&breaker, cause_of(*at), now_usec);
        changes += changed != 0;
        if (changed != (at[1] == '!') ||
            guard_redis_breaker_changes(&breaker) != changes ||
            guard_redis_breaker_is_open(&breaker) != (int)(changes & 1)) {
            return here;
        }
        at += changed;
    }
    return NULL;
}

/* ---- races ---- */

static struct arena_t {
    guard_redis_breaker_t breaker;
    pthread_barrier_t barrier;
    _Atomic unsigned opened[ROUNDS], probes[ROUNDS], closed[ROUNDS];
    /* then all at once, with no pause */
    guard_redis_breaker_t flipped;
    _Atomic unsigned flips;
    /* then, each for itself */
    guard_redis_breaker_t free_breaker;
    _Atomic uint64_t clock_msec;
    _Atomic unsigned changes;
    _Atomic uint8_t probed[2 * TICKS]; /* at each millisecond */
} * arena;

static void race(unsigned round)
{
    uint64_t now_usec = (uint64_t)apr_time_from_sec(10 * (round + 1));

    pthread_barrier_wait(&arena->barrier);
    for (int i = 0; i < 3; i++) {
        arena->opened[round] += (unsigned)guard_redis_breaker_fail(
            &arena->breaker,
            round % 2 ? GUARD_REDIS_REPLY : GUARD_REDIS_TIMEOUT, now_usec);
    }
    pthread_barrier_wait(&arena->barrier);
    arena->probes[round] +=
        guard_redis_breaker_ask(&arena->breaker,
                                now_usec + apr_time_from_sec(1)) ==
        GUARD_REDIS_PROBE;
    pthread_barrier_wait(&arena->barrier);
    arena->closed[round] += (unsigned)guard_redis_breaker_succeed(
        &arena->breaker, GUARD_REDIS_PROBE);
}

static void flip(void)
{
    unsigned flips = 0;

    for (int i = 0; i < FLIPS; i++) {
        flips += (unsigned)guard_redis_breaker_fail(&arena->flipped,
                                                    GUARD_REDIS_REPLY, 0);
        flips += (unsigned)guard_redis_breaker_succeed(&arena->flipped,
                                                       GUARD_REDIS_PROBE);
    }
    arena->flips += flips;
}

/* A server that fails now and then, and a clock that all push on. */
static void run_free(unsigned seed)
{
    uint64_t now_msec;

    while ((now_msec = atomic_fetch_add(&arena->clock_msec, 1)) < TICKS) {
        guard_redis_breaker_t *breaker = &arena->free_breaker;
        guard_redis_leave_e leave =
            guard_redis_breaker_ask(breaker, now_msec * 1000);

        if (leave == GUARD_REDIS_PROBE) {
            arena->probed[now_msec] = 1;
        }
        if (leave != GUARD_REDIS_STOP && (now_msec * 7 + seed) % 5) {
            arena->changes +=
                (unsigned)guard_redis_breaker_succeed(breaker, leave);
        } else if (leave != GUARD_REDIS_STOP) {
            arena->changes += (unsigned)guard_redis_breaker_fail(
                breaker, GUARD_REDIS_REPLY, now_msec * 1000);
        }
    }
}

static void *work(void *seed)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        race(round);
    }
    flip();
    run_free((unsigned)(uintptr_t)seed);
    return NULL;
}

static void begin_threads_and_end(unsigned process)
{
    pthread_t thread[THREADS];

    alarm(120); /* a barrier that one never comes to */
    for (unsigned i = 0; i < THREADS; i++) {
        if (pthread_create(&thread[i], NULL, work,
                           (void *)(uintptr_t)(process * THREADS + i))) {
            _exit(1);
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
    }
    _exit(0);
}

static int make_arena(void)
{
    pthread_barrierattr_t shared;

    arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return arena != MAP_FAILED && !pthread_barrierattr_init(&shared) &&
           !pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED) &&
           !pthread_barrier_init(&arena->barrier, &shared, PROCESSES * THREADS);
}

static int run_all(void)
{
    pid_t pid[PROCESSES];
    int well = 0, status;

    for (unsigned i = 0; i < PROCESSES; i++) {
        pid[i] = fork();
        if (!pid[i]) {
            begin_threads_and_end(i);
        }
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        well += waitpid(pid[i], &status, 0) == pid[i] && !status;
    }
    return well;
}

/* @return how many of the rounds had exactly one */
static int once(const _Atomic unsigned *count)
{
    int rounds = 0;

    for (int i = 0; i < ROUNDS; i++) {
        rounds += count[i] == 1;
    }
    return rounds;
}

static void look_at_probes(void)
{
    unsigned probes = 0, hasty = 0;
    int last = -1000;

    for (int msec = 0; msec < TICKS; msec++) {
        if (arena->probed[msec]) {
            hasty += msec - last < 1000;
            last = msec;
            probes++;
        }
    }
    ok(probes > 0, "%u probes in %d s", probes, TICKS / 1000);
    is(hasty, 0, "  never two within a second");
}

int main(void)
{
    for (unsigned i = 0; i < sizeof(ROW) / sizeof(ROW[0]); i++) {
        const char *wrong = tell(ROW[i].story);

        if (!ok(!wrong, "%s", ROW[i].rule)) {
            printf("# story: %s\n# other: %s\n", ROW[i].story, wrong);
        }
    }
    if (!make_arena()) {
        printf("Bail out! no shared memory\n");
        return 1;
    }
    is(run_all(), PROCESSES, "all processes have ended well");
    is(once(arena->opened), ROUNDS, "each opening is told to one of 64");
    is(once(arena->probes), ROUNDS, "one of 64 is the probe");
    is(once(arena->closed), ROUNDS, "each closing is told to one of 64");
    is(arena->flips, guard_redis_breaker_changes(&arena->flipped),
       "no change is told twice, and none is lost");
    is(arena->changes, guard_redis_breaker_changes(&arena->free_breaker),
       "pell-mell: as many changes were told as there were");
    ok(arena->changes > 0, "  and there were %u", arena->changes);
    look_at_probes();
    return tap_done();
}
