/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_resolve.c owns where the server's name leads, and the
 * process that looks it up. It knows no connection.
 *
 * The board has two sides. A writer fills the one that is not valid, and then
 * makes it so in one step; a reader whose side may have been written to
 * meanwhile reads again. Releases and acquires at each word keep the words of
 * a side between the two versions that stand around them.
 *
 * Invariant: at most one process looks up, it is a child of the parent's, and
 * it ends with the parent.
 */
#include "guard_store_redis_resolve.h"

#include <apr_strings.h>
#include <apr_thread_proc.h>

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A reader is disturbed by two look-ups that end while it copies. */
#define READS_MAX 16

struct guard_redis_resolver_t {
    guard_redis_board_t *board;
    guard_redis_lookup_fn *lookup;
    const char *host; /* NULL: there is nothing to look up */
    apr_port_t port;
    uint64_t begun_usec; /* the last look-up */
    apr_proc_t process;  /* pid 0: none */
    pid_t owner;         /* the parent */
    apr_pool_t *pool;
    apr_pool_t *process_pool; /* NULL: none was begun */
};

void guard_redis_board_write(guard_redis_board_t *board,
                             const guard_redis_found_t *found)
{
    uint64_t version = atomic_load(&board->version) + 1;
    uint64_t word[GUARD_REDIS_FOUND_WORDS] = {0};

    memcpy(word, found, sizeof(*found));
    for (size_t i = 0; i < GUARD_REDIS_FOUND_WORDS; i++) {
        atomic_store_explicit(&board->side[version & 1][i], word[i],
                              memory_order_release);
    }
    atomic_store(&board->version, version);
}

void guard_redis_board_read(const guard_redis_board_t *board,
                            guard_redis_found_t *found)
{
    for (int reads = 0; reads < READS_MAX; reads++) {
        uint64_t version = atomic_load(&board->version);
        uint64_t word[GUARD_REDIS_FOUND_WORDS];

        for (size_t i = 0; i < GUARD_REDIS_FOUND_WORDS; i++) {
            word[i] = atomic_load_explicit(&board->side[version & 1][i],
                                           memory_order_acquire);
        }
        if (atomic_load(&board->version) == version) {
            memcpy(found, word, sizeof(*found));
            return;
        }
    }
    found->count = 0;
}

static void collect(guard_redis_found_t *found, const struct addrinfo *info)
{
    memset(found, 0, sizeof(*found));
    for (; info && found->count < GUARD_REDIS_ADDRESSES_MAX;
         info = info->ai_next) {
        guard_redis_address_t *address = &found->address[found->count];

        if (info->ai_addrlen <= sizeof(address->addr)) {
            memcpy(&address->addr, info->ai_addr, info->ai_addrlen);
            address->length = info->ai_addrlen;
            found->count++;
        }
    }
}

static apr_status_t look_up(guard_redis_found_t *found, const char *host,
                            apr_port_t port, int flags)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | flags};
    struct addrinfo *info;
    char service[8];
    int error;

    apr_snprintf(service, sizeof(service), "%d", (int)port);
    error = getaddrinfo(host, service, &hints, &info);
    if (error) {
        return error == EAI_SYSTEM ? errno : APR_EGENERAL;
    }
    collect(found, info);
    freeaddrinfo(info);
    return found->count ? APR_SUCCESS : APR_EGENERAL;
}

apr_status_t guard_redis_lookup(guard_redis_found_t *found, const char *host,
                                apr_port_t port)
{
    return look_up(found, host, port, 0);
}

/* Of the parent's signals none may find the parent's handlers here. */
static void forget_parent(pid_t parent)
{
    static const int SIGNAL[] = {SIGTERM, SIGINT,   SIGHUP, SIGUSR1,
                                 SIGUSR2, SIGWINCH, SIGCHLD};

    for (size_t i = 0; i < sizeof(SIGNAL) / sizeof(SIGNAL[0]); i++) {
        signal(SIGNAL[i], SIG_DFL);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
}

static void look_up_and_end(const guard_redis_resolver_t *resolver)
{
    guard_redis_found_t found;

    forget_parent(resolver->owner);
    if (resolver->lookup(&found, resolver->host, resolver->port) ==
        APR_SUCCESS) {
        guard_redis_board_write(resolver->board, &found);
    }
    _exit(0);
}

/* httpd's parent waits for any child, and tells whose it was. */
static void notice(int reason, void *data, int status)
{
    guard_redis_resolver_t *resolver = data;

    (void)status;
    if (reason == APR_OC_REASON_DEATH || reason == APR_OC_REASON_LOST) {
        resolver->process.pid = 0;
        apr_proc_other_child_unregister(data);
    }
}

/* @return 1 if no process is left, else 0 */
static int reap(guard_redis_resolver_t *resolver, int options)
{
    pid_t pid = resolver->process.pid;

    if (pid) {
        pid_t got;

        do {
            got = waitpid(pid, NULL, options);
        } while (got < 0 && errno == EINTR);
        if (!got) {
            return 0;
        }
        resolver->process.pid = 0;
    }
    if (resolver->process_pool) {
        apr_pool_destroy(resolver->process_pool);
        resolver->process_pool = NULL;
    }
    return 1;
}

static apr_status_t end_process(void *data)
{
    guard_redis_resolver_t *resolver = data;

    /* A child of the parent's has a copy of the pool, and ends it, too. */
    if (resolver->process.pid && resolver->owner == getpid()) {
        kill(resolver->process.pid, SIGKILL);
        reap(resolver, 0);
    }
    return APR_SUCCESS;
}

static int begin_process(guard_redis_resolver_t *resolver)
{
    pid_t pid = fork();

    if (!pid) {
        look_up_and_end(resolver);
    }
    if (pid < 0) {
        return 0;
    }
    resolver->process.pid = pid;
    apr_pool_create(&resolver->process_pool, resolver->pool);
    apr_proc_other_child_register(&resolver->process, notice, resolver, NULL,
                                  resolver->process_pool);
    return 1;
}

guard_redis_resolver_t *
guard_redis_resolve_open(guard_redis_board_t *board,
                         const guard_redis_target_t *target,
                         guard_redis_lookup_fn *lookup, uint64_t now_usec,
                         apr_status_t *rv, apr_pool_t *pool)
{
    guard_redis_resolver_t *resolver = apr_pcalloc(pool, sizeof(*resolver));
    guard_redis_found_t found;

    resolver->board = board;
    resolver->lookup = lookup;
    resolver->port = target->port;
    resolver->begun_usec = now_usec;
    resolver->owner = getpid();
    resolver->pool = pool;
    *rv = APR_SUCCESS;
    if (target->path) {
        return resolver;
    }
    if (look_up(&found, target->host, target->port, AI_NUMERICHOST) !=
        APR_SUCCESS) {
        resolver->host = target->host;
        guard_redis_board_read(board, &found);
        if (found.count) {
            resolver->begun_usec = 0; /* as soon as there is a process */
        } else {
            *rv = lookup(&found, target->host, target->port);
        }
    }
    if (*rv == APR_SUCCESS) {
        guard_redis_board_write(board, &found);
    }
    /* Before those of its own pools, which would hide the process from it. */
    apr_pool_pre_cleanup_register(pool, resolver, end_process);
    return resolver;
}

int guard_redis_resolve_again(guard_redis_resolver_t *resolver, int is_open,
                              uint64_t now_usec)
{
    uint64_t age_usec = now_usec - resolver->begun_usec;
    int is_soon;

    if (!resolver->host) {
        return 0;
    }
    if (!reap(resolver, WNOHANG)) {
        if (age_usec > apr_time_from_sec(GUARD_REDIS_RESOLVE_SEC_MAX)) {
            kill(resolver->process.pid, SIGKILL);
        }
        return 0;
    }
    is_soon = is_open || !atomic_load(&resolver->board->version);
    if (age_usec <
        (is_soon ? GUARD_REDIS_RESOLVE_SOON_USEC : GUARD_REDIS_RESOLVE_USEC)) {
        return 0;
    }
    resolver->begun_usec = now_usec;
    return begin_process(resolver);
}
