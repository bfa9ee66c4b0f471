#include "agent/workspace_mounts.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "agent/devices.h"
#include "base/redact.h"
#include "base/text.h"
#include "sys/clock.h"
#include "sys/file.h"

namespace pyro::agent {
namespace {

constexpr const char* kPlace = "/run/pyro-workspace";
constexpr const char* kShown = "/workspace";
constexpr const char* kSecrets = "/run/pyro-secrets";

// noinit_itable: on a disk whose inode tables were left for later ext4 would go on writing in the
// background, and each layer would hold that. The host leaves none (core/disks.h); this does not
// depend on it. The time of a read is nobody's change.
constexpr const char* kWorkOptions = "noinit_itable,errors=remount-ro";
// redirect_dir: programs rename folders of the baseline, and many do not cope with EXDEV.
// metacopy off: each file of the upper layer has its content, which the diff reads.
// index off: it would tie the upper layer to this baseline's file handles and refuse all others.
// xino: one device number and inode numbers that stay, so that find -xdev and git see one disk.
constexpr const char* kOverlayOptions = "redirect_dir=on,metacopy=off,index=off,xino=on";

Result<sys::UniqueFd> open_dir(const std::string& path) {
  return sys::open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

// The upper side of the tree, which begins with what the baseline's has of its own.
Result<void> make_upper_tree(const std::string& path, const sys::UniqueFd& baseline) {
  if (::mkdir(path.c_str(), 0755) != 0) {
    if (errno == EEXIST) return {};
    return sys::fail_errno("making the workspace's tree", errno);
  }
  struct stat st{};
  if (::fstat(baseline.get(), &st) != 0) return sys::fail_errno("fstat", errno);
  PYRO_TRY(const sys::UniqueFd tree, open_dir(path));
  Changes changes;
  PYRO_CHECK(changes.set_mode(tree.get(), st.st_mode & kPermissions));
  return changes.set_mtime(tree.get(), sys::to_ns(st.st_mtim));
}

// A private place for mounts, which goes with all of them when it is destroyed: they live on for
// whoever holds descriptors of them. overlayfs of Linux 6.1 takes its layers as paths and only from
// mounts that stand in the caller's namespace (fs/namespace.c, clone_private_mount), so mounts that
// fsmount(2) made and nothing attached will not do.
class MountPlace {
 public:
  static Result<MountPlace> make() {
    PYRO_CHECK(mount_at("tmpfs", kPlace, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700"));
    MountPlace place;
    // What happens below stays there, however the root is shared.
    if (::mount(nullptr, kPlace, nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return sys::fail_errno("making a mount private", errno);
    }
    return place;
  }
  MountPlace(MountPlace&& o) noexcept : mine_(std::exchange(o.mine_, false)) {}
  MountPlace& operator=(MountPlace&&) = delete;
  ~MountPlace() {
    if (!mine_) return;
    ::umount2(kPlace, MNT_DETACH);
    ::rmdir(kPlace);
  }

 private:
  MountPlace() = default;
  bool mine_ = true;
};

// move_mount(2) onto a path.
Result<void> attach(const sys::UniqueFd& mount, const char* path) {
  if (::move_mount(mount.get(), "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return sys::fail_errno(std::string("mounting ") + path, errno);
  }
  return {};
}

Result<sys::UniqueFd> new_tmpfs() {
  const sys::UniqueFd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
  if (!context) return sys::fail_errno("fsopen", errno);
  for (const auto& [key, value] : {std::pair{"mode", "0700"}, std::pair{"size", "4m"}}) {
    if (::fsconfig(context.get(), FSCONFIG_SET_STRING, key, value, 0) != 0) {
      return sys::fail_errno("fsconfig", errno);
    }
  }
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return sys::fail_errno("making a tmpfs", errno);
  }
  sys::UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC,
                                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  if (!mount) return sys::fail_errno("fsmount", errno);
  return mount;
}

}  // namespace

Result<WorkspaceDirs> mount_overlay(const std::string& baseline, const std::string& work,
                                    const std::string& place) {
  WorkspaceDirs dirs;
  PYRO_TRY(dirs.work, open_dir(work));
  PYRO_TRY(dirs.baseline, open_dir(baseline + "/tree"));
  for (const char* name : {"/upper", "/upper/stage", "/overlay-work", "/intent"}) {
    if (::mkdir((work + name).c_str(), 0700) != 0 && errno != EEXIST) {
      return sys::fail_errno("preparing the workspace's disk", errno);
    }
  }
  PYRO_CHECK(make_upper_tree(work + "/upper/tree", dirs.baseline));
  PYRO_TRY(dirs.intent, open_dir(work + "/intent"));
  PYRO_TRY(dirs.upper, open_dir(work + "/upper/tree"));
  PYRO_CHECK(mount_at("workspace", place, "overlay", MS_NOATIME,
                      "lowerdir=" + baseline + ",upperdir=" + work + "/upper,workdir=" + work +
                          "/overlay-work," + kOverlayOptions));
  PYRO_TRY(dirs.tree, open_dir(place + "/tree"));
  PYRO_TRY(dirs.stage, open_dir(place + "/stage"));
  return dirs;
}

Result<WorkspaceDirs> GuestWorkspaceMounts::mount(const proto::WorkspaceMount& request) {
  PYRO_TRY(const std::string baseline, find_device(request.baseline));
  PYRO_TRY(const std::string work, find_device(request.work));
  PYRO_TRY(const MountPlace place, MountPlace::make());
  const std::string top = kPlace;
  PYRO_CHECK(mount_at(baseline.c_str(), top + "/baseline", "erofs", MS_RDONLY | MS_NOATIME, ""));
  PYRO_CHECK(mount_at(work.c_str(), top + "/work", "ext4", MS_NOATIME, kWorkOptions));
  PYRO_TRY(auto dirs, mount_overlay(top + "/baseline", top + "/work", top + "/overlay"));
  // Devices and set-user-id files work as they do everywhere else in this machine: its user is
  // root.
  shown_ = sys::UniqueFd(
      ::open_tree(dirs.tree.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  if (!shown_) return sys::fail_errno("open_tree", errno);
  return dirs;
}

Result<void> GuestWorkspaceMounts::show() {
  if (::mkdir(kShown, 0755) != 0 && errno != EEXIST) {
    return sys::fail_errno(std::string("making ") + kShown, errno);
  }
  PYRO_CHECK(attach(shown_, kShown));
  shown_ = {};
  return {};
}

Result<void> GuestWorkspaceMounts::freeze(int work) {
  PYRO_CHECK(sys::retrying("FIFREEZE", [work] { return ::ioctl(work, FIFREEZE, 0); }));
  return {};
}
Result<void> GuestWorkspaceMounts::thaw(int work) {
  PYRO_CHECK(sys::retrying("FITHAW", [work] { return ::ioctl(work, FITHAW, 0); }));
  return {};
}

Result<void> check_secrets(const std::map<std::string, proto::Bytes>& secrets) {
  for (const auto& [name, value] : secrets) {
    if (is_secret_name(name)) continue;
    return fail(Errc::kInvalid, "the name of a secret, " + quoted_name(name) +
                                    ", is not letters, digits and _ (at most 128)");
  }
  return {};
}

Result<void> write_secrets(int dir, const std::map<std::string, proto::Bytes>& secrets) {
  Changes changes;
  for (const auto& [name, value] : secrets) {
    PYRO_TRY(const sys::UniqueFd file, changes.create(dir, name));
    PYRO_CHECK(changes.write(file.get(), value.value));
    PYRO_CHECK(changes.set_mode(file.get(), 0400));
  }
  return {};
}

// A new file system takes the place of the old one when every secret is in it.
Result<void> GuestWorkspaceMounts::set_secrets(const std::map<std::string, proto::Bytes>& secrets) {
  PYRO_CHECK(check_secrets(secrets));
  PYRO_TRY(const sys::UniqueFd mount, new_tmpfs());
  PYRO_CHECK(write_secrets(mount.get(), secrets));
  if (::mkdir(kSecrets, 0700) != 0 && errno != EEXIST) {
    return sys::fail_errno(std::string("making ") + kSecrets, errno);
  }
  if (secrets_mounted_) ::umount2(kSecrets, MNT_DETACH | UMOUNT_NOFOLLOW);
  secrets_mounted_ = false;
  PYRO_CHECK(attach(mount, kSecrets));
  secrets_mounted_ = true;
  return {};
}

}  // namespace pyro::agent
