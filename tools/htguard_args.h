/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * htguard_args.h: htguard's command line, and how a run of it ends.
 */
#ifndef HTGUARD_ARGS_H
#define HTGUARD_ARGS_H

#include "guard_key.h"

#include <apr_pools.h>

/** Exit statuses; scripts rely on them. */
typedef enum {
    HTGUARD_DONE = 0, /* check: free */
    HTGUARD_STORE_ERROR = 1,
    HTGUARD_USAGE = 2,
    HTGUARD_NO_CLIENT = 3,
    HTGUARD_INTERRUPTED = 4,
    HTGUARD_LOCKED = 10 /* check only */
} htguard_exit_e;

typedef enum {
    HTGUARD_LIST,
    HTGUARD_CHECK,
    HTGUARD_UNLOCK,
    HTGUARD_STATS
} htguard_verb_e;

/** Options without a letter: bits above the range of characters, so that one
 *  number is both what the parser returns and a flag of what was given. */
enum {
    HTGUARD_OPTION_LOCKED = 0x100,
    HTGUARD_OPTION_JSON = 0x200,
    HTGUARD_OPTION_USER = 0x400,
    HTGUARD_OPTION_ALL = 0x800,
    HTGUARD_OPTION_SCOPE = 0x1000,
    HTGUARD_OPTION_REDIS = 0x10000 /* and what goes with it, counted on */
};

/** What goes with -r. */
enum {
    HTGUARD_REDIS_SECRET,
    HTGUARD_REDIS_PASSWORD,
    HTGUARD_REDIS_PREFIX,
    HTGUARD_REDIS_CA,
    HTGUARD_REDIS_CERT,
    HTGUARD_REDIS_KEY,
    HTGUARD_REDIS_OPTIONS
};

/** What the command line asks for. */
typedef struct htguard_ask_t {
    htguard_verb_e verb;
    const char *const *line; /* all of it, for another program to read */
    const char *file;
    const char *redis; /* the URL; NULL: the store is the file */
    const char *redis_option[HTGUARD_REDIS_OPTIONS]; /* NULL: not given */
    const char *argument; /* ADDRESS or NET as given; NULL: none */
    guard_cidr_t net;     /* the same, read */
    const char *user;     /* NULL: not given */
    const char *scope;    /* NULL: not given */
    int given;            /* HTGUARD_OPTION_... */
} htguard_ask_t;

/** What reading the command line came to. */
typedef enum {
    HTGUARD_READ_COMMAND, /* there is a command to run */
    HTGUARD_READ_DONE,    /* help or version, shown already */
    HTGUARD_READ_MISUSE   /* a mistake, told already */
} htguard_read_e;

/** Read the command line.
 *  @param ask zeroed, but for file: the one that is meant without -f */
htguard_read_e htguard_args_read(htguard_ask_t *ask, int argc,
                                 const char *const *argv, apr_pool_t *pool);

#endif
