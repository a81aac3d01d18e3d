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

static inline uint64_t after(uint64_t now_usec, apr_interval_time_t span_usec)
{
    return now_usec + (uint64_t)span_usec;
}

static inline int in_flight(const guard_slot_t *slot)
{
    return slot->state == GUARD_SLOT_CHECKING ||
           slot->state == GUARD_SLOT_RECHECKING;
}

static inline void empty(guard_slot_t *slot) { memset(slot, 0, sizeof(*slot)); }

/* A length of time in 8 bits, for comparing: milliseconds as exponent and
 * three more bits. Longer never gives less. */
static inline uint8_t window_code(apr_interval_time_t window_usec)
{
    uint64_t ms = (uint64_t)window_usec >> 10;
    unsigned exponent = 0;

    while (ms >> exponent > 15) {
        exponent++;
    }
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
        record->until_usec = until_usec;
        record->window = code;
    } else if (record->phase == GUARD_PHASE_WINDOW && code > record->window) {
        record->window = code;
        if (record->until_usec < until_usec) {
            record->until_usec = until_usec;
        }
    }
}

/* Sets of slot states, for find(). */
#define IS(state) (1u << (state))
#define IN_FLIGHT (IS(GUARD_SLOT_CHECKING) | IS(GUARD_SLOT_RECHECKING))
#define REJECTED IS(GUARD_SLOT_REJECTED)
#define PROVEN IS(GUARD_SLOT_PROVEN)

/* Find a guess in one of these states. PROVEN slots carry the guess's
 * proven_tag, all others its tag. */
static inline guard_slot_t *find(guard_record_t *record, unsigned states,
                                 uint32_t tag)
{
    for (int i = 0; i < GUARD_SLOTS; i++) {
        guard_slot_t *slot = &record->slot[i];

        if ((states & IS(slot->state)) && slot->guess == tag) {
            return slot;
        }
    }
    return NULL;
}

static inline const guard_slot_t *look(const guard_record_t *record,
                                       unsigned states, uint32_t tag)
{
    return find((guard_record_t *)record, states, tag);
}

/* Digest answers differ each time: such a guess neither joins nor repeats. */
static inline int is_recognizable(const guard_guess_t *guess)
{
    return guess->tag == guess->proven_tag;
}

/* A slot to use: an empty one, else the oldest proven, else the oldest
 * rejected. NULL: all are in flight. */
static inline guard_slot_t *spare_slot(const guard_record_t *record)
{
    const guard_slot_t *proven = NULL, *rejected = NULL;

    for (int i = 0; i < GUARD_SLOTS; i++) {
        const guard_slot_t *slot = &record->slot[i];

        if (slot->state == GUARD_SLOT_EMPTY) {
            return (guard_slot_t *)slot;
        }
        if (slot->state == GUARD_SLOT_PROVEN &&
            (!proven || slot->until_sec < proven->until_sec)) {
            proven = slot;
        }
        if (slot->state == GUARD_SLOT_REJECTED &&
            (!rejected || slot->until_sec < rejected->until_sec)) {
            rejected = slot;
        }
    }
    return (guard_slot_t *)(proven ? proven : rejected);
}

static inline unsigned count_places(const guard_record_t *record)
{
    unsigned places = 0;

    for (int i = 0; i < GUARD_SLOTS; i++) {
        places += record->slot[i].state == GUARD_SLOT_CHECKING;
    }
    return places;
}

/* What the window's failures paid for: gone with it, or to be paid anew. */
static inline void close_slots(guard_record_t *record)
{
    for (int i = 0; i < GUARD_SLOTS; i++) {
        guard_slot_t *slot = &record->slot[i];

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

/* A guess's user, in the bits that a slot has for it. */
#define USER_BITS(guess) ((guess)->user & ((1u << GUARD_USER_TAG_BITS) - 1))

#endif
