#!/bin/bash
# `troupe shell` in a real terminal: drives it with keys in tmux and looks at the screen.
#
#   TROUPE_BIN=build/troupe tests/clients/shell_tmux.sh     -v: shows the screen after each step
#
# Ends with `N passed, N failed`; exits with 77 where there is no tmux.
set -u
cd "$(dirname "$0")" || exit 1
command -v tmux >/dev/null || exit 77
bin=${TROUPE_BIN:-${TROUPE_BUILD:-../../build}/troupe}
bin=$(realpath "$bin")
export TROUPE_BIN=$bin
home=$(mktemp -d)
name=troupe-shell-$$
passed=0
failed=0

coproc server { exec python3 server_for_test.py; }
server_pid=$!
read -r -t 60 port tls_port folder config <&"${server[0]}" || { echo "no server" >&2; exit 1; }

terminal() { tmux -L "$name" -f /dev/null "$@"; }
cleanup() {
  terminal kill-server 2>/dev/null
  exec {server[1]}>&- 2>/dev/null
  wait "$server_pid" 2>/dev/null
  rm -rf "$home"
}
trap cleanup EXIT

keys() { terminal send-keys -t shell "$@"; }
screen() { terminal capture-pane -p -t shell "$@"; }
one_shot() { "$bin" shell --config "$config" "$@"; }

good() { passed=$((passed + 1)); }
bad() {
  failed=$((failed + 1))
  echo "failed: $1"
  screen | sed -e '/^$/d' -e 's/^/    | /'
}
check() { # NAME COMMAND...
  local what=$1
  shift
  if "$@"; then good; else bad "$what"; fi
}
# Waits until the screen shows the pattern; 15 s are the bound of a failing test, not a part of a passing one.
shows() { # NAME REGEX [capture-pane's options]
  local what=$1 pattern=$2 i
  shift 2
  for ((i = 0; i < 300; ++i)); do
    if screen "$@" | grep -qE -- "$pattern"; then
      [ "${verbose:-}" ] && { echo "-- $what"; screen | sed '/^$/d'; }
      good
      return
    fi
    sleep 0.05
  done
  bad "$what"
}
verbose=$([ "${1:-}" = -v ] && echo yes)

last_line_is() { screen | sed '/^$/d' | tail -n 1 | grep -qE -- "$1"; }
fresh() { # an empty screen, with the prompt on top
  keys C-c
  keys C-l
  local i
  for ((i = 0; i < 300; ++i)); do
    [ "$(screen | sed '/^$/d' | sed 's/ *$//')" = "troupe>" ] && return
    sleep 0.05
  done
}
start_shell() {
  terminal new-session -d -s shell -x 110 -y 40 \
    "env HOME='$home' XDG_STATE_HOME= LC_ALL=C.UTF-8 '$bin' shell --config '$config'; echo left with \$?; cat"
}

# -- the prompt --
start_shell
shows "it greets" '^Troupe '
shows "it has a prompt" '^troupe> *$'
keys vers Tab
shows "tab completes a command" '^troupe> version ?$'
keys Enter
shows "a command is answered" '^CAF +0\.17'
fresh
keys 'user ' Tab
shows "tab lists what fits" '^add +delete +info +list +passwd'
fresh
keys 'inspect shar' Tab 1
shows "tab asks the server for names" '^troupe> inspect shard/1'
keys C-c
shows "ctrl-c drops the line" '\^C$'
fresh
keys 'inspct 1' Enter
shows "a mistake gets advice" 'did you mean: inspect'

# -- looking --
fresh
keys tree Enter
shows "the tree is drawn" '^[├└]─ '
shows "titles are in bold" $'\x1b\\[1m[^m]*actor' -e
fresh
keys 'actors shard --limit 3' Enter
shows "numbers stand under their titles" '^shard +shard 0 +[0-9]+ +[0-9,]+ +[0-9,]+ '

# -- an account, its password unseen --
fresh
keys 'user add romeo@localhost' Enter
shows "it asks for the password" '^Password for romeo@localhost:'
keys 'o Romeo Romeo' Enter
shows "and once more" '^Once more:'
keys 'o Romeo Romeo' Enter
shows "the account is made" '^created: romeo@localhost'
unseen() { ! screen -S - | grep -q 'o Romeo'; }
check "the password is never shown" unseen
fresh
keys 'user add juliet@localhost wherefore' Enter
shows "a password may be given" '^created: juliet@localhost'

# -- failing --
fresh
keys 'send romeo@localhost wake up' Enter
shows "a message is sent" '^sent to romeo@localhost'
keys 'kill romeo@localhost' Enter
shows "a killed user comes back" '^outcome +restarted'
fresh
keys 'actors user romeo' Enter
shows "its restart is counted" '^user +romeo@localhost .* 1 '

# -- watching --
fresh
keys 'trace romeo@localhost' Enter
shows "a trace begins" 'Ctrl-C stops'
one_shot -c "send romeo@localhost how now" >/dev/null
shows "a trace shows the stanza" 'romeo@localhost +message'
bodies() { screen | grep -q 'how now'; }
check "but not what it says" eval '! bodies'
keys C-c
shows "ctrl-c stops a trace, not the shell" '^troupe> *$'
fresh
keys 'trace romeo@localhost --bodies --count 1' Enter
shows "a trace with bodies begins" 'Ctrl-C stops'
one_shot -c "send romeo@localhost good night" >/dev/null
shows "shows what is said" 'good night'
fresh
keys top Enter
shows "top has a screen of its own" '^Ctrl-C or q: back'
shows "with rates" '^stanzas received +[0-9.,]+ +[0-9,]+'
terminal resize-window -t shell -x 70 -y 30 2>/dev/null
shows "it lives on when the terminal changes" '^up '
keys q
shows "q leaves top" '^troupe> top'
check "and no more" last_line_is '^troupe> *$'

# -- leaving, and coming back --
keys C-d
shows "ctrl-d leaves" '^left with 0'
terminal kill-session -t shell
history=$home/.local/state/troupe/shell_history
check "the history is for its owner only" test "$(stat -c %a "$history")" = 600
check "the history has commands" grep -q '^user add juliet@localhost$' "$history"
check "the history has no password" eval '! grep -q wherefore "$history"'
start_shell
shows "it starts again" '^troupe> *$'
keys Up
shows "and remembers" '^troupe> top'
fresh
keys C-r actors
shows "its history can be searched" 'actors user romeo'
fresh

# -- one-shot --
one_shot -c version >/dev/null
check "a command that works exits with 0" test $? = 0
one_shot -c nonsense 2>/dev/null
check "one that fails with 1" test $? = 1
numbers() { one_shot --json -c stats | python3 -c 'import json, sys; x = json.load(sys.stdin); sys.exit(x["offline_stored"] < 1)'; }
check "stats in JSON are numbers by name" numbers
plain() { ! one_shot -c tree | grep -q $'\x1b'; }
check "no colours in a pipe" plain
check "only the server's user may open the socket" test "$(stat -c %a "$folder"/data/admin.socket)" = 600
script() { [ "$(printf 'version\nnonsense\nlog\n' | one_shot 2>/dev/null | grep -cE '^(compiler|component) ')" = 2 ]; }
check "commands may come from a pipe" script

# -- the end --
keys shutdown Enter
shows "it asks before the end" 'Shut the server down .*\(yes/no\)'
keys no Enter
shows "and leaves it at that" 'left as it is'
keys shutdown Enter
shows "it asks again" '\(yes/no\) *$'
keys yes Enter
shows "the server ends, and the shell with it" '^left with [02]'
gone() {
  local i
  for ((i = 0; i < 300; ++i)); do
    one_shot -c version 2>"$home/words"
    [ $? = 2 ] && grep -q 'troupe serve' "$home/words" && return 0
    sleep 0.05
  done
  return 1
}
check "without a server it says how to start one" gone

echo "$passed passed, $failed failed"
[ $failed = 0 ]
