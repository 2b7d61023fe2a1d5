# cmake -DFILE=... -P: Cython's modules import `inspect` when they start, a megabyte of memory, for the values of
# constants that python.cmake defines. Any module will do in its place.
file(READ ${FILE} text)
string(REPLACE [[PyImport_ImportModule("inspect")]] [[PyImport_ImportModule("sys")]] text "${text}")
file(WRITE ${FILE} "${text}")
