/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plugin_record.c -- what plugins leave with a record besides fields of fixed length: texts,
 * each as long as it is, and the name by which its application is known.
 */
#include "plugin_int.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dpi.h"

void
plugin_text_pools_init(struct plugin_text_pools *m)
{
	size_t i;

	for (i = 0; i < PLUGIN_TEXT_CLASSES; i++)
		pool_init(&m->pool[i], (i + 1) * PLUGIN_TEXT_STEP, UINT32_MAX);
}

void
plugin_text_pools_clear(struct plugin_text_pools *m)
{
	unsigned i;

	for (i = 0; i < PLUGIN_TEXT_CLASSES; i++)
		pool_clear(&m->pool[i]);
}

/* Of LEN bytes and the NUL. */
static char *
text_get(struct plugin_text_pools *m, size_t len)
{
	size_t class = len / PLUGIN_TEXT_STEP;

	return class < PLUGIN_TEXT_CLASSES ? pool_get(&m->pool[class], 0) : malloc(len + 1);
}

static void
text_put(struct plugin_text_pools *m, char *text)
{
	size_t class;

	if (text == NULL)
		return;
	class = strlen(text) / PLUGIN_TEXT_STEP;
	if (class < PLUGIN_TEXT_CLASSES)
		pool_put(&m->pool[class], text);
	else
		free(text);
}

void
plugin_texts_find(struct plugin_texts *t, const struct mc_field *f)
{
	for (; f != NULL && f->label != NULL; f++)
		if (f->type == MC_TEXT)
			t->at[t->n++] = f->offset; /* plugin_check() has counted them */
}

void
plugin_texts_free(struct plugin_text_pools *m, const struct plugin_texts *t,
    const void *fields)
{
	unsigned i;
	char *text;

	for (i = 0; i < t->n; i++) {
		memcpy(&text, (const char *)fields + t->at[i], sizeof(text));
		text_put(m, text);
	}
}

bool
plugin_flow_text(const struct mc_flow *flow, char **at, const void *text, size_t len)
{
	struct plugin_context *x = flow->handle;
	size_t n = strnlen(text, len); /* its length says later what it takes */
	char *copy = text_get(x->texts, n);

	if (copy == NULL) {
		counter_inc(x->counters, COUNTER_PLUGIN_FULL);
		return false;
	}
	memcpy(copy, text, n);
	copy[n] = '\0';
	text_put(x->texts, *at);
	*at = copy;
	return true;
}

/* The characters that nDPI, too, takes as they are. */
static bool
is_host(const char *name, size_t len)
{
	static const uint8_t plain[256] = {['a' ... 'z'] = 1, ['0' ... '9'] = 1,
		['-'] = 1, ['_'] = 1, ['.'] = 1};
	uint8_t all = 1;
	size_t i;

	if (len == 0 || len >= DPI_CLAIM_NAME)
		return false;
	for (i = 0; i < len; i++)
		all &= plain[(uint8_t)name[i]];
	return all;
}

void
plugin_claim_name(struct dpi_claim *c, const char *name, size_t len, const void *besides,
    size_t blen)
{
	c->len = 0;
	if (!is_host(name, len))
		return;
	c->besides = blen > 0 ? XXH3_64bits(besides, blen) : 0;
	c->len = (uint8_t)len;
	memcpy(c->name, name, len);
}
