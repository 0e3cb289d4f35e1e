/**
 * What a guest in TypeScript asks of the world below it: the calls of pvcalls_guest.h, made by
 * program.c. Module `calls`. Addresses are the program's; results and timeouts are those of C.
 */

export declare function socket(timeoutMs: u32): i32;
export declare function set_ring_order(socket: i32, order: u32): i32;
/** `ip`: the first number of the four is the highest byte. */
export declare function connect(socket: i32, ip: u32, port: u32, timeoutMs: u32): i32;
export declare function bind(socket: i32, ip: u32, port: u32, timeoutMs: u32): i32;
export declare function listen(socket: i32, backlog: u32, timeoutMs: u32): i32;
export declare function accept(socket: i32, timeoutMs: u32): i32;
export declare function send(socket: i32, from: usize, size: u32, timeoutMs: u32): i32;
export declare function receive(socket: i32, to: usize, size: u32, timeoutMs: u32): i32;
/** `entries`: three words each, socket, wanted, ready. */
export declare function poll(entries: usize, count: u32, timeoutMs: u32): i32;
export declare function close(socket: i32, timeoutMs: u32): i32;
export declare function abort(socket: i32): i32;
export declare function now(): u32;
export declare function sleep(ms: u32): void;
export declare function exit(code: i32): void;
/** Names and values end with a 0. */
export declare function setting_is(name: usize, nameSize: u32, value: usize, size: u32): bool;
export declare function setting_number(name: usize, nameSize: u32, otherwise: u32): u32;
/** Writes the name of an error without a 0, up to `size` bytes. Result: how many. */
export declare function error_name(error: i32, to: usize, size: u32): u32;
