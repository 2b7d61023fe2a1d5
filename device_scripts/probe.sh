# shellcheck shell=sh
# probe.sh: print what deploy needs to know about a device, one name=value per line; leaves nothing behind.
# Whatever a device lacks (sensors, vcgencmd, a device tree) is empty, not an error.

fact() {
    printf '%s=%s\n' "$1" "$(printf '%s' "$2" | tr '\n' ' ')"
}

# readable FILE: print its text without the NUL that ends device-tree strings.
readable() {
    if [ -r "$1" ]; then tr -d '\000' <"$1" 2>/dev/null || true; fi
}

# memory NAME: print a field of /proc/meminfo in KiB.
memory() {
    awk -v name="$1:" '$1 == name { print $2 }' /proc/meminfo
}

# ancestor FOLDER: print the folder itself or the nearest one above it that exists.
ancestor() {
    folder=$1
    while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
    echo "$folder"
}

board() {
    fact model "$(readable /proc/device-tree/model)"
    # shellcheck disable=SC1091 # a file of the device
    fact os "$(. /etc/os-release 2>/dev/null && echo "$PRETTY_NAME")"
    fact kernel "$(uname -r)"
    fact kernel_machine "$(uname -m)"
    fact glibc "$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d ' ' -f 2)"
    fact cores "$(nproc)"
    fact cpu_features "$(grep -m 1 -E '^(Features|flags)' /proc/cpuinfo | cut -d : -f 2)"
    fact memory_kib "$(memory MemTotal)"
    fact memory_available_kib "$(memory MemAvailable)"
    fact temperature_millicelsius "$(readable /sys/class/thermal/thermal_zone0/temp)"
    fact governor "$(readable /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor)"
    fact throttled "$(vcgencmd get_throttled 2>/dev/null | cut -d = -f 2)"
    fact clock "$(date +%s)"
}

# uname describes the kernel, and a 32-bit system often runs a 64-bit one. Python knows its own width.
python() {
    command -v python3 >/dev/null || return 0
    fact python_path "$(python_path 2>/dev/null)"
    python3 -I -c 'import struct, sys; print("python=%d.%d.%d\npython_bits=%d\npython_name=%s" % (
        *sys.version_info[:3], struct.calcsize("P") * 8, sys.implementation.name))' 2>/dev/null || true
}

# runs_programs FOLDER: print whether programs can run in it, nothing if none can be written there.
# They cannot on a file system that is mounted noexec or has no execute bits.
runs_programs() {
    trial=$1/.edgepatho-probe.$$
    trap 'rm -f "$trial"' EXIT
    if { echo '#!/bin/sh' >"$trial"; } 2>/dev/null && chmod 700 "$trial" 2>/dev/null; then
        if "$trial" 2>/dev/null; then echo yes; else echo no; fi
    fi
}

store() {
    home=$(ancestor "$EDGEPATHO_ROOT")
    fact root "$EDGEPATHO_ROOT"
    fact free_kib "$(df -Pk "$home" | awk 'NR == 2 { print $4 }')"
    fact leftover_kib "$(du -sck "$EDGEPATHO_ROOT"/releases/*.part 2>/dev/null | awk 'END { print $1 }')"
    fact writable "$(if [ -w "$home" ]; then echo yes; else echo no; fi)"
    fact mount_point "$(df -Pk "$home" | awk 'NR == 2 { print $6 }')"
    fact runs_programs "$(runs_programs "$home")"
    for tool in flock sha256sum sync timeout find readlink; do
        command -v "$tool" >/dev/null || fact missing "$tool"
    done
    fact current "$(release_at current)"
    fact previous "$(release_at previous)"
    for file in "$EDGEPATHO_ROOT"/releases/* "$EDGEPATHO_ROOT"/parts/*; do
        case $file in
            */'*' | *.part) ;;
            "$EDGEPATHO_ROOT"/releases/*) fact release "${file##*/}" ;;
            *) fact part "${file##*/}" ;;
        esac
    done
}

main() {
    board
    python
    store
}

main "$@"
