/* SPDX-License-Identifier: MIT */
/*
 * What the compiler's stack protector needs: the guard that functions put below their return
 * address, and who is called when it was overwritten. The architecture sets the guard to something
 * unpredictable before anything returns.
 */
#include <hospes/compiler.h>
#include <hospes/log.h>
#include <hospes/types.h>

uintptr_t __stack_chk_guard = 0x595e9fbd94fda766;

__noreturn void __stack_chk_fail(void);

void __stack_chk_fail(void)
{
    panic("the stack of the hypervisor was overwritten");
}
