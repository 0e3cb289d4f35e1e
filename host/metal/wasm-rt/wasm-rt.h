/*
 * What the output of wasm2c 1.0.39 needs of its runtime, for a freestanding world: no libc, no
 * threads library, no signals. The core has one memory, imported and shared, which its embedder
 * lays out; it never grows, and there are no tables. A module with a memory of its own, with a heap
 * or with tables needs the functions at the end as well, of whoever links it.
 *
 * Invariant: memory is shared. wasm2c then makes every atomic of the core a sequentially consistent
 * C11 atomic; on memory that is not shared it drops the ordering.
 */
#ifndef WASM_RT_H_
#define WASM_RT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define wasm_rt_memcpy __builtin_memcpy
#define wasm_rt_unreachable __builtin_unreachable

#define WASM_RT_C11_AVAILABLE 1
#define WASM_RT_THREAD_LOCAL
#define WASM_RT_NO_RETURN __attribute__((noreturn))

/* Every access is checked against the size; there are no guard pages to fault on. */
#define WASM_RT_MEMCHECK_BOUNDS_CHECK 1
#define WASM_RT_MEMCHECK_GUARD_PAGES 0
#define WASM_RT_USE_MMAP 0
#define WASM_RT_USE_SEGUE 0
#define WASM_RT_SEGUE_FREE_SEGMENT 0
#define WASM_RT_SANITY_CHECKS 0
/* The core recurses a few levels at most: its call graph bounds the stack. */
#define WASM_RT_STACK_DEPTH_COUNT 0
#define WASM_RT_STACK_EXHAUSTION_HANDLER 0

typedef enum {
    WASM_RT_TRAP_NONE,
    WASM_RT_TRAP_OOB,
    WASM_RT_TRAP_INT_OVERFLOW,
    WASM_RT_TRAP_DIV_BY_ZERO,
    WASM_RT_TRAP_INVALID_CONVERSION,
    WASM_RT_TRAP_UNREACHABLE,
    WASM_RT_TRAP_CALL_INDIRECT,
    WASM_RT_TRAP_NULL_REF,
    WASM_RT_TRAP_UNCAUGHT_EXCEPTION,
    WASM_RT_TRAP_UNALIGNED,
    WASM_RT_TRAP_EXHAUSTION,
} wasm_rt_trap_t;

typedef enum {
    WASM_RT_I32,
    WASM_RT_I64,
    WASM_RT_F32,
    WASM_RT_F64,
    WASM_RT_V128,
    WASM_RT_FUNCREF,
    WASM_RT_EXTERNREF,
    WASM_RT_EXNREF,
} wasm_rt_type_t;

/* Linear memory: `size` bytes from `data` on, `pages` of `page_size`. */
typedef struct {
    uint8_t *data;
    uint8_t *data_end;
    uint32_t page_size;
    uint64_t pages, max_pages, size;
    bool is64;
} wasm_rt_memory_t;

/* One type for both, because wasm2c hands shared memories to memory_copy() and memory_fill(). */
typedef wasm_rt_memory_t wasm_rt_shared_memory_t;

/* Tables: named by code that wasm2c always prints, and never used by the core. A function type is
 * the address of wasm2c's hash of it. */
typedef void (*wasm_rt_function_ptr_t)(void);
typedef const char *wasm_rt_func_type_t;

typedef struct wasm_rt_tailcallee_t {
    void (*fn)(void **instance, void *tail_call_stack, struct wasm_rt_tailcallee_t *next);
} wasm_rt_tailcallee_t;

typedef struct {
    wasm_rt_func_type_t func_type;
    wasm_rt_function_ptr_t func;
    wasm_rt_tailcallee_t func_tailcallee;
    void *module_instance;
} wasm_rt_funcref_t;

typedef void *wasm_rt_externref_t;

typedef struct {
    wasm_rt_funcref_t *data;
    uint32_t max_size, size;
} wasm_rt_funcref_table_t;

typedef struct {
    wasm_rt_externref_t *data;
    uint32_t max_size, size;
} wasm_rt_externref_table_t;

#define wasm_rt_funcref_null_value ((wasm_rt_funcref_t){ NULL, NULL, { NULL }, NULL })
#define wasm_rt_externref_null_value ((wasm_rt_externref_t){ NULL })

static inline bool wasm_rt_is_initialized(void)
{
    return true;
}

/*
 * Of a module that is not the core, and only if it uses them: nothing here implements them. All
 * sizes are counts of pages or entries; growing answers the old size, or -1 (all ones).
 */
void wasm_rt_allocate_memory(wasm_rt_memory_t *memory, uint64_t pages, uint64_t max_pages,
                             bool is64, uint32_t page_size);
void wasm_rt_free_memory(wasm_rt_memory_t *memory);
uint64_t wasm_rt_grow_memory(wasm_rt_memory_t *memory, uint64_t pages);
uint64_t wasm_rt_grow_memory_shared(wasm_rt_shared_memory_t *memory, uint64_t pages);
void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t *table, uint32_t size,
                                    uint32_t max_size);
void wasm_rt_free_funcref_table(wasm_rt_funcref_table_t *table);

/* The embedder's: a trap is a bug of the core. It must not return. */
WASM_RT_NO_RETURN void wasm_rt_trap(wasm_rt_trap_t trap);

#endif
