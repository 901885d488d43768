/* SPDX-License-Identifier: MIT */
/* Names for what the compiler offers: attributes, branch hints, static checks, atomics. */
#ifndef HOSPES_COMPILER_H
#define HOSPES_COMPILER_H

#define likely(x)             __builtin_expect(!!(x), 1)
#define unlikely(x)           __builtin_expect(!!(x), 0)
#define __noreturn            __attribute__((noreturn))
#define __packed              __attribute__((packed))
#define __aligned(n)          __attribute__((aligned(n)))
#define __printf(f, a)        __attribute__((format(printf, f, a)))
#define __must_check          __attribute__((warn_unused_result))
#define __noinline            __attribute__((noinline))
#define __force_inline        inline __attribute__((always_inline))
#define __unused              __attribute__((unused))
#define __cold                __attribute__((cold))
#define array_size(a)         (sizeof(a) / sizeof((a)[0]))
#define container_of(p, t, m) ((t *)(void *)((char *)(p) - offsetof(t, m)))

/* Single-copy atomic accesses without ordering, and the two ordered forms. */
#define read_once(x)                                       \
    ({                                                     \
        const volatile __typeof__(x) *read_once_p_ = &(x); \
        *read_once_p_;                                     \
    })
#define write_once(x, v)                              \
    do {                                              \
        volatile __typeof__(x) *write_once_p_ = &(x); \
        *write_once_p_ = (v);                         \
    } while (0)
#define load_acquire(x)     __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define store_release(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELEASE)

#endif
