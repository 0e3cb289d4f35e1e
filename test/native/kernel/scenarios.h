/* The scenarios of device.c, for the list in scenarios.c. */
#ifndef TEST_SCENARIOS_H
#define TEST_SCENARIOS_H

void backend_lies(void);
void device_lost(void);
void not_enough(void);
void two_instances(void);
void storm(void);
void upcalls(void);
void outside(void);

#endif
