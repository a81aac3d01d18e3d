/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_file.c owns the reading of secrets from files. It refuses
 * to know what they are for.
 *
 * Invariant: no copy of a secret is left behind but the one that was asked
 * for, and that one ends with its pool.
 */
#include "guard_store_redis_file.h"

#include <apr_sha1.h>
#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(GUARD_REDIS_SECRET_MIN == 16, "named below");
_Static_assert(GUARD_REDIS_SECRET_MAX == 4096, "named below");
_Static_assert(GUARD_REDIS_PASSWORD_MAX == 512, "named below");
_Static_assert(sizeof(guard_secret_t) <= APR_SHA1_DIGESTSIZE, "one digest");

static const char *say(apr_pool_t *pool, const char *what, int error)
{
    char text[120];

    return apr_psprintf(pool, "%s: %s", what,
                        apr_strerror(error, text, sizeof(text)));
}

/* @return NULL and *out, or what is wrong */
static const char *open_file(int *out, const char *path, int is_secret,
                             apr_pool_t *pool)
{
    /* A pipe would wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *wrong = NULL;
    struct stat state;

    if (fd < 0 || fstat(fd, &state)) {
        wrong = say(pool, "this file can't be read", errno);
    } else if (!S_ISREG(state.st_mode)) {
        wrong = "this must be a plain file";
    } else if (is_secret && (state.st_mode & S_IRWXO)) {
        wrong = "others have access to this file; it needs chmod o-rwx";
    }
    if (wrong && fd >= 0) {
        close(fd);
    }
    *out = wrong ? -1 : fd;
    return wrong;
}

/* Read at most size bytes. */
static const char *slurp(char *buf, size_t size, size_t *length,
                         const char *path, apr_pool_t *pool)
{
    int fd;
    const char *wrong = open_file(&fd, path, 1, pool);
    ssize_t got = 1;

    *length = 0;
    while (!wrong && got > 0 && *length < size) {
        got = read(fd, buf + *length, size - *length);
        if (got > 0) {
            *length += (size_t)got;
        } else if (got < 0 && errno == EINTR) {
            got = 1;
        } else if (got < 0) {
            wrong = say(pool, "this file can't be read", errno);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return wrong;
}

static apr_status_t wipe(void *text)
{
    explicit_bzero(text, strlen(text));
    return APR_SUCCESS;
}

const char *guard_redis_file_keep(const char **out, const char *password,
                                  apr_pool_t *pool)
{
    char *kept;

    if (strlen(password) > GUARD_REDIS_PASSWORD_MAX) {
        return "a password may have 512 bytes at most";
    }
    if (!*password) {
        return "the password is empty";
    }
    kept = apr_pstrdup(pool, password);
    apr_pool_cleanup_register(pool, kept, wipe, apr_pool_cleanup_null);
    *out = kept;
    return NULL;
}

const char *guard_redis_file_password(const char **out, const char *path,
                                      apr_pool_t *pool)
{
    char buf[GUARD_REDIS_PASSWORD_MAX + 3]; /* one too many, CR, NUL */
    size_t length;
    const char *wrong = slurp(buf, sizeof(buf) - 1, &length, path, pool);

    if (!wrong) {
        buf[length] = '\0';
        buf[strcspn(buf, "\r\n")] = '\0';
        wrong = *buf ? guard_redis_file_keep(out, buf, pool)
                     : "the first line of this file must be the password";
    }
    explicit_bzero(buf, sizeof(buf));
    return wrong;
}

/* SHA-1 can't be turned back, and that is all that is asked of it here: two
 * keys from one text, of which neither tells anything. */
static void derive(guard_secret_t *out, const char *label, const char *content,
                   size_t length)
{
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    apr_sha1_ctx_t context;

    apr_sha1_init(&context);
    apr_sha1_update(&context, label, (unsigned)strlen(label) + 1);
    apr_sha1_update(&context, content, (unsigned)length);
    apr_sha1_final(digest, &context);
    memcpy(out->byte, digest, sizeof(out->byte));
    explicit_bzero(&context, sizeof(context));
    explicit_bzero(digest, sizeof(digest));
}

const char *guard_redis_file_secret(guard_secret_t out[2], const char *path,
                                    apr_pool_t *pool)
{
    char buf[GUARD_REDIS_SECRET_MAX + 1];
    size_t length;
    const char *wrong = slurp(buf, sizeof(buf), &length, path, pool);

    if (!wrong && length > GUARD_REDIS_SECRET_MAX) {
        wrong = "a secret may have 4096 bytes at most";
    }
    while (!wrong && length && strchr(" \t\r\n", buf[length - 1])) {
        length--;
    }
    if (!wrong && length < GUARD_REDIS_SECRET_MIN) {
        wrong = "a secret must have at least 16 bytes, as from: "
                "openssl rand -hex 32";
    }
    if (!wrong) {
        derive(&out[0], "mod_auth_guard table", buf, length);
        derive(&out[1], "mod_auth_guard guess", buf, length);
    }
    explicit_bzero(buf, sizeof(buf));
    return wrong;
}

const char *guard_redis_file_check(const char *path, int is_secret,
                                   apr_pool_t *pool)
{
    int fd;
    const char *wrong = open_file(&fd, path, is_secret, pool);

    if (!wrong) {
        close(fd);
    }
    return wrong;
}
