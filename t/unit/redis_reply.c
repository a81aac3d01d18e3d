/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_reply.c: what a server's bytes are read as, in one piece and byte by
 * byte; what is refused, and why; and the bounds of one reply, each to the
 * last that fits and the first that does not.
 */
#include "guard_store_redis_reply.h"
#include "tap.h"

#include <apr_escape.h>
#include <apr_general.h>
#include <apr_strings.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static apr_pool_t *pool;
static guard_redis_reader_t *reader;

static const char *show(const guard_redis_reply_t *reply)
{
    const char *text = "[";

    switch (reply->kind) {
    case GUARD_REDIS_NIL:
        return "nil";
    case GUARD_REDIS_STATUS:
        return apr_pstrcat(pool, "+", reply->text, NULL);
    case GUARD_REDIS_ERROR:
        return apr_pstrcat(pool, "-", reply->text, NULL);
    case GUARD_REDIS_INTEGER:
        return apr_psprintf(pool, "%" APR_INT64_T_FMT,
                            (apr_int64_t)reply->integer);
    case GUARD_REDIS_STRING:
        return apr_psprintf(pool, "'%s'", reply->text);
    default:
        for (unsigned i = 0; i < reply->count; i++) {
            text = apr_pstrcat(pool, text, i ? " " : "",
                               show(reply->element[i]), NULL);
        }
        return apr_pstrcat(pool, text, "]", NULL);
    }
}

/* @return all replies, one behind the other; and "..." for half a reply, or
 *  "! why" */
static const char *read_all(const char *bytes, size_t length, size_t piece)
{
    const guard_redis_reply_t *reply;
    guard_redis_read_e end = GUARD_REDIS_READ_MORE;
    const char *text = "";

    guard_redis_reader_reset(reader);
    for (size_t at = 0; at < length && end != GUARD_REDIS_READ_BROKEN;
         at += piece) {
        guard_redis_reader_feed(reader, bytes + at,
                                length - at < piece ? length - at : piece);
        while ((end = guard_redis_reader_next(reader, &reply)) ==
               GUARD_REDIS_READ_REPLY) {
            text = apr_pstrcat(pool, text, *text ? " " : "", show(reply), NULL);
        }
    }
    if (end == GUARD_REDIS_READ_BROKEN) {
        return apr_pstrcat(pool, text, "! ", guard_redis_reader_fault(reader),
                           NULL);
    }
    return guard_redis_reader_is_empty(reader)
               ? text
               : apr_pstrcat(pool, text, "...", NULL);
}

static void what_is_read(void)
{
    static const struct {
        const char *bytes, *replies;
    } row[] = {
        {"+OK\r\n", "+OK"},
        {"-NOSCRIPT No matching script.\r\n", "-NOSCRIPT No matching script."},
        {":0\r\n", "0"},
        {":-9223372036854775808\r\n", "-9223372036854775808"},
        {":9223372036854775807\r\n", "9223372036854775807"},
        {"$5\r\nwords\r\n", "'words'"},
        {"$0\r\n\r\n", "''"},
        {"$4\r\na\r\nb\r\n", "'a\r\nb'"},
        {"$-1\r\n", "nil"},
        {"*-1\r\n", "nil"},
        {"*0\r\n", "[]"},
        {"*3\r\n:1\r\n$1\r\na\r\n$-1\r\n", "[1 'a' nil]"},
        {"*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n", "['0' ['a' 'b']]"},
        {"*2\r\n*1\r\n*1\r\n:1\r\n*0\r\n", "[[[1]] []]"},
        {"+OK\r\n:1\r\n+OK\r\n", "+OK 1 +OK"},
        {"+\r\n", "+"},
        {"", ""},
        {"+O", "..."},
        {"+OK\r\n*2\r\n:1\r\n", "+OK..."},
        {"*2\r\n", "..."},
        {"$2147483647\r\nabc", "..."},
        {"$9223372036854775807\r\nabc", "..."},
    };

    for (size_t i = 0; i < COUNT(row); i++) {
        size_t length = strlen(row[i].bytes);

        is_str(read_all(row[i].bytes, length, 4096), row[i].replies,
               apr_pescape_echo(pool, row[i].bytes, 0));
        is_str(read_all(row[i].bytes, length, 1), row[i].replies,
               "  and byte by byte");
    }
}

static void what_is_refused(void)
{
    static const char *const row[] = {
        "HTTP/1.1 400 Bad Request\r\n",
        "\r\n",
        "OK\r\n",
        "\x16\x03\x01\r\n",
        ":1x\r\n",
        ":\r\n",
        ":99999999999999999999\r\n",
        "$-2\r\n",
        "$x\r\n",
        "$99999999999999999999\r\n",
        "$1\r\nab\r\n",
        "$2\r\nabcd",
        "*-2\r\n",
        "*x\r\n",
        "*1000000000\r\n",
        "*2147483647\r\n",
        "*2147483648\r\n",
        "*9223372036854775807\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        "*1\r\n*1\r\n*1\r\n*0\r\n",
        "*600\r\n*600\r\n",
        "%1\r\n+a\r\n:1\r\n",
        "~1\r\n:1\r\n",
        ">1\r\n+a\r\n",
        "#t\r\n",
        ",1.5\r\n",
        "(12345678901234567890\r\n",
        "=5\r\ntxt:a\r\n",
    };

    for (size_t i = 0; i < COUNT(row); i++) {
        const char *name = apr_pescape_echo(pool, row[i], 0);
        size_t length = strlen(row[i]);
        const char *text = read_all(row[i], length, 4096);

        ok(!strncmp(text, "! ", 2) && strlen(text) > 5, "%s is refused: %s",
           name, text);
        text = read_all(row[i], length, 1);
        ok(!strncmp(text, "! ", 2), "  and byte by byte");
    }
}

static void a_fault_lasts_until_reset(void)
{
    const guard_redis_reply_t *reply;

    read_all("?", 1, 1);
    guard_redis_reader_feed(reader, "+OK\r\n", 5);
    is(guard_redis_reader_next(reader, &reply), GUARD_REDIS_READ_BROKEN,
       "after a fault nothing is read");
    is_str(read_all("+OK\r\n", 5, 5), "+OK", "  until it is begun anew");
}

/* An array of count elements, each as given. */
static const char *array_of(unsigned count, const char *element)
{
    size_t length = strlen(element);
    char *bytes = apr_palloc(pool, 32 + count * length);
    char *to = bytes + apr_snprintf(bytes, 32, "*%u\r\n", count);

    for (unsigned i = 0; i < count; i++, to += length) {
        memcpy(to, element, length);
    }
    *to = '\0';
    return bytes;
}

static const char *string_of(size_t length)
{
    char *bytes = apr_palloc(pool, length + 32);
    int head = apr_snprintf(bytes, 32, "$%" APR_SIZE_T_FMT "\r\n", length);

    memset(bytes + head, 'x', length);
    strcpy(bytes + head + length, "\r\n");
    return bytes;
}

/* @return the one reply, or NULL: refused */
static const guard_redis_reply_t *read_one(const char *bytes)
{
    const guard_redis_reply_t *reply = NULL;
    size_t length = strlen(bytes);
    guard_redis_read_e end = GUARD_REDIS_READ_MORE;

    guard_redis_reader_reset(reader);
    for (size_t at = 0; at < length && end == GUARD_REDIS_READ_MORE;
         at += 16384) {
        guard_redis_reader_feed(reader, bytes + at,
                                length - at < 16384 ? length - at : 16384);
        end = guard_redis_reader_next(reader, &reply);
    }
    return end == GUARD_REDIS_READ_REPLY ? reply : NULL;
}

static void the_bounds(void)
{
    const guard_redis_reply_t *reply;
    unsigned most = GUARD_REDIS_NODES_MAX - 1;
    int good;

    reply = read_one(array_of(most, ":7\r\n"));
    good = reply && reply->count == most;
    for (unsigned i = 0; good && i < most; i++) {
        good = reply->element[i]->integer == 7;
    }
    ok(good, "as many values as fit");
    ok(!read_one(array_of(most + 1, ":7\r\n")), "  and not one more");
    reply = read_one(array_of(most / 2, "*1\r\n:7\r\n"));
    good = reply && reply->count == most / 2;
    for (unsigned i = 0; good && i < most / 2; i++) {
        good = reply->element[i]->count == 1 &&
               reply->element[i]->element[0]->integer == 7;
    }
    ok(good, "in arrays, too");
    ok(!read_one(array_of(most / 2 + 1, "*1\r\n:7\r\n")), "  and not one more");

    reply = read_one(string_of(GUARD_REDIS_TEXT_MAX - 1));
    ok(reply && reply->length == GUARD_REDIS_TEXT_MAX - 1 &&
           strspn(reply->text, "x") == reply->length,
       "as much text as fits");
    ok(!read_one(string_of(GUARD_REDIS_TEXT_MAX)), "  and not one byte more");
    reply = read_one(array_of(1000, "$100\r\n"
                                    "0123456789012345678901234567890123456789"
                                    "0123456789012345678901234567890123456789"
                                    "01234567890123456789\r\n"));
    good = reply && reply->count == 1000;
    for (unsigned i = 0; good && i < 1000; i++) {
        good = reply->element[i]->length == 100 &&
               !strncmp(reply->element[i]->text, "0123456789", 10);
    }
    ok(good, "a page of keys");
}

static void a_line_without_an_end(void)
{
    char piece[4096];
    const guard_redis_reply_t *reply;
    guard_redis_read_e end = GUARD_REDIS_READ_MORE;
    unsigned pieces;

    memset(piece, 'x', sizeof(piece));
    guard_redis_reader_reset(reader);
    guard_redis_reader_feed(reader, "$2147483647\r\n", 13);
    for (pieces = 0; pieces < 1000 && end == GUARD_REDIS_READ_MORE; pieces++) {
        guard_redis_reader_feed(reader, piece, sizeof(piece));
        end = guard_redis_reader_next(reader, &reply);
    }
    is(end, GUARD_REDIS_READ_BROKEN, "a string without an end is given up");
    ok(pieces < 100, "  after %u pieces of 4 kB", pieces);
}

static void codes(void)
{
    read_all("", 0, 1);
    ok(guard_redis_reply_is_error(read_one("-NOSCRIPT none\r\n"), "NOSCRIPT"),
       "an error has a code");
    ok(guard_redis_reply_is_error(read_one("-NOSCRIPT\r\n"), "NOSCRIPT"),
       "  alone, too");
    ok(!guard_redis_reply_is_error(read_one("-NOSCRIPTS none\r\n"), "NOSCRIPT"),
       "  a whole word");
    ok(!guard_redis_reply_is_error(read_one("-NO\r\n"), "NOSCRIPT"),
       "  all of it");
    ok(!guard_redis_reply_is_error(read_one("+NOSCRIPT\r\n"), "NOSCRIPT"),
       "  and is an error");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    ok(guard_redis_reader_create(&reader, pool) == APR_SUCCESS,
       "a reader is made");
    what_is_read();
    what_is_refused();
    a_fault_lasts_until_reset();
    the_bounds();
    a_line_without_an_end();
    codes();
    apr_pool_destroy(pool);
    return tap_done();
}
