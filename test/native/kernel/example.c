/*
 * The kernel that the example of docs/embedding.md asks for, over the kernel and the backend of the
 * tests: the example says hello to an echo, and the answer has to come back, with nothing left.
 */
#include <string.h>

#include "world.h"

static struct kernel kernel;
static struct backend backend;
static uint32_t now_ms;

void *kernel_cookie(void);
uint32_t kernel_time_ms(void);
void kernel_wait(struct pvcalls *pv, uint32_t ms);
uint32_t kernel_publish(uint32_t ring_ref, uint32_t port);
int32_t say_hello(struct pvcalls_address there, char *answer, size_t size);

/* Any page may be granted: the example's memory is its own. */
void *kernel_cookie(void)
{
    kernel_init(&kernel, NULL, UINT64_MAX);
    return &kernel;
}

uint32_t kernel_time_ms(void)
{
    return now_ms;
}

void kernel_wait(struct pvcalls *pv, uint32_t ms)
{
    bool any = backend_step(&backend);
    if (!kernel_deliver(&kernel, pv) && !any) {
        CHECK(ms != PVCALLS_NO_TIMEOUT, true); /* nothing would ever happen */
        now_ms += ms;
    }
}

uint32_t kernel_publish(uint32_t ring_ref, uint32_t port)
{
    backend_init(&backend, &kernel, ring_ref, port);
    backend.echo = true;
    return MAX_ORDER;
}

/* Nothing is left but the command ring's grant: the backend had it mapped until after the end. */
static void check_end(void)
{
    CHECK(kernel_open_grants(&kernel), 1);
    backend_end(&backend);
    CHECK(kernel_open_ports(&kernel), 0);
    CHECK(kernel.violations, 0);
}

int main(void)
{
    char answer[16] = { 0 };
    CHECK(say_hello(address(80), answer, sizeof answer), 5);
    CHECK(strcmp(answer, "hello"), 0);
    check_end();
    CHECK(say_hello(address(PORT_REFUSED), answer, sizeof answer), -PVCALLS_ECONNREFUSED);
    check_end();
    printf("hello\n");
    return 0;
}
