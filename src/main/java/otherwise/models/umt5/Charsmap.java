package otherwise.models.umt5;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;

/// SentencePiece's precompiled normalisation: which stretches of text are replaced, and by what ("ﬁ" → "fi", "①" → "1", tab → space).
///
/// In the file: the length of a trie in bytes, the trie, and the replacements, each ended by a zero. The trie is a double array (Aoe 1989) as
/// darts-clone packs it, one 32-bit unit a node, walked byte by byte of UTF-8:
///
///     bits 0–7 the byte that leads here · bit 8 a key ends here · bits 10–30 offset, shifted by 8 more if bit 9 is set
///     child for byte c = node ⊕ offset ⊕ c        value of a key = the unit at node ⊕ offset, without bit 31
final class Charsmap {

    /// `length` bytes of text are replaced.
    record Match(int length, String replacement) {}

    private static final Pattern GRAPHEME = Pattern.compile("\\X");

    /// Longer graphemes are looked up character by character.
    private static final int LONGEST_GRAPHEME = 5;

    private final int[] units;
    private final byte[] replacements;

    private Charsmap(int[] units, byte[] replacements) {
        this.units = units;
        this.replacements = replacements;
    }

    /// @throws IllegalArgumentException if the lengths do not fit
    static Charsmap parse(byte[] blob) {
        var bytes = ByteBuffer.wrap(blob).order(ByteOrder.LITTLE_ENDIAN);
        long length = blob.length < 4 ? 0 : Integer.toUnsignedLong(bytes.getInt());
        if (length < 4 || length % 4 != 0 || length >= bytes.remaining() || blob[blob.length - 1] != 0) {
            throw new IllegalArgumentException("the normalisation table is damaged: " + blob.length + " bytes with a trie of " + length);
        }
        var units = new int[(int) length / 4];
        bytes.asIntBuffer().get(units);
        var replacements = new byte[bytes.remaining() - (int) length];
        bytes.get(bytes.position() + (int) length, replacements);
        return new Charsmap(units, replacements);
    }

    /// The longest key with which `text` goes on at `from`, or `null`.
    Match longest(byte[] text, int from) {
        return match(text, from, false);
    }

    private Match match(byte[] text, int from, boolean first) {
        Match found = null;
        int node = offset(units[0]);
        for (int i = from; i < text.length; i++) {
            int label = text[i] & 0xFF;
            int unit = unit(node ^ label);
            if ((unit & 0x800000FF) != label) break;
            node = node ^ label ^ offset(unit);
            if ((unit >>> 8 & 1) == 0) continue;
            found = new Match(i + 1 - from, replacement(unit(node) & 0x7FFFFFFF));
            if (first) break;
        }
        return found;
    }

    private static int offset(int unit) {
        return (unit >>> 10) << ((unit & 1 << 9) >>> 6);
    }

    private int unit(int node) {
        if (node < 0 || node >= units.length)
            throw new IllegalArgumentException("the normalisation table is damaged: its trie leads out of it");
        return units[node];
    }

    private String replacement(int at) {
        if (at >= replacements.length) throw new IllegalArgumentException("the normalisation table is damaged: no replacement at " + at);
        int end = at;
        while (replacements[end] != 0) end++;
        return new String(replacements, at, end - at, StandardCharsets.UTF_8);
    }

    /// The text with every replacement done as the `tokenizers` library does it: a grapheme as a whole by the first key with which it begins, or
    /// else its characters one by one.
    String normalizeGraphemes(String text) {
        var out = new StringBuilder();
        for (var match : GRAPHEME.matcher(text).results().toList()) {
            var grapheme = match.group();
            var bytes = grapheme.getBytes(StandardCharsets.UTF_8);
            var whole = bytes.length <= LONGEST_GRAPHEME ? match(bytes, 0, true) : null;
            if (whole != null) {
                out.append(whole.replacement);
                continue;
            }
            grapheme.codePoints().forEach(c -> {
                var character = Character.toString(c);
                var one = match(character.getBytes(StandardCharsets.UTF_8), 0, true);
                out.append(one != null ? one.replacement : character);
            });
        }
        return out.toString();
    }
}
