/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_reach.c: a server that can't be reached: nobody there, nobody who
 * accepts, several addresses of which some are dead. Each gives its cause and
 * its trouble, in time.
 */
#include "redis_fake.h"

#include <sys/un.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static guard_redis_target_t target;

static void answer(int fd, const char *text)
{
    while (fake_hear(fd)) {
        fake_say(fd, text);
    }
}

static void nobody_there(void)
{
    fake_t fake = fake_listen(1);

    close(fake.listener);
    fake_must_come_to(fake_wire(&target), &fake.address, GUARD_REDIS_CONNECTION,
                      "Connection refused while connecting", "a closed port");
}

static void nobody_accepts(void)
{
    fake_t fake = fake_listen(0);
    int fd[8];

    for (size_t i = 0; i < COUNT(fd); i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(fd[i], (struct sockaddr *)&fake.address.addr,
                    fake.address.length)) {
            continue; /* under way, for ever */
        }
    }
    fake_must_come_to(fake_wire(&target), &fake.address, GUARD_REDIS_TIMEOUT,
                      "timeout while connecting", "a full backlog");
    for (size_t i = 0; i < COUNT(fd); i++) {
        close(fd[i]);
    }
    fake_stop(&fake);
}

static void nobody_accepts_at_a_path(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char dir[] = P_tmpdir "/guard-unit-XXXXXX";
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd[4];

    fake_must(mkdtemp(dir) != NULL, "a directory");
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", dir);
    target.path = addr.sun_path;
    fake_must_come_to(fake_wire(&target), NULL, GUARD_REDIS_CONNECTION,
                      "No such file or directory while connecting",
                      "no socket");
    fake_must(!bind(listener, (struct sockaddr *)&addr, sizeof(addr)) &&
                  !listen(listener, 0),
              "a socket");
    for (size_t i = 0; i < COUNT(fd); i++) {
        fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fd[i], (struct sockaddr *)&addr, sizeof(addr));
    }
    fake_must_come_to(fake_wire(&target), NULL, GUARD_REDIS_TIMEOUT,
                      "timeout while connecting", "a full backlog of a path");
    for (size_t i = 0; i < COUNT(fd); i++) {
        close(fd[i]);
    }
    close(listener);
    unlink(addr.sun_path);
    rmdir(dir);
    target.path = NULL;
}

static void several_addresses(void)
{
    fake_t fine = fake_start(answer, "+OK\r\n");
    fake_t dead = fake_listen(1), full = fake_listen(0);
    guard_redis_address_t address[3] = {dead.address, full.address,
                                        fine.address};
    guard_redis_wire_t *wire = fake_wire(&target);
    uint64_t begin_usec;
    int fd[8];

    close(dead.listener);
    for (size_t i = 0; i < COUNT(fd); i++) {
        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fd[i], (struct sockaddr *)&full.address.addr,
                       full.address.length);
    }
    is(guard_redis_wire_connect(wire, address, 3,
                                guard_store_clock() + 2000000),
       GUARD_REDIS_FINE, "the third of three addresses");
    is(fake_ask(wire, "PING", fake_later()), GUARD_REDIS_FINE, "  answers");
    guard_redis_wire_close(wire);
    begin_usec = guard_store_clock();
    is(guard_redis_wire_connect(wire, address, 3,
                                guard_store_clock() + 20000000),
       GUARD_REDIS_FINE, "and is the first to be tried");
    ok(guard_store_clock() - begin_usec < 5000000, "  at once");
    wire = fake_wire(&target);
    is(guard_redis_wire_connect(wire, NULL, 0, fake_later()),
       GUARD_REDIS_CONNECTION, "no address at all");
    is_str(guard_redis_wire_trouble(wire), "no address is known for the host",
           "  is the trouble");
    for (size_t i = 0; i < COUNT(fd); i++) {
        close(fd[i]);
    }
    fake_stop(&full);
    fake_stop(&fine);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&fake_pool, NULL);
    nobody_there();
    nobody_accepts();
    nobody_accepts_at_a_path();
    several_addresses();
    apr_pool_destroy(fake_pool);
    return tap_done();
}
