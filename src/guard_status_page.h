/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_status_page.h: the status for people, as HTML.
 */
#ifndef GUARD_STATUS_PAGE_H
#define GUARD_STATUS_PAGE_H

#include "guard_status.h"
#include "guard_status_query.h"

/** What a page shows. */
typedef struct guard_status_page_t {
    const guard_status_t *status;
    const guard_status_query_t *query;
    const guard_status_list_t *list;
    const char *token;  /* of its forms; NULL: nothing can be unlocked */
    const char *notice; /* said on top; NULL: nothing */
    int is_trouble;     /* 1: the notice tells of something that failed */
} guard_status_page_t;

/** Media type, Content-Security-Policy and what else goes with HTML. */
void guard_status_page_headers(request_rec *r);

/** Send the whole page. */
void guard_status_page_send(request_rec *r, const guard_status_page_t *page);

/** Send a page that says that nothing was done, and leads back. */
void guard_status_page_refuse(request_rec *r, const guard_status_query_t *query,
                              const char *sentence);

#endif
