#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# subst.sh -- a manual page from its .in: a line that is @NAME@ and nothing else becomes
# what "mkman name" prints (@FILE_OPTIONS@: "mkman file"), and @VERSION@ the version.
#
# usage: subst.sh MKMAN VERSION <page.in >page
set -eu

mkman=$1
version=$2

while IFS= read -r line || [ -n "$line" ]; do
	case $line in
	@OPTIONS@) "$mkman" options ;;
	@FILE_OPTIONS@) "$mkman" file ;;
	@FIELDS@) "$mkman" fields ;;
	@MACROS@) "$mkman" macros ;;
	@COUNTERS@) "$mkman" counters ;;
	@COMMANDS@) "$mkman" commands ;;
	*@VERSION@*) printf '%s\n' "${line%%@VERSION@*}$version${line#*@VERSION@}" ;;
	*) printf '%s\n' "$line" ;;
	esac
done
