/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_status_query.c owns the words of a status page's address. It refuses
 * to know the page. Invariant: whatever an address says, what comes out can be
 * shown: every enum is set, every text is a string of bounded length.
 */
#include "guard_status_query.h"

#include <httpd.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

static const char *const view_names[] = {[GUARD_VIEW_UNSET] = "",
                                         [GUARD_VIEW_LOCKED] = "locked",
                                         [GUARD_VIEW_FAILING] = "failing",
                                         [GUARD_VIEW_ALL] = "all"};

static const char *const sort_names[] = {
    [GUARD_SORT_UNSET] = "",      [GUARD_SORT_CLIENT] = "client",
    [GUARD_SORT_KEY] = "key",     [GUARD_SORT_FAILURES] = "failures",
    [GUARD_SORT_LEVEL] = "level", [GUARD_SORT_SINCE] = "since",
    [GUARD_SORT_LEFT] = "left",
};

const char *guard_status_query_view_name(guard_view_e view)
{
    return view_names[view];
}

const char *guard_status_query_sort_name(guard_sort_e sort)
{
    return sort_names[sort];
}

/* @return the index of that name, or 0, which is "unset". */
static unsigned find(const char *const *names, unsigned count, const char *name)
{
    for (unsigned i = 1; i < count; i++) {
        if (!strcmp(names[i], name)) {
            return i;
        }
    }
    return 0;
}

#define FIND(names, name) find(names, sizeof(names) / sizeof((names)[0]), name)

/* "HIGH.LOW.ID", each in 16 hexadecimal digits. @return 1, or 0. */
static int read_mark(guard_mark_t *mark, const char *text)
{
    uint64_t *const part[] = {&mark->high, &mark->low, &mark->id};

    if (strlen(text) != 3 * 16 + 2) {
        return 0;
    }
    for (unsigned i = 0; i < 3; i++) {
        const char *digits = text + (apr_size_t)i * 17;

        if (strspn(digits, "0123456789abcdef") != 16 ||
            (i < 2 && digits[16] != '.')) {
            return 0;
        }
        *part[i] = strtoull(digits, NULL, 16);
    }
    return 1;
}

static void seek(guard_wanted_t *wanted, guard_seek_e where, const char *text)
{
    if (read_mark(&wanted->mark, text)) {
        wanted->seek = where;
    }
}

/* Decoded in place. @return 1, or 0 if it is not to be used. */
static int decode(char *value)
{
    return ap_unescape_urlencoded(value) == OK &&
           strlen(value) <= GUARD_QUERY_VALUE_MAX;
}

static void take(guard_status_query_t *query, const char *name, char *value)
{
    if (!decode(value)) {
        return;
    }
    if (!strcmp(name, "view")) {
        query->wanted.view = (guard_view_e)FIND(view_names, value);
    } else if (!strcmp(name, "sort")) {
        query->wanted.is_descending = *value == '-';
        query->wanted.sort =
            (guard_sort_e)FIND(sort_names, value + (*value == '-'));
    } else if (!strcmp(name, "after")) {
        seek(&query->wanted, GUARD_SEEK_AFTER, value);
    } else if (!strcmp(name, "before")) {
        seek(&query->wanted, GUARD_SEEK_BEFORE, value);
    } else if (!strcmp(name, "client")) {
        query->search = value;
    } else if (!strcmp(name, "scope")) {
        query->scope = value;
    } else if (!strcmp(name, "done")) {
        query->done = value;
    } else if (!strcmp(name, "proof")) {
        query->done_token = value;
    }
    query->is_action |= !strcmp(name, "unlock") || !strcmp(name, "token");
}

static void take_form(guard_status_query_t *query, const char *word)
{
    static const char *const FORMS[] = {"", "auto", "json", "prometheus"};
    unsigned form = FIND(FORMS, word);

    if (form) {
        query->form = FORMS[form];
    }
}

void guard_status_query_sort_by_view(guard_wanted_t *wanted)
{
    wanted->is_descending = wanted->view != GUARD_VIEW_ALL;
    switch (wanted->view) {
    case GUARD_VIEW_LOCKED:
        wanted->sort = GUARD_SORT_SINCE;
        break;
    case GUARD_VIEW_FAILING:
        wanted->sort = GUARD_SORT_FAILURES;
        break;
    case GUARD_VIEW_UNSET:
    case GUARD_VIEW_ALL:
        wanted->sort = GUARD_SORT_CLIENT;
        break;
    }
}

/* What a paste brings along. */
static const char *trim(apr_pool_t *pool, const char *text)
{
    apr_size_t length;

    text += strspn(text, " \t\r\n");
    length = strlen(text);
    while (length && strchr(" \t\r\n", text[length - 1])) {
        length--;
    }
    return apr_pstrmemdup(pool, text, length);
}

guard_status_query_t guard_status_query_parse(apr_pool_t *pool,
                                              const char *args)
{
    guard_status_query_t query = {.search = "", .scope = "", .done_token = ""};
    char *rest = apr_pstrdup(pool, args ? args : "");
    char *last = NULL;

    for (char *word = apr_strtok(rest, "&", &last); word;
         word = apr_strtok(NULL, "&", &last)) {
        char *value = strchr(word, '=');

        if (value) {
            *value++ = '\0';
        }
        if (value && *value) {
            take(&query, word, value);
        } else {
            take_form(&query, word); /* "json", and "json=" of some programs */
        }
    }
    query.search = trim(pool, query.search);
    if (!query.wanted.view) {
        query.wanted.view = *query.search ? GUARD_VIEW_ALL : GUARD_VIEW_LOCKED;
    }
    if (!query.wanted.sort) {
        guard_status_query_sort_by_view(&query.wanted);
    }
    return query;
}

/* "&name=value", or nothing where there is no value. */
static const char *part(apr_pool_t *pool, const char *name, const char *value)
{
    return *value ? apr_pstrcat(pool, "&", name, "=",
                                ap_escape_urlencoded(pool, value), NULL)
                  : "";
}

static const char *write_seek(apr_pool_t *pool, const guard_wanted_t *wanted)
{
    if (wanted->seek == GUARD_SEEK_FIRST) {
        return "";
    }
    return apr_psprintf(
        pool,
        "&%s=%016" APR_UINT64_T_HEX_FMT ".%016" APR_UINT64_T_HEX_FMT
        ".%016" APR_UINT64_T_HEX_FMT,
        wanted->seek == GUARD_SEEK_AFTER ? "after" : "before",
        (apr_uint64_t)wanted->mark.high, (apr_uint64_t)wanted->mark.low,
        (apr_uint64_t)wanted->mark.id);
}

const char *guard_status_query_link(apr_pool_t *pool,
                                    const guard_status_query_t *query)
{
    const guard_wanted_t *wanted = &query->wanted;

    return apr_pstrcat(
        pool, "?view=", view_names[wanted->view],
        "&sort=", wanted->is_descending ? "-" : "", sort_names[wanted->sort],
        part(pool, "client", query->search), part(pool, "scope", query->scope),
        write_seek(pool, wanted), NULL);
}

guard_filter_t guard_status_query_filter(const guard_status_query_t *query)
{
    guard_filter_t filter = {.by = GUARD_FILTER_ALL};

    if (*query->scope) {
        filter.scope_name = query->scope;
    }
    if (!*query->search) {
        return filter;
    }
    if (guard_cidr_parse(&filter.net, query->search) == APR_SUCCESS) {
        filter.by = GUARD_FILTER_NET;
    } else {
        filter.by = GUARD_FILTER_USER;
        filter.user = query->search;
    }
    return filter;
}

int guard_status_query_is_address(const guard_status_query_t *query)
{
    guard_addr_t address;

    return guard_addr_parse(&address, query->search) == APR_SUCCESS;
}
