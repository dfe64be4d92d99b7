package otherwise.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;

/// The real libraries of the profile `cuda-redist` and JCuda's natives for them, without a GPU.
@EnabledIf("bundled")
class CudaNativesTest {
    static boolean bundled() {
        return CudaNativesTest.class.getResource("/org/bytedeco/cuda/linux-x86_64/libcudnn.so.8") != null;
    }

    /// Asked to, the system's loader looks up every function when a library is loaded, and refuses a library in which one is missing.
    @Test
    void everyNativeLoadsAndEverySymbolResolves() throws IOException, InterruptedException {
        var lines = StandIn.lines(CudaNativesProbe.class, Map.of("LD_BIND_NOW", "1"));
        Stream.of("softmax", "attention_tensor", "matmul_hopper", "conv3d_hopper")
                .forEach(file -> assertEquals("ready", lines.get("compiled " + file)));
        // Each is loaded and answers; without a device it goes no further.
        assertAnswers(lines.get("cublas 12"), "cuda: cublasCreate: CUBLAS_STATUS_NOT_INITIALIZED");
        assertAnswers(lines.get("cudnn 8"), "cuda: cudnnCreate: CUDNN_STATUS_NOT_INITIALIZED");
        Stream.of("libcublasLt.so.12", "libcublas.so.12", "libcudnn.so.8", "libcudnn_ops_infer.so.8", "libcudnn_cnn_infer.so.8",
                "libcudnn_ops_train.so.8", "libcudnn_cnn_train.so.8", "libnvrtc.so.12").forEach(name -> {
                    var file = lines.get("file " + name);
                    assertTrue(file != null && file.contains("/cuda-12.3-8.9-"), name + ": " + file);
                });
    }

    private static void assertAnswers(String answer, String withoutDevice) {
        assertTrue(answer.equals("ready") || answer.equals(withoutDevice), answer);
    }
}
