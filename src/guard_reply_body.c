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
    return out;
}

/* 0 to 99, as two digits. */
static char *put_pair(char *out, unsigned value)
{
    out[0] = (char)('0' + value / 10);
    out[1] = (char)('0' + value % 10);
    return out + 2;
}

static char *put_text(char *out, const char *text)
{
    apr_size_t length = strlen(text);

    memcpy(out, text, length);
    return out + length;
}

static void end_phrase(guard_phrase_t *phrase, char *end)
{
    *end = '\0';
    phrase->length = (apr_size_t)(end - phrase->text);
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
static void tell_remaining(guard_phrase_t *in, unsigned seconds)
{
    unsigned minutes = seconds / 60 + (seconds % 60 != 0);
    unsigned hours = minutes / 60 + (minutes % 60 != 0);
    char *out = put_text(in->text, "in ");

    if (seconds <= 90) {
        out = put_count(out, seconds, "second");
    } else if (minutes < 60) {
        out = put_count(out, minutes, "minute");
    } else if (minutes < 24 * 60) {
        out = put_two(out, minutes / 60, "hour", minutes % 60, "minute");
    } else {
        out = put_two(out, hours / 24, "day", hours % 24, "hour");
    }
    end_phrase(in, out);
}

/** A day of the Gregorian calendar. */
typedef struct date_t {
    unsigned year, month, day; /* month 0 to 11, day 1 to 31 */
} date_t;

#define DAYS_BEFORE_1970 719468 /* from 1 March of year 0 */
#define DAYS_IN_400_YEARS 146097
#define DAYS_IN_100_YEARS 36524
#define DAYS_IN_4_YEARS 1461

/* Years are taken to begin in March, so that a leap day is the last of one;
 * from there 153 days are five months. */
static date_t date_of(apr_int64_t days)
{
    unsigned total = (unsigned)(days + DAYS_BEFORE_1970);
    unsigned day = total % DAYS_IN_400_YEARS;
    unsigned year = (day - day / (DAYS_IN_4_YEARS - 1) +
                     day / DAYS_IN_100_YEARS - day / (DAYS_IN_400_YEARS - 1)) /
                    365;
    unsigned month;
    date_t date;

    day -= 365 * year + year / 4 - year / 100;
    month = (5 * day + 2) / 153;
    date.day = day - (153 * month + 2) / 5 + 1;
    date.month = month < 10 ? month + 2 : month - 10;
    date.year = year + total / DAYS_IN_400_YEARS * 400 + (date.month < 2);
    return date;
}

/* "17:48:16" */
static char *put_clock(char *out, unsigned second)
{
    out = put_pair(out, second / 3600);
    *out++ = ':';
    out = put_pair(out, second / 60 % 60);
    *out++ = ':';
    return put_pair(out, second % 60);
}

#define SECONDS_A_DAY 86400
#define DAYS_TOLD_MAX 2932896 /* 31 December 9999 */

static void tell_until(guard_told_t *told, apr_time_t until)
{
    apr_int64_t seconds = apr_time_sec(until);
    unsigned second = (unsigned)(seconds % SECONDS_A_DAY);
    date_t date;
    char *out = told->iso.text;

    if (seconds / SECONDS_A_DAY > DAYS_TOLD_MAX) {
        return; /* a year of five digits: leave it untold */
    }
    date = date_of(seconds / SECONDS_A_DAY);
    out = put_pair(out, date.year / 100);
    out = put_pair(out, date.year % 100);
    *out++ = '-';
    out = put_pair(out, date.month + 1);
    *out++ = '-';
    out = put_pair(out, date.day);
    *out++ = 'T';
    out = put_clock(out, second);
    *out++ = 'Z';
    end_phrase(&told->iso, out);

    out = put_number(told->until.text, date.day);
    *out++ = ' ';
    out = put_text(out, month_names[date.month]);
    *out++ = ' ';
    out = put_pair(out, date.year / 100);
    out = put_pair(out, date.year % 100);
    out = put_text(out, ", ");
    out = put_clock(out, second);
    end_phrase(&told->until, put_text(out, " UTC"));
}

static void tell(guard_told_t *told, const guard_body_t *what)
{
    char *out = put_number(told->code.text, (unsigned)what->status);

    if (what->substatus > 0) {
        *out++ = '.';
        out = put_number(out, (unsigned)what->substatus);
    }
    end_phrase(&told->code, out);
    end_phrase(&told->in, told->in.text);
    end_phrase(&told->iso, told->iso.text);
    end_phrase(&told->until, told->until.text);
    if (what->retry_after_sec <= 0) {
        return;
    }
    if (what->until <= 0) {
        end_phrase(&told->in, put_text(told->in.text, "in a moment"));
        return;
    }
    tell_remaining(&told->in, (unsigned)what->retry_after_sec);
    tell_until(told, what->until);
}

/* What happened, how long it lasts and when to try again, in one go. */
static const char *describe(apr_pool_t *pool, const guard_body_t *what,
                            const guard_told_t *told, const char *gap)
{
    const words_t *words = &words_of[what->answer];
    const char *again = "";

    if (told->in.length) {
        again = apr_pstrcat(pool, gap, GUARD_WORDS_AGAIN " ", told->in.text,
                            told->until.length ? " (" : "", told->until.text,
                            told->until.length ? ")." : ".", NULL);
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
                        describe(pool, what, told, " "), told->code.text,
                        retry);
}

static const char *render_plain(apr_pool_t *pool, const guard_body_t *what,
                                const guard_told_t *told)
{
    const words_t *words = &words_of[what->answer];
    const char *body;
    int i;

    body = apr_pstrcat(pool, words->title, " (", told->code.text, ")\n\n",
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
