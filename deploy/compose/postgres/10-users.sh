#!/bin/sh
# Run once by the image, on an empty data directory: users, each a member of the roles that its work needs. Grafana is
# `dashboard`, `cellwitness serve` is `serve`.
# `cellwitness db roles` gives the roles their part of the tables.
set -eu
password() { cat "/run/secrets/$1_password"; }
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
	--set worker="$(password worker)" --set auditor="$(password auditor)" \
	--set alerter="$(password alerter)" --set dashboard="$(password dashboard)" \
	--set serve="$(password serve)" <<'SQL'
CREATE ROLE cellwitness_owner NOLOGIN;
CREATE ROLE cellwitness_writer NOLOGIN;
CREATE ROLE cellwitness_reader NOLOGIN;
CREATE ROLE cellwitness_auditor NOLOGIN;
CREATE ROLE cellwitness_alerter NOLOGIN;
CREATE ROLE cellwitness_doorkeeper NOLOGIN;
CREATE USER worker IN ROLE cellwitness_writer PASSWORD :'worker';
CREATE USER auditor IN ROLE cellwitness_auditor PASSWORD :'auditor';
CREATE USER alerter IN ROLE cellwitness_alerter PASSWORD :'alerter';
CREATE USER dashboard IN ROLE cellwitness_reader PASSWORD :'dashboard';
-- Becomes the one that each question needs, and is nothing by itself.
CREATE USER serve NOINHERIT IN ROLE cellwitness_reader, cellwitness_alerter, cellwitness_auditor, cellwitness_doorkeeper
   PASSWORD :'serve';
ALTER USER dashboard SET statement_timeout = '30s';
ALTER USER dashboard SET default_transaction_read_only = on;
REVOKE CONNECT ON DATABASE cellwitness FROM PUBLIC;
-- `serve` by its name: NOINHERIT gives it nothing of its roles before it is in.
GRANT CONNECT ON DATABASE cellwitness
  TO cellwitness_owner, cellwitness_writer, cellwitness_reader, cellwitness_auditor, cellwitness_alerter,
     cellwitness_doorkeeper, serve;
SQL
