/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * A page of a sorted list, chosen in one walk: the same rows as from sorting
 * all, in whatever order they are shown, by every key, both ways, forth and
 * back; none twice and none left out where many are alike.
 */
#include "../../src/guard_status_list.c"

#include "random.h"
#include "tap.h"

#include <stdlib.h>

#define PEOPLE 457 /* four full pages, and a part of one */
#define NOW_USEC ((uint64_t)1000000000)

static guard_entry_t people[PEOPLE];
static guard_status_list_t list;
static guard_wanted_t wanted;

/* Few values of each, so that most rows are equal but for their ids. */
static void make_people(uint64_t *random)
{
    for (unsigned i = 0; i < PEOPLE; i++) {
        guard_entry_t *entry = &people[i];

        entry->id = (uint64_t)i * 2654435761u + 1;
        entry->kind = 1 + random_below(random, 4);
        entry->bits = entry->kind == GUARD_KIND_USER ? 0 : GUARD_ADDR_BITS;
        entry->addr.byte[7] = (unsigned char)random_below(random, 3);
        entry->addr.byte[8] = (unsigned char)random_below(random, 256);
        entry->phase = random_below(random, 3);
        entry->failures = (uint16_t)random_below(random, 4);
        entry->level = (uint8_t)random_below(random, 3);
        if (entry->phase != GUARD_PHASE_CALM) {
            entry->remaining_usec = 1 + (int)random_below(random, 5);
            entry->since_usec = (int)random_below(random, 5);
        }
    }
}

/* Show all, beginning anywhere. */
static void walk(uint64_t *random)
{
    unsigned from = random_below(random, PEOPLE);

    guard_status_list_begin(&list, &wanted, NOW_USEC);
    for (unsigned i = 0; i < PEOPLE; i++) {
        guard_status_list_add(&list, &people[(from + i) % PEOPLE]);
    }
    guard_status_list_end(&list);
}

static int in_order(const void *a, const void *b)
{
    return compare(&list, a, b);
}

/* All marks of the view, sorted by the library. @return how many. */
static unsigned sort_all(guard_mark_t *marks)
{
    unsigned count = 0;

    guard_status_list_begin(&list, &wanted, NOW_USEC);
    for (unsigned i = 0; i < PEOPLE; i++) {
        if (classify(&list, &people[i])) {
            marks[count++] = mark_of(&list, &people[i]);
        }
    }
    qsort(marks, count, sizeof(*marks), in_order);
    return count;
}

/* @return 1 if the page is the rows from `from` on, and says so. */
static int is_page(const guard_mark_t *marks, unsigned total, unsigned from)
{
    unsigned count = total - from < GUARD_STATUS_ROWS_MAX
                         ? total - from
                         : GUARD_STATUS_ROWS_MAX;

    if (list.count != count || list.ahead != from || list.total != total) {
        return 0;
    }
    for (unsigned i = 0; i < count; i++) {
        const guard_row_t *row = guard_status_list_row(&list, i);

        if (row->mark.id != marks[from + i].id ||
            row->entry.id != marks[from + i].id) {
            return 0;
        }
    }
    return 1;
}

/* Page through by marks, forth to the end and back. @return 1 if all is well.
 */
static int is_paged(uint64_t *random)
{
    guard_mark_t marks[PEOPLE];
    unsigned total = sort_all(marks), from = 0;
    int good;

    wanted.seek = GUARD_SEEK_FIRST;
    walk(random);
    good = is_page(marks, total, 0);
    while (good && from + list.count < total) {
        from += list.count;
        wanted.seek = GUARD_SEEK_AFTER;
        wanted.mark = marks[from - 1];
        walk(random);
        good = is_page(marks, total, from);
    }
    while (good && from) {
        wanted.seek = GUARD_SEEK_BEFORE;
        wanted.mark = marks[from];
        from -= GUARD_STATUS_ROWS_MAX;
        walk(random);
        good = list.count == GUARD_STATUS_ROWS_MAX && list.ahead == from &&
               guard_status_list_row(&list, 0)->mark.id == marks[from].id &&
               guard_status_list_row(&list, list.count - 1)->mark.id ==
                   marks[from + list.count - 1].id;
    }
    return good;
}

static void test_pages(uint64_t *random)
{
    for (guard_view_e view = GUARD_VIEW_LOCKED; view <= GUARD_VIEW_ALL;
         view++) {
        for (guard_sort_e sort = GUARD_SORT_CLIENT; sort <= GUARD_SORT_LEFT;
             sort++) {
            for (int down = 0; down <= 1; down++) {
                wanted = (guard_wanted_t){
                    .view = view, .sort = sort, .is_descending = down};
                ok(is_paged(random), "view %d, sort %d%s", (int)view, (int)sort,
                   down ? ", down" : "");
            }
        }
    }
}

/* A mark stands for its place though its row is gone. */
static void test_gone(uint64_t *random)
{
    guard_mark_t marks[PEOPLE];

    wanted = (guard_wanted_t){.view = GUARD_VIEW_ALL,
                              .sort = GUARD_SORT_FAILURES,
                              .seek = GUARD_SEEK_AFTER};
    sort_all(marks);
    wanted.mark = marks[150];
    wanted.mark.id++; /* no row has it */
    walk(random);
    ok(guard_status_list_row(&list, 0)->mark.id == marks[151].id,
       "what follows a row that is gone");
    is((long long)list.ahead, 151, "and how many are in front");
}

static void test_spans(void)
{
    guard_entry_t entry = {.id = 1,
                           .phase = GUARD_PHASE_LOCKED,
                           .remaining_usec = 700,
                           .since_usec = 300};
    guard_mark_t before, after;

    for (guard_sort_e sort = GUARD_SORT_SINCE; sort <= GUARD_SORT_LEFT;
         sort++) {
        wanted = (guard_wanted_t){.view = GUARD_VIEW_ALL, .sort = sort};
        guard_status_list_begin(&list, &wanted, NOW_USEC);
        before = mark_of(&list, &entry);
        guard_status_list_begin(&list, &wanted, NOW_USEC + 100);
        entry.remaining_usec -= 100;
        entry.since_usec += 100;
        after = mark_of(&list, &entry);
        is(compare(&list, &before, &after), 0, "a mark stays as time passes");
        entry.remaining_usec += 100;
        entry.since_usec -= 100;
    }
}

int main(void)
{
    uint64_t random = 1;

    make_people(&random);
    test_pages(&random);
    test_gone(&random);
    test_spans();
    return tap_done();
}
