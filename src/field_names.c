/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * field_names.c -- names of IP protocols and of well-known ports, built in: a system's
 * own lists differ from host to host and cost a file's reading each. Found by halves:
 * eight comparisons.
 */
#include <stdint.h>
#include <stdlib.h>

#include "field_get.h"

struct number_name {
	uint16_t number;
	const char *name; /* 16 bytes at most: what v9 has room for */
};

/* Both ascending. */
static const struct number_name protocols[] = {
    {1, "icmp"}, {2, "igmp"}, {4, "ipip"}, {6, "tcp"}, {8, "egp"}, {9, "igp"},
    {17, "udp"}, {27, "rdp"}, {33, "dccp"}, {41, "ipv6"}, {43, "ipv6-route"},
    {44, "ipv6-frag"}, {46, "rsvp"}, {47, "gre"}, {50, "esp"}, {51, "ah"},
    {55, "mobile"}, {58, "ipv6-icmp"}, {59, "ipv6-nonxt"}, {60, "ipv6-opts"},
    {88, "eigrp"}, {89, "ospf"}, {94, "ipencap"}, {97, "etherip"}, {98, "encap"},
    {103, "pim"}, {108, "ipcomp"}, {112, "vrrp"}, {115, "l2tp"}, {124, "isis"},
    {132, "sctp"}, {133, "fc"}, {135, "mobility"}, {136, "udplite"},
    {137, "mpls-in-ip"}, {138, "manet"}, {139, "hip"}, {140, "shim6"},
};

static const struct number_name services[] = {
    {7, "echo"}, {9, "discard"}, {13, "daytime"}, {19, "chargen"}, {20, "ftp-data"},
    {21, "ftp"}, {22, "ssh"}, {23, "telnet"}, {25, "smtp"}, {37, "time"}, {43, "whois"},
    {49, "tacacs"}, {53, "domain"}, {67, "bootps"}, {68, "bootpc"}, {69, "tftp"},
    {79, "finger"}, {80, "http"}, {88, "kerberos"}, {110, "pop3"}, {111, "sunrpc"},
    {113, "ident"}, {119, "nntp"}, {123, "ntp"}, {135, "epmap"}, {137, "netbios-ns"},
    {138, "netbios-dgm"}, {139, "netbios-ssn"}, {143, "imap"}, {161, "snmp"},
    {162, "snmptrap"}, {177, "xdmcp"}, {179, "bgp"}, {194, "irc"}, {264, "bgmp"},
    {389, "ldap"}, {427, "svrloc"}, {443, "https"}, {445, "microsoft-ds"},
    {464, "kpasswd"}, {465, "submissions"}, {500, "isakmp"}, {502, "modbus"},
    {512, "exec"}, {513, "login"}, {514, "syslog"}, {515, "printer"}, {520, "rip"},
    {521, "ripng"}, {546, "dhcpv6-client"}, {547, "dhcpv6-server"}, {548, "afpovertcp"},
    {554, "rtsp"}, {563, "nntps"}, {587, "submission"}, {623, "asf-rmcp"}, {631, "ipp"},
    {636, "ldaps"}, {646, "ldp"}, {749, "kerberos-adm"}, {830, "netconf-ssh"},
    {853, "domain-s"}, {860, "iscsi"}, {873, "rsync"}, {989, "ftps-data"},
    {990, "ftps"}, {992, "telnets"}, {993, "imaps"}, {995, "pop3s"}, {1080, "socks"},
    {1194, "openvpn"}, {1433, "ms-sql-s"}, {1434, "ms-sql-m"}, {1521, "oracle"},
    {1645, "radius-old"}, {1646, "radacct-old"}, {1701, "l2f"}, {1723, "pptp"},
    {1812, "radius"}, {1813, "radius-acct"}, {1883, "mqtt"}, {1900, "ssdp"},
    {2049, "nfs"}, {2055, "netflow"}, {2123, "gtp-control"}, {2152, "gtp-user"},
    {2181, "zookeeper"}, {2379, "etcd-client"}, {3128, "squid-http"},
    {3260, "iscsi-target"}, {3268, "msft-gc"}, {3306, "mysql"}, {3389, "ms-wbt-server"},
    {3478, "stun"}, {3544, "teredo"}, {3702, "ws-discovery"}, {3784, "bfd-control"},
    {3799, "radius-dynauth"}, {3868, "diameter"}, {4500, "ipsec-nat-t"},
    {4739, "ipfix"}, {4740, "ipfixs"}, {4789, "vxlan"}, {5004, "avt-profile-1"},
    {5060, "sip"}, {5061, "sips"}, {5222, "xmpp-client"}, {5246, "capwap-control"},
    {5247, "capwap-data"}, {5269, "xmpp-server"}, {5349, "stuns"}, {5353, "mdns"},
    {5355, "llmnr"}, {5432, "postgresql"}, {5671, "amqps"}, {5672, "amqp"},
    {5683, "coap"}, {5900, "rfb"}, {5985, "wsman"}, {6000, "x11"}, {6081, "geneve"},
    {6343, "sflow"}, {6379, "redis"}, {6443, "sun-sr-https"}, {6513, "netconf-tls"},
    {6514, "syslog-tls"}, {6667, "ircd"}, {6881, "bittorrent"}, {8080, "http-alt"},
    {8443, "pcsync-https"}, {8883, "secure-mqtt"}, {9092, "kafka"}, {9200, "wap-wsp"},
    {10050, "zabbix-agent"}, {10051, "zabbix-trapper"}, {11211, "memcache"},
    {20000, "dnp"}, {27017, "mongodb"}, {33434, "traceroute"}, {44818, "ethernetip"},
    {47808, "bacnet"}, {51820, "wireguard"},
};

static int
number_cmp(const void *key, const void *row)
{
	return (int)*(const unsigned *)key - ((const struct number_name *)row)->number;
}

const char *
field_protocol_name(unsigned proto)
{
	const struct number_name *found;

	found = bsearch(&proto, protocols, sizeof(protocols) / sizeof(protocols[0]),
	    sizeof(protocols[0]), number_cmp);
	return found != NULL ? found->name : NULL;
}

const char *
field_service_name(unsigned port)
{
	const struct number_name *found;

	found = bsearch(&port, services, sizeof(services) / sizeof(services[0]),
	    sizeof(services[0]), number_cmp);
	return found != NULL ? found->name : NULL;
}
