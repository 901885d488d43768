# SPDX-License-Identifier: MIT
#
# The libraries in the hypervisor: libfdt, zlib's inflate, libzstd's decoder, liblzma's and liblz4's, from Debian's sources, with the
# settings that their authors made for small programs. Debian's own builds are made for speed, and several times as large.

LIB_SOURCES  := $(BUILD)/debian/sources
LIB_INCLUDES := $(patsubst %,-isystem $(LIB_SOURCES)/%,libfdt zlib zstd lz4 xz/liblzma/api)

LIB_OBJECTS := $(patsubst %,$(OUT)/obj/%.o,$(patsubst %,libfdt/%,fdt fdt_addresses fdt_empty_tree fdt_ro fdt_rw fdt_strerror fdt_sw fdt_wip) \
    $(patsubst %,zlib/%,inflate inftrees inffast) \
    $(patsubst %,zstd/common/%,entropy_common error_private fse_decompress xxhash zstd_common) \
    $(patsubst %,zstd/decompress/%,huf_decompress zstd_ddict zstd_decompress zstd_decompress_block) \
    lz4/lz4 \
    $(patsubst %,xz/liblzma/common/%,common filter_common filter_decoder filter_flags_decoder block_decoder block_header_decoder \
        block_util index_hash stream_flags_common stream_flags_decoder vli_decoder vli_size) \
    $(patsubst %,xz/liblzma/%,check/check check/crc32_small check/crc64_small lz/lz_decoder lzma/lzma_decoder lzma/lzma2_decoder \
        simple/simple_coder simple/simple_decoder simple/x86))

# Where the time goes while a kernel is unpacked.
LIB_FAST := zlib/inffast zstd/decompress/huf_decompress zstd/decompress/zstd_decompress_block

# All are always given an allocator. zstd: one of two decoders each for literals and for sequences, no copies of them for
# CPUs with BMI2, no assembly, no formats from before 2016, no words for errors. lz4: no loop of its own for what is not at the end.
LIB_FLAGS := $(LIB_INCLUDES) -w -include string.h -DZ_SOLO -DBUILDFIXED -DHAVE_MEMCPY -DZSTD_DEPS_MALLOC '-DZSTD_malloc(n)=NULL' '-DZSTD_calloc(n,m)=NULL' \
    '-DZSTD_free(p)=(void)(p)' -DHUF_FORCE_DECOMPRESS_X1 -DZSTD_FORCE_DECOMPRESS_SEQUENCES_SHORT -DDYNAMIC_BMI2=0 \
    -DZSTD_DISABLE_ASM -DZSTD_LEGACY_SUPPORT=0 -DZSTD_STRIP_ERROR_STRINGS -DLZ4_FREESTANDING=1 -DLZ4_FAST_DEC_LOOP=0 \
    $(foreach f,memcpy memmove memset,-DLZ4_$(f)=$(f))

# Its own way to be told: config.h.
LZMA_FLAGS := -DHAVE_CONFIG_H -Imk/liblzma $(patsubst %,-I$(LIB_SOURCES)/xz/%,common $(addprefix liblzma/,common check delta lz lzma rangecoder simple))

$(LIB_OBJECTS): $(OUT)/obj/%.o: $(BUILD)/debian/sources.stamp $(MK) mk/libraries.mk mk/liblzma/config.h mk/hypervisor.mk | $(XPURPOSE:%=$(BUILD)/host/%)
	@mkdir -p $(@D)
	@echo '  CC      $(LIB_SOURCES)/$*.c'
	$(Q)$(XCC) $(HV_CFLAGS) $(LIB_FLAGS) $(if $(filter xz/%,$*),$(LZMA_FLAGS)) $(if $(filter $(LIB_FAST),$*),-O2,-Os) $(HV_LTO) -c -o $@ $(LIB_SOURCES)/$*.c
