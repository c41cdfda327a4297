#!/bin/bash
# tests/cli.sh - the command line itself: help, wrong usage, exit codes, completion, man page
. "$(dirname "$0")/lib.sh"
pxt_host misc2

ok "--version works" phoenix --version
has "and names the program" "$out" "phoenix 0."
ok "--help works" phoenix --help
lacks "hidden commands stay hidden" "$out" "__complete"
fails 2 "no command shows the way and is wrong usage" phoenix
has "it lists commands" "$out" "Commands"
fails 2 "an unknown command is wrong usage" phoenix frobnicate
fails 2 "a slip is wrong usage" phoenix scren-shot
fails 2 "a near one is suggested" phoenix screenshto x
has "by name" "$out" "did you mean 'phoenix screenshot'?"
fails 2 "an unknown option is wrong usage" phoenix up --no-such x
is "in one line" "$(wc -l <<<"$out")" 1
fails 2 "a missing word is wrong usage" phoenix rm
fails 2 "a host file that is not there is bad input" phoenix --host-file /nonexistent net show

# What does not come out was not said.
for words in --version --help "help up" "ls --json" "net show" "schema desktop" doctor "__complete -- up"; do
    fails 1 "$words into a full disk has failed" bash -c "phoenix $words >/dev/full"
done
has "with the reason" "$out" "phoenix: cannot write the output: No space left on device"

# Every command explains itself, whoever asks.
verbs=$(phoenix __complete -- "" | cut -f1)
for verb in $verbs; do
    ok "$verb --help works" phoenix "$verb" --help
    has "$verb says how it is used" "$out" "Usage: phoenix $verb"
    for sub in $(phoenix __complete -- "$verb" "" | cut -f1); do
        case $out in *Commands*) ok "$verb $sub --help works" phoenix help "$verb" "$sub" ;; esac
    done
done

for file in desktop host recipe; do
    ok "schema $file is JSON" bash -c "phoenix schema $file | python3 -m json.tool"
    ok "the shipped schema of $file is the program's" \
        diff <(phoenix schema $file) "$PX_SOURCE/docs/schema/$file.schema.json"
done
fails 2 "a schema of something else is wrong usage" phoenix schema desktops
has "with a suggestion" "$out" "did you mean 'desktop'?"

# Colours and JSON.
fails 2 "with --json a failure is JSON, too" phoenix screenshto --json x
is "on one line, with message, hint and exit code" "$(python3 -c '
import json, sys
e = json.loads(sys.argv[1])["error"]
print(e["exit_code"], "|", e["message"], "|", e["hint"])' "$out")" \
    "2 | unknown command 'phoenix screenshto' | did you mean 'phoenix screenshot'?"
ok "no colours in a pipe" phoenix --help
lacks "not a single one" "$out" $'\033'
ok "colours when asked for" phoenix --color=always --help
has "there they are" "$out" $'\033[1m'

# Completion in bash, as a person's shell would do it.
complete_in_bash() { # LINE
    bash -c '. "$1"
        compopt() { :; }
        COMP_WORDS=($2) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        [[ $2 != *" " ]] || { COMP_WORDS+=(""); COMP_CWORD=$((COMP_CWORD + 1)); }
        _phoenix; printf "%s\n" "${COMPREPLY[@]}"' - \
        "$PX_SOURCE/packaging/completions/phoenix.bash" "$1"
}
is "bash completes commands" "$(complete_in_bash "phoenix scr")" screenshot
is "bash completes sub-commands" "$(complete_in_bash "phoenix image b")" build
is "bash completes values" "$(complete_in_bash "phoenix up --wait s")" system
has "bash completes files" "$(cd "$PX_SOURCE" && complete_in_bash "phoenix up RE")" README.md
is "bash completes the last of a list" "$(complete_in_bash "phoenix verify --only dns,scr")" dns,screen
fails 1 "what is asked of all desktops says that there are none" phoenix verify
has "and what makes one" "$out" "phoenix up FILE"
mkdir -p "$pxt_state/desktops/pxt-alpha" "$pxt_state/desktops/pxt-beta"
is "bash completes desktops" "$(complete_in_bash "phoenix start pxt-a")" pxt-alpha
fails 1 "a glob that matches nothing is named" phoenix stop 'no-*'
has "with where to look" "$out" "no desktop matches 'no-*' (hint: \`phoenix ls\` lists them)"
fails 1 "a slip in a desktop's name" phoenix gpu attach pxt-alpa 0
has "gets a suggestion" "$out" "did you mean 'pxt-alpha'?"
rm -r "$pxt_state/desktops"

man=$PX_BUILD/man/phoenix.1
ok "the man page is without mistakes" mandoc -T lint -W warning "$man"
ok "the man page can be read" mandoc -T utf8 "$man"
has "it knows every command" "$(col -b <"$pxt_dir/out")" "phoenix image build RECIPE"

# doctor: whatever it finds, it says so in its exit code, and it changes nothing.
before=$(ls -A "$pxt_state")
phoenix doctor --json >"$pxt_dir/doctor.json" 2>&1 </dev/null
code=$?
is "doctor ends with 0 or 4, as it found" $code \
    "$(python3 -c 'import json,sys; print(0 if json.load(open(sys.argv[1]))["ok"] else 4)' "$pxt_dir/doctor.json")"
is "doctor leaves nothing behind" "$(ls -A "$pxt_state")" "$before"
gone() { # files that the words name and that are not there
    cd "$PX_SOURCE" && grep -ohE '\b(src|tests|docs|packaging)/[a-z0-9_/-]+\.(c|h|sh|py|md)\b' README.md CONTRIBUTING.md \
        docs/*.md | sort -u | while read -r file; do [ -e "$file" ] || echo "$file"; done
}
is "the docs name only files that are there" "$(gone)" ""
if [ "$(id -u)" = 0 ]; then
    ok "this machine can run desktops" phoenix doctor
fi
done_testing
