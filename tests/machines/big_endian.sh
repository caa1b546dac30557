#!/bin/sh
# Make a Python of a big-endian host (s390x, under qemu-user) in a folder, from Debian's packages, and print the command that runs it.
# Nothing is installed: apt only downloads, into the folder.
set -e
folder=${1:?the folder to make}
mkdir -p "$folder/state/lists/partial" "$folder/cache/archives/partial" "$folder/root" "$folder/qemu"
touch "$folder/state/status"
folder=$(cd "$folder" && pwd)
apt() {
  apt-get -qq -o APT::Architecture=s390x -o APT::Architectures=s390x -o APT::Sandbox::User=root -o Dir::State="$folder/state" \
    -o Dir::State::status="$folder/state/status" -o Dir::Cache="$folder/cache" "$@" >&2
}
apt update
apt -y --no-install-recommends --download-only install \
  python3-minimal python3-numpy python3-h5py python3-click python3-rich python3-tomli-w libpython3-stdlib
(cd "$folder/qemu" && apt-get -qq download qemu-user-static >&2 && dpkg -x qemu-user-static_*.deb .)
for package in "$folder"/cache/archives/*.deb; do
  dpkg -x "$package" "$folder/root"
done
cd "$folder/root/usr/lib/s390x-linux-gnu"
ln -sf blas/libblas.so.3 lapack/liblapack.so.3 .
echo "$folder/qemu/usr/bin/qemu-s390x-static -L $folder/root $(ls "$folder"/root/usr/bin/python3.[0-9]*[0-9] | head -1)"
