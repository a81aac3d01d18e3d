/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_listen.c: a child's subscription, at a real server and at one that
 * misbehaves. What is heard there is not believed any more, and neither is
 * anything while the subscription does not stand, nor what was asked before it
 * stood again. Nothing waits: not for a server that is stopped, and not for
 * one that says half a word.
 */
#include "guard_store_redis_listen.h"
#include "guard_store.h"
#include "redis_server.h"
#include "tap.h"

#include <apr_general.h>

#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ALICE 7
#define TAG 77
#define LOOKS_MAX 3000 /* of 10 ms: what has been sent comes at last */
#define THREADS 6
#define LOOKS 3000                      /* of each thread */
#define SOON_USEC apr_time_from_sec(10) /* is no waiting, on a busy machine */

static guard_redis_target_t target = {.path = redis_server_path};
static const guard_redis_found_t nowhere; /* a unix socket has no address */
static redisContext *admin;
static guard_redis_memory_t *memory;
static guard_redis_listen_t *listener;

static guard_redis_cause_e mend(uint64_t now_usec)
{
    return guard_redis_listen_mend(listener, &nowhere, now_usec,
                                   guard_store_clock() + 20 * SOON_USEC);
}

/* Mend it as often as it takes, whatever it was tried before. */
static int mend_at_last(void)
{
    uint64_t now_usec = guard_store_clock() + GUARD_REDIS_MEND_USEC;

    return mend(now_usec) == GUARD_REDIS_FINE &&
           guard_redis_listen_look(listener);
}

/* Something proven and something locked, both asked just now. */
static void believe(void)
{
    uint64_t now_usec = guard_store_clock();
    guard_redis_mark_t mark = guard_redis_memory_mark(memory, ALICE, now_usec);
    guard_redis_lockout_t lockout = {.until_usec =
                                         now_usec + apr_time_from_sec(60)};

    guard_redis_memory_prove(memory, ALICE, TAG, &mark);
    guard_redis_memory_lock(memory, ALICE, &mark, &lockout);
}

/* The clock of "since" and that of what is asked have microseconds and
 * milliseconds. */
static void pass_a_moment(void) { usleep(3000); }

static int is_fresh(void)
{
    uint64_t since_usec = guard_redis_listen_look(listener);

    return guard_redis_memory_find(memory, ALICE, TAG, since_usec,
                                   guard_store_clock()) == GUARD_REDIS_FRESH;
}

static int is_locked(void)
{
    guard_redis_lockout_t lockout;

    return guard_redis_memory_find_lockout(memory, ALICE, guard_store_clock(),
                                           &lockout);
}

/* @return 1 if it stops being fresh before it gets old */
static int hears(void)
{
    for (int i = 0; i < LOOKS_MAX && is_fresh(); i++) {
        believe(); /* it would be old in a while; this is not */
        usleep(10000);
    }
    return !is_fresh();
}

static void publish(const char *channel, const char *word)
{
    redis_server_do(admin, "PUBLISH %s %s", channel, word);
}

/* ---- at a real server ---- */

static void begin_to_listen(void)
{
    is((long long)guard_redis_listen_look(listener), 0, "deaf at first");
    ok(guard_redis_listen_is_due(listener, guard_store_clock()), "and due");
    is(mend(guard_store_clock()), GUARD_REDIS_FINE, "subscribed");
    ok(guard_redis_listen_look(listener) != 0, "it stands");
    ok(!guard_redis_listen_is_due(listener, guard_store_clock() * 2),
       "and is not due");
    pass_a_moment();
    believe();
    is(redis_server_number(admin, "PUBLISH pre:events locked"), 1,
       "to the one channel");
    ok(hears(), "and hears");
}

static void hear_words(void)
{
    pass_a_moment();
    believe();
    ok(is_fresh(), "what was asked since is fresh");
    publish("pre:event", "locked");
    publish("pre:events2", "locked");
    publish("other:events", "locked");
    pass_a_moment();
    ok(is_fresh() && is_locked(), "other channels change nothing");
    publish("pre:events", "locked");
    ok(hears(), "locked: not fresh any more");
    ok(is_locked(), "  but known lockouts are");
    pass_a_moment();
    believe();
    ok(is_fresh(), "  and what is asked then is fresh");
    publish("pre:events", "unlocked");
    ok(hears(), "unlocked: it is noticed");
    ok(!is_locked(), "  no lockout is known");
    pass_a_moment();
    believe();
    ok(is_fresh() && is_locked(), "  but those that are asked for then");
    publish("pre:events", "reconsidered");
    ok(hears() && !is_locked(), "another word: as both");
}

/* The server ends the subscription, and what it says then is missed. */
static void break_it(void)
{
    uint64_t now_usec;

    pass_a_moment();
    believe();
    ok(is_fresh(), "fresh as long as the subscription stands");
    is(redis_server_number(admin, "CLIENT KILL TYPE pubsub"), 1, "it is ended");
    ok(hears(), "that is noticed: nothing is fresh");
    is((long long)guard_redis_listen_look(listener), 0, "it does not stand");
    is(redis_server_number(admin, "PUBLISH pre:events locked"), 0, "missed");
    believe();
    ok(!is_fresh(), "without it nothing is fresh that is asked then");
    ok(mend_at_last(), "mended");
    ok(!is_fresh(), "what was asked before that is not fresh");
    pass_a_moment();
    believe();
    ok(is_fresh(), "what is asked after it is");

    redis_server_do(admin, "CLIENT KILL TYPE pubsub");
    hears();
    now_usec = guard_store_clock() + 2 * GUARD_REDIS_MEND_USEC;
    mend(now_usec);
    redis_server_do(admin, "CLIENT KILL TYPE pubsub");
    hears();
    ok(!guard_redis_listen_is_due(listener,
                                  now_usec + GUARD_REDIS_MEND_USEC - 1),
       "no second try within a second");
    is(mend(now_usec + GUARD_REDIS_MEND_USEC - 1), GUARD_REDIS_FINE,
       "  if one is made all the same");
    is((long long)guard_redis_listen_look(listener), 0, "  nothing happens");
    ok(guard_redis_listen_is_due(listener, now_usec + GUARD_REDIS_MEND_USEC),
       "  then it is due");
    is(mend(now_usec + GUARD_REDIS_MEND_USEC), GUARD_REDIS_FINE, "  and made");
    ok(guard_redis_listen_look(listener) != 0, "  it stands");
}

static void stop_server(void)
{
    uint64_t start_usec = guard_store_clock();
    guard_redis_listen_t *other;

    guard_redis_listen_create(&other, &target, "pre", memory);
    pass_a_moment();
    believe();
    kill(redis_server_pid, SIGSTOP);
    ok(is_fresh() && guard_redis_listen_look(listener),
       "a server that is stopped is silent");
    is(guard_redis_listen_mend(other, &nowhere, guard_store_clock(),
                               guard_store_clock() + 50000),
       GUARD_REDIS_TIMEOUT, "to subscribe there takes too long");
    is((long long)guard_redis_listen_look(other), 0, "and that does not stand");
    ok(guard_store_clock() - start_usec < SOON_USEC, "nothing waited for it");
    kill(redis_server_pid, SIGCONT);
    guard_redis_listen_destroy(other);
    ok(guard_redis_listen_look(listener) != 0, "it goes on, and we listen");
    redis_server_stop();
    ok(hears() && !guard_redis_listen_look(listener),
       "the server has ended: that is noticed");
    is(mend(guard_store_clock() + 9 * GUARD_REDIS_MEND_USEC),
       GUARD_REDIS_CONNECTION, "there is none to subscribe at");
    redisFree(admin);
    admin = redis_server_start();
    ok(guard_redis_listen_mend(
           listener, &nowhere, guard_store_clock() + 20 * GUARD_REDIS_MEND_USEC,
           guard_store_clock() + SOON_USEC) == GUARD_REDIS_FINE &&
           guard_redis_listen_look(listener),
       "the next one is found");
}

/* ---- threads ---- */

static _Atomic int is_done;
static _Atomic unsigned stood;

static void *look_on(void *unused)
{
    (void)unused;
    for (int i = 0; i < LOOKS; i++) {
        uint64_t now_usec = guard_store_clock() + (uint64_t)i * 50000;

        stood += guard_redis_listen_look(listener) != 0;
        if (guard_redis_listen_is_due(listener, now_usec)) {
            mend(now_usec);
        }
    }
    return NULL;
}

static void *disturb(void *unused)
{
    (void)unused;
    while (!is_done) {
        publish("pre:events", "unlocked");
        redis_server_do(admin, "CLIENT KILL TYPE pubsub");
        usleep(1000);
    }
    return NULL;
}

static void run_threads(void)
{
    pthread_t thread[THREADS], other;
    uint64_t late_usec = guard_store_clock() + apr_time_from_sec(3600);

    pthread_create(&other, NULL, disturb, NULL);
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&thread[i], NULL, look_on, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
    }
    is_done = 1;
    pthread_join(other, NULL);
    ok(stood > 0, "threads that look, mend and are disturbed: %u of %u stood",
       stood, THREADS * LOOKS);
    hears();
    mend(late_usec);
    ok(guard_redis_listen_look(listener) != 0, "  it stands after that");
}

/* ---- at a server that misbehaves ---- */

#define SUBSCRIBED "*3\r\n$9\r\nsubscribe\r\n$10\r\npre:events\r\n:1\r\n"
#define MESSAGE "*3\r\n$7\r\nmessage\r\n$10\r\npre:events\r\n"

static const struct {
    const char *what, *first, *then;
    int stands;
} ROW[] = {
    {"a message", SUBSCRIBED, MESSAGE "$6\r\nlocked\r\n", 1},
    {"half a message", SUBSCRIBED, MESSAGE "$6\r\nlo", 1},
    {"a page of another server", SUBSCRIBED, "HTTP/1.1 400 Bad Request\r\n", 0},
    {"bytes of no kind", SUBSCRIBED, "\377\377\377\377\r\n", 0},
    {"a number", SUBSCRIBED, ":1\r\n", 0},
    {"an error", SUBSCRIBED, "-ERR out of order\r\n", 0},
    {"an array too short", SUBSCRIBED, "*1\r\n$7\r\nmessage\r\n", 0},
    {"an array of numbers", SUBSCRIBED, "*3\r\n:1\r\n:2\r\n:3\r\n", 0},
    {"a message that is a number", SUBSCRIBED, MESSAGE ":1\r\n", 1},
    {"a message that is nothing", SUBSCRIBED, MESSAGE "$-1\r\n", 1},
    {"another kind of array", SUBSCRIBED, SUBSCRIBED, 0},
};

static void put(int fd, const char *text)
{
    ok(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "  it says so");
}

typedef struct fake_t {
    int server, fd;
    const char *first;
} fake_t;

/* Accept one, and answer its first command. */
static void *serve(void *data)
{
    fake_t *fake = data;
    char buf[512];

    fake->fd = accept(fake->server, NULL, NULL);
    if (read(fake->fd, buf, sizeof buf) > 0 &&
        write(fake->fd, fake->first, strlen(fake->first)) < 0) {
        perror("write");
    }
    return NULL;
}

static int listen_at(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    unlink(path);
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) || listen(fd, 5)) {
        perror("listen");
        exit(1);
    }
    return fd;
}

/* On a unix socket what is written is there at once. */
static void misbehave(int server, unsigned row,
                      const guard_redis_target_t *there)
{
    fake_t fake = {.server = server, .first = ROW[row].first};
    guard_redis_listen_t *ear;
    pthread_t thread;

    guard_redis_listen_create(&ear, there, "pre", memory);
    pthread_create(&thread, NULL, serve, &fake);
    is(guard_redis_listen_mend(ear, &nowhere, guard_store_clock(),
                               guard_store_clock() + 20 * SOON_USEC),
       GUARD_REDIS_FINE, ROW[row].what);
    pthread_join(thread, NULL);
    put(fake.fd, ROW[row].then);
    is(guard_redis_listen_look(ear) != 0, ROW[row].stands,
       "  it stands, or not");
    is(guard_redis_listen_look(ear) != 0, ROW[row].stands, "  and so it stays");
    close(fake.fd);
    is((long long)guard_redis_listen_look(ear), 0, "  it has gone");
    guard_redis_listen_destroy(ear);
}

static void misbehave_all(void)
{
    char path[100];
    guard_redis_target_t there = {.path = path};
    int server;

    snprintf(path, sizeof path, "%s/fake", redis_server_dir);
    server = listen_at(path);
    for (unsigned i = 0; i < sizeof(ROW) / sizeof(ROW[0]); i++) {
        misbehave(server, i, &there);
    }
    close(server);
    unlink(path);
}

int main(void)
{
    apr_initialize();
    admin = redis_server_start();
    if (!admin) {
        return redis_server_skip();
    }
    memory = calloc(1, sizeof(*memory));
    if (!memory || guard_redis_listen_create(&listener, &target, "pre",
                                             memory) != APR_SUCCESS) {
        printf("Bail out! no memory\n");
        return 1;
    }
    begin_to_listen();
    hear_words();
    break_it();
    stop_server();
    run_threads();
    misbehave_all();
    guard_redis_listen_destroy(listener);
    redisFree(admin);
    free(memory);
    return tap_done();
}
