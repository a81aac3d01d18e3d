/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_pool.c: a child's connections. There are never more than allowed, and
 * who gets none is told soon; threads never share one; a forked process is
 * refused and has its own; none is left to a program that is executed; and one
 * that the server has closed meanwhile is connected anew.
 */
#include "guard_store_redis_pool.h"
#include "guard_store.h"
#include "redis_server.h"
#include "tap.h"

#include <apr_general.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define CONNECTIONS 3
#define THREADS 12
#define EACH 200
#define TIMEOUT_USEC apr_time_from_sec(20) /* for a busy machine */

static guard_redis_target_t target = {.path = redis_server_path};
static redisContext *admin;
static guard_redis_pool_t *pool;

/* @return how many sockets this process has; *leaked how many of them would
 *  live on in a program that it executes */
static int sockets_and(int *leaked)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    int count = 0;

    *leaked = 0;
    while (dir && (entry = readdir(dir))) {
        int fd = atoi(entry->d_name), type;
        socklen_t length = sizeof(type);

        if (entry->d_name[0] != '.' &&
            !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length)) {
            count++;
            *leaked += !(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        }
    }
    if (dir) {
        closedir(dir);
    }
    return count;
}

static guard_redis_pool_t *make(apr_interval_time_t timeout_usec)
{
    guard_redis_pool_t *made;

    if (guard_redis_pool_create(&made, &target, CONNECTIONS, timeout_usec) !=
        APR_SUCCESS) {
        printf("Bail out! no pool\n");
        exit(1);
    }
    return made;
}

static guard_redis_lease_t *take(guard_redis_pool_t *from)
{
    guard_redis_lease_t *lease;

    return guard_redis_pool_acquire(from, &lease) == APR_SUCCESS ? lease : NULL;
}

static void hear(void *baton, unsigned index, const guard_redis_reply_t *reply)
{
    (void)index;
    if (reply->kind == GUARD_REDIS_STRING) {
        *(long *)baton = atol(reply->text);
    }
}

/* @return 1 if the connection answers with the number it is given */
static int answers(guard_redis_lease_t *lease, long number)
{
    uint64_t deadline_usec = guard_store_clock() + TIMEOUT_USEC;
    char text[24];
    const char *argv[] = {"ECHO", text};
    size_t length[] = {4, (size_t)snprintf(text, sizeof text, "%ld", number)};
    guard_redis_command_t echo = {.argc = 2, .argv = argv, .length = length};
    long heard = -1;

    return guard_redis_wire_connect(lease->wire, NULL, 0, deadline_usec) ==
               GUARD_REDIS_FINE &&
           guard_redis_wire_ask(lease->wire, &echo, 1, deadline_usec, hear,
                                &heard) == GUARD_REDIS_FINE &&
           heard == number;
}

static int sockets(void)
{
    int leaked;

    return sockets_and(&leaked);
}

static void begin_empty(void)
{
    int before = sockets();
    guard_redis_lease_t *lease;

    pool = make(apr_time_from_msec(50));
    is(sockets(), before, "a new pool has no connection");
    lease = take(pool);
    ok(lease && !guard_redis_wire_is_open(lease->wire),
       "one that is taken is not connected");
    guard_redis_pool_release(pool, lease);
    is(sockets(), before, "still none");
    lease = take(pool);
    ok(answers(lease, 1), "connected, it answers");
    guard_redis_pool_release(pool, lease);
    lease = take(pool);
    ok(guard_redis_wire_is_open(lease->wire), "and is kept for the next");
    guard_redis_pool_release(pool, lease);
}

static void be_bounded(void)
{
    guard_redis_lease_t *lease[CONNECTIONS], *other;
    uint64_t start_usec, waited_usec;
    int answered = 0;

    for (int i = 0; i < CONNECTIONS; i++) {
        lease[i] = take(pool);
        answered += lease[i] && answers(lease[i], i);
    }
    is(answered, CONNECTIONS, "as many as are allowed");
    start_usec = guard_store_clock();
    is(guard_redis_pool_acquire(pool, &other), APR_TIMEUP, "and no more");
    waited_usec = guard_store_clock() - start_usec;
    ok(waited_usec >= 10000 && waited_usec < 10000000,
       "  told after a part of the timeout: %u us", (unsigned)waited_usec);
    guard_redis_pool_release(pool, lease[0]);
    other = take(pool);
    ok(other != NULL, "one that came back is taken");
    guard_redis_pool_release(pool, other);
    guard_redis_pool_release(pool, lease[1]);
    guard_redis_pool_release(pool, lease[2]);
}

/* ---- threads ---- */

static _Atomic int taken, taken_most, crossed, refused;

static void use(guard_redis_pool_t *from, long number)
{
    guard_redis_lease_t *lease = take(from);
    int now, most;

    if (!lease) {
        refused++;
        return;
    }
    now = ++taken;
    most = taken_most;
    while (now > most &&
           !atomic_compare_exchange_weak(&taken_most, &most, now)) {
    }
    crossed += !answers(lease, number);
    taken--;
    guard_redis_pool_release(from, lease);
}

typedef struct worker_t {
    guard_redis_pool_t *from;
    long number;
} worker_t;

static void *work(void *data)
{
    const worker_t *worker = data;

    for (long i = 0; i < EACH; i++) {
        use(worker->from, worker->number * EACH + i);
    }
    return NULL;
}

static void run_threads(void)
{
    guard_redis_pool_t *patient = make(4 * TIMEOUT_USEC);
    pthread_t thread[THREADS];
    worker_t worker[THREADS];
    int before = sockets();

    for (int i = 0; i < THREADS; i++) {
        worker[i].from = patient;
        worker[i].number = i;
        pthread_create(&thread[i], NULL, work, &worker[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
    }
    is(crossed, 0, "threads: each is answered what it asked");
    is(refused, 0, "  each gets a connection in time");
    ok(taken_most <= CONNECTIONS && taken_most > 1,
       "  at most %d were taken at once", taken_most);
    ok(sockets() - before <= CONNECTIONS, "  and no more are open");
    guard_redis_pool_destroy(patient);
    is(sockets(), before, "  none after the pool");
}

/* ---- processes ---- */

/* @return 0, or which of these things went wrong */
static int live_in_child(void)
{
    guard_redis_lease_t *lease;
    guard_redis_pool_t *own;

    if (guard_redis_pool_acquire(pool, &lease) != APR_EINVAL) {
        return 1;
    }
    own = make(TIMEOUT_USEC);
    lease = take(own);
    return !lease ? 2 : !answers(lease, 4711) ? 3 : 0;
}

static void fork_one(void)
{
    guard_redis_lease_t *lease = take(pool);
    int status = -1;
    pid_t pid;

    ok(answers(lease, 1), "before a fork");
    guard_redis_pool_release(pool, lease);
    fflush(stdout);
    pid = fork();
    if (!pid) {
        _exit(live_in_child());
    }
    waitpid(pid, &status, 0);
    is(status, 0, "a forked process is refused, and has a pool of its own");
    lease = take(pool);
    ok(guard_redis_wire_is_open(lease->wire) && answers(lease, 2),
       "and the parent's connection is as it was");
    guard_redis_pool_release(pool, lease);
}

/* hiredis leaves the test's own connection to whoever is executed. */
static void leave_nothing(void)
{
    guard_redis_lease_t *lease[CONNECTIONS];
    int before, leaked, answered = 0;

    guard_redis_pool_destroy(pool);
    pool = make(apr_time_from_msec(50));
    sockets_and(&before);
    for (int i = 0; i < CONNECTIONS; i++) {
        lease[i] = take(pool);
        answered += answers(lease[i], i);
    }
    is(answered, CONNECTIONS, "some new connections");
    sockets_and(&leaked);
    is(leaked, before, "none is left to a program that is executed");
    for (int i = 0; i < CONNECTIONS; i++) {
        guard_redis_pool_release(pool, lease[i]);
    }
}

static void reopen(void)
{
    guard_redis_lease_t *lease = take(pool);

    ok(answers(lease, 1), "a connection that is idle then");
    guard_redis_pool_release(pool, lease);
    ok(redis_server_number(admin, "CLIENT KILL TYPE normal SKIPME yes") > 0,
       "the server closes it");
    lease = take(pool);
    ok(answers(lease, 2), "it is connected anew");
    guard_redis_pool_release(pool, lease);
    redis_server_stop();
    lease = take(pool);
    ok(!answers(lease, 3), "without a server it is not");
    guard_redis_pool_release(pool, lease);
    redisFree(admin);
    admin = redis_server_start();
    lease = take(pool);
    ok(answers(lease, 4), "and with the next one it is again");
    guard_redis_pool_release(pool, lease);
}

int main(void)
{
    int before;

    apr_initialize();
    admin = redis_server_start();
    if (!admin) {
        return redis_server_skip();
    }
    before = sockets();
    begin_empty();
    be_bounded();
    run_threads();
    fork_one();
    leave_nothing();
    reopen();
    guard_redis_pool_destroy(pool);
    is(sockets(), before, "after the pool no socket is left");
    redisFree(admin);
    return tap_done();
}
