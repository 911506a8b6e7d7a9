/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * workload.c -- writes the captures of the bench: a few hundred MB a second, the same
 * bytes for the same arguments everywhere. README.md says what is in them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workload.h"

static const struct {
	const char *name;
	workload *make;
	uint32_t packets;
	const char *what;
} workloads[] = {
    {"mix", make_mix, 4000000, "conversations of all kinds within a minute"},
    {"small", make_small, 5000000, "60 octets, five to each of SIZE tuples, all alive"},
    {"dns", make_dns, 2000000, "questions and their answers"},
    {"http", make_http, 1000000, "keep-alive connections"},
    {"zipf", make_zipf, 2000000, "SIZE hosts, by Zipf's law"},
    {"hosts", make_hosts, 2000000, "SIZE hosts, all as often"},
    {"live", make_live, 5000000, "60 octets: each of SIZE tuples once, then at random"},
    /* adverse; before each what it is compared with: as many flows per packet */
    {"formed", make_formed, 1000000, "ten packets a flow, as they should be"},
    {"malformed", make_malformed, 1000000, "the same, each damaged"},
    {"dnsbad", make_dnsbad, 1000000, "as dns, but rubbish"},
    {"httpbad", make_httpbad, 1000000, "as http, but rubbish"},
    {"syn", make_syn, 1000000, "connections that begin: a flow per packet"},
    {"synflood", make_synflood, 1000000, "the same, of made up addresses to one server"},
    {"ask", make_ask, 1000000, "questions without answer: a flow per packet"},
    {"single", make_single, 1000000, "rubbish from anybody to anybody, once"},
    {"collide", make_collide, 5000000, "as small, but tuples that simple hashes confuse"},
};

#define WORKLOADS (sizeof(workloads) / sizeof(workloads[0]))

static int
usage(void)
{
	unsigned i;

	fputs("usage: workload NAME FILE.pcap [PACKETS [SIZE]]\n\n", stderr);
	for (i = 0; i < WORKLOADS; i++)
		fprintf(stderr, "%-10s %8u packets: %s\n", workloads[i].name,
		    workloads[i].packets, workloads[i].what);
	return 2;
}

int
main(int argc, char **argv)
{
	static struct out o;
	struct rng r = {1};
	unsigned i = 0;

	while (argc > 2 && i < WORKLOADS && strcmp(argv[1], workloads[i].name) != 0)
		i++;
	if (argc < 3 || argc > 5 || i == WORKLOADS)
		return usage();
	o.limit = argc > 3 ? strtoul(argv[3], NULL, 10) : workloads[i].packets;
	o.size = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 0;
	if (o.limit < 1 || o.limit > 50000000 || o.size > 8000000) {
		fputs("workload: 1 to 50000000 packets, at most 8000000 of a size\n", stderr);
		return 2;
	}
	out_open(&o, argv[2], &r);
	workloads[i].make(&o, &r);
	out_close(&o);
	printf("%llu packets, %llu octets\n", (unsigned long long)o.packets,
	    (unsigned long long)o.octets);
	return 0;
}
