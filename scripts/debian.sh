# For scripts/tree and scripts/guest, which source it: Debian packages of other suites, fetched with the
# machine's own apt and unpacked into folders under build/. No root, no mounts, no maintainer scripts.
#
# The script that sources this has set $build, the folder of everything made, and $me, its name.

die() {
    echo "$me: $*" >&2
    exit 1
}
say() {
    echo "$me: $*"
}

# --- how far it is ------------------------------------------------------------------------------

# with_progress TEXT STATE COMMAND...: runs the command; what takes longer than some seconds is told of, every few
# seconds, with what the function STATE prints. On the standard error, for the output may be the answer.
with_progress() {
    progress_text=$1 progress_state=$2
    shift 2
    (
        began=$(date +%s)
        while sleep 4 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
            say "$progress_text: $($progress_state), $(($(date +%s) - began)) s"
        done
    ) >&2 9>&- &
    progress_pid=$!
    "$@"
    progress_result=$?
    kill "$progress_pid" 2>/dev/null || true
    wait "$progress_pid" 2>/dev/null || true
    return "$progress_result"
}

megabytes() {
    echo "$(($1 / 1000000)) MB"
}

bytes_in() {
    du -sb "$1" 2>/dev/null | cut -f1
}

busy() {
    echo "at work"
}

need() {
    command -v "$1" >/dev/null || die "'$1' is not installed (run scripts/setup test)"
}

# --- the mirror, as this machine knows it -------------------------------------------------------

mirror() {
    if [ -n "${HESPER_MIRROR:-}" ]; then
        echo "${HESPER_MIRROR%/}"
        return
    fi
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    for suite in "$codename" "$codename-updates" stable testing unstable sid; do
        uri=$(apt-get indextargets --format '$(RELEASE)|$(COMPONENT)|$(REPO_URI)' 2>/dev/null |
            awk -F'|' -v s="$suite" '$1 == s && $2 == "main" { print $3; exit }')
        [ -n "$uri" ] && break
    done
    [ -n "$uri" ] || die "found no Debian mirror in this machine's apt configuration; set HESPER_MIRROR=URI"
    echo "${uri%/}"
}

# --- a private apt: own lists, own (empty) status, own cache ------------------------------------

# private_apt NAME SUITE...: sets $apt and $arch and writes its configuration. $apt_arch: another architecture than this
# machine's.
private_apt() {
    name=$1
    shift
    apt=$build/cache/apt/$name
    arch=${apt_arch:-$(dpkg --print-architecture)}
    uri=$(mirror)
    mkdir -p "$apt/lists/partial" "$apt/parts" "$build/cache/debs/partial"
    : >"$apt/status"
    : >"$apt/sources.list"
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -e "$key" ] || key=/usr/share/keyrings/debian-archive-keyring.pgp
    [ -e "$key" ] || die "no $key (install debian-archive-keyring)"
    for s; do
        echo "deb [arch=$arch signed-by=$key] $uri $s main" >>"$apt/sources.list"
    done
    # The machine's own apt.conf.d still counts (proxies, logins); what is set here wins.
    cat >"$apt/apt.conf" <<END
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "$apt/parts";
Dir::Etc::Preferences "$apt/preferences";
Dir::Etc::PreferencesParts "$apt/parts";
Dir::State "$apt";
Dir::State::Lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::State::extended_states "$apt/extended_states";
Dir::Cache "$apt";
Dir::Cache::archives "$build/cache/debs";
Dir::Log "$apt";
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Sandbox::User "";
APT::Get::Assume-Yes "true";
APT::Keep-Downloaded-Packages "true";
Binary::apt-get::APT::Keep-Downloaded-Packages "true";
APT::Default-Release "$s";
Acquire::Check-Valid-Until "false";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
APT::Update::Post-Invoke-Success "";
DPkg::Post-Invoke "";
END
}

apt_get() {
    APT_CONFIG=$apt/apt.conf apt-get -q "$@"
}

lists_so_far() {
    megabytes "$(bytes_in "$apt/lists")"
}

update_lists() {
    apt_get update >"$apt/log" 2>&1
}

apt_refresh() {
    say "reading the package lists of $*"
    with_progress "package lists" lists_so_far update_lists || {
        cat "$apt/log" >&2
        die "apt-get update failed"
    }
}

# leave_out PACKAGE...: apt takes them for installed, so that they and what they need are not fetched.
leave_out() {
    for p; do
        printf 'Package: %s\nStatus: install ok installed\nArchitecture: %s\nMulti-Arch: foreign\nVersion: 99:0\n' "$p" "$arch"
        printf 'Maintainer: nobody\nDescription: left out\n\n'
    done >"$apt/status"
}

# fetch_closure PACKAGE...: downloads them and all they depend on; prints the .deb paths.
fetch_closure() {
    apt_get -s install "$@" >"$apt/plan" 2>"$apt/log" || {
        cat "$apt/plan" "$apt/log" >&2
        die "apt finds no way to install: $*"
    }
    # 'URI' FILE SIZE SUM, of what is not here yet.
    download_size=$(apt_get --print-uris install "$@" 2>/dev/null | awk '/^.[a-z+]*:/ { sum += $3 } END { printf "%.0f", sum }')
    debs_before=$(bytes_in "$build/cache/debs")
    [ "$download_size" = 0 ] || say "downloading $(megabytes "$download_size")" >&2
    with_progress downloading debs_so_far download "$@" || {
        tail -5 "$apt/log" >&2
        die "download failed"
    }
    plan_files
}

download() {
    apt_get install --download-only "$@" >"$apt/log" 2>&1 </dev/null
}

debs_so_far() {
    [ "$download_size" != 0 ] || { busy; return; }
    echo "$((($(bytes_in "$build/cache/debs") - debs_before) / 1000000)) of $(megabytes "$download_size")"
}

# download_here PACKAGE...: the packages alone, without what they need.
download_here() {
    download_size=$(apt_get download --print-uris "$@" 2>/dev/null | awk '/^.[a-z+]*:/ { sum += $3 } END { printf "%.0f", sum }')
    debs_before=$(bytes_in "$build/cache/debs")
    with_progress downloading debs_so_far download_alone "$@" || {
        cat "$apt/log" >&2
        die "cannot download: $*"
    }
}

download_alone() {
    (cd "$build/cache/debs" && apt_get download "$@" >"$apt/log" 2>&1)
}

# The lines are "Inst NAME (VERSION SUITE... [ARCH])"; the file escapes the epoch's colon.
plan_files() {
    sed -n 's/^Inst \([^ ]*\) \[\{0,1\}.*(\([^ ]*\) .*\[\([a-z0-9]*\)\]).*/\1 \2 \3/p' "$apt/plan" |
        while read -r n v a; do
            echo "$build/cache/debs/${n%%:*}_$(echo "$v" | sed 's/:/%3a/g')_$a.deb"
        done
}

unpack() {
    into=$1
    with_progress unpacking unpacked_so_far unpack_all
}

unpacked_so_far() {
    megabytes "$(bytes_in "$into")"
}

unpack_all() {
    # Merged /usr, as the packages expect it to be.
    mkdir -p "$into/usr/bin" "$into/usr/sbin" "$into/usr/lib" "$into/usr/lib64"
    for d in bin sbin lib lib64; do
        [ -e "$into/$d" ] || ln -s "usr/$d" "$into/$d"
    done
    while read -r deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -C "$into" -x --no-same-owner --keep-directory-symlink \
            --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' \
            --exclude='./usr/share/info/*' --exclude='./usr/share/perl*' --exclude='./usr/lib/*/perl*' ||
            die "cannot unpack $deb"
    done
}

# --- making programs run where they lie ---------------------------------------------------------

loader() {
    for l in "$1"/lib64/ld-linux-*.so.* "$1"/lib/ld-linux-*.so.*; do
        [ -e "$l" ] && echo "$l" && return
    done
    die "no C library in $1"
}

is_elf() {
    [ "$(head -c 4 "$1" | od -An -tx1 | tr -d ' \n')" = 7f454c46 ]
}

# The folders of private libraries, as a search path; RPATH is inherited by whatever a program
# loads later, so that drivers find the tree's libraries and not the machine's.
search_path() {
    p=$1/usr/lib/$triplet
    for d in pulseaudio llama libproxy; do
        [ -d "$1/usr/lib/$triplet/$d" ] && p=$p:$1/usr/lib/$triplet/$d
    done
    echo "$p"
}

patch_program() {
    patchelf --set-interpreter "$(loader "$2")" --force-rpath --set-rpath "$(search_path "$2")" "$1"
}

make_runnable() {
    t=$1
    with_progress "making its programs run in place" busy patch_all
}

patch_all() {
    for f in "$t"/usr/bin/* "$t"/usr/lib/"$triplet"/libexec/* "$t"/usr/libexec/virgl* "$t"/usr/lib/qt6/bin/*; do
        [ -f "$f" ] && [ ! -L "$f" ] && is_elf "$f" || continue
        patchelf --print-interpreter "$f" >/dev/null 2>&1 && patch_program "$f" "$t"
    done
    # A library with a RUNPATH of its own ignores the program's RPATH and would fall back to the
    # machine's libraries.
    find "$t/usr/lib/$triplet" -name '*.so*' -type f | while read -r f; do
        is_elf "$f" || continue
        if [ -n "$(patchelf --print-rpath "$f" 2>/dev/null)" ]; then
            patchelf --force-rpath --set-rpath "$(search_path "$t")" "$f"
        fi
    done
    # ggml looks for its backends in /usr and beside the program.
    for f in "$t/usr/lib/$triplet"/ggml/backends*/*.so; do
        [ -f "$f" ] && ln -sf "$f" "$t/usr/bin/"
    done
    for f in "$t"/usr/share/vulkan/*/*.json "$t"/usr/share/vulkan/*/*.d/*.json; do
        [ -f "$f" ] || continue
        # "library_path": "libvulkan_x.so" or an absolute path in /usr/lib: both to the tree's.
        sed -i -E "s#(\"library_path\"[ :]*\")(/?[^\"]*/)?([^/\"]+)\"#\1$t/usr/lib/$triplet/\3\"#" "$f"
    done
    for f in "$t"/usr/share/glvnd/egl_vendor.d/*.json; do
        [ -f "$f" ] || continue
        sed -i -E "s#(\"library_path\"[ :]*\")([^/\"]+)\"#\1$t/usr/lib/$triplet/\2\"#" "$f"
    done
}

remove_tree() {
    [ -e "$1" ] || return 0
    grep -q " $1" /proc/mounts 2>/dev/null && die "something is mounted in $1; not removing it"
    rm -rf --one-file-system "$1"
}

# Where programs of this machine's architecture have their libraries. One of us at a time.
begin() {
    command -v dpkg >/dev/null || die "needs a Debian machine (dpkg, apt)"
    triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null) || triplet=
    if [ -z "$triplet" ]; then
        case $(dpkg --print-architecture) in
        amd64) triplet=x86_64-linux-gnu ;;
        arm64) triplet=aarch64-linux-gnu ;;
        *) die "no trees for this architecture" ;;
        esac
    fi

    mkdir -p "$build/cache"
    exec 9>"$build/cache/lock"
    flock 9
}
