#!/bin/sh
# Install jobrun from this checkout, try it, or test it: `./install.sh --help`.
#
# Up to the last line there are only definitions, and the braces there make half of it a syntax
# error: a file that was cut anywhere does nothing.

usage() {
    cat <<'USAGE'
usage: ./install.sh [--prefix DIR] [--dry-run]             install jobrun for you; DIR is ~/.local unless given
       ./install.sh --systemd [--user] [...]               and as services of systemd: with --user of your own,
                                                           else of the host; its DIR is /usr/local unless given
       ./install.sh [--prefix DIR] [--dry-run] uninstall   remove it again; your jobs stay where they are
       ./install.sh try                                    run jobs on real files, in an environment in .try/
       ./install.sh test [ARGUMENT...]                     run all tests (pytest's arguments), in one in .venv/
       ./install.sh chaos [--minutes N] [--seed S] [DRILL...]
                                                           hurt it in every way, and say what held
       ./install.sh bench [--quick] [NAME...]              measure jobrun and its peers, in some in bench/.venv/

Needs Python 3.11 or newer: the one that PYTHON names, else the first fit one of python3 and python3.14 to python3.11.
USAGE
}

main() {
    set -eu
    umask go-w
    begun_in=$(pwd -P)
    here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
    cd -- "$here"
    if [ ! -f pyproject.toml ] || [ ! -d jobrun ]; then
        fail "\`$here\` is no checkout of jobrun" 'run the install.sh of a checkout, as a file'
    fi
    prefix=''
    dry_run=''
    services=''
    manager=--system
    verb=install_all
    while [ $# -gt 0 ]; do
        case $1 in
            --prefix)
                [ $# -ge 2 ] || misuse "\`--prefix\` needs a folder"
                prefix=$2
                shift
                ;;
            --prefix=*) prefix=${1#--prefix=} ;;
            --dry-run) dry_run=yes ;;
            --systemd) services=yes ;;
            --user) manager=--user ;;
            -h | --help) usage && exit ;;
            uninstall) verb=uninstall ;;
            bench | chaos | try | test)
                verb=$1
                shift
                break
                ;;
            *) misuse "\`$1\` is nothing that install.sh knows" ;;
        esac
        shift
    done
    [ "$manager" = --system ] || [ "$services" ] || misuse "\`--user\` goes with \`--systemd\`"
    case $verb in
        bench | chaos | try | test)
            [ -z "$prefix$dry_run$services" ] || misuse "\`$verb\` takes no options of install.sh before it"
            "run_$verb" "$@"
            ;;
        *)
            set_places
            "$verb"
            ;;
    esac
}

# -- what it does

install_all() {
    [ -z "$services" ] || check_services
    install_program
    [ -z "$services" ] || install_services
}

install_program() {
    if ! is_ours && { [ -e "$link" ] || [ -L "$link" ]; }; then
        fail "\`$link\` exists and is not ours" 'move it away, or choose another place with --prefix DIR'
    fi
    find_python
    say "Installing jobrun in $prefix (./install.sh uninstall removes it):"
    made=''
    if [ ! -e "$data" ] && [ -z "$dry_run" ]; then
        trap undo EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
    fi
    make_folder "$prefix/bin"
    make_folder "$data"
    install_copy "$data/venv"
    run ln -sf -- "$data/venv/bin/jobrun" "$link"
    for page in man/*.[1-8]; do
        place=$prefix/share/man/man${page##*.}
        make_folder "$place"
        note "$place/${page##*/}"
        run install -m 644 -- "$page" "$place/"
    done
    if [ -z "$dry_run" ]; then
        note_folders
        trap - EXIT INT TERM
        say "Installed: $("$link" --version)"
    fi
    tell_about_path
}

uninstall() {
    if [ ! -d "$data" ] && ! is_ours; then
        fail "jobrun is not installed in \`$prefix\`" 'say where it is with --prefix DIR'
    fi
    say "Removing jobrun from $prefix; job files and tables stay where they are:"
    managers=$(cat "$data/managers" 2>/dev/null) || true
    for manager in $managers; do
        ask_systemd disable --now jobrun-worker jobrun-cron
    done
    if is_ours; then
        run rm -- "$link"
    fi
    remove_files
    for manager in $managers; do
        ask_systemd daemon-reload
    done
    made=''
    if [ -f "$data/folders" ]; then
        made=$(cat "$data/folders")
    fi
    run rm -rf -- "$data"
    [ -n "$dry_run" ] || remove_folders
}

run_try() {
    [ $# -eq 0 ] || misuse "\`try\` takes no \`$1\`"
    find_python
    venv=$here/.try/venv
    stamp=$(fingerprint pyproject.toml README.md LICENSE jobrun)
    if ! is_current; then
        say 'Making a private environment in .try/ (packages are fetched; the first time takes a moment):'
        install_copy "$venv"
        say "$stamp" >"$venv/stamp"
    fi
    exec "$venv/bin/python" examples/try.py .try/jobs
}

run_test() {
    make_checkout_environment .venv '.[test]'
    for tool in busybox dash gcc mandoc shellcheck strace systemd-analyze tmux; do
        command -v "$tool" >/dev/null || say "Not installed: $tool. The tests that need it are skipped."
    done
    exec "$venv/bin/python" -m pytest "$@"
}

run_chaos() {
    make_checkout_environment .venv '.[test]'
    exec "$venv/bin/python" -m tests.chaos "$@"
}

run_bench() { # what the peers need is installed by the runner, since one that cannot be had stops no other
    make_checkout_environment bench/.venv/jobrun .
    exec "$venv/bin/python" -m bench.all "$@"
}

# -- services

check_services() { # before anything is changed
    [ "$manager" = --user ] || [ -n "$dry_run" ] || [ "$(id -u)" = 0 ] ||
        fail 'only root can install services of the host' 'sudo ./install.sh --systemd, or ./install.sh --systemd --user'
    for service in worker cron; do
        unit=$units/jobrun-$service.service
        if [ -e "$unit" ] && ! head -n 1 -- "$unit" | grep -q '^# Written by .jobrun systemd '; then
            fail "\`$unit\` exists and is not ours" 'move it away; what changes a unit belongs into a drop-in'
        fi
    done
}

install_services() {
    say "Installing its services in $units:"
    made=''
    [ "$manager" = --user ] || make_user
    make_folder "$units"
    [ -n "$dry_run" ] || say "$manager" >>"$data/managers"
    for service in worker cron; do
        set -- "$link" systemd "$service"
        [ "$manager" = --system ] || set -- "$@" --user
        note "$units/jobrun-$service.service"
        run_into "$units/jobrun-$service.service" "$@"
    done
    [ -e "$table" ] || make_table
    [ -n "$dry_run" ] || note_folders
    ask_systemd daemon-reload
    tell_about_services
}

make_user() { # the one that the services of the host run as
    id jobrun >/dev/null 2>&1 ||
        run useradd --system --user-group --home-dir /var/lib/jobrun --shell /usr/sbin/nologin jobrun
    if [ -z "$dry_run" ] && ! runuser -u jobrun -- "$link" --version >/dev/null; then
        fail "the user jobrun cannot run \`$link\`" \
            'install it where all can read, with a Python that all can run: PYTHON=/usr/bin/python3 ./install.sh --systemd'
    fi
}

make_table() { # the example, commented out: it says what there is, and nothing runs
    make_folder "$(dirname -- "$table")"
    run_into "$table" sed 's/^[^#]/# &/' examples/jobs.toml
    if [ "$manager" = --system ]; then # it may hold passwords
        run chgrp jobrun "$table"
        run chmod 640 "$table"
    fi
}

ask_systemd() { # WORD...: where it runs, see sd_booted(3)
    [ ! -d /run/systemd/system ] || run systemctl "$manager" "$@" || say '  (systemd says why not above)'
}

tell_about_services() {
    systemctl='systemctl'
    [ "$manager" = --system ] || systemctl='systemctl --user'
    say 'Nothing runs yet. One of these starts it, now and whenever the host starts:'
    say "  $systemctl enable --now jobrun-cron      jobs by $table, and what is queued"
    say "  $systemctl enable --now jobrun-worker    what is queued"
    [ "$manager" = --system ] || say "  loginctl enable-linger                        and they go on when you log out"
}

# -- Python

# Prints what is wrong with the Python that runs it, or nothing. Any Python can read it.
probe='
import sys
version = "%d.%d" % sys.version_info[:2]
missing = []
for module in ("venv", "ensurepip", "ssl", "sqlite3"):
    try:
        __import__(module)
    except ImportError:
        missing.append(module)
if sys.version_info < (3, 11):
    print("is Python %s, and jobrun needs 3.11 or newer" % version)
elif missing:
    print("(Python %s) lacks the module %s" % (version, missing[0]))
'

find_python() { # sets $python
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3 python3.14 python3.13 python3.12 python3.11
    fi
    complaint="\`$1\` is not there, or does not run"
    for python; do
        # a launcher may stand there without its Python
        answer=$("$python" -c "$probe" 2>/dev/null) || continue
        [ -n "$answer" ] || return 0
        complaint="\`$python\` $answer"
    done
    case $complaint in
        *ensurepip | *venv) fail "$complaint" "on Debian and Ubuntu: apt-get install python3-venv" ;;
        *) fail "$complaint" 'install Python 3.11 or newer, or name one: PYTHON=/path/to/python3 ./install.sh' ;;
    esac
}

# -- private environments

fingerprint() { # FILE-OR-FOLDER...: one line that changes when they, this folder or the Python do
    {
        say "$here"
        "$python" -VV
        find "$@" -type f ! -name '*.pyc' -exec cksum {} + | sort
    } | cksum
}

is_current() {
    [ -f "$venv/stamp" ] && [ "$(cat "$venv/stamp")" = "$stamp" ] && "$venv/bin/python" -c '' 2>/dev/null
}

make_environment() { # FOLDER: one that works and has the same Python is kept
    if [ "$("$1/bin/python" -VV 2>/dev/null)" != "$("$python" -VV)" ] ||
        ! "$1/bin/python" -m pip --version >/dev/null 2>&1; then
        run "$python" -m venv --clear "$1"
    fi
}

pip_install() { # ENVIRONMENT WORD...
    environment=$1
    shift
    run "$environment/bin/python" -m pip install --quiet --disable-pip-version-check "$@" ||
        fail 'pip could not install the packages' 'pip says why above; it fetches them from the index that it is set to use'
}

make_checkout_environment() { # FOLDER WHAT: one that runs this checkout as it is; sets $venv
    find_python
    venv=$here/$1
    stamp=$(fingerprint pyproject.toml)
    if ! is_current; then
        say "Making a private environment in $1/ (packages are fetched; the first time takes a moment):"
        make_environment "$venv"
        # compat: a plain path to this checkout; the default is a finder whose imports slow down every start
        pip_install "$venv" --config-settings editable_mode=compat --editable "$2"
        say "$stamp" >"$venv/stamp"
    fi
}

install_copy() { # ENVIRONMENT: builds from a copy, so that nothing is left in the checkout
    make_environment "$1"
    run rm -rf -- "$1/source"
    run mkdir -- "$1/source"
    run cp -R pyproject.toml README.md LICENSE jobrun "$1/source/"
    pip_install "$1" "$1/source"
    run rm -rf -- "$1/source"
}

# -- places

newline='
'

set_places() { # sets $prefix, $data, $link, $units and $table
    units=/etc/systemd/system
    table=/etc/jobrun/jobs.toml
    if [ -n "$services" ] && [ "$manager" = --system ]; then
        umask 022 # the user jobrun reads what root installs
        prefix=${prefix:-/usr/local}
    fi
    if [ -z "$prefix" ] || [ "$manager" = --user ]; then
        [ -n "${HOME:-}" ] || misuse "\`HOME\` is not set: say where with --prefix DIR"
        prefix=${prefix:-$HOME/.local}
    fi
    if [ "$manager" = --user ]; then
        config=${XDG_CONFIG_HOME:-$HOME/.config}
        units=$config/systemd/user
        table=$config/jobrun/jobs.toml
    fi
    case $prefix in
        /*) ;;
        *) prefix=$begun_in/$prefix ;;
    esac
    data=$prefix/share/jobrun
    link=$prefix/bin/jobrun
}

is_ours() {
    [ -L "$link" ] && [ "$(readlink -- "$link")" = "$data/venv/bin/jobrun" ]
}

make_folder() { # FOLDER, with its parents; $made lists them, deepest first
    case $made in
        "$1$newline"* | *"$newline$1$newline"*) return ;; # only a dry run comes back to one
    esac
    if [ ! -d "$1" ]; then
        make_folder "$(dirname -- "$1")"
        run mkdir -- "$1"
        made=$1$newline$made
    fi
}

note() { # FILE: uninstall removes it
    [ -n "$dry_run" ] || grep -qxF -- "$1" "$data/files" 2>/dev/null || say "$1" >>"$data/files"
}

note_folders() { # those of $made: uninstall removes what is empty by then
    printf '%s' "$made" >>"$data/folders"
}

remove_files() {
    [ -f "$data/files" ] || return 0
    while IFS= read -r file; do
        run rm -f -- "$file"
    done <"$data/files"
}

remove_folders() { # those of $made that hold nothing else by now
    printf '%s\n' "$made" | while IFS= read -r folder; do
        rmdir -- "$folder" 2>/dev/null || true
    done
}

undo() {
    say 'Not installed; what was begun is removed.' >&2
    remove_files >&2
    rm -rf -- "$data"
    remove_folders
}

tell_about_path() {
    case ":$PATH:" in
        *":$prefix/bin:"*) ;;
        *)
            say "$prefix/bin is not on your PATH. This line in your shell's start file puts it there:"
            say "  export PATH=\"$prefix/bin:\$PATH\""
            ;;
    esac
}

# -- words

say() { printf '%s\n' "$*"; }

fail() { # MESSAGE HINT [CODE]
    say "install.sh: $1" >&2
    say "hint: $2" >&2
    exit "${3:-1}"
}

misuse() { # MESSAGE
    fail "$1" './install.sh --help shows what it can do' 2
}

run() { # WORD...: shows the command as one would type it, and runs it unless --dry-run
    say "$(quoted "$@")"
    [ -n "$dry_run" ] || "$@"
}

run_into() { # FILE WORD...: the same, and writes what it prints; a command that fails writes nothing
    file=$1
    shift
    place=$(quoted "$file")
    say "$(quoted "$@") >${place#?}"
    if [ -z "$dry_run" ]; then
        printed=$("$@")
        say "$printed" >"$file"
    fi
}

quoted() { # WORD...
    line=' '
    for word; do
        case $word in
            '' | *[!A-Za-z0-9_./=:@%+,-]*) line="$line '$word'" ;;
            *) line="$line $word" ;;
        esac
    done
    say "$line"
}

{ main "$@"; }
