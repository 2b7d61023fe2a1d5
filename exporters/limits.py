"""The limits of a bundle (docs/bundle-format.md, Limits), for writer and reader alike."""

MAX_FILE_BYTES = 64 << 20
MAX_HEADER_BYTES = 1 << 20
MAX_INTEGER_CHARACTERS = 16  # including the sign; every count in a bundle has fewer
MAX_TENSORS = 4096
MAX_RANK = 4
MAX_DECODED_BYTES = 64 << 20  # of all coded tensors together
MAX_DICTIONARY_BYTES = 8 << 20  # of an LZMA decoder, which takes that much memory
MAX_NODES = 1024
MAX_SIDE_PX = 4096  # of a map, at the golden input's size
MAX_CHANNELS = 65_536
MAX_DILATION = 1024
MAX_DIVISOR = 1_000_000
MAX_CODEBOOK_VALUES = 65_536
MIN_GOLDEN_SIDE_PX = 16
MAX_GOLDEN_SIDE_PX = 256
MAX_CLASSES = 16
MAX_SCORING_NUMBER = 1_000_000
MAX_MIN_DISTANCE_PX = 64
MAX_NETWORK_SIZE_PX = 4096
MAX_TEXT_CHARACTERS = 200  # of a text in an optional object
MAX_RANGE_NUMBER = 1_000_000
