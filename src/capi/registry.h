// Handles that were given out, so that one that was freed, or never was one, is an error and not a
// crash.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace pyro::capi {

// A number and no address: an allocator gives an address again, and a handle that was freed would
// be another's. Of all types together, so that no handle is good as one of another type.
inline std::uintptr_t next_handle() {
  static std::atomic<std::uintptr_t> last{0};
  return ++last;
}

// Any thread may call it. Objects live until they are removed and nobody who found them holds them.
template <class T>
class Registry {
 public:
  // The one of this type. Never destroyed: threads may still be in calls when a program exits.
  static Registry& get() {
    static auto* const registry = new Registry;
    return *registry;
  }
  T* add(std::shared_ptr<T> object) {
    const std::uintptr_t handle = next_handle();
    const std::scoped_lock lock(mutex_);
    objects_.emplace(handle, std::move(object));
    return reinterpret_cast<T*>(handle);  // NOLINT(performance-no-int-to-ptr): never dereferenced
  }
  // nullptr: there is none.
  std::shared_ptr<T> find(const T* handle) {
    const std::scoped_lock lock(mutex_);
    const auto at = objects_.find(number(handle));
    return at == objects_.end() ? nullptr : at->second;
  }
  void remove(const T* handle) {
    std::shared_ptr<T> last;  // ends after the lock
    const std::scoped_lock lock(mutex_);
    const auto at = objects_.find(number(handle));
    if (at == objects_.end()) return;
    last = std::move(at->second);
    objects_.erase(at);
  }

 private:
  static std::uintptr_t number(const T* handle) { return reinterpret_cast<std::uintptr_t>(handle); }

  std::mutex mutex_;
  std::unordered_map<std::uintptr_t, std::shared_ptr<T>> objects_;
};

}  // namespace pyro::capi
