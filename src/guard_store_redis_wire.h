/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_store_redis_wire.h: one connection to a Redis server.
 *
 * Every call that can wait has one absolute deadline (guard_store_clock(), in
 * microseconds) for all it does, however slowly the server's bytes come. After
 * anything but GUARD_REDIS_FINE the connection is closed, and connect() makes
 * a new one.
 *
 * The way of one operation, on a wire of a pool:
 *
 *     cause = guard_redis_wire_connect(wire, addresses, count, deadline);
 *     is_new = guard_redis_wire_is_fresh(wire);
 *     cause = guard_redis_wire_ask(wire, commands, n, deadline, each, baton);
 *
 * CONNECTION from ask() where the wire was not fresh may mean no more than
 * that the server closed an idle connection in that moment.
 *
 * A wire belongs to one thread at a time. Only guard_redis_target_prepare
 * looks names up, and only it and create() take memory from a pool.
 */
#ifndef GUARD_STORE_REDIS_WIRE_H
#define GUARD_STORE_REDIS_WIRE_H

#include "guard_store_redis_reply.h"

#include <apr_network_io.h>
#include <stdint.h>
#include <sys/socket.h>

struct guard_redis_tls_t;

/** A server, and who we are to it. guard_redis_options_read fills it. */
typedef struct guard_redis_target_t {
    const char *path;      /* [config] of a unix socket; NULL: host and port */
    const char *host;      /* [config] a name or an address, no brackets */
    apr_port_t port;       /* [config] */
    int is_tls;            /* [config] */
    const char *user;      /* [config] NULL: AUTH with the password alone */
    const char *password;  /* [config] NULL: no AUTH */
    unsigned database;     /* [config] */
    const char *ca_file;   /* [config] NULL: the system's CAs */
    const char *cert_file; /* [config] NULL: no certificate of ours */
    const char *key_file;  /* [config] */
    const char *label; /* [config] the URL as people may see it: no password,
                          printable ASCII without a space */
    struct guard_redis_tls_t *tls; /* [fork] guard_redis_target_prepare's */
} guard_redis_target_t;

/** Where a host's name leads. */
typedef struct guard_redis_address_t {
    struct sockaddr_storage addr;
    socklen_t length;
} guard_redis_address_t;

/** How an operation ended, and the label of authguard_store_fallback_total. */
typedef enum {
    GUARD_REDIS_FINE = 0,
    GUARD_REDIS_TIMEOUT,    /* the deadline */
    GUARD_REDIS_CONNECTION, /* refused, reset, closed, no certificate of his */
    GUARD_REDIS_REPLY,      /* no reply of Redis's, or one that refuses us */
    GUARD_REDIS_BREAKER,    /* never from a wire: it was not asked */
    GUARD_REDIS_CAUSES
} guard_redis_cause_e;

/** @return "fine", "timeout", "connection", "reply", "breaker", or "?". */
const char *guard_redis_cause_name(guard_redis_cause_e cause);

/** Words on their way to the server. */
typedef struct guard_redis_command_t {
    unsigned argc;
    const char *const *argv;
    const size_t *length; /* of each word */
} guard_redis_command_t;

/**
 * Look at one reply; it and all it points to end with the call. An error reply
 * is a reply. Call nothing of the wire's from here but guard_redis_wire_blame.
 * @param index which command it answers; in poll(), 0, 1, ...
 */
typedef void guard_redis_each_fn(void *baton, unsigned index,
                                 const guard_redis_reply_t *reply);

/** Room for a trouble and its NUL. */
#define GUARD_REDIS_TROUBLE_MAX 200

typedef struct guard_redis_wire_t guard_redis_wire_t;

/**
 * Once, in the parent, before any wire is made for target: read what TLS
 * needs. Does nothing for a target without TLS.
 * @return NULL, or what is wrong, in pool
 */
const char *guard_redis_target_prepare(guard_redis_target_t *target,
                                       apr_pool_t *pool);

/**
 * Make a wire, unconnected, without any I/O; it ends with pool. target must
 * last as long.
 * @return APR_SUCCESS, APR_ENOMEM, or APR_EINIT for TLS that is not prepared
 */
apr_status_t guard_redis_wire_create(guard_redis_wire_t **out,
                                     const guard_redis_target_t *target,
                                     apr_pool_t *pool);

/**
 * Be connected: if it is not, or if the server has closed it meanwhile,
 * connect, TLS, AUTH, SELECT.
 * @param addresses of the host, tried in turn, the one that answered last
 * first, each with an equal share of the time that is left; ignored for a unix
 * socket
 * @return REPLY if the server refuses AUTH or SELECT, or has spoken unasked
 */
guard_redis_cause_e
guard_redis_wire_connect(guard_redis_wire_t *wire,
                         const guard_redis_address_t *addresses, unsigned count,
                         uint64_t deadline_usec);

/**
 * Send commands in one write, as far as one takes them, and give each reply to
 * each() as it comes. The wire must be open. Replies that came before a
 * failure were given.
 */
guard_redis_cause_e guard_redis_wire_ask(guard_redis_wire_t *wire,
                                         const guard_redis_command_t *commands,
                                         unsigned count, uint64_t deadline_usec,
                                         guard_redis_each_fn *each,
                                         void *baton);

/**
 * Subscribe an open wire to a channel. From then on it only listens: poll()
 * reads what comes, and connect() says FINE as long as it is open.
 */
guard_redis_cause_e guard_redis_wire_listen(guard_redis_wire_t *wire,
                                            const char *channel,
                                            uint64_t deadline_usec);

/**
 * Read what has come of a subscription; never waits. A call ends after some
 * 64 kB, and the next goes on.
 * @return FINE if the connection stands; CONNECTION if not, or never did
 */
guard_redis_cause_e guard_redis_wire_poll(guard_redis_wire_t *wire,
                                          guard_redis_each_fn *each,
                                          void *baton);

/** @return 1 if it is open, as far as known, else 0. */
int guard_redis_wire_is_open(const guard_redis_wire_t *wire);

/** @return 1 if it is open and nothing was asked yet, else 0. */
int guard_redis_wire_is_fresh(const guard_redis_wire_t *wire);

/**
 * @return what went wrong last, printable ASCII, anything else in it as %XX;
 * never a password; "" if nothing did. Valid until the wire is used again.
 */
const char *guard_redis_wire_trouble(const guard_redis_wire_t *wire);

/** Make an error reply the trouble: "READONLY You can't write against a
 *  read only replica.". Any other reply: "unexpected reply". The connection
 *  stays as it is. */
void guard_redis_wire_blame(guard_redis_wire_t *wire,
                            const guard_redis_reply_t *reply);

/** Close it at once; the trouble stays. */
void guard_redis_wire_close(guard_redis_wire_t *wire);

#endif
