/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_status_machine_json.c owns the status as JSON: its shape, and which
 * clients a query means. It holds to docs/status.schema.json.
 *
 * The clients go out as the store shows them, one by one, and all of them:
 * what is between the store and the network is httpd's output buffer, however
 * many there are and however slowly they are read.
 *
 * Invariant: no byte that somebody else has chosen leaves as it is: a scope's
 * name is percent-encoded, and so the text is ASCII whatever a directory is
 * called.
 */
#include "guard_status_machine.h"
#include "guard_store_names.h"
#include "guard_text.h"

#include <apr_strings.h>
#include <http_protocol.h>

/** What the query asks for. */
typedef struct query_t {
    guard_filter_t filter;
    const char *scope; /* as it is shown, or as it is; NULL: every one */
} query_t;

/** One walk through the store. */
typedef struct walk_t {
    request_rec *r;
    const query_t *query;
    const char *between; /* before the next client */
} walk_t;

/* Take one parameter in. @return NULL, or what is wrong with it. */
static const char *read_parameter(query_t *query, const char *name,
                                  const char *value)
{
    if (!strcmp(name, "json")) {
        return NULL;
    }
    if (!strcmp(name, "locked")) {
        query->filter.locked_only = 1;
        return *value ? "locked takes no value" : NULL;
    }
    if (!strcmp(name, "scope")) {
        query->scope = value;
        return NULL;
    }
    if (!strcmp(name, "address")) {
        query->filter.by = GUARD_FILTER_NET;
        return guard_cidr_parse(&query->filter.net, value) == APR_SUCCESS
                   ? NULL
                   : "address must be ADDRESS or ADDRESS/BITS";
    }
    return "parameters are locked, scope=NAME and address=ADDRESS";
}

static const char *read_query(request_rec *r, query_t *query)
{
    char *rest = apr_pstrdup(r->pool, r->args ? r->args : "");
    char *name, *next;

    for (name = apr_strtok(rest, "&", &next); name;
         name = apr_strtok(NULL, "&", &next)) {
        char *value = strchr(name, '=');
        const char *problem;

        if (value) {
            *value++ = '\0';
        }
        if (value && ap_unescape_urlencoded(value) != OK) {
            return "a value is not well encoded";
        }
        problem = read_parameter(query, name, value ? value : "");
        if (problem) {
            return problem;
        }
    }
    return NULL;
}

/* Without a scope's name in the query, or with this one. */
static int is_scope(const query_t *query, const char *name, const char *shown)
{
    return !query->scope || !strcmp(query->scope, shown) ||
           !strcmp(query->scope, name);
}

static apr_status_t send_entry(void *baton, const guard_entry_t *entry)
{
    walk_t *walk = baton;
    char scope[GUARD_SCOPE_SHOWN_BYTES];
    char object[GUARD_ENTRY_JSON_BYTES];

    guard_text_encode(scope, sizeof(scope), entry->scope_name);
    if (entry->phase == GUARD_PHASE_CALM ||
        !is_scope(walk->query, entry->scope_name, scope)) {
        return APR_SUCCESS;
    }
    if (ap_rvputs(walk->r, walk->between,
                  guard_entry_json(object, entry, scope), NULL) < 0) {
        return APR_ECONNABORTED;
    }
    walk->between = ",\n";
    return APR_SUCCESS;
}

/* @return APR_SUCCESS if all were read. */
static apr_status_t send_clients(request_rec *r, const guard_status_t *status,
                                 const query_t *query)
{
    walk_t walk = {.r = r, .query = query, .between = "\n"};

    return status->store->ops->iterate(status->store, status->now_usec,
                                       &query->filter, send_entry, &walk);
}

static void send_stats(request_rec *r, const guard_stats_t *stats)
{
    for (unsigned i = 0; i < GUARD_NUMBER_COUNT; i++) {
        guard_number_t number = guard_stats_number(stats, i);

        ap_rprintf(r, "%s\"%s\":%" APR_UINT64_T_FMT, i ? "," : "{", number.name,
                   (apr_uint64_t)number.value);
    }
    ap_rputs("}", r);
}

/* The system's words for an error, without what JSON would trip over. */
static const char *reason_of(char buf[128], apr_status_t rv)
{
    apr_strerror(rv, buf, 128);
    for (char *at = buf; *at; at++) {
        if (*at < ' ' || *at > '~' || *at == '"' || *at == '\\') {
            *at = '?';
        }
    }
    return buf;
}

static void send_store(request_rec *r, const guard_status_t *status)
{
    char reason[128];

    ap_rprintf(r, "\"store\":{\"up\":%s,\"type\":\"%s\"",
               status->is_up ? "true" : "false",
               status->store ? status->store->ops->name : "none");
    if (status->is_up && status->store->is_far) {
        ap_rprintf(r, ",\"server\":\"%s\"",
                   status->stats.is_down ? "down" : "up");
    }
    if (!status->is_up) {
        ap_rprintf(r, ",\"reason\":\"%s\"", reason_of(reason, status->rv));
    }
    ap_rputs("},\n\"stats\":", r);
    if (status->is_up) {
        send_stats(r, &status->stats);
    } else {
        ap_rputs("null", r);
    }
}

static void send_head(request_rec *r)
{
    apr_time_exp_t at;

    apr_time_exp_gmt(&at, apr_time_now());
    ap_rprintf(r,
               "{\"version\":1,\"module\":\"" GUARD_VERSION "\","
               "\"time\":\"%04d-%02d-%02dT%02d:%02d:%02dZ\",\n",
               at.tm_year + 1900, at.tm_mon + 1, at.tm_mday, at.tm_hour,
               at.tm_min, at.tm_sec);
}

void guard_status_machine_json(request_rec *r, const guard_status_t *status)
{
    query_t query = {.scope = NULL};
    const char *problem = read_query(r, &query);
    apr_status_t rv = status->rv;

    if (problem) {
        r->status = HTTP_BAD_REQUEST;
        ap_rprintf(r, "{\"version\":1,\"error\":\"%s\"}\n", problem);
        return;
    }
    if (r->header_only) {
        return; /* without a walk through the store */
    }
    send_head(r);
    send_store(r, status);
    ap_rputs(",\n\"clients\":[", r);
    if (status->is_up) {
        rv = send_clients(r, status, &query);
    }
    ap_rprintf(r, "],\n\"truncated\":%s}\n",
               rv == APR_SUCCESS && !status->stats.is_partial ? "false"
                                                              : "true");
}
