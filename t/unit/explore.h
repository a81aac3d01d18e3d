/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * explore.h: explore a plan, and report it in TAP.
 *
 * Where a claim does not hold, the shortest way there is printed, step by
 * step.
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include "explore_search.h"

#define STORY_MAX 200

/** @return 1 if EXPLORE=big asks for the larger plans. */
static inline int explore_is_big(void)
{
    const char *size = getenv("EXPLORE");

    return size && !strcmp(size, "big");
}

/* ---- what can happen ---- */

static inline void try_step(search_t *q, const state_t *from, uint32_t number,
                            step_t step)
{
    state_t to;

    if (q->w->breach[0] || !take_step(q->w, from, step, &to)) {
        return;
    }
    q->steps++;
    check_state(q->w, &to);
    if (!q->w->breach[0] && search_add(q, &to, number, step) &&
        !q->w->breach[0]) {
        check_table(q->w, &to);
        end_by_death(q->w, &to);
        end_by_giving_up(q->w, &to);
    }
    if (q->w->breach[0]) {
        q->wrong_at = number;
        q->wrong_step = step;
    }
}

/* A step, and the same torn by a kill. */
static inline void try_call(search_t *q, const state_t *from, uint32_t number,
                            step_t step)
{
    try_step(q, from, number, step);
    if (from->kills && q->w->records > 1) {
        step.torn = 1;
        try_step(q, from, number, step);
    }
}

static inline void try_process(search_t *q, const state_t *from,
                               uint32_t number, unsigned n)
{
    const proc_t *p = &from->proc[n];
    step_t step = {.proc = (uint8_t)n, .guess = p->guess};

    if (p->doing == PROC_CHECKS) {
        for (step.what = STEP_RIGHT; step.what <= STEP_ABANDON; step.what++) {
            if (step.what != STEP_ABANDON || !q->w->plan->no_fault) {
                try_call(q, from, number, step);
            }
        }
    } else {
        try_call(q, from, number, step);
        step.what = STEP_ASK_LAST;
        try_call(q, from, number, step);
    }
    if (p->doing != PROC_IDLE && from->kills) {
        step.what = STEP_KILL;
        try_step(q, from, number, step);
    }
}

/* All idle processes are alike: the first of them asks, whatever there is. */
static inline void try_newcomer(search_t *q, const state_t *from,
                                uint32_t number)
{
    unsigned n = 0;

    while (n < q->w->plan->procs && from->proc[n].doing != PROC_IDLE) {
        n++;
    }
    if (n == q->w->plan->procs || !from->attempts) {
        return;
    }
    for (unsigned g = 0; g < q->w->chosen; g++) {
        step_t step = {
            .what = STEP_ASK, .proc = (uint8_t)n, .guess = (uint8_t)g};

        try_call(q, from, number, step);
        step.what = STEP_ASK_LAST;
        try_call(q, from, number, step);
    }
}

static inline void expand(search_t *q, const state_t *from, uint32_t number)
{
    step_t step = {.what = STEP_NEXT};

    try_newcomer(q, from, number);
    for (unsigned n = 0; n < q->w->plan->procs; n++) {
        if (from->proc[n].doing != PROC_IDLE) {
            try_process(q, from, number, n);
        }
    }
    try_step(q, from, number, step);
    if (from->ticks) {
        step.what = STEP_TICK;
        try_step(q, from, number, step);
    }
    if (q->w->plan->changes && !from->changed) {
        step.what = STEP_CHANGE;
        try_step(q, from, number, step);
    }
}

/* ---- the beginning of a plan ---- */

static inline void take_dead_places(world_t *w, state_t *s)
{
    for (unsigned i = 0; i < w->plan->dead; i++) {
        step_t step = {.guess = (uint8_t)(w->chosen + i)};
        state_t before = *s;

        ask(w, &before, s, step);
        kill_process(w, s, step);
    }
}

static inline state_t first_state(world_t *w)
{
    state_t s = {0}, before;
    step_t step = {.guess = (uint8_t)w->right};

    if (w->plan->proven) {
        before = s;
        ask(w, &before, &s, step);
        step.what = STEP_RIGHT;
        before = s;
        settle(w, &before, &s, step);
    }
    take_dead_places(w, &s);
    for (unsigned i = 0; i < w->plan->busy; i++) {
        guard_policy_busy(&s.record[0], &w->claim[0].policy, w->now_usec);
    }
    s.attempts = (uint8_t)w->plan->attempts;
    s.kills = (uint8_t)w->plan->kills;
    s.tally[0].busy = (uint8_t)w->plan->busy;
    s.ticks = (uint8_t)w->plan->ticks;
    return s;
}

/* ---- the story of a breach ---- */

static inline void print_step(const world_t *w, const state_t *from,
                              step_t step)
{
    static const char *const name[] = {[STEP_ASK] = "asks",
                                       [STEP_ASK_LAST] = "asks a last time",
                                       [STEP_RIGHT] = "is right",
                                       [STEP_WRONG] = "is wrong",
                                       [STEP_ABANDON] = "is given up",
                                       [STEP_KILL] = "is killed",
                                       [STEP_TICK] = "time passes",
                                       [STEP_NEXT] = "something is over",
                                       [STEP_CHANGE] =
                                           "the password is changed"};
    unsigned g = from->proc[step.proc].doing == PROC_IDLE
                     ? step.guess
                     : from->proc[step.proc].guess;

    if (step.what >= STEP_TICK) {
        printf("#   %s\n", name[step.what]);
        return;
    }
    printf("#   process %u, guess %s%c, %s%s\n", step.proc + 1u,
           g < w->right ? "" : "right ", 'a' + (int)g, name[step.what],
           step.torn ? ", killed between two records" : "");
}

static inline void print_record(const world_t *w, const state_t *s, unsigned i)
{
    static const char *const state[] = {"empty", "checking", "rejected",
                                        "rechecking", "proven"};
    const guard_record_t *record = &s->record[i];

    printf("#       record %u: phase %u for %lld s, %u failures, %u forgiven, "
           "%u busy, %u wait;",
           i + 1, record->phase,
           record->until_usec
               ? (long long)(record->until_usec - w->now_usec) / 1000000
               : 0,
           record->failures, record->forgiven, record->busy, record->waiters);
    for (int k = 0; k < GUARD_SLOTS; k++) {
        const guard_slot_t *slot = &record->slot[k];

        if (slot->state != GUARD_SLOT_EMPTY) {
            printf(" %c %s by %u for %d s;",
                   'a' + (int)(slot->guess - w->guess[0].tag),
                   state[slot->state], slot->holders,
                   (int)(slot->until_sec - NOW_SEC));
        }
    }
    putchar('\n');
}

/* Take the steps again, and tell each. */
static inline void print_story(search_t *q)
{
    step_t story[STORY_MAX];
    unsigned length = 0;
    state_t s = first_state(q->w), to;

    story[length++] = q->wrong_step;
    for (uint32_t at = q->wrong_at; at > 1 && length < STORY_MAX;
         at = q->seen[at - 1].parent) {
        story[length++] = q->seen[at - 1].step;
    }
    while (length) {
        print_step(q->w, &s, story[--length]);
        take_step(q->w, &s, story[length], &to);
        s = to;
        for (unsigned i = 0; i < q->w->records; i++) {
            print_record(q->w, &s, i);
        }
    }
}

static inline void search_all(search_t *q)
{
    state_t s = first_state(q->w);
    step_t none = {0};

    check_state(q->w, &s);
    search_add(q, &s, 0, none);
    while (q->next.count && !q->w->breach[0]) {
        level_t done = q->now;

        q->now = q->next;
        q->next = done;
        q->next.count = 0;
        q->depth++;
        for (size_t i = 0; i < q->now.count && !q->w->breach[0]; i++) {
            memcpy(&s, q->now.bytes + i * q->state_bytes, q->state_bytes);
            expand(q, &s, q->now.number[i]);
        }
    }
}

/** Explore a plan. @return what there was to see, as a set. */
static inline unsigned explore(guard_store_t *store, const plan_t *plan)
{
    world_t w;
    search_t q;

    world_begin(&w, store, plan);
    search_begin(&q, &w);
    search_all(&q);
    ok(!w.breach[0], "%s: %u states, %lu steps, at most %u deep", plan->name,
       q.count, q.steps, q.depth);
    if (w.breach[0]) {
        printf("# %s\n", w.breach);
        print_story(&q);
    }
    search_end(&q);
    return w.sights;
}

/** Explore plans; and the larger ones, if they are asked for. */
static inline int explore_all(const plan_t *plans, size_t count,
                              const plan_t *large, size_t large_count)
{
    unsigned sights = 0;
    guard_store_t *store;

    shm_begin();
    store = shm_serve(GUARD_SHM_CLIENTS_MIN, NULL);
    for (size_t i = 0; i < count; i++) {
        sights |= explore(store, &plans[i]);
    }
    for (size_t i = 0; explore_is_big() && i < large_count; i++) {
        explore(store, &large[i]);
    }
    is(sights, SAW_ALL, "all that may happen did: lockouts, forgiving, waits");
    shm_close();
    return tap_done();
}

#endif
