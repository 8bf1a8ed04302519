# Homebrew formula: Homebrew's QEMU, unpatched, with vhost-user switched on. Never run: nobody here has a Mac.
# docs/macos.md says why it is needed and how to use it.
#
# QEMU leaves vhost-user out on everything but Linux unless it is asked for, and Homebrew's formula does not ask. Without it
# a virtual machine has no device by which Hesper could give it a GPU. Source and checksum are those of Homebrew's formula.
class HesperQemu < Formula
  desc "QEMU with vhost-user, for Hesper"
  homepage "https://www.qemu.org/"
  url Formula["qemu"].stable.url
  version Formula["qemu"].stable.version
  sha256 Formula["qemu"].stable.checksum.hexdigest
  license "GPL-2.0-only"

  # Programs of the same names as those of the formula qemu; hesper finds them where they are.
  keg_only "it is only for hesper, beside the formula qemu"

  depends_on "libtool" => :build
  depends_on "meson" => :build
  depends_on "ninja" => :build
  depends_on "pkgconf" => :build
  depends_on "python@3.13" => :build
  depends_on "dtc"
  depends_on "glib"
  depends_on "libpng"
  depends_on "libslirp"
  depends_on macos: :big_sur
  depends_on "pixman"
  depends_on "zstd"

  uses_from_macos "bison" => :build
  uses_from_macos "flex" => :build

  def install
    # Older ones cannot share host memory with a guest over vhost-user.
    odie "hesper needs QEMU 11.1 or newer; Homebrew's is #{version}" if version < Version.new("11.1")
    ENV["LIBTOOL"] = "glibtool"
    system "./configure",
           "--prefix=#{prefix}",
           "--cc=#{ENV.cc}",
           "--host-cc=#{ENV.cc}",
           "--target-list=aarch64-softmmu,x86_64-softmmu",
           "--enable-vhost-user", # this is what it is all about
           "--enable-plugins",    # the placer is one
           "--enable-hvf",
           "--enable-slirp",
           "--enable-fdt=system",
           "--enable-zstd",
           "--enable-cocoa",
           "--disable-download",
           "--disable-guest-agent",
           "--disable-gtk",
           "--disable-sdl"
    system "make", "install"
  end

  test do
    %w[aarch64 x86_64].each do |arch|
      assert_match "vhost-user-test-device-pci", shell_output("#{bin}/qemu-system-#{arch} -device help")
    end
    # The entitlement for the hypervisor is in its signature.
    assert_match "com.apple.security.hypervisor",
                 shell_output("codesign -d --entitlements - --xml #{bin}/qemu-system-aarch64 2>&1")
  end
end
