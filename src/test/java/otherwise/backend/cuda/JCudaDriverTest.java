package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import otherwise.backend.Backends;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;

/// What can be known of the real driver without a GPU: its libraries, its compilers, what it says where there is no device, and, against a
/// stand-in for libcuda.so.1, what it asks of a driver.
class JCudaDriverTest {
    private static final String LIBRARY = "libJCudaDriver-12.6.0-linux-x86_64.so";

    @Test
    void theNativesAreUnpackedWhereOnlyTheirOwnerWritesAndComparedBeforeUse() throws IOException {
        assumeLinux();
        var file = JCudaLibraries.unpack(LIBRARY, LIBRARY);
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file.getParent())));
        var bytes = Files.readAllBytes(file);
        var time = Files.getLastModifiedTime(file);
        assertEquals(file, JCudaLibraries.unpack(LIBRARY, LIBRARY));
        assertEquals(time, Files.getLastModifiedTime(file));
        var changed = bytes.clone();
        changed[changed.length / 2] ^= 1;
        // a new file under the name: another process may have the old one loaded
        Files.move(Files.write(file.resolveSibling("changed.so"), changed), file, StandardCopyOption.REPLACE_EXISTING);
        assertArrayEquals(bytes, Files.readAllBytes(JCudaLibraries.unpack(LIBRARY, LIBRARY)));
    }

    @Test
    void aFolderThatOthersMayWriteToIsClosed(@TempDir Path folder) throws IOException {
        assumeLinux();
        Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
        KernelFiles.privately(folder);
        assertEquals("rwxr-xr-x", PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)));
    }

    @Test
    void withoutTheDriverItsLibraryIsNamed() {
        assumeLinux();
        assumeFalse(haveLibcuda(), "there is an NVIDIA driver");
        var absent = assertThrows(DeviceException.class, () -> Backends.open("cuda", 0));
        assertTrue(absent.getMessage().startsWith("cuda needs the library libcuda.so.1"), absent.getMessage());
        assertEquals(1, absent.getMessage().lines().count());
    }

    @Test
    void kernelsAreCompiledOnceForEachTypeAndArchitecture() throws IOException {
        assumeLinux();
        assumeTrue(haveNvcc(), "there is no nvcc");
        var compiler = new KernelCompiler("sm_90");
        var before = compiled();
        var code = compiler.compile("elementwise", DType.F32);
        assertArrayEquals(new byte[] {0x7f, 'E', 'L', 'F'}, java.util.Arrays.copyOf(code, 4));
        assertFalse(Stream.of("unary", "affine", "adamw").anyMatch(name -> !new String(code, StandardCharsets.ISO_8859_1).contains(name)));
        var after = compiled();
        assertArrayEquals(code, new KernelCompiler("sm_90").compile("elementwise", DType.F32));
        assertEquals(after, compiled());
        assertTrue(after.containsAll(before));
        assertNotEquals(new String(code, StandardCharsets.ISO_8859_1),
                new String(compiler.compile("elementwise", DType.BF16), StandardCharsets.ISO_8859_1));
    }

    @Test
    void kernelsForHopperAreCompiledForIt() {
        assumeLinux();
        assumeTrue(haveNvcc(), "there is no nvcc");
        for (var file : List.of("matmul_hopper", "attention_hopper", "attention_hopper_back", "conv3d_hopper")) {
            var code = new String(new KernelCompiler("sm_90").compile(file, DType.BF16), StandardCharsets.ISO_8859_1);
            assertTrue(KernelFiles.kernels(KernelFiles.text(file + ".cu")).stream().allMatch(k -> code.contains(k.name())), file);
        }
    }

    @Test
    void aBrokenKernelFileGivesTheCompilersWords() {
        assumeLinux();
        assumeTrue(haveNvcc(), "there is no nvcc");
        var wrong = assertThrows(DeviceException.class,
                () -> new KernelCompiler("sm_90").compile("broken", "#include \"common.cuh\"\nKERNEL broken(real* y) { y[0] = nothing; }\n",
                        DType.F32));
        assertTrue(wrong.getMessage().contains("identifier \"nothing\" is undefined"), wrong.getMessage());
        assertTrue(wrong.getMessage().contains("broken.cu"), wrong.getMessage());
    }

    @Test
    void standInsForDriverAndCompilerAreAskedForTheRightThings(@TempDir Path folder) throws IOException, InterruptedException {
        assumeLinux();
        assumeTrue(runs("g++", "--version"), "there is no g++");
        assumeFalse(CudaNativesTest.bundled(), "this build has the real libraries");
        var library = StandIn.library(folder, "libcuda.cpp", "libcuda.so.1");
        var nvrtc = StandIn.library(folder, "libnvrtc.cpp", "libnvrtc.so.12");
        StandIn.library(folder, "libcublas.cpp", "libcublas.so.12", "-DVERSION=120604");
        StandIn.library(folder, "libcudnn.cpp", "libcudnn.so.9", "-DVERSION=91002");
        var lines = StandIn.lines(JCudaDriverProbe.class,
                Map.of("LD_LIBRARY_PATH", folder.toString(), "XDG_CACHE_HOME", folder.toString(), "STAND_IN_STREAM", "32"));
        var description = lines.get("description");
        assertTrue(description.startsWith("Stand-in, sm_90, driver for CUDA 12.6, 512 of 1024 MiB free, kernels "), description);
        assertTrue(description.contains(" at first use, libraries ") || description.contains("from this build"), description);
        assertTrue(
                description.contains(library) && description.contains(nvrtc) && description.contains(folder + "/otherwise/jcuda-12.6.0-"),
                description);
        assertEquals("[7.0, 11.0, 7.0]", lines.get("graph from 1.0"));
        assertEquals("[43.0, 11.0, 7.0]", lines.get("graph from 10.0"));
        assertTrue(lines.get("no graph").startsWith("cuda: allocation of 16 bytes: error 900, which the driver does not know"),
                lines.get("no graph"));
        assertEquals("[87.0, 23.0, 7.0]", lines.get("after it"));
        assertEquals("true", lines.get("copies"));
        assertEquals("0", lines.get("too much"));
        assertEquals("cuda: kernel missing of elementwise.cu: CUDA_ERROR_NOT_FOUND: named symbol not found", lines.get("missing"));
        assertEquals("NVRTC refuses: -default-device -std=c++17 -lineinfo -arch=sm_90 -DREAL=bf16", lines.get("broken"));
        assertEquals("NVRTC refuses: -default-device -std=c++17 -lineinfo -arch=sm_90a -DREAL=bf16", lines.get("for hopper"));
        assertEquals("true true 132", lines.get("hopper"));
        var hopper = Map.of("no-clusters", "true false 132", "portable", "false false 132");
        for (var choice : hopper.keySet()) {
            var some = StandIn.lines(JCudaDriverProbe.class, Map.of("LD_LIBRARY_PATH", folder.toString(), "XDG_CACHE_HOME",
                    folder.toString(), "STAND_IN_STREAM", "32", "OTHERWISE_KERNELS", choice));
            assertEquals(hopper.get(choice), some.get("hopper"));
            assertTrue(some.get("description").contains(" MiB free, " + choice + " kernels "), some.get("description"));
        }
        assertEquals("[4096, 72, 11, 3, 144, 1600, 64, 128, 1, 0, 0, 0, 0, 0, 0, 0]", lines.get("tensor map"));
        assertEquals("[4096, 72, 11, 5, 7, 2, 144, 1584, 7920, 55440, 64, 16, 6, 1, 1, 0]", lines.get("tensor map of five axes"));
        assertTrue(lines.get("unknown").contains("NVRTC 99.9 does not know sm_75"), lines.get("unknown"));
        assertEquals("[2.5, 4.5, 6.5]", lines.get("affine"));
        assertEquals("0.0015 s", lines.get("1 timed"));
        assertEquals("0.0030 s", lines.get("2 timed"));
        assertEquals("products by cuBLAS 12.6.4 through JCublas2, convolutions by cuDNN 9.10.2 through java.lang.foreign",
                lines.get("serving"));
        // also where code came with this build, because the stand-in cannot read it
        assertTrue(lines.get("code").matches(".*, kernels by NVRTC 99.9 at first use, .*"), lines.get("code"));
        assertEquals("cuda: there is no device 7, the driver shows 1", lines.get("device 7"));
        assertEquals(
                "cuda: cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered; the last kernel launched "
                        + "before was kernel axpy (3×1×1 blocks of 64×1×1 threads, 0 bytes shared; 5 2.5)",
                lines.get("fault"));
    }

    private static void assumeLinux() {
        assumeTrue(System.getProperty("os.name").equals("Linux") && System.getProperty("os.arch").equals("amd64"),
                "cuda is for Linux on x86-64");
    }

    private static boolean haveLibcuda() {
        return Stream.of("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/lib/wsl/lib").anyMatch(
                folder -> Files.exists(Path.of(folder, "libcuda.so.1")));
    }

    private static boolean haveNvcc() {
        return runs("nvcc", "--version");
    }

    private static boolean runs(String... command) {
        try {
            StandIn.run(Map.of(), command);
            return true;
        } catch (IOException _) {
            return false;
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static List<String> compiled() throws IOException {
        try (var files = Files.list(KernelFiles.cache())) {
            return files.map(f -> f.getFileName().toString()).filter(f -> f.endsWith(".cubin")).sorted().toList();
        }
    }
}
