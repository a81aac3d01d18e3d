/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * htguard_commands.c owns what each command does. It knows a store by its
 * contract alone, and nothing of files, nor of how a line is laid out.
 *
 * Invariant: a command does all that it was asked, or its exit status says
 * what was in the way.
 */
#include "htguard_commands.h"
#include "guard_store_names.h"
#include "htguard_order.h"
#include "htguard_show.h"
#include "htguard_table.h"

#include <stdio.h>

#define LIST_PAGE_MAX                                                          \
    32768 /* records sorted at once; twice so many are held                    \
           */

/* As many as Redis shows: its clock goes on from pass to pass, so that a
 * record has no fixed place, and one pass has to do. */
#define FLEET_PAGE_MAX 65536

/* What can be said of a fleet: how many clients. The table has no size, and
 * the counters are each server's own. */
#define FLEET_NUMBERS 2

static int is_json(const htguard_run_t *run)
{
    return (run->ask->given & HTGUARD_OPTION_JSON) != 0;
}

/** What a walk over the records has come to. */
typedef struct walk_t {
    const htguard_run_t *run;
    htguard_table_t table;
    unsigned count;
    unsigned locked; /* for real */
} walk_t;

static apr_status_t show_page(void *baton, const guard_entry_t *const *entries,
                              unsigned count)
{
    walk_t *walk = baton;

    if (!is_json(walk->run)) {
        htguard_table_begin(&walk->table, entries, count);
    }
    for (unsigned i = 0; i < count; i++) {
        if (*walk->run->stop) {
            return APR_EINTR;
        }
        if (is_json(walk->run)) {
            printf("%s", walk->count ? ",\n" : "");
            htguard_show_json(entries[i]);
        } else {
            htguard_table_row(&walk->table, entries[i]);
        }
        walk->count++;
        walk->locked += entries[i]->phase == GUARD_PHASE_LOCKED &&
                        entries[i]->counted == GUARD_COUNTED_FOR_REAL;
    }
    return APR_SUCCESS;
}

/* Which clients the command line means. Any block that has an address in it
 * counts: how much of an address makes a key is the server's choice, and
 * differs from kind to kind. */
static guard_filter_t filter_of(const htguard_run_t *run)
{
    const htguard_ask_t *ask = run->ask;
    guard_filter_t filter = {.by = GUARD_FILTER_ALL,
                             .scope_name = ask->scope,
                             .locked_only =
                                 (ask->given & HTGUARD_OPTION_LOCKED) != 0,
                             .stop = run->stop};

    if (ask->given & HTGUARD_OPTION_USER) {
        filter.by = GUARD_FILTER_USER;
        filter.user = ask->user;
    } else if (ask->argument) {
        filter.by = GUARD_FILTER_NET;
        filter.net = ask->net;
    }
    return filter;
}

/* A walk through Redis ends where it has seen enough, and does not say so; its
 * numbers do. @return rv, or APR_INCOMPLETE */
static apr_status_t confess(const htguard_run_t *run, apr_status_t rv)
{
    guard_stats_t found = {0};

    if (rv != APR_SUCCESS || !run->ask->redis) {
        return rv;
    }
    rv = run->store->ops->stats(run->store, run->now_usec, &found);
    return rv == APR_SUCCESS && found.is_partial ? APR_INCOMPLETE : rv;
}

/* 1: what was shown is right, if perhaps not all that there is. */
static int is_usable(apr_status_t rv)
{
    return rv == APR_SUCCESS || APR_STATUS_IS_INCOMPLETE(rv);
}

static apr_status_t show_clients(walk_t *walk)
{
    const htguard_run_t *run = walk->run;
    const htguard_order_t order = {.store = run->store,
                                   .now_usec = run->now_usec,
                                   .filter = filter_of(run),
                                   .page_max = run->ask->redis ? FLEET_PAGE_MAX
                                                               : LIST_PAGE_MAX,
                                   .stop = run->stop,
                                   .page = show_page,
                                   .baton = walk};
    apr_status_t rv;

    if (is_json(run)) {
        printf(",\"clients\":[");
    }
    rv = confess(run, htguard_order_walk(&order, run->pool));
    if (is_usable(rv) && is_json(run)) {
        printf("]");
    }
    return rv;
}

static htguard_exit_e list(const htguard_run_t *run, apr_status_t *rv)
{
    walk_t walk = {.run = run, .table.screen = htguard_screen_look()};

    if (is_json(run)) {
        htguard_show_json_begin();
    }
    *rv = show_clients(&walk);
    if (!is_usable(*rv)) {
        return HTGUARD_STORE_ERROR;
    }
    if (is_json(run)) {
        printf("}\n");
    } else {
        htguard_table_begin(&walk.table, NULL, 0); /* if nobody was there */
    }
    return *rv == APR_SUCCESS ? HTGUARD_DONE : HTGUARD_STORE_ERROR;
}

/* Who was not seen locked where not all was seen may be so: null. */
static void show_verdict(const walk_t *walk, apr_status_t rv)
{
    const htguard_screen_t *screen = &walk->table.screen;
    htguard_paint_e paint = walk->locked ? HTGUARD_RED : HTGUARD_GREEN;
    const char *verdict = walk->locked ? "true" : "false";

    if (is_json(walk->run)) {
        printf(",\"locked\":%s}\n", rv == APR_SUCCESS ? verdict : "null");
        return;
    }
    if (rv != APR_SUCCESS) {
        return;
    }
    printf("%s%s%s\n", htguard_screen_paint(screen, paint),
           walk->locked ? "locked" : "free",
           htguard_screen_unpaint(screen, paint));
}

static htguard_exit_e check(const htguard_run_t *run, apr_status_t *rv)
{
    walk_t walk = {.run = run, .table.screen = htguard_screen_look()};
    char address[GUARD_CIDR_TEXT_MAX];

    if (is_json(run)) {
        htguard_show_json_begin();
        printf(",\"address\":\"%s\"",
               guard_addr_format(address, &run->ask->net.addr));
    }
    *rv = show_clients(&walk);
    if (!is_usable(*rv)) {
        return HTGUARD_STORE_ERROR;
    }
    if (walk.locked) {
        *rv = APR_SUCCESS; /* the rest would not change that */
    }
    show_verdict(&walk, *rv);
    if (*rv != APR_SUCCESS) {
        return HTGUARD_STORE_ERROR;
    }
    return walk.locked ? HTGUARD_LOCKED : HTGUARD_DONE;
}

static htguard_exit_e unlock(const htguard_run_t *run, apr_status_t *rv)
{
    const htguard_ask_t *ask = run->ask;
    guard_filter_t filter = filter_of(run);
    htguard_unlocked_t what = {.client = ask->argument,
                               .user = ask->user,
                               .scope = ask->scope,
                               .by = run->by};
    int is_missed;

    *rv = run->store->ops->unlock(run->store, run->now_usec, &filter,
                                  &what.count);
    if (*rv != APR_SUCCESS) {
        return HTGUARD_STORE_ERROR;
    }
    *rv = confess(run, *rv);
    is_missed = !what.count && !(ask->given & HTGUARD_OPTION_ALL);
    if (!is_missed || is_json(run)) {
        htguard_show_unlocked(&what, is_json(run));
    }
    if (*rv != APR_SUCCESS) {
        return HTGUARD_STORE_ERROR;
    }
    if (is_missed) {
        fprintf(stderr,
                ask->given & HTGUARD_OPTION_USER
                    ? "htguard: nothing is counted under that user name; a "
                      "lockout of an address goes by ADDRESS, see htguard "
                      "list\n"
                    : "htguard: no such client; see htguard list\n");
    }
    return is_missed ? HTGUARD_NO_CLIENT : HTGUARD_DONE;
}

static htguard_exit_e stats(const htguard_run_t *run, apr_status_t *rv)
{
    guard_stats_t found = {0};

    *rv = run->store->ops->stats(run->store, run->now_usec, &found);
    if (*rv != APR_SUCCESS) {
        return HTGUARD_STORE_ERROR;
    }
    htguard_show_stats(&found,
                       run->ask->redis ? FLEET_NUMBERS : GUARD_NUMBER_COUNT,
                       is_json(run));
    *rv = found.is_partial ? APR_INCOMPLETE : APR_SUCCESS;
    return found.is_partial ? HTGUARD_STORE_ERROR : HTGUARD_DONE;
}

htguard_exit_e htguard_command_run(const htguard_run_t *run, apr_status_t *rv)
{
    switch (run->ask->verb) {
    case HTGUARD_LIST:
        return list(run, rv);
    case HTGUARD_CHECK:
        return check(run, rv);
    case HTGUARD_UNLOCK:
        return unlock(run, rv);
    case HTGUARD_STATS:
        break;
    }
    return stats(run, rv);
}
