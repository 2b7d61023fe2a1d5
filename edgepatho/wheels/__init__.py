"""The device runtime's wheels, put here by `make wheel-arm`, for `edgepatho deploy` to carry."""
