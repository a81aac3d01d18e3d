/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_status_query.h: what the address of a status page asks for.
 */
#ifndef GUARD_STATUS_QUERY_H
#define GUARD_STATUS_QUERY_H

#include "guard_status_list.h"

#include <apr_pools.h>

#define GUARD_QUERY_VALUE_MAX 512 /* bytes of a searched name, decoded */

typedef struct guard_status_query_t {
    const char *form;      /* "auto", "json", "prometheus"; NULL: the page */
    const char *search;    /* an address, a network or a user name; "": none */
    const char *scope;     /* "": every scope */
    guard_wanted_t wanted; /* view and sort are set */
    const char *done;      /* how many records were unlocked; NULL: none were */
    const char *done_token; /* makes it believable; "": none */
    int is_action; /* 1: asks to unlock, which an address can't do; else 0 */
} guard_status_query_t;

/** Read the part behind the '?'. What can't be read is as if not there.
 *  @param args NULL where there is none */
guard_status_query_t guard_status_query_parse(apr_pool_t *pool,
                                              const char *args);

/** @return the address of that page, relative to this one: "?view=...". done
 *  and form are left out. */
const char *guard_status_query_link(apr_pool_t *pool,
                                    const guard_status_query_t *query);

/** @return the words of an address for a view, or for what a list is sorted
 *  by. */
const char *guard_status_query_view_name(guard_view_e view);
const char *guard_status_query_sort_name(guard_sort_e sort);

/** Sort as a view does by itself. */
void guard_status_query_sort_by_view(guard_wanted_t *wanted);

/** What search and scope mean. net.bits etc. are set for an address.
 *  @return the filter; its strings are query's */
guard_filter_t guard_status_query_filter(const guard_status_query_t *query);

/** @return 1 if search is one address, not a network or a name, else 0. */
int guard_status_query_is_address(const guard_status_query_t *query);

#endif
