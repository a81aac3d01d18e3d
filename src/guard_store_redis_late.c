/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_late.c owns the settlements that are owed. It knows no
 * connection and does not try any of them.
 *
 * Each slot has a word of state, and changes hands by one compare-and-swap on
 * it. A slot that is free is all zero; else
 *
 *     63 62 61                             20 19                       0
 *     | kind |  due, or in hand since, in ms |  number of the settlement |
 *
 * so that the smallest word of those owed is the one that is due first, and of
 * two that are due at once the one that came first. Time and number make a
 * word that somebody put there his own: once it is another, what he does later
 * with his changes nothing.
 *
 * But a process that was stopped while it wrote, for so long that the slot
 * became another's, writes on when it wakes. So the last word of a slot is a
 * hash of the others and of the number: what two have written does not match,
 * nor does what one has written under the other's number.
 *
 * Invariant: what is taken is as it was pushed, and ended as told at most once.
 */
#include "guard_store_redis_late.h"

#include <apr_strings.h>

#include <string.h>

#define KIND_SHIFT 62
#define TIME_SHIFT 20
#define TIME_MASK ((1ull << (KIND_SHIFT - TIME_SHIFT)) - 1)
#define NUMBER_MASK ((1ull << TIME_SHIFT) - 1)
#define SUM (GUARD_REDIS_LATE_WORDS - 1)

/* Somebody else was quicker so many times: he pays, or there is no room. */
#define TRIES_MAX 64

enum { FREE, OWED, WRITTEN, TAKEN };

static uint64_t state_of(unsigned kind, uint64_t time_ms, uint64_t number)
{
    return (uint64_t)kind << KIND_SHIFT | (time_ms & TIME_MASK) << TIME_SHIFT |
           (number & NUMBER_MASK);
}

static unsigned kind_of(uint64_t state)
{
    return (unsigned)(state >> KIND_SHIFT);
}

static uint64_t time_of(uint64_t state)
{
    return state >> TIME_SHIFT & TIME_MASK;
}

/* Due is rounded up, now is rounded down: nothing is told too early. */
static uint64_t due_ms(uint64_t due_usec) { return (due_usec + 999) / 1000; }

static int change(guard_redis_late_t *late, unsigned slot, uint64_t from,
                  uint64_t to)
{
    return atomic_compare_exchange_strong(&late->state[slot], &from, to);
}

/* Look at a slot; one whose process must be dead is put right before. */
static uint64_t look(guard_redis_late_t *late, unsigned slot, uint64_t now_ms)
{
    uint64_t state = atomic_load(&late->state[slot]), next;

    if (kind_of(state) < WRITTEN ||
        time_of(state) + GUARD_REDIS_LATE_BUSY_USEC / 1000 >= now_ms) {
        return state;
    }
    next = kind_of(state) == TAKEN ? state_of(OWED, now_ms, state) : FREE;
    return atomic_compare_exchange_strong(&late->state[slot], &state, next)
               ? next
               : state;
}

/* Find a free slot, or else the one that is due first.
 * @return where, with *state set; GUARD_REDIS_LATE_MAX if all are in hand */
static unsigned find(guard_redis_late_t *late, int is_room, unsigned from,
                     uint64_t now_ms, uint64_t *state)
{
    unsigned found = GUARD_REDIS_LATE_MAX;

    for (unsigned i = 0; i < GUARD_REDIS_LATE_MAX; i++) {
        unsigned slot = (from + i) % GUARD_REDIS_LATE_MAX;
        uint64_t word = look(late, slot, now_ms);

        if (is_room && word == FREE) {
            *state = word;
            return slot;
        }
        if (kind_of(word) == OWED &&
            (found == GUARD_REDIS_LATE_MAX || word < *state)) {
            *state = word;
            found = slot;
        }
    }
    return found;
}

static uint64_t sum_of(uint64_t word[GUARD_REDIS_LATE_WORDS], uint64_t state)
{
    static const guard_secret_t none; /* it is for accidents */

    word[SUM] = state & NUMBER_MASK;
    return guard_key_hash(&none, word, GUARD_REDIS_LATE_WORDS * sizeof(*word));
}

static void write_slot(guard_redis_late_t *late, unsigned slot,
                       const guard_redis_owed_t *owed, uint64_t state)
{
    uint64_t word[GUARD_REDIS_LATE_WORDS] = {0};

    memcpy(word, owed, sizeof(*owed));
    word[SUM] = sum_of(word, state);
    for (size_t i = 0; i < GUARD_REDIS_LATE_WORDS; i++) {
        atomic_store_explicit(&late->word[slot][i], word[i],
                              memory_order_relaxed);
    }
}

/* @return 0 if that is not what was pushed under the number of state */
static int read_slot(const guard_redis_late_t *late, unsigned slot,
                     uint64_t state, guard_redis_owed_t *owed)
{
    uint64_t word[GUARD_REDIS_LATE_WORDS], sum;

    for (size_t i = 0; i < GUARD_REDIS_LATE_WORDS; i++) {
        word[i] =
            atomic_load_explicit(&late->word[slot][i], memory_order_relaxed);
    }
    sum = word[SUM];
    if (sum_of(word, state) != sum) {
        return 0;
    }
    memcpy(owed, word, sizeof(*owed));
    return 1;
}

/* The names belong to the request, which is over by then. */
static void keep_names(guard_redis_owed_t *owed)
{
    for (unsigned i = 0; i < owed->claim_count; i++) {
        const char *name = owed->claim[i].client.scope_name;

        apr_cpystrn(owed->scope_name[i], name ? name : "",
                    GUARD_REDIS_LATE_NAME_MAX);
    }
}

/* The pointers are another process's: what was no name at all stays none. */
static void point_at_names(guard_redis_owed_t *owed)
{
    for (unsigned i = 0; i < owed->claim_count; i++) {
        guard_client_t *client = &owed->claim[i].client;

        client->scope_name = client->scope_name ? owed->scope_name[i] : NULL;
    }
}

/* Make a slot one's own to write.
 * @return which; GUARD_REDIS_LATE_MAX if there is none to be had */
static unsigned make_room(guard_redis_late_t *late, uint64_t mine,
                          uint64_t now_ms)
{
    unsigned from = (unsigned)((mine & NUMBER_MASK) % GUARD_REDIS_LATE_MAX);

    for (int tries = 0; tries < TRIES_MAX; tries++) {
        uint64_t state;
        unsigned slot = find(late, 1, from, now_ms, &state);

        if (slot == GUARD_REDIS_LATE_MAX) {
            break;
        }
        if (change(late, slot, state, mine)) {
            if (state != FREE) {
                atomic_fetch_add(&late->dropped, 1);
            }
            return slot;
        }
    }
    return GUARD_REDIS_LATE_MAX;
}

void guard_redis_late_push(guard_redis_late_t *late,
                           const guard_redis_owed_t *owed, uint64_t now_usec)
{
    uint64_t number = atomic_fetch_add(&late->pushes, 1);
    uint64_t now_ms = now_usec / 1000;
    uint64_t mine = state_of(WRITTEN, now_ms, number);
    guard_redis_owed_t kept = *owed;
    unsigned slot = make_room(late, mine, now_ms);

    keep_names(&kept);
    if (slot < GUARD_REDIS_LATE_MAX) {
        write_slot(late, slot, &kept, mine);
    }
    if (slot == GUARD_REDIS_LATE_MAX ||
        !change(late, slot, mine,
                state_of(OWED, due_ms(owed->due_usec), number))) {
        atomic_fetch_add(&late->dropped, 1);
    }
}

int guard_redis_late_take(guard_redis_late_t *late, uint64_t now_usec,
                          guard_redis_owed_t *owed)
{
    uint64_t now_ms = now_usec / 1000;

    for (int tries = 0; tries < TRIES_MAX; tries++) {
        uint64_t state, mine;
        unsigned slot = find(late, 0, 0, now_ms, &state);

        if (slot == GUARD_REDIS_LATE_MAX || time_of(state) > now_ms) {
            return 0;
        }
        mine = state_of(TAKEN, now_ms, state);
        if (!change(late, slot, state, mine)) {
            continue;
        }
        if (read_slot(late, slot, mine, owed)) {
            point_at_names(owed);
            owed->slot = slot;
            owed->state = mine;
            return 1;
        }
        if (change(late, slot, mine, FREE)) {
            atomic_fetch_add(&late->dropped, 1);
        }
    }
    return 0;
}

int guard_redis_late_end(guard_redis_late_t *late,
                         const guard_redis_owed_t *owed, int is_told,
                         uint64_t now_usec)
{
    return change(late, owed->slot, owed->state,
                  is_told ? FREE
                          : state_of(OWED, due_ms(now_usec), owed->state));
}

unsigned guard_redis_late_count(const guard_redis_late_t *late)
{
    unsigned count = 0;

    for (unsigned i = 0; i < GUARD_REDIS_LATE_MAX; i++) {
        unsigned kind = kind_of(
            atomic_load_explicit(&late->state[i], memory_order_relaxed));

        count += kind == OWED || kind == TAKEN;
    }
    return count;
}
