/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * explore_search.h: all states that a plan can reach, each once, nearest
 * first; so that the story of what goes wrong is a shortest one.
 *
 * States are known again by two 64-bit hashes, in which processes, wrong
 * guesses and slots have no order: a state is a set of guesses, each with what
 * every record and every process has to do with it. (Slots are told apart by
 * nothing else, as long as there are more of them than guesses; where there
 * are not, their order counts.) That two states of a million share both hashes
 * is less likely than a broken computer.
 */
#ifndef EXPLORE_SEARCH_H
#define EXPLORE_SEARCH_H

#include "explore_ends.h"

#define STATES_MAX 60000000u
#define INDEX_MIN 65536u

/* ---- what makes a state ---- */

static inline uint64_t stir(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
    hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93u;
    return hash ^ hash >> 29;
}

/* Put a number behind others in a word. */
static inline uint64_t beside(uint64_t word, unsigned bits, unsigned number)
{
    return word << bits | number;
}

static inline int slots_have_order(const world_t *w)
{
    return w->guesses > GUARD_SLOTS;
}

static inline uint64_t slot_hash(const world_t *w, const guard_slot_t *slot,
                                 unsigned i, unsigned at)
{
    uint32_t until_sec = slot->until_sec;

    if (slots_have_order(w)) {
        i += 2 * at;
    } else if (until_sec <= NOW_SEC) {
        until_sec = 0; /* over is over */
    }
    return stir(stir(11 + i, beside(until_sec, 32, slot->state)),
                beside(slot->user, 8, slot->holders));
}

/* All that is remembered of each guess, in no order. */
static inline void hash_slots(const world_t *w, const state_t *s,
                              uint64_t *guess_hash)
{
    for (unsigned i = 0; i < w->records; i++) {
        for (unsigned k = 0; k < GUARD_SLOTS; k++) {
            const guard_slot_t *slot = &s->record[i].slot[k];
            unsigned g = slot->guess - w->guess[0].tag;

            if (slot->state != GUARD_SLOT_EMPTY && g < w->guesses) {
                guess_hash[g] += slot_hash(w, slot, i, k);
            }
        }
    }
}

static inline uint64_t proc_hash(const proc_t *p)
{
    uint64_t word = p->doing;

    for (unsigned i = 0; i < RECORDS_MAX; i++) {
        word = beside(word, 1, p->waits[i]);
        word = beside(word, 1, p->stale[i]);
        word = beside(word, 1, p->late[i]);
        word = beside(word, 2, p->what[i]);
    }
    word = beside(word, 1, p->either);
    return stir(stir(7, word), beside(p->until_sec[0], 32, p->until_sec[1]));
}

static inline uint64_t guess_hash_of(const world_t *w, const state_t *s,
                                     unsigned g)
{
    uint64_t hash = s->was_right >> g & 1;

    for (unsigned i = 0; i < w->records; i++) {
        const tally_t *tally = &s->tally[i];

        hash = stir(hash, beside(tally->lost_sec[g], 8, s->proof[i][g]));
        hash =
            stir(hash, beside(tally->seen >> g & 1u, 1, tally->told >> g & 1u));
    }
    return hash;
}

static inline void sort_hashes(uint64_t *hash, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        uint64_t moved = hash[i];
        unsigned at = i;

        for (; at && hash[at - 1] > moved; at--) {
            hash[at] = hash[at - 1];
        }
        hash[at] = moved;
    }
}

static inline void hash_guesses(const world_t *w, const state_t *s,
                                uint64_t *hash)
{
    memset(hash, 0, GUESSES_MAX * sizeof *hash);
    hash_slots(w, s, hash);
    for (unsigned n = 0; n < w->plan->procs; n++) {
        if (s->proc[n].doing != PROC_IDLE) {
            hash[s->proc[n].guess] += proc_hash(&s->proc[n]);
        }
    }
    for (unsigned g = 0; g < w->guesses; g++) {
        hash[g] = stir(hash[g], guess_hash_of(w, s, g));
    }
    sort_hashes(hash, w->plan->wrong);
    sort_hashes(&hash[w->chosen], w->plan->dead);
}

static inline uint64_t record_hash(uint64_t hash, const guard_record_t *record,
                                   const tally_t *tally)
{
    hash = stir(hash, record->until_usec);
    hash = stir(hash, record->level_until_usec);
    hash = stir(hash, beside(record->failures, 16, record->forgiven));
    hash = stir(hash, beside(record->waiters, 16,
                             record->waiters ? record->waiters_until : 0u));
    hash = stir(hash, beside(beside(record->phase, 8, record->busy), 1,
                             record->id != 0));
    hash = stir(hash, beside(record->level, 8, record->window));
    hash = stir(hash, beside(tally->removed, 8, tally->unpaid));
    return stir(hash, beside(tally->busy, 8, tally->loose));
}

typedef struct print_t {
    uint64_t a, b;
} print_t;

/** @return what the state is known by. */
static inline print_t print_of(const world_t *w, const state_t *s)
{
    uint64_t guess[GUESSES_MAX];
    print_t print = {1, 2};

    hash_guesses(w, s, guess);
    print.a = stir(1, beside(s->attempts, 8, s->kills));
    print.a = stir(print.a, beside(s->ticks, 8, s->changed));
    for (unsigned i = 0; i < w->records; i++) {
        print.a = record_hash(print.a, &s->record[i], &s->tally[i]);
    }
    for (unsigned g = 0; g < w->guesses; g++) {
        print.a = stir(print.a, guess[g]);
        print.b = stir(print.b, guess[g]);
    }
    print.b = stir(print.b ^ print.a >> 7, print.a * 3);
    return print;
}

/* ---- those seen ---- */

typedef struct seen_t {
    print_t print;
    uint32_t parent; /* its number, plus 1; 0: the beginning */
    step_t step;     /* that led here from there */
} seen_t;

/** One level of states, whole. */
typedef struct level_t {
    char *bytes;
    uint32_t *number;
    size_t count, room;
} level_t;

typedef struct search_t {
    world_t *w;
    size_t state_bytes;
    seen_t *seen;
    uint32_t count;
    uint32_t *index; /* by print: number plus 1; at most half full */
    uint32_t index_size;
    level_t now, next;
    unsigned long steps;
    unsigned depth;
    uint32_t wrong_at; /* number of the state before the wrong step, plus 1 */
    step_t wrong_step;
} search_t;

static inline void *get_memory(void *old, size_t bytes)
{
    void *memory = realloc(old, bytes);

    if (!memory) {
        printf("Bail out! no memory\n");
        exit(1);
    }
    return memory;
}

static inline void search_begin(search_t *q, world_t *w)
{
    memset(q, 0, sizeof *q);
    q->w = w;
    q->state_bytes =
        offsetof(state_t, record) + w->records * sizeof(guard_record_t);
}

static inline void search_end(search_t *q)
{
    free(q->seen);
    free(q->index);
    free(q->now.bytes);
    free(q->now.number);
    free(q->next.bytes);
    free(q->next.number);
}

static inline void level_push(search_t *q, const state_t *s, uint32_t number)
{
    level_t *level = &q->next;

    if (level->count == level->room) {
        level->room = level->room ? 2 * level->room : 1024;
        level->bytes = get_memory(level->bytes, level->room * q->state_bytes);
        level->number =
            get_memory(level->number, level->room * sizeof *level->number);
    }
    memcpy(level->bytes + level->count * q->state_bytes, s, q->state_bytes);
    level->number[level->count++] = number;
}

/* Where a print stands in the index, or would. */
static inline uint32_t index_find(const search_t *q, print_t print)
{
    uint32_t at = (uint32_t)print.a & (q->index_size - 1);

    while (q->index[at]) {
        const seen_t *seen = &q->seen[q->index[at] - 1];

        if (seen->print.a == print.a && seen->print.b == print.b) {
            break;
        }
        at = (at + 1) & (q->index_size - 1);
    }
    return at;
}

/* Make room for one state more. */
static inline void search_grow(search_t *q)
{
    if (2 * q->count < q->index_size) {
        return;
    }
    q->index_size = q->index_size ? 2 * q->index_size : INDEX_MIN;
    q->seen = get_memory(q->seen, q->index_size / 2 * sizeof *q->seen);
    free(q->index);
    q->index = get_memory(NULL, q->index_size * sizeof *q->index);
    memset(q->index, 0, q->index_size * sizeof *q->index);
    for (uint32_t i = 0; i < q->count; i++) {
        q->index[index_find(q, q->seen[i].print)] = i + 1;
    }
}

/** @return 1 if the state is new; it is to be explored. */
static inline int search_add(search_t *q, const state_t *s, uint32_t parent,
                             step_t step)
{
    print_t print = print_of(q->w, s);
    uint32_t at;

    search_grow(q);
    at = index_find(q, print);
    if (q->index[at]) {
        return 0;
    }
    if (q->count == STATES_MAX) {
        breach(q->w, "there are more states than the search has room for");
        return 0;
    }
    q->seen[q->count] = (seen_t){print, parent, step};
    q->index[at] = ++q->count;
    level_push(q, s, q->count);
    return 1;
}

#endif
