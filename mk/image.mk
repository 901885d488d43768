# SPDX-License-Identifier: MIT
#
# What the emulated machine boots: the guests' kernel, their file systems, a disk; and `make run`.

IMAGE       := $(BUILD)/image
DEBIAN      := $(BUILD)/debian/arm64
IMAGE_NEEDS := $(BUILD)/debian/guest.stamp | $(BUILD)/host/run

INITRAMFS   := image/initramfs image/cpio.py image/elf.py image/init

DOM0_MODULES  := virtio_mmio virtio_blk virtio_net virtio_rng ext4
GUEST_MODULES := xen-blkfront xen-netfront ext4
XL_MODULES    := $(DOM0_MODULES) xenfs xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xen-blkback xen-netback \
    loop bridge

# Of Debian's packages: all of Xen's tools but those in Python, and what its scripts run that busybox lacks
# or has otherwise (its shell takes its own start-stop-daemon). The C library opens libgcc_s by itself.
XL_FILES := etc/xen etc/init.d/xen usr/lib/xen-common usr/lib/xen-4.20/bin usr/lib/xen-4.20/ocaml usr/sbin/xl \
    usr/sbin/xen* usr/bin/xenstore* usr/lib/init/vars.sh usr/lib/lsb usr/sbin/start-stop-daemon \
    usr/bin/bash usr/bin/dash usr/bin/sh usr/bin/choom usr/bin/flock usr/sbin/losetup usr/sbin/brctl \
    usr/share/terminfo/v/vt100 usr/share/terminfo/l/linux usr/lib/aarch64-linux-gnu/libgcc_s.so.1

.PHONY: image image-xl run
image: $(IMAGE)/Image $(IMAGE)/domu.cpio.gz $(IMAGE)/dom0.cpio.gz $(IMAGE)/disk.img \
    $(BUILD)/debian/qemu.stamp

$(IMAGE)/Image: $(IMAGE_NEEDS)
	@mkdir -p $(@D)
	@cp $(DEBIAN)/boot/vmlinuz-* $@

$(IMAGE)/domu.cpio.gz: $(INITRAMFS) $(IMAGE_NEEDS)
	@mkdir -p $(@D)
	@image/initramfs --root $(DEBIAN) --init image/init $@

$(IMAGE)/dom0.cpio.gz: $(INITRAMFS) mk/image.mk $(IMAGE_NEEDS)
	@mkdir -p $(@D)
	@image/initramfs --root $(DEBIAN) --init image/init $(DOM0_MODULES:%=--module %) $@

# A guest that `xl create` starts.
$(IMAGE)/guest.cpio.gz: $(INITRAMFS) mk/image.mk $(IMAGE_NEEDS)
	@mkdir -p $(@D)
	@image/initramfs --root $(DEBIAN) --init image/init $(GUEST_MODULES:%=--module %) $@

# dom0 with Xen's toolstack and a guest in /guest. It is not compressed: that would take longer than loading it.
image-xl: image $(IMAGE)/xl.cpio
$(IMAGE)/xl.cpio: $(INITRAMFS) mk/image.mk image/xl/rc image/xl/guest.cfg $(IMAGE)/Image $(IMAGE)/guest.cpio.gz \
    $(BUILD)/debian/toolstack.stamp $(IMAGE_NEEDS)
	@mkdir -p $(@D)
	@image/initramfs --root $(DEBIAN) --init image/init $(XL_MODULES:%=--module %) \
	    --packages $(BUILD)/debian/toolstack $(XL_FILES:%=--take '%') --add etc/rc=image/xl/rc \
	    --add guest/guest.cfg=image/xl/guest.cfg --add guest/vmlinuz=$(IMAGE)/Image \
	    --add guest/initrd=$(IMAGE)/guest.cpio.gz $@

$(IMAGE)/disk.img:
	@mkdir -p $(@D)
	@truncate -s 64M $@

# What `make run` understands; empty: image/run decides.
DOM0     ?= busybox
DOMUS    ?=
CPUS     ?= 2
GIC      ?= 3
QEMU_CPU ?= cortex-a57
MEM      ?=

run: hypervisor image $(if $(filter-out busybox,$(DOM0)),image-$(DOM0)) ## boot it in QEMU (DOM0=busybox|xl DOMUS=n CPUS=n GIC=2|3 QEMU_CPU=model MEM=size ARGS=...)
	@image/run --hypervisor $(OUT)/hospes --dom0 $(DOM0) $(if $(DOMUS),--domus $(DOMUS)) --cpus $(CPUS) \
	    --gic $(GIC) --cpu $(QEMU_CPU) $(if $(MEM),--memory $(MEM)) $(ARGS)
