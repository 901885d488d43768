# SPDX-License-Identifier: MIT
#
# Unit tests on the host: each tests/unit/test_X.c is one cmocka program. A line in it such as
#     // sources: core/frame.c core/heap.c
# names the hypervisor's own sources that it tests; hypervisor/arch/host, hypervisor/lib and the waiting for
# locks come along where they are referred to; `// helpers: fuzz/X.c` names more of the tests' own. Everything is compiled with the
# address and undefined-behaviour sanitizers.

UNIT_OUT   := $(BUILD)/unit
UNIT_TESTS := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BINS  := $(UNIT_TESTS:tests/unit/%.c=$(UNIT_OUT)/%)
UNIT_NEEDS := $(BUILD)/debian/dev.stamp | $(BUILD)/host/test

# Headers of the architectures that the host has no stand-in for are found too: much of theirs is tested here.
UNIT_CC     := gcc
UNIT_FLAGS  := -std=gnu11 -O1 -g -fno-omit-frame-pointer -fno-common -fno-strict-aliasing \
    -fsanitize=address,undefined -fno-sanitize-recover=all -DHOSPES_DEBUG=1 -D_GNU_SOURCE -D__XEN_TOOLS__ \
    -ffunction-sections -fdata-sections \
    -Ihypervisor/include -Ihypervisor/arch/host/include -Ihypervisor/arch/arm64/include -Ihypervisor/arch/x86/include -Itests/unit \
    -isystem $(BUILD)/debian/include
# The tests themselves: cmocka's style needs no prototypes and casts freely.
UNIT_TFLAGS := -Wall -Wextra -Werror -Wno-unused-parameter
UNIT_LIBS   := -lcmocka -lfdt -lz -lzstd -llzma -llz4 -lpthread

unit_named   = $(shell sed -n 's,^ *// sources: *,,p' $(1))
unit_helpers = $(shell sed -n 's,^ *// helpers: *,,p' $(1))
unit_objects = $(patsubst %,$(UNIT_OUT)/obj/hypervisor/%.o,$(sort $(call unit_named,$(1)))) \
    $(patsubst %,$(UNIT_OUT)/obj/tests/%.o,$(sort $(call unit_helpers,$(1))))

# Functions under C's own names cannot be linked beside the C library's; test_string.c includes them.
UNIT_LIBC   := hypervisor/lib/mem.c hypervisor/lib/string.c
UNIT_COMMON := $(filter-out $(UNIT_LIBC),$(sort $(wildcard hypervisor/arch/host/*.c hypervisor/lib/*.c))) \
    hypervisor/core/spinlock_wait.c
UNIT_HELP   := $(filter-out $(UNIT_TESTS),$(sort $(wildcard tests/unit/*.c)))
UNIT_ARCHIVE := $(UNIT_OUT)/libhost.a

.PHONY: unit unit-build
unit: unit-build ## run the unit tests on this machine
	@tests/run-unit $(UNIT_BINS)

unit-build: $(UNIT_BINS)

# Whatever a test does not name but refers to comes out of this archive.
$(UNIT_ARCHIVE): $(UNIT_COMMON:%=$(UNIT_OUT)/obj/%.o) $(UNIT_HELP:%=$(UNIT_OUT)/obj/%.o)
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)ar rcsD $@ $^

define unit_program
$(UNIT_OUT)/$(notdir $(1:.c=)): $(UNIT_OUT)/obj/$(1).o $(call unit_objects,$(1)) $(UNIT_ARCHIVE)
	@echo '  TEST    $$@'
	$$(Q)$(UNIT_CC) $(UNIT_FLAGS) -Wl,--gc-sections -o $$@ $$^ $(UNIT_LIBS)
endef
$(foreach test,$(UNIT_TESTS),$(eval $(call unit_program,$(test))))

# The virtual GIC is part of arm64's vCPU: it and its tests see that one, not the stand-in's.
$(UNIT_OUT)/obj/hypervisor/arch/arm64/vgic%.o $(UNIT_OUT)/obj/tests/unit/test_vgic%.o: \
    UNIT_FIRST := -Ihypervisor/arch/arm64/include

# So is what stands in x86's folder: its own headers before arm64's.
$(UNIT_OUT)/obj/hypervisor/arch/x86/%.o $(UNIT_OUT)/obj/tests/unit/test_x86_%.o: \
    UNIT_FIRST := -Ihypervisor/arch/host/include -Ihypervisor/arch/x86/include

$(UNIT_OUT)/obj/tests/%.c.o: tests/%.c $(MK) mk/unit.mk $(UNIT_NEEDS)
	@mkdir -p $(@D)
	$(Q)$(UNIT_CC) $(UNIT_FIRST) $(UNIT_FLAGS) $(UNIT_TFLAGS) -MMD -MP -c -o $@ $<

$(UNIT_OUT)/obj/hypervisor/%.c.o: hypervisor/%.c $(MK) mk/unit.mk $(UNIT_NEEDS)
	@mkdir -p $(@D)
	$(Q)$(UNIT_CC) $(UNIT_FIRST) $(UNIT_FLAGS) $(filter-out -Wframe-larger-than=%,$(WARNINGS)) -MMD -MP -c -o $@ $<

-include $(shell find $(UNIT_OUT)/obj -name '*.d' 2>/dev/null)
