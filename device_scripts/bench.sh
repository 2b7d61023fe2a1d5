# shellcheck shell=sh
# bench.sh OPTION...: measure the current release; the record goes to standard output, progress to
# standard error. Options are those of `edgepatho-run bench`.

main() {
    id=$(release_at current)
    release=$EDGEPATHO_ROOT/releases/$id
    if [ -z "$id" ] || [ ! -d "$release" ]; then fail 10 "there is no release on this device; deploy one first"; fi
    matches "$release" "$id" || fail 10 "release $id is damaged on this device; deploy it again"
    has_python "$release" || fail 10 "$(readlink "$release/python"), the Python of release $id, is gone; deploy it again"
    "$release/bin/edgepatho-run" bench "$release" --json - "$@" </dev/null
}

main "$@"
