/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * explore_world.h: what an explorer of the store sees: a plan, a state, and
 * the way of a state into the real table and out again.
 *
 * The clock stands still, and what is remembered grows older: so two moments
 * that differ by the hour alone are one state. All that happens does so on a
 * grid of GRID_SEC seconds, which is longer than a wait and than a repeat, and
 * a whole number of steps of the table's memory of proofs.
 */
#ifndef EXPLORE_WORLD_H
#define EXPLORE_WORLD_H

#include "caller.h"
#include "shm.h"

#include <stddef.h>

#define PROCS_MAX 3
#define RECORDS_MAX 2
#define GUESSES_MAX 10
#define GRID_SEC 8u
#define WINDOW_SEC (3 * GRID_SEC)
#define LOCKOUT_SEC (4 * GRID_SEC)
#define LOCKOUT_MAX_SEC (6 * GRID_SEC)
#define NOW_SEC 1000000u
#define NOW_TICK (NOW_SEC / GRID_SEC)
#define PROOF_UNTIL 0xffffffu /* the low bits of a remembered proof */

/** What is explored: the limits, and how much may happen. */
typedef struct plan_t {
    const char *name;
    unsigned limit;
    guard_kind_e kind2; /* of a second limit; 0: none */
    unsigned limit2;
    unsigned procs;
    unsigned wrong;    /* guesses that are wrong; which is which is all one */
    int right;         /* 1: and one that is right */
    int strangers;     /* 1: the wrong ones are another user's */
    int changes;       /* 1: once, the right one becomes wrong, another right */
    unsigned attempts; /* in all */
    unsigned kills;
    unsigned ticks;   /* steps of time beside those to the next end of a time */
    unsigned dead;    /* places of killed processes, from the beginning */
    unsigned busy;    /* refusals in the window, from the beginning */
    int proven;       /* 1: the right one was right just before */
    int never_refuse; /* 1: whoever asks is to be let in */
    int tells;        /* 1: look for "not now" where a proof is let in */
    int no_fault;     /* 1: no check is given up */
    unsigned frac_usec; /* of the second in which all happens */
} plan_t;

typedef enum { PROC_IDLE, PROC_WAITS, PROC_CHECKS } doing_e;

/** One process: a request at a time. */
typedef struct proc_t {
    uint8_t doing; /* doing_e */
    uint8_t guess;
    uint8_t either; /* checks since before the change: wrong or right */
    uint8_t waits[RECORDS_MAX];
    uint8_t late[RECORDS_MAX];  /* its check has outlasted its place */
    uint8_t stale[RECORDS_MAX]; /* its guess got a verdict from another */
    uint8_t what[RECORDS_MAX];  /* guard_hold_e */
    uint32_t until_sec[RECORDS_MAX];
} proc_t;

/** What is counted from outside, for one record and one window. */
typedef struct tally_t {
    uint16_t seen;   /* wrong guesses that were looked at, and told so */
    uint16_t told;   /* told "not now" when a proof would have been let in */
    uint8_t removed; /* failures that were forgiven */
    uint8_t unpaid;  /* failures that had no place before */
    uint8_t busy;    /* refusals that the plan began this window with */
    uint8_t loose;   /* a waiter was killed, or waits longer than it may */
    uint32_t lost_sec[GUESSES_MAX]; /* looked at by one that was killed: until
                                       then there is a place for it */
} tally_t;

typedef struct state_t {
    uint8_t attempts, kills, ticks, changed;
    uint16_t was_right; /* guesses settled right at some time */
    uint8_t proof[RECORDS_MAX][GUESSES_MAX]; /* ticks left; 0: none */
    proc_t proc[PROCS_MAX];
    tally_t tally[RECORDS_MAX];
    guard_record_t record[RECORDS_MAX]; /* refreshed; blank: none */
} state_t;

/* What a plan must lead to, or it shows nothing. */
#define SAW_LOCKOUT 1u
#define SAW_FORGIVEN 2u
#define SAW_RECHECK 4u
#define SAW_WAITER 8u
#define SAW_JOIN 16u
#define SAW_LOST 32u
#define SAW_LATE 64u
#define SAW_PROVEN 128u
#define SAW_BUSY 256u
#define SAW_ALL 511u

typedef struct world_t {
    const plan_t *plan;
    caller_t caller;
    guard_shm_table_t *table;
    uint64_t now_usec; /* of the table */
    unsigned records, chosen, guesses;
    unsigned right; /* the guess that is right, until it changes */
    guard_claim_t claim[RECORDS_MAX];
    guard_guess_t guess[GUESSES_MAX];
    uint64_t proof_name[RECORDS_MAX][GUESSES_MAX];
    uint32_t proof_at[RECORDS_MAX][GUESSES_MAX];
    unsigned sights;  /* SAW_..., in any state */
    char breach[160]; /* the first claim that does not hold */
} world_t;

static inline void breach(world_t *w, const char *what)
{
    if (!w->breach[0]) {
        snprintf(w->breach, sizeof w->breach, "%s", what);
    }
}

/* ---- guesses ---- */

/** @return 1 if that guess is right now. Behind the wrong ones stands the
 *  right one, then the one that will be. */
static inline int is_right(const world_t *w, const state_t *s, unsigned guess)
{
    return w->plan->right && guess == w->right + (s->changed ? 1u : 0u);
}

static inline unsigned limit_of(const world_t *w, unsigned i)
{
    return w->claim[i].policy.limit;
}

static inline int is_narrow(const world_t *w, unsigned i)
{
    return w->claim[i].client.kind == GUARD_KIND_IP ||
           w->claim[i].client.kind == GUARD_KIND_LOGIN;
}

/* ---- a record's slots ---- */

static inline const guard_slot_t *
flying_slot(const world_t *w, const guard_record_t *record, unsigned guess)
{
    for (int i = 0; i < GUARD_SLOTS; i++) {
        const guard_slot_t *slot = &record->slot[i];

        if ((slot->state == GUARD_SLOT_CHECKING ||
             slot->state == GUARD_SLOT_RECHECKING) &&
            slot->guess == w->guess[guess].tag) {
            return slot;
        }
    }
    return NULL;
}

static inline unsigned places_of(const guard_record_t *record)
{
    unsigned places = 0;

    for (int i = 0; i < GUARD_SLOTS; i++) {
        places += record->slot[i].state == GUARD_SLOT_CHECKING;
    }
    return places;
}

/** @return the slot that stands for a process's check, or NULL. */
static inline const guard_slot_t *cover_of(const world_t *w, const state_t *s,
                                           const proc_t *p, unsigned i)
{
    const guard_slot_t *slot;

    if (p->doing != PROC_CHECKS || p->what[i] == GUARD_HOLD_NOTHING ||
        p->late[i] || p->stale[i]) {
        return NULL;
    }
    slot = flying_slot(w, &s->record[i], p->guess);
    return slot && slot->until_sec == p->until_sec[i] ? slot : NULL;
}

/* ---- into the table and out again ---- */

static inline guard_shm_bucket_t *bucket_of(const world_t *w, unsigned i)
{
    return &w->table->bucket[guard_shm_table_bucket_of(w->table,
                                                       w->claim[i].client.id)];
}

static inline guard_shm_index_t *index_of(const world_t *w, unsigned i)
{
    return &w->table->index[guard_shm_table_bucket_of(w->table,
                                                      w->claim[i].client.id)];
}

/** Make the empty table say what the state says. */
static inline void put_state(const world_t *w, const state_t *s)
{
    for (unsigned i = 0; i < w->records; i++) {
        uint64_t id = s->record[i].id;

        index_of(w, i)->proven_until_usec = 0;
        bucket_of(w, i)->record[i] = s->record[i];
        index_of(w, i)->tag[i] = id ? guard_shm_table_tag_of(id) : 0;
    }
    for (unsigned i = 0; i < w->records; i++) {
        for (unsigned g = 0; g < w->guesses; g++) {
            if (s->proof[i][g]) {
                guard_shm_proven_note_locked(
                    w->table,
                    guard_shm_table_bucket_of(w->table, w->claim[i].client.id),
                    w->now_usec);
                w->table->proven[w->proof_at[i][g]] =
                    w->proof_name[i][g] | (NOW_TICK + s->proof[i][g]);
            }
        }
    }
}

static inline uint32_t proof_count(const world_t *w)
{
    return w->table->proven_sets * GUARD_SHM_PROVEN_SET;
}

static inline void note_proof(const world_t *w, state_t *s, uint64_t word)
{
    for (unsigned i = 0; i < w->records; i++) {
        for (unsigned g = 0; g < w->guesses; g++) {
            if (w->proof_name[i][g] == (word & ~(uint64_t)PROOF_UNTIL)) {
                s->proof[i][g] = (uint8_t)((word & PROOF_UNTIL) - NOW_TICK);
            }
        }
    }
}

static inline void get_proofs(const world_t *w, state_t *s)
{
    memset(s->proof, 0, sizeof s->proof);
    for (uint32_t at = 0; at < proof_count(w); at++) {
        if (w->table->proven[at]) {
            note_proof(w, s, w->table->proven[at]);
            w->table->proven[at] = 0;
        }
    }
}

/** Read the state from the table, and leave it empty. */
static inline void get_state(const world_t *w, state_t *s)
{
    static const guard_record_t nothing;
    guard_shm_place_t place[RECORDS_MAX];

    for (unsigned i = 0; i < w->records; i++) {
        uint64_t id = w->claim[i].client.id;

        place[i] = guard_shm_table_find_locked(
            w->table, guard_shm_table_bucket_of(w->table, id), id);
        s->record[i] = nothing;
        if (place[i].found) {
            guard_shm_table_read_locked(w->table, &place[i], &s->record[i]);
        }
    }
    for (unsigned i = 0; i < w->records; i++) {
        if (place[i].found) {
            bucket_of(w, i)->record[place[i].index] = nothing;
            index_of(w, i)->tag[place[i].index] = 0;
        }
    }
    get_proofs(w, s);
}

/* ---- the beginning ---- */

static inline guard_claim_t claim_of(const world_t *w, guard_kind_e kind,
                                     unsigned limit)
{
    guard_claim_t claim = caller_claim(
        &w->caller, kind, kind == GUARD_KIND_NET ? "192.0.2.0" : "192.0.2.1",
        kind == GUARD_KIND_LOGIN ? "alice" : "", limit);

    claim.policy.window_usec = apr_time_from_sec(WINDOW_SEC);
    claim.policy.lockout_usec = apr_time_from_sec(LOCKOUT_SEC);
    claim.policy.lockout_max_usec = apr_time_from_sec(LOCKOUT_MAX_SEC);
    return claim;
}

/* Find out by what word, and where, the table remembers each proof. */
static inline void learn_proofs(world_t *w)
{
    for (unsigned i = 0; i < w->records; i++) {
        for (unsigned g = 0; g < w->guesses; g++) {
            uint64_t before[GUARD_SHM_BUCKET_RECORDS * 8];
            size_t bytes = proof_count(w) * sizeof before[0];

            memcpy(before, (const void *)w->table->proven, bytes);
            guard_shm_proven_add(w->table, w->claim[i].client.id,
                                 w->guess[g].proven_tag, w->now_usec);
            for (uint32_t at = 0; at < proof_count(w); at++) {
                uint64_t word = w->table->proven[at];

                if (word != before[at]) {
                    w->proof_at[i][g] = at;
                    w->proof_name[i][g] = word & ~(uint64_t)PROOF_UNTIL;
                }
            }
        }
    }
    for (uint32_t at = 0; at < proof_count(w); at++) {
        w->table->proven[at] = 0;
    }
}

/** Make the world of a plan. The store is empty. */
static inline void world_begin(world_t *w, guard_store_t *store,
                               const plan_t *plan)
{
    memset(w, 0, sizeof *w);
    w->plan = plan;
    w->table = guard_store_shm_table(store);
    w->now_usec = NOW_SEC * (uint64_t)APR_USEC_PER_SEC + plan->frac_usec;
    w->caller.store = store;
    w->caller.scope = "explore";
    w->caller.now_usec = w->now_usec - w->table->head->boot_offset_usec;
    w->records = plan->kind2 ? 2 : 1;
    w->claim[0] = claim_of(w, GUARD_KIND_IP, plan->limit);
    w->claim[1] = claim_of(w, plan->kind2, plan->limit2);
    w->right = plan->wrong;
    w->chosen = plan->wrong + (plan->right ? 1 : 0) + (plan->changes ? 1 : 0);
    w->guesses = w->chosen + plan->dead;
    for (unsigned g = 0; g < w->guesses; g++) {
        w->guess[g].tag = w->guess[g].proven_tag = 1000 + g;
        w->guess[g].user = plan->strangers && g < plan->wrong ? 2 : 1;
    }
    learn_proofs(w);
}

#endif
