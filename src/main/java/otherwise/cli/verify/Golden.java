package otherwise.cli.verify;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import otherwise.backend.Backend;
import otherwise.backend.Shape;
import otherwise.io.InvalidFileException;
import otherwise.io.TensorFile;
import otherwise.io.WeightFile;
import otherwise.nn.Weights;
import otherwise.tensor.Tensor;

/// A golden file: what the official code computed, with all that is needed to compute it again.
///
/// Tensors are named `weights/…`, `in/<case>/…`, `out/<case>/…`, `mid/<case>/…` and `grad/<case>/…`; the metadata holds `kind`, and as JSON
/// `config`, `cases`, `noise` and, for tensors that are made by a rule and not stored, `rule_weights` and `rule_inputs`.
public final class Golden implements AutoCloseable {
    private static final JsonMapper JSON = new JsonMapper();

    private final TensorFile file;
    private final Backend backend;
    private final String kind;
    private final Map<String, JsonNode> json = new LinkedHashMap<>();
    private final Map<String, Rule> rules = new LinkedHashMap<>();

    private Golden(TensorFile file, Backend backend, String kind) {
        this.file = file;
        this.backend = backend;
        this.kind = kind;
    }

    /// Opens a file; its tensors will be uploaded to `backend`.
    ///
    /// @throws InvalidFileException if it cannot be read, or its metadata is not that of a golden file
    public static Golden open(Path path, Backend backend) throws IOException {
        var file = TensorFile.open(path);
        try {
            var kind = file.metadata().get("kind");
            if (kind == null) throw new InvalidFileException(path, "not a golden file: its metadata has no kind");
            var golden = new Golden(file, backend, kind);
            for (var entry : file.metadata().entrySet()) golden.readJson(entry.getKey(), entry.getValue());
            golden.readRules("rule_weights", "weights/");
            golden.readRules("rule_inputs", "");
            return golden;
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /// Values that begin like JSON objects or lists must be sound; the rest is plain text.
    private void readJson(String key, String text) throws IOException {
        if (!text.startsWith("{") && !text.startsWith("[")) return;
        try {
            json.put(key, JSON.readTree(text));
        } catch (JsonProcessingException e) {
            throw new InvalidFileException(path(), "metadata " + key + " is not sound JSON: " + e.getOriginalMessage(), e);
        }
    }

    private void readRules(String key, String prefix) throws IOException {
        for (var node : json(key)) {
            try {
                rules.put(prefix + node.required("name").asText(), Rule.of(node));
            } catch (IllegalArgumentException e) {
                throw new InvalidFileException(path(), "metadata " + key + ": " + e.getMessage(), e);
            }
        }
    }

    public Path path() {
        return file.path();
    }

    public Backend backend() {
        return backend;
    }

    public String kind() {
        return kind;
    }

    /// The file underneath.
    public TensorFile file() {
        return file;
    }

    /// A metadata value as text; empty where there is none.
    public String text(String key) {
        return file.metadata().getOrDefault(key, "");
    }

    /// A metadata value as JSON; a missing node (no elements, every path missing) where there is none.
    public JsonNode json(String key) {
        return json.getOrDefault(key, JSON.missingNode());
    }

    /// The network's configuration.
    ///
    /// @throws IllegalArgumentException if the file has none
    public JsonNode config() {
        if (!json("config").isObject()) throw new IllegalArgumentException(path() + ": its metadata has no config");
        return json("config");
    }

    /// The names of the cases: the keys of the metadata `cases`, or else the folders below `in/`.
    public List<String> cases() {
        var names = new LinkedHashSet<String>();
        if (json("cases").isObject()) json("cases").fieldNames().forEachRemaining(names::add);
        if (names.isEmpty()) {
            for (var name : file.names()) {
                var parts = name.split("/");
                if (parts.length >= 3 && parts[0].equals("in")) names.add(parts[1]);
            }
        }
        return List.copyOf(names);
    }

    /// What the metadata says about one case; a missing node where it says nothing.
    public JsonNode caseOf(String name) {
        return json("cases").path(name);
    }

    /// Whether the file stores this full name, or has a rule for it.
    public boolean has(String name) {
        return file.contains(name) || rules.containsKey(name);
    }

    /// The shape of a tensor by its full name.
    public Shape shape(String name) {
        return Shape.of(rules.containsKey(name) && !file.contains(name) ? rules.get(name).shape() : file.entry(name).shape());
    }

    /// A tensor by its full name, on the device, in the innermost scope.
    ///
    /// @throws IllegalArgumentException if there is none
    public Tensor tensor(String name) {
        var rule = rules.get(name);
        if (rule != null && !file.contains(name)) return Tensor.of(backend, rule.values(), rule.shape());
        return WeightFile.upload(file, name, backend);
    }

    /// The input `in/<name>`: `in("base/x")`.
    public Tensor in(String name) {
        return tensor("in/" + name);
    }

    /// The elements of a tensor by its full name.
    public double[] values(String name) {
        return file.doubles(name);
    }

    /// The weights, frozen.
    public Weights weights() {
        return parameters("", false).weights();
    }

    /// The weights of one of several networks: those below `weights/<net>/`.
    public Weights weights(String net) {
        return parameters(net + "/", false).weights();
    }

    /// The weights as variables, for gradients with respect to them.
    public Parameters parameters() {
        return parameters("", true);
    }

    /// The weights, as variables if the file stores anything under `gradients`, else frozen: what is not compared need not be computed.
    public Parameters parametersFor(String gradients) {
        return parameters("", file.names().stream().anyMatch(name -> name.startsWith(gradients)));
    }

    /// The weights of one of several networks as variables.
    public Parameters parameters(String net) {
        return parameters(net + "/", true);
    }

    private Parameters parameters(String net, boolean variables) {
        var made = new LinkedHashMap<String, Tensor>();
        var weights = Weights.of(new Weights.Source() {
            @Override
            public Tensor tensor(String name, Shape expected) {
                if (!has(name)) return null;
                // The same name gives the same tensor: gradients are looked up by it.
                return made.computeIfAbsent(name, n -> {
                    var value = Golden.this.tensor("weights/" + net + n);
                    return variables && value.type().isReal() ? value.variable() : value;
                });
            }

            @Override
            public boolean has(String name) {
                return Golden.this.has("weights/" + net + name);
            }
        });
        return new Parameters(weights, made);
    }

    /// Weights, and the tensors that were asked for so far by their names.
    public record Parameters(Weights weights, Map<String, Tensor> asked) {}

    @Override
    public void close() {
        file.close();
    }

    /// A tensor of which only the recipe is stored: element i from a 64-bit mix (SplitMix64's finaliser) of i and a seed.
    ///
    ///     z = (i+1)·G + seed·K;  mixed;  u = (z >>> 40)·2⁻²³ − 1;  value = offset + scale·u
    record Rule(long[] shape, long seed, double scale, double offset) {

        static Rule of(JsonNode node) {
            var sizes = node.required("shape");
            var shape = new long[sizes.size()];
            for (int i = 0; i < shape.length; i++) shape[i] = sizes.get(i).asLong();
            return new Rule(shape, node.required("seed").asLong(), node.required("scale").asDouble(), node.path("offset").asDouble(0));
        }

        float[] values() {
            var values = new float[Math.toIntExact(Shape.of(shape).size())];
            for (int i = 0; i < values.length; i++) {
                long z = (i + 1L) * 0x9E3779B97F4A7C15L + seed * 0xD1342543DE82EF95L;
                z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
                z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
                z ^= z >>> 31;
                values[i] = (float) (offset + scale * ((z >>> 40) * 0x1p-23 - 1));
            }
            return values;
        }
    }
}
