# SPDX-License-Identifier: BSD-3-Clause
# setup.sh -- what check.sh and demo.sh share: packages, a clean copy of the sources,
# building. To be read by bash with ". tests/setup.sh" in the top folder.

# What building takes, and nothing more.
BUILD_PACKAGES='autoconf automake libtool pkg-config gcc make libpcap-dev libevent-dev
    libndpi-dev libxxhash-dev libcap-ng-dev libhiredis-dev libssl-dev libseccomp-dev
    uthash-dev'

# The packages of the list that are not installed. Nothing where there is no dpkg: there
# configure says what it misses.
missing_packages()
{
	command -v dpkg-query >/dev/null || return 0
	local p
	for p; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] ||
		    printf '%s ' "$p"
	done
}

# Install what is missing of the list; the network is used only then. Returns 1, having
# said what is missing, where that cannot be done.
install_packages()
{
	local need as_root=
	need=$(missing_packages "$@")
	[ -n "$need" ] || return 0
	if [ "$(id -u)" != 0 ]; then
		if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
			echo "missing, and only root can install it: $need"
			return 1
		fi
		as_root=sudo
	fi
	echo "installing: $need"
	# tshark asks whether everybody may capture: no.
	echo 'wireshark-common wireshark-common/install-setuid boolean false' |
	    $as_root debconf-set-selections 2>/dev/null
	{
		$as_root apt-get update -qq &&
		    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		    --no-install-recommends $need
	} >"${TMPDIR:-/tmp}/mcprobe-apt.$$" 2>&1 || {
		tail -n 15 "${TMPDIR:-/tmp}/mcprobe-apt.$$"
		rm -f "${TMPDIR:-/tmp}/mcprobe-apt.$$"
		return 1
	}
	rm -f "${TMPDIR:-/tmp}/mcprobe-apt.$$"
}

# A copy of the sources in DIR with a fresh configure: a tree that was configured in place
# cannot be built elsewhere, and nobody's working folder is touched.
copy_sources()
{
	rm -rf "$1" && mkdir -p "$1" || return 1
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files -z --cached --others --exclude-standard |
		    while IFS= read -r -d '' f; do
			    [ -e "$f" ] && printf '%s\0' "$f"
		    done | tar -c --null -T - | tar -x -C "$1"
	else
		tar -c --exclude='./build*' --exclude='./mcprobe' --exclude='*.o' --exclude='*.lo' \
		    --exclude='*.la' --exclude=.libs --exclude=.deps --exclude='./config.*' \
		    --exclude='./Makefile' . | tar -x -C "$1"
	fi || return 1
	(cd "$1" && autoreconf -fi)
}
