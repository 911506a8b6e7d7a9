/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * export.c -- filters, counts and hands out records; keeps the export clock, by which
 * everything here is timed. What waits for a second, an interval or the queue timeout
 * is looked at when the clock moves: a flow itself costs no look at any clock.
 */
#include "export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector.h"
#include "dump.h"
#include "ipfixfile.h"
#include "json.h"
#include "log.h"
#include "options_data.h"
#include "outfile.h"
#include "stream.h"
#include "tls.h"

#define SECOND_US     1000000
#define JSON_PIECE    65536
#define TABLES_EVERY  10 /* template intervals */
#define PROTO_TCP     6

/*
 * The boot reference lies this far before the first look at the clock: packets that
 * waited in the kernel, or stand in a file in another order than that of their times,
 * may be older than that, and an uptime cannot be negative.
 */
#define BOOT_BEFORE_US (60 * (uint64_t)SECOND_US)

struct export {
	const struct config *config;
	const struct template *template;
	struct counters *counters;
	struct field_context ctx;
	const char *user; /* of the flow that is exported; borrowed */
	const char **port_name; /* owned: CTX borrows them */
	uint32_t *port_index;	/* owned */
	struct options_source source;

	struct tls *tls; /* owned, NULL: no collector wants it */
	struct collector **collectors; /* owned */
	unsigned ncollectors, turn;    /* whose turn it is */
	struct stream stream;	       /* of the collectors */
	struct message scratch;	       /* for what they are told besides flows */

	struct template *ipfix_template; /* owned, NULL: TEMPLATE is of version 10 */
	struct ipfixfile *ipfixfile;	 /* owned, NULL: none */
	struct dump *dump;		 /* owned, NULL: none */
	struct outfile json_file;
	struct json json;
	unsigned json_records; /* in JSON's buffer */

	bool started; /* the clock runs */
	uint64_t now_us;
	uint64_t tell_us; /* when templates are due */
	uint64_t write_us; /* when files are written */
	unsigned intervals;
};

static void
emit(void *arg, struct message *m)
{
	struct export *e = arg;
	unsigned i;

	if (!e->config->all_collectors) {
		collector_send(e->collectors[e->turn], m);
		e->turn = (e->turn + 1) % e->ncollectors;
		return;
	}
	for (i = 0; i < e->ncollectors; i++)
		collector_send(e->collectors[i], m);
}

static void
tell(void *arg, struct message *m)
{
	collector_tell(arg, m);
}

static void
on_want(void *arg, struct collector *c, unsigned what)
{
	struct export *e = arg;
	const struct collector_stats *stats = collector_stats(c);

	e->source.octets = stats->octets;
	e->source.messages = stats->messages;
	e->source.records = stats->records;
	stream_tell(&e->stream, what, &e->source, &e->scratch, tell, c);
}

static int
open_collectors(struct export *e, struct event_base *base, char *err, size_t errlen)
{
	const struct config *config = e->config;
	struct collector_setup setup = {
		.base = base,
		.counters = e->counters,
		.intra = (unsigned)config->template_packets,
		.has_templates = config->version != 5,
		.want = on_want,
		.arg = e,
	};
	struct collector *c;
	unsigned i;

	e->collectors = calloc(config->collectors.n + 1, sizeof(struct collector *));
	if (e->collectors == NULL) {
		snprintf(err, errlen, "out of memory");
		return -1;
	}
	for (i = 0; i < config->collectors.n; i++) {
		setup.spec = config->collectors.v[i];
		if (e->tls == NULL && strncmp(setup.spec, "tls://", 6) == 0 &&
		    (e->tls = tls_client_new(config->tls_ca, config->tls_cert,
			 config->tls_key, err, errlen)) == NULL)
			return -1;
		setup.tls = e->tls;
		c = collector_new(&setup, err, errlen);
		if (c == NULL)
			return -1;
		e->collectors[e->ncollectors++] = c;
		if (e->ctx.exporter_ip4 == NULL)
			e->ctx.exporter_ip4 = collector_local(c, 4);
		if (e->ctx.exporter_ip6 == NULL)
			e->ctx.exporter_ip6 = collector_local(c, 6);
	}
	return 0;
}

static int
check_layouts(const struct template *t, char *err, size_t errlen)
{
	unsigned len4 = message_record_max(&t->ip4), len6 = message_record_max(&t->ip6);
	unsigned len = len4 > len6 ? len4 : len6;

	if (len <= MESSAGE_RECORD_MAX)
		return 0;
	snprintf(err, errlen, "the template makes records of up to %u octets; %u fit",
	    len, MESSAGE_RECORD_MAX);
	return -1;
}

static int
open_ipfixfile(struct export *e, char *err, size_t errlen)
{
	struct ipfixfile_setup setup = {
		.path = e->config->ipfix_file,
		.template = e->template,
		.source = &e->source,
		.counters = e->counters,
		.append = config_appends(e->config),
	};
	/* What was accepted once must be accepted again. */
	bool dpi = e->source.names != NULL || (e->template->need & FIELD_NEED_DPI);

	if (e->template->version != 10) {
		e->ipfix_template = malloc(sizeof(*e->ipfix_template));
		if (e->ipfix_template == NULL) {
			snprintf(err, errlen, "out of memory");
			return -1;
		}
		if (template_parse(e->ipfix_template, e->config->template, 10,
			e->config->biflow, dpi, err, errlen) == -1)
			return -1;
		setup.template = e->ipfix_template;
	}
	if (check_layouts(setup.template, err, errlen) == -1)
		return -1;
	e->ipfixfile = ipfixfile_new(&setup, err, errlen);
	return e->ipfixfile == NULL ? -1 : 0;
}

/* After a crash the records of before stay. */
static enum outfile_mode
start_mode(const struct config *config)
{
	return config_appends(config) ? OUTFILE_RESUME : OUTFILE_TRUNCATE;
}

static int
open_files(struct export *e, char *err, size_t errlen)
{
	const struct config *config = e->config;

	if (config->json != NULL &&
	    outfile_open(&e->json_file, config->json, start_mode(config)) == -1) {
		snprintf(err, errlen, "%s: %s", config->json, strerror(errno));
		return -1;
	}
	if (config->ipfix_file != NULL && open_ipfixfile(e, err, errlen) == -1)
		return -1;
	if (config->dump_path != NULL) {
		e->dump = dump_new(config->dump_path, (unsigned)config->dump_s,
		    e->template, e->counters, err, errlen);
		if (e->dump == NULL)
			return -1;
	}
	return 0;
}

void
export_ports_changed(struct export *e)
{
	unsigned i;

	for (i = 0; i < e->ctx.nports; i++)
		e->port_index[i] = e->source.ports[i].index;
}

static int
set_ports(struct export *e, const struct export_setup *setup)
{
	unsigned i;

	e->port_name = calloc(setup->nports + 1, sizeof(char *));
	e->port_index = calloc(setup->nports + 1, sizeof(uint32_t));
	if (e->port_name == NULL || e->port_index == NULL)
		return -1;
	for (i = 0; i < setup->nports; i++)
		e->port_name[i] = setup->ports[i].name;
	e->ctx.port_name = e->port_name;
	e->ctx.port_index = e->port_index;
	e->ctx.nports = setup->nports;
	export_ports_changed(e);
	return 0;
}

/* What records, headers and options say of the exporter. */
static void
set_identity(struct export *e, const struct export_setup *setup)
{
	const struct config *config = setup->config;
	uint32_t sampling = config->sampling > 0 ? (uint32_t)config->sampling : 1;

	e->ctx.config = config;
	e->ctx.names = setup->names;
	e->source = (struct options_source){
		.template = setup->template,
		.names = setup->names,
		.ports = setup->ports,
		.nports = setup->nports,
		.template_id = (uint16_t)config->template_id,
		.psamp = config->psamp,
		.domain = config->obs_domain,
		.sampling = sampling,
		.in_ifindex = config->in_ifindex,
	};
	stream_init(&e->stream, setup->template, message_format(config->version),
	    (uint16_t)config->template_id, emit, e);
	e->stream.head = (struct message_head){
		.domain = config->obs_domain,
		.sampling = sampling,
		.engine_type = config->engine_type,
		.engine_id = config->engine_id,
	};
}

struct export *
export_new(const struct export_setup *setup, char *err, size_t errlen)
{
	struct export *e;

	e = calloc(1, sizeof(*e));
	if (e == NULL) {
		snprintf(err, errlen, "out of memory");
		return NULL;
	}
	e->config = setup->config;
	e->template = setup->template;
	e->counters = setup->counters;
	json_init(&e->json);
	outfile_init(&e->json_file, setup->config->json, setup->counters);
	set_identity(e, setup);
	if (set_ports(e, setup) == -1) {
		snprintf(err, errlen, "out of memory");
		goto out;
	}
	if (check_layouts(e->template, err, errlen) == -1 ||
	    open_files(e, err, errlen) == -1 ||
	    open_collectors(e, setup->base, err, errlen) == -1)
		goto out;
	return e;
out:
	export_free(e);
	return NULL;
}

static void
write_json(struct export *e)
{
	if (e->json.failed)
		outfile_fail(&e->json_file, ENOMEM, e->json_records);
	else
		outfile_write(&e->json_file, e->json.buf, e->json.len, e->json_records);
	if (e->json.failed)
		json_clear(&e->json);
	json_reset(&e->json);
	e->json_records = 0;
}

void
export_free(struct export *e)
{
	unsigned i;

	if (e == NULL)
		return;
	export_end(e);
	for (i = 0; i < e->ncollectors; i++)
		collector_free(e->collectors[i]);
	tls_free(e->tls);
	free(e->collectors);
	ipfixfile_free(e->ipfixfile);
	dump_free(e->dump);
	outfile_close(&e->json_file);
	json_clear(&e->json);
	free(e->ipfix_template);
	free(e->port_name);
	free(e->port_index);
	free(e);
}

static void
start(struct export *e, uint64_t now_us)
{
	uint64_t boot_us = now_us > BOOT_BEFORE_US ? now_us - BOOT_BEFORE_US : 0;

	/* Whole milliseconds: headers can tell no finer (RFC 3954 §5.1). */
	boot_us -= boot_us % 1000;
	e->ctx.boot_us = e->stream.head.boot_us = boot_us;
	e->started = true;
	e->tell_us = now_us + (uint64_t)e->config->template_s * SECOND_US;
	e->write_us = now_us + SECOND_US;
}

/* Everything that hangs on the time of day being NOW_US. */
static void
set_now(struct export *e, uint64_t now_us)
{
	e->now_us = now_us;
	e->ctx.export_us = e->stream.head.now_us = now_us;
	if (e->ipfixfile != NULL)
		ipfixfile_clock(e->ipfixfile, now_us, e->ctx.boot_us);
	if (e->dump != NULL)
		dump_clock(e->dump, now_us);
}

static void
refresh(struct export *e)
{
	unsigned i, what = OPTIONS_TEMPLATES | OPTIONS_STATISTICS;

	e->tell_us = e->now_us + (uint64_t)e->config->template_s * SECOND_US;
	if (++e->intervals % TABLES_EVERY == 0)
		what |= OPTIONS_TABLES;
	for (i = 0; i < e->ncollectors; i++)
		collector_refresh(e->collectors[i], what);
	if (e->ipfixfile != NULL)
		ipfixfile_refresh(e->ipfixfile);
}

void
export_clock(struct export *e, uint64_t now_us)
{
	bool first = !e->started;
	unsigned i;

	if (first)
		start(e, now_us);
	if (now_us > e->now_us)
		set_now(e, now_us);
	for (i = 0; i < e->ncollectors; i++) {
		if (first)
			collector_start(e->collectors[i]);
		else
			collector_clock(e->collectors[i]);
	}
	if (e->now_us >= e->tell_us)
		refresh(e);
	if (!message_empty(&e->stream.message) &&
	    e->now_us - e->stream.oldest_us >= (uint64_t)e->config->queue_s * SECOND_US)
		stream_flush(&e->stream);
	if (e->now_us >= e->write_us) {
		e->write_us = e->now_us + SECOND_US;
		if (e->json_records > 0)
			write_json(e);
		if (e->dump != NULL)
			dump_flush(e->dump);
	}
}

void
export_rewind(struct export *e, uint64_t now_us)
{
	uint64_t by_us = e->now_us > now_us ? e->now_us - now_us : 0;

	if (!e->started)
		return;
	/* whole seconds, which is what some headers tell, or uptimes might go back */
	by_us += SECOND_US - 1;
	by_us -= by_us % SECOND_US;
	export_flush(e);
	e->ctx.boot_us = e->ctx.boot_us > by_us ? e->ctx.boot_us - by_us : 0;
	e->stream.head.boot_us = e->ctx.boot_us;
	e->tell_us -= by_us;
	e->write_us -= by_us;
	set_now(e, now_us);
}

/* -z: a TCP flow too small to matter. */
static bool
is_small(const struct export *e, const struct flow *f)
{
	return e->config->min_flow_size > 0 && f->key.proto == PROTO_TCP &&
	    f->octets[0] + f->octets[1] < (uint64_t)e->config->min_flow_size;
}

static void
to_collectors(struct export *e, const struct record *r)
{
	if (e->config->version == 5 && !flow_is_ip4(r->flow))
		counter_inc(e->counters, COUNTER_EXPORT_NO_V5);
	else
		stream_record(&e->stream, r);
}

static void
to_files(struct export *e, const struct record *r)
{
	if (e->ipfixfile != NULL)
		ipfixfile_record(e->ipfixfile, r);
	if (e->dump != NULL)
		dump_record(e->dump, r);
	if (e->config->json != NULL) {
		json_record(&e->json, e->template, r, e->config->json_ids);
		e->json_records++;
		if (e->json.len >= JSON_PIECE || e->json.failed)
			write_json(e);
	}
}

/* One record, to the collectors, to the files, or both. */
static void
put_record(struct export *e, const struct record *r, bool collectors, bool files)
{
	if (collectors && e->ncollectors > 0)
		to_collectors(e, r);
	if (files)
		to_files(e, r);
}

/* A record per direction that has packets, the client's first. */
static void
put_directions(struct export *e, struct record *r, bool collectors, bool files)
{
	unsigned i;

	r->biflow = false;
	for (i = 0; i < 2; i++, r->dir ^= 1) {
		if (r->flow->packets[r->dir] > 0)
			put_record(e, r, collectors, files);
	}
}

void
export_flow(struct export *e, const struct flow *f)
{
	export_flow_plugin(e, f, NULL, NULL);
}

void
export_flow_plugin(struct export *e, const struct flow *f, const struct mc_plugin *plugin,
    const void *fields)
{
	struct record r = {
		.flow = f,
		.ctx = &e->ctx,
		.dir = (uint8_t)flow_client(f),
		.plugin = plugin,
		.plugin_fields = fields,
		.user = e->user,
	};
	uint64_t packets = f->packets[0] + f->packets[1];

	if (!e->started)
		export_clock(e, flow_last_us(f));
	if (is_small(e, f)) {
		counter_inc(e->counters, COUNTER_RECORDS_SMALL);
		counter_add(e->counters, COUNTER_SMALL_PACKETS, packets);
		return;
	}
	counter_inc(e->counters, COUNTER_RECORDS);
	counter_add(e->counters, COUNTER_RECORD_PACKETS, packets);
	counter_add(e->counters, COUNTER_RECORD_BYTES, f->octets[0] + f->octets[1]);
	if (!e->template->biflow) {
		put_directions(e, &r, true, true);
	} else {
		r.biflow = true;
		/* v5 records have one direction, whatever the template says. */
		put_record(e, &r, e->config->version != 5, true);
		if (e->config->version == 5)
			put_directions(e, &r, true, false);
	}
	e->ctx.total_flows++;
	e->ctx.total_packets = e->stream.messages;
	e->ctx.total_bytes = e->stream.octets;
}

void
export_user(struct export *e, const char *user)
{
	e->user = user;
}

void
export_flush(struct export *e)
{
	unsigned i;

	stream_flush(&e->stream);
	if (e->ipfixfile != NULL)
		ipfixfile_flush(e->ipfixfile);
	if (e->dump != NULL)
		dump_flush(e->dump);
	if (e->json_records > 0)
		write_json(e);
	for (i = 0; i < e->ncollectors; i++)
		collector_settle(e->collectors[i]);
}

void
export_end(struct export *e)
{
	unsigned i;

	if (e->started)
		export_flush(e);
	if (e->dump != NULL)
		dump_turn(e->dump);
	for (i = 0; i < e->ncollectors; i++)
		collector_end(e->collectors[i]);
}

const struct field_context *
export_context(const struct export *e)
{
	return &e->ctx;
}

size_t
export_pending(const struct export *e)
{
	size_t sum = 0;
	unsigned i;

	for (i = 0; i < e->ncollectors; i++)
		sum += collector_pending(e->collectors[i]);
	return sum;
}

bool
export_busy(const struct export *e)
{
	unsigned i;

	for (i = 0; i < e->ncollectors; i++)
		if (collector_busy(e->collectors[i]))
			return true;
	return false;
}

void
export_reopen(struct export *e)
{
	if (e->config->json != NULL) {
		if (e->json_records > 0)
			write_json(e);
		if (outfile_open(&e->json_file, e->config->json, OUTFILE_APPEND) == -1)
			log_warn("%s: %s; going on with the old file", e->config->json,
			    strerror(errno));
	}
	if (e->ipfixfile != NULL)
		ipfixfile_reopen(e->ipfixfile);
	if (e->dump != NULL)
		dump_turn(e->dump);
}

void
export_chown(struct export *e, unsigned uid, unsigned gid)
{
	outfile_chown(&e->json_file, uid, gid);
	if (e->ipfixfile != NULL)
		ipfixfile_chown(e->ipfixfile, uid, gid);
	if (e->dump != NULL)
		dump_chown(e->dump, uid, gid);
}

void
export_report(const struct export *e)
{
	const struct collector_stats *s;
	unsigned i;

	for (i = 0; i < e->ncollectors; i++) {
		collector_settle(e->collectors[i]);
		s = collector_stats(e->collectors[i]);
		log_info("collector %s: %llu messages, %llu octets, %llu records sent; "
			 "%llu messages not sent, %llu records lost",
		    collector_spec(e->collectors[i]), (unsigned long long)s->messages,
		    (unsigned long long)s->octets, (unsigned long long)s->records,
		    (unsigned long long)s->errors, (unsigned long long)s->lost);
	}
}
