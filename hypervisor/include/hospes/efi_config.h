/* SPDX-License-Identifier: MIT */
/*
 * The texts that steer a boot under UEFI: the configuration file beside the image and the image's
 * command line, as Xen documents both (docs/misc/efi.pandoc). Text in, text out: nothing here calls
 * firmware.
 */
#ifndef HOSPES_EFI_CONFIG_H
#define HOSPES_EFI_CONFIG_H

#include <hospes/types.h>

/* A part of a text, not terminated. s == NULL: there is none. */
struct efi_slice {
    const char *s;
    size_t bytes;
};

/*
 * The value that `file` gives `name`, without the blanks around it: in `section`, else in [global];
 * without a section the first one in the file, whatever section that is in. False if there is none.
 */
bool efi_config_get(struct efi_slice file, struct efi_slice section, const char *name,
                    struct efi_slice *value);

/*
 * The `index`th name to try for the configuration file of the image called `image` (no folders in
 * it): its own with .cfg in place of .efi, that with parts behind '-', '_' and '.' dropped one by
 * one, hospes.cfg, xen.cfg. False behind the last. A name that does not fit is "".
 */
bool efi_config_name(const char *image, uint32_t index, char *name, size_t bytes);

/* The image's command line: [image.efi] [-cfg=file] [section] [-- more options of the hypervisor].
 */
struct efi_options {
    struct efi_slice config, section, more;
    struct efi_slice unknown; /* the first word that is none of these */
};

void efi_options_read(struct efi_slice text, struct efi_options *o);

#endif
