# What dev/test and dev/nightly run. Source it after dev/lib.sh. Every function records its outcome
# under $RESULTS and returns 0: dev/summarize.py decides at the end.
# shellcheck shell=bash
# BUILD and PREFIX come from dev/lib.sh and the caller.
# shellcheck disable=SC2153
RESULTS=$BUILD/results
TEST_USER='pyro-test'

new_results() {
  rm -rf "$RESULTS"
  mkdir -p "$RESULTS" "$LOGS"
  : >"$RESULTS/expected"
  : >"$RESULTS/accelerators"
}
expect_result() { printf '%s\n' "$1" >>"$RESULTS/expected"; }
# record STATUS NAME [REASON]
record() { printf '%s\t%s\t%s\n' "$1" "$2" "${3:-}" >>"$RESULTS/checks.tsv"; }
# check NAME COMMAND...: one counted check.
check() {
  local name=$1 file=check-${1//[^[:alnum:]]/-}
  shift
  if logged "$file" "$@"; then
    record passed "$name"
  else
    record failed "$name" "see $LOGS/$file.log"
  fi
}
# build_or_record PRESET: false (and a recorded failure) when it does not build.
build_or_record() {
  if (build_preset "$1"); then
    record passed "build, preset $1"
  else
    record failed "build, preset $1" "nothing after it could run; see $LOGS"
    return 1
  fi
}

cpp_files() { git ls-files -co --exclude-standard -- '*.h' '*.hpp' '*.c' '*.cc'; }
shell_files() { git ls-files -co --exclude-standard -- dev .ci tests bench tools examples | while read -r f; do
  [[ -f $f ]] && head -n 2 "$f" | grep -qE '^#!.*\bbash\b|shellcheck shell=bash|^#!/bin/sh' && printf '%s\n' "$f"
done || true; }
check_format() {
  local -a files
  mapfile -t files < <(cpp_files)
  ((${#files[@]} == 0)) || clang-format-19 --dry-run --Werror "${files[@]}"
}
check_shell() {
  local -a files
  mapfile -t files < <(shell_files)
  shellcheck -x "${files[@]}"
}
# run_lints BUILD_DIR TIDY, with TIDY a number of files or "all".
run_lints() {
  local build=$1 tidy=$2 tool
  for tool in tools/lint_layers.py tools/lint_coroutines.py tools/lint_tests.py tools/check_headers.py dev/summarize.py; do
    check "$tool finds what it must (self-test)" "$PYTHON" "$tool" --self-test
  done
  check 'layers: who includes whom' "$PYTHON" tools/lint_layers.py
  check 'coroutine shapes' "$PYTHON" tools/lint_coroutines.py
  check 'house rules' "$PYTHON" tools/lint_tests.py
  check 'every header compiles alone' "$PYTHON" tools/check_headers.py "$build"
  check 'formatting (./dev/format mends it)' check_format
  check 'shell scripts' check_shell
  run_tidy "$build" "$tidy"
}
run_tidy() {
  local build=$1 tidy=$2 log=$LOGS/check-clang-tidy.log left_out
  if [[ $tidy == all ]]; then
    check 'clang-tidy' "$PYTHON" tools/tidy.py "$build" --all
  else
    check 'clang-tidy' "$PYTHON" tools/tidy.py "$build" --changed --max "$tidy"
  fi
  say "$(head -n 1 "$log")"
  left_out=$(sed -n 's/^checked .*, left out \([0-9]*\)$/\1/p' "$log")
  if ((${left_out:-0} > 0)); then
    record skipped "clang-tidy on $left_out more changed files" \
      "time: ./dev/test checks the $tidy changed last, ./dev/nightly all (or --tidy-all)"
  fi
}

# run_ctest PRESET EXPR
run_ctest() {
  local preset=$1 expr=$2 status=0
  local -a env=(env "GTEST_OUTPUT=xml:$RESULTS/gtest-$preset/")
  [[ -z $expr ]] || env+=("GTEST_FILTER=*$expr*")
  expect_result "ctest-$preset.xml"
  logged "ctest-$preset" "${env[@]}" ctest --test-dir "$BUILD/$preset" -j "$(nproc)" --timeout 300 \
    --output-on-failure --output-junit "$RESULTS/ctest-$preset.xml" || status=$?
  printf '%s\n' "$status" >"$RESULTS/ctest-$preset.status"
}

# run_pytest NAME TIMEOUT COMMAND_PREFIX... :: PYTEST_WORDS...: results in pytest-NAME.xml.
run_pytest() {
  local name=$1 limit=$2 status=0
  shift 2
  local -a prefix=()
  while [[ $1 != :: ]]; do prefix+=("$1"); shift; done
  shift
  expect_result "pytest-$name.xml"
  logged "pytest-$name" ${prefix[@]+"${prefix[@]}"} "$PYTHON" -m pytest -p no:cacheprovider -ra -v \
    --timeout "$limit" --junitxml "$XML_DIR/pytest-$name.xml" "$@" || status=$?
  printf '%s\n' "$status" >"$RESULTS/pytest-$name.status"
  [[ $XML_DIR == "$RESULTS" ]] || cp "$XML_DIR/pytest-$name.xml" "$RESULTS/" 2>/dev/null || true
}
run_docs() {
  XML_DIR=$RESULTS
  local -a words=(tests/docs tests/library tests/python bench)
  [[ -z $1 ]] || words+=(-k "$1")
  run_pytest docs 300 env "PATH=$PREFIX/bin:$PATH" "PYRO_TEST_PREFIX=$PREFIX" :: "${words[@]}"
}

# run_mcp EXPR: MCP over both transports, and its conformance suite where npm can fetch it.
run_mcp() {
  XML_DIR=$RESULTS
  local -a words=(tests/mcp)
  [[ -z $1 ]] || words+=(-k "$1")
  run_pytest mcp 300 env "PYRO_MCP_FIXTURES=$BUILD/ci/tests/mcp_fixture_server" :: "${words[@]}"
}

# run_net EXPR: the network engine with this kernel for its guest, as root and as an ordinary user.
run_net() {
  local program=$BUILD/ci/tests/tap_guest
  local -a words=(tests/net)
  [[ -z $1 ]] || words+=(-k "$1")
  if ((EUID == 0)); then
    XML_DIR=$RESULTS
    run_pytest net-root 120 env "PYRO_TAP_GUEST=$program" tests/net/sandbox :: "${words[@]}"
    net_as_user "$program" "${words[@]}"
  else
    record skipped 'network tests as root' 'this run is not root; start ./dev/test as root for both halves'
    XML_DIR=$RESULTS
    run_pytest net-user 120 env "PYRO_TAP_GUEST=$program" tests/net/sandbox :: "${words[@]}"
  fi
}
# net_as_user PROGRAM WORDS...
net_as_user() {
  local program=$1 stage=/var/tmp/$TEST_USER-net-stage
  shift
  make_test_user
  rm -rf "$stage"
  install -d -m 0755 "$stage" "$stage/tests" "$stage/dev"
  install -d -o "$TEST_USER" -m 0755 "$stage/results"
  cp -a tests/net "$stage/tests/net"
  cp "$program" "$stage/tap_guest"
  chown -R root:root "$stage/tests"
  chmod -R a+rX,go-w "$stage/tests"
  # /dev/net/tun as Debian's udev makes it, which a machine without udev has for root alone.
  # shellcheck disable=SC2016  # that shell's words
  local -a with_tun=(unshare --mount sh -ec
    'mount -t tmpfs none "$0"; mknod -m 666 "$0/tun" c 10 200; mount --bind "$0/tun" /dev/net/tun; exec "$@"' "$stage/dev")
  XML_DIR=$stage/results
  run_pytest net-user 120 "${with_tun[@]}" runuser -u "$TEST_USER" -- env -i "--chdir=$stage" LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 \
    "HOME=$stage/results" "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" "PYRO_TAP_GUEST=$stage/tap_guest" \
    ${PYRO_NET_TEST_MB:+"PYRO_NET_TEST_MB=$PYRO_NET_TEST_MB"} tests/net/sandbox :: "$@"
  rm -rf "$stage"
}

# The end-to-end tests find the installation in PYRO_TEST_PREFIX, and keep environments from run to
# run under XDG_CACHE_HOME, unless PYRO_TEST_FRESH_PULL=1 makes them pull everything anew.
run_e2e() {
  local expr=$1
  if ! compgen -G 'tests/e2e/test_*.py' >/dev/null; then
    record failed 'end-to-end tests' 'tests/e2e holds no test'
    return
  fi
  local -a words=()
  [[ -z $expr ]] || words=(-k "$expr")
  if ((EUID == 0)); then
    # Side by side: most of their time both wait, and what they start has nothing in common.
    make_test_user
    e2e_here root "$BUILD/e2e/root" "${words[@]}" &
    local as_root=$!
    e2e_as_user "${words[@]}" &
    local as_user=$!
    # shellcheck disable=SC2064
    trap "kill $as_root $as_user 2>/dev/null || true; wait; exit 130" INT TERM
    wait "$as_root" "$as_user" || true  # what is missing is noticed by its result
    trap - INT TERM
  else
    record skipped 'end-to-end tests as root' 'this run is not root; start ./dev/test as root for both halves'
    e2e_here user "$BUILD/e2e/$(id -un)" "${words[@]}"
  fi
}
# e2e_here NAME DATA WORDS...: as the user that we are.
e2e_here() {
  local name=$1 data=$2
  shift 2
  mkdir -p "$data/cache" "$data/state"
  local -a env=(env -u PYRO_HOME -u PYRO_CACHE_DIR "PYRO_TEST_PREFIX=$PREFIX" "XDG_CACHE_HOME=$data/cache" "XDG_STATE_HOME=$data/state")
  note_accelerator "$name" "${env[@]}"
  XML_DIR=$RESULTS
  run_pytest "e2e-$name" 600 "${env[@]}" :: tests/e2e "$@"
  # The tests may have pulled their environments into a cache that is gone. It chooses no tests by name.
  (($# > 0)) || "${env[@]}" "$PREFIX/bin/pyro" env pull debian:12 >"$LOGS/pull-$name.log" 2>&1 || true
  (($# > 0)) || check "workspaces on a real guest, as $name" "${env[@]}" \
    "PYRO_LIBEXEC=$PREFIX/libexec/pyro" "$BUILD/ci/tests/pyro_guest_tests"
}
# The throwaway user keeps its home (pulled environments) between runs. Tests and installation are
# copied to where it may read them: the repository may lie in a private folder.
e2e_as_user() {
  local home stage=/var/tmp/$TEST_USER-stage
  home=$(getent passwd "$TEST_USER" | cut -d: -f6)
  rm -rf "$stage"
  mkdir -p "$stage"
  cp -a "$PREFIX" "$stage/prefix"
  cp -a tests "$stage/tests"
  cp -a ./*.md docs examples "$stage"  # tests run what they show
  [[ ! -d bench ]] || cp -a bench "$stage/bench"
  chown -R root:root "$stage"
  chmod -R a+rX,go-w "$stage"
  # A folder for the results only; the rest stays root's.
  install -d -o "$TEST_USER" -m 0755 "$stage/results"
  local -a as_user=(runuser -u "$TEST_USER" -- env -i "--chdir=$stage" "HOME=$home" "USER=$TEST_USER" "LOGNAME=$TEST_USER" "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 "PYRO_TEST_PREFIX=$stage/prefix"
    "PYRO_TEST_FRESH_PULL=${PYRO_TEST_FRESH_PULL:-0}" "PYRO_TEST_NIGHTLY=${PYRO_TEST_NIGHTLY:-0}")
  note_accelerator user "${as_user[@]}"
  XML_DIR=$stage/results
  run_pytest e2e-user 600 "${as_user[@]}" :: tests/e2e "$@"
  rm -rf "$stage"
}
make_test_user() {
  if ! getent passwd "$TEST_USER" >/dev/null; then
    useradd --create-home --home-dir "/var/lib/$TEST_USER" --shell /bin/sh --comment 'pyro end-to-end tests' "$TEST_USER"
    say "made the user $TEST_USER for the tests; 'userdel -r $TEST_USER' removes it"
  fi
  local kind start
  for kind in subuid subgid; do
    grep -q "^$TEST_USER:" "/etc/$kind" 2>/dev/null && continue
    # Above every range that the file has.
    start=$(awk -F: 'BEGIN { top = 100000 } $2 + $3 > top { top = $2 + $3 } END { print top }' "/etc/$kind" 2>/dev/null || echo 100000)
    usermod "--add-${kind}s" "$start-$((start + 65535))" "$TEST_USER"
  done
}
# note_accelerator NAME COMMAND_PREFIX...: what the guests of this half run on, from pyro doctor.
note_accelerator() {
  local name=$1 pyro=$PREFIX/bin/pyro words
  shift
  for words in "$@"; do [[ $words != PYRO_TEST_PREFIX=* ]] || pyro=${words#*=}/bin/pyro; done
  words=$("$@" "$pyro" doctor --json 2>/dev/null | "$PYTHON" dev/summarize.py --accelerator || true)
  words="Guests of the end-to-end tests as $name ran on: ${words:-unknown}"
  printf '%s\n' "$words" >>"$RESULTS/accelerators"
  say "$words"
}
