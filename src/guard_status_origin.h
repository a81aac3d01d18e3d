/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_status_origin.h: whether a request comes from a page of this site.
 */
#ifndef GUARD_STATUS_ORIGIN_H
#define GUARD_STATUS_ORIGIN_H

#include <httpd.h>

/**
 * Look at Sec-Fetch-Site and Origin, and where neither was sent, at Referer.
 * Each that is there must name this site, by the Host that the client sent.
 * @return 1 if so; 0 if one does not, or none was sent
 */
int guard_status_origin_is_ours(const request_rec *r);

#endif
