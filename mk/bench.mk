# SPDX-License-Identifier: MIT
#
# Measures: the same guests on Hospes and on Debian's Xen, in counts of instructions.

BENCH_OUT := $(BUILD)/bench$(BESIDE)

# Xen; for PCs Bochs too, with the loader that starts it there.
BENCH_XEN_arm64  := $(BUILD)/debian/xen.stamp
BENCH_XEN_x86_64 := $(IMAGE)/xen $(BENCH_OUT)/guests.cpio $(BUILD)/debian/bochs-x86_64.stamp $(BUILD)/debian/grub-x86_64.stamp \
    $(BUILD)/host/media

# What dom0 has on Bochs, where each megabyte takes its time: xl, and what it cannot be without.
GUESTS_FILES   := $(patsubst %,usr/lib/xen-*/bin/%,xl xenstored xenconsoled xen-init-dom0) usr/lib/*-linux-gnu/libgcc_s.so.1
GUESTS_MODULES := xenfs xen-privcmd xen-evtchn xen-gntdev

.PHONY: bench bench-programs
bench: hypervisor guests image image-xl bench-programs $(BENCH_XEN_$(ARCH)) | $(BUILD)/host/run $(BUILD)/host/bench ## measure against Xen, write doc/measurements.md (ARCH=arm64|x86_64)
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

$(BENCH_OUT)/guests.cpio: $(INITRAMFS) tests/bench/dom0/guests mk/bench.mk $(BUILD)/debian/toolstack$(BESIDE).stamp $(IMAGE_NEEDS)
	@mkdir -p $(@D)
	@image/initramfs --root $(DEBIAN) --init tests/bench/dom0/guests $(GUESTS_MODULES:%=--module %) \
	    --packages $(BUILD)/debian/toolstack$(BESIDE) $(GUESTS_FILES:%=--take '%') $@
