#!/bin/sh
# Makes the passwords that the compose file names, each once: what is there is left. Run it as root, or hand the files
# ending in pgpass to the user 10001 yourself: libpq takes a password file only from its owner, and from nobody's eyes.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
for user in admin worker auditor alerter dashboard serve grafana; do
	[ -e "secrets/${user}_password" ] || head -c 24 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n' >"secrets/${user}_password"
	[ "$user" = grafana ] || printf 'postgres:5432:cellwitness:%s:%s\n' "$user" "$(cat "secrets/${user}_password")" >"secrets/${user}_pgpass"
done
[ -e secrets/alerting.toml ] || : >secrets/alerting.toml
# Read by Grafana's and PostgreSQL's own users; the folder lets nobody else in.
chmod 0444 secrets/*_password secrets/alerting.toml
if [ "$(id -u)" = 0 ]; then
	chown 10001:10001 secrets/*_pgpass
else
	echo "next: sudo chown 10001:10001 $(pwd)/secrets/*_pgpass" >&2
fi
