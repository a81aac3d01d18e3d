/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_present.c owns what a request presents: the credentials, in what realm,
 * and the guess they make. It asks no store.
 *
 * Invariant: a guess that is taken over from the connection's memory is the one
 * that these credentials would make.
 */
#include "guard_present.h"

#include <apr_strings.h>

#include <string.h>

/* The realm, and the .htaccess that may have written it. None is told from one
 * by how it begins. */
static const char *name_realm(const guard_attempt_t *a)
{
    const char *realm = a->subject.realm;

    if (!a->scope.dir[0] && realm[0] != '\n') {
        return realm;
    }
    return apr_pstrcat(a->r->pool, "\n", a->scope.dir, "\n", realm, NULL);
}

static void present_in_realm(guard_attempt_t *a)
{
    const char *realm = guard_conf_realm(a->conf, a->r);

    a->subject.realm = realm ? realm : "";
    a->guess_realm = name_realm(a);
}

void guard_reserve_present(guard_attempt_t *a,
                           const guard_credentials_t *credentials)
{
    a->credentials = *credentials;
    a->subject.user = credentials->user;
    present_in_realm(a);
}

/* Whether the realm's string is the configuration's own, which lasts: no
 * .htaccess had a say in it, and it is no expression. */
static int has_lasting_realm(const guard_attempt_t *a)
{
    return !a->scope.dir[0] && a->guess_realm == a->conf->realm;
}

/* The connection's guess, if that header made it. Else make it so. */
static int recall_guess(guard_attempt_t *a, const char *header)
{
    guard_recent_t *recent = a->recent;
    uint64_t hash =
        guard_key_hash(&a->store->guess_secret, header, strlen(header));

    if (recent->header == hash && recent->realm == a->conf->realm) {
        a->guess = recent->guess;
        return 1;
    }
    recent->header = 0;
    a->header_hash = hash;
    return 0;
}

void guard_reserve_present_header(guard_attempt_t *a, const char *header)
{
    guard_credentials_t whole = {.header = header, .user = ""};

    present_in_realm(a);
    whole.scheme = guard_credentials_scheme(header);
    if (whole.scheme == GUARD_SCHEME_BASIC && a->auth == GUARD_AUTH_BASIC &&
        a->recent && has_lasting_realm(a) &&
        !guard_conf_counts_users(a->conf)) {
        a->has_guess = recall_guess(a, header);
    }
    a->credentials =
        a->has_guess ? whole : guard_credentials_parse(a->r->pool, header);
    a->subject.user = a->credentials.user;
}

/* The name was not needed until now. */
void guard_present_name_user(guard_attempt_t *a)
{
    if (a->has_guess) {
        a->credentials =
            guard_credentials_parse(a->r->pool, a->credentials.header);
        a->subject.user = a->credentials.user;
    }
}

void guard_present_make_guess(guard_attempt_t *a)
{
    if (a->has_guess) {
        return;
    }
    a->guess = guard_credentials_guess(&a->credentials, &a->store->guess_secret,
                                       a->guess_realm);
    if (a->header_hash) {
        a->recent->header = a->header_hash;
        a->recent->realm = a->conf->realm;
        a->recent->guess = a->guess;
    }
}

/* Who was refused is asked for at the door next time. */
void guard_present_forget(guard_attempt_t *a)
{
    if (a->recent) {
        a->recent->header = 0;
    }
}
