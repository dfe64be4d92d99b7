package otherwise.backend.cuda;

import static jcuda.driver.CUevent_flags.CU_EVENT_DEFAULT;
import static jcuda.driver.JCudaDriver.cuEventCreate;
import static jcuda.driver.JCudaDriver.cuEventDestroy;
import static jcuda.driver.JCudaDriver.cuEventElapsedTime;
import static jcuda.driver.JCudaDriver.cuEventRecord;
import static jcuda.driver.JCudaDriver.cuEventSynchronize;

import jcuda.driver.CUevent;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import otherwise.backend.Timer;

/// Two events in the stream, whose times the device itself notes when it comes to them: launches return long before.
final class EventTimer implements Timer {
    private final CUstream stream;
    private final DriverCalls calls;
    private final CUevent begun = new CUevent();
    private final CUevent done = new CUevent();

    EventTimer(CUstream stream, DriverCalls calls) {
        this.stream = stream;
        this.calls = calls;
        calls.make("cuEventCreate", () -> cuEventCreate(begun, CU_EVENT_DEFAULT));
        calls.make("cuEventCreate", () -> cuEventCreate(done, CU_EVENT_DEFAULT));
    }

    @Override
    public void start() {
        calls.make("cuEventRecord", () -> cuEventRecord(begun, stream));
    }

    @Override
    public double stop() {
        calls.make("cuEventRecord", () -> cuEventRecord(done, stream));
        calls.make("cuEventSynchronize", () -> cuEventSynchronize(done));
        var milliseconds = new float[1];
        calls.make("cuEventElapsedTime", () -> cuEventElapsedTime(milliseconds, begun, done));
        return milliseconds[0] * 1e-3;
    }

    /// After a fault of the device nothing can be given back, and that is known already.
    @Override
    public void close() {
        for (var event : new CUevent[] {begun, done}) {
            calls.make("cuEventDestroy", () -> {
                cuEventDestroy(event);
                return CUresult.CUDA_SUCCESS;
            });
        }
    }
}
