#!/bin/sh
# python_layer.sh PREFIX FOLDER: of the Python under PREFIX (one of pyenv's) a folder in which it is /usr/bin/python3.
# As on a Jetson there is neither pip nor ensurepip: Ubuntu has both in packages of their own.
set -e
from=$1 to=$2
v=$("$from/bin/python3" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
triple=$("$from/bin/python3" -c 'import sysconfig; print(sysconfig.get_config_var("MULTIARCH"))')
mkdir -p "$to/usr/bin" "$to/usr/lib/$triple" "$to/usr/lib/python$v/dist-packages"
cp -L "$from/bin/python$v" "$to/usr/bin/python$v"
ln -sf "python$v" "$to/usr/bin/python3"
for lib in "$from/lib/libpython$v".so*; do
    [ ! -e "$lib" ] || cp -P "$lib" "$to/usr/lib/$triple/"
done
tar -C "$from/lib" --exclude='*.pth' --exclude=test --exclude=tests --exclude=idlelib --exclude=tkinter \
    --exclude=turtledemo --exclude='_tkinter*' --exclude='nis.*' --exclude='config-*' --exclude='*.a' \
    --exclude=ensurepip --exclude='site-packages/*' -cf - "python$v" | tar -C "$to/usr/lib" -xf -
printf '/usr/lib/python3/dist-packages\n/usr/lib/python%s/dist-packages\n' "$v" \
    > "$to/usr/lib/python$v/site-packages/dist-packages.pth"
