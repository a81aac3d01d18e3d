/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * htguard_table.h: records as a table.
 */
#ifndef HTGUARD_TABLE_H
#define HTGUARD_TABLE_H

#include "guard_store.h"
#include "htguard_screen.h"

#define HTGUARD_TABLE_COLUMNS 8

/** A table being written; begin with only screen set. */
typedef struct htguard_table_t {
    htguard_screen_t screen;
    unsigned width[HTGUARD_TABLE_COLUMNS]; /* 0: left out */
    int is_begun;
} htguard_table_t;

/**
 * Write the heading, once, and a row for each entry. On a terminal columns
 * are as wide as what the first call has to show; where that is too much for
 * a line, the scope is cut in its middle, and then columns are left out.
 * Elsewhere columns have fixed widths, and nothing is cut.
 */
void htguard_table_begin(htguard_table_t *table,
                         const guard_entry_t *const *entries, unsigned count);
void htguard_table_row(const htguard_table_t *table,
                       const guard_entry_t *entry);

#endif
