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
_pyro_files() {
  COMPREPLY=()
  compopt -o default 2>/dev/null
}
_pyro() {
  local line=${COMP_LINE:0:COMP_POINT}
  local -a words
  read -r -a words <<<"$line"
  if [[ $line == *[[:space:]] ]]; then words+=(""); fi
  local last=$((${#words[@]} - 1))
  local cur=${words[last]} prev= path= n=0 value= i
  COMPREPLY=()
  if ((last > 0)); then prev=${words[last - 1]}; fi
  for ((i = 1; i < last; i++)); do
    if [[ $value ]]; then
      value=
      continue
    fi
    case ${words[i]} in
    --) _pyro_files; return ;;
    --vcpu-count | --mem-mib | --timeout-seconds | --ttl-seconds | --boot | --ttl-action | --network-policy | --seed-path | --secret | --secret-file | --name | --label | --env | --remove-label | --secret-env | --cwd | --dest | --output | --snapshot | --max-bytes | --input | --mode) value=1 ;;
    -*) ;;
    *)
      case $path in
      "" | "env" | "workspace" | "workspace sync" | "workspace snapshot" | "workspace file" | "workspace patch" | "workspace disk") path=${path:+$path }${words[i]} ;;
      *) n=$((n + 1)) ;;
      esac ;;
    esac
  done
  case $prev in
  --vcpu-count) _pyro_offer ""; return ;;
  --mem-mib) _pyro_offer ""; return ;;
  --timeout-seconds) _pyro_offer ""; return ;;
  --ttl-seconds) _pyro_offer ""; return ;;
  --boot) _pyro_offer "template cold"; return ;;
  --ttl-action) _pyro_offer "stop delete"; return ;;
  --network-policy) _pyro_offer "off egress egress+published-ports"; return ;;
  --seed-path) _pyro_files; return ;;
  --secret) _pyro_offer ""; return ;;
  --secret-file) _pyro_offer ""; return ;;
  --name) _pyro_offer ""; return ;;
  --label) _pyro_offer ""; return ;;
  --env) _pyro_offer ""; return ;;
  --remove-label) _pyro_offer ""; return ;;
  --secret-env) _pyro_offer ""; return ;;
  --cwd) _pyro_offer ""; return ;;
  --dest) _pyro_offer ""; return ;;
  --output) _pyro_files; return ;;
  --snapshot) _pyro_offer ""; return ;;
  --max-bytes) _pyro_offer ""; return ;;
  --input) _pyro_files; return ;;
  --mode) _pyro_offer ""; return ;;
  esac
  case $path in
  "") if [[ $cur == -* ]]; then _pyro_offer "--help --version"; else _pyro_offer "env workspace run doctor demo completion help"; fi ;;
  "env") _pyro_offer "list pull inspect prune --help" ;;
  "workspace") _pyro_offer "sync snapshot file patch disk create list status update delete stop start logs exec export diff reset summary --help" ;;
  "workspace sync") _pyro_offer "push --help" ;;
  "workspace snapshot") _pyro_offer "create list delete --help" ;;
  "workspace file") _pyro_offer "list read write --help" ;;
  "workspace patch") _pyro_offer "apply --help" ;;
  "workspace disk") _pyro_offer "export list read --help" ;;
  "run") if [[ $cur == -* ]]; then _pyro_offer "--vcpu-count --mem-mib --timeout-seconds --ttl-seconds --network --allow-host-compat --boot --json --help"; else case $n in 0) _pyro_offer "$(pyro help --environments 2>/dev/null)" ;; esac; fi ;;
  "env list") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else _pyro_offer ""; fi ;;
  "env pull") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --environments 2>/dev/null)" ;; esac; fi ;;
  "env inspect") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --environments 2>/dev/null)" ;; esac; fi ;;
  "env prune") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else _pyro_offer ""; fi ;;
  "workspace create") if [[ $cur == -* ]]; then _pyro_offer "--vcpu-count --mem-mib --ttl-seconds --ttl-action --network-policy --allow-host-compat --seed-path --git-tracked --secret --secret-file --name --label --env --id-only --json --help"; else case $n in 0) _pyro_offer "$(pyro help --environments 2>/dev/null)" ;; esac; fi ;;
  "workspace list") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else _pyro_offer ""; fi ;;
  "workspace status") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace update") if [[ $cur == -* ]]; then _pyro_offer "--name --clear-name --label --remove-label --ttl-seconds --no-ttl --ttl-action --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace delete") if [[ $cur == -* ]]; then _pyro_offer "--all --json --help"; else case $n in *) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace stop") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace start") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace logs") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace exec") if [[ $cur == -* ]]; then _pyro_offer "--timeout-seconds --secret-env --cwd --env --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace sync push") if [[ $cur == -* ]]; then _pyro_offer "--dest --git-tracked --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_files ;; esac; fi ;;
  "workspace export") if [[ $cur == -* ]]; then _pyro_offer "--output --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "" ;; esac; fi ;;
  "workspace diff") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace snapshot create") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "" ;; esac; fi ;;
  "workspace snapshot list") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace snapshot delete") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "" ;; esac; fi ;;
  "workspace reset") if [[ $cur == -* ]]; then _pyro_offer "--snapshot --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace file list") if [[ $cur == -* ]]; then _pyro_offer "--recursive --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "" ;; esac; fi ;;
  "workspace file read") if [[ $cur == -* ]]; then _pyro_offer "--max-bytes --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "" ;; esac; fi ;;
  "workspace file write") if [[ $cur == -* ]]; then _pyro_offer "--input --mode --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "" ;; esac; fi ;;
  "workspace patch apply") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_files ;; esac; fi ;;
  "workspace disk export") if [[ $cur == -* ]]; then _pyro_offer "--output --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "" ;; esac; fi ;;
  "workspace disk list") if [[ $cur == -* ]]; then _pyro_offer "--recursive --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "" ;; esac; fi ;;
  "workspace disk read") if [[ $cur == -* ]]; then _pyro_offer "--max-bytes --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "" ;; esac; fi ;;
  "workspace summary") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "doctor") if [[ $cur == -* ]]; then _pyro_offer "--fresh --json --help"; else _pyro_offer ""; fi ;;
  "demo") if [[ $cur == -* ]]; then _pyro_offer "--network --json --help"; else _pyro_offer ""; fi ;;
  "completion") if [[ $cur == -* ]]; then _pyro_offer "--help"; else case $n in 0) _pyro_offer "bash zsh fish" ;; esac; fi ;;
  esac
}
complete -F _pyro pyro
