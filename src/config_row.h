/* SPDX-License-Identifier: BSD-3-Clause */
/* config_row.h -- the rows of options.def as a table; for the parts of config. */
#ifndef MCPROBE_CONFIG_ROW_H
#define MCPROBE_CONFIG_ROW_H

#include "config.h"

enum option_kind {
	OPTION_GROUP, /* no option: the title of a section is in HELP */
	OPTION_BOOL,
	OPTION_NOT,
	OPTION_COUNT,
	OPTION_INT,
	OPTION_STR,
	OPTION_LIST,
	OPTION_CALL,
	OPTION_ACT,
};

/* Reads VALUE into the configuration. 0, or -1 with the reason in ERR. */
typedef int option_set(struct config *, const char *value, char *err, size_t errlen);

struct option_row {
	char letter; /* 0: none */
	const char *name;
	enum option_kind kind;
	size_t offset; /* of the member in struct config */
	option_set *set; /* OPTION_CALL */
	enum config_action action; /* OPTION_ACT */
	long min, max;
	const char *def, *arg, *help;
};

/* config_cloud.c */
option_set config_set_redis, config_set_sentinel, config_set_resp, config_set_resp_tls,
    config_set_publish;
int	 config_finish_cloud(struct config *, char *err, size_t errlen);
void	 config_clear_cloud(struct config *);

/* Copies S over *TO; adds a copy of S. 0, or -1: no memory. */
int	 config_string(char **to, const char *s);
int	 strlist_add(struct strlist *, const char *s);
void	 strlist_clear(struct strlist *);

extern const struct option_row option_table[];
extern const unsigned option_rows;

static inline bool
option_takes_value(const struct option_row *o)
{
	return o->arg != NULL;
}

#endif
