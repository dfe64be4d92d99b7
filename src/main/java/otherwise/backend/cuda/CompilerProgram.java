package otherwise.backend.cuda;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
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
        static Workplace open() throws IOException {
            return new Workplace(Files.createTempDirectory(KernelFiles.cache(), "compile"));
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
            try (var all = Files.walk(path)) {
                for (var file : all.sorted(Comparator.reverseOrder()).toList()) Files.delete(file);
            }
        }
    }
}
