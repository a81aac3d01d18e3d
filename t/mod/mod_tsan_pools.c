/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * mod_tsan_pools.c: for tests only, tells ThreadSanitizer how the memory of a
 * request goes from one thread to the next.
 *
 * Owns nothing. httpd hands a connection's pool, with its allocator, from the
 * thread that is done with it to another by a compare-and-swap of its own,
 * which ThreadSanitizer doesn't see: without a word it takes the next
 * request's use of the same bytes for a race with the last one's. The word is
 * given for each allocator by itself, so that it orders nothing else.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_request.h>
#include <apr_allocator.h>
#include <apr_pools.h>

/* Of ThreadSanitizer's library, which is loaded before httpd. */
extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));

static apr_status_t release(void *allocator)
{
    __tsan_release(allocator);
    return APR_SUCCESS;
}

/* The first clean-up of the pool is the last to run. */
static int acquire(request_rec *r)
{
    apr_allocator_t *allocator = apr_pool_allocator_get(r->pool);

    if (__tsan_acquire && __tsan_release) {
        __tsan_acquire(allocator);
        apr_pool_cleanup_register(r->pool, allocator, release,
                                  apr_pool_cleanup_null);
    }
    return OK;
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_create_request(acquire, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

AP_DECLARE_MODULE(tsan_pools) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks,
    AP_MODULE_FLAG_NONE};
