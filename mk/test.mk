# SPDX-License-Identifier: MIT
#
# Boot tests: whole machines in QEMU, as many at a time as there are CPUs. Logs: build/logs.

XEN  ?=
JOBS ?= $(shell nproc 2>/dev/null || echo 1)
K    ?=

PYTEST = PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -o cache_dir=$(BUILD)/pytest

FUZZ    ?= domain_tree
SECONDS ?= 60

.PHONY: test boot-test fuzz
test: unit boot-test ## run all tests: unit tests, then boot tests

boot-test: hypervisor guests image image-xl $(BUILD)/debian/firmware.stamp $(if $(XEN),$(BUILD)/debian/xen.stamp) | $(BUILD)/host/test ## boot whole machines in QEMU (K=expression selects, JOBS=n at a time, XEN=1: Debian's Xen instead)
	@$(PYTEST) -n $(JOBS) -q --tb=short --hypervisor=$(OUT)/hospes $(if $(XEN),--xen) $(if $(K),-k '$(K)') tests/boot

fuzz: image | $(BUILD)/host/fuzz ## feed a parser what a hostile user might write (FUZZ=domain_tree|kernel_image|kernel_x86|hypercalls SECONDS=60)
	@tests/fuzz/run $(SECONDS) $(FUZZ)
