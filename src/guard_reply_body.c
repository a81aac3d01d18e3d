/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The forms of an answer, and how times are told in it.
 *
 * Owns problem+json, plain text and the wording of times; HTML is made in
 * guard_reply_body_html.c, of the same table. Refuses to know requests,
 * clocks and locales. Invariant: what goes out is our own words and numbers;
 * nothing that a client sent comes back in a body.
 */
#include "guard_reply_body_words.h"

#include <apr_strings.h>
#include <string.h>

#define ADVICE_COUNT 4

typedef struct words_t {
    const char *name;
    const char *title;
    const char *what;
    const char *lasting;
    const char *advice[ADVICE_COUNT];
} words_t;

#define ROW(answer, name, icon, link, title, what, lasting, a, b, c, d)        \
    [GUARD_ANSWER_##answer] = {name, title, what, lasting, {a, b, c, d}},
static const words_t words_of[GUARD_ANSWER_MAX] = {GUARD_WORDS(ROW)};
#undef ROW

static const char *const month_names[] = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};

/* Where the time of day begins in "2026-11-21T17:48:16Z". */
#define ISO_CLOCK 11

const char *guard_body_media_type(guard_body_e form)
{
    switch (form) {
    case GUARD_BODY_PROBLEM:
        return "application/problem+json"; /* JSON is UTF-8 by itself */
    case GUARD_BODY_PLAIN:
        return "text/plain; charset=utf-8";
    case GUARD_BODY_HTML:
        break;
    }
    return "text/html; charset=utf-8";
}

/* Numbers are put by hand: they stand in every refusal, and a formatter would
 * cost more than all the rest of the page. */
static char *put_number(char *out, unsigned value)
{
    char digits[12];
    int count = 0;

    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value && count < (int)sizeof(digits));
    while (count) {
        *out++ = digits[--count];
    }
    *out = '\0';
    return out;
}

/* 0 to 99, as two digits and a mark behind them. */
static char *put_pair(char *out, int value, char mark)
{
    *out++ = (char)('0' + value / 10);
    *out++ = (char)('0' + value % 10);
    *out++ = mark;
    return out;
}

static char *put_text(char *out, const char *text)
{
    apr_size_t length = strlen(text);

    memcpy(out, text, length + 1);
    return out + length;
}

/* "1 hour", "2 hours" */
static char *put_count(char *out, unsigned count, const char *unit)
{
    out = put_number(out, count);
    *out++ = ' ';
    out = put_text(out, unit);
    return count == 1 ? out : put_text(out, "s");
}

static char *put_two(char *out, unsigned big, const char *big_unit,
                     unsigned small, const char *small_unit)
{
    out = put_count(out, big, big_unit);
    if (small) {
        out = put_text(out, " and ");
        out = put_count(out, small, small_unit);
    }
    return out;
}

/* Rounded up throughout: who comes back when told must not be too early. */
static void tell_remaining(char *out, unsigned seconds)
{
    unsigned minutes = seconds / 60 + (seconds % 60 != 0);
    unsigned hours = minutes / 60 + (minutes % 60 != 0);

    out = put_text(out, "in ");
    if (seconds <= 90) {
        put_count(out, seconds, "second");
    } else if (minutes < 60) {
        put_count(out, minutes, "minute");
    } else if (minutes < 24 * 60) {
        put_two(out, minutes / 60, "hour", minutes % 60, "minute");
    } else {
        put_two(out, hours / 24, "day", hours % 24, "hour");
    }
}

static void tell_until(guard_told_t *told, apr_time_t until)
{
    apr_time_exp_t when;
    char *out = told->iso;

    if (until <= 0 || apr_time_exp_gmt(&when, until) != APR_SUCCESS ||
        when.tm_year > 9999 - 1900) {
        return; /* a year of five digits: leave it untold */
    }
    out = put_number(out, (unsigned)when.tm_year + 1900);
    *out++ = '-';
    out = put_pair(out, when.tm_mon + 1, '-');
    out = put_pair(out, when.tm_mday, 'T');
    out = put_pair(out, when.tm_hour, ':');
    out = put_pair(out, when.tm_min, ':');
    put_pair(out, when.tm_sec, 'Z');

    out = put_number(told->until, (unsigned)when.tm_mday);
    *out++ = ' ';
    out = put_text(out, month_names[when.tm_mon]);
    *out++ = ' ';
    memcpy(out, told->iso, 4);
    out = put_text(out + 4, ", ");
    memcpy(out, told->iso + ISO_CLOCK, 8);
    put_text(out + 8, " UTC");
}

static void tell(guard_told_t *told, const guard_body_t *what)
{
    char *out;

    memset(told, 0, sizeof(*told));
    out = put_number(told->code, (unsigned)what->status);
    if (what->substatus > 0) {
        *out++ = '.';
        put_number(out, (unsigned)what->substatus);
    }
    if (what->retry_after_sec <= 0) {
        return;
    }
    if (what->until <= 0) {
        put_text(told->in, "in a moment");
        return;
    }
    tell_remaining(told->in, (unsigned)what->retry_after_sec);
    tell_until(told, what->until);
}

/* What happened, how long it lasts and when to try again, in one go. */
static const char *describe(apr_pool_t *pool, const guard_body_t *what,
                            const guard_told_t *told, const char *gap)
{
    const words_t *words = &words_of[what->answer];
    const char *again = "";

    if (told->in[0]) {
        again = apr_pstrcat(pool, gap, GUARD_WORDS_AGAIN " ", told->in,
                            told->until[0] ? " (" : "", told->until,
                            told->until[0] ? ")." : ".", NULL);
    }
    return apr_pstrcat(pool, words->what, what->proxy ? gap : "",
                       what->proxy ? GUARD_WORDS_PROXY : "", gap,
                       words->lasting, again, NULL);
}

static const char *render_problem(apr_pool_t *pool, const guard_body_t *what,
                                  const guard_told_t *told)
{
    const words_t *words = &words_of[what->answer];
    const char *retry = "";

    if (what->retry_after_sec > 0) {
        retry =
            apr_psprintf(pool, ",\"retry_after\":%d", what->retry_after_sec);
    }
    return apr_psprintf(pool,
                        "{\"type\":\"" GUARD_PROBLEM_TYPE "%s\","
                        "\"title\":\"%s\",\"status\":%d,"
                        "\"detail\":\"%s\",\"substatus\":\"%s\"%s}\n",
                        words->name, words->title, what->status,
                        describe(pool, what, told, " "), told->code, retry);
}

static const char *render_plain(apr_pool_t *pool, const guard_body_t *what,
                                const guard_told_t *told)
{
    const words_t *words = &words_of[what->answer];
    const char *body;
    int i;

    body = apr_pstrcat(pool, words->title, " (", told->code, ")\n\n",
                       describe(pool, what, told, "\n"),
                       "\n\n" GUARD_WORDS_ADVICE ":\n", NULL);
    for (i = 0; i < ADVICE_COUNT; i++) {
        body = apr_pstrcat(pool, body, "- ", words->advice[i], "\n", NULL);
    }
    return body;
}

const char *guard_body_render(apr_pool_t *pool, guard_body_e form,
                              const guard_body_t *what, apr_size_t *length)
{
    const char *body;
    guard_told_t told;

    tell(&told, what);
    if (form == GUARD_BODY_HTML) {
        return guard_body_render_html(pool, what, &told, length);
    }
    body = form == GUARD_BODY_PROBLEM ? render_problem(pool, what, &told)
                                      : render_plain(pool, what, &told);
    *length = strlen(body);
    return body;
}
