/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_status_page_list.c owns what stands around the rows: the search, the
 * views, the pages, the form with its token; and the counters below. It
 * refuses to know what a row says (guard_status_page_table.c).
 *
 * Invariant: every link and form leads to this page itself, by a relative
 * address, so that the page works under whatever path a proxy shows it.
 */
#include "guard_status_page_inside.h"

#include <apr_strings.h>
#include <http_protocol.h>

/* What is known of a query without its views, sorting and pages. */
static guard_status_query_t restart(const guard_status_query_t *query,
                                    guard_view_e view)
{
    guard_status_query_t out = *query;

    out.wanted.view = view;
    out.wanted.seek = GUARD_SEEK_FIRST;
    guard_status_query_sort_by_view(&out.wanted);
    return out;
}

static const char *link_to(request_rec *r, const guard_status_query_t *query)
{
    return guard_page_text(r, guard_status_query_link(r->pool, query));
}

static void put_search(request_rec *r, const guard_status_query_t *query)
{
    PUT(r,
        "<form class=\"search\" role=\"search\" method=\"get\" "
        "action=\"?\">\n"
        "<div><label for=\"client\">Address, network or user name</label>"
        "<input id=\"client\" name=\"client\" maxlength=\"512\" "
        "autocapitalize=\"none\" autocomplete=\"off\" spellcheck=\"false\" "
        "value=\"",
        guard_page_text(r, query->search),
        "\"></div>\n<div><label for=\"scope\">Scope</label>"
        "<input id=\"scope\" name=\"scope\" maxlength=\"512\" "
        "autocapitalize=\"none\" autocomplete=\"off\" spellcheck=\"false\" "
        "value=\"",
        guard_page_text(r, query->scope),
        "\"></div>\n<button class=\"main\">Search</button>\n</form>\n");
}

static void put_view(request_rec *r, const guard_status_page_t *page,
                     guard_view_e view, const char *name, uint64_t count)
{
    guard_status_query_t query = restart(page->query, view);

    PUT(r, "<li><a href=\"", link_to(r, &query), "\"",
        view == page->query->wanted.view ? " aria-current=\"page\"" : "", ">",
        name, " (", guard_page_number(r, count), ")</a></li>\n");
}

static void put_views(request_rec *r, const guard_status_page_t *page)
{
    const guard_status_list_t *list = page->list;

    PUT(r, "<nav class=\"views\" aria-label=\"Views\"><ul>\n");
    put_view(r, page, GUARD_VIEW_LOCKED, "Locked", list->locked);
    put_view(r, page, GUARD_VIEW_FAILING, "Failing", list->failing);
    put_view(r, page, GUARD_VIEW_ALL, "All", list->all);
    PUT(r, "</ul></nav>\n");
}

/* Why there is no row. */
static const char *lack_of(const guard_status_page_t *page)
{
    const guard_status_query_t *query = page->query;

    if (page->list->total) {
        return "There is nothing more on this page.";
    }
    if (*query->search && !page->list->all &&
        guard_status_query_filter(query).by == GUARD_FILTER_USER) {
        return "Nothing is counted by this user name. Names are found where "
               "AuthGuardLimit counts by user or login; elsewhere, search for "
               "the address.";
    }
    if (*query->search || *query->scope) {
        return "Nothing was found. Who is not listed is not locked out.";
    }
    switch (query->wanted.view) {
    case GUARD_VIEW_LOCKED:
        return "Nobody is locked out.";
    case GUARD_VIEW_FAILING:
        return "Nobody has failed lately.";
    case GUARD_VIEW_UNSET:
    case GUARD_VIEW_ALL:
        break;
    }
    return "No client is remembered.";
}

static void put_range(request_rec *r, const guard_status_list_t *list)
{
    PUT(r, "<p>Rows ", guard_page_number(r, list->ahead + 1), " to ",
        guard_page_number(r, list->ahead + list->count), " of ",
        guard_page_number(r, list->total), "</p>\n");
}

/* For all that was searched for: the address, or the user name. */
static void put_unlock_all(request_rec *r, const guard_status_query_t *query)
{
    int is_user = guard_status_query_filter(query).by == GUARD_FILTER_USER;

    if (!is_user && !guard_status_query_is_address(query)) {
        return;
    }
    PUT(r,
        "<button class=\"main\" name=\"unlock\" value=\"all\">Unlock all "
        "of ",
        is_user ? "user " : "", "<bdi>", guard_page_text(r, query->search),
        "</bdi>", *query->scope ? " in this scope" : "", "</button>\n");
}

static void put_rows(request_rec *r, const guard_status_page_t *page)
{
    if (page->token) {
        PUT(r, "<form method=\"post\" action=\"", link_to(r, page->query),
            "\">\n<input type=\"hidden\" name=\"token\" value=\"", page->token,
            "\">\n");
    }
    PUT(r, "<div class=\"said\">\n");
    put_range(r, page->list);
    if (page->token) {
        put_unlock_all(r, page->query);
    }
    PUT(r, "</div>\n");
    guard_page_table(r, page);
    PUT(r, page->token ? "</form>\n" : "");
}

static void put_page_link(request_rec *r, const guard_status_query_t *query,
                          guard_seek_e seek, const guard_mark_t *mark,
                          const char *name)
{
    guard_status_query_t to = *query;

    to.wanted.seek = seek;
    if (mark) {
        to.wanted.mark = *mark;
    }
    PUT(r, "<li><a href=\"", link_to(r, &to), "\">", name, "</a></li>\n");
}

static void put_pages(request_rec *r, const guard_status_page_t *page)
{
    const guard_status_list_t *list = page->list;
    const guard_status_query_t *query = page->query;

    if (!list->ahead && list->count == list->total) {
        return;
    }
    PUT(r, "<nav class=\"pages\" aria-label=\"Pages\"><ul>\n");
    if (list->ahead || !list->count) {
        put_page_link(r, query, GUARD_SEEK_FIRST, NULL, "First");
    }
    if (list->ahead > GUARD_STATUS_ROWS_MAX && list->count) {
        put_page_link(r, query, GUARD_SEEK_BEFORE,
                      &guard_status_list_row(list, 0)->mark, "Previous");
    }
    if (list->count && list->ahead + list->count < list->total) {
        put_page_link(r, query, GUARD_SEEK_AFTER,
                      &guard_status_list_row(list, list->count - 1)->mark,
                      "Next");
    }
    PUT(r, "</ul></nav>\n");
}

void guard_page_list(request_rec *r, const guard_status_page_t *page)
{
    PUT(r, "<section class=\"card\" aria-labelledby=\"clients\">\n"
           "<div class=\"top\"><h2 id=\"clients\">Clients</h2>\n");
    put_search(r, page->query);
    PUT(r, "</div>\n");
    put_views(r, page);
    if (page->list->count) {
        put_rows(r, page);
    } else {
        PUT(r, "<p class=\"none\">", lack_of(page), "</p>\n");
    }
    put_pages(r, page);
    if (page->status->may_act && !page->token) {
        PUT(r, "<p>To unlock somebody, sign in: this page asks for no user "
               "name.</p>\n");
    }
    PUT(r, "</section>\n");
}

typedef struct total_t {
    guard_counter_e counter;
    const char *name;
} total_t;

static void put_group(request_rec *r, const char *heading,
                      const guard_stats_t *stats, const total_t *total,
                      unsigned count)
{
    PUT(r, "<div><h3>", heading, "</h3><dl>\n");
    for (unsigned i = 0; i < count; i++) {
        PUT(r, "<dt>", total[i].name, "</dt><dd>",
            guard_page_number(r, stats->counter[total[i].counter]), "</dd>\n");
    }
    PUT(r, "</dl></div>\n");
}

#define GROUP(r, heading, stats, total)                                        \
    put_group(r, heading, stats, total, sizeof(total) / sizeof((total)[0]))

void guard_page_totals(request_rec *r, const guard_stats_t *stats)
{
    static const total_t ATTEMPTS[] = {
        {GUARD_COUNT_OK, "Right password"},
        {GUARD_COUNT_FAILED, "Wrong password"},
        {GUARD_COUNT_REPEAT, "Same wrong one again"},
        {GUARD_COUNT_LOCKED, "While locked out"},
        {GUARD_COUNT_BUSY, "Too many at once"},
        {GUARD_COUNT_OVERLOAD, "Server overloaded"},
        {GUARD_COUNT_ABANDONED, "Not checked to the end"},
        {GUARD_COUNT_EXEMPT, "Exempt clients"}};
    static const total_t REFUSED[] = {
        {GUARD_COUNT_REFUSED_LOCKED, "Locked out"},
        {GUARD_COUNT_REFUSED_REPEAT, "Same wrong password again"},
        {GUARD_COUNT_REFUSED_BUSY, "Too many at once"},
        {GUARD_COUNT_REFUSED_OVERLOAD, "Server overloaded"}};
    static const total_t STORE[] = {
        {GUARD_COUNT_LOCKOUTS, "Lockouts"},
        {GUARD_COUNT_EVICTIONS, "Clients forgotten early"},
        {GUARD_COUNT_OVERFLOW, "Counted without a record"},
        {GUARD_COUNT_RECOVERIES, "Repairs after a crash"}};

    PUT(r, "<section class=\"card\" aria-labelledby=\"totals\"><h2 "
           "id=\"totals\">Totals since the store was made</h2>\n"
           "<div class=\"totals\">\n");
    GROUP(r, "Attempts to sign in", stats, ATTEMPTS);
    GROUP(r, "Requests refused", stats, REFUSED);
    GROUP(r, "Store", stats, STORE);
    PUT(r, "</div></section>\n");
}
