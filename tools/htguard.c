/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * htguard.c: look into the store's file and unlock clients, from a shell.
 *
 * Owns the command line and what each command does. Knows nothing of httpd
 * and nothing of how the file is laid out: it comes in by
 * guard_store_shm_open() as everybody does, with the server up or down.
 * Invariant: a command does all that it was asked, or its exit status says
 * what was in the way.
 */
#include "guard_store_shm.h"
#include "guard_text.h"
#include "htguard_show.h"

#include <apr_general.h>
#include <apr_getopt.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HTGUARD_VERSION "0.1.0"
#define FILE_DEFAULT GUARD_RUNTIMEDIR "/" GUARD_SHM_FILE_DEFAULT

/** Exit statuses; scripts rely on them. */
typedef enum {
    EXIT_DONE = 0,
    EXIT_STORE = 1,
    EXIT_USAGE = 2,
    EXIT_NO_CLIENT = 3,
    EXIT_INTERRUPTED = 4,
    EXIT_LOCKED = 10 /* check only */
} exit_e;

/** What the command line asks for. */
typedef struct ask_t {
    const char *file;
    const char *argument; /* ADDRESS or NET; NULL: none */
    guard_cidr_t net;     /* the same, read */
    const char *user;
    const char *scope;
    int given;      /* OPTION_... seen */
    int told;       /* say() has said what is wrong with the file */
    const char *by; /* who asks */
    guard_store_t *store;
    uint64_t now_usec;
} ask_t;

/* Options without a letter: bits above the range of characters, so that one
 * number is both what the parser returns and a flag of ask_t. */
enum {
    OPTION_LOCKED = 0x100,
    OPTION_JSON = 0x200,
    OPTION_USER = 0x400,
    OPTION_ALL = 0x800,
    OPTION_SCOPE = 0x1000
};

static const apr_getopt_option_t options[] = {
    {"file", 'f', 1, ""},         {"help", 'h', 0, ""},
    {"version", 'V', 0, ""},      {"locked", OPTION_LOCKED, 0, ""},
    {"json", OPTION_JSON, 0, ""}, {"user", OPTION_USER, 1, ""},
    {"all", OPTION_ALL, 0, ""},   {"scope", OPTION_SCOPE, 1, ""},
    {NULL, 0, 0, NULL},
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static exit_e misuse(const char *what, const char *problem)
{
    char shown[HTGUARD_SHOWN_MAX];

    fprintf(stderr, "htguard: %s: %s\nTry: htguard --help\n",
            guard_text_encode(shown, sizeof(shown), what), problem);
    return EXIT_USAGE;
}

static exit_e trouble(const ask_t *ask, apr_status_t rv)
{
    char shown[HTGUARD_SHOWN_MAX];
    char reason[128];
    const char *remedy = htguard_show_remedy(rv);

    if (interrupted) {
        return EXIT_INTERRUPTED;
    }
    if (!ask->told) {
        fprintf(stderr, "htguard: %s: %s\n",
                guard_text_encode(shown, sizeof(shown), ask->file),
                apr_strerror(rv, reason, sizeof(reason)));
    }
    if (remedy) {
        fprintf(stderr, "Try: %s\n", remedy);
    }
    return EXIT_STORE;
}

static void say(void *baton, guard_say_e level, const char *id,
                const char *sentence)
{
    ask_t *ask = baton;

    if (level != GUARD_SAY_NOTICE) {
        fprintf(stderr, "htguard: %s: %s\n", id, sentence);
    }
    ask->told |= level == GUARD_SAY_ERROR;
}

/** What a walk over the records has come to. */
typedef struct walk_t {
    int json;
    const guard_addr_t *addr; /* check: whose */
    unsigned count;
    unsigned locked;
} walk_t;

static apr_status_t each_listed(void *baton, const guard_entry_t *entry)
{
    walk_t *walk = baton;

    if (interrupted) {
        return APR_EINTR;
    }
    if (walk->json) {
        printf("%s", walk->count ? ",\n" : "");
        htguard_show_json(entry);
    } else {
        htguard_show_row(entry);
    }
    walk->count++;
    return APR_SUCCESS;
}

/* Any block that has the address in it counts: how much of an address makes
 * a key is the server's choice, and differs from kind to kind. */
static apr_status_t each_checked(void *baton, const guard_entry_t *entry)
{
    walk_t *walk = baton;
    guard_cidr_t block = {entry->addr, entry->bits};

    if (interrupted) {
        return APR_EINTR;
    }
    if (entry->bits == 0 || !guard_cidr_contains(&block, walk->addr)) {
        return APR_SUCCESS;
    }
    if (!walk->count++) {
        htguard_show_heading();
    }
    htguard_show_row(entry);
    walk->locked += entry->phase == GUARD_PHASE_LOCKED &&
                    entry->counted == GUARD_COUNTED_FOR_REAL;
    return APR_SUCCESS;
}

static guard_filter_t base_filter(const ask_t *ask)
{
    return (guard_filter_t){.by = GUARD_FILTER_ALL,
                            .scope_name = ask->scope,
                            .locked_only = (ask->given & OPTION_LOCKED) != 0};
}

static exit_e run_list(const ask_t *ask)
{
    walk_t walk = {.json = (ask->given & OPTION_JSON) != 0};
    guard_filter_t filter = base_filter(ask);
    apr_status_t rv;

    if (walk.json) {
        printf("{\"clients\":[");
    } else {
        htguard_show_heading();
    }
    rv = ask->store->ops->iterate(ask->store, ask->now_usec, &filter,
                                  each_listed, &walk);
    if (rv != APR_SUCCESS) {
        return trouble(ask, rv);
    }
    printf("%s", walk.json ? "]}\n" : "");
    return EXIT_DONE;
}

static exit_e run_check(const ask_t *ask)
{
    guard_filter_t filter = base_filter(ask);
    walk_t walk = {.addr = &ask->net.addr};
    apr_status_t rv = ask->store->ops->iterate(ask->store, ask->now_usec,
                                               &filter, each_checked, &walk);

    if (rv != APR_SUCCESS) {
        return trouble(ask, rv);
    }
    printf("%s\n", walk.locked ? "locked" : "free");
    return walk.locked ? EXIT_LOCKED : EXIT_DONE;
}

static exit_e run_unlock(const ask_t *ask)
{
    guard_filter_t filter = base_filter(ask);
    unsigned count = 0;
    apr_status_t rv;

    if (ask->given & OPTION_USER) {
        filter.by = GUARD_FILTER_USER;
        filter.user = ask->user;
    } else if (ask->argument) {
        filter.by = GUARD_FILTER_NET;
        filter.net = ask->net;
    }
    rv = ask->store->ops->unlock(ask->store, ask->now_usec, &filter, &count);
    if (rv != APR_SUCCESS) {
        return trouble(ask, rv);
    }
    if (!count && !(ask->given & OPTION_ALL)) {
        fprintf(stderr, "htguard: no such client; see htguard list\n");
        return EXIT_NO_CLIENT;
    }
    htguard_show_unlocked(ask->argument, ask->user, ask->scope, count, ask->by);
    return EXIT_DONE;
}

static exit_e run_stats(const ask_t *ask)
{
    guard_stats_t stats = {0};
    apr_status_t rv = ask->store->ops->stats(ask->store, ask->now_usec, &stats);

    if (rv != APR_SUCCESS) {
        return trouble(ask, rv);
    }
    htguard_show_stats(&stats, (ask->given & OPTION_JSON) != 0);
    return EXIT_DONE;
}

static const struct command_t {
    const char *name;
    const char *arguments; /* for --help */
    const char *purpose;
    int allowed;  /* OPTION_... */
    int argument; /* 1: takes an ADDRESS or NET */
    exit_e (*run)(const ask_t *ask);
} commands[] = {
    {"list", "[--locked] [--json] [--scope S]", "show the clients counted",
     OPTION_LOCKED | OPTION_JSON | OPTION_SCOPE, 0, run_list},
    {"check", "ADDRESS [--scope S]", "is this address locked out?",
     OPTION_SCOPE, 1, run_check},
    {"unlock", "ADDRESS|NET|--user NAME|--all [--scope S]",
     "let clients in again, and forget their failures",
     OPTION_USER | OPTION_ALL | OPTION_SCOPE, 1, run_unlock},
    {"stats", "[--json]", "show the counters", OPTION_JSON, 0, run_stats},
};

static exit_e help(void)
{
    printf("Usage: htguard [-f FILE] COMMAND\n\n");
    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        printf("  %-7s %s\n          %s\n", commands[i].name,
               commands[i].arguments, commands[i].purpose);
    }
    printf("\n  -f, --file FILE  the file of AuthGuardStore\n"
           "                   (default: %s)\n"
           "  -h, --help       show this\n"
           "  -V, --version    show the version\n\n"
           "S is a scope as list prints it.\n"
           "Exit status: 0 done, 1 store error, 2 usage, 3 no such client, "
           "4 interrupted;\ncheck: 0 free, 10 locked.\n",
           FILE_DEFAULT);
    return EXIT_DONE;
}

static const struct command_t *find_command(const char *name)
{
    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (!strcmp(commands[i].name, name)) {
            return &commands[i];
        }
    }
    return NULL;
}

/** Take an option that is not a command of its own. */
static void take_option(ask_t *ask, int option, const char *value,
                        apr_pool_t *pool)
{
    if (option == 'f') {
        ask->file = value;
        return;
    }
    ask->given |= option;
    ask->user = option == OPTION_USER ? value : ask->user;
    ask->scope = option == OPTION_SCOPE ? htguard_show_unescape(pool, value)
                                        : ask->scope;
}

/** Check the command line, and read its argument. @return what is wrong, or
 *  NULL. */
static const char *find_misuse(const struct command_t *command, ask_t *ask,
                               int arguments)
{
    int is_unlock = (command->allowed & OPTION_ALL) != 0;
    int chosen = (arguments > 0) + ((ask->given & OPTION_USER) != 0) +
                 ((ask->given & OPTION_ALL) != 0);

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

static exit_e run(const struct command_t *command, ask_t *ask, apr_pool_t *pool)
{
    guard_shm_options_t how = {
        .path = ask->file, .role = GUARD_SHM_TOOL, .say = say, .baton = ask};
    apr_status_t rv = guard_store_shm_open(&ask->store, &how, pool);
    exit_e result;

    if (rv != APR_SUCCESS) {
        return trouble(ask, rv);
    }
    ask->now_usec = guard_store_clock();
    ask->by = htguard_show_user_name(pool);
    result = command->run(ask);
    if (result != EXIT_INTERRUPTED && (fflush(stdout) || ferror(stdout))) {
        fprintf(stderr, "htguard: what was found could not be written\n");
        return EXIT_STORE;
    }
    return result;
}

static exit_e start(int argc, const char *const *argv, apr_pool_t *pool)
{
    ask_t ask = {.file = FILE_DEFAULT};
    const struct command_t *command;
    const char *value;
    const char *problem;
    apr_getopt_t *line;
    apr_status_t rv;
    int option;

    apr_getopt_init(&line, pool, argc, argv);
    line->interleave = 1;
    while ((rv = apr_getopt_long(line, options, &option, &value)) ==
           APR_SUCCESS) {
        if (option == 'h') {
            return help();
        }
        if (option == 'V') {
            printf("htguard " HTGUARD_VERSION "\n");
            return EXIT_DONE;
        }
        take_option(&ask, option, value, pool);
    }
    if (!APR_STATUS_IS_EOF(rv)) {
        return EXIT_USAGE; /* apr_getopt_long has told why */
    }
    if (line->ind >= argc) {
        return misuse("COMMAND", "missing");
    }
    command = find_command(line->argv[line->ind]);
    if (!command) {
        return misuse(line->argv[line->ind], "no such command");
    }
    ask.argument = line->argv[line->ind + 1]; /* NULL behind the last */
    problem = find_misuse(command, &ask, argc - line->ind - 1);
    if (problem) {
        return misuse(command->name, problem);
    }
    return run(command, &ask, pool);
}

int main(int argc, const char *const *argv)
{
    struct sigaction action = {.sa_handler = interrupt,
                               .sa_flags = (int)SA_RESETHAND};
    apr_pool_t *pool;
    exit_e result;

    if (!htguard_show_begin()) {
        return EXIT_STORE; /* and nowhere to say it */
    }
    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        fprintf(stderr, "htguard: out of memory\n");
        return EXIT_STORE;
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    result = start(argc, argv, pool);
    apr_terminate();
    return (int)result;
}
