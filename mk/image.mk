# SPDX-License-Identifier: MIT
#
# What the emulated machine boots: the guests' kernel, their file systems, a disk; and `make run`.

IMAGE       := $(BUILD)/image
DEBIAN      := $(BUILD)/debian/arm64
IMAGE_NEEDS := $(BUILD)/debian/guest.stamp | $(BUILD)/host/run

DOM0_MODULES := virtio_mmio virtio_blk virtio_net virtio_rng ext4

.PHONY: image run
image: $(IMAGE)/Image $(IMAGE)/domu.cpio.gz $(IMAGE)/dom0.cpio.gz $(IMAGE)/disk.img \
    $(BUILD)/debian/qemu.stamp

$(IMAGE)/Image: $(IMAGE_NEEDS)
	@mkdir -p $(@D)
	@cp $(DEBIAN)/boot/vmlinuz-* $@

$(IMAGE)/domu.cpio.gz: image/initramfs image/init $(IMAGE_NEEDS)
	@mkdir -p $(@D)
	@image/initramfs --root $(DEBIAN) --init image/init $@

$(IMAGE)/dom0.cpio.gz: image/initramfs image/init mk/image.mk $(IMAGE_NEEDS)
	@mkdir -p $(@D)
	@image/initramfs --root $(DEBIAN) --init image/init $(DOM0_MODULES:%=--module %) $@

$(IMAGE)/disk.img:
	@mkdir -p $(@D)
	@truncate -s 64M $@

# What `make run` understands; empty: image/run decides.
DOMUS    ?= 1
CPUS     ?= 2
GIC      ?= 3
QEMU_CPU ?= cortex-a57
MEM      ?=

run: hypervisor image ## boot it in QEMU (DOMUS=n CPUS=n GIC=2|3 QEMU_CPU=model MEM=size ARGS=...)
	@image/run --hypervisor $(OUT)/hospes --domus $(DOMUS) --cpus $(CPUS) --gic $(GIC) \
	    --cpu $(QEMU_CPU) $(if $(MEM),--memory $(MEM)) $(ARGS)
