package otherwise.backend.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;

/// The kernel files that come with this program, and where what was compiled of them is kept.
final class KernelFiles {
    /// The kernel files that every GPU can run, without `.cu`.
    static final List<String> ALL =
            List.of(
                    "convert", "elementwise", "movement", "reduce", "philox", "spatial", "rows", "softmax", "rms_norm_rope", "channel_norm",
                    "matmul", "matmul_tensor",
                    "conv3d", "conv3d_tensor", "attention", "attention_back", "attention_tensor", "attention_tensor_back");

    /// What they include, `common.cuh` all of them.
    static final List<String> HEADERS =
            List.of(
                    "common.cuh", "packs.cuh", "rows.cuh", "activation.cuh", "epilogue.cuh", "tensor_cores.cuh", "hopper.cuh",
                    "attention.cuh", "attention_tiles.cuh", "attention_fragments.cuh", "attention_softmax.cuh", "attention_groups.cuh");

    /// This process, for Linux to tell whose it is.
    private static final Path SELF = Path.of("/proc/self");

    private static final Pattern KERNEL =
            Pattern.compile("^KERNEL\\s+(?:__cluster_dims__\\((\\d+), 1, 1\\)\\s+)?(\\w+)\\s*\\(", Pattern.MULTILINE);

    /// A kernel in a file.
    ///
    /// @param cluster blocks that run together, neighbours along x: 1 if not told
    record Kernel(String name, int cluster) {}

    private KernelFiles() {}

    /// Whether a file is for Hopper GPUs and no other: it is compiled for `sm_90a`.
    static boolean areForHopper(String file) {
        return file.contains("hopper");
    }

    /// The text of a file in the folder `kernels`.
    static String text(String name) {
        try (var in = KernelFiles.class.getResourceAsStream("/kernels/" + name)) {
            if (in == null) throw new DeviceException("kernels/" + name + " is missing from this build");
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("kernels/" + name, e);
        }
    }

    /// The texts of all headers, one after the other.
    static String headers() {
        return HEADERS.stream().map(KernelFiles::text).collect(Collectors.joining());
    }

    /// The kernels in the text of a file.
    static List<Kernel> kernels(String text) {
        return KERNEL.matcher(text).results().map((MatchResult r) -> {
            return new Kernel(r.group(2), r.group(1) == null ? 1 : Integer.parseInt(r.group(1)));
        }).toList();
    }

    /// What `real` is called in C.
    static String cName(DType real) {
        return switch (real) {
            case F32 -> "float";
            case BF16 -> "bf16";
            default -> throw new IllegalArgumentException("no kernels for " + real);
        };
    }

    /// A name for what these texts and options give: different for different ones.
    static String hash(String... parts) {
        var all = new StringBuilder();
        for (var part : parts) all.append(part).append('\0');
        return hash(all.toString().getBytes(StandardCharsets.UTF_8));
    }

    static String hash(byte[] bytes) {
        try {
            var digest = MessageDigest.getInstance("SHA-256");
            digest.update(bytes);
            return HexFormat.of().formatHex(digest.digest()).substring(0, 24);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /// The folder for compiled kernels, `$XDG_CACHE_HOME/otherwise` or `~/.cache/otherwise`: only its owner may write to it.
    static Path cache() {
        var base = System.getenv("XDG_CACHE_HOME");
        var folder =
                (base == null || base.isBlank() ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(base)).resolve("otherwise");
        try {
            return privately(folder);
        } catch (IOException e) {
            throw new DeviceException(folder + ": cannot be made, and compiled kernels have no other place; set XDG_CACHE_HOME", e);
        }
    }

    /// The folder, made if it is missing, owned by this user and writable for nobody else.
    ///
    /// @throws DeviceException if it is somebody else's
    static Path privately(Path folder) throws IOException {
        if (!Files.isDirectory(folder))
            Files.createDirectories(folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        if (!Files.exists(SELF)) return folder; // no Linux: no GPU either
        if (!Files.getAttribute(folder, "unix:uid").equals(Files.getAttribute(SELF, "unix:uid")))
            throw new DeviceException(folder + " belongs to somebody else; set XDG_CACHE_HOME to a folder of yours");
        var permissions = EnumSet.copyOf(Files.getPosixFilePermissions(folder));
        if (permissions.removeAll(List.of(PosixFilePermission.GROUP_WRITE, PosixFilePermission.OTHERS_WRITE)))
            Files.setPosixFilePermissions(folder, permissions);
        return folder;
    }
}
