package otherwise.backend.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import com.sun.management.OperatingSystemMXBean;
import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;
import otherwise.backend.Timer;

/// The kernels of `kernels/*.cu` on this machine's processor: compiled by g++ against `kernels/emulation`, called through
/// [java.lang.foreign].
///
/// For tests and for learning, not for speed: every thread of a block is a fiber, and every access is checked. An access outside a buffer, a
/// read of what was never written, and a barrier that not all threads reach end the launch with kernel, block and thread.
@SuppressWarnings("restricted") // native code is what this class is for
final class EmulatedDriver implements Driver {
    static final String NAME = "cuda-emulated";
    private static final long MESSAGE = 512;

    /// What a tensor map begins with.
    private static final long TENSOR_MAP = 0x7061_6d72_6f73_6e65L;
    private static final AddressLayout POINTER = ADDRESS;

    /// What a compiled kernel gives: where to call it, how many blocks run together, and the sizes of its parameters.
    private record Compiled(String name, MemorySegment call, int cluster, int[] sizes) implements Function {}

    private record Key(String file, DType real) {}

    private final int threads;
    private final boolean hopper;
    private final EmulationCompiler compiler;
    private final Map<Key, SymbolLookup> files = new HashMap<>();
    private final Map<String, Function> functions = new HashMap<>();
    private final MethodHandle allocate;
    private final MethodHandle release;
    private final MethodHandle handOut;
    private final MethodHandle written;
    private final MethodHandle unwritten;
    private final MethodHandle launch;
    private long taken;
    private final Map<Long, Long> sizes = new HashMap<>();

    /// @param threads processors to use; 0 means all
    /// @throws DeviceException without a g++ that can compile the runtime
    EmulatedDriver(int threads) {
        this(threads, false);
    }

    /// @param hopper whether to be a Hopper GPU
    EmulatedDriver(int threads, boolean hopper) {
        this.hopper = hopper;
        this.threads = threads > 0 ? threads : Runtime.getRuntime().availableProcessors();
        compiler = new EmulationCompiler();
        var runtime = library(compiler.runtime());
        allocate = handle(runtime, "emulated_allocate", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG));
        release = handle(runtime, "emulated_release", FunctionDescriptor.ofVoid(JAVA_LONG));
        handOut = handle(runtime, "emulated_hand_out", FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG, JAVA_LONG));
        written = handle(runtime, "emulated_written", FunctionDescriptor.ofVoid(JAVA_LONG, JAVA_LONG));
        unwritten = handle(runtime, "emulated_unwritten", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG));
        launch = handle(runtime, "emulated_launch", FunctionDescriptor.of(
                JAVA_INT, POINTER, POINTER, JAVA_INT, POINTER, POINTER, JAVA_LONG, POINTER, POINTER, JAVA_LONG));
        var start = handle(runtime, "emulated_start", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
        if ((int) call(start, this.threads) != 0) throw new DeviceException(NAME + ": no address space for the memory of the device");
    }

    private static SymbolLookup library(Path file) {
        try {
            return SymbolLookup.libraryLookup(file, Arena.global());
        } catch (IllegalArgumentException e) {
            throw new DeviceException(file + ": cannot be loaded; remove it, and it is compiled again", e);
        }
    }

    private static MethodHandle handle(SymbolLookup library, String name, FunctionDescriptor descriptor) {
        return Linker.nativeLinker().downcallHandle(library.findOrThrow(name), descriptor);
    }

    private static Object call(MethodHandle handle, Object... arguments) {
        try {
            return handle.invokeWithArguments(arguments);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public String name() {
        return hopper ? NAME + "-hopper" : NAME;
    }

    @Override
    public String description() {
        return (hopper ? "a Hopper GPU's" : "the") + " CUDA kernels compiled by " + compiler.version() + ", every access checked, "
                + threads
                + (threads == 1 ? " thread" : " threads");
    }

    /// Few, so that tests have blocks do several things one after the other.
    @Override
    public int multiprocessors() {
        return 2;
    }

    @Override
    public boolean hopper() {
        return hopper;
    }

    @Override
    public boolean clusters() {
        return hopper;
    }

    /// The struct `BoxesOf` of `emulation/hopper.h`.
    @Override
    public byte[] encode(TensorMap m) {
        int most = TensorMap.MOST_AXES;
        var bytes = ByteBuffer.allocate(TensorMap.BYTES).order(ByteOrder.nativeOrder());
        bytes.putLong(TENSOR_MAP).putLong(m.address());
        for (long n : Arrays.copyOf(m.extents(), most)) bytes.putLong(n);
        for (long n : Arrays.copyOf(m.strides(), most - 1)) bytes.putLong(n);
        for (int n : Arrays.copyOf(m.box(), most)) bytes.putInt(n);
        return bytes.putInt(m.rank()).array();
    }

    @Override
    public long totalMemory() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getTotalMemorySize();
    }

    @Override
    public long freeMemory() {
        return Math.max(0, totalMemory() - taken);
    }

    @Override
    public boolean tensorCores() {
        return true;
    }

    @Override
    public synchronized long allocate(long bytes) {
        if (bytes > freeMemory()) return 0;
        long address = (long) call(allocate, bytes);
        if (address != 0) {
            taken += bytes;
            sizes.put(address, bytes);
        }
        return address;
    }

    @Override
    public synchronized void free(long address) {
        taken -= sizes.remove(address);
        call(release, address);
    }

    @Override
    public void handOut(long address, long bytes, long room) {
        call(handOut, address, bytes, room);
    }

    @Override
    public void toDevice(long to, MemorySegment from) {
        MemorySegment.ofAddress(to).reinterpret(from.byteSize()).copyFrom(from);
        call(written, to, from.byteSize());
    }

    @Override
    public void toHost(MemorySegment to, long from) {
        to.copyFrom(written("the host reads", from, to.byteSize()));
    }

    @Override
    public void copy(long to, long from, long bytes) {
        toDevice(to, written("a copy reads", from, bytes));
    }

    private MemorySegment written(String who, long from, long bytes) {
        long bad = (long) call(unwritten, from, bytes);
        if (bad < 0) return MemorySegment.ofAddress(from).reinterpret(bytes);
        throw new DeviceException(name() + ": " + who + " " + bytes + " bytes, of which byte " + bad
                + " was never written or is no longer handed out");
    }

    @Override
    public synchronized Function function(String file, DType real, String name) {
        return functions.computeIfAbsent(file + " " + real + " " + name, _ -> compiled(file, real, name));
    }

    private Function compiled(String file, DType real, String name) {
        var library = files.computeIfAbsent(new Key(file, real),
                k -> library(compiler.compile(k.file, k.real)));
        var sizesOf = handle(library, "sizes_" + name, FunctionDescriptor.of(JAVA_INT, POINTER));
        int cluster = (int) call(handle(library, "cluster_" + name, FunctionDescriptor.of(JAVA_INT)));
        try (var scratch = Arena.ofConfined()) {
            var bytes = scratch.allocate(64);
            int n = (int) call(sizesOf, bytes);
            var parameters = new int[n];
            for (int i = 0; i < n; i++) parameters[i] = bytes.get(JAVA_BYTE, i) & 255;
            return new Compiled(name, library.findOrThrow("call_" + name), cluster, parameters);
        }
    }

    @Override
    public void launch(Function function, Grid grid, Arguments arguments) {
        var f = (Compiled) function;
        if (arguments.count() != f.sizes.length)
            throw new IllegalStateException("kernel %s has %d parameters, not %d".formatted(f.name, f.sizes.length, arguments.count()));
        try (var scratch = Arena.ofConfined()) {
            for (int i = 0; i < arguments.count(); i++) {
                if (arguments.size(i) != f.sizes[i]) {
                    throw new IllegalStateException(
                            "kernel %s: parameter %d has %d bytes, not %d".formatted(f.name, i, f.sizes[i], arguments.size(i)));
                }
            }
            var pointers = scratch.allocate(POINTER, Math.max(1, arguments.count()));
            arguments.copyTo(scratch.allocate(Math.max(1, arguments.size()), TensorMap.BYTES), pointers);
            var blocks = scratch.allocateFrom(JAVA_INT, (int) grid.blocksX(), (int) grid.blocksY(), (int) grid.blocksZ());
            var size = scratch.allocateFrom(JAVA_INT, grid.threadsX(), grid.threadsY(), grid.threadsZ());
            var message = scratch.allocate(MESSAGE);
            int failed = (int) call(
                    launch, f.call, scratch.allocateFrom(f.name), f.cluster, blocks, size, (long) grid.sharedBytes(), pointers, message,
                    MESSAGE);
            if (failed != 0) throw new DeviceException(message.getString(0) + " (" + grid + "; " + arguments + ")");
        }
    }

    @Override
    public void enqueue(Object what, Consumer<DeviceStream> call) {
        call.accept(new DeviceStream());
    }

    @Override
    public void synchronize() {}

    /// A launch returns when it is done.
    @Override
    public Timer timer() {
        return Timer.byClock();
    }

    @Override
    public void close() {}
}
