/*
 * Command ring of PV Calls: frontend and backend, one access to shared memory at a time, for runs of
 * any length. C reference: public/io/ring.h. The code it is about: assembly/ring/shared-ring.ts.
 *
 * No process has an end, and a frontend that has put enough for now waits for every response. So
 * any state in which nothing can happen is a lost wake-up: pan's "invalid end state".
 *
 *   -DLINUX       the backend notifies once per batch, and its stores wait in a buffer
 *   -DNO_BARRIER  and never wait for it: a broken backend, which must fail
 *   -DM_...       a mistake of the frontend, which must fail
 */
#define SLOTS 2
#define MASK 7
#define AFTER(index) ((index + 1) & MASK)
#define BEHIND(producer, consumer) ((producer - consumer) & MASK)

byte req_prod, req_event = 1, rsp_prod, rsp_event = 1; /* the shared page */
byte head[SLOTS], tail[SLOTS];                         /* first and last word of each slot */
bool front_pending, back_pending;

/* Stores of the backend that are not seen yet, in order: where, and what. */
#define HEAD 0
#define TAIL SLOTS
#define RSP_PROD (2 * SLOTS)
#define REQ_EVENT (2 * SLOTS + 1)
#define EVENT (2 * SLOTS + 2)
chan buffer = [8] of { byte, byte };

inline see(where, what) {
  if
  :: where < TAIL -> head[where] = what
  :: where >= TAIL && where < RSP_PROD -> tail[where - TAIL] = what
  :: where == RSP_PROD -> rsp_prod = what
  :: where == REQ_EVENT -> req_event = what
  :: where == EVENT -> front_pending = true
  fi
}

#ifdef LINUX
#define STORE(where, what) buffer!where, what
active proctype Buffer() {
  byte where, what;
  do
  :: atomic { buffer?where, what -> see(where, what); where = 0; what = 0 }
  od
}
#else
#define STORE(where, what) atomic { see(where, what) }
#endif

#ifdef NO_BARRIER
#define BARRIER skip
#else
#define BARRIER empty(buffer)
#endif

active proctype Frontend() {
  byte pvt, pushed, cons, before, event, prod, asked = 1;
  bool quiet;
  do
  :: atomic { !quiet -> quiet = true } /* enough for now */
  :: atomic { quiet && pvt == cons -> quiet = false }
  :: !quiet && BEHIND(pvt, cons) < SLOTS ->
     before = pvt;
     do
     :: BEHIND(pvt, cons) < SLOTS ->
#ifdef M_PUBLISH_FIRST
        req_prod = AFTER(pvt);
#endif
        head[pvt % SLOTS] = pvt;
        tail[pvt % SLOTS] = pvt;
        pvt = AFTER(pvt)
     :: pvt != before -> break
     od;
#ifdef M_TEST_FIRST
     event = req_event;
     req_prod = pvt;
#else
     req_prod = pvt;
     event = req_event;
#endif
     pushed = pvt;
     if
     :: BEHIND(pvt, event) < BEHIND(pvt, before) -> back_pending = true
     :: else
     fi;
     before = 0;
     event = 0
  :: atomic { front_pending -> front_pending = false };
     do
     :: prod = rsp_prod;
        if
        :: prod == cons && asked != AFTER(cons) ->
           asked = AFTER(cons);
           rsp_event = asked;
#ifndef M_NO_RECHECK
           prod = rsp_prod
#endif
        :: else
        fi;
        if
        :: prod == cons -> break
        :: else
        fi;
        assert(BEHIND(prod, cons) <= BEHIND(pushed, cons)); /* no response that nobody owes */
        do
        :: cons != prod ->
           assert(head[cons % SLOTS] == cons);
           assert(tail[cons % SLOTS] == cons);
           cons = AFTER(cons)
        :: else -> break
        od
     od;
     prod = 0
  od
}

active proctype Backend() {
  byte cons, pvt, word, event, prod;
  bool owes;
  do
  :: atomic { back_pending -> back_pending = false };
  look:
     do
     :: prod = req_prod;
        if
        :: prod == cons -> break
        :: else
        fi;
        word = head[cons % SLOTS];
        assert(word == cons); /* neither lost, invented nor out of order */
        word = tail[cons % SLOTS];
        assert(word == cons);
        cons = AFTER(cons);
        STORE(HEAD + pvt % SLOTS, word);
        STORE(TAIL + pvt % SLOTS, word);
        STORE(RSP_PROD, AFTER(pvt));
        BARRIER;
        event = rsp_event;
        pvt = AFTER(pvt);
        if
        :: BEHIND(pvt, event) < 1 ->
#ifdef LINUX
           owes = true
#else
           STORE(EVENT, 0)
#endif
        :: else
        fi;
        word = 0;
        event = 0
     od;
     if
     :: owes -> owes = false; STORE(EVENT, 0)
     :: else
     fi;
     STORE(REQ_EVENT, AFTER(cons));
     BARRIER;
     prod = req_prod;
     if
     :: prod != cons -> prod = 0; goto look
     :: else -> prod = 0
     fi
  od
}
