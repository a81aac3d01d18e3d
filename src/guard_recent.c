/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_recent.c owns the memory of a connection. It decides nothing: what is
 * found in it is what would have been worked out again.
 *
 * Invariant: an entry is found by all that it was made of, so that it can't
 * be out of date; and it grows with no number of requests.
 */
#include "guard_recent.h"
#include "guard_conf.h"

#include <string.h>

guard_recent_t *guard_recent_of(request_rec *r)
{
    conn_rec *connection = r->connection;
    guard_recent_t *recent;

    if (connection->master) {
        return NULL;
    }
    recent = ap_get_module_config(connection->conn_config, &auth_guard_module);
    if (!recent) {
        recent = apr_pcalloc(connection->pool, sizeof(*recent));
        ap_set_module_config(connection->conn_config, &auth_guard_module,
                             recent);
    }
    return recent;
}

/* Whether the client was sealed from the same. */
static int is_alike(const guard_client_t *a, const guard_client_t *b)
{
    uint64_t left[2], right[2];

    memcpy(left, &a->addr, sizeof(left));
    memcpy(right, &b->addr, sizeof(right));
    return a->kind == b->kind && a->counted == b->counted &&
           a->bits == b->bits && a->scope == b->scope && left[0] == right[0] &&
           left[1] == right[1];
}

void guard_recent_seal(guard_recent_t *recent, guard_client_t *client,
                       const guard_secret_t *secret)
{
    guard_addr_mask(&client->addr, client->bits);
    if (recent && recent->client.id && is_alike(&recent->client, client)) {
        client->id = recent->client.id;
        return;
    }
    guard_client_seal(client, secret, 0);
    if (recent) {
        recent->client = *client;
    }
}
