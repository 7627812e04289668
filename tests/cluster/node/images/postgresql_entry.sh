#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes the database on the first start, from the variables that the usual PostgreSQL images know, then becomes the server.
set -eu

# Any user id may be given to the container, and initdb wants a name for it.
if ! grep -q "^[^:]*:[^:]*:$(id -u):" /etc/passwd; then
  NSS_WRAPPER_PASSWD=$(mktemp)
  NSS_WRAPPER_GROUP=/etc/group
  echo "postgres:x:$(id -u):$(id -g):postgres:/tmp:/bin/sh" > "$NSS_WRAPPER_PASSWD"
  LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libnss_wrapper.so
  export NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP LD_PRELOAD
fi

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  : "${POSTGRES_PASSWORD_FILE:?PostgreSQL: no POSTGRES_PASSWORD_FILE. Mount the password as a file and name it.}"
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA"
  initdb --pgdata="$PGDATA" --username="$user" --pwfile="$POSTGRES_PASSWORD_FILE" --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=trust --auth-host=scram-sha-256 --no-instructions
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  if [ "$database" != postgres ]; then
    echo "CREATE DATABASE \"$database\" OWNER \"$user\";" | postgres --single -D "$PGDATA" postgres > /dev/null
  fi
fi

test "${1:-postgres}" != postgres || shift $(($# > 0))
exec postgres -c listen_addresses='*' -c unix_socket_directories="${PGSOCKET:-/tmp}" "$@"
