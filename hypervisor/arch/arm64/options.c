/* SPDX-License-Identifier: MIT */
/* The command line's options that only arm64 has: <hospes/option.h>. */
#include <hospes/option.h>

const struct option arch_options[] = { { 0 } };

const char *const arch_without_effect[] = { "serrors", "vwfi", NULL };

const char *const arch_consoles[] = { "dtuart", NULL };
const char arch_console_default[] = "dtuart";
const char arch_console_expected[] = "dtuart, none";
