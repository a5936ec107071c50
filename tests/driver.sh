#!/bin/sh
# automake's TAP driver, with a limit on the suite's time, and its seconds added to its result file.
# A suite over the limit (SUITE_SECONDS, 300) is stopped and counts as failed.
driver=$1; shift
limit=${SUITE_SECONDS:-300}
trs= log= want= inside=
for a in "$@"; do
	shift
	case $want in
	trs) trs=$a ;;
	log) log=$a ;;
	esac
	want=
	set -- "$@" "$a"
	[ -z "$inside" ] || continue
	case $a in
	--trs-file) want=trs ;;
	--log-file) want=log ;;
	--)
		inside=yes
		set -- "$@" timeout -k 10 "$limit"
		;;
	esac
done
start=$(date +%s)
sh "$driver" "$@"
status=$?
seconds=$(($(date +%s) - start))
[ "$seconds" -lt "$limit" ] || echo "# stopped after $limit s" >>"$log"
[ ! -e "$trs" ] || echo "seconds $seconds" >>"$trs"
exit $status
