package otherwise.backend.cuda;

import static jcuda.driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
import static jcuda.driver.JCudaDriver.cuGraphDestroy;
import static jcuda.driver.JCudaDriver.cuGraphExecDestroy;
import static jcuda.driver.JCudaDriver.cuGraphInstantiate;
import static jcuda.driver.JCudaDriver.cuGraphLaunch;
import static jcuda.driver.JCudaDriver.cuStreamBeginCapture;
import static jcuda.driver.JCudaDriver.cuStreamEndCapture;

import java.util.List;
import java.util.function.Consumer;
import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;

/// A CUDA graph: what a stream was told while it was listened to. That did none of it.
final class StreamGraph implements Driver.Replay {
    private final Driver driver;
    private final DriverCalls calls;
    private final CUgraphExec graph = new CUgraphExec();

    /// @param works tell a driver what is to be done. All of it has been done before, so that nothing is loaded, set or allocated any more.
    StreamGraph(Driver driver, CUstream stream, DriverCalls calls, List<Consumer<Driver>> works) {
        this.driver = driver;
        this.calls = calls;
        var taken = new CUgraph();
        calls.make("cuStreamBeginCapture", () -> cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
        boolean told = false;
        try {
            works.forEach(work -> work.accept(driver));
            told = true;
        } finally {
            // Or nothing could be told any more. Why it failed is known.
            if (!told && cuStreamEndCapture(stream, taken) == CUresult.CUDA_SUCCESS) cuGraphDestroy(taken);
        }
        calls.make("cuStreamEndCapture", () -> cuStreamEndCapture(stream, taken));
        try {
            calls.make("cuGraphInstantiate", () -> cuGraphInstantiate(graph, taken, 0));
        } finally {
            calls.make("cuGraphDestroy", () -> cuGraphDestroy(taken));
        }
    }

    @Override
    public void run() {
        driver.enqueue(this, stream -> calls.make("cuGraphLaunch", () -> cuGraphLaunch(graph, stream)));
    }

    /// After a fault of the device nothing can be given back, and that is known already.
    @Override
    public void close() {
        calls.make("cuGraphExecDestroy", () -> {
            cuGraphExecDestroy(graph);
            return CUresult.CUDA_SUCCESS;
        });
    }

    /// For the message about a fault, whose kernel is not known.
    @Override
    public String toString() {
        return "one in a graph";
    }
}
