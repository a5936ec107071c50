# lib.sh - TAP for suites written in shell.  Source it first:
#
#	. "$TESTS_DIR/lib.sh"
#
# It makes $tmp, removed at the end, and keeps HOME and the XDG folders below it.  $FEATLAS is the
# program, $SAMPLE the sample atlas, which suites only read: copy_sample puts a copy at $atlas.
#
#	run COMMAND ...                 runs it: stdout in $out, stderr in $err, exit status in $status
#	check NAME STATUS COMMAND ...   run, and it must exit with STATUS
#	ok NAME COMMAND ...             the command (of the shell or not) must succeed
#	is NAME GOT WANT                two texts must be equal
#	has NAME TEXT REGEX             a line of the text must match the extended regex
#	lacks NAME TEXT REGEX           no line may
#	skip NAME WHY                   one test that cannot run here
#	bail WHY                        the whole suite cannot run here (before any test)
#	await COMMAND ...               tries it every 0.05 s until it succeeds, for a minute at most
#	has_child PID                   the process has started another
#	finish                          the last line of every suite

set -u
n_tests=0
n_failed=0
tmp=$(mktemp -d "${TMPDIR:-/tmp}/featlas-test-XXXXXX") || exit 99
trap 'chmod -R u+rwx "$tmp"; rm -rf "$tmp"' EXIT
trap 'exit 99' HUP INT TERM
HOME=$tmp/home
XDG_DATA_HOME=$tmp/data XDG_CONFIG_HOME=$tmp/config XDG_STATE_HOME=$tmp/state XDG_CACHE_HOME=$tmp/cache
export HOME XDG_DATA_HOME XDG_CONFIG_HOME XDG_STATE_HOME XDG_CACHE_HOME
mkdir -p "$HOME"
: "${FEATLAS:?}" "${SAMPLE:?}"
out= err= status=0
tab=$(printf '\t')

pass_() {
	n_tests=$((n_tests + 1))
	printf 'ok %d - %s\n' "$n_tests" "$1"
}

fail_() { # name, what to say
	n_tests=$((n_tests + 1))
	n_failed=$((n_failed + 1))
	printf 'not ok %d - %s\n' "$n_tests" "$1"
	printf '%s\n' "$2" | head -40 | sed 's/^/# /'
}

run() {
	status=0
	"$@" >"$tmp/.out" 2>"$tmp/.err" </dev/null || status=$?
	out=$(cat "$tmp/.out")
	err=$(cat "$tmp/.err")
}

check() {
	name_=$1 want_=$2
	shift 2
	run "$@"
	if [ "$status" = "$want_" ]; then
		pass_ "$name_"
	else
		fail_ "$name_" "exit status $status, not $want_: $*
$err"
	fi
}

ok() {
	name_=$1
	shift
	if "$@" >"$tmp/.ok" 2>&1; then pass_ "$name_"; else fail_ "$name_" "failed: $*
$(cat "$tmp/.ok")"; fi
}

is() {
	if [ "$2" = "$3" ]; then pass_ "$1"; else fail_ "$1" "got:
$2
wanted:
$3"; fi
}

has() {
	if printf '%s\n' "$2" | grep -qE -e "$3"; then pass_ "$1"; else fail_ "$1" "nothing matches $3 in:
$2"; fi
}

lacks() {
	if printf '%s\n' "$2" | grep -qE -e "$3"; then fail_ "$1" "$3 matches in:
$2"; else pass_ "$1"; fi
}

skip() {
	n_tests=$((n_tests + 1))
	echo "ok $n_tests - $1 # SKIP $2"
}

bail() {
	echo "1..0 # SKIP $1"
	exit 0
}

await() {
	tries_=0
	until "$@"; do
		[ $((tries_ += 1)) -lt 1200 ] || return 1
		sleep 0.05
	done
}

has_child() {
	grep -qs "^PPid:$tab*$1\$" /proc/[0-9]*/status
}

copy_sample() {
	atlas=$tmp/sample.atlas
	rm -rf "$atlas"
	cp -r "$SAMPLE" "$atlas"
	chmod -R u+w "$atlas"
}

finish() {
	echo "1..$n_tests"
	[ "$n_failed" = 0 ]
	exit
}
