#!/bin/sh
# Check every model below a folder or an address, keep the report of each day, and end with safeload's exit code. Prints
# nothing if all is well, so that cron sends no mail.
#
#     check.sh MODELS [REPORTS]
set -u
models=${1:?the folder of the models} reports=${2:-reports}

mkdir -p "$reports" || exit 2
safeload check "$models" --format jsonl --output "$reports/$(date +%F).jsonl" > "$reports/latest.txt" 2>&1
code=$?
[ $code = 0 ] || cat "$reports/latest.txt"
exit $code
