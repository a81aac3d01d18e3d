/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * answer.c: which form of an answer an Accept header gets, and the answer.
 *
 * Input: the header, to the first newline; behind it, in binary, what varies
 * in an answer: answer, status, substatus, seconds, end of the lockout, proxy.
 * Holds: a header gets one form, whatever the case of its letters, and the one
 * that a second, simpler reader chooses where that one dares to; and in each
 * form every answer is well-formed, in plain ASCII, of its length, and the
 * same twice.
 */
#include "guard_reply_body.h"
#include "fuzz.h"

#include <apr_strings.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

const char fuzz_target[] = "answer";

/* ---- a second reader of Accept, for headers without quotes ---- */

static const char TOKEN[] = "abcdefghijklmnopqrstuvwxyz"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                            "0123456789!#$%&'*+-.^_`|~";

static char *trim(char *text)
{
    size_t length;

    text += strspn(text, " \t");
    length = strlen(text);
    while (length && strchr(" \t", text[length - 1])) {
        text[--length] = '\0';
    }
    return text;
}

/* @return thousandths, or -1 for what is no weight. */
static int weight_of(const char *text)
{
    size_t length = strlen(text);
    double value = atof(text);

    if (!length || length > 5 || strspn(text, "0123456789.") != length ||
        (text[0] != '0' && text[0] != '1') || (length > 1 && text[1] != '.') ||
        (length > 2 && strchr(text + 2, '.')) || value > 1) {
        return -1;
    }
    return (int)(value * 1000 + 0.5);
}

/* Read what follows the type. @return the weight, or -1 for nonsense; *plain
 * is 0 if the type has parameters. */
static int read_parameters(char *text, int *plain)
{
    int weight = 1000, weighed = 0;
    char *next;

    for (; text; text = next) {
        char *equals;

        next = strchr(text, ';');
        if (next) {
            *next++ = '\0';
        }
        text = trim(text);
        equals = strchr(text, '=');
        if (equals) {
            *equals++ = '\0';
        }
        if (text[strspn(text, TOKEN)] ||
            (equals && (!*text || equals[strspn(equals, TOKEN)]))) {
            return -1;
        }
        if (weighed || !*text) {
            continue;
        }
        if (strcasecmp(text, "q")) {
            *plain = 0;
            continue;
        }
        weighed = 1;
        weight = weight_of(equals ? equals : "");
        if (weight < 0) {
            return -1;
        }
    }
    return weight;
}

#define FORMS 3

/* How closely a type means a form: 0, not at all. */
static int closeness(const char *type, int form, int plain)
{
    static const char *const name[FORMS] = {
        "text/html", "application/problem+json", "text/plain"};
    static const char *const alias[FORMS] = {"application/xhtml+xml",
                                             "application/json", ""};
    static const char *const any[FORMS] = {"text/*", "application/*", "text/*"};

    if (!strcasecmp(type, name[form])) {
        return plain ? 4 : 3;
    }
    if (!strcasecmp(type, alias[form])) {
        return 3;
    }
    return !strcasecmp(type, any[form]) ? 2 : !strcmp(type, "*/*");
}

static guard_body_e choose(char *header)
{
    int close[FORMS] = {0}, weight[FORMS] = {0}, best = 0;
    char *next;

    for (char *member = header; member; member = next) {
        int plain = 1, mine;
        char *slash, *parameters;

        next = strchr(member, ',');
        if (next) {
            *next++ = '\0';
        }
        parameters = strchr(member, ';');
        if (parameters) {
            *parameters++ = '\0';
        }
        member = trim(member);
        slash = strchr(member, '/');
        mine = read_parameters(parameters, &plain);
        if (mine < 0 || !slash || slash == member || !slash[1] ||
            strspn(member, TOKEN) != (size_t)(slash - member) ||
            slash[1 + strspn(slash + 1, TOKEN)]) {
            continue;
        }
        for (int form = 0; form < FORMS; form++) {
            int near = closeness(member, form, plain);

            if (near > close[form]) {
                weight[form] = mine;
                close[form] = near;
            } else if (near && near == close[form] && mine > weight[form]) {
                weight[form] = mine;
            }
        }
    }
    for (int form = 1; form < FORMS; form++) {
        best = weight[form] > weight[best] ? form : best;
    }
    return (guard_body_e)(GUARD_BODY_HTML + best);
}

static unsigned count_commas(const char *text)
{
    unsigned count = 0;

    while ((text = strchr(text, ','))) {
        text++;
        count++;
    }
    return count;
}

static void try_accept(apr_pool_t *pool, const char *header)
{
    guard_body_e form = guard_body_negotiate(header);
    char *upper = apr_pstrdup(pool, header);

    fuzz_must(form == GUARD_BODY_HTML || form == GUARD_BODY_PROBLEM ||
                  form == GUARD_BODY_PLAIN,
              "a header gets one of three forms");
    for (char *at = upper; *at; at++) {
        *at = (char)toupper((unsigned char)*at);
    }
    fuzz_must(guard_body_negotiate(upper) == form, "in capitals the same");
    if (!strchr(header, '"') &&
        count_commas(header) < GUARD_ACCEPT_RANGES_MAX) {
        fuzz_must(choose(apr_pstrdup(pool, header)) == form,
                  "both readers choose one form");
    }
}

/* ---- the answers ---- */

static void must_be_plain(const char *body, apr_size_t length)
{
    fuzz_must(strlen(body) == length, "a body has its length");
    for (apr_size_t i = 0; i < length; i++) {
        fuzz_must((body[i] >= ' ' && body[i] <= '~') || body[i] == '\n',
                  "a body is plain ASCII");
    }
}

#define DEPTH_MAX 16

/* Tags that are open. */
typedef struct stack_t {
    const char *name[DEPTH_MAX];
    size_t length[DEPTH_MAX];
    unsigned depth;
} tags_t;

static int has_no_end(const char *name, size_t length)
{
    return (length == 4 &&
            (!strncmp(name, "meta", 4) || !strncmp(name, "link", 4)));
}

/* From behind the "<" of a tag. @return what follows its ">". */
static const char *read_tag(const char *at, tags_t *open)
{
    int closes = *at == '/';
    const char *name = at + closes;
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789");

    fuzz_must(length > 0, "a tag has a name");
    for (at = name + length; *at == ' ';) {
        at +=
            1 + strspn(at + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
                               "UVWXYZ-");
        fuzz_must(!strncmp(at, "=\"", 2), "an attribute has a value in quotes");
        at += 2;
        at += strcspn(at, "\"<>&");
        fuzz_must(*at++ == '"', "and nothing else in them");
    }
    if (!strncmp(at, "/>", 2)) {
        return at + 2;
    }
    fuzz_must(*at == '>', "a tag ends");
    if (closes) {
        fuzz_must(open->depth > 0, "a tag closes what was opened");
        open->depth--;
        fuzz_must(open->length[open->depth] == length &&
                      !strncmp(open->name[open->depth], name, length),
                  "the last one that was opened");
    } else if (!has_no_end(name, length)) {
        fuzz_must(open->depth < DEPTH_MAX, "tags are not that deep");
        open->name[open->depth] = name;
        open->length[open->depth++] = length;
    }
    return at + 1;
}

/* A time for programs, where there is one: 2026-11-21T17:48:16Z */
static void must_be_time(const char *body)
{
    static const char form[] = "0000-00-00T00:00:00Z\"";
    const char *at = strstr(body, "datetime=\"");

    for (size_t i = 0; at && form[i]; i++) {
        char byte = at[strlen("datetime=\"") + i];

        fuzz_must(form[i] == '0' ? isdigit((unsigned char)byte) != 0
                                 : byte == form[i],
                  "a time is in the form for times");
    }
}

static void must_be_html(const char *body)
{
    static const char doctype[] = "<!DOCTYPE html>\n";
    tags_t open = {.depth = 0};
    const char *at = body + sizeof(doctype) - 1;

    fuzz_must(!strncmp(body, doctype, sizeof(doctype) - 1), "a page begins so");
    while (*at) {
        if (*at == '<') {
            const char *tag = at + 1;

            at = read_tag(tag, &open);
            fuzz_must(strncmp(tag, "script", 6) != 0, "no script");
            if (!strncmp(tag, "style>", 6)) {
                at = strstr(at, "</style>");
                fuzz_must(at != NULL, "a style ends");
            }
            continue;
        }
        fuzz_must(*at != '>' && *at != '&', "text has nothing of markup");
        at++;
    }
    fuzz_must(!open.depth, "all tags are closed");
}

/* @return what follows the string at at. */
static const char *read_string(const char *at)
{
    fuzz_must(*at == '"', "a string begins with a quote");
    at++;
    at += strcspn(at, "\"\\<\n");
    fuzz_must(*at == '"', "and ends with one, with nothing to escape in it");
    return at + 1;
}

static void must_be_json(const char *at, int status)
{
    int members = 0;

    fuzz_must(*at == '{', "an object");
    do {
        const char *name = at + 2;

        at = read_string(at + 1);
        fuzz_must(*at++ == ':', "a name and a value");
        if (*at == '"') {
            at = read_string(at);
        } else {
            char *end;
            long value = strtol(at, &end, 10);

            fuzz_must(end > at && (*at != '0' || end == at + 1) && *at != '+',
                      "a whole number");
            fuzz_must(strncmp(name, "status\"", 7) || value == status,
                      "the status is the status");
            at = end;
        }
        members++;
    } while (*at == ',');
    fuzz_must(!strcmp(at, "}\n"), "that ends");
    fuzz_must(members == 5 || members == 6, "with all its members");
}

static void try_body(apr_pool_t *pool, const guard_body_t *what)
{
    for (int form = GUARD_BODY_HTML; form <= GUARD_BODY_PLAIN; form++) {
        apr_size_t length, length_again;
        const char *body =
            guard_body_render(pool, (guard_body_e)form, what, &length);
        const char *again =
            guard_body_render(pool, (guard_body_e)form, what, &length_again);

        must_be_plain(body, length);
        fuzz_must(!strcmp(body, again) && length == length_again,
                  "the same twice");
        fuzz_must(strstr(body, apr_psprintf(pool, "%u",
                                            (unsigned)what->status)) != NULL ||
                      what->status < 0,
                  "the status is told");
        if (form == GUARD_BODY_HTML) {
            must_be_html(body);
            must_be_time(body);
        } else if (form == GUARD_BODY_PROBLEM) {
            must_be_json(body, what->status);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool = fuzz_begin();
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    size_t length = end ? (size_t)(end - data) : size;
    fuzz_input_t rest = {.at = data + length + (end != NULL),
                         .end = data + size};
    guard_body_t what = {
        .answer =
            (guard_answer_e)(GUARD_ANSWER_NONE + 1 +
                             fuzz_take(&rest, 1) % (GUARD_ANSWER_MAX - 1))};

    try_accept(pool, fuzz_text(pool, data, length));
    what.status = (int)fuzz_take(&rest, 2);
    what.substatus = (int)fuzz_take(&rest, 4);
    what.retry_after_sec = (int)fuzz_take(&rest, 4);
    what.until = (apr_time_t)fuzz_take(&rest, 8);
    what.proxy = (int)fuzz_take(&rest, 1) & 1;
    try_body(pool, &what);
    fuzz_end();
    return 0;
}
