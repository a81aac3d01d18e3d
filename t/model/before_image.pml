/* Licensed under the Apache License, Version 2.0; see LICENSE. */
/*
 * before_image.pml: how a record changes under its stripe's lock, with a copy
 * of what was there before (src/guard_store_shm_table.c), and how whoever
 * comes next undoes what a killed process left half done.
 *
 * PROCS processes change two records that share a lock and a before-image, and
 * may be killed before any step, also while they undo another's change. When
 * all are dead, the next one to open the file undoes it, and may be killed at
 * that, too. A record is two halves and a tag, so that one can be torn.
 *
 * Claims: whoever has got the lock, and has undone what there was to undo,
 * finds every record whole, the one that was being changed as before or as
 * after, the other untouched, and the mark clear; and no lock stays closed.
 *
 * BREAK takes a part of the protocol out: 1 the order copy, mark; 2 the order
 * change, unmark; 3 the restoring; 4 the index of the record in the image; 5
 * unmarks before it restores; 6 the inheriting of a lock.
 */
#ifndef PROCS
#define PROCS 3
#endif
#ifndef CHANGES
#define CHANGES 2
#endif
#ifndef BREAK
#define BREAK 0
#endif

#define RECORDS 2
#define FREE 255   /* nobody has the lock */
#define BEREFT 254 /* its owner is dead: the next one is told EOWNERDEAD */
#define OPENER PROCS

typedef record_t { byte half[2]; byte tag };

record_t record[RECORDS];
record_t image;
byte image_index;
bit marked;
byte lock = FREE;
byte living = PROCS;

/* Seen from outside: what each record may be, when nobody changes it. */
byte before[RECORDS], after[RECORDS];

/* A step, or death instead. Death leaves the lock to be inherited. */
#define DIE(me)                                                              \
    atomic {                                                                 \
        if                                                                   \
        :: lock == me -> lock = BEREFT                                       \
        :: else                                                              \
        fi;                                                                  \
        goto dead                                                            \
    }
#define STEP(me, change) if :: change :: DIE(me) fi

inline check_all(r)
{
    d_step {
        r = 0;
        do
        :: r < RECORDS ->
            assert(record[r].half[0] == record[r].half[1]);
            assert(record[r].half[0] == record[r].tag);
            assert(record[r].tag == before[r] || record[r].tag == after[r]);
            before[r] = record[r].tag;
            after[r] = record[r].tag;
            r++
        :: else -> break
        od;
        r = 0;
        assert(!marked)
    }
}

inline restore(me)
{
    if
    :: marked && BREAK != 3 ->
        if
        :: BREAK == 5 -> STEP(me, marked = 0)
        :: else
        fi;
        STEP(me, record[image_index].half[0] = image.half[0]);
        STEP(me, record[image_index].half[1] = image.half[1]);
        STEP(me, record[image_index].tag = image.tag)
    :: else
    fi;
    STEP(me, marked = 0)
}

inline copy(me, r)
{
    STEP(me, image.half[0] = record[r].half[0]);
    STEP(me, image.half[1] = record[r].half[1]);
    STEP(me, image.tag = record[r].tag);
    if
    :: BREAK == 4
    :: else -> STEP(me, image_index = r)
    fi
}

inline change(me, r, value)
{
    STEP(me, record[r].half[0] = value);
    STEP(me, record[r].half[1] = value);
    if
    :: BREAK == 2 -> STEP(me, marked = 0)
    :: else
    fi;
    STEP(me, record[r].tag = value);
    STEP(me, marked = 0)
}

inline write(me, r, value)
{
    before[r] = record[r].tag;
    after[r] = value;
    if
    :: BREAK == 1 -> STEP(me, marked = 1); copy(me, r)
    :: else -> copy(me, r); STEP(me, marked = 1)
    fi;
    change(me, r, value)
}

proctype process(byte me)
{
    byte left = CHANGES, r;
    bit inherited;

    do
    :: left > 0 ->
        left--;
        if /* waiting, nobody dies: a lock that stays closed is to be seen */
        :: atomic { lock == FREE -> lock = me; inherited = 0 }
        :: atomic { lock == BEREFT && BREAK != 6 -> lock = me; inherited = 1 }
        fi;
        if
        :: inherited -> restore(me)
        :: else
        fi;
        check_all(r);
        if
        :: r = 0
        :: r = 1
        fi;
        write(me, r, me * CHANGES + left + 1);
        r = 0;
        STEP(me, lock = FREE)
    :: break
    od;
dead:
    living--
}

/* Whoever opens the file when nobody is left; twice, for it may be killed. */
proctype opener()
{
    byte tries = 2, r;

    living == 0;
again:
    tries--;
    restore(OPENER);
    goto whole;
dead:
    if
    :: tries > 0 -> goto again
    :: else -> goto over
    fi;
whole:
    lock = FREE;
    check_all(r);
over:
    skip
}

init
{
    byte n = 0;

    atomic {
        do
        :: n < PROCS -> run process(n); n++
        :: else -> break
        od;
        run opener()
    }
}
