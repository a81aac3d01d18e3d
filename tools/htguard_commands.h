/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * htguard_commands.h: what htguard's commands do with an open store.
 */
#ifndef HTGUARD_COMMANDS_H
#define HTGUARD_COMMANDS_H

#include "guard_store.h"
#include "htguard_args.h"

#include <signal.h>

/** A command line, and what it is run on. */
typedef struct htguard_run_t {
    const htguard_ask_t *ask;
    guard_store_t *store;
    uint64_t now_usec;
    const char *by;                    /* who asks */
    const volatile sig_atomic_t *stop; /* once set: end */
    apr_pool_t *pool;
} htguard_run_t;

/**
 * Run the command; what was found goes to standard output.
 * @param rv what was in the way
 * @return how to end; HTGUARD_STORE_ERROR and HTGUARD_INTERRUPTED leave it to
 * the caller to tell of rv
 */
htguard_exit_e htguard_command_run(const htguard_run_t *run, apr_status_t *rv);

#endif
