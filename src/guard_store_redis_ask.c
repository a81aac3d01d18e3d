/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_ask.c owns how one operation on several clients is asked
 * of a server that can change one of them at a time. It knows no connection
 * and no fallback; what the record of one client says is the script's
 * business, what several come to guard_store_verdict.c's.
 *
 * With one claim a reservation is one call: take, if the record admits. With
 * several all are looked at first; if that comes to ADMIT, all are taken, and
 * should one of them have changed meanwhile, those taken are given back, and
 * what was heard is judged anew. So a guess has a place in all or in none by
 * the time that anybody is told, and a refusal costs one round trip, with a
 * second only where waiting or busy is to be written down.
 *
 * Invariant: every call that may take a place has a token of its own, and
 * ticket->away.token is the last one's.
 */
#include "guard_store_redis_ask.h"
#include "guard_store_verdict.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS_MAX 4 /* looks and takes of one reserve */

_Static_assert(GUARD_CLAIMS_MAX <= GUARD_REDIS_CALLS_MAX, "one write for all");

/* One reserve, and what is known so far. */
typedef struct round_t {
    const guard_redis_ask_t *ask;
    guard_redis_answer_t answer[GUARD_CLAIMS_MAX];
    guard_opinion_t opinion[GUARD_CLAIMS_MAX];
} round_t;

static guard_redis_store_t *redis_of(const round_t *round)
{
    return round->ask->talk->redis;
}

uint64_t guard_redis_ask_token(const guard_redis_store_t *redis)
{
    static _Atomic uint64_t serial;
    struct {
        uint64_t serial, clock_usec;
        int64_t process;
    } name = {.serial = atomic_fetch_add(&serial, 1),
              .clock_usec = guard_store_clock(),
              .process = getpid()};
    uint64_t token = guard_key_hash(&redis->token_secret, &name, sizeof(name));

    return token ? token : 1;
}

/* Later than that, by the server's clock, nobody waits for the answer. */
static uint64_t not_after(const round_t *round)
{
    const guard_redis_talk_t *talk = round->ask->talk;

    return talk->redis->goes_by_caller
               ? 0
               : guard_redis_shared_time(talk->redis->shared,
                                         talk->deadline_usec);
}

static void tell(guard_standing_t *standing, const guard_claim_t *claim,
                 const guard_redis_answer_t *answer)
{
    standing->event = answer->flags & GUARD_REDIS_LOCKOUT ? GUARD_EVENT_LOCKOUT
                                                          : GUARD_EVENT_NONE;
    standing->phase = answer->phase;
    standing->failures = answer->failures;
    standing->limit = claim->policy.limit;
    standing->level = answer->level;
    standing->lasts_usec = answer->remaining_usec;
    standing->remaining_usec =
        answer->phase == GUARD_PHASE_LOCKED ? answer->remaining_usec : 0;
}

static void form_opinions(round_t *round)
{
    const guard_redis_ask_t *ask = round->ask;

    for (unsigned i = 0; i < ask->count; i++) {
        const guard_redis_answer_t *answer = &round->answer[i];
        guard_opinion_t *opinion = &round->opinion[i];

        opinion->row = answer->row;
        opinion->is_narrow = guard_verdict_is_narrow(&ask->claims[i].client);
        opinion->is_proven = (answer->flags & GUARD_REDIS_IS_PROVEN) != 0;
        opinion->is_trusting = (answer->flags & GUARD_REDIS_TRUSTS) != 0;
        opinion->until_usec =
            answer->server_usec + (uint64_t)answer->remaining_usec;
        if (answer->flags & GUARD_REDIS_LOCKOUT) {
            ask->report->standing[i].event = GUARD_EVENT_LOCKOUT;
        }
    }
    guard_verdict_widen(round->opinion, ask->count);
}

/* The rows that may be taken. Without a check to spare it must be proven
 * where that is asked; a place to share is for who has waited in vain. */
static unsigned acceptable(const round_t *round, unsigned i)
{
    const guard_redis_ask_t *ask = round->ask;
    int is_narrow = guard_verdict_is_narrow(&ask->claims[i].client);
    unsigned accept = GUARD_REDIS_ACCEPT_PROVEN;

    if (!ask->ticket->no_check || (ask->count > 1 && !is_narrow)) {
        accept |= GUARD_REDIS_ACCEPT_FREE | GUARD_REDIS_ACCEPT_REJECTED;
    }
    if (!ask->ticket->no_check && ask->patience == GUARD_LAST_TRY) {
        accept |= GUARD_REDIS_ACCEPT_CHECKING;
    }
    if (ask->count > 1 && round->opinion[i].row == GUARD_ROW_PROVEN &&
        !is_narrow) {
        accept |= GUARD_REDIS_ACCEPT_WIDE;
    }
    return accept;
}

static unsigned accept_nothing(const round_t *round, unsigned i)
{
    (void)round;
    (void)i;
    return 0;
}

/* Put the question to all claims. Nobody is asked to take what nobody will
 * hear of: should the server's clock have been set, its time is known then,
 * and the question put once more. */
static guard_redis_cause_e put(round_t *round,
                               unsigned (*accept)(const round_t *, unsigned))
{
    const guard_redis_ask_t *ask = round->ask;
    guard_ticket_t *ticket = ask->ticket;
    guard_redis_call_t calls[GUARD_CLAIMS_MAX];
    guard_redis_cause_e cause;
    int is_late = 1;

    for (int turn = 0; turn < 2 && is_late; turn++) {
        ticket->away.token = guard_redis_ask_token(redis_of(round));
        for (unsigned i = 0; i < ask->count; i++) {
            guard_redis_call_reserve(
                &calls[i], &redis_of(round)->names, &ask->claims[i],
                &ticket->guess, ticket->away.token, not_after(round),
                accept(round, i), ticket->has_joined, ticket->waiting[i],
                guard_redis_clock(redis_of(round), ask->now_usec));
        }
        cause = guard_redis_talk_answers(ask->talk, calls, ask->count,
                                         round->answer);
        if (cause != GUARD_REDIS_FINE) {
            return cause;
        }
        is_late = 0;
        for (unsigned i = 0; i < ask->count; i++) {
            is_late |= (round->answer[i].flags & GUARD_REDIS_LATE) != 0;
        }
    }
    form_opinions(round);
    return GUARD_REDIS_FINE;
}

static unsigned count_taken(const round_t *round)
{
    unsigned taken = 0;

    for (unsigned i = 0; i < round->ask->count; i++) {
        taken += (round->answer[i].flags & GUARD_REDIS_TAKEN) != 0;
    }
    return taken;
}

static guard_hold_e hold_of(const guard_redis_answer_t *answer)
{
    if (!(answer->flags & GUARD_REDIS_HELD_SLOT)) {
        return GUARD_HOLD_NOTHING;
    }
    return answer->flags & GUARD_REDIS_HELD_PROVEN ? GUARD_HOLD_SLOT_PROVEN
                                                   : GUARD_HOLD_SLOT;
}

/* Give back what some of the claims gave. */
static guard_redis_cause_e release(round_t *round)
{
    const guard_redis_ask_t *ask = round->ask;
    guard_redis_call_t calls[GUARD_CLAIMS_MAX];
    guard_redis_answer_t answers[GUARD_CLAIMS_MAX];
    unsigned count = 0;

    for (unsigned i = 0; i < ask->count; i++) {
        if (!(round->answer[i].flags & GUARD_REDIS_TAKEN)) {
            continue;
        }
        guard_redis_call_settle(
            &calls[count++], &redis_of(round)->names, &ask->claims[i],
            &ask->ticket->guess, ask->ticket->away.token,
            hold_of(&round->answer[i]), GUARD_ABANDONED,
            guard_redis_clock(redis_of(round), ask->now_usec));
        ask->ticket->waiting[i] = 0; /* taking ended that */
    }
    return guard_redis_talk_answers(ask->talk, calls, count, answers);
}

static void admit(const round_t *round)
{
    const guard_redis_ask_t *ask = round->ask;
    guard_ticket_t *ticket = ask->ticket;

    for (unsigned i = 0; i < ask->count; i++) {
        ticket->hold[i].what = hold_of(&round->answer[i]);
        ticket->claim[i] = ask->claims[i];
        ticket->waiting[i] = 0;
    }
    ticket->claim_count = ask->count;
    ticket->state = GUARD_TICKET_OPEN;
}

/* What a refusal, or waiting, leaves behind in claim i's record. */
static unsigned effect_of(const round_t *round, unsigned i,
                          guard_verdict_e verdict)
{
    const guard_redis_ask_t *ask = round->ask;
    int minds = round->opinion[i].row == GUARD_ROW_FULL ||
                guard_verdict_vouches(round->opinion, ask->count, i);
    unsigned what = 0;

    if (verdict == GUARD_WAIT) {
        return minds && !ask->ticket->waiting[i] && !ask->report->is_join
                   ? GUARD_REDIS_WAIT
                   : 0;
    }
    if (minds && (verdict == GUARD_BUSY || verdict == GUARD_OVERLOAD)) {
        what |= GUARD_REDIS_BUSY;
    }
    if (ask->ticket->waiting[i]) {
        what |= GUARD_REDIS_UNWAIT;
    }
    return what;
}

/* Write it down. *is_crowded: one that has no place lets nobody more wait. */
static guard_redis_cause_e
leave_effects(round_t *round, guard_verdict_e verdict, int *is_crowded)
{
    const guard_redis_ask_t *ask = round->ask;
    guard_redis_store_t *redis = redis_of(round);
    guard_redis_call_t calls[GUARD_CLAIMS_MAX];
    guard_redis_answer_t answers[GUARD_CLAIMS_MAX];
    unsigned of[GUARD_CLAIMS_MAX], count = 0;
    guard_redis_cause_e cause;

    for (unsigned i = 0; i < ask->count; i++) {
        unsigned what = effect_of(round, i, verdict);

        if (what) {
            guard_redis_call_effect(
                &calls[count], &redis->names, &ask->claims[i], what,
                redis->base.wait_usec, guard_redis_clock(redis, ask->now_usec));
            of[count++] = i;
        }
    }
    cause = count ? guard_redis_talk_answers(ask->talk, calls, count, answers)
                  : GUARD_REDIS_FINE;
    for (unsigned n = 0; cause != GUARD_REDIS_FINE && n < count; n++) {
        ask->ticket->waiting[of[n]] |=
            verdict == GUARD_WAIT && ask->talk->is_in_doubt;
    }
    for (unsigned n = 0; cause == GUARD_REDIS_FINE && n < count; n++) {
        unsigned i = of[n];
        int is_refused = (answers[n].flags & GUARD_REDIS_REFUSED) != 0;

        ask->ticket->waiting[i] = verdict == GUARD_WAIT && !is_refused;
        *is_crowded |= is_refused && round->opinion[i].row == GUARD_ROW_FULL;
    }
    return cause;
}

static guard_redis_cause_e refuse(round_t *round, guard_verdict_e verdict)
{
    const guard_redis_ask_t *ask = round->ask;
    int is_crowded = 0;
    guard_redis_cause_e cause = leave_effects(round, verdict, &is_crowded);

    if (cause == GUARD_REDIS_FINE && is_crowded) {
        verdict = GUARD_BUSY;
        cause = leave_effects(round, verdict, &is_crowded);
    }
    ask->ticket->has_joined |= ask->report->is_join;
    if (verdict == GUARD_WAIT && !ask->report->is_join) {
        ask->ticket->state = GUARD_TICKET_WAITING;
    }
    ask->report->verdict = verdict;
    return cause;
}

/* Judge, and take or refuse. @return 1 if that is the end of it, else 0: what
 * was heard last is to be judged anew. */
static int decide(round_t *round, guard_redis_cause_e *cause)
{
    const guard_redis_ask_t *ask = round->ask;
    guard_report_t *report = ask->report;

    if (count_taken(round) != ask->count) {
        report->is_join = report->is_proven = report->lacks_check = 0;
        report->verdict =
            guard_verdict_judge(round->opinion, ask->count, ask->patience,
                                ask->ticket->no_check, report);
        if (report->verdict != GUARD_ADMIT) {
            *cause = refuse(round, report->verdict);
            return 1;
        }
        *cause = put(round, acceptable);
        if (*cause != GUARD_REDIS_FINE) {
            return 1;
        }
    }
    if (count_taken(round) == ask->count) {
        /* As it was judged: what was taken is what was admitted. */
        guard_verdict_judge(round->opinion, ask->count, ask->patience,
                            ask->ticket->no_check, report);
        report->verdict = GUARD_ADMIT;
        admit(round);
        return 1;
    }
    *cause = count_taken(round) ? release(round) : GUARD_REDIS_FINE;
    return *cause != GUARD_REDIS_FINE;
}

guard_redis_cause_e guard_redis_ask_reserve(const guard_redis_ask_t *ask)
{
    round_t round = {.ask = ask};
    guard_redis_cause_e cause =
        put(&round, ask->count == 1 ? acceptable : accept_nothing);
    int is_over = cause != GUARD_REDIS_FINE;

    for (int turn = 0; !is_over && turn < ROUNDS_MAX; turn++) {
        is_over = decide(&round, &cause);
    }
    if (!is_over) { /* others were faster each time: as if there was no place */
        cause = refuse(&round, ask->patience == GUARD_MAY_WAIT ? GUARD_WAIT
                                                               : GUARD_BUSY);
    }
    if (cause != GUARD_REDIS_FINE) {
        return cause;
    }
    for (unsigned i = 0; i < ask->count; i++) {
        guard_event_e event = ask->report->standing[i].event;

        tell(&ask->report->standing[i], &ask->claims[i], &round.answer[i]);
        ask->report->standing[i].event = event;
    }
    ask->report->decisive =
        guard_verdict_decisive(round.opinion, ask->count, ask->report->verdict);
    return cause;
}

guard_redis_cause_e guard_redis_ask_settle(guard_redis_talk_t *talk,
                                           const guard_ticket_t *ticket,
                                           guard_outcome_e outcome,
                                           guard_report_t *report,
                                           uint64_t now_usec)
{
    guard_redis_call_t calls[GUARD_CLAIMS_MAX];
    guard_redis_answer_t answers[GUARD_CLAIMS_MAX];
    guard_redis_cause_e cause;
    unsigned trusted = 0;

    for (unsigned i = 0; i < ticket->claim_count; i++) {
        guard_redis_call_settle(
            &calls[i], &talk->redis->names, &ticket->claim[i], &ticket->guess,
            ticket->away.token, ticket->hold[i].what, outcome,
            guard_redis_clock(talk->redis, now_usec));
    }
    cause = guard_redis_talk_answers(talk, calls, ticket->claim_count, answers);
    for (unsigned i = 0; cause == GUARD_REDIS_FINE && i < ticket->claim_count;
         i++) {
        tell(&report->standing[i], &ticket->claim[i], &answers[i]);
        trusted += answers[i].phase != GUARD_PHASE_LOCKED &&
                   (answers[i].flags & GUARD_REDIS_TRUSTS) != 0;
    }
    report->is_proven =
        outcome == GUARD_RIGHT && trusted == ticket->claim_count;
    return cause;
}

guard_redis_cause_e guard_redis_ask_peek(guard_redis_talk_t *talk,
                                         const guard_claim_t *claims,
                                         unsigned count, guard_report_t *report,
                                         uint64_t now_usec)
{
    guard_redis_call_t calls[GUARD_CLAIMS_MAX];
    guard_redis_answer_t answers[GUARD_CLAIMS_MAX];
    guard_opinion_t opinions[GUARD_CLAIMS_MAX];
    guard_redis_cause_e cause;

    for (unsigned i = 0; i < count; i++) {
        guard_redis_call_peek(&calls[i], &talk->redis->names,
                              claims[i].client.id,
                              guard_redis_clock(talk->redis, now_usec));
    }
    cause = guard_redis_talk_answers(talk, calls, count, answers);
    if (cause != GUARD_REDIS_FINE) {
        return cause;
    }
    memset(opinions, 0, sizeof(opinions));
    report->verdict = GUARD_ADMIT;
    for (unsigned i = 0; i < count; i++) {
        tell(&report->standing[i], &claims[i], &answers[i]);
        opinions[i].row = GUARD_ROW_FREE;
        if (answers[i].phase == GUARD_PHASE_LOCKED) {
            opinions[i].row = GUARD_ROW_LOCKED;
            opinions[i].until_usec =
                answers[i].server_usec + (uint64_t)answers[i].remaining_usec;
            report->verdict = GUARD_LOCKED;
        }
    }
    if (report->verdict == GUARD_LOCKED) {
        report->decisive =
            guard_verdict_decisive(opinions, count, GUARD_LOCKED);
    }
    return cause;
}
