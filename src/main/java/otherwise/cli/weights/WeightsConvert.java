package otherwise.cli.weights;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import otherwise.cli.ExitCode;
import otherwise.explain.Blueprint;
import otherwise.explain.NamedFile;
import otherwise.io.TensorFile;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `otherwise weights convert`: any checkpoint that can be read, as safetensors.
@Command(
        name = "convert",
        description = {
            "Write a checkpoint as safetensors: from PyTorch's .pth or .pt (nothing in it is executed),",
            "from one safetensors file or from several with an index."
        },
        mixinStandardHelpOptions = true,
        footer = {"", "Example:", "  otherwise weights convert Wan2.1_VAE.pth vae.safetensors --dtype bf16"})
final class WeightsConvert implements Callable<Integer> {

    @Parameters(index = "0", paramLabel = "IN", description = "A .pth, .pt or .safetensors file, or a *.index.json.")
    private Path in;

    @Parameters(index = "1", paramLabel = "OUT", description = "The result, whose name ends in .safetensors.")
    private Path out;

    @Mixin
    private ResultFile result;

    @Option(names = "--our-names",
            description = "Write the names that our networks ask for, whatever IN has (see: otherwise weights check).")
    private boolean ourNames;

    @Override
    public Integer call() throws IOException {
        result.requireFree(out);
        try (var file = TensorFile.open(in)) {
            if (file.names().isEmpty()) throw new IllegalArgumentException(in + ": holds no tensors");
            result.write(ourNames ? named(file) : file, out);
            return ExitCode.DONE;
        }
    }

    private static TensorFile named(TensorFile file) {
        var blueprint = Blueprint.guess(file).orElseThrow(() -> new IllegalArgumentException(
                file.path() + ": has no tensor in common with a model that we know, so its names stay; leave --our-names out"));
        return NamedFile.of(file, blueprint.parts().getFirst().known());
    }
}
