# fish completion for pyro
complete -c pyro -f
complete -c pyro -n __fish_use_subcommand -a env -d 'Manage environments'
complete -c pyro -n __fish_use_subcommand -a run -d 'Run one command in a fresh microVM'
complete -c pyro -n __fish_use_subcommand -a doctor -d 'Check whether a guest can run on this host'
complete -c pyro -n __fish_use_subcommand -a demo -d 'Show create, start, exec and delete step by step'
complete -c pyro -n __fish_use_subcommand -a completion -d 'Print a completion script for bash, zsh or fish'
complete -c pyro -n __fish_use_subcommand -a help -d 'Show help'
complete -c pyro -n __fish_use_subcommand -s V -l version -d 'Show the version'
complete -c pyro -s h -l help -d 'Show help'
complete -c pyro -n '__fish_seen_subcommand_from env; and not __fish_seen_subcommand_from list pull inspect prune' -a list -d 'List the environments of the catalogue'
complete -c pyro -n '__fish_seen_subcommand_from env; and not __fish_seen_subcommand_from list pull inspect prune' -a pull -d 'Install or repair an environment'
complete -c pyro -n '__fish_seen_subcommand_from env; and not __fish_seen_subcommand_from list pull inspect prune' -a inspect -d 'Show and check one environment'
complete -c pyro -n '__fish_seen_subcommand_from env; and not __fish_seen_subcommand_from list pull inspect prune' -a prune -d 'Remove environments and templates that are not needed'
complete -c pyro -n '__fish_seen_subcommand_from run' -l vcpu-count -d 'Virtual CPUs of the guest' -x
complete -c pyro -n '__fish_seen_subcommand_from run' -l mem-mib -d 'Memory of the guest in MiB' -x
complete -c pyro -n '__fish_seen_subcommand_from run' -l timeout-seconds -d 'Stop the command after this many seconds, counted from its start' -x
complete -c pyro -n '__fish_seen_subcommand_from run' -l ttl-seconds -d 'Delete the VM at the latest after this many seconds' -x
complete -c pyro -n '__fish_seen_subcommand_from run' -l network -d 'Give the guest a network (not in this version: refused)'
complete -c pyro -n '__fish_seen_subcommand_from run' -l allow-host-compat -d 'Allow a weaker backend when no guest can run (not in this version: refused)'
complete -c pyro -n '__fish_seen_subcommand_from run' -l boot -d 'Clone a booted template, or boot a kernel for this VM alone' -x -a 'template cold'
complete -c pyro -n '__fish_seen_subcommand_from run' -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n '__fish_seen_subcommand_from run' -a '(pyro help --environments 2>/dev/null)'
complete -c pyro -n '__fish_seen_subcommand_from env; and __fish_seen_subcommand_from list' -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n '__fish_seen_subcommand_from env; and __fish_seen_subcommand_from pull' -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n '__fish_seen_subcommand_from env; and __fish_seen_subcommand_from pull' -a '(pyro help --environments 2>/dev/null)'
complete -c pyro -n '__fish_seen_subcommand_from env; and __fish_seen_subcommand_from inspect' -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n '__fish_seen_subcommand_from env; and __fish_seen_subcommand_from inspect' -a '(pyro help --environments 2>/dev/null)'
complete -c pyro -n '__fish_seen_subcommand_from env; and __fish_seen_subcommand_from prune' -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n '__fish_seen_subcommand_from doctor' -l fresh -d 'Measure again what is otherwise remembered until the host reboots'
complete -c pyro -n '__fish_seen_subcommand_from doctor' -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n '__fish_seen_subcommand_from demo' -l network -d 'Give the guest a network (not in this version: refused)'
complete -c pyro -n '__fish_seen_subcommand_from demo' -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'
