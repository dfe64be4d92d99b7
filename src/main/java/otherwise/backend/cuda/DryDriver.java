package otherwise.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;
import otherwise.backend.DType;
import otherwise.backend.Timer;

/// No device at all, in the place of one: addresses without memory behind them, launches without effect. Whatever is read back is zero.
///
/// A backend over it takes memory, gives it back and takes it again exactly as over the real device, the working memory of its kernels
/// included, since all of that is decided above the driver. Where there is no room it says so, and when the pool has given back what it can
/// and asks again, there is: so that the end of the work is reached, and what it would have taken is known.
final class DryDriver implements Driver {
    private final int multiprocessors;
    private final boolean hopper;
    private final boolean clusters;
    private final boolean tensorCores;
    private final long room;
    private final Map<Long, Long> sizes = new HashMap<>();
    private long taken;
    private boolean refused;

    /// The next address. None is 0: that says that there is no room.
    private long next = 1L << 20;

    /// @param like the device whose kernels would run: which of them do, and so what memory they work in, can depend on it
    DryDriver(Driver like, long room) {
        multiprocessors = like.multiprocessors();
        hopper = like.hopper();
        clusters = like.clusters();
        tensorCores = like.tensorCores();
        this.room = room;
    }

    @Override
    public String name() {
        return "dry";
    }

    @Override
    public String description() {
        return "computes nothing, counts memory as CUDA takes it";
    }

    @Override
    public int multiprocessors() {
        return multiprocessors;
    }

    @Override
    public boolean hopper() {
        return hopper;
    }

    @Override
    public boolean clusters() {
        return clusters;
    }

    @Override
    public boolean tensorCores() {
        return tensorCores;
    }

    @Override
    public byte[] encode(TensorMap map) {
        return new byte[TensorMap.BYTES];
    }

    @Override
    public long totalMemory() {
        return room;
    }

    @Override
    public long freeMemory() {
        return Math.max(0, room - taken);
    }

    @Override
    public long allocate(long bytes) {
        refused = bytes > freeMemory() && !refused;
        if (refused) return 0;
        long address = next;
        next += bytes;
        taken += bytes;
        sizes.put(address, bytes);
        return address;
    }

    @Override
    public void free(long address) {
        taken -= sizes.remove(address);
    }

    @Override
    public void toDevice(long to, MemorySegment from) {}

    @Override
    public void toHost(MemorySegment to, long from) {
        to.fill((byte) 0);
    }

    @Override
    public void copy(long to, long from, long bytes) {}

    @Override
    public Function function(String file, DType real, String name) {
        return () -> name;
    }

    @Override
    public void launch(Function function, Grid grid, Arguments arguments) {}

    @Override
    public void enqueue(Object what, Consumer<DeviceStream> call) {}

    @Override
    public Timer timer() {
        return Timer.byClock();
    }

    @Override
    public void synchronize() {}

    @Override
    public void close() {}
}
