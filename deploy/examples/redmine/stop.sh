#!/usr/bin/env bash
# Stops what start.sh DIR started. What was installed stays.
set -euo pipefail
dir=$(cd "${1:?usage: stop.sh DIR}" && pwd -P)

# Process ids are used again by others, so the process must also have been started with this DIR.
is_ours() { tr '\0' '\n' 2>/dev/null <"/proc/$1/environ" | grep -qxF "BUNDLE_APP_CONFIG=$dir/bundle"; }

[ -s "$dir/redmine.pid" ] || exit 0
pid=$(tr -dc '0-9' <"$dir/redmine.pid")
for signal in TERM KILL; do
  is_ours "$pid" || break
  kill -s "$signal" "$pid" || true
  for _ in $(seq 100); do
    is_ours "$pid" || break
    sleep 0.1
  done
done
rm -f "$dir/redmine.pid"
