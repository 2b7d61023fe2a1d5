"""The ARM lab: an arm64 userland, three Raspberry Pi processors under QEMU, and the cycle estimate."""
