"""What a shell has to be told once, so that it asks `jobrun completion --answer` at each Tab."""

from __future__ import annotations

# It hands over the line as typed: bash itself takes words apart at `:` and `=`.
BASH = """\
_jobrun() {
    local answer
    COMPREPLY=()
    while IFS= read -r answer; do
        if [[ $answer == :files ]]; then
            compopt -o default -o bashdefault 2>/dev/null
        else
            COMPREPLY+=("$answer")
        fi
    done < <("$1" completion --answer bash -- "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -o nosort -F _jobrun jobrun 2>/dev/null || complete -F _jobrun jobrun
"""

ZSH = """\
#compdef jobrun
_jobrun() {
    local -a answers described
    local answer
    answers=("${(@f)$("${words[1]}" completion --answer zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for answer in "${answers[@]}"; do
        if [[ $answer == :files ]]; then
            _files
        elif [[ -n $answer ]]; then
            described+=("${${answer%%$'\\t'*}//:/\\\\:}:${answer#*$'\\t'}")
        fi
    done
    (( ${#described} )) && _describe -V jobrun described
}
if [[ $funcstack[1] == _jobrun ]]; then
    _jobrun "$@"
else
    compdef _jobrun jobrun
fi
"""

FISH = """\
function __jobrun_complete
    set -l typed (commandline -opc)
    for answer in ($typed[1] completion --answer fish -- $typed[2..-1] (commandline -ct) 2>/dev/null)
        if test "$answer" = :files
            __fish_complete_path (commandline -ct)
        else
            printf '%s\\n' $answer
        end
    end
end
complete -c jobrun -f -k -a '(__jobrun_complete)'
"""

OF = {"bash": BASH, "zsh": ZSH, "fish": FISH}
