/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_log.c owns the lines about clients and about a full table, and the
 * encoding of what stands in them. It decides nothing.
 *
 * Invariant: a line has one shape, whatever a client sends. Values carry no
 * space, quote, bracket or control character, and the lines go out through
 * the server's log and not the request's, which would append the Referer.
 */
#include "guard_log.h"
#include "guard_server.h"
#include "guard_store_told.h"
#include "guard_text.h"

#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>

#include <stdatomic.h>
#include <string.h>

APLOG_USE_MODULE(auth_guard);

#define TOLD_KEY "mod_auth_guard: AG0211" /* of ap_retained_data */
#define TIMESTAMP_MAX 24                  /* "2026-11-21T17:48:16Z" */

/* "" becomes "-". */
static char *encode(char buf[GUARD_LOG_VALUE_MAX + 1], const char *value)
{
    value = value && *value ? value : "-";
    return guard_text_encode(buf, GUARD_LOG_VALUE_MAX + 1, value);
}

static const char *timestamp(char buf[TIMESTAMP_MAX], apr_time_t when)
{
    apr_time_exp_t at;

    apr_time_exp_gmt(&at, when);
    apr_snprintf(buf, TIMESTAMP_MAX, "%04d-%02d-%02dT%02d:%02d:%02dZ",
                 at.tm_year + 1900, at.tm_mon + 1, at.tm_mday, at.tm_hour,
                 at.tm_min, at.tm_sec);
    return buf;
}

/* Whole seconds, rounded up. */
static apr_int64_t seconds(apr_interval_time_t span_usec)
{
    return apr_time_sec(span_usec + APR_USEC_PER_SEC - 1);
}

void guard_log_lockout(request_rec *r, const guard_log_subject_t *subject,
                       const guard_claim_t *claim,
                       const guard_standing_t *standing)
{
    const guard_client_t *client = &claim->client;
    char address[GUARD_LOG_VALUE_MAX + 1], scope[GUARD_LOG_VALUE_MAX + 1];
    char realm[GUARD_LOG_VALUE_MAX + 1], user[GUARD_LOG_VALUE_MAX + 1];
    char net[GUARD_CIDR_TEXT_MAX] = "-", until[TIMESTAMP_MAX];

    if (client->bits && !standing->overflow) {
        guard_cidr_format(net, &client->addr, client->bits);
    }
    ap_log_error(
        APLOG_MARK, APLOG_WARNING, 0, r->server,
        "%s: client=%s net=%s key=%s failures=%u/%u window=%" APR_INT64_T_FMT
        " lock=%" APR_INT64_T_FMT
        " level=%u until=%s origin=%s scope=%s realm=%s user=%s",
        subject->observed ? "AG0104: would lock out" : "AG0101: lockout",
        encode(address, subject->client), net,
        guard_kind_name(standing->overflow ? GUARD_KIND_OVERFLOW
                                           : (guard_kind_e)client->kind),
        standing->failures, standing->limit, seconds(claim->policy.window_usec),
        seconds(standing->remaining_usec), standing->level,
        timestamp(until, apr_time_now() + standing->remaining_usec),
        subject->origin == GUARD_ORIGIN_HTACCESS ? "htaccess" : "server",
        encode(scope, subject->scope), encode(realm, subject->realm),
        encode(user, subject->user));
}

static void log_refused(request_rec *r, const guard_log_subject_t *subject,
                        const char *reason)
{
    static _Atomic apr_int64_t last_sec;
    static _Atomic unsigned suppressed;
    char address[GUARD_LOG_VALUE_MAX + 1], scope[GUARD_LOG_VALUE_MAX + 1];
    apr_int64_t now_sec, before_sec;

    before_sec = atomic_load(&last_sec);
    now_sec = apr_time_sec(apr_time_now());
    if (now_sec == before_sec ||
        !atomic_compare_exchange_strong(&last_sec, &before_sec, now_sec)) {
        atomic_fetch_add(&suppressed, 1);
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, r->server,
                 "AG0102: refused: client=%s reason=%s scope=%s suppressed=%u",
                 encode(address, subject->client), reason,
                 encode(scope, subject->scope),
                 atomic_exchange(&suppressed, 0));
}

void guard_log_refused(request_rec *r, const guard_log_subject_t *subject,
                       const char *reason)
{
    if (APLOG_IS_LEVEL(r->server, APLOG_INFO)) {
        log_refused(r, subject, reason);
    }
}

void guard_log_unlocked(request_rec *r, const char *client, const char *user,
                        const char *scope, unsigned count)
{
    char value[4][GUARD_LOG_VALUE_MAX + 1];

    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, r->server,
                 "AG0103: unlocked: client=%s user=%s scope=%s count=%u by=%s",
                 encode(value[0], client), encode(value[1], user),
                 encode(value[2], scope), count, encode(value[3], r->user));
}

void guard_log_not_unlocked(request_rec *r, const char *reason)
{
    char address[GUARD_LOG_VALUE_MAX + 1], by[GUARD_LOG_VALUE_MAX + 1];

    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, r->server,
                 "AG0112: status: an action was refused: client=%s reason=%s "
                 "by=%s",
                 encode(address, r->useragent_ip), reason, encode(by, r->user));
}

void guard_log_status_off(request_rec *r)
{
    char path[GUARD_LOG_VALUE_MAX + 1];

    if (guard_server_once(GUARD_ONCE_STATUS)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, r->server,
                     "AG0108: configuration: %s has the handler "
                     "auth-guard-status, and AuthGuardStatus is Off there; "
                     "it is answered with 404. Set AuthGuardStatus On",
                     encode(path, r->uri));
    }
}

/* Names that proxies put the visitor's address under. */
static const char *forwarding_header(const request_rec *r)
{
    static const char *const NAMES[] = {"X-Forwarded-For", "Forwarded",
                                        "CF-Connecting-IP"};

    for (apr_size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        if (apr_table_get(r->headers_in, NAMES[i])) {
            return NAMES[i];
        }
    }
    return NULL;
}

void guard_log_proxy(request_rec *r)
{
    const char *name;
    char address[GUARD_LOG_VALUE_MAX + 1];

    if (strcmp(r->useragent_ip, r->connection->client_ip)) {
        return; /* mod_remoteip has spoken */
    }
    name = forwarding_header(r);
    if (!name || !guard_server_once(GUARD_ONCE_PROXY)) {
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, r->server,
                 "AG0105: proxy: client=%s header=%s; if this is a proxy of "
                 "yours, one lockout shuts out everybody behind it: see "
                 "mod_remoteip",
                 encode(address, r->useragent_ip), name);
}

void guard_log_store(request_rec *r, apr_status_t rv)
{
    if (rv != APR_SUCCESS && guard_server_once(GUARD_ONCE_STORE_DOWN)) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, r->server,
                     "AG0207: store: can't count; guesses are refused as "
                     "overload until it can");
    }
    if (rv == APR_SUCCESS && guard_server_again(GUARD_ONCE_STORE_DOWN)) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, r->server,
                     "AG0208: store: counts again");
    }
}

/* Kept over gracefuls, so that none lets the line come twice a minute. Until
 * somebody looks nothing is known, and what the file counted before the
 * server began is no news. */
static guard_store_told_t *told_so_far(uint64_t evictions, uint64_t overflow,
                                       uint64_t now_usec)
{
    guard_store_told_t *told = ap_retained_data_get(TOLD_KEY);

    if (!told) {
        told = ap_retained_data_create(TOLD_KEY, sizeof(*told));
        guard_store_told_begin(told, evictions, overflow, now_usec);
    }
    return told;
}

void guard_log_full(server_rec *main_server, guard_store_t *store)
{
    uint64_t evictions = guard_store_shm_counter(store, GUARD_COUNT_EVICTIONS);
    uint64_t overflow = guard_store_shm_counter(store, GUARD_COUNT_OVERFLOW);
    uint64_t now_usec = guard_store_clock();
    guard_store_told_t *told = told_so_far(evictions, overflow, now_usec);
    guard_store_news_t news;

    if (!guard_store_told_news(told, evictions, overflow, now_usec, &news)) {
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, main_server,
                 "AG0211: full: evictions=%" APR_UINT64_T_FMT
                 " overflow=%" APR_UINT64_T_FMT
                 " seconds=%u; see AuthGuardStore clients=",
                 (apr_uint64_t)news.evictions, (apr_uint64_t)news.overflow,
                 news.seconds);
}
