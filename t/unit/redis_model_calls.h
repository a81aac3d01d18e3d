/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * redis_model_calls.h: the script's calls, played on a redis_model.h client.
 */
#ifndef REDIS_MODEL_CALLS_H
#define REDIS_MODEL_CALLS_H

#include "redis_model.h"

/* What one attempt says to both. */
typedef struct model_try_t {
    const guard_policy_t *policy;
    guard_guess_t guess;
    uint64_t token;
    uint64_t not_after_usec;
    unsigned accept;
    int joined;
    int waited;
} model_try_t;

static inline int model_accepts(unsigned accept, guard_row_e row)
{
    switch (row) {
    case GUARD_ROW_PROVEN:
        return accept & GUARD_REDIS_ACCEPT_PROVEN;
    case GUARD_ROW_REJECTED:
        return accept & GUARD_REDIS_ACCEPT_REJECTED;
    case GUARD_ROW_FREE:
        return accept & GUARD_REDIS_ACCEPT_FREE;
    case GUARD_ROW_CHECKING:
        return accept & GUARD_REDIS_ACCEPT_CHECKING;
    default:
        return 0;
    }
}

/* The slot that a call has changed. */
static inline int model_changed_slot(const model_t *model,
                                     const guard_record_t *before)
{
    for (int i = 0; i < GUARD_SLOTS; i++) {
        if (memcmp(&before->slot[i], &model->record.slot[i],
                   sizeof(before->slot[i]))) {
            return i;
        }
    }
    model_bail("no slot was taken");
}

/* The place that a guess joins, if it holds as many as are counted. */
static inline int model_is_crowded(const model_t *model, uint32_t tag)
{
    for (int i = 0; i < GUARD_SLOTS; i++) {
        if (model_flies(model, i) && model->record.slot[i].guess == tag) {
            return model->slot[i].count == GUARD_REDIS_HOLDERS_MAX;
        }
    }
    return 0;
}

static inline unsigned model_take(model_t *model, const model_try_t *a_try,
                                  guard_row_e row, int is_proven,
                                  uint64_t now_usec)
{
    guard_record_t before = model->record;
    unsigned flags = GUARD_REDIS_TAKEN;
    model_slot_t *slot;
    guard_hold_t hold;

    if (row == GUARD_ROW_PROVEN && !a_try->waited) {
        return flags; /* nothing to write */
    }
    if (a_try->waited) {
        guard_policy_unwait(&model->record);
    }
    if (row == GUARD_ROW_CHECKING &&
        model_is_crowded(model, a_try->guess.tag)) {
        model->record.limit = a_try->policy->limit & 1023u;
        return flags;
    }
    hold = guard_policy_take(&model->record, a_try->policy, row, &a_try->guess,
                             now_usec);
    if (hold.what == GUARD_HOLD_NOTHING) {
        return flags;
    }
    flags |= GUARD_REDIS_HELD_SLOT | (is_proven ? GUARD_REDIS_HELD_PROVEN : 0);
    slot = &model->slot[model_changed_slot(model, &before)];
    if (row != GUARD_ROW_CHECKING) {
        slot->count = 0;
    }
    slot->holder[slot->count].token = a_try->token;
    slot->holder[slot->count].row = row;
    slot->holder[slot->count].flags =
        flags | (is_proven ? GUARD_REDIS_IS_PROVEN : 0);
    slot->count++;
    return flags;
}

static inline guard_redis_answer_t
model_reserve(model_t *model, const model_try_t *a_try, uint64_t now_usec)
{
    guard_record_t *record = &model->record;
    unsigned flags, at;
    guard_row_e row;
    int i, is_proven;

    model_refresh(model, now_usec);
    flags = guard_policy_trusts(record) ? GUARD_REDIS_TRUSTS : 0;
    i = model_held(model, a_try->token, &at);
    if (i >= 0) {
        return model_tell(model, model->slot[i].holder[at].row,
                          flags | model->slot[i].holder[at].flags, now_usec);
    }
    row = guard_policy_judge(record, a_try->policy, &a_try->guess, now_usec);
    if (row != GUARD_ROW_LOCKED &&
        ((a_try->not_after_usec && now_usec > a_try->not_after_usec) ||
         model_settled(model, a_try->token) >= 0)) {
        return model_tell(model, GUARD_ROW_FULL, flags | GUARD_REDIS_LATE,
                          now_usec);
    }
    is_proven = guard_verdict_is_open(row) &&
                model_proven_find(model, a_try->guess.proven_tag) >= 0;
    if (is_proven) {
        flags |= GUARD_REDIS_IS_PROVEN;
        if (a_try->joined || (flags & GUARD_REDIS_TRUSTS)) {
            row = GUARD_ROW_PROVEN;
        }
    }
    if (row == GUARD_ROW_OVER) {
        guard_policy_lock(record, a_try->policy, now_usec);
        model_save(model);
        return model_tell(model, GUARD_ROW_LOCKED, flags | GUARD_REDIS_LOCKOUT,
                          now_usec);
    }
    if ((a_try->accept & GUARD_REDIS_ACCEPT_WIDE) &&
        guard_verdict_is_open(row)) {
        row = GUARD_ROW_PROVEN;
    }
    if (model_accepts(a_try->accept, row)) {
        flags |= model_take(model, a_try, row, is_proven, now_usec);
        if (row != GUARD_ROW_PROVEN || a_try->waited) {
            model_save(model);
        }
    }
    return model_tell(model, row, flags, now_usec);
}

/* What proved right goes to the list, and gives its slot back, or leaves it to
 * the rejected guess that had it. */
static inline void model_move_proof(model_t *model,
                                    const guard_record_t *before,
                                    const guard_guess_t *guess,
                                    uint64_t now_usec)
{
    static const guard_slot_t empty;
    guard_record_t *record = &model->record;

    for (int i = 0; i < GUARD_SLOTS; i++) {
        int displaced = before->slot[i].state == GUARD_SLOT_REJECTED &&
                        before->slot[i].guess != guess->tag &&
                        before->failures == record->failures;

        if (record->slot[i].state == GUARD_SLOT_PROVEN) {
            record->slot[i] = displaced ? before->slot[i] : empty;
        }
    }
    model_proven_add(model, guess->proven_tag, now_usec);
}

/* What the token says, in guard_policy.c's words. */
static inline guard_hold_t model_hold(const model_t *model,
                                      const model_try_t *a_try,
                                      guard_hold_e what,
                                      guard_outcome_e outcome)
{
    unsigned at;
    int i = model_held(model, a_try->token, &at);
    guard_hold_t hold = {.what = what};

    if (outcome == GUARD_ABANDONED && i < 0) {
        hold.what = GUARD_HOLD_NOTHING;
    } else if (outcome == GUARD_ABANDONED) {
        hold.what = GUARD_HOLD_SLOT; /* though the caller may not know of it */
        hold.until_sec = model->record.slot[i].until_sec;
    } else if (outcome == GUARD_RIGHT && what == GUARD_HOLD_SLOT &&
               model_proven_find(model, a_try->guess.proven_tag) >= 0) {
        hold.what = GUARD_HOLD_SLOT_PROVEN; /* it is, by now */
    }
    return hold;
}

static inline void model_give_back(model_t *model, uint64_t token)
{
    unsigned at;
    int i = model_held(model, token, &at);

    if (i >= 0) {
        model_slot_t *slot = &model->slot[i];

        slot->count--;
        memmove(&slot->holder[at], &slot->holder[at + 1],
                (slot->count - at) * sizeof(slot->holder[0]));
    }
}

static inline guard_redis_answer_t
model_settle(model_t *model, const model_try_t *a_try, guard_hold_e what,
             guard_outcome_e outcome, uint64_t now_usec)
{
    guard_record_t before;
    guard_hold_t hold;
    int event, known;

    model_refresh(model, now_usec);
    known = model_settled(model, a_try->token);
    if (known >= 0) {
        event = model->settled[known].locked &&
                model->record.phase == GUARD_PHASE_LOCKED;
        return model_stand(model, event ? GUARD_REDIS_LOCKOUT : 0, now_usec);
    }
    hold = model_hold(model, a_try, what, outcome);
    before = model->record;
    event =
        guard_policy_settle(&model->record, a_try->policy, hold, &a_try->guess,
                            outcome, now_usec) == GUARD_EVENT_LOCKOUT;
    if (outcome == GUARD_RIGHT) {
        model_move_proof(model, &before, &a_try->guess, now_usec);
    } else if (outcome == GUARD_WRONG) {
        model_proven_drop(model, a_try->guess.proven_tag);
    } else if (hold.what != GUARD_HOLD_NOTHING) {
        model_give_back(model, a_try->token);
    }
    model_drop_tokens(model);
    model_note_settled(model, a_try->token, event);
    model_save(model);
    return model_stand(
        model,
        (event ? GUARD_REDIS_LOCKOUT : 0u) |
            (guard_policy_trusts(&model->record) ? GUARD_REDIS_TRUSTS : 0u),
        now_usec);
}

static inline guard_redis_answer_t
model_effect(model_t *model, const guard_policy_t *policy, unsigned what,
             apr_interval_time_t wait_usec, uint64_t now_usec)
{
    unsigned flags = 0;

    model_refresh(model, now_usec);
    if ((what & GUARD_REDIS_WAIT) &&
        !guard_policy_wait(&model->record, now_usec, wait_usec)) {
        flags = GUARD_REDIS_REFUSED;
    } else if (what & GUARD_REDIS_WAIT) {
        model->waiters_till =
            (uint32_t)((now_usec + (uint64_t)wait_usec + 999999) / 1000000) + 1;
    }
    if (what & GUARD_REDIS_BUSY) {
        guard_policy_busy(&model->record, policy, now_usec);
    }
    if (what & GUARD_REDIS_UNWAIT) {
        guard_policy_unwait(&model->record);
    }
    model_save(model);
    return model_stand(model, flags, now_usec);
}

static inline guard_redis_answer_t model_unlock(model_t *model, int locked_only,
                                                uint64_t now_usec)
{
    guard_record_t *record = &model->record;

    model_refresh(model, now_usec);
    if ((locked_only && record->phase != GUARD_PHASE_LOCKED) ||
        (record->phase == GUARD_PHASE_CALM && !record->level &&
         guard_policy_is_evictable(record))) {
        return model_stand(model, 0, now_usec);
    }
    guard_policy_unlock(record);
    model_drop_tokens(model);
    model_save(model);
    return model_stand(model, GUARD_REDIS_CHANGED, now_usec);
}

#endif
