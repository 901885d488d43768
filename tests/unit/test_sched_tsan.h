/* SPDX-License-Identifier: MIT */
/*
 * For the thread sanitizer, which takes accesses that are volatile only for races: put before
 * everything else, as gcc -fsanitize=thread -include tests/unit/test_sched_tsan.h ...
 * tests/unit/test_sched_threads.c
 */
#include <hospes/compiler.h>

#undef read_once
#undef write_once
#define read_once(x)     __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define write_once(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)
