/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * credentials.c: an Authorization header, from the wire to the guess.
 *
 * Input: "b" and user:password, which is encoded first; or "d" and the
 * parameters of a Digest header; anything else is a header as it stands.
 * Holds: what is read is what a second, simpler reader reads; one header makes
 * one guess; and no two splits of the same bytes make the same.
 */
#include "guard_credentials.h"
#include "fuzz.h"

#include <apr_strings.h>

#include <ctype.h>
#include <string.h>

const char fuzz_target[] = "credentials";

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789+/";

/* Two, as tags are short: by chance two guesses meet under one. */
static const guard_secret_t SECRET[2] = {{"one"}, {"another"}};

static int equal(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

/* ---- a second reader ---- */

/* Base64 as a stream of bits, up to what is none. */
static char *decode(apr_pool_t *pool, const char *token)
{
    char *text = apr_pcalloc(pool, strlen(token) + 1), *to = text;
    unsigned bits = 0, count = 0;
    const char *digit;

    for (; *token && (digit = strchr(ALPHABET, *token)); token++) {
        bits = bits << 6 | (unsigned)(digit - ALPHABET);
        count += 6;
        if (count >= 8) {
            count -= 8;
            *to++ = (char)(bits >> count & 0xff);
        }
    }
    return text;
}

static char *encode(apr_pool_t *pool, const char *text)
{
    size_t length = strlen(text);
    char *code = apr_pcalloc(pool, length * 2 + 4), *to = code;
    unsigned bits = 0, count = 0;

    for (size_t i = 0; i < length; i++) {
        bits = bits << 8 | (unsigned char)text[i];
        for (count += 8; count >= 6; count -= 6) {
            *to++ = ALPHABET[bits >> (count - 6) & 63];
        }
    }
    if (count) {
        *to = ALPHABET[bits << (6 - count) & 63];
    }
    return code;
}

/* A Digest header, one byte at a time. */
typedef enum {
    BEFORE_NAME,
    IN_NAME,
    BEHIND_NAME,
    BEFORE_VALUE,
    IN_QUOTES,
    BEHIND_BACKSLASH,
    IN_TOKEN,
    BEHIND_VALUE
} place_e;

typedef struct reader_t {
    const char *wanted;
    char *name, *value; /* of the parameter that is being read */
    size_t name_length, value_length;
    char *found; /* the last one of the wanted name */
    place_e place;
} reader_t;

static void end_parameter(reader_t *reader, apr_pool_t *pool)
{
    reader->name[reader->name_length] = '\0';
    if (!strcasecmp(reader->name, reader->wanted)) {
        reader->found = apr_pstrndup(pool, reader->value, reader->value_length);
    }
    reader->name_length = reader->value_length = 0;
    reader->place = BEFORE_NAME;
}

static place_e read_name_byte(reader_t *reader, char byte)
{
    if (byte == '=') {
        return BEFORE_VALUE;
    }
    if (isspace((unsigned char)byte)) {
        return reader->place == IN_NAME ? BEHIND_NAME : reader->place;
    }
    if (reader->place == BEHIND_NAME) {
        return BEHIND_VALUE; /* a name and no value */
    }
    reader->name[reader->name_length++] = byte;
    return IN_NAME;
}

static place_e read_value_byte(reader_t *reader, char byte)
{
    switch (reader->place) {
    case BEFORE_VALUE:
        if (byte == '"') {
            return IN_QUOTES;
        }
        if (isspace((unsigned char)byte)) {
            return BEFORE_VALUE;
        }
        break;
    case IN_QUOTES:
        if (byte == '"') {
            return BEHIND_VALUE;
        }
        if (byte == '\\') {
            return BEHIND_BACKSLASH;
        }
        break;
    case IN_TOKEN:
        if (isspace((unsigned char)byte)) {
            return BEHIND_VALUE;
        }
        break;
    case BEHIND_VALUE:
        return BEHIND_VALUE;
    default: /* BEHIND_BACKSLASH: whatever it is */
        break;
    }
    reader->value[reader->value_length++] = byte;
    return reader->place == BEFORE_VALUE ? IN_TOKEN
           : reader->place == IN_TOKEN   ? IN_TOKEN
                                         : IN_QUOTES;
}

/* @return the last parameter of that name, or NULL. */
static const char *find_parameter(apr_pool_t *pool, const char *text,
                                  const char *name)
{
    size_t length = strlen(text);
    reader_t reader = {.wanted = name,
                       .name = apr_pcalloc(pool, length + 1),
                       .value = apr_pcalloc(pool, length + 1)};

    for (; *text; text++) {
        if (*text == ',' && reader.place != IN_QUOTES &&
            reader.place != BEHIND_BACKSLASH) {
            end_parameter(&reader, pool);
        } else if (reader.place <= BEHIND_NAME) {
            reader.place = read_name_byte(&reader, *text);
        } else {
            reader.place = read_value_byte(&reader, *text);
        }
    }
    if (reader.place == BEHIND_BACKSLASH) {
        reader.value[reader.value_length++] = '\\'; /* it escaped nothing */
    }
    if (reader.place != BEFORE_NAME || reader.name_length) {
        end_parameter(&reader, pool);
    }
    return reader.found;
}

/* ---- what must hold ---- */

static int is_scheme(const char *header, const char *scheme)
{
    size_t length = strlen(scheme);

    return !strncasecmp(header, scheme, length) &&
           (!header[length] || isspace((unsigned char)header[length]));
}

static void try_basic(apr_pool_t *pool, const guard_credentials_t *read)
{
    const char *token = read->header + strlen("Basic");
    char *user, *colon;

    user = decode(pool, token + strspn(token, " \t"));
    colon = strchr(user, ':');
    if (colon) {
        *colon = '\0';
    }
    fuzz_must(read->scheme == GUARD_SCHEME_BASIC, "Basic is Basic");
    fuzz_must(equal(read->user, user), "one user name for both readers");
    fuzz_must(equal(read->password, colon ? colon + 1 : ""),
              "one password for both readers");
}

static void try_digest(apr_pool_t *pool, const guard_credentials_t *read)
{
    static const char *const names[] = {"username", "nonce", "opaque", "stale",
                                        "a"};
    const char *text = read->header + strlen("Digest");

    fuzz_must(read->scheme == GUARD_SCHEME_DIGEST, "Digest is Digest");
    fuzz_must(read->parameters != NULL && !read->password,
              "Digest has parameters and no password");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *mine = find_parameter(pool, text, names[i]);
        const char *value =
            guard_credentials_parameter(pool, read->parameters, names[i]);

        fuzz_must(equal(value, mine), "one parameter for both readers");
        fuzz_must(i > 1 ||
                      equal(i ? read->nonce : read->user, mine ? mine : ""),
                  "user and nonce are the parameters");
    }
}

static int is_same(const guard_guess_t *a, const guard_guess_t *b)
{
    return a->tag == b->tag && a->proven_tag == b->proven_tag &&
           a->user == b->user;
}

/* The same triple but for one byte that went over a boundary. */
static void try_split(const char *realm, const char *user, const char *password,
                      const char *other_user, const char *other_password)
{
    int meetings = 0;

    for (int i = 0; i < 2; i++) {
        guard_guess_t guess =
            guard_guess_make(&SECRET[i], realm, user, password);
        guard_guess_t other =
            guard_guess_make(&SECRET[i], realm, other_user, other_password);

        meetings += guess.tag == other.tag;
    }
    fuzz_must(meetings < 2, "another split is another guess");
}

static void try_splits(apr_pool_t *pool, const char *user, const char *password)
{
    size_t length = strlen(user);

    if (*password) {
        try_split("realm", user, password,
                  apr_psprintf(pool, "%s%c", user, *password), password + 1);
    }
    if (length) {
        try_split("realm", user, password, apr_pstrndup(pool, user, length - 1),
                  apr_pstrcat(pool, user + length - 1, password, NULL));
    }
}

static void try_guess(apr_pool_t *pool, const guard_credentials_t *read)
{
    guard_credentials_t again =
        guard_credentials_parse(pool, apr_pstrdup(pool, read->header));
    int meetings = 0;

    for (int i = 0; i < 2; i++) {
        guard_guess_t one = guard_credentials_guess(read, &SECRET[i], "realm");
        guard_guess_t two =
            guard_credentials_guess(&again, &SECRET[i], "realm");
        guard_guess_t elsewhere =
            guard_credentials_guess(read, &SECRET[i], "realms");

        fuzz_must(is_same(&one, &two), "same header, same guess");
        fuzz_must(one.user >> GUARD_USER_TAG_BITS == 0, "a user's tag fits");
        fuzz_must((read->scheme == GUARD_SCHEME_DIGEST) ||
                      one.tag == one.proven_tag,
                  "only Digest can't be found again");
        meetings += one.tag == elsewhere.tag;
    }
    fuzz_must(meetings < 2, "another realm, another guess");
}

/* The plainest header that says the same. */
static void try_plain(apr_pool_t *pool, const guard_credentials_t *read)
{
    const char *text = apr_pstrcat(pool, read->user, ":", read->password, NULL);
    guard_credentials_t plain = guard_credentials_parse(
        pool, apr_pstrcat(pool, "bAsIc  ", encode(pool, text), "==", NULL));
    guard_guess_t one = guard_credentials_guess(read, &SECRET[0], "realm");
    guard_guess_t two = guard_credentials_guess(&plain, &SECRET[0], "realm");

    fuzz_must(is_same(&one, &two), "the same in plain is the same guess");
}

static const char *header_of(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    const char *text = fuzz_text(pool, data, size);

    switch (*text) {
    case 'b':
        return apr_pstrcat(pool, "Basic ", encode(pool, text + 1), NULL);
    case 'd':
        return apr_pstrcat(pool, "Digest ", text + 1, NULL);
    default:
        return text;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_begin();
    const char *header = header_of(pool, data, size);
    guard_credentials_t read = guard_credentials_parse(pool, header);

    fuzz_must(read.header == header && read.user, "a header has a user");
    if (is_scheme(header, "Basic")) {
        try_basic(pool, &read);
        try_splits(pool, read.user, read.password);
        try_plain(pool, &read);
    } else if (is_scheme(header, "Digest")) {
        try_digest(pool, &read);
    } else {
        fuzz_must(read.scheme == GUARD_SCHEME_OTHER, "anything else is other");
        fuzz_must(equal(read.password, header), "and kept whole");
    }
    try_guess(pool, &read);
    fuzz_end();
    return 0;
}
