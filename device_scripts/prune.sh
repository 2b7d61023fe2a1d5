# shellcheck shell=sh
# prune.sh: keep the current, the previous and the newest releases, three in all; remove older ones, unused
# parts, and leftovers of interrupted deploys.

KEPT_RELEASES=3

main() {
    open_store
    cd "$EDGEPATHO_ROOT" || exit
    current=$(release_at current)
    previous=$(release_at previous)
    kept=2 # these two, always
    rm -rf releases/*.part # the lock is ours, so nobody is writing them
    find . -maxdepth 1 -name '.edgepatho-probe.*' -mmin +60 -exec rm -f {} +
    for id in $(find releases -mindepth 1 -maxdepth 1 -regex 'releases/[0-9a-f]+' -printf '%T@ %f\n' |
        sort -rn | cut -d ' ' -f 2); do
        case $id in "$current" | "$previous") continue ;; esac
        kept=$((kept + 1))
        [ "$kept" -le "$KEPT_RELEASES" ] || discard "$id"
    done
    # A day's grace: a deploy that has not installed yet may be uploading parts now.
    find parts -type f -mmin +1440 | while read -r part; do
        grep -qs "$(basename "$part")" releases/*/release.json || rm -f "$part"
    done
}

main "$@"
