/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * mod_mark: lets whoever asks for a page of `SetHandler mark` tell callgrind,
 * under which httpd runs, to begin anew; what was counted since the last time
 * is written out. Not shipped.
 *
 * Invariant: before the first mark nothing is counted.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>

#include <string.h>
#include <valgrind/callgrind.h>

module AP_MODULE_DECLARE_DATA mark_module;

static int mark(request_rec *r)
{
    static int is_counting;

    if (!r->handler || strcmp(r->handler, "mark")) {
        return DECLINED;
    }
    if (is_counting) {
        CALLGRIND_DUMP_STATS;
    } else {
        CALLGRIND_START_INSTRUMENTATION;
        is_counting = 1;
    }
    ap_rputs("marked\n", r);
    return OK;
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_handler(mark, NULL, NULL, APR_HOOK_LAST);
}

module AP_MODULE_DECLARE_DATA mark_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks, 0};
