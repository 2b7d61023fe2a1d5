# The two extension modules, on Python's limited API.
if(CMAKE_CROSSCOMPILING) # no Interpreter: FindPython would look for one that runs on the target
  find_package(Python REQUIRED COMPONENTS Development.SABIModule)
  # Debian's pyconfig.h includes the target's, which no package of this machine provides. This machine's own is
  # used: the limited API needs only type sizes, which are the same on all 64-bit Linux processors.
  get_filename_component(python_name ${Python_INCLUDE_DIRS} NAME)
  file(GLOB own_config ${Python_INCLUDE_DIRS}/../*-linux-gnu/${python_name}/pyconfig.h)
  if(own_config)
    list(GET own_config 0 own_config)
    set(target_headers ${CMAKE_CURRENT_BINARY_DIR}/include)
    file(COPY ${own_config} DESTINATION ${target_headers}/${CMAKE_SYSTEM_PROCESSOR}-linux-gnu/${python_name})
    include_directories(${target_headers})
  endif()
else()
  find_package(Python REQUIRED COMPONENTS Interpreter Development.Module Development.SABIModule)
endif()
find_program(CYTHON cython REQUIRED)
# Flags of code objects, as the documentation of `inspect` lists them.
set(CODE_FLAGS CO_OPTIMIZED=0x1 CO_NEWLOCALS=0x2 CO_VARARGS=0x4 CO_VARKEYWORDS=0x8 CO_GENERATOR=0x20 CO_COROUTINE=0x80
    CO_ASYNC_GENERATOR=0x200)

function(add_extension name)
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/src/edgepatho_runtime/${name}.pyx)
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/${name}.c)
  add_custom_command(
    OUTPUT ${generated}
    COMMAND ${CYTHON} -3 --module-name edgepatho_runtime.${name} ${source} -o ${generated}
    COMMAND ${CMAKE_COMMAND} -DFILE=${generated} -P ${CMAKE_CURRENT_SOURCE_DIR}/cmake/without_inspect.cmake
    DEPENDS ${source} VERBATIM)
  python_add_library(${name} MODULE WITH_SOABI USE_SABI 3.11 ${generated})
  target_compile_definitions(${name} PRIVATE CYTHON_LIMITED_API=1 CYTHON_CCOMPLEX=0 ${CODE_FLAGS})
  target_compile_options(${name} PRIVATE -O2 -ffp-contract=off -fno-strict-aliasing -w)
  target_link_options(${name} PRIVATE -Wl,-z,relro,-z,now -Wl,--gc-sections -s)
  install(TARGETS ${name} LIBRARY DESTINATION edgepatho_runtime)
endfunction()

add_extension(_core)
target_link_libraries(_core PRIVATE edgepatho_core)
add_extension(_vision)
target_link_libraries(_vision PRIVATE edgepatho_vision)
