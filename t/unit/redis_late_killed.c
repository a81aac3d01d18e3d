/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_late_killed.c: settlements that are owed, and processes that are killed
 * or stopped in the middle. Nothing is half, nothing is lost but what was not
 * yet pushed, nothing is told twice; and slots they had in hand come back.
 */
#include "late.h"
#include "random.h"
#include "tap.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLS 150
#define STOPS 300
#define EACH 1000 /* tokens of one process */
#define HOURS (3600 * LATE_SEC)
#define BUSY_USEC ((uint64_t)GUARD_REDIS_LATE_BUSY_USEC)

static guard_redis_late_t *late;
static uint64_t random_state = 1;

/* ---- whose it is ---- */

static void take_over(void)
{
    uint64_t now_usec;
    guard_redis_owed_t first, second, third;

    late_clear();
    now_usec = world->now_usec;
    late_push(7);
    ok(guard_redis_late_take(late, now_usec, &first), "one takes it");
    is(guard_redis_late_count(late), 1, "  it is owed all the same");
    ok(!guard_redis_late_take(late, now_usec + BUSY_USEC, &second),
       "  and is his for some seconds");
    now_usec += BUSY_USEC + 1000;
    ok(guard_redis_late_take(late, now_usec, &second), "then another may");
    ok(late_is_whole(&second), "  and finds it whole");
    ok(!guard_redis_late_end(late, &first, 1, now_usec),
       "the first can't end it any more");
    ok(!guard_redis_late_end(late, &first, 0, now_usec), "  in no way");
    ok(guard_redis_late_end(late, &second, 1, now_usec), "the other can");
    ok(!guard_redis_late_end(late, &second, 1, now_usec), "  once");
    late_push(8);
    ok(guard_redis_late_take(late, now_usec, &third) &&
           !guard_redis_late_end(late, &second, 1, now_usec) &&
           guard_redis_late_end(late, &third, 1, now_usec),
       "  and not what comes after it");
}

/* Push a token. @return where its words lie, which are copied to words */
static void *copy_words(uint64_t token, uint64_t words[GUARD_REDIS_LATE_WORDS])
{
    unsigned slot = 0;

    late_push(token);
    while (slot < GUARD_REDIS_LATE_MAX - 1 && !late->state[slot]) {
        slot++;
    }
    memcpy(words, (void *)late->word[slot], sizeof(late->word[slot]));
    return (void *)late->word[slot];
}

/* One that was stopped while it wrote writes on: word by word, into a slot that
 * is another's by now, whatever that one's words are. */
static void write_on(void)
{
    static uint64_t old[GUARD_REDIS_LATE_WORDS], new[GUARD_REDIS_LATE_WORDS];
    unsigned believed = 0, mixtures = 0;

    late_clear();
    copy_words(7, old);
    late_tell();
    copy_words(8, new);
    late_tell();
    for (size_t i = 1; i <= GUARD_REDIS_LATE_WORDS; i++) {
        if (memcmp(old, new, i * sizeof(old[0])) != 0) {
            memcpy(copy_words(8, new), old, i * sizeof(old[0]));
            mixtures++;
            believed += (unsigned)late_tell();
        }
    }
    ok(mixtures > GUARD_REDIS_LATE_WORDS / 2, "%u times half is another's",
       mixtures);
    is(believed, 0, "  it is not believed");
    is(guard_redis_late_count(late), 0, "  and does not stay");
    is((long long)late->dropped, mixtures, "  but counts as dropped");
}

/* ---- killed ---- */

static void push_and_tell(uint64_t first)
{
    for (uint64_t token = first; token < first + EACH && !world->is_over;
         token++) {
        world->pushing = token;
        late_push(token);
        world->pushing = 0;
        late_tell();
    }
}

static pid_t begin(unsigned round)
{
    pid_t pid = fork();

    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        push_and_tell(1 + (uint64_t)round * EACH);
        while (!world->is_over) {
            usleep(100);
        }
        _exit(0);
    }
    return pid;
}

/* A pause that ends somewhere in the process's work. */
static void pass(void) { usleep(100 + random_below(&random_state, 500)); }

/* @return how many can be pushed before one is dropped */
static unsigned room(void)
{
    uint64_t before = late->dropped;
    unsigned count = 0;

    while (late->dropped == before && count <= GUARD_REDIS_LATE_MAX) {
        late_push(LATE_TOKENS - 1);
        count++;
    }
    return count - 1;
}

/* @return how many were pushed and never told, but for those that one was
 * about to end when it was killed */
static unsigned lost(const uint8_t *is_uncertain)
{
    unsigned count = 0;

    for (unsigned i = 0; i < LATE_TOKENS; i++) {
        count += world->is_pushed[i] && !world->is_ended[i] && !is_uncertain[i];
    }
    return count;
}

static void kill_them(void)
{
    static uint8_t is_uncertain[LATE_TOKENS];
    unsigned in_middle = 0;

    late_clear();
    for (unsigned i = 0; i < KILLS; i++) {
        pid_t pid = begin(i);

        pass();
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        in_middle += world->pushing != 0;
        is_uncertain[world->ending] = 1;
        world->pushing = world->ending = 0;
    }
    world->now_usec += HOURS;
    while (late_tell()) {
    }
    ok(in_middle > 0, "killed: %u while they pushed", in_middle);
    ok(world->ended > KILLS, "  %u are told", world->ended);
    is(world->strange, 0, "  none that nobody pushed");
    is(world->twice, 0, "  none twice");
    is(lost(is_uncertain), 0, "  none that was pushed is lost");
    is((long long)late->dropped, 0, "  nor dropped");
}

static void come_back(void)
{
    unsigned left = GUARD_REDIS_LATE_MAX;

    late_clear();
    for (unsigned i = 0; i < STOPS && left == GUARD_REDIS_LATE_MAX; i++) {
        pid_t pid = begin(i);

        pass();
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        while (late_tell()) {
        }
        left = room();
        while (late_tell()) {
        }
    }
    ok(left < GUARD_REDIS_LATE_MAX, "killed with a slot in hand: %u are left",
       left);
    world->now_usec += BUSY_USEC + 1000;
    while (late_tell()) {
    }
    is(room(), GUARD_REDIS_LATE_MAX, "  after some seconds all are");
}

/* ---- stopped, and gone on when the slot is another's ---- */

static void stop_them(void)
{
    unsigned behind = 0;

    late_clear();
    for (unsigned i = 0; i < STOPS; i++) {
        pid_t pid = begin(i);

        pass();
        kill(pid, SIGSTOP);
        waitpid(pid, NULL, WUNTRACED);
        behind += world->pushing || world->ending;
        world->now_usec += HOURS;
        for (unsigned k = 0; k < GUARD_REDIS_LATE_MAX; k++) {
            late_push(1 + (uint64_t)(STOPS + k % 8) * EACH + i);
        }
        kill(pid, SIGCONT);
        pass();
        world->is_over = 1;
        waitpid(pid, NULL, 0);
        world->is_over = 0;
        world->now_usec += HOURS;
        while (late_tell()) {
        }
    }
    ok(behind > 0, "stopped: %u in the middle", behind);
    is(world->strange, 0, "  none is taken that nobody pushed");
    is((long long)(world->ended + late->dropped), (long long)late->pushes,
       "  each is told once or counts as dropped");
    is(guard_redis_late_count(late), 0, "  and none stays");
}

int main(void)
{
    if (!late_make_world()) {
        printf("Bail out! no memory\n");
        return 1;
    }
    late = &world->late;
    take_over();
    write_on();
    kill_them();
    come_back();
    stop_them();
    return tap_done();
}
