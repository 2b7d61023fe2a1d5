"""The classes of cells, in the order of the network's heat maps and of the labels 1, 2, 3."""

CLASSES = ("immunopositive", "immunonegative", "til")
