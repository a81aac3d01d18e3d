/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_text.c owns the encoding of values that others have chosen. It knows
 * nothing of where they go.
 *
 * Invariant: what it writes is printable ASCII without a space, a quote, a
 * bracket or an equals sign, so that a value can't end where it stands.
 */
#include "guard_text.h"

#include <string.h>

static int is_plain(char byte)
{
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789._:@+/-";

    return byte && strchr(PLAIN, byte);
}

char *guard_text_encode(char *buf, apr_size_t size, const char *value)
{
    static const char HEX[] = "0123456789ABCDEF";
    char *to = buf, *end = buf + size - 1;

    for (; *value && to + (is_plain(*value) ? 1 : 3) <= end; value++) {
        unsigned char byte = (unsigned char)*value;

        if (is_plain(*value)) {
            *to++ = *value;
        } else {
            *to++ = '%';
            *to++ = HEX[byte >> 4];
            *to++ = HEX[byte & 15];
        }
    }
    *to = '\0';
    return buf;
}
