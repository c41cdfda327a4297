# bash completion for phoenix: the program itself knows what may come next (src/phoenix/complete.h)
_phoenix() {
    local line cur=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compopt -o filenames
            mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$cur")
        else
            line=${line%%$'\t'*}
            # bash replaces only what stands behind the '='
            [[ $line != --*=* ]] || line=${line#*=}
            COMPREPLY+=("$line")
        fi
    done < <("${COMP_WORDS[0]}" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _phoenix phoenix
