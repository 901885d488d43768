# SPDX-License-Identifier: MIT
#
# Measures: the same guest on Hospes and on Debian's Xen, in counts of instructions.

.PHONY: bench
bench: hypervisor guests image $(BUILD)/debian/xen.stamp | $(BUILD)/host/run $(BUILD)/host/bench ## measure against Xen, write doc/measurements.md
	@$(PYTHON) tests/bench/run $(ARGS)
