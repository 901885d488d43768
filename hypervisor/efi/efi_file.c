/* SPDX-License-Identifier: MIT */
/*
 * Files of the volume that firmware loaded the image from: UEFI 2.10, sections 13.4 (Simple File
 * System) and 13.5 (File Protocol). Names come from the device tree or a configuration file and may
 * be anything.
 */
#include <hospes/efi.h>
#include <lib/bits.h>
#include <string.h>

/* One file that was loaded. */
struct loaded {
    struct loaded *next;
    struct efi_file file;
    char name[];
};

static EFI_FILE *root;
static CHAR16 folder[EFI_NAME_MAX]; /* with '\' at its end */
static struct loaded *files;

/* Appends to `to`, which holds *at characters; false if it does not fit. */
static bool append(CHAR16 *to, size_t *at, CHAR16 c)
{
    if (*at + 1 >= EFI_NAME_MAX)
        return false;
    to[(*at)++] = c == '/' ? '\\' : c;
    to[*at] = 0;
    return true;
}

/* Reads the image's own path off its device path: file path nodes (10.3.5.4), which need not be
 * aligned. */
static size_t read_path(const uint8_t *node, CHAR16 *path)
{
    size_t at = 0;

    path[0] = 0;
    for (int left = 64; node && left > 0; left--) {
        size_t bytes = node[2] | (size_t)node[3] << 8;

        if (node[0] == END_DEVICE_PATH_TYPE || bytes < 4)
            break;
        if (node[0] == MEDIA_DEVICE_PATH && node[1] == MEDIA_FILEPATH_DP) {
            if (at && path[at - 1] != '\\')
                append(path, &at, '\\');
            for (size_t i = 4; i + 1 < bytes && (node[i] || node[i + 1]); i += 2)
                append(path, &at, (CHAR16)(node[i] | node[i + 1] << 8));
        }
        node += bytes;
    }
    return at;
}

void efi_files_begin(EFI_LOADED_IMAGE *self, char *name, size_t bytes)
{
    static EFI_GUID guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
    EFI_FILE_IO_INTERFACE *volume = NULL;
    size_t length, start, n = 0;

    root = NULL;
    files = NULL;
    length = read_path((const uint8_t *)self->FilePath, folder);
    for (start = length; start > 0 && folder[start - 1] != '\\';)
        start--;
    for (size_t i = start; i < length && n + 1 < bytes; i++)
        name[n++] = folder[i] < 0x80 ? (char)folder[i] : '?';
    name[n] = '\0';
    folder[start] = 0;
    if (self->DeviceHandle)
        volume = efi_protocol(self->DeviceHandle, &guid);
    if (!volume || EFI_ERROR(volume->OpenVolume(volume, &root)))
        root = NULL;
}

static const char *open(const char *name, EFI_FILE **file)
{
    CHAR16 path[EFI_NAME_MAX];
    size_t at = 0;
    EFI_STATUS status;

    if (!root)
        return "there is no file system where Hospes was loaded from";
    if (name[0] != '/' && name[0] != '\\') {
        for (const CHAR16 *c = folder; *c; c++)
            append(path, &at, *c);
    }
    for (const char *c = name; *c; c++)
        if (!append(path, &at, (uint8_t)*c))
            return "the name is too long";
    status = root->Open(root, file, path, EFI_FILE_MODE_READ, 0);
    if (status == EFI_NOT_FOUND)
        return "no such file";
    return EFI_ERROR(status) ? "cannot be opened" : NULL;
}

/* Reads all of an open file to memory that it allocates. */
static const char *read_file(EFI_FILE *file, uint64_t limit, struct efi_file *f)
{
    UINT64 size = 0;

    /* The last position there is stands for the end; folders do not know it. */
    if (EFI_ERROR(file->SetPosition(file, UINT64_MAX)) ||
        EFI_ERROR(file->GetPosition(file, &size)) || EFI_ERROR(file->SetPosition(file, 0)))
        return "is not a file";
    if (!size)
        return "the file is empty";
    f->bytes = size;
    f->addr = efi_alloc_pages(size, limit);
    if (!f->addr)
        return "no memory for the file";

    for (uint64_t done = 0; done < size;) {
        UINTN n = size - done;

        if (EFI_ERROR(file->Read(file, &n, (void *)(uintptr_t)(f->addr + done))) || !n ||
            n > size - done) {
            efi_free_pages(f->addr, size);
            return "the file cannot be read";
        }
        done += n;
    }
    memset((void *)(uintptr_t)(f->addr + size), 0, align_up(size, FRAME_SIZE) - size);
    arch_efi_clean((const void *)(uintptr_t)f->addr, align_up(size, FRAME_SIZE));
    return NULL;
}

const char *efi_file_load(const char *name, uint64_t limit, struct efi_file *f)
{
    size_t bytes = strlen(name) + 1;
    struct loaded *l;
    const char *why;
    EFI_FILE *file;

    for (l = files; l; l = l->next) {
        if (strcmp(l->name, name) == 0 && l->file.addr + l->file.bytes <= limit) {
            *f = l->file;
            return NULL;
        }
    }
    why = open(name, &file);
    if (why)
        return why;
    why = read_file(file, limit, f);
    file->Close(file);
    l = why ? NULL : efi_alloc(sizeof(*l) + bytes);
    if (l) {
        l->next = files;
        l->file = *f;
        memcpy(l->name, name, bytes);
        files = l;
        efi_print("%s: %#lx-%#lx\n", name, f->addr, f->addr + f->bytes);
    } else if (!why) {
        efi_free_pages(f->addr, f->bytes);
        why = "no memory";
    }
    return why;
}

void efi_files_end(void)
{
    while (files) {
        struct loaded *l = files;

        files = l->next;
        efi_free_pages(l->file.addr, l->file.bytes);
        efi_free(l);
    }
    if (root)
        root->Close(root);
    root = NULL;
}
