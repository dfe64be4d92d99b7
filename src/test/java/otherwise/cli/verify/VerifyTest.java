package otherwise.cli.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import otherwise.backend.Backends;
import otherwise.cli.ExitCode;
import otherwise.cli.Otherwise;
import otherwise.io.SafetensorsWriter;
import otherwise.io.TensorFile;
import otherwise.support.Emulated;

/// Golden files pass, and files in which anything is changed, added or missing do not.
class VerifyTest {
    private static final Path GOLDENS = Path.of("src/test/resources/goldens");

    @TempDir
    private Path folder;

    /// Every file in the folder: a new one is run without a word here. Also by the CUDA kernels, emulated.
    @TestFactory
    List<DynamicTest> everyGoldenFileAgrees() throws IOException {
        try (var files = Files.list(GOLDENS)) {
            return files.filter(f -> f.toString().endsWith(".safetensors"))
                    .sorted()
                    .flatMap(f -> Stream.of("cpu", "cuda-emulated")
                            .map(device -> DynamicTest.dynamicTest(device + " " + f.getFileName(), () -> {
                                assumeTrue(device.equals("cpu") || Emulated.present(), "no g++");
                                var report = new StringWriter();
                                try (var backend = Backends.open(device, 0)) {
                                    var verification = Verification.of(f, backend);
                                    verification.print(new PrintWriter(report), true);
                                    assertTrue(verification.ok(), report.toString());
                                }
                            })))
                    .toList();
        }
    }

    @TestFactory
    Stream<DynamicTest> aDeviceOfFewDigitsIsHeldToWhatTheyCanHold() {
        return Stream.of("cuda-emulated:bf16", "cuda-emulated:tf32").map(device -> DynamicTest.dynamicTest(device, () -> {
            assumeTrue(Emulated.present(), "no g++");
            try (var backend = Backends.open(device, 0)) {
                var verification = Verification.of(GOLDENS.resolve("clip_vision.safetensors"), backend);
                assertTrue(verification.ok());
            }
        }));
    }

    @Test
    void aChangedNumberIsFound() throws IOException {
        var file = altered("optimizers", "out/sgd/params", values -> values[3] += 0.01f);
        var printed = new StringWriter();
        try (var backend = Backends.open("cpu", 1)) {
            var verification = Verification.of(file, backend);
            assertFalse(verification.ok());
            verification.print(new PrintWriter(printed), true);
        }
        var lines = printed.toString().lines().toList();
        assertEquals(2, lines.size(), printed.toString());
        assertTrue(lines.get(0).matches("  out/sgd/params +relative \\S+  limit 2\\.0e-04  FAIL"), lines.get(0));
        assertTrue(lines.get(1).startsWith("optimizers.safetensors: FAIL, 1 of 24 tensors, worst out/sgd/params"), lines.get(1));
        assertEquals(ExitCode.NO, Otherwise.run("verify", "--summary", "--threads", "1", file.toString()));
    }

    @Test
    void aNumberThatIsNoneIsFound() throws IOException {
        var file = altered("optimizers", "out/adam/exp_avg", values -> values[0] = Float.NaN);
        try (var backend = Backends.open("cpu", 1)) {
            assertFalse(Verification.of(file, backend).ok());
        }
    }

    /// What no check asks for must not pass in silence.
    @Test
    void whatIsNotCheckedFails() throws IOException {
        var file = folder.resolve("more.safetensors");
        try (var golden = TensorFile.open(GOLDENS.resolve("optimizers.safetensors"))) {
            copy(golden, "").add("mid/sgd/surprise", "F32", new long[] {1}, new float[] {1}).write(file);
        }
        try (var backend = Backends.open("cpu", 1)) {
            var failed = Verification.of(file, backend).lines().stream().filter(line -> !line.ok()).toList();
            assertEquals(1, failed.size());
            assertEquals("mid/sgd/surprise", failed.getFirst().name());
            assertEquals("not checked", failed.getFirst().problem());
        }
    }

    @Test
    void unknownKindsAndUnreadableFilesAreInputErrors() throws IOException {
        var file = folder.resolve("strange.safetensors");
        new SafetensorsWriter().metadata("kind", "strange").add("out/x", "F32", new long[] {1}, new float[] {1}).write(file);
        try (var backend = Backends.open("cpu", 1)) {
            var e = assertThrows(IOException.class, () -> Verification.of(file, backend));
            assertTrue(e.getMessage().contains("unknown kind 'strange'"), e.getMessage());
            assertTrue(e.getMessage().contains("the kinds are: clip_vision, "), e.getMessage());
        }
        assertEquals(ExitCode.WRONG_INPUT, Otherwise.run("verify", file.toString()));
        assertEquals(ExitCode.WRONG_INPUT, Otherwise.run("verify", folder.resolve("absent").toString()));
        // The good one is still checked, but the bad one decides.
        var good = GOLDENS.resolve("optimizers.safetensors").toString();
        assertEquals(ExitCode.WRONG_INPUT, Otherwise.run("verify", "--summary", folder.resolve("absent").toString(), good));
        assertEquals(ExitCode.DONE, Otherwise.run("verify", "--summary", good));
    }

    /// A reference of zeros is compared with the file's noise, not with itself; a larger noise widens the limit of any tensor.
    @Test
    void noiseWidensTheLimit() throws IOException {
        var file = folder.resolve("noisy.safetensors");
        new SafetensorsWriter()
                .metadata("kind", "any")
                .metadata("noise", "{\"grad/zero\": [1e-7, 0.0], \"out/noisy\": [0.01, 2.0]}")
                .add("grad/zero", "F32", new long[] {2}, new float[] {0, 0})
                .add("out/noisy", "F32", new long[] {2}, new float[] {2, -1})
                .add("out/exact", "F32", new long[] {2}, new float[] {2, -1})
                .write(file);
        try (var backend = Backends.open("cpu", 1);
                var golden = Golden.open(file, backend)) {
            var comparison = new Comparison(golden);
            comparison.compare("grad/zero", new double[] {9e-7, 0}, 2);
            comparison.compare("out/noisy", new double[] {2.09, -1}, 2);
            comparison.compare("out/exact", new double[] {2.0005, -1}, 2);
            assertEquals(List.of(true, true, false), verdicts(comparison));
            comparison.compare("grad/zero", new double[] {0, 2e-6}, 2);
            comparison.compare("out/noisy", new double[] {2.11, -1}, 2);
            assertEquals(List.of(false, false, false), verdicts(comparison));
        }
    }

    private static List<Boolean> verdicts(Comparison comparison) {
        return List.of("grad/zero", "out/noisy", "out/exact").stream()
                .map(name -> comparison.lines().stream().filter(line -> line.name().equals(name)).findFirst().orElseThrow().ok())
                .toList();
    }

    /// Seed 1, scale 1, offset 0: the first values that the generator's authors wrote down.
    @Test
    void ruleMadeWeights() {
        var values = new Golden.Rule(new long[] {4}, 1, 1, 0).values();
        var expected = new double[] {0.9114075899124146, 0.49736571311950684, 0.6573774814605713, 0.6298239231109619};
        for (int i = 0; i < 4; i++) assertEquals(expected[i], values[i], 0);
    }

    private interface Change {
        void apply(float[] values);
    }

    private Path altered(String name, String tensor, Change change) throws IOException {
        var file = folder.resolve(name + ".safetensors");
        try (var golden = TensorFile.open(GOLDENS.resolve(name + ".safetensors"))) {
            var values = golden.floats(tensor);
            change.apply(values);
            copy(golden, tensor).add(tensor, "F32", golden.entry(tensor).shape(), values).write(file);
        }
        return file;
    }

    private static SafetensorsWriter copy(TensorFile from, String without) {
        var writer = new SafetensorsWriter().metadata(from.metadata());
        for (var name : new ArrayList<>(from.names())) {
            var entry = from.entry(name);
            if (!name.equals(without)) writer.addRaw(name, entry.dtype(), entry.shape(), from.segment(name));
        }
        return writer;
    }
}
