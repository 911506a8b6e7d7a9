/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.c -- from the command line and files to struct config. Every value, default
 * or given, goes through option_apply() and its row; what rows cannot say of each other
 * is in config_finish().
 */
#include "config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_row.h"
#include "flowkey.h"

#define FILE_DEPTH_MAX 4 /* configuration files that name others */

static option_set config_set_speed, config_set_aggregation, config_set_local,
    config_set_biflow, config_set_obs_domain, config_set_engine,
    config_set_sampling_options, config_set_json_labels, config_set_file;

#define ROW_BOOL(m)  .offset = offsetof(struct config, m)
#define ROW_NOT(m)   .offset = offsetof(struct config, m)
#define ROW_COUNT(m) .offset = offsetof(struct config, m)
#define ROW_INT(m)   .offset = offsetof(struct config, m)
#define ROW_STR(m)   .offset = offsetof(struct config, m)
#define ROW_LIST(m)  .offset = offsetof(struct config, m)
#define ROW_CALL(m)  .set = config_set_##m
#define ROW_ACT(m)   .action = m

const struct option_row option_table[] = {
#define GROUP(title) {.kind = OPTION_GROUP, .help = title},
#define OPTION(l, n, k, m, lo, hi, d, a, h)                                            \
	{.letter = l, .name = n, .kind = OPTION_##k, ROW_##k(m), .min = lo, .max = hi, \
	    .def = d, .arg = a, .help = h},
#include "options.def"
#undef GROUP
#undef OPTION
};
const unsigned option_rows = sizeof(option_table) / sizeof(option_table[0]);

static int
reason(char *err, size_t errlen, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
reason(char *err, size_t errlen, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, errlen, fmt, ap);
	va_end(ap);
	return -1;
}

int
config_string(char **to, const char *s)
{
	char *copy = strdup(s);

	if (copy == NULL)
		return -1;
	free(*to);
	*to = copy;
	return 0;
}

int
strlist_add(struct strlist *l, const char *s)
{
	char **v = realloc(l->v, (l->n + 1) * sizeof(*v));

	if (v == NULL)
		return -1;
	l->v = v;
	v[l->n] = strdup(s);
	if (v[l->n] == NULL)
		return -1;
	l->n++;
	return 0;
}

void
strlist_clear(struct strlist *l)
{
	unsigned i;

	for (i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	l->v = NULL;
	l->n = 0;
}

/* A whole decimal number, MIN to MAX. */
static int
read_long(const char *s, long min, long max, long *to)
{
	char *end;

	errno = 0;
	*to = strtol(s, &end, 10);
	return errno != 0 || end == s || *end != '\0' || *to < min || *to > max ? -1 : 0;
}

/*
 * Options with rules of their own
 */
static int
config_set_speed(struct config *c, const char *value, char *err, size_t errlen)
{
	char *end;

	c->speed = 0;
	if (strcmp(value, "asap") == 0)
		return 0;
	c->speed = strtod(value, &end);
	if (end == value || *end != '\0' || !(c->speed >= 0.001 && c->speed <= 1e6))
		return reason(err, errlen, "a factor from 0.001 to 1000000, or asap");
	return 0;
}

static int
config_set_aggregation(struct config *c, const char *value, char *err, size_t errlen)
{
	static const unsigned part[] = {FLOWKEY_VLAN, FLOWKEY_PROTO, FLOWKEY_IP,
		FLOWKEY_PORT, FLOWKEY_TOS};
	unsigned i;

	c->aggregation = 0;
	for (i = 0; i < 5; i++) {
		if ((value[0] != '0' && value[0] != '1') ||
		    value[1] != (i < 4 ? '/' : '\0'))
			return reason(err, errlen,
			    "five digits VLAN/protocol/IP/port/TOS, each 0 or 1, as in 1/1/1/1/0");
		if (value[0] == '1')
			c->aggregation |= part[i];
		value += 2;
	}
	return 0;
}

static int
read_subnet(const char *s, struct subnet *net)
{
	char addr[64];
	const char *slash = strchr(s, '/');
	size_t len = slash ? (size_t)(slash - s) : strlen(s);
	uint8_t v4[4];
	long bits;

	if (len >= sizeof(addr))
		return -1;
	memcpy(addr, s, len);
	addr[len] = '\0';
	memset(net->addr, 0, sizeof(net->addr));
	if (inet_pton(AF_INET, addr, v4) == 1) {
		net->addr[10] = net->addr[11] = 0xff;
		memcpy(net->addr + 12, v4, 4);
		bits = 32;
		if (slash && read_long(slash + 1, 0, 32, &bits) < 0)
			return -1;
		net->bits = (uint8_t)(bits + 96);
		return 0;
	}
	if (inet_pton(AF_INET6, addr, net->addr) != 1)
		return -1;
	bits = 128;
	if (slash && read_long(slash + 1, 0, 128, &bits) < 0)
		return -1;
	net->bits = (uint8_t)bits;
	return 0;
}

static int
config_set_local(struct config *c, const char *value, char *err, size_t errlen)
{
	char *copy = strdup(value), *rest = copy, *word;
	int rc = 0;

	while (copy != NULL && rc == 0 && (word = strsep(&rest, ", ")) != NULL) {
		struct subnet *v, net;

		if (*word == '\0')
			continue;
		if (read_subnet(word, &net) < 0) {
			rc = reason(err, errlen, "networks like 10.0.0.0/8 or fd00::/8, not %s",
			    word);
			break;
		}
		v = realloc(c->local, (c->nlocal + 1) * sizeof(*v));
		if (v == NULL) {
			rc = reason(err, errlen, "no memory");
			break;
		}
		c->local = v;
		v[c->nlocal++] = net;
	}
	free(copy);
	if (rc == 0 && c->nlocal == 0)
		return reason(err, errlen, "networks like 10.0.0.0/8,fd00::/8");
	return rc;
}

/* One of WORDS (NULL-terminated): its index, or -1 with the choice in ERR. */
static int
choose(const char *value, const char *const *words, char *err, size_t errlen)
{
	size_t used;
	int i;

	for (i = 0; words[i] != NULL; i++)
		if (strcmp(value, words[i]) == 0)
			return i;
	used = (size_t)snprintf(err, errlen, "one of");
	for (i = 0; words[i] != NULL && used < errlen; i++)
		used += (size_t)snprintf(err + used, errlen - used, "%s %s", i ? "," : "",
		    words[i]);
	return -1;
}

static int
config_set_biflow(struct config *c, const char *value, char *err, size_t errlen)
{
	static const char *const words[] = {"ntop", "rfc5103", "uni", NULL};
	int i = choose(value, words, err, errlen);

	c->biflow = i < 0 ? BIFLOW_NTOP : (enum biflow_mode)i;
	return i < 0 ? -1 : 0;
}

static int
config_set_sampling_options(struct config *c, const char *value, char *err,
    size_t errlen)
{
	static const char *const words[] = {"netflow", "psamp", NULL};
	int i = choose(value, words, err, errlen);

	c->psamp = i == 1;
	return i < 0 ? -1 : 0;
}

static int
config_set_json_labels(struct config *c, const char *value, char *err, size_t errlen)
{
	static const char *const words[] = {"ids", "labels", NULL};
	int i = choose(value, words, err, errlen);

	c->json_ids = i == 0;
	return i < 0 ? -1 : 0;
}

static int
config_set_obs_domain(struct config *c, const char *value, char *err, size_t errlen)
{
	long n;

	if (read_long(value, 0, UINT32_MAX, &n) < 0)
		return reason(err, errlen, "a number from 0 to 4294967295");
	c->obs_domain = (uint32_t)n;
	return 0;
}

static int
config_set_engine(struct config *c, const char *value, char *err, size_t errlen)
{
	unsigned type, id;
	int end = 0;

	if (sscanf(value, "%3u:%3u%n", &type, &id, &end) != 2 || value[end] != '\0' ||
	    type > 255 || id > 255)
		return reason(err, errlen, "TYPE:ID, each from 0 to 255");
	c->engine_type = (uint8_t)type;
	c->engine_id = (uint8_t)id;
	return 0;
}

/*
 * Rows
 */
static int
option_int(int *to, const struct option_row *o, const char *value, char *err,
    size_t errlen)
{
	long n;

	if (read_long(value, o->min, o->max, &n) < 0)
		return reason(err, errlen, "a number from %ld to %ld", o->min, o->max);
	*to = (int)n;
	return 0;
}

static int
option_bool(bool *to, bool set, const char *value, char *err, size_t errlen)
{
	if (value == NULL || strcmp(value, "yes") == 0)
		*to = set;
	else if (strcmp(value, "no") == 0)
		*to = !set;
	else
		return reason(err, errlen, "yes or no");
	return 0;
}

/* Read VALUE (NULL: the option stands alone) by row O. ERR: only what was expected. */
static int
option_apply(struct config *c, const struct option_row *o, const char *value,
    char *err, size_t errlen)
{
	void *member = (char *)c + o->offset;

	switch (o->kind) {
	case OPTION_BOOL:
	case OPTION_NOT:
		return option_bool(member, o->kind == OPTION_BOOL, value, err, errlen);
	case OPTION_COUNT:
		if (value != NULL)
			return option_int(member, o, value, err, errlen);
		if (*(int *)member < o->max)
			(*(int *)member)++;
		return 0;
	case OPTION_INT:
		return option_int(member, o, value, err, errlen);
	case OPTION_STR:
		return config_string(member, value) < 0 ? reason(err, errlen, "no memory") : 0;
	case OPTION_LIST:
		return strlist_add(member, value) < 0 ? reason(err, errlen, "no memory") : 0;
	case OPTION_CALL:
		return o->set(c, value, err, errlen);
	case OPTION_ACT:
		c->action = o->action;
		return 0;
	case OPTION_GROUP:
		break;
	}
	abort();
}

static const struct option_row *
option_find(const char *name)
{
	unsigned i;

	for (i = 0; i < option_rows; i++) {
		const struct option_row *o = &option_table[i];

		if (o->name != NULL && (strcmp(o->name, name) == 0 ||
			(o->letter != 0 && name[0] == o->letter && name[1] == '\0')))
			return o;
	}
	return NULL;
}

/* Edit distance, at most 64 characters of each. */
static unsigned
distance(const char *a, const char *b)
{
	unsigned row[65], i, j, na, nb;

	na = (unsigned)strnlen(a, 64);
	nb = (unsigned)strnlen(b, 64);
	for (j = 0; j <= nb; j++)
		row[j] = j;
	for (i = 1; i <= na; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (j = 1; j <= nb; j++) {
			unsigned old = row[j], best;

			best = diagonal +
			    (tolower((unsigned char)a[i - 1]) !=
				tolower((unsigned char)b[j - 1]));
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = old;
		}
	}
	return row[nb];
}

const char *
config_nearest(const char *name, const char *const *names, unsigned n)
{
	const char *best = NULL;
	unsigned i, d, limit = 1 + (unsigned)strlen(name) / 3;

	for (i = 0; i < n; i++)
		if ((d = distance(name, names[i])) < limit || (d == limit && !best)) {
			best = names[i];
			limit = d;
		}
	return best;
}

static int
unknown_option(const char *name, const char *where, char *err, size_t errlen)
{
	const char *names[sizeof(option_table) / sizeof(option_table[0])], *near;
	unsigned i, n = 0;

	for (i = 0; i < option_rows; i++)
		if (option_table[i].name != NULL)
			names[n++] = option_table[i].name;
	near = config_nearest(name, names, n);
	if (near != NULL)
		return reason(err, errlen, "%sunknown option %s; did you mean --%s?", where,
		    name, near);
	return reason(err, errlen, "%sunknown option %s; --help lists them", where, name);
}

/* Apply and, on a mistake, say where and with what. */
static int
option_read(struct config *c, const struct option_row *o, const char *value,
    const char *where, char *err, size_t errlen)
{
	char expected[1024];

	if (option_takes_value(o) && (value == NULL || *value == '\0'))
		return reason(err, errlen, "%s--%s needs a value: %s", where, o->name, o->arg);
	if (option_apply(c, o, value, expected, sizeof(expected)) == 0)
		return 0;
	if (o->set == config_set_file)
		return reason(err, errlen, "%s%s", where, expected);
	return reason(err, errlen, "%s--%s %s: expected %s", where, o->name,
	    value ? value : "", expected);
}

/*
 * Files
 */
static int
config_line(struct config *c, char *line, const char *where, char *err, size_t errlen)
{
	const struct option_row *o;
	char *value, *end;

	line += strspn(line, " \t-");
	end = line + strlen(line);
	while (end > line && isspace((unsigned char)end[-1]))
		*--end = '\0';
	if (*line == '\0' || *line == '#')
		return 0;
	value = line + strcspn(line, " \t=");
	if (*value != '\0') {
		*value++ = '\0';
		value += strspn(value, " \t=");
	}
	/* quotes around a whole value are the shell's habit, not part of it */
	end = value + strlen(value);
	if (end - value >= 2 && (*value == '"' || *value == '\'') && end[-1] == *value) {
		end[-1] = '\0';
		value++;
	}
	o = option_find(line);
	if (o == NULL)
		return unknown_option(line, where, err, errlen);
	if (o->kind == OPTION_ACT)
		return reason(err, errlen, "%s--%s has no place in a file", where, o->name);
	return option_read(c, o, *value ? value : NULL, where, err, errlen);
}

static int
config_set_file(struct config *c, const char *path, char *err, size_t errlen)
{
	char where[PATH_MAX + 32], *line = NULL;
	size_t size = 0;
	unsigned number = 0;
	int rc = 0;
	FILE *f;

	if (c->file_depth >= FILE_DEPTH_MAX)
		return reason(err, errlen, "%s: configuration files nest too deep", path);
	f = fopen(path, "re");
	if (f == NULL)
		return reason(err, errlen, "%s: %s", path, strerror(errno));
	c->file_depth++;
	while (rc == 0 && getline(&line, &size, f) >= 0) {
		snprintf(where, sizeof(where), "%s:%u: ", path, ++number);
		rc = config_line(c, line, where, err, errlen);
	}
	if (rc == 0 && ferror(f))
		rc = reason(err, errlen, "%s: %s", path, strerror(errno));
	c->file_depth--;
	free(line);
	fclose(f);
	return rc;
}

/*
 * What rows cannot say
 */
static bool
is_interface(const char *name)
{
	struct stat st;

	if (strcmp(name, "-") == 0 || strchr(name, '/') != NULL)
		return false;
	return strcmp(name, "any") == 0 || if_nametoindex(name) != 0 ||
	    stat(name, &st) < 0;
}

static bool
is_standard(const char *name)
{
	return name != NULL && strcmp(name, "-") == 0;
}

static int
config_check_input(struct config *c, char *err, size_t errlen)
{
	unsigned i, live = 0;

	for (i = 0; i < c->interfaces.n; i++)
		live += is_interface(c->interfaces.v[i]);
	if (live != 0 && live != c->interfaces.n)
		return reason(err, errlen,
		    "-i: interfaces and files do not mix (no file or interface of that name?)");
	if (c->interfaces.n > 0 && c->pcap_file_list != NULL)
		return reason(err, errlen, "-i and --pcap-file-list exclude each other");
	c->live = live > 0;
	for (i = 0; c->supervise && i < c->interfaces.n; i++)
		if (is_standard(c->interfaces.v[i]))
			return reason(err, errlen,
			    "--supervise: standard input cannot be read again after a crash");
	if (c->interfaces.n == 0 && c->pcap_file_list == NULL && !c->dry_run &&
	    !c->check_config)
		return reason(err, errlen,
		    "no input: give -i INTERFACE, -i FILE.pcap or -i - (see --help)");
	if (c->live && (c->speed > 0 || c->stay))
		return reason(err, errlen,
		    strcmp(c->interfaces.v[0], "any") == 0 ||
			    if_nametoindex(c->interfaces.v[0]) != 0
			? "%s is an interface: --stay and --speed are for capture files"
			: "%s: no such file",
		    c->interfaces.v[0]);
	return 0;
}

/* In the background there is neither standard input nor output. */
static int
config_check_daemon(const struct config *c, char *err, size_t errlen)
{
	unsigned i;

	for (i = 0; i < c->interfaces.n; i++)
		if (is_standard(c->interfaces.v[i]))
			return reason(err, errlen, "--daemon cannot read standard input");
	if (is_standard(c->json) || is_standard(c->ipfix_file))
		return reason(err, errlen, "--daemon cannot write to standard output");
	return 0;
}

/* [udp://|tcp://|tls://]HOST[:PORT]: is it one, as far as can be told without asking a name
 * server? An IPv6 address without brackets has colons but no port. */
static bool
is_collector(const char *spec)
{
	const char *host = spec, *port;
	long n;

	if (strncmp(spec, "udp://", 6) == 0 || strncmp(spec, "tcp://", 6) == 0 ||
	    strncmp(spec, "tls://", 6) == 0)
		host = spec + 6;
	if (strstr(host, "://") != NULL || *host == '\0' || *host == ':')
		return false;
	port = *host == '[' ? strchr(host, ']') : host;
	if (port == NULL)
		return false;
	port = strchr(port, ':');
	if (port == NULL || (*host != '[' && strchr(port + 1, ':') != NULL))
		return true;
	return read_long(port + 1, 1, 65535, &n) == 0;
}

static int
config_finish(struct config *c, char *err, size_t errlen)
{
	unsigned i;

	if (config_check_input(c, err, errlen) < 0)
		return -1;
	if (c->daemon && config_check_daemon(c, err, errlen) < 0)
		return -1;
	if (c->version != 5 && c->version != 9 && c->version != 10)
		return reason(err, errlen, "--flow-version %d: expected 5, 9 or 10 (IPFIX)",
		    c->version);
	for (i = 0; i < c->collectors.n; i++)
		if (!is_collector(c->collectors.v[i]))
			return reason(err, errlen,
			    "--collector %s: expected [udp://|tcp://|tls://]HOST:PORT, ports 1 to 65535",
			    c->collectors.v[i]);
	if (c->biflow == BIFLOW_RFC5103 && c->version != 10 && c->collectors.n > 0)
		return reason(err, errlen,
		    "--biflow rfc5103 has reverse elements, which only IPFIX can carry: add -V 10");
	if ((c->tls_cert == NULL) != (c->tls_key == NULL))
		return reason(err, errlen, "--tls-cert and --tls-key need each other");
	return config_finish_cloud(c, err, errlen);
}

/*
 * Command line
 */
static unsigned
build_getopt(char *letters, struct option *longs)
{
	unsigned i, n = 0;

	*letters++ = ':';
	for (i = 0; i < option_rows; i++) {
		const struct option_row *o = &option_table[i];

		if (o->name == NULL)
			continue;
		longs[n++] = (struct option){o->name,
			option_takes_value(o) ? required_argument : no_argument, NULL,
			(int)(1000 + i)};
		if (o->letter != 0) {
			*letters++ = o->letter;
			if (option_takes_value(o))
				*letters++ = ':';
		}
	}
	*letters = '\0';
	memset(&longs[n], 0, sizeof(longs[n]));
	return n;
}

static int
config_defaults(struct config *c, char *err, size_t errlen)
{
	unsigned i;

	c->promisc = true;
	c->dpi = true;
	c->sandbox = true;
	for (i = 0; i < option_rows; i++)
		if (option_table[i].def != NULL &&
		    option_read(c, &option_table[i], option_table[i].def, "default of ", err,
			errlen) < 0)
			return -1;
	return 0;
}

static int
config_argument(struct config *c, int ch, char **argv, char *err, size_t errlen)
{
	const struct option_row *o;
	char name[2] = {(char)optopt, '\0'}, longname[64];

	if (ch == ':') {
		o = optopt >= 1000 ? &option_table[optopt - 1000] : option_find(name);
		return reason(err, errlen, "--%s needs a value: %s", o->name, o->arg);
	}
	if (ch == '?') {
		if (optopt >= 1000)
			return reason(err, errlen, "--%s takes no value",
			    option_table[optopt - 1000].name);
		if (optopt != 0)
			return reason(err, errlen, "unknown option -%c; --help lists them",
			    optopt);
		snprintf(longname, sizeof(longname), "%.*s",
		    (int)strcspn(argv[optind - 1] + 2, "="), argv[optind - 1] + 2);
		return unknown_option(longname, "", err, errlen);
	}
	name[0] = (char)ch;
	o = ch >= 1000 ? &option_table[ch - 1000] : option_find(name);
	/* nProbe's -b takes a level; ours may */
	if (o->kind == OPTION_COUNT && argv[optind] != NULL &&
	    isdigit((unsigned char)argv[optind][0]) && argv[optind][1] == '\0')
		return option_read(c, o, argv[optind++], "", err, errlen);
	return option_read(c, o, optarg, "", err, errlen);
}

int
config_parse(struct config *c, int argc, char **argv, char *err, size_t errlen)
{
	char letters[2 * sizeof(option_table) / sizeof(option_table[0]) + 2];
	struct option longs[sizeof(option_table) / sizeof(option_table[0]) + 1];
	int ch;

	memset(c, 0, sizeof(*c));
	build_getopt(letters, longs);
	if (config_defaults(c, err, errlen) < 0)
		return -1;
	optind = 0;
	opterr = 0;
	while ((ch = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (config_argument(c, ch, argv, err, errlen) < 0)
			return -1;
		if (c->action != ACTION_RUN)
			return 0;
	}
	/* what is left are configuration files, as nProbe takes them */
	for (; optind < argc; optind++)
		if (config_set_file(c, argv[optind], err, errlen) < 0)
			return -1;
	return config_finish(c, err, errlen);
}

void
config_clear(struct config *c)
{
	unsigned i;

	for (i = 0; i < option_rows; i++) {
		const struct option_row *o = &option_table[i];
		void *member = (char *)c + o->offset;

		if (o->kind == OPTION_STR)
			free(*(char **)member);
		if (o->kind == OPTION_LIST)
			strlist_clear(member);
	}
	free(c->local);
	config_clear_cloud(c);
	memset(c, 0, sizeof(*c));
}

bool
config_appends(const struct config *c)
{
	return c->again > 0 && c->live;
}

bool
config_is_local(const struct config *c, const uint8_t *addr)
{
	unsigned i;

	for (i = 0; i < c->nlocal; i++) {
		const struct subnet *n = &c->local[i];
		unsigned bytes = n->bits / 8, bits = n->bits % 8;

		if (memcmp(n->addr, addr, bytes) == 0 &&
		    (bits == 0 || ((n->addr[bytes] ^ addr[bytes]) >> (8 - bits)) == 0))
			return true;
	}
	return false;
}
