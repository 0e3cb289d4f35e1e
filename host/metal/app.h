/*
 * The application: what is linked with this host into an image. It instantiates a module, gives it
 * memory, and is called in turns, never from an interrupt.
 */
#ifndef PVCALLS_APP_H
#define PVCALLS_APP_H

#include <stdbool.h>
#include <stdint.h>

/* Once, when everything below is ready. It may end the guest with guest_exit(). */
void app_start(void);

/* Event channels became pending: call the module's handle_upcall(). It may find nothing. */
void app_upcall(void);

/*
 * After start, and after every wake-up: give the module the time, take its events, use them, until
 * nothing is left to do. Result: milliseconds until the next turn is due, or TIMER_NEVER.
 */
uint32_t app_turn(uint32_t now_ms);

/*
 * For an application that does not return to the main loop: sleeps until an event channel became
 * pending, which is the result, or `delay_ms` have passed; with 0 it only looks.
 */
bool app_wait(uint32_t delay_ms);

#endif
