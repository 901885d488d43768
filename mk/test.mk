# SPDX-License-Identifier: MIT
#
# Boot tests: whole machines in QEMU, as many at a time as there are CPUs. Logs: build/logs.

XEN  ?=
JOBS ?= $(shell nproc 2>/dev/null || echo 1)
K    ?=

PYTEST = PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -o cache_dir=$(BUILD)/pytest

FUZZ    ?= domain_tree
SECONDS ?= 60

# Tests of one architecture, and those of both.
BOOT_TESTS_arm64  := tests/boot --ignore=tests/boot/x86
BOOT_TESTS_x86_64 := tests/boot/x86 tests/boot/test_xl.py tests/boot/test_xl_4_17.py
BOOT_NEEDS_arm64  := image-xl-4.17 $(BUILD)/debian/firmware.stamp $(if $(XEN),$(BUILD)/debian/xen.stamp)
BOOT_NEEDS_x86_64 := image-xl-4.17 $(BUILD)/debian/firmware-x86_64.stamp $(BUILD)/debian/grub-x86_64.stamp $(BUILD)/debian/grub-efi-x86_64.stamp \
    $(BUILD)/debian/bochs-x86_64.stamp $(if $(XEN),$(IMAGE)/xen)

# Of the tests of both, `make test` runs these on a PC; all of them on arm64.
TESTED_TWICE := test_info or test_programs or test_create_and_destroy or test_disk or test_vcpus

.PHONY: test boot-test fuzz
# Images first: unit tests read the device trees of QEMU's machines.
test: ## run all tests: unit tests, then boot tests of both architectures
	@$(MAKE) --no-print-directory ARCH=arm64 image
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory ARCH=arm64 boot-test
	@$(MAKE) --no-print-directory ARCH=x86_64 $(if $(K),,K='not test_xl.py or $(TESTED_TWICE)') boot-test

boot-test: hypervisor guests image image-xl $(BOOT_NEEDS_$(ARCH)) | $(BUILD)/host/test ## boot whole machines in QEMU (ARCH=arm64|x86_64 K=expression selects, JOBS=n at a time, XEN=1: Debian's Xen instead)
	@ARCH=$(ARCH) $(PYTEST) -n $(JOBS) -q --tb=short --hypervisor=$(OUT)/hospes $(if $(XEN),--xen) $(if $(K),-k '$(K)') \
	    $(BOOT_TESTS_$(ARCH)) || { status=$$?; [ $$status != 5 ] || echo "boot-test: K='$(K)' is in the name of no test of $(ARCH)" >&2; exit $$status; }

fuzz: image | $(BUILD)/host/fuzz ## feed a parser what a hostile user might write (FUZZ=domain_tree|kernel_image|kernel_x86|hypercalls|decode|firmware|context SECONDS=60)
	@tests/fuzz/run $(SECONDS) $(FUZZ)
