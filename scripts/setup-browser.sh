#!/bin/sh
# Installs what `npm run e2e` needs besides what setup.sh does: a Chromium. One that is there already, it leaves alone.
set -eu
cd "$(dirname "$0")/.."
. scripts/install.sh

# The candidates and their order are those of __tests__/e2e/chromium.ts.
find_chromium() {
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name"; then return 0; fi
  done
  command -v /Applications/Chromium.app/Contents/MacOS/Chromium
}

if find_chromium >/dev/null; then
  say 'nothing to install: a Chromium is there.'
elif command -v apt-get >/dev/null 2>&1; then
  apt_install chromium
elif command -v brew >/dev/null 2>&1; then
  say 'by brew: chromium'
  brew install --cask chromium
else
  fail 'neither apt-get nor brew. Let CHROMIUM name a Chromium or Chrome.'
fi

found="$(find_chromium)" || fail 'there is still no Chromium.'
say "Chromium is $found"
