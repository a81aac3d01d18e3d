/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_status_list.h: one page of a sorted list, chosen in one walk.
 *
 * The walk shows every record once, in any order; what is kept is the one page
 * asked for, so memory does not grow with the table. A page is named by the
 * row it follows or precedes, not by a number: rows that come and go meanwhile
 * neither repeat a row nor hide one.
 *
 * Pure: no request, no clock, no lock.
 */
#ifndef GUARD_STATUS_LIST_H
#define GUARD_STATUS_LIST_H

#include "guard_store.h"

#define GUARD_STATUS_ROWS_MAX 100 /* rows of a page */

/** Which records a list shows. */
typedef enum {
    GUARD_VIEW_UNSET = 0,
    GUARD_VIEW_LOCKED,
    GUARD_VIEW_FAILING, /* failures in an open window, not locked */
    GUARD_VIEW_ALL
} guard_view_e;

/** What a list is sorted by. */
typedef enum {
    GUARD_SORT_UNSET = 0,
    GUARD_SORT_CLIENT, /* the address; what has none comes first */
    GUARD_SORT_KEY,
    GUARD_SORT_FAILURES,
    GUARD_SORT_LEVEL,
    GUARD_SORT_SINCE, /* when the lockout began */
    GUARD_SORT_LEFT   /* when it, or the window, ends */
} guard_sort_e;

/** The place of a row in the order. The id tells equal ones apart. */
typedef struct guard_mark_t {
    uint64_t high, low;
    uint64_t id;
} guard_mark_t;

/** Which page: the first, or the one next to a mark. */
typedef enum {
    GUARD_SEEK_FIRST = 0,
    GUARD_SEEK_AFTER,
    GUARD_SEEK_BEFORE
} guard_seek_e;

/** The page that is wanted. */
typedef struct guard_wanted_t {
    guard_view_e view;
    guard_sort_e sort;
    int is_descending;
    guard_seek_e seek;
    guard_mark_t mark; /* AFTER, BEFORE */
} guard_wanted_t;

typedef struct guard_row_t {
    guard_mark_t mark;
    guard_entry_t entry;
} guard_row_t;

typedef struct guard_status_list_t {
    guard_wanted_t wanted;
    uint64_t now_usec;
    uint64_t locked; /* records that the walk showed, by view */
    uint64_t failing;
    uint64_t all;
    uint64_t total;                       /* in the view */
    uint64_t ahead;                       /* of these, in front of the page */
    unsigned count;                       /* on the page */
    uint8_t order[GUARD_STATUS_ROWS_MAX]; /* of row[], as sorted */
    guard_row_t row[GUARD_STATUS_ROWS_MAX];
} guard_status_list_t;

/** Begin. now_usec is the walk's; view and sort must be set. */
void guard_status_list_begin(guard_status_list_t *list,
                             const guard_wanted_t *wanted, uint64_t now_usec);

/** Show it one record: a guard_entry_fn, with the list for its baton. */
apr_status_t guard_status_list_add(void *baton, const guard_entry_t *entry);

/** After the walk: count what is in front of the page. */
void guard_status_list_end(guard_status_list_t *list);

/** @return the page's row, 0 <= i < count, as sorted. */
const guard_row_t *guard_status_list_row(const guard_status_list_t *list,
                                         unsigned i);

#endif
