#!/bin/sh
# Ships a spool that goes away with its pod: at SIGTERM what is left in it is shipped too.
#
#     ship-to-the-end.sh FOLDER --to PLACE ...
#
# Kubernetes ends a sidecar after the containers beside it, so that by then nothing more is written. After 20 s without
# success it gives up, with 3.
ending=
shipper=
trap 'ending=1; [ -z "$shipper" ] || kill -TERM "$shipper" 2>/dev/null' TERM INT
mkdir -p "$1" || exit 3
mllog ship "$@" --follow &
shipper=$!
[ -z "$ending" ] || kill -TERM "$shipper" 2>/dev/null
wait "$shipper"
code=$?
[ -n "$ending" ] || exit "$code"
# A signal that came between fork and exec was lost with the shell that became the shipper.
{ sleep 2; kill -TERM "$shipper" 2>/dev/null; } >/dev/null 2>&1 &
# The first wait ended with the signal, this one with the shipper.
wait "$shipper"
trap - TERM INT
exec mllog ship "$@" --once --give-up 20
