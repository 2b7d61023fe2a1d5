# shellcheck shell=sh
# rollback.sh: switch to the previous release; a second rollback switches forward again.

main() {
    open_store
    previous=$(release_at previous)
    if [ -z "$previous" ] || [ "$previous" = "$(release_at current)" ]; then
        fail 16 "this device has no previous release to go back to"
    fi
    switch_to "$previous"
    echo "now $previous"
}

main "$@"
