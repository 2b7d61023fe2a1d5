# shellcheck shell=sh
# receive.sh SHA256 <DATA: store one part of a release, unless it does not match its hash.
# Standard input is the part, so the script must already be on the device; README.md shows how.

main() {
    check_id "$1"
    parts=$EDGEPATHO_ROOT/parts
    mkdir -p "$parts" || fail 11 "cannot create the folder $parts"
    aside=$parts/$1.$$.part
    trap 'rm -f "$aside"' EXIT
    cat >"$aside" || fail 11 "cannot write to $parts"
    [ "$(sha256sum <"$aside")" = "$1  -" ] || fail 12 "an upload arrived damaged or incomplete; deploy again"
    sync "$aside" "$parts"
    mv -T "$aside" "$parts/$1"
    sync "$parts"
}

main "$@"
