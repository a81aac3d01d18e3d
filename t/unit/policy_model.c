/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * policy_model.c: random stories of one client, against a second telling of
 * the rules.
 *
 * The model keeps each guess in an entry of its own and never runs out of
 * them; so does a record as long as there are no more guesses than slots. At
 * every step both must say the same of every guess. Times are whole seconds,
 * which leaves nothing to rounding. The seed is fixed.
 */
#include "random.h"
#include "script.h"

#define GUESSES GUARD_SLOTS
#define RUNS 3000
#define STEPS 250
#define OPEN_MAX 12

typedef struct flight_t {
    unsigned guess;
    unsigned flight; /* the verification it belongs to; 0: none */
    int was_proven;
    guard_hold_t hold; /* the record's */
} flight_t;

typedef struct model_t {
    uint64_t now, until, level_until; /* seconds */
    guard_phase_e phase;
    unsigned limit, window, lockout, max;
    unsigned failures, forgiven, level, busy;
    int forgives;
    int undecided; /* not all can be forgiven, and the rules don't say which */
    struct {
        guard_slot_e state;
        unsigned holders, flight;
        uint64_t until;
    } guess[GUESSES];
    unsigned last_flight, open_count;
    flight_t open[OPEN_MAX];
} model_t;

/* Two guesses a user. */
static guard_guess_t guess_of(unsigned i)
{
    guard_guess_t guess = {100 + i, 100 + i, 1 + i / 2};

    return guess;
}

static int flies(const model_t *m, unsigned g)
{
    return m->guess[g].state == GUARD_SLOT_CHECKING ||
           m->guess[g].state == GUARD_SLOT_RECHECKING;
}

static void forget_guess(model_t *m, unsigned g)
{
    memset(&m->guess[g], 0, sizeof m->guess[g]);
}

static void end_window(model_t *m)
{
    m->forgiven = m->busy = 0;
    for (unsigned g = 0; g < GUESSES; g++) {
        if (m->guess[g].state == GUARD_SLOT_REJECTED) {
            forget_guess(m, g);
        }
        if (m->guess[g].state == GUARD_SLOT_RECHECKING) {
            m->guess[g].state = GUARD_SLOT_CHECKING;
        }
    }
}

static void calm_down(model_t *m)
{
    m->phase = GUARD_PHASE_CALM;
    m->failures = 0;
    m->until = 0;
    end_window(m);
}

static void land_all(model_t *m)
{
    for (unsigned g = 0; g < GUESSES; g++) {
        if (m->guess[g].flight) {
            forget_guess(m, g);
        }
    }
}

static void pass(model_t *m, unsigned seconds)
{
    m->now += seconds;
    if (m->phase && m->now >= m->until) {
        calm_down(m);
    }
    if (m->now >= m->level_until) {
        m->level = 0;
    }
    for (unsigned g = 0; g < GUESSES; g++) {
        int over = m->now >= m->guess[g].until;

        if (over && m->guess[g].state == GUARD_SLOT_RECHECKING) {
            m->guess[g].state = GUARD_SLOT_REJECTED;
            m->guess[g].flight = 0;
        } else if (over && m->guess[g].state != GUARD_SLOT_REJECTED) {
            forget_guess(m, g);
        }
    }
}

static unsigned places(const model_t *m)
{
    unsigned count = 0;

    for (unsigned g = 0; g < GUESSES; g++) {
        count += m->guess[g].state == GUARD_SLOT_CHECKING;
    }
    return count;
}

static guard_row_e judge(const model_t *m, unsigned g)
{
    guard_slot_e state = m->guess[g].state;

    if (m->phase == GUARD_PHASE_LOCKED) {
        return GUARD_ROW_LOCKED;
    }
    if (m->failures >= m->limit) {
        return GUARD_ROW_OVER;
    }
    if (m->busy >= GUARD_BUSY_PROVEN_MAX &&
        m->failures + places(m) >= m->limit) {
        return GUARD_ROW_FULL; /* nothing shows of what is remembered */
    }
    if (state == GUARD_SLOT_PROVEN && m->busy < GUARD_BUSY_PROVEN_MAX) {
        return GUARD_ROW_PROVEN;
    }
    if (flies(m, g)) {
        return GUARD_ROW_CHECKING;
    }
    if (state == GUARD_SLOT_REJECTED) {
        return m->now < m->guess[g].until ? GUARD_ROW_REPEATED
                                          : GUARD_ROW_REJECTED;
    }
    return m->failures + places(m) < m->limit ? GUARD_ROW_FREE : GUARD_ROW_FULL;
}

static void lock_out(model_t *m)
{
    uint64_t length = m->lockout;

    for (unsigned i = 0; i < m->level && length < m->max; i++) {
        length *= 2;
    }
    length = length < m->max ? length : m->max;
    m->phase = GUARD_PHASE_LOCKED;
    m->until = m->now + length;
    m->level++;
    m->level_until = m->until + m->max;
    end_window(m);
}

static void begin(model_t *m, unsigned g, guard_row_e row)
{
    flight_t *open = &m->open[m->open_count++];

    open->guess = g;
    open->flight = 0;
    open->was_proven = m->guess[g].state == GUARD_SLOT_PROVEN;
    if (row == GUARD_ROW_PROVEN) {
        return;
    }
    if (row != GUARD_ROW_CHECKING) {
        m->guess[g].state = row == GUARD_ROW_REJECTED ? GUARD_SLOT_RECHECKING
                                                      : GUARD_SLOT_CHECKING;
        m->guess[g].flight = ++m->last_flight;
        m->guess[g].holders = 0;
        m->guess[g].until = m->now + m->window;
    }
    m->guess[g].holders++;
    open->flight = m->guess[g].flight;
}

static void end_wrong(model_t *m, const flight_t *open)
{
    unsigned g = open->guess;
    guard_slot_e was = m->guess[g].state;

    forget_guess(m, g);
    if (m->phase == GUARD_PHASE_LOCKED) {
        return;
    }
    m->guess[g].state = GUARD_SLOT_REJECTED;
    m->guess[g].until = m->now + GUARD_REPEAT_SEC;
    if (was == GUARD_SLOT_REJECTED || was == GUARD_SLOT_RECHECKING) {
        return;
    }
    if (open->was_proven) {
        m->guess[g].until = 0; /* the next one looks again */
    }
    if (m->phase == GUARD_PHASE_CALM) {
        m->phase = GUARD_PHASE_WINDOW;
        m->until = m->now + m->window;
    }
    if (++m->failures >= m->limit) {
        lock_out(m);
    }
}

static void forgive_guesses(model_t *m, unsigned user)
{
    for (unsigned g = 0; g < GUESSES; g++) {
        if (m->guess[g].state != GUARD_SLOT_REJECTED || g / 2 != user) {
            continue;
        }
        if (m->forgiven >= m->limit) {
            m->undecided = 1;
            return;
        }
        forget_guess(m, g);
        m->failures--;
        m->forgiven++;
    }
}

static void end_right(model_t *m, const flight_t *open)
{
    unsigned g = open->guess;
    int proven = m->guess[g].state == GUARD_SLOT_PROVEN || open->was_proven;

    if (!proven && m->guess[g].state == GUARD_SLOT_RECHECKING) {
        m->guess[g].state = GUARD_SLOT_REJECTED; /* forgiven with the others */
    }
    if (!proven && m->forgives && m->phase == GUARD_PHASE_WINDOW) {
        forgive_guesses(m, g / 2);
    }
    forget_guess(m, g);
    m->guess[g].state = GUARD_SLOT_PROVEN;
    m->guess[g].until = m->now + GUARD_PROVEN_SEC;
}

static void end_abandoned(model_t *m, const flight_t *open)
{
    unsigned g = open->guess;

    if (!open->flight || --m->guess[g].holders) {
        return;
    }
    if (m->guess[g].state == GUARD_SLOT_CHECKING) {
        forget_guess(m, g);
        return;
    }
    m->guess[g].state = GUARD_SLOT_REJECTED;
    m->guess[g].until = 0;
    m->guess[g].flight = 0;
}

/* ---- both tellings, step by step ---- */

static void attempt(model_t *m, script_t *s, uint64_t *seed)
{
    unsigned g = random_below(seed, GUESSES);
    guard_guess_t guess = guess_of(g);
    guard_row_e row = judge(m, g);

    switch (row) {
    case GUARD_ROW_OVER:
        lock_out(m);
        guard_policy_lock(&s->record, &s->policy, s->now_usec);
        return;
    case GUARD_ROW_FULL:
        if (m->phase == GUARD_PHASE_CALM) {
            m->phase = GUARD_PHASE_WINDOW;
            m->until = m->now + m->window;
        }
        m->busy++;
        guard_policy_busy(&s->record, &s->policy, s->now_usec);
        return;
    case GUARD_ROW_LOCKED:
    case GUARD_ROW_REPEATED:
        return;
    default:
        if (m->open_count < OPEN_MAX) {
            begin(m, g, row);
            m->open[m->open_count - 1].hold = guard_policy_take(
                &s->record, &s->policy, row, &guess, s->now_usec);
        }
    }
}

static void finish(model_t *m, script_t *s, uint64_t *seed)
{
    guard_outcome_e outcome = 1 + random_below(seed, 3);
    unsigned i = m->open_count ? random_below(seed, m->open_count) : 0;
    flight_t open = m->open[i];
    guard_guess_t guess = guess_of(open.guess);

    if (!m->open_count) {
        return;
    }
    m->open[i] = m->open[--m->open_count];
    if (outcome == GUARD_ABANDONED && open.flight &&
        m->guess[open.guess].flight != open.flight) {
        return; /* its place is gone already: let it die */
    }
    if (outcome == GUARD_WRONG) {
        end_wrong(m, &open);
    } else if (outcome == GUARD_RIGHT) {
        end_right(m, &open);
    } else {
        end_abandoned(m, &open);
    }
    guard_policy_settle(&s->record, &s->policy, open.hold, &guess, outcome,
                        s->now_usec);
}

static void step(model_t *m, script_t *s, uint64_t *seed)
{
    static const unsigned span[] = {0, 1, 1, 4, 5, 6, 30, 59, 60, 200, 600};
    unsigned dice = random_below(seed, 100), seconds;

    if (dice < 45) {
        attempt(m, s, seed);
    } else if (dice < 75) {
        finish(m, s, seed);
    } else if (dice < 97) {
        seconds = span[random_below(seed, COUNT(span))];
        pass(m, seconds);
        s->now_usec += seconds * (uint64_t)APR_USEC_PER_SEC;
    } else if (dice < 98) {
        calm_down(m);
        m->level = 0;
        land_all(m);
        guard_policy_unlock(&s->record);
    } else if (m->open_count && dice < 99) {
        m->open_count--; /* died */
    } else {
        m->limit = s->policy.limit = (uint16_t)(1 + random_below(seed, 6));
    }
    guard_policy_refresh(&s->record, s->now_usec);
}

/* @return NULL, or what the two tellings see differently. */
static const char *difference(const model_t *m, const script_t *s)
{
    const guard_record_t *record = &s->record;
    const char *fault = guard_policy_fault(record, s->now_usec);
    guard_record_t later = *record;

    if (fault) {
        return fault;
    }
    for (unsigned g = 0; g < GUESSES; g++) {
        guard_guess_t guess = guess_of(g);

        if (guard_policy_judge(record, &s->policy, &guess, s->now_usec) !=
            judge(m, g)) {
            return "the row of a guess";
        }
    }
    if (record->phase != m->phase || record->failures != m->failures) {
        return "phase or failures";
    }
    if (record->until_usec != m->until * (uint64_t)APR_USEC_PER_SEC) {
        return "the end of the window or the lockout";
    }
    if (record->level != m->level || script_places(record) != places(m)) {
        return "level or places";
    }
    guard_policy_refresh(&later,
                         guard_policy_forgotten_at(record, s->now_usec));
    return guard_policy_is_blank(&later) ? NULL : "when it is forgotten";
}

static void begin_run(model_t *m, script_t *s, uint64_t *seed)
{
    memset(m, 0, sizeof *m);
    script_init(s);
    m->now = s->now_usec / APR_USEC_PER_SEC;
    m->limit = s->policy.limit = (uint16_t)(1 + random_below(seed, 6));
    m->window = random_below(seed, 3) ? 600 : 10;
    m->lockout = random_below(seed, 2) ? 60 : 900;
    m->max = random_below(seed, 4) ? 3600 : 30;
    s->policy.window_usec = apr_time_from_sec(m->window);
    s->policy.lockout_usec = apr_time_from_sec(m->lockout);
    s->policy.lockout_max_usec = apr_time_from_sec(m->max);
    s->record.kind = (uint8_t)(1 + random_below(seed, GUARD_KIND_OVERFLOW));
    m->forgives =
        s->record.kind == GUARD_KIND_IP || s->record.kind == GUARD_KIND_LOGIN;
}

int main(void)
{
    static model_t m;
    static script_t s;
    uint64_t seed = 20240607;
    unsigned long locked = 0, forgiven = 0;

    for (int run = 0; run < RUNS; run++) {
        begin_run(&m, &s, &seed);
        for (int i = 0; i < STEPS && !m.undecided; i++) {
            const char *what;

            step(&m, &s, &seed);
            locked += m.phase == GUARD_PHASE_LOCKED;
            forgiven += m.forgiven;
            what = difference(&m, &s);
            if (what && !m.undecided) {
                ok(0, "run %d, step %d: %s", run, i, what);
                return tap_done();
            }
        }
    }
    ok(1, "%d stories of %d steps: record and model agree", RUNS, STEPS);
    ok(locked > RUNS && forgiven > RUNS, "lockouts and forgiveness were seen");
    return tap_done();
}
