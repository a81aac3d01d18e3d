/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_talk.c owns the way of one operation to the server and
 * back: the breaker's leave, a connection, the script that the server may have
 * forgotten, a connection that it may have closed, and what is said when the
 * server goes or comes back. It refuses to know what is asked for.
 *
 * Invariant: nothing here waits beyond the talk's deadline, and a call that
 * was sent twice carried the same token both times.
 */
#include "guard_store_redis_talk.h"

#include <apr_strings.h>

#include <string.h>

#define SENTENCE_MAX (GUARD_REDIS_TROUBLE_MAX + 512)

static const char *consequence(const guard_redis_store_t *redis)
{
    switch (redis->options.failure) {
    case GUARD_FAILURE_OPEN:
        return "passwords are verified and not counted until it is back";
    case GUARD_FAILURE_CLOSED:
        return "guesses are refused as overload until it is back";
    default:
        return "this server counts by itself until it is back";
    }
}

static void say_down(const guard_redis_talk_t *talk)
{
    const guard_redis_store_t *redis = talk->redis;
    const char *trouble =
        talk->lease ? guard_redis_wire_trouble(talk->lease->wire) : "";
    char sentence[SENTENCE_MAX];

    apr_snprintf(sentence, sizeof(sentence),
                 "redis: down: cause=%s server=%s: %s; %s",
                 guard_redis_cause_name(talk->cause),
                 redis->options.target.label, trouble, consequence(redis));
    redis->say(redis->baton, GUARD_SAY_ERROR, "AG0301", sentence);
}

static void say_up(const guard_redis_store_t *redis)
{
    char sentence[SENTENCE_MAX];

    apr_snprintf(sentence, sizeof(sentence), "redis: up again: server=%s",
                 redis->options.target.label);
    redis->say(redis->baton, GUARD_SAY_NOTICE, "AG0302", sentence);
}

static guard_redis_cause_e fail(guard_redis_talk_t *talk,
                                guard_redis_cause_e cause, int is_servers_fault)
{
    talk->cause = cause;
    talk->is_servers_fault = is_servers_fault;
    return cause;
}

static apr_status_t hear_nothing(void *baton, unsigned index,
                                 const guard_redis_reply_t *reply)
{
    guard_redis_answer_t answer;

    (void)baton;
    (void)index;
    return guard_redis_answer_read(&answer, reply);
}

/* Whoever tries for all does what any of them may want. */
static guard_redis_cause_e probe(guard_redis_talk_t *talk)
{
    guard_redis_call_t call;

    guard_redis_call_probe(&call, &talk->redis->names, 0);
    return guard_redis_talk_call(talk, &call, 1, hear_nothing, NULL);
}

guard_redis_cause_e guard_redis_talk_begin(guard_redis_talk_t *talk,
                                           guard_redis_store_t *redis,
                                           apr_interval_time_t spent_usec)
{
    apr_interval_time_t left_usec = redis->options.timeout_usec - spent_usec;
    unsigned changes;
    apr_status_t rv;

    memset(talk, 0, sizeof(*talk));
    talk->redis = redis;
    talk->begun_usec = guard_store_clock();
    talk->deadline_usec =
        talk->begun_usec + (left_usec > 0 ? (uint64_t)left_usec : 0);
    if (left_usec <= 0) {
        return fail(talk, GUARD_REDIS_TIMEOUT, 0);
    }
    talk->leave =
        guard_redis_breaker_ask(&redis->shared->breaker, talk->begun_usec);
    if (talk->leave == GUARD_REDIS_STOP) {
        return fail(talk, GUARD_REDIS_BREAKER, 0);
    }
    rv = redis->pool ? guard_redis_pool_acquire(redis->pool, &talk->lease)
                     : APR_EINVAL;
    if (rv != APR_SUCCESS) {
        talk->lease = NULL;
        return fail(talk, GUARD_REDIS_TIMEOUT, 0); /* all are taken */
    }
    /* Another server may be at the address since. */
    changes = guard_redis_breaker_changes(&redis->shared->breaker);
    if (talk->lease->changes != changes) {
        guard_redis_wire_close(talk->lease->wire);
        talk->lease->changes = changes;
    }
    return talk->leave == GUARD_REDIS_PROBE ? probe(talk) : GUARD_REDIS_FINE;
}

/* What has been heard of one write of calls. */
typedef struct hearing_t {
    guard_redis_wire_t *wire;
    guard_redis_hear_fn *hear;
    void *baton;
    const unsigned *index; /* of the calls that were sent; NULL: 0, 1, ... */
    int is_refused;
    unsigned missing_count;
    unsigned missing[GUARD_REDIS_CALLS_MAX]; /* told NOSCRIPT */
} hearing_t;

static void hear_reply(void *baton, unsigned i,
                       const guard_redis_reply_t *reply)
{
    hearing_t *hearing = baton;
    unsigned index = hearing->index ? hearing->index[i] : i;

    if (guard_redis_reply_is_error(reply, "NOSCRIPT")) {
        hearing->missing[hearing->missing_count++] = index;
        return;
    }
    if (reply->kind == GUARD_REDIS_ERROR ||
        hearing->hear(hearing->baton, index, reply) != APR_SUCCESS) {
        if (!hearing->is_refused) {
            guard_redis_wire_blame(hearing->wire, reply);
        }
        hearing->is_refused = 1;
    }
}

/* Send commands, and once more if the connection turns out to have been
 * closed by the server while nobody used it. */
static guard_redis_cause_e deliver(guard_redis_talk_t *talk,
                                   const guard_redis_command_t *commands,
                                   unsigned count, hearing_t *hearing)
{
    guard_redis_wire_t *wire = talk->lease->wire;
    guard_redis_cause_e cause = GUARD_REDIS_CONNECTION;
    guard_redis_found_t found;
    int is_fresh = 0;

    guard_redis_board_read(&talk->redis->shared->board, &found);
    while (cause == GUARD_REDIS_CONNECTION && !is_fresh) {
        cause = guard_redis_wire_connect(wire, found.address, found.count,
                                         talk->deadline_usec);
        if (cause != GUARD_REDIS_FINE) {
            return cause;
        }
        is_fresh = guard_redis_wire_is_fresh(wire);
        hearing->missing_count = 0;
        hearing->is_refused = 0;
        cause = guard_redis_wire_ask(wire, commands, count, talk->deadline_usec,
                                     hear_reply, hearing);
    }
    talk->is_in_doubt |= cause != GUARD_REDIS_FINE;
    return cause == GUARD_REDIS_FINE && hearing->is_refused ? GUARD_REDIS_REPLY
                                                            : cause;
}

static guard_redis_cause_e send_calls(guard_redis_talk_t *talk,
                                      const guard_redis_call_t *calls,
                                      unsigned count, hearing_t *hearing)
{
    guard_redis_command_t commands[GUARD_REDIS_CALLS_MAX];

    for (unsigned i = 0; i < count; i++) {
        const guard_redis_call_t *call =
            &calls[hearing->index ? hearing->index[i] : i];

        commands[i].argc = call->argc;
        commands[i].argv = call->argv;
        commands[i].length = call->length;
    }
    return deliver(talk, commands, count, hearing);
}

guard_redis_cause_e
guard_redis_talk_call(guard_redis_talk_t *talk, guard_redis_call_t *calls,
                      unsigned count, guard_redis_hear_fn *hear, void *baton)
{
    hearing_t hearing = {.hear = hear, .baton = baton};
    unsigned index[GUARD_REDIS_CALLS_MAX];
    guard_redis_cause_e cause = talk->cause;

    if (cause != GUARD_REDIS_FINE) {
        return cause;
    }
    hearing.wire = talk->lease->wire;
    cause = send_calls(talk, calls, count, &hearing);
    if (cause == GUARD_REDIS_FINE && hearing.missing_count) {
        count = hearing.missing_count;
        memcpy(index, hearing.missing, sizeof(index));
        hearing.index = index;
        for (unsigned i = 0; i < count; i++) {
            guard_redis_call_by_text(&calls[index[i]]);
        }
        cause = send_calls(talk, calls, count, &hearing);
    }
    return cause == GUARD_REDIS_FINE ? cause : fail(talk, cause, 1);
}

/* baton: guard_redis_answer_t[] */
static apr_status_t hear_answer(void *baton, unsigned index,
                                const guard_redis_reply_t *reply)
{
    return guard_redis_answer_read((guard_redis_answer_t *)baton + index,
                                   reply);
}

guard_redis_cause_e guard_redis_talk_answers(guard_redis_talk_t *talk,
                                             guard_redis_call_t *calls,
                                             unsigned count,
                                             guard_redis_answer_t *answers)
{
    uint64_t asked_usec = guard_store_clock();
    guard_redis_cause_e cause =
        guard_redis_talk_call(talk, calls, count, hear_answer, answers);

    if (cause == GUARD_REDIS_FINE && count && !talk->redis->goes_by_caller) {
        guard_redis_shared_set_time(talk->redis->shared,
                                    answers[count - 1].server_usec, asked_usec);
    }
    return cause;
}

guard_redis_cause_e guard_redis_talk_ask(guard_redis_talk_t *talk,
                                         const guard_redis_command_t *command,
                                         guard_redis_hear_fn *hear, void *baton)
{
    hearing_t hearing = {.hear = hear, .baton = baton};
    guard_redis_cause_e cause = talk->cause;

    if (cause != GUARD_REDIS_FINE) {
        return cause;
    }
    hearing.wire = talk->lease->wire;
    cause = deliver(talk, command, 1, &hearing);
    if (cause == GUARD_REDIS_FINE && hearing.missing_count) {
        cause = GUARD_REDIS_REPLY; /* what is no script can't be missing */
    }
    return cause == GUARD_REDIS_FINE ? cause : fail(talk, cause, 1);
}

void guard_redis_talk_end(guard_redis_talk_t *talk)
{
    guard_redis_breaker_t *breaker = &talk->redis->shared->breaker;

    if (talk->cause != GUARD_REDIS_FINE) {
        if (talk->is_servers_fault &&
            guard_redis_breaker_fail(breaker, talk->cause,
                                     guard_store_clock())) {
            say_down(talk);
        }
    } else if (guard_redis_breaker_succeed(breaker, talk->leave)) {
        say_up(talk->redis);
    }
    if (talk->lease) {
        if (talk->cause == GUARD_REDIS_REPLY) { /* no longer the master? */
            guard_redis_wire_close(talk->lease->wire);
        }
        guard_redis_pool_release(talk->redis->pool, talk->lease);
    }
}
