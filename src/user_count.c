/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * user_count.c -- what is counted for users: user.<name>, top.user.bytes and
 * top.user.flows; and whose it is in ip.<addr>. The life of user.<name> is left to who
 * sees the logins.
 */
#include "user_int.h"

#include <stdio.h>
#include <string.h>

#include "cloud.h"
#include "dpi.h"
#include "keyname.h"

#define MINUTE_US 60000000u

static void
count_l7(struct users *u, struct cloud_key *k, const struct flowdelta *d,
    uint64_t bytes)
{
	struct flow_l7 l7 = {.master = d->named ? d->master : 0,
		.app = d->named ? d->app : 0};
	char field[160] = "l7.";
	struct cloud_item item;
	unsigned i, n = 0;
	size_t len;

	if (bytes == 0)
		return;
	len = 3 + dpi_full_name(u->s.names, &l7, field + 3, sizeof(field) - 3);
	if (!cloud_key_get(k, field, len, &item)) {
		for (i = 0; i < cloud_key_count(k); i++) {
			cloud_key_at(k, i, &item);
			n += item.name_len > 3 && memcmp(item.name, "l7.", 3) == 0;
		}
		if (n >= USERS_L7_MAX)
			return;
	}
	cloud_incr(u->s.cloud, k, field, (int64_t)bytes);
}

static void
count_top(struct users *u, const char *metric, const struct flowdelta *d,
    const char *name, uint64_t n)
{
	struct cloud_key *k;
	char id[48];
	int len;

	if (n == 0)
		return;
	len = snprintf(id, sizeof(id), "%s.%llu", metric,
	    (unsigned long long)(d->last_us / MINUTE_US));
	k = cloud_key(u->s.cloud, CLOUD_TOP, id, (size_t)len);
	if (k != NULL)
		cloud_zincr(u->s.cloud, k, name, strlen(name), n);
}

static void
count_side(struct users *u, const struct flowdelta *d, unsigned side, const char *name)
{
	bool client = side == d->client;
	const struct {
		const char *field;
		uint64_t n;
	} v[] = {
	    {"bytesSent", d->octets[side]},
	    {"bytesRcvd", d->octets[!side]},
	    {"pktsSent", d->packets[side]},
	    {"pktsRcvd", d->packets[!side]},
	    {"flowsClient", d->fresh && client},
	    {"flowsServer", d->fresh && !client},
	};
	struct cloud *cloud = u->s.cloud;
	uint64_t bytes = d->octets[0] + d->octets[1];
	struct cloud_key *k;
	char member[KEYNAME_PART + 1];
	unsigned i;

	/* the login has made the key; gone with the grace, it does not come again for a
	   connection that was kept: nobody would tell it to end. Nodes know others' logins */
	if (u->reader == NULL && cloud_look(cloud, CLOUD_USER, name, strlen(name)) == NULL)
		return;
	k = cloud_key(cloud, CLOUD_USER, name, strlen(name));
	if (k == NULL)
		return;
	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		if (v[i].n > 0)
			cloud_incr(cloud, k, v[i].field, (int64_t)v[i].n);
	count_l7(u, k, d, bytes);
	keyname_part(member, name, strlen(name));
	count_top(u, "user.bytes", d, member, bytes);
	count_top(u, "user.flows", d, member, d->fresh);
}

/* ip.<addr> says whose it is, as of now. An address that has no key gets none by that. */
static void
tell_address(struct users *u, const uint8_t addr[16], const char *name, bool nobody)
{
	const char *now = sightings_now(u->s.sightings, addr);
	struct cloud *cloud = u->s.cloud;
	struct cloud_item item;
	const struct cloud_key *k;

	if (now != NULL)
		name = now;
	if ((name == NULL && !nobody) || user_is_none(addr) ||
	    (k = cloud_look(cloud, CLOUD_IP, addr, 16)) == NULL)
		return;
	if (name != NULL)
		cloud_set(cloud, cloud_key(cloud, CLOUD_IP, addr, 16), "user", name,
		    strlen(name));
	else if (cloud_key_get(k, "user", 4, &item))
		cloud_unset(cloud, cloud_key(cloud, CLOUD_IP, addr, 16), "user");
}

void
users_count(struct users *u, const struct flowdelta *d, const struct user_names *names)
{
	unsigned i;

	if (u->s.cloud == NULL)
		return;
	for (i = 0; i < 2; i++) {
		if (names->of[i] != NULL)
			count_side(u, d, i, names->of[i]);
		if (u->reader != NULL || sightings_count(u->s.sightings) > 0)
			tell_address(u, d->key.addr[i], names->of[i], names->nobody[i]);
	}
}
