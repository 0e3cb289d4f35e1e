/*
 * Runs the self-test of the core as C: every spec, with a Xen, a backend and a store inside the
 * module, under whatever sanitizers this is compiled with. `self-test run` prints how many specs
 * passed; `self-test run_broken` has a Xen whose grants name the wrong frames, and must fail.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "selftest.h"

/* As "initialMemory" of asconfig.json; the specs grow it up to here. */
#define PAGE 65536u
#define PAGES 320u
#define PAGES_MAX 1024u

static wasm_rt_shared_memory_t memory;
static w2c_selftest module;

wasm_rt_shared_memory_t *w2c_env_memory(struct w2c_env *env)
{
    (void)env;
    return &memory;
}

/* All of it is there from the beginning; only the bounds move. */
uint64_t wasm_rt_grow_memory_shared(wasm_rt_shared_memory_t *grown, uint64_t pages)
{
    uint64_t before = grown->pages;
    if (pages > PAGES_MAX - before)
        return UINT64_MAX;
    grown->pages += pages;
    grown->size = grown->pages * PAGE;
    grown->data_end = grown->data + grown->size;
    return before;
}

void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t *table, uint32_t size,
                                    uint32_t max_size)
{
    table->data = calloc(size, sizeof table->data[0]);
    table->size = size;
    table->max_size = max_size;
}

void wasm_rt_free_funcref_table(wasm_rt_funcref_table_t *table)
{
    free(table->data);
}

/* A spec that fails traps: the name of the one that ran stands in memory as UTF-16. */
void wasm_rt_trap(wasm_rt_trap_t trap)
{
    const uint8_t *name = memory.data + w2c_selftest_running(&module);
    uint32_t size = w2c_selftest_running_size(&module);
    fprintf(stderr, "self-test: trap %d in ", trap);
    for (uint32_t i = 0; i < size; i += 2)
        fputc(name[i], stderr);
    fprintf(stderr, ", expectation %u\n", w2c_selftest_checks(&module));
    exit(1);
}

int main(int count, char **arguments)
{
    memory = (wasm_rt_shared_memory_t){ .data = calloc(PAGES_MAX, PAGE), .page_size = PAGE };
    memory.max_pages = 65536;
    memory.data_end = memory.data;
    wasm_rt_grow_memory_shared(&memory, PAGES);
    wasm2c_selftest_instantiate(&module, NULL);
    w2c_selftest_0x5Finitialize(&module);
    if (count > 1 && strcmp(arguments[1], "run_broken") == 0)
        w2c_selftest_run_broken(&module);
    else
        w2c_selftest_run(&module);
    printf("%u\n", w2c_selftest_passed(&module));
    wasm2c_selftest_free(&module);
    free(memory.data);
    return 0;
}
