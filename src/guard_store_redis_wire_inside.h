/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_wire_inside.h: the inside of a wire, for the two files
 * that make it.
 */
#ifndef GUARD_STORE_REDIS_WIRE_INSIDE_H
#define GUARD_STORE_REDIS_WIRE_INSIDE_H

#include "guard_store_redis_socket.h"

typedef enum {
    GUARD_REDIS_WIRE_CLOSED = 0,
    GUARD_REDIS_WIRE_FRESH, /* nothing was asked yet */
    GUARD_REDIS_WIRE_USED,
    GUARD_REDIS_WIRE_LISTENS
} guard_redis_wire_state_e;

struct guard_redis_wire_t {
    const guard_redis_target_t *target;
    guard_redis_socket_t socket;
    guard_redis_reader_t *reader;
    guard_redis_wire_state_e state;
    unsigned next_address; /* to begin with, modulo their number */
    char *out;             /* commands as the server reads them */
    size_t out_size, out_length, out_sent;
    char trouble[GUARD_REDIS_TROUBLE_MAX];
};

/** Commands on their way, and what has come of them. */
typedef struct guard_redis_exchange_t {
    const guard_redis_command_t *commands;
    unsigned count, written, answered;
    uint64_t deadline_usec;
    guard_redis_each_fn *each;
    void *baton;
} guard_redis_exchange_t;

/**
 * Send the commands and hand on their replies, all before the deadline.
 * @param doing for the trouble, as in "waiting for a reply"
 * @return as guard_redis_wire_ask, and closed unless FINE. What came behind
 * the last reply is still in the reader.
 */
guard_redis_cause_e guard_redis_wire_run(guard_redis_wire_t *wire,
                                         guard_redis_exchange_t *exchange,
                                         const char *doing);

/** Hand on the replies that were read already. */
guard_redis_cause_e guard_redis_wire_hand_on(guard_redis_wire_t *wire,
                                             guard_redis_exchange_t *exchange);

/** Read what is there and hand it on, without waiting.
 *  @param got set to the number of bytes; 0: nothing was there */
guard_redis_cause_e guard_redis_wire_pull(guard_redis_wire_t *wire,
                                          guard_redis_exchange_t *exchange,
                                          size_t *got);

/** Look whether the server has said something unasked, or closed.
 *  @return FINE if there was nothing, and it stands; REPLY if something was
 *  said; CONNECTION if it is closed. It is open after FINE alone */
guard_redis_cause_e guard_redis_wire_overhear(guard_redis_wire_t *wire);

/** Close with a trouble. @return cause */
guard_redis_cause_e guard_redis_wire_end(guard_redis_wire_t *wire,
                                         guard_redis_cause_e cause,
                                         const char *trouble);

/** Close; the socket knows why. @return cause */
guard_redis_cause_e guard_redis_wire_end_by_socket(guard_redis_wire_t *wire,
                                                   guard_redis_cause_e cause);

#endif
