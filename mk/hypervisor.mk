# SPDX-License-Identifier: MIT
#
# The hypervisor: every source below its folders, in sorted order, into one image.

HV_SOURCES := $(filter-out %.lds.S,$(sort $(wildcard $(patsubst %,hypervisor/%/*.c,core lib drivers drivers/* efi arch/$(ARCH_DIR)) \
    hypervisor/arch/$(ARCH_DIR)/*.S)))
HV_LDS     := hypervisor/arch/$(ARCH_DIR)/hospes.lds.S
HV_OBJECTS := $(HV_SOURCES:%=$(OUT)/obj/%.o)
HV_NEEDS   := $(patsubst %,$(BUILD)/debian/%.stamp,$(sort dev $(DEV_SET) sources)) | $(XPURPOSE:%=$(BUILD)/host/%)

HV_INCLUDES := -nostdinc -Ihypervisor/include -Ihypervisor/arch/$(ARCH_DIR)/include \
    -Ihypervisor/include/libc -isystem $(BUILD)/debian/include \
    $(LIB_INCLUDES) -isystem $(BUILD)/debian/$(ARCH)/usr/include/efi

# Code and data run wherever they are loaded: -fpie keeps what has to be relocated (constants that
# point) out of .text and .rodata, and the linker's `-z text` proves it.
HV_FLAGS = $(FREESTANDING) $(HV_INCLUDES) -isystem $(XINCLUDE) $(XDEFINES) -fpie -fvisibility=hidden \
    -fno-asynchronous-unwind-tables -DHOSPES_DEBUG=$(if $(filter-out 0,$(DEBUG)),1,0)
# Errata of Cortex-A53 (835769, 843419) that only a compiler and a linker can avoid.
HV_CFLAGS_arm64   := -mfix-cortex-a53-835769
# No padding before functions and loops: it takes more room, and is executed, too.
HV_CFLAGS_gcc     := -falign-functions=4 -falign-loops=1 -falign-jumps=1 -falign-labels=1
# An address within 1 MiB, .bss included, takes one instruction; the linker says so when the image outgrows that. What
# clang makes of it, its own linker does not understand.
HV_CFLAGS_gcc_arm64 := -mcmodel=tiny
# UEFI calls, and is called, by another convention there.
HV_CFLAGS_x86_64  := -DGNU_EFI_USE_MS_ABI -DHAVE_USE_MS_ABI
# Indirect calls go through arch/x86/thunk.S, which is made to fit the CPU; tables of jumps would not.
HV_CFLAGS_x86_64  += -fno-jump-tables $(if $(filter clang,$(COMPILER)),-mretpoline -mretpoline-external-thunk,$\
    -mindirect-branch=thunk-extern -mindirect-branch-register)
HV_LDFLAGS_arm64  := --fix-cortex-a53-843419
HV_LDFLAGS_x86_64 := -z noseparate-code
HV_CFLAGS = $(HV_FLAGS) $(HV_CFLAGS_$(ARCH)) $(HV_CFLAGS_$(COMPILER)) $(HV_CFLAGS_$(COMPILER)_$(ARCH)) -include mk/hidden.h $(WARNINGS) -fstack-protector-strong -ffunction-sections -fdata-sections

# What guests wait for is compiled for speed, all else for size: the image has to stay small.
HV_FAST := $(addprefix hypervisor/core/,hypercall.c xen_version.c vcpu.c pcpu.c mmio.c sched.c sched_fair.c sched_null.c timer.c irq.c \
    p2m.c pgtable.c hypmap.c guest_access.c evtchn.c evtchn_2l.c evtchn_fifo.c evtchn_op.c evtchn_close.c gnttab_map.c gnttab_use.c \
    gnttab_maptrack.c gnttab_copy.c gnttab_op.c p2m_batch.c reservation.c memory_op.c physmap.c sysctl.c sysctl_machine.c domctl_domain.c domain.c frame.c frame_free.c) $(addprefix hypervisor/lib/,tree.c bitmap.c deepmap.c) \
    $(addprefix hypervisor/arch/arm64/,exit.c abort.c psci.c sysreg.c context.c clock.c stage2.c stage2_format.c \
    vpl011.c vtimer.c gicv2.c gicv3.c) $(wildcard hypervisor/arch/arm64/vgic*.c) \
    $(addprefix hypervisor/arch/x86/,mm.c clock.c apic.c irq.c ioapic.c svm.c svm_asid.c svm_exit.c exit.c \
    exit_length.c hypercall.c cpuid.c msr.c inject.c guest_access.c guest_tlb.c npt.c nested_fault.c vlapic.c vlapic_regs.c \
    vlapic_ipi.c context.c fpu.c evtchn.c vtime.c port.c pio.c decode.c emulate.c)

# Of that, what each exit goes through, and loops in one hypercall.
HV_FASTEST := $(addprefix hypervisor/core/,mmio.c guest_access.c frame.c evtchn_op.c evtchn_close.c gnttab_copy.c sysctl_machine.c) \
    $(addprefix hypervisor/arch/arm64/,exit.c psci.c)

HV_FAST_OPT    := -O2
HV_FASTEST_OPT := -O2
# On x86, which has more room, the fastest take in what is `inline` even where it is large.
ifeq ($(COMPILER)-$(ARCH),gcc-x86_64)
HV_FASTEST_OPT := -O2 --param max-inline-insns-single=200
endif
# On arm64 taking small functions in has nearly the speed of -O2 without its size, with gcc.
ifeq ($(COMPILER)-$(ARCH),gcc-arm64)
HV_FAST_OPT    := -Os -finline-small-functions --param max-inline-insns-size=6
HV_FASTEST_OPT := -O2 -freorder-blocks-algorithm=simple -fno-partial-inlining -fno-tree-pre -fno-thread-jumps --param max-inline-insns-auto=8
endif
HV_OPT = $(if $(filter $(HV_FASTEST),$<),$(HV_FASTEST_OPT),$(if $(filter $(HV_FAST),$<),$(HV_FAST_OPT),-Os))

# gcc sees all files at once when they are linked, and leaves out what only one of them could not know to be needless.
# Not those that run before they are relocated or in firmware's world, nor functions that gcc itself calls.
HV_LTO_gcc := -flto
HV_LTO      = $(HV_LTO_$(COMPILER))
HV_APART   := $(patsubst %,$(OUT)/obj/hypervisor/%.c.o,core/stack_protector lib/mem arch/$(ARCH_DIR)/early arch/arm64/wrong_level) \
    $(filter $(OUT)/obj/hypervisor/efi/% $(OUT)/obj/hypervisor/arch/$(ARCH_DIR)/efi.%,$(HV_OBJECTS))
$(HV_APART): HV_LTO :=

HV_LDFLAGS := -pie --no-dynamic-linker -z text -z max-page-size=4096 -z norelro -z noexecstack \
    --build-id=sha1 --gc-sections --orphan-handling=error --fatal-warnings $(HV_LDFLAGS_$(ARCH))

# gcc makes the code, and calls the linker. A function that took in those of other files has their frames, too.
HV_LINK_gcc    = $(XCC) $(HV_CFLAGS) -Wframe-larger-than=1280 -Os -flto=auto -nostdlib -static-pie $(addprefix -Xlinker ,$(HV_LDFLAGS))
HV_LINK_clang := $(XLD) $(HV_LDFLAGS)

.PHONY: hypervisor
hypervisor: $(OUT)/hospes

# One file is all of these: a flat image for multiboot, and an application for UEFI.
ifeq ($(ARCH),x86_64)
hypervisor: $(OUT)/hospes.efi
endif

$(OUT)/hospes.efi: $(OUT)/hospes
	$(Q)cp $< $@

$(OUT)/hospes: $(OUT)/hospes.elf
	$(Q)$(XOBJCOPY) -O binary $< $@
	@wc -c <$@ | awk '{ printf "$@: %d bytes\n", $$1 }'

$(OUT)/hospes.elf: $(HV_OBJECTS) $(LIB_OBJECTS) $(OUT)/hospes.lds mk/pack-relocations
	@echo '  LD      $@'
	$(Q)$(HV_LINK_$(COMPILER)) -T $(OUT)/hospes.lds -o $@ $(HV_OBJECTS) $(LIB_OBJECTS)
	$(Q)mk/pack-relocations $@

$(OUT)/hospes.lds: $(HV_LDS) $(MK) mk/hypervisor.mk $(HV_NEEDS)
	@mkdir -p $(@D)
	$(Q)$(XCC) $(HV_FLAGS) -E -P -x assembler-with-cpp -MMD -MP -MT $@ -MF $@.d -o $@ $<

# The screen's letters: the console font "Fixed", in the public domain.
FONT := $(BUILD)/debian/all/usr/share/consolefonts/Lat15-Fixed16.psf.gz

$(FONT): $(BUILD)/debian/font.stamp ;

$(OUT)/font.bin: $(FONT) mk/font
	@mkdir -p $(@D)
	$(Q)mk/font $< $@

$(OUT)/obj/hypervisor/arch/x86/font.S.o: $(OUT)/font.bin
$(OUT)/obj/hypervisor/arch/x86/font.S.o: HV_FLAGS += -Wa,-I$(OUT)

$(OUT)/obj/%.c.o: %.c $(MK) mk/hypervisor.mk $(HV_NEEDS)
	@mkdir -p $(@D)
	@echo '  CC      $<'
	$(Q)$(XCC) $(HV_CFLAGS) $(HV_OPT) $(HV_LTO) -MMD -MP -c -o $@ $<

$(OUT)/obj/%.S.o: %.S $(MK) mk/hypervisor.mk $(HV_NEEDS)
	@mkdir -p $(@D)
	@echo '  AS      $<'
	$(Q)$(XCC) $(HV_FLAGS) -MMD -MP -c -o $@ $<

# Runs before relocation, when the guard's address is not known yet.
$(OUT)/obj/hypervisor/arch/$(ARCH_DIR)/early.c.o: HV_CFLAGS += -fno-stack-protector
# The guard is firmware's to reach, not ours, and gnu-efi's characters are wchar_t.
$(filter $(OUT)/obj/hypervisor/efi/% $(OUT)/obj/hypervisor/arch/$(ARCH_DIR)/efi.%,$(HV_OBJECTS)): HV_CFLAGS += -fno-stack-protector -fshort-wchar
# Runs with the MMU off: no call of functions that were not written for that.
$(OUT)/obj/hypervisor/arch/arm64/wrong_level.c.o: HV_CFLAGS += -fno-stack-protector -fno-builtin $\
    $(if $(filter gcc,$(COMPILER)),-fno-tree-loop-distribute-patterns)

-include $(HV_OBJECTS:.o=.d) $(OUT)/hospes.lds.d
