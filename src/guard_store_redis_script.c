/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_script.c owns the script's text, as Redis gets it, and its
 * name there. What it does is guard_store_redis_script.lua's. It knows no
 * connection, no argument and no answer.
 *
 * Invariant: no number stands twice. What C has a name for is put in front of
 * the text under that name, and the SHA-1 is of just the bytes that are sent.
 */
#include "guard_store_redis_script.h"

#include <apr_sha1.h>
#include <apr_strings.h>

#include <stdarg.h>

/* The text without comments and indentation, as the Makefile writes it. */
static const char LUA[] =
#include "guard_store_redis_script.inc"
    ;

/* What C has names for, the script knows by the same ones. */
static const struct constant_t {
    const char *name;
    long value;
} CONSTANTS[] = {
    {"SLOTS", GUARD_SLOTS},
    {"REPEAT_SEC", GUARD_REPEAT_SEC},
    {"PROVEN_SEC", GUARD_PROVEN_SEC},
    {"WAITERS_MAX", GUARD_WAITERS_MAX},
    {"BUSY_PROVEN_MAX", GUARD_BUSY_PROVEN_MAX},
    {"LEVEL_MAX", UINT8_MAX},
    {"PROVEN_MAX", GUARD_REDIS_PROVEN_MAX},
    {"HOLDERS_MAX", GUARD_REDIS_HOLDERS_MAX},
    {"SETTLED_MAX", GUARD_REDIS_SETTLED_MAX},
    {"KIND_IP", GUARD_KIND_IP},
    {"KIND_LOGIN", GUARD_KIND_LOGIN},
    {"EMPTY", GUARD_SLOT_EMPTY},
    {"CHECKING", GUARD_SLOT_CHECKING},
    {"REJECTED", GUARD_SLOT_REJECTED},
    {"RECHECKING", GUARD_SLOT_RECHECKING},
    {"CALM", GUARD_PHASE_CALM},
    {"WINDOW", GUARD_PHASE_WINDOW},
    {"LOCKED", GUARD_PHASE_LOCKED},
    {"ROW_LOCKED", GUARD_ROW_LOCKED},
    {"ROW_OVER", GUARD_ROW_OVER},
    {"ROW_REPEATED", GUARD_ROW_REPEATED},
    {"ROW_CHECKING", GUARD_ROW_CHECKING},
    {"ROW_FULL", GUARD_ROW_FULL},
    {"ROW_PROVEN", GUARD_ROW_PROVEN},
    {"ROW_REJECTED", GUARD_ROW_REJECTED},
    {"ROW_FREE", GUARD_ROW_FREE},
    {"HOLD_SLOT", GUARD_HOLD_SLOT},
    {"RIGHT", GUARD_RIGHT},
    {"WRONG", GUARD_WRONG},
    {"ACCEPT_PROVEN", GUARD_REDIS_ACCEPT_PROVEN},
    {"ACCEPT_REJECTED", GUARD_REDIS_ACCEPT_REJECTED},
    {"ACCEPT_FREE", GUARD_REDIS_ACCEPT_FREE},
    {"ACCEPT_CHECKING", GUARD_REDIS_ACCEPT_CHECKING},
    {"ACCEPT_WIDE", GUARD_REDIS_ACCEPT_WIDE},
    {"WAIT", GUARD_REDIS_WAIT},
    {"UNWAIT", GUARD_REDIS_UNWAIT},
    {"BUSY", GUARD_REDIS_BUSY},
    {"IS_PROVEN", GUARD_REDIS_IS_PROVEN},
    {"TRUSTS", GUARD_REDIS_TRUSTS},
    {"TAKEN", GUARD_REDIS_TAKEN},
    {"LOCKOUT", GUARD_REDIS_LOCKOUT},
    {"LATE", GUARD_REDIS_LATE},
    {"REFUSED", GUARD_REDIS_REFUSED},
    {"CHANGED", GUARD_REDIS_CHANGED},
    {"HELD_SLOT", GUARD_REDIS_HELD_SLOT},
    {"HELD_PROVEN", GUARD_REDIS_HELD_PROVEN},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NAME_ROOM 24 /* a name, a value and what parts them */

static char text[COUNT(CONSTANTS) * NAME_ROOM + sizeof(LUA)];
static guard_redis_script_t script = {.text = text};

static char *append(char *at, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static char *append(char *at, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    at +=
        apr_vsnprintf(at, (apr_size_t)(text + sizeof(text) - at), format, args);
    va_end(args);
    return at;
}

void guard_redis_script_init(void)
{
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    apr_sha1_ctx_t sha;
    char *at = text;

    for (size_t i = 0; i < COUNT(CONSTANTS); i++) {
        at = append(at, "%s%s", i ? "," : "local ", CONSTANTS[i].name);
    }
    for (size_t i = 0; i < COUNT(CONSTANTS); i++) {
        at = append(at, "%c%ld", i ? ',' : '=', CONSTANTS[i].value);
    }
    at = append(at, "\n%s", LUA);
    script.length = (size_t)(at - text);
    apr_sha1_init(&sha);
    apr_sha1_update_binary(&sha, (const unsigned char *)text,
                           (unsigned)script.length);
    apr_sha1_final(digest, &sha);
    for (int i = 0; i < APR_SHA1_DIGESTSIZE; i++) {
        apr_snprintf(script.sha + 2 * i, 3, "%02x", digest[i]);
    }
}

const guard_redis_script_t *guard_redis_script(void) { return &script; }
