package otherwise.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import otherwise.explain.PromptEmbedding;
import otherwise.explain.TokenizerFile;
import otherwise.tensor.Tape;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `otherwise prompt`: what a text encoder makes of a prompt, as a file.
@Command(
        name = "prompt",
        description = {
            "Encode a prompt once, for any number of videos. The encoder (umT5, official names) may be larger",
            "than memory: one block of it is loaded at a time."
        },
        mixinStandardHelpOptions = true,
        footer = {
            "",
            "Example:",
            "  otherwise prompt --encoder models_t5_umt5-xxl-enc-bf16.pth --tokenizer umt5-xxl/tokenizer.json \\",
            "      --out cat.safetensors A cat walks on the grass, realistic style."
        })
final class EncodePrompt implements Callable<Integer> {
    @Option(names = "--encoder", required = true, paramLabel = "FILE",
            description = "The text encoder: a .pth or .safetensors file, or a *.index.json.")
    private Path encoder;

    @Option(names = "--tokenizer", required = true, paramLabel = "FILE", description = "Its tokenizer.json or spiece.model.")
    private Path tokenizer;

    @Option(names = "--out", required = true, paramLabel = "FILE", description = "The result, whose name ends in .safetensors.")
    private Path out;

    @Option(names = "--length", defaultValue = "512", paramLabel = "N",
            description = "How many tokens are kept at most (default: ${DEFAULT-VALUE}, as Wan has it).")
    private int length;

    @Mixin
    private DeviceOptions device;

    @Option(names = "--threads", defaultValue = "0", paramLabel = "N", description = "How many threads; 0 for all processors.")
    private int threads;

    @Option(names = "--force", description = "Replace the result if it exists.")
    private boolean force;

    @Parameters(arity = "1..*", paramLabel = "TEXT", description = "The prompt; its words are joined by spaces.")
    private List<String> text;

    @Override
    public Integer call() throws IOException {
        if (!out.toString().endsWith(".safetensors")) throw new IllegalArgumentException(out + ": the name must end in .safetensors");
        if (Files.exists(out) && !force) throw new IllegalArgumentException(out + ": exists already; --force replaces it");
        if (length < 1) throw new IllegalArgumentException("--length " + length + ": at least 1");
        var ids = TokenizerFile.open(tokenizer);
        try (var backend = device.open(threads);
                var _ = backend.scope();
                var _ = Tape.off();
                var progress = new LateBar("blocks")) {
            var prompt = PromptEmbedding.encode(String.join(" ", text), ids, length, encoder, backend, progress::done);
            prompt.write(out);
            System.out.println(out + ": " + prompt.ids().length + " tokens, context " + prompt.context());
            return ExitCode.DONE;
        }
    }
}
