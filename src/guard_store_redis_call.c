/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_call.c owns the script's arguments: in which order they
 * go, and how they are written. It knows nothing of what the script does with
 * them.
 *
 * Invariant: a call points into itself, into static text and into the key it
 * was given, and its own text has room for the longest there is.
 */
#include "guard_store_redis_script.h"

#include <apr_strings.h>

#include <stdarg.h>
#include <string.h>

#define SCOPE_NAME_ROOM sizeof(((guard_entry_t *)NULL)->scope_name)

/* Add an argument that lasts as long as the call. */
static void add(guard_redis_call_t *call, const char *text, size_t length)
{
    call->argv[call->argc] = text;
    call->length[call->argc] = length;
    call->argc++;
}

static void add_text(guard_redis_call_t *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add_text(guard_redis_call_t *call, const char *format, ...)
{
    char *at = call->text + call->used;
    va_list args;
    int length;

    va_start(args, format);
    length = apr_vsnprintf(at, sizeof(call->text) - call->used, format, args);
    va_end(args);
    add(call, at, (size_t)length);
    call->used += (size_t)length + 1;
}

static void add_number(guard_redis_call_t *call, uint64_t number)
{
    add_text(call, "%" APR_UINT64_T_FMT, number);
}

size_t guard_redis_key_write(char key[GUARD_REDIS_KEY_MAX],
                             const guard_redis_names_t *names, uint64_t id)
{
    return (size_t)apr_snprintf(key, GUARD_REDIS_KEY_MAX,
                                "%.*s:{%016" APR_UINT64_T_HEX_FMT "}",
                                GUARD_REDIS_PREFIX_MAX, names->prefix, id);
}

/* Everything up to the script's second argument. The key is a client's, if
 * it is not given. */
static void begin(guard_redis_call_t *call, const char *op, const char *key,
                  size_t key_length, uint64_t now_usec)
{
    const guard_redis_script_t *script = guard_redis_script();

    add(call, "EVALSHA", sizeof("EVALSHA") - 1);
    add(call, script->sha, sizeof(script->sha) - 1);
    add(call, "1", 1);
    add(call, key, key_length);
    add(call, op, strlen(op));
    add_number(call, now_usec);
}

static void begin_client(guard_redis_call_t *call, const char *op,
                         const guard_redis_names_t *names, uint64_t id,
                         uint64_t now_usec)
{
    size_t length = guard_redis_key_write(call->text, names, id);

    call->argc = 0;
    call->used = length + 1;
    begin(call, op, call->text, length, now_usec);
}

static void begin_key(guard_redis_call_t *call, const char *op, const char *key,
                      size_t key_length, uint64_t now_usec)
{
    call->argc = 0;
    call->used = 0;
    begin(call, op, key, key_length, now_usec);
}

static void add_policy(guard_redis_call_t *call, const guard_policy_t *policy)
{
    add_number(call, policy->limit);
    add_number(call, (uint64_t)policy->window_usec);
    add_number(call, (uint64_t)policy->lockout_usec);
    add_number(call, (uint64_t)policy->lockout_max_usec);
}

/* A number of so many bits in base 64, of a fixed width: it stands in the
 * record, where each byte counts. */
static void add_tag(guard_redis_call_t *call, uint64_t tag, unsigned bits)
{
    static const char DIGIT[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz-_";
    unsigned width = (bits + 5) / 6;
    char *at = call->text + call->used;

    for (unsigned i = width; i > 0; i--, tag >>= 6) {
        at[i - 1] = DIGIT[tag & 63];
    }
    at[width] = '\0';
    add(call, at, width);
    call->used += width + 1;
}

static void add_guess(guard_redis_call_t *call, const guard_guess_t *guess,
                      uint64_t token)
{
    add_tag(call, guess->tag, 32);
    add_tag(call, guess->proven_tag, 32);
    add_tag(call, guess->user & ((1u << GUARD_USER_TAG_BITS) - 1),
            GUARD_USER_TAG_BITS);
    add_tag(call, token, 64);
}

/* Its bytes in hex digits: all, the last four of IPv4, or none of no address.
 */
static void write_addr(char text[2 * sizeof(guard_addr_t) + 1],
                       const guard_addr_t *addr)
{
    static const guard_addr_t none;
    size_t i = guard_addr_is_v4(addr)              ? GUARD_ADDR_V4_BASE / 8
               : memcmp(addr, &none, sizeof(none)) ? 0
                                                   : sizeof(addr->byte);

    text[0] = '\0';
    for (; i < sizeof(addr->byte); i++, text += 2) {
        apr_snprintf(text, 3, "%02x", addr->byte[i]);
    }
}

/* Who the client is, for people. The name is last: it may hold anything. */
static void add_meta(guard_redis_call_t *call, const guard_client_t *client)
{
    char addr[2 * sizeof(client->addr.byte) + 1];

    write_addr(addr, &client->addr);
    add_text(call, "%u %u %u %u %s %016" APR_UINT64_T_HEX_FMT " %.*s",
             client->kind, client->counted, client->bits, client->tenant, addr,
             client->scope, (int)SCOPE_NAME_ROOM - 1,
             client->scope_name ? client->scope_name : "");
}

void guard_redis_call_reserve(guard_redis_call_t *call,
                              const guard_redis_names_t *names,
                              const guard_claim_t *claim,
                              const guard_guess_t *guess, uint64_t token,
                              uint64_t not_after_usec, unsigned accept,
                              int joined, int waited, uint64_t now_usec)
{
    begin_client(call, "reserve", names, claim->client.id, now_usec);
    add_policy(call, &claim->policy);
    add_guess(call, guess, token);
    add_number(call, not_after_usec);
    add_number(call, accept);
    add_number(call, joined ? 1 : 0);
    add_number(call, waited ? 1 : 0);
    add_meta(call, &claim->client);
}

void guard_redis_call_effect(guard_redis_call_t *call,
                             const guard_redis_names_t *names,
                             const guard_claim_t *claim, unsigned what,
                             apr_interval_time_t wait_usec, uint64_t now_usec)
{
    begin_client(call, "effect", names, claim->client.id, now_usec);
    add_policy(call, &claim->policy);
    add_number(call, what);
    add_number(call, (uint64_t)wait_usec);
    add_meta(call, &claim->client);
}

void guard_redis_call_settle(guard_redis_call_t *call,
                             const guard_redis_names_t *names,
                             const guard_claim_t *claim,
                             const guard_guess_t *guess, uint64_t token,
                             guard_hold_e hold, guard_outcome_e outcome,
                             uint64_t now_usec)
{
    begin_client(call, "settle", names, claim->client.id, now_usec);
    add_policy(call, &claim->policy);
    add_guess(call, guess, token);
    add_number(call, hold);
    add_number(call, outcome);
    add_meta(call, &claim->client);
}

void guard_redis_call_peek(guard_redis_call_t *call,
                           const guard_redis_names_t *names, uint64_t id,
                           uint64_t now_usec)
{
    begin_client(call, "peek", names, id, now_usec);
}

void guard_redis_call_show(guard_redis_call_t *call, const char *key,
                           size_t key_length, uint64_t now_usec)
{
    begin_key(call, "show", key, key_length, now_usec);
}

void guard_redis_call_unlock(guard_redis_call_t *call, const char *key,
                             size_t key_length, int locked_only,
                             uint64_t now_usec)
{
    begin_key(call, "unlock", key, key_length, now_usec);
    add_number(call, locked_only ? 1 : 0);
}

/* No client has the id 0. */
void guard_redis_call_probe(guard_redis_call_t *call,
                            const guard_redis_names_t *names, uint64_t now_usec)
{
    begin_client(call, "probe", names, 0, now_usec);
}

void guard_redis_call_by_text(guard_redis_call_t *call)
{
    call->argv[0] = "EVAL";
    call->length[0] = sizeof("EVAL") - 1;
    call->argv[1] = guard_redis_script()->text;
    call->length[1] = guard_redis_script()->length;
}
