/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_socket.c owns a socket and every wait for it. It refuses
 * to know what the bytes mean, and names: it is given addresses.
 *
 * Invariant: each wait ends with the deadline, which is absolute, so that a
 * server that sends a byte now and then gains nothing by it.
 */
#include "guard_store_redis_socket.h"
#include "guard_store.h"

#include <apr_strings.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG_PAUSE_USEC 1000 /* between tries at a full unix socket */
/* A server that vanished is noticed on an idle connection, too. */
#define KEEPALIVE_IDLE_SEC 10
#define KEEPALIVE_EACH_SEC 5
#define KEEPALIVE_COUNT 3

static guard_redis_cause_e fail(guard_redis_socket_t *sock, int error)
{
    apr_strerror(error, sock->why, sizeof(sock->why));
    return GUARD_REDIS_CONNECTION;
}

static int is_later(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK;
}

static int events_of(guard_redis_io_e io, int usual)
{
    return io == GUARD_REDIS_IO_READ    ? POLLIN
           : io == GUARD_REDIS_IO_WRITE ? POLLOUT
                                        : usual;
}

/* @return 1 if something happened to the socket, 0 if nothing did in time. */
static int poll_until(guard_redis_socket_t *sock, int events,
                      uint64_t deadline_usec)
{
    struct pollfd polled = {.fd = sock->fd, .events = (short)events};
    int count;

    do {
        uint64_t now_usec = guard_store_clock();
        uint64_t left_usec =
            now_usec < deadline_usec ? deadline_usec - now_usec : 0;
        struct timespec left = {
            .tv_sec = (time_t)(left_usec / APR_USEC_PER_SEC),
            .tv_nsec = (long)(left_usec % APR_USEC_PER_SEC) * 1000};

        sock->is_over = !left_usec;
        count = ppoll(&polled, 1, &left, NULL);
    } while (count < 0 && errno == EINTR);
    return count != 0; /* an error shows itself at the next read or write */
}

guard_redis_cause_e guard_redis_socket_begin(guard_redis_socket_t *sock,
                                             const char *doing,
                                             uint64_t deadline_usec)
{
    sock->doing = doing;
    sock->is_over = 0;
    sock->why[0] = '\0';
    return guard_store_clock() < deadline_usec ? GUARD_REDIS_FINE
                                               : GUARD_REDIS_TIMEOUT;
}

guard_redis_cause_e guard_redis_socket_wait(guard_redis_socket_t *sock,
                                            int has_output,
                                            uint64_t deadline_usec)
{
    int events = events_of(sock->to_read, POLLIN);

    if (sock->session && guard_redis_session_has_more(sock->session)) {
        return GUARD_REDIS_FINE;
    }
    if (sock->is_over) {
        return GUARD_REDIS_TIMEOUT;
    }
    if (has_output) {
        events |= events_of(sock->to_write, POLLOUT);
    }
    return poll_until(sock, events, deadline_usec) ? GUARD_REDIS_FINE
                                                   : GUARD_REDIS_TIMEOUT;
}

static int take_options(int fd)
{
    static const struct {
        int level, name, value;
    } option[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_SEC},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EACH_SEC},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT},
    };

    for (size_t i = 0; i < sizeof(option) / sizeof(option[0]); i++) {
        if (setsockopt(fd, option[i].level, option[i].name, &option[i].value,
                       sizeof(option[i].value))) {
            return -1;
        }
    }
    return 0;
}

/* A connection that is under way. */
static guard_redis_cause_e finish(guard_redis_socket_t *sock,
                                  uint64_t deadline_usec)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (!poll_until(sock, POLLOUT, deadline_usec)) {
        return GUARD_REDIS_TIMEOUT;
    }
    if (getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &size)) {
        error = errno;
    }
    return error ? fail(sock, error) : GUARD_REDIS_FINE;
}

/* A unix socket whose queue is full says so at once, and nothing tells when
 * it no longer is. */
static guard_redis_cause_e reach(guard_redis_socket_t *sock,
                                 const struct sockaddr *addr, socklen_t length,
                                 uint64_t deadline_usec)
{
    static const struct timespec PAUSE = {.tv_nsec = BACKLOG_PAUSE_USEC * 1000};

    while (connect(sock->fd, addr, length)) {
        if (errno == EINPROGRESS || errno == EINTR) {
            return finish(sock, deadline_usec);
        }
        if (!is_later(errno)) {
            return fail(sock, errno);
        }
        if (guard_store_clock() + BACKLOG_PAUSE_USEC >= deadline_usec) {
            return GUARD_REDIS_TIMEOUT;
        }
        nanosleep(&PAUSE, NULL);
    }
    return GUARD_REDIS_FINE;
}

static guard_redis_cause_e shake(guard_redis_socket_t *sock,
                                 const guard_redis_tls_t *tls,
                                 uint64_t deadline_usec)
{
    guard_redis_cause_e cause;

    cause = guard_redis_socket_begin(sock, "agreeing on TLS", deadline_usec);
    sock->session = guard_redis_session_begin(tls, sock->fd);
    if (!sock->session) {
        return fail(sock, ENOMEM);
    }
    while (cause == GUARD_REDIS_FINE) {
        sock->to_read = guard_redis_session_shake(sock->session, sock->why,
                                                  sizeof(sock->why));
        if (sock->to_read == GUARD_REDIS_IO_DONE) {
            return GUARD_REDIS_FINE;
        }
        if (sock->to_read >= GUARD_REDIS_IO_CLOSED) {
            return GUARD_REDIS_CONNECTION;
        }
        cause = guard_redis_socket_wait(sock, 0, deadline_usec);
    }
    return cause;
}

guard_redis_cause_e guard_redis_socket_open(
    guard_redis_socket_t *sock, const guard_redis_target_t *target,
    const guard_redis_address_t *address, uint64_t deadline_usec)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    guard_redis_address_t to = {.length = sizeof(local)};
    guard_redis_cause_e cause;

    cause = guard_redis_socket_begin(sock, "connecting", deadline_usec);
    if (cause != GUARD_REDIS_FINE) {
        return cause;
    }
    if (address) {
        to = *address;
    } else {
        apr_cpystrn(local.sun_path, target->path, sizeof(local.sun_path));
        memcpy(&to.addr, &local, sizeof(local));
    }
    sock->to_read = sock->to_write = 0;
    sock->fd = socket(to.addr.ss_family,
                      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (sock->fd < 0 || (address && take_options(sock->fd))) {
        return fail(sock, errno);
    }
    cause = reach(sock, (const struct sockaddr *)&to.addr, to.length,
                  deadline_usec);
    return cause == GUARD_REDIS_FINE && target->is_tls
               ? shake(sock, target->tls, deadline_usec)
               : cause;
}

void guard_redis_socket_close(guard_redis_socket_t *sock)
{
    if (sock->session) {
        guard_redis_session_end(sock->session);
        sock->session = NULL;
    }
    if (sock->fd >= 0) {
        close(sock->fd);
        sock->fd = -1;
    }
}

static guard_redis_io_e outcome(guard_redis_socket_t *sock, ssize_t count,
                                guard_redis_io_e later)
{
    if (count > 0) {
        return GUARD_REDIS_IO_DONE;
    }
    if (count < 0 && is_later(errno)) {
        return later;
    }
    if (count < 0) {
        fail(sock, errno);
        return GUARD_REDIS_IO_FAILED;
    }
    return GUARD_REDIS_IO_CLOSED;
}

/* What failed below TLS the system knows, if anybody does. */
static guard_redis_io_e session_outcome(guard_redis_socket_t *sock,
                                        guard_redis_io_e io)
{
    if (io == GUARD_REDIS_IO_FAILED) {
        apr_cpystrn(sock->why, "the TLS connection broke", sizeof(sock->why));
    }
    return io;
}

guard_redis_io_e guard_redis_socket_read(guard_redis_socket_t *sock, char *buf,
                                         size_t size, size_t *got)
{
    ssize_t count;

    if (sock->session) {
        sock->to_read = session_outcome(
            sock, guard_redis_session_read(sock->session, buf, size, got));
        return sock->to_read;
    }
    do {
        count = recv(sock->fd, buf, size, MSG_DONTWAIT);
    } while (count < 0 && errno == EINTR);
    sock->to_read = outcome(sock, count, GUARD_REDIS_IO_READ);
    *got = count > 0 ? (size_t)count : 0;
    return sock->to_read;
}

guard_redis_io_e guard_redis_socket_write(guard_redis_socket_t *sock,
                                          const char *buf, size_t length,
                                          size_t *put)
{
    ssize_t count;

    if (sock->session) {
        sock->to_write = session_outcome(
            sock, guard_redis_session_write(sock->session, buf, length, put));
        return sock->to_write;
    }
    do {
        count = send(sock->fd, buf, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    sock->to_write = outcome(sock, count, GUARD_REDIS_IO_WRITE);
    *put = count > 0 ? (size_t)count : 0;
    return sock->to_write;
}
