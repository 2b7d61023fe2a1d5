"""The Raspberry Pi boards that the lab emulates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Board:
    """One board: QEMU's name for its processor, llvm-mca's scheduling model, its /proc/cpuinfo."""

    model: str
    cpu: str
    qemu_cpu: str
    mca_cpu: str | None
    """LLVM's scheduling model, or None if LLVM has no usable one."""
    identity: tuple[str, str, str]
    """CPU variant, part and revision, as in /proc/cpuinfo."""
    features: str
    caches: str
    """Data caches, KiB:ways, in the form the counting plugin takes."""

    @property
    def has_fp16(self) -> bool:
        """Whether the processor computes in half precision."""
        return "asimdhp" in self.features.split()

    def cpuinfo(self) -> str:
        """Return the text of /proc/cpuinfo on this board (64-bit kernel).

        Under qemu-user a program sees the host's file; XNNPACK and ncnn choose their kernels from it.
        """
        variant, part, revision = self.identity
        core = (
            "BogoMIPS\t: 108.00\n"
            f"Features\t: {self.features}\n"
            "CPU implementer\t: 0x41\n"
            "CPU architecture: 8\n"
            f"CPU variant\t: {variant}\n"
            f"CPU part\t: {part}\n"
            f"CPU revision\t: {revision}\n"
        )
        cores = "".join(f"processor\t: {number}\n{core}\n" for number in range(4))
        return f"{cores}Model\t\t: {self.model}\n"


_ARMV8_0 = "fp asimd evtstrm crc32 cpuid"
_ARMV8_2 = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
)

BOARDS = {
    board.cpu: board
    for board in (
        # LLVM's Cortex-A53 model lacks dual issue and accumulator forwarding: instructions only.
        Board(
            "Raspberry Pi 3 Model B Plus Rev 1.3", "a53", "cortex-a53", None,
            ("0x0", "0xd03", "4"), _ARMV8_0, "l1=32:4,l2=512:16",
        ),
        Board(
            "Raspberry Pi 4 Model B Rev 1.5", "a72", "cortex-a72", "cortex-a72",
            ("0x0", "0xd08", "3"), _ARMV8_0, "l1=32:2,l2=1024:16",
        ),
        # LLVM schedules "cortex-a76" with the A57 model; Neoverse N1, the same core, has its own.
        Board(
            "Raspberry Pi 5 Model B Rev 1.0", "a76", "cortex-a76", "neoverse-n1",
            ("0x4", "0xd0b", "1"), _ARMV8_2, "l1=64:4,l2=512:8,l3=2048:16",
        ),
    )
}  # fmt: skip
