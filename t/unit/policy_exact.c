/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * policy_exact.c: whatever a client does, at most `limit` distinct wrong
 * guesses of his are verified in a window, and those forgiven.
 *
 * Random stories with more guesses than a record has slots, many of them in
 * flight at once, and times between the seconds. What was verified is counted
 * here, from outside. Checks end in time: a lost one may cost a place only.
 * The seed is fixed.
 */
#include "random.h"
#include "script.h"

#define USERS 4
#define PASSWORDS 8 /* of each user; the last one is right */
#define GUESSES (USERS * PASSWORDS)
#define OPEN_MAX 40
#define RUNS 2000
#define STEPS 400

typedef struct client_t {
    script_t s;
    unsigned open_count;
    struct {
        unsigned guess;
        guard_hold_t hold;
        uint64_t began_usec;
    } open[OPEN_MAX];
    unsigned char verified[GUESSES]; /* wrong ones, in this window */
    unsigned verified_count, forgiven_count;
} client_t;

static int is_right(unsigned guess)
{
    return guess % PASSWORDS == PASSWORDS - 1;
}

static guard_guess_t guess_of(unsigned i)
{
    guard_guess_t guess = {1000 + i, 1000 + i, 1 + i / PASSWORDS};

    return guess;
}

/* Let the record see the time; between windows the count begins anew. */
static void refresh(client_t *c)
{
    guard_policy_refresh(&c->s.record, c->s.now_usec);
    if (c->s.record.phase == GUARD_PHASE_CALM) {
        memset(c->verified, 0, sizeof c->verified);
        c->verified_count = c->forgiven_count = 0;
    }
}

static void attempt(client_t *c, uint64_t *seed)
{
    guard_record_t *record = &c->s.record;
    unsigned g = random_below(seed, GUESSES);
    guard_guess_t guess = guess_of(g);
    guard_row_e row = script_judge(&c->s, &guess);

    if (row == GUARD_ROW_FULL && !random_below(seed, 3)) {
        guard_policy_busy(record, &c->s.policy, c->s.now_usec);
    }
    if (row == GUARD_ROW_CHECKING ? random_below(seed, 3) > 0
                                  : row < GUARD_ROW_PROVEN) {
        return;
    }
    if (c->open_count < OPEN_MAX) {
        c->open[c->open_count].guess = g;
        c->open[c->open_count].began_usec = c->s.now_usec;
        c->open[c->open_count++].hold =
            guard_policy_take(record, &c->s.policy, row, &guess, c->s.now_usec);
    }
}

static void settle(client_t *c, unsigned i, guard_outcome_e outcome)
{
    guard_record_t *record = &c->s.record;
    unsigned g = c->open[i].guess, failures = record->failures;
    guard_guess_t guess = guess_of(g);
    guard_hold_t hold = c->open[i].hold;

    c->open[i] = c->open[--c->open_count];
    guard_policy_settle(record, &c->s.policy, hold, &guess, outcome,
                        c->s.now_usec);
    if (outcome == GUARD_WRONG) {
        c->verified_count += !c->verified[g];
        c->verified[g] = 1;
    } else {
        c->forgiven_count += failures - record->failures;
    }
}

/* End an attempt, and all that share its place: of one guess there is one
 * verdict, and what comes of a straggler is policy_model.c's. */
static void finish(client_t *c, unsigned i, uint64_t *seed)
{
    unsigned g = c->open[i].guess;

    for (i = c->open_count; i-- > 0;) {
        if (c->open[i].guess == g) {
            settle(c, i,
                   !random_below(seed, 5) ? GUARD_ABANDONED
                   : is_right(g)          ? GUARD_RIGHT
                                          : GUARD_WRONG);
        }
    }
}

/* Let time pass, but end a check in time before its place is dropped. */
static void pass(client_t *c, uint64_t *seed)
{
    uint64_t window = (uint64_t)c->s.policy.window_usec;
    uint64_t span = random_next(seed) % (window / 8);

    if (!random_below(seed, 30) && !c->open_count) {
        span = random_next(seed) % (4 * window);
    }
    c->s.now_usec += span;
    refresh(c);
    for (unsigned i = 0; i < c->open_count;) {
        if (c->s.now_usec - c->open[i].began_usec > window / 2) {
            finish(c, i, seed);
        } else {
            i++;
        }
    }
}

static void step(client_t *c, uint64_t *seed)
{
    unsigned dice = random_below(seed, 10);

    refresh(c);
    if (dice < 6) {
        attempt(c, seed);
    } else if (dice < 9 && c->open_count) {
        finish(c, random_below(seed, c->open_count), seed);
    } else {
        pass(c, seed);
    }
}

/* @return NULL, or what is not as it must be. */
static const char *breach(const client_t *c)
{
    const guard_record_t *record = &c->s.record;
    const char *fault = guard_policy_fault(record, c->s.now_usec);
    unsigned limit = c->s.policy.limit;

    if (fault) {
        return fault;
    }
    if (record->phase != GUARD_PHASE_LOCKED &&
        record->failures + script_places(record) > limit) {
        return "failures and places are more than the limit";
    }
    if (c->verified_count > limit + c->forgiven_count) {
        return "more wrong guesses were verified than the limit and the "
               "forgiven ones";
    }
    if (c->forgiven_count > limit) {
        return "more than the limit were forgiven in one window";
    }
    return NULL;
}

static void begin_run(client_t *c, uint64_t *seed)
{
    memset(c, 0, sizeof *c);
    script_init(&c->s);
    c->s.now_usec += random_below(seed, APR_USEC_PER_SEC);
    c->s.policy.limit = (uint16_t)(1 + random_below(seed, 9));
    c->s.policy.window_usec =
        apr_time_from_sec(2 + random_below(seed, 2) * 598);
    c->s.policy.lockout_usec = apr_time_from_sec(1);
    c->s.record.kind = (uint8_t)(1 + random_below(seed, GUARD_KIND_MAX));
}

int main(void)
{
    static client_t c;
    uint64_t seed = 7;
    unsigned long most = 0, forgiven = 0;

    for (int run = 0; run < RUNS; run++) {
        begin_run(&c, &seed);
        for (int i = 0; i < STEPS; i++) {
            const char *what;

            step(&c, &seed);
            most += c.verified_count == c.s.policy.limit;
            forgiven += c.forgiven_count > 0;
            what = breach(&c);
            if (what) {
                ok(0, "run %d, step %d: %s", run, i, what);
                return tap_done();
            }
        }
    }
    ok(1, "%d stories of %d steps: never more than the limit", RUNS, STEPS);
    ok(most > RUNS && forgiven > RUNS, "the limit was reached, and forgiven");
    return tap_done();
}
