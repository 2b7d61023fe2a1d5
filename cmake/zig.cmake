# PyPI's ziglang as the C compiler: for CMAKE_C_COMPILER_TARGET, or for this machine if it has none.
find_program(PYTHON_ZIG python-zig REQUIRED) # beside the interpreter of the virtual environment
set(CMAKE_C_COMPILER ${PYTHON_ZIG} cc)
set(CMAKE_AR ${CMAKE_CURRENT_LIST_DIR}/zig-ar CACHE FILEPATH "")
set(CMAKE_RANLIB ${CMAKE_CURRENT_LIST_DIR}/zig-ranlib CACHE FILEPATH "")
