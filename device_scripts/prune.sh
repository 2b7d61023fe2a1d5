# shellcheck shell=sh
# prune.sh: keep the current and the previous release and the newest up to three; remove older ones,
# parts that belong to none, and what interrupted deploys left behind.

KEPT_RELEASES=3

main() {
    open_store
    cd "$EDGEPATHO_ROOT" || exit
    current=$(release_at current)
    previous=$(release_at previous)
    kept=0
    for id in $(find releases -mindepth 1 -maxdepth 1 -printf '%T@ %f\n' | sort -rn | cut -d ' ' -f 2); do
        case $id in
            *[!0-9a-f]*) rm -rf "releases/$id" ;; # the lock is ours, so nobody is writing it
            "$current" | "$previous") kept=$((kept + 1)) ;;
            *)
                kept=$((kept + 1))
                [ "$kept" -le "$KEPT_RELEASES" ] && continue
                discard "releases/$id"
                ;;
        esac
    done
    # A day's grace: a deploy that has not installed yet may be uploading parts right now.
    find parts -type f -mmin +1440 | while read -r part; do
        grep -qs "$(basename "$part")" releases/*/release.json || rm -f "$part"
    done
}

main "$@"
