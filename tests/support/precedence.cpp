#include "support/precedence.h"

#include <sched.h>

namespace flare::test {

Precedence::Precedence() {
  const sched_param first{.sched_priority = 1};
  granted_ = sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first) == 0;
}

Precedence::~Precedence() {
  const sched_param none{.sched_priority = 0};
  if (granted_) sched_setscheduler(0, SCHED_OTHER, &none);
}

}  // namespace flare::test
