/* SPDX-License-Identifier: MIT */
/*
 * How liblzma is built, in place of what its own configuration would find out: the small one of its
 * decoders of LZMA and LZMA2, the filter for x86's code, and both CRCs.
 */
#define NDEBUG
#define HAVE_STDBOOL_H
#define HAVE_STDINT_H

#define HAVE_SMALL
#define HAVE_DECODERS
#define HAVE_DECODER_LZMA1
#define HAVE_DECODER_LZMA2
#define HAVE_DECODER_X86
#define HAVE_CHECK_CRC32
#define HAVE_CHECK_CRC64

/*
 * The CRCs' tables are made at the first use, which may be on several CPUs at the same time: all
 * write the same. This stands for its mythread.h, which knows POSIX's threads, or a process's
 * signals.
 */
#define MYTHREAD_H
#define mythread_once(f)                                     \
    do {                                                     \
        static bool done;                                    \
        if (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {     \
            f();                                             \
            __atomic_store_n(&done, true, __ATOMIC_RELEASE); \
        }                                                    \
    } while (0)
