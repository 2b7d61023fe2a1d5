# shellcheck shell=sh
# rollback.sh: switch to the previous release; a second rollback switches forward again.

main() {
    open_store
    wanted=$(release_at previous)
    if [ -z "$wanted" ] || [ "$wanted" = "$(release_at current)" ]; then
        fail 16 "this device has no previous release to roll back to"
    fi
    switch_to "$wanted"
    echo "now $wanted"
}

main "$@"
