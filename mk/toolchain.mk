# SPDX-License-Identifier: MIT
#
# Which compiler makes code for ARCH, and where its output goes: gcc's to build/arm64, clang's to
# build/arm64-clang, with -debug behind it for DEBUG=1.

ifneq ($(filter-out 0,$(LLVM))$(findstring clang,$(notdir $(CC))),)
COMPILER := clang
else
COMPILER := gcc
endif

CROSS_arm64   := aarch64-linux-gnu-
TARGET_arm64  := aarch64-linux-gnu
CROSS_x86_64  := x86_64-linux-gnu-
TARGET_x86_64 := x86_64-linux-gnu

ifeq ($(TARGET_$(ARCH)),)
$(error ARCH=$(ARCH): there is no such architecture; write arm64 or x86_64)
endif

# Its folder under hypervisor/arch, and the set of Debian's files that it is compiled with.
ARCH_DIR := $(if $(filter x86_64,$(ARCH)),x86,$(ARCH))
DEV_SET  := $(if $(filter x86_64,$(ARCH)),dev-x86_64,dev)

# What is made for arm64 lies where it always did, for another architecture beside it with its name behind.
BESIDE := $(patsubst -arm64,,-$(ARCH))

ifeq ($(COMPILER),clang)
XCC      := $(if $(findstring clang,$(CC)),$(CC),clang) --target=$(TARGET_$(ARCH))
XLD      := ld.lld
XOBJCOPY := llvm-objcopy
XSUFFIX  := -clang
XPURPOSE := build check
else
XCC      := $(CROSS_$(ARCH))gcc
XLD      := $(CROSS_$(ARCH))ld
XOBJCOPY := $(CROSS_$(ARCH))objcopy
XSUFFIX  :=
XPURPOSE := build
endif

# V=1 shows whole commands.
Q := $(if $(filter-out 0,$(V)),,@)

DEBUG ?= 0
OUT   := $(BUILD)/$(ARCH)$(XSUFFIX)$(if $(filter-out 0,$(DEBUG)),-debug)

# The compiler's own freestanding headers (stdint.h, stddef.h, stdarg.h ...), the only ones of C's.
# Asked for once, and late: on a fresh machine the compiler is installed by the first rule.
XINCLUDE = $(eval XINCLUDE := $$(shell $(XCC) -print-file-name=include))$(XINCLUDE)

# Keeps gcc's <limits.h> from asking for a C library's, which a hypervisor has not.
ifeq ($(COMPILER),gcc)
XDEFINES := -D_LIBC_LIMITS_H_
endif

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef \
    -Wpointer-arith -Wcast-align -Wcast-qual -Wwrite-strings -Wvla -Wimplicit-fallthrough \
    -Wswitch-enum -Wconversion -Wsign-conversion -Wframe-larger-than=1024

# x86: an interrupt comes on the stack that is in use, so that nothing may stand below its pointer.
MACHINE_arm64  := -mstrict-align -mno-outline-atomics
MACHINE_x86_64 := -m64 -mno-red-zone -fcf-protection=none -mstack-protector-guard=global

FREESTANDING := -std=gnu11 -O2 -g -ffreestanding -fno-common -fno-strict-aliasing \
    -D__XEN_TOOLS__ -mgeneral-regs-only $(MACHINE_$(ARCH)) -ffile-prefix-map=$(CURDIR)=. \
    $(if $(filter clang,$(COMPILER)),-ffile-compilation-dir=.)

# What a change of the rules themselves makes anew.
MK := Makefile mk/toolchain.mk
