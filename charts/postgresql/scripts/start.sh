# Start PostgreSQL: make the data folder if it is empty, see to the roles and databases, then become the server.
set -eu

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --pgdata="$PGDATA" --username=postgres --pwfile=/run/secrets/superuser/password \
        --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
fi

# A pod whose data went with the one before it has its roles back without an upgrade of the chart. Over the socket
# only, so that nobody gets in before.
pg_ctl --pgdata="$PGDATA" --wait --silent --options="-c listen_addresses='' -k $PGHOST" start
sh /scripts/roles.sh
pg_ctl --pgdata="$PGDATA" --wait --silent --mode=fast stop

exec postgres -D "$PGDATA" -k "$PGHOST" -c listen_addresses='*' \
    -c max_connections="$CONNECTIONS" -c shared_buffers=32MB
