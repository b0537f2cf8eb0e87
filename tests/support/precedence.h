// A thread that has its turn when it wants it, on a machine that others use, too.
#pragma once

namespace flare::test {

/// Takes the CPU before ordinary processes do while it lives; what its thread starts does not.
/// Where it may not, it does nothing.
class Precedence {
 public:
  Precedence();
  ~Precedence();
  Precedence(const Precedence&) = delete;
  Precedence& operator=(const Precedence&) = delete;
  bool granted() const { return granted_; }

 private:
  bool granted_ = false;
};

}  // namespace flare::test
