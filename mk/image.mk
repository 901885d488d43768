# SPDX-License-Identifier: MIT
#
# What the emulated machine boots: the guests' kernel, their file systems, a disk; and `make run`.

IMAGE       := $(BUILD)/image$(BESIDE)
DEBIAN      := $(BUILD)/debian/$(ARCH)
IMAGE_NEEDS := $(BUILD)/debian/guest$(BESIDE).stamp | $(BUILD)/host/run

INITRAMFS   := image/initramfs image/cpio.py image/elf.py image/init image/await image/dhcp

# The kernel's file; the bus of QEMU's paravirtual devices; the disks and cards that machines have.
KERNEL_arm64    := Image
KERNEL_x86_64   := vmlinuz
BUS_arm64       := virtio_mmio
BUS_x86_64      := virtio_pci
DRIVERS_x86_64  := ahci sd_mod nvme e1000e
KERNEL          := $(IMAGE)/$(KERNEL_$(ARCH))

# ext4 asks for its checksum by a name that no dependency tells of.
EXT4          := crc32c_generic ext4
DOM0_MODULES  := $(BUS_$(ARCH)) virtio_blk virtio_net virtio_rng $(DRIVERS_$(ARCH)) $(EXT4)
GUEST_MODULES := xen-blkfront xen-netfront $(EXT4)
XL_MODULES    := $(DOM0_MODULES) xenfs xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xen-blkback xen-netback \
    loop bridge

# Of Debian's packages: all of Xen's tools but those in Python, and what its scripts run that busybox lacks
# or has otherwise (its shell takes its own start-stop-daemon). The C library opens libgcc_s by itself.
XL_FILES := etc/xen etc/init.d/xen usr/lib/xen-common usr/lib/xen-*/bin usr/sbin/xl usr/sbin/*xen* usr/bin/xenstore* usr/lib/init/vars.sh usr/lib/lsb usr/sbin/start-stop-daemon \
    usr/bin/bash usr/bin/dash usr/bin/sh usr/bin/choom usr/bin/flock usr/sbin/losetup usr/sbin/brctl \
    usr/*/terminfo/v/vt100 usr/*/terminfo/l/linux usr/lib/*-linux-gnu/libgcc_s.so.1

# Debian on a disk: what finds the disk, whichever kind; and the kernel's modules, which no package of the set has.
DISK_MODULES := $(BUS_$(ARCH)) virtio_blk virtio_net $(DRIVERS_$(ARCH)) xen-blkfront xen-netfront $(EXT4)
KEY          := $(IMAGE)/ssh-key
SSH_PORT     ?= 2222

.PHONY: image image-xl image-xl-4.17 image-debian run ssh
image: $(KERNEL) $(IMAGE)/domu.cpio.gz $(IMAGE)/dom0.cpio.gz $(IMAGE)/disk.img \
    $(BUILD)/debian/qemu$(BESIDE).stamp

$(KERNEL): $(IMAGE_NEEDS)
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
XL_NEEDS := $(INITRAMFS) mk/image.mk image/xl/rc image/xl/guest.cfg $(KERNEL) $(IMAGE)/guest.cpio.gz

define make_xl
@mkdir -p $(@D)
@image/initramfs --root $(DEBIAN) --init image/init $(XL_MODULES:%=--module %) \
    --packages $(1) $(XL_FILES:%=--take '%') $(2) --add etc/rc=image/xl/rc \
    --add guest/guest.cfg=image/xl/guest.cfg --add guest/vmlinuz=$(KERNEL) \
    --add guest/initrd=$(IMAGE)/guest.cpio.gz $@
endef

image-xl: image $(IMAGE)/xl.cpio
$(IMAGE)/xl.cpio: $(XL_NEEDS) $(BUILD)/debian/toolstack$(BESIDE).stamp $(IMAGE_NEEDS)
	$(call make_xl,$(BUILD)/debian/toolstack$(BESIDE),--take usr/lib/xen-4.20/ocaml)

# The same with Debian 12's tools.
image-xl-4.17: image $(IMAGE)/xl-4.17.cpio
$(IMAGE)/xl-4.17.cpio: $(XL_NEEDS) $(BUILD)/debian/toolstack-4.17$(BESIDE).stamp $(IMAGE_NEEDS)
	$(call make_xl,$(BUILD)/debian/toolstack-4.17$(BESIDE))

$(IMAGE)/disk.img:
	@mkdir -p $(@D)
	@truncate -s 64M $@

$(IMAGE)/disk.cpio.gz: $(INITRAMFS) image/debian/init mk/image.mk $(IMAGE_NEEDS)
	@mkdir -p $(@D)
	@image/initramfs --root $(DEBIAN) --init image/debian/init $(DISK_MODULES:%=--module %) $@

# Whoever has this key is root in the images made with it: it stays on this machine.
$(KEY): | $(BUILD)/host/ssh
	@mkdir -p $(@D)
	@rm -f $@ $@.pub
	@ssh-keygen -q -t ed25519 -N '' -C hospes -f $@

# A disk is made once: what its user writes to it stays.
image-debian: image $(IMAGE)/disk.cpio.gz $(IMAGE)/debian-dom0.img $(IMAGE)/debian-guest.img

ROOTFS = image/rootfs --mkfs $(BUILD)/bin/mke2fs --list $(BUILD)/debian/debian$(BESIDE).stamp --tree .=image/debian/all \
    --tree usr/lib/modules=$(DEBIAN)/usr/lib/modules --add root/.ssh/authorized_keys=$(KEY).pub

$(IMAGE)/debian-guest.img: | $(KEY) $(patsubst %,$(BUILD)/debian/%.stamp,guest$(BESIDE) debian$(BESIDE) mkfs)
	@echo '  DISK    $@'
	@$(ROOTFS) --tree .=image/debian/guest --size 4G $@

$(IMAGE)/debian-dom0.img: | $(KEY) $(patsubst %,$(BUILD)/debian/%.stamp,guest$(BESIDE) debian$(BESIDE) debian-dom0$(BESIDE) mkfs) \
    $(KERNEL) $(IMAGE)/disk.cpio.gz $(IMAGE)/guest.cpio.gz
	@echo '  DISK    $@'
	@$(ROOTFS) --list $(BUILD)/debian/debian-dom0$(BESIDE).stamp --tree .=image/debian/dom0 --add boot/vmlinuz=$(KERNEL) \
	    --add boot/disk.cpio.gz=$(IMAGE)/disk.cpio.gz --add boot/guest.cpio.gz=$(IMAGE)/guest.cpio.gz --size 8G $@

ssh: ## log in to dom0 of `make run DOM0=debian` (ARGS=command)
	@[ -f $(KEY) ] || { echo "ssh: there is no dom0 to log in to: start 'make run DOM0=debian' first, in another terminal" >&2; exit 1; }
	@ssh -i $(KEY) -p $(SSH_PORT) -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
	    root@localhost $(ARGS)

# Xen as QEMU's -kernel takes it.
$(IMAGE)/xen: $(BUILD)/debian/xen$(BESIDE).stamp
	@mkdir -p $(@D)
	@gzip -dc $(DEBIAN)/boot/xen-4.20-amd64.gz >$@

# What `make run` understands; empty: image/run decides. Beside a PC's dom0 there is nothing to see
# unless it has a toolstack, and PCs start by GRUB.
DOM0     ?= $(if $(filter x86_64-qemu,$(ARCH)-$(EMULATOR)),xl,busybox)
DOMUS    ?=
CPUS     ?= 2
GIC      ?= 3
QEMU_CPU ?=
MEM      ?=
FIRMWARE ?= $(if $(filter x86_64,$(ARCH)),grub)
EMULATOR ?= qemu

DOM0S := busybox xl xl-4.17 debian
ifeq ($(filter $(DOM0),$(DOM0S)),)
$(error DOM0=$(DOM0): there is no such dom0; write one of: $(DOM0S))
endif
FIRMWARES := kernel grub grub-efi uefi
ifneq ($(filter-out $(FIRMWARES),$(FIRMWARE)),)
$(error FIRMWARE=$(FIRMWARE): there is no such firmware; write one of: $(FIRMWARES))
endif
EMULATORS := qemu bochs
ifeq ($(filter $(EMULATOR),$(EMULATORS)),)
$(error EMULATOR=$(EMULATOR): there is no such emulator; write one of: $(EMULATORS))
endif
BOCHS_NEEDS    := $(if $(filter bochs,$(EMULATOR)),$(BUILD)/debian/bochs-x86_64.stamp)
FIRMWARE_NEEDS := $(BOCHS_NEEDS) $(if $(filter-out kernel,$(FIRMWARE)),$(patsubst %,$(BUILD)/debian/%-x86_64.stamp,firmware grub$(if $(filter grub-efi,$(FIRMWARE)), grub-efi)) $(BUILD)/host/media)

run: hypervisor image $(if $(filter-out busybox,$(DOM0)),image-$(DOM0)) $(FIRMWARE_NEEDS) ## boot it in QEMU (ARCH=arm64|x86_64 DOM0=busybox|xl|xl-4.17|debian DOMUS=n CPUS=n GIC=2|3 FIRMWARE=kernel|grub|grub-efi|uefi EMULATOR=qemu|bochs QEMU_CPU=model MEM=size ARGS=...)
	@image/run --arch $(ARCH) --hypervisor $(OUT)/hospes --dom0 $(DOM0) $(if $(DOMUS),--domus $(DOMUS)) --cpus $(CPUS) \
	    $(if $(filter arm64,$(ARCH)),--gic $(GIC)) --emulator $(EMULATOR) $(if $(FIRMWARE),--boot $(FIRMWARE)) $(if $(QEMU_CPU),--cpu $(QEMU_CPU)) \
	    $(if $(MEM),--memory $(MEM)) --ssh-port $(SSH_PORT) $(ARGS)
