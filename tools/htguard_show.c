/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * htguard_show.c owns the words, columns and JSON of htguard. It knows nothing
 * of stores, commands or exit statuses.
 *
 * Invariant: no byte of a record leaves unescaped, so what is printed is one
 * line of ASCII each.
 */
#include "htguard_show.h"
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

/** Whole seconds left, rounded up: a lockout never shows as 0. */
static apr_int64_t seconds(apr_interval_time_t usec)
{
    return (usec + APR_USEC_PER_SEC - 1) / APR_USEC_PER_SEC;
}

/** Write a time in its two largest units, named as in directives. */
static const char *format_span(char out[32], apr_interval_time_t usec)
{
    static const struct {
        apr_int64_t sec;
        const char *big;
        apr_int64_t part;
        const char *small;
    } unit[] = {
        {86400, "d", 3600, "h"}, {3600, "h", 60, "min"}, {60, "min", 1, "s"}};
    apr_int64_t sec = seconds(usec);

    for (unsigned i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {
        if (sec >= unit[i].sec) {
            apr_snprintf(out, 32,
                         "%" APR_INT64_T_FMT "%s %" APR_INT64_T_FMT "%s",
                         sec / unit[i].sec, unit[i].big,
                         sec % unit[i].sec / unit[i].part, unit[i].small);
            return out;
        }
    }
    apr_snprintf(out, 32, "%" APR_INT64_T_FMT "s", sec);
    return out;
}

static const char *format_client(char out[GUARD_CIDR_TEXT_MAX],
                                 const guard_entry_t *entry)
{
    if (entry->bits == 0) {
        return "-"; /* no address: a user, or the shared overflow */
    }
    if (entry->bits == GUARD_ADDR_BITS) {
        return guard_addr_format(out, &entry->addr);
    }
    return guard_cidr_format(out, &entry->addr, entry->bits);
}

static const char *state_name(guard_phase_e phase)
{
    switch (phase) {
    case GUARD_PHASE_LOCKED:
        return "locked";
    case GUARD_PHASE_WINDOW:
        return "counting";
    case GUARD_PHASE_CALM:
        break;
    }
    return "calm";
}

/** Print one record as a row of the table. The scope comes last, for its
 *  length has no bound worth a column. */
void htguard_show_row(const guard_entry_t *entry)
{
    char client[GUARD_CIDR_TEXT_MAX];
    char scope[HTGUARD_SHOWN_MAX];
    char count[16];
    char span[32];
    char state[32];

    apr_snprintf(count, sizeof(count), "%u/%u", entry->failures, entry->limit);
    apr_snprintf(state, sizeof(state), "%s%s", state_name(entry->phase),
                 entry->counted == GUARD_COUNTED_OBSERVED ? "/observed" : "");
    printf("%-24s %-8s %-17s %8s %5u %10s  %s\n", format_client(client, entry),
           guard_kind_name(entry->kind), state, count, entry->level,
           entry->remaining_usec ? format_span(span, entry->remaining_usec)
                                 : "-",
           entry->scope_name[0] ? escape(scope, entry->scope_name) : "-");
}

void htguard_show_json(const guard_entry_t *entry)
{
    const char *quote = entry->bits ? "\"" : "";
    char client[GUARD_CIDR_TEXT_MAX];
    char scope[HTGUARD_SHOWN_MAX];

    printf("{\"client\":%s%s%s,\"key\":\"%s\",\"scope\":\"%s\","
           "\"state\":\"%s\",\"observed\":%s,\"failures\":%u,\"limit\":%u,"
           "\"level\":%u,\"remaining_sec\":%" APR_INT64_T_FMT
           ",\"in_flight\":%u}",
           quote, entry->bits ? format_client(client, entry) : "null", quote,
           guard_kind_name(entry->kind), escape(scope, entry->scope_name),
           state_name(entry->phase),
           entry->counted == GUARD_COUNTED_OBSERVED ? "true" : "false",
           entry->failures, entry->limit, entry->level,
           seconds(entry->remaining_usec), entry->in_flight);
}

const char *htguard_show_remedy(apr_status_t rv)
{
    if (APR_STATUS_IS_ENOENT(rv)) {
        return "start httpd with the module, or name the file of "
               "AuthGuardStore with -f";
    }
    if (APR_STATUS_IS_EACCES(rv) || rv == APR_FROM_OS_ERROR(EPERM)) {
        return "run htguard as root";
    }
    if (APR_STATUS_IS_EINVAL(rv)) {
        return "name the file of AuthGuardStore with -f, and use the htguard "
               "that came with the module";
    }
    if (rv == APR_FROM_OS_ERROR(ENOTRECOVERABLE)) {
        return "again in ten seconds: httpd mends a file that somebody wrote "
               "over; or stop httpd first";
    }
    return APR_STATUS_IS_TIMEUP(rv) ? "try again" : NULL;
}

void htguard_show_heading(void)
{
    printf("%-24s %-8s %-17s %8s %5s %10s  %s\n", "CLIENT", "KEY", "STATE",
           "FAILURES", "LEVEL", "REMAINING", "SCOPE");
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

void htguard_show_unlocked(const char *client, const char *user,
                           const char *scope, unsigned count, const char *by)
{
    char shown[4][HTGUARD_SHOWN_MAX];

    printf("AG0103: unlocked: client=%s user=%s scope=%s count=%u by=%s\n",
           escape(shown[0], client ? client : "-"),
           escape(shown[1], user ? user : "-"),
           escape(shown[2], scope ? scope : "-"), count, escape(shown[3], by));
}

/** The counters' names, in the words of the metrics. */
static const char *const counter_names[GUARD_COUNT_MAX] = {
    [GUARD_COUNT_OK] = "attempts_ok",
    [GUARD_COUNT_FAILED] = "attempts_failed",
    [GUARD_COUNT_REPEAT] = "attempts_repeat",
    [GUARD_COUNT_LOCKED] = "attempts_locked",
    [GUARD_COUNT_BUSY] = "attempts_busy",
    [GUARD_COUNT_OVERLOAD] = "attempts_overload",
    [GUARD_COUNT_ABANDONED] = "attempts_abandoned",
    [GUARD_COUNT_EXEMPT] = "attempts_exempt",
    [GUARD_COUNT_REFUSED_LOCKED] = "refused_locked",
    [GUARD_COUNT_REFUSED_REPEAT] = "refused_repeat",
    [GUARD_COUNT_REFUSED_BUSY] = "refused_busy",
    [GUARD_COUNT_REFUSED_OVERLOAD] = "refused_overload",
    [GUARD_COUNT_LOCKOUTS] = "lockouts",
    [GUARD_COUNT_EVICTIONS] = "evictions",
    [GUARD_COUNT_OVERFLOW] = "overflow",
    [GUARD_COUNT_RECOVERIES] = "recoveries",
};

static void show_number(const char *name, uint64_t value, int json)
{
    printf(json ? "\"%s\":%" APR_UINT64_T_FMT : "%-20s %" APR_UINT64_T_FMT,
           name, (apr_uint64_t)value);
}

void htguard_show_stats(const guard_stats_t *stats, int json)
{
    const char *between = json ? "," : "\n";

    printf("%s", json ? "{" : "");
    show_number("clients_locked", stats->clients_locked, json);
    printf("%s", between);
    show_number("clients_tracked", stats->clients_tracked, json);
    printf("%s", between);
    show_number("table_size", stats->table_size, json);
    for (unsigned i = 0; i < GUARD_COUNT_MAX; i++) {
        printf("%s", between);
        show_number(counter_names[i], stats->counter[i], json);
    }
    printf("%s\n", json ? "}" : "");
}
