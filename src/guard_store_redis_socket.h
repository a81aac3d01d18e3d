/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_socket.h: bytes to and from a server, plain or by TLS.
 *
 * Only guard_redis_socket_wait waits, and never beyond the deadline: an
 * absolute time of guard_store_clock(), in microseconds.
 */
#ifndef GUARD_STORE_REDIS_SOCKET_H
#define GUARD_STORE_REDIS_SOCKET_H

#include "guard_store_redis_tls.h"

typedef struct guard_redis_socket_t {
    int fd;                         /* -1: none */
    guard_redis_session_t *session; /* NULL: plain */
    guard_redis_io_e to_read;       /* what the last read, and the last */
    guard_redis_io_e to_write;      /* write, came to */
    int is_over;                    /* the deadline was over at the last wait */
    const char *doing;              /* for the trouble: "connecting" */
    char why[160]; /* what failed, as the system or OpenSSL says; or "" */
} guard_redis_socket_t;

/**
 * Begin something that ends with the deadline.
 * @param doing for the trouble, as in "connecting"
 * @return FINE, or TIMEOUT where it is over before it began
 */
guard_redis_cause_e guard_redis_socket_begin(guard_redis_socket_t *sock,
                                             const char *doing,
                                             uint64_t deadline_usec);

/**
 * Connect, and shake hands where target has TLS.
 * @param address of the host; NULL: target->path
 * @return FINE, TIMEOUT or CONNECTION
 */
guard_redis_cause_e guard_redis_socket_open(
    guard_redis_socket_t *sock, const guard_redis_target_t *target,
    const guard_redis_address_t *address, uint64_t deadline_usec);

/** Read some bytes, without waiting. DONE: *got of them, at least 1. */
guard_redis_io_e guard_redis_socket_read(guard_redis_socket_t *sock, char *buf,
                                         size_t size, size_t *got);

/** Write some bytes, without waiting. DONE: *put of them, at least 1. */
guard_redis_io_e guard_redis_socket_write(guard_redis_socket_t *sock,
                                          const char *buf, size_t length,
                                          size_t *put);

/**
 * Wait until reading, or with has_output writing, may go on. What is there
 * when the deadline is over is still taken, once: a process that had no
 * processor for a while is not a server that did not answer.
 * @return FINE, or TIMEOUT
 */
guard_redis_cause_e guard_redis_socket_wait(guard_redis_socket_t *sock,
                                            int has_output,
                                            uint64_t deadline_usec);

/** Close it, if it is open. */
void guard_redis_socket_close(guard_redis_socket_t *sock);

#endif
