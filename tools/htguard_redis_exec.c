/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * htguard_redis_exec.c owns the way from htguard to htguard-redis. It knows
 * nothing of Redis, and no option.
 *
 * Invariant: the other program gets the very line and environment that this
 * one was given, before anything was opened or printed.
 */
#include "htguard_redis.h"

#include <apr_errno.h>
#include <apr_strings.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "htguard-redis"
#define PATH_BYTES 4096

/* Beside this one, as a build has it; else where it is installed. */
static const char *find_program(apr_pool_t *pool)
{
    char self[PATH_BYTES];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    self[length > 0 ? length : 0] = '\0';
    slash = strrchr(self, '/');
    if (slash) {
        const char *path =
            apr_psprintf(pool, "%.*s" PROGRAM, (int)(slash + 1 - self), self);

        if (access(path, X_OK) == 0) {
            return path;
        }
    }
    return HTGUARD_LIBEXECDIR "/" PROGRAM;
}

apr_status_t htguard_redis_open(guard_store_t **store, const htguard_ask_t *ask,
                                guard_say_fn *say, void *baton,
                                apr_pool_t *pool)
{
    const char *path = find_program(pool);
    apr_status_t rv;

    (void)store;
    execv(path, (char *const *)(uintptr_t)ask->line);
    rv = apr_get_os_error();
    say(baton, GUARD_SAY_ERROR, path,
        APR_STATUS_IS_ENOENT(rv) ? "is not there, and htguard -r needs it"
                                 : "can't be run, and htguard -r needs it");
    return rv;
}

const char *htguard_redis_remedy(apr_status_t rv)
{
    return APR_STATUS_IS_ENOENT(rv)
               ? "install libapache2-mod-auth-guard-redis (Debian) or "
                 "mod_auth_guard-redis (Fedora); where htguard was built by "
                 "hand, hiredis' headers, and build again"
               : NULL;
}
