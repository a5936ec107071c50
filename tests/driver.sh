#!/bin/sh
# automake's TAP driver, with the suite's seconds added to its result file.
driver=$1; shift
trs=
want=
for a in "$@"; do
	[ "$want" = trs ] && trs=$a
	want=
	[ "$a" = --trs-file ] && want=trs
done
start=$(date +%s)
sh "$driver" "$@"
status=$?
[ -n "$trs" ] && [ -e "$trs" ] && echo "seconds $(($(date +%s) - start))" >>"$trs"
exit $status
