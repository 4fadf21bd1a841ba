// Fontconfig keeps a pattern for each font it has found until the process ends, and refers to parts
// of it by offsets, which the leak checker does not see as references.

extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libfontconfig\n";
}
