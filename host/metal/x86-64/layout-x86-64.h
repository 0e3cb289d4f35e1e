/*
 * Where everything stands on x86-64, beside what layout.h says for both:
 *
 *   00000000 RAM | 00100000 image | 00400000 linear memory's RAM
 *
 * What layout.h puts between 38000000 and 40000000 takes the place of RAM in a guest that has so
 * much: nobody else looks there.
 */
#ifndef PVCALLS_LAYOUT_X86_64_H
#define PVCALLS_LAYOUT_X86_64_H

#define IMAGE_BASE 0x100000
#define IMAGE_MAX 0x200000     /* one table maps the image */
#define RAM_MIB_MIN 6u
#define RAM_IMAGE_END 0x400000 /* the domain builder puts what it has to say behind the image */

#define PHYS32_ENTRY 18 /* public/elfnote.h: XEN_ELFNOTE_PHYS32_ENTRY */

#define SELECTOR_CODE 0x08
#define SELECTOR_TASK 0x10

#define EXCEPTIONS 32
#define EVENT_VECTOR 0x20 /* any beyond the exceptions */
#define STUB_SIZE 16      /* of an exception's entry */

#endif
