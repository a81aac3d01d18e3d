/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_policy_inside.h: what the counting rules have in common: seconds,
 * slots, and the opening of a window.
 *
 * Private to guard_policy*.c.
 */
#ifndef GUARD_POLICY_INSIDE_H
#define GUARD_POLICY_INSIDE_H

#include "guard_policy.h"

#include <string.h>

#define USEC_PER_SEC 1000000u

/* Seconds, rounded down: "not yet" is asked with this. */
static inline uint32_t floor_sec(uint64_t usec)
{
    return (uint32_t)(usec / USEC_PER_SEC);
}

/* Seconds, rounded up: for ends that must not come early. */
static inline uint32_t ceil_sec(uint64_t usec)
{
    return (uint32_t)((usec + USEC_PER_SEC - 1) / USEC_PER_SEC);
}

/* A time as a record keeps it. */
#define USEC_MASK (((uint64_t)1 << 52) - 1)

static inline uint64_t after(uint64_t now_usec, apr_interval_time_t span_usec)
{
    return now_usec + (uint64_t)span_usec;
}

static inline void set_limit(guard_record_t *record,
                             const guard_policy_t *policy)
{
    record->limit = policy->limit & 1023u;
}

/* The states of guesses in flight are the odd ones. */
_Static_assert(GUARD_SLOT_CHECKING % 2 && GUARD_SLOT_RECHECKING % 2 &&
                   GUARD_SLOT_REJECTED % 2 == 0 && GUARD_SLOT_PROVEN % 2 == 0,
               "in_flight looks at one bit");

static inline int in_flight(const guard_slot_t *slot)
{
    return slot->state & 1;
}

static inline void empty(guard_slot_t *slot) { memset(slot, 0, sizeof(*slot)); }

#define UNTIL_MASK ((1u << GUARD_UNTIL_BITS) - 1)

/* A time as slots keep it. One that looks like "long ago" is a second later. */
static inline uint32_t short_sec(uint32_t sec)
{
    return sec & UNTIL_MASK ? sec & UNTIL_MASK : 1;
}

/* Till when a guess that proves right now is proven. */
static inline uint32_t proven_until(uint64_t now_usec)
{
    return short_sec(floor_sec(now_usec) + GUARD_PROVEN_SEC);
}

/* How many seconds a slot still lasts; not more than 0: it is over. */
static inline int32_t ahead(const guard_slot_t *slot, uint32_t now_sec)
{
    const unsigned unused = 32 - GUARD_UNTIL_BITS;

    if (!slot->until_sec) {
        return INT32_MIN;
    }
    return (int32_t)((slot->until_sec - now_sec) << unused) >> unused;
}

/* A length of time in 8 bits, for comparing: milliseconds as exponent and
 * three more bits. Longer never gives less. */
static inline uint8_t window_code(apr_interval_time_t window_usec)
{
    uint64_t ms = (uint64_t)window_usec >> 10;
    unsigned exponent = ms > 15 ? 60u - (unsigned)__builtin_clzll(ms) : 0;

    return (uint8_t)((exponent << 3) + (ms >> exponent));
}

/* Open a window; or, where directories with different limits share a count,
 * let an open one last as long as the longest of them wants. */
static inline void open_window(guard_record_t *record,
                               const guard_policy_t *policy, uint64_t now_usec)
{
    uint64_t until_usec = after(now_usec, policy->window_usec);
    uint8_t code = window_code(policy->window_usec);

    if (record->phase == GUARD_PHASE_CALM) {
        record->phase = GUARD_PHASE_WINDOW;
        record->until_usec = until_usec & USEC_MASK;
        record->window = code;
    } else if (record->phase == GUARD_PHASE_WINDOW && code > record->window) {
        record->window = code;
        if (record->until_usec < until_usec) {
            record->until_usec = until_usec & USEC_MASK;
        }
    }
}

/* Sets of slot states, for find(). */
#define IS(state) (1u << (state))
#define IN_FLIGHT (IS(GUARD_SLOT_CHECKING) | IS(GUARD_SLOT_RECHECKING))
#define REJECTED IS(GUARD_SLOT_REJECTED)
#define PROVEN IS(GUARD_SLOT_PROVEN)

/* A guess's user, in the bits that a slot has for it. */
#define USER_BITS(guess) ((guess)->user & ((1u << GUARD_USER_TAG_BITS) - 1))
#define USER_LOW_BITS 16
#define USER_LOW(guess) ((uint16_t)(guess)->user)

_Static_assert(GUARD_TAG_BITS + GUARD_USER_TAG_BITS == 32 + USER_LOW_BITS,
               "a slot has room for both");

/* A slot's first word, for a guess with this tag. */
static inline uint32_t word_of(const guard_guess_t *guess, uint32_t tag)
{
    return (tag & ((1u << GUARD_TAG_BITS) - 1)) |
           USER_BITS(guess) >> USER_LOW_BITS << GUARD_TAG_BITS;
}

/* Find a guess in one of these states, by its tag or its proven_tag: PROVEN
 * slots carry the latter, all others the former. The first word is compared
 * first: it is seldom the one, and then nothing else is looked at. */
static inline guard_slot_t *find(guard_record_t *record, unsigned states,
                                 const guard_guess_t *guess, uint32_t tag)
{
    uint32_t word = word_of(guess, tag);

    for (guard_slot_t *slot = record->slot; slot < record->slot + GUARD_SLOTS;
         slot++) {
        if (slot->guess == word && slot->user == USER_LOW(guess) &&
            (states & IS(slot->state))) {
            return slot;
        }
    }
    return NULL;
}

/* What a record knows of a guess. */
typedef struct recalled_t {
    const guard_slot_t *proven;
    const guard_slot_t *other; /* in flight, or rejected */
} recalled_t;

/* Find it in all states, at one go. */
static inline recalled_t recall(const guard_record_t *record,
                                const guard_guess_t *guess)
{
    recalled_t recalled = {NULL, NULL};
    uint32_t word = word_of(guess, guess->tag);
    uint32_t proven_word = word_of(guess, guess->proven_tag);

    for (const guard_slot_t *slot = record->slot;
         slot < record->slot + GUARD_SLOTS; slot++) {
        if ((slot->guess != word && slot->guess != proven_word) ||
            slot->user != USER_LOW(guess)) {
            continue;
        }
        if (slot->state == GUARD_SLOT_PROVEN) {
            if (!recalled.proven && slot->guess == proven_word) {
                recalled.proven = slot;
            }
        } else if (!recalled.other && slot->state != GUARD_SLOT_EMPTY &&
                   slot->guess == word) {
            recalled.other = slot;
        }
    }
    return recalled;
}

/* Let a slot be about a guess. */
static inline void name_slot(guard_slot_t *slot, const guard_guess_t *guess,
                             uint32_t tag)
{
    slot->guess = word_of(guess, tag);
    slot->user = USER_LOW(guess);
}

/* Digest answers differ each time: such a guess neither joins nor repeats. */
static inline int is_recognizable(const guard_guess_t *guess)
{
    return guess->tag == guess->proven_tag;
}

/* A slot to use: an empty one, else the oldest proven, else the oldest
 * rejected. NULL: all are in flight. */
static inline guard_slot_t *spare_slot(guard_record_t *record, uint32_t now_sec)
{
    guard_slot_t *proven = NULL, *rejected = NULL;
    int32_t proven_sec = INT32_MAX, rejected_sec = INT32_MAX;

    for (guard_slot_t *slot = record->slot; slot < record->slot + GUARD_SLOTS;
         slot++) {
        int32_t lasts_sec = ahead(slot, now_sec);

        if (slot->state == GUARD_SLOT_EMPTY) {
            return slot;
        }
        if (slot->state == GUARD_SLOT_PROVEN && lasts_sec < proven_sec) {
            proven = slot;
            proven_sec = lasts_sec;
        }
        if (slot->state == GUARD_SLOT_REJECTED && lasts_sec < rejected_sec) {
            rejected = slot;
            rejected_sec = lasts_sec;
        }
    }
    return proven ? proven : rejected;
}

/* What the window's failures paid for: gone with it, or to be paid anew. */
static inline void close_slots(guard_record_t *record)
{
    for (guard_slot_t *slot = record->slot; slot < record->slot + GUARD_SLOTS;
         slot++) {
        if (slot->state == GUARD_SLOT_REJECTED) {
            empty(slot);
        } else if (slot->state == GUARD_SLOT_RECHECKING) {
            slot->state = GUARD_SLOT_CHECKING;
        }
    }
}

static inline void become_calm(guard_record_t *record)
{
    record->phase = GUARD_PHASE_CALM;
    record->until_usec = 0;
    record->failures = 0;
    record->forgiven = 0;
    record->busy = 0;
    record->window = 0;
    close_slots(record);
}

/* lockout * 2^level, at most the policy's longest. */
static inline apr_interval_time_t lockout_length(const guard_policy_t *policy,
                                                 unsigned level)
{
    apr_interval_time_t length_usec = policy->lockout_usec;

    while (level-- && length_usec < policy->lockout_max_usec) {
        length_usec *= 2;
    }
    return length_usec < policy->lockout_max_usec ? length_usec
                                                  : policy->lockout_max_usec;
}

/* The length of a lockout in 16 bits: seconds as 12 bits and an exponent. */
#define LENGTH_BITS 12

static inline uint16_t length_code(apr_interval_time_t length_usec)
{
    uint32_t sec = (uint32_t)apr_time_sec(length_usec);
    unsigned exponent = 0;

    while (sec >> exponent >> LENGTH_BITS) {
        exponent++;
    }
    return (uint16_t)(exponent << LENGTH_BITS | sec >> exponent);
}

#endif
