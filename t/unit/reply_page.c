/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * reply_page.c: a page that is kept has the bytes that were asked for, whoever
 * asked before; threads get the same one of each other, and it stays for who
 * got it, after others have made more, after the thread that made it has ended,
 * and after none are kept any more. Run under ASan and TSan it shows that each
 * is freed once, and by nobody else.
 */
#include "guard_reply_body_page.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_thread_proc.h>

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define THREADS 4
#define ROUNDS 2000
#define CHILDREN 300

static apr_pool_t *pool;

static const struct {
    const char *name;
    guard_body_e form;
    guard_body_t what;
} PAGE[] = {
    {"locked",
     GUARD_BODY_HTML,
     {GUARD_ANSWER_LOCKED, 401, 501, 900, 1795370896000000, 0}},
    {"in JSON",
     GUARD_BODY_PROBLEM,
     {GUARD_ANSWER_LOCKED, 401, 501, 900, 1795370896000000, 0}},
    {"in plain text",
     GUARD_BODY_PLAIN,
     {GUARD_ANSWER_LOCKED, 401, 501, 900, 1795370896000000, 0}},
    {"another status",
     GUARD_BODY_HTML,
     {GUARD_ANSWER_LOCKED, 403, 501, 900, 1795370896000000, 0}},
    {"another substatus",
     GUARD_BODY_HTML,
     {GUARD_ANSWER_LOCKED, 401, 502, 900, 1795370896000000, 0}},
    {"a second later",
     GUARD_BODY_PLAIN,
     {GUARD_ANSWER_LOCKED, 401, 501, 80, 1795370896000000, 0}},
    {"until then",
     GUARD_BODY_HTML,
     {GUARD_ANSWER_LOCKED, 401, 501, 900, 1795370897000000, 0}},
    {"of a proxy",
     GUARD_BODY_HTML,
     {GUARD_ANSWER_LOCKED, 401, 501, 900, 1795370896000000, 1}},
    {"busy", GUARD_BODY_HTML, {GUARD_ANSWER_BUSY, 401, 501, 900, 0, 0}},
    {"overload", GUARD_BODY_HTML, {GUARD_ANSWER_OVERLOAD, 401, 501, 900, 0, 0}},
};

/* Each thread has a pool of its own, as requests have. */
static const char *get(apr_pool_t *own, size_t which, apr_size_t *length)
{
    return guard_page_get(own, PAGE[which].form, &PAGE[which].what, length);
}

/* @return 1 if that is the page, NUL and all, else 0. */
static int is_page(apr_pool_t *own, size_t which, const char *body,
                   apr_size_t length)
{
    apr_size_t wanted;
    const char *rendered =
        guard_body_render(own, PAGE[which].form, &PAGE[which].what, &wanted);

    return length == wanted && !memcmp(body, rendered, wanted + 1);
}

static void release(const char *body) { guard_page_release((void *)body); }

/* Every page after every other, twice, with all of them still held. */
static void any_after_any(const char *when)
{
    const char *held[COUNT(PAGE) * 2];
    apr_size_t length[COUNT(PAGE) * 2];
    int right = 0, wanted = 0;

    for (size_t first = 0; first < COUNT(PAGE); first++) {
        unsigned count = 0;

        for (size_t next = 0; next < COUNT(PAGE); next++) {
            held[count] = get(pool, first, &length[count]);
            count++;
            held[count] = get(pool, next, &length[count]);
            count++;
        }
        for (unsigned i = 0; i < count; i++, wanted++) {
            right += is_page(pool, i % 2 ? i / 2 : first, held[i], length[i]);
            release(held[i]);
        }
        apr_pool_clear(pool);
    }
    is(right, wanted, when);
}

/* ---- one thread ---- */

static void none_is_kept_yet(void)
{
    apr_size_t length;
    const char *one = get(pool, 0, &length);
    const char *other = get(pool, 0, &length);

    ok(one != other, "before the start each is made anew");
    ok(is_page(pool, 0, one, length) && is_page(pool, 0, other, length),
       "with the same bytes");
    release(one);
    ok(is_page(pool, 0, other, length), "one given back, the other stays");
    release(other);
}

static void the_last_is_kept(void)
{
    apr_size_t length;
    const char *one = get(pool, 0, &length), *other;

    ok(one == get(pool, 0, &length), "the same again is the same page");
    release(one);
    release(one);
    ok(one == get(pool, 0, &length), "also when nobody reads it any more");
    other = get(pool, 1, &length);
    ok(is_page(pool, 1, other, length), "another is made");
    release(other);
    release(one);
    ok(one == get(pool, 0, &length), "the one before is found again");
    release(one);
}

/* ---- many threads ---- */

/* Do it in a thread of its own, and wait for that. */
static int in_thread(apr_thread_start_t work)
{
    apr_thread_t *thread;
    apr_status_t ended;

    if (apr_thread_create(&thread, NULL, work, NULL, pool) ||
        apr_thread_join(&ended, thread)) {
        ok(0, "fixture: a thread");
        return 0;
    }
    return 1;
}

static const char *left;
static apr_size_t left_length;

static void *APR_THREAD_FUNC leave(apr_thread_t *thread, void *unused)
{
    (void)unused;
    left = get(apr_thread_pool_get(thread), 3, &left_length);
    return NULL;
}

static void thread_has_ended(void)
{
    apr_size_t length;
    const char *body;

    if (in_thread(leave)) {
        ok(is_page(pool, 3, left, left_length), "a page outlives its thread");
        body = get(pool, 3, &length);
        ok(body == left, "and is there for others");
        release(left);
        ok(is_page(pool, 3, body, length), "who have it for themselves");
        release(body);
    }
}

/* As the seconds pass, and more than the shelf has room for. */
static void *APR_THREAD_FUNC count_down(apr_thread_t *thread, void *unused)
{
    guard_body_t what = PAGE[0].what;
    apr_size_t length;

    (void)unused;
    for (int i = 0; i < 100; i++) {
        what.retry_after_sec--;
        release(guard_page_get(apr_thread_pool_get(thread), PAGE[0].form, &what,
                               &length));
    }
    return NULL;
}

static void others_make_more(void)
{
    apr_size_t length;
    const char *body = get(pool, 0, &length);

    if (in_thread(count_down)) {
        ok(is_page(pool, 0, body, length),
           "who reads a page can, however many others make");
        release(body);
        ok(body == get(pool, 0, &length), "and gets it again");
        release(body);
    }
}

/* Where threads leave pages for each other to give back. */
static _Atomic(const char *) table[THREADS];
static _Atomic int wrong_pages;

static void *APR_THREAD_FUNC alternate(apr_thread_t *thread, void *data)
{
    size_t self = *(const size_t *)data;
    apr_pool_t *request;
    apr_size_t length;
    int wrong = 0;

    apr_pool_create(&request, apr_thread_pool_get(thread));
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t which = (i / 3 + self) % COUNT(PAGE);
        const char *body = get(request, which, &length);

        wrong += !is_page(request, which, body, length);
        body = atomic_exchange(&table[(i + self) % THREADS], body);
        if (body) {
            release(body);
        }
        apr_pool_clear(request);
    }
    atomic_fetch_add(&wrong_pages, wrong);
    return NULL;
}

static void threads_hand_over(void)
{
    apr_thread_t *thread[THREADS];
    size_t number[THREADS];
    apr_status_t ended;

    for (size_t i = 0; i < THREADS; i++) {
        number[i] = i;
        if (apr_thread_create(&thread[i], NULL, alternate, &number[i], pool)) {
            ok(0, "fixture: a thread");
            return;
        }
    }
    for (size_t i = 0; i < THREADS; i++) {
        apr_thread_join(&ended, thread[i]);
    }
    for (size_t i = 0; i < THREADS; i++) {
        const char *body = atomic_exchange(&table[i], NULL);

        if (body) {
            release(body);
        }
    }
    is(wrong_pages, 0, "threads get what they ask for");
}

/* ---- the end ---- */

/* prefork ends a child from within the handler of a signal, wherever that
 * comes. */
static apr_pool_t *of_child;

static void end_child(int signal)
{
    (void)signal;
    apr_pool_destroy(of_child);
    _exit(0);
}

static void be_child(useconds_t usec)
{
    apr_size_t length;
    apr_pool_t *request;

    apr_pool_create(&of_child, NULL);
    apr_pool_create(&request, NULL);
    guard_page_init(of_child, pool);
    signal(SIGALRM, end_child);
    ualarm(usec, 0);
    for (size_t i = 0;; i++) {
        release(get(request, i % 2, &length));
    }
}

/* @return 1 if it has ended by itself. */
static int ends(pid_t child)
{
    int status;

    for (int waits = 0; waits < 5000; waits++) {
        if (waitpid(child, &status, WNOHANG) == child) {
            return WIFEXITED(status) && !WEXITSTATUS(status);
        }
        usleep(1000);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return 0;
}

static void children_end_anywhere(void)
{
    int ended = 0;

    for (int i = 0; i < CHILDREN && ended == i; i++) {
        pid_t child = fork();

        if (!child) {
            be_child((useconds_t)(500 + i * 7));
        }
        ended += child > 0 && ends(child);
    }
    is(ended, CHILDREN, "a child ends, whatever a signal interrupts");
}

static void none_is_kept_any_more(apr_pool_t *process)
{
    apr_size_t length;
    const char *one = get(pool, 0, &length), *other;

    apr_pool_destroy(process);
    ok(is_page(pool, 0, one, length), "the end leaves a page to its reader");
    other = get(pool, 0, &length);
    ok(one != other, "after the end each is made anew");
    ok(is_page(pool, 0, other, length), "with the same bytes");
    release(other);
    release(one);
}

int main(void)
{
    apr_pool_t *process, *module;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    children_end_anywhere();
    none_is_kept_yet();
    any_after_any("not kept: the page that was asked for");
    for (int start = 0; start < 2; start++) {
        apr_pool_create(&process, NULL);
        apr_pool_create(&module, NULL);
        is(guard_page_init(process, module), APR_SUCCESS,
           "pages are kept from now on");
        the_last_is_kept();
        any_after_any("kept: the page that was asked for");
        thread_has_ended();
        others_make_more();
        threads_hand_over();
        none_is_kept_any_more(process);
        any_after_any("not kept any more: the page that was asked for");
        apr_pool_destroy(module);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
