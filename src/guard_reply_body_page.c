/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_reply_body_page.c owns the pages that were made last, and who holds
 * them. It refuses to know what is in a page.
 *
 * Invariant: a page is never changed once it is made, and lives until the last
 * who got it has given it back; what is handed out was made of the very
 * arguments that are asked for.
 *
 * Each thread keeps the page that it got last, and finds it again at once.
 * Where it wants another, it looks on the shelf, for what some thread has made:
 * so they read the same bytes, which stay in the processor's cache, and hardly
 * more than one of them makes a new page each second.
 */
#include "guard_reply_body_page.h"

#include <apr_thread_proc.h>

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SHELF_MAX 8

/** A page and what it was made of. */
typedef struct page_t {
    _Atomic unsigned holders; /* readers, threads that keep it, the shelf */
    guard_body_e form;
    guard_body_t what;
    apr_size_t length;
    char body[];
} page_t;

static apr_threadkey_t *last_page; /* [process] NULL: none are kept */
static void *left_page; /* the last of the thread that ended the keeping */

/* [process] By what is in them. Who finds the shelf taken does without it:
 * nobody waits here. It is not free where no pages are kept. */
static page_t *shelf[SHELF_MAX];
static _Atomic int is_shelf_free;

static int take_shelf(void) { return atomic_exchange(&is_shelf_free, 0); }

static void leave_shelf(void) { atomic_store(&is_shelf_free, 1); }

static void release(void *data)
{
    page_t *page = data;

    if (atomic_fetch_sub(&page->holders, 1) == 1) {
        free(page);
    }
}

void guard_page_release(void *body)
{
    release((char *)body - offsetof(page_t, body));
}

/* Nothing is freed, and nobody waited for: prefork ends a child from within a
 * signal's handler, which may have interrupted anything. */
static apr_status_t forget(void *unused)
{
    apr_threadkey_t *key = last_page;

    (void)unused;
    last_page = NULL;
    take_shelf();
    apr_threadkey_private_get(&left_page, key);
    return apr_threadkey_private_delete(key);
}

/* Where the module is unloaded from a process that goes on. */
static apr_status_t free_pages(void *unused)
{
    (void)unused;
    for (int i = 0; i < SHELF_MAX; i++) {
        if (shelf[i]) {
            release(shelf[i]);
            shelf[i] = NULL;
        }
    }
    if (left_page) {
        release(left_page);
        left_page = NULL;
    }
    return APR_SUCCESS;
}

apr_status_t guard_page_init(apr_pool_t *pool, apr_pool_t *module)
{
    apr_status_t rv = apr_threadkey_private_create(&last_page, release, pool);

    if (rv != APR_SUCCESS) {
        last_page = NULL;
        return rv;
    }
    leave_shelf();
    apr_pool_cleanup_register(pool, NULL, forget, apr_pool_cleanup_null);
    apr_pool_cleanup_register(module, NULL, free_pages, apr_pool_cleanup_null);
    return APR_SUCCESS;
}

static int is_made_of(const page_t *page, guard_body_e form,
                      const guard_body_t *what)
{
    return page->form == form && page->what.answer == what->answer &&
           page->what.status == what->status &&
           page->what.substatus == what->substatus &&
           page->what.retry_after_sec == what->retry_after_sec &&
           page->what.until == what->until && page->what.proxy == what->proxy;
}

static page_t **place_of(guard_body_e form, const guard_body_t *what)
{
    unsigned sum = (unsigned)form + 3 * (unsigned)what->answer +
                   (unsigned)what->retry_after_sec;

    return &shelf[sum % SHELF_MAX];
}

/* One that is on the shelf, with one holder more; or NULL. */
static page_t *borrow(guard_body_e form, const guard_body_t *what)
{
    page_t *page;

    if (!take_shelf()) {
        return NULL;
    }
    page = *place_of(form, what);
    if (page && is_made_of(page, form, what)) {
        atomic_fetch_add(&page->holders, 1);
    } else {
        page = NULL;
    }
    leave_shelf();
    return page;
}

/* Put it on the shelf, for others, in place of whatever is there but the
 * same. */
static void put_up(page_t *page)
{
    page_t **place = place_of(page->form, &page->what);
    page_t *before = NULL;

    if (!take_shelf()) {
        return;
    }
    if (!*place || !is_made_of(*place, page->form, &page->what)) {
        before = *place;
        *place = page;
        atomic_fetch_add(&page->holders, 1);
    }
    leave_shelf();
    if (before) {
        release(before);
    }
}

static page_t *make(apr_pool_t *pool, guard_body_e form,
                    const guard_body_t *what)
{
    apr_size_t length;
    const char *body = guard_body_render(pool, form, what, &length);
    page_t *page = malloc(sizeof(*page) + length + 1);

    if (!page) {
        abort();
    }
    atomic_init(&page->holders, 1);
    page->form = form;
    page->what = *what;
    page->length = length;
    memcpy(page->body, body, length + 1);
    put_up(page);
    return page;
}

/* The thread keeps this one now, and the one before no more. */
static void keep(page_t *page, page_t *before, apr_threadkey_t *key)
{
    if (apr_threadkey_private_set(page, key) == APR_SUCCESS) {
        atomic_fetch_add(&page->holders, 1);
        if (before) {
            release(before);
        }
    }
}

const char *guard_page_get(apr_pool_t *pool, guard_body_e form,
                           const guard_body_t *what, apr_size_t *length)
{
    apr_threadkey_t *key = last_page;
    page_t *page = NULL;
    void *before = NULL;

    if (key) {
        apr_threadkey_private_get(&before, key);
        page = before;
    }
    if (page && is_made_of(page, form, what)) {
        atomic_fetch_add(&page->holders, 1);
    } else {
        page = borrow(form, what);
        if (!page) {
            page = make(pool, form, what);
        }
        if (key) {
            keep(page, before, key);
        }
    }
    *length = page->length;
    return page->body;
}
