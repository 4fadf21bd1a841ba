# Writes OUTPUT, which tells ctest of the test suites of a GoogleTest program, each run by one process:
#   cmake -D PROGRAM=file -D PREFIX=text -D TIMEOUT=seconds -D OUTPUT=file -P suites.cmake
execute_process(COMMAND ${PROGRAM} --gtest_list_tests OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "\n[A-Za-z0-9_/]+[.](\n|  #)" suites "${listing}")  # the tests themselves are indented
if(NOT suites)
  message(FATAL_ERROR "${PROGRAM}: has no tests")
endif()
# What GoogleTest ends with where something was skipped and nothing failed: an exit code that says otherwise would be ignored.
set(skipped "\\[  SKIPPED \\] [A-Za-z0-9_/.]+\n$")
# Suites that may take longest begin first, so that none is left running alone at the end.
set(content "")
foreach(line IN LISTS suites)
  string(REGEX REPLACE "\n([A-Za-z0-9_/]+)[.].*" "\\1" suite "${line}")
  string(APPEND content "add_test([==[${PREFIX}${suite}]==] [==[${PROGRAM}]==] [==[--gtest_filter=${suite}.*]==])\n"
    "set_tests_properties([==[${PREFIX}${suite}]==] PROPERTIES TIMEOUT ${TIMEOUT} COST ${TIMEOUT} SKIP_REGULAR_EXPRESSION [==[${skipped}]==])\n")
endforeach()
file(WRITE ${OUTPUT} "${content}")
