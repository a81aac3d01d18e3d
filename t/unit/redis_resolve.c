/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_resolve.c: where the server's name leads. The parent begins a look-up
 * and never waits for it, even if it takes for ever; and no process of it is
 * left, whoever waits for children.
 */
#include "guard_store_redis_resolve.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_thread_proc.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEC ((uint64_t)apr_time_from_sec(1))
#define NOW (1000000 * SEC)
#define LOOKS_MAX 6000 /* of 10 ms: a process of ours comes so far at last */

/* What the tests' look-up does; it is all the processes'. */
static struct {
    _Atomic int begun, answer; /* the number to find, 0: fails */
    _Atomic int waits;         /* 1: it takes until this is 0 */
} * world;

static guard_redis_board_t *board;
static apr_pool_t *pool;

/* The number stands in one address. */
static void fill(guard_redis_found_t *found, int number)
{
    struct sockaddr_in *in = (void *)&found->address[0].addr;

    memset(found, 0, sizeof(*found));
    found->count = 1;
    found->address[0].length = sizeof(*in);
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl((uint32_t)number);
}

/* @return the number that was found, 0: none was */
static int read_board(void)
{
    guard_redis_found_t found;
    const struct sockaddr_in *in = (const void *)&found.address[0].addr;

    guard_redis_board_read(board, &found);
    return found.count ? (int)ntohl(in->sin_addr.s_addr) : 0;
}

static apr_status_t look_up(guard_redis_found_t *found, const char *host,
                            apr_port_t port)
{
    int looks = 0;

    if (strcmp(host, "redis.example") || port != 6379) {
        return APR_EINVAL;
    }
    world->begun++;
    while (world->waits && looks++ < LOOKS_MAX) {
        usleep(10000);
    }
    fill(found, world->answer);
    return world->answer ? APR_SUCCESS : APR_EGENERAL;
}

static guard_redis_resolver_t *open_at(const char *host, apr_status_t *rv)
{
    static guard_redis_target_t target;

    memset(board, 0, sizeof(*board));
    world->begun = world->waits = 0;
    apr_pool_create(&pool, NULL);
    target.host = host;
    target.path = host ? NULL : "/run/redis";
    target.port = 6379;
    return guard_redis_resolve_open(board, &target, look_up, NOW, rv, pool);
}

static int no_child_is_left(void)
{
    return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

static int comes_to(int number)
{
    for (int i = 0; i < LOOKS_MAX && read_board() != number; i++) {
        usleep(10000);
    }
    return read_board() == number;
}

/* @return 1 if the look-up's process is over at last; it is not waited for */
static int ends(void)
{
    siginfo_t info;

    for (int i = 0; i < LOOKS_MAX; i++) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG) ||
            info.si_pid) {
            return 1;
        }
        usleep(10000);
    }
    return 0;
}

/* ---- when ---- */

static void need_none(void)
{
    apr_status_t rv;
    guard_redis_found_t found;
    guard_redis_resolver_t *resolver = open_at(NULL, &rv);

    ok(!rv && !read_board(), "a unix socket has no address");
    ok(!guard_redis_resolve_again(resolver, 1, NOW + 900 * SEC), "and no name");
    apr_pool_destroy(pool);
    resolver = open_at("127.0.0.1", &rv);
    guard_redis_board_read(board, &found);
    ok(!rv && found.count == 1 && found.address[0].addr.ss_family == AF_INET &&
           ((struct sockaddr_in *)(void *)&found.address[0].addr)->sin_port ==
               htons(6379),
       "an address in figures");
    ok(!guard_redis_resolve_again(resolver, 1, NOW + 900 * SEC) &&
           !world->begun,
       "  is never looked up");
    apr_pool_destroy(pool);
    open_at("::1", &rv);
    guard_redis_board_read(board, &found);
    ok(!rv && found.address[0].addr.ss_family == AF_INET6, "one of IPv6");
    apr_pool_destroy(pool);
}

static int again(guard_redis_resolver_t *resolver, int is_open, int after_sec)
{
    return guard_redis_resolve_again(resolver, is_open,
                                     NOW + (uint64_t)after_sec * SEC);
}

static void keep_time(void)
{
    apr_status_t rv;
    guard_redis_resolver_t *resolver;

    world->answer = 1;
    resolver = open_at("redis.example", &rv);
    ok(!rv && world->begun == 1 && read_board() == 1, "looked up at first");
    world->answer = 2;
    is(again(resolver, 0, 59), 0, "not again within a minute");
    is(again(resolver, 1, 9), 0, "nor in 10 s while the breaker is open");
    is(again(resolver, 0, 60), 1, "after a minute");
    ok(comes_to(2) && ends(), "  it leads elsewhere now");
    world->answer = 3;
    is(again(resolver, 1, 69), 0, "from then on, too");
    is(again(resolver, 1, 70), 1, "in 10 s while the breaker is open");
    ok(comes_to(3) && ends(), "  it leads elsewhere now");
    world->answer = 0;
    is(again(resolver, 0, 130), 1, "a look-up that fails");
    ok(ends() && read_board() == 3, "  changes nothing");
    is(again(resolver, 0, 139), 0, "  and is not hurried");
    ok(no_child_is_left(), "no process is left");
    apr_pool_destroy(pool);
    resolver = open_at("redis.example", &rv);
    ok(rv && !read_board(), "one that fails at first is told");
    world->answer = 4;
    is(again(resolver, 0, 9), 0, "then it is tried again");
    is(again(resolver, 0, 10), 1, "  soon");
    ok(comes_to(4) && ends(), "  and found");
    apr_pool_destroy(pool);
    ok(no_child_is_left(), "no process is left after the pool");
}

/* ---- one that takes for ever ---- */

static guard_redis_resolver_t *begin_slow(void)
{
    apr_status_t rv;
    guard_redis_resolver_t *resolver;

    world->answer = 5;
    resolver = open_at("redis.example", &rv);
    world->waits = 1;
    world->answer = 6;
    return again(resolver, 0, 60) ? resolver : NULL;
}

static int has_begun(int times)
{
    for (int i = 0; i < LOOKS_MAX && world->begun < times; i++) {
        usleep(10000);
    }
    return world->begun == times;
}

static void be_slow(void)
{
    guard_redis_resolver_t *resolver = begin_slow();

    ok(resolver && has_begun(2), "a slow look-up: the parent goes on");
    is(read_board(), 5, "  with what was found before");
    is(again(resolver, 1, 90), 0, "no second one beside it");
    is(world->begun, 2, "  it is as it was");
    world->waits = 0;
    ok(comes_to(6) && ends(), "  and comes to an end");
    is(again(resolver, 0, 91), 0, "that is noticed");
    ok(no_child_is_left(), "  no process is left");
    apr_pool_destroy(pool);

    resolver = begin_slow();
    ok(has_begun(2), "another one");
    is(again(resolver, 0, 60 + GUARD_REDIS_RESOLVE_SEC_MAX + 1), 0,
       "too slow: it is ended");
    ok(ends(), "  and is over");
    is(again(resolver, 0, 120), 1, "the next one is begun");
    world->waits = 0;
    ok(comes_to(6) && ends(), "  and finds");
    apr_pool_destroy(pool);
    ok(no_child_is_left(), "no process is left");

    begin_slow();
    ok(has_begun(2), "one that is at it as the pool ends");
    apr_pool_destroy(pool);
    ok(no_child_is_left() && read_board() == 5, "  ends with it");
}

/* httpd waits for any child of its own. */
static void wait_as_httpd(void)
{
    guard_redis_resolver_t *resolver = begin_slow();
    apr_proc_t process = {0};
    int status;

    world->waits = 0;
    process.pid = waitpid(-1, &status, 0);
    is(apr_proc_other_child_alert(&process, APR_OC_REASON_DEATH, status),
       APR_SUCCESS, "httpd is told whose child it was");
    is(apr_proc_other_child_alert(&process, APR_OC_REASON_DEATH, status),
       APR_EPROC_UNKNOWN, "  once");
    is(read_board(), 6, "  that had found its address");
    is(again(resolver, 0, 120), 1, "the next one is begun");
    ok(ends(), "  and ends");
    apr_pool_destroy(pool);
    is(apr_proc_other_child_alert(&process, APR_OC_REASON_DEATH, status),
       APR_EPROC_UNKNOWN, "the pool has ended: nobody is told");
}

/* A child that httpd forks beside a look-up ends its copy of the pool. */
static void end_in_child(void)
{
    guard_redis_resolver_t *resolver = begin_slow();
    pid_t pid;

    ok(has_begun(2), "one that is at it");
    pid = fork();
    if (!pid) {
        apr_pool_destroy(pool);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    world->waits = 0;
    ok(comes_to(6), "goes on, though a child ends its copy of the pool");
    ok(ends() && !again(resolver, 0, 61) && no_child_is_left(), "  and ends");
    apr_pool_destroy(pool);
}

static void ignore(int number) { (void)number; }

/* In a process of its own: begin one, and end without a word, or end it by
 * a signal that its parent has a handler for. */
static void leave(int by_signal)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGTERM, ignore);
    if (!begin_slow() || !has_begun(2)) {
        _exit(1);
    }
    if (by_signal) {
        kill(0, SIGTERM);
        _exit(ends() ? 0 : 1);
    }
    _exit(0);
}

/* @return 1 if it and what it has begun are over: nobody has the pipe open */
static int is_over(int by_signal)
{
    int end[2], status = -1;
    char byte;
    pid_t pid;

    if (pipe(end)) {
        return 0;
    }
    fflush(stdout);
    pid = fork();
    if (!pid) {
        setpgid(0, 0);
        close(end[0]);
        leave(by_signal);
    }
    close(end[1]);
    waitpid(pid, &status, 0);
    alarm(LOOKS_MAX / 100);
    status |= read(end[0], &byte, 1) != 0;
    alarm(0);
    close(end[0]);
    return !status;
}

int main(void)
{
    apr_initialize();
    world = mmap(NULL, 4096 + sizeof(*board), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (world == MAP_FAILED) {
        printf("Bail out! no memory\n");
        return 1;
    }
    board = (void *)((char *)world + 4096);
    need_none();
    keep_time();
    be_slow();
    wait_as_httpd();
    end_in_child();
    ok(is_over(0), "a parent that has gone: its look-up, too");
    ok(is_over(1), "the parent's handlers are not the look-up's");
    return tap_done();
}
