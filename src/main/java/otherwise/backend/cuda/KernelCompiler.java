package otherwise.backend.cuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;

/// The machine code of kernel files for one architecture: compiled at first use, by NVRTC where it is, else by nvcc, and kept by the hash of
/// the text, the compiler and its options.
final class KernelCompiler {
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
                + KernelFiles.hash(KernelFiles.text(file + ".cu"), KernelFiles.headers(), KernelFiles.cName(real));
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
        // What only this architecture has, and none after it, has a name of its own.
        var target = architecture + (KernelFiles.areForHopper(file) ? "a" : "");
        // Names of lines are for compute-sanitizer and cost nothing.
        var options = List.of("-std=c++17", "-lineinfo", "-arch=" + target, "-DREAL=" + KernelFiles.cName(real));
        var hash = KernelFiles.hash(compiler.version(), text, KernelFiles.headers(), options.toString());
        try {
            var cache = KernelFiles.cache();
            var kept = cache.resolve(file + "-" + real + "-" + target + "-" + hash + ".cubin");
            if (Files.exists(kept)) return Files.readAllBytes(kept);
            var code = compiler.compile(file + ".cu", text, options);
            var made = Files.createTempFile(cache, "compiled", ".cubin");
            Files.write(made, code);
            Files.move(made, kept, StandardCopyOption.ATOMIC_MOVE);
            return code;
        } catch (IOException e) {
            throw new UncheckedIOException("while compiling " + file + ".cu", e);
        }
    }

    /// The toolkit's compiler, as a program.
    static final class Nvcc implements Compiler {
        private static final CompilerProgram COMPILER = new CompilerProgram("nvcc");
        private static final Pattern RELEASE = Pattern.compile("release [\\d.]+, V([\\d.]+)");
        private final String version;

        private Nvcc(String version) {
            this.version = version;
        }

        /// @param missing is told why there is none
        static Optional<Compiler> find(List<String> missing) {
            try {
                var release = RELEASE.matcher(COMPILER.run(List.of("--version")));
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
            try (var work = CompilerProgram.Workplace.open()) {
                work.writeHeaders();
                var file = work.write(name, text);
                var made = work.path().resolve("made.cubin");
                var arguments = new ArrayList<>(List.of("-cubin"));
                arguments.addAll(options);
                arguments.addAll(List.of("-o", made.toString(), file.toString()));
                COMPILER.run(arguments);
                return Files.readAllBytes(made);
            } catch (IOException e) {
                throw new UncheckedIOException("while compiling " + name, e);
            }
        }
    }
}
