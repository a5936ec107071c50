#!/bin/sh
# summary.sh BUILD LIVE STATUS: the seconds of each suite, what failed, and the sums as the last line.
# A live model that could not be had (LIVE no) counts as one failure, and so does a make that ended
# with STATUS though no suite says why (it did not build, or a suite left no results).
build=$1 live=${2:-yes} status=${3:-0}
find "$build/tests" -name '*.trs' | sort | while read -r f; do
	awk -v name="${f#"$build/"}" '
		/^:test-result: PASS/ {p++} /^:test-result: (FAIL|ERROR|XPASS)/ {f++; print "failed " name " " $0 > "/dev/stderr"}
		/^:test-result: (SKIP|XFAIL)/ {s++} /^seconds/ {t = $2}
		END {
			if (!(p + f + s)) {f = 1; print "failed " name " without a result" > "/dev/stderr"}
			printf "%d %d %d %s %d\n", p, f, s, name, t
		}' "$f"
done | awk -v live="$live" -v status="$status" '
	{printf "%4d s  %4d passed %3d failed %3d skipped  %s\n", $5, $1, $2, $3, $4; p += $1; f += $2; s += $3}
	END {
		if (live == "no") {f++; print "failed: the live model could not be set up"}
		if (!NR) {f++; print "failed: no suite ran"}
		else if (status && !f) {f++; print "failed: make check ended with status " status}
		printf "%d passed, %d failed, %d skipped\n", p, f, s
		exit f > 0
	}'
