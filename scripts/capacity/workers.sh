#!/usr/bin/env bash
# Capacity against the number of server workers: starts an nginx of its own with 1, 2, 4 workers, searches for the capacity of each,
# and prints a table. To be copied; it needs pummel, nginx (Debian: nginx-light) and jq. Put your own server in the place of nginx.
#
#   workers.sh
#   NGINX_CPUS=4-15 CAPACITY_FLAGS='--cpus 0-3' workers.sh 1 2 4 8
#
# Load and server need CPUs of their own. Where they share them, the table says that the client was the limit, and a capacity is
# then only what was reached at least.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

usage() {
    cat >&2 <<'END'
usage: workers.sh [WORKERS...]

  WORKERS  numbers of workers to try [default: 1 2 4]

Environment:
  THRESHOLD       what must hold [default: p99<20ms]; it is the response time from when a request was due
  NGINX_CPUS      CPUs for nginx, as taskset takes them [default: any]
  CAPACITY_FLAGS  more flags of pummel capacity, such as '--cpus 0 --max-duration 2m'
  PUMMEL          the program [default: pummel]
END
    exit 2
}

[ $# -gt 0 ] || set -- 1 2 4
for workers in "$@"; do
    [[ $workers =~ ^[1-9][0-9]{0,3}$ ]] || usage
done
read -ra flags <<<"${CAPACITY_FLAGS:-}"
threshold=${THRESHOLD:-p99<20ms}
command -v nginx >/dev/null || { echo "workers.sh: no nginx (Debian: apt-get install nginx-light)" >&2; exit 1; }

folder=$(mktemp -d)
nginx=
stop_nginx() {
    # The master ends its workers; it is asked by its own process id.
    [ -z "$nginx" ] || { kill -TERM "$nginx" && wait "$nginx"; } 2>/dev/null || true
    nginx=
}
trap 'stop_nginx; rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

# True when somebody listens on a port of the loopback.
listens() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# A port below those the kernel gives to clients.
port=$((20000 + RANDOM % 10000))
while listens "$port"; do
    port=$((20000 + RANDOM % 10000))
done

start_nginx() {
    cat >"$folder/nginx.conf" <<END
daemon off;
worker_processes $1;
pid $folder/pid;
error_log stderr error;
events { worker_connections 16384; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi;
  scgi_temp_path $folder/scgi;
  server {
    listen 127.0.0.1:$port backlog=8192 reuseport;
    location / { return 200 "hello\n"; }
  }
}
END
    ${NGINX_CPUS:+taskset -c "$NGINX_CPUS"} nginx -e stderr -p "$folder" -c "$folder/nginx.conf" 2>"$folder/log" &
    nginx=$!
    for _ in {1..50}; do
        listens "$port" && return
        kill -0 "$nginx" 2>/dev/null || break
        sleep 0.1
    done
    echo "workers.sh: nginx does not start:" >&2
    cat "$folder/log" >&2
    exit 1
}

echo "nginx and the load on one machine with $(nproc) CPUs; $threshold"
row='%-8s %14s   %-22s %9s   %s\n'
# shellcheck disable=SC2059 # The format is ours.
printf "$row" WORKERS CAPACITY INTERVAL P99 'LIMITED BY'
bounds=0
unanswered=0
for workers in "$@"; do
    start_nginx "$workers"
    code=0
    rm -f "$folder/result.json"
    # Up to 10 minutes each, unless CAPACITY_FLAGS has another --max-duration.
    "${PUMMEL:-pummel}" capacity "http://127.0.0.1:$port/" --threshold "$threshold" --threshold 'errors<0.1%' --quiet \
        --json "$folder/result.json" "${flags[@]}" >"$folder/report" || code=$?
    stop_nginx
    # 99: nothing held, which is a row like any other. 1 with a result: no answer, which is one too, and the code at the end.
    if [ "$code" -eq 1 ] && [ -e "$folder/result.json" ]; then
        unanswered=1
    elif [ "$code" -ne 0 ] && [ "$code" -ne 99 ]; then
        exit "$code"
    fi
    # Capacity, interval, p99 of the highest level that held, and what failed above it; more than the side where it was the client.
    IFS=$'\t' read -r capacity interval p99 limit < <(jq -r '
        (if .level_unit == "per_s" then "/s" else " users" end) as $unit
        | .held as $held
        | (if .failed == null then "nothing (\(.ended_by | gsub("_"; " ")))"
           elif .limit.resource != null then "\(.limit.side) (\(.limit.resource))"
           else .limit.side end) as $limit
        | (if .failed == null or .limit.side != "server" then ">= " else "" end) as $least
        | [ (if $held == null then "none" else "\($least)\($held)\($unit)" end),
            "\($held // 0) - \(.failed // "?")",
            ([.curve[] | select(.level == $held) | .p99_us / 10 | round / 100 | "\(.) ms"] | first // "-"),
            $limit ] | @tsv' "$folder/result.json")
    # shellcheck disable=SC2059
    printf "$row" "$workers" "$capacity" "$interval" "$p99" "$limit"
    [ "$limit" = server ] || bounds=$((bounds + 1))
done
if [ "$bounds" -gt 0 ]; then
    echo "Where the limit was not clearly the server the capacity is a lower bound: give the load more CPUs, and of its own."
fi
exit "$unanswered"
