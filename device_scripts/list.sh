# shellcheck shell=sh
# list.sh: one line per release: id, KiB on disk, time of installation in seconds since 1970, state (whole,
# damaged or, if its Python is gone, no-python), mark (current, previous or -), release.json.

main() {
    current=$(release_at current)
    previous=$(release_at previous)
    for release in "$EDGEPATHO_ROOT"/releases/*; do
        id=$(basename "$release")
        case $id in *[!0-9a-f]*) continue ;; esac
        state=damaged
        if matches "$release" "$id"; then state=whole; fi
        if [ "$state" = whole ] && ! has_python "$release"; then state=no-python; fi
        mark=-
        if [ "$id" = "$previous" ]; then mark=previous; fi
        if [ "$id" = "$current" ]; then mark=current; fi
        kib=$(du -sk "$release" | cut -f 1)
        echo "$id $kib $(stat -c %Y "$release") $state $mark $(cat "$release/release.json" 2>/dev/null || echo null)"
    done
}

main "$@"
