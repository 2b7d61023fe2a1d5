"""Recognise a file by its first bytes: the formats that are read, and names for others."""

HEAD_BYTES = 16

JPEG = b"\xff\xd8\xff"
TIFFS = (b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0")  # the last two are BigTIFF

# (offset, bytes there) -> what the file is.
FOREIGN = {
    (0, b"\x00\x00\x00\x0cjP  "): "a JPEG 2000",
    (0, b"\xff\x4f\xff\x51"): "a JPEG 2000",
    (0, b"\x00\x00\x00\x0cJXL "): "a JPEG XL",
    (0, b"\xff\x0a"): "a JPEG XL",
    (8, b"WEBP"): "a WebP",
    (4, b"ftypavif"): "an AVIF",
    (4, b"ftyphei"): "a HEIC",
    (4, b"ftypmif1"): "a HEIC",
    (0, b"GIF8"): "a GIF",
    (0, b"BM"): "a BMP",
    (0, b"\x00\x05\x16\x07"): "an AppleDouble file, which macOS leaves beside a picture and which holds none",
    (0, b"ZISRAWFILE"): "a Zeiss CZI",
    (0, b"%PDF"): "a PDF",
}
# Suffixes of pictures that are not read; in a folder they are counted, not ignored silently.
FOREIGN_SUFFIXES = {
    *(".bmp", ".gif", ".webp", ".jp2", ".j2k", ".jpx", ".jxl", ".heic", ".heif", ".avif", ".pdf"),
    *(".svs", ".ndpi", ".scn", ".mrxs", ".vms", ".bif", ".czi", ".lif", ".nd2", ".vsi", ".oir", ".dcm"),
    *(".dng", ".nef", ".cr2", ".cr3", ".arw"),
}
ADVICE = "open it in the program that made it and save it as PNG or TIFF, 8 bits per channel"


def foreign(head: bytes) -> str:
    """Return the error for a file of a kind that is not read."""
    if not head.strip(b"\0"):
        return "it is empty" if not head else "it begins with zeros, like a file still being written"
    for (at, start), name in FOREIGN.items():
        if head[at:].startswith(start):
            return (
                f"it is {name}"
                if "AppleDouble" in name
                else f"it is {name}, which is not supported; {ADVICE}"
            )
    return "it is not a PNG, PPM, PGM, JPEG or TIFF"
