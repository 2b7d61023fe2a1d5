# shellcheck shell=sh
# activate.sh ID: switch to an installed release; if its health check fails, switch back.

main() {
    check_id "$1"
    open_store
    switch_to "$1"
}

main "$@"
