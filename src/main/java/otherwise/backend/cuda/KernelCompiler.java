package otherwise.backend.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;

/// The machine code of kernel files for one architecture: compiled at first use, by NVRTC where it is, else by nvcc, and kept by the hash of
/// the text, the compiler and its options.
final class KernelCompiler {
    static final String COMMON = "common.cuh";

    /// A compiler, of which nothing else is known.
    interface Compiler {
        /// Its name and version.
        String version();

        /// @throws DeviceException with what it says against the text
        byte[] compile(String name, String text, List<String> options);
    }

    private final String architecture;
    private final Compiler compiler;
    private final String without;

    /// @param architecture such as `sm_90`
    KernelCompiler(String architecture) {
        this.architecture = architecture;
        var missing = new ArrayList<String>();
        var found = Nvrtc.find(architecture, missing);
        if (found.isEmpty()) found = Nvcc.find(missing);
        compiler = found.orElse(null);
        without = String.join("; ", missing);
    }

    /// What compiles, for a person.
    String description() {
        return compiler == null ? "no compiler (" + without + ")" : compiler.version() + " at first use";
    }

    /// The code that came with this build, made by `tools/gpu/compile` of exactly this text: fatbin, for several architectures.
    static Optional<byte[]> built(String file, DType real) {
        var name = file + "-" + real + "-"
                + KernelFiles.hash(KernelFiles.text(file + ".cu"), KernelFiles.text(COMMON), KernelFiles.cName(real));
        try (var in = KernelCompiler.class.getResourceAsStream("/kernels/built/" + name + ".fatbin")) {
            return in == null ? Optional.empty() : Optional.of(in.readAllBytes());
        } catch (IOException e) {
            throw new UncheckedIOException(name, e);
        }
    }

    /// The machine code of a kernel file.
    ///
    /// @throws DeviceException with what the compiler says, or if there is none
    byte[] compile(String file, DType real) {
        return compile(file, KernelFiles.text(file + ".cu"), real);
    }

    byte[] compile(String file, String text, DType real) {
        if (compiler == null)
            throw new DeviceException("kernels/" + file + ".cu has to be compiled for " + architecture + ", but " + without);
        // Names of lines are for compute-sanitizer and cost nothing.
        var options = List.of("-std=c++17", "-lineinfo", "-arch=" + architecture, "-DREAL=" + KernelFiles.cName(real));
        var hash = KernelFiles.hash(compiler.version(), text, KernelFiles.text(COMMON), options.toString());
        try {
            var cache = JCudaLibraries.privately(KernelFiles.cache());
            var target = cache.resolve(file + "-" + real + "-" + architecture + "-" + hash + ".cubin");
            if (Files.exists(target)) return Files.readAllBytes(target);
            var code = compiler.compile(file + ".cu", text, options);
            var made = Files.createTempFile(cache, "compiled", ".cubin");
            Files.write(made, code);
            Files.move(made, target, StandardCopyOption.ATOMIC_MOVE);
            return code;
        } catch (IOException e) {
            throw new UncheckedIOException("while compiling " + file + ".cu", e);
        }
    }

    /// The toolkit's compiler, as a program.
    static final class Nvcc implements Compiler {
        private static final Pattern RELEASE = Pattern.compile("release [\\d.]+, V([\\d.]+)");
        private final String version;

        private Nvcc(String version) {
            this.version = version;
        }

        /// @param missing is told why there is none
        static Optional<Compiler> find(List<String> missing) {
            try {
                var release = RELEASE.matcher(run(List.of("nvcc", "--version")));
                return Optional.of(new Nvcc("nvcc " + (release.find() ? release.group(1) : "of unknown version")));
            } catch (IOException _) {
                missing.add("nvcc is not on the PATH");
            } catch (DeviceException e) {
                missing.add(e.getMessage());
            }
            return Optional.empty();
        }

        @Override
        public String version() {
            return version;
        }

        @Override
        public byte[] compile(String name, String text, List<String> options) {
            try {
                var work = Files.createTempDirectory(KernelFiles.cache(), "compile");
                try {
                    Files.writeString(work.resolve(COMMON), KernelFiles.text(COMMON));
                    Files.writeString(work.resolve(name), text);
                    var made = work.resolve("made.cubin");
                    var command = new ArrayList<>(List.of("nvcc", "-cubin"));
                    command.addAll(options);
                    command.addAll(List.of("-o", made.toString(), work.resolve(name).toString()));
                    run(command);
                    return Files.readAllBytes(made);
                } finally {
                    delete(work);
                }
            } catch (IOException e) {
                throw new UncheckedIOException("while compiling " + name, e);
            }
        }

        /// Runs nvcc to its end; returns what it prints.
        private static String run(List<String> command) throws IOException {
            var process = new ProcessBuilder(command).redirectErrorStream(true).start();
            try {
                process.getOutputStream().close();
                var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
                if (process.waitFor() != 0) throw new DeviceException("nvcc refuses: " + output.strip());
                return output;
            } catch (InterruptedException e) {
                process.destroy();
                Thread.currentThread().interrupt();
                throw new DeviceException("interrupted while nvcc ran", e);
            }
        }

        private static void delete(Path folder) throws IOException {
            try (var all = Files.walk(folder)) {
                for (var path : all.sorted(Comparator.reverseOrder()).toList()) Files.delete(path);
            }
        }
    }
}
