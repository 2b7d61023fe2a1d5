# shellcheck shell=sh
# install.sh ID PLACE=SHA256...: assemble release ID from received parts. PLACE is a path in the release,
# or lib for a wheel, which is unpacked there. A folder appears in releases/ only after its files matched
# the manifest, its self-test passed and all of it is on disk.

place() {
    case $1 in
        # Byte code shipped in a wheel (as in numpy's) is removed: it is compiled below under the same name.
        lib) "$aside/python" -I -m zipfile -e "$2" "$aside/lib" && find "$aside/lib" -name '*.pyc' -exec rm {} + ;;
        *) mkdir -p "$(dirname "$aside/$1")" && { ln "$2" "$aside/$1" 2>/dev/null || cp "$2" "$aside/$1"; } ;;
    esac
}

main() {
    id=$1
    shift
    check_id "$id"
    open_store
    release=$EDGEPATHO_ROOT/releases/$id
    if matches "$release" "$id" && trusted "$release" && has_python "$release"; then
        echo present
        return
    fi
    aside=$release.part
    rm -rf "$aside"
    if ! mkdir "$aside" || ! ln -s "$(python_path)" "$aside/python"; then fail 11 "cannot write release $id"; fi
    for item in "$@"; do
        part=$EDGEPATHO_ROOT/parts/${item##*=}
        if [ "$(sha256sum "$part" 2>/dev/null | cut -d ' ' -f 1)" != "${item##*=}" ]; then
            rm -f "$part" # so that the next deploy uploads it again
            fail 10 "part ${item%=*} of release $id is missing or damaged on this device; deploy it again"
        fi
        place "${item%=*}" "$part" || fail 11 "cannot write ${item%=*} of release $id"
    done
    matches "$aside" "$id" || fail 10 "the uploaded parts do not make up release $id; deploy it again"
    trusted "$aside" || fail 16 "release $id has no signature by a key in $EDGEPATHO_ROOT/allowed_signers"
    chmod 755 "$aside/bin/"*
    # The launcher never writes byte code, so that a release stays as it was verified.
    "$aside/python" -I -m compileall -q --invalidation-mode unchecked-hash -s "$aside" -p "$release" "$aside/lib" >/dev/null ||
        fail 11 "cannot compile the Python files of release $id"
    (cd "$aside" && find lib -name '*.pyc' -exec sha256sum {} + >BYTECODE) ||
        fail 11 "cannot list the byte code of release $id"
    said=$(healthy "$aside") || fail 13 "the self-test of release $id failed; nothing was switched ($said)"
    echo "$said"

    find "$aside" ! -type l -exec sync {} + || fail 11 "cannot write release $id to disk"
    if [ -e "$release" ]; then # damaged or without its Python
        rm -rf "$release.damaged.part"
        mv -T "$release" "$release.damaged.part"
    fi
    sync "$EDGEPATHO_ROOT/releases"
    mv -T "$aside" "$release"
    sync "$EDGEPATHO_ROOT/releases"
    rm -rf "$release.damaged.part"
}

main "$@"
