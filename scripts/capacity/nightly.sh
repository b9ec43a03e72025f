#!/usr/bin/env bash
# Nightly capacity of one service, for cron or CI: keeps the dated results in a folder, prints one line, and says by its exit code
# whether the service still takes what it must. To be copied; it needs pummel and jq.
#
#   nightly.sh http://127.0.0.1:8080/api 4000/s 'p99<50ms' 'errors<0.1%'
#   17 3 * * *  RESULTS=/var/lib/capacity/shop nightly.sh shop.yml 500/s        # a line of a crontab
set -euo pipefail

usage() {
    cat >&2 <<'END'
usage: nightly.sh URL|CASE LEVEL [THRESHOLD...]

  LEVEL      what must be found at least, such as 4000/s
  THRESHOLD  what must hold meanwhile [default: 'p99<50ms' 'errors<0.1%']

Environment:
  RESULTS         folder of the results of this service [default: capacity-results]
  CAPACITY_FLAGS  more flags of pummel capacity, such as '--poisson --cpus 2-3 --max-duration 20m'
  PUMMEL          the program [default: pummel]

Exit codes: 0 LEVEL was found; 99 less was found; 98 less was found because this machine was the limit, which says nothing of
the service; 1 the service is down, or the search could not be made; 2 wrong usage; others as of pummel.
END
    exit 2
}

[ $# -ge 2 ] || usage
what=$1 level=$2
shift 2
[ $# -gt 0 ] || set -- 'p99<50ms' 'errors<0.1%'
thresholds=()
for threshold in "$@"; do
    thresholds+=(--threshold "$threshold")
done
read -ra flags <<<"${CAPACITY_FLAGS:-}"
results=${RESULTS:-capacity-results}
# In UTC, so that names sort by time in every night of the year.
at=$(date -u +%Y-%m-%dT%H-%M-%SZ)
mkdir -p "$results"

# The search ends after 10 minutes (--max-duration); what it knows by then is the answer.
code=0
"${PUMMEL:-pummel}" capacity "$what" "${thresholds[@]}" --at-least "$level" --quiet --json "$results/$at.json" \
    "${flags[@]}" >"$results/$at.txt" || code=$?
# Where there is no answer, pummel has said why.
case $code in
0 | 99) ;;
*)
    [ -s "$results/$at.txt" ] || rm "$results/$at.txt"
    echo "$at $what: no answer (exit code $code)"
    exit "$code"
    ;;
esac

# This result beside the last one with an answer to the same question. Two answers differ where their intervals lie apart: from
# what held to what failed, and without an upper end where the service was not what failed.
mapfile -t files < <(printf '%s\n' "$results"/*.json | sort)
jq -rs --arg at "$at" --arg what "$what" --arg level "$level" '
    def unit: if .level_unit == "per_s" then "/s" else " users" end;
    def least: .failed == null or .limit.side != "server";
    def top: if least then infinite else .failed end;
    def found:
        if .held == null then "nothing held (\(.ended_by | gsub("_"; " ")))"
        elif .failed == null then "at least \(.held)\(unit) (\(.ended_by | gsub("_"; " ")))"
        elif least then "at least \(.held)\(unit) (\(.failed)\(unit) failed; limit: \(.limit.side))"
        else "\(.held)\(unit) (\(.failed)\(unit) failed)" end;
    def percent: . * 1000 | round / 10 | if . > 0 then "+\(.) %" else "\(.) %" end;
    .[-1] as $now
    | (.[:-1] | map(select(.held != null and .by == $now.by and .thresholds == $now.thresholds)) | last) as $last
    | (if $last == null then "no earlier result"
       elif $now.held == null then "last time \($last | found)"
       else "last time \($last | found): \($now.held / $last.held - 1 | percent)"
            + (if ($now.held < ($last | top)) and ($last.held < ($now | top)) then ", the intervals overlap" else "" end)
       end) as $change
    | "\($at) \($what): \($now | found); \($change); asked for \($level)"' "${files[@]}"

if [ "$code" -eq 99 ] && jq -e '.limit.side == "client"' "$results/$at.json" >/dev/null; then
    code=98
fi
exit "$code"
