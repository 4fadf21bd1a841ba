#include "engraft/base/team.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "engraft/base/error.h"
#include "engraft/base/thread_pool.h"

namespace engraft {
namespace {

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Where a job stands, in one word, so that a thread that comes late can neither take a part of a
/// phase that is over nor read what belongs to a job that is gone.
struct State {
  static constexpr int kIdle = 4095, kStopped = 4094;  // in place of a phase

  std::uint32_t job;
  int phase, parts, next;

  [[nodiscard]] std::uint64_t word() const {
    return std::uint64_t{job} << 32 | static_cast<std::uint64_t>(phase) << 20 |
           static_cast<std::uint64_t>(parts) << 10 | static_cast<std::uint64_t>(next);
  }
  [[nodiscard]] static State of(std::uint64_t word) {
    return {.job = static_cast<std::uint32_t>(word >> 32),
            .phase = static_cast<int>(word >> 20 & 0xfff),
            .parts = static_cast<int>(word >> 10 & 0x3ff),
            .next = static_cast<int>(word & 0x3ff)};
  }
  [[nodiscard]] bool has_work() const { return phase < kStopped && next < parts; }
};

using Clock = std::chrono::steady_clock;

constexpr auto kSpin = std::chrono::microseconds(100);
constexpr int kRelaxesBetweenLooks = 32;  // at the clock

/// How long the caller works alone after somebody has let it wait: a member whose core has another
/// process to serve may be away for milliseconds in the middle of a part. Twice as long after each
/// such wait, a little less after each job without.
class Retreat {
 public:
  [[nodiscard]] bool is_on(Clock::time_point now) const { return now < end_; }
  void after_wait(Clock::time_point now) {
    end_ = now + length_;
    length_ = std::min<Clock::duration>(2 * length_, kLongest);
  }
  void after_job() { length_ = std::max<Clock::duration>(length_ * 19 / 20, kShortest); }

 private:
  static constexpr auto kShortest = std::chrono::milliseconds(10);
  static constexpr auto kLongest = std::chrono::milliseconds(500);
  Clock::duration length_ = kShortest;
  Clock::time_point end_{};
};

}  // namespace

struct Team::Impl {
  explicit Impl(int threads);
  ~Impl();

  void work(int member, std::uint32_t job);
  void serve(int member);
  void run_alone();
  void run_together();
  void run_part(const State& state, int member);
  void call_body(int phase, int part, int member);
  void finish_part(const State& state);
  [[nodiscard]] std::uint64_t wait_for_change(std::uint64_t seen);
  void publish(std::uint64_t word) {
    state.store(word, std::memory_order_release);
    state.notify_all();
  }

  alignas(64) std::atomic<std::uint64_t> state{State{0, State::kIdle, 0, 0}.word()};
  alignas(64) std::atomic<int> done{0};  ///< parts of the phase
  // Of the job at hand; read only by those who hold a part of it.
  std::span<const int> parts;
  const Body* body = nullptr;
  std::mutex error_mutex;
  std::exception_ptr error;
  // Of the caller alone.
  Retreat retreat;
  Clock::duration longest_part{}, longest_wait{};  ///< of the job at hand
  std::vector<std::thread> members;
};

Team::Impl::Impl(int threads) {
  if (threads < 1) {
    throw Error(ErrorKind::kUsage,
                fmt::format("a team of {} threads; it takes at least 1", threads));
  }
  try {
    for (int member = 1; member < threads; ++member) {
      members.emplace_back([this, member] { serve(member); });
    }
  } catch (const std::system_error& failure) {
    publish(State{0, State::kStopped, 0, 0}.word());
    for (std::thread& member : members) member.join();
    throw Error(ErrorKind::kUsage,
                fmt::format("the system does not give {} threads: {}", threads, failure.what()));
  }
}

Team::Impl::~Impl() {
  publish(State{0, State::kStopped, 0, 0}.word());
  for (std::thread& member : members) member.join();
}

/// The state's word when it is another than `seen`.
std::uint64_t Team::Impl::wait_for_change(std::uint64_t seen) {
  const auto end = Clock::now() + kSpin;
  do {
    for (int i = 0; i < kRelaxesBetweenLooks; ++i) {
      const std::uint64_t now = state.load(std::memory_order_acquire);
      if (now != seen) return now;
      relax();
    }
  } while (Clock::now() < end);
  state.wait(seen, std::memory_order_acquire);
  return state.load(std::memory_order_acquire);
}

void Team::Impl::call_body(int phase, int part, int member) {
  try {
    (*body)(phase, part, member);
  } catch (...) {
    const std::lock_guard lock(error_mutex);
    if (!error) error = std::current_exception();
  }
}

void Team::Impl::run_part(const State& at, int member) {
  if (member == 0) {
    const auto start = Clock::now();
    call_body(at.phase, at.next, member);
    longest_part = std::max(longest_part, Clock::now() - start);
  } else {
    call_body(at.phase, at.next, member);
  }
  finish_part(at);
}

/// Who does the last part of a phase begins the next.
void Team::Impl::finish_part(const State& at) {
  if (done.fetch_add(1, std::memory_order_acq_rel) + 1 < at.parts) return;
  done.store(0, std::memory_order_relaxed);
  const int phase = at.phase + 1;
  if (phase == static_cast<int>(parts.size())) {
    publish(State{at.job, State::kIdle, 0, 0}.word());
  } else {
    publish(State{at.job, phase, parts[static_cast<std::size_t>(phase)], 0}.word());
  }
}

/// Takes parts of a job until it is over.
void Team::Impl::work(int member, std::uint32_t job) {
  std::uint64_t word = state.load(std::memory_order_acquire);
  for (;;) {
    const State now = State::of(word);
    if (now.job != job || now.phase >= State::kStopped) return;
    if (!now.has_work()) {
      const auto start = Clock::now();
      word = wait_for_change(word);
      if (member == 0) longest_wait = std::max(longest_wait, Clock::now() - start);
    } else if (state.compare_exchange_weak(word, word + 1, std::memory_order_acq_rel,
                                           std::memory_order_acquire)) {
      run_part(now, member);
      word = state.load(std::memory_order_acquire);
    }
  }
}

void Team::Impl::serve(int member) {
  std::uint64_t word = state.load(std::memory_order_acquire);
  for (;;) {
    const State now = State::of(word);
    if (now.phase == State::kStopped) return;
    if (now.phase != State::kIdle) {
      work(member, now.job);
      word = state.load(std::memory_order_acquire);
    } else {
      word = wait_for_change(word);
    }
  }
}

void Team::Impl::run_alone() {
  for (int phase = 0; phase < static_cast<int>(parts.size()); ++phase) {
    const int count = parts[static_cast<std::size_t>(phase)];
    for (int part = 0; part < count; ++part) call_body(phase, part, 0);
  }
}

void Team::Impl::run_together() {
  longest_part = longest_wait = {};
  const std::uint32_t job = State::of(state.load(std::memory_order_relaxed)).job + 1;
  publish(State{job, 0, parts[0], 0}.word());
  work(0, job);
  if (longest_wait > kSpin + 2 * longest_part) {
    retreat.after_wait(Clock::now());
  } else {
    retreat.after_job();
  }
}

Team::Team(int threads)
    : impl_(std::make_unique<Impl>(threads == 0 ? available_cores() : threads)) {}
Team::~Team() = default;

int Team::threads() const {
  return static_cast<int>(impl_->members.size()) + 1;
}

bool Team::caller_is_alone() const {
  return impl_->members.empty() || impl_->retreat.is_on(Clock::now());
}

void Team::run(std::span<const int> parts, const Body& body) {
  if (parts.empty()) return;
  for (const int count : parts) {
    if (count < 1 || count > kMostParts || std::ssize(parts) > kMostPhases) {
      throw Error(ErrorKind::kInternal, "a job of more phases or parts than a team takes");
    }
  }
  impl_->parts = parts;
  impl_->body = &body;
  if (caller_is_alone()) {
    impl_->run_alone();
  } else {
    impl_->run_together();
  }
  if (impl_->error) std::rethrow_exception(std::exchange(impl_->error, nullptr));
}

}  // namespace engraft
