/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_store_redis_tls.c owns all that is OpenSSL's. It refuses to know
 * Redis, and time: whoever calls waits for the socket.
 *
 * OpenSSL's own socket layer writes by write(2), which raises SIGPIPE, and
 * htguard has no handler for it; so the layer is one of ours.
 *
 * Invariant: no byte of Redis's goes over a session whose certificate was not
 * verified for the configured host: there is no switch that turns it off.
 */
#include "guard_store_redis_tls.h"

#include <apr_strings.h>

#if GUARD_REDIS_TLS

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <string.h>

struct guard_redis_tls_t {
    SSL_CTX *context;  /* [fork] */
    BIO_METHOD *layer; /* [fork] */
    const char *host;  /* [fork] */
    int is_address;    /* [fork] host is no name */
};

/* A session is an SSL, and nothing else. */
static SSL *ssl_of(const guard_redis_session_t *session)
{
    return (SSL *)(uintptr_t)session;
}

static int fd_of(BIO *bio) { return (int)(intptr_t)BIO_get_data(bio); }

static int is_later(void) { return errno == EAGAIN || errno == EWOULDBLOCK; }

static int layer_read(BIO *bio, char *buf, int size)
{
    ssize_t got;

    do {
        got = recv(fd_of(bio), buf, (size_t)size, MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    BIO_clear_retry_flags(bio);
    if (got < 0 && is_later()) {
        BIO_set_retry_read(bio);
    }
    return (int)got;
}

static int layer_write(BIO *bio, const char *buf, int length)
{
    ssize_t put;

    do {
        put =
            send(fd_of(bio), buf, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    BIO_clear_retry_flags(bio);
    if (put < 0 && is_later()) {
        BIO_set_retry_write(bio);
    }
    return (int)put;
}

static long layer_control(BIO *bio, int command, long number, void *data)
{
    (void)bio, (void)number, (void)data;
    return command == BIO_CTRL_FLUSH;
}

static const char *last_error(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    return reason ? reason : "unknown error";
}

static const char *complain(apr_pool_t *pool, const char *what,
                            const char *file)
{
    const char *text =
        apr_psprintf(pool, "%s %s: %s", what, file ? file : "", last_error());

    ERR_clear_error();
    return text;
}

static apr_status_t end_tls(void *data)
{
    guard_redis_tls_t *tls = data;

    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->layer);
    return APR_SUCCESS;
}

static const char *load(guard_redis_tls_t *tls,
                        const guard_redis_target_t *target, apr_pool_t *pool)
{
    SSL_CTX *context = tls->context;

    if (target->ca_file) {
        if (!SSL_CTX_load_verify_locations(context, target->ca_file, NULL)) {
            return complain(pool, "can't use the CAs in", target->ca_file);
        }
    } else if (!SSL_CTX_set_default_verify_paths(context)) {
        return complain(pool, "can't use the system's CAs", NULL);
    }
    if (target->cert_file &&
        SSL_CTX_use_certificate_chain_file(context, target->cert_file) != 1) {
        return complain(pool, "can't use the certificate in",
                        target->cert_file);
    }
    if (target->key_file &&
        SSL_CTX_use_PrivateKey_file(context, target->key_file,
                                    SSL_FILETYPE_PEM) != 1) {
        return complain(pool, "can't use the key in", target->key_file);
    }
    return NULL;
}

static int make_layer(guard_redis_tls_t *tls)
{
    /* An index of its own would be used up by enough graceful restarts. */
    tls->layer = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "mod_auth_guard");
    return tls->layer && BIO_meth_set_read(tls->layer, layer_read) &&
           BIO_meth_set_write(tls->layer, layer_write) &&
           BIO_meth_set_ctrl(tls->layer, layer_control);
}

/* A key with a pass phrase would be asked for on the terminal. */
static int no_phrase(char *buf, int size, int is_write, void *data)
{
    (void)buf, (void)size, (void)is_write, (void)data;
    return -1;
}

const char *guard_redis_tls_prepare(guard_redis_tls_t **out,
                                    const guard_redis_target_t *target,
                                    apr_pool_t *pool)
{
    guard_redis_tls_t *tls = apr_pcalloc(pool, sizeof(*tls));
    unsigned char address[sizeof(struct in6_addr)];
    const char *wrong;

    ERR_clear_error();
    tls->host = apr_pstrdup(pool, target->host);
    tls->is_address = inet_pton(AF_INET, tls->host, address) == 1 ||
                      inet_pton(AF_INET6, tls->host, address) == 1;
    tls->context = SSL_CTX_new(TLS_client_method());
    apr_pool_cleanup_register(pool, tls, end_tls, apr_pool_cleanup_null);
    if (!tls->context || !make_layer(tls) ||
        !SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION)) {
        return complain(pool, "can't set up TLS", NULL);
    }
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(tls->context,
                        SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_quiet_shutdown(tls->context, 1);
    SSL_CTX_set_default_passwd_cb(tls->context, no_phrase);
    wrong = load(tls, target, pool);
    if (!wrong) {
        *out = tls;
    }
    return wrong;
}

/* The name is told to the server (SNI), an address never is. */
static int expect_host(SSL *ssl, const guard_redis_tls_t *tls)
{
    X509_VERIFY_PARAM *expected = SSL_get0_param(ssl);

    if (tls->is_address) {
        return X509_VERIFY_PARAM_set1_ip_asc(expected, tls->host) == 1;
    }
    X509_VERIFY_PARAM_set_hostflags(expected,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, tls->host) == 1 &&
           SSL_set_tlsext_host_name(ssl, tls->host) == 1;
}

guard_redis_session_t *guard_redis_session_begin(const guard_redis_tls_t *tls,
                                                 int fd)
{
    SSL *ssl;
    BIO *bio;

    ERR_clear_error();
    ssl = SSL_new(tls->context);
    bio = ssl ? BIO_new(tls->layer) : NULL;
    if (!bio || !expect_host(ssl, tls)) {
        BIO_free(bio);
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    BIO_set_data(bio, (void *)(intptr_t)fd);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_connect_state(ssl);
    return (guard_redis_session_t *)ssl;
}

/* @param result 1 if the call did what it should */
static guard_redis_io_e outcome(const SSL *ssl, int result)
{
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_NONE:
        return GUARD_REDIS_IO_DONE;
    case SSL_ERROR_WANT_READ:
        return GUARD_REDIS_IO_READ;
    case SSL_ERROR_WANT_WRITE:
        return GUARD_REDIS_IO_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return GUARD_REDIS_IO_CLOSED;
    default:
        return GUARD_REDIS_IO_FAILED;
    }
}

guard_redis_io_e guard_redis_session_shake(guard_redis_session_t *session,
                                           char *why, size_t size)
{
    SSL *ssl = ssl_of(session);
    guard_redis_io_e io;
    long verdict;

    ERR_clear_error();
    io = outcome(ssl, SSL_do_handshake(ssl));
    if (io == GUARD_REDIS_IO_FAILED) {
        verdict = SSL_get_verify_result(ssl);
        apr_snprintf(
            why, size, "%s%s%s",
            ERR_peek_last_error() ? last_error()
                                  : "the server closed the connection",
            verdict == X509_V_OK ? "" : ": ",
            verdict == X509_V_OK ? "" : X509_verify_cert_error_string(verdict));
    }
    ERR_clear_error();
    return io;
}

guard_redis_io_e guard_redis_session_read(guard_redis_session_t *session,
                                          char *buf, size_t size, size_t *got)
{
    guard_redis_io_e io;

    ERR_clear_error();
    io = outcome(ssl_of(session), SSL_read_ex(ssl_of(session), buf, size, got));
    ERR_clear_error();
    return io;
}

guard_redis_io_e guard_redis_session_write(guard_redis_session_t *session,
                                           const char *buf, size_t length,
                                           size_t *put)
{
    guard_redis_io_e io;

    ERR_clear_error();
    io = outcome(ssl_of(session),
                 SSL_write_ex(ssl_of(session), buf, length, put));
    ERR_clear_error();
    return io;
}

int guard_redis_session_has_more(const guard_redis_session_t *session)
{
    return SSL_pending(ssl_of(session)) > 0;
}

void guard_redis_session_end(guard_redis_session_t *session)
{
    SSL_free(ssl_of(session));
    ERR_clear_error();
}

#else

const char *guard_redis_tls_prepare(guard_redis_tls_t **out,
                                    const guard_redis_target_t *target,
                                    apr_pool_t *pool)
{
    (void)out, (void)target;
    return apr_pstrdup(pool, "this build has no TLS");
}

/* Nobody gets here: there is nothing prepared to begin with. */
guard_redis_session_t *guard_redis_session_begin(const guard_redis_tls_t *tls,
                                                 int fd)
{
    (void)tls, (void)fd;
    return NULL;
}

guard_redis_io_e guard_redis_session_shake(guard_redis_session_t *session,
                                           char *why, size_t size)
{
    (void)session;
    apr_cpystrn(why, "this build has no TLS", size);
    return GUARD_REDIS_IO_FAILED;
}

guard_redis_io_e guard_redis_session_read(guard_redis_session_t *session,
                                          char *buf, size_t size, size_t *got)
{
    (void)session, (void)buf, (void)size, (void)got;
    return GUARD_REDIS_IO_FAILED;
}

guard_redis_io_e guard_redis_session_write(guard_redis_session_t *session,
                                           const char *buf, size_t length,
                                           size_t *put)
{
    (void)session, (void)buf, (void)length, (void)put;
    return GUARD_REDIS_IO_FAILED;
}

int guard_redis_session_has_more(const guard_redis_session_t *session)
{
    (void)session;
    return 0;
}

void guard_redis_session_end(guard_redis_session_t *session) { (void)session; }

#endif
