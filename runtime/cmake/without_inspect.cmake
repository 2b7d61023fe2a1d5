# cmake -DFILE=... -P: Cython modules import `inspect` at start, which costs a megabyte of memory, for constants that
# python.cmake defines. Any module will do in its place.
file(READ ${FILE} text)
string(REPLACE [[PyImport_ImportModule("inspect")]] [[PyImport_ImportModule("sys")]] text "${text}")
file(WRITE ${FILE} "${text}")
