#include "cli/completion/scripts.h"

namespace jobd::cli {

namespace {

constexpr const char* kBash = R"SH(_jobctl() {
  local jobctl=${COMP_WORDS[0]/#\~\//$HOME/} rest=${COMP_LINE:0:COMP_POINT} word kind keep line quote i
  local -a words=() lines=()
  # Bash takes words apart at : and =; they are put together again as they were typed.
  for ((i = 0; i <= COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if [[ -z $COMP_LINE || $i = 0 || $rest = [[:space:]]* ]]; then
      rest=${rest#"${rest%%[![:space:]]*}"}
      [[ $i != "$COMP_CWORD" || -z $COMP_LINE ]] || word=$rest
      words+=("$word")
    else
      [[ $i != "$COMP_CWORD" ]] || word=$rest
      words[${#words[@]}-1]+=$word
    fi
    rest=${rest#"$word"}
  done
  # A word that is begun with a quote is one for readline, which sees what is behind the quote; of the others quotes are no part.
  quote=
  word=${words[${#words[@]}-1]}
  [[ $word != [\"\']* ]] || quote=${word:0:1} words[${#words[@]}-1]=${word:1}
  for ((i = 1; i < ${#words[@]} - 1; ++i)); do words[i]=${words[i]//[\"\'\\]/}; done
  [[ $(type -t -- "$jobctl") = file ]] || jobctl=$(type -P jobctl) || jobctl=SELF
  mapfile -t lines < <("$jobctl" __complete "${words[@]:1}" 2>/dev/null)
  kind=${lines[0]} word=${words[${#words[@]}-1]} COMPREPLY=()
  case $kind in
    files | '') return ;;  # readline's own
    folders) compopt +o default -o dirnames 2>/dev/null; return ;;
    commands) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -c -- "$word"); return ;;
  esac
  compopt +o default -o nosort 2>/dev/null
  # What readline leaves as it stands.
  keep=${word%"${word##*[:=]}"}
  [[ -z $quote ]] || keep=
  for line in "${lines[@]:1}"; do
    line=${line%%$'\t'*}
    [[ $line != "$word"* ]] || COMPREPLY+=("${line#"$keep"}")
  done
  [[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
}
complete -o default -F _jobctl jobctl
)SH";

constexpr const char* kZsh = R"SH(#compdef jobctl
_jobctl() {
  local jobctl=${${(Q)words[1]}/#\~\//$HOME/} kind line
  local -a lines plain shown
  whence -p -- "$jobctl" >/dev/null || jobctl=${commands[jobctl]:-SELF}
  lines=("${(@f)$(command "$jobctl" __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
  kind=$lines[1]
  shift lines
  case $kind in
    files) compset -P '--[a-z-]#='; _files; return ;;
    folders) compset -P '--[a-z-]#='; _files -/; return ;;
    commands) _command_names -e || _files; return ;;
  esac
  for line in $lines; do
    plain+=("${line%%$'\t'*}")
    line=${line/$'\t'/  -- }
    shown+=("${line%  -- }")
  done
  (( $#plain )) || return 1
  if [[ $#plain = 1 && $plain[1] = *= ]]; then
    compadd -S '' -a plain
  else
    compadd -V jobctl -l -d shown -a plain
  fi
}
if [[ $funcstack[1] = _jobctl ]]; then
  _jobctl "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
  compdef _jobctl jobctl
fi
)SH";

constexpr const char* kFish = R"SH(function __jobctl_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l jobctl $words[1]
  set -e words[1]
  command -q -- $jobctl; or set jobctl jobctl
  command -q -- $jobctl; or set jobctl SELF
  set -l lines (command $jobctl __complete $words "$current" 2>/dev/null)
  set -l before (string match -r -- '^--[a-z-]+=' $current)
  set -l value (string replace -r -- '^--[a-z-]+=' '' $current)
  switch "$lines[1]"
    case files
      for path in (__fish_complete_path "$value")
        echo -- "$before$path"
      end
    case folders
      for path in (__fish_complete_directories "$value" '')
        echo -- "$before$path"
      end
    case commands
      complete -C "$current"
    case '*'
      set -e lines[1]
      printf '%s\n' $lines
  end
end
complete -c jobctl -e
complete -c jobctl -f -k -a '(__jobctl_complete)'
)SH";

// A word for any of the three shells.
std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string WithSelf(std::string script, const std::string& self) {
  constexpr std::string_view kMark = "SELF";
  const std::string quoted = Quoted(self);
  for (size_t at = script.find(kMark); at != std::string::npos; at = script.find(kMark, at + quoted.size())) {
    script.replace(at, kMark.size(), quoted);
  }
  return script;
}

}  // namespace

std::string BashScript(const std::string& self) { return WithSelf(kBash, self); }
std::string ZshScript(const std::string& self) { return WithSelf(kZsh, self); }
std::string FishScript(const std::string& self) { return WithSelf(kFish, self); }

}  // namespace jobd::cli
