/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * Which form of an answer a client wants, by its Accept header.
 *
 * Owns the grammar of Accept (RFC 9110 sections 5.6 and 12.5.1). Refuses to
 * know what the forms look like. Invariant: it reads each byte at most twice,
 * at most GUARD_ACCEPT_RANGES_MAX list members, and allocates nothing.
 */
#include "guard_reply_body.h"

#include <strings.h>
#include <string.h>

/** How closely a range names what we offer; the closest one's q counts. */
typedef enum {
    FIT_NONE = 0,
    FIT_ANY,   /* any type at all */
    FIT_TYPE,  /* any subtype */
    FIT_ALIAS, /* another name of it, or with parameters that ours lacks */
    FIT_NAME
} fit_e;

typedef struct slice_t {
    const char *start;
    const char *end;
} slice_t;

/** One media range with its weight. */
typedef struct range_t {
    slice_t type;
    slice_t subtype;
    int has_parameters; /* other than q */
    int quality;        /* 0 to 1000 */
} range_t;

/** What we have to give; the order breaks ties. */
static const struct offer_t {
    guard_body_e form;
    const char *type;
    const char *subtype;
    const char *alias_type; /* chosen by this name too; NULL: by no other */
    const char *alias_subtype;
} offers[] = {
    {GUARD_BODY_HTML, "text", "html", "application", "xhtml+xml"},
    {GUARD_BODY_PROBLEM, "application", "problem+json", "application", "json"},
    {GUARD_BODY_PLAIN, "text", "plain", NULL, NULL},
};

#define OFFERS_COUNT (sizeof(offers) / sizeof(offers[0]))

/* tchar of RFC 9110 section 5.6.2; "*" is one of them. */
static int is_token_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
        (c >= '0' && c <= '9')) {
        return 1;
    }
    return c && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    return at;
}

/* Take a token; an empty one if there is none. */
static const char *take_token(slice_t *out, const char *at, const char *end)
{
    out->start = at;
    while (at < end && is_token_char(*at)) {
        at++;
    }
    out->end = at;
    return at;
}

/** @return past the closing quote, or NULL if there is none. */
static const char *skip_quoted(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at == '"') {
            return at + 1;
        }
        if (*at == '\\') {
            at++;
        }
    }
    return NULL;
}

static int slice_is(slice_t slice, const char *text)
{
    apr_size_t length = (apr_size_t)(slice.end - slice.start);

    return strlen(text) == length && !strncasecmp(slice.start, text, length);
}

/**
 * Read a qvalue: 0 or 1, and at most three decimals.
 * @return 1, or 0 for anything else, *quality then untouched
 */
static int read_quality(int *quality, slice_t digits)
{
    const char *at = digits.start;
    int value;
    int unit = 100;

    if (at == digits.end || (*at != '0' && *at != '1')) {
        return 0;
    }
    value = (*at++ - '0') * 1000;
    if (at < digits.end && *at++ != '.') {
        return 0;
    }
    for (; at < digits.end; at++, unit /= 10) {
        if (*at < '0' || *at > '9' || !unit) {
            return 0;
        }
        value += (*at - '0') * unit;
    }
    if (value > 1000) {
        return 0;
    }
    *quality = value;
    return 1;
}

/** Read one parameter; the first q ends what describes the type. @return past
 *  it, or NULL if it is not well-formed. */
static const char *read_parameter(range_t *range, int *weighed, const char *at,
                                  const char *end)
{
    slice_t name;
    slice_t value = {at, at};

    at = take_token(&name, at, end);
    if (name.start == name.end) {
        return at; /* ";" and nothing is allowed */
    }
    if (at < end && *at == '=') {
        at++;
        at = at < end && *at == '"' ? skip_quoted(at, end)
                                    : take_token(&value, at, end);
    }
    if (*weighed) {
        return at;
    }
    if (!slice_is(name, "q")) {
        range->has_parameters = 1;
        return at;
    }
    *weighed = 1;
    return read_quality(&range->quality, value) ? at : NULL;
}

/** @return 1, or 0 if it is no well-formed range. */
static int read_range(range_t *range, const char *at, const char *end)
{
    int weighed = 0;

    range->has_parameters = 0;
    range->quality = 1000;
    at = take_token(&range->type, at, end);
    if (at == range->type.start || at == end || *at != '/') {
        return 0;
    }
    at = take_token(&range->subtype, at + 1, end);
    if (at == range->subtype.start) {
        return 0;
    }
    for (at = skip_blanks(at, end); at < end; at = skip_blanks(at, end)) {
        if (*at != ';') {
            return 0;
        }
        at = skip_blanks(at + 1, end);
        at = read_parameter(range, &weighed, at, end);
        if (!at) {
            return 0;
        }
    }
    return 1;
}

static fit_e fit_of(const range_t *range, const struct offer_t *offer)
{
    if (slice_is(range->type, "*")) {
        return slice_is(range->subtype, "*") ? FIT_ANY : FIT_NONE;
    }
    if (offer->alias_type && slice_is(range->type, offer->alias_type) &&
        slice_is(range->subtype, offer->alias_subtype)) {
        return FIT_ALIAS;
    }
    if (!slice_is(range->type, offer->type)) {
        return FIT_NONE;
    }
    if (slice_is(range->subtype, "*")) {
        return FIT_TYPE;
    }
    if (!slice_is(range->subtype, offer->subtype)) {
        return FIT_NONE;
    }
    return range->has_parameters ? FIT_ALIAS : FIT_NAME;
}

/* Let a range speak for every offer that it names more closely than those
 * before it did; of two that are as close, the kinder one counts. */
static void weigh(fit_e fit[], int quality[], const range_t *range)
{
    unsigned i;

    for (i = 0; i < OFFERS_COUNT; i++) {
        fit_e closeness = fit_of(range, &offers[i]);

        if (closeness == FIT_NONE || closeness < fit[i]) {
            continue;
        }
        if (closeness > fit[i] || range->quality > quality[i]) {
            quality[i] = range->quality;
        }
        fit[i] = closeness;
    }
}

/* The end of the list member at at: the next comma outside quotes. */
static const char *member_end(const char *at)
{
    int quoted = 0;

    for (; *at && (quoted || *at != ','); at++) {
        if (*at == '"') {
            quoted = !quoted;
        } else if (quoted && *at == '\\' && at[1]) {
            at++;
        }
    }
    return at;
}

/* What a browser sends begins with the plain name of HTML: nothing behind it
 * can weigh more, and HTML wins a tie. The same for whoever takes anything.
 * Written otherwise it comes to the same, by the long way. */
static int is_html_outright(const char *accept)
{
    static const char HTML[] = "text/html";

    if (accept[0] == '*') {
        return !strcmp(accept, "*/*");
    }
    return !strncmp(accept, HTML, sizeof(HTML) - 1) &&
           (accept[sizeof(HTML) - 1] == ',' || !accept[sizeof(HTML) - 1]);
}

guard_body_e guard_body_negotiate(const char *accept)
{
    fit_e fit[OFFERS_COUNT] = {FIT_NONE};
    int quality[OFFERS_COUNT] = {0};
    unsigned best = 0;
    unsigned members;
    unsigned i;

    if (!accept || is_html_outright(accept)) {
        return GUARD_BODY_HTML;
    }
    for (members = 0; *accept && members < GUARD_ACCEPT_RANGES_MAX; members++) {
        const char *end = member_end(accept);
        range_t range;

        if (read_range(&range, skip_blanks(accept, end), end)) {
            weigh(fit, quality, &range);
        }
        accept = *end ? end + 1 : end;
    }
    for (i = 1; i < OFFERS_COUNT; i++) {
        if (quality[i] > quality[best]) {
            best = i;
        }
    }
    return offers[best].form;
}
