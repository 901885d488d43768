# SPDX-License-Identifier: MIT
#
# Boot tests: whole machines in QEMU, as many at a time as there are CPUs. Logs: build/logs.

XEN  ?=
JOBS ?= $(shell nproc 2>/dev/null || echo 1)
K    ?=

PYTEST = PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -o cache_dir=$(BUILD)/pytest

FUZZ    ?= domain_tree
SECONDS ?= 60

.PHONY: test boot-test xl-test fuzz
test: unit boot-test ## run all tests: unit tests, then boot tests

boot-test: hypervisor guests image $(BUILD)/debian/firmware.stamp | $(BUILD)/host/test ## boot whole machines in QEMU (K=expression selects, JOBS=n at a time)
	@$(PYTEST) -n $(JOBS) -q --tb=short --hypervisor $(OUT)/hospes $(if $(K),-k '$(K)') tests/boot

xl-test: hypervisor guests image-xl $(if $(XEN),$(BUILD)/debian/xen.stamp) | $(BUILD)/host/test ## the boot tests that need Xen's toolstack (XEN=1: on Debian's Xen; K=, JOBS=)
	@$(PYTEST) -n $(JOBS) -q --tb=short --hypervisor $(OUT)/hospes $(if $(XEN),--xen) -m xl $(if $(K),-k '$(K)') \
	    tests/boot

fuzz: image | $(BUILD)/host/fuzz ## feed a parser what a hostile user might write (FUZZ=domain_tree|kernel_image SECONDS=60)
	@tests/fuzz/run $(SECONDS) $(FUZZ)
