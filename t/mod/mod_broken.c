/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * mod_broken.c: for t/sanitizer.t only, makes the mistakes that a sanitizer
 * has to see: in a request to the handler `broken`, by its query string, or
 * where the directive `Broken` is read.
 *
 * Owns nothing. It must be wrong, and in no way that stops httpd by itself.
 */
#include <stdlib.h>
#include <string.h>

#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <apr_thread_proc.h>

module AP_MODULE_DECLARE_DATA broken_module;

static int shared;

/* Not known to the compiler, which would see it itself. */
static void write_beyond(volatile size_t size)
{
    volatile char *bytes = malloc(size);

    bytes[size] = 'x'; /* malloc has room for it, we have not */
    free((void *)bytes);
}

static int shift_out(int bits) { return 1 << (bits + 32); }

static void *APR_THREAD_FUNC count(apr_thread_t *thread, void *data)
{
    (void)thread;
    shared++;
    return data;
}

static void race(apr_pool_t *pool)
{
    apr_thread_t *thread[2];
    apr_status_t rv;

    for (int i = 0; i < 2; i++) {
        if (apr_thread_create(&thread[i], NULL, count, NULL, pool)) {
            abort();
        }
    }
    for (int i = 0; i < 2; i++) {
        apr_thread_join(&rv, thread[i]);
    }
}

static void do_wrong(const char *what, apr_pool_t *pool)
{
    if (!strcmp(what, "overflow")) {
        write_beyond(9);
    } else if (!strcmp(what, "shift")) {
        shared = shift_out((int)strlen(what));
    } else if (!strcmp(what, "race")) {
        race(pool);
    }
}

static int handle(request_rec *r)
{
    if (!r->handler || strcmp(r->handler, "broken")) {
        return DECLINED;
    }
    do_wrong(r->args ? r->args : "", r->pool);
    ap_rputs("done\n", r);
    return OK;
}

static const char *set_broken(cmd_parms *cmd, void *dir, const char *what)
{
    (void)dir;
    do_wrong(what, cmd->pool);
    return NULL;
}

static const command_rec commands[] = {
    AP_INIT_TAKE1("Broken", set_broken, NULL, RSRC_CONF, "a mistake to make"),
    {NULL}};

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_handler(handle, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(broken) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, commands, register_hooks,
    AP_MODULE_FLAG_NONE};
