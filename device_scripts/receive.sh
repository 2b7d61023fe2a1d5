# shellcheck shell=sh
# receive.sh SHA256 <DATA: take one part of a release. What does not match its hash is not kept.
# Standard input is the part, so the script has to be on the device first; README.md shows how by hand.

main() {
    check_id "$1"
    parts=$EDGEPATHO_ROOT/parts
    mkdir -p "$parts" || fail 11 "cannot make the folder $parts"
    aside=$parts/$1.$$.part
    trap 'rm -f "$aside"' EXIT
    cat >"$aside" || fail 11 "cannot write to $parts"
    [ "$(sha256sum <"$aside")" = "$1  -" ] || fail 12 "an upload arrived damaged or incomplete"
    sync "$aside" "$parts"
    mv -T "$aside" "$parts/$1"
    sync "$parts"
}

main "$@"
