/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_filter.c owns the question whom people mean when they name an
 * address, a network, a user or a scope. It knows no record and no store.
 *
 * Invariant: listing and unlocking, in every store, mean the same clients.
 */
#include "guard_store_filter.h"

#include <string.h>

guard_wanted_clients_t guard_filter_prepare(const guard_filter_t *filter,
                                            const guard_secret_t *table_secret)
{
    guard_wanted_clients_t wanted = {.filter = filter, .secret = table_secret};

    if (filter->user) {
        wanted.user =
            guard_key_hash(table_secret, filter->user, strlen(filter->user));
    }
    if (filter->scope_name) {
        wanted.scope = guard_key_hash(table_secret, filter->scope_name,
                                      strlen(filter->scope_name));
    }
    return wanted;
}

/* No store keeps a user's name, but the id tells whether it is this one's. */
static int is_users(const guard_wanted_clients_t *wanted,
                    const guard_filtered_t *client)
{
    guard_client_t same = {.addr = client->addr,
                           .bits = client->bits,
                           .kind = (uint8_t)client->kind,
                           .counted = (uint8_t)client->counted,
                           .scope = client->scope};

    guard_client_seal(&same, wanted->secret, wanted->user);
    return same.id == client->id;
}

/* A network means the clients in it, and an address the networks it counts
 * in: whoever asks for 192.0.2.7 wants to know of 192.0.2.0/24, too. */
static int overlap(const guard_cidr_t *net, const guard_filtered_t *client)
{
    guard_cidr_t counted = {.addr = client->addr, .bits = client->bits};

    return guard_cidr_contains(net, &client->addr) ||
           guard_cidr_contains(&counted, &net->addr);
}

/* A scope is meant by its name, or by as much of it as can be shown. */
static int is_scope(const guard_wanted_clients_t *wanted,
                    const guard_filtered_t *client)
{
    return client->scope_name &&
           (client->scope == wanted->scope ||
            !strcmp(client->scope_name, wanted->filter->scope_name));
}

int guard_filter_means(const guard_wanted_clients_t *wanted,
                       const guard_filtered_t *client)
{
    const guard_filter_t *filter = wanted->filter;

    if (filter->scope_name && !is_scope(wanted, client)) {
        return 0;
    }
    if (filter->locked_only && !client->is_locked) {
        return 0;
    }
    switch (filter->by) {
    case GUARD_FILTER_NET:
        return client->kind != GUARD_KIND_USER &&
               client->kind != GUARD_KIND_OVERFLOW &&
               overlap(&filter->net, client);
    case GUARD_FILTER_USER:
        return (client->kind == GUARD_KIND_USER ||
                client->kind == GUARD_KIND_LOGIN) &&
               client->scope_name && is_users(wanted, client);
    case GUARD_FILTER_ID:
        return client->id == filter->id;
    default:
        return 1;
    }
}
