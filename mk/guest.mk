# SPDX-License-Identifier: MIT
#
# Tiny guests: tests/guest/NAME.c, or all of tests/guest/NAME/ and tests/guest/NAME/ARCH/, for every
# architecture; those below tests/guest/ARCH/ for one. With the runtime in tests/guest/common/ and below it
# they make build/guest/NAME.bin: for arm64 an Image, for x86-64 an ELF file for PVH. Either runs where it is loaded once
# its runtime has applied the relocations between the linker script's __rela_start and __rela_end.
# The linker script is tests/guest/NAME/guest.lds if it exists, else the runtime's.

GUEST_OUT    := $(BUILD)/guest$(BESIDE)$(XSUFFIX)
GUEST_PLACES := tests/guest tests/guest/$(ARCH_DIR)
guest_names   = $(filter-out common arm64 x86,$(foreach place,$(GUEST_PLACES),$(patsubst $(place)/%/,%,$(wildcard $(place)/*/)) \
    $(patsubst $(place)/%.c,%,$(wildcard $(place)/*.c))))
GUEST_NAMES  := $(sort $(guest_names))
GUEST_COMMON := $(sort $(foreach kind,c S,$(wildcard tests/guest/common/*.$(kind) tests/guest/common/$(ARCH_DIR)/*.$(kind))))

GUEST_FLAGS = $(FREESTANDING) -nostdinc -Itests/guest/common -Itests/guest/common/$(ARCH_DIR) -isystem $(BUILD)/debian/include \
    -isystem $(XINCLUDE) $(XDEFINES) -fpie -fvisibility=hidden -fno-stack-protector \
    -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections

guest_sources = $(sort $(wildcard $(foreach place,$(GUEST_PLACES),$(place)/$(1).c \
    $(foreach kind,c S,$(place)/$(1)/*.$(kind) $(place)/$(1)/$(ARCH_DIR)/*.$(kind))))) $(GUEST_COMMON)
guest_objects = $(patsubst %,$(GUEST_OUT)/obj/%.o,$(call guest_sources,$(1)))
guest_lds     = $(firstword $(wildcard tests/guest/$(1)/guest.lds) tests/guest/common/$(ARCH_DIR)/guest.lds)

.PHONY: guests
guests: $(GUEST_NAMES:%=$(GUEST_OUT)/%.bin)

define guest_program
$(GUEST_OUT)/$(1).elf: $(call guest_objects,$(1)) $(call guest_lds,$(1))
	@echo '  LD      $$@'
	$$(Q)$$(XLD) -pie --no-dynamic-linker -z text -z norelro -z noexecstack -z max-page-size=4096 \
	    --build-id=none --gc-sections -T $(call guest_lds,$(1)) -o $$@ $(call guest_objects,$(1))
endef
$(foreach name,$(GUEST_NAMES),$(eval $(call guest_program,$(name))))

ifeq ($(ARCH),arm64)
GUEST_OBJCOPY := -O binary
else
GUEST_OBJCOPY := --strip-debug
endif

$(GUEST_OUT)/%.bin: $(GUEST_OUT)/%.elf
	$(Q)$(XOBJCOPY) $(GUEST_OBJCOPY) $< $@

$(GUEST_OUT)/obj/%.c.o: %.c $(MK) mk/guest.mk $(HV_NEEDS)
	@mkdir -p $(@D)
	@echo '  CC      $<'
	$(Q)$(XCC) $(GUEST_FLAGS) $(WARNINGS) -include mk/hidden.h -MMD -MP -c -o $@ $<

$(GUEST_OUT)/obj/%.S.o: %.S $(MK) mk/guest.mk $(HV_NEEDS)
	@mkdir -p $(@D)
	@echo '  AS      $<'
	$(Q)$(XCC) $(GUEST_FLAGS) -MMD -MP -c -o $@ $<

.PRECIOUS: $(GUEST_OUT)/%.elf

-include $(shell find $(GUEST_OUT)/obj -name '*.d' 2>/dev/null)
