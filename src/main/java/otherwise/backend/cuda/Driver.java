package otherwise.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Consumer;
import otherwise.backend.DType;
import otherwise.backend.DeviceException;
import otherwise.backend.Timer;

/// What is needed of a device: memory by address, copies, kernels. All work is done in the order of the calls; [#toHost] and
/// [#synchronize] wait for it. Calls may come from any thread, one at a time.
interface Driver extends AutoCloseable {

    /// A kernel that can be launched.
    interface Function {
        /// Its name in the kernel file.
        String name();
    }

    /// The name by which the device is chosen.
    String name();

    /// One line for a person: the device, its memory, what compiles its kernels.
    String description();

    /// Blocks of a large kernel that run at once.
    int multiprocessors();

    /// Whether this is a Hopper GPU: what `hopper.cuh` describes, that and no other has.
    boolean hopper();

    /// Whether blocks of a kernel may run in clusters, which a Hopper GPU can.
    boolean clusters();

    /// What a kernel of a Hopper GPU is given, to have boxes copied: [TensorMap#BYTES] bytes.
    byte[] encode(TensorMap map);

    /// Bytes of memory of the device.
    long totalMemory();

    /// Bytes of it that nobody has taken.
    long freeMemory();

    /// Whether it has tensor cores for bf16 and TF32: sm_80 and newer.
    boolean tensorCores();

    /// An address of so many bytes, or 0 if there is no room.
    long allocate(long bytes);

    void free(long address);

    /// The first `bytes` of a block of `room` are handed out, contents undefined. A driver that checks accesses wants to know.
    default void handOut(long address, long bytes, long room) {}

    void toDevice(long to, MemorySegment from);

    void toHost(MemorySegment to, long from);

    /// From one place of the device to another.
    void copy(long to, long from, long bytes);

    /// @param file the kernel file, without `.cu`
    /// @param real the type that its `real` stands for
    /// @throws DeviceException if it cannot be compiled, with what the compiler says
    Function function(String file, DType real, String name);

    /// Runs a grid of blocks.
    ///
    /// @throws DeviceException if the device refuses, or found a fault, with the name of the kernel
    void launch(Function function, Grid grid, Arguments arguments);

    /// Has a library of CUDA give the device work, after what was launched before and before what is launched later.
    ///
    /// @param what for a message, should the device find a fault in it
    /// @param call is given the order of the work, and finds the device current on its thread
    void enqueue(Object what, Consumer<DeviceStream> call);

    /// Makes one of many works, each of which has been told to this driver before.
    default Replay replay(List<Consumer<Driver>> works) {
        return () -> works.forEach(work -> work.accept(this));
    }

    /// Works that can be told at once.
    interface Replay {
        void run();

        /// What is still being done is done to its end.
        default void close() {}
    }

    /// Waits until everything is done.
    void synchronize();

    /// Measures how long what is launched takes.
    Timer timer();

    @Override
    void close();
}
