/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_status_page_inside.h: what the parts of the page share.
 *
 * For guard_status_page*.c only.
 */
#ifndef GUARD_STATUS_PAGE_INSIDE_H
#define GUARD_STATUS_PAGE_INSIDE_H

#include "guard_status_page.h"

/** Send strings as they are, up to a NULL. */
#define PUT(r, ...) ap_rvputs(r, __VA_ARGS__, NULL)

/** @return text made fit for HTML, in attributes too. */
const char *guard_page_text(request_rec *r, const char *text);

/** @return the number, its digits in groups of three. */
const char *guard_page_number(request_rec *r, uint64_t number);

/** @return a span in words, in its two largest units. */
const char *guard_page_span(request_rec *r, apr_interval_time_t usec);

/** Send a time element in UTC: the clock, with the day where it is not today's
 *  or is_full. */
void guard_page_time(request_rec *r, apr_time_t when, int is_full);

/** The style sheet, and its hash as Content-Security-Policy names it. */
extern const char guard_page_style[];
extern const char guard_page_style_hash[];

/** The list with its search, views, rows and pages. */
void guard_page_list(request_rec *r, const guard_status_page_t *page);

/** The rows and their head. */
void guard_page_table(request_rec *r, const guard_status_page_t *page);

/** The counters. */
void guard_page_totals(request_rec *r, const guard_stats_t *stats);

#endif
