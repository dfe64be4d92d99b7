package otherwise.backend.cuda;

import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
import static jcuda.driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
import static jcuda.driver.CUstream_flags.CU_STREAM_NON_BLOCKING;
import static jcuda.driver.JCudaDriver.cuCtxSetCurrent;
import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuDeviceGetAttribute;
import static jcuda.driver.JCudaDriver.cuDeviceGetCount;
import static jcuda.driver.JCudaDriver.cuDeviceGetName;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRelease;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRetain;
import static jcuda.driver.JCudaDriver.cuDriverGetVersion;
import static jcuda.driver.JCudaDriver.cuFuncSetAttribute;
import static jcuda.driver.JCudaDriver.cuGetErrorName;
import static jcuda.driver.JCudaDriver.cuGetErrorString;
import static jcuda.driver.JCudaDriver.cuInit;
import static jcuda.driver.JCudaDriver.cuLaunchKernel;
import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemAllocAsync;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.driver.JCudaDriver.cuMemFreeAsync;
import static jcuda.driver.JCudaDriver.cuMemGetInfo;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoDAsync;
import static jcuda.driver.JCudaDriver.cuModuleGetFunction;
import static jcuda.driver.JCudaDriver.cuModuleLoadData;
import static jcuda.driver.JCudaDriver.cuModuleUnload;
import static jcuda.driver.JCudaDriver.cuStreamCreate;
import static jcuda.driver.JCudaDriver.cuStreamDestroy;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.IntSupplier;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;
import otherwise.backend.Timer;

/// An NVIDIA GPU, through the driver API: no more of CUDA than the graphics driver brings need be installed.
///
/// Everything happens on one stream of the primary context, which every call makes current on its thread. Calls return before the device is
/// done; a fault of a kernel comes up in a later call, whose message then names the last kernel launched.
final class JCudaDriver implements Driver {
    static final String NAME = "cuda";
    private static final String HOPPER = "sm_90";

    /// What a block gets without being asked for more.
    private static final int USUAL_SHARED = 48 << 10;

    private static final class Compiled implements Function {
        final String name;
        final CUfunction handle = new CUfunction();
        int shared = USUAL_SHARED;

        Compiled(String name) {
            this.name = name;
        }

        @Override
        public String name() {
            return name;
        }
    }

    /// Which kernels are wanted, to tell whose fault, or whose merit, something is: all, those whose blocks run each by itself, those that
    /// every GPU can run.
    private enum Choice {
        ALL(""), NO_CLUSTERS("no-clusters"), PORTABLE("portable");

        final String text;

        Choice(String text) {
            this.text = text;
        }

        static Choice made() {
            var kernels = Objects.requireNonNullElse(System.getenv("OTHERWISE_KERNELS"), "");
            return Arrays.stream(values()).filter(c -> c.text.equals(kernels)).findFirst().orElseThrow(
                    () -> new DeviceException("OTHERWISE_KERNELS is " + kernels + "; it can be no-clusters, portable, or unset"));
        }
    }

    private record Launch(Function function, Grid grid, Arguments arguments) {
        @Override
        public String toString() {
            return "kernel " + function.name() + " (" + grid + "; " + arguments + ")";
        }
    }

    private record Key(String file, DType real) {}

    private final CUdevice device = new CUdevice();
    private final CUcontext context = new CUcontext();
    private final DeviceStream stream = new DeviceStream();
    private final String model;
    private final String architecture;
    private final boolean pools;
    private final int multiprocessors;
    private final Map<Key, CUmodule> modules = new HashMap<>();
    private final Map<String, Function> functions = new HashMap<>();
    private final Set<String> code = new LinkedHashSet<>();
    private final KernelCompiler compiler;
    private final Choice choice;
    /// Where a launch's parameters lie, and the address of each: the driver has copied them when it returns. No kernel may have more.
    private final MemorySegment parameters = Arena.ofAuto().allocate(4096, TensorMap.BYTES);
    private final ByteBuffer addresses = ByteBuffer.allocateDirect(512).order(ByteOrder.nativeOrder());
    private PinnedCopies copies;
    private TensorMaps maps;
    private Object last; // launched or called, for a message

    /// @param ordinal the device's number, as `CUDA_VISIBLE_DEVICES` leaves them
    /// @throws DeviceException if there is no driver, or no such device
    JCudaDriver(int ordinal) {
        JCudaLibraries.loadDriver();
        check("cuInit", cuInit(0));
        var count = new int[1];
        check("cuDeviceGetCount", cuDeviceGetCount(count));
        if (ordinal < 0 || ordinal >= count[0])
            throw new DeviceException(NAME + ": there is no device " + ordinal + ", the driver shows " + count[0]);
        check("cuDeviceGet", cuDeviceGet(device, ordinal));
        var name = new byte[256];
        check("cuDeviceGetName", cuDeviceGetName(name, name.length, device));
        model = new String(name, StandardCharsets.UTF_8).replaceAll("\0.*", "").strip();
        architecture = "sm_" + attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
                + attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
        pools = attribute(CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED) != 0;
        multiprocessors = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
        compiler = new KernelCompiler(architecture);
        choice = Choice.made();
        check("cuDevicePrimaryCtxRetain", cuDevicePrimaryCtxRetain(context, device));
        enter();
        check("cuStreamCreate", cuStreamCreate(stream, CU_STREAM_NON_BLOCKING));
    }

    private int attribute(int attribute) {
        var value = new int[1];
        check("cuDeviceGetAttribute", cuDeviceGetAttribute(value, attribute, device));
        return value[0];
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public synchronized String description() {
        var version = new int[1];
        check("cuDriverGetVersion", cuDriverGetVersion(version));
        var kernels = !code.isEmpty() ? String.join(" and ", code)
                : KernelCompiler.built(KernelFiles.ALL.getFirst(), DType.F32).isPresent() ? "from this build" : compiler.description();
        return "%s, %s, driver for CUDA %d.%d, %d of %d MiB free, %s, libraries %s".formatted(model, architecture,
                version[0] / 1000, version[0] % 1000 / 10, freeMemory() >> 20, totalMemory() >> 20,
                (choice.text + " kernels " + kernels).strip(), String.join(" ", JCudaLibraries.loaded()));
    }

    @Override
    public int multiprocessors() {
        return multiprocessors;
    }

    @Override
    public boolean hopper() {
        return architecture.equals(HOPPER) && choice != Choice.PORTABLE;
    }

    @Override
    public boolean clusters() {
        return hopper() && choice == Choice.ALL;
    }

    @Override
    public synchronized byte[] encode(TensorMap map) {
        enter();
        if (maps == null) maps = new TensorMaps(this::check);
        return maps.encode(map);
    }

    @Override
    public long totalMemory() {
        return memory(false);
    }

    @Override
    public long freeMemory() {
        return memory(true);
    }

    private synchronized long memory(boolean left) {
        enter();
        var free = new long[1];
        var total = new long[1];
        check("cuMemGetInfo", cuMemGetInfo(free, total));
        return left ? free[0] : total[0];
    }

    @Override
    public boolean tensorCores() {
        return attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) >= 8;
    }

    @Override
    public synchronized long allocate(long bytes) {
        enter();
        var address = new DeviceAddress();
        int status = tryAllocate(address, bytes);
        if (status == CUresult.CUDA_ERROR_OUT_OF_MEMORY && pools) {
            synchronize(); // the driver's own pool gives back what was freed
            status = tryAllocate(address, bytes);
        }
        if (status == CUresult.CUDA_ERROR_OUT_OF_MEMORY) return 0;
        check("allocation of " + bytes + " bytes", status);
        return address.value();
    }

    private int tryAllocate(DeviceAddress address, long bytes) {
        return pools ? cuMemAllocAsync(address, bytes, stream) : cuMemAlloc(address, bytes);
    }

    @Override
    public synchronized void free(long address) {
        enter();
        var pointer = new DeviceAddress(address);
        check("release of memory", pools ? cuMemFreeAsync(pointer, stream) : cuMemFree(pointer));
    }

    @Override
    public synchronized void toDevice(long to, MemorySegment from) {
        enter();
        copies().toDevice(to, from);
    }

    @Override
    public synchronized void toHost(MemorySegment to, long from) {
        enter();
        copies().toHost(to, from);
    }

    @Override
    public synchronized void copy(long to, long from, long bytes) {
        enter();
        check("cuMemcpyDtoDAsync", cuMemcpyDtoDAsync(new DeviceAddress(to), new DeviceAddress(from), bytes, stream));
    }

    private PinnedCopies copies() {
        if (copies == null) copies = new PinnedCopies(stream, this::check);
        return copies;
    }

    @Override
    public synchronized Function function(String file, DType real, String name) {
        enter();
        return functions.computeIfAbsent(file + " " + real + " " + name, _ -> {
            var module = modules.computeIfAbsent(new Key(file, real), this::module);
            var f = new Compiled(name);
            check("kernel " + name + " of " + file + ".cu", cuModuleGetFunction(f.handle, module, name));
            return f;
        });
    }

    /// What came with this build, if it has something for this device and the driver can read it; else what is compiled here.
    private CUmodule module(Key key) {
        var module = new CUmodule();
        var built = KernelCompiler.built(key.file, key.real);
        if (built.isPresent()) {
            int status = cuModuleLoadData(module, built.get());
            if (status == CUresult.CUDA_SUCCESS) {
                code.add("from this build");
                return module;
            }
            boolean other = status == CUresult.CUDA_ERROR_NO_BINARY_FOR_GPU || status == CUresult.CUDA_ERROR_UNSUPPORTED_PTX_VERSION
                    || status == CUresult.CUDA_ERROR_INVALID_IMAGE || status == CUresult.CUDA_ERROR_INVALID_PTX;
            if (!other) check("loading " + key.file + ".cu from this build", status);
        }
        check("loading " + key.file + ".cu", cuModuleLoadData(module, compiler.compile(key.file, key.real)));
        code.add("by " + compiler.description());
        return module;
    }

    @Override
    public synchronized void launch(Function function, Grid grid, Arguments arguments) {
        enter();
        var f = (Compiled) function;
        var launch = new Launch(f, grid, arguments);
        if (grid.sharedBytes() > f.shared) {
            checkLaunch(launch, cuFuncSetAttribute(f.handle, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, grid.sharedBytes()));
            f.shared = grid.sharedBytes();
        }
        arguments.copyTo(parameters, MemorySegment.ofBuffer(addresses));
        checkLaunch(launch, cuLaunchKernel(f.handle, (int) grid.blocksX(), (int) grid.blocksY(), (int) grid.blocksZ(), grid.threadsX(),
                grid.threadsY(), grid.threadsZ(), grid.sharedBytes(), stream, Pointer.to(addresses), null));
        last = launch;
    }

    @Override
    public synchronized void enqueue(Object what, Consumer<DeviceStream> call) {
        enter();
        call.accept(stream);
        last = what;
    }

    @Override
    public synchronized Replay replay(List<Consumer<Driver>> works) {
        return new StreamGraph(this, stream, this::checked, works);
    }

    @Override
    public synchronized void synchronize() {
        enter();
        check("cuStreamSynchronize", cuStreamSynchronize(stream));
    }

    @Override
    public Timer timer() {
        return new EventTimer(stream, this::checked);
    }

    private synchronized void checked(String name, IntSupplier call) {
        enter();
        check(name, call.getAsInt());
    }

    private void enter() {
        check("cuCtxSetCurrent", cuCtxSetCurrent(context));
    }

    private void checkLaunch(Launch launch, int status) {
        if (status != CUresult.CUDA_SUCCESS) check(launch.toString(), status);
    }

    private void check(String call, int status) {
        if (status == CUresult.CUDA_SUCCESS) return;
        // From here on the numbers are of what happens while a kernel runs.
        boolean fault = status >= CUresult.CUDA_ERROR_ILLEGAL_ADDRESS || status == CUresult.CUDA_ERROR_ECC_UNCORRECTABLE;
        var launched = last == null || !fault ? "" : "; the last kernel launched before was " + last;
        throw new DeviceException(NAME + ": " + call + ": " + text(status) + launched);
    }

    private static String text(int status) {
        var name = new String[1];
        var meaning = new String[1];
        boolean known = cuGetErrorName(status, name) == CUresult.CUDA_SUCCESS && cuGetErrorString(status, meaning) == CUresult.CUDA_SUCCESS;
        return known ? name[0] + ": " + meaning[0] : "error " + status + ", which the driver does not know";
    }

    /// After a fault nothing of the context can be given back any more: the first refusal ends this, and says so.
    @Override
    public synchronized void close() {
        synchronize();
        if (copies != null) copies.free();
        for (var module : modules.values()) check("cuModuleUnload", cuModuleUnload(module));
        check("cuStreamDestroy", cuStreamDestroy(stream));
        check("cuCtxSetCurrent", cuCtxSetCurrent(new CUcontext()));
        check("cuDevicePrimaryCtxRelease", cuDevicePrimaryCtxRelease(device));
    }
}
