#!/usr/bin/env bash
# One GET by hand through ncat, which knows nothing of HTTP but the proxy's.
#
#   ncat.sh KIND PROXY USER:TOKEN HOST PORT PATH FILE
set -euo pipefail
kind=$1 proxy=$2 credentials=$3 host=$4 port=$5 path=$6 file=$7
printf 'GET %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\n\r\n' "$path" "$host" "$port" |
  /usr/bin/ncat --proxy "$proxy" --proxy-type "$kind" --proxy-auth "$credentials" "$host" "$port" |
  sed '1,/^\r$/d' >"$file"
