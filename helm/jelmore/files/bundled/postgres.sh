# Makes the data folder where there is none, and serves it.
set -eu
cd /var/lib/postgres
if [ ! -d data ]; then
  # It gets its name last: one that was cut off in the making is made again.
  rm -rf data.new
  initdb --pgdata=data.new --username=jelmore --pwfile=/etc/postgres/password --auth=scram-sha-256 \
    --encoding=UTF8 --locale-provider=builtin --locale=C.UTF-8 --no-instructions
  echo "host all all all scram-sha-256" >>data.new/pg_hba.conf
  mv data.new data
fi
# Kubernetes may have opened it to the volume's group, which PostgreSQL refuses.
chmod 0700 data
# What sessions said must not get into the log with a statement that failed.
exec postgres -D data -c listen_addresses='*' -c unix_socket_directories='' -c shared_buffers=64MB \
  -c log_min_error_statement=panic -c log_parameter_max_length=0
