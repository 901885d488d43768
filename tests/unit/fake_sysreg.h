/* SPDX-License-Identifier: MIT */
/*
 * arm64's vCPU and system registers for tests that include a source of hypervisor/arch/arm64: each
 * register that it names is a variable of that name, declared by the test with FAKE_SYSREG().
 */
#ifndef FAKE_SYSREG_H
#define FAKE_SYSREG_H

#include "../../hypervisor/arch/arm64/include/asm/domain.h"
#include "../../hypervisor/arch/arm64/include/asm/vcpu.h"

#include <asm/sysreg.h>

#define FAKE_SYSREG(reg) static uint64_t fake_##reg __attribute__((unused))

#undef read_sysreg
#undef write_sysreg
#undef isb
#undef dsb
#undef esb
#define read_sysreg(reg)         ((uint64_t)fake_##reg)
#define write_sysreg(value, reg) ((void)(fake_##reg = (value)))
#define isb()                    ((void)0)
#define dsb(what)                ((void)0)
#define esb()                    ((void)0)

#endif
