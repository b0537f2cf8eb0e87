# Bash completion for flarectl: commands, options, and the names of services, backends and
# interfaces as the running datapath knows them. Install as
# /usr/share/bash-completion/completions/flarectl.

# Values of one key of a JSON list that flarectl prints, one a line; nothing where it cannot.
_flarectl_values() {
    local key=$1
    shift
    flarectl -o json "$@" 2>/dev/null | sed -n "s/^ *\"$key\": \"\\(.*\\)\",\\{0,1\\}\$/\\1/p" | sort -u
}

_flarectl_services() { _flarectl_values name service list; }

_flarectl() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local global='-o --output --no-headers --pin-dir --socket --help --version'
    local line command='' verb='' argument='' word skip=''
    # Endpoints hold colons, at which bash would part words.
    COMP_WORDBREAKS=${COMP_WORDBREAKS//:/}
    COMPREPLY=()

    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [ -n "$skip" ]; then skip=''; continue; fi
        case $word in
            -o | --output | --pin-dir | --socket | --service | --backend | --limit | --watch | \
                --proto | --src | --dst | --interface | --in-flight | --requests | --tier | --weight | \
                --workers | --capacity-rps | --generation) skip=1 ;;
            -*) ;;
            *) if [ -z "$command" ]; then command=$word
               elif [ -z "$verb" ]; then verb=$word
               else argument=$word; fi ;;
        esac
    done

    case $previous in
        -o | --output) line='table json' ;;
        --service) line=$(_flarectl_services) ;;
        --backend) line=$(_flarectl_values backend backend list) ;;
        --interface) line=$(_flarectl_values interface status) ;;
        --proto) line='tcp udp' ;;
        --pin-dir) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
        --socket) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --tier) line='vm serverless' ;;
        --limit | --watch | --src | --dst | --in-flight | --requests | --weight | --workers | \
            --capacity-rps | --generation) return ;;
    esac
    if [ -z "$line" ]; then
        case "$command $verb" in
            ' ') line="status service backend flow counters nat spills simulate doctor share report workers reload detach" ;;
            'service ') line='list show' ;;
            'backend ') line='list drain undrain add remove' ;;
            'workers ') line='set' ;;
            'flow ') line='list count' ;;
            'share ') line='set auto' ;;
            'service show' | 'share set' | 'share auto') [ -n "$argument" ] || line=$(_flarectl_services) ;;
            'backend list') line='--service' ;;
            'backend drain' | 'backend undrain' | 'backend remove')
                if [ -z "$argument" ]; then line=$(_flarectl_services)
                else line="$(_flarectl_values backend backend list --service "$argument") --generation"; fi ;;
            'backend add')
                if [ -z "$argument" ]; then line=$(_flarectl_services)
                else line='--tier --weight --workers --capacity-rps --generation'; fi ;;
            'workers set')
                if [ -z "$argument" ]; then line=$(_flarectl_services)
                else line='--workers --capacity-rps --generation'; fi ;;
            'flow list') line='--service --backend --limit' ;;
            'flow count') line='--service --backend' ;;
            'counters ') line='--service --watch --rate' ;;
            'report ') line=$(_flarectl_services) ;;
            'report '*) line='--in-flight --requests' ;;
            'simulate ') line='--proto --src --dst' ;;
            'doctor ') line='--interface' ;;
            'detach ') line='--interface --yes' ;;
        esac
        case $current in -*) line="$line $global" ;; esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$line" -- "$current")
}

complete -F _flarectl flarectl
