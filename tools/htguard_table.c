/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * htguard_table.c owns the columns: their order, widths and paint. It knows
 * nothing of where records come from, nor of JSON.
 *
 * Invariant: a row is one line. An address, a number or a %XX is shown whole
 * or not at all.
 */
#include "htguard_table.h"
#include "guard_store_names.h"
#include "guard_text.h"
#include "htguard_show.h"

#include <apr_strings.h>

#include <stdio.h>
#include <string.h>

#define SCOPE_WIDTH_MIN 12 /* shorter, a cut scope tells nothing */

/* The scope comes last, for its length has no bound worth a column. */
enum { CLIENT, KEY, STATE, FAILURES, LEVEL, REMAINING, SINCE, SCOPE };

static const struct column_t {
    const char *title;
    unsigned plain_width; /* where there is no terminal; 0: as it comes */
    int is_right;         /* 1: numbers stand at the right */
} columns[HTGUARD_TABLE_COLUMNS] = {
    [CLIENT] = {"CLIENT", 24, 0}, [KEY] = {"KEY", 8, 0},
    [STATE] = {"STATE", 17, 0},   [FAILURES] = {"FAILURES", 8, 1},
    [LEVEL] = {"LEVEL", 5, 1},    [REMAINING] = {"REMAINING", 10, 1},
    [SINCE] = {"SINCE", 10, 1},   [SCOPE] = {"SCOPE", 0, 0},
};

/* What a narrow terminal does without, first to last. */
static const unsigned char dispensable[] = {SINCE,    LEVEL, SCOPE,
                                            FAILURES, KEY,   REMAINING};

typedef struct row_t {
    char cell[SCOPE][64]; /* all but the scope */
    char scope[HTGUARD_SHOWN_MAX];
} row_t;

static const char *cell_of(const row_t *row, unsigned column)
{
    return column == SCOPE ? row->scope : row->cell[column];
}

static void fill_row(row_t *row, const guard_entry_t *entry)
{
    char text[GUARD_CIDR_TEXT_MAX];
    const char *client = guard_entry_client(text, entry);
    char span[HTGUARD_SPAN_BYTES];
    char(*cell)[64] = row->cell;

    apr_cpystrn(cell[CLIENT], client ? client : "-", sizeof(*cell));
    apr_cpystrn(cell[KEY], guard_kind_name(entry->kind), sizeof(*cell));
    apr_snprintf(cell[STATE], sizeof(*cell), "%s%s",
                 guard_phase_name(entry->phase),
                 entry->counted == GUARD_COUNTED_OBSERVED ? "/observed" : "");
    apr_snprintf(cell[FAILURES], sizeof(*cell), "%u/%u", entry->failures,
                 entry->limit);
    apr_snprintf(cell[LEVEL], sizeof(*cell), "%u", entry->level);
    apr_cpystrn(cell[REMAINING],
                entry->remaining_usec
                    ? htguard_show_span(span, guard_entry_seconds(entry))
                    : "-",
                sizeof(*cell));
    apr_cpystrn(cell[SINCE],
                entry->phase == GUARD_PHASE_LOCKED
                    ? htguard_show_span(span, apr_time_sec(entry->since_usec))
                    : "-",
                sizeof(*cell));
    if (entry->scope_name[0]) {
        guard_text_encode(row->scope, sizeof(row->scope), entry->scope_name);
    } else {
        apr_cpystrn(row->scope, "-", sizeof(row->scope));
    }
}

/* Columns in use up to the scope, with the spaces behind each. */
static unsigned used_width(const htguard_table_t *table)
{
    unsigned sum = 0;

    for (unsigned i = 0; i < SCOPE; i++) {
        sum += table->width[i] ? table->width[i] + 1 : 0;
    }
    return sum + (table->width[SCOPE] ? 1 : 0); /* two before the scope */
}

/* Make it fit: the scope takes what is left, and others give way to it. */
static void fit(htguard_table_t *table)
{
    unsigned *width = table->width;
    unsigned scope_min =
        width[SCOPE] < SCOPE_WIDTH_MIN ? width[SCOPE] : SCOPE_WIDTH_MIN;

    for (unsigned i = 0; i < sizeof(dispensable); i++) {
        unsigned needed = width[SCOPE]
                              ? used_width(table) + scope_min
                              : used_width(table) - 1; /* no space at the end */

        if (needed <= table->screen.columns) {
            break;
        }
        width[dispensable[i]] = 0;
    }
    if (width[SCOPE]) {
        width[SCOPE] = table->screen.columns - used_width(table);
    }
}

static void measure(htguard_table_t *table, const guard_entry_t *const *entries,
                    unsigned count)
{
    for (unsigned i = 0; i < HTGUARD_TABLE_COLUMNS; i++) {
        table->width[i] = (unsigned)strlen(columns[i].title);
    }
    for (unsigned i = 0; i < count; i++) {
        row_t row;

        fill_row(&row, entries[i]);
        for (unsigned j = 0; j < HTGUARD_TABLE_COLUMNS; j++) {
            unsigned length = (unsigned)strlen(cell_of(&row, j));

            table->width[j] =
                length > table->width[j] ? length : table->width[j];
        }
    }
}

/* @return how many bytes of a %XX stand before this place: 0, 1 or 2. */
static apr_size_t within_escape(const char *text, apr_size_t place)
{
    if (place >= 1 && text[place - 1] == '%') {
        return 1;
    }
    return place >= 2 && text[place - 2] == '%' ? 2 : 0;
}

/* Take the middle out of an encoded scope, so that both ends are seen: the
 * host, and the directory. Never within a %XX. */
static void cut_scope(row_t *row, const htguard_table_t *table)
{
    const char *mark = table->screen.has_utf8 ? "\xE2\x80\xA6" : "...";
    apr_size_t room = table->width[SCOPE] - (table->screen.has_utf8 ? 1 : 3);
    apr_size_t head = room / 2;
    apr_size_t from = strlen(row->scope) - (room - head);
    apr_size_t cut = within_escape(row->scope, from);
    char whole[HTGUARD_SHOWN_MAX];

    head -= within_escape(row->scope, head);
    from += cut ? 3 - cut : 0;
    apr_cpystrn(whole, row->scope, sizeof(whole));
    apr_snprintf(row->scope, sizeof(row->scope), "%.*s%s%s", (int)head, whole,
                 mark, whole + from);
}

static htguard_paint_e paint_of(unsigned column, const guard_entry_t *entry)
{
    if (!entry) {
        return HTGUARD_BOLD; /* the heading */
    }
    if (column != STATE || entry->phase == GUARD_PHASE_CALM) {
        return HTGUARD_PLAIN;
    }
    return entry->phase == GUARD_PHASE_LOCKED &&
                   entry->counted == GUARD_COUNTED_FOR_REAL
               ? HTGUARD_RED
               : HTGUARD_YELLOW;
}

/* How wide printf makes it; below 0: at the left. Behind the last one nothing
 * is filled up. */
static int field_width(const htguard_table_t *table, unsigned column)
{
    int is_last = 1;

    for (unsigned i = column + 1; i < HTGUARD_TABLE_COLUMNS; i++) {
        is_last = is_last && !table->width[i];
    }
    if (columns[column].is_right) {
        return (int)table->width[column];
    }
    return is_last ? 0 : -(int)table->width[column];
}

static void write_row(const htguard_table_t *table, const row_t *row,
                      const guard_entry_t *entry)
{
    const char *gap = "";

    for (unsigned i = 0; i < HTGUARD_TABLE_COLUMNS; i++) {
        htguard_paint_e paint = paint_of(i, entry);

        if (!table->width[i]) {
            continue;
        }
        printf("%s%s%s%*s%s", gap, i == SCOPE ? " " : "",
               htguard_screen_paint(&table->screen, paint),
               field_width(table, i), cell_of(row, i),
               htguard_screen_unpaint(&table->screen, paint));
        gap = " ";
    }
    printf("\n");
}

void htguard_table_begin(htguard_table_t *table,
                         const guard_entry_t *const *entries, unsigned count)
{
    row_t heading;

    if (table->is_begun) {
        return;
    }
    table->is_begun = 1;
    if (table->screen.columns) {
        measure(table, entries, count);
        fit(table);
    } else {
        for (unsigned i = 0; i < HTGUARD_TABLE_COLUMNS; i++) {
            table->width[i] =
                i == SCOPE ? HTGUARD_SHOWN_MAX : columns[i].plain_width;
        }
    }
    for (unsigned i = 0; i < SCOPE; i++) {
        apr_cpystrn(heading.cell[i], columns[i].title, sizeof(heading.cell[i]));
    }
    apr_cpystrn(heading.scope, columns[SCOPE].title, sizeof(heading.scope));
    write_row(table, &heading, NULL);
}

void htguard_table_row(const htguard_table_t *table, const guard_entry_t *entry)
{
    row_t row;

    fill_row(&row, entry);
    if (table->width[SCOPE] && strlen(row.scope) > table->width[SCOPE]) {
        cut_scope(&row, table);
    }
    write_row(table, &row, entry);
}
