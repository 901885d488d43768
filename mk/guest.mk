# SPDX-License-Identifier: MIT
#
# Tiny arm64 guests: tests/guest/NAME.c, or all of tests/guest/NAME/, with the runtime in
# tests/guest/common/, make build/guest/NAME.bin, an arm64 Image that runs where it is loaded once its
# runtime has applied the relocations between the linker script's __rela_start and __rela_end.
# The linker script is tests/guest/NAME/guest.lds if it exists, else tests/guest/common/guest.lds.

GUEST_OUT    := $(BUILD)/guest$(XSUFFIX)
GUEST_DIRS   := $(filter-out common,$(patsubst tests/guest/%/,%,$(sort $(wildcard tests/guest/*/))))
GUEST_NAMES  := $(sort $(patsubst tests/guest/%.c,%,$(wildcard tests/guest/*.c)) $(GUEST_DIRS))
GUEST_COMMON := $(sort $(wildcard tests/guest/common/*.c tests/guest/common/*.S))

GUEST_FLAGS = $(FREESTANDING) -nostdinc -Itests/guest/common -isystem $(BUILD)/debian/include \
    -isystem $(XINCLUDE) $(XDEFINES) -fpie -fvisibility=hidden -fno-stack-protector \
    -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections

guest_sources = $(sort $(wildcard tests/guest/$(1).c tests/guest/$(1)/*.c tests/guest/$(1)/*.S)) $(GUEST_COMMON)
guest_objects = $(patsubst %,$(GUEST_OUT)/obj/%.o,$(call guest_sources,$(1)))
guest_lds     = $(firstword $(wildcard tests/guest/$(1)/guest.lds) tests/guest/common/guest.lds)

.PHONY: guests
guests: $(GUEST_NAMES:%=$(GUEST_OUT)/%.bin)

define guest_program
$(GUEST_OUT)/$(1).elf: $(call guest_objects,$(1)) $(call guest_lds,$(1))
	@echo '  LD      $$@'
	$$(Q)$$(XLD) -pie --no-dynamic-linker -z text -z norelro -z noexecstack -z max-page-size=4096 \
	    --build-id=none --gc-sections -T $(call guest_lds,$(1)) -o $$@ $(call guest_objects,$(1))
endef
$(foreach name,$(GUEST_NAMES),$(eval $(call guest_program,$(name))))

$(GUEST_OUT)/%.bin: $(GUEST_OUT)/%.elf
	$(Q)$(XOBJCOPY) -O binary $< $@

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
