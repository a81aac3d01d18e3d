/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * mod_auth_guard: ends password guessing.
 *
 * This file is the table of contents: which of httpd's hooks lead where. A
 * request meets the guard in guard_attempt.c; how it counts is told at the
 * head of guard_policy.c, where the counts live at the head of
 * guard_store_shm_table.h, and what goes back in guard_reply.c.
 */
#include <httpd.h>
#include <ap_expr.h>
#include <ap_provider.h>
#include <http_config.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_status.h>
#include <mpm_common.h>

#include "src/guard_attempt.h"
#include "src/guard_conf.h"
#include "src/guard_provider.h"
#include "src/guard_reply.h"
#include "src/guard_reply_body_page.h"
#include "src/guard_server.h"
#include "src/guard_status.h"
#include "src/guard_status_machine.h"
#include "src/guard_vars.h"

static int pre_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    guard_vars_register_log(pconf);
    return guard_server_pre_config(pconf, plog, ptemp);
}

static void child_init(apr_pool_t *pchild, server_rec *main_server)
{
    guard_vars_init(pchild);
    /* Without, pages are made anew each time. */
    guard_page_init(pchild, main_server->process->pconf);
    guard_provider_init();
    guard_server_child_init(pchild, main_server);
}

static void register_hooks(apr_pool_t *pool)
{
    /* mod_log_config offers its registry once its own pre_config has run. */
    static const char *const after_log[] = {"mod_log_config.c", NULL};

    ap_hook_pre_config(pre_config, after_log, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(guard_server_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_monitor(guard_server_monitor, NULL, NULL, APR_HOOK_MIDDLE);

    ap_hook_check_authn(guard_attempt_check_authn, NULL, NULL,
                        APR_HOOK_REALLY_FIRST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_fixups(guard_attempt_fixups, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_insert_error_filter(guard_reply_insert_filter, NULL, NULL,
                                APR_HOOK_LAST);
    ap_hook_expr_lookup(guard_vars_expr_lookup, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(guard_status_handler, NULL, NULL, APR_HOOK_MIDDLE);
    /* By name, so that mod_status need not be there. */
    APR_OPTIONAL_HOOK(ap, status_hook, guard_status_machine_section, NULL, NULL,
                      APR_HOOK_MIDDLE);
    guard_reply_register();

    ap_register_auth_provider(pool, AUTHN_PROVIDER_GROUP, "guard",
                              AUTHN_PROVIDER_VERSION, &guard_provider,
                              AP_AUTH_INTERNAL_PER_CONF);
}

AP_DECLARE_MODULE(auth_guard) = {
    STANDARD20_MODULE_STUFF,  guard_conf_create_dir,   guard_conf_merge_dir,
    guard_conf_create_server, guard_conf_merge_server, guard_conf_commands,
    register_hooks,           AP_MODULE_FLAG_NONE,
};
