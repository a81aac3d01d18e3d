/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * htguard.c: look into the store and unlock clients, from a shell.
 *
 * Owns one run of it: opens the store, has the command done, and tells what
 * was in the way. Knows nothing of httpd, nothing of how the file is laid out,
 * and nothing of Redis: it comes in by guard_store_shm_open() as everybody
 * does, with the server up or down, or by htguard_redis_open(). Invariant:
 * however it ends, the exit status tells; a broken file or a signal changes no
 * more in the store than a killed child of httpd would.
 */
#include "guard_store_shm.h"
#include "guard_text.h"
#include "htguard_commands.h"
#include "htguard_redis.h"
#include "htguard_show.h"

#include <apr_general.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stop;
static char lost_message[HTGUARD_SHOWN_MAX + 200]; /* if the file is cut */

static void interrupt(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

/* The file ended before the mapping did: somebody cut it while it was read.
 * Its locks know how to go on without us. */
static void lose_file(int signal_number)
{
    ssize_t written = write(STDERR_FILENO, lost_message, strlen(lost_message));

    (void)signal_number;
    (void)written; /* nowhere to say it */
    _exit(HTGUARD_STORE_ERROR);
}

static void mind_signals(const htguard_ask_t *ask)
{
    struct sigaction action = {.sa_handler = interrupt,
                               .sa_flags = (int)SA_RESETHAND};
    struct sigaction lost = {.sa_handler = lose_file};
    struct sigaction quiet = {.sa_handler = SIG_DFL};
    char shown[HTGUARD_SHOWN_MAX];

    snprintf(lost_message, sizeof(lost_message),
             "htguard: %s: was cut short meanwhile\nTry: %s\n",
             guard_text_encode(shown, sizeof(shown), ask->file),
             htguard_show_remedy(APR_FROM_OS_ERROR(ENOTRECOVERABLE)));
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGBUS, &lost, NULL);
    sigaction(SIGPIPE, &quiet, NULL); /* head(1) has seen enough */
}

/* The store's name, as it was given. */
static const char *store_of(const htguard_ask_t *ask)
{
    return ask->redis ? ask->redis : ask->file;
}

/* baton: an int, 1 once the store has told what is wrong. What makes a server
 * warn may be all that a tool gets to hear before it gives up. */
static void say(void *baton, guard_say_e level, const char *id,
                const char *sentence)
{
    int *is_told = baton;

    if (level != GUARD_SAY_NOTICE) {
        fprintf(stderr, "htguard: %s: %s\n", id, sentence);
    }
    *is_told |= level != GUARD_SAY_NOTICE;
}

static void tell_trouble(const htguard_ask_t *ask, int is_told, apr_status_t rv)
{
    const char *remedy =
        ask->redis ? htguard_redis_remedy(rv) : htguard_show_remedy(rv);
    char shown[HTGUARD_SHOWN_MAX];
    char reason[128];

    if (!is_told) {
        fprintf(stderr, "htguard: %s: %s\n",
                guard_text_encode(shown, sizeof(shown), store_of(ask)),
                apr_strerror(rv, reason, sizeof(reason)));
    }
    if (remedy) {
        fprintf(stderr, "Try: %s\n", remedy);
    }
}

static apr_status_t open_file(guard_store_t **store, const htguard_ask_t *ask,
                              int *is_told, apr_pool_t *pool)
{
    guard_shm_options_t how = {.path = ask->file,
                               .role = GUARD_SHM_TOOL,
                               .say = say,
                               .baton = is_told};

    return guard_store_shm_open(store, &how, pool);
}

static htguard_exit_e run(const htguard_ask_t *ask, apr_pool_t *pool)
{
    int is_told = 0;
    htguard_run_t what = {.ask = ask, .stop = &stop, .pool = pool};
    htguard_exit_e result = HTGUARD_STORE_ERROR;
    apr_status_t rv =
        ask->redis ? htguard_redis_open(&what.store, ask, say, &is_told, pool)
                   : open_file(&what.store, ask, &is_told, pool);

    if (APR_STATUS_IS_BADARG(rv)) {
        return HTGUARD_USAGE; /* and told */
    }
    if (rv == APR_SUCCESS) {
        what.now_usec = guard_store_clock();
        what.by = htguard_show_user_name(pool);
        result = htguard_command_run(&what, &rv);
    }
    if (rv != APR_SUCCESS && stop) {
        return HTGUARD_INTERRUPTED;
    }
    if (rv != APR_SUCCESS) {
        tell_trouble(ask, is_told, rv);
    }
    return result;
}

/* What was printed must have arrived, too. */
static htguard_exit_e flush(htguard_exit_e result)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return result;
    }
    if (stop) {
        return HTGUARD_INTERRUPTED;
    }
    fprintf(stderr, "htguard: what was found could not be written\n");
    return HTGUARD_STORE_ERROR;
}

int main(int argc, const char *const *argv)
{
    htguard_ask_t ask = {.file = GUARD_RUNTIMEDIR "/" GUARD_SHM_FILE_DEFAULT};
    htguard_exit_e result = HTGUARD_USAGE;
    apr_pool_t *pool;

    if (!htguard_show_begin()) {
        return HTGUARD_STORE_ERROR; /* and nowhere to say it */
    }
    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        fprintf(stderr, "htguard: out of memory\n");
        return HTGUARD_STORE_ERROR;
    }
    switch (htguard_args_read(&ask, argc, argv, pool)) {
    case HTGUARD_READ_COMMAND:
        mind_signals(&ask);
        result = run(&ask, pool);
        break;
    case HTGUARD_READ_DONE:
        result = HTGUARD_DONE;
        break;
    case HTGUARD_READ_MISUSE:
        break;
    }
    if (result != HTGUARD_INTERRUPTED) {
        result = flush(result);
    }
    apr_terminate();
    if (result == HTGUARD_INTERRUPTED) {
        _exit((int)result); /* nobody may be there to read the rest */
    }
    return (int)result;
}
