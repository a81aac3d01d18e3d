/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * redis_tls.c: TLS with a real server: the right certificate for a name and
 * for an address; and another CA, another name, one that has expired, one of
 * nobody's, none at all, a server that goes silent or that drips: each is
 * refused, in time.
 */
#include "guard_store_redis_url.h"
#include "redis_fake.h"
#include "redis_server.h"

static redisContext *server;
static guard_redis_address_t port;

#define FILES                                                                  \
    "ca.pem ca.key ca.srl other.pem other.key name.pem expired.pem "           \
    "self.pem key.pem request.pem san client.pem"

/* ---- certificates ---- */

static const char *in_dir(const char *name)
{
    return apr_pstrcat(fake_pool, redis_server_dir, "/", name, NULL);
}

static int run(const char *command)
{
    return system(apr_psprintf(fake_pool, "cd %s && exec >/dev/null 2>&1; %s",
                               redis_server_dir, command)) == 0;
}

#define EC "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
#define SIGN                                                                   \
    "openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key "              \
    "-CAcreateserial -extfile san"

static int make_certificates(void)
{
    return run("openssl req -x509 " EC " -keyout ca.key -out ca.pem "
               "-subj /CN=ca -days 2") &&
           run("openssl req -x509 " EC " -keyout other.key -out other.pem "
               "-subj /CN=other -days 2") &&
           run("openssl req " EC " -keyout key.pem -out request.pem "
               "-subj /CN=cache") &&
           run("openssl req -x509 -key key.pem -out self.pem -days 2 "
               "-subj /CN=localhost -addext "
               "subjectAltName=DNS:localhost,IP:127.0.0.1") &&
           run("echo subjectAltName=DNS:localhost,IP:127.0.0.1 >san; " SIGN
               " -days 2 -out name.pem && " SIGN
               " -days -1 -out expired.pem") &&
           run("echo subjectAltName=DNS:cache.example.org,IP:127.0.0.2 "
               ">san; " SIGN " -days 2 -out client.pem");
}

/* @return 1 if the server speaks TLS now, by that certificate */
static int show_certificate(const char *name)
{
    redisReply *reply =
        redis_server_say(server, "CONFIG SET tls-cert-file %s tls-key-file %s",
                         in_dir(name), in_dir("key.pem"));
    int is_done = reply->type != REDIS_REPLY_ERROR;

    freeReplyObject(reply);
    return is_done;
}

static int open_port(void)
{
    fake_t free_port = fake_listen(1);
    struct sockaddr_in addr;
    redisReply *reply;
    int is_done;

    memcpy(&addr, &free_port.address.addr, sizeof(addr));
    port = free_port.address;
    close(free_port.listener);
    reply = redis_server_say(
        server,
        "CONFIG SET tls-cert-file %s tls-key-file %s tls-ca-cert-file %s "
        "tls-auth-clients no tls-port %d",
        in_dir("name.pem"), in_dir("key.pem"), in_dir("ca.pem"),
        ntohs(addr.sin_port));
    is_done = reply->type != REDIS_REPLY_ERROR;
    freeReplyObject(reply);
    return is_done;
}

/* ---- what comes of it ---- */

static guard_redis_wire_t *make_wire(guard_redis_target_t *target)
{
    const char *wrong = guard_redis_target_prepare(target, fake_pool);

    fake_must(!wrong, wrong);
    return fake_wire(target);
}

static void must_work(guard_redis_target_t target, const char *name)
{
    guard_redis_wire_t *wire = make_wire(&target);

    ok(guard_redis_wire_connect(wire, &port, 1, fake_later()) ==
           GUARD_REDIS_FINE,
       "%s: %s", name, guard_redis_wire_trouble(wire));
    fake_ask(wire, "PING", fake_later());
    is_str(fake_heard, "+PONG", "  answers");
    is(guard_redis_wire_connect(wire, &port, 1, fake_later()), GUARD_REDIS_FINE,
       "  stays");
    is(guard_redis_wire_is_fresh(wire), 0, "  on one connection");
    guard_redis_wire_close(wire);
}

static void must_fail(guard_redis_target_t target, const char *trouble,
                      const char *name)
{
    guard_redis_wire_t *wire = make_wire(&target);

    is(guard_redis_wire_connect(wire, &port, 1, fake_later()),
       GUARD_REDIS_CONNECTION, name);
    ok(strstr(guard_redis_wire_trouble(wire), trouble) != NULL, "  trouble: %s",
       guard_redis_wire_trouble(wire));
    is(guard_redis_wire_is_open(wire), 0, "  and it is closed");
}

static void certificates(void)
{
    guard_redis_target_t name = {
        .is_tls = 1, .host = "localhost", .ca_file = in_dir("ca.pem")};
    guard_redis_target_t address = name, other = name, ours = name;

    address.host = "127.0.0.1";
    other.ca_file = in_dir("other.pem");
    ours.ca_file = NULL;
    must_work(name, "a name");
    must_work(address, "an address");
    must_fail(other, "certificate verify failed", "another CA");
    must_fail(ours, "certificate verify failed", "the system's CAs");
    show_certificate("client.pem");
    must_fail(name, "hostname mismatch", "another name");
    must_fail(address, "IP address mismatch", "another address");
    show_certificate("expired.pem");
    must_fail(name, "certificate has expired", "a certificate that expired");
    show_certificate("self.pem");
    must_fail(name, "self-signed certificate", "a certificate of his own");
    show_certificate("name.pem");
    must_work(name, "the right one again");
}

static void certificate_of_ours(void)
{
    guard_redis_target_t with = {.is_tls = 1,
                                 .host = "localhost",
                                 .ca_file = in_dir("ca.pem"),
                                 .cert_file = in_dir("client.pem"),
                                 .key_file = in_dir("key.pem")};
    guard_redis_target_t without = with;
    guard_redis_wire_t *wire;
    guard_redis_cause_e cause;

    without.cert_file = without.key_file = NULL;
    freeReplyObject(
        redis_server_say(server, "CONFIG SET tls-auth-clients yes"));
    must_work(with, "a server that asks for our certificate");
    wire = make_wire(&without);
    cause = guard_redis_wire_connect(wire, &port, 1, fake_later());
    if (cause == GUARD_REDIS_FINE) { /* TLS 1.3: it hears of it later */
        cause = fake_ask(wire, "PING", fake_later());
    }
    is(cause, GUARD_REDIS_CONNECTION, "  and gets none");
    freeReplyObject(redis_server_say(server, "CONFIG SET tls-auth-clients no"));
}

static void large_replies(void)
{
    guard_redis_target_t target = {
        .is_tls = 1, .host = "localhost", .ca_file = in_dir("ca.pem")};
    guard_redis_wire_t *wire = make_wire(&target);
    guard_redis_command_t command[400];

    for (unsigned i = 0; i < 400; i++) {
        command[i] =
            fake_command(apr_psprintf(fake_pool, "SETRANGE key-%u 5000 x", i))
                ->command;
    }
    guard_redis_wire_connect(wire, &port, 1, fake_later());
    is(guard_redis_wire_ask(wire, command, 400, fake_later(), fake_note, NULL),
       GUARD_REDIS_FINE, "many commands");
    for (unsigned i = 0; i < 400; i++) {
        command[i] = fake_command(apr_psprintf(fake_pool,
                                               "GETRANGE key-%u 4990 5000", i))
                         ->command;
    }
    is(guard_redis_wire_ask(wire, command, 400, fake_later(), fake_note, NULL),
       GUARD_REDIS_FINE, "many replies");
    is(fake_ask(wire, "MGET key-1 key-2 key-3 key-4 key-5 key-6 key-7",
                fake_later()),
       GUARD_REDIS_FINE, "a reply of more than one record");
    is_str(fake_heard, "[7]", "  whole");
}

static void listening(void)
{
    guard_redis_target_t target = {
        .is_tls = 1, .host = "localhost", .ca_file = in_dir("ca.pem")};
    guard_redis_wire_t *wire = make_wire(&target);

    guard_redis_wire_connect(wire, &port, 1, fake_later());
    is(guard_redis_wire_listen(wire, "events", fake_later()), GUARD_REDIS_FINE,
       "listening");
    freeReplyObject(redis_server_say(server, "PUBLISH events locked"));
    *fake_heard = '\0';
    for (unsigned i = 0; i < 2000 && !*fake_heard; i++) {
        guard_redis_wire_poll(wire, fake_note, NULL);
        fake_pause(5);
    }
    is_str(fake_heard, "[3]", "  and hearing");
}

static void closed_by_the_server(void)
{
    guard_redis_target_t target = {
        .is_tls = 1, .host = "localhost", .ca_file = in_dir("ca.pem")};
    guard_redis_wire_t *wire = make_wire(&target);

    guard_redis_wire_connect(wire, &port, 1, fake_later());
    fake_ask(wire, "PING", fake_later());
    freeReplyObject(redis_server_say(server, "CLIENT KILL TYPE normal"));
    is(guard_redis_wire_connect(wire, &port, 1, fake_later()), GUARD_REDIS_FINE,
       "after CLIENT KILL: connected");
    is(guard_redis_wire_is_fresh(wire), 1, "  anew");
    fake_ask(wire, "PING", fake_later());
    freeReplyObject(redis_server_say(server, "CLIENT KILL TYPE normal"));
    is(fake_ask(wire, "PING", fake_later()), GUARD_REDIS_CONNECTION,
       "killed unseen");
}

/* ---- no server of TLS's ---- */

static void say_at_once(int fd, const char *text)
{
    fake_say(fd, text);
    while (fake_hear(fd)) {
    }
}

/* The head of a record, and then its bytes, for ever. */
static void drip(int fd, const char *text)
{
    for (unsigned i = 0; i < 400; i++) {
        if (write(fd, i < 5 ? text + i : "x", 1) <= 0) {
            return;
        }
        fake_pause(15);
    }
}

static void must_be_given_up(fake_act_fn *act, const char *text,
                             guard_redis_cause_e cause, const char *name)
{
    guard_redis_target_t target = {.is_tls = 1,
                                   .host = "localhost",
                                   .ca_file = in_dir("ca.pem"),
                                   .password = "a password"};
    fake_t fake = fake_start(act, text);
    guard_redis_wire_t *wire = make_wire(&target);
    long long late_usec = FAKE_LATE_USEC;
    guard_redis_cause_e got = GUARD_REDIS_CAUSES;

    for (unsigned i = 0;
         i < FAKE_TRIES && (got != cause || late_usec >= FAKE_LATE_USEC); i++) {
        uint64_t deadline_usec = fake_soon();

        got = guard_redis_wire_connect(wire, &fake.address, 1, deadline_usec);
        late_usec = (long long)(guard_store_clock() - deadline_usec);
    }
    is_str(guard_redis_cause_name(got), guard_redis_cause_name(cause), name);
    ok(late_usec < FAKE_LATE_USEC, "  in time: %lld ms beyond the deadline",
       late_usec / 1000);
    printf("# %s\n", guard_redis_wire_trouble(wire));
    fake_stop(&fake);
}

static void not_prepared(void)
{
    guard_redis_target_t target = {.is_tls = 1, .host = "localhost"};
    guard_redis_wire_t *wire;

    is(guard_redis_wire_create(&wire, &target, fake_pool), APR_EINIT,
       "TLS has to be prepared");
    target.ca_file = in_dir("san");
    ok(guard_redis_target_prepare(&target, fake_pool) != NULL,
       "a file of no CA: %s", guard_redis_target_prepare(&target, fake_pool));
    target.ca_file = NULL;
    target.cert_file = in_dir("name.pem");
    target.key_file = in_dir("ca.key");
    ok(guard_redis_target_prepare(&target, fake_pool) != NULL,
       "a key of another certificate: %s",
       guard_redis_target_prepare(&target, fake_pool));
}

static void remove_files(void)
{
    char *last, *names = apr_pstrdup(fake_pool, FILES);

    for (char *name = apr_strtok(names, " ", &last); name;
         name = apr_strtok(NULL, " ", &last)) {
        unlink(in_dir(name));
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&fake_pool, NULL);
    server = guard_redis_has_tls() ? redis_server_start() : NULL;
    if (!server) {
        return redis_server_skip();
    }
    fake_must(make_certificates(), "certificates by openssl(1)");
    not_prepared();
    must_be_given_up(say_at_once, "", GUARD_REDIS_TIMEOUT, "silence");
    must_be_given_up(say_at_once, "-ERR no TLS here\r\n",
                     GUARD_REDIS_CONNECTION, "a server without TLS");
    must_be_given_up(drip,
                     "\x16\x03\x03\x10"
                     "x",
                     GUARD_REDIS_TIMEOUT, "a byte now and then");
    if (open_port()) {
        certificates();
        certificate_of_ours();
        large_replies();
        listening();
        closed_by_the_server();
    }
    remove_files();
    redisFree(server);
    apr_pool_destroy(fake_pool);
    return tap_done();
}
