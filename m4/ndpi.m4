dnl SPDX-License-Identifier: BSD-3-Clause
dnl
dnl MCPROBE_NDPI: find nDPI and learn which of its interfaces it has.
dnl
dnl	--with-ndpi		(default: if found) the nDPI pkg-config knows
dnl	--with-ndpi=PREFIX	the nDPI installed or built under PREFIX
dnl	--without-ndpi		build a probe that names nothing
dnl
dnl Sets NDPI_CFLAGS, NDPI_LIBS (substituted) and ndpi_summary; defines HAVE_NDPI and what
dnl src/dpi_ndpi.h asks for. Nothing is concluded from a version number: NDPI_API_VERSION
dnl counts commits or the build date, so each difference is a program that compiles or
dnl does not.

dnl MCPROBE_NDPI_IF(WHAT, BODY, IF-YES, [IF-NO]): does BODY compile?
AC_DEFUN([MCPROBE_NDPI_IF], [
	AC_MSG_CHECKING([whether $1])
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <ndpi_api.h>]], [$2])],
	    [AC_MSG_RESULT([yes])
	    $3],
	    [AC_MSG_RESULT([no])
	    $4])
])

dnl The differences. CFLAGS, LIBS: with nDPI's.
AC_DEFUN([MCPROBE_NDPI_PROBES], [
	MCPROBE_NDPI_IF([nDPI modules are made from a global context],
	    [[struct ndpi_global_context *g = 0;
	      return ndpi_init_detection_module(g) == 0;]],
	    [AC_DEFINE([HAVE_NDPI_GLOBAL_CONTEXT], [1],
		[Define if ndpi_init_detection_module() takes a global context.])],
	    [MCPROBE_NDPI_IF([nDPI modules are made from preferences],
		[[return ndpi_init_detection_module(ndpi_no_prefs) == 0;]],
		[], [ndpi_bad="making a module"])])
	MCPROBE_NDPI_IF([nDPI says whether finalizing worked],
	    [[struct ndpi_detection_module_struct *m = 0;
	      return ndpi_finalize_initialization(m);]],
	    [AC_DEFINE([HAVE_NDPI_FINALIZE_INT], [1],
		[Define if ndpi_finalize_initialization() returns an int.])])
	MCPROBE_NDPI_IF([nDPI takes the direction of a packet],
	    [[struct ndpi_detection_module_struct *m = 0;
	      struct ndpi_flow_struct *f = 0;
	      struct ndpi_flow_input_info i = {
		.in_pkt_dir = NDPI_IN_PKT_DIR_C_TO_S,
		.seen_flow_beginning = NDPI_FLOW_BEGINNING_SEEN
	      };
	      ndpi_protocol p = ndpi_detection_process_packet(m, f,
		(const unsigned char *)"", 0, 0, &i);
	      (void)p;]],
	    [AC_DEFINE([HAVE_NDPI_INPUT_INFO], [1],
		[Define if ndpi_detection_process_packet() takes a flow input info.])],
	    [MCPROBE_NDPI_IF([nDPI takes a packet alone],
		[[struct ndpi_detection_module_struct *m = 0;
		  struct ndpi_flow_struct *f = 0;
		  ndpi_protocol p = ndpi_detection_process_packet(m, f,
		    (const unsigned char *)"", 0, 0);
		  f->l4.tcp.seen_syn = f->l4.tcp.seen_syn_ack = f->l4.tcp.seen_ack = 1;
		  (void)p;]],
		[], [ndpi_bad="showing it a packet"])])
	MCPROBE_NDPI_IF([nDPI is told to guess when giving up],
	    [[struct ndpi_detection_module_struct *m = 0;
	      struct ndpi_flow_struct *f = 0;
	      u_int8_t guessed = 0;
	      ndpi_protocol p = ndpi_detection_giveup(m, f, 1, &guessed);
	      (void)p;]],
	    [AC_DEFINE([HAVE_NDPI_GIVEUP_GUESS], [1],
		[Define if ndpi_detection_giveup() is told whether to guess.])],
	    [MCPROBE_NDPI_IF([nDPI guesses by its own settings],
		[[struct ndpi_detection_module_struct *m = 0;
		  struct ndpi_flow_struct *f = 0;
		  u_int8_t guessed = 0;
		  ndpi_protocol p = ndpi_detection_giveup(m, f, &guessed);
		  (void)p;]],
		[], [ndpi_bad="giving up"])])
	MCPROBE_NDPI_IF([nDPI keeps both protocols in one member],
	    [[ndpi_protocol p;
	      p.proto.master_protocol = p.proto.app_protocol = 0;
	      (void)p;]],
	    [AC_DEFINE([HAVE_NDPI_PROTOCOL_PROTO], [1],
		[Define if ndpi_protocol has a member proto.])],
	    [MCPROBE_NDPI_IF([nDPI keeps them apart],
		[[ndpi_protocol p;
		  p.master_protocol = p.app_protocol = 0;
		  (void)p;]],
		[], [ndpi_bad="reading its answer"])])
	dnl what is the same from 4.2 to the 4.x of today, and may not be for ever
	MCPROBE_NDPI_IF([the rest of nDPI is as expected],
	    [[struct ndpi_detection_module_struct *m = 0;
	      struct ndpi_flow_struct *f = 0;
	      NDPI_PROTOCOL_BITMASK all;
	      u_int16_t c, s, *stack = f->detected_protocol_stack;
	      NDPI_BITMASK_SET_ALL(all);
	      (void)ndpi_set_protocol_detection_bitmask2(m, &all);
	      ndpi_free_flow_data(f);
	      f->host_server_name[sizeof(f->host_server_name) - 1] = 0;
	      return f->confidence == NDPI_CONFIDENCE_MATCH_BY_IP ||
		ndpi_extra_dissection_possible(m, f) ||
		ndpi_risk2score(f->risk, &c, &s) || stack[NDPI_PROTOCOL_SIZE - 1];]],
	    [], [ndpi_bad="what it finds"])
])

AC_DEFUN([MCPROBE_NDPI], [
AC_REQUIRE([PKG_PROG_PKG_CONFIG])
AC_ARG_WITH([ndpi],
    [AS_HELP_STRING([--with-ndpi@<:@=PREFIX@:>@],
	[name applications with nDPI 4.2 or later, installed under PREFIX])],
    [], [with_ndpi=check])
NDPI_CFLAGS=
NDPI_LIBS=
ndpi_summary=no
ndpi_found=no
AS_CASE([$with_ndpi],
    [no], [],
    [yes|check], [
	AC_MSG_CHECKING([for libndpi by pkg-config])
	AS_IF([$PKG_CONFIG --exists libndpi 2>/dev/null], [ndpi_found=yes])
	AC_MSG_RESULT([$ndpi_found])
	AS_IF([test $ndpi_found = yes], [
		NDPI_CFLAGS=`$PKG_CONFIG --cflags libndpi`
		NDPI_LIBS=`$PKG_CONFIG --libs libndpi`
		ndpi_summary=`$PKG_CONFIG --modversion libndpi`
	])
    ], [
	ndpi_path=$with_ndpi/lib/pkgconfig
	for ndpi_dir in "$with_ndpi"/lib/*/pkgconfig; do
		AS_IF([test -f "$ndpi_dir/libndpi.pc"], [ndpi_path=$ndpi_dir])
	done
	ndpi_libdir=`dirname "$ndpi_path"`
	dnl the package may have been moved after it was installed: only the names of the
	dnl libraries and the version are believed
	AS_IF([test -f "$ndpi_path/libndpi.pc"], [
		PKG_CONFIG_PATH="$ndpi_path:$PKG_CONFIG_PATH"
		export PKG_CONFIG_PATH
		NDPI_LIBS=`$PKG_CONFIG --libs-only-l libndpi | sed 's/-lndpi//'`
		ndpi_summary=`$PKG_CONFIG --modversion libndpi`
	], [ndpi_summary="in $with_ndpi"])
	NDPI_CFLAGS="-I$with_ndpi/include/ndpi"
	dnl the archive if there is one: a probe with its own nDPI needs no library path.
	dnl By -l:, because libtool drops the name of an archive from a convenience library
	AS_IF([test -f "$ndpi_libdir/libndpi.a"],
	    [NDPI_LIBS="-L$ndpi_libdir -l:libndpi.a $NDPI_LIBS"],
	    [NDPI_LIBS="-L$ndpi_libdir -lndpi $NDPI_LIBS"])
	AS_CASE([" $NDPI_LIBS "], [*" -lm "*], [], [NDPI_LIBS="$NDPI_LIBS -lm"])
	AS_IF([test -f "$with_ndpi/include/ndpi/ndpi_api.h"], [ndpi_found=yes])
    ])
AS_IF([test $ndpi_found = yes], [
	ndpi_save_CFLAGS=$CFLAGS
	ndpi_save_LIBS=$LIBS
	CFLAGS="$CFLAGS $NDPI_CFLAGS -Werror=implicit-function-declaration"
	CFLAGS="$CFLAGS -Werror=int-conversion -Werror=incompatible-pointer-types"
	LIBS="$NDPI_LIBS $LIBS"
	ndpi_bad=
	AC_MSG_CHECKING([whether nDPI links])
	AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <ndpi_api.h>]],
	    [[return ndpi_revision() == 0;]])],
	    [AC_MSG_RESULT([yes])],
	    [LIBS="$LIBS -lgcrypt"
	    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <ndpi_api.h>]],
		[[return ndpi_revision() == 0;]])],
		[AC_MSG_RESULT([with libgcrypt])
		NDPI_LIBS="$NDPI_LIBS -lgcrypt"],
		[AC_MSG_RESULT([no])
		ndpi_bad=linking])])
	AS_IF([test -z "$ndpi_bad"], [MCPROBE_NDPI_PROBES])
	CFLAGS=$ndpi_save_CFLAGS
	LIBS=$ndpi_save_LIBS
	AS_IF([test -n "$ndpi_bad"],
	    [AC_MSG_ERROR([this nDPI ($ndpi_summary) is not one this program knows: $ndpi_bad is different; use 4.2 to 4.11 or --without-ndpi])])
	AC_DEFINE([HAVE_NDPI], [1], [Define if nDPI names the applications.])
], [
	NDPI_CFLAGS=
	NDPI_LIBS=
	ndpi_summary=no
	AS_CASE([$with_ndpi],
	    [no], [],
	    [check], [AC_MSG_WARN([no nDPI (Debian: libndpi-dev): applications will have no names])],
	    [AC_MSG_ERROR([no nDPI found (Debian: libndpi-dev)])])
])
AC_SUBST([NDPI_CFLAGS])
AC_SUBST([NDPI_LIBS])
])
