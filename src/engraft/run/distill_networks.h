#pragma once

#include "engraft/model/model.h"
#include "engraft/run/distill_run.h"
#include "engraft/train/teacher.h"

namespace engraft {

/// Who teaches, who learns, and how each sees a picture.
struct DistillNetworks {
  Model teacher_model;
  Teacher teacher;  ///< for teacher_view
  Network student;  ///< pixels of student_view → features
  Preprocessing teacher_view, student_view;
  std::string student_from;  ///< "mobilenet_v2_0.35_128 with random weights"
};

/// Loads the teacher, and loads or makes the student. Throws what load_model() and part_teacher()
/// do, and Error(kUsage) for a student whose features are not as many as the teacher's, for a name
/// that is none and for sizes that do not go.
[[nodiscard]] DistillNetworks load_networks(const DistillRequest& request);

/// Student and the teacher's head as one model.
[[nodiscard]] Model student_model(const DistillNetworks& networks, const Network& student);

}  // namespace engraft
