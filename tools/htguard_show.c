/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * htguard_show.c owns the words and JSON of htguard. It knows nothing of
 * stores, commands or exit statuses.
 *
 * Invariant: no byte of a record leaves unescaped, so what is printed is one
 * line of ASCII each.
 */
#include "htguard_show.h"
#include "guard_store_names.h"
#include "guard_text.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_user.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int htguard_show_begin(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDONLY); /* the lowest that is free */
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0) {
        return fcntl(STDIN_FILENO, F_GETFD) >= 0 &&
               fcntl(STDOUT_FILENO, F_GETFD) >= 0 &&
               fcntl(STDERR_FILENO, F_GETFD) >= 0;
    }
    close(fd);
    return 1;
}

static const char *escape(char out[HTGUARD_SHOWN_MAX], const char *text)
{
    return guard_text_encode(out, HTGUARD_SHOWN_MAX, text);
}

char *htguard_show_unescape(apr_pool_t *pool, const char *text)
{
    char *out = apr_pstrdup(pool, text);
    char *to = out;

    for (; *text; text++) {
        if (text[0] == '%' && apr_isxdigit(text[1]) && apr_isxdigit(text[2])) {
            char hex[3] = {text[1], text[2], '\0'};

            *to++ = (char)apr_strtoi64(hex, NULL, 16);
            text += 2;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
    return out;
}

const char *htguard_show_span(char out[HTGUARD_SPAN_BYTES], apr_int64_t sec)
{
    static const struct {
        apr_int64_t sec;
        const char *big;
        apr_int64_t part;
        const char *small;
    } unit[] = {
        {86400, "d", 3600, "h"}, {3600, "h", 60, "min"}, {60, "min", 1, "s"}};

    for (unsigned i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {
        if (sec >= unit[i].sec) {
            apr_snprintf(out, HTGUARD_SPAN_BYTES,
                         "%" APR_INT64_T_FMT "%s %" APR_INT64_T_FMT "%s",
                         sec / unit[i].sec, unit[i].big,
                         sec % unit[i].sec / unit[i].part, unit[i].small);
            return out;
        }
    }
    apr_snprintf(out, HTGUARD_SPAN_BYTES, "%" APR_INT64_T_FMT "s", sec);
    return out;
}

void htguard_show_json_begin(void)
{
    printf("{\"version\":%d", HTGUARD_JSON_VERSION);
}

void htguard_show_json(const guard_entry_t *entry)
{
    char scope[HTGUARD_SHOWN_MAX];
    char object[GUARD_ENTRY_JSON_BYTES];

    printf("%s",
           guard_entry_json(object, entry, escape(scope, entry->scope_name)));
}

const char *htguard_show_remedy(apr_status_t rv)
{
    if (APR_STATUS_IS_ENOENT(rv) || APR_STATUS_IS_ENOTDIR(rv)) {
        return "start httpd with the module, or name the file of "
               "AuthGuardStore with -f";
    }
    if (APR_STATUS_IS_EACCES(rv) || rv == APR_FROM_OS_ERROR(EPERM)) {
        return "run htguard as root";
    }
    if (rv == APR_FROM_OS_ERROR(EROFS)) {
        return "mount the file's file system for writing: htguard takes the "
               "locks in it also to read";
    }
    if (APR_STATUS_IS_ENOMEM(rv)) {
        return "free some memory, or list less: --locked, --scope S";
    }
    if (rv == APR_FROM_OS_ERROR(ENOTRECOVERABLE)) {
        return "again in ten seconds: httpd mends a file that somebody wrote "
               "over; or stop httpd first";
    }
    if (APR_STATUS_IS_TIMEUP(rv)) {
        return "again; if it stays so, a stopped process holds the file's "
               "lock: let it go on, or end it";
    }
    if (APR_STATUS_IS_EINVAL(rv) || rv == APR_FROM_OS_ERROR(EISDIR) ||
        rv == APR_FROM_OS_ERROR(ELOOP) || rv == APR_FROM_OS_ERROR(ENXIO)) {
        return "name the file of AuthGuardStore with -f, and use the htguard "
               "that came with the module";
    }
    return NULL;
}

const char *htguard_show_user_name(apr_pool_t *pool)
{
    const char *sudoer = getenv("SUDO_USER");
    char *name = NULL;
    apr_uid_t uid;
    apr_gid_t gid;

    if (sudoer) {
        return sudoer;
    }
    if (apr_uid_current(&uid, &gid, pool) != APR_SUCCESS ||
        apr_uid_name_get(&name, uid, pool) != APR_SUCCESS) {
        return "-";
    }
    return name;
}

static void show_string(const char *name, const char *value)
{
    char shown[HTGUARD_SHOWN_MAX];

    if (value) {
        printf(",\"%s\":\"%s\"", name, escape(shown, value));
    } else {
        printf(",\"%s\":null", name);
    }
}

void htguard_show_unlocked(const htguard_unlocked_t *what, int json)
{
    char shown[4][HTGUARD_SHOWN_MAX];

    if (json) {
        htguard_show_json_begin();
        show_string("client", what->client);
        show_string("user", what->user);
        show_string("scope", what->scope);
        printf(",\"count\":%u", what->count);
        show_string("by", what->by);
        printf("}\n");
        return;
    }
    printf("AG0103: unlocked: client=%s user=%s scope=%s count=%u by=%s\n",
           escape(shown[0], what->client ? what->client : "-"),
           escape(shown[1], what->user ? what->user : "-"),
           escape(shown[2], what->scope ? what->scope : "-"), what->count,
           escape(shown[3], what->by));
}

void htguard_show_stats(const guard_stats_t *stats, unsigned count, int json)
{
    if (json) {
        htguard_show_json_begin();
    }
    for (unsigned i = 0; i < count; i++) {
        guard_number_t number = guard_stats_number(stats, i);

        printf(json ? ",\"%s\":%" APR_UINT64_T_FMT
                    : "%-20s %" APR_UINT64_T_FMT "\n",
               number.name, (apr_uint64_t)number.value);
    }
    printf("%s", json ? "}\n" : "");
}
