/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Which form of an answer an Accept header gets.
 */
#include "guard_reply_body.h"
#include "tap.h"

#include <apr_general.h>

#define HTML GUARD_BODY_HTML
#define PROBLEM GUARD_BODY_PROBLEM
#define PLAIN GUARD_BODY_PLAIN
#define CHROME                                                                 \
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,"        \
    "image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"

static const struct {
    const char *name;
    const char *accept;
    guard_body_e expected;
} accepts[] = {
    {"no header", NULL, HTML},
    {"empty header", "", HTML},
    {"blanks only", " \t ", HTML},
    {"curl", "*/*", HTML},
    {"Chrome", CHROME, HTML},
    {"old Java", "text/html, image/gif, *; q=.2, */*; q=.2", HTML},

    {"text/html", "text/html", HTML},
    {"application/xhtml+xml", "application/xhtml+xml", HTML},
    {"application/json", "application/json", PROBLEM},
    {"application/problem+json", "application/problem+json", PROBLEM},
    {"text/plain", "text/plain", PLAIN},
    {"any case", "APPLICATION/Json", PROBLEM},
    {"nothing we have", "image/png", HTML},
    {"a longer name than ours", "text/plainer, application/jsonp", HTML},
    {"a shorter name than ours", "text/plai, application/jso", HTML},

    {"higher q wins", "text/html;q=0.4, text/plain;q=0.5", PLAIN},
    {"third decimal counts", "text/html;q=0.998, text/plain;q=0.999", PLAIN},
    {"no q is 1", "text/html;q=0.999, application/json", PROBLEM},
    {"q=1.000", "text/html;q=0.9, text/plain;q=1.000", PLAIN},
    {"q=1.", "text/html;q=0.9, text/plain;q=1.", PLAIN},
    {"Q in capitals", "text/html;Q=0.1, text/plain;Q=0.2", PLAIN},
    {"tie of all", "text/plain, application/json, text/html", HTML},
    {"tie of two", "text/plain, application/json", PROBLEM},
    {"tie below 1", "text/plain;q=0.3, application/json;q=0.3", PROBLEM},
    {"q=0 refuses", "text/html;q=0, text/plain;q=0.001", PLAIN},
    {"all refused", "*/*;q=0", HTML},

    {"text/* is HTML first", "text/*", HTML},
    {"application/* is not HTML", "application/*", PROBLEM},
    {"*/* leaves what q=0 named", "text/html;q=0, */*", PROBLEM},
    {"text/* leaves what q=0 named", "text/html;q=0, text/*", PLAIN},
    {"exact beats type/*", "text/*, text/html;q=0.2", PLAIN},
    {"order does not matter", "text/html;q=0.2, text/*", PLAIN},
    {"type/* beats */*", "*/*;q=0.1, text/*;q=0", PROBLEM},
    {"lower q, but closer", "*/*, text/*;q=0.5, text/plain;q=0.6", PROBLEM},
    {"own name beats other name",
     "application/json, application/problem+json;q=0.1, text/plain;q=0.5",
     PLAIN},
    {"other name beats wildcard",
     "application/json;q=0.2, text/plain;q=0.1, "
     "application/*;q=0",
     PROBLEM},
    {"*/html is no range", "*/html, text/plain;q=0.1", PLAIN},
    {"same range twice, kinder q",
     "text/plain;q=0.9, text/plain;q=0.1, "
     "text/html;q=0.5",
     PLAIN},

    {"charset", "application/json; charset=utf-8", PROBLEM},
    {"parameter before q", "text/html;level=1;q=0.3, text/plain;q=0.4", PLAIN},
    {"bare beats with parameter",
     "text/html;level=1, text/html;q=0.3, text/plain;q=0.4", PLAIN},
    {"extension after q", "text/html;q=0.3;q=0.9, text/plain;q=0.4", PLAIN},
    {"comma in quotes", "text/plain;a=\",text/html,\"", PLAIN},
    {"q in quotes of another", "text/html;a=\";q=1\";q=0.1, text/plain;q=0.2",
     PLAIN},
    {"escaped quote", "text/html;a=\"\\\",\";q=0.1, text/plain;q=0.2", PLAIN},
    {"empty quotes", "text/plain;a=\"\"", PLAIN},
    {"semicolon and nothing", "text/plain;", PLAIN},
    {"blanks", " text/html \t;\t q=0.1 ,\ttext/plain ; q=0.2 ", PLAIN},
    {"empty members", ",, ,text/plain,,", PLAIN},

    {"q without value", "text/plain;q=", HTML},
    {"q without sign", "text/plain;q", HTML},
    {"q beyond 1", "text/plain;q=1.001", HTML},
    {"q=2", "text/plain;q=2", HTML},
    {"q=-1", "text/plain;q=-1", HTML},
    {"q=.5", "text/plain;q=.5", HTML},
    {"q=00.5", "text/plain;q=00.5", HTML},
    {"q=0,5", "text/plain;q=0,5, application/json;q=0.1", PROBLEM},
    {"q of four decimals", "text/plain;q=0.5000", HTML},
    {"q in letters", "text/plain;q=high", HTML},
    {"q in quotes", "text/plain;q=\"1\"", HTML},
    {"blank around the sign", "text/plain;q = 1", HTML},
    {"a bad one spoils no other", "text/html;q=x, text/plain;q=0.1", PLAIN},
    {"no slash", "text, json, text/plain;q=0.1", PLAIN},
    {"no subtype", "text/, text/plain;q=0.1", PLAIN},
    {"no type", "/html, text/plain;q=0.1", PLAIN},
    {"two slashes", "text/html/x, text/plain;q=0.1", PLAIN},
    {"blank in a name", "text /html, text/ html, text/plain;q=0.1", PLAIN},
    {"star and more", "*/*x, text/html*, text/plain;q=0.1", PLAIN},
    {"open quotes", "text/plain;a=\"", HTML},
    {"open quotes swallow", "text/html;a=\", text/plain", HTML},
    {"backslash at the end", "text/plain;a=\"\\", HTML},
    {"backslash before the end quote", "text/plain;a=\"\\\"", HTML},
    {"bytes above ASCII", "text/\xff, \xc3\xa9/*, text/plain;q=0.1", PLAIN},
    {"control bytes", "text/html\x01, \x7f, text/plain;q=0.1", PLAIN},
};

static void test_negotiation(void)
{
    unsigned i;

    for (i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++) {
        is(guard_body_negotiate(accepts[i].accept), accepts[i].expected,
           accepts[i].name);
    }
}

/* count members "image/png," and then one that matters */
static guard_body_e negotiate_after(apr_pool_t *pool, int count)
{
    const char *filler = "image/png,";
    apr_size_t length = strlen(filler);
    char *accept = apr_palloc(pool, length * (apr_size_t)count + 16);
    int i;

    for (i = 0; i < count; i++) {
        memcpy(accept + length * (apr_size_t)i, filler, length);
    }
    strcpy(accept + length * (apr_size_t)count, "text/plain");
    return guard_body_negotiate(accept);
}

static void test_bound(apr_pool_t *pool)
{
    is(negotiate_after(pool, GUARD_ACCEPT_RANGES_MAX - 1), PLAIN,
       "the last range within the bound is read");
    is(negotiate_after(pool, GUARD_ACCEPT_RANGES_MAX), HTML,
       "the first one beyond it is not");
    is(negotiate_after(pool, 100000), HTML, "a megabyte of ranges");
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_negotiation();
    test_bound(pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
