/*
 * The console. A line goes to the ring of the PV console under xl, whose daemon reads it; without
 * one, to Xen (which shows it if it was booted with guest_loglvl=all).
 *
 * Trust: the daemon may read slowly or never. A full ring is waited for, but not long; then the
 * rest of the line is dropped.
 */
#include <stdbool.h>
#include <stddef.h>

#include "console.h"
#include "layout.h"
#include "mmu.h"
#include "params.h"
#include "processor.h"
#include "timer.h"
#include "xen.h"

#define LINE_MAX 256
#define PATIENCE_MS 100

static struct console_ring *ring;
static struct port ring_port;

struct line {
    char text[LINE_MAX];
    uint32_t size;
};

static void put(struct line *line, char character)
{
    if (line->size < LINE_MAX - 2)
        line->text[line->size++] = character;
}

static void put_number(struct line *line, uint64_t value, uint32_t base)
{
    char digits[20];
    uint32_t count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (count > 0)
        put(line, digits[--count]);
}

static void put_signed(struct line *line, int value)
{
    if (value < 0)
        put(line, '-');
    put_number(line, value < 0 ? 0u - (uint32_t)value : (uint32_t)value, 10);
}

static void format_line(struct line *line, const char *format, va_list arguments)
{
    line->size = 0;
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            put(line, *format);
            continue;
        }
        format++;
        if (*format == 's') {
            for (const char *text = va_arg(arguments, const char *); *text != '\0'; text++)
                put(line, *text);
        } else if (*format == 'd') {
            put_signed(line, va_arg(arguments, int));
        } else if (*format == 'u') {
            put_number(line, va_arg(arguments, uint32_t), 10);
        } else if (*format == 'x') {
            put_number(line, va_arg(arguments, uint64_t), 16);
        } else {
            put(line, *format);
        }
    }
}

/*
 * To Xen itself; on x86-64 by the port that it reads, since the hypercall is silent there. Result:
 * whether Xen took it; on arm64 a release build takes lines of Dom0less guests only.
 */
static bool write_to_xen(struct line *line)
{
    line->text[line->size] = '\n';
#ifdef __x86_64__
    for (uint32_t i = 0; i <= line->size; i++)
        port_write(XEN_CONSOLE_PORT, (uint8_t)line->text[i]);
    return true;
#else
    return hypercall(OP_CONSOLE_WRITE, line->size + 1, (uint64_t)line->text,
                     HYPERCALL_CONSOLE_IO) >= 0;
#endif
}

/* One byte, once there is room; false when the daemon took too long. */
static bool write_byte(uint8_t byte)
{
    uint32_t prod = ring->out_prod;
    uint32_t since = now_ms();
    while (prod - __atomic_load_n(&ring->out_cons, __ATOMIC_SEQ_CST) >= sizeof ring->out) {
        event_channel_op(OP_SEND, &ring_port);
        if (now_ms() - since > PATIENCE_MS)
            return false;
    }
    ring->out[prod % sizeof ring->out] = byte;
    __atomic_store_n(&ring->out_prod, prod + 1, __ATOMIC_SEQ_CST);
    return true;
}

static void write_to_ring(struct line *line)
{
    line->text[line->size++] = '\r';
    line->text[line->size++] = '\n';
    for (uint32_t i = 0; i < line->size && write_byte((uint8_t)line->text[i]); i++)
        continue;
    event_channel_op(OP_SEND, &ring_port);
}

void console_init(void)
{
    uint64_t frame = param(PARAM_CONSOLE_FRAME);
    if (frame == 0)
        return;
    ring_port.port = (uint32_t)param(PARAM_CONSOLE_PORT);
    mmu_map_linear(LINEAR_CONSOLE >> 12, frame);
    ring = (struct console_ring *)(LINEAR_BASE + LINEAR_CONSOLE);
}

void console_vprint(const char *format, va_list arguments)
{
    struct line line;
    format_line(&line, format, arguments);
    if (ring != NULL)
        write_to_ring(&line);
    else
        write_to_xen(&line);
}

void console_print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    console_vprint(format, arguments);
    va_end(arguments);
}

void console_print_raw(const char *format, va_list arguments)
{
    struct line line;
    format_line(&line, format, arguments);
    if (!write_to_xen(&line) && ring != NULL)
        write_to_ring(&line);
}
