package otherwise.models.umt5;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Reads SentencePiece's model file, a protocol buffer (sentencepiece_model.proto, ModelProto): pieces with their scores, how the model was
/// trained, and how text is normalised.
final class SentencePieceModel {

    /// What a piece is for, by the numbers of the file.
    private enum Type {
        NORMAL,
        UNKNOWN,
        CONTROL,
        USER_DEFINED,
        UNUSED,
        BYTE;

        static Type of(long number) {
            if (number < 1 || number > values().length) throw new IllegalArgumentException("no type of piece has the number " + number);
            return values()[(int) number - 1];
        }
    }

    private record Entry(String text, float score, Type type) {}

    private static final int UNIGRAM = 1;
    private static final int MOST_PIECES = 1 << 22;
    private static final double UNKNOWN_PENALTY = 10;

    private final List<Entry> entries = new ArrayList<>();
    private final Map<String, Integer> ids = new HashMap<>();

    private long modelType = UNIGRAM;
    private boolean byteFallback;
    private boolean spaceAsSuffix;
    private String eosPiece = "</s>";

    private Charsmap charsmap;
    private boolean dummyPrefix = true;
    private boolean singleSpaces = true;
    private boolean escapedSpaces = true;

    private SentencePieceModel() {}

    /// @throws IllegalArgumentException if it is no such file, or of another kind than unigram
    static Tokenizer parse(byte[] file) {
        var model = new SentencePieceModel();
        var proto = new Protobuf(file);
        try {
            while (proto.next()) {
                switch (proto.field()) {
                    case 1 -> model.piece(proto.message());
                    case 2 -> model.trainer(proto.message());
                    case 3 -> model.normalizer(proto.message());
                    default -> proto.skip();
                }
            }
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("no sound SentencePiece model: " + e.getMessage(), e);
        }
        return model.tokenizer();
    }

    private void piece(Protobuf proto) {
        var text = "";
        float score = 0;
        var type = Type.NORMAL;
        while (proto.next()) {
            switch (proto.field()) {
                case 1 -> text = proto.text();
                case 2 -> score = proto.single();
                case 3 -> type = Type.of(proto.whole());
                default -> proto.skip();
            }
        }
        int id = entries.size();
        if (id == MOST_PIECES) throw new IllegalArgumentException("more than " + MOST_PIECES + " pieces");
        if (text.isEmpty()) throw new IllegalArgumentException("piece " + id + " is empty");
        if (!Float.isFinite(score)) throw new IllegalArgumentException("piece " + id + " has the score " + score);
        if (ids.put(text, id) != null) throw new IllegalArgumentException("piece " + id + " is there twice");
        entries.add(new Entry(text, score, type));
    }

    private void trainer(Protobuf proto) {
        while (proto.next()) {
            switch (proto.field()) {
                case 3 -> modelType = proto.whole();
                case 24 -> spaceAsSuffix = proto.truth();
                case 35 -> byteFallback = proto.truth();
                case 47 -> eosPiece = proto.text();
                default -> proto.skip();
            }
        }
    }

    private void normalizer(Protobuf proto) {
        while (proto.next()) {
            switch (proto.field()) {
                case 2 -> {
                    var blob = proto.bytes();
                    charsmap = blob.length == 0 ? null : Charsmap.parse(blob);
                }
                case 3 -> dummyPrefix = proto.truth();
                case 4 -> singleSpaces = proto.truth();
                case 5 -> escapedSpaces = proto.truth();
                default -> proto.skip();
            }
        }
    }

    private Tokenizer tokenizer() {
        if (entries.isEmpty()) throw new IllegalArgumentException("no SentencePiece model: it has no pieces");
        if (modelType != UNIGRAM)
            throw new IllegalArgumentException("a SentencePiece model of type " + modelType + "; only unigram (1) is known");
        var unknown = only(Type.UNKNOWN);
        var bytes = byteFallback ? Tokenizer.bytes(ids) : null;
        if (byteFallback && bytes == null) throw new IllegalArgumentException("a SentencePiece model with bytes, but not all 256 of them");
        var eos = ids.get(eosPiece);
        if (eos == null) throw new IllegalArgumentException("a SentencePiece model without the end of a sentence, " + eosPiece);
        var symbols = entries.stream().filter(e -> e.type == Type.USER_DEFINED).map(e -> e.text.getBytes(StandardCharsets.UTF_8)).toList();
        var words = new SentencePieceNormalizer(charsmap, symbols, dummyPrefix, singleSpaces, escapedSpaces, spaceAsSuffix);
        return new Tokenizer(
                text -> List.of(new Tokenizer.Word(words.normalize(text))),
                unigram(),
                new Tokenizer.Unknown(unknown, bytes),
                entries.stream().map(Entry::text).toList(),
                new int[0],
                new int[] {eos});
    }

    private int only(Type type) {
        int found = -1;
        for (int id = 0; id < entries.size(); id++) {
            if (entries.get(id).type != type) continue;
            if (found >= 0) throw new IllegalArgumentException("a SentencePiece model with two unknown pieces, " + found + " and " + id);
            found = id;
        }
        if (found < 0) throw new IllegalArgumentException("a SentencePiece model without an unknown piece");
        return found;
    }

    /// Control symbols, bytes and unused pieces are never found in a text; a user-defined symbol scores so high that it always is.
    private Unigram unigram() {
        float least = Float.POSITIVE_INFINITY;
        float most = Float.NEGATIVE_INFINITY;
        for (var entry : entries) {
            if (entry.type != Type.NORMAL) continue;
            least = Math.min(least, entry.score);
            most = Math.max(most, entry.score);
        }
        if (least > most) throw new IllegalArgumentException("a SentencePiece model without a normal piece");
        var pieces = new ArrayList<Unigram.Piece>();
        for (int id = 0; id < entries.size(); id++) {
            var entry = entries.get(id);
            if (entry.type == Type.NORMAL) pieces.add(new Unigram.Piece(entry.text, id, entry.score));
            if (entry.type == Type.USER_DEFINED) {
                int length = entry.text.getBytes(StandardCharsets.UTF_8).length;
                pieces.add(new Unigram.Piece(entry.text, id, length * most - 0.1));
            }
        }
        return new Unigram(pieces, (float) (least - UNKNOWN_PENALTY), true);
    }
}
