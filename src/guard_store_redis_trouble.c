/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_trouble.c owns the sentences about a server that go into
 * the log. It knows no connection.
 *
 * Redis repeats what it was sent in some errors ("unknown command 'AUTH', with
 * args beginning with: ..."), cut at any place.
 *
 * Invariant: no four bytes in a row of the password come out of a reply.
 */
#include "guard_store_redis_trouble.h"

#include <stdio.h>
#include <string.h>

#define PART_BYTES 4 /* of a password that may not be shown */

static void write_bytes(char trouble[GUARD_REDIS_TROUBLE_MAX],
                        const char *bytes, size_t length)
{
    static const char HEX[] = "0123456789ABCDEF";
    char *to = trouble, *end = trouble + GUARD_REDIS_TROUBLE_MAX - 1;

    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        int is_plain = byte >= 0x20 && byte <= 0x7e && byte != '%';

        if (to + (is_plain ? 1 : 3) > end) {
            break;
        }
        if (is_plain) {
            *to++ = (char)byte;
        } else {
            *to++ = '%';
            *to++ = HEX[byte >> 4];
            *to++ = HEX[byte & 15];
        }
    }
    *to = '\0';
}

void guard_redis_trouble_say(char trouble[GUARD_REDIS_TROUBLE_MAX],
                             const char *text)
{
    write_bytes(trouble, text, strlen(text));
}

/* A password of fewer bytes than a part has is looked for as a whole. */
static int tells_password(const guard_redis_reply_t *reply,
                          const char *password)
{
    size_t length = password ? strlen(password) : 0;
    size_t part = length < PART_BYTES ? length : PART_BYTES;

    for (size_t i = 0; part && i + part <= length; i++) {
        if (memmem(reply->text, reply->length, password + i, part)) {
            return 1;
        }
    }
    return 0;
}

static const char *known_code(const guard_redis_reply_t *reply)
{
    static const char *const CODE[] = {
        "WRONGPASS",  "NOAUTH",      "NOPERM",     "ERR",    "LOADING",
        "READONLY",   "OOM",         "MASTERDOWN", "DENIED", "MISCONF",
        "NOREPLICAS", "CLUSTERDOWN", "MOVED",      "BUSY"};

    for (size_t i = 0; i < sizeof(CODE) / sizeof(CODE[0]); i++) {
        if (guard_redis_reply_is_error(reply, CODE[i])) {
            return CODE[i];
        }
    }
    return "an error";
}

void guard_redis_trouble_quote(char trouble[GUARD_REDIS_TROUBLE_MAX],
                               const guard_redis_reply_t *reply,
                               const char *password)
{
    if (reply->kind != GUARD_REDIS_ERROR) {
        guard_redis_trouble_say(trouble, "a reply of an unexpected kind");
    } else if (tells_password(reply, password)) {
        snprintf(trouble, GUARD_REDIS_TROUBLE_MAX,
                 "%s, with a text that is not shown: it may hold the password",
                 known_code(reply));
    } else {
        write_bytes(trouble, reply->text, reply->length);
    }
}
