# fish completion for phoenix: the program itself knows what may come next (src/phoenix/complete.h)
function __phoenix_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in ($words[1] __complete -- $words[2..-1] "$current" 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c phoenix -f -a '(__phoenix_complete)'
