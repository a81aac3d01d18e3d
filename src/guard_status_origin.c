/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_status_origin.c owns the comparison of origins. It knows nothing of
 * tokens and users.
 *
 * Invariant: a browser that sends a form for another site's page can't make
 * the answer 1. Scripts can set none of the headers that are read here. What
 * is compared is the host as the client sent it: behind a proxy that ends TLS
 * neither the scheme nor ServerName need be what the browser sees.
 */
#include "guard_status_origin.h"

#include <apr_strings.h>
#include <string.h>

typedef struct scheme_t {
    const char *prefix;
    const char *port; /* that a client leaves out */
} scheme_t;

static const scheme_t schemes[] = {{"http://", ":80"}, {"https://", ":443"}};

/* @return 1 if url lies at that host, with or without the usual port. */
static int is_at(const char *url, const char *host)
{
    for (unsigned i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        apr_size_t prefix = strlen(schemes[i].prefix);
        apr_size_t tail = strlen(schemes[i].port);
        apr_size_t length = strlen(host);

        if (ap_cstr_casecmpn(url, schemes[i].prefix, prefix)) {
            continue;
        }
        if (length > tail && !strcmp(host + length - tail, schemes[i].port)) {
            length -= tail;
        }
        url += prefix;
        prefix = strcspn(url, "/?#");
        return prefix && length == prefix &&
               !ap_cstr_casecmpn(host, url, length);
    }
    return 0;
}

int guard_status_origin_is_ours(const request_rec *r)
{
    const char *host = apr_table_get(r->headers_in, "Host");
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *origin = apr_table_get(r->headers_in, "Origin");
    const char *referer = apr_table_get(r->headers_in, "Referer");

    if (!host || (site && strcmp(site, "same-origin")) ||
        (origin && !is_at(origin, host))) {
        return 0;
    }
    return site || origin || (referer && is_at(referer, host));
}
