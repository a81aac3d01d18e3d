/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_reply_body_page.c owns the page that a thread made last, and who
 * still reads it. It refuses to know what is in it.
 *
 * Invariant: a page is never changed once it is made, and lives until the last
 * who got it has given it back; what is handed out was made of the very
 * arguments that are asked for.
 */
#include "guard_reply_body_page.h"

#include <apr_thread_proc.h>

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/** A page and what it was made of. */
typedef struct page_t {
    _Atomic unsigned readers; /* its thread is one of them */
    guard_body_e form;
    guard_body_t what;
    apr_size_t length;
    char body[];
} page_t;

static apr_threadkey_t *last_page; /* [process] NULL: none are kept */

static void release(void *data)
{
    page_t *page = data;

    if (atomic_fetch_sub(&page->readers, 1) == 1) {
        free(page);
    }
}

void guard_page_release(void *body)
{
    release((char *)body - offsetof(page_t, body));
}

static apr_status_t forget(void *unused)
{
    apr_threadkey_t *key = last_page;
    void *page = NULL;

    (void)unused;
    last_page = NULL;
    if (apr_threadkey_private_get(&page, key) == APR_SUCCESS && page) {
        release(page);
    }
    return apr_threadkey_private_delete(key);
}

apr_status_t guard_page_init(apr_pool_t *pool)
{
    apr_status_t rv = apr_threadkey_private_create(&last_page, release, pool);

    if (rv != APR_SUCCESS) {
        last_page = NULL;
        return rv;
    }
    apr_pool_cleanup_register(pool, NULL, forget, apr_pool_cleanup_null);
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

static page_t *make(apr_pool_t *pool, guard_body_e form,
                    const guard_body_t *what)
{
    apr_size_t length;
    const char *body = guard_body_render(pool, form, what, &length);
    page_t *page = malloc(sizeof(*page) + length + 1);

    if (!page) {
        abort();
    }
    atomic_init(&page->readers, 1);
    page->form = form;
    page->what = *what;
    page->length = length;
    memcpy(page->body, body, length + 1);
    return page;
}

/* The thread's own share of the page goes over to the new one. */
static void keep(page_t *page, page_t *before, apr_threadkey_t *key)
{
    if (apr_threadkey_private_set(page, key) == APR_SUCCESS) {
        atomic_fetch_add(&page->readers, 1);
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
        atomic_fetch_add(&page->readers, 1);
    } else {
        page = make(pool, form, what);
        if (key) {
            keep(page, before, key);
        }
    }
    *length = page->length;
    return page->body;
}
