/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * kill.c: a process is killed at every step inside the critical section, and
 * just after it.
 *
 * The child stops itself at step k of one operation and is killed there, with
 * the lock in its hand. The next operation of the parent must succeed, every
 * entry and every word of the proven memory must be as it was before the
 * child's operation or as it would have been after it, and no lock may stay
 * closed. What "after" is, the parent finds out by doing the same to the same
 * bytes first.
 */
#include "caller.h"
#include "shm.h"
#include "stop.h"

#define SIZE GUARD_SHM_CLIENTS_MIN
#define NOW ((uint64_t)apr_time_from_sec(1000000))
#define ROUNDS 13 /* of all operations at all steps */
#define BUCKETS_MAX 4
#define RECORDS GUARD_SHM_BUCKET_RECORDS

typedef struct image_t {
    guard_shm_index_t index[BUCKETS_MAX];
    guard_shm_bucket_t bucket[BUCKETS_MAX];
    uint64_t proven[BUCKETS_MAX * RECORDS]; /* more than there are */
} image_t;

static caller_t c;
static guard_claim_t claim[2];
static guard_ticket_t ticket, others[3];

/* ---- the operations, each with what must be there before ---- */

static uint64_t still(void) { return NOW; }

/* An empty table. */
static void renew(const char *scope)
{
    shm_close();
    shm_sweep();
    c.store = shm_serve(SIZE, NULL);
    c.now_usec = NOW;
    c.scope = scope;
    memset(&ticket, 0, sizeof ticket);
    memset(others, 0, sizeof others);
    claim[0] = caller_ip(&c, "192.0.2.1", 3);
    claim[1] = caller_claim(&c, GUARD_KIND_NET, "192.0.2.0/24", "", 9);
}

static void prepare_newcomer(void) {}

static void prepare_known(void) { caller_fail(&c, &claim[0], 1); }

static void prepare_admitted(void)
{
    caller_fail(&c, &claim[0], 1);
    caller_reserve(&c, claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
}

static void prepare_last(void)
{
    caller_fail(&c, &claim[0], 2);
    caller_reserve(&c, claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
}

static void prepare_first(void)
{
    caller_reserve(&c, claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
}

static void prepare_locked(void) { caller_fail(&c, &claim[0], 3); }

/* Every bucket is full of clients under that limit that failed once, and no
 * overflow record is in use. */
static void fill(unsigned limit)
{
    unsigned size = (unsigned)caller_stats(&c).table_size;

    for (unsigned n = 0; caller_stats(&c).clients_tracked < size; n++) {
        guard_claim_t other = caller_nth(&c, n, limit);

        if (!caller_peek(&c, &other, 1)->overflow) {
            caller_fail(&c, &other, 1);
        }
    }
}

static void prepare_full(void) { fill(5); }

static void prepare_all_locked(void) { fill(1); }

/* Somebody else verifies the same guess. */
static void prepare_in_flight(void)
{
    caller_reserve(&c, claim, 1, "b:1", GUARD_LAST_TRY, &others[0]);
}

static void prepare_joined(void)
{
    prepare_in_flight();
    caller_reserve(&c, claim, 1, "b:1", GUARD_LAST_TRY, &ticket);
}

/* All places are taken. */
static void prepare_taken(void)
{
    static const char *const guess[] = {"a:1", "a:2", "a:3"};

    for (int i = 0; i < 3; i++) {
        caller_reserve(&c, claim, 1, guess[i], GUARD_LAST_TRY, &others[i]);
    }
}

/* One waits, and his place is free now. */
static void prepare_waiting(void)
{
    prepare_taken();
    caller_reserve(&c, claim, 1, "b:1", GUARD_MAY_WAIT, &ticket);
    caller_settle(&c, &others[0], GUARD_ABANDONED);
}

static void prepare_rejected(void)
{
    caller_attempt(&c, claim, 1, "b:1", GUARD_WRONG);
    caller_pass(&c, GUARD_REPEAT_SEC + 1);
}

static void prepare_lowered(void)
{
    caller_fail(&c, &claim[0], 2);
    claim[0].policy.limit = 2;
}

static void prepare_two(void)
{
    caller_fail(&c, &claim[0], 2);
    caller_reserve(&c, claim, 2, "a:1", GUARD_LAST_TRY, &ticket);
}

/* By address and by log-in, with a failure to be forgiven in both. */
static void prepare_narrow(void)
{
    claim[1] = caller_claim(&c, GUARD_KIND_LOGIN, "192.0.2.1", "a", 9);
    caller_attempt(&c, claim, 2, "a:0", GUARD_WRONG);
    caller_reserve(&c, claim, 2, "a:1", GUARD_LAST_TRY, &ticket);
}

static void prepare_proven(void)
{
    caller_attempt(&c, claim, 1, "a:1", GUARD_RIGHT);
    caller_reserve(&c, claim, 1, "a:1", GUARD_LAST_TRY, &ticket);
}

/* One of each kind that a new guess key makes void, and a place. */
static void prepare_all_kinds(void)
{
    prepare_rejected();
    caller_attempt(&c, claim, 1, "a:1", GUARD_RIGHT);
    caller_reserve(&c, claim, 1, "a:2", GUARD_LAST_TRY, &ticket);
}

static void reserve(void)
{
    caller_reserve(&c, claim, 1, "b:1", GUARD_LAST_TRY, &ticket);
}

static void reserve_patiently(void)
{
    caller_reserve(&c, claim, 1, "b:1", GUARD_MAY_WAIT, &ticket);
}

static void reserve_two(void)
{
    caller_reserve(&c, claim, 2, "b:1", GUARD_LAST_TRY, &ticket);
}

static void settle_wrong(void) { caller_settle(&c, &ticket, GUARD_WRONG); }
static void settle_right(void) { caller_settle(&c, &ticket, GUARD_RIGHT); }

static void settle_abandoned(void)
{
    caller_settle(&c, &ticket, GUARD_ABANDONED);
}

static void unlock(void)
{
    guard_filter_t all = {0};
    unsigned count;

    c.store->ops->unlock(c.store, c.now_usec, &all, &count);
}

static void void_guesses(void)
{
    guard_shm_walk_void_guesses(guard_store_shm_table(c.store));
}

static const struct operation_t {
    const char *name;
    void (*prepare)(void), (*act)(void);
} operation[] = {
    {"reserve, a newcomer", prepare_newcomer, reserve},
    {"reserve, a known client", prepare_known, reserve},
    {"reserve, another's entry is taken", prepare_full, reserve},
    {"reserve, in the overflow record", prepare_all_locked, reserve},
    {"reserve, two claims", prepare_known, reserve_two},
    {"reserve, joins", prepare_in_flight, reserve},
    {"reserve, waits for a place", prepare_taken, reserve_patiently},
    {"reserve, has waited", prepare_waiting, reserve_patiently},
    {"reserve, busy", prepare_taken, reserve},
    {"reserve, rejected before", prepare_rejected, reserve},
    {"reserve, the limit was lowered", prepare_lowered, reserve},
    {"settle, wrong", prepare_admitted, settle_wrong},
    {"settle, wrong: lockout", prepare_last, settle_wrong},
    {"settle, right", prepare_admitted, settle_right},
    {"settle, abandoned: nothing is left", prepare_first, settle_abandoned},
    {"settle, abandoned: one of two", prepare_joined, settle_abandoned},
    {"settle, wrong, two claims", prepare_two, settle_wrong},
    {"settle, right, two claims", prepare_narrow, settle_right},
    {"settle, wrong, was proven", prepare_proven, settle_wrong},
    {"unlock", prepare_locked, unlock},
    {"unlock, places are taken", prepare_taken, unlock},
    {"a new guess key", prepare_all_kinds, void_guesses},
};

/* ---- before or after ---- */

static void save(image_t *image)
{
    const guard_shm_table_t *table = guard_store_shm_table(c.store);

    memcpy(image->index, table->index,
           table->bucket_count * sizeof image->index[0]);
    memcpy(image->bucket, table->bucket,
           table->bucket_count * sizeof image->bucket[0]);
    memcpy(image->proven, table->proven,
           table->proven_sets * sizeof(uint64_t) * GUARD_SHM_PROVEN_SET);
}

static void restore(const image_t *image)
{
    guard_shm_table_t *table = guard_store_shm_table(c.store);

    memcpy(table->index, image->index,
           table->bucket_count * sizeof image->index[0]);
    memcpy(table->bucket, image->bucket,
           table->bucket_count * sizeof image->bucket[0]);
    memcpy(table->proven, image->proven,
           table->proven_sets * sizeof(uint64_t) * GUARD_SHM_PROVEN_SET);
}

/* Whether entry i of the table is as in an image. */
static int same(const guard_shm_table_t *table, const image_t *image, int i)
{
    int bucket = i / RECORDS, entry = i % RECORDS;

    return table->index[bucket].tag[entry] == image->index[bucket].tag[entry] &&
           !memcmp(&table->bucket[bucket].record[entry],
                   &image->bucket[bucket].record[entry],
                   sizeof(guard_record_t));
}

/* @return entries and words of the proven memory that are neither; *changed
 * counts those that are not as before. */
static unsigned strange_parts(const image_t *before, const image_t *after,
                              unsigned *changed)
{
    const guard_shm_table_t *table = guard_store_shm_table(c.store);
    unsigned strange = 0;

    for (int i = 0; i < (int)table->bucket_count * RECORDS; i++) {
        int is_before = same(table, before, i),
            is_after = same(table, after, i);

        strange += !is_before && !is_after;
        *changed += !is_before;
    }
    for (uint32_t i = 0; i < table->proven_sets * GUARD_SHM_PROVEN_SET; i++) {
        int was_proven = table->proven[i] == before->proven[i];
        int gets_proven = table->proven[i] == after->proven[i];

        strange += !was_proven && !gets_proven;
        *changed += !was_proven;
    }
    return strange;
}

/* What was seen of one operation. */
typedef struct tally_t {
    unsigned kills, refused, strange, changed, closed, faults;
} tally_t;

static void (*act)(void);

/* One more step: the operation is done, and the process not yet. */
static void act_and_rest(void)
{
    act();
    if (guard_shm_step) {
        guard_shm_step(GUARD_SHM_STEP_COUNT);
    }
}

static void kill_once(int step, const image_t *before, const image_t *after,
                      tally_t *tally)
{
    pid_t pid = stop_child(c.store, act_and_rest, step);
    unsigned changed = 0;

    if (!pid) {
        return;
    }
    stop_kill(pid);
    tally->kills++;
    caller_peek(&c, claim, 2);
    tally->refused += !c.report.verdict;
    memset(&c.report, 0, sizeof c.report);
    tally->strange += strange_parts(before, after, &changed);
    tally->changed += changed != 0;
    tally->closed += shm_closed_locks(c.store);
    tally->faults += guard_store_shm_fault(c.store, c.now_usec, shm_pool) != 0;
}

/* @return how often a process was killed. */
static unsigned kill_at_every_step(const struct operation_t *op)
{
    guard_ticket_t ready;
    image_t before, after;
    tally_t tally = {0};
    int steps;

    renew(op->name);
    op->prepare();
    ready = ticket;
    act = op->act;
    save(&before);
    steps = stop_count(act_and_rest);
    save(&after);
    for (int i = 0; i < ROUNDS * steps; i++) {
        restore(&before);
        ticket = ready;
        kill_once(i % steps, &before, &after, &tally);
    }
    printf("# %s\n", op->name);
    ok(steps > GUARD_SHM_STEP_COUNT && tally.kills == ROUNDS * (unsigned)steps,
       "killed %u times, at each of %d steps", tally.kills, steps);
    is(tally.refused, 0, "  the next operation succeeds");
    is(tally.strange, 0, "  what it changed is as before, or as after");
    ok(tally.changed > 0 && tally.changed < tally.kills, "  both are seen");
    is(tally.closed, 0, "  no lock stays closed");
    is(tally.faults, 0, "  the table is sound");
    ok(caller_stats(&c).counter[GUARD_COUNT_RECOVERIES] >= ROUNDS,
       "  recoveries are counted");
    return tally.kills;
}

/* In the child: the server, stopped in the middle of a settlement. */
static void serve_and_stop(int step)
{
    c.store = shm_serve(SIZE, NULL);
    stop_self(settle_wrong, step);
}

/* Nobody is left to recover what the dead one held: the next start does. */
static void kill_the_only_one(int step)
{
    pid_t pid;
    int status = 0;
    unsigned failures;

    renew("alone");
    prepare_admitted();
    shm_close();
    pid = shm_fork();
    if (!pid) {
        serve_and_stop(step);
    }
    waitpid(pid, &status, WUNTRACED);
    stop_kill(pid);
    c.store = shm_serve(SIZE, NULL);
    failures = caller_peek(&c, claim, 1)->failures;
    ok(WIFSTOPPED(status) && (failures == 1 || failures == 2),
       "killed alone at step %d: before or after", step);
    is(shm_closed_locks(c.store), 0, "  the next server opens all locks");
    shm_is_sound(c.store, c.now_usec, "then");
}

int main(void)
{
    unsigned kills = 0;

    guard_shm_world.clock_usec = still;
    shm_begin();
    for (size_t i = 0; i < COUNT(operation); i++) {
        kills += kill_at_every_step(&operation[i]);
    }
    ok(kills >= 2500, "killed %u times in all", kills);
    for (int step = 0; step < GUARD_SHM_STEP_COUNT; step++) {
        kill_the_only_one(step);
    }
    shm_close();
    return tap_done();
}
