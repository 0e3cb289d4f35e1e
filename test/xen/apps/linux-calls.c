/*
 * A guest of Linux's own pvcalls backend that goes through the protocol, call by call, and says of
 * each part that it is over. The guest ends with code 0 only if every answer was what it has to be.
 *
 * Settings: those of linux-guest.h; part (number of the only part, from 1), short (connections of
 * the last part), hasty (1: see linux-release.h).
 */
#include "linux-talk.h"

#include "linux-names.h"
#include "linux-release.h"
#include "linux-streams.h"

static const struct part {
    const char *name;
    bool (*script)(void);
} parts[] = {
    { "names", names },       { "unreachable", unreachable }, { "orders", orders },
    { "clients", clients },   { "together", together },       { "slow", slow },
    { "releases", releases }, { "starved", starved },         { "short", short_ones },
};
#define PARTS (sizeof parts / sizeof parts[0])

static uint32_t part; /* under way, from 1; 0: none yet */
static uint32_t part_ms;

static void begin(uint32_t next)
{
    part = next;
    part_ms = now_ms();
    doing = parts[part - 1].name;
}

static bool go_on(void)
{
    uint32_t only = setting_number("part", 0);
    if (part == 0)
        begin(only == 0 ? 1 : only);
    if (!parts[part - 1].script())
        return false;
    console_print("linux: %s: done after %u ms", parts[part - 1].name, now_ms() - part_ms);
    if (part == PARTS || only != 0)
        guest_stop();
    else
        begin(part + 1);
    return true;
}
