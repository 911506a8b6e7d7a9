/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * floor.c -- what libpcap's own loop costs over a file when nothing is done with the
 * packets: their octets are added up, so that their headers are looked at. This is the
 * 100 % of the bench.
 */
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>

struct sum {
	uint64_t packets, octets;
};

static void
add(u_char *user, const struct pcap_pkthdr *h, const u_char *data)
{
	struct sum *sum = (void *)user;

	(void)data;
	sum->packets++;
	sum->octets += h->len;
}

int
main(int argc, char **argv)
{
	char err[PCAP_ERRBUF_SIZE];
	struct sum sum = {0, 0};
	pcap_t *p;
	int rc;

	if (argc != 2) {
		fputs("usage: floor FILE.pcap\n", stderr);
		return 2;
	}
	p = pcap_open_offline(argv[1], err);
	if (p == NULL) {
		fprintf(stderr, "floor: %s\n", err);
		return 1;
	}
	rc = pcap_loop(p, 0, add, (u_char *)&sum);
	pcap_close(p);
	printf("%llu packets, %llu octets\n", (unsigned long long)sum.packets,
	    (unsigned long long)sum.octets);
	return rc == 0 ? 0 : 1;
}
