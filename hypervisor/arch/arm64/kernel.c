/* SPDX-License-Identifier: MIT */
/* What arm64 boots; <hospes/kernel_image.h> has the contract. */
#include <hospes/kernel_image.h>
#include <hospes/unpack.h>

#define ELF_MACHINE_AARCH64 183
#define PE_MACHINE_ARM64    0xaa64u

static kernel_format_fn *const wrappers[] = { kernel_unwrap_zboot, NULL };
static kernel_format_fn *const formats[] = { kernel_probe_arm64, kernel_probe_elf, NULL };
static const struct unpacker *const unpackers[] = { &unpack_gzip, NULL };

static const struct kernel_stranger strangers[] = {
    { 0x202, 4, "HdrS", "is one for x86 (bzImage)" },
    { 0, 0, NULL, NULL },
};

const struct kernel_arch arch_kernel = {
    .wrappers = wrappers,
    .formats = formats,
    .unpackers = unpackers,
    .strangers = strangers,
    .elf64_machine = ELF_MACHINE_AARCH64,
    .pe_machine = PE_MACHINE_ARM64,
    .raw = true,
};
