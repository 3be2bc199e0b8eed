# SPDX-License-Identifier: LGPL-2.1-or-later
# initramfs.sh: functions that fill and pack an initramfs tree. To be sourced
# by bash scripts running with `set -euo pipefail`.
#
# A tree has the merged-/usr layout (/lib is /usr/lib), so that a package or a
# `make install DESTDIR=` may use either spelling.
#
# SYSROOT  where kernel modules and unpacked libraries are looked for before
#          the machine's own; empty means the running system.

: "${SYSROOT:=}"
TREE_LIBS=usr/lib/x86_64-linux-gnu # ld.so looks here without a cache

tree_new() { # TREE
    local tree=$1 dir
    rm -rf "$tree"
    mkdir -p "$tree"/{usr/{bin,sbin,lib64},dev,proc,sys,run,tmp,root,etc,var,"$TREE_LIBS"}
    for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$tree/$dir"; done
    ln -s /run "$tree/var/run"
}

# Lay the files of the directory FROM over TREE, except what only builds and
# readers need, then add the libraries that its programs need.
tree_overlay() { # TREE FROM
    local tree=$1 from=$2 file
    # --owner: a tree staged by an ordinary user still belongs to root inside
    tar -C "$from" --owner=0 --group=0 --exclude='*.a' --exclude=./usr/include \
        --exclude=./usr/share/man --exclude=./usr/share/doc -cf - . |
        tar -C "$tree" --keep-directory-symlink --no-same-owner -xf -
    while IFS= read -r -d '' file; do
        if is_elf "$file"; then tree_libraries "$tree" "$file"; fi
    done < <(find "$from" -type f -print0)
}

# Copy a program with the shared libraries it needs. DEST is its new path, or a
# directory where it ends in a slash.
tree_elf() { # TREE PROGRAM [DEST]
    local tree=$1 program=$2 dest=${3:-/usr/bin/}
    case $dest in */) dest+=$(basename "$program") ;; esac
    install -D -m 755 "$program" "$tree$dest"
    tree_libraries "$tree" "$program"
}

# Copy the shared-library closure of an ELF file. The libraries all land in one
# directory, because an image has no ld.so cache. The tree is searched first, so
# that a staged program finds the library it was staged with.
tree_libraries() { # TREE ELF
    local tree=$1 elf=$2 root dirs= listing path
    # absolute, so that the paths which ldd prints are
    for root in "$(realpath "$tree")" ${SYSROOT:+"$(realpath "$SYSROOT")"}; do
        dirs+=$root/usr/local/lib:$root/$TREE_LIBS:$root/usr/lib:
    done
    # ldd fails on static programs and kernel modules; they need nothing
    listing=$(LD_LIBRARY_PATH=${dirs%:} ldd "$elf" 2>/dev/null) || return 0
    if grep -q 'not found' <<<"$listing"; then
        echo "initramfs: $elf: $(grep 'not found' <<<"$listing")" >&2
        return 1
    fi
    while IFS= read -r path; do
        case $path in
        */ld-linux-x86-64.so.2) copy_once "$path" "$tree/usr/lib64/ld-linux-x86-64.so.2" ;;
        *) copy_once "$path" "$tree/$TREE_LIBS/$(basename "$path")" ;;
        esac
    done < <(grep -o '/[^ ]*' <<<"$listing")
    # named by nothing: pthread_cancel() loads it, which xs_close() and xl call
    path=$(${CC:-gcc} -print-file-name=libgcc_s.so.1)
    [ -e "$path" ] || { echo "initramfs: ${CC:-gcc} has no libgcc_s.so.1" >&2; return 1; }
    copy_once "$path" "$tree/$TREE_LIBS/libgcc_s.so.1"
}

# Copy kernel modules and what they depend on, and the index modprobe reads.
# /lib/modules/load-order lists their paths in an order in which a plain
# finit_module() of one after the other succeeds.
tree_modules() { # TREE VERSION NAME...
    local tree=$1 version=$2 name file unpack
    shift 2
    mkdir -p "$tree/usr/lib/modules/$version"
    for name in "$@"; do
        # prints "insmod PATH" lines, dependencies first, or "builtin NAME"
        modprobe -d "$SYSROOT/" -S "$version" --show-depends "$name" |
            sed -n 's/^insmod \([^ ]*\).*/\1/p'
    done | awk '!seen[$0]++' | while IFS= read -r file; do
        # the kernel's package may spell the path with or without /usr
        name=${file#"${SYSROOT%/}"}
        name=/usr/lib/${name#*/lib/}
        # unpacked here: init gives the kernel a file as it is, and it would cost time under emulation
        case $name in
        *.xz) unpack=xz ;;
        *.zst) unpack=zstd ;;
        *.gz) unpack=gzip ;;
        *) unpack= ;;
        esac
        if [ -n "$unpack" ]; then
            command -v $unpack >/dev/null ||
                { echo "initramfs: $file cannot be unpacked: there is no $unpack" >&2; exit 1; }
            name=${name%.*}
            install -d "$tree${name%/*}"
            $unpack -dc "$file" >"$tree$name"
        else
            install -D -m 644 "$file" "$tree$name"
        fi
        echo "${name#/usr}"
    done >"$tree/usr/lib/modules/load-order"
    for name in modules.builtin modules.builtin.modinfo modules.order; do
        install -m 644 "$SYSROOT/lib/modules/$version/$name" "$tree/usr/lib/modules/$version/"
    done
    depmod -b "$tree" "$version"
}

tree_pack() { # TREE IMAGE
    local tree=$1 image=$2
    # a build that is to be the same twice says what time it is (reproducible-builds.org)
    if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
        find "$tree" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0r touch -h -d "@$SOURCE_DATE_EPOCH"
    fi
    # Not compressed: unpacking gzip costs more under emulation than reading.
    (cd "$tree" && find . -print0 | LC_ALL=C sort -z |
        cpio --quiet --null --create --format=newc --owner=+0:+0 --reproducible) >"$image.new"
    mv "$image.new" "$image"
}

is_elf() { [ "$(head -c 4 "$1" | tr -d '\0')" = $'\177ELF' ]; }

copy_once() { [ -e "$2" ] || install -D -m 755 "$1" "$2"; }
