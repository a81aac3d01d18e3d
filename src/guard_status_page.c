/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_status_page.c owns the frame of the status page: head, health, totals,
 * and how numbers and times are written. The list is guard_status_page_list.c,
 * a refusal's page is here. It reads nothing of a store: all it shows was
 * copied out before.
 *
 * Invariant: what a client or a configuration has chosen goes out through
 * guard_page_text() and nowhere else. There is no script, and nothing is
 * fetched from anywhere.
 */
#include "guard_status_page_inside.h"

#include <ap_release.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_protocol.h>

#define TIME_MAX 32 /* "2026-11-21T17:48:16Z" */

const char *guard_page_text(request_rec *r, const char *text)
{
    return ap_escape_html2(r->pool, text, 0);
}

const char *guard_page_number(request_rec *r, uint64_t number)
{
    const char *rest = "";

    while (number >= 1000) {
        rest =
            apr_psprintf(r->pool, ",%03u%s", (unsigned)(number % 1000), rest);
        number /= 1000;
    }
    return apr_psprintf(r->pool, "%u%s", (unsigned)number, rest);
}

/* "1 hour", "2 hours"; "" where there is none. */
static const char *count(request_rec *r, apr_int64_t number, const char *unit)
{
    if (!number) {
        return "";
    }
    return apr_psprintf(r->pool, "%" APR_INT64_T_FMT " %s%s", number, unit,
                        number == 1 ? "" : "s");
}

const char *guard_page_span(request_rec *r, apr_interval_time_t usec)
{
    static const struct {
        apr_int64_t sec;
        const char *name;
    } UNITS[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    apr_int64_t sec = apr_time_sec(usec + APR_USEC_PER_SEC - 1);
    unsigned i = 0;
    const char *less;

    while (i < 3 && sec < UNITS[i].sec) {
        i++;
    }
    if (i == 3) {
        return sec ? count(r, sec, UNITS[3].name) : "0 seconds";
    }
    less = count(r, sec % UNITS[i].sec / UNITS[i + 1].sec, UNITS[i + 1].name);
    return apr_pstrcat(r->pool, count(r, sec / UNITS[i].sec, UNITS[i].name),
                       *less ? " " : "", less, NULL);
}

void guard_page_time(request_rec *r, apr_time_t when, int is_full)
{
    apr_time_exp_t at, now;
    char date[TIME_MAX], clock[TIME_MAX];

    apr_time_exp_gmt(&at, when);
    apr_time_exp_gmt(&now, r->request_time);
    apr_snprintf(date, sizeof(date), "%04d-%02d-%02d", at.tm_year + 1900,
                 at.tm_mon + 1, at.tm_mday);
    apr_snprintf(clock, sizeof(clock), "%02d:%02d:%02d", at.tm_hour, at.tm_min,
                 at.tm_sec);
    if (at.tm_yday != now.tm_yday || at.tm_year != now.tm_year) {
        is_full = 1;
    }
    PUT(r, "<time datetime=\"", date, "T", clock, "Z\">", is_full ? date : "",
        is_full ? " " : "", clock, "</time>");
}

void guard_status_page_headers(request_rec *r)
{
    ap_set_content_type(r, "text/html; charset=utf-8");
    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   apr_pstrcat(r->pool, "default-src 'none'; style-src '",
                               guard_page_style_hash,
                               "'; form-action 'self'; frame-ancestors "
                               "'none'; base-uri 'none'",
                               NULL));
    apr_table_setn(r->headers_out, "Referrer-Policy", "same-origin");
}

static void put_head(request_rec *r)
{
    PUT(r,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta "
        "charset=\"utf-8\">\n"
        "<title>Password guard: ",
        guard_page_text(r, ap_get_server_name(r)),
        "</title>\n"
        "<meta name=\"viewport\" content=\"width=device-width, "
        "initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n"
        "<meta name=\"robots\" content=\"noindex\">\n"
        "<style>",
        guard_page_style,
        "</style>\n</head>\n<body>\n"
        "<a class=\"skip\" href=\"#main\">To the content</a>\n"
        "<header><div class=\"icon\"><svg width=\"24\" height=\"24\" "
        "viewBox=\"0 0 24 24\" fill=\"none\" stroke=\"currentColor\" "
        "stroke-width=\"1.75\" stroke-linecap=\"round\" "
        "stroke-linejoin=\"round\" aria-hidden=\"true\"><path d=\"M12 3 5 "
        "5.5V11c0 4.7 2.8 8 7 10 4.2-2 7-5.3 7-10V5.5Z\"/><path d=\"m9 12 2.2 "
        "2.2L15.2 10\"/></svg></div>\n<h1>Password guard</h1>\n<p>",
        guard_page_text(r, ap_get_server_name(r)), " &#183; ");
    guard_page_time(r, r->request_time, 1);
    PUT(r, " UTC</p></header>\n<main id=\"main\">\n");
}

static void put_foot(request_rec *r)
{
    PUT(r,
        "</main>\n<footer>mod_auth_guard. All times are UTC. For programs: "
        "<a href=\"?json\">json</a>, <a href=\"?prometheus\">prometheus</a>, "
        "<a href=\"?auto\">auto</a>.</footer>\n</body>\n</html>\n");
}

/* It takes the focus, so that a screen reader begins with it. */
static void put_notice(request_rec *r, const char *notice, int is_trouble)
{
    PUT(r, "<p class=\"notice", is_trouble ? " trouble" : "", "\" role=\"",
        is_trouble ? "alert" : "status", "\" tabindex=\"-1\" autofocus>",
        guard_page_text(r, notice), "</p>\n");
}

/* One number of the row on top. */
static void put_fact(request_rec *r, const char *look, const char *name,
                     const char *value, const char *more)
{
    PUT(r, "<div", *look ? " class=\"" : "", look, *look ? "\"" : "", "><dt>",
        name, "</dt><dd><strong>", value, "</strong>", more, "</dd></div>\n");
}

/* How full the table is, as a bar too. */
static const char *draw_fill(request_rec *r, const guard_stats_t *stats)
{
    uint64_t size = stats->table_size ? stats->table_size : 1;
    unsigned percent = (unsigned)(stats->clients_tracked * 100 / size);

    return apr_psprintf(r->pool,
                        "<meter min=\"0\" max=\"100\" high=\"90\" "
                        "optimum=\"0\" value=\"%u\" aria-label=\"Fill of the "
                        "table\">%u %%</meter><span>%u %% of room for %s"
                        "</span>",
                        percent, percent, percent,
                        guard_page_number(r, stats->table_size));
}

static void put_health(request_rec *r, const guard_status_t *status)
{
    const guard_stats_t *stats = &status->stats;
    const uint64_t *counter = stats->counter;

    PUT(r, "<dl class=\"facts\" aria-label=\"Health\">\n");
    put_fact(r, stats->is_down ? "bad" : "good", "Store",
             stats->is_down ? "Away" : "Working",
             apr_pstrcat(r->pool, "<span>", status->store->ops->name, "</span>",
                         NULL));
    put_fact(r, stats->clients_locked ? "bad" : "", "Locked out now",
             guard_page_number(r, stats->clients_locked),
             apr_pstrcat(r->pool, "<span>",
                         guard_page_number(r, counter[GUARD_COUNT_LOCKOUTS]),
                         " lockouts in all</span>", NULL));
    put_fact(r, "", "Remembered", guard_page_number(r, stats->clients_tracked),
             status->store->is_far && !stats->is_down
                 ? "<span>by the fleet</span>"
                 : draw_fill(r, stats));
    put_fact(r, counter[GUARD_COUNT_OVERFLOW] ? "bad" : "", "Found no room",
             guard_page_number(r, counter[GUARD_COUNT_OVERFLOW]),
             apr_pstrcat(r->pool, "<span>",
                         guard_page_number(r, counter[GUARD_COUNT_EVICTIONS]),
                         " forgotten early</span>", NULL));
    PUT(r, "</dl>\n");
}

static const char *reason_of(request_rec *r, apr_status_t rv)
{
    char text[256];

    return apr_pstrcat(r->pool, "The counts can't be read: ",
                       apr_strerror(rv, text, sizeof(text)),
                       ". Try again; if it stays so, look for AG02 in the "
                       "error log.",
                       NULL);
}

void guard_status_page_send(request_rec *r, const guard_status_page_t *page)
{
    put_head(r);
    if (page->notice) {
        put_notice(r, page->notice, page->is_trouble);
    }
    if (page->status->is_up && page->status->stats.is_down) {
        put_notice(r,
                   "The store's server does not answer: what follows is what "
                   "this server knows by itself. Look for AG03 in the error "
                   "log.",
                   1);
    }
    if (page->status->is_up && page->status->stats.is_partial) {
        put_notice(r, "Not all clients were looked at: there are too many.", 1);
    }
    if (page->status->is_up) {
        put_health(r, page->status);
        guard_page_list(r, page);
        guard_page_totals(r, &page->status->stats);
    } else {
        put_notice(r, reason_of(r, page->status->rv), 1);
    }
    put_foot(r);
}

void guard_status_page_refuse(request_rec *r, const guard_status_query_t *query,
                              const char *sentence)
{
    put_head(r);
    put_notice(r, sentence, 1);
    PUT(r, "<p><a href=\"",
        guard_page_text(r, guard_status_query_link(r->pool, query)),
        "\">Back to the list</a></p>\n");
    put_foot(r);
}
