package otherwise.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import otherwise.backend.DeviceException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

class DeviceOptionsTest {
    @Command
    static final class Verb {
        @Mixin
        private DeviceOptions device;
    }

    private static DeviceOptions of(String... arguments) {
        var verb = new Verb();
        new CommandLine(verb).setCaseInsensitiveEnumValuesAllowed(true).parseArgs(arguments);
        return verb.device;
    }

    @Test
    void whatWasAskedForIsWrittenAsItIsTyped() {
        assertEquals("cpu", of().toString());
        assertEquals("cuda:bf16 --gemm ours --conv cudnn", of("--conv", "cudnn", "--device", "cuda:bf16", "--gemm", "ours").toString());
    }

    @Test
    void aLibraryOnTheProcessorIsRefused() {
        var refused = assertThrows(DeviceException.class, () -> of("--gemm", "cublas").open(1));
        assertEquals("--gemm cublas is for device cuda; cpu has our own products alone", refused.getMessage());
    }

    @Test
    void everyVerbThatComputesHasThem() {
        var file = "none.safetensors";
        for (var verb : new String[][] {
            {"verify", file}, {"classify", "--sample", "0"}, {"demo"}, {"generate", "--sample", "0", "--out", "nowhere"},
            {"bench", "--case", "gelu"},
            {"train", "vae", "--out", "nowhere", "--models", "nowhere"}, {"evaluate-generator", "--models", "nowhere"}}) {
            var arguments = new ArrayList<>(List.of(verb));
            arguments.addAll(List.of("--conv", "cudnn"));
            assertEquals(ExitCode.MACHINE_CANNOT, Otherwise.run(arguments.toArray(String[]::new)), verb[0]);
        }
    }
}
