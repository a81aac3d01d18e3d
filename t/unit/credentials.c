/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * credentials.c: what is read out of an Authorization header is what
 * mod_auth_basic and mod_auth_digest read out of it, and what they can't tell
 * apart is one guess.
 */
#include "guard_credentials.h"
#include "tap.h"

#include <apr_general.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static apr_pool_t *pool;
static const guard_secret_t SECRET = {"secret"};

static void basic_headers_are_split(void)
{
    static const struct {
        const char *header, *user, *password;
    } row[] = {
        {"Basic YWxpY2U6c2VjcmV0", "alice", "secret"},
        {"bASIC YWxpY2U6c2VjcmV0", "alice", "secret"},
        {"Basic  \t YWxpY2U6c2VjcmV0", "alice", "secret"},
        {"Basic\tYWxpY2U6c2VjcmV0", "alice", "secret"},
        {"Basic YWxpY2U6YTpi", "alice", "a:b"},
        {"Basic YWxpY2U=", "alice", ""},
        {"Basic YWxpY2U", "alice", ""},
        {"Basic YWxpY2U6", "alice", ""},
        {"Basic OnNlY3JldA==", "", "secret"},
        {"Basic YWxpY2U6c2VjAHJldA==", "alice", "sec"},
        {"Basic YQBiOmM=", "a", ""},
        {"Basic YWxpY2U6c2VjcmV0 YQ==", "alice", "secret"},
        {"Basic YWxpY2U6c2VjcmV0=YQ", "alice", "secret"},
        {"Basic Y", "", ""},
        {"Basic ?", "", ""},
        {"Basic ", "", ""},
        {"Basic", "", ""},
    };

    for (size_t i = 0; i < COUNT(row); i++) {
        guard_credentials_t read = guard_credentials_parse(pool, row[i].header);

        is(read.scheme, GUARD_SCHEME_BASIC, row[i].header);
        is_str(read.user, row[i].user, "  its user");
        is_str(read.password, row[i].password, "  its password");
    }
}

static void digest_headers_are_read(void)
{
    static const struct {
        const char *header, *user, *nonce;
    } row[] = {
        {"Digest username=\"alice\", nonce=\"abc\"", "alice", "abc"},
        {"DIGEST nonce=abc,username=alice", "alice", "abc"},
        {"Digest UserName = \"a\\\"l\\i\", NONCE=\"\"", "a\"li", ""},
        {"Digest username=bob, username=alice", "alice", ""},
        {"Digest username=alice junk, nonce=a", "alice", "a"},
        {"Digest username=\"a, nonce=b\"", "a, nonce=b", ""},
        {"Digest username=\"alice", "alice", ""},
        {"Digest username=\"alice\\", "alice\\", ""},
        {"Digest ,,=,username", "", ""},
        {"Digest ", "", ""},
        {"Digest", "", ""},
        /* white space, for mod_auth_digest, is more than blanks */
        {"Digest\fusername=alice,\vnonce=a", "alice", "a"},
        {"Digest\nusername\r=\falice", "alice", ""},
    };

    for (size_t i = 0; i < COUNT(row); i++) {
        guard_credentials_t read = guard_credentials_parse(pool, row[i].header);

        is(read.scheme, GUARD_SCHEME_DIGEST, "a Digest header");
        is_str(read.user, row[i].user, "  its user");
        is_str(read.nonce, row[i].nonce, "  its nonce");
        ok(!read.password, "  no password");
    }
}

static void other_schemes_are_kept_whole(void)
{
    static const char *const header[] = {"Bearer YWxpY2U6c2VjcmV0",
                                         "Basi YQ==",
                                         "BasicYQ==",
                                         "Basic2 YQ==",
                                         "",
                                         " "};
    guard_credentials_t none = guard_credentials_parse(pool, NULL);

    for (size_t i = 0; i < COUNT(header); i++) {
        guard_credentials_t read = guard_credentials_parse(pool, header[i]);

        is(read.scheme, GUARD_SCHEME_OTHER, header[i]);
        is_str(read.password, header[i], "  kept whole");
        is_str(read.user, "", "  for no user");
    }
    ok(none.scheme == GUARD_SCHEME_NONE && !*none.user && !none.header,
       "no header, no credentials");
}

static void parameters_are_found(void)
{
    static const char text[] = "realm=\"a\", stale=false, Stale=\"tr\\ue\" x,b";

    is_str(guard_credentials_parameter(pool, text, "stale"), "true",
           "the last one of a name counts");
    is_str(guard_credentials_parameter(pool, text, "REALM"), "a", "any case");
    is_str(guard_credentials_parameter(pool, text, "b"), "", "no value");
    is_str(guard_credentials_parameter(pool, text, "stal"), NULL,
           "part of one");
    is_str(guard_credentials_parameter(pool, "", "stale"), NULL, "none");
}

static guard_guess_t guess_of(const char *header, const char *realm)
{
    guard_credentials_t read = guard_credentials_parse(pool, header);

    return guard_credentials_guess(&read, &SECRET, realm);
}

static void guesses_are_told_apart(void)
{
    guard_guess_t one = guess_of("Basic YWxpY2U6c2VjcmV0", "r");
    guard_guess_t same = guess_of("BASIC  YWxpY2U6c2VjcmV0=", "r");
    guard_guess_t other = guess_of("Basic YWxpY2U6c2VjcmV1", "r");
    guard_guess_t shifted = guess_of("Basic YWxpY2VzOmVjcmV0", "r");
    guard_guess_t elsewhere = guess_of("Basic YWxpY2U6c2VjcmV0", "s");
    guard_guess_t digest = guess_of("Digest username=a,nonce=n,nc=1", "r");
    guard_guess_t next = guess_of("Digest username=a,nonce=n,nc=2", "r");

    ok(!memcmp(&one, &same, sizeof one), "the same user and password");
    ok(one.tag != other.tag && one.user == other.user, "another password");
    ok(one.tag != shifted.tag && one.user != shifted.user, "another split");
    ok(one.tag != elsewhere.tag, "another realm");
    ok(one.tag == one.proven_tag, "a Basic guess is found again");
    ok(digest.tag != next.tag && digest.tag != digest.proven_tag,
       "a Digest guess is not");
    is(digest.proven_tag, next.proven_tag, "but by user and nonce");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    basic_headers_are_split();
    digest_headers_are_read();
    other_schemes_are_kept_whole();
    parameters_are_found();
    guesses_are_told_apart();
    apr_pool_destroy(pool);
    return tap_done();
}
