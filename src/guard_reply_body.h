/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/**
 * guard_reply_body.h: the words of every answer, and the forms they come in.
 *
 * Pure text: no request, no httpd. All words stand in one table in
 * guard_reply_body.c; HTML, problem+json and plain text are made from it.
 */
#ifndef GUARD_REPLY_BODY_H
#define GUARD_REPLY_BODY_H

#include <apr_pools.h>
#include <apr_time.h>

/** Why a request is answered with an error page of ours. */
typedef enum {
    GUARD_ANSWER_NONE = 0,
    GUARD_ANSWER_WRONG,          /* 401.1 */
    GUARD_ANSWER_NO_CREDENTIALS, /* 401.2 */
    GUARD_ANSWER_NOT_ALLOWED,    /* 401.3, 403.3 */
    GUARD_ANSWER_LOCKED,         /* 401.501, or 403, 404, 429 */
    GUARD_ANSWER_BUSY,           /* 429.501 */
    GUARD_ANSWER_OVERLOAD,       /* 503.2 */
    GUARD_ANSWER_MAX
} guard_answer_e;

typedef enum {
    GUARD_BODY_HTML = 1,
    GUARD_BODY_PROBLEM, /* application/problem+json, RFC 9457 */
    GUARD_BODY_PLAIN
} guard_body_e;

/** What a page needs to know. */
typedef struct guard_body_t {
    guard_answer_e answer;
    int status; /* 401, 403, 404, 407, 429, 503 */
    int substatus;
    int retry_after_sec; /* 0: none */
    apr_time_t until;    /* wall clock, end of the lockout; 0: none */
    int proxy;           /* 1: a forward proxy answers, not the site */
} guard_body_t;

/**
 * Choose by an Accept header (RFC 9110 section 12.5.1): q values, wildcards,
 * the most specific range wins; ties go to HTML (application/xhtml+xml counts
 * for it), then problem+json (application/json counts for it), then plain
 * text. A range with parameters counts for the type that it names. What is
 * not well-formed, an odd q value too, is passed over by itself. Reads at
 * most GUARD_ACCEPT_RANGES_MAX ranges.
 * @param accept the header, all its lines joined; NULL or "": HTML
 * @return never fails: HTML where nothing offered is acceptable
 */
guard_body_e guard_body_negotiate(const char *accept);

#define GUARD_ACCEPT_RANGES_MAX 64
#define GUARD_PROBLEM_TYPE "urn:authguard:"

/** @return the media type with its charset where it has one. */
const char *guard_body_media_type(guard_body_e form);

/**
 * Render an answer. Same arguments, same bytes; of the request itself nothing
 * comes back. The problem's type is GUARD_PROBLEM_TYPE and the answer's name
 * ("urn:authguard:locked"): it names the kind of problem for programs to
 * compare, and is not meant to be looked up.
 * @param what an answer other than NONE and MAX
 * @return the whole body in pool; its length in *length
 */
const char *guard_body_render(apr_pool_t *pool, guard_body_e form,
                              const guard_body_t *what, apr_size_t *length);

#endif
