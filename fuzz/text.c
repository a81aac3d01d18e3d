/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * text.c: values that others have chosen, on their way into a log line.
 *
 * Input: a byte for the room there is, then the value.
 * Holds: what comes out fits, has no byte that could end a value or a line,
 * and is the value, or its beginning, when it is decoded.
 */
#include "guard_text.h"
#include "fuzz.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char fuzz_target[] = "text";

static int digit_of(char hex)
{
    static const char HEX[] = "0123456789ABCDEF";
    const char *at = hex ? strchr(HEX, hex) : NULL;

    fuzz_must(at != NULL, "two digits follow a %, in capitals");
    return (int)(at - HEX);
}

/* Decode. @return how many bytes of the value are there. */
static size_t must_be_of(const char *text, const char *value)
{
    size_t count = 0;

    while (*text) {
        unsigned char byte = (unsigned char)*text++;

        if (byte == '%') {
            byte = (unsigned char)(digit_of(text[0]) << 4 | digit_of(text[1]));
            text += 2;
            fuzz_must(byte < 0x80 ? !isalnum(byte) && byte : 1,
                      "what is plain stays plain");
        } else {
            fuzz_must(byte < 0x80 && (isalnum(byte) || strchr("._:@+/-", byte)),
                      "no byte that means something in a log");
        }
        fuzz_must(byte == (unsigned char)value[count], "it is the value");
        count++;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_begin();
    fuzz_input_t input = {.at = data, .end = data + size};
    size_t room = fuzz_take(&input, 1) + 1;
    const char *value =
        fuzz_text(pool, input.at, (size_t)(input.end - input.at));
    char *text = malloc(room);
    size_t count;

    fuzz_must(text && guard_text_encode(text, room, value) == text,
              "it is written where it should be");
    fuzz_must(strnlen(text, room) < room, "and ends there");
    count = must_be_of(text, value);
    fuzz_must(!value[count] || strlen(text) + 3 >= room,
              "and is cut only where there is no room");
    free(text);
    fuzz_end();
    return 0;
}
