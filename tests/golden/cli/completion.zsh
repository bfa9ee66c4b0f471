#compdef pyro
_pyro_environments() {
  local -a names
  names=(${(f)"$(pyro help --environments 2>/dev/null)"})
  compadd -a names
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
_pyro() {
  local -a commands
  commands=('env:Manage environments' 'run:Run one command in a fresh microVM' 'doctor:Check whether a guest can run on this host' 'demo:Show create, start, exec and delete step by step' 'completion:Print a completion script for bash, zsh or fish' 'help:Show help')
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
  env) _pyro_env ;;
  run)
    _arguments -S \
      '--vcpu-count[Virtual CPUs of the guest]:N: ' \
      '--mem-mib[Memory of the guest in MiB]:N: ' \
      '--timeout-seconds[Stop the command after this many seconds, counted from its start]:N: ' \
      '--ttl-seconds[Delete the VM at the latest after this many seconds]:N: ' \
      '--network[Give the guest a network (not in this version\: refused)]' \
      '--allow-host-compat[Allow a weaker backend when no guest can run (not in this version\: refused)]' \
      '--boot[Clone a booted template, or boot a kernel for this VM alone]:HOW:(template cold)' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]' \
      '1:ENVIRONMENT:_pyro_environments' \
      '*::command:_normal'
    ;;
  doctor)
    _arguments -S \
      '--fresh[Measure again what is otherwise remembered until the host reboots]' \
      '--json[Print one JSON object on standard output instead of text]' \
      '(-h --help)'{-h,--help}'[Show this help]'
    ;;
  demo)
    _arguments -S \
      '--network[Give the guest a network (not in this version\: refused)]' \
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
