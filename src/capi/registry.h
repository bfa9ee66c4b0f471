// Handles that were given out, so that one that was freed, or never was one, is an error and not a
// crash.
#pragma once

#include <memory>
#include <mutex>
#include <unordered_map>

namespace pyro::capi {

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
    T* const handle = object.get();
    const std::scoped_lock lock(mutex_);
    objects_.emplace(handle, std::move(object));
    return handle;
  }
  // nullptr: there is none.
  std::shared_ptr<T> find(const T* handle) {
    const std::scoped_lock lock(mutex_);
    const auto at = objects_.find(handle);
    return at == objects_.end() ? nullptr : at->second;
  }
  void remove(const T* handle) {
    std::shared_ptr<T> last;  // ends after the lock
    const std::scoped_lock lock(mutex_);
    const auto at = objects_.find(handle);
    if (at == objects_.end()) return;
    last = std::move(at->second);
    objects_.erase(at);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<const T*, std::shared_ptr<T>> objects_;
};

}  // namespace pyro::capi
