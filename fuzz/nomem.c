/* SPDX-License-Identifier: BSD-3-Clause */
/* nomem.c -- the linker's --wrap sends malloc() and its like here. */
#include "nomem.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <event2/event.h>

void	*__wrap_malloc(size_t);
void	*__wrap_calloc(size_t, size_t);
void	*__wrap_realloc(void *, size_t);
char	*__wrap_strdup(const char *);
int	 __wrap_posix_memalign(void **, size_t, size_t);
void	*__real_malloc(size_t);
void	*__real_calloc(size_t, size_t);
void	*__real_realloc(void *, size_t);
char	*__real_strdup(const char *);
int	 __real_posix_memalign(void **, size_t, size_t);

static unsigned long at, until, asked, failed;

void
nomem_set(unsigned long first, unsigned long run)
{
	at = first;
	until = first > 0 ? first + run : 0;
	__atomic_store_n(&failed, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&asked, 0, __ATOMIC_RELEASE);
}

unsigned long
nomem_failed(void)
{
	return __atomic_load_n(&failed, __ATOMIC_RELAXED);
}

unsigned long
nomem_asked(void)
{
	return __atomic_load_n(&asked, __ATOMIC_RELAXED);
}

static bool
refused(void)
{
	unsigned long n = __atomic_add_fetch(&asked, 1, __ATOMIC_ACQ_REL);

	if (n < at || n >= until)
		return false;
	__atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED);
	errno = ENOMEM;
	return true;
}

void *
__wrap_malloc(size_t n)
{
	return refused() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return refused() ? NULL : __real_realloc(p, n);
}

char *
__wrap_strdup(const char *s)
{
	return refused() ? NULL : __real_strdup(s);
}

int
__wrap_posix_memalign(void **p, size_t align, size_t n)
{
	return refused() ? ENOMEM : __real_posix_memalign(p, align, n);
}

void
nomem_libevent(void)
{
	event_set_mem_functions(__wrap_malloc, __wrap_realloc, free);
}
