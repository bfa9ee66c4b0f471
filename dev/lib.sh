# Shell functions shared by the dev/ scripts. Source it; it changes into the repository root.
# shellcheck shell=bash
# Every step prints one line with the seconds since the start. What a step printed goes to a log
# that is shown (its end) when the step fails.

set -euo pipefail
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export REPO
cd "$REPO"
SECONDS=0
# PYRO_BUILD_ROOT moves all build folders, for example onto a faster disk.
BUILD=${PYRO_BUILD_ROOT:-$REPO/build}
[[ $BUILD == /* ]] || BUILD=$REPO/$BUILD
LOGS=$BUILD/logs
# Debian's python3 and tools, whatever else stands first in PATH.
export PYTHON=/usr/bin/python3
export PYTHONDONTWRITEBYTECODE=1
# One cache entry for the same file in every checkout and build folder.
export CCACHE_BASEDIR=$REPO CCACHE_NOHASHDIR=1
TOTAL_STEPS=0
STEP=0

if [[ -t 2 && -z ${NO_COLOR:-} ]]; then
  BOLD=$'\e[1m' RED=$'\e[31m' YELLOW=$'\e[33m' PLAIN=$'\e[0m'
else
  BOLD='' RED='' YELLOW='' PLAIN=''
fi

say() { printf '[%4ds] %s\n' "$SECONDS" "$*" >&2; }
warn() { printf '[%4ds] %swarning:%s %s\n' "$SECONDS" "$YELLOW" "$PLAIN" "$*" >&2; }
# die MESSAGE [NEXT_STEP...]
die() {
  printf '[%4ds] %serror:%s %s\n' "$SECONDS" "$RED" "$PLAIN" "$1" >&2
  shift
  local line
  for line in "$@"; do printf '        %s\n' "$line" >&2; done
  exit 1
}
# The title of the next big step. Set TOTAL_STEPS first to get "2/5".
step() {
  STEP=$((STEP + 1))
  local of=''
  ((TOTAL_STEPS > 0)) && of="$STEP/$TOTAL_STEPS "
  printf '[%4ds] %s%s%s%s\n' "$SECONDS" "$BOLD" "$of" "$*" "$PLAIN" >&2
}

# logged NAME COMMAND...: runs it with its output in $LOGS/NAME.log. While it runs, a line every 15
# seconds (on a terminal: one line that is written over) shows its last output. Returns its status;
# a failure shows the end of the log and where the rest is.
logged() {
  local name=$1
  shift
  mkdir -p "$LOGS"
  local log=$LOGS/$name.log started=$SECONDS pid status=0
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  # An interrupt ends the child too: in a script, background jobs ignore the terminal's Ctrl-C.
  # shellcheck disable=SC2064
  trap "kill $pid 2>/dev/null || true; exit 130" INT TERM
  local last_shown=$SECONDS
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    if [[ -t 2 ]]; then
      ((SECONDS > last_shown)) && progress_line "$log" $'\r\e[K' ''
      ((SECONDS > last_shown)) && last_shown=$SECONDS
    elif ((SECONDS - last_shown >= 15)); then
      last_shown=$SECONDS
      progress_line "$log" '' $'\n'
    fi
  done
  wait "$pid" || status=$?
  trap - INT TERM
  [[ -t 2 ]] && printf '\r\e[K' >&2
  if ((status != 0)); then
    printf '[%4ds] %s failed with status %d after %d s; the end of its output:\n' \
      "$SECONDS" "$name" "$status" "$((SECONDS - started))" >&2
    tail -n 30 "$log" | sed 's/^/    | /' >&2
    printf '    all of it: %s\n' "$log" >&2
  fi
  return "$status"
}
progress_line() {
  local text
  text=$(tail -c 400 "$1" | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | cut -c1-90) || true
  printf '%s[%4ds]   %s%s' "$2" "$SECONDS" "$text" "$3" >&2
}

# packages_of SECTION...: the package names of these sections of dev/packages.
packages_of() {
  local section
  for section in "$@"; do
    grep -qx "\[$section\]" "$REPO/dev/packages" || die "dev/packages has no section [$section]"
    awk -v want="[$section]" '/^\[/ { in_it = ($1 == want); next } in_it && NF && $1 !~ /^#/ { print $1 }' \
      "$REPO/dev/packages"
  done
}
# missing_packages NAME...: those that are not installed.
missing_packages() {
  local name
  # dpkg-query prints what it knows and complains about the rest: a name is installed when it is
  # listed as such.
  local installed
  installed=$(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null | awk '$1 == "ii" { print $2 }') || true
  for name in "$@"; do
    grep -qxF "$name" <<<"$installed" || printf '%s\n' "$name"
  done
}
# ensure_packages SECTION...: installs what is missing, as root or, after asking, with sudo.
ensure_packages() {
  command -v dpkg-query >/dev/null || die 'this is no Debian system (there is no dpkg-query)' \
    'Install the counterparts of the packages in dev/packages by hand, then run this again with --any-os.'
  local wanted missing
  mapfile -t wanted < <(packages_of "$@")
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  if ((${#missing[@]} == 0)); then
    say "packages: all ${#wanted[@]} are installed"
    return
  fi
  say "packages: ${#missing[@]} of ${#wanted[@]} are missing: ${missing[*]}"
  local -a as_root=()
  if ((EUID != 0)); then
    local by_hand="apt-get update && apt-get install ${missing[*]}"
    if [[ ! -t 0 || ! -t 2 ]]; then
      die 'these packages are missing, and there is no terminal to ask for permission to use sudo' \
        "Run as root: $by_hand"
    fi
    command -v sudo >/dev/null || die 'these packages are missing, you are not root and there is no sudo' \
      "Run as root: $by_hand"
    local answer
    read -r -p 'Install them with sudo apt-get? [y/N] ' answer
    [[ $answer == [yY]* ]] || die 'nothing was installed' "Run as root: $by_hand" 'Then start this again.'
    as_root=(sudo)
    sudo -v || die 'sudo was refused' "Run as root: $by_hand"
  fi
  install_packages "${missing[@]}"
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  ((${#missing[@]} == 0)) || die "still missing after the installation: ${missing[*]}" \
    "Look at $LOGS/apt-install.log."
}
# Uses as_root of its caller. The package lists are fetched only when an installation needs them:
# when there are none, or when they name versions that the mirror no longer has.
install_packages() {
  local -a apt=(${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get)
  local updated=no
  if ! "${apt[@]}" --simulate install --no-install-recommends "$@" >/dev/null 2>&1; then
    update_lists
    updated=yes
  fi
  if logged apt-install "${apt[@]}" install -y --no-install-recommends "$@"; then return; fi
  [[ $updated == no ]] || die 'the packages could not be installed' "The reason stands above; full log: $LOGS/apt-install.log"
  say 'trying once more with fresh package lists'
  update_lists
  logged apt-install "${apt[@]}" install -y --no-install-recommends "$@" ||
    die 'the packages could not be installed' "The reason stands above; full log: $LOGS/apt-install.log"
}
update_lists() {
  logged apt-update "${apt[@]}" update || die 'the package lists could not be fetched from the Debian mirror' \
    'Check the network and /etc/apt/sources.list*, then start this again.'
}

# Parallel jobs: one for each core, and 1.5 GB of memory for each.
jobs_to_use() {
  local cores memory
  cores=$(nproc)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 1500000) }' /proc/meminfo)
  ((memory < 1)) && memory=1
  ((memory < cores)) && cores=$memory
  printf '%s\n' "$cores"
}
# configure_preset PRESET: makes $BUILD/PRESET when it is not there; ninja keeps it current afterwards.
configure_preset() {
  [[ ! -f $BUILD/$1/build.ninja ]] || return 0
  logged "configure-$1" cmake --preset "$1" -B "$BUILD/$1" ||
    die "cmake could not configure the preset $1" 'A missing package is the usual reason: see dev/packages.'
}
# build_preset PRESET [TARGET...]
build_preset() {
  local preset=$1
  shift
  configure_preset "$preset"
  logged "build-$preset" ninja -C "$BUILD/$preset" -j "$(jobs_to_use)" "$@" || die "the build of preset $preset failed"
}
# install_preset PRESET PREFIX
install_preset() {
  logged "install-$1" cmake --install "$BUILD/$1" --prefix "$2" || die "could not install to $2" \
    'Is the folder writable? Choose another with --prefix.'
}

# require_platform ANY_OS: pyro is built for Debian 12 on x86_64.
require_platform() {
  local machine
  machine=$(uname -m)
  [[ $machine == x86_64 ]] || die "this machine is $machine; pyro runs on x86_64 only"
  local id='' version=''
  # shellcheck source=/dev/null
  [[ ! -r /etc/os-release ]] || { id=$(. /etc/os-release && echo "${ID:-}") version=$(. /etc/os-release && echo "${VERSION_ID:-}"); }
  if [[ $id != debian || $version != 12 ]]; then
    [[ $1 == yes ]] || die "this is ${id:-an unknown system} ${version}, and the package names are those of Debian 12" \
      'Use a Debian 12 machine, or install the counterparts of dev/packages yourself and add --any-os.'
    warn "this is ${id:-an unknown system} ${version}, not Debian 12: going on because of --any-os"
  fi
}

# The words that a user can act on when an ordinary user cannot have namespaces; silent when fine.
# Prints one line for each problem.
namespace_problems() {
  ((EUID == 0)) && return 0
  if ! unshare --user --map-root-user true 2>/dev/null; then
    echo 'user namespaces are not available to you. As root: sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=15000 (inside a container: allow them there, or run pyro as root)'
  fi
  local kind me
  me=$(id -un)
  for kind in subuid subgid; do
    if ! awk -F: -v name="$me" -v uid="$UID" '($1 == name || $1 == uid) && $3 >= 65536 { found = 1 } END { exit !found }' "/etc/$kind" 2>/dev/null; then
      echo "you have no range of 65536 ids in /etc/$kind. As root: usermod --add-${kind}s 100000-165535 $me (choose a range that nobody else in the file has)"
    fi
  done
}
