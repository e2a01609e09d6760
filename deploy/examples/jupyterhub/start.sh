#!/usr/bin/env bash
# Installs JupyterHub below DIR (once), starts it on free loopback ports and waits until it answers.
# Prints what the config next to this script reads from the environment: HUB_URL and HUB_TOKEN.
# Needs python3 with venv, node and npm. Stop it with stop.sh DIR.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?usage: start.sh DIR}"
dir=$(cd "$1" && pwd)

"$here/stop.sh" "$dir" # one that an earlier run could not stop
log=$dir/hub.log
: >"$log"
trap 'status=$?; [ $status = 0 ] || { tail -n 30 "$log"; "$here/stop.sh" "$dir"; } >&2' EXIT

if [ ! -e "$dir/installed" ]; then
  python3 -m venv "$dir/venv" >>"$log" 2>&1
  "$dir/venv/bin/pip" install --quiet --disable-pip-version-check jupyterhub==5.4.6 >>"$log" 2>&1
  npm install --prefix "$dir/npm" --no-audit --no-fund configurable-http-proxy@4.6.3 >>"$log" 2>&1
  touch "$dir/installed"
fi

# The public port, the hub behind it, and the API by which the hub steers its proxy.
read -r public hub proxy_api < <(python3 - <<'PY'
import socket
taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*[s.getsockname()[1] for s in taken])
PY
)
token=$(python3 -c 'import secrets; print(secrets.token_hex(20))')

# Every start begins with an empty hub: the cycle counts what it finds.
rm -f "$dir/hub.sqlite" "$dir/cookie_secret"
cat >"$dir/hub_config.py" <<PY
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:$public"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:$hub"
c.JupyterHub.db_url = "sqlite:///$dir/hub.sqlite"
c.JupyterHub.cookie_secret_file = "$dir/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:$proxy_api"
c.ConfigurableHTTPProxy.command = ["$dir/npm/node_modules/.bin/configurable-http-proxy"]
c.ConfigurableHTTPProxy.pid_file = "$dir/proxy.pid"
# "admin" lets the service set the admin mark of a user; the scopes cover everything else the config calls.
c.JupyterHub.services = [{"name": "scim", "api_token": "$token", "admin": True}]
c.JupyterHub.load_roles = [{
    "name": "provisioning",
    "services": ["scim"],
    "scopes": ["admin:users", "admin:groups", "list:users", "list:groups", "read:roles"],
}]
PY

cd "$dir"
"$dir/venv/bin/python" -m jupyterhub -f "$dir/hub_config.py" >>"$log" 2>&1 </dev/null &
echo $! >"$dir/hub.pid"

url=http://127.0.0.1:$public/hub/api
probe='import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5)'
for _ in $(seq 200); do
  python3 -c "$probe" "$url/" 2>/dev/null && break
  [ -n "$(jobs -r)" ] || { echo "the hub ended by itself" >&2; exit 1; }
  sleep 0.2
done
python3 -c "$probe" "$url/"
echo "HUB_URL=$url"
echo "HUB_TOKEN=$token"
