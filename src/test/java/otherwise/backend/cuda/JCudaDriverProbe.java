package otherwise.backend.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;
import otherwise.backend.Libraries;

/// What [JCudaDriverTest] runs in a process of its own, in which the libraries of CUDA are stand-ins: prints what it finds.
final class JCudaDriverProbe {
    private JCudaDriverProbe() {}

    public static void main(String[] args) throws InterruptedException {
        try (var driver = new JCudaDriver(0)) {
            System.out.println("description: " + driver.description());
            copies(driver);
            System.out.println("too much: " + driver.allocate(1L << 40));
            affine(driver);
            graph(driver);
            System.out.println("hopper: " + driver.hopper() + " " + driver.clusters() + " " + driver.multiprocessors());
            System.out.println("tensor map: " + longs(driver.encode(new TensorMap(4096, 72, 11, 3, 144, 1600, 128))));
            System.out.println("tensor map of five axes: " + longs(driver.encode(new TensorMap(4096, 72, List.of(
                    new TensorMap.Axis(11, 144, 16), new TensorMap.Axis(5, 1584, 6), new TensorMap.Axis(7, 7920, 1),
                    new TensorMap.Axis(2, 55_440, 1))))));
            System.out.println("missing: " + message(() -> driver.function("elementwise", DType.F32, "missing")));
            System.out.println("broken: " + message(() -> new KernelCompiler("sm_90").compile("broken", "nothing", DType.BF16)));
            System.out.println("for hopper: " + message(() -> new KernelCompiler("sm_90").compile("matmul_hopper", "nothing", DType.BF16)));
            var missing = new ArrayList<String>();
            System.out.println("unknown: " + Nvrtc.find("sm_75", missing).isPresent() + missing);
            System.out.println("serving: " + serving(driver));
            System.out.println("code: " + driver.description());
        }
        System.out.println("device 7: " + message(() -> new JCudaDriver(7)));
        var driver = new JCudaDriver(0); // cannot be closed after a fault
        driver.launch(driver.function("elementwise", DType.F32, "axpy"), Grid.of(3, 64), new Arguments().with(5).with(2.5f));
        System.out.println("fault: " + message(driver::synchronize));
    }

    private static void copies(JCudaDriver driver) throws InterruptedException {
        // two pieces and a bit, from the heap and back into memory outside it, on another thread
        var values = new float[(int) (2 * PinnedCopies.CHUNK / Float.BYTES) + 12_345];
        for (int i = 0; i < values.length; i++) values[i] = i % 65_537;
        long address = driver.allocate((long) values.length * Float.BYTES);
        driver.toDevice(address, MemorySegment.ofArray(values));
        var thread = new Thread(() -> {
            try (var arena = Arena.ofConfined()) {
                var back = arena.allocate(JAVA_FLOAT, values.length);
                driver.toHost(back, address);
                System.out.println("copies: " + Arrays.equals(values, back.toArray(JAVA_FLOAT)));
            }
        });
        thread.start();
        thread.join();
        driver.free(address);
    }

    private static void affine(JCudaDriver driver) {
        long x = driver.allocate(12);
        long y = driver.allocate(12);
        driver.toDevice(x, MemorySegment.ofArray(new float[] {1, 2, 3}));
        var affine = driver.function("elementwise", DType.F32, "affine");
        var arguments = new Arguments().with(y).with(x).with(2f).with(0.5f).with(3L);
        driver.launch(affine, Grid.of(1, 256).shared(100_000), arguments);
        try (var timer = driver.timer()) {
            for (int launches = 1; launches <= 2; launches++) {
                timer.start();
                for (int i = 0; i < launches; i++) driver.launch(affine, Grid.of(1, 256), arguments);
                System.out.printf(Locale.ROOT, "%d timed: %.4f s%n", launches, timer.stop());
            }
        }
        var result = new float[3];
        driver.toHost(MemorySegment.ofArray(result), y);
        System.out.println("affine: " + Arrays.toString(result));
        driver.free(x);
        driver.free(y);
    }

    /// Two works noted, and done twice with other numbers; one that a stream cannot be told while it is listened to.
    private static void graph(JCudaDriver driver) {
        long x = driver.allocate(12);
        long y = driver.allocate(12);
        var affine = driver.function("elementwise", DType.F32, "affine");
        var arguments = new Arguments().with(y).with(x).with(2f).with(1f).with(3L);
        Consumer<Driver> doubled = d -> d.launch(affine, Grid.of(1, 256), arguments);
        driver.toDevice(y, MemorySegment.ofArray(new float[3]));
        var replay = driver.replay(List.of(doubled, d -> d.copy(x, y, 8)));
        var result = new float[3];
        for (float first : new float[] {1, 10}) {
            driver.toDevice(x, MemorySegment.ofArray(new float[] {first, 2, 3}));
            replay.run();
            replay.run();
            driver.toHost(MemorySegment.ofArray(result), y);
            System.out.println("graph from " + first + ": " + Arrays.toString(result));
        }
        replay.close();
        System.out.println("no graph: " + message(() -> driver.replay(List.of(doubled, d -> d.allocate(16)))));
        doubled.accept(driver);
        driver.toHost(MemorySegment.ofArray(result), y);
        System.out.println("after it: " + Arrays.toString(result));
        driver.free(x);
        driver.free(y);
    }

    private static String longs(byte[] bytes) {
        var values = new long[bytes.length / Long.BYTES];
        ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()).asLongBuffer().get(values);
        return Arrays.toString(values);
    }

    /// The libraries are asked for the same things on the driver's order of work.
    private static String serving(JCudaDriver driver) {
        try (var pool = new DevicePool(driver)) {
            var serving = Serving.of(Libraries.AUTO, driver, new Kernels(driver, pool, DType.F32));
            serving.close();
            return serving.description();
        }
    }

    private static String message(Runnable call) {
        try {
            call.run();
            return "nothing";
        } catch (DeviceException e) {
            return e.getMessage();
        }
    }
}
