#!/usr/bin/env bash
# Starts Redmine below DIR, with an empty database, on PORT or on a free loopback port, and waits until it answers.
# Prints what the config next to this script reads from the environment: REDMINE_URL and REDMINE_KEY.
# Debian's packages `redmine`, `redmine-sqlite` and `puma` are installed if they are missing, which takes root. No
# service of theirs is started and no instance of theirs is made: everything of this one is in DIR. Stop it with
# stop.sh DIR.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?usage: start.sh DIR [PORT]}"
dir=$(cd "$1" && pwd -P)

"$here/stop.sh" "$dir" # one that an earlier run could not stop
log=$dir/redmine.log
: >"$log"
trap 'status=$?; [ $status = 0 ] || { tail -n 30 "$log"; "$here/stop.sh" "$dir"; } >&2' EXIT

have() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
missing=()
for package in redmine redmine-sqlite puma; do have "$package" || missing+=("$package"); done
if [ ${#missing[@]} != 0 ]; then
  debconf-set-selections <<'ANSWERS'
redmine redmine/current-instances string
redmine redmine/instances/default/dbconfig-install boolean false
ANSWERS
  quietly=(env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -o DPkg::Lock::Timeout=600)
  "${quietly[@]}" update >>"$log" 2>&1 </dev/null
  "${quietly[@]}" install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null
fi

app=$dir/app
export RAILS_ENV=production RUBYOPT=-W0 HOME=$dir BUNDLE_GEMFILE=$app/Gemfile BUNDLE_APP_CONFIG=$dir/bundle
export SCHEMA=/dev/null # of the database; Debian's place for it belongs to the package

if [ ! -e "$dir/installed" ]; then
  rm -rf "$app"
  mkdir -p "$app"
  # The code alone: what it links to is the package's own instance.
  (cd /usr/share/redmine && cp -a app bin config config.ru db extra Gemfile lib public Rakefile "$app/")
  own=$app/instances/default
  mkdir -p "$own"/{config,files,log,tmp/cache,public/plugin_assets} "$app"/{plugins,tmp}
  rm -f "$app/config/database.yml"
  # The Gemfile asks the package's instances which databases there are, and there may be none.
  cat >"$app/Gemfile.local" <<'GEMS'
gem "puma"
gem "sqlite3" unless dependencies.any? { |gem| gem.name == "sqlite3" }
GEMS
  cat >"$own/config/database.yml" <<YAML
production: { adapter: sqlite3, database: $dir/redmine.sqlite, timeout: 10000 }
YAML
  head -c 48 /dev/urandom | od -An -vtx1 | tr -d ' \n' >"$own/config/secret_key.txt"
  (umask 077 && head -c 20 /dev/urandom | od -An -vtx1 | tr -d ' \n' >"$dir/key")
  # What an administrator does in the web pages: switch the API on, and make an account for the sidecar.
  cat >"$dir/account.rb" <<'RUBY'
Setting.rest_api_enabled = '1'
Setting.notified_events = []
account = User.new(firstname: 'SCIM', lastname: 'Sidecar', mail: 'scim@redmine.example', language: 'en')
account.login = 'svc-scim'
account.admin = true
account.save!
Token.create!(user: account, action: 'api').update_column(:value, ARGV.fetch(0))
RUBY
  cd "$app"
  rm -f "$dir/redmine.sqlite"
  bundle install --local --quiet >>"$log" 2>&1
  bundle exec rake db:migrate >>"$log" 2>&1
  bundle exec rails runner "$dir/account.rb" "$(cat "$dir/key")" >>"$log" 2>&1
  mv "$dir/redmine.sqlite" "$dir/empty.sqlite"
  touch "$dir/installed"
fi

# Every start begins with nobody but the administrators: the cycle counts what it finds.
rm -f "$dir"/redmine.sqlite*
cp "$dir/empty.sqlite" "$dir/redmine.sqlite"
port=${2:-$(ruby -rsocket -e 'puts TCPServer.new("127.0.0.1", 0).addr[1]')}
cd "$app"
bundle exec puma --quiet --threads 1:4 --bind "tcp://127.0.0.1:$port" --pidfile "$dir/redmine.pid" "$app/config.ru" \
  >>"$log" 2>&1 </dev/null &
echo $! >"$dir/redmine.pid"

url=http://127.0.0.1:$port
probe='require "net/http"; exit Net::HTTP.get_response(URI(ARGV[0])).code == "401"'
for _ in $(seq 300); do
  ruby -e "$probe" "$url/users.json" 2>/dev/null && break
  [ -n "$(jobs -r)" ] || { echo "Redmine ended by itself" >&2; exit 1; }
  sleep 0.3
done
ruby -e "$probe" "$url/users.json"
echo "REDMINE_URL=$url"
echo "REDMINE_KEY=$(cat "$dir/key")"
