#!/bin/sh
# Faults made by tests/fault.c: whatever write, allocation or mapping fails, the command says so in a sentence, leaves what was
# there or nothing, and can be run again.  FEATLAS_SLOW=1 tries every fault that there is, else a few of each kind.
. "$TESTS_DIR/lib.sh"
library=$BUILD_DIR/tests/fault.so
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" # else it insists on being first
[ -e "$library" ] || bail "no library to preload"
LD_PRELOAD=$library "$FEATLAS" --version >"$tmp/.v" 2>&1 || bail "nothing can be preloaded here"
"$BUILD_DIR/tools/mksample" "$tmp/made.atlas" "$tmp/t.acts" || exit 99
"$BUILD_DIR/tests/cli/tool" acts "$tmp/a.acts" 40 || exit 99
cp -r "$SAMPLE" "$tmp/x.atlas" && chmod -R u+w "$tmp/x.atlas" || exit 99
printf '%s\n' '{"text": "the bridge over the river"}' '{"text": "a scam by mail"}' >"$tmp/c.jsonl"
if [ -n "${FEATLAS_SLOW:-}" ]; then steps=$(seq 1 400); else steps="1 6"; fi

# A command works in the folder $tmp/w, which begins as: x.atlas.
begin() {
	chmod -R u+w "$tmp/w" 2>"$tmp/.ok"
	rm -rf "$tmp/w" "$tmp/mark" "$tmp/data"
	mkdir "$tmp/w" && cp -r "$tmp/x.atlas" "$tmp/w/x.atlas" || exit 99
}

each_atlas() { # command...: of every atlas that was finished
	for folder in "$tmp/w"/*.atlas; do
		[ ! -e "$folder/atlas.json" ] || "$FEATLAS" "$@" "$folder" >"$tmp/.says" 2>&1 || return 1
	done
}

fault() { # kind, step, command...: faults[] has what went wrong
	kind=$1 step=$2
	shift 2
	begin
	(cd "$tmp/w" && FAULT=$kind:$step FAULT_MARK=$tmp/mark LD_PRELOAD=$library exec "$@") >"$tmp/.out" 2>"$tmp/.err" </dev/null
	status=$?
	[ -e "$tmp/mark" ] || return 1
	said=$(tail -n 1 "$tmp/.err")
	wrong=
	case $kind$status in
	memory0) ;;                                                             # a module that died was started again
	*0) case $said in *'warning: '*) ;; *) wrong="it exits with 0" ;; esac ;; # what it was for was done
	*[123]) ;;
	*) wrong="it exits with $status" ;;
	esac
	case $said in 'featlas '*': '*) ;; *) [ "$status" = 0 ] || wrong="$wrong; it says: $said" ;; esac
	left=$(find "$tmp/w" -name '*.part-*' | head -n 1)
	[ -z "$left" ] || wrong="$wrong; $left is left"
	each_atlas info || wrong="$wrong; afterwards: $(tail -n 1 "$tmp/.says")"
	if ! (cd "$tmp/w" && "$@") >"$tmp/.out" 2>"$tmp/.err" </dev/null; then
		wrong="$wrong; not again: $(tail -n 1 "$tmp/.err")"
	elif ! each_atlas verify; then
		wrong="$wrong; again: $(tail -n 1 "$tmp/.says")"
	fi
	[ -z "$wrong" ] || printf '%s:%s %s (%s)\n' "$kind" "$step" "${wrong#; }" "$said" >>"$tmp/wrong"
}

faults() { # name, kinds, command...
	name=$1 kinds=$2
	shift 2
	: >"$tmp/wrong"
	tried=0
	for k in $kinds; do
		for n in $steps; do
			fault "$k" "$n" "$@" || break
			tried=$((tried + 1))
		done
	done
	echo "# $name: $tried faults"
	is "$name" "$(cat "$tmp/wrong")" ""
	ok "$name can fail at all" [ "$tried" -gt 0 ]
}

files="write sync rename open"
faults "neighbours" "$files memory map" "$FEATLAS" neighbours x.atlas -k 5
faults "map" "$files memory" "$FEATLAS" map x.atlas --epochs 5
faults "index" "$files memory map" "$FEATLAS" index x.atlas "$tmp/t.acts" --backend fake
faults "train" "$files memory" "$FEATLAS" train "$tmp/a.acts" t.atlas --features 64 --k 2 --batch 128 --steps 20 --checkpoint-every 10
faults "harvest" "$files memory" "$FEATLAS" harvest "$tmp/c.jsonl" h.acts --hook 2 --backend fake
faults "import" "$files memory" "$FEATLAS" import "$TESTS_DIR/golden/imports/neuronpedia" i.atlas
faults "synth" "$files memory" "$FEATLAS" synth s.atlas --features 300 --d-model 16
faults "prune" "$files memory map" "$FEATLAS" prune x.atlas p.atlas --window 4
faults "export of a dictionary" "$files memory map" "$FEATLAS" export x.atlas dict --format saelens own
faults "export of features" "$files memory" "$FEATLAS" export x.atlas features --format neuronpedia np
faults "a label" "write sync open memory map" "$FEATLAS" label x.atlas 3 words
faults "a steering run" "$files memory" "$FEATLAS" steer x.atlas --backend fake --prompt 'go on' --feature 3:2x
faults "search" "memory map" "$FEATLAS" search x.atlas river
faults "neighbours of one" "memory map" "$FEATLAS" near x.atlas 3
faults "a text" "memory map" "$FEATLAS" text x.atlas 'the bridge' --backend fake
faults "effects" "memory" "$FEATLAS" effects x.atlas 'the bridge' --backend fake
faults "judging" "$files memory" "$FEATLAS" judge x.atlas --method lexical
finish
