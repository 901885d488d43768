# SPDX-License-Identifier: MIT
#
# What this machine lacks, and Debian 13's packages in build/debian/: each stamp is one finished set.

.PRECIOUS: $(BUILD)/host/% $(BUILD)/debian/%.stamp

$(BUILD)/host/%: image/host-packages
	@image/host-packages $*

$(BUILD)/debian/%.stamp: | $(BUILD)/host/build
	@image/fetch $*

.PHONY: fetch
fetch: $(patsubst %,$(BUILD)/debian/%.stamp,dev qemu guest firmware xen) ## fetch every Debian package that any target needs
