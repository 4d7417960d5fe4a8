# Give each service its role, its password and its database, as the folder of passwords says: a file a service.
# Does what is missing, so it can run at any time, and again.
set -eu

for file in /run/secrets/roles/*; do
    [ -f "$file" ] || continue
    ROLE_FILE="$file" psql --no-psqlrc --quiet --tuples-only --no-align --output=/dev/null \
        --set=ON_ERROR_STOP=1 --set=name="$(basename "$file")" \
        --username=postgres --dbname=postgres --file=/scripts/role.sql
    echo "role and database $(basename "$file") are there"
done
