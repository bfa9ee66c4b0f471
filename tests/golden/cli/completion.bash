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
  local cur=${words[last]} prev= path= first= n=0 value= i
  COMPREPLY=()
  if ((last > 0)); then prev=${words[last - 1]}; fi
  for ((i = 1; i < last; i++)); do
    if [[ $value ]]; then
      value=
      continue
    fi
    case ${words[i]} in
    --) _pyro_files; return ;;
    --vcpu-count | --mem-mib | --timeout-seconds | --ttl-seconds | --network-policy | --net-allow | --net-deny | --policy | --smolfile | --boot | --ttl-action | --seed-path | --secret | --secret-file | --name | --label | --env | --remove-label | --tail | --sequence | --secret-env | --cwd | --dest | --output | --snapshot | --max-bytes | --input | --mode | --cols | --rows | --cursor | --max-chars | --wait-for-idle-ms | --wait-timeout-ms | --signal | --detach-key | --ready-file | --ready-tcp | --ready-http | --ready-command | --ready-timeout-seconds | --ready-interval-ms | --restart | --publish | --tail-lines | --profile | --http | --token-file | --project-path | --host-path | --config | --backend | --probe | --base-url | --model) value=1 ;;
    -*) ;;
    *)
      case $path in
      "" | "env" | "network" | "workspace" | "workspace sync" | "workspace snapshot" | "workspace file" | "workspace patch" | "workspace network" | "workspace disk" | "workspace shell" | "workspace service" | "mcp" | "policy" | "smolfile" | "selftest" | "demo") path=${path:+$path }${words[i]} ;;
      *) n=$((n + 1)); first=${first:-${words[i]}} ;;
      esac ;;
    esac
  done
  case $prev in
  --vcpu-count) _pyro_offer ""; return ;;
  --mem-mib) _pyro_offer ""; return ;;
  --timeout-seconds) _pyro_offer ""; return ;;
  --ttl-seconds) _pyro_offer ""; return ;;
  --network-policy) _pyro_offer "off egress egress+published-ports"; return ;;
  --net-allow) _pyro_offer ""; return ;;
  --net-deny) _pyro_offer ""; return ;;
  --policy) _pyro_files; return ;;
  --smolfile) _pyro_files; return ;;
  --boot) _pyro_offer "template cold"; return ;;
  --ttl-action) _pyro_offer "stop delete"; return ;;
  --seed-path) _pyro_files; return ;;
  --secret) _pyro_offer ""; return ;;
  --secret-file) _pyro_offer ""; return ;;
  --name) _pyro_offer ""; return ;;
  --label) _pyro_offer ""; return ;;
  --env) _pyro_offer ""; return ;;
  --remove-label) _pyro_offer ""; return ;;
  --tail) _pyro_offer ""; return ;;
  --sequence) _pyro_offer ""; return ;;
  --secret-env) _pyro_offer ""; return ;;
  --cwd) _pyro_offer ""; return ;;
  --dest) _pyro_offer ""; return ;;
  --output) _pyro_files; return ;;
  --snapshot) _pyro_offer ""; return ;;
  --max-bytes) _pyro_offer ""; return ;;
  --input) case $path in "workspace file write") _pyro_files ;; "workspace shell write") _pyro_offer "" ;; esac; return ;;
  --mode) _pyro_offer ""; return ;;
  --cols) _pyro_offer ""; return ;;
  --rows) _pyro_offer ""; return ;;
  --cursor) _pyro_offer ""; return ;;
  --max-chars) _pyro_offer ""; return ;;
  --wait-for-idle-ms) _pyro_offer ""; return ;;
  --wait-timeout-ms) _pyro_offer ""; return ;;
  --signal) _pyro_offer "HUP INT TERM KILL QUIT TSTP CONT"; return ;;
  --detach-key) _pyro_offer ""; return ;;
  --ready-file) _pyro_offer ""; return ;;
  --ready-tcp) _pyro_offer ""; return ;;
  --ready-http) _pyro_offer ""; return ;;
  --ready-command) _pyro_offer ""; return ;;
  --ready-timeout-seconds) _pyro_offer ""; return ;;
  --ready-interval-ms) _pyro_offer ""; return ;;
  --restart) _pyro_offer "no on-failure always"; return ;;
  --publish) _pyro_offer ""; return ;;
  --tail-lines) _pyro_offer ""; return ;;
  --profile) _pyro_offer "vm-run workspace-core workspace-full"; return ;;
  --http) _pyro_offer ""; return ;;
  --token-file) _pyro_files; return ;;
  --project-path) _pyro_files; return ;;
  --host-path) _pyro_files; return ;;
  --config) _pyro_files; return ;;
  --backend) _pyro_offer ""; return ;;
  --probe) _pyro_offer ""; return ;;
  --base-url) _pyro_offer ""; return ;;
  --model) _pyro_offer ""; return ;;
  esac
  case $path in
  "") if [[ $cur == -* ]]; then _pyro_offer "--help --version"; else _pyro_offer "env network workspace mcp policy smolfile selftest run doctor demo completion help"; fi ;;
  "env") _pyro_offer "list pull inspect prune --help" ;;
  "network") _pyro_offer "info --help" ;;
  "workspace") _pyro_offer "sync snapshot file patch network disk shell service create list status update delete stop start logs exec export diff reset summary --help" ;;
  "workspace sync") _pyro_offer "push --help" ;;
  "workspace snapshot") _pyro_offer "create list delete --help" ;;
  "workspace file") _pyro_offer "list read write --help" ;;
  "workspace patch") _pyro_offer "apply --help" ;;
  "workspace network") _pyro_offer "show set events --help" ;;
  "workspace disk") _pyro_offer "export list read --help" ;;
  "workspace shell") _pyro_offer "open read write signal resize list close attach --help" ;;
  "workspace service") _pyro_offer "start list status logs stop restart --help" ;;
  "mcp") _pyro_offer "serve install --help" ;;
  "policy") _pyro_offer "check explain --help" ;;
  "smolfile") _pyro_offer "render --help" ;;
  "selftest") _pyro_offer "escape smoke --help" ;;
  "demo") _pyro_offer "ollama --network --json --help" ;;
  "run") if [[ $cur == -* ]]; then _pyro_offer "--vcpu-count --mem-mib --timeout-seconds --ttl-seconds --network --network-policy --net-allow --net-deny --allow-udp --allow-icmp --policy --smolfile --allow-host-compat --boot --json --help"; else case $n in 0) _pyro_offer "$(pyro help --environments 2>/dev/null)" ;; esac; fi ;;
  "env list") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else _pyro_offer ""; fi ;;
  "env pull") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --environments 2>/dev/null)" ;; esac; fi ;;
  "env inspect") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --environments 2>/dev/null)" ;; esac; fi ;;
  "env prune") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else _pyro_offer ""; fi ;;
  "workspace create") if [[ $cur == -* ]]; then _pyro_offer "--vcpu-count --mem-mib --ttl-seconds --ttl-action --network-policy --net-allow --net-deny --allow-udp --allow-icmp --policy --smolfile --allow-host-compat --seed-path --git-tracked --secret --secret-file --name --label --env --id-only --json --help"; else case $n in 0) _pyro_offer "$(pyro help --environments 2>/dev/null)" ;; esac; fi ;;
  "workspace list") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else _pyro_offer ""; fi ;;
  "workspace status") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace update") if [[ $cur == -* ]]; then _pyro_offer "--name --clear-name --label --remove-label --ttl-seconds --no-ttl --ttl-action --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace delete") if [[ $cur == -* ]]; then _pyro_offer "--all --json --help"; else case $n in *) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace stop") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace start") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace logs") if [[ $cur == -* ]]; then _pyro_offer "--tail --sequence --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
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
  "workspace network show") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace network set") if [[ $cur == -* ]]; then _pyro_offer "--network-policy --net-allow --net-deny --allow-udp --allow-icmp --policy --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace network events") if [[ $cur == -* ]]; then _pyro_offer "--tail --all --follow --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace disk export") if [[ $cur == -* ]]; then _pyro_offer "--output --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "" ;; esac; fi ;;
  "workspace disk list") if [[ $cur == -* ]]; then _pyro_offer "--recursive --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "" ;; esac; fi ;;
  "workspace disk read") if [[ $cur == -* ]]; then _pyro_offer "--max-bytes --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "" ;; esac; fi ;;
  "workspace summary") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace shell open") if [[ $cur == -* ]]; then _pyro_offer "--cwd --cols --rows --secret-env --id-only --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace shell read") if [[ $cur == -* ]]; then _pyro_offer "--cursor --max-chars --plain --wait-for-idle-ms --wait-timeout-ms --follow --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "$(pyro help --shells "$first" 2>/dev/null)" ;; esac; fi ;;
  "workspace shell write") if [[ $cur == -* ]]; then _pyro_offer "--input --no-newline --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "$(pyro help --shells "$first" 2>/dev/null)" ;; esac; fi ;;
  "workspace shell signal") if [[ $cur == -* ]]; then _pyro_offer "--signal --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "$(pyro help --shells "$first" 2>/dev/null)" ;; esac; fi ;;
  "workspace shell resize") if [[ $cur == -* ]]; then _pyro_offer "--cols --rows --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "$(pyro help --shells "$first" 2>/dev/null)" ;; esac; fi ;;
  "workspace shell list") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace shell close") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "$(pyro help --shells "$first" 2>/dev/null)" ;; esac; fi ;;
  "workspace shell attach") if [[ $cur == -* ]]; then _pyro_offer "--cwd --secret-env --detach-key --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "$(pyro help --shells "$first" 2>/dev/null)" ;; esac; fi ;;
  "workspace service start") if [[ $cur == -* ]]; then _pyro_offer "--cwd --ready-file --ready-tcp --ready-http --ready-command --ready-timeout-seconds --ready-interval-ms --secret-env --env --restart --publish --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "" ;; esac; fi ;;
  "workspace service list") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "workspace service status") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "$(pyro help --services "$first" 2>/dev/null)" ;; esac; fi ;;
  "workspace service logs") if [[ $cur == -* ]]; then _pyro_offer "--tail-lines --all --follow --timestamps --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "$(pyro help --services "$first" 2>/dev/null)" ;; esac; fi ;;
  "workspace service stop") if [[ $cur == -* ]]; then _pyro_offer "--timeout-seconds --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "$(pyro help --services "$first" 2>/dev/null)" ;; esac; fi ;;
  "workspace service restart") if [[ $cur == -* ]]; then _pyro_offer "--timeout-seconds --json --help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; 1) _pyro_offer "$(pyro help --services "$first" 2>/dev/null)" ;; esac; fi ;;
  "mcp serve") if [[ $cur == -* ]]; then _pyro_offer "--profile --http --token-file --allow-remote --project-path --host-path --help"; else _pyro_offer ""; fi ;;
  "mcp install") if [[ $cur == -* ]]; then _pyro_offer "--profile --project-path --host-path --name --config --dry-run --print --help"; else case $n in 0) _pyro_offer "claude-code codex opencode vscode cursor" ;; esac; fi ;;
  "policy check") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_files ;; esac; fi ;;
  "policy explain") if [[ $cur == -* ]]; then _pyro_offer "--network-policy --net-allow --net-deny --allow-udp --allow-icmp --policy --json --help"; else case $n in *) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "smolfile render") if [[ $cur == -* ]]; then _pyro_offer "--help"; else case $n in 0) _pyro_offer "$(pyro help --workspaces 2>/dev/null)" ;; esac; fi ;;
  "selftest escape") if [[ $cur == -* ]]; then _pyro_offer "--backend --probe --markdown --json --help"; else _pyro_offer ""; fi ;;
  "selftest smoke") if [[ $cur == -* ]]; then _pyro_offer "--backend --json --help"; else _pyro_offer ""; fi ;;
  "doctor") if [[ $cur == -* ]]; then _pyro_offer "--fresh --json --help"; else _pyro_offer ""; fi ;;
  "demo ollama") if [[ $cur == -* ]]; then _pyro_offer "--base-url --model --verbose --help"; else _pyro_offer ""; fi ;;
  "completion") if [[ $cur == -* ]]; then _pyro_offer "--help"; else case $n in 0) _pyro_offer "bash zsh fish" ;; esac; fi ;;
  "network info") if [[ $cur == -* ]]; then _pyro_offer "--json --help"; else case $n in 0) _pyro_offer "" ;; esac; fi ;;
  esac
}
complete -F _pyro pyro
