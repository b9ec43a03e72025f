#!/usr/bin/env bash
# Before and after a change: starts A and B in turn, each anew for every round, searches for the capacity of each, and says whether
# they differ. To be copied; it needs pummel, jq and setsid (util-linux).
#
#   before_after.sh './server-old --port 8080' './server-new --port 8080' http://127.0.0.1:8080/api
#
# In every second round B comes first, so that a machine that grows slower hits both alike. Results that do not overlap are not yet
# proof: with 3 rounds two equal services come out apart once in 10 times (2 of the 20 orders of 6 results), with 5 once in 126.
set -euo pipefail

usage() {
    cat >&2 <<'END'
usage: before_after.sh 'COMMAND that starts A' 'COMMAND that starts B' URL [URL of B]

  COMMAND  a command for bash that stays in the foreground; it and what it started is ended after each search

Environment:
  ROUNDS          searches of each [default: 3]
  THRESHOLD       what must hold [default: p99<50ms]; it is the response time from when a request was due
  CAPACITY_FLAGS  more flags of pummel capacity, such as '--poisson --cpus 0' [each search takes up to --max-duration 3m]
  START_SECONDS   how long a server may take until it answers [default: 30]
  PUMMEL          the program [default: pummel]

Exit codes: 0 no change can be seen, or B is higher; 99 B is lower; 98 it cannot be told, as the limit was not clearly the
server; 1 a server does not start or is down; 2 wrong usage.
END
    exit 2
}

[ $# -eq 3 ] || [ $# -eq 4 ] || usage
declare -A command=([A]=$1 [B]=$2) url=([A]=$3 [B]=${4:-$3})
rounds=${ROUNDS:-3}
[[ $rounds =~ ^[1-9][0-9]?$ ]] || usage
read -ra flags <<<"${CAPACITY_FLAGS:-}"
threshold=${THRESHOLD:-p99<50ms}
pummel=${PUMMEL:-pummel}

fail() {
    echo "before_after.sh: $*" >&2
    exit 1
}

folder=$(mktemp -d)
server=
# Ends the server and what it started: a process group of its own, known by its leader's id.
stop_server() {
    [ -n "$server" ] || return 0
    kill -TERM -- "-$server" 2>/dev/null || true
    for _ in {1..100}; do
        kill -0 -- "-$server" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL -- "-$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=
}
trap 'stop_server; rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

# True when a request to a URL is answered, whatever the answer.
answers() {
    "$pummel" hit "$1" -n 1 --timeout 1s --connect-timeout 1s --quiet --json "$folder/hit.json" >/dev/null 2>&1 &&
        jq -e '.totals.exchanges.answered > 0' "$folder/hit.json" >/dev/null
}

# Starts A or B and waits until it answers.
start_server() {
    # Else it would be somebody else's capacity.
    ! answers "${url[$1]}" || fail "something answers at ${url[$1]} before $1 is started"
    setsid bash -c "${command[$1]}" >"$folder/log" 2>&1 </dev/null &
    server=$!
    local deadline=$((SECONDS + ${START_SECONDS:-30}))
    until answers "${url[$1]}"; do
        if ! kill -0 "$server" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
            tail -n 20 "$folder/log" >&2
            fail "$1 (${command[$1]}) does not answer at ${url[$1]}"
        fi
        sleep 0.1
    done
}

search() {
    local code=0
    start_server "$1"
    "$pummel" capacity "${url[$1]}" --threshold "$threshold" --threshold 'errors<0.1%' --quiet --max-duration 3m \
        --json "$folder/$1.$2.json" "${flags[@]}" >"$folder/report" || code=$?
    stop_server
    # 99: nothing held, which is a result like any other.
    [ "$code" -eq 0 ] || [ "$code" -eq 99 ] || exit "$code"
    jq -r --arg which "$1" --arg round "$2" '
        def unit: if .level_unit == "per_s" then "/s" else " users" end;
        .held as $held
        | "  \($round)  \($which)  "
          + (if $held == null then "none" else "\($held)\(unit)" end)
          + (if .failed == null then " (\(.ended_by | gsub("_"; " ")))"
             else " (\(.failed)\(unit) failed; limit: \(.limit.side))" end)
          + ([.curve[] | select(.level == $held) | "  p99 \(.p99_us / 10 | round / 100) ms"] | first // "")' \
        "$folder/$1.$2.json"
}

echo "Capacity for $threshold, A: ${command[A]}, B: ${command[B]}"
for ((round = 1; round <= rounds; round++)); do
    order=(A B)
    [ $((round % 2)) -eq 1 ] || order=(B A)
    for which in "${order[@]}"; do
        search "$which" "$round"
    done
done

# Medians, the range each side's intervals cover (from what held to what failed), and what follows; then the exit code.
mapfile -t lines < <(jq -rn --slurpfile a <(cat "$folder"/A.*.json) --slurpfile b <(cat "$folder"/B.*.json) '
    def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
    def side: {
        unit: (if .[0].level_unit == "per_s" then "/s" else " users" end),
        median: map(.held // 0) | median,
        low: map(.held // 0) | min,
        high: map(.failed // infinite) | max,
        unclear: map(select(.failed == null or .limit.side != "server")) | length
    };
    def line($name): "\($name)  median \(.median)\(.unit), from \(.low)\(.unit)"
        + (if .high == infinite then " up" else " to \(.high)\(.unit)" end);
    ($a | side) as $a | ($b | side) as $b
    | ($b.median / ([$a.median, 1e-9] | max) - 1 | fabs * 1000 | round / 10) as $percent
    | ($a | line("A")), ($b | line("B")),
      if $a.unclear + $b.unclear > 0 then
          "It cannot be told: in \($a.unclear + $b.unclear) searches the limit was not clearly the server.", 98
      elif $a.low < $b.high and $b.low < $a.high then "No change can be seen: the intervals overlap.", 0
      elif $b.median > $a.median then "B is higher by \($percent) % (medians).", 0
      else "B is lower by \($percent) % (medians).", 99 end')
printf '%s\n' "${lines[@]:0:3}"
exit "${lines[3]}"
