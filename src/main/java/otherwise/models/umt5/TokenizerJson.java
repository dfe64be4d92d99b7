package otherwise.models.umt5;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Reads `tokenizer.json` of the `tokenizers` library with a unigram model: added tokens, normaliser, pre-tokeniser, model, and the ids around
/// every text. A step that is not known here is refused by its name, not left out.
final class TokenizerJson {
    private static final JsonMapper JSON = new JsonMapper();
    private static final int MOST_PIECES = 1 << 22;
    private static final double UNKNOWN_PENALTY = 10;

    private final Map<String, Integer> ids = new HashMap<>();
    private final List<String> pieces = new ArrayList<>();

    private TokenizerJson() {}

    /// @throws IllegalArgumentException if it is no such file, or asks for what is not known here
    static Tokenizer parse(byte[] file) {
        try {
            return new TokenizerJson().tokenizer(JSON.readTree(file));
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("not sound JSON: " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new IllegalArgumentException("not sound JSON: " + e.getMessage(), e);
        }
    }

    private Tokenizer tokenizer(JsonNode json) {
        var model = json.path("model");
        var type = model.path("type").asText("");
        if (!type.equals("Unigram")) throw new IllegalArgumentException("a tokenizer with the model '" + type + "'; only Unigram is known");
        var unigram = unigram(model.path("vocab"));
        int unknown = model.path("unk_id").asInt(-1);
        if (unknown < 0 || unknown >= pieces.size())
            throw new IllegalArgumentException("a tokenizer without an unknown piece: unk_id " + unknown);
        var normalizer = Normalizers.of(json.path("normalizer"));
        var words = new AddedTokens(added(json.path("added_tokens")), normalizer, PreTokenizers.of(json.path("pre_tokenizer")));
        var around = around(json.path("post_processor"));
        return new Tokenizer(
                words,
                unigram,
                new Tokenizer.Unknown(unknown, model.path("byte_fallback").asBoolean() ? Tokenizer.bytes(ids) : null),
                pieces,
                around.get(0).stream().mapToInt(Integer::intValue).toArray(),
                around.get(1).stream().mapToInt(Integer::intValue).toArray());
    }

    private Unigram unigram(JsonNode vocab) {
        if (!vocab.isArray() || vocab.isEmpty()) throw new IllegalArgumentException("a tokenizer without a vocab");
        if (vocab.size() > MOST_PIECES) throw new IllegalArgumentException("more than " + MOST_PIECES + " pieces");
        double least = Double.POSITIVE_INFINITY;
        var scored = new LinkedHashMap<String, Unigram.Piece>();
        for (var entry : vocab) {
            int id = pieces.size();
            if (entry.size() != 2 || !entry.get(0).isTextual() || !entry.get(1).isNumber()
                    || !Double.isFinite(entry.get(1).doubleValue())) {
                throw new IllegalArgumentException("vocab entry " + id + " is no piece with its score");
            }
            var text = entry.get(0).textValue();
            double score = entry.get(1).doubleValue();
            pieces.add(text);
            ids.put(text, id);
            scored.put(text, new Unigram.Piece(text, id, score));
            least = Math.min(least, score);
        }
        scored.remove("");
        return new Unigram(List.copyOf(scored.values()), least - UNKNOWN_PENALTY, false);
    }

    private List<AddedTokens.Token> added(JsonNode tokens) {
        var added = new ArrayList<AddedTokens.Token>();
        for (var token : tokens) {
            var content = token.path("content").asText("");
            int id = token.path("id").asInt(-1);
            if (id < 0 || id > MOST_PIECES) throw new IllegalArgumentException("an added token with the id " + token.path("id"));
            if (content.isEmpty()) continue;
            while (pieces.size() <= id) pieces.add("");
            pieces.set(id, content);
            ids.put(content, id);
            added.add(new AddedTokens.Token(
                    content,
                    id,
                    token.path("single_word").asBoolean(),
                    token.path("lstrip").asBoolean(),
                    token.path("rstrip").asBoolean(),
                    token.path("normalized").asBoolean()));
        }
        return added;
    }

    /// The ids before and behind a single text.
    private List<List<Integer>> around(JsonNode processor) {
        var before = new ArrayList<Integer>();
        var after = new ArrayList<Integer>();
        if (processor.isMissingNode() || processor.isNull()) return List.of(before, after);
        var type = processor.path("type").asText("");
        if (!type.equals("TemplateProcessing")) throw new IllegalArgumentException("no post_processor is called '" + type + "' here");
        var side = before;
        for (var part : processor.path("single")) {
            if (part.has("Sequence")) {
                side = after;
                continue;
            }
            var name = part.path("SpecialToken").path("id").asText("");
            var special = processor.path("special_tokens").path(name).path("ids");
            if (special.isEmpty()) throw new IllegalArgumentException("post_processor: the special token '" + name + "' has no ids");
            for (var id : special) {
                if (id.asInt(-1) < 0 || id.asInt() >= pieces.size()) {
                    throw new IllegalArgumentException("post_processor: no piece has the id " + id);
                }
                side.add(id.asInt());
            }
        }
        return List.of(before, after);
    }
}
