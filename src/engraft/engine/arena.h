#pragma once

// The engine's buffers lie in it.
#include "engraft/base/arena.h"  // IWYU pragma: export
