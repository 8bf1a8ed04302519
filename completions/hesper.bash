# bash completion for hesper: commands and options as its help has them.
_hesper()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} i
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W "--help --version $(hesper --help 2>/dev/null | sed -nE 's/^  ([a-z][a-z-]*) .*/\1/p' | sort -u)" -- "$current"))
        return
    fi
    for ((i = 2; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then # what follows is another program's
            [[ ${COMP_WORDS[1]} == vtest || ${COMP_WORDS[1]} == trace ]] && declare -F _command_offset >/dev/null && _command_offset $((i + 1))
            return
        fi
    done
    case $previous in
    --host-profile | --as) COMPREPLY=($(compgen -W "native portable moltenvk kosmickrisp" -- "$current")) && return ;;
    --sandbox) COMPREPLY=($(compgen -W "strict default off" -- "$current")) && return ;;
    --accel) COMPREPLY=($(compgen -W "kvm hvf tcg" -- "$current")) && return ;;
    --format) COMPREPLY=($(compgen -W "shell lines libvirt" -- "$current")) && return ;;
    --net) COMPREPLY=($(compgen -W "user none" -- "$current")) && return ;;
    --front) COMPREPLY=($(compgen -W "auto vfio-user vhost-user" -- "$current")) && return ;;
    --guest-gl) COMPREPLY=($(compgen -W "zink off" -- "$current")) && return ;;
    --display) COMPREPLY=($(compgen -W "window vnc web= image= none" -- "$current")) && return ;;
    esac
    if [[ $current == -* ]]; then
        COMPREPLY=($(compgen -W "$(hesper "${COMP_WORDS[1]}" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]+' | sort -u)" -- "$current"))
    fi
}
complete -o default -F _hesper hesper
