# For a machine without a C compiler: PyPI's ziglang compiles for the machine itself.
find_program(PYTHON_ZIG python-zig REQUIRED)
set(CMAKE_C_COMPILER ${PYTHON_ZIG} cc)
set(CMAKE_AR ${CMAKE_CURRENT_LIST_DIR}/zig-ar CACHE FILEPATH "")
set(CMAKE_RANLIB ${CMAKE_CURRENT_LIST_DIR}/zig-ranlib CACHE FILEPATH "")
