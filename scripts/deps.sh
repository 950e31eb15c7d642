#!/usr/bin/env bash
# Installs what the build, the gateway and its tests need on Debian 12. Does nothing where all of it is there.
set -euo pipefail

packages=(
    # to build: librdkafka, libpq, PCRE2, and what they link to
    librdkafka-dev libpq-dev libpcre2-dev pkg-config
    # to run: PostgreSQL's programs
    postgresql util-linux
    # to test: a Kafka client, SMPP's dissector, certificates, Python's environments
    kcat tshark openssl curl wrk python3 python3-venv procps iproute2
    # peers that others wrote
    libnet-smpp-perl kannel
)

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "deps: everything is installed"
    exit 0
fi

echo "deps: installing ${missing[*]}"
sudo=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "deps: not root and no sudo; install these packages: ${missing[*]}" >&2; exit 1; }
    sudo=(sudo)
fi
# `signalbox up` makes its own cluster: Debian's default one would only take its port and memory.
if ! grep -qs '^create_main_cluster' /etc/postgresql-common/createcluster.conf; then
    "${sudo[@]}" mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | "${sudo[@]}" tee -a /etc/postgresql-common/createcluster.conf >/dev/null
fi
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -q
# The configuration file above exists before its package does, which must not become a question.
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    -o Dpkg::Options::=--force-confold "${missing[@]}"
