# SPDX-License-Identifier: MIT
#
# What can be said about the sources without running them.

FORMAT := clang-format-19
TIDY   := clang-tidy-19

CHECKED_C := $(sort $(shell find hypervisor tests toolstack mk -name '*.[ch]' 2>/dev/null))
CHECKED_SH := image/host-packages image/await image/xl/rc tests/bench/dom0/rc tests/bench/dom0/inside image/debian/all/usr/local/sbin/first-boot tests/run-unit .ci/run
CHECKED_INIT := image/init image/dhcp image/debian/init tests/bench/dom0/guests
CHECK_NEEDS := $(BUILD)/host/check

# Findings worth an error; style is clang-format's and the reader's.
TIDY_CHECKS := -*,clang-analyzer-*,bugprone-*,misc-redundant-expression,misc-misplaced-const,$\
    readability-misleading-indentation,readability-duplicate-include,readability-redundant-declaration,$\
    readability-inconsistent-declaration-parameter-name,$\
    -bugprone-easily-swappable-parameters,-bugprone-reserved-identifier,-bugprone-macro-parentheses,$\
    -bugprone-casting-through-void,-bugprone-implicit-widening-of-multiplication-result,$\
    -bugprone-narrowing-conversions,-bugprone-assignment-in-if-condition,-bugprone-multi-level-implicit-pointer-conversion,$\
    -clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,-clang-analyzer-core.FixedAddressDereference

# What both architectures compile is looked at once, as arm64's.
HV_C_SOURCES := $(filter $(if $(filter arm64,$(ARCH)),%.c,hypervisor/arch/%.c),$(HV_SOURCES))
CHECK_ARCHES := arm64 x86_64

.PHONY: check $(CHECK_ARCHES:%=check-%) check-format check-text check-scripts check-compilers check-size check-reproducible check-cppcheck \
    check-tidy format

check: check-text check-format check-scripts $(CHECK_ARCHES:%=check-%) ## check formatting, layers, licences, both compilers, static analysis

# One after the other: each uses all CPUs.
$(CHECK_ARCHES:%=check-%): check-%:
	@$(MAKE) --no-print-directory ARCH=$* check-compilers check-size check-reproducible check-cppcheck check-tidy

check-text: | $(CHECK_NEEDS)
	@$(PYTHON) tests/check/text.py
	@$(PYTHON) tests/check/layers.py
	@$(PYTHON) tests/check/abi.py

check-format: | $(CHECK_NEEDS)
	@$(FORMAT) --dry-run -Werror $(CHECKED_C)
	@echo 'format: $(words $(CHECKED_C)) files'

format: | $(CHECK_NEEDS) ## lay out the C sources as .clang-format says
	@$(FORMAT) -i $(CHECKED_C)

check-scripts: | $(CHECK_NEEDS)
	@shellcheck $(CHECKED_SH)
	@shellcheck -s busybox $(CHECKED_INIT) 2>/dev/null || shellcheck -s dash $(CHECKED_INIT)
	@grep -rlE '^#!/usr/bin/python3' image mk tests | xargs -n1 $(PYTHON) -c \
	    'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])'
	@echo 'scripts: ok'

# Both compilers, with and without the checks of a debug build; warnings are errors.
check-compilers: | $(CHECK_NEEDS)
	@$(MAKE) --no-print-directory CC=gcc LLVM= DEBUG=0 hypervisor guests
	@$(MAKE) --no-print-directory CC=gcc LLVM= DEBUG=1 hypervisor
	@$(MAKE) --no-print-directory CC=clang DEBUG=0 hypervisor guests
	@$(MAKE) --no-print-directory CC=clang DEBUG=1 hypervisor

# The largest that the image may be, in bytes.
IMAGE_MAX_arm64  := 262144
IMAGE_MAX_x86_64 := 409600

check-size: | check-compilers
	@bytes=$$(wc -c <$(BUILD)/$(ARCH)/hospes); max=$(IMAGE_MAX_$(ARCH)); \
	    echo "size, $(ARCH): $$bytes bytes$${max:+ of $$max}"; \
	    [ "$$bytes" -le "$${max:-$$bytes}" ] || { \
	    echo "size, $(ARCH): build/$(ARCH)/hospes is $$((bytes - max)) bytes too large" >&2; exit 1; }

# The same sources in another folder have to give the same bytes.
check-reproducible: | check-compilers
	@rm -rf $(BUILD)/check/elsewhere
	@mkdir -p $(BUILD)/check/elsewhere/build
	@cp -R Makefile mk image hypervisor $(BUILD)/check/elsewhere/
	@cd $(BUILD)/check/elsewhere && ln -s ../../../debian ../../../host build/ && \
	    $(MAKE) --no-print-directory -s CC=gcc LLVM= DEBUG=0 hypervisor >/dev/null
	@cmp $(BUILD)/$(ARCH)/hospes $(BUILD)/check/elsewhere/build/$(ARCH)/hospes
	@cmp $(BUILD)/$(ARCH)/hospes.elf $(BUILD)/check/elsewhere/build/$(ARCH)/hospes.elf
	@rm -rf $(BUILD)/check/elsewhere
	@echo 'reproducible, $(ARCH): two builds in two folders give the same bytes'

$(BUILD)/check/cppcheck$(BESIDE):
	@mkdir -p $@

# cppcheck takes a linker script's symbols for different objects, and its parser trips over
# some macros and expressions that both compilers take.
check-cppcheck: $(BUILD)/debian/dev.stamp | $(CHECK_NEEDS) $(BUILD)/check/cppcheck$(BESIDE)
	@cppcheck -q -j $(JOBS) --cppcheck-build-dir=$(BUILD)/check/cppcheck$(BESIDE) --std=c11 --platform=unix64 \
	    --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	    --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=comparePointers \
	    --suppress=preprocessorErrorDirective --suppress=internalAstError --suppress='*:$(BUILD)/*' \
	    -D__$(ARCH:arm64=aarch64)__ -D__LP64__ -D__GNUC__=12 -D__SIZEOF_POINTER__=8 -DHOSPES_DEBUG=0 \
	    -Ihypervisor/include -Ihypervisor/arch/$(ARCH_DIR)/include -Ihypervisor/include/libc \
	    $(HV_C_SOURCES)
	@echo 'cppcheck, $(ARCH): $(words $(HV_C_SOURCES)) files'

TIDY_FLAGS = --target=$(TARGET_$(ARCH)) -std=gnu11 -O2 -ffreestanding -mgeneral-regs-only -fshort-wchar \
    $(filter-out -nostdinc,$(HV_INCLUDES)) -nostdlibinc -D__XEN_TOOLS__ -DHOSPES_DEBUG=0

# xargs tells by its exit status whether any run found something.
check-tidy: $(BUILD)/debian/dev.stamp $(BUILD)/debian/sources.stamp | $(CHECK_NEEDS) $(BUILD)/check/cppcheck$(BESIDE)
	@status=0; printf '%s\n' $(HV_C_SOURCES) | xargs -P $(JOBS) -n 4 sh -c '$(TIDY) --quiet \
	    --warnings-as-errors="*" --checks="$(TIDY_CHECKS)" --header-filter="hypervisor/.*" \
	    "$$@" -- $(TIDY_FLAGS) || exit 1' tidy >$(BUILD)/check/tidy$(BESIDE).log 2>&1 || status=1; \
	    grep -vE '^[0-9]+ warnings? |^\[[0-9]+/[0-9]+\] Processing |^Suppressed |^Use -header' $(BUILD)/check/tidy$(BESIDE).log; exit $$status
	@echo 'tidy, $(ARCH): $(words $(HV_C_SOURCES)) files'
