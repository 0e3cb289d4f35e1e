/*
 * A program in TypeScript: the module `program`, made by asc and wasm2c, on the calls of
 * pvcalls_guest.h. It has a memory of its own, whose size is bounded at build time; an address it
 * passes is checked against that memory before anything is read or written there, as wasm checks
 * its own accesses. What is wrong with it traps, with a line on the console.
 *
 * PROGRAM_INSTANCES, from the build: a NULL for each module that the program imports from. Their
 * instances have nothing in them, there is one program.
 */
#include <string.h>

#include "linear.h"
#include "panic.h"
#include "program.h"
#include "pvcalls_guest.h"

#define STOP_MS 5000u
#define WASM_PAGE 65536u

static w2c_program program;

/* ------------------------------------------------------------------ memory and table */

const uint32_t program_frames = PROGRAM_MEMORY_MAX / PVCALLS_PAGE_SIZE;

void wasm_rt_allocate_memory(wasm_rt_memory_t *memory, uint64_t pages, uint64_t max_pages,
                             bool is64, uint32_t page_size)
{
    uint32_t frames;
    uint8_t *first = linear_program(&frames);
    uint64_t there = (uint64_t)frames * PVCALLS_PAGE_SIZE / WASM_PAGE;
    if (page_size != WASM_PAGE || is64 || pages > there)
        panic("program: %u pages of 64 KiB are needed, there are %u: give the guest more memory",
              (uint32_t)pages, (uint32_t)there);
    *memory = (wasm_rt_memory_t){
        .data = first,
        .data_end = first + pages * WASM_PAGE,
        .page_size = page_size,
        .pages = pages,
        .max_pages = max_pages < there ? max_pages : there,
        .size = pages * WASM_PAGE,
    };
}

void wasm_rt_free_memory(wasm_rt_memory_t *memory)
{
    (void)memory; /* the guest ends with its program */
}

uint64_t wasm_rt_grow_memory(wasm_rt_memory_t *memory, uint64_t pages)
{
    uint64_t before = memory->pages;
    if (pages > memory->max_pages - before)
        return UINT64_MAX;
    memory->pages += pages; /* zeroed since the guest began */
    memory->size = memory->pages * WASM_PAGE;
    memory->data_end = memory->data + memory->size;
    return before;
}

/* A table does not grow: asc gives it as many entries as there are functions in it. */
static wasm_rt_funcref_t functions[PROGRAM_TABLE_SIZE + 1];

void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t *table, uint32_t size,
                                    uint32_t max_size)
{
    if (size > PROGRAM_TABLE_SIZE)
        panic("program: a table of %u functions, expected %u", size, PROGRAM_TABLE_SIZE);
    *table = (wasm_rt_funcref_table_t){ functions, max_size, size };
}

void wasm_rt_free_funcref_table(wasm_rt_funcref_table_t *table)
{
    (void)table;
}

/* What stands at an address of the program's, which has all of `size` bytes. */
static inline __attribute__((always_inline)) void *at(uint32_t address, uint32_t size)
{
    const wasm_rt_memory_t *memory = w2c_program_memory(&program);
    if ((uint64_t)address + size > memory->size)
        wasm_rt_trap(WASM_RT_TRAP_OOB);
    return memory->data + address;
}

/* Text that ends with a 0, the last of its `size` bytes. */
static inline __attribute__((always_inline)) const char *text_at(uint32_t address, uint32_t size)
{
    const char *text = at(address, size);
    if (size == 0 || text[size - 1] != '\0')
        wasm_rt_trap(WASM_RT_TRAP_OOB);
    return text;
}

/* ------------------------------------------------------------------ `calls` of guest.ts */

struct w2c_guest;
#define CALL(type, name, ...)                                             \
    type w2c_guest_calls0x2E##name(struct w2c_guest *none, ##__VA_ARGS__); \
    type w2c_guest_calls0x2E##name(struct w2c_guest *none __attribute__((unused)), ##__VA_ARGS__)

CALL(u32, socket, u32 timeout_ms)
{
    return (u32)guest_socket(timeout_ms);
}

CALL(u32, set_ring_order, u32 socket, u32 order)
{
    return (u32)guest_set_ring_order((int32_t)socket, order);
}

CALL(u32, connect, u32 socket, u32 ip, u32 port, u32 timeout_ms)
{
    struct pvcalls_address there = { .ip = ip, .port = (uint16_t)port };
    return (u32)guest_connect((int32_t)socket, there, timeout_ms);
}

CALL(u32, bind, u32 socket, u32 ip, u32 port, u32 timeout_ms)
{
    struct pvcalls_address here = { .ip = ip, .port = (uint16_t)port };
    return (u32)guest_bind((int32_t)socket, here, timeout_ms);
}

CALL(u32, listen, u32 socket, u32 backlog, u32 timeout_ms)
{
    return (u32)guest_listen((int32_t)socket, backlog, timeout_ms);
}

CALL(u32, accept, u32 socket, u32 timeout_ms)
{
    return (u32)guest_accept((int32_t)socket, timeout_ms);
}

CALL(u32, send, u32 socket, u32 from, u32 size, u32 timeout_ms)
{
    return (u32)guest_send((int32_t)socket, at(from, size), size, timeout_ms);
}

CALL(u32, receive, u32 socket, u32 to, u32 size, u32 timeout_ms)
{
    return (u32)guest_recv((int32_t)socket, at(to, size), size, timeout_ms);
}

CALL(u32, poll, u32 entries, u32 count, u32 timeout_ms)
{
    if (count > GUEST_SOCKETS)
        return (u32)-PVCALLS_EINVAL;
    struct guest_poll *list = at(entries, count * (u32)sizeof *list);
    return (u32)guest_poll(list, count, timeout_ms);
}

CALL(u32, close, u32 socket, u32 timeout_ms)
{
    return (u32)guest_close((int32_t)socket, timeout_ms);
}

CALL(u32, abort, u32 socket)
{
    return (u32)guest_abort((int32_t)socket);
}

CALL(u32, now)
{
    return guest_now_ms();
}

CALL(void, sleep, u32 ms)
{
    guest_sleep(ms);
}

CALL(void, exit, u32 code)
{
    guest_stop(STOP_MS);
    guest_exit((int)code);
}

CALL(u32, setting_is, u32 name, u32 name_size, u32 value, u32 size)
{
    return guest_setting_is(text_at(name, name_size), text_at(value, size));
}

CALL(u32, setting_number, u32 name, u32 name_size, u32 otherwise)
{
    return guest_setting_number(text_at(name, name_size), otherwise);
}

CALL(u32, error_name, u32 error, u32 to, u32 size)
{
    const char *name = pvcalls_strerror((int32_t)error);
    u32 length = 0;
    while (name[length] != '\0' && length < size)
        length++;
    memcpy(at(to, length), name, length);
    return length;
}

/* ------------------------------------------------------------------ module `env`: asc's own */

#define LINE_MAX 192u
#define UTF8_MAX 4u
/* asc puts the size of a string, which is UTF-16, before it. */
#define SIZE_BEFORE 4u

static uint32_t unit_at(uint32_t string, uint32_t size, uint32_t offset)
{
    uint16_t unit = 0;
    if (offset < size)
        memcpy(&unit, at(string + offset, 2), 2);
    return unit;
}

static uint32_t put_utf8(char *to, uint32_t point)
{
    if (point < 0x80) {
        to[0] = (char)point;
        return 1;
    }
    uint32_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (uint32_t i = size - 1; i > 0; i--, point >>= 6)
        to[i] = (char)(0x80 | (point & 0x3f));
    to[0] = (char)(0xf00 >> size | point);
    return size;
}

/* A string of the program's, line by line. */
static void write_string(uint32_t string)
{
    char line[LINE_MAX + UTF8_MAX + 1];
    uint32_t used = 0, size = 0;
    if (string >= SIZE_BEFORE)
        memcpy(&size, at(string - SIZE_BEFORE, SIZE_BEFORE), SIZE_BEFORE);
    for (uint32_t offset = 0; offset < size; offset += 2) {
        uint32_t point = unit_at(string, size, offset);
        uint32_t next = unit_at(string, size, offset + 2);
        if (point >> 10 == 0x36 && next >> 10 == 0x37) {
            point = 0x10000 + ((point & 0x3ff) << 10 | (next & 0x3ff));
            offset += 2;
        }
        if (point != '\n' && point != 0)
            used += put_utf8(line + used, point);
        if ((point != '\n' && used < LINE_MAX) || offset + 2 >= size)
            continue;
        line[used] = '\0';
        guest_print("%s", line);
        used = 0;
    }
    line[used] = '\0';
    guest_print("%s", line);
}

struct w2c_env;
#define CONSOLE(name)                                                                        \
    void w2c_env_console0x2E##name(struct w2c_env *none, u32 text);                          \
    void w2c_env_console0x2E##name(struct w2c_env *none __attribute__((unused)), u32 text)   \
    {                                                                                        \
        write_string(text);                                                                  \
    }
CONSOLE(log)
CONSOLE(debug)
CONSOLE(info)
CONSOLE(warn)
CONSOLE(error)

/* `throw`, a failed assert(), an index out of range: what asc says of it, and where. */
void w2c_env_abort(struct w2c_env *none, u32 message, u32 file, u32 line, u32 column);
void w2c_env_abort(struct w2c_env *none __attribute__((unused)), u32 message, u32 file, u32 line,
                   u32 column)
{
    write_string(message);
    write_string(file);
    guest_print("program: aborted at line %u, column %u", line, column);
    guest_exit(EXIT_TRAP);
}

int app_main(void)
{
    wasm2c_program_instantiate(&program PROGRAM_INSTANCES);
    w2c_program_start(&program);
    return 0;
}
