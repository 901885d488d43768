/* SPDX-License-Identifier: MIT */
/* The code of the hypercall page; <asm/hypercall_page.h>. */
#include <asm/hypercall_page.h>
#include <hospes/domain.h>
#include <hospes/errno.h>
#include <hospes/p2m.h>
#include <lib/bits.h>
#include <string.h>
#include <xen/xen.h>

#define STUB_BYTES 32u
#define STUBS      (FRAME_SIZE / STUB_BYTES)

/* The same in code of 32 and of 64 bits. */
static const uint8_t stub[] = {
    0xb8, 0,    0,    0, 0, /* mov $number, %eax */
    0x0f, 0x01, 0xd9,       /* vmmcall */
    0xc3,                   /* ret */
};

static const uint8_t undefined[] = { 0x0f, 0x0b };

int hypercall_page_write(struct domain *d, uint64_t value)
{
    gaddr_t page = GADDR(value & ~FRAME_MASK);
    int err = 0;

    if (value & FRAME_MASK)
        return -EINVAL;
    for (uint32_t i = 0; i < STUBS && !err; i++) {
        uint8_t code[STUB_BYTES];

        memset(code, 0xcc, sizeof(code)); /* int3 */
        if (i == __HYPERVISOR_iret) {
            memcpy(code, undefined, sizeof(undefined));
        } else {
            memcpy(code, stub, sizeof(stub));
            code[1] = (uint8_t)i;
        }
        err = p2m_copy_to(d, gaddr_add(page, i * STUB_BYTES), code, sizeof(code));
    }
    return err;
}
