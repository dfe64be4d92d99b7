package otherwise.models.umt5;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import otherwise.models.umt5.Unigram.Part;

/// From text to the ids of an encoder's vocabulary, as T5 and umT5 have it: normalise, cut into pieces by a [Unigram] model, end with `</s>`.
///
/// There are two files for it: SentencePiece's own `spiece.model`, and `tokenizer.json` of the `tokenizers` library. Each is read as its own
/// library reads it; on ordinary text both give the same ids. They differ in what only one of them knows: `tokenizer.json` finds added
/// tokens such as `</s>` in the text, SentencePiece finds user-defined symbols and takes control symbols for plain text.
public final class Tokenizer {

    /// What takes a text apart before the model sees it.
    @FunctionalInterface
    interface Words {
        /// The words to be cut into pieces, and tokens that were found as they are, in the order of the text.
        List<Word> of(String text);
    }

    /// A normalised word, or a token whose id is known already.
    ///
    /// @param text `null` for a known token
    record Word(String text, int id) {
        Word(String text) {
            this(text, Part.UNKNOWN);
        }
    }

    /// What becomes of unknown characters: a run of them is one unknown token, or every byte of them is one of 256 tokens.
    ///
    /// @param bytes the ids of the bytes; `null` without fallback
    record Unknown(int id, int[] bytes) {}

    private final Words words;
    private final Unigram model;
    private final Unknown unknown;
    private final List<String> pieces;
    private final int[] before;
    private final int[] after;

    /// @param pieces by id
    /// @param before ids in front of every text
    /// @param after ids behind every text: the end of the sentence
    Tokenizer(Words words, Unigram model, Unknown unknown, List<String> pieces, int[] before, int[] after) {
        this.words = words;
        this.model = model;
        this.unknown = unknown;
        this.pieces = List.copyOf(pieces);
        this.before = before;
        this.after = after;
    }

    /// From the content of a `spiece.model` or a `tokenizer.json`; which of them, the first byte tells.
    ///
    /// @throws IllegalArgumentException if it is neither, is damaged, or asks for what is not known here
    public static Tokenizer of(byte[] file) {
        for (byte b : file) {
            if (b == '{') return TokenizerJson.parse(file);
            if (!Character.isWhitespace(b)) break;
        }
        return SentencePieceModel.parse(file);
    }

    /// How many ids there are.
    public int size() {
        return pieces.size();
    }

    /// The piece of an id, with ▁ for spaces.
    public String piece(long id) {
        return pieces.get(Math.toIntExact(id));
    }

    /// The ids of `text`, the end included.
    public long[] encode(String text) {
        return encode(text, Integer.MAX_VALUE);
    }

    /// The ids of `text`, at most `longest` of them: a longer text loses its last pieces, never its end.
    ///
    /// @throws IllegalArgumentException if not even the end fits
    public long[] encode(String text, int longest) {
        int room = longest - before.length - after.length;
        if (room < 0) throw new IllegalArgumentException("a text of " + longest + " ids has no room for its end");
        var ids = new ArrayList<Integer>();
        for (int id : before) ids.add(id);
        var own = ids(text);
        ids.addAll(own.subList(0, Math.min(own.size(), room)));
        for (int id : after) ids.add(id);
        return ids.stream().mapToLong(Integer::longValue).toArray();
    }

    private List<Integer> ids(String text) {
        var ids = new ArrayList<Integer>();
        for (var word : words.of(sound(text))) {
            if (word.text == null) ids.add(word.id);
            else cut(word.text, ids);
        }
        return ids;
    }

    private void cut(String word, List<Integer> ids) {
        boolean inRun = false;
        for (var part : model.best(word)) {
            if (part.id() != Part.UNKNOWN) {
                ids.add(part.id());
            } else if (unknown.bytes != null) {
                for (byte b : word.substring(part.from(), part.to()).getBytes(StandardCharsets.UTF_8)) ids.add(unknown.bytes[b & 0xFF]);
            } else if (!inRun) {
                ids.add(unknown.id);
            }
            inRun = part.id() == Part.UNKNOWN;
        }
    }

    /// Half a character outside the basic plane is no text.
    private static String sound(String text) {
        var sound = new StringBuilder(text.length());
        text.codePoints().forEach(c -> sound.appendCodePoint(c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE ? 0xFFFD : c));
        return sound.toString();
    }

    /// The ids of the pieces `<0x00>` … `<0xFF>`, or `null` if one is missing.
    static int[] bytes(Map<String, Integer> ids) {
        var bytes = new int[256];
        for (int b = 0; b < bytes.length; b++) {
            var id = ids.get(String.format("<0x%02X>", b));
            if (id == null) return null;
            bytes[b] = id;
        }
        return bytes;
    }
}
