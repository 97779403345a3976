#!/bin/sh
# Installs what the tests need besides Node: a Redis server, openssl for certificates, and a Python with celery, redis and
# yaml. What is there already, it leaves alone.
set -eu
cd "$(dirname "$0")/.."
. scripts/install.sh

has_server() {
  command -v redis-server >/dev/null 2>&1 || command -v valkey-server >/dev/null 2>&1
}

has_openssl() {
  command -v openssl >/dev/null 2>&1
}

# The candidates and their order are those of __tests__/support/require-celery.ts.
celery_python() {
  for python in "${CELERY_PYTHON:-}" "$PWD/.venv/bin/python3" /usr/bin/python3 python3 /opt/homebrew/bin/python3; do
    if [ -n "$python" ] && "$python" -c 'import celery, kombu, redis, yaml' >/dev/null 2>&1; then
      echo "$python"
      return 0
    fi
  done
  return 1
}

on_debian() {
  packages=''
  if ! has_server; then
    say 'redis-server is missing: the tests start servers of their own with it.'
    packages='redis-server'
  fi
  if ! has_openssl; then
    say 'openssl is missing: the TLS tests make their certificates with it.'
    packages="$packages openssl"
  fi
  if ! celery_python >/dev/null; then
    say 'a Python with celery, redis and yaml is missing: the interop tests run a real Celery.'
    packages="$packages python3-celery python3-redis python3-yaml"
  fi
  # shellcheck disable=SC2086 # a list of words
  apt_install $packages
}

on_macos() {
  command -v brew >/dev/null 2>&1 || fail 'Homebrew is missing: get it from https://brew.sh, then run this again.'
  if ! has_server; then
    say 'redis-server is missing: the tests start servers of their own with it. By brew: redis'
    brew install redis
  fi
  if ! celery_python >/dev/null; then
    say 'a Python with celery, redis and yaml is missing: the interop tests run a real Celery.'
    if ! command -v python3 >/dev/null 2>&1; then
      say 'by brew: python3'
      brew install python3
    fi
    say "by pip, into $PWD/.venv: celery[redis] pyyaml"
    python3 -m venv .venv
    .venv/bin/python3 -m pip install --quiet 'celery[redis]>=5.2,<6' pyyaml
  fi
}

if has_server && has_openssl && celery_python >/dev/null; then
  say 'nothing to install: a Redis server, openssl and a Python with celery are there.'
elif command -v apt-get >/dev/null 2>&1; then
  on_debian
elif [ "$(uname -s)" = Darwin ]; then
  on_macos
else
  fail 'neither apt-get nor macOS. Put redis-server (or valkey-server) on PATH, and let CELERY_PYTHON name a Python' \
    "that has celery, redis and yaml, say: python3 -m venv .venv && .venv/bin/pip install 'celery[redis]' pyyaml"
fi

has_server || fail 'there is still no redis-server on PATH.'
has_openssl || fail 'there is still no openssl on PATH.'
python="$(celery_python)" || fail 'there is still no Python that can import celery, kombu, redis and yaml.'
"$python" -c 'import celery, sys; print("setup: Celery", celery.__version__, "of", sys.executable)'
