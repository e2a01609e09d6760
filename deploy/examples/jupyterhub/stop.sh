#!/usr/bin/env bash
# Stops what start.sh DIR started: the hub, which takes its proxy along, and the proxy if the hub could not.
set -euo pipefail
dir=$(cd "${1:?usage: stop.sh DIR}" && pwd)

# Process ids are used again by others, so the command line must name DIR as well.
is_ours() { tr '\0' '\n' 2>/dev/null <"/proc/$1/cmdline" | grep -qF "$dir/"; }

for file in "$dir/hub.pid" "$dir/proxy.pid"; do
  [ -s "$file" ] || continue
  pid=$(tr -dc '0-9' <"$file")
  for signal in TERM KILL; do
    is_ours "$pid" || break
    kill -s "$signal" "$pid" || true
    for _ in $(seq 100); do
      is_ours "$pid" || break
      sleep 0.1
    done
  done
  rm -f "$file"
done
