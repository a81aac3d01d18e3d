/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_answer.c owns the reading of what the script says, and of
 * the keys it says it of. It knows no connection.
 *
 * Invariant: what an answer says is in range, or it is no answer. A server
 * that says anything else is not believed.
 */
#include "guard_store_redis_script.h"

#include <string.h>

#define STANDING_VALUES 7 /* of every answer */
#define SHOWN_VALUES 11   /* of show's */
#define ID_DIGITS 16
#define FLAGS_ALL (2 * GUARD_REDIS_HELD_PROVEN - 1)

/* @return 1 and the value, if it is a whole number from min to max; else 0. */
static int number(const guard_redis_reply_t *reply, unsigned i, long long min,
                  long long max, long long *out)
{
    const guard_redis_reply_t *value = reply->element[i];

    *out = value->integer;
    return value->kind == GUARD_REDIS_INTEGER && *out >= min && *out <= max;
}

static apr_status_t read_standing(guard_redis_answer_t *answer,
                                  const guard_redis_reply_t *reply,
                                  unsigned count)
{
    long long usec, row, flags, phase, failures, level, left_usec;

    if (!reply || reply->kind != GUARD_REDIS_ARRAY || reply->count != count ||
        !number(reply, 0, 1, INT64_MAX, &usec) ||
        !number(reply, 1, GUARD_ROW_LOCKED, GUARD_ROW_FREE, &row) ||
        !number(reply, 2, 0, FLAGS_ALL, &flags) ||
        !number(reply, 3, GUARD_PHASE_CALM, GUARD_PHASE_LOCKED, &phase) ||
        !number(reply, 4, 0, GUARD_LIMIT_MAX, &failures) ||
        !number(reply, 5, 0, UINT8_MAX, &level) ||
        !number(reply, 6, 0, GUARD_LOCKOUT_USEC_MAX, &left_usec)) {
        return APR_EGENERAL;
    }
    answer->server_usec = (uint64_t)usec;
    answer->row = (guard_row_e)row;
    answer->flags = (unsigned)flags;
    answer->phase = (guard_phase_e)phase;
    answer->failures = (uint16_t)failures;
    answer->level = (uint8_t)level;
    answer->remaining_usec = (apr_interval_time_t)left_usec;
    return APR_SUCCESS;
}

apr_status_t guard_redis_answer_read(guard_redis_answer_t *answer,
                                     const guard_redis_reply_t *reply)
{
    return read_standing(answer, reply, STANDING_VALUES);
}

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : 16;
}

/* Read digits and the byte behind them. @return what follows, or NULL. */
static const char *digits(const char *at, unsigned base, unsigned max,
                          char behind, uint64_t *out)
{
    const char *first = at;

    for (*out = 0; digit(*at) < (int)base && at - first <= (int)max; at++) {
        *out = *out * base + (unsigned)digit(*at);
    }
    return at > first && at - first <= (int)max && *at == behind ? at + 1
                                                                 : NULL;
}

/* All bytes of an address, the last four of IPv4, or none. */
static const char *read_addr(const char *at, guard_addr_t *addr)
{
    unsigned char byte[sizeof(addr->byte)];
    size_t count = 0;

    for (; digit(at[0]) < 16 && digit(at[1]) < 16; at += 2, count++) {
        if (count == sizeof(byte)) {
            return NULL;
        }
        byte[count] = (unsigned char)(digit(at[0]) * 16 + digit(at[1]));
    }
    memset(addr, 0, sizeof(*addr));
    if (*at != ' ' ||
        (count && guard_addr_from_bytes(addr, byte, count) != APR_SUCCESS)) {
        return NULL;
    }
    return at + 1;
}

/* @return 1, or 0 if this is none of ours. */
static int read_meta(guard_entry_t *entry, const guard_redis_reply_t *meta)
{
    uint64_t kind, counted, bits, tenant;
    const char *at = meta->text;
    size_t left;

    if (!(at = digits(at, 10, 1, ' ', &kind)) || kind < GUARD_KIND_IP ||
        kind > GUARD_KIND_LOGIN || !(at = digits(at, 10, 1, ' ', &counted)) ||
        counted > GUARD_COUNTED_OBSERVED ||
        !(at = digits(at, 10, 3, ' ', &bits)) || bits > GUARD_ADDR_BITS ||
        !(at = digits(at, 10, 1, ' ', &tenant)) ||
        !(at = read_addr(at, &entry->addr)) ||
        !(at = digits(at, 16, ID_DIGITS, ' ', &entry->scope))) {
        return 0;
    }
    entry->kind = (guard_kind_e)kind;
    entry->counted = (guard_counted_e)counted;
    entry->bits = (uint8_t)bits;
    left = (size_t)(meta->text + meta->length - at);
    if (left >= sizeof(entry->scope_name) || memchr(at, '\0', left)) {
        return 0;
    }
    memcpy(entry->scope_name, at, left);
    entry->scope_name[left] = '\0';
    return 1;
}

apr_status_t guard_redis_answer_read_entry(guard_entry_t *entry,
                                           const guard_redis_reply_t *reply)
{
    guard_redis_answer_t answer;
    long long since_usec, in_flight, limit;
    const guard_redis_reply_t *meta;
    guard_entry_t read = {.id = entry->id};

    if (read_standing(&answer, reply, SHOWN_VALUES) != APR_SUCCESS ||
        !number(reply, 7, 0, GUARD_LOCKOUT_USEC_MAX, &since_usec) ||
        !number(reply, 8, 0, GUARD_SLOTS, &in_flight) ||
        !number(reply, 9, 0, GUARD_LIMIT_MAX, &limit)) {
        return APR_EGENERAL;
    }
    meta = reply->element[10];
    if (meta->kind != GUARD_REDIS_STRING) {
        return APR_EGENERAL;
    }
    if (!meta->length) {
        return APR_NOTFOUND;
    }
    if (!read_meta(&read, meta)) {
        return APR_EGENERAL;
    }
    read.phase = answer.phase;
    read.failures = answer.failures;
    read.level = answer.level;
    read.remaining_usec = answer.remaining_usec;
    read.since_usec = (apr_interval_time_t)since_usec;
    read.in_flight = (unsigned)in_flight;
    read.limit = (uint16_t)limit;
    *entry = read;
    return APR_SUCCESS;
}

uint64_t guard_redis_key_read(const guard_redis_names_t *names, const char *key,
                              size_t length)
{
    char expected[GUARD_REDIS_KEY_MAX];
    size_t prefix = strlen(names->prefix);
    uint64_t id;

    if (length != prefix + ID_DIGITS + 3 || length >= sizeof(expected)) {
        return 0;
    }
    memcpy(expected, key, length);
    expected[length] = '\0';
    return !memcmp(key, names->prefix, prefix) &&
                   !memcmp(key + prefix, ":{", 2) &&
                   digits(expected + prefix + 2, 16, ID_DIGITS, '}', &id) ==
                       expected + length
               ? id
               : 0;
}
