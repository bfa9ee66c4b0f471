#compdef pyro
_pyro_environments() {
  local -a names
  names=(${(f)"$(pyro help --environments 2>/dev/null)"})
  compadd -a names
}
_pyro_workspaces() {
  local -a names
  names=(${(f)"$(pyro help --workspaces 2>/dev/null)"})
  compadd -a names
}
_pyro_shells() {
  local word first= value=
  for word in $words[2,CURRENT-1]; do
    if [[ -n $value ]]; then value=; continue; fi
    case $word in
    --vcpu-count | --mem-mib | --timeout-seconds | --ttl-seconds | --network-policy | --net-allow | --net-deny | --policy | --smolfile | --boot | --ttl-action | --seed-path | --secret | --secret-file | --name | --label | --env | --remove-label | --tail | --sequence | --secret-env | --cwd | --dest | --output | --snapshot | --max-bytes | --input | --mode | --cols | --rows | --cursor | --max-chars | --wait-for-idle-ms | --wait-timeout-ms | --signal | --detach-key | --ready-file | --ready-tcp | --ready-http | --ready-command | --ready-timeout-seconds | --ready-interval-ms | --restart | --publish | --tail-lines | --profile | --http | --token-file | --project-path | --host-path | --config | --backend | --probe | --base-url | --model) value=1 ;;
    -*) ;;
    *) first=$word; break ;;
    esac
  done
  local -a names
  names=(${(f)"$(pyro help --shells "$first" 2>/dev/null)"})
  compadd -a names
}
_pyro_services() {
  local word first= value=
  for word in $words[2,CURRENT-1]; do
    if [[ -n $value ]]; then value=; continue; fi
    case $word in
    --vcpu-count | --mem-mib | --timeout-seconds | --ttl-seconds | --network-policy | --net-allow | --net-deny | --policy | --smolfile | --boot | --ttl-action | --seed-path | --secret | --secret-file | --name | --label | --env | --remove-label | --tail | --sequence | --secret-env | --cwd | --dest | --output | --snapshot | --max-bytes | --input | --mode | --cols | --rows | --cursor | --max-chars | --wait-for-idle-ms | --wait-timeout-ms | --signal | --detach-key | --ready-file | --ready-tcp | --ready-http | --ready-command | --ready-timeout-seconds | --ready-interval-ms | --restart | --publish | --tail-lines | --profile | --http | --token-file | --project-path | --host-path | --config | --backend | --probe | --base-url | --model) value=1 ;;
    -*) ;;
    *) first=$word; break ;;
    esac
  done
  local -a names
  names=(${(f)"$(pyro help --services "$first" 2>/dev/null)"})
  compadd -a names
}
_pyro_command() {
  local at=${words[(i)--]}
  ((at < CURRENT)) || return
  words=("${(@)words[at+1,-1]}")
  ((CURRENT -= at))
  _normal
}
_pyro_env() {
  local -a commands
  commands=('list:List the environments of the catalogue' 'pull:Install or repair an environment' 'inspect:Show and check one environment' 'prune:Remove environments and templates that are not needed')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  list)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]'
    ;;
  pull)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:ENVIRONMENT:_pyro_environments'
    ;;
  inspect)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:ENVIRONMENT:_pyro_environments'
    ;;
  prune)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]'
    ;;
  esac
}
_pyro_network() {
  local -a commands
  commands=('info:Show the network of one VM')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  info)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:VM_ID: '
    ;;
  esac
}
_pyro_workspace() {
  local -a commands
  commands=('sync:Copy into a workspace' 'snapshot:Keep states of a workspace' 'file:Work with files of a workspace' 'patch:Apply patches to a workspace' 'network:See and change what a workspace may reach' 'disk:Read a stopped workspace' 'shell:Work in shells of a workspace' 'service:Run services in a workspace' 'create:Create a workspace and start it' 'list:List all workspaces' 'status:Show one workspace' 'update:Change name, labels or TTL of a workspace' 'delete:Delete workspaces and all they hold' 'stop:Stop a workspace and keep what it holds' 'start:Start a stopped workspace' 'logs:Show the commands that ran in a workspace and their output' 'exec:Run one command in a workspace' 'export:Copy a file or a folder out of a workspace' 'diff:Show what changed since the workspace was created' 'reset:Go back to the baseline or to a snapshot' 'summary:Show what happened in a workspace since its last reset')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  sync) _pyro_workspace_sync ;;
  snapshot) _pyro_workspace_snapshot ;;
  file) _pyro_workspace_file ;;
  patch) _pyro_workspace_patch ;;
  network) _pyro_workspace_network ;;
  disk) _pyro_workspace_disk ;;
  shell) _pyro_workspace_shell ;;
  service) _pyro_workspace_service ;;
  create)
    _arguments -S \
      '--vcpu-count[Virtual CPUs of the guest]:N: ' \
      '--mem-mib[Memory of the guest in MiB]:N: ' \
      '--ttl-seconds[Let the workspace expire after this many seconds; without it, it stays until it is deleted]:N: ' \
      '--ttl-action[What happens then\: stop it and delete it a day later, or delete it at once]:ACTION:(stop delete)' \
      '--network-policy[Network of the guest; a rule makes it egress]:POLICY:(off egress egress+published-ports)' \
      '*--net-allow[Allow these endpoints and no others, as HOST\:PORTS]:RULE: ' \
      '*--net-deny[Deny these endpoints, whatever else allows them]:RULE: ' \
      '--allow-udp[Allow the endpoints of --net-allow over UDP as well as over TCP]' \
      '--allow-icmp[Allow ICMP echo (ping) to the hosts of --net-allow]' \
      '--policy[Take the whole network policy from a TOML file, instead of all these options]:FILE:_files' \
      '--smolfile[Take from a Smolfile what is not given here]:FILE:_files' \
      '--allow-host-compat[Allow a weaker backend when no guest can run; this version has none, so it changes nothing]' \
      '--seed-path[Folder or archive of the host that /workspace begins with]:PATH:_files' \
      '--git-tracked[Take only what git tracks in the folder]' \
      '*--secret[Give the guest a secret; other users of this host can see the value in the list of processes, so prefer --secret-file]:NAME=VALUE: ' \
      '*--secret-file[Give the guest the content of a file as a secret]:NAME=PATH: ' \
      '--name[A name that stands wherever the id can stand]:NAME: ' \
      '*--label[Keep a label with the workspace]:NAME=VALUE: ' \
      '*--env[Set a variable for every command in the workspace]:NAME=VALUE: ' \
      '--id-only[Print the id and nothing else]' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:ENVIRONMENT:_pyro_environments'
    ;;
  list)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]'
    ;;
  status)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces'
    ;;
  update)
    _arguments -S \
      '--name[Give it this name]:NAME: ' \
      '--clear-name[Take its name away]' \
      '*--label[Add or replace a label]:NAME=VALUE: ' \
      '*--remove-label[Remove a label]:NAME: ' \
      '--ttl-seconds[Let it expire after this many seconds, from now on]:N: ' \
      '--no-ttl[Let it stay until it is deleted]' \
      '--ttl-action[What happens when it expires]:ACTION:(stop delete)' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces'
    ;;
  delete)
    _arguments -S \
      '--all[Delete every workspace there is]' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '*:WORKSPACE:_pyro_workspaces'
    ;;
  stop)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces'
    ;;
  start)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces'
    ;;
  logs)
    _arguments -S \
      '--tail[Only so many commands, the last ones]:N: ' \
      '--sequence[Only the command of this number]:N: ' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces'
    ;;
  exec)
    _arguments -S \
      '--timeout-seconds[Stop the command after this many seconds, counted from its start]:N: ' \
      '*--secret-env[Give the command a secret of the workspace in a variable, by default of the same name]:NAME[=VARIABLE]: ' \
      '--cwd[Folder to run in, absolute or below /workspace]:PATH: ' \
      '*--env[Set a variable for this command]:NAME=VALUE: ' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '*:command:_pyro_command'
    ;;
  export)
    _arguments -S \
      '--output[Where to put it on the host]:HOST_PATH:_files' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:PATH: '
    ;;
  diff)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces'
    ;;
  reset)
    _arguments -S \
      '--snapshot[Snapshot to go back to]:NAME: ' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces'
    ;;
  summary)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces'
    ;;
  esac
}
_pyro_workspace_sync() {
  local -a commands
  commands=('push:Copy a folder or an archive into a workspace')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  push)
    _arguments -S \
      '--dest[Folder in the workspace, absolute or below /workspace]:PATH: ' \
      '--git-tracked[Take only what git tracks in the folder]' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:SOURCE_PATH:_files'
    ;;
  esac
}
_pyro_workspace_snapshot() {
  local -a commands
  commands=('create:Keep /workspace as it is under a name' 'list:List the baseline and the snapshots of a workspace' 'delete:Delete a snapshot')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  create)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:NAME: '
    ;;
  list)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces'
    ;;
  delete)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:NAME: '
    ;;
  esac
}
_pyro_workspace_file() {
  local -a commands
  commands=('list:List files of a workspace' 'read:Print a file of a workspace' 'write:Write a file of a workspace')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  list)
    _arguments -S \
      '--recursive[Go into folders]' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2::PATH: '
    ;;
  read)
    _arguments -S \
      '--max-bytes[Refuse a file of more bytes]:N: ' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:PATH: '
    ;;
  write)
    _arguments -S \
      '--input[File of the host with the content; otherwise standard input]:HOST_PATH:_files' \
      '--mode[Permission bits, for example 0755; without it 0644]:OCTAL: ' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:PATH: '
    ;;
  esac
}
_pyro_workspace_patch() {
  local -a commands
  commands=('apply:Apply a patch to a workspace')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  apply)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2::PATCH_FILE:_files'
    ;;
  esac
}
_pyro_workspace_network() {
  local -a commands
  commands=('show:Show the network policy of a workspace' 'set:Change the network policy of a workspace' 'events:Show what the network policy of a workspace allowed and refused')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  show)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces'
    ;;
  set)
    _arguments -S \
      '--network-policy[Network of the guest; a rule makes it egress]:POLICY:(off egress egress+published-ports)' \
      '*--net-allow[Allow these endpoints and no others, as HOST\:PORTS]:RULE: ' \
      '*--net-deny[Deny these endpoints, whatever else allows them]:RULE: ' \
      '--allow-udp[Allow the endpoints of --net-allow over UDP as well as over TCP]' \
      '--allow-icmp[Allow ICMP echo (ping) to the hosts of --net-allow]' \
      '--policy[Take the whole network policy from a TOML file, instead of all these options]:FILE:_files' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces'
    ;;
  events)
    _arguments -S \
      '--tail[Begin so many events before the end]:N: ' \
      '--all[Give all that is kept]' \
      '--follow[Go on with what is decided until the workspace is stopped]' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces'
    ;;
  esac
}
_pyro_workspace_disk() {
  local -a commands
  commands=('export:Copy a file or a folder out of a stopped workspace' 'list:List files of a stopped workspace' 'read:Print a file of a stopped workspace')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  export)
    _arguments -S \
      '--output[Where to put it on the host]:HOST_PATH:_files' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:PATH: '
    ;;
  list)
    _arguments -S \
      '--recursive[Go into folders]' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2::PATH: '
    ;;
  read)
    _arguments -S \
      '--max-bytes[Refuse a file of more bytes]:N: ' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:PATH: '
    ;;
  esac
}
_pyro_workspace_shell() {
  local -a commands
  commands=('open:Open a shell in a workspace' 'read:Show what a shell printed' 'write:Type into a shell' 'signal:Send a signal to what runs in a shell' 'resize:Change the size of the terminal of a shell' 'list:List the shells of a workspace' 'close:End a shell' 'attach:Work in a shell with this terminal')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  open)
    _arguments -S \
      '--cwd[Folder to run in, absolute or below /workspace]:PATH: ' \
      '--cols[Columns of its terminal]:N: ' \
      '--rows[Rows of its terminal]:N: ' \
      '*--secret-env[Give the command a secret of the workspace in a variable, by default of the same name]:NAME[=VARIABLE]: ' \
      '--id-only[Print nothing but the id of the new shell]' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces'
    ;;
  read)
    _arguments -S \
      '--cursor[Where to begin\: 0, or what an earlier read gave as next_cursor]:N: ' \
      '--max-chars[Read so many characters at most]:N: ' \
      '--plain[Give lines as a terminal would show them, without control sequences]' \
      '--wait-for-idle-ms[Wait first until nothing was printed for so many milliseconds]:N: ' \
      '--wait-timeout-ms[But not longer than this]:N: ' \
      '--follow[Go on with what is printed until the shell ends]' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:SHELL_ID:_pyro_shells'
    ;;
  write)
    _arguments -S \
      '--input[What to type]:TEXT: ' \
      '--no-newline[Type no newline after it]' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:SHELL_ID:_pyro_shells'
    ;;
  signal)
    _arguments -S \
      '--signal[Which one]:SIGNAL:(HUP INT TERM KILL QUIT TSTP CONT)' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:SHELL_ID:_pyro_shells'
    ;;
  resize)
    _arguments -S \
      '--cols[Columns of its terminal; without it they stay as they are]:N: ' \
      '--rows[Rows of its terminal; without it they stay as they are]:N: ' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:SHELL_ID:_pyro_shells'
    ;;
  list)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces'
    ;;
  close)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:SHELL_ID:_pyro_shells'
    ;;
  attach)
    _arguments -S \
      '--cwd[Folder to run in, absolute or below /workspace]:PATH: ' \
      '*--secret-env[Give the command a secret of the workspace in a variable, by default of the same name]:NAME[=VARIABLE]: ' \
      '--detach-key[ctrl- and one of a to z, \[, \\, \], ^ and _; or none\: every key goes to the shell]:KEY: ' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2::SHELL_ID:_pyro_shells'
    ;;
  esac
}
_pyro_workspace_service() {
  local -a commands
  commands=('start:Run a service in a workspace' 'list:List the services of a workspace' 'status:Show one service' 'logs:Show what a service printed' 'stop:End a service' 'restart:End a service and start it again')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  start)
    _arguments -S \
      '--cwd[Folder to run in, absolute or below /workspace]:PATH: ' \
      '--ready-file[It is ready when this file was written or changed after the start; a relative one lies below --cwd]:PATH: ' \
      '--ready-tcp[It is ready when PORT or HOST\:PORT in the guest takes connections]:ADDRESS: ' \
      '--ready-http[It is ready when http\://HOST\[\:PORT\]\[/PATH\] in the guest answers with 200 to 399]:URL: ' \
      '--ready-command[It is ready when /bin/sh -c COMMAND exits with 0]:COMMAND: ' \
      '--ready-timeout-seconds[How long it may take to get ready]:N: ' \
      '--ready-interval-ms[Time between two tries]:N: ' \
      '*--secret-env[Give the command a secret of the workspace in a variable, by default of the same name]:NAME[=VARIABLE]: ' \
      '*--env[Set a variable for this command]:NAME=VALUE: ' \
      '--restart[Run it again when it ends; one that was never ready is not tried again]:WHEN:(no on-failure always)' \
      '*--publish[Publish a port of the guest on 127.0.0.1 of the host\: GUEST or HOST\:GUEST]:PORTS: ' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:NAME: ' \
      '*:command:_pyro_command'
    ;;
  list)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces'
    ;;
  status)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:NAME:_pyro_services'
    ;;
  logs)
    _arguments -S \
      '--tail-lines[Begin so many lines of its output before the end]:N: ' \
      '--all[Give all that is kept]' \
      '--follow[Go on with what is printed until the service ends]' \
      '--timestamps[Begin each line with its time (UTC)]' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:NAME:_pyro_services'
    ;;
  stop)
    _arguments -S \
      '--timeout-seconds[How long it may take to end after SIGTERM; then comes SIGKILL]:N: ' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:NAME:_pyro_services'
    ;;
  restart)
    _arguments -S \
      '--timeout-seconds[How long it may take to end after SIGTERM; then comes SIGKILL]:N: ' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces' \
      '2:NAME:_pyro_services'
    ;;
  esac
}
_pyro_mcp() {
  local -a commands
  commands=('serve:Serve the tools of pyro to a client of MCP' 'install:Add pyro to the configuration of a client of MCP')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  serve)
    _arguments -S \
      '--profile[How many of the tools a model is shown]:PROFILE:(vm-run workspace-core workspace-full)' \
      '--http[Serve over HTTP there, for example 127.0.0.1\:8931; port 0 is any]:ADDRESS:PORT: ' \
      '--token-file[File with the token of --http, which only its owner may read]:FILE:_files' \
      '--allow-remote[Serve on an address that other machines may reach]' \
      '--project-path[Folder that workspace_create takes when it is given no seed_path; of a git checkout what git tracks]:DIR:_files' \
      '*--host-path[Let tools read and write below this folder of the host as well]:DIR:_files' \
      '(-h --help)'{-h,--help}'[Show this help]'
    ;;
  install)
    _arguments -S \
      '--profile[How many of the tools a model is shown]:PROFILE:(vm-run workspace-core workspace-full)' \
      '--project-path[Folder that workspace_create takes when it is given no seed_path; of a git checkout what git tracks]:DIR:_files' \
      '*--host-path[Let tools read and write below this folder of the host as well]:DIR:_files' \
      '--name[Name of the entry; letters, digits, - and _]:NAME: ' \
      '--config[The client'\''s configuration file, where it is not the usual one]:FILE:_files' \
      '--dry-run[Say what would be written, and write nothing]' \
      '--print[Print the entry alone]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:CLIENT:(claude-code codex opencode vscode cursor)'
    ;;
  esac
}
_pyro_policy() {
  local -a commands
  commands=('check:Check a network policy file' 'explain:Say what a network policy allows, and by which rule')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  check)
    _arguments -S \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:FILE:_files'
    ;;
  explain)
    _arguments -S \
      '--network-policy[Network of the guest; a rule makes it egress]:POLICY:(off egress egress+published-ports)' \
      '*--net-allow[Allow these endpoints and no others, as HOST\:PORTS]:RULE: ' \
      '*--net-deny[Deny these endpoints, whatever else allows them]:RULE: ' \
      '--allow-udp[Allow the endpoints of --net-allow over UDP as well as over TCP]' \
      '--allow-icmp[Allow ICMP echo (ping) to the hosts of --net-allow]' \
      '--policy[Take the whole network policy from a TOML file, instead of all these options]:FILE:_files' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '*:WORKSPACE|ENDPOINT:_pyro_workspaces'
    ;;
  esac
}
_pyro_smolfile() {
  local -a commands
  commands=('render:Write a Smolfile of a workspace')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  render)
    _arguments -S \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:WORKSPACE:_pyro_workspaces'
    ;;
  esac
}
_pyro_selftest() {
  local -a commands
  commands=('escape:Try to get out of the network policy of a sandbox' 'smoke:Try a published service, and a sandbox without a network')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  escape)
    _arguments -S \
      '--backend[Isolation backend to try; there is only qemu]:NAME: ' \
      '*--probe[Run only this probe; may be given several times]:NAME: ' \
      '--markdown[Print a table for a page instead of text]' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]'
    ;;
  smoke)
    _arguments -S \
      '--backend[Isolation backend to try; there is only qemu]:NAME: ' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]'
    ;;
  esac
}
_pyro_demo() {
  local -a commands
  commands=('ollama:Let a model run a command in a microVM')
  if [[ $words[2] == -* ]]; then
    _arguments -S \
      '--network[The short form of --network-policy egress]' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]'
    return
  fi
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  ollama)
    _arguments -S \
      '--base-url[Where an OpenAI-compatible API is served]:URL: ' \
      '--model[The model to ask; it must be able to use tools]:NAME: ' \
      '--verbose[Print what the model was told as well]' \
      '(-h --help)'{-h,--help}'[Show this help]'
    ;;
  esac
}
_pyro() {
  local -a commands
  commands=('env:Manage environments' 'network:See the network of a VM' 'workspace:Work in microVMs that stay' 'mcp:Give models the tools of pyro' 'policy:Understand network policies' 'smolfile:Write Smolfiles' 'selftest:Try what pyro promises, on this machine' 'run:Run one command in a fresh microVM' 'doctor:Check whether a guest can run on this host' 'demo:Show create, start, exec and delete step by step' 'completion:Print a completion script for bash, zsh or fish' 'help:Show help')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  env) _pyro_env ;;
  network) _pyro_network ;;
  workspace) _pyro_workspace ;;
  mcp) _pyro_mcp ;;
  policy) _pyro_policy ;;
  smolfile) _pyro_smolfile ;;
  selftest) _pyro_selftest ;;
  demo) _pyro_demo ;;
  run)
    _arguments -S \
      '--vcpu-count[Virtual CPUs of the guest]:N: ' \
      '--mem-mib[Memory of the guest in MiB]:N: ' \
      '--timeout-seconds[Stop the command after this many seconds, counted from its start]:N: ' \
      '--ttl-seconds[Delete the VM at the latest after this many seconds]:N: ' \
      '--network[The short form of --network-policy egress]' \
      '--network-policy[Network of the guest; a rule makes it egress]:POLICY:(off egress egress+published-ports)' \
      '*--net-allow[Allow these endpoints and no others, as HOST\:PORTS]:RULE: ' \
      '*--net-deny[Deny these endpoints, whatever else allows them]:RULE: ' \
      '--allow-udp[Allow the endpoints of --net-allow over UDP as well as over TCP]' \
      '--allow-icmp[Allow ICMP echo (ping) to the hosts of --net-allow]' \
      '--policy[Take the whole network policy from a TOML file, instead of all these options]:FILE:_files' \
      '--smolfile[Take from a Smolfile what is not given here]:FILE:_files' \
      '--allow-host-compat[Allow a weaker backend when no guest can run; this version has none, so it changes nothing]' \
      '--boot[Clone a booted template, or boot a kernel for this VM alone]:HOW:(template cold)' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:ENVIRONMENT:_pyro_environments' \
      '*:command:_pyro_command'
    ;;
  doctor)
    _arguments -S \
      '--fresh[Measure again what is otherwise remembered until the host reboots]' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]'
    ;;
  completion)
    _arguments -S \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:SHELL:(bash zsh fish)'
    ;;
  esac
}
if [[ $funcstack[1] == _pyro ]]; then
  _pyro "$@"
else
  compdef _pyro pyro
fi
