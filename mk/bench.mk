# SPDX-License-Identifier: MIT
#
# Measures: the same guests on Hospes and on Debian's Xen, in counts of instructions.

BENCH_OUT := $(BUILD)/bench$(BESIDE)

.PHONY: bench bench-programs
bench: hypervisor guests image image-xl bench-programs $(if $(filter arm64,$(ARCH)),$(BUILD)/debian/xen.stamp,$(IMAGE)/xen) | $(BUILD)/host/run $(BUILD)/host/bench ## measure against Xen, write doc/measurements.md (ARCH=arm64|x86_64)
	@ARCH=$(ARCH) $(PYTHON) tests/bench/run $(ARGS)

bench-programs: $(BENCH_OUT)/measure $(BENCH_OUT)/share.so $(BENCH_OUT)/brd.ko

# A Linux program without a C library, for dom0 and a guest.
$(BENCH_OUT)/measure: tests/bench/dom0/measure.c tests/bench/dom0/$(ARCH_DIR)/linux.h $(MK) mk/bench.mk $(HV_NEEDS)
	@mkdir -p $(@D)
	@echo '  CC      $<'
	$(Q)$(XCC) $(GUEST_FLAGS) -Itests/bench/dom0/$(ARCH_DIR) -fno-pie -Wframe-larger-than=4096 $(filter-out -Wframe-larger-than%,$(WARNINGS)) -MMD -MP \
	    -c -o $@.o $<
	$(Q)$(XLD) -static --build-id=none --gc-sections -z noexecstack -z max-page-size=4096 -o $@ $@.o

$(BENCH_OUT)/share.so: tests/bench/share.c mk/bench.mk | $(BUILD)/host/bench
	@mkdir -p $(@D)
	@echo '  CC      $<'
	$(Q)gcc -std=gnu11 -O2 -Wall -Wextra -Werror -shared -fPIC -fvisibility=hidden -o $@.new $<
	@mv $@.new $@

# A disk in memory: what it reads does not depend on this computer.
$(BENCH_OUT)/brd.ko: $(IMAGE_NEEDS)
	@mkdir -p $(@D)
	@xz -dc $(DEBIAN)/usr/lib/modules/*/kernel/drivers/block/brd.ko.xz >$@
