# fish completion for pyro
function __pyro_at
  set -l path
  set -l count 0
  set -l value no
  for word in (commandline -opc)[2..]
    if test $value = yes
      set value no
      continue
    end
    switch $word
    case --
      return 1
    case --vcpu-count --mem-mib --timeout-seconds --ttl-seconds --network-policy --net-allow --net-deny --policy --smolfile --boot --ttl-action --seed-path --secret --secret-file --name --label --env --remove-label --tail --sequence --secret-env --cwd --dest --output --snapshot --max-bytes --input --mode --cols --rows --cursor --max-chars --wait-for-idle-ms --wait-timeout-ms --signal --detach-key --ready-file --ready-tcp --ready-http --ready-command --ready-timeout-seconds --ready-interval-ms --restart --publish --tail-lines --profile --http --token-file --project-path --host-path --config --backend --probe --base-url --model
      set value yes
    case '-*'
    case '*'
      switch "$path"
      case '' 'env' 'network' 'workspace' 'workspace sync' 'workspace snapshot' 'workspace file' 'workspace patch' 'workspace network' 'workspace disk' 'workspace shell' 'workspace service' 'mcp' 'policy' 'smolfile' 'selftest' 'demo'
        set -a path $word
      case '*'
        set count (math $count + 1)
        test $count -eq 1; and set -g __pyro_first $word
      end
    end
  end
  test "$path" = "$argv[1]"; or return 1
  test (count $argv) -eq 1; or test $count -eq $argv[2]
end
complete -c pyro -f
complete -c pyro -n "__pyro_at ''" -a env -d 'Manage environments'
complete -c pyro -n "__pyro_at ''" -a network -d 'See the network of a VM'
complete -c pyro -n "__pyro_at ''" -a workspace -d 'Work in microVMs that stay'
complete -c pyro -n "__pyro_at ''" -a mcp -d 'Give models the tools of pyro'
complete -c pyro -n "__pyro_at ''" -a policy -d 'Understand network policies'
complete -c pyro -n "__pyro_at ''" -a smolfile -d 'Write Smolfiles'
complete -c pyro -n "__pyro_at ''" -a selftest -d 'Try what pyro promises, on this machine'
complete -c pyro -n "__pyro_at ''" -a run -d 'Run one command in a fresh microVM'
complete -c pyro -n "__pyro_at ''" -a doctor -d 'Check whether a guest can run on this host'
complete -c pyro -n "__pyro_at ''" -a demo -d 'Show create, start, exec and delete step by step'
complete -c pyro -n "__pyro_at ''" -a completion -d 'Print a completion script for bash, zsh or fish'
complete -c pyro -n "__pyro_at ''" -a help -d 'Show help'
complete -c pyro -n "__pyro_at ''" -s V -l version -d 'Show the version'
complete -c pyro -s h -l help -d 'Show help'
complete -c pyro -n "__pyro_at 'env'" -a list -d 'List the environments of the catalogue'
complete -c pyro -n "__pyro_at 'env'" -a pull -d 'Install or repair an environment'
complete -c pyro -n "__pyro_at 'env'" -a inspect -d 'Show and check one environment'
complete -c pyro -n "__pyro_at 'env'" -a prune -d 'Remove environments and templates that are not needed'
complete -c pyro -n "__pyro_at 'network'" -a info -d 'Show the network of one VM'
complete -c pyro -n "__pyro_at 'workspace'" -a sync -d 'Copy into a workspace'
complete -c pyro -n "__pyro_at 'workspace'" -a snapshot -d 'Keep states of a workspace'
complete -c pyro -n "__pyro_at 'workspace'" -a file -d 'Work with files of a workspace'
complete -c pyro -n "__pyro_at 'workspace'" -a patch -d 'Apply patches to a workspace'
complete -c pyro -n "__pyro_at 'workspace'" -a network -d 'See and change what a workspace may reach'
complete -c pyro -n "__pyro_at 'workspace'" -a disk -d 'Read a stopped workspace'
complete -c pyro -n "__pyro_at 'workspace'" -a shell -d 'Work in shells of a workspace'
complete -c pyro -n "__pyro_at 'workspace'" -a service -d 'Run services in a workspace'
complete -c pyro -n "__pyro_at 'workspace'" -a create -d 'Create a workspace and start it'
complete -c pyro -n "__pyro_at 'workspace'" -a list -d 'List all workspaces'
complete -c pyro -n "__pyro_at 'workspace'" -a status -d 'Show one workspace'
complete -c pyro -n "__pyro_at 'workspace'" -a update -d 'Change name, labels or TTL of a workspace'
complete -c pyro -n "__pyro_at 'workspace'" -a delete -d 'Delete workspaces and all they hold'
complete -c pyro -n "__pyro_at 'workspace'" -a stop -d 'Stop a workspace and keep what it holds'
complete -c pyro -n "__pyro_at 'workspace'" -a start -d 'Start a stopped workspace'
complete -c pyro -n "__pyro_at 'workspace'" -a logs -d 'Show the commands that ran in a workspace and their output'
complete -c pyro -n "__pyro_at 'workspace'" -a exec -d 'Run one command in a workspace'
complete -c pyro -n "__pyro_at 'workspace'" -a export -d 'Copy a file or a folder out of a workspace'
complete -c pyro -n "__pyro_at 'workspace'" -a diff -d 'Show what changed since the workspace was created'
complete -c pyro -n "__pyro_at 'workspace'" -a reset -d 'Go back to the baseline or to a snapshot'
complete -c pyro -n "__pyro_at 'workspace'" -a summary -d 'Show what happened in a workspace since its last reset'
complete -c pyro -n "__pyro_at 'workspace sync'" -a push -d 'Copy a folder or an archive into a workspace'
complete -c pyro -n "__pyro_at 'workspace snapshot'" -a create -d 'Keep /workspace as it is under a name'
complete -c pyro -n "__pyro_at 'workspace snapshot'" -a list -d 'List the baseline and the snapshots of a workspace'
complete -c pyro -n "__pyro_at 'workspace snapshot'" -a delete -d 'Delete a snapshot'
complete -c pyro -n "__pyro_at 'workspace file'" -a list -d 'List files of a workspace'
complete -c pyro -n "__pyro_at 'workspace file'" -a read -d 'Print a file of a workspace'
complete -c pyro -n "__pyro_at 'workspace file'" -a write -d 'Write a file of a workspace'
complete -c pyro -n "__pyro_at 'workspace patch'" -a apply -d 'Apply a patch to a workspace'
complete -c pyro -n "__pyro_at 'workspace network'" -a show -d 'Show the network policy of a workspace'
complete -c pyro -n "__pyro_at 'workspace network'" -a set -d 'Change the network policy of a workspace'
complete -c pyro -n "__pyro_at 'workspace network'" -a events -d 'Show what the network policy of a workspace allowed and refused'
complete -c pyro -n "__pyro_at 'workspace disk'" -a export -d 'Copy a file or a folder out of a stopped workspace'
complete -c pyro -n "__pyro_at 'workspace disk'" -a list -d 'List files of a stopped workspace'
complete -c pyro -n "__pyro_at 'workspace disk'" -a read -d 'Print a file of a stopped workspace'
complete -c pyro -n "__pyro_at 'workspace shell'" -a open -d 'Open a shell in a workspace'
complete -c pyro -n "__pyro_at 'workspace shell'" -a read -d 'Show what a shell printed'
complete -c pyro -n "__pyro_at 'workspace shell'" -a write -d 'Type into a shell'
complete -c pyro -n "__pyro_at 'workspace shell'" -a signal -d 'Send a signal to what runs in a shell'
complete -c pyro -n "__pyro_at 'workspace shell'" -a resize -d 'Change the size of the terminal of a shell'
complete -c pyro -n "__pyro_at 'workspace shell'" -a list -d 'List the shells of a workspace'
complete -c pyro -n "__pyro_at 'workspace shell'" -a close -d 'End a shell'
complete -c pyro -n "__pyro_at 'workspace shell'" -a attach -d 'Work in a shell with this terminal'
complete -c pyro -n "__pyro_at 'workspace service'" -a start -d 'Run a service in a workspace'
complete -c pyro -n "__pyro_at 'workspace service'" -a list -d 'List the services of a workspace'
complete -c pyro -n "__pyro_at 'workspace service'" -a status -d 'Show one service'
complete -c pyro -n "__pyro_at 'workspace service'" -a logs -d 'Show what a service printed'
complete -c pyro -n "__pyro_at 'workspace service'" -a stop -d 'End a service'
complete -c pyro -n "__pyro_at 'workspace service'" -a restart -d 'End a service and start it again'
complete -c pyro -n "__pyro_at 'mcp'" -a serve -d 'Serve the tools of pyro to a client of MCP'
complete -c pyro -n "__pyro_at 'mcp'" -a install -d 'Add pyro to the configuration of a client of MCP'
complete -c pyro -n "__pyro_at 'policy'" -a check -d 'Check a network policy file'
complete -c pyro -n "__pyro_at 'policy'" -a explain -d 'Say what a network policy allows, and by which rule'
complete -c pyro -n "__pyro_at 'smolfile'" -a render -d 'Write a Smolfile of a workspace'
complete -c pyro -n "__pyro_at 'selftest'" -a escape -d 'Try to get out of the network policy of a sandbox'
complete -c pyro -n "__pyro_at 'selftest'" -a smoke -d 'Try a published service, and a sandbox without a network'
complete -c pyro -n "__pyro_at 'demo'" -a ollama -d 'Let a model run a command in a microVM'
complete -c pyro -n "__pyro_at 'run'" -l vcpu-count -d 'Virtual CPUs of the guest' -x
complete -c pyro -n "__pyro_at 'run'" -l mem-mib -d 'Memory of the guest in MiB' -x
complete -c pyro -n "__pyro_at 'run'" -l timeout-seconds -d 'Stop the command after this many seconds, counted from its start' -x
complete -c pyro -n "__pyro_at 'run'" -l ttl-seconds -d 'Delete the VM at the latest after this many seconds' -x
complete -c pyro -n "__pyro_at 'run'" -l network -d 'The short form of --network-policy egress'
complete -c pyro -n "__pyro_at 'run'" -l network-policy -d 'Network of the guest; a rule makes it egress' -x -a 'off egress egress+published-ports'
complete -c pyro -n "__pyro_at 'run'" -l net-allow -d 'Allow these endpoints and no others, as HOST:PORTS' -x
complete -c pyro -n "__pyro_at 'run'" -l net-deny -d 'Deny these endpoints, whatever else allows them' -x
complete -c pyro -n "__pyro_at 'run'" -l allow-udp -d 'Allow the endpoints of --net-allow over UDP as well as over TCP'
complete -c pyro -n "__pyro_at 'run'" -l allow-icmp -d 'Allow ICMP echo (ping) to the hosts of --net-allow'
complete -c pyro -n "__pyro_at 'run'" -l policy -d 'Take the whole network policy from a TOML file, instead of all these options' -r -F
complete -c pyro -n "__pyro_at 'run'" -l smolfile -d 'Take from a Smolfile what is not given here' -r -F
complete -c pyro -n "__pyro_at 'run'" -l allow-host-compat -d 'Allow a weaker backend when no guest can run; this version has none, so it changes nothing'
complete -c pyro -n "__pyro_at 'run'" -l boot -d 'Clone a booted template, or boot a kernel for this VM alone' -x -a 'template cold'
complete -c pyro -n "__pyro_at 'run'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'run' 0" -a '(pyro help --environments 2>/dev/null)'
complete -c pyro -n "__pyro_at 'env list'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'env pull'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'env pull' 0" -a '(pyro help --environments 2>/dev/null)'
complete -c pyro -n "__pyro_at 'env inspect'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'env inspect' 0" -a '(pyro help --environments 2>/dev/null)'
complete -c pyro -n "__pyro_at 'env prune'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace create'" -l vcpu-count -d 'Virtual CPUs of the guest' -x
complete -c pyro -n "__pyro_at 'workspace create'" -l mem-mib -d 'Memory of the guest in MiB' -x
complete -c pyro -n "__pyro_at 'workspace create'" -l ttl-seconds -d 'Let the workspace expire after this many seconds; without it, it stays until it is deleted' -x
complete -c pyro -n "__pyro_at 'workspace create'" -l ttl-action -d 'What happens then: stop it and delete it a day later, or delete it at once' -x -a 'stop delete'
complete -c pyro -n "__pyro_at 'workspace create'" -l network-policy -d 'Network of the guest; a rule makes it egress' -x -a 'off egress egress+published-ports'
complete -c pyro -n "__pyro_at 'workspace create'" -l net-allow -d 'Allow these endpoints and no others, as HOST:PORTS' -x
complete -c pyro -n "__pyro_at 'workspace create'" -l net-deny -d 'Deny these endpoints, whatever else allows them' -x
complete -c pyro -n "__pyro_at 'workspace create'" -l allow-udp -d 'Allow the endpoints of --net-allow over UDP as well as over TCP'
complete -c pyro -n "__pyro_at 'workspace create'" -l allow-icmp -d 'Allow ICMP echo (ping) to the hosts of --net-allow'
complete -c pyro -n "__pyro_at 'workspace create'" -l policy -d 'Take the whole network policy from a TOML file, instead of all these options' -r -F
complete -c pyro -n "__pyro_at 'workspace create'" -l smolfile -d 'Take from a Smolfile what is not given here' -r -F
complete -c pyro -n "__pyro_at 'workspace create'" -l allow-host-compat -d 'Allow a weaker backend when no guest can run; this version has none, so it changes nothing'
complete -c pyro -n "__pyro_at 'workspace create'" -l seed-path -d 'Folder or archive of the host that /workspace begins with' -r -F
complete -c pyro -n "__pyro_at 'workspace create'" -l git-tracked -d 'Take only what git tracks in the folder'
complete -c pyro -n "__pyro_at 'workspace create'" -l secret -d 'Give the guest a secret; other users of this host can see the value in the list of processes, so prefer --secret-file' -x
complete -c pyro -n "__pyro_at 'workspace create'" -l secret-file -d 'Give the guest the content of a file as a secret' -x
complete -c pyro -n "__pyro_at 'workspace create'" -l name -d 'A name that stands wherever the id can stand' -x
complete -c pyro -n "__pyro_at 'workspace create'" -l label -d 'Keep a label with the workspace' -x
complete -c pyro -n "__pyro_at 'workspace create'" -l env -d 'Set a variable for every command in the workspace' -x
complete -c pyro -n "__pyro_at 'workspace create'" -l id-only -d 'Print the id and nothing else'
complete -c pyro -n "__pyro_at 'workspace create'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace create' 0" -a '(pyro help --environments 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace list'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace status'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace status' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace update'" -l name -d 'Give it this name' -x
complete -c pyro -n "__pyro_at 'workspace update'" -l clear-name -d 'Take its name away'
complete -c pyro -n "__pyro_at 'workspace update'" -l label -d 'Add or replace a label' -x
complete -c pyro -n "__pyro_at 'workspace update'" -l remove-label -d 'Remove a label' -x
complete -c pyro -n "__pyro_at 'workspace update'" -l ttl-seconds -d 'Let it expire after this many seconds, from now on' -x
complete -c pyro -n "__pyro_at 'workspace update'" -l no-ttl -d 'Let it stay until it is deleted'
complete -c pyro -n "__pyro_at 'workspace update'" -l ttl-action -d 'What happens when it expires' -x -a 'stop delete'
complete -c pyro -n "__pyro_at 'workspace update'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace update' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace delete'" -l all -d 'Delete every workspace there is'
complete -c pyro -n "__pyro_at 'workspace delete'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace delete'" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace stop'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace stop' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace start'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace start' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace logs'" -l tail -d 'Only so many commands, the last ones' -x
complete -c pyro -n "__pyro_at 'workspace logs'" -l sequence -d 'Only the command of this number' -x
complete -c pyro -n "__pyro_at 'workspace logs'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace logs' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace exec'" -l timeout-seconds -d 'Stop the command after this many seconds, counted from its start' -x
complete -c pyro -n "__pyro_at 'workspace exec'" -l secret-env -d 'Give the command a secret of the workspace in a variable, by default of the same name' -x
complete -c pyro -n "__pyro_at 'workspace exec'" -l cwd -d 'Folder to run in, absolute or below /workspace' -x
complete -c pyro -n "__pyro_at 'workspace exec'" -l env -d 'Set a variable for this command' -x
complete -c pyro -n "__pyro_at 'workspace exec'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace exec' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace sync push'" -l dest -d 'Folder in the workspace, absolute or below /workspace' -x
complete -c pyro -n "__pyro_at 'workspace sync push'" -l git-tracked -d 'Take only what git tracks in the folder'
complete -c pyro -n "__pyro_at 'workspace sync push'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace sync push' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace sync push' 1" -F
complete -c pyro -n "__pyro_at 'workspace export'" -l output -d 'Where to put it on the host' -r -F
complete -c pyro -n "__pyro_at 'workspace export'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace export' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace diff'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace diff' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace snapshot create'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace snapshot create' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace snapshot list'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace snapshot list' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace snapshot delete'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace snapshot delete' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace reset'" -l snapshot -d 'Snapshot to go back to' -x
complete -c pyro -n "__pyro_at 'workspace reset'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace reset' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace file list'" -l recursive -d 'Go into folders'
complete -c pyro -n "__pyro_at 'workspace file list'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace file list' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace file read'" -l max-bytes -d 'Refuse a file of more bytes' -x
complete -c pyro -n "__pyro_at 'workspace file read'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace file read' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace file write'" -l input -d 'File of the host with the content; otherwise standard input' -r -F
complete -c pyro -n "__pyro_at 'workspace file write'" -l mode -d 'Permission bits, for example 0755; without it 0644' -x
complete -c pyro -n "__pyro_at 'workspace file write'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace file write' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace patch apply'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace patch apply' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace patch apply' 1" -F
complete -c pyro -n "__pyro_at 'workspace network show'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace network show' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace network set'" -l network-policy -d 'Network of the guest; a rule makes it egress' -x -a 'off egress egress+published-ports'
complete -c pyro -n "__pyro_at 'workspace network set'" -l net-allow -d 'Allow these endpoints and no others, as HOST:PORTS' -x
complete -c pyro -n "__pyro_at 'workspace network set'" -l net-deny -d 'Deny these endpoints, whatever else allows them' -x
complete -c pyro -n "__pyro_at 'workspace network set'" -l allow-udp -d 'Allow the endpoints of --net-allow over UDP as well as over TCP'
complete -c pyro -n "__pyro_at 'workspace network set'" -l allow-icmp -d 'Allow ICMP echo (ping) to the hosts of --net-allow'
complete -c pyro -n "__pyro_at 'workspace network set'" -l policy -d 'Take the whole network policy from a TOML file, instead of all these options' -r -F
complete -c pyro -n "__pyro_at 'workspace network set'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace network set' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace network events'" -l tail -d 'Begin so many events before the end' -x
complete -c pyro -n "__pyro_at 'workspace network events'" -l all -d 'Give all that is kept'
complete -c pyro -n "__pyro_at 'workspace network events'" -l follow -d 'Go on with what is decided until the workspace is stopped'
complete -c pyro -n "__pyro_at 'workspace network events'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace network events' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace disk export'" -l output -d 'Where to put it on the host' -r -F
complete -c pyro -n "__pyro_at 'workspace disk export'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace disk export' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace disk list'" -l recursive -d 'Go into folders'
complete -c pyro -n "__pyro_at 'workspace disk list'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace disk list' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace disk read'" -l max-bytes -d 'Refuse a file of more bytes' -x
complete -c pyro -n "__pyro_at 'workspace disk read'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace disk read' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace summary'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace summary' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace shell open'" -l cwd -d 'Folder to run in, absolute or below /workspace' -x
complete -c pyro -n "__pyro_at 'workspace shell open'" -l cols -d 'Columns of its terminal' -x
complete -c pyro -n "__pyro_at 'workspace shell open'" -l rows -d 'Rows of its terminal' -x
complete -c pyro -n "__pyro_at 'workspace shell open'" -l secret-env -d 'Give the command a secret of the workspace in a variable, by default of the same name' -x
complete -c pyro -n "__pyro_at 'workspace shell open'" -l id-only -d 'Print nothing but the id of the new shell'
complete -c pyro -n "__pyro_at 'workspace shell open'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace shell open' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace shell read'" -l cursor -d 'Where to begin: 0, or what an earlier read gave as next_cursor' -x
complete -c pyro -n "__pyro_at 'workspace shell read'" -l max-chars -d 'Read so many characters at most' -x
complete -c pyro -n "__pyro_at 'workspace shell read'" -l plain -d 'Give lines as a terminal would show them, without control sequences'
complete -c pyro -n "__pyro_at 'workspace shell read'" -l wait-for-idle-ms -d 'Wait first until nothing was printed for so many milliseconds' -x
complete -c pyro -n "__pyro_at 'workspace shell read'" -l wait-timeout-ms -d 'But not longer than this' -x
complete -c pyro -n "__pyro_at 'workspace shell read'" -l follow -d 'Go on with what is printed until the shell ends'
complete -c pyro -n "__pyro_at 'workspace shell read'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace shell read' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace shell read' 1" -a '(pyro help --shells $__pyro_first 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace shell write'" -l input -d 'What to type' -x
complete -c pyro -n "__pyro_at 'workspace shell write'" -l no-newline -d 'Type no newline after it'
complete -c pyro -n "__pyro_at 'workspace shell write'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace shell write' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace shell write' 1" -a '(pyro help --shells $__pyro_first 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace shell signal'" -l signal -d 'Which one' -x -a 'HUP INT TERM KILL QUIT TSTP CONT'
complete -c pyro -n "__pyro_at 'workspace shell signal'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace shell signal' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace shell signal' 1" -a '(pyro help --shells $__pyro_first 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace shell resize'" -l cols -d 'Columns of its terminal; without it they stay as they are' -x
complete -c pyro -n "__pyro_at 'workspace shell resize'" -l rows -d 'Rows of its terminal; without it they stay as they are' -x
complete -c pyro -n "__pyro_at 'workspace shell resize'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace shell resize' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace shell resize' 1" -a '(pyro help --shells $__pyro_first 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace shell list'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace shell list' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace shell close'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace shell close' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace shell close' 1" -a '(pyro help --shells $__pyro_first 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace shell attach'" -l cwd -d 'Folder to run in, absolute or below /workspace' -x
complete -c pyro -n "__pyro_at 'workspace shell attach'" -l secret-env -d 'Give the command a secret of the workspace in a variable, by default of the same name' -x
complete -c pyro -n "__pyro_at 'workspace shell attach'" -l detach-key -d 'ctrl- and one of a to z, [, \\, ], ^ and _; or none: every key goes to the shell' -x
complete -c pyro -n "__pyro_at 'workspace shell attach' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace shell attach' 1" -a '(pyro help --shells $__pyro_first 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace service start'" -l cwd -d 'Folder to run in, absolute or below /workspace' -x
complete -c pyro -n "__pyro_at 'workspace service start'" -l ready-file -d 'It is ready when this file was written or changed after the start; a relative one lies below --cwd' -x
complete -c pyro -n "__pyro_at 'workspace service start'" -l ready-tcp -d 'It is ready when PORT or HOST:PORT in the guest takes connections' -x
complete -c pyro -n "__pyro_at 'workspace service start'" -l ready-http -d 'It is ready when http://HOST[:PORT][/PATH] in the guest answers with 200 to 399' -x
complete -c pyro -n "__pyro_at 'workspace service start'" -l ready-command -d 'It is ready when /bin/sh -c COMMAND exits with 0' -x
complete -c pyro -n "__pyro_at 'workspace service start'" -l ready-timeout-seconds -d 'How long it may take to get ready' -x
complete -c pyro -n "__pyro_at 'workspace service start'" -l ready-interval-ms -d 'Time between two tries' -x
complete -c pyro -n "__pyro_at 'workspace service start'" -l secret-env -d 'Give the command a secret of the workspace in a variable, by default of the same name' -x
complete -c pyro -n "__pyro_at 'workspace service start'" -l env -d 'Set a variable for this command' -x
complete -c pyro -n "__pyro_at 'workspace service start'" -l restart -d 'Run it again when it ends; one that was never ready is not tried again' -x -a 'no on-failure always'
complete -c pyro -n "__pyro_at 'workspace service start'" -l publish -d 'Publish a port of the guest on 127.0.0.1 of the host: GUEST or HOST:GUEST' -x
complete -c pyro -n "__pyro_at 'workspace service start'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace service start' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace service list'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace service list' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace service status'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace service status' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace service status' 1" -a '(pyro help --services $__pyro_first 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace service logs'" -l tail-lines -d 'Begin so many lines of its output before the end' -x
complete -c pyro -n "__pyro_at 'workspace service logs'" -l all -d 'Give all that is kept'
complete -c pyro -n "__pyro_at 'workspace service logs'" -l follow -d 'Go on with what is printed until the service ends'
complete -c pyro -n "__pyro_at 'workspace service logs'" -l timestamps -d 'Begin each line with its time (UTC)'
complete -c pyro -n "__pyro_at 'workspace service logs'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace service logs' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace service logs' 1" -a '(pyro help --services $__pyro_first 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace service stop'" -l timeout-seconds -d 'How long it may take to end after SIGTERM; then comes SIGKILL' -x
complete -c pyro -n "__pyro_at 'workspace service stop'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace service stop' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace service stop' 1" -a '(pyro help --services $__pyro_first 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace service restart'" -l timeout-seconds -d 'How long it may take to end after SIGTERM; then comes SIGKILL' -x
complete -c pyro -n "__pyro_at 'workspace service restart'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'workspace service restart' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'workspace service restart' 1" -a '(pyro help --services $__pyro_first 2>/dev/null)'
complete -c pyro -n "__pyro_at 'mcp serve'" -l profile -d 'How many of the tools a model is shown' -x -a 'vm-run workspace-core workspace-full'
complete -c pyro -n "__pyro_at 'mcp serve'" -l http -d 'Serve over HTTP there, for example 127.0.0.1:8931; port 0 is any' -x
complete -c pyro -n "__pyro_at 'mcp serve'" -l token-file -d 'File with the token of --http, which only its owner may read' -r -F
complete -c pyro -n "__pyro_at 'mcp serve'" -l allow-remote -d 'Serve on an address that other machines may reach'
complete -c pyro -n "__pyro_at 'mcp serve'" -l project-path -d 'Folder that workspace_create takes when it is given no seed_path; of a git checkout what git tracks' -r -F
complete -c pyro -n "__pyro_at 'mcp serve'" -l host-path -d 'Let tools read and write below this folder of the host as well' -r -F
complete -c pyro -n "__pyro_at 'mcp install'" -l profile -d 'How many of the tools a model is shown' -x -a 'vm-run workspace-core workspace-full'
complete -c pyro -n "__pyro_at 'mcp install'" -l project-path -d 'Folder that workspace_create takes when it is given no seed_path; of a git checkout what git tracks' -r -F
complete -c pyro -n "__pyro_at 'mcp install'" -l host-path -d 'Let tools read and write below this folder of the host as well' -r -F
complete -c pyro -n "__pyro_at 'mcp install'" -l name -d 'Name of the entry; letters, digits, - and _' -x
complete -c pyro -n "__pyro_at 'mcp install'" -l config -d 'The client\'s configuration file, where it is not the usual one' -r -F
complete -c pyro -n "__pyro_at 'mcp install'" -l dry-run -d 'Say what would be written, and write nothing'
complete -c pyro -n "__pyro_at 'mcp install'" -l print -d 'Print the entry alone'
complete -c pyro -n "__pyro_at 'mcp install' 0" -a 'claude-code codex opencode vscode cursor'
complete -c pyro -n "__pyro_at 'policy check'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'policy check' 0" -F
complete -c pyro -n "__pyro_at 'policy explain'" -l network-policy -d 'Network of the guest; a rule makes it egress' -x -a 'off egress egress+published-ports'
complete -c pyro -n "__pyro_at 'policy explain'" -l net-allow -d 'Allow these endpoints and no others, as HOST:PORTS' -x
complete -c pyro -n "__pyro_at 'policy explain'" -l net-deny -d 'Deny these endpoints, whatever else allows them' -x
complete -c pyro -n "__pyro_at 'policy explain'" -l allow-udp -d 'Allow the endpoints of --net-allow over UDP as well as over TCP'
complete -c pyro -n "__pyro_at 'policy explain'" -l allow-icmp -d 'Allow ICMP echo (ping) to the hosts of --net-allow'
complete -c pyro -n "__pyro_at 'policy explain'" -l policy -d 'Take the whole network policy from a TOML file, instead of all these options' -r -F
complete -c pyro -n "__pyro_at 'policy explain'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'policy explain'" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'smolfile render' 0" -a '(pyro help --workspaces 2>/dev/null)'
complete -c pyro -n "__pyro_at 'selftest escape'" -l backend -d 'Isolation backend to try; there is only qemu' -x
complete -c pyro -n "__pyro_at 'selftest escape'" -l probe -d 'Run only this probe; may be given several times' -x
complete -c pyro -n "__pyro_at 'selftest escape'" -l markdown -d 'Print a table for a page instead of text'
complete -c pyro -n "__pyro_at 'selftest escape'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'selftest smoke'" -l backend -d 'Isolation backend to try; there is only qemu' -x
complete -c pyro -n "__pyro_at 'selftest smoke'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'doctor'" -l fresh -d 'Measure again what is otherwise remembered until the host reboots'
complete -c pyro -n "__pyro_at 'doctor'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'demo'" -l network -d 'The short form of --network-policy egress'
complete -c pyro -n "__pyro_at 'demo'" -l json -d 'Print one JSON object on standard output instead of text'
complete -c pyro -n "__pyro_at 'demo ollama'" -l base-url -d 'Where an OpenAI-compatible API is served' -x
complete -c pyro -n "__pyro_at 'demo ollama'" -l model -d 'The model to ask; it must be able to use tools' -x
complete -c pyro -n "__pyro_at 'demo ollama'" -l verbose -s v -d 'Print what the model was told as well'
complete -c pyro -n "__pyro_at 'completion' 0" -a 'bash zsh fish'
complete -c pyro -n "__pyro_at 'network info'" -l json -d 'Print one JSON object on standard output instead of text'
