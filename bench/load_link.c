/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * load_link: one connection of the bench's load.
 *
 * Owns a socket and two buffers. Knows as much HTTP as the bench's servers
 * speak: an answer with a Content-Length, or up to the connection's end.
 *
 * Invariant: a link is busy from link_begin until link_go_on says what became
 * of the request, or link_drop.
 */
#include "load_link.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SECRET_MAX = 256,
    PATH_LENGTH_MAX = 256,
    SECRET_LINE_MAX = 4 * SECRET_MAX + 32
};

uint64_t link_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

link_t *link_make(int count)
{
    link_t *links = calloc((size_t)count, sizeof(*links));

    if (!links) {
        perror("load");
        exit(1);
    }
    for (int i = 0; i < count; i++) {
        links[i].fd = -1;
        links[i].index = i;
    }
    return links;
}

void link_drop(link_t *link)
{
    if (link->fd >= 0) {
        close(link->fd);
    }
    link->fd = -1;
    link->is_busy = link->is_used = 0;
}

/* A connection that is kept has one address; else each request has the next. */
static uint32_t source(const link_t *link, const load_plan_t *plan)
{
    uint64_t number = plan->keep ? (uint64_t)link->index : link->nth;

    return plan->from + (uint32_t)(number % plan->addresses);
}

static int dial(link_t *link, const load_plan_t *plan, int epoll)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(plan->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(source(link, plan))};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = link};
    int yes = 1;

    link->is_used = 0;
    link->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (link->fd < 0) {
        return -1;
    }
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    setsockopt(link->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes,
               sizeof(yes));
    if (bind(link->fd, (struct sockaddr *)&from, sizeof(from)) ||
        (connect(link->fd, (struct sockaddr *)&to, sizeof(to)) &&
         errno != EINPROGRESS) ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, link->fd, &event)) {
        link_drop(link);
        return -1;
    }
    return 0;
}

static void encode(const char *plain, char *out)
{
    static const char digit[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(plain);

    for (size_t i = 0; i < length; i += 3) {
        uint32_t three = (uint32_t)(unsigned char)plain[i] << 16;

        three |=
            i + 1 < length ? (uint32_t)(unsigned char)plain[i + 1] << 8 : 0;
        three |= i + 2 < length ? (uint32_t)(unsigned char)plain[i + 2] : 0;
        *out++ = digit[three >> 18 & 63];
        *out++ = digit[three >> 12 & 63];
        *out++ = i + 1 < length ? digit[three >> 6 & 63] : '=';
        *out++ = i + 2 < length ? digit[three & 63] : '=';
    }
    *out = '\0';
}

/* The text, with the number in place of a `#`. */
static void put_number(char *out, size_t size, const char *text,
                       uint64_t number)
{
    size_t before = strcspn(text, "#");

    if (text[before]) {
        snprintf(out, size, "%.*s%lu%s", (int)before, text,
                 (unsigned long)number, text + before + 1);
    } else {
        snprintf(out, size, "%s", text);
    }
}

static void credentials(const load_plan_t *plan, uint64_t nth, char *line,
                        size_t size)
{
    char plain[2 * SECRET_MAX], coded[3 * SECRET_MAX], pass[SECRET_MAX];

    line[0] = '\0';
    if (!plan->user) {
        return;
    }
    put_number(pass, sizeof(pass), plan->pass ? plan->pass : "",
               plan->first + nth);
    snprintf(plain, sizeof(plain), "%.*s:%s", SECRET_MAX - 1, plan->user, pass);
    encode(plain, coded);
    snprintf(line, size, "Authorization: Basic %s\r\n", coded);
}

int link_begin(link_t *link, const load_plan_t *plan, uint64_t nth, int epoll)
{
    char line[SECRET_LINE_MAX], path[PATH_LENGTH_MAX];
    int length;

    credentials(plan, nth, line, sizeof(line));
    put_number(path, sizeof(path), plan->path, plan->first + nth);
    length = snprintf(link->out, sizeof(link->out),
                      "GET %s HTTP/1.1\r\nHost: localhost\r\n%s"
                      "User-Agent: curl/7.88.1\r\nAccept: */*\r\n%s\r\n",
                      path, line, plan->keep ? "" : "Connection: close\r\n");
    link->out_length = (size_t)length;
    link->out_sent = link->in_length = 0;
    link->nth = nth;
    link->began = link_clock();
    if (link->fd < 0 && dial(link, plan, epoll)) {
        return -1;
    }
    link->is_busy = 1;
    if (link->is_used) {
        link_go_on(link, plan, EPOLLOUT, epoll);
    }
    return 0;
}

static const char *find_header(const char *head, const char *end,
                               const char *name)
{
    size_t length = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line && line < end;
         line = strstr(line + 2, "\r\n")) {
        if (!strncasecmp(line + 2, name, length)) {
            return line + 2 + length;
        }
    }
    return NULL;
}

/* Is the answer whole? The connection is kept where the server keeps it. */
static link_state_e look(link_t *link, const load_plan_t *plan, int is_closed)
{
    const char *end, *length, *closes;
    size_t wanted;

    link->in[link->in_length] = '\0';
    end = strstr(link->in, "\r\n\r\n");
    if (!end || strncmp(link->in, "HTTP/1.", 7)) {
        return is_closed || end ? LINK_FAULT : LINK_BUSY;
    }
    length = find_header(link->in, end, "content-length:");
    closes = find_header(link->in, end, "connection: close");
    wanted =
        (size_t)(end + 4 - link->in) + (length ? strtoul(length, NULL, 10) : 0);
    if (!is_closed && (!length || link->in_length < wanted)) {
        return LINK_BUSY;
    }
    if (link->in_length < wanted) {
        return LINK_FAULT;
    }
    link->status = atoi(link->in + 9);
    link->is_busy = 0;
    link->is_used = 1;
    if (is_closed || closes || !plan->keep) {
        link_drop(link);
    }
    return LINK_ANSWERED;
}

static link_state_e receive(link_t *link, const load_plan_t *plan, int epoll)
{
    ssize_t got = read(link->fd, link->in + link->in_length,
                       LINK_IN_MAX - link->in_length);

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return LINK_BUSY;
    }
    if (got <= 0 && !link->in_length && link->is_used) {

        /* The server had closed it meanwhile: once more, on a new one. */
        uint64_t began = link->began;

        link_drop(link);
        if (link_begin(link, plan, link->nth, epoll)) {
            return LINK_FAULT;
        }
        link->began = began;
        return LINK_BUSY;
    }
    if (got > 0) {
        link->in_length += (size_t)got;
    }
    return look(link, plan, got <= 0 || link->in_length == LINK_IN_MAX);
}

link_state_e link_go_on(link_t *link, const load_plan_t *plan, uint32_t events,
                        int epoll)
{
    link_state_e state = LINK_BUSY;

    if (!link->is_busy) {
        link_drop(link); /* closed by the server while nothing was asked */
        return LINK_BUSY;
    }
    if ((events & EPOLLOUT) && link->out_sent < link->out_length) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = link};
        ssize_t sent = write(link->fd, link->out + link->out_sent,
                             link->out_length - link->out_sent);

        link->out_sent += sent > 0 ? (size_t)sent : 0;
        if (link->out_sent == link->out_length && !link->is_used) {
            epoll_ctl(epoll, EPOLL_CTL_MOD, link->fd, &event);
        }
    }
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        state = receive(link, plan, epoll);
    }
    if (state == LINK_FAULT) {
        link_drop(link);
    }
    return state;
}
