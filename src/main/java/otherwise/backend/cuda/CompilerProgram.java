package otherwise.backend.cuda;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import otherwise.backend.DeviceException;

/// A compiler that is a program on the PATH: g++, nvcc.
///
/// @param name what it is called
record CompilerProgram(String name) {

    /// Runs it to its end; returns what it prints.
    ///
    /// @throws IOException if there is no such program
    /// @throws DeviceException with what it prints, if it does not succeed
    String run(List<String> arguments) throws IOException {
        var command = new ArrayList<>(List.of(name));
        command.addAll(arguments);
        var process = new ProcessBuilder(command).redirectErrorStream(true).start();
        try {
            process.getOutputStream().close();
            var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (process.waitFor() != 0) throw new DeviceException(name + " refuses: " + output.strip());
            return output;
        } catch (InterruptedException e) {
            process.destroy();
            Thread.currentThread().interrupt();
            throw new DeviceException("interrupted while " + name + " ran", e);
        }
    }

    /// A folder in which one file is compiled, gone when closed.
    record Workplace(Path path) implements AutoCloseable {
        private static final String PREFIX = "compile";

        /// No compilation takes as long: what is older was left by a process that was killed.
        private static final Duration ABANDONED = Duration.ofHours(6);

        static Workplace open() throws IOException {
            return open(KernelFiles.cache());
        }

        static Workplace open(Path folder) throws IOException {
            var abandoned = FileTime.from(Instant.now().minus(ABANDONED));
            try (var left = Files.newDirectoryStream(folder, PREFIX + "*")) {
                for (var file : left) if (Files.getLastModifiedTime(file).compareTo(abandoned) < 0) remove(file);
            }
            return new Workplace(Files.createTempDirectory(folder, PREFIX));
        }

        /// Writes a source, in a folder below if its name has one.
        Path write(String name, String text) throws IOException {
            var file = path.resolve(name);
            Files.createDirectories(file.getParent());
            return Files.writeString(file, text);
        }

        /// Writes what kernel files include.
        void writeHeaders() throws IOException {
            for (var name : KernelFiles.HEADERS) write(name, KernelFiles.text(name));
        }

        @Override
        public void close() throws IOException {
            remove(path);
        }

        private static void remove(Path folder) throws IOException {
            try (var all = Files.walk(folder)) {
                for (var file : all.sorted(Comparator.reverseOrder()).toList()) Files.deleteIfExists(file);
            }
        }
    }
}
