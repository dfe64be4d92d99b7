package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;
import otherwise.backend.Backends;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;
import otherwise.backend.Libraries;

/// cuBLAS and cuDNN beside our kernels, without a GPU: against stand-ins that check what they are asked and compute it.
@EnabledIf("otherwise.support.Emulated#present")
class CudaLibrariesTest {
    @TempDir
    private static Path folder;

    @BeforeAll
    static void compile() throws IOException, InterruptedException {
        assumeFalse(CudaNativesTest.bundled(), "this build has the real libraries");
        StandIn.library(folder, "libcublas.cpp", "libcublas.so.12", "-DVERSION=120604");
        StandIn.library(folder, "libcublas.cpp", "libcublas.so.13", "-DVERSION=130101");
        StandIn.library(folder, "libcudnn.cpp", "libcudnn.so.8", "-DVERSION=8907");
        StandIn.library(folder, "libcudnn.cpp", "libcudnn.so.9", "-DVERSION=91002");
    }

    /// What serves, as asked for in several ways: of products alone, and of each library alone.
    static final class Choices {
        public static void main(String[] args) {
            System.out.println("installed: " + Stream.of("libcublas.so.12", "libcublas.so.13", "libcudnn.so.8", "libcudnn.so.9")
                    .filter(name -> CudaLibraries.find(name).isPresent()).toList());
            System.out.println("auto: " + serving(Libraries.Gemm.AUTO, Libraries.Conv.OURS));
            System.out.println("cublas: " + serving(Libraries.Gemm.CUBLAS, Libraries.Conv.OURS));
            System.out.println("cudnn: " + serving(Libraries.Gemm.OURS, Libraries.Conv.CUDNN));
        }

        private static String serving(Libraries.Gemm gemm, Libraries.Conv conv) {
            var driver = new EmulatedDriver(1);
            try (var pool = new DevicePool(driver)) {
                var serving = Serving.of(new Libraries(gemm, conv), driver, new Kernels(driver, pool, DType.F32));
                serving.close();
                return serving.description();
            } catch (DeviceException e) {
                return e.getMessage();
            }
        }
    }

    private static Map<String, String> probe(Class<?> probe, Map<String, String> more) throws IOException, InterruptedException {
        var environment = new HashMap<>(Map.of("LD_LIBRARY_PATH", folder.toString()));
        environment.putAll(more);
        return StandIn.lines(probe, environment);
    }

    @Test
    void bothBindingsOfBothLibrariesComputeWhatOurKernelsDo() throws IOException, InterruptedException {
        var lines = probe(CudaLibrariesProbe.class, Map.of());
        for (var real : new String[] {"f32", "bf16"}) {
            assertEquals("products by cuBLAS 12.6.4 through JCublas2, convolutions by cuDNN 8.9.7 through JCudnn",
                    lines.get("serving " + real));
            assertEquals("products by our kernels, convolutions by our kernels", lines.get("ours " + real));
            var memory = lines.get("memory " + real).split(" ");
            assertEquals(memory[0], memory[1], "what a plan says they take of " + real);
            for (var cublas : new String[] {"cuBLAS 12.6.4 through JCublas2", "cuBLAS 13.1.1 through java.lang.foreign"}) {
                assertClose(lines, cublas, real);
                assertEquals("1", lines.get(cublas + " " + real + " without terms"));
            }
            for (var cudnn : new String[] {"cuDNN 8.9.7 through JCudnn", "cuDNN 9.10.2 through java.lang.foreign"}) {
                assertClose(lines, cudnn, real);
                assertEquals("2", lines.get(cudnn + " " + real + " between addresses, and to the weight"));
                assertEquals("1 true", lines.get(cudnn + " " + real + " refused"), "a shape that cuDNN does not do");
            }
        }
        assertEquals("1.0004883", lines.get("as tf32, false"));
        assertEquals("1.0", lines.get("as tf32, true"));
    }

    private static void assertClose(Map<String, String> lines, String library, String real) {
        double error = Double.parseDouble(lines.get(library + " " + real));
        assertTrue(error < (real.equals("f32") ? 1e-6 : 1e-2), library + " " + real + ": " + error);
        assertEquals("0", lines.get(library + " " + real + " left to us"));
    }

    @Test
    void aLibraryThatComputesWrongIsPassedOver() throws IOException, InterruptedException {
        var lines = probe(Choices.class, Map.of("STAND_IN_WRONG", "12"));
        assertEquals("products by cuBLAS 13.1.1 through java.lang.foreign, convolutions by our kernels", lines.get("auto"));
    }

    @Test
    void whatIsNotThereIsNamed() throws IOException, InterruptedException {
        var lines = probe(Choices.class, Map.of("LD_LIBRARY_PATH", ""));
        assumeTrue(lines.get("installed").equals("[]"), "there is " + lines.get("installed"));
        assertEquals("products by our kernels (libcublas.so.12 is not found; libcublas.so.13 is not found), convolutions by our kernels",
                lines.get("auto"));
        assertEquals("--gemm cublas: libcublas.so.12 is not found; libcublas.so.13 is not found", lines.get("cublas"));
        assertEquals("--conv cudnn: libcudnn.so.8 is not found; libcudnn.so.9 is not found", lines.get("cudnn"));
    }

    @Test
    void otherDevicesHaveNoLibraries() {
        var cublas = new Libraries(Libraries.Gemm.CUBLAS, Libraries.Conv.AUTO);
        var cudnn = new Libraries(Libraries.Gemm.OURS, Libraries.Conv.CUDNN);
        assertEquals("--gemm cublas is for device cuda; cpu has our own products alone",
                assertThrows(DeviceException.class, () -> Backends.open("cpu", 1, cublas)).getMessage());
        assertEquals("--conv cudnn is for device cuda; cuda-emulated:bf16 has our own convolutions alone",
                assertThrows(DeviceException.class, () -> Backends.open("cuda-emulated:bf16", 1, cudnn)).getMessage());
        Backends.open("cpu", 1, Libraries.OURS).close();
    }
}
