/* SPDX-License-Identifier: MIT */
/*
 * Carries out the instruction that touched an emulated device's registers, as <asm/decode.h>
 * understands it, by <hospes/mmio.h>.
 */
#ifndef ASM_EMULATE_H
#define ASM_EMULATE_H

#include <hospes/exit.h>
#include <hospes/types.h>
#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/*
 * The vCPU that runs here made an access to `at`, behind which there is no memory, by the
 * instruction at its cs:rip; `write` as the hardware tells. Registers, flags and rip are left as
 * after the instruction, or for EXIT_RETRY (there is more of a repeated one, or the instruction
 * could not be fetched, which is told to the guest where it is its fault) as before.
 * EXIT_UNDEF: no instruction that this can do.
 */
enum exit_action emulate_access(struct vcpu *v, gaddr_t at, bool write);

#endif
