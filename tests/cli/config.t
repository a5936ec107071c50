#!/bin/sh
# The configuration: options, keys, themes; what is wrong with it is said and goes no further.
. "$TESTS_DIR/lib.sh"
copy_sample
cd "$tmp" || exit 99
screens() { # config lines on stdin, then a key script as arguments, a line each
	cat >config.txt
	printf '%s\n' "$@" >keys.txt
	run "$FEATLAS" open "$atlas" --config config.txt --script keys.txt
}

screens 'dump' </dev/null
is "an empty one changes nothing" "$status $err" "0 "
has "the list has its columns" "$out" "density.*max.*det.*wri"

screens 'dump' <<C
# my own
  set columns = tags max
set sort=id
set preview no
C
has "columns in their order" "$out" "label +tags +max\$"
has "the first order" "$out" "id↑"
lacks "no preview" "$out" "────"
lacks "an equals sign needs no blanks, and may be left out" "$out" "line 3"

screens 'keys gm' 'dump' <<C
bind all gm last
bind features,feature D reject
bind features d none
bind all q quit
C
has "a key of one's own" "$out" "^> *#511"
screens 'keys d' 'dump' 'keys D' 'dump' 'keys ?' 'dump' <<C
bind features,feature D reject
bind features d none
C
has "a key taken away says so" "$out" "d is not a key here"
has "and its action has the other" "$out" "rejected \"words about bridges\""
has "the help knows" "$out" "^ *D +reject the label"
screens 'keys jj' 'dump' <<C
bind features jx up
bind features j none
C
has "a longer key hides the shorter one of all screens" "$out" "j is not a key|jj is not a key"

screens 'keys gl' 'dump' <<C
set colour = red
set mouse = perhaps
bind nowhere x quit
bind all <Oops> quit
bind all x dance
paint it black
set
set sort = id
C
is "what is wrong is no end" "$status" 0
has "the first line is named" "$out" "config.txt', line 1: there is no option 'colour'; 6 more lines are wrong"
screens 'dump' <<C
set mouse = perhaps
C
has "a wrong value names the right ones" "$out" "mouse cannot be 'perhaps': yes, no"
head -c 100000 /dev/zero | tr '\0' 'x' >long.txt
run "$FEATLAS" open "$atlas" --config long.txt --script keys.txt
is "a line without end" "$status" 0
head -c 30000 /dev/urandom >noise.txt
run "$FEATLAS" open "$atlas" --config noise.txt --script keys.txt
is "noise" "$status" 0
run "$FEATLAS" open "$atlas" --config missing.txt --script keys.txt
has "a missing one is said" "$out$err" "missing.txt"

# the usual place is not read by scripts
mkdir -p "$XDG_CONFIG_HOME/featlas/themes"
echo 'set columns = tags' >"$XDG_CONFIG_HOME/featlas/config"
echo dump >keys.txt
run "$FEATLAS" open "$atlas" --script keys.txt
has "scripts read none" "$out" "density"

# the options screen keeps what was changed, and only that
printf '# mine\nset sort = id\nset mouse = no\nbind all <C-j> down' >config.txt
printf '%s\n' 'keys gO j j j j j <Enter> x' 'dump' >keys.txt
run "$FEATLAS" open "$atlas" --config config.txt --script keys.txt
has "it says where" "$out" "kept in config.txt"
is "the rest stays" "$(cat config.txt)" "# mine
set sort = id
set mouse = no
bind all <C-j> down
set big = yes"
printf '%s\n' 'keys :' 'type set mouse=yes' 'keys <Enter> gO x dump' 'dump' >keys.txt
sed -i 's/ x dump/ x/' keys.txt
run "$FEATLAS" open "$atlas" --config config.txt --script keys.txt
has "a line of it is replaced" "$(cat config.txt)" "^set mouse = yes"
is "in its place" "$(sed -n 3p config.txt)" "set mouse = yes"

# themes
cat >"$XDG_CONFIG_HOME/featlas/themes/sea" <<C
base light
title white #000087 bold
C
echo 'shot got.svg' >keys.txt
run "$FEATLAS" open "$atlas" --theme sea --script keys.txt
is "a theme of one's own" "$status" 0
has "its colours" "$(cat got.svg)" "#000087"
has "and those it begins with" "$(cat got.svg)" "#fdfdfd"
for t in dark light high-contrast mono; do
	check "theme $t" 0 "$FEATLAS" open "$atlas" --theme $t --script keys.txt
done
check "no such theme" 2 "$FEATLAS" open "$atlas" --theme sky --script keys.txt
has "and which there are" "$err" "there is no theme 'sky'; there are dark, light, high-contrast, mono, and files in $XDG_CONFIG_HOME/featlas/themes$"
check "no path" 2 "$FEATLAS" open "$atlas" --theme ../themes/sea --script keys.txt
printf 'title 1\n' >"$XDG_CONFIG_HOME/featlas/themes/bad"
check "a bad theme" 2 "$FEATLAS" open "$atlas" --theme bad --script keys.txt
has "names its line" "$err" "bad', line 1: a style wants two colours"
printf 'set theme = bad\n' >config.txt
check "which in the configuration is no reason to stay out" 0 \
	"$FEATLAS" open "$atlas" --config config.txt --script keys.txt
finish
