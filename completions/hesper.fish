# fish completion for hesper: commands and options as its help has them.
function __hesper_options
    set -l words (commandline -opc)
    test (count $words) -ge 2; and hesper $words[2] --help 2>/dev/null | string match -ar -- '--[a-z][a-z-]+' | sort -u
end
complete -c hesper -n __fish_use_subcommand -f -a '(hesper --help 2>/dev/null | string replace -rf "^  ([a-z][a-z-]*) .*" "\$1" | sort -u)'
complete -c hesper -n 'not __fish_use_subcommand; and string match -q -- "-*" (commandline -ct)' -f -a '(__hesper_options)'
for option in host-profile as
    complete -c hesper -n 'not __fish_use_subcommand' -l $option -x -a 'native portable moltenvk kosmickrisp'
end
complete -c hesper -n 'not __fish_use_subcommand' -l sandbox -x -a 'strict default off'
complete -c hesper -n 'not __fish_use_subcommand' -l accel -x -a 'kvm hvf tcg'
complete -c hesper -n 'not __fish_use_subcommand' -l guest-gl -x -a 'zink off'
complete -c hesper -n 'not __fish_use_subcommand' -l front -x -a 'auto vfio-user vhost-user'
complete -c hesper -n 'not __fish_use_subcommand' -l format -x -a 'shell lines libvirt'
