# bash completion for pyro
_pyro_offer() {
  local cur=${COMP_LINE:0:COMP_POINT}
  cur=${cur##*[[:space:]]}
  # Readline splits words at ':', so only what follows the last one is to be given.
  local cut=
  if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then cut=${cur%"${cur##*:}"}; fi
  local word
  COMPREPLY=()
  for word in $1; do
    if [[ $word == "$cur"* ]]; then COMPREPLY+=("${word#"$cut"}"); fi
  done
}
_pyro() {
  local line=${COMP_LINE:0:COMP_POINT}
  local -a words
  read -r -a words <<<"$line"
  if [[ $line == *[[:space:]] ]]; then words+=(""); fi
  local last=$((${#words[@]} - 1))
  local cur=${words[last]} prev= path= n=0 i
  if ((last > 0)); then prev=${words[last - 1]}; fi
  for ((i = 1; i < last; i++)); do
    case ${words[i]} in
    --) compopt -o default 2>/dev/null; COMPREPLY=(); return ;;
    -*) ;;
    *)
      n=$((n + 1))
      case $n in
      1) path=${words[i]} ;;
      2) case $path in
         env) path="$path ${words[i]}" ;;
         esac ;;
      esac ;;
    esac
  done
  case $prev in
    --vcpu-count) _pyro_offer ""; return ;;
    --mem-mib) _pyro_offer ""; return ;;
    --timeout-seconds) _pyro_offer ""; return ;;
    --ttl-seconds) _pyro_offer ""; return ;;
    --boot) _pyro_offer "template cold"; return ;;
  esac
  case $path in
  "") if [[ $cur == -* ]]; then _pyro_offer "--help --version"; else _pyro_offer "env run doctor demo completion help"; fi ;;
  env) _pyro_offer "list pull inspect prune --help" ;;
  "run") if [[ $cur == -* ]]; then _pyro_offer "--vcpu-count --mem-mib --timeout-seconds --ttl-seconds --network --allow-host-compat --boot --json --help"; else _pyro_offer "$(pyro help --environments 2>/dev/null)"; fi ;;
  "env list") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else _pyro_offer ""; fi ;;
  "env pull") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else _pyro_offer "$(pyro help --environments 2>/dev/null)"; fi ;;
  "env inspect") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else _pyro_offer "$(pyro help --environments 2>/dev/null)"; fi ;;
  "env prune") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else _pyro_offer ""; fi ;;
  "doctor") if [[ $cur == -* ]]; then _pyro_offer "--fresh --json --help"; else _pyro_offer ""; fi ;;
  "demo") if [[ $cur == -* ]]; then _pyro_offer "--network --json --help"; else _pyro_offer ""; fi ;;
  "completion") if [[ $cur == -* ]]; then _pyro_offer "--help"; else _pyro_offer "bash zsh fish"; fi ;;
  esac
}
complete -F _pyro pyro
