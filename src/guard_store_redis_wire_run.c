/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_wire_run.c owns the road of commands and replies over an
 * open wire. It refuses to know what they mean.
 *
 * It reads while it still has to send: a server that stops reading until its
 * replies are taken, and one that does not, are served alike.
 *
 * Invariant: what was sent is wiped from memory: it may be a password.
 */
#include "guard_store_redis_wire_inside.h"
#include "guard_store_redis_trouble.h"

#include <apr_strings.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#define OUT_BYTES 4096   /* room for commands, to begin with */
#define OUT_ENOUGH 65536 /* with so much to be sent, the rest waits */
#define READ_BYTES 16384 /* at once */

static void wipe_out(guard_redis_wire_t *wire)
{
    if (wire->out) {
        explicit_bzero(wire->out, wire->out_length);
    }
    wire->out_length = wire->out_sent = 0;
}

void guard_redis_wire_close(guard_redis_wire_t *wire)
{
    guard_redis_socket_close(&wire->socket);
    wipe_out(wire);
    wire->state = GUARD_REDIS_WIRE_CLOSED;
}

guard_redis_cause_e guard_redis_wire_end(guard_redis_wire_t *wire,
                                         guard_redis_cause_e cause,
                                         const char *trouble)
{
    guard_redis_trouble_say(wire->trouble, trouble);
    guard_redis_wire_close(wire);
    return cause;
}

/* What the socket says of a TIMEOUT or a CONNECTION. */
guard_redis_cause_e guard_redis_wire_end_by_socket(guard_redis_wire_t *wire,
                                                   guard_redis_cause_e cause)
{
    char text[GUARD_REDIS_TROUBLE_MAX];

    apr_snprintf(text, sizeof(text), "%s while %s",
                 cause == GUARD_REDIS_TIMEOUT ? "timeout"
                 : wire->socket.why[0]        ? wire->socket.why
                                       : "the server closed the connection",
                 wire->socket.doing);
    return guard_redis_wire_end(wire, cause, text);
}

static int has_room(guard_redis_wire_t *wire, size_t more)
{
    size_t size = wire->out_size ? wire->out_size : OUT_BYTES;
    char *out;

    while (size - wire->out_length < more) {
        size *= 2;
    }
    if (wire->out && size == wire->out_size) {
        return 1;
    }
    out = malloc(size);
    if (!out) {
        return 0;
    }
    if (wire->out) {
        memcpy(out, wire->out, wire->out_length);
        explicit_bzero(wire->out, wire->out_length);
        free(wire->out);
    }
    wire->out = out;
    wire->out_size = size;
    return 1;
}

static int append(guard_redis_wire_t *wire,
                  const guard_redis_command_t *command)
{
    char *text = NULL;
    long length = redisFormatCommandArgv(
        &text, (int)command->argc, (const char **)(uintptr_t)command->argv,
        command->length);
    int is_done = length > 0 && has_room(wire, (size_t)length);

    if (is_done) {
        memcpy(wire->out + wire->out_length, text, (size_t)length);
        wire->out_length += (size_t)length;
    }
    if (length > 0) {
        explicit_bzero(text, (size_t)length);
        redisFreeCommand(text);
    }
    return is_done;
}

/* @return 1 if there is something to send, 0 if not, -1: no memory */
static int fill_out(guard_redis_wire_t *wire, guard_redis_exchange_t *exchange)
{
    if (wire->out_sent < wire->out_length) {
        return 1;
    }
    wipe_out(wire);
    while (exchange->written < exchange->count &&
           wire->out_length < OUT_ENOUGH) {
        if (!append(wire, &exchange->commands[exchange->written])) {
            return -1;
        }
        exchange->written++;
    }
    return wire->out_length > 0;
}

guard_redis_cause_e guard_redis_wire_overhear(guard_redis_wire_t *wire)
{
    const guard_redis_reply_t *reply;
    char buf[1024];
    size_t got;

    wire->socket.doing = "not in use";
    switch (guard_redis_socket_read(&wire->socket, buf, sizeof(buf), &got)) {
    case GUARD_REDIS_IO_READ:
    case GUARD_REDIS_IO_WRITE:
        return GUARD_REDIS_FINE;
    case GUARD_REDIS_IO_DONE:
        break;
    default:
        return guard_redis_wire_end_by_socket(wire, GUARD_REDIS_CONNECTION);
    }
    guard_redis_reader_feed(wire->reader, buf, got);
    if (guard_redis_reader_next(wire->reader, &reply) !=
            GUARD_REDIS_READ_REPLY ||
        reply->kind != GUARD_REDIS_ERROR) {
        return guard_redis_wire_end(wire, GUARD_REDIS_REPLY,
                                    "the server spoke without being asked");
    }
    guard_redis_wire_blame(wire, reply);
    guard_redis_wire_close(wire);
    return GUARD_REDIS_REPLY;
}

/* Nothing was answered yet on this connection: what comes is no answer. */
static int is_new(const guard_redis_wire_t *wire,
                  const guard_redis_exchange_t *exchange)
{
    return wire->state == GUARD_REDIS_WIRE_FRESH && !exchange->answered &&
           guard_redis_reader_is_empty(wire->reader);
}

/* Why it closed a new connection the server may have told. */
static guard_redis_cause_e end_push(guard_redis_wire_t *wire,
                                    const guard_redis_exchange_t *exchange)
{
    guard_redis_cause_e cause = GUARD_REDIS_FINE;
    const char *doing = wire->socket.doing;

    if (is_new(wire, exchange)) {
        cause = guard_redis_wire_overhear(wire);
    }
    wire->socket.doing = doing;
    return cause == GUARD_REDIS_REPLY
               ? cause
               : guard_redis_wire_end_by_socket(wire, GUARD_REDIS_CONNECTION);
}

/* Send what can be sent without waiting. */
static guard_redis_cause_e push(guard_redis_wire_t *wire,
                                guard_redis_exchange_t *exchange)
{
    int has_output;

    while ((has_output = fill_out(wire, exchange)) > 0) {
        size_t put = 0;
        guard_redis_io_e io =
            guard_redis_socket_write(&wire->socket, wire->out + wire->out_sent,
                                     wire->out_length - wire->out_sent, &put);

        if (io == GUARD_REDIS_IO_READ || io == GUARD_REDIS_IO_WRITE) {
            return GUARD_REDIS_FINE;
        }
        if (io != GUARD_REDIS_IO_DONE) {
            return end_push(wire, exchange);
        }
        wire->out_sent += put;
    }
    return has_output < 0 ? guard_redis_wire_end(wire, GUARD_REDIS_CONNECTION,
                                                 "no memory for a command")
                          : GUARD_REDIS_FINE;
}

guard_redis_cause_e guard_redis_wire_hand_on(guard_redis_wire_t *wire,
                                             guard_redis_exchange_t *exchange)
{
    const guard_redis_reply_t *reply;

    while (exchange->answered < exchange->count) {
        switch (guard_redis_reader_next(wire->reader, &reply)) {
        case GUARD_REDIS_READ_REPLY:
            exchange->each(exchange->baton, exchange->answered, reply);
            exchange->answered++;
            break;
        case GUARD_REDIS_READ_BROKEN:
            return guard_redis_wire_end(wire, GUARD_REDIS_REPLY,
                                        guard_redis_reader_fault(wire->reader));
        default:
            return GUARD_REDIS_FINE;
        }
    }
    return GUARD_REDIS_FINE;
}

/* Take what is there. @param got how much it was */
guard_redis_cause_e guard_redis_wire_pull(guard_redis_wire_t *wire,
                                          guard_redis_exchange_t *exchange,
                                          size_t *got)
{
    char buf[READ_BYTES];

    *got = 0;
    switch (guard_redis_socket_read(&wire->socket, buf, sizeof(buf), got)) {
    case GUARD_REDIS_IO_DONE:
        guard_redis_reader_feed(wire->reader, buf, *got);
        return guard_redis_wire_hand_on(wire, exchange);
    case GUARD_REDIS_IO_READ:
    case GUARD_REDIS_IO_WRITE:
        return GUARD_REDIS_FINE;
    default:
        return guard_redis_wire_end_by_socket(wire, GUARD_REDIS_CONNECTION);
    }
}

guard_redis_cause_e guard_redis_wire_run(guard_redis_wire_t *wire,
                                         guard_redis_exchange_t *exchange,
                                         const char *doing)
{
    size_t got;
    guard_redis_cause_e cause =
        guard_redis_socket_begin(&wire->socket, doing, exchange->deadline_usec);

    if (cause != GUARD_REDIS_FINE) {
        return guard_redis_wire_end_by_socket(wire, cause);
    }
    while (exchange->answered < exchange->count) {
        cause = push(wire, exchange);
        if (cause != GUARD_REDIS_FINE) {
            return cause;
        }
        cause = guard_redis_socket_wait(&wire->socket,
                                        wire->out_sent < wire->out_length,
                                        exchange->deadline_usec);
        if (cause != GUARD_REDIS_FINE) {
            return guard_redis_wire_end_by_socket(wire, cause);
        }
        cause = guard_redis_wire_pull(wire, exchange, &got);
        if (cause != GUARD_REDIS_FINE) {
            return cause;
        }
    }
    if (wire->out_sent < wire->out_length ||
        exchange->written < exchange->count) {
        return guard_redis_wire_end(wire, GUARD_REDIS_REPLY,
                                    "a reply came before its command was sent");
    }
    wipe_out(wire);
    return GUARD_REDIS_FINE;
}
