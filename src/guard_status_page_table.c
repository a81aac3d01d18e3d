/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_status_page_table.c owns the columns: their heads, which sort, and
 * what stands in a row. It refuses to know which rows these are.
 *
 * Invariant: a row says in words what its colours say, and every button names
 * the client that it is for.
 */
#include "guard_status_page_inside.h"

#include <apr_strings.h>
#include <http_protocol.h>

typedef struct column_t {
    const char *name;
    guard_sort_e sort; /* UNSET: not by this */
    int is_descending; /* first, when chosen */
    const char *look;  /* its class */
} column_t;

static const column_t columns[] = {
    {"Client", GUARD_SORT_CLIENT, 0, ""},
    {"State", GUARD_SORT_UNSET, 0, ""},
    {"Key", GUARD_SORT_KEY, 0, ""},
    {"Scope", GUARD_SORT_UNSET, 0, ""},
    {"Failures", GUARD_SORT_FAILURES, 1, "number"},
    {"Level", GUARD_SORT_LEVEL, 1, "number"},
    {"Since", GUARD_SORT_SINCE, 1, ""},
    {"Left", GUARD_SORT_LEFT, 0, ""},
};

static const char *sort_link(request_rec *r, const guard_status_page_t *page,
                             const column_t *column)
{
    guard_status_query_t query = *page->query;
    guard_wanted_t *wanted = &query.wanted;

    wanted->is_descending = wanted->sort == column->sort
                                ? !wanted->is_descending
                                : column->is_descending;
    wanted->sort = column->sort;
    wanted->seek = GUARD_SEEK_FIRST;
    return guard_page_text(r, guard_status_query_link(r->pool, &query));
}

static void put_column(request_rec *r, const guard_status_page_t *page,
                       const column_t *column)
{
    const guard_wanted_t *wanted = &page->query->wanted;
    const char *order = "", *arrow = "";

    if (column->sort && column->sort == wanted->sort) {
        order = wanted->is_descending ? " aria-sort=\"descending\""
                                      : " aria-sort=\"ascending\"";
        arrow = wanted->is_descending
                    ? " <span aria-hidden=\"true\">&#9660;</span>"
                    : " <span aria-hidden=\"true\">&#9650;</span>";
    }
    PUT(r, "<th role=\"columnheader\" scope=\"col\" class=\"",
        column->sort ? column->look : "plain", "\"", order, ">");
    if (column->sort) {
        PUT(r, "<a href=\"", sort_link(r, page, column), "\">", column->name,
            arrow, "</a></th>");
    } else {
        PUT(r, column->name, "</th>");
    }
}

static void put_columns(request_rec *r, const guard_status_page_t *page)
{
    PUT(r, "<thead role=\"rowgroup\"><tr role=\"row\">");
    for (apr_size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        put_column(r, page, &columns[i]);
    }
    PUT(r,
        page->token ? "<th role=\"columnheader\" scope=\"col\" "
                      "class=\"plain act\">Action</th>"
                    : "",
        "</tr></thead>\n");
}

/* In words; a record of a user name does not keep it. */
static const char *client_of(request_rec *r, const guard_entry_t *entry)
{
    char *text = apr_palloc(r->pool, GUARD_CIDR_TEXT_MAX);

    if (entry->kind == GUARD_KIND_OVERFLOW) {
        return "Clients without a record";
    }
    if (!entry->bits) {
        return "A user name";
    }
    return entry->bits == GUARD_ADDR_BITS
               ? guard_addr_format(text, &entry->addr)
               : guard_cidr_format(text, &entry->addr, entry->bits);
}

static const char *key_of(const guard_entry_t *entry)
{
    return guard_kind_name(entry->kind);
}

static void open_cell(request_rec *r, const char *label, const char *look)
{
    PUT(r, "<td role=\"cell\" data-label=\"", label, "\"",
        *look ? " class=\"" : "", look, *look ? "\"" : "", ">");
}

static void put_state(request_rec *r, const guard_entry_t *entry)
{
    static const char *const NAMES[] = {[GUARD_PHASE_CALM] = "Quiet",
                                        [GUARD_PHASE_WINDOW] = "Failing",
                                        [GUARD_PHASE_LOCKED] = "Locked"};
    static const char *const LOOKS[] = {[GUARD_PHASE_CALM] = "",
                                        [GUARD_PHASE_WINDOW] = " failing",
                                        [GUARD_PHASE_LOCKED] = " locked"};
    int is_calm = entry->phase == GUARD_PHASE_WINDOW && !entry->failures;
    guard_phase_e phase = is_calm ? GUARD_PHASE_CALM : entry->phase;

    open_cell(r, "State", "");
    PUT(r, "<span class=\"badge", LOOKS[phase], "\">", NAMES[phase], "</span>");
    if (entry->counted == GUARD_COUNTED_OBSERVED) {
        PUT(r, "<small>observed, not refused</small>");
    }
    if (entry->in_flight) {
        PUT(r, "<small>", guard_page_number(r, entry->in_flight),
            " being checked</small>");
    }
    PUT(r, "</td>");
}

static void put_scope(request_rec *r, const guard_status_page_t *page,
                      const guard_entry_t *entry)
{
    guard_status_query_t query = *page->query;

    open_cell(r, "Scope", "");
    if (!entry->scope_name[0]) {
        PUT(r, "not known</td>");
        return;
    }
    query.scope = entry->scope_name;
    query.wanted.seek = GUARD_SEEK_FIRST;
    PUT(r, "<a href=\"",
        guard_page_text(r, guard_status_query_link(r->pool, &query)),
        "\"><bdi>", guard_page_text(r, entry->scope_name), "</bdi></a></td>");
}

static void put_counts(request_rec *r, const guard_entry_t *entry)
{
    open_cell(r, "Failures", "number");
    PUT(r, guard_page_number(r, entry->failures), " of ",
        guard_page_number(r, entry->limit), "</td>");
    open_cell(r, "Level", "number");
    PUT(r, guard_page_number(r, entry->level), "</td>");
}

static void put_times(request_rec *r, const guard_entry_t *entry)
{
    int is_locked = entry->phase == GUARD_PHASE_LOCKED;

    open_cell(r, "Since", "");
    if (is_locked) {
        guard_page_time(r, r->request_time - entry->since_usec, 0);
    } else {
        PUT(r, "&#8211;");
    }
    PUT(r, "</td>");
    open_cell(r, "Left", "");
    if (entry->remaining_usec > 0) {
        PUT(r, "<span>", guard_page_span(r, entry->remaining_usec),
            "</span><small>", is_locked ? "until " : "counted until ");
        guard_page_time(r, r->request_time + entry->remaining_usec, 0);
        PUT(r, "</small>");
    } else {
        PUT(r, "&#8211;");
    }
    PUT(r, "</td>");
}

static void put_button(request_rec *r, const guard_entry_t *entry,
                       const char *client)
{
    int is_locked = entry->phase == GUARD_PHASE_LOCKED;

    PUT(r, "<td role=\"cell\" class=\"act\">");
    if (is_locked || entry->failures || entry->level || entry->in_flight) {
        PUT(r, "<button name=\"unlock\" value=\"",
            apr_psprintf(r->pool, "%016" APR_UINT64_T_HEX_FMT,
                         (apr_uint64_t)entry->id),
            "\" aria-label=\"", is_locked ? "Unlock " : "Clear ", client, ", ",
            key_of(entry), ", ", guard_page_text(r, entry->scope_name), "\">",
            is_locked ? "Unlock" : "Clear", "</button>");
    }
    PUT(r, "</td>");
}

static void put_row(request_rec *r, const guard_status_page_t *page,
                    const guard_entry_t *entry)
{
    const char *client = client_of(r, entry);

    PUT(r, "<tr role=\"row\"><th role=\"rowheader\" scope=\"row\">", client,
        "</th>");
    put_state(r, entry);
    open_cell(r, "Key", "");
    PUT(r, key_of(entry), "</td>");
    put_scope(r, page, entry);
    put_counts(r, entry);
    put_times(r, entry);
    if (page->token) {
        put_button(r, entry, client);
    }
    PUT(r, "</tr>\n");
}

void guard_page_table(request_rec *r, const guard_status_page_t *page)
{
    const guard_status_list_t *list = page->list;

    PUT(r, "<table role=\"table\"><caption>Clients, and what is counted of "
           "them</caption>\n");
    put_columns(r, page);
    PUT(r, "<tbody role=\"rowgroup\">\n");
    for (unsigned i = 0; i < list->count; i++) {
        put_row(r, page, &guard_status_list_row(list, i)->entry);
    }
    PUT(r, "</tbody></table>\n");
}
