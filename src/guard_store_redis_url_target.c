/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_url_target.c owns the grammar of a server's URL. It
 * refuses to know the options that follow it, and to take a password: a URL
 * stands in a configuration, in the list of processes and in a shell's
 * history.
 *
 * Invariant: a URL is accepted whole or not at all, and what a message shows
 * of one has nothing of what stands before its '@' or behind its '?'.
 */
#include "guard_store_redis_url_inside.h"
#include "guard_text.h"

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

#define HOST_MAX 253 /* bytes of a name in the DNS */
#define PORT_MAX 65535
#define PATH_BYTES sizeof(((struct sockaddr_un *)0)->sun_path)

_Static_assert(GUARD_REDIS_DATABASE_MAX == 65535, "named below");
_Static_assert(PATH_BYTES == 108, "named below");

static const char NO_PASSWORD[] =
    "a password can be seen here; use password=FILE, or "
    "AUTHGUARD_REDIS_PASSWORD in the environment";
static const char BAD_DATABASE[] =
    "the database must be 0 to 65535: redis://HOST/N, or unix:/PATH?db=N";
static const char BAD_USER[] =
    "the user must be a name, with special characters as %XX";

int guard_redis_url_number(unsigned *out, const char *text, size_t length,
                           unsigned max)
{
    uint64_t number = 0;

    for (size_t i = 0; i < length; i++) {
        if (!apr_isdigit(text[i]) || number > max) {
            return 0;
        }
        number = number * 10 + (unsigned)(text[i] - '0');
    }
    if (!length || number > max) {
        return 0;
    }
    *out = (unsigned)number;
    return 1;
}

static size_t span(const char *from, const char *end)
{
    return (size_t)(end - from);
}

const char *guard_redis_url_show(const char *url, apr_pool_t *pool)
{
    const char *at = strrchr(url, '@');
    const char *slashes = strstr(url, "//");
    const char *rest = at ? at : url;
    size_t scheme = slashes && slashes < rest ? span(url, slashes + 2) : 0;
    size_t shown = strcspn(rest, "?");

    return apr_pstrcat(pool, apr_pstrmemdup(pool, url, at ? scheme : 0),
                       at ? "..." : "", apr_pstrmemdup(pool, rest, shown),
                       rest[shown] ? "?..." : "", NULL);
}

static int hex_of(char digit)
{
    return apr_isdigit(digit) ? digit - '0' : (digit | 0x20) - 'a' + 10;
}

/* @return the text with its %XX made bytes, or NULL: it is empty, or has a bad
 *  one, or a control character */
static const char *decode(const char *text, size_t length, apr_pool_t *pool)
{
    char *decoded = apr_palloc(pool, length + 1), *to = decoded;

    for (size_t i = 0; i < length; i++) {
        char byte = text[i];

        if (byte == '%') {
            if (length - i < 3 || !apr_isxdigit(text[i + 1]) ||
                !apr_isxdigit(text[i + 2])) {
                return NULL;
            }
            byte = (char)(hex_of(text[i + 1]) << 4 | hex_of(text[i + 2]));
            i += 2;
        }
        if (apr_iscntrl(byte)) {
            return NULL;
        }
        *to++ = byte;
    }
    *to = '\0';
    return length ? decoded : NULL;
}

static const char *encode(const char *text, apr_pool_t *pool)
{
    size_t size = 3 * strlen(text) + 1;

    return guard_text_encode(apr_palloc(pool, size), size, text);
}

static const char *read_user(guard_redis_target_t *target, const char *text,
                             size_t length, apr_pool_t *pool)
{
    if (memchr(text, ':', length)) {
        return NO_PASSWORD;
    }
    target->user = decode(text, length, pool);
    return target->user ? NULL : BAD_USER;
}

/* A name, or an IPv4 address: what can't be told from one is left to the
 * resolver. */
static int is_name(const char *host)
{
    size_t good = strspn(host, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz"
                               "0123456789._-");

    return good && !host[good] && good <= HOST_MAX;
}

static int is_ipv6(const char *host)
{
    struct in6_addr address;

    return inet_pton(AF_INET6, host, &address) == 1;
}

/* HOST[:PORT], with [] about an IPv6 address */
static const char *read_host(guard_redis_target_t *target, const char *text,
                             size_t length, apr_pool_t *pool)
{
    const char *end = text + length;
    const char *close = *text == '[' ? memchr(text, ']', length) : NULL;
    const char *host_end = close ? close + 1 : memchr(text, ':', length);
    unsigned port = GUARD_REDIS_PORT_DEFAULT;

    host_end = host_end ? host_end : end;
    target->host = close ? apr_pstrmemdup(pool, text + 1, span(text + 1, close))
                         : apr_pstrmemdup(pool, text, span(text, host_end));
    if (close ? !is_ipv6(target->host) : !is_name(target->host)) {
        return "the host must be a name or an address, IPv6 ones in []";
    }
    if (host_end < end &&
        (*host_end != ':' ||
         !guard_redis_url_number(&port, host_end + 1, span(host_end + 1, end),
                                 PORT_MAX) ||
         !port)) {
        return "the port must be 1 to 65535";
    }
    target->port = (apr_port_t)port;
    return NULL;
}

/* What follows redis:// */
static const char *read_network(guard_redis_target_t *target, const char *text,
                                apr_pool_t *pool)
{
    const char *at = strrchr(text, '@');
    const char *host = at ? at + 1 : text;
    const char *slash = host + strcspn(host, "/?#");
    const char *wrong = NULL;

    if (at) {
        wrong = read_user(target, text, span(text, at), pool);
    }
    if (!wrong) {
        wrong = read_host(target, host, span(host, slash), pool);
    }
    if (wrong) {
        return wrong;
    }
    if (*slash &&
        (*slash != '/' ||
         (slash[1] && !guard_redis_url_number(&target->database, slash + 1,
                                              strlen(slash + 1),
                                              GUARD_REDIS_DATABASE_MAX)))) {
        return BAD_DATABASE;
    }
    target->label = apr_psprintf(
        pool, "%s://%s%s%s%s%s:%u/%u", target->is_tls ? "rediss" : "redis",
        target->user ? encode(target->user, pool) : "", target->user ? "@" : "",
        is_ipv6(target->host) ? "[" : "", target->host,
        is_ipv6(target->host) ? "]" : "", target->port, target->database);
    return NULL;
}

static const char *read_parameter(guard_redis_target_t *target,
                                  const char *text, size_t length,
                                  apr_pool_t *pool)
{
    if (length >= 3 && !strncmp(text, "db=", 3)) {
        return guard_redis_url_number(&target->database, text + 3, length - 3,
                                      GUARD_REDIS_DATABASE_MAX)
                   ? NULL
                   : BAD_DATABASE;
    }
    if (length >= 5 && !strncmp(text, "user=", 5)) {
        return read_user(target, text + 5, length - 5, pool);
    }
    if (length >= 4 && !strncmp(text, "pass", 4)) {
        return NO_PASSWORD;
    }
    return "what may follow the path is ?db=N&user=NAME";
}

static const char *read_query(guard_redis_target_t *target, const char *text,
                              apr_pool_t *pool)
{
    const char *wrong = NULL;

    while (!wrong) {
        size_t length = strcspn(text, "&");

        wrong = read_parameter(target, text, length, pool);
        if (!text[length]) {
            break;
        }
        text += length + 1;
    }
    return wrong;
}

/* What follows unix: */
static const char *read_local(guard_redis_target_t *target, const char *text,
                              apr_pool_t *pool)
{
    size_t length = strcspn(text, "?");
    const char *wrong = NULL;

    if (target->is_tls || *text != '/') {
        return "an absolute path must follow unix:";
    }
    target->path = decode(text, length, pool);
    if (!target->path || strlen(target->path) >= PATH_BYTES) {
        return "a socket's path must have 107 bytes at most, "
               "with special characters as %XX";
    }
    if (text[length]) {
        wrong = read_query(target, text + length + 1, pool);
    }
    target->label =
        apr_psprintf(pool, "unix:%s?db=%u%s%s", encode(target->path, pool),
                     target->database, target->user ? "&user=" : "",
                     target->user ? encode(target->user, pool) : "");
    return wrong;
}

const char *guard_redis_url_read(guard_redis_target_t *target, const char *url,
                                 apr_pool_t *pool)
{
    static const struct {
        const char *begin;
        int is_local, is_tls;
    } SCHEME[] = {{"redis://", 0, 0},
                  {"rediss://", 0, 1},
                  {"unix://", 1, 0},
                  {"unix:", 1, 0},
                  {"redis+unix://", 1, 0}};
    guard_redis_target_t read = *target;

    for (size_t i = 0; i < sizeof(SCHEME) / sizeof(SCHEME[0]); i++) {
        size_t length = strlen(SCHEME[i].begin);
        const char *wrong;

        if (apr_cstr_casecmpn(url, SCHEME[i].begin, length)) {
            continue;
        }
        read.is_tls = SCHEME[i].is_tls;
        wrong = SCHEME[i].is_local ? read_local(&read, url + length, pool)
                                   : read_network(&read, url + length, pool);
        if (!wrong) {
            *target = read;
        }
        return wrong;
    }
    return "the server must be redis://HOST, rediss://HOST or unix:/PATH";
}
