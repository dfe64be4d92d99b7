package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.io.TempDir;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;

/// What the emulation must find: each of the kernels in `faults.cu` does one thing that is forbidden, and a GPU might let pass.
@EnabledIf("otherwise.support.Emulated#present")
class EmulatedDriverTest extends DeviceMemory {
    EmulatedDriverTest() {
        super(new EmulatedDriver(2));
    }

    private String fault(String kernel, Grid grid, Arguments arguments) {
        return assertThrows(DeviceException.class, () -> kernels.launch("faults", kernel, grid, arguments)).getMessage();
    }

    private static void says(String message, String... parts) {
        for (var part : parts) assertTrue(message.contains(part), message + "\nlacks: " + part);
    }

    @Test
    void whatIsRightPasses() {
        sums();
    }

    private void sums() {
        var y = fresh(3 + 64);
        var x = written(1, 2, 3, 4, 5);
        kernels.launch("faults", "sums", Grid.of(1, 64).shared(256), new Arguments().with(y).with(x).with(5));
        var expected = new float[3 + 64];
        Arrays.fill(expected, 1); // every thread finds its shuffles and votes right
        expected[0] = 15;
        expected[1] = 31;
        expected[2] = 64;
        assertArrayEquals(expected, read(y));
    }

    @Test
    void writesBeyondABuffer() {
        says(fault("writes_beyond", Grid.of(3, 32), new Arguments().with(fresh(70))),
                "kernel writes_beyond, block (2, 0, 0), thread (6, 0, 0)",
                "writes 4 bytes at byte 280 of a buffer of 280 bytes", "3×1×1 blocks of 32×1×1 threads", "f32[70]");
    }

    @Test
    void readsBeyondABuffer() {
        var x = written(new float[64]);
        says(fault("reads_beyond", Grid.of(2, 32), new Arguments().with(fresh(64)).with(x).with(64L)),
                "kernel reads_beyond, block (1, 0, 0), thread (31, 0, 0): reads 4 bytes at byte 256 of a buffer of 256 bytes");
    }

    @Test
    void readsWhatWasNeverWritten() {
        says(fault("reads_unwritten", Grid.of(1, 32), new Arguments().with(fresh(8)).with(fresh(8)).with(8L)), "kernel reads_unwritten",
                "thread (0, 0, 0)", "never written");
        // Nor what a buffer held before it was given back.
        var x = written(1, 2, 3, 4);
        long before = x.address();
        x.release();
        var again = fresh(4);
        assertEquals(before, again.address());
        says(fault("reads_unwritten", Grid.of(1, 32), new Arguments().with(fresh(4)).with(again).with(4L)), "never written");
    }

    @Test
    void usesABufferThatWasGivenBack() {
        var x = written(1, 2, 3, 4);
        x.release();
        says(fault("reads_unwritten", Grid.of(1, 32), new Arguments().with(fresh(4)).with(x).with(4L)), "kernel reads_unwritten",
                "reads 4 bytes");
    }

    /// Where a device would end the program.
    @Test
    void wordsThatAreNotAligned() {
        var x = written(1, 2, 3, 4, 5, 6, 7, 8);
        var y = fresh(8);
        for (int bytes : new int[] {8, 16}) {
            var kernel = "copies_%d_bytes".formatted(bytes);
            kernels.launch("faults", kernel, Grid.of(1, 1), new Arguments().with(y).with(x));
            says(fault(kernel, Grid.of(1, 1), new Arguments().with(y).with(x.slice(3, 5))),
                    "reads %d bytes at byte 12 of a buffer, where they are not aligned".formatted(bytes));
            says(fault(kernel, Grid.of(1, 1), new Arguments().with(y.slice(1, 7)).with(x)),
                    "writes %d bytes at byte 4 of a buffer, where they are not aligned".formatted(bytes));
        }
    }

    @Test
    void packsThatAreNotAligned() {
        var x = written(1, 2, 3, 4, 5);
        var y = fresh(5);
        kernels.launch("faults", "reads_16_bytes", Grid.of(1, 1), new Arguments().with(y).with(x));
        says(fault("reads_16_bytes", Grid.of(1, 1), new Arguments().with(y).with(x.slice(1, 4))), "kernel reads_16_bytes",
                "16 bytes at once, where they are not aligned");
        kernels.launch("faults", "writes_16_bytes", Grid.of(1, 1), new Arguments().with(y));
        says(fault("writes_16_bytes", Grid.of(1, 1), new Arguments().with(y.slice(1, 4))), "not aligned to 16 bytes");
    }

    @Test
    void barriersThatNotAllReach() {
        says(fault("some_reach_the_barrier", Grid.of(1, 64), new Arguments().with(fresh(1))), "kernel some_reach_the_barrier",
                "divergence: waits at __syncthreads (line", "has ended");
        says(fault("some_leave_before_the_barrier", Grid.of(1, 64), new Arguments().with(fresh(1)).with(50)),
                "thread (50, 0, 0) has ended");
        kernels.launch("faults", "some_leave_before_the_barrier", Grid.of(1, 64), new Arguments().with(fresh(1)).with(64));
    }

    @Test
    void shufflesOfHalfAWarp() {
        says(fault("half_a_warp_shuffles", Grid.of(1, 32), new Arguments().with(fresh(1))), "divergence: waits at a shuffle",
                "thread (16, 0, 0) has ended");
    }

    @Test
    void sharedMemory() {
        says(fault("reads_shared_before_it_is_written", Grid.of(1, 32).shared(128), new Arguments().with(fresh(32))),
                "never written", "dynamic shared memory of 128 bytes");
        says(fault("writes_beyond_shared", Grid.of(1, 64).shared(128), new Arguments().with(fresh(1))),
                "writes 4 bytes at byte 128 of dynamic shared memory of 128 bytes");
    }

    @Test
    void nullPointers() {
        says(fault("writes_to_nothing", Grid.of(1, 1), new Arguments().with((CudaStorage) null)), "kernel writes_to_nothing", "address 0");
    }

    @Test
    void argumentsThatAKernelDoesNotHave() {
        var y = fresh(1);
        assertThrows(IllegalStateException.class, () -> kernels.launch("faults", "writes_beyond", Grid.of(1, 1), new Arguments()));
        var wrong = assertThrows(
                IllegalStateException.class,
                () -> kernels.launch("faults", "some_leave_before_the_barrier", Grid.of(1, 1), new Arguments().with(y).with(1L)));
        assertEquals("kernel some_leave_before_the_barrier: parameter 1 has 4 bytes, not 8", wrong.getMessage());
    }

    /// A library whose end is missing is compiled again.
    @Test
    void brokenLibrariesAreNotLoaded() throws IOException {
        var compiler = new EmulationCompiler();
        var library = compiler.compile("faults", DType.BF16);
        var whole = Files.readAllBytes(library);
        Files.delete(library); // it may be loaded: a new file leaves it alone
        Files.write(library, Arrays.copyOf(whole, 3000));
        assertEquals(library, compiler.compile("faults", DType.BF16));
        assertEquals(whole.length, Files.size(library));
    }

    /// What a killed compilation left in the cache goes when another begins; one that may still run stays.
    @Test
    void abandonedWorkplacesGo(@TempDir Path cache) throws IOException {
        var abandoned = Files.createDirectories(cache.resolve("compile123/emulation")).getParent();
        Files.writeString(abandoned.resolve("emulation/emulation.h"), "");
        Files.setLastModifiedTime(abandoned, FileTime.from(Instant.now().minusSeconds(7 * 3600)));
        try (var running = CompilerProgram.Workplace.open(cache);
                var second = CompilerProgram.Workplace.open(cache)) {
            assertFalse(Files.exists(abandoned));
            assertTrue(Files.exists(running.path()));
            assertTrue(Files.exists(second.path()));
        }
        try (var left = Files.list(cache)) {
            assertEquals(0, left.count());
        }
    }

    /// Giving memory back to the system leaves its neighbours alone.
    @Test
    void neighboursOfWhatIsReleasedStay() {
        var buffers = new ArrayList<CudaStorage>();
        for (int i = 0; i < 40; i++) {
            var values = new float[3000 + 700 * i];
            Arrays.fill(values, i + 1);
            buffers.add(written(values));
        }
        for (int i = 0; i < buffers.size(); i += 2) buffers.get(i).release();
        pool.trim();
        for (int i = 1; i < buffers.size(); i += 2) {
            for (float v : read(buffers.get(i))) assertEquals(i + 1, v);
        }
    }

    /// Nor may the host read what no kernel wrote.
    @Test
    void whatTheHostReads() {
        var x = fresh(4);
        says(assertThrows(DeviceException.class, () -> read(x)).getMessage(), "the host reads 16 bytes", "never written");
    }

    /// After a fault everything goes on.
    @Test
    void faultsLeaveNothingBehind() {
        for (int i : IntStream.range(0, 20).toArray()) {
            if (i % 2 == 0) fault("writes_beyond", Grid.of(3, 32), new Arguments().with(fresh(70)));
            else sums();
        }
    }
}
