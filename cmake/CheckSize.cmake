# cmake -DFILE=... -DLIMIT=bytes -P CheckSize.cmake: fails when the file is larger.
file(SIZE ${FILE} size)
if(size GREATER LIMIT)
  message(FATAL_ERROR "${FILE} has ${size} bytes, more than ${LIMIT}")
endif()
