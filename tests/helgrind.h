/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * helgrind.h -- included before everything in the build of tests/helgrind.sh: helgrind
 * knows locks, and nothing of C's atomics, by which the threads of the probe meet. Here
 * they are told to it: what was done before a release comes before what is done after an
 * acquire of the same object; the object itself may be read and written at any time.
 */
#ifndef MCPROBE_HELGRIND_H
#define MCPROBE_HELGRIND_H

#include <valgrind/helgrind.h>

#define HG_ATOMIC(p) VALGRIND_HG_DISABLE_CHECKING((p), sizeof(*(p)))
#define HG_RELEASE(p, order) \
	do { \
		if ((order) != __ATOMIC_RELAXED) \
			ANNOTATE_HAPPENS_BEFORE(p); \
	} while (0)
#define HG_ACQUIRE(p, order) \
	do { \
		if ((order) != __ATOMIC_RELAXED) \
			ANNOTATE_HAPPENS_AFTER(p); \
	} while (0)

#define __atomic_load_n(p, order) \
	__extension__({ \
		HG_ATOMIC(p); \
		__typeof__(*(p)) hg_v = __atomic_load_n(p, order); \
		HG_ACQUIRE(p, order); \
		hg_v; \
	})
#define __atomic_store_n(p, v, order) \
	__extension__({ \
		__typeof__(*(p)) hg_v = (v); \
		HG_ATOMIC(p); \
		HG_RELEASE(p, order); \
		__atomic_store_n(p, hg_v, order); \
	})
#define HG_CHANGE(change, p, v, order) \
	__extension__({ \
		HG_ATOMIC(p); \
		HG_RELEASE(p, order); \
		__typeof__(*(p)) hg_v = change(p, v, order); \
		HG_ACQUIRE(p, order); \
		hg_v; \
	})
#define __atomic_exchange_n(p, v, order) HG_CHANGE(__atomic_exchange_n, p, v, order)
#define __atomic_fetch_add(p, v, order) HG_CHANGE(__atomic_fetch_add, p, v, order)
#define __atomic_fetch_sub(p, v, order) HG_CHANGE(__atomic_fetch_sub, p, v, order)

#endif
