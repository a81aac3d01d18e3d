/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * The status page's token: good for one to two hours, for one user, realm,
 * host and purpose, under one key, and for nothing that looks like it.
 */
#include "../../src/guard_status_token.c"

#include "tap.h"

#include <apr_general.h>

#define HOUR ((uint64_t)3600 * 1000000)

static const guard_secret_t secret = {{1, 2, 3}}, another = {{1, 2, 4}};
static const guard_token_t alice = {"unlock", "alice", "desk", "host"};

static void test_time(apr_pool_t *pool)
{
    static const struct {
        const char *name;
        uint64_t made, used;
        int good;
    } ROWS[] = {
        {"at once", 5 * HOUR, 5 * HOUR, 1},
        {"an hour later, to the tick", 5 * HOUR + 7, 6 * HOUR + 7, 1},
        {"made first in its hour, nearly two", 5 * HOUR, 7 * HOUR - 1, 1},
        {"two hours later", 5 * HOUR, 7 * HOUR, 0},
        {"made last in its hour, a tick over one", 6 * HOUR - 1, 7 * HOUR, 0},
        {"before it was made", 6 * HOUR, 6 * HOUR - 1, 0},
        {"in the first hour", 0, 1, 1},
        {"from the last hour there is", UINT64_MAX, 1, 0},
    };

    for (unsigned i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        const char *token =
            guard_status_token_make(pool, &secret, &alice, ROWS[i].made);

        is(guard_status_token_is_good(pool, &secret, &alice, ROWS[i].used,
                                      token),
           ROWS[i].good, ROWS[i].name);
    }
}

static void test_subject(apr_pool_t *pool)
{
    static const struct {
        const char *name;
        guard_token_t what;
    } ROWS[] = {
        {"another purpose", {"done 1", "alice", "desk", "host"}},
        {"another user", {"unlock", "bob", "desk", "host"}},
        {"another realm", {"unlock", "alice", "shop", "host"}},
        {"another host", {"unlock", "alice", "desk", "other"}},
        {"the same letters, split otherwise",
         {"unlock", "alic", "edesk", "host"}},
        {"a name that looks like two parts",
         {"unlock", "alice 4:desk", "", "host"}},
    };
    const char *token = guard_status_token_make(pool, &secret, &alice, HOUR);

    is((long long)strlen(token), 16, "16 digits");
    for (unsigned i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        is(guard_status_token_is_good(pool, &secret, &ROWS[i].what, HOUR,
                                      token),
           0, ROWS[i].name);
    }
    is(guard_status_token_is_good(pool, &another, &alice, HOUR, token), 0,
       "another key");
}

static void test_text(apr_pool_t *pool)
{
    const char *token = guard_status_token_make(pool, &secret, &alice, HOUR);
    int bad = 0;

    for (unsigned i = 0; i < 16; i++) {
        char *wrong = apr_pstrdup(pool, token);

        wrong[i] = wrong[i] == '0' ? '1' : '0';
        bad += guard_status_token_is_good(pool, &secret, &alice, HOUR, wrong);
    }
    is(bad, 0, "no digit may differ");
    is(guard_status_token_is_good(pool, &secret, &alice, HOUR, ""), 0,
       "nothing");
    is(guard_status_token_is_good(pool, &secret, &alice, HOUR,
                                  apr_pstrcat(pool, token, "0", NULL)),
       0, "more than a token");
    is(guard_status_token_is_good(pool, &secret, &alice, HOUR,
                                  apr_pstrndup(pool, token, 15)),
       0, "less than a token");
}

int main(void)
{
    apr_pool_t *pool;

    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return 1;
    }
    test_time(pool);
    test_subject(pool);
    test_text(pool);
    apr_terminate();
    return tap_done();
}
