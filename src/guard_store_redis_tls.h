/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_tls.h: TLS over a socket of the caller's, by OpenSSL.
 *
 * The server's certificate is always verified, against the system's CAs or
 * those of a file, and so is the name or the address that it is for. TLS 1.2
 * is the least. No call waits. Built where OpenSSL's headers are not, or with
 * GUARD_REDIS_TLS as 0, there is no TLS, and preparing says so.
 *
 * One guard_redis_tls_t serves all threads; a session belongs to one at a
 * time. OpenSSL's queue of errors is left empty.
 */
#ifndef GUARD_STORE_REDIS_TLS_H
#define GUARD_STORE_REDIS_TLS_H

#include "guard_store_redis_wire.h"

#if !defined(GUARD_REDIS_TLS) && __has_include(<openssl/ssl.h>)
#define GUARD_REDIS_TLS 1
#endif

/** How far a call came that does not wait. */
typedef enum {
    GUARD_REDIS_IO_DONE = 1,
    GUARD_REDIS_IO_READ,   /* wait until the socket can be read */
    GUARD_REDIS_IO_WRITE,  /* ... can be written */
    GUARD_REDIS_IO_CLOSED, /* the other side has ended it */
    GUARD_REDIS_IO_FAILED
} guard_redis_io_e;

typedef struct guard_redis_tls_t guard_redis_tls_t;
typedef struct guard_redis_session_t guard_redis_session_t;

/** Read target's CAs and certificate. @return NULL, or what is wrong, in
 *  pool, with which *out ends. */
const char *guard_redis_tls_prepare(guard_redis_tls_t **out,
                                    const guard_redis_target_t *target,
                                    apr_pool_t *pool);

/** Begin a session over a connected socket. @return NULL: no memory */
guard_redis_session_t *guard_redis_session_begin(const guard_redis_tls_t *tls,
                                                 int fd);

/** Go on with the handshake; call until DONE. @param why after FAILED: what is
 *  wrong with it, in words of OpenSSL's */
guard_redis_io_e guard_redis_session_shake(guard_redis_session_t *session,
                                           char *why, size_t size);

/** Read some bytes. DONE: *got of them, at least 1. */
guard_redis_io_e guard_redis_session_read(guard_redis_session_t *session,
                                          char *buf, size_t size, size_t *got);

/** Write some bytes. DONE: *put of them, at least 1. */
guard_redis_io_e guard_redis_session_write(guard_redis_session_t *session,
                                           const char *buf, size_t length,
                                           size_t *put);

/** @return 1 if bytes can be read without the socket, else 0. */
int guard_redis_session_has_more(const guard_redis_session_t *session);

/** End it; the socket stays. NULL is allowed. */
void guard_redis_session_end(guard_redis_session_t *session);

#endif
