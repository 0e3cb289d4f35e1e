/*
 * One direction of a data ring of PV Calls, one access to shared memory at a time, for a stream
 * without end. Spec: pvcalls, "Data ring". The code it is about: assembly/ring/byte-ring.ts.
 *
 * There are always more bytes, so any state in which nothing can happen is a lost wake-up: pan's
 * "invalid end state". Byte number n has the value n, modulo the range of an index.
 *
 *   -DOUT         the core produces; otherwise it consumes
 *   -DLINUX       the backend works in the order of Linux 6.12, and its stores wait in a buffer
 *   -DSIZE=n      bytes of the ring, a power of two; an index tells more than two rings apart
 *   -DM_...       a mistake of the core, which must fail
 */
#ifndef SIZE
#define SIZE 2
#endif
#define MASK (4 * SIZE - 1)
#define AFTER(index, count) ((index + count) & MASK)
#define BEHIND(producer, consumer) ((producer - consumer) & MASK)

byte prod_index, cons_index; /* in_prod and in_cons, or out_prod and out_cons */
byte ring[SIZE];
bool core_pending, back_pending;
byte queued; /* bytes that the backend's socket has for us */
byte io;     /* counters of Linux's worker; read and write are only ever compared with 0 */
bool reads, writes, masked;

/* Stores of the backend that are not seen yet, in order: where, and what. */
#define INDEX SIZE
#define EVENT (SIZE + 1)
chan buffer = [SIZE + 4] of { byte, byte };

inline see(where, what) {
  if
  :: where < INDEX -> ring[where] = what
#ifdef OUT
  :: where == INDEX -> cons_index = what
#else
  :: where == INDEX -> prod_index = what
#endif
  :: where == EVENT -> core_pending = true
  fi
}

#ifdef LINUX
#define STORE(where, what) buffer!where, what
#define BARRIER empty(buffer)
active proctype Buffer() {
  byte where, what;
  do
  :: atomic { buffer?where, what -> see(where, what); where = 0; what = 0 }
  od
}
#else
#define STORE(where, what) atomic { see(where, what) }
#define BARRIER skip
#endif

#ifndef OUT
/* recv(): look, copy some, free the room, and notify by what the producer was last told. */
active proctype Consumer() {
  byte cons, told, count, seen;
  do
  :: seen = prod_index;
     count = BEHIND(seen, cons);
     assert(count <= SIZE);
     if
     :: count == 0 -> atomic { core_pending -> core_pending = false }
     :: else ->
        do
        :: count > 1 -> count--
        :: break
        od;
        seen = cons;
#ifdef M_PUBLISH_FIRST
        cons_index = AFTER(cons, count);
#endif
        do
        :: count > 0 -> assert(ring[cons % SIZE] == cons); cons = AFTER(cons, 1); count--
        :: else -> break
        od;
        cons_index = cons;
#ifdef M_LAST_SEEN
        told = seen;
#endif
        seen = prod_index;
        if
#ifdef M_NOT_WHEN_FULL
        :: BEHIND(seen, told) > SIZE -> told = cons; back_pending = true
#else
        :: BEHIND(seen, told) >= SIZE -> told = cons; back_pending = true
#endif
        :: else
        fi
     fi;
     seen = 0
  od
}
#else
/* send(): look, copy some, publish, always notify. */
active proctype Producer() {
  byte prod, count, seen;
  do
  :: seen = cons_index;
     count = SIZE - BEHIND(prod, seen);
     assert(count <= SIZE);
     if
     :: count == 0 -> atomic { core_pending -> core_pending = false }
     :: else ->
        do
        :: count > 1 -> count--
        :: break
        od;
        seen = prod;
#ifdef M_PUBLISH_FIRST
        prod_index = AFTER(prod, count);
#endif
        do
        :: count > 0 -> ring[prod % SIZE] = prod; prod = AFTER(prod, 1); count--
        :: else -> break
        od;
        prod_index = prod;
#ifdef M_NOTIFY_WHEN_EMPTY
        if
        :: cons_index == seen -> back_pending = true
        :: else
        fi
#else
        back_pending = true
#endif
     fi;
     seen = 0
  od
}
#endif

#ifndef LINUX
/* The backend that the text asks for: it looks again after each publication. */
active proctype Backend() {
  byte index, count;
  do
  :: atomic { back_pending -> back_pending = false };
#ifdef OUT
     do
     :: count = BEHIND(prod_index, index);
        if
        :: count == 0 -> break
        :: else
        fi;
        do
        :: count > 0 -> assert(ring[index % SIZE] == index); index = AFTER(index, 1); count--
        :: count == 0 -> break
        :: count == 1 -> count = 0; break
        od;
        STORE(INDEX, index);
        STORE(EVENT, 0)
     od
#else
     do
     :: count = SIZE - BEHIND(index, cons_index);
        atomic {
          if
          :: count > queued -> count = queued
          :: else
          fi
        };
        if
        :: count == 0 -> break
        :: else
        fi;
        do
        :: count > 0 ->
           STORE(index % SIZE, index);
           index = AFTER(index, 1);
           queued--;
           count--
        :: else -> break
        od;
        STORE(INDEX, index);
        STORE(EVENT, 0)
     od
#endif
  od
}
#else
/* Linux: the worker of pvcalls-back. The event channel is masked until it has written. */
active proctype Handler() {
  do
  :: atomic {
       back_pending && !masked -> back_pending = false;
       masked = true;
       writes = true;
       io++
     }
  od
}

active proctype Backend() {
  byte index, count;
  do
  :: io > 0 ->
#ifndef OUT
     if
     :: reads ->
        count = SIZE - BEHIND(index, cons_index);
        BARRIER;
        if
        :: count == 0 /* full: it waits to be told, and `reads` stays */
        :: else ->
           atomic {
             reads = false;
             if
             :: count > queued -> count = queued
             :: else
             fi
           };
           if
           :: count == 0
           :: else ->
              do
              :: count > 0 ->
                 STORE(index % SIZE, index);
                 index = AFTER(index, 1);
                 queued--;
                 count--
              :: else -> break
              od;
              atomic {
                if
                :: queued > 0 -> reads = true
                :: else
                fi
              };
              STORE(INDEX, index);
              STORE(EVENT, 0)
           fi
        fi
     :: else
     fi;
     if
     :: writes -> writes = false; BARRIER
     :: else
     fi;
#else
     if
     :: writes ->
        writes = false;
        count = BEHIND(prod_index, index);
        BARRIER;
        if
        :: count == 0
        :: else ->
           if
           :: atomic { writes = true; io++; count = 0 } /* the socket takes nothing now */
           :: do
              :: count > 0 -> assert(ring[index % SIZE] == index); index = AFTER(index, 1); count--
              :: count == 0 -> break
              :: count == 1 -> count = 0; break /* or not all */
              od;
              STORE(INDEX, index);
              count = prod_index;
              if
              :: count != index -> atomic { writes = true; io++ }
              :: else
              fi;
              count = 0;
              STORE(EVENT, 0)
           fi
        fi
     :: else
     fi;
#endif
     atomic {
       if
       :: !writes -> masked = false
       :: else
       fi;
       io--
     }
  od
}
#endif

#ifndef OUT
/* Bytes arrive at the backend's socket: one, or more than the ring can take. */
active proctype Arrivals() {
  do
  :: atomic {
       queued == 0 && io < 2 ->
       if
       :: queued = 1
       :: queued = SIZE + 1
       fi;
#ifdef LINUX
       reads = true;
       io++
#else
       back_pending = true
#endif
     }
  od
}
#endif
