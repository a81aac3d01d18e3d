/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * load: asks a server on 127.0.0.1 for one page, over and over, from one
 * address or from many, and says how it was answered and how fast.
 *
 *   load port=N [path=/] [user=U pass=P] [count=N] [seconds=S] [clients=N]
 *        [rate=N] [keep=1] [from=127.0.0.1] [addresses=N] [first=N]
 *        [patience=S] [warm=N]
 *
 * A `#` in the password or the path stands for the number of the request, from
 * `first` on: so all guesses are distinct. `clients` requests at most are under
 * way at once; `rate` a second are begun, or as many as are answered. Without
 * `keep` each request has a connection of its own, from one address after the
 * other.
 * The first `warm` answers, and the time until then, don't count: new
 * connections cost more than what is asked.
 *
 * Owns one thread, and what it asks. Knows no server's configuration and
 * judges nothing.
 *
 * Invariant: each request begun is told once: by its status, as a fault, or as
 * late after `patience` seconds; but for those under way when it is told to
 * end.
 */
#include "load_link.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { STATUS_MAX = 600, EVENTS_MAX = 256, LOOK_USEC = 20000 };

typedef struct options_t {
    double port, keep, first, addresses; /* of load_plan_t */
    double count, seconds;               /* 0: no end by that */
    double clients, rate, patience, warm;
} options_t;

typedef struct load_t {
    options_t told;
    load_plan_t plan;
    link_t *links;
    int epoll;
    uint64_t began, ended, looked; /* usec */
    uint64_t issued, answered, faults, late;
    uint64_t warmed, skipped; /* answers, and requests, that don't count */
    uint64_t status[STATUS_MAX];
    uint32_t *took; /* usec of each answer, and of each that was late */
    size_t took_count, took_room;
} load_t;

static volatile sig_atomic_t is_over;

static void end(int signal)
{
    (void)signal;
    is_over = 1;
}

static void usage(const char *what)
{
    fprintf(stderr,
            "load: '%s': port=N path= user= pass= count= seconds= "
            "clients= rate= keep= from= addresses= first= patience= "
            "warm=\n",
            what);
    exit(2);
}

static double number(const char *argument, const char *value)
{
    char *rest;
    double n = strtod(value, &rest);

    if (rest == value || *rest || n < 0 || n > 1e9) {
        usage(argument);
    }
    return n;
}

/* @return where to put it, or NULL: not one of those that are numbers. */
static double *number_of(options_t *told, const char *argument, size_t name)
{
    const struct {
        const char *name;
        double *to;
    } all[] = {{"port", &told->port},           {"keep", &told->keep},
               {"first", &told->first},         {"count", &told->count},
               {"addresses", &told->addresses}, {"seconds", &told->seconds},
               {"clients", &told->clients},     {"rate", &told->rate},
               {"patience", &told->patience},   {"warm", &told->warm}};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strlen(all[i].name) == name &&
            !strncmp(argument, all[i].name, name)) {
            return all[i].to;
        }
    }
    return NULL;
}

static void read_argument(load_t *load, const char *argument)
{
    const char *equals = strchr(argument, '=');
    size_t name = equals ? (size_t)(equals - argument) : 0;
    struct in_addr from;
    double *to;

    if (!equals) {
        usage(argument);
    }
    to = number_of(&load->told, argument, name);
    if (to) {
        *to = number(argument, equals + 1);
    } else if (!strncmp(argument, "path=", 5)) {
        load->plan.path = equals + 1;
    } else if (!strncmp(argument, "user=", 5)) {
        load->plan.user = equals + 1;
    } else if (!strncmp(argument, "pass=", 5)) {
        load->plan.pass = equals + 1;
    } else if (!strncmp(argument, "from=", 5) &&
               inet_pton(AF_INET, equals + 1, &from) == 1) {
        load->plan.from = ntohl(from.s_addr);
    } else {
        usage(argument);
    }
}

static void remember(load_t *load, uint64_t usec)
{
    if (load->took_count == load->took_room) {
        load->took_room = load->took_room ? 2 * load->took_room : 4096;
        load->took = realloc(load->took, load->took_room * sizeof(*load->took));
        if (!load->took) {
            perror("load");
            exit(1);
        }
    }
    load->took[load->took_count++] = (uint32_t)usec;
}

/* @return 1 if this answer doesn't count. With the last such one the counting
 * begins, of what is under way, too. */
static int is_warming(load_t *load, uint64_t now)
{
    if ((double)load->warmed >= load->told.warm) {
        return 0;
    }
    load->warmed++;
    if ((double)load->warmed >= load->told.warm) {
        load->began = load->ended = now;
        load->skipped = load->issued;
        for (int i = 0; i < (int)load->told.clients; i++) {
            load->skipped -= (uint64_t)load->links[i].is_busy;
        }
    }
    return 1;
}

/* How one ended. */
static void tell(load_t *load, link_t *link, link_state_e state)
{
    uint64_t now = link_clock();

    if (state == LINK_ANSWERED && is_warming(load, now)) {
        return;
    }
    if (state == LINK_ANSWERED && link->status < STATUS_MAX) {
        load->status[link->status]++;
        load->answered++;
        remember(load, now - link->began);
        load->ended = now;
    } else if (state == LINK_LATE) {
        load->late++;
        remember(load, now - link->began);
    } else {
        load->faults++;
    }
}

static int may_begin(const load_t *load, uint64_t now)
{
    double passed = (double)(now - load->began) / 1e6;

    if (is_over ||
        (load->told.count > 0 && (double)load->issued >= load->told.count) ||
        (load->told.seconds > 0 && passed >= load->told.seconds)) {
        return 0;
    }
    return load->told.rate <= 0 ||
           (double)load->issued <= passed * load->told.rate;
}

/* @return how many are under way. */
static int begin_some(load_t *load)
{
    int busy = 0;

    for (int i = 0; i < (int)load->told.clients; i++) {
        link_t *link = &load->links[i];

        if (!link->is_busy && may_begin(load, link_clock())) {
            uint64_t nth = load->issued++;

            if (link_begin(link, &load->plan, nth, load->epoll)) {
                load->faults++;
            }
        }
        busy += link->is_busy;
    }
    return busy;
}

static void give_up_late(load_t *load)
{
    uint64_t now = link_clock();

    if (now < load->looked + LOOK_USEC) {
        return;
    }
    load->looked = now;
    for (int i = 0; i < (int)load->told.clients; i++) {
        link_t *link = &load->links[i];

        if (link->is_busy &&
            (double)(now - link->began) >= load->told.patience * 1e6) {
            tell(load, link, LINK_LATE);
            link_drop(link);
        }
    }
}

static int is_more(const load_t *load)
{
    uint64_t now = link_clock();
    int counted =
        load->told.count > 0 && (double)load->issued >= load->told.count;
    int timed = load->told.seconds > 0 &&
                (double)(now - load->began) >= load->told.seconds * 1e6;

    return !counted && !timed;
}

static void work(load_t *load)
{
    struct epoll_event events[EVENTS_MAX];

    load->began = load->ended = link_clock();
    while (!is_over && (begin_some(load) > 0 || is_more(load))) {
        int wait = load->told.rate > 0 ? 1 : 20;
        int n = epoll_wait(load->epoll, events, EVENTS_MAX, wait);

        for (int i = 0; i < n; i++) {
            link_t *link = events[i].data.ptr;
            link_state_e state =
                link_go_on(link, &load->plan, events[i].events, load->epoll);

            if (state != LINK_BUSY) {
                tell(load, link, state);
            }
        }
        give_up_late(load);
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void report(load_t *load)
{
    double seconds = (double)(load->ended - load->began) / 1e6;
    struct rusage used;

    if (load->took_count) {
        qsort(load->took, load->took_count, sizeof(*load->took), by_size);
        for (int p = 50; p < 100; p += p == 50 ? 40 : 9) {
            printf("p%d_us %u\n", p,
                   load->took[(load->took_count - 1) * (size_t)p / 100]);
        }
    }
    for (int i = 0; i < STATUS_MAX; i++) {
        if (load->status[i]) {
            printf("status_%d %lu\n", i, load->status[i]);
        }
    }
    getrusage(RUSAGE_SELF, &used);
    printf("issued %lu\nanswered %lu\nfaults %lu\nlate %lu\nseconds %.6f\n"
           "own_cpu_us %ld\n",
           load->issued - load->skipped, load->answered, load->faults,
           load->late, seconds,
           (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000L +
               used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

int main(int argc, char **argv)
{
    load_t load = {
        .told = {.clients = 1, .patience = 20, .addresses = 1},
        .plan = {.path = "/", .from = INADDR_LOOPBACK},
    };

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing outlives the bench */
    signal(SIGTERM, end);
    signal(SIGINT, end);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 1; i < argc; i++) {
        read_argument(&load, argv[i]);
    }
    if (load.told.port < 1 || load.told.port > UINT16_MAX ||
        load.told.clients < 1 || load.told.addresses < 1 ||
        (load.told.count <= 0 && load.told.seconds <= 0)) {
        usage("");
    }
    load.plan.port = (uint16_t)load.told.port;
    load.plan.keep = load.told.keep > 0;
    load.plan.first = (uint64_t)load.told.first;
    load.plan.addresses = (uint32_t)load.told.addresses;
    load.epoll = epoll_create1(0);
    load.links = link_make((int)load.told.clients);
    work(&load);
    report(&load);
    return 0;
}
