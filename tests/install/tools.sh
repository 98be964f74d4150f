#!/bin/sh
# What the tests need beyond pip: a Chromium, and promtool. Prints one line for each that it cannot get;
# the tests that need it are then skipped, as tests/skips.toml says.
#
#   tools.sh DIRECTORY      where to put promtool, if it is not on the PATH
set -eu
directory=$1
export DEBIAN_FRONTEND=noninteractive

has() { command -v "$1" >/dev/null 2>&1; }

# Another apt may be at work on the same machine: wait for it rather than fail.
apt() { apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >/dev/null 2>&1; }

# A new machine has no package lists yet; where there are some, they need no fetching.
apt_with_lists() { apt "$@" || { apt update && apt "$@"; }; }

get_chromium() {
    has chromium && return
    has apt-get && [ "$(id -u)" = 0 ] && apt_with_lists install --yes --no-install-recommends chromium && return
    echo "No chromium here: the browser tests will be skipped. On Debian: apt install chromium"
}

# Debian ships promtool with the whole of Prometheus, and installing that starts it as a service on port
# 9090, which nobody asked for: take the one program out of the package. That needs no root either.
get_promtool() {
    has promtool && return
    [ -x "$directory/promtool" ] && return
    has apt-get && has dpkg-deb && unpack_promtool && return
    echo "No promtool here: the tests of metrics and alerts that ask it will be skipped. On Debian: apt install prometheus"
}

unpack_promtool() (
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    chmod 755 "$scratch"
    target=$(cd "$directory" && pwd)
    cd "$scratch"
    apt_with_lists download prometheus || exit
    dpkg-deb --fsys-tarfile prometheus_*.deb | tar -xO ./usr/bin/promtool >"$target/promtool"
    chmod 755 "$target/promtool"
)

get_chromium
get_promtool
