package otherwise.cli.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import otherwise.io.AtomicFile;

/// What the cases are, as JSON, for whoever measures the same elsewhere: `tools/gpu/peer.py` reads it. An input is told by its shape and by
/// mean and deviation of the normal numbers in it.
final class CaseFile {
    private CaseFile() {}

    /// @throws IllegalArgumentException if the inputs of a case are no random numbers
    static void write(Path file, List<Cases.Case> cases) throws IOException {
        var mapper = new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
        var root = mapper.createObjectNode();
        var list = root.putArray("cases");
        for (var c : cases) {
            var node = list.addObject().put("name", c.name()).put("kind", c.kind()).put("what", c.what());
            node.set("numbers", mapper.valueToTree(c.numbers()));
            var inputs = node.putObject("inputs");
            for (var input : c.inputs()) {
                if (!(input instanceof Array.Normal normal))
                    throw new IllegalArgumentException("--list: case '" + c.name() + "' has inputs that are not drawn ("
                            + input.name() + "); name others with --case or --set");
                var told = inputs.putObject(normal.name()).put("mean", normal.mean()).put("deviation", normal.deviation());
                var dims = told.putArray("dims");
                for (long d : normal.dims()) dims.add(d);
            }
        }
        AtomicFile.write(file, mapper.writeValueAsString(root) + "\n");
    }
}
