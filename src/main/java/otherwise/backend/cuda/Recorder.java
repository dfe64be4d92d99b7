package otherwise.backend.cuda;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import otherwise.backend.DType;
import otherwise.backend.Graph;
import otherwise.backend.Storage;

/// All that a backend tells its device goes through here, and while a recording is made, it is taken down on the way.
///
/// What is done again must find its memory where it was. So a recording has pieces that nobody else gets: a pool of its own, filled out of the
/// everyday one. Recordings share it, since they run one after the other, and none finds anything in a piece that it did not put there itself
/// in the same run; what the host gave them, and what they are given by copies from outside, lies in everyday memory.
final class Recorder implements AutoCloseable {
    private final Driver driver;
    private final DevicePool everyday;
    private final DevicePool recorded;
    private final List<Recorded> graphs = new ArrayList<>();
    private Recording now;
    private long calls;

    Recorder(Driver driver, DevicePool pool) {
        this.driver = driver;
        everyday = pool;
        recorded = new DevicePool(pool, this::handedOut);
    }

    /// What was told so far, and the numbers that the host gave.
    private static final class Recording {
        final List<Consumer<Driver>> told = new ArrayList<>();
        final List<CudaStorage> constants = new ArrayList<>();
    }

    /// A recording that is done.
    private final class Recorded implements Graph {
        private final Driver.Replay replay;
        private final List<CudaStorage> constants;

        Recorded(Recording recording) {
            replay = driver.replay(recording.told);
            constants = recording.constants;
        }

        @Override
        public void run() {
            requireNone();
            if (!graphs.contains(this)) throw new IllegalStateException(driver.name() + ": a graph that is closed");
            calls++;
            replay.run();
        }

        @Override
        public void close() {
            if (!graphs.remove(this)) return;
            replay.close();
            Recorder.this.release(constants);
        }
    }

    /// @see otherwise.backend.Backend#record
    Graph record(Runnable work) {
        requireNone();
        var recording = new Recording();
        now = recording;
        Recorded graph = null;
        try {
            work.run();
            graph = new Recorded(recording);
        } finally {
            now = null;
            if (graph == null) release(recording.constants);
        }
        graphs.add(graph);
        return graph;
    }

    /// With the last recording its memory goes back to every day.
    private void release(List<CudaStorage> constants) {
        constants.forEach(Storage::release);
        if (graphs.isEmpty()) recorded.trim();
    }

    private void requireNone() {
        if (now != null) throw new IllegalStateException(driver.name() + ": a recording within a recording");
    }

    /// What the host wants to see must not be of a recording: it would be seen this once, and never again.
    void requireLooking() {
        if (now != null) throw new IllegalStateException(driver.name() + ": the host cannot look at numbers in a recording");
    }

    CudaStorage storage(DType type, long size) {
        return storage(type, size, now == null ? everyday : recorded);
    }

    private static CudaStorage storage(DType type, long size, DevicePool pool) {
        return new CudaStorage(type, size, pool.take(Math.multiplyExact(size, type.bytes())), pool);
    }

    /// How often the device was told to do something.
    long calls() {
        return calls;
    }

    void launch(Driver.Function function, Grid grid, Arguments arguments) {
        tell(d -> d.launch(function, grid, arguments));
    }

    void enqueue(Object what, Consumer<DeviceStream> call) {
        tell(d -> d.enqueue(what, call));
    }

    /// The host's bytes → `to`. In a recording they stay on the device, and come from there each time.
    void upload(CudaStorage to, MemorySegment from) {
        if (now == null) {
            calls++;
            driver.toDevice(to.address(), from);
            return;
        }
        var constant = storage(to.type(), to.size(), everyday);
        now.constants.add(constant);
        driver.toDevice(constant.address(), from);
        tell(d -> d.copy(to.address(), constant.address(), from.byteSize()));
    }

    private void tell(Consumer<Driver> work) {
        calls++;
        work.accept(driver);
        if (now != null) now.told.add(work);
    }

    private void handedOut(long address, long bytes, long room) {
        driver.handOut(address, bytes, room);
        if (now != null) now.told.add(d -> d.handOut(address, bytes, room));
    }

    @Override
    public void close() {
        List.copyOf(graphs).forEach(Recorded::close);
    }
}
