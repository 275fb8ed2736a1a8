# shellcheck shell=bash disable=SC2034,SC2086
# What run.sh and check.sh have in common: what the system must have, and how it gets it. Sourced, never run.

# A line per need: how it is found, what it is for, its packages for apt, dnf and pacman.
#   lib:NAME     a shared library that the loader knows
#   cmd:A|B      a program in PATH
#   any:GLOB|…   a file
build_needs='
cmd:cc|gcc|clang          linker                 gcc                   gcc                     gcc
cmd:c++|g++|clang++       C++compiler            g++                   gcc-c++                 gcc
any:/usr/include/stdio.h|/usr/include/*/stdio.h  Cheaders  libc6-dev   glibc-devel             glibc
'
window_needs='
lib:libX11.so.6           X11                    libx11-6              libX11                  libx11
lib:libX11-xcb.so.1       X11                    libx11-xcb1           libX11-xcb              libx11
lib:libXcursor.so.1       pointers               libxcursor1           libXcursor              libxcursor
lib:libXi.so.6            mouse,pens             libxi6                libXi                   libxi
lib:libxkbcommon.so.0     keyboards              libxkbcommon0         libxkbcommon            libxkbcommon
lib:libxkbcommon-x11.so.0 keyboards              libxkbcommon-x11-0    libxkbcommon-x11        libxkbcommon-x11
lib:libwayland-client.so.0 Wayland               libwayland-client0    libwayland-client       wayland
lib:libEGL.so.1           OpenGL                 libegl1               libglvnd-egl            libglvnd
lib:libvulkan.so.1        Vulkan                 libvulkan1            vulkan-loader           vulkan-icd-loader
any:/usr/share/vulkan/icd.d/*.json|/etc/vulkan/icd.d/*.json driver  mesa-vulkan-drivers  mesa-vulkan-drivers  vulkan-swrast
lib:libdbus-1.so.3        filedialog             libdbus-1-3           dbus-libs               dbus
any:/usr/share/xdg-desktop-portal/portals/*.portal|/usr/bin/zenity|/usr/bin/kdialog  filedialog  zenity  zenity  zenity
'
test_needs='
cmd:Xvfb                  windowtests            xvfb                  xorg-x11-server-Xvfb    xorg-server-xvfb
cmd:xdotool               windowtests            xdotool               xdotool                 xdotool
cmd:openbox               windowtests            openbox               openbox                 openbox
cmd:import                windowtests            imagemagick           ImageMagick             imagemagick
cmd:strace                networktests           strace                strace                  strace
cmd:unshare               networktests           util-linux            util-linux              util-linux
cmd:python3               networktests           python3-venv          python3                 python
cmd:exiftool              exporttests            libimage-exiftool-perl perl-Image-ExifTool    perl-image-exiftool
'

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# found NEED: whether the system has it.
found() {
    local kind=${1%%:*} one IFS='|'
    for one in ${1#*:}; do
        case $kind in
            lib) case $(libraries) in *"$one "*) return 0 ;; esac ;;
            cmd) command -v "$one" >/dev/null 2>&1 && return 0 ;;
            any) compgen -G "$one" >/dev/null && return 0 ;;
        esac
    done
    return 1
}

# The libraries that the loader knows. ldconfig is in /sbin, which is not in everybody's PATH.
libraries() {
    PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null
}

# missing MANAGER NEEDS…: the packages that bring what is missing, one a line.
missing() {
    local manager=$1 need what apt dnf pacman
    shift
    printf '%s\n' "$@" | while read -r need what apt dnf pacman; do
        [ -n "$need" ] || continue
        found "$need" || case $manager in apt) echo "$apt" ;; dnf) echo "$dnf" ;; pacman) echo "$pacman" ;; *) echo "$what:${need#*:}" ;; esac
    done | sort -u
}

# need NEEDS…: installs what is missing, or says how and ends.
need() {
    local manager='' packages command
    if [ "$(uname -s)" = Darwin ]; then
        found "cmd:cc" || fail "The compiler's tools are missing. This installs them; then start again:
    xcode-select --install"
        return 0
    fi
    [ "$(uname -s)" = Linux ] || return 0
    if command -v apt-get >/dev/null 2>&1; then manager=apt
    elif command -v dnf >/dev/null 2>&1; then manager=dnf
    elif command -v pacman >/dev/null 2>&1; then manager=pacman
    fi
    if [ -z "$manager" ] && [ -z "$(libraries)" ]; then
        say "This system has neither apt-get, dnf nor pacman, nor a list of libraries: going on and hoping that all is there."
        return 0
    fi
    packages=$(missing "$manager" "$@" | tr '\n' ' ')
    packages=${packages% }
    [ -n "$packages" ] || return 0
    case $manager in
        apt) command="apt-get install --no-install-recommends -y $packages" ;;
        dnf) command="dnf install -y $packages" ;;
        pacman) command="pacman -S --needed $packages" ;;
        *) fail "Missing on this system: $packages" ;;
    esac
    if [ "$manager" != apt ]; then
        # Written down from these systems' package lists, never run there: the person decides.
        fail "Missing on this system. This should install it; then start again:
    sudo $command"
    fi
    if [ "$(id -u)" = 0 ]; then
        say "Installing $packages"
        apt_get $command
    elif command -v sudo >/dev/null 2>&1 && [ -t 0 ] && [ -t 2 ]; then
        say "Missing on this system: $packages"
        printf 'Install with "sudo %s"? [Y/n] ' "$command" >&2
        local answer=''
        read -r answer || answer=n
        case $answer in
            '' | [Yy]*) apt_get sudo $command ;;
            *) fail "Nothing was installed." ;;
        esac
    else
        fail "Missing on this system. As root, this installs it; then start again:
    $command"
    fi
    packages=$(missing apt "$@" | tr '\n' ' ')
    [ -z "$packages" ] || say "Installed, and still not found: $packages- going on."
}

# apt_get COMMAND…: with package lists that are there, and without questions.
apt_get() {
    local sudo=''
    [ "$1" = sudo ] && sudo=sudo && shift
    if ! $sudo env DEBIAN_FRONTEND=noninteractive "$@" >&2 </dev/null; then
        $sudo apt-get update >&2 </dev/null || fail "The package lists cannot be fetched."
        $sudo env DEBIAN_FRONTEND=noninteractive "$@" >&2 </dev/null || fail "The packages cannot be installed."
    fi
}

# need_rust: cargo in PATH, new enough for Cargo.toml.
need_rust() {
    local wanted have
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    command -v cargo >/dev/null 2>&1 || { [ -x "$HOME/.cargo/bin/cargo" ] && PATH=$HOME/.cargo/bin:$PATH; }
    if ! command -v cargo >/dev/null 2>&1; then
        fail "Rust $wanted or newer is needed and there is none here. https://rustup.rs tells how to install it; on most systems:
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh
Then open a new shell and start again."
    fi
    have=$(rustc --version 2>/dev/null | sed 's/^rustc \([0-9.]*\).*/\1/')
    if [ -z "$have" ] || [ "$(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -n 1)" != "$wanted" ]; then
        fail "Rust $wanted or newer is needed and this is ${have:-unusable}. With rustup: rustup update stable. Without it, see https://rustup.rs."
    fi
}
