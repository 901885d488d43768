/* SPDX-License-Identifier: MIT */
/* What x86 boots: PVH kernels; <hospes/kernel_image.h> has the contract. */
#include <hospes/kernel_image.h>
#include <hospes/unpack.h>

#define ELF_MACHINE_386    3
#define ELF_MACHINE_X86_64 62
#define PE_MACHINE_X86_64  0x8664u

static kernel_format_fn *const wrappers[] = { kernel_unwrap_x86, NULL };
static kernel_format_fn *const formats[] = { kernel_probe_pvh, NULL };
static const struct unpacker *const unpackers[] = { &unpack_zstd, &unpack_gzip, &unpack_xz,
                                                    &unpack_lzma, &unpack_lz4,  NULL };

static const struct kernel_stranger strangers[] = {
    { 56, 4, "ARM\x64", "is one for arm64 (Image)" },
    { 0, 0, NULL, NULL },
};

const struct kernel_arch arch_kernel = {
    .wrappers = wrappers,
    .formats = formats,
    .unpackers = unpackers,
    .strangers = strangers,
    .elf64_machine = ELF_MACHINE_X86_64,
    .elf32_machine = ELF_MACHINE_386,
    .pe_machine = PE_MACHINE_X86_64,
};
