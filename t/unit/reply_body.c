/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The answers: every form of each is well-formed, says what it has to, and
 * nothing else.
 */
#include "guard_reply_body.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_strings.h>
#include <limits.h>
#include <stdlib.h>

static const struct {
    const char *name;
    guard_body_t body;
    const char *type;
    const char *substatus;
} answers[] = {
    {"wrong", {GUARD_ANSWER_WRONG, 401, 1, 0, 0, 0}, "wrong", "401.1"},
    {"no credentials",
     {GUARD_ANSWER_NO_CREDENTIALS, 401, 2, 0, 0, 0},
     "no-credentials",
     "401.2"},
    {"not allowed",
     {GUARD_ANSWER_NOT_ALLOWED, 401, 3, 0, 0, 0},
     "not-allowed",
     "401.3"},
    {"forbidden",
     {GUARD_ANSWER_NOT_ALLOWED, 403, 3, 0, 0, 0},
     "not-allowed",
     "403.3"},
    {"locked",
     {GUARD_ANSWER_LOCKED, 401, 501, 898, 1795283296000000, 0},
     "locked",
     "401.501"},
    {"locked, 404",
     {GUARD_ANSWER_LOCKED, 404, 501, 1, 1795283296000000, 0},
     "locked",
     "404.501"},
    {"locked, time unknown",
     {GUARD_ANSWER_LOCKED, 429, 501, 0, 0, 0},
     "locked",
     "429.501"},
    {"busy", {GUARD_ANSWER_BUSY, 429, 501, 1, 0, 0}, "busy", "429.501"},
    {"overload", {GUARD_ANSWER_OVERLOAD, 503, 2, 1, 0, 0}, "overload", "503.2"},
    {"proxy",
     {GUARD_ANSWER_NO_CREDENTIALS, 407, 2, 0, 0, 1},
     "no-credentials",
     "407.2"},
    {"proxy, locked",
     {GUARD_ANSWER_LOCKED, 407, 501, INT_MAX, 1795283296000000, 1},
     "locked",
     "407.501"},
};

#define ANSWERS_COUNT (sizeof(answers) / sizeof(answers[0]))

/** A member of a flat JSON object. */
typedef struct member_t {
    const char *name;
    const char *value; /* text of a string, or digits */
    int is_text;
} member_t;

#define MEMBERS_MAX 8

/* Cut a string without escapes out of *at, or NULL. */
static char *take_text(apr_pool_t *pool, const char **at)
{
    const char *start = *at + 1;
    const char *end = start;

    if (**at != '"') {
        return NULL;
    }
    while (*end >= ' ' && *end != '"' && *end != '\\') {
        end++;
    }
    if (*end != '"') {
        return NULL;
    }
    *at = end + 1;
    return apr_pstrndup(pool, start, (apr_size_t)(end - start));
}

static int take_member(apr_pool_t *pool, const char **at, member_t *member)
{
    apr_size_t digits;

    member->name = take_text(pool, at);
    if (!member->name || *(*at)++ != ':') {
        return 0;
    }
    member->is_text = **at == '"';
    if (member->is_text) {
        member->value = take_text(pool, at);
        return member->value != NULL;
    }
    digits = strspn(*at, "0123456789");
    member->value = apr_pstrndup(pool, *at, digits);
    *at += digits;
    return digits > 0;
}

/** @return how many members the object has, or -1 if it does not parse. */
static int parse_object(apr_pool_t *pool, const char *at, member_t *members)
{
    int count = 0;

    if (*at++ != '{') {
        return -1;
    }
    do {
        if (count == MEMBERS_MAX || !take_member(pool, &at, &members[count])) {
            return -1;
        }
        count++;
    } while (*at++ == ',');
    return strcmp(at - 1, "}\n") ? -1 : count;
}

static void check_problem(apr_pool_t *pool, unsigned i)
{
    const guard_body_t *what = &answers[i].body;
    member_t member[MEMBERS_MAX];
    apr_size_t length;
    const char *json =
        guard_body_render(pool, GUARD_BODY_PROBLEM, what, &length);
    int count = parse_object(pool, json, member);
    const char *status = apr_itoa(pool, what->status);

    is((long long)length, (long long)strlen(json), "problem: length");
    if (!ok(count == (what->retry_after_sec ? 6 : 5), "problem: members of %s",
            answers[i].name)) {
        printf("# %s", json);
        return;
    }
    ok(!strcmp(member[0].name, "type") && member[0].is_text &&
           !strcmp(member[0].value,
                   apr_pstrcat(pool, "urn:authguard:", answers[i].type, NULL)),
       "problem: type %s", member[0].value);
    ok(!strcmp(member[1].name, "title") && member[1].is_text &&
           member[1].value[0],
       "problem: title");
    ok(!strcmp(member[2].name, "status") && !member[2].is_text &&
           !strcmp(member[2].value, status),
       "problem: status");
    ok(!strcmp(member[3].name, "detail") && strlen(member[3].value) > 40,
       "problem: detail");
    ok(!strcmp(member[4].name, "substatus") && member[4].is_text &&
           !strcmp(member[4].value, answers[i].substatus),
       "problem: substatus");
    if (count == 6) {
        ok(!strcmp(member[5].name, "retry_after") && !member[5].is_text &&
               atoi(member[5].value) == what->retry_after_sec,
           "problem: retry_after");
    }
}

#define DEPTH_MAX 16

/* Elements that have no end tag. */
static int is_void(const char *name, apr_size_t length)
{
    static const char *const names[] = {"meta", "link", "circle", "path",
                                        "rect"};
    unsigned i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) == length && !strncmp(names[i], name, length)) {
            return 1;
        }
    }
    return 0;
}

/** @return NULL if each start tag has its end tag, else where it goes wrong. */
static const char *unbalanced(const char *html)
{
    const char *open[DEPTH_MAX];
    int depth = 0;
    const char *tag;

    for (tag = strchr(html + 1, '<'); tag; tag = strchr(tag + 1, '<')) {
        int is_end = tag[1] == '/';
        const char *name = tag + 1 + is_end;
        apr_size_t length =
            strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789");

        if (!length || !strchr(name, '>')) {
            return tag;
        }
        if (is_end) {
            if (!depth || strncmp(open[--depth], name, length)) {
                return tag;
            }
        } else if (!is_void(name, length)) {
            if (depth == DEPTH_MAX) {
                return tag;
            }
            open[depth++] = name;
        }
    }
    return depth ? open[depth - 1] : NULL;
}

/* What would run, or be fetched from somewhere. */
static const char *const forbidden[] = {"<script", "src=",     "url(",
                                        "http:",   "https:",   "@import",
                                        "<iframe", "onclick=", "<form"};
/* What each page has, so that it can be read on a phone and aloud. */
static const char *const wanted[] = {"<!DOCTYPE html>",
                                     "<html lang=\"en\">",
                                     "<meta charset=\"utf-8\">",
                                     "width=device-width",
                                     "prefers-color-scheme:dark",
                                     "<main>",
                                     "<h1>",
                                     "<h2>",
                                     "aria-hidden=\"true\""};

static void check_html(apr_pool_t *pool, unsigned i)
{
    apr_size_t length;
    const char *html =
        guard_body_render(pool, GUARD_BODY_HTML, &answers[i].body, &length);
    const char *fault = unbalanced(html);
    unsigned k;

    is((long long)length, (long long)strlen(html), "html: length");
    ok(!fault, "html: balanced %.20s", fault ? fault : "");
    ok(strstr(html, apr_pstrcat(pool, ">", answers[i].substatus, "<", NULL)) !=
           NULL,
       "html: substatus of %s", answers[i].name);
    for (k = 0; k < sizeof(forbidden) / sizeof(forbidden[0]); k++) {
        ok(!strstr(html, forbidden[k]), "html: no %s", forbidden[k]);
    }
    for (k = 0; k < sizeof(wanted) / sizeof(wanted[0]); k++) {
        ok(strstr(html, wanted[k]) != NULL, "html: has %s", wanted[k]);
    }
}

static void check_plain(apr_pool_t *pool, unsigned i)
{
    apr_size_t length;
    const char *text =
        guard_body_render(pool, GUARD_BODY_PLAIN, &answers[i].body, &length);

    is((long long)length, (long long)strlen(text), "plain: length");
    ok(!strpbrk(text, "<>&\"\\\r\t"), "plain: no markup in %s",
       answers[i].name);
    ok(strstr(text, answers[i].substatus) != NULL, "plain: substatus");
    ok(strstr(text, "administrator") != NULL, "plain: whom to ask");
    ok(text[length - 1] == '\n', "plain: ends its line");
}

/* The rest of the words: what only some answers say. */
static void test_words(apr_pool_t *pool)
{
    unsigned i;

    for (i = 0; i < ANSWERS_COUNT; i++) {
        const guard_body_t *what = &answers[i].body;
        apr_size_t length;
        const char *text =
            guard_body_render(pool, GUARD_BODY_PLAIN, what, &length);

        is(strstr(text, "your proxy") != NULL, what->proxy,
           "the proxy is named where it asks");
        is(strstr(text, "Try again in ") != NULL, what->retry_after_sec > 0,
           "when to try again is told where it is known");
        ok(strstr(text, "temporary") || strstr(text, "right away") ||
               strstr(text, "again now"),
           "%s: whether it is temporary", answers[i].name);
        ok(strstr(text, "Check the address") || strstr(text, "check the add"),
           "%s: check the address", answers[i].name);
    }
}

static const struct {
    int seconds;
    const char *expected;
} remainders[] = {
    {1, "in 1 second"},
    {2, "in 2 seconds"},
    {90, "in 90 seconds"},
    {91, "in 2 minutes"},
    {120, "in 2 minutes"},
    {121, "in 3 minutes"},
    {898, "in 15 minutes"},
    {900, "in 15 minutes"},
    {3540, "in 59 minutes"},
    {3541, "in 1 hour"},
    {3600, "in 1 hour"},
    {3601, "in 1 hour and 1 minute"},
    {7199, "in 2 hours"},
    {86400, "in 1 day"},
    {86401, "in 1 day and 1 hour"},
    {30 * 86400, "in 30 days"},
};

static void test_remainders(apr_pool_t *pool)
{
    guard_body_t what = {GUARD_ANSWER_LOCKED, 401, 501, 0, 1, 0};
    unsigned i;

    for (i = 0; i < sizeof(remainders) / sizeof(remainders[0]); i++) {
        apr_size_t length;

        what.retry_after_sec = remainders[i].seconds;
        ok(strstr(guard_body_render(pool, GUARD_BODY_HTML, &what, &length),
                  apr_pstrcat(pool, "Try again ", remainders[i].expected,
                              "</strong>", NULL)) != NULL,
           "%d seconds: %s", remainders[i].seconds, remainders[i].expected);
    }
}

static const struct {
    apr_int64_t second;
    const char *expected;
} ends[] = {
    {1795283296, "<time datetime=\"2026-11-21T17:48:16Z\">"
                 "21 November 2026, 17:48:16 UTC</time>"},
    {1798761600, "<time datetime=\"2027-01-01T00:00:00Z\">"
                 "1 January 2027, 00:00:00 UTC</time>"},
    {1835438403, "<time datetime=\"2028-02-29T12:00:03Z\">"
                 "29 February 2028, 12:00:03 UTC</time>"},
    {253402300799, "<time datetime=\"9999-12-31T23:59:59Z\">"
                   "31 December 9999, 23:59:59 UTC</time>"},
    {253402300800, "Try again in 9 seconds</strong></div>"},
};

static void test_ends(apr_pool_t *pool)
{
    guard_body_t what = {GUARD_ANSWER_LOCKED, 401, 501, 9, 0, 0};
    unsigned i;

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        apr_size_t length;

        what.until = apr_time_from_sec(ends[i].second);
        ok(strstr(guard_body_render(pool, GUARD_BODY_HTML, &what, &length),
                  ends[i].expected) != NULL,
           "end at %s", ends[i].expected);
    }
}

/* A locked client must not learn from a body: it hangs on the times alone. */
static void test_sameness(apr_pool_t *pool)
{
    guard_body_t what = {GUARD_ANSWER_LOCKED,           401, 501, 60,
                         apr_time_from_sec(1795283296), 0};
    guard_body_t later = what;
    guard_body_e form;

    later.retry_after_sec = 59;
    later.until += apr_time_from_sec(1);
    for (form = GUARD_BODY_HTML; form <= GUARD_BODY_PLAIN; form++) {
        apr_size_t length;
        const char *first = guard_body_render(pool, form, &what, &length);

        ok(!strcmp(first, guard_body_render(pool, form, &what, &length)),
           "same seconds, same bytes");
        ok(strcmp(first, guard_body_render(pool, form, &later, &length)),
           "other seconds, other bytes");
    }
}

int main(void)
{
    apr_pool_t *pool;
    unsigned i;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    for (i = 0; i < ANSWERS_COUNT; i++) {
        check_problem(pool, i);
        check_html(pool, i);
        check_plain(pool, i);
    }
    test_words(pool);
    test_remainders(pool);
    test_ends(pool);
    test_sameness(pool);
    is_str(guard_body_media_type(GUARD_BODY_HTML), "text/html; charset=utf-8",
           "media type of HTML");
    is_str(guard_body_media_type(GUARD_BODY_PROBLEM),
           "application/problem+json", "media type of problems");
    is_str(guard_body_media_type(GUARD_BODY_PLAIN), "text/plain; charset=utf-8",
           "media type of plain text");
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
