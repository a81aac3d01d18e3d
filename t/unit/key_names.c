/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * key_names.c: no two clients have one name. Every kind of client, of both
 * families of addresses, under every prefix, in two scopes, of two users,
 * counted for real and observed, is sealed, and each id is there once. What
 * a kind does not count by makes no difference.
 */
#include "guard_key.h"
#include "addr.h"
#include "tap.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NAMES_MAX 20000

static const guard_secret_t SECRET = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

/* Alike in as many bytes as can be. */
static const char *const ADDRESS[] = {
    "192.0.2.7",
    "192.0.2.8",
    "192.0.3.7",
    "255.255.255.255",
    "0.0.0.0",
    "::",
    "::1",
    "::192.0.2.7",
    "::ffff:0:192.0.2.7",
    "::fffe:192.0.2.7",
    "64:ff9b::192.0.2.7",
    "2001:db8::c000:207",
    "2001:db8::1:c000:207",
    "2001:db8:0:1::c000:207",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
};

/* A scope that looks like an address, a user that looks like a scope. */
static const uint64_t SCOPE[] = {0, 1, 0x070200c000000000, UINT64_MAX};
static const uint64_t USER[] = {0, 1, 0x070200c0ffff0000, UINT64_MAX};

/** A client as it was sealed, all of it but what its kind leaves out. */
typedef struct name_t {
    uint64_t id;
    guard_addr_t addr;
    uint64_t scope, user;
    uint8_t kind, counted, bits;
} name_t;

static name_t name[NAMES_MAX];
static unsigned count;

static int has_user(guard_kind_e kind)
{
    return kind == GUARD_KIND_USER || kind == GUARD_KIND_LOGIN;
}

static void seal(guard_client_t client, uint64_t user)
{
    name_t *to = &name[count];

    guard_client_seal(&client, &SECRET, user);
    to->id = client.id;
    to->addr = client.addr;
    to->scope = client.scope;
    to->user = has_user((guard_kind_e)client.kind) ? user : 0;
    to->kind = client.kind;
    to->counted = client.counted;
    to->bits = client.bits;
    count++;
}

/* Of that client, in every scope, of every user, in both sets of records. */
static void seal_all(guard_client_t client)
{
    for (size_t scope = 0; scope < COUNT(SCOPE); scope++) {
        for (size_t user = 0; user < COUNT(USER); user++) {
            for (uint8_t counted = 0; counted <= 1; counted++) {
                client.scope = SCOPE[scope];
                client.counted = counted;
                seal(client, USER[user]);
            }
        }
    }
}

/* Prefixes as directives have them: an IPv4 address keeps at least 8 bits of
 * its own. */
static void seal_everybody(void)
{
    static const uint8_t BITS[] = {16, 32, 48, 63, 64, 65, 96, 104, 120, 128};

    for (size_t i = 0; i < COUNT(ADDRESS); i++) {
        guard_client_t client = {.addr = addr(ADDRESS[i])};
        int is_v4 = guard_addr_is_v4(&client.addr);

        for (size_t b = 0; b < COUNT(BITS); b++) {
            client.bits = BITS[b];
            for (int kind = GUARD_KIND_IP; kind <= GUARD_KIND_MAX; kind++) {
                client.kind = (uint8_t)kind;
                if (!is_v4 || BITS[b] >= GUARD_ADDR_V4_BASE + 8) {
                    seal_all(client);
                }
            }
        }
    }
}

static int is_same(const name_t *a, const name_t *b)
{
    return same_addr(&a->addr, &b->addr) && a->scope == b->scope &&
           a->user == b->user && a->kind == b->kind &&
           a->counted == b->counted && a->bits == b->bits;
}

static int order_by_id(const void *left, const void *right)
{
    const name_t *a = left, *b = right;

    return a->id < b->id ? -1 : a->id > b->id;
}

static int order_by_client(const void *left, const void *right)
{
    const name_t *a = left, *b = right;
    int by_addr = memcmp(&a->addr, &b->addr, sizeof(a->addr));
    int by_rest = memcmp(&a->scope, &b->scope,
                         offsetof(name_t, bits) + 1 - offsetof(name_t, scope));

    return by_addr ? by_addr : by_rest;
}

/* Neighbours that agree in one way and not in the other. */
static unsigned count_disagreements(void)
{
    unsigned wrong = 0;

    for (unsigned i = 1; i < count; i++) {
        wrong +=
            (name[i].id == name[i - 1].id) != is_same(&name[i], &name[i - 1]);
    }
    return wrong;
}

static unsigned count_clients(void)
{
    unsigned clients = 1;

    for (unsigned i = 1; i < count; i++) {
        clients += !is_same(&name[i], &name[i - 1]);
    }
    return clients;
}

int main(void)
{
    unsigned zeros = 0;

    seal_everybody();
    for (unsigned i = 0; i < count; i++) {
        zeros += !name[i].id;
    }
    is(zeros, 0, "no id is 0");
    qsort(name, count, sizeof(name[0]), order_by_id);
    is(count_disagreements(), 0, "one id, one client");
    qsort(name, count, sizeof(name[0]), order_by_client);
    is(count_disagreements(), 0, "one client, one id");
    printf("# %u clients in %u ways\n", count_clients(), count);
    ok(count_clients() > 3000, "thousands of clients");
    ok(count > 2 * count_clients(), "many in more ways than one");
    return tap_done();
}
