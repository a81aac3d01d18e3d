/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * redis_fake.h: a server that misbehaves, in a process of its own, and what is
 * seen of it through a wire.
 */
#ifndef REDIS_FAKE_H
#define REDIS_FAKE_H

#include "guard_store.h"
#include "guard_store_redis_wire.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FAKE_DEADLINE_USEC 80000 /* of one operation */
#define FAKE_LATE_USEC 50000     /* later than that nobody is held */
#define FAKE_TRIES 8             /* where the machine itself was late */

/** What it does with one connection; then it closes. */
typedef void fake_act_fn(int fd, const char *text);

typedef struct fake_t {
    pid_t pid;
    int listener;
    guard_redis_address_t address;
} fake_t;

static apr_pool_t *fake_pool;

static inline void fake_must(int holds, const char *what)
{
    if (!holds) {
        printf("Bail out! fixture: %s\n", what);
        exit(1);
    }
}

/** A port of 127.0.0.1 that nobody accepts at. */
static inline fake_t fake_listen(int backlog)
{
    fake_t fake = {.address = {.length = sizeof(struct sockaddr_in)}};
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};

    fake.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fake_must(!bind(fake.listener, (struct sockaddr *)&addr, sizeof(addr)) &&
                  !listen(fake.listener, backlog) &&
                  !getsockname(fake.listener,
                               (struct sockaddr *)&fake.address.addr,
                               &fake.address.length),
              "a port");
    return fake;
}

/** Do act with each connection, one by one. */
static inline fake_t fake_start(fake_act_fn *act, const char *text)
{
    fake_t fake = fake_listen(64);

    fflush(stdout);
    fake.pid = fork();
    fake_must(fake.pid >= 0, "a process");
    if (!fake.pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        for (;;) {
            int fd = accept(fake.listener, NULL, NULL);

            act(fd, text);
            close(fd);
        }
    }
    return fake;
}

static inline void fake_stop(fake_t *fake)
{
    if (fake->pid) {
        kill(fake->pid, SIGKILL);
        waitpid(fake->pid, NULL, 0);
    }
    close(fake->listener);
}

static inline void fake_pause(long msec)
{
    struct timespec pause = {.tv_sec = msec / 1000,
                             .tv_nsec = msec % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

static inline void fake_say(int fd, const char *text)
{
    size_t length = strlen(text), at = 0;

    while (at < length) {
        ssize_t put = write(fd, text + at, length - at);

        if (put <= 0) {
            return;
        }
        at += (size_t)put;
    }
}

/** Wait for a command, or a part of one. @return 0: it was closed */
static inline int fake_hear(int fd)
{
    char buf[65536];

    return read(fd, buf, sizeof(buf)) > 0;
}

/* ---- what comes of it ---- */

/** Replies as text: +OK, -ERR ..., 1, 'text', nil, or a count in []. */
static char fake_heard[1024];

static inline void fake_note(void *baton, unsigned index,
                             const guard_redis_reply_t *reply)
{
    size_t used = strlen(fake_heard);
    char text[200];

    (void)baton, (void)index;
    switch (reply->kind) {
    case GUARD_REDIS_NIL:
        strcpy(text, "nil");
        break;
    case GUARD_REDIS_INTEGER:
        snprintf(text, sizeof(text), "%lld", reply->integer);
        break;
    case GUARD_REDIS_ARRAY:
        snprintf(text, sizeof(text), "[%u]", reply->count);
        break;
    default:
        snprintf(text, sizeof(text), "%s%.150s",
                 reply->kind == GUARD_REDIS_STATUS  ? "+"
                 : reply->kind == GUARD_REDIS_ERROR ? "-"
                                                    : "",
                 reply->text);
    }
    snprintf(fake_heard + used, sizeof(fake_heard) - used, "%s%s",
             used ? " " : "", text);
}

/** A command in words with blanks between them. */
typedef struct fake_command_t {
    guard_redis_command_t command;
    const char *argv[16];
    size_t length[16];
} fake_command_t;

static inline fake_command_t *fake_command(const char *text)
{
    fake_command_t *made = apr_pcalloc(fake_pool, sizeof(*made));
    char *last, *rest = apr_pstrdup(fake_pool, text);

    for (char *word = apr_strtok(rest, " ", &last);
         word && made->command.argc < 16; word = apr_strtok(NULL, " ", &last)) {
        made->argv[made->command.argc] = word;
        made->length[made->command.argc++] = strlen(word);
    }
    made->command.argv = made->argv;
    made->command.length = made->length;
    return made;
}

/** Ask one command. */
static inline guard_redis_cause_e
fake_ask(guard_redis_wire_t *wire, const char *text, uint64_t deadline_usec)
{
    *fake_heard = '\0';
    return guard_redis_wire_ask(wire, &fake_command(text)->command, 1,
                                deadline_usec, fake_note, NULL);
}

static inline uint64_t fake_soon(void)
{
    return guard_store_clock() + FAKE_DEADLINE_USEC;
}

/** Long enough for any machine. */
static inline uint64_t fake_later(void)
{
    return guard_store_clock() + 20 * (uint64_t)APR_USEC_PER_SEC;
}

static inline guard_redis_wire_t *fake_wire(const guard_redis_target_t *target)
{
    guard_redis_wire_t *wire = NULL;

    fake_must(guard_redis_wire_create(&wire, target, fake_pool) == APR_SUCCESS,
              "a wire");
    return wire;
}

/** Connect and ask. @return what came of it; *late_usec: how long after the
 *  deadline */
static inline guard_redis_cause_e fake_try(guard_redis_wire_t *wire,
                                           const guard_redis_address_t *address,
                                           long long *late_usec)
{
    uint64_t deadline_usec = fake_soon();
    guard_redis_cause_e cause =
        guard_redis_wire_connect(wire, address, 1, deadline_usec);

    if (cause == GUARD_REDIS_FINE) {
        cause = fake_ask(wire, "PING", deadline_usec);
    }
    *late_usec = (long long)(guard_store_clock() - deadline_usec);
    return cause;
}

/** See cause, a trouble with this in it (NULL: none), and an end in time. Tried
 *  again where the machine was late: then nothing was asked in time. */
static inline void fake_must_come_to(guard_redis_wire_t *wire,
                                     const guard_redis_address_t *address,
                                     guard_redis_cause_e cause,
                                     const char *trouble, const char *name)
{
    guard_redis_cause_e got = GUARD_REDIS_CAUSES;
    long long late_usec = FAKE_LATE_USEC;

    for (unsigned i = 0;
         i < FAKE_TRIES && (got != cause || late_usec >= FAKE_LATE_USEC); i++) {
        guard_redis_wire_close(wire);
        got = fake_try(wire, address, &late_usec);
    }
    is_str(guard_redis_cause_name(got), guard_redis_cause_name(cause), name);
    ok(late_usec < FAKE_LATE_USEC, "  in time: %lld ms beyond the deadline",
       late_usec / 1000);
    ok(trouble ? strstr(guard_redis_wire_trouble(wire), trouble) != NULL
               : !*guard_redis_wire_trouble(wire),
       "  trouble: %s", guard_redis_wire_trouble(wire));
    is(guard_redis_wire_is_open(wire), cause == GUARD_REDIS_FINE,
       "  open only if all is well");
}

#endif
