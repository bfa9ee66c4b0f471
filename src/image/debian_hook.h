// The script that mmdebstrap runs on the finished tree, as root of its namespace. $1 is the tree;
// PYRO_OUT is where the results go and PYRO_WORK a scratch folder beside them.
#pragma once

namespace pyro::image {

// - The kernel comes through the tree's own apt, so it is verified like every other package, and is
//   only unpacked: no maintainer script of it runs, no bootloader or initramfs tools come along.
// - The image is made from a plain bind mount of the tree, which does not show the /proc, /sys and
//   /dev mounts that mmdebstrap keeps inside it.
// - Times: Python's byte code records the source's time and would be thrown away by a fixed one, so
//   trees with Python keep their times; all others get the time of the newest package list.
inline constexpr const char* kDebianHook = R"sh(set -eu
R="$1"
step() { echo "PYRO-STEP $*" >&2; }

step kernel
pkg=$(chroot "$R" apt-cache depends --important linux-image-cloud-amd64 |
  sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
[ -n "$pkg" ] || { echo "E: the mirror has no linux-image-cloud-amd64" >&2; exit 1; }
K="$R/tmp/pyro-kernel"
mkdir -m 0755 "$K"
chroot "$R" sh -c 'cd /tmp/pyro-kernel && apt-get -q -y -o APT::Sandbox::User=root download "$1"' sh "$pkg" >&2
chroot "$R" sh -c 'cd /tmp/pyro-kernel && dpkg-deb -x ./*.deb x'
cp "$K"/x/boot/vmlinuz-* "$PYRO_OUT/vmlinuz"
for d in "$K"/x/lib/modules/*; do
  basename "$d" > "$PYRO_OUT/kernel-version"
  mv "$d" "$PYRO_WORK/modules"
done
rm -rf "$K"
chroot "$R" dpkg-query -W -f '${Package}\t${Version}\n' > "$PYRO_OUT/packages"

step rootfs
epoch=$(find "$R/var/lib/apt/lists" -name '*InRelease' -printf '%T@\n' | sort -n | tail -n 1 | cut -d . -f 1)
[ -n "$epoch" ] || epoch=1686355200
rm -f "$R"/etc/apt/apt.conf.d/99mmdebstrap "$R"/etc/*- "$R"/var/lib/dpkg/*-old "$R"/var/cache/debconf/*-old
rm -f "$R"/var/cache/apt/*.bin "$R"/var/cache/ldconfig/aux-cache
find "$R/var/lib/apt/lists" "$R/var/cache/apt/archives" "$R/var/log" -type f -delete
mkdir -p "$R/workspace"
printf '127.0.0.1\tlocalhost pyro\n::1\tlocalhost ip6-localhost ip6-loopback\n' > "$R/etc/hosts"
echo pyro > "$R/etc/hostname"
rm -f "$R/etc/resolv.conf" "$R/etc/machine-id" "$R/var/lib/dbus/machine-id"
echo '# name servers are written here when the sandbox has a network' > "$R/etc/resolv.conf"
: > "$R/etc/machine-id"
chmod 0644 "$R"/etc/hosts "$R"/etc/hostname "$R"/etc/resolv.conf "$R"/etc/machine-id
mkdir "$PYRO_WORK/view"
mount --bind "$R" "$PYRO_WORK/view"
times="-T$epoch"
[ ! -e "$R/usr/bin/python3" ] || times=--preserve-mtime
"$PYRO_MKFS" -zlz4hc "$times" -U 5f707972-6f2d-4e6e-8176-69726f6e6d74 --quiet \
  --exclude-regex='^(proc|sys|dev|run|tmp)/' "$PYRO_OUT/rootfs.erofs" "$PYRO_WORK/view" >&2
umount "$PYRO_WORK/view"
step done
)sh";

}  // namespace pyro::image
