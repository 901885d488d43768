/* SPDX-License-Identifier: MIT */
/* See <hospes/efi_config.h>. The file comes from a disk and may hold anything: nothing is read
 * outside the slices. */
#include <hospes/efi_config.h>
#include <lib/bits.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool ends_line(char c)
{
    return c == '\n' || c == '\r' || c == '\0';
}

static struct efi_slice trim(struct efi_slice t)
{
    while (t.bytes && is_blank(t.s[0]))
        t.s++, t.bytes--;
    while (t.bytes && is_blank(t.s[t.bytes - 1]))
        t.bytes--;
    return t;
}

static bool slice_is(struct efi_slice t, const char *text)
{
    return t.bytes == strlen(text) && memcmp(t.s, text, t.bytes) == 0;
}

static bool slices_equal(struct efi_slice a, struct efi_slice b)
{
    return a.bytes == b.bytes && memcmp(a.s, b.s, a.bytes) == 0;
}

/* Takes the next line off *rest, without comment and blanks around it. False at the end. */
static bool next_line(struct efi_slice *rest, struct efi_slice *line)
{
    size_t n = 0, text;

    if (!rest->bytes)
        return false;
    while (n < rest->bytes && !ends_line(rest->s[n]))
        n++;
    for (text = 0; text < n && rest->s[text] != '#';)
        text++;
    *line = trim((struct efi_slice){ rest->s, text });
    if (line->bytes && line->s[0] == ';')
        line->bytes = 0;
    n = min(n + 1, rest->bytes);
    rest->s += n;
    rest->bytes -= n;
    return true;
}

/* True for `name = value`. */
static bool assigns(struct efi_slice line, const char *name, struct efi_slice *value)
{
    size_t n = 0;

    while (n < line.bytes && line.s[n] != '=')
        n++;
    if (n == line.bytes || !slice_is(trim((struct efi_slice){ line.s, n }), name))
        return false;
    *value = trim((struct efi_slice){ line.s + n + 1, line.bytes - n - 1 });
    return true;
}

static bool find(struct efi_slice file, struct efi_slice section, const char *name,
                 struct efi_slice *value)
{
    bool here = !section.s;
    struct efi_slice line;

    while (next_line(&file, &line)) {
        if (section.s && line.bytes >= 2 && line.s[0] == '[' && line.s[line.bytes - 1] == ']')
            here = slices_equal(section, (struct efi_slice){ line.s + 1, line.bytes - 2 });
        else if (here && assigns(line, name, value))
            return true;
    }
    return false;
}

bool efi_config_get(struct efi_slice file, struct efi_slice section, const char *name,
                    struct efi_slice *value)
{
    static const char global[] = "global";

    return find(file, section, name, value) ||
           (section.s && find(file, (struct efi_slice){ global, sizeof(global) - 1 }, name, value));
}

static bool is_separator(char c)
{
    return c == '.' || c == '-' || c == '_';
}

static bool is_image_name(struct efi_slice word)
{
    const char *end = word.s + word.bytes;

    return word.bytes > 4 && end[-4] == '.' && (end[-3] | 32) == 'e' && (end[-2] | 32) == 'f' &&
           (end[-1] | 32) == 'i';
}

bool efi_config_name(const char *image, uint32_t index, char *name, size_t bytes)
{
    static const char ends[] = ".cfg";
    size_t n = strlen(image);

    name[0] = '\0';
    /* The stem, then shorter and shorter ones. */
    if (is_image_name((struct efi_slice){ image, n }))
        n -= 4;
    for (; index && n; index--) {
        do
            n--;
        while (n && !is_separator(image[n]));
    }
    if (n) {
        if (n + sizeof(ends) <= bytes) {
            memcpy(name, image, n);
            memcpy(name + n, ends, sizeof(ends));
        }
        return true;
    }
    if (index > 1)
        return false;
    const char *usual = index ? "xen.cfg" : "hospes.cfg";
    if (strlen(usual) < bytes)
        memcpy(name, usual, strlen(usual) + 1);
    return true;
}

static bool next_word(struct efi_slice *rest, struct efi_slice *word)
{
    *rest = trim(*rest);
    *word = (struct efi_slice){ rest->s, 0 };
    while (word->bytes < rest->bytes && !is_blank(rest->s[word->bytes]))
        word->bytes++;
    rest->s += word->bytes;
    rest->bytes -= word->bytes;
    return word->bytes > 0;
}

void efi_options_read(struct efi_slice text, struct efi_options *o)
{
    static const char cfg[] = "-cfg=";
    struct efi_slice word;

    memset(o, 0, sizeof(*o));
    for (bool first = true; next_word(&text, &word); first = false) {
        if (slice_is(word, "--")) {
            o->more = trim(text);
            return;
        }
        if (word.bytes >= sizeof(cfg) && memcmp(word.s, cfg, sizeof(cfg) - 1) == 0)
            o->config =
                (struct efi_slice){ word.s + sizeof(cfg) - 1, word.bytes - sizeof(cfg) + 1 };
        else if (first && is_image_name(word))
            continue;
        else if (word.s[0] != '-' && !o->section.s)
            o->section = word;
        else if (!o->unknown.s)
            o->unknown = word;
    }
}
