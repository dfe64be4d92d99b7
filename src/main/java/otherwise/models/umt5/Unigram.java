package otherwise.models.umt5;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/// A unigram language model (Kudo 2018): a text is cut into those pieces whose log-probabilities have the largest sum, found from left to
/// right (Viterbi). What no piece covers is cut into characters that count as unknown.
///
/// Pieces are kept sorted. Those that match at a place are found by narrowing a range of them, character by character.
final class Unigram {

    /// @param score log-probability
    record Piece(String text, int id, double score) {}

    /// Characters `from … to-1`; id −1 for an unknown one.
    record Part(int from, int to, int id) {
        static final int UNKNOWN = -1;
    }

    private final Piece[] pieces;
    private final double unknown;
    private final boolean single;

    /// @param unknown the score of a character that no piece covers
    /// @param single whether sums are rounded to single precision, as SentencePiece has them: between equally good ways, rounding decides
    Unigram(List<Piece> pieces, double unknown, boolean single) {
        this.pieces = pieces.toArray(Piece[]::new);
        this.unknown = unknown;
        this.single = single;
        Arrays.sort(this.pieces, Comparator.comparing(Piece::text));
    }

    /// The best way to cut `text`, from left to right.
    List<Part> best(String text) {
        var best = new double[text.length() + 1];
        var last = new Part[best.length]; // the part that ends here on the best way to here
        for (int at = 0; at < text.length(); at += width(text, at)) {
            boolean covered = false;
            int low = 0;
            int high = pieces.length;
            for (int end = at; end < text.length();) {
                low = first(low, high, end - at, text.charAt(end));
                high = first(low, high, end - at, text.charAt(end) + 1);
                if (low == high) break;
                end++;
                var shortest = pieces[low];
                if (shortest.text.length() != end - at) continue;
                reach(best, last, new Part(at, end, shortest.id), best[at] + shortest.score);
                covered |= end - at == width(text, at);
            }
            if (!covered) {
                reach(best, last, new Part(at, at + width(text, at), Part.UNKNOWN), best[at] + unknown);
            }
        }
        var parts = new ArrayDeque<Part>();
        for (int end = text.length(); end > 0; end = last[end].from) parts.addFirst(last[end]);
        return List.copyOf(parts);
    }

    /// Of equally good ways the first stays.
    private void reach(double[] best, Part[] last, Part part, double sum) {
        double score = single ? (float) sum : sum;
        if (last[part.to] != null && score <= best[part.to]) return;
        best[part.to] = score;
        last[part.to] = part;
    }

    /// The first piece from `low` to `high` whose character at `depth` is at least `c`; all of them begin alike up to there.
    private int first(int low, int high, int depth, int c) {
        while (low < high) {
            int middle = (low + high) >>> 1;
            var text = pieces[middle].text;
            if (text.length() > depth && text.charAt(depth) >= c) high = middle;
            else low = middle + 1;
        }
        return low;
    }

    private static int width(String text, int at) {
        return Character.charCount(text.codePointAt(at));
    }
}
