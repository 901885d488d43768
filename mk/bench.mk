# SPDX-License-Identifier: MIT
#
# Measures: the same guest on Hospes and on Debian's Xen, in counts of instructions.

.PHONY: bench
bench: hypervisor guests image $(if $(filter arm64,$(ARCH)),$(BUILD)/debian/xen.stamp,$(IMAGE)/xen) | $(BUILD)/host/run $(BUILD)/host/bench ## measure against Xen, write doc/measurements.md (ARCH=arm64|x86_64)
	@ARCH=$(ARCH) $(PYTHON) tests/bench/run $(ARGS)
