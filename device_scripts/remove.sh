# shellcheck shell=sh
# remove.sh ID: remove a release that is neither current nor previous.

main() {
    check_id "$1"
    open_store
    release=$EDGEPATHO_ROOT/releases/$1
    [ -e "$release" ] || fail 16 "there is no release $1 on this device"
    for name in current previous; do
        [ "$(release_at $name)" != "$1" ] || fail 16 "release $1 is the $name one and cannot be removed"
    done
    discard "$1"
}

main "$@"
