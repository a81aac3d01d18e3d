/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * htguard_args.c owns the words of the command line: commands, options, help.
 * It knows nothing of stores, nor of what a command does.
 *
 * Invariant: a line that was let through has exactly one meaning; nothing of
 * it is ignored.
 */
#include "htguard_args.h"
#include "guard_store_names.h"
#include "guard_text.h"
#include "htguard_show.h"

#include <apr_getopt.h>

#include <stdio.h>
#include <string.h>

static const apr_getopt_option_t options[] = {
    {"file", 'f', 1, ""},
    {"redis", 'r', 1, ""},
    {"secret", HTGUARD_OPTION_REDIS + HTGUARD_REDIS_SECRET, 1, ""},
    {"password", HTGUARD_OPTION_REDIS + HTGUARD_REDIS_PASSWORD, 1, ""},
    {"prefix", HTGUARD_OPTION_REDIS + HTGUARD_REDIS_PREFIX, 1, ""},
    {"ca", HTGUARD_OPTION_REDIS + HTGUARD_REDIS_CA, 1, ""},
    {"cert", HTGUARD_OPTION_REDIS + HTGUARD_REDIS_CERT, 1, ""},
    {"key", HTGUARD_OPTION_REDIS + HTGUARD_REDIS_KEY, 1, ""},
    {"help", 'h', 0, ""},
    {"version", 'V', 0, ""},
    {"locked", HTGUARD_OPTION_LOCKED, 0, ""},
    {"json", HTGUARD_OPTION_JSON, 0, ""},
    {"user", HTGUARD_OPTION_USER, 1, ""},
    {"all", HTGUARD_OPTION_ALL, 0, ""},
    {"scope", HTGUARD_OPTION_SCOPE, 1, ""},
    {NULL, 0, 0, NULL},
};

static const struct command_t {
    const char *name;
    const char *arguments; /* for --help */
    const char *purpose;
    int allowed;  /* HTGUARD_OPTION_... */
    int argument; /* 1: takes an ADDRESS or NET */
    htguard_verb_e verb;
} commands[] = {
    {"list", "[--locked] [--scope S] [--json]", "show the clients counted",
     HTGUARD_OPTION_LOCKED | HTGUARD_OPTION_JSON | HTGUARD_OPTION_SCOPE, 0,
     HTGUARD_LIST},
    {"check", "ADDRESS [--scope S] [--json]", "is this address locked out?",
     HTGUARD_OPTION_JSON | HTGUARD_OPTION_SCOPE, 1, HTGUARD_CHECK},
    {"unlock", "ADDRESS|NET|--user NAME|--all [--scope S] [--json]",
     "let clients in again, and forget their failures",
     HTGUARD_OPTION_USER | HTGUARD_OPTION_ALL | HTGUARD_OPTION_JSON |
         HTGUARD_OPTION_SCOPE,
     1, HTGUARD_UNLOCK},
    {"stats", "[--json]", "show the counters", HTGUARD_OPTION_JSON, 0,
     HTGUARD_STATS},
};

static const char HELP_OPTIONS[] =
    "\n  -f, --file FILE  the file of AuthGuardStore\n"
    "                   (default: %s)\n"
    "  -r, --redis URL  a fleet's counts: the URL of AuthGuardStore redis\n"
    "  --secret FILE    with -r: what user names are hashed with\n"
    "  --password FILE  with -r: the password, if not in the environment\n"
    "  --prefix NAME    with -r: what the keys begin with\n"
    "  --ca FILE        with -r: who signs the server's certificate\n"
    "  --cert FILE      with -r: a certificate for the server to see\n"
    "  --key FILE       with -r: its private key\n"
    "  --locked         only clients that are locked out\n"
    "  --scope S        only in this scope, named as list prints it\n"
    "  --user NAME      the user of this name, at every address\n"
    "  --all            all clients\n"
    "  --json           for programs\n"
    "  -h, --help       show this\n"
    "  -V, --version    show the version\n\n"
    "Exit status: 0 done, 1 store error, 2 usage, 3 no such client, "
    "4 interrupted;\ncheck: 0 free, 10 locked.\n";

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static htguard_read_e misuse(const char *what, const char *problem)
{
    char shown[HTGUARD_SHOWN_MAX];

    fprintf(stderr, "htguard: %s: %s\nTry: htguard --help\n",
            guard_text_encode(shown, sizeof(shown), what), problem);
    return HTGUARD_READ_MISUSE;
}

static htguard_read_e help(const htguard_ask_t *ask)
{
    printf("Usage: htguard [-f FILE | -r URL] COMMAND\n\n");
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        printf("  %-7s %s\n          %s\n", commands[i].name,
               commands[i].arguments, commands[i].purpose);
    }
    printf(HELP_OPTIONS, ask->file);
    return HTGUARD_READ_DONE;
}

static const struct command_t *find_command(const char *name)
{
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        if (!strcmp(commands[i].name, name)) {
            return &commands[i];
        }
    }
    return NULL;
}

/** Take an option that is not a command of its own. */
static void take_option(htguard_ask_t *ask, int option, const char *value,
                        apr_pool_t *pool)
{
    if (option >= HTGUARD_OPTION_REDIS) {
        ask->redis_option[option - HTGUARD_OPTION_REDIS] = value;
        return;
    }
    switch (option) {
    case 'f':
        ask->file = value;
        return;
    case 'r':
        ask->redis = value;
        return;
    case HTGUARD_OPTION_USER:
        ask->user = value;
        break;
    case HTGUARD_OPTION_SCOPE:
        ask->scope = htguard_show_unescape(pool, value);
        break;
    default:
        break;
    }
    ask->given |= option;
}

/** Check that one store is meant. */
static const char *find_store_misuse(const htguard_ask_t *ask,
                                     const char *default_file)
{
    if (ask->redis && ask->file != default_file) {
        return "takes one of -f and -r";
    }
    for (unsigned i = 0; i < HTGUARD_REDIS_OPTIONS && !ask->redis; i++) {
        if (ask->redis_option[i]) {
            return "takes --secret, --password, --prefix, --ca, --cert and "
                   "--key with -r only";
        }
    }
    return NULL;
}

/** Check the command line, and read its argument. @return what is wrong, or
 *  NULL. */
static const char *find_misuse(const struct command_t *command,
                               htguard_ask_t *ask, int arguments)
{
    int is_unlock = command->verb == HTGUARD_UNLOCK;
    int chosen = (arguments > 0) + ((ask->given & HTGUARD_OPTION_USER) != 0) +
                 ((ask->given & HTGUARD_OPTION_ALL) != 0);

    if (ask->given & ~command->allowed) {
        return "does not take this option";
    }
    if (arguments > command->argument) {
        return "too many arguments";
    }
    if (command->argument && chosen != 1) {
        return is_unlock ? "needs one of ADDRESS, NET, --user and --all"
                         : "needs an ADDRESS";
    }
    if (ask->argument &&
        (guard_cidr_parse(&ask->net, ask->argument) != APR_SUCCESS ||
         (!is_unlock && strchr(ask->argument, '/')))) {
        return is_unlock ? "needs an IPv4 or IPv6 ADDRESS or ADDRESS/BITS"
                         : "needs an IPv4 or IPv6 ADDRESS";
    }
    return NULL;
}

htguard_read_e htguard_args_read(htguard_ask_t *ask, int argc,
                                 const char *const *argv, apr_pool_t *pool)
{
    const htguard_ask_t fresh = *ask;
    const struct command_t *command;
    const char *value;
    const char *problem;
    apr_getopt_t *line;
    apr_status_t rv;
    int option;

    ask->line = argv;
    apr_getopt_init(&line, pool, argc, argv);
    line->interleave = 1;
    while ((rv = apr_getopt_long(line, options, &option, &value)) ==
           APR_SUCCESS) {
        if (option == 'h') {
            return help(&fresh);
        }
        if (option == 'V') {
            printf("htguard " GUARD_VERSION "\n");
            return HTGUARD_READ_DONE;
        }
        take_option(ask, option, value, pool);
    }
    if (!APR_STATUS_IS_EOF(rv)) {
        fprintf(stderr, "Try: htguard --help\n"); /* APR has told why */
        return HTGUARD_READ_MISUSE;
    }
    if (line->ind >= argc) {
        return misuse("COMMAND", "missing");
    }
    command = find_command(line->argv[line->ind]);
    if (!command) {
        return misuse(line->argv[line->ind], "no such command");
    }
    ask->verb = command->verb;
    ask->argument = line->argv[line->ind + 1]; /* NULL behind the last */
    problem = find_store_misuse(ask, fresh.file);
    if (!problem) {
        problem = find_misuse(command, ask, argc - line->ind - 1);
    }
    return problem ? misuse(command->name, problem) : HTGUARD_READ_COMMAND;
}
