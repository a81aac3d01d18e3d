/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_server.c owns what outlives a request: the store's opening in the
 * parent, its way into the children and over gracefuls, and the few flags
 * that all children share. It knows nothing of requests.
 *
 * Invariant: the file is opened once in the life of a parent process (closing
 * it would release the parent's lock), and the guess key never leaves memory.
 */
#include "guard_server.h"
#include "guard_checks.h"
#include "guard_log.h"
#include "guard_scope.h"
#include "guard_wait.h"

#include <apr_strings.h>
#include <ap_mpm.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <unixd.h>

#include <stdatomic.h>
#include <sys/mman.h>

APLOG_USE_MODULE(auth_guard);

#define RETAINED_KEY "mod_auth_guard"
#define KEPT_KEY "mod_auth_guard: store" /* guard_store_kept_t */
/* Kept over gracefuls, while static variables are not, and read by whatever
 * build of the module is loaded then: handle first, and never changed. */
typedef struct retained_t {
    guard_shm_handle_t handle;
    int checks_id;        /* of guard_checks.h; 0: none yet, else id + 1 */
    guard_store_t *store; /* of handle.layout */
    const char *path;
} retained_t;

typedef struct flags_t {
    _Atomic int said[GUARD_ONCE_MAX];
    guard_wait_board_t board;
} flags_t;

static guard_store_t *open_store;  /* [fork] who counts */
static guard_store_t *local_store; /* [fork] the table in shared memory */
static flags_t *flags;             /* [fork] shared by all children */
static int checks_id = -1;         /* [fork] -1: unlimited */
static int checks_short;           /* [parent] resize has to go on */

guard_store_t *guard_server_store(void) { return open_store; }

int guard_server_once(guard_once_e what)
{
    return flags && !atomic_exchange(&flags->said[what], 1);
}

int guard_server_again(guard_once_e what)
{
    return flags &&
           atomic_load_explicit(&flags->said[what], memory_order_relaxed) &&
           atomic_exchange(&flags->said[what], 0);
}

int guard_server_check_is_limited(void) { return checks_id >= 0; }

/* Where the kernel will not count, the limits of the clients still hold. */
guard_check_e guard_server_check_begin(void)
{
    apr_status_t rv =
        checks_id < 0 ? APR_ENOTIMPL : guard_checks_take(checks_id);

    if (rv == APR_SUCCESS) {
        return GUARD_CHECK_TAKEN;
    }
    if (APR_STATUS_IS_EAGAIN(rv)) {
        return GUARD_CHECK_NONE;
    }
    if (checks_id >= 0 && guard_server_once(GUARD_ONCE_CHECKS)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, ap_server_conf,
                     "AG0212: checks: AuthGuardChecks can't be counted");
    }
    return GUARD_CHECK_UNCOUNTED;
}

void guard_server_check_end(void) { guard_checks_give(checks_id); }

static apr_status_t unmap_flags(void *data)
{
    flags = NULL;
    munmap(data, sizeof(flags_t));
    return APR_SUCCESS;
}

static apr_status_t make_flags(apr_pool_t *pconf)
{
    void *memory = mmap(NULL, sizeof(flags_t), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        return errno;
    }
    flags = memory;
    apr_pool_cleanup_register(pconf, memory, unmap_flags,
                              apr_pool_cleanup_null);
    return APR_SUCCESS;
}

/* The store's sentences go to the error log with their ids. */
static void say(void *baton, guard_say_e level, const char *id,
                const char *sentence)
{
    static const int LEVEL[] = {APLOG_ERR, APLOG_WARNING, APLOG_NOTICE};

    ap_log_error(APLOG_MARK, LEVEL[level], 0, (server_rec *)baton,
                 "%s: store: %s", id, sentence);
}

static const guard_server_conf_t *conf_of(const server_rec *server)
{
    return ap_get_module_config(server->module_config, &auth_guard_module);
}

static guard_shm_options_t options_for(server_rec *main_server)
{
    const guard_server_conf_t *conf = conf_of(main_server);
    guard_shm_options_t options = {.path = conf->shm_path,
                                   .clients = conf->shm_clients,
                                   .role = GUARD_SHM_SERVER,
                                   .say = say,
                                   .baton = main_server};

    return options;
}

/* After a graceful: go on with what is open, and say what must wait. */
static void keep_open(const retained_t *retained, server_rec *main_server)
{
    const guard_server_conf_t *conf = conf_of(main_server);

    if (strcmp(retained->path, conf->shm_path) ||
        guard_store_shm_clients(retained->store) != conf->shm_clients) {
        say(main_server, GUARD_SAY_WARNING, "AG0205",
            "AuthGuardStore has changed; another file or size takes effect at "
            "the next start, a graceful keeps the old");
    }
    guard_store_shm_adopt(retained->store);
    local_store = retained->store;
}

/* Who has asked for a store gets no server without. Who has only loaded the
 * module gets his server; what is guarded on it all the same, by a .htaccess,
 * is refused as overload. */
static int fail_open(apr_status_t rv, const char *path, server_rec *main_server)
{
    int is_given = conf_of(main_server)->is_store_given;

    ap_log_error(APLOG_MARK, is_given ? APLOG_EMERG : APLOG_ERR, rv,
                 main_server, "AG0206: store: can't open %s; %s", path,
                 is_given ? "see AuthGuardStore"
                          : "guarded directories answer 503; name a file of "
                            "its own by AuthGuardStore shm file=PATH");
    return is_given ? HTTP_INTERNAL_SERVER_ERROR : OK;
}

/*
 * Open the file. guess_secret is NULL at a start; where another build of the
 * module had it open, it is the one that is in use.
 *
 * The pool has no parent, so that nothing cleans it up: at the end of the
 * process the module is unloaded before the process pool is destroyed, and a
 * clean-up would call into nowhere. The kernel closes the file.
 */
static int open_anew(retained_t *retained, server_rec *main_server,
                     const guard_secret_t *guess_secret)
{
    guard_shm_options_t options = options_for(main_server);
    apr_pool_t *own_pool;
    apr_status_t rv = apr_pool_create_unmanaged(&own_pool);

    if (rv == APR_SUCCESS) {
        options.path = apr_pstrdup(own_pool, options.path);
        options.guess_secret = guess_secret;
        rv = guard_store_shm_open(&retained->store, &options, own_pool);
    }
    if (rv != APR_SUCCESS) {
        return fail_open(rv, options.path, main_server);
    }
    retained->path = options.path;
    retained->handle = guard_store_shm_handle(retained->store);
    local_store = retained->store;
    guard_log_full(main_server, local_store); /* what was before is no news */
    return OK;
}

/* Another build of the module has it open: close it, and open it anew with
 * the guess key that is in use, or at the next try, should this one fail. */
static int reopen(retained_t *retained, server_rec *main_server)
{
    guard_secret_t guess_secret = retained->handle.guess_secret;

    if (retained->handle.mapping) {
        guard_store_shm_release(&retained->handle);
        retained->handle.mapping = NULL;
        retained->handle.fd = -1;
    }
    return open_anew(retained, main_server, &guess_secret);
}

/* At a start open the file; after a graceful go on with what is open. */
static int open_or_keep(retained_t *retained, server_rec *main_server)
{
    if (!retained->handle.layout) {
        return open_anew(retained, main_server, NULL);
    }
    if (retained->handle.layout == guard_store_shm_layout() &&
        retained->handle.mapping) {
        keep_open(retained, main_server);
        return OK;
    }
    return reopen(retained, main_server);
}

/* The semaphore outlives gracefuls: the children of before still hold places
 * in it. It goes with the server, whether it is in use then or not. */
static apr_status_t remove_checks(void *data)
{
    const retained_t *retained = data;

    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_EXITING) {
        guard_checks_remove(retained->checks_id - 1);
    }
    return APR_SUCCESS;
}

static void resize_checks(server_rec *main_server)
{
    apr_status_t rv =
        guard_checks_resize(checks_id, conf_of(main_server)->checks_count);

    checks_short = APR_STATUS_IS_EAGAIN(rv);
    if (rv != APR_SUCCESS && !checks_short) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, main_server,
                     "AG0212: checks: AuthGuardChecks can't be set");
    }
}

static apr_status_t find_checks(retained_t *retained)
{
    apr_status_t rv = APR_SUCCESS;
    int is_root = geteuid() == 0; /* else the children are who we are */
    int id;

    if (retained->checks_id && !guard_checks_is_ours(retained->checks_id - 1)) {
        retained->checks_id = 0; /* somebody has removed it */
    }
    if (!retained->checks_id) {
        rv = guard_checks_open(&id, retained->path,
                               is_root ? ap_unixd_config.user_id : geteuid(),
                               is_root ? ap_unixd_config.group_id : getegid());
        retained->checks_id = rv == APR_SUCCESS ? id + 1 : 0;
    }
    return rv;
}

static void open_checks(apr_pool_t *pconf, retained_t *retained,
                        server_rec *main_server)
{
    int is_limited = conf_of(main_server)->checks == GUARD_CHECKS_LIMITED;
    apr_status_t rv = is_limited ? find_checks(retained) : APR_SUCCESS;

    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, main_server,
                     "AG0212: checks: no semaphore for AuthGuardChecks; the "
                     "number of checks is not limited");
    }
    if (retained->checks_id) {
        apr_pool_cleanup_register(pconf, retained, remove_checks,
                                  apr_pool_cleanup_null);
    }
    if (is_limited && retained->checks_id) {
        checks_id = retained->checks_id - 1;
        resize_checks(main_server);
    }
}

/* The counts are kept by the table here, or elsewhere with the table to fall
 * back on. */
static int open_away(apr_pool_t *pconf, server_rec *main_server)
{
    const guard_away_conf_t *away = conf_of(main_server)->away;
    guard_store_kept_t *kept;
    apr_status_t rv;

    open_store = local_store;
    if (!away) {
        return OK;
    }
    kept = ap_retained_data_get(KEPT_KEY);
    if (!kept) {
        kept = ap_retained_data_create(KEPT_KEY, sizeof(*kept));
    }
    rv = away->provider->open(&open_store, away->options, local_store, kept,
                              say, main_server, pconf);
    if (rv == APR_SUCCESS) {
        return OK;
    }
    ap_log_error(APLOG_MARK, APLOG_EMERG, rv, main_server,
                 "AG0206: store: can't open the store %s; see AuthGuardStore",
                 away->name);
    return HTTP_INTERNAL_SERVER_ERROR;
}

int guard_server_pre_config(apr_pool_t *pconf, apr_pool_t *plog,
                            apr_pool_t *ptemp)
{
    (void)pconf;
    (void)plog;
    (void)ptemp;
    open_store = NULL;
    local_store = NULL;
    checks_id = -1;
    guard_conf_named_scopes = NULL;
    return OK;
}

int guard_server_post_config(apr_pool_t *pconf, apr_pool_t *plog,
                             apr_pool_t *ptemp, server_rec *main_server)
{
    retained_t *retained;
    apr_status_t rv;
    int status = guard_conf_finish(pconf, ptemp, main_server);

    (void)plog;
    if (status != OK ||
        ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return status;
    }
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST) {
        return OK;
    }
    rv = make_flags(pconf);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, rv, main_server,
                     "AG0206: store: no memory for shared flags");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    guard_scope_init(pconf, conf_of(main_server)->away != NULL);
    retained = ap_retained_data_get(RETAINED_KEY);
    if (!retained) {
        retained = ap_retained_data_create(RETAINED_KEY, sizeof(*retained));
    }
    status = open_or_keep(retained, main_server);
    if (status != OK || !local_store) {
        return status;
    }
    local_store->wait_usec = conf_of(main_server)->wait_usec;
    open_checks(pconf, retained, main_server);
    status = open_away(pconf, main_server);
    if (status == OK) {
        guard_scope_hash_names(main_server, &open_store->table_secret);
    }
    return status;
}

void guard_server_child_init(apr_pool_t *pchild, server_rec *main_server)
{
    const guard_away_conf_t *away = conf_of(main_server)->away;
    int threads = 1, processes = 1;
    apr_status_t rv;

    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    guard_wait_init(threads);
    ap_mpm_query(AP_MPMQ_MAX_DAEMONS, &processes);
    if (threads == 1 && flags) {
        guard_wait_share(&flags->board, processes);
    }
    if (!open_store) {
        return;
    }
    rv = guard_store_shm_child_init(local_store);
    if (rv == APR_SUCCESS && away) {
        rv = away->provider->child_init(open_store, (unsigned)threads, pchild);
    }
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, main_server,
                     "AG0206: store: a child can't use it");
    }
}

int guard_server_monitor(apr_pool_t *pool, server_rec *main_server)
{
    const guard_away_conf_t *away = conf_of(main_server)->away;
    guard_shm_options_t options = options_for(main_server);

    (void)pool;
    if (local_store &&
        guard_store_shm_grow_back(local_store, &options) == APR_SUCCESS) {
        guard_log_full(main_server, local_store);
    }
    if (open_store && away) {
        away->provider->monitor(open_store);
    }
    if (checks_short && checks_id >= 0) {
        resize_checks(main_server);
    }
    return DECLINED;
}
