# shellcheck shell=sh
# The release store of one user on one device. `edgepatho deploy` sends this file before each of the
# others; by hand: cat store.sh list.sh | ssh pi sh -s --
# Layout and guarantees: docs/release-layout.md. Needs GNU coreutils, findutils, flock and Python 3.11.
#
# Exit codes: 0 done, 10 the release is missing, damaged or unsigned, 11 the device cannot store it, 12 an
# upload arrived damaged, 13 the self-test failed (nothing switched), 14 the health check failed (switched
# back), 15 another deploy holds the lock, 16 refused.

set -eu
umask 022
export LC_ALL=C
EDGEPATHO_ROOT=${EDGEPATHO_ROOT:-$HOME/.local/share/edgepatho}

# fail CODE SENTENCE: print the sentence to standard error and exit.
fail() {
    echo "$2" >&2
    exit "$1"
}

# open_store: create the folders and hold the lock until the script ends.
open_store() {
    mkdir -p "$EDGEPATHO_ROOT/parts" "$EDGEPATHO_ROOT/releases" ||
        fail 11 "cannot create folders in $EDGEPATHO_ROOT"
    exec 9>>"$EDGEPATHO_ROOT/lock"
    flock -n 9 && return
    echo "another deploy is running on this device; waiting for up to a minute" >&2
    flock -w 60 9 || fail 15 "another deploy is still running on this device; try again when it has finished"
}

# check_id ID: refuse what is not a release id, before it becomes a path.
check_id() {
    case $1 in
        *[!0-9a-f]* | '') fail 16 "'$1' is not a release id (twelve hexadecimal digits)" ;;
    esac
}

# release_at current|previous: print the id that the link names, or nothing.
release_at() {
    basename "$(readlink "$EDGEPATHO_ROOT/$1" || true)"
}

# point current|previous ID: switch the link atomically and durably.
point() {
    ln -sfn "releases/$2" "$EDGEPATHO_ROOT/.$1.part"
    sync "$EDGEPATHO_ROOT"
    mv -T "$EDGEPATHO_ROOT/.$1.part" "$EDGEPATHO_ROOT/$1"
    sync "$EDGEPATHO_ROOT"
}

# unpoint current|previous: remove the link.
unpoint() {
    rm -f "$EDGEPATHO_ROOT/$1"
    sync "$EDGEPATHO_ROOT"
}

# discard ID: remove a release and the parts that no other one uses. It is renamed first, so that an
# interrupted removal leaves no partial release under its name.
discard() {
    aside=$EDGEPATHO_ROOT/releases/$1.part
    rm -rf "$aside"
    mv -T "$EDGEPATHO_ROOT/releases/$1" "$aside"
    sync "$EDGEPATHO_ROOT/releases"
    for sha256 in $(grep -oE '[0-9a-f]{64}' "$aside/release.json" 2>/dev/null || true); do
        grep -qs "$sha256" "$EDGEPATHO_ROOT"/releases/*[0-9a-f]/release.json || rm -f "$EDGEPATHO_ROOT/parts/$sha256"
    done
    rm -rf "$aside"
}

# matches FOLDER ID: is it release ID, file by file, including its compiled byte code?
matches() {
    case $(sha256sum "$1/MANIFEST" 2>/dev/null) in
        "$2"*) ;;
        *) return 1 ;;
    esac
    for list in MANIFEST BYTECODE; do
        [ -e "$1/$list" ] || continue
        (cd "$1" && sha256sum --status --strict --check "$list" 2>/dev/null) || return 1
    done
}

# python_path: print the real path of this account's python3, so that no later change of PATH, pyenv or the
# system replaces it.
python_path() {
    python3 -I -c 'import os, sys; print(os.path.realpath(sys.executable))'
}

# has_python FOLDER: is the Python that the release was installed with still there?
has_python() {
    [ -x "$1/python" ]
}

# trusted FOLDER: is it signed, or does this device accept unsigned releases (it has no allowed_signers)?
trusted() {
    [ -e "$EDGEPATHO_ROOT/allowed_signers" ] || return 0
    ssh-keygen -Y verify -f "$EDGEPATHO_ROOT/allowed_signers" -I edgepatho -n edgepatho \
        -s "$1/MANIFEST.sig" <"$1/MANIFEST" >/dev/null 2>&1
}

# healthy FOLDER: does the runtime there compute its bundle's golden output? Prints the self-test's sentence,
# or the last line of an error.
healthy() {
    said=$(timeout 300 "$1/bin/edgepatho-run" selftest "$1/model.epb" </dev/null 2>&1) && code=0 || code=$?
    printf '%s\n' "${said:-no output, exit code $code}" | tail -n 1
    return "$code"
}

# switch_to ID: make it the current release, or leave the device on the one it has.
switch_to() {
    release=$EDGEPATHO_ROOT/releases/$1
    matches "$release" "$1" || fail 10 "release $1 is missing or damaged on this device; deploy it again"
    has_python "$release" ||
        fail 10 "$(readlink "$release/python"), the Python of release $1, is gone; deploy that release again"
    trusted "$release" || fail 10 "release $1 has no signature by a key in $EDGEPATHO_ROOT/allowed_signers"
    current=$(release_at current)
    previous=$(release_at previous)
    if [ "$current" = "$1" ]; then # an interrupted switch may still lack its check and its command
        said=$(healthy "$EDGEPATHO_ROOT/current") ||
            fail 14 "release $1 is in use and fails its health check; \`edgepatho rollback\` switches back ($said)"
        link_command
        echo unchanged
        return
    fi
    # A release that is damaged, deleted by hand or without its Python cannot be rolled back to.
    left=$current
    folder=$EDGEPATHO_ROOT/releases/$left
    if [ -z "$left" ] || ! matches "$folder" "$left" || ! has_python "$folder"; then left=; fi
    # In either order an interruption leaves both links on whole releases. Rolling back, `current` moves
    # first, so that an interrupted rollback can be repeated.
    if [ -n "$left" ] && [ "$previous" != "$1" ]; then point previous "$left"; fi
    point current "$1"
    if [ "$previous" = "$1" ]; then
        if [ -n "$left" ]; then point previous "$left"; else unpoint previous; fi
    fi

    if ! said=$(healthy "$EDGEPATHO_ROOT/current"); then
        if [ -n "$current" ]; then point current "$current"; else unpoint current; fi
        if [ -n "$previous" ]; then point previous "$previous"; else unpoint previous; fi
        fail 14 "the health check of release $1 failed; this device is on ${current:-no release} as before ($said)"
    fi
    link_command
    echo "switched ${left:-none}"
}

# link_command: ~/.local/bin/edgepatho-run, unless something else has that name.
link_command() {
    name=$HOME/.local/bin/edgepatho-run
    if [ -e "$name" ] || [ -L "$name" ]; then return; fi
    if mkdir -p "$HOME/.local/bin"; then ln -s "$EDGEPATHO_ROOT/current/bin/edgepatho-run" "$name"; fi || true
}
