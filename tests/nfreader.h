/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nfreader.h -- a collector for tests: reads NetFlow v5, v9 and IPFIX back, written
 * from the RFCs and sharing nothing with the encoders. Every rule it knows is an
 * assertion: lengths, counts, sequence numbers, padding, templates before data, one
 * boot time.
 */
#ifndef MCPROBE_TESTS_NFREADER_H
#define MCPROBE_TESTS_NFREADER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NF_FIELDS    256
#define NF_TEMPLATES 16

struct nf_field {
	uint32_t pen;
	uint16_t id, len;
};

struct nf_template {
	uint16_t id;
	unsigned n, nscope; /* NSCOPE > 0: of options */
	unsigned least;	    /* bytes of the shortest record */
	struct nf_field v[NF_FIELDS];
};

struct nf_value {
	const uint8_t *p;
	unsigned len;
};

struct nf_record {
	const struct nf_template *template; /* NULL in v5 */
	struct nf_value v[NF_FIELDS];
	const uint8_t *v5; /* 48 bytes */
};

struct nf_reader {
	struct nf_template template[NF_TEMPLATES];
	unsigned ntemplates;
	unsigned messages, templates, options, flows;
	bool sequenced;	   /* SEQUENCE is known */
	bool lossy;	   /* gaps are allowed: GAP sums them */
	uint32_t sequence; /* the next message's */
	uint32_t gap;
	uint32_t domain;
	uint64_t header_ms; /* time of the last header, since the epoch */
	uint64_t boot_ms;   /* v5, v9: what all headers agree on */
	unsigned sampling;  /* v5: the 16 bits */
	void (*record)(void *arg, const struct nf_record *);
	void *arg;
};

static inline uint64_t
nf_uint(const uint8_t *p, unsigned len)
{
	uint64_t v = 0;

	while (len-- > 0)
		v = v << 8 | *p++;
	return v;
}

/* The value of element ID of PEN; the record must have it. */
static inline const struct nf_value *
nf_find(const struct nf_record *r, uint32_t pen, uint16_t id)
{
	unsigned i;

	for (i = 0; i < r->template->n; i++) {
		if (r->template->v[i].pen == pen && r->template->v[i].id == id)
			return &r->v[i];
	}
	return NULL;
}

static inline uint64_t
nf_get(const struct nf_record *r, uint32_t pen, uint16_t id)
{
	const struct nf_value *v = nf_find(r, pen, id);

	if (v == NULL)
		fail_msg("record of template %u has no element %u.%u", r->template->id,
		    pen, id);
	assert_true(v->len <= 8);
	return nf_uint(v->p, v->len);
}

static inline struct nf_template *
nf_template(struct nf_reader *n, uint16_t id)
{
	unsigned i;

	for (i = 0; i < n->ntemplates; i++) {
		if (n->template[i].id == id)
			return &n->template[i];
	}
	return NULL;
}

/* Take T; if known already it must be the same: ids are never used again. */
static inline void
nf_learn(struct nf_reader *n, const struct nf_template *t)
{
	struct nf_template *old = nf_template(n, t->id);

	assert_true(t->id >= 256 && t->n > 0);
	n->templates++;
	if (old != NULL) {
		assert_int_equal(old->n, t->n);
		assert_int_equal(old->nscope, t->nscope);
		assert_memory_equal(old->v, t->v, t->n * sizeof(t->v[0]));
		return;
	}
	assert_true(n->ntemplates < NF_TEMPLATES);
	n->template[n->ntemplates++] = *t;
}

/* Template records of a set's body; returns how many. */
static inline unsigned
nf_templates(struct nf_reader *n, int version, bool options, const uint8_t *p,
    const uint8_t *end)
{
	struct nf_template t;
	unsigned i, count = 0, head = options ? 6 : 4;

	while (end - p >= (int)head + 4) {
		memset(&t, 0, sizeof(t));
		t.id = (uint16_t)nf_uint(p, 2);
		t.n = (unsigned)nf_uint(p + 2, 2);
		if (options && version == 9) {
			assert_int_equal(t.n % 4, 0);
			assert_int_equal(nf_uint(p + 4, 2) % 4, 0);
			t.nscope = t.n / 4;
			t.n = t.nscope + (unsigned)nf_uint(p + 4, 2) / 4;
			assert_true(t.nscope > 0);
		} else if (options) {
			t.nscope = (unsigned)nf_uint(p + 4, 2);
			assert_true(t.nscope > 0);
		}
		assert_true(t.n <= NF_FIELDS);
		p += head;
		for (i = 0; i < t.n; i++) {
			assert_true(end - p >= 4);
			t.v[i].id = (uint16_t)nf_uint(p, 2);
			t.v[i].len = (uint16_t)nf_uint(p + 2, 2);
			assert_true(t.v[i].len > 0);
			p += 4;
			if (version == 10 && (t.v[i].id & 0x8000)) {
				assert_true(end - p >= 4);
				t.v[i].id &= 0x7fff;
				t.v[i].pen = (uint32_t)nf_uint(p, 4);
				p += 4;
			}
			if (version == 9)
				assert_int_not_equal(t.v[i].len, 65535);
			t.least += t.v[i].len == 65535 ? 1 : t.v[i].len;
		}
		nf_learn(n, &t);
		count++;
	}
	assert_true(end - p < 4);
	while (p < end)
		assert_int_equal(*p++, 0);
	return count;
}

static inline unsigned
nf_data(struct nf_reader *n, const struct nf_template *t, const uint8_t *p,
    const uint8_t *end)
{
	struct nf_record r = {.template = t};
	unsigned i, count = 0;

	while ((unsigned)(end - p) >= t->least) {
		for (i = 0; i < t->n; i++) {
			r.v[i].len = t->v[i].len;
			if (t->v[i].len == 65535) {
				assert_true(p < end);
				r.v[i].len = *p++;
				if (r.v[i].len == 255) {
					assert_true(end - p >= 2);
					r.v[i].len = (unsigned)nf_uint(p, 2);
					p += 2;
				}
			}
			assert_true((unsigned)(end - p) >= r.v[i].len);
			r.v[i].p = p;
			p += r.v[i].len;
		}
		count++;
		if (t->nscope > 0)
			n->options++;
		else
			n->flows++;
		if (n->record != NULL)
			n->record(n->arg, &r);
	}
	assert_true(end - p < 4);
	while (p < end)
		assert_int_equal(*p++, 0);
	assert_true(count > 0);
	return count;
}

static inline void
nf_sequence(struct nf_reader *n, uint32_t got, uint32_t advance)
{
	if (n->sequenced && n->lossy)
		n->gap += got - n->sequence;
	else if (n->sequenced)
		assert_int_equal(got, n->sequence);
	n->sequenced = true;
	n->sequence = got + advance;
}

static inline void
nf_times(struct nf_reader *n, uint64_t header_ms, uint32_t uptime)
{
	uint64_t boot_ms = header_ms - uptime;

	n->header_ms = header_ms;
	if (n->boot_ms == 0)
		n->boot_ms = boot_ms;
	/* Beyond 49 days the uptime wraps. */
	assert_int_equal((uint32_t)boot_ms, (uint32_t)n->boot_ms);
}

static inline void
nf_read5(struct nf_reader *n, const uint8_t *p, size_t len)
{
	struct nf_record r = {.template = NULL};
	unsigned i, count = (unsigned)nf_uint(p + 2, 2);

	assert_true(count >= 1 && count <= 30);
	assert_int_equal(len, 24 + 48 * count);
	assert_int_equal(nf_uint(p + 12, 4) % 1000000, 0);
	nf_times(n, nf_uint(p + 8, 4) * 1000 + nf_uint(p + 12, 4) / 1000000,
	    (uint32_t)nf_uint(p + 4, 4));
	nf_sequence(n, (uint32_t)nf_uint(p + 16, 4), count);
	n->sampling = (unsigned)nf_uint(p + 22, 2);
	for (i = 0; i < count; i++) {
		r.v5 = p + 24 + 48 * i;
		n->flows++;
		if (n->record != NULL)
			n->record(n->arg, &r);
	}
}

/* Sets from P to END. Returns templates and data records in *TEMPLATES and *DATA. */
static inline void
nf_sets(struct nf_reader *n, int version, const uint8_t *p, const uint8_t *end,
    unsigned *templates, unsigned *data)
{
	const struct nf_template *t;
	unsigned id, len, base = version == 9 ? 0 : 2;

	*templates = *data = 0;
	while (p < end) {
		assert_true(end - p >= 4);
		id = (unsigned)nf_uint(p, 2);
		len = (unsigned)nf_uint(p + 2, 2);
		assert_true(len > 4 && len <= (unsigned)(end - p));
		if (id == base || id == base + 1) {
			*templates += nf_templates(n, version, id == base + 1, p + 4,
			    p + len);
		} else {
			t = nf_template(n, (uint16_t)id);
			if (t == NULL)
				fail_msg("set %u before its template", id);
			*data += nf_data(n, t, p + 4, p + len);
		}
		p += len;
	}
}

/* Read one message of LEN bytes. */
static inline void
nf_read(struct nf_reader *n, const uint8_t *p, size_t len)
{
	unsigned version, templates, data;
	uint32_t sequence;

	assert_true(len >= 16);
	version = (unsigned)nf_uint(p, 2);
	n->messages++;
	if (version == 5) {
		nf_read5(n, p, len);
	} else if (version == 9) {
		nf_times(n, nf_uint(p + 8, 4) * 1000, (uint32_t)nf_uint(p + 4, 4));
		sequence = (uint32_t)nf_uint(p + 12, 4);
		n->domain = (uint32_t)nf_uint(p + 16, 4);
		assert_int_equal(len % 4, 0);
		nf_sequence(n, sequence, 1);
		nf_sets(n, 9, p + 20, p + len, &templates, &data);
		assert_int_equal(nf_uint(p + 2, 2), templates + data);
	} else {
		assert_int_equal(version, 10);
		assert_int_equal(nf_uint(p + 2, 2), len);
		n->header_ms = nf_uint(p + 4, 4) * 1000;
		sequence = (uint32_t)nf_uint(p + 8, 4);
		n->domain = (uint32_t)nf_uint(p + 12, 4);
		nf_sets(n, 10, p + 16, p + len, &templates, &data);
		nf_sequence(n, sequence, data);
	}
}

/* Read messages of IPFIX that stand one after the other: a file or a TCP stream. */
static inline void
nf_read_all(struct nf_reader *n, const uint8_t *p, size_t len)
{
	size_t one;

	while (len > 0) {
		assert_true(len >= 16);
		one = (size_t)nf_uint(p + 2, 2);
		assert_true(one >= 16 && one <= len);
		nf_read(n, p, one);
		p += one;
		len -= one;
	}
}

#endif
