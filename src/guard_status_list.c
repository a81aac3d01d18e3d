/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * guard_status_list.c owns the choice and the order of a page's rows. It
 * refuses to know how they look and where they come from.
 *
 * Invariant: order[] names count rows, each once, sorted; they are those
 * nearest to the mark, on its side, of all that were shown so far. Times are
 * compared as points of the store's clock, which stay what they are while
 * spans shrink, so that a mark holds from one page to the next.
 */
#include "guard_status_list.h"

#include <string.h>

static uint64_t big_endian(const unsigned char *byte)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++) {
        value = value << 8 | byte[i];
    }
    return value;
}

static guard_mark_t mark_of(const guard_status_list_t *list,
                            const guard_entry_t *entry)
{
    guard_mark_t mark = {.id = entry->id};

    switch (list->wanted.sort) {
    case GUARD_SORT_KEY:
        mark.low = entry->kind;
        break;
    case GUARD_SORT_FAILURES:
        mark.low = entry->failures;
        break;
    case GUARD_SORT_LEVEL:
        mark.low = entry->level;
        break;
    case GUARD_SORT_SINCE:
        if (entry->phase == GUARD_PHASE_LOCKED) {
            mark.low = list->now_usec - (uint64_t)entry->since_usec;
        }
        break;
    case GUARD_SORT_LEFT:
        if (entry->remaining_usec > 0) {
            mark.low = list->now_usec + (uint64_t)entry->remaining_usec;
        }
        break;
    case GUARD_SORT_UNSET:
    case GUARD_SORT_CLIENT:
        if (entry->bits) {
            mark.high = big_endian(entry->addr.byte);
            mark.low = big_endian(entry->addr.byte + 8);
        }
        break;
    }
    return mark;
}

/* <0, 0 or >0, as a stands before b in the list, is b, or stands behind. */
static int compare(const guard_status_list_t *list, const guard_mark_t *a,
                   const guard_mark_t *b)
{
    int result = (a->high > b->high) - (a->high < b->high);

    if (!result) {
        result = (a->low > b->low) - (a->low < b->low);
    }
    if (!result) {
        result = (a->id > b->id) - (a->id < b->id);
    }
    return list->wanted.is_descending ? -result : result;
}

void guard_status_list_begin(guard_status_list_t *list,
                             const guard_wanted_t *wanted, uint64_t now_usec)
{
    memset(list, 0, sizeof(*list));
    list->wanted = *wanted;
    list->now_usec = now_usec;
}

/* Count it. @return 1 if it is in the view, else 0. */
static int classify(guard_status_list_t *list, const guard_entry_t *entry)
{
    int is_locked = entry->phase == GUARD_PHASE_LOCKED;
    int is_failing = entry->phase == GUARD_PHASE_WINDOW && entry->failures > 0;

    list->all++;
    list->locked += (unsigned)is_locked;
    list->failing += (unsigned)is_failing;
    switch (list->wanted.view) {
    case GUARD_VIEW_LOCKED:
        return is_locked;
    case GUARD_VIEW_FAILING:
        return is_failing;
    case GUARD_VIEW_UNSET:
    case GUARD_VIEW_ALL:
        break;
    }
    return 1;
}

/* @return 1 if the mark's side of the list is this row's, else 0. */
static int is_beside(guard_status_list_t *list, const guard_mark_t *mark)
{
    int side;

    if (list->wanted.seek == GUARD_SEEK_FIRST) {
        return 1;
    }
    side = compare(list, mark, &list->wanted.mark);
    if (list->wanted.seek == GUARD_SEEK_BEFORE) {
        return side < 0;
    }
    list->ahead += side <= 0;
    return side > 0;
}

/* How many rows of the page stand before that place. */
static unsigned rank_of(const guard_status_list_t *list,
                        const guard_mark_t *mark)
{
    unsigned low = 0, high = list->count;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (compare(list, &list->row[list->order[middle]].mark, mark) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Drop the row farthest from the mark. @return its place in row[]. */
static uint8_t drop(guard_status_list_t *list, int from_front)
{
    uint8_t freed = list->order[from_front ? 0 : list->count - 1];

    list->count--;
    if (from_front) {
        memmove(list->order, list->order + 1, list->count);
    }
    return freed;
}

static void insert(guard_status_list_t *list, const guard_mark_t *mark,
                   const guard_entry_t *entry)
{
    int is_before = list->wanted.seek == GUARD_SEEK_BEFORE;
    unsigned rank = rank_of(list, mark);
    uint8_t place = (uint8_t)list->count;

    if (list->count == GUARD_STATUS_ROWS_MAX) {
        if (rank == (is_before ? 0 : GUARD_STATUS_ROWS_MAX)) {
            return; /* farther than all that are kept */
        }
        place = drop(list, is_before);
        rank -= (unsigned)is_before;
    }
    memmove(list->order + rank + 1, list->order + rank, list->count - rank);
    list->order[rank] = place;
    list->row[place].mark = *mark;
    list->row[place].entry = *entry;
    list->count++;
}

apr_status_t guard_status_list_add(void *baton, const guard_entry_t *entry)
{
    guard_status_list_t *list = baton;
    guard_mark_t mark = mark_of(list, entry);

    if (!classify(list, entry)) {
        return APR_SUCCESS;
    }
    list->total++;
    if (is_beside(list, &mark)) {
        list->ahead += list->wanted.seek == GUARD_SEEK_BEFORE;
        insert(list, &mark, entry);
    }
    return APR_SUCCESS;
}

void guard_status_list_end(guard_status_list_t *list)
{
    if (list->wanted.seek == GUARD_SEEK_BEFORE) {
        list->ahead -= list->count; /* the page itself is before the mark */
    }
}

const guard_row_t *guard_status_list_row(const guard_status_list_t *list,
                                         unsigned i)
{
    return &list->row[list->order[i]];
}
