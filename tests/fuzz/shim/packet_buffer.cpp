#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "shim/host.h"

namespace flare::fuzz {

PacketBuffer::PacketBuffer() {
  void* memory =
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  memory_ = static_cast<std::uint8_t*>(memory);
  lock();
}

std::uint32_t PacketBuffer::address(std::size_t offset) const {
  return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(memory_ + offset));
}

void PacketBuffer::unlock() { ASAN_UNPOISON_MEMORY_REGION(memory_, kBytes); }

void PacketBuffer::lock() {
  ASAN_POISON_MEMORY_REGION(memory_, kBytes);
  ASAN_UNPOISON_MEMORY_REGION(memory_ + start_, linear_);
}

void PacketBuffer::put(std::span<const std::uint8_t> frame, std::size_t linear) {
  unlock();
  start_ = kHeadroom;
  bytes_ = frame.size() < kFrameMax ? frame.size() : kFrameMax;
  linear_ = linear < bytes_ ? linear : bytes_;
  std::memset(memory_, 0xa5, start_);
  if (bytes_ != 0) std::memcpy(memory_ + start_, frame.data(), bytes_);
  std::memset(memory_ + start_ + bytes_, 0x5a, 64);
  lock();
}

Frame PacketBuffer::take() {
  unlock();
  Frame frame(memory_ + start_, memory_ + start_ + bytes_);
  lock();
  return frame;
}

bool PacketBuffer::load(std::size_t offset, void* to, std::size_t bytes) {
  if (offset > bytes_ || bytes > bytes_ - offset) return false;
  unlock();
  std::memcpy(to, memory_ + start_ + offset, bytes);
  lock();
  return true;
}

bool PacketBuffer::store(std::size_t offset, const void* from, std::size_t bytes) {
  if (offset > bytes_ || bytes > bytes_ - offset) return false;
  unlock();
  std::memcpy(memory_ + start_ + offset, from, bytes);
  lock();
  return true;
}

bool PacketBuffer::pull(std::size_t bytes) {
  if (bytes > bytes_) return false;
  if (bytes > linear_) linear_ = bytes;
  lock();
  return true;
}

bool PacketBuffer::adjust_head(int delta) {
  const long start = static_cast<long>(start_) + delta;
  const long bytes = static_cast<long>(bytes_) - delta;
  const long linear = static_cast<long>(linear_) - delta;
  if (start < 0 || linear < 14) return false;
  start_ = static_cast<std::size_t>(start);
  bytes_ = static_cast<std::size_t>(bytes);
  linear_ = static_cast<std::size_t>(linear);
  lock();
  return true;
}

bool PacketBuffer::adjust_tail(int delta) {
  const long bytes = static_cast<long>(bytes_) + delta;
  if (bytes < 14 || bytes > static_cast<long>(kFrameMax)) return false;
  const bool whole = linear_ == bytes_;
  bytes_ = static_cast<std::size_t>(bytes);
  if (whole || linear_ > bytes_) linear_ = bytes_;
  lock();
  return true;
}

bool PacketBuffer::insert(std::size_t offset, std::size_t bytes) {
  if (offset > linear_ || bytes > start_) return false;
  unlock();
  start_ -= bytes;
  bytes_ += bytes;
  linear_ += bytes;
  std::memmove(memory_ + start_, memory_ + start_ + bytes, offset);
  std::memset(memory_ + start_ + offset, 0xa5, bytes);
  lock();
  return true;
}

bool PacketBuffer::erase(std::size_t offset, std::size_t bytes) {
  if (offset + bytes > linear_) return false;
  unlock();
  std::memmove(memory_ + start_ + bytes, memory_ + start_, offset);
  start_ += bytes;
  bytes_ -= bytes;
  linear_ -= bytes;
  lock();
  return true;
}

Host& host() {
  static Host one;
  return one;
}

}  // namespace flare::fuzz
