/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_wire.c owns one conversation with a server: who says what
 * next, and when it has gone wrong. It refuses to know what commands mean, but
 * for AUTH, SELECT and SUBSCRIBE, and how bytes travel.
 *
 * Invariant: a wire that is open has no reply outstanding: what comes next
 * answers the next command. Where that is in doubt (too late, too much, no
 * reply at all), it is closed.
 */
#include "guard_store_redis_wire.h"
#include "guard_store.h"
#include "guard_store_redis_trouble.h"
#include "guard_store_redis_wire_inside.h"

#include <apr_strings.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define LISTEN_BYTES 65536 /* in one call of poll */

const char *guard_redis_cause_name(guard_redis_cause_e cause)
{
    static const char *const NAME[GUARD_REDIS_CAUSES] = {
        "fine", "timeout", "connection", "reply", "breaker"};

    return (unsigned)cause < GUARD_REDIS_CAUSES ? NAME[cause] : "?";
}

static apr_status_t end_wire(void *data)
{
    guard_redis_wire_t *wire = data;

    guard_redis_wire_close(wire);
    free(wire->out);
    wire->out = NULL;
    wire->out_size = 0;
    return APR_SUCCESS;
}

const char *guard_redis_target_prepare(guard_redis_target_t *target,
                                       apr_pool_t *pool)
{
    return target->is_tls ? guard_redis_tls_prepare(&target->tls, target, pool)
                          : NULL;
}

apr_status_t guard_redis_wire_create(guard_redis_wire_t **out,
                                     const guard_redis_target_t *target,
                                     apr_pool_t *pool)
{
    guard_redis_wire_t *wire;
    apr_status_t rv;

    if (target->is_tls && !target->tls) {
        return APR_EINIT;
    }
    wire = apr_pcalloc(pool, sizeof(*wire));
    if (!wire) {
        return APR_ENOMEM;
    }
    wire->target = target;
    wire->socket.fd = -1;
    rv = guard_redis_reader_create(&wire->reader, pool);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_cleanup_register(pool, wire, end_wire, apr_pool_cleanup_null);
    *out = wire;
    return APR_SUCCESS;
}

int guard_redis_wire_is_open(const guard_redis_wire_t *wire)
{
    return wire->state != GUARD_REDIS_WIRE_CLOSED;
}

int guard_redis_wire_is_fresh(const guard_redis_wire_t *wire)
{
    return wire->state == GUARD_REDIS_WIRE_FRESH;
}

const char *guard_redis_wire_trouble(const guard_redis_wire_t *wire)
{
    return wire->trouble;
}

void guard_redis_wire_blame(guard_redis_wire_t *wire,
                            const guard_redis_reply_t *reply)
{
    guard_redis_trouble_quote(wire->trouble, reply, wire->target->password);
}

/* An exchange behind which nothing may be left over. */
static guard_redis_cause_e run_alone(guard_redis_wire_t *wire,
                                     guard_redis_exchange_t *exchange,
                                     const char *doing)
{
    guard_redis_cause_e cause = guard_redis_wire_run(wire, exchange, doing);

    if (cause == GUARD_REDIS_FINE &&
        !guard_redis_reader_is_empty(wire->reader)) {
        return guard_redis_wire_end(wire, GUARD_REDIS_REPLY,
                                    "a reply came that nobody asked for");
    }
    return cause;
}

guard_redis_cause_e guard_redis_wire_ask(guard_redis_wire_t *wire,
                                         const guard_redis_command_t *commands,
                                         unsigned count, uint64_t deadline_usec,
                                         guard_redis_each_fn *each, void *baton)
{
    guard_redis_exchange_t exchange = {.commands = commands,
                                       .count = count,
                                       .deadline_usec = deadline_usec,
                                       .each = each,
                                       .baton = baton};
    guard_redis_cause_e cause;

    if (wire->state != GUARD_REDIS_WIRE_FRESH &&
        wire->state != GUARD_REDIS_WIRE_USED) {
        return guard_redis_wire_end(wire, GUARD_REDIS_CONNECTION,
                                    "there is no connection to ask on");
    }
    cause = run_alone(wire, &exchange, "waiting for a reply");
    if (cause == GUARD_REDIS_FINE) {
        wire->state = GUARD_REDIS_WIRE_USED;
    }
    return cause;
}

/* What a command of ours was answered. */
typedef struct answer_t {
    guard_redis_wire_t *wire;
    int is_refused;
} answer_t;

static void want_ok(void *baton, unsigned index,
                    const guard_redis_reply_t *reply)
{
    answer_t *answer = baton;

    (void)index;
    if (!answer->is_refused &&
        (reply->kind != GUARD_REDIS_STATUS || strcmp(reply->text, "OK"))) {
        answer->is_refused = 1;
        guard_redis_wire_blame(answer->wire, reply);
    }
}

/* @param word ends with NULL */
static guard_redis_command_t command_of(const char *const *word, size_t *length)
{
    guard_redis_command_t command = {.argv = word, .length = length};

    while (word[command.argc]) {
        length[command.argc] = strlen(word[command.argc]);
        command.argc++;
    }
    return command;
}

/* AUTH and SELECT, as far as they are wanted, in one go. */
static guard_redis_cause_e greet(guard_redis_wire_t *wire,
                                 uint64_t deadline_usec)
{
    const guard_redis_target_t *target = wire->target;
    char number[16];
    const char *const auth[] = {"AUTH",
                                target->user ? target->user : target->password,
                                target->user ? target->password : NULL, NULL};
    const char *const choose[] = {"SELECT", number, NULL};
    size_t length[2][3];
    guard_redis_command_t commands[2];
    answer_t answer = {.wire = wire};
    guard_redis_exchange_t exchange = {.commands = commands,
                                       .deadline_usec = deadline_usec,
                                       .each = want_ok,
                                       .baton = &answer};
    guard_redis_cause_e cause;

    apr_snprintf(number, sizeof(number), "%u", target->database);
    if (target->password) {
        commands[exchange.count++] = command_of(auth, length[0]);
    }
    if (target->database) {
        commands[exchange.count++] = command_of(choose, length[1]);
    }
    cause = exchange.count ? run_alone(wire, &exchange, "signing in")
                           : GUARD_REDIS_FINE;
    if (cause == GUARD_REDIS_FINE && answer.is_refused) {
        guard_redis_wire_close(wire);
        return GUARD_REDIS_REPLY;
    }
    return cause;
}

static guard_redis_cause_e open_one(guard_redis_wire_t *wire,
                                    const guard_redis_address_t *address,
                                    uint64_t deadline_usec)
{
    guard_redis_cause_e cause = guard_redis_socket_open(
        &wire->socket, wire->target, address, deadline_usec);

    if (cause != GUARD_REDIS_FINE) {
        return guard_redis_wire_end_by_socket(wire, cause);
    }
    if (guard_redis_reader_reset(wire->reader) != APR_SUCCESS) {
        return guard_redis_wire_end(wire, GUARD_REDIS_CONNECTION,
                                    guard_redis_reader_fault(wire->reader));
    }
    wire->state = GUARD_REDIS_WIRE_FRESH;
    return greet(wire, deadline_usec);
}

static guard_redis_cause_e open_any(guard_redis_wire_t *wire,
                                    const guard_redis_address_t *addresses,
                                    unsigned count, uint64_t deadline_usec)
{
    guard_redis_cause_e cause = GUARD_REDIS_CONNECTION;

    if (!count) {
        return guard_redis_wire_end(wire, cause,
                                    "no address is known for the host");
    }
    for (unsigned left = count;
         left && cause != GUARD_REDIS_FINE && cause != GUARD_REDIS_REPLY;
         left--) {
        uint64_t now_usec = guard_store_clock();
        uint64_t share_usec =
            now_usec < deadline_usec ? (deadline_usec - now_usec) / left : 0;

        cause = open_one(wire, &addresses[wire->next_address % count],
                         now_usec + share_usec);
        if (cause != GUARD_REDIS_FINE) {
            wire->next_address++;
        }
    }
    return cause;
}

guard_redis_cause_e
guard_redis_wire_connect(guard_redis_wire_t *wire,
                         const guard_redis_address_t *addresses, unsigned count,
                         uint64_t deadline_usec)
{
    guard_redis_cause_e cause;

    if (wire->state == GUARD_REDIS_WIRE_LISTENS) {
        return GUARD_REDIS_FINE;
    }
    if (guard_redis_wire_is_open(wire)) {
        /* A server closes what is idle for long: that is no trouble. */
        cause = guard_redis_wire_overhear(wire);
        if (cause != GUARD_REDIS_CONNECTION) {
            return cause;
        }
    }
    return wire->target->path ? open_one(wire, NULL, deadline_usec)
                              : open_any(wire, addresses, count, deadline_usec);
}

static void want_subscribed(void *baton, unsigned index,
                            const guard_redis_reply_t *reply)
{
    answer_t *answer = baton;

    (void)index;
    if (reply->kind != GUARD_REDIS_ARRAY || reply->count != 3 ||
        reply->element[0]->kind != GUARD_REDIS_STRING ||
        strcmp(reply->element[0]->text, "subscribe")) {
        answer->is_refused = 1;
        guard_redis_wire_blame(answer->wire, reply);
    }
}

guard_redis_cause_e guard_redis_wire_listen(guard_redis_wire_t *wire,
                                            const char *channel,
                                            uint64_t deadline_usec)
{
    const char *const word[] = {"SUBSCRIBE", channel, NULL};
    size_t length[2];
    guard_redis_command_t command = command_of(word, length);
    answer_t answer = {.wire = wire};
    guard_redis_exchange_t exchange = {.commands = &command,
                                       .count = 1,
                                       .deadline_usec = deadline_usec,
                                       .each = want_subscribed,
                                       .baton = &answer};
    guard_redis_cause_e cause;

    if (wire->state != GUARD_REDIS_WIRE_FRESH &&
        wire->state != GUARD_REDIS_WIRE_USED) {
        return guard_redis_wire_end(wire, GUARD_REDIS_CONNECTION,
                                    "there is no connection to listen on");
    }
    cause = guard_redis_wire_run(wire, &exchange, "subscribing");
    if (cause == GUARD_REDIS_FINE && answer.is_refused) {
        guard_redis_wire_close(wire);
        return GUARD_REDIS_REPLY;
    }
    if (cause == GUARD_REDIS_FINE) {
        wire->state = GUARD_REDIS_WIRE_LISTENS;
    }
    return cause;
}

guard_redis_cause_e guard_redis_wire_poll(guard_redis_wire_t *wire,
                                          guard_redis_each_fn *each,
                                          void *baton)
{
    guard_redis_exchange_t exchange = {
        .count = UINT_MAX, .each = each, .baton = baton};
    guard_redis_cause_e cause;
    size_t got, total = 0;

    if (wire->state != GUARD_REDIS_WIRE_LISTENS) {
        return GUARD_REDIS_CONNECTION;
    }
    wire->socket.doing = "listening";
    cause = guard_redis_wire_hand_on(wire, &exchange);
    while (cause == GUARD_REDIS_FINE && total < LISTEN_BYTES) {
        cause = guard_redis_wire_pull(wire, &exchange, &got);
        if (!got) {
            break;
        }
        total += got;
    }
    return cause;
}
