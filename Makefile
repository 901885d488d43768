# SPDX-License-Identifier: MIT
#
# Hospes. `make help` lists the targets, mk/ holds their rules.

ARCH  ?= arm64
BUILD := build

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

# Debian's Python: its modules (libfdt, pytest, pexpect) are Debian's too.
PYTHON := /usr/bin/python3

include mk/toolchain.mk
include mk/fetch.mk
include mk/libraries.mk
include mk/hypervisor.mk
include mk/unit.mk
include mk/guest.mk
include mk/image.mk
include mk/test.mk
include mk/bench.mk
include mk/check.mk

.PHONY: all help clean distclean

all: hypervisor ## build the hypervisor (CC=clang or LLVM=1: with clang; DEBUG=1: with checks)

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile mk/*.mk | expand -t 20

clean: ## remove what was built, keep the Debian packages that were fetched
	find $(BUILD) -mindepth 1 -maxdepth 1 ! -name debian ! -name bin ! -name host -exec rm -rf {} + \
	    2>/dev/null || true

distclean: ## remove build/ whole, the fetched packages too
	rm -rf $(BUILD)
