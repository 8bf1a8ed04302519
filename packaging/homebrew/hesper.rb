# Homebrew formula. Never run: nobody here has a Mac. docs/macos.md says how to use it.
#
# There is no release yet: it builds a clone of the sources, whose folder HOMEBREW_HESPER_SOURCE names.
class Hesper < Formula
  desc "Real Vulkan GPU for virtual machines: Mesa's Venus on the host's driver"
  homepage "file://#{ENV.fetch("HOMEBREW_HESPER_SOURCE", "/")}"
  # hesper-vnc is linked with LibVNCServer and is, as a program, under its license; nothing else is.
  license all_of: ["MIT", "GPL-2.0-or-later"]
  head "file://#{ENV.fetch("HOMEBREW_HESPER_SOURCE", "/")}", using: :git, branch: "main"

  depends_on "meson" => :build
  depends_on "ninja" => :build
  depends_on "pkgconf" => :build
  depends_on "python@3.13" => :build
  depends_on "vulkan-headers" => :build # headers and vk.xml
  depends_on "libpng"
  depends_on macos: :big_sur
  depends_on "molten-vk"
  depends_on "sdl2"
  depends_on "libvncserver" => :recommended
  # For hesper run; vtest does without. Homebrew's own qemu has no vhost-user.
  depends_on "hesper/local/hesper-qemu" => :recommended
  depends_on "vulkan-loader" => :optional # without it Hesper looks for MoltenVK itself

  # What hesper-vnc has TLS from.
  depends_on "gnutls" if build.with? "libvncserver"

  def install
    args = %W[
      -Dvulkan_registry=#{Formula["vulkan-headers"].opt_prefix}
      -Dtests=false
      -Dimage=enabled
      -Dwindow=enabled
      -Dvnc=#{build.with?("libvncserver") ? "enabled" : "disabled"}
    ]
    system "meson", "setup", "build", *args, *std_meson_args
    system "meson", "compile", "-C", "build", "--verbose"
    system "meson", "install", "-C", "build"
  end

  def caveats
    <<~EOS
      macOS lets QEMU use its hypervisor only if QEMU's signature has the entitlement
      com.apple.security.hypervisor. QEMU's build signs it so; hesper doctor checks.
    EOS
  end

  test do
    assert_match(/^hesper \d+\.\d+/, shell_output("#{bin}/hesper --version"))
    assert_path_exists lib/"hesper/hesper-placer.so"
    # One line a check; what this machine lacks is its exit status.
    assert_match "Vulkan", `#{bin}/hesper doctor 2>&1`
  end
end
