/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * redis_model.h: what the script should answer, by guard_policy.c.
 *
 * A client is a guard_record_t and what Redis keeps beside it. It differs from
 * shared memory in this:
 *
 *   - Proven guesses never stay in a slot: they go to the list at once, as if
 *     another guess had taken the slot. Nor do they take a rejected one's slot,
 *     since they need none.
 *   - A slot's holders are tokens. hold.until_sec, by which a record tells a
 *     slot from a later one of the same guess, is set here to what the token
 *     says. GUARD_REDIS_HOLDERS_MAX hold one at most.
 *   - A token that is held, or was settled, is known again.
 */
#ifndef REDIS_MODEL_H
#define REDIS_MODEL_H

#include "guard_store_redis_script.h"
#include "guard_store_verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct model_slot_t {
    unsigned count;
    struct {
        uint64_t token;
        guard_row_e row; /* taken as */
        unsigned flags;  /* and answered with */
    } holder[GUARD_REDIS_HOLDERS_MAX];
} model_slot_t;

typedef struct model_t {
    guard_record_t record;
    model_slot_t slot[GUARD_SLOTS];
    struct {
        uint32_t tag, until_sec;
    } proven[GUARD_REDIS_PROVEN_MAX]; /* newest first */
    unsigned proven_count;
    struct {
        uint64_t token;
        int locked;
    } settled[GUARD_REDIS_SETTLED_MAX]; /* newest first */
    unsigned settled_count;
    uint32_t waiters_till; /* as guard_record_t has it in 16 bits */
    int exists;            /* there is a key */
    int saved;             /* the last call wrote or removed it */
} model_t;

static inline int model_flies(const model_t *model, int i)
{
    return model->record.slot[i].state == GUARD_SLOT_CHECKING ||
           model->record.slot[i].state == GUARD_SLOT_RECHECKING;
}

/* The model itself is wrong. */
__attribute__((noreturn)) static inline void model_bail(const char *why)
{
    printf("Bail out! the model: %s\n", why);
    exit(1);
}

/* Tokens go with the flight. */
static inline void model_drop_tokens(model_t *model)
{
    for (int i = 0; i < GUARD_SLOTS; i++) {
        if (!model_flies(model, i)) {
            model->slot[i].count = 0;
        } else if (model->slot[i].count != model->record.slot[i].holders) {
            model_bail("a slot has not as many tokens as holders");
        }
    }
}

static inline void model_refresh(model_t *model, uint64_t now_usec)
{
    guard_policy_refresh(&model->record, now_usec);
    model_drop_tokens(model);
    while (model->proven_count &&
           model->proven[model->proven_count - 1].until_sec <=
               now_usec / 1000000) {
        model->proven_count--;
    }
    model->saved = 0;
}

static inline int model_is_blank(const model_t *model)
{
    return guard_policy_is_blank(&model->record) && !model->proven_count;
}

static inline void model_save(model_t *model)
{
    guard_record_t *record = &model->record;

    if (model_is_blank(model)) {
        guard_record_t fresh = {.id = record->id, .kind = record->kind};

        memset(model, 0, sizeof(*model));
        model->record = fresh;
    } else {
        model->exists = 1;
    }
    model->saved = 1;
}

/* When the key is to go. */
static inline uint64_t model_forgotten_at(const model_t *model,
                                          uint64_t now_usec)
{
    uint64_t at_usec = guard_policy_forgotten_at(&model->record, now_usec);
    uint64_t proven_usec =
        model->proven_count ? model->proven[0].until_sec * 1000000ull : 0;

    uint64_t waiters_usec =
        model->record.waiters ? model->waiters_till * 1000000ull : 0;

    at_usec = at_usec > proven_usec ? at_usec : proven_usec;
    return at_usec > waiters_usec ? at_usec : waiters_usec;
}

static inline int model_proven_find(const model_t *model, uint32_t tag)
{
    for (unsigned i = 0; i < model->proven_count; i++) {
        if (model->proven[i].tag == tag) {
            return (int)i;
        }
    }
    return -1;
}

static inline void model_proven_drop(model_t *model, uint32_t tag)
{
    int i = model_proven_find(model, tag);

    if (i >= 0) {
        model->proven_count--;
        memmove(&model->proven[i], &model->proven[i + 1],
                (model->proven_count - (unsigned)i) * sizeof(model->proven[0]));
    }
}

static inline void model_proven_add(model_t *model, uint32_t tag,
                                    uint64_t now_usec)
{
    model_proven_drop(model, tag);
    if (model->proven_count == GUARD_REDIS_PROVEN_MAX) {
        model->proven_count--;
    }
    memmove(&model->proven[1], &model->proven[0],
            model->proven_count * sizeof(model->proven[0]));
    model->proven[0].tag = tag;
    model->proven[0].until_sec =
        (uint32_t)(now_usec / 1000000) + GUARD_PROVEN_SEC;
    model->proven_count++;
}

/* @return the slot that token holds, and where in it; or -1 */
static inline int model_held(const model_t *model, uint64_t token, unsigned *at)
{
    for (int i = 0; i < GUARD_SLOTS; i++) {
        for (*at = 0; *at < model->slot[i].count; ++*at) {
            if (model->slot[i].holder[*at].token == token) {
                return i;
            }
        }
    }
    return -1;
}

/* @return where it stands, or -1 */
static inline int model_settled(const model_t *model, uint64_t token)
{
    for (unsigned i = 0; i < model->settled_count; i++) {
        if (model->settled[i].token == token) {
            return (int)i;
        }
    }
    return -1;
}

static inline void model_note_settled(model_t *model, uint64_t token,
                                      int locked)
{
    if (model->settled_count == GUARD_REDIS_SETTLED_MAX) {
        model->settled_count--;
    }
    memmove(&model->settled[1], &model->settled[0],
            model->settled_count * sizeof(model->settled[0]));
    model->settled[0].token = token;
    model->settled[0].locked = locked;
    model->settled_count++;
}

static inline guard_redis_answer_t model_tell(const model_t *model,
                                              guard_row_e row, unsigned flags,
                                              uint64_t now_usec)
{
    const guard_record_t *record = &model->record;
    guard_redis_answer_t answer = {.server_usec = now_usec,
                                   .row = row,
                                   .flags = flags,
                                   .phase = record->phase,
                                   .failures = record->failures,
                                   .level = record->level};

    if (record->phase != GUARD_PHASE_CALM) {
        answer.remaining_usec =
            (apr_interval_time_t)(record->until_usec - now_usec);
    }
    return answer;
}

static inline guard_redis_answer_t
model_stand(const model_t *model, unsigned flags, uint64_t now_usec)
{
    return model_tell(model,
                      model->record.phase == GUARD_PHASE_LOCKED
                          ? GUARD_ROW_LOCKED
                          : GUARD_ROW_FREE,
                      flags, now_usec);
}

#endif
