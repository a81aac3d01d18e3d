/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_server.h: what lasts longer than a request.
 *
 * The store, opened by the parent and kept over gracefuls; flags shared by
 * all children; the server's places for checks.
 */
#ifndef GUARD_SERVER_H
#define GUARD_SERVER_H

#include "guard_conf.h"
#include "guard_store.h"

/** Things that are said once, by whichever child comes first. */
typedef enum {
    GUARD_ONCE_PROXY,      /* AG0105 */
    GUARD_ONCE_STORE_DOWN, /* AG0207, till it is well again */
    GUARD_ONCE_CHECKS,     /* AG0212 */
    GUARD_ONCE_STATUS,     /* AG0108, of a status page that is off */
    GUARD_ONCE_MAX
} guard_once_e;

/** pre_config. */
int guard_server_pre_config(apr_pool_t *pconf, apr_pool_t *plog,
                            apr_pool_t *ptemp);

/** post_config: resolve the configuration, open the store. */
int guard_server_post_config(apr_pool_t *pconf, apr_pool_t *plog,
                             apr_pool_t *ptemp, server_rec *main_server);

/** child_init. */
void guard_server_child_init(apr_pool_t *pchild, server_rec *main_server);

/** monitor: in the parent, every ten seconds, or as children end. */
int guard_server_monitor(apr_pool_t *pool, server_rec *main_server);

/** @return the open store, or NULL before post_config has opened it. */
guard_store_t *guard_server_store(void);

/** @return 1 if the caller is the first of all children since the start (or
 *  since guard_server_again), else 0. */
int guard_server_once(guard_once_e what);

/** Let it be said again. @return 1 if it had been said, else 0. */
int guard_server_again(guard_once_e what);

/** What guard_server_check_begin says. */
typedef enum {
    GUARD_CHECK_NONE = 0, /* AuthGuardChecks are all at work */
    GUARD_CHECK_TAKEN,    /* guard_server_check_end() must follow */
    GUARD_CHECK_UNCOUNTED /* unlimited, or not to be counted here */
} guard_check_e;

/** @return 1 if AuthGuardChecks limits this server, else 0. */
int guard_server_check_is_limited(void);

/** Ask to let this server verify one more unproven guess; never waits. */
guard_check_e guard_server_check_begin(void);
void guard_server_check_end(void);

#endif
