package otherwise.support;

import otherwise.backend.AttentionBias;
import otherwise.backend.AttentionSpec;
import otherwise.backend.Storage;

/// Attention in plain loops, every score computed wherever it is needed; see [Reference].
record ReferenceAttention(HostStorage q, HostStorage k, HostStorage v, AttentionBias added, AttentionSpec s) {

    /// Where the numbers of one head of one position begin, in `[batch, positions, heads, width]`.
    private long head(long positions, long b, long position, long h) {
        return ((b * positions + position) * s.heads() + h) * s.width();
    }

    private static double dot(HostStorage a, long ia, HostStorage b, long ib, long n) {
        double sum = 0;
        for (long i = 0; i < n; i++) sum += a.at(ia + i) * b.at(ib + i);
        return sum;
    }

    private static double at(Storage x, long i) {
        return x == null ? 0 : ((HostStorage) x).at(i);
    }

    private double score(long b, long h, long i, long j) {
        double score = s.scale() * dot(q, head(s.length(), b, i, h), k, head(s.keys(), b, j, h), s.width());
        if (added == null) return score;
        return score + at(added.bias(), (h * s.length() + i) * s.keys() + j)
                + at(added.mask(), (b % added.masks() * s.length() + i) * s.keys() + j);
    }

    void forward(HostStorage y, HostStorage logsumexp) {
        for (long b = 0; b < s.batch(); b++)
            for (long h = 0; h < s.heads(); h++)
                for (long i = 0; i < s.length(); i++) {
                    double max = Double.NEGATIVE_INFINITY;
                    for (long j = 0; j < s.keysOf(b); j++) max = Math.max(max, score(b, h, i, j));
                    double sum = 0;
                    for (long j = 0; j < s.keysOf(b); j++) sum += Math.exp(score(b, h, i, j) - max);
                    logsumexp.set((b * s.heads() + h) * s.length() + i, max + Math.log(sum));

                    long iy = head(s.length(), b, i, h);
                    for (long d = 0; d < s.width(); d++) y.set(iy + d, 0);
                    for (long j = 0; j < s.keysOf(b); j++) {
                        double p = Math.exp(score(b, h, i, j) - max) / sum;
                        for (long d = 0; d < s.width(); d++) y.add(iy + d, p * v.at(head(s.keys(), b, j, h) + d));
                    }
                }
    }

    void backward(
            HostStorage dq, HostStorage dk, HostStorage dv, HostStorage dbias, HostStorage dy, HostStorage y, HostStorage logsumexp) {
        for (var x : new HostStorage[] {dq, dk, dv, dbias}) {
            for (long i = 0; x != null && i < x.size(); i++) x.set(i, 0);
        }
        for (long b = 0; b < s.batch(); b++)
            for (long h = 0; h < s.heads(); h++)
                for (long i = 0; i < s.length(); i++) {
                    long iq = head(s.length(), b, i, h);
                    double through = dot(dy, iq, y, iq, s.width());
                    for (long j = 0; j < s.keysOf(b); j++) {
                        long ik = head(s.keys(), b, j, h);
                        double p = Math.exp(score(b, h, i, j) - logsumexp.at((b * s.heads() + h) * s.length() + i));
                        double dscore = p * (dot(dy, iq, v, ik, s.width()) - through);
                        if (dbias != null) dbias.add((h * s.length() + i) * s.keys() + j, dscore);
                        for (long d = 0; d < s.width(); d++) {
                            dv.add(ik + d, p * dy.at(iq + d));
                            dq.add(iq + d, s.scale() * dscore * k.at(ik + d));
                            dk.add(ik + d, s.scale() * dscore * q.at(iq + d));
                        }
                    }
                }
    }
}
