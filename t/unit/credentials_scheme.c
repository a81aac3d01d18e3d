/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * credentials_scheme.c: the scheme that is told at a glance is the one that
 * comes out when the header is taken apart, whatever is written there.
 */
#include "guard_credentials.h"
#include "tap.h"

#include <apr_general.h>
#include <apr_escape.h>

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static apr_pool_t *pool;

static void schemes_by_hand(void)
{
    static const struct {
        const char *header;
        guard_scheme_e scheme;
    } row[] = {
        {NULL, GUARD_SCHEME_NONE},         {"", GUARD_SCHEME_OTHER},
        {" ", GUARD_SCHEME_OTHER},         {" Basic x", GUARD_SCHEME_OTHER},
        {"B", GUARD_SCHEME_OTHER},         {"Basi", GUARD_SCHEME_OTHER},
        {"Basi c", GUARD_SCHEME_OTHER},    {"Basic", GUARD_SCHEME_BASIC},
        {"Basic ", GUARD_SCHEME_BASIC},    {"Basic x", GUARD_SCHEME_BASIC},
        {"Basic\t", GUARD_SCHEME_BASIC},   {"Basic\tx", GUARD_SCHEME_BASIC},
        {"Basic\nx", GUARD_SCHEME_BASIC},  {"Basic\v", GUARD_SCHEME_BASIC},
        {"Basic\f", GUARD_SCHEME_BASIC},   {"Basic\r", GUARD_SCHEME_BASIC},
        {"BASIC x", GUARD_SCHEME_BASIC},   {"bAsIc x", GUARD_SCHEME_BASIC},
        {"basic", GUARD_SCHEME_BASIC},     {"Basicx", GUARD_SCHEME_OTHER},
        {"Basic=", GUARD_SCHEME_OTHER},    {"Basic:x", GUARD_SCHEME_OTHER},
        {"Basic\1x", GUARD_SCHEME_OTHER},  {"Basic\xa0x", GUARD_SCHEME_OTHER},
        {"Basic\"x", GUARD_SCHEME_OTHER},  {"Digest", GUARD_SCHEME_DIGEST},
        {"Digest ", GUARD_SCHEME_DIGEST},  {"DIGEST\tx", GUARD_SCHEME_DIGEST},
        {"digest x", GUARD_SCHEME_DIGEST}, {"Digestx", GUARD_SCHEME_OTHER},
        {"Diges t", GUARD_SCHEME_OTHER},   {"Bearer x", GUARD_SCHEME_OTHER},
        {"Negotiate", GUARD_SCHEME_OTHER},
    };

    for (size_t i = 0; i < COUNT(row); i++) {
        const char *name = row[i].header ? row[i].header : "none";

        ok(guard_credentials_scheme(row[i].header) == row[i].scheme,
           "the scheme of '%s'", apr_pescape_echo(pool, name, 0));
        ok(guard_credentials_parse(pool, row[i].header).scheme == row[i].scheme,
           "  and taken apart");
    }
}

/* Each byte in each place of a header that would be one, in either case. */
static void schemes_byte_by_byte(void)
{
    static const char *const WORD[] = {"Basic x", "dIGEST x", "Basic",
                                       "digest"};
    unsigned wrong = 0, seen[4] = {0};
    char header[16];

    for (size_t word = 0; word < COUNT(WORD); word++) {
        for (size_t at = 0; WORD[word][at]; at++) {
            for (int byte = 0; byte < 256; byte++) {
                guard_scheme_e scheme;

                strcpy(header, WORD[word]);
                header[at] = (char)byte;
                scheme = guard_credentials_scheme(header);
                wrong += guard_credentials_parse(pool, header).scheme != scheme;
                seen[scheme]++;
            }
            apr_pool_clear(pool);
        }
    }
    is(wrong, 0, "told at a glance as when taken apart");
    ok(seen[GUARD_SCHEME_BASIC] > 100 && seen[GUARD_SCHEME_DIGEST] > 100 &&
           seen[GUARD_SCHEME_OTHER] > 1000,
       "each of them often: %u, %u, %u", seen[GUARD_SCHEME_BASIC],
       seen[GUARD_SCHEME_DIGEST], seen[GUARD_SCHEME_OTHER]);
    is(seen[GUARD_SCHEME_NONE], 0, "an empty header is one");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    schemes_by_hand();
    schemes_byte_by_byte();
    apr_pool_destroy(pool);
    apr_terminate();
    return tap_done();
}
